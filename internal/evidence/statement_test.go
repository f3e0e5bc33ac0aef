package evidence

import (
	"testing"
	"time"
)

func TestClose(t *testing.T) {
	at := func(d int) time.Time { return noon.AddDate(0, 0, d) }
	shop := Thing{Digests: []string{subject}}
	log4j := Thing{IDs: []string{"pkg:maven/org.apache/log4j@2.14"}}
	finding := Finding{Rule: "GHSA-1", Identifiers: []string{"CVE-2026-1", "CWE-79"}, Severity: Critical, Package: "log4j", Version: "2.14", PURL: "pkg:maven/org.apache/log4j@2.14?type=jar"}
	say := func(id string, product Thing, status Status, at time.Time) Statement {
		return Statement{Vulnerability: []string{id}, Product: product, Status: status, Why: "because", At: at}
	}
	within := func(s Statement, c Thing) Statement { s.Component = &c; return s }
	for _, c := range []struct {
		name       string
		statements []Statement
		closes     bool
	}{
		{"no statement", nil, false},
		{"the artifact is not affected", []Statement{say("CVE-2026-1", shop, NotAffected, noon)}, true},
		{"by the rule's own name", []Statement{say("ghsa-1", shop, Fixed, noon)}, true},
		{"a weakness is no vulnerability", []Statement{say("CWE-79", shop, NotAffected, noon)}, false},
		{"another vulnerability", []Statement{say("CVE-2026-2", shop, NotAffected, noon)}, false},
		{"another artifact", []Statement{say("CVE-2026-1", Thing{Digests: []string{"sha256:other"}}, NotAffected, noon)}, false},
		{"the digest in an id", []Statement{say("CVE-2026-1", Thing{IDs: []string{"pkg:oci/shop@" + "sha256%3A" + subject[7:] + "?repository_url=r"}}, NotAffected, noon)}, true},
		{"the digest in a reference", []Statement{say("CVE-2026-1", Thing{IDs: []string{"registry.example/shop@" + subject}}, NotAffected, noon)}, true},
		{"a name without a digest", []Statement{say("CVE-2026-1", Thing{IDs: []string{"pkg:oci/shop"}}, NotAffected, noon)}, false},
		{"the package", []Statement{say("CVE-2026-1", log4j, NotAffected, noon)}, true},
		{"the package of any version", []Statement{say("CVE-2026-1", Thing{IDs: []string{"pkg:maven/org.apache/log4j"}}, NotAffected, noon)}, true},
		{"another version", []Statement{say("CVE-2026-1", Thing{IDs: []string{"pkg:maven/org.apache/log4j@2.15"}}, NotAffected, noon)}, false},
		{"another qualifier", []Statement{say("CVE-2026-1", Thing{IDs: []string{"pkg:maven/org.apache/log4j@2.14?type=war"}}, NotAffected, noon)}, false},
		{"another kind of package", []Statement{say("CVE-2026-1", Thing{IDs: []string{"pkg:npm/org.apache/log4j@2.14"}}, NotAffected, noon)}, false},
		{"the package within the artifact", []Statement{within(say("CVE-2026-1", shop, NotAffected, noon), log4j)}, true},
		{"another package within the artifact", []Statement{within(say("CVE-2026-1", shop, NotAffected, noon), Thing{IDs: []string{"pkg:npm/a"}})}, false},
		{"the package within another artifact", []Statement{within(say("CVE-2026-1", Thing{Digests: []string{"sha256:other"}}, NotAffected, noon), log4j)}, false},
		{"looked into", []Statement{say("CVE-2026-1", shop, UnderWay, noon)}, false},
		{"affected", []Statement{say("CVE-2026-1", shop, Affected, noon)}, false},
		{"a later word that it stands", []Statement{say("CVE-2026-1", shop, NotAffected, noon), say("GHSA-1", shop, Affected, at(1))}, false},
		{"an earlier word that it stood", []Statement{say("CVE-2026-1", shop, Affected, noon), say("GHSA-1", shop, Fixed, at(1))}, true},
		{"two words at one time", []Statement{say("GHSA-1", log4j, UnderWay, noon), say("CVE-2026-1", shop, NotAffected, noon)}, false},
	} {
		claim := Claim{Kind: FindingsKind, Findings: &Findings{Total: 1, BySeverity: Severities{Critical: 1}, Items: []Finding{finding}}}
		got, n := Close(claim, subject, c.statements)
		f := got.Findings
		if closes := n == 1 && f.Total == 0 && f.Suppressed == 1 && f.BySeverity.Critical == 0 && f.Items[0].Suppressed && f.Items[0].Why != ""; closes != c.closes {
			t.Errorf("%s: %+v", c.name, f)
		}
		if claim.Findings.Total != 1 || claim.Findings.Items[0].Suppressed {
			t.Errorf("%s: the claim itself was changed", c.name)
		}
		claim.Findings.Unscanned = true
		if _, n := Close(claim, subject, c.statements); n != 0 {
			t.Errorf("%s: a statement closes a statement", c.name)
		}
		claim.Findings.Unscanned, claim.Findings.Omitted = false, 1
		if _, n := Close(claim, subject, c.statements); n != 0 {
			t.Errorf("%s: closed in a claim that does not list all", c.name)
		}
	}
}

// A finding of several vulnerabilities is closed only by who speaks of them all.
func TestCloseSeveral(t *testing.T) {
	finding := Finding{Rule: "CVE-2026-0001", Severity: High, Identifiers: []string{"CVE-2026-0001", "CVE-2026-0002", "GHSA-2222-3333-4444", "CWE-79"}}
	for _, c := range []struct {
		named  []string
		status Status
		closes bool
	}{
		{[]string{"CVE-2026-0001"}, NotAffected, false},
		{[]string{"cve-2026-0002"}, Fixed, false},
		{[]string{"CVE-2026-0001", "CVE-2026-0002"}, NotAffected, true},
		{[]string{"GHSA-2222-3333-4444"}, NotAffected, true},
		{[]string{"CVE-2026-0001", "CVE-2026-0003"}, NotAffected, false},
		{[]string{"CWE-79"}, NotAffected, false},
	} {
		claim := Claim{Kind: FindingsKind, Findings: &Findings{Total: 1, BySeverity: Severities{High: 1}, Items: []Finding{finding}}}
		say := Statement{Vulnerability: c.named, Product: Thing{Digests: []string{subject}}, Status: c.status}
		if _, n := Close(claim, subject, []Statement{say}); (n == 1) != c.closes {
			t.Errorf("%q: %d closed", c.named, n)
		}
		later := Statement{Vulnerability: []string{"CVE-2026-0002"}, Product: say.Product, Status: Affected, At: noon}
		if _, n := Close(claim, subject, []Statement{say, later}); n != 0 {
			t.Errorf("%q: closed, though a later word about one of them says that it stands", c.named)
		}
	}
}

func TestCutPURL(t *testing.T) {
	for s, want := range map[string]string{
		"pkg:npm/%40scope/a@1.0.0": "npm/@scope/a 1.0.0", "pkg:golang/example.org/m/v2@v2.1.0#sub": "golang/example.org/m/v2 v2.1.0",
		"pkg:NPM/a": "npm/a ", "pkg:deb/debian/a@1%3A2-3?arch=amd64": "deb/debian/a 1:2-3", "a@1": "", "pkg:npm": "", "pkg:": "",
	} {
		p, ok := cutPURL(s)
		if got := p.name + " " + p.version; ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %v", s, got, ok)
		}
	}
}
