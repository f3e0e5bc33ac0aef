package control_test

import (
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
)

// TestFindingsAreReadAgainWhereARuleReadsThem: the original is the only place
// where findings stand one by one.
func TestFindingsAreReadAgainWhereARuleReadsThem(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		verdict := func(d release.Decision) policy.Verdict {
			for _, r := range d.Reasons {
				if r.Gate == "probe" {
					return r.Verdict
				}
			}
			return ""
		}
		h.prepare()
		if d := h.ask().Decision; d.Lists != "" {
			t.Error("a list was loaded that no rule reads")
		}
		gate := "apiVersion: signalbox/v1\nkind: Gate\nname: probe\ntitle: Probe\nseverity: observe\ncondition: findings.items.all(f, f.rule != 'R1')\n"
		files := append(policy.Starter(), policy.File{Name: "probe.yaml", Data: []byte(gate)})
		_, err := h.ActivatePolicy(h.ctx, h.as("cid"), control.PolicyRequest{Files: files, Reason: "findings one by one"})
		must(t, err)
		clean := h.ask().Decision
		if verdict(clean) != policy.Go || clean.Lists == "" {
			t.Errorf("without findings %s", verdict(clean))
		}
		h.report("", badScan)
		if bad := h.ask().Decision; verdict(bad) != policy.NoGo || bad.Lists == clean.Lists {
			t.Errorf("with the finding %s", verdict(bad))
		}
	})
}

// TestCommitsAreReadWhereARuleReadsThem: the vault keeps them as they were sent.
func TestCommitsAreReadWhereARuleReadsThem(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		asked := func(ch change.Change, version string) release.Decision {
			q := control.ReleaseRequest{Service: "shop", Version: version, Digest: digest, Size: "minor"}
			s, err := h.OpenRelease(h.ctx, h.as("ci"), q)
			must(t, err)
			must(t, h.AttachChange(h.ctx, h.as("ci"), s.ID, ch))
			shown, err := h.Preview(h.ctx, h.as("ci"), s.ID, "production")
			must(t, err)
			return shown.Decision
		}
		verdict := func(d release.Decision) policy.Verdict {
			for _, r := range d.Reasons {
				if r.Gate == "probe" {
					return r.Verdict
				}
			}
			return ""
		}
		gate := "apiVersion: signalbox/v1\nkind: Gate\nname: probe\ntitle: Probe\nseverity: observe\ncondition: change.commit_list.all(c, c.signed)\n"
		files := append(policy.Starter(), policy.File{Name: "probe.yaml", Data: []byte(gate)})
		_, err := h.ActivatePolicy(h.ctx, h.as("cid"), control.PolicyRequest{Files: files, Reason: "commits one by one"})
		must(t, err)
		signed, unsigned, old := annsChange(), annsChange(), annsChange()
		unsigned.CommitList, unsigned.Signed = []change.CommitFact{{Type: "feat"}}, 0
		old.CommitList = nil
		if d := asked(signed, "v1.1.1"); verdict(d) != policy.Go || d.Lists == "" {
			t.Errorf("all signed: %s", verdict(d))
		}
		if d := asked(unsigned, "v1.1.2"); verdict(d) != policy.NoGo {
			t.Errorf("not signed: %s", verdict(d))
		}
		if d := asked(old, "v1.1.3"); verdict(d) != policy.CannotTell {
			t.Errorf("an old client: %s", verdict(d))
		}
		lie := annsChange()
		lie.Signed = 0
		s, err := h.OpenRelease(h.ctx, h.as("ci"), control.ReleaseRequest{Service: "shop", Version: "v1.1.4", Digest: digest})
		must(t, err)
		wants(t, h.AttachChange(h.ctx, h.as("ci"), s.ID, lie), fault.Invalid, "change.commit-list")
	})
}

const (
	vexHead   = `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://shop.example/vex","author":"Example Team","timestamp":"2026-01-02T03:04:05Z","version":1,"statements":[{"vulnerability":{"name":"R1"},`
	vexCloses = vexHead + `"products":[{"@id":"pkg:oci/shop","hashes":{"sha-256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}}],"status":"not_affected","justification":"component_not_present"}]}`
	vexOther  = vexHead + `"products":[{"@id":"pkg:oci/other@sha256:00"}],"status":"not_affected","justification":"component_not_present"}]}`
	vexStands = vexHead + `"products":[{"hashes":{"sha-256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}}],"status":"affected","action_statement":"update"}]}`
)

// TestStatementsCloseFindings: only for what they name, only where they are
// believed as much as the scan, and not for longer than they stand.
func TestStatementsCloseFindings(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		add := func(who, label, report string) {
			t.Helper()
			_, err := h.AddEvidence(h.ctx, h.as(who), control.EvidenceRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Label: label}, strings.NewReader(report))
			must(t, err)
		}
		scan := func() evidence.Added {
			t.Helper()
			a, err := h.Evidence(h.ctx, digest)
			must(t, err)
			for _, c := range a.Claims {
				if c.Claim.Format == "sarif" {
					return c
				}
			}
			t.Fatal("no scan stands")
			return evidence.Added{}
		}
		stands := func(what string, total int) {
			t.Helper()
			if f := scan().Claim.Findings; f.Total != total || f.Total+f.Suppressed != 1 {
				t.Errorf("%s: %+v", what, f)
			}
		}
		add("ci", "", badScan)
		first := scan()
		stands("the scan alone", 1)
		add("ann", "by hand", vexCloses)
		stands("a statement by a person beside a pipeline's scan", 1)
		add("ci", "other", vexOther)
		stands("a statement about another artifact", 1)
		add("ci", "", vexCloses)
		stands("a statement about the artifact", 0)
		if again := scan(); again.At != first.At || again.ID == first.ID || again.File != first.File {
			t.Errorf("counted again, the scan is another: %+v, before %+v", again, first)
		}
		add("ci", "", vexStands)
		stands("the author thought better of it", 1)
		add("ci", "", vexCloses)
		add("ci", "", badScan+" ")
		stands("a new scan beside a statement that stands", 0)
		h.verified(t)
	})
}
