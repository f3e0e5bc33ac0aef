package cyclonedx

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// readXML reads a document as report does.
func readXML(doc []byte) (evidence.Claim, error) {
	return evidence.ReadXML(doc, func(root xml.StartElement, _ string) (evidence.XMLReader, error) {
		if !RecogniseXML(root) {
			return nil, fault.Invalidf("evidence.unknown-format", "the root element is %q", root.Name.Local)
		}
		return NewXML(doc), nil
	})
}

func read(doc string) (evidence.Claim, error) {
	if strings.HasPrefix(strings.TrimSpace(doc), "<") {
		return readXML([]byte(doc))
	}
	return Read([]byte(doc))
}

func mustRead(t *testing.T, doc string) evidence.Claim {
	t.Helper()
	c, err := read(doc)
	if err != nil {
		t.Fatalf("%v\n%.800s", err, doc)
	}
	return c
}

// both is a document with components a (version 1) and b (version 2), in JSON
// and XML, with vulnerabilities as each form writes them.
func both(asJSON, asXML string) []string {
	return []string{
		`{"bomFormat":"CycloneDX","specVersion":"1.5","serialNumber":"urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79","version":2,
"components":[{"type":"library","bom-ref":"a","group":"g","name":"a","version":"1","purl":"pkg:npm/g/a@1"},{"type":"library","bom-ref":"b","name":"b","version":"2","components":[{"type":"library","bom-ref":"a2","group":"g","name":"a","version":"1","purl":"pkg:npm/g/a@1?x=y"}]}],
"services":[{"bom-ref":"s","name":"shop","version":"3"}],"vulnerabilities":[` + asJSON + `]}`,
		`<bom xmlns="http://cyclonedx.org/schema/bom/1.5" serialNumber="urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79" version="2"><components>
<component type="library" bom-ref="a"><group>g</group><name>a</name><version>1</version><purl>pkg:npm/g/a@1</purl></component>
<component type="library" bom-ref="b"><name>b</name><version>2</version><components><component type="library" bom-ref="a2"><group>g</group><name>a</name><version>1</version><purl>pkg:npm/g/a@1?x=y</purl></component></components></component></components>
<services><service bom-ref="s"><name>shop</name><version>3</version></service></services><vulnerabilities>` + asXML + `</vulnerabilities></bom>`,
	}
}

// vuln is a vulnerability in both forms: its id, the references of what it
// affects, and more of it.
func vuln(id string, refs []string, moreJSON, moreXML string) (asJSON, asXML string) {
	var js, xs []string
	for _, r := range refs {
		js, xs = append(js, fmt.Sprintf(`{"ref":%q}`, r)), append(xs, `<target><ref>`+r+`</ref></target>`)
	}
	affects := `<affects>` + strings.Join(xs, "") + `</affects>`
	if len(refs) == 0 {
		affects = ""
	}
	return fmt.Sprintf(`{"id":%q,"affects":[%s]%s}`, id, strings.Join(js, ","), moreJSON), `<vulnerability><id>` + id + `</id>` + moreXML + affects + `</vulnerability>`
}

func state(s string) (asJSON, asXML string) {
	return `,"analysis":{"state":"` + s + `","justification":"code_not_reachable"}`, `<analysis><state>` + s + `</state><justification>code_not_reachable</justification></analysis>`
}

// What counts, in both forms alike: one for each vulnerability and component.
func TestCounts(t *testing.T) {
	one := func(id string, refs ...string) [2]string { j, x := vuln(id, refs, "", ""); return [2]string{j, x} }
	in := func(s, id string, refs ...string) [2]string {
		mj, mx := state(s)
		j, x := vuln(id, refs, mj, mx)
		return [2]string{j, x}
	}
	versions := func(list ...string) [2]string {
		var js, xs []string
		for _, v := range list {
			version, status, has := strings.Cut(v, " ")
			j, x := `{"version":"`+version+`"`, `<version><version>`+version+`</version>`
			if strings.HasPrefix(version, "vers:") {
				j, x = `{"range":"`+version+`"`, `<version><range>`+version+`</range>`
			}
			if has {
				j, x = j+`,"status":"`+status+`"`, x+`<status>`+status+`</status>`
			}
			js, xs = append(js, j+"}"), append(xs, x+`</version>`)
		}
		return [2]string{
			`{"id":"CVE-2024-0001","affects":[{"ref":"a","versions":[` + strings.Join(js, ",") + `]}]}`,
			`<vulnerability><id>CVE-2024-0001</id><affects><target><ref>a</ref><versions>` + strings.Join(xs, "") + `</versions></target></affects></vulnerability>`,
		}
	}
	j, x := vuln("CVE-2024-0001", []string{"a"}, `,"bom-ref":"v"`, "")
	again := [2]string{j, strings.Replace(x, "<vulnerability>", `<vulnerability bom-ref="v">`, 1)}
	const link, other = "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/2#", "urn:cdx:00000000-395b-41f5-a30f-a58921a69b79/2#"
	for _, c := range []struct {
		name                      string
		list                      [][2]string
		total, suppressed, folded int
	}{
		{"one", [][2]string{one("CVE-2024-0001", "a")}, 1, 0, 0},
		{"of two components", [][2]string{one("CVE-2024-0001", "a", "b")}, 2, 0, 0},
		{"two of one component", [][2]string{one("CVE-2024-0001", "a"), one("CVE-2024-0002", "a")}, 2, 0, 0},
		{"said twice", [][2]string{one("CVE-2024-0001", "a"), again}, 1, 0, 1},
		{"one package at two places", [][2]string{one("CVE-2024-0001", "a", "a2")}, 1, 0, 1},
		{"of a service", [][2]string{one("CVE-2024-0001", "s")}, 1, 0, 0},
		{"of nothing that is named", [][2]string{one("CVE-2024-0001"), one("CVE-2024-0002")}, 2, 0, 0},
		{"of what is not listed", [][2]string{one("CVE-2024-0001", "gone"), one("CVE-2024-0001", "away")}, 2, 0, 0},
		{"a link to this document", [][2]string{one("CVE-2024-0001", "a"), one("CVE-2024-0001", link+"a")}, 1, 0, 1},
		{"a link to another", [][2]string{one("CVE-2024-0001", "a"), one("CVE-2024-0001", other+"a")}, 2, 0, 0},
		{"exploitable", [][2]string{in("exploitable", "CVE-2024-0001", "a")}, 1, 0, 0},
		{"in triage", [][2]string{in("in_triage", "CVE-2024-0001", "a")}, 1, 0, 0},
		{"resolved", [][2]string{in("resolved", "CVE-2024-0001", "a")}, 0, 1, 0},
		{"resolved with pedigree", [][2]string{in("resolved_with_pedigree", "CVE-2024-0001", "a")}, 0, 1, 0},
		{"false positive", [][2]string{in("false_positive", "CVE-2024-0001", "a")}, 0, 1, 0},
		{"not affected", [][2]string{in("not_affected", "CVE-2024-0001", "a", "b")}, 0, 2, 0},
		{"closed of nothing named", [][2]string{in("not_affected", "CVE-2024-0001")}, 0, 1, 0},
		{"closed of one component only", [][2]string{in("not_affected", "CVE-2024-0001", "a"), one("CVE-2024-0001", "b")}, 1, 1, 0},
		{"closed here, standing there", [][2]string{in("not_affected", "CVE-2024-0001", "a"), one("CVE-2024-0001", "a2")}, 1, 1, 0},
		{"another closed", [][2]string{in("not_affected", "CVE-2024-0002", "a"), one("CVE-2024-0001", "a")}, 1, 1, 0},
		{"the version is unaffected", [][2]string{versions("1 unaffected")}, 0, 1, 0},
		{"another version is unaffected", [][2]string{versions("2 unaffected")}, 1, 0, 0},
		{"unaffected and affected", [][2]string{versions("1 unaffected", "1 affected")}, 1, 0, 0},
		{"affected by default", [][2]string{versions("1 unaffected", "1")}, 1, 0, 0},
		{"of unknown status", [][2]string{versions("1 unknown")}, 1, 0, 0},
		{"a range is unaffected", [][2]string{versions("vers:npm/>=0 unaffected")}, 1, 0, 0},
	} {
		var js, xs []string
		for _, v := range c.list {
			js, xs = append(js, v[0]), append(xs, v[1])
		}
		for _, doc := range both(strings.Join(js, ","), strings.Join(xs, "")) {
			f := mustRead(t, doc).Findings
			if f.Total != c.total || f.Suppressed != c.suppressed || f.Folded != c.folded {
				t.Errorf("%s: total %d, suppressed %d, folded %d; want %d, %d, %d\n%s", c.name, f.Total, f.Suppressed, f.Folded, c.total, c.suppressed, c.folded, doc)
			}
			if f.Unscanned {
				t.Errorf("%s: is taken for no scan", c.name)
			}
		}
	}
}

// Both forms of one document give the same findings, with all that is known.
func TestFinding(t *testing.T) {
	mj, mx := state("not_affected")
	j, x := vuln("SNYK-1", []string{"a", "urn:cdx:00000000-395b-41f5-a30f-a58921a69b79/1#pkg%3Anpm/x%401.0?y", "pkg:npm/z@3", "gone"}, "", "")
	detailJSON := `,"references":[{"id":"CVE-2024-0001","source":{"name":"NVD"}},{"id":"GHSA-2222-3333-4444","source":{}}],"ratings":[{"severity":"high","method":"CVSSv31"}],"cwes":[79,20],"description":"long words","detail":"more"`
	detailXML := `<references><reference><id>CVE-2024-0001</id><source><name>NVD</name></source></reference><reference><id>GHSA-2222-3333-4444</id><source/></reference></references><ratings><rating><severity>high</severity><method>CVSSv31</method></rating></ratings><cwes><cwe>79</cwe><cwe>20</cwe></cwes><description>long words</description><detail>more</detail>`
	j = strings.TrimSuffix(j, "}") + detailJSON + mj + "}"
	x = strings.Replace(x, "</id>", "</id>"+detailXML, 1)
	x = strings.Replace(x, "<affects>", mx+"<affects>", 1)
	docs := both(j, x)
	got := mustRead(t, docs[0])
	base := evidence.Finding{
		Rule: "SNYK-1", Severity: evidence.High, Scale: "cyclonedx:severity high", Identifiers: []string{"CVE-2024-0001", "GHSA-2222-3333-4444", "CWE-79", "CWE-20"},
		Message: "long words", Suppressed: true, Why: "vex: not_affected, code_not_reachable",
	}
	want := []evidence.Finding{base, base, base, base}
	want[0].Location, want[0].Package, want[0].Version, want[0].PURL = "a", "g/a", "1", "pkg:npm/g/a@1"
	want[1].Location, want[1].Package, want[1].Version, want[1].PURL = "urn:cdx:00000000-395b-41f5-a30f-a58921a69b79/1#pkg%3Anpm/x%401.0?y", "pkg:npm/x@1.0?y", "1.0", "pkg:npm/x@1.0?y"
	want[2].Location, want[2].Package, want[2].Version, want[2].PURL = "pkg:npm/z@3", "pkg:npm/z@3", "3", "pkg:npm/z@3"
	want[3].Location, want[3].Package = "gone", "gone"
	if diff := cmp.Diff(want, got.Findings.Items); diff != "" {
		t.Error(diff)
	}
	notes := []string{"1 of the affected components belong to other documents", "2 of the affected components are not in this document"}
	if diff := cmp.Diff(notes, got.Notes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(got, mustRead(t, docs[1])); diff != "" {
		t.Error("the forms differ", diff)
	}
}

func TestSeverity(t *testing.T) {
	const vector2, vector31 = "AV:N/AC:L/Au:N/C:P/I:P/A:P", "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
	for _, c := range []struct {
		name    string
		ratings []rating
		want    evidence.Severity
		scale   string
	}{
		{"none", nil, evidence.Unrated, "cyclonedx:not rated"},
		{"nothing said", []rating{{}}, evidence.Unrated, "cyclonedx:not rated"},
		{"a word", []rating{{severity: "critical"}}, evidence.Critical, "cyclonedx:severity critical"},
		{"none as a word", []rating{{severity: "none"}}, evidence.Info, "cyclonedx:severity none"},
		{"info", []rating{{severity: "info"}}, evidence.Info, "cyclonedx:severity info"},
		{"the word before the score", []rating{{severity: "low", score: "9.8", method: "CVSSv3"}}, evidence.Low, "cyclonedx:severity low"},
		{"unknown", []rating{{severity: "unknown"}}, evidence.Unrated, "cyclonedx:severity unknown"},
		{"unknown, whatever the score", []rating{{severity: "unknown", score: "2.0", method: "CVSSv3"}}, evidence.Unrated, "cyclonedx:severity unknown"},
		{"a score", []rating{{score: "7.5", method: "CVSSv31"}}, evidence.High, "cyclonedx:score CVSSv31 7.5"},
		{"a score of CVSS 4", []rating{{score: "9.0", method: "CVSSv4"}}, evidence.Critical, "cyclonedx:score CVSSv4 9.0"},
		{"a score of another scale", []rating{{score: "7.5", method: "OWASP"}}, evidence.Unrated, "cyclonedx:not rated"},
		{"a score of no scale", []rating{{score: "1.5"}}, evidence.Unrated, "cyclonedx:not rated"},
		{"a score of 0", []rating{{score: "0", method: "CVSSv2"}}, evidence.Unrated, "cyclonedx:not rated"},
		{"a score out of range", []rating{{score: "11", method: "CVSSv3"}}, evidence.Unrated, "cyclonedx:not rated"},
		{"a vector before the score", []rating{{score: "1.0", method: "CVSSv31", vector: "CVSS:3.1/" + vector31}}, evidence.Critical, "cyclonedx:vector 9.8"},
		{"a vector without version", []rating{{method: "CVSSv31", vector: vector31}}, evidence.Critical, "cyclonedx:vector 9.8"},
		{"a vector of version 2", []rating{{method: "CVSSv2", vector: vector2}}, evidence.High, "cyclonedx:vector 7.5"},
		{"a broken vector", []rating{{score: "5.0", method: "CVSSv31", vector: "AV:X"}}, evidence.Medium, "cyclonedx:score CVSSv31 5.0"},
		{"the worst", []rating{{severity: "low"}, {severity: "high"}, {severity: "medium"}}, evidence.High, "cyclonedx:severity high"},
		{"the worst by any way", []rating{{severity: "low"}, {score: "9.1", method: "CVSSv3"}}, evidence.Critical, "cyclonedx:score CVSSv3 9.1"},
		{"one that knows", []rating{{severity: "unknown"}, {severity: "low"}}, evidence.Low, "cyclonedx:severity low"},
	} {
		var js, xs []string
		for _, r := range c.ratings {
			j, x := `{"vector":`+fmt.Sprintf("%q", r.vector), ""
			for _, m := range []struct{ name, value, quote string }{{"score", r.score, ""}, {"severity", r.severity, `"`}, {"method", r.method, `"`}} {
				if m.value != "" {
					j, x = j+`,"`+m.name+`":`+m.quote+m.value+m.quote, x+"<"+m.name+">"+m.value+"</"+m.name+">"
				}
			}
			js, xs = append(js, j+"}"), append(xs, "<rating>"+x+"<vector>"+r.vector+"</vector></rating>")
		}
		j, x := vuln("CVE-2024-0001", []string{"a"}, `,"ratings":[`+strings.Join(js, ",")+`]`, "<ratings>"+strings.Join(xs, "")+"</ratings>")
		for _, doc := range both(j, x) {
			f := mustRead(t, doc).Findings.Items[0]
			if f.Severity != c.want || f.Scale != c.scale {
				t.Errorf("%s: %s by %q, want %s by %q\n%s", c.name, f.Severity, f.Scale, c.want, c.scale, doc)
			}
		}
	}
}

// Vulnerabilities without an id are told apart by another name, or counted each.
func TestWithoutID(t *testing.T) {
	for _, doc := range both(
		`{"affects":[{"ref":"a"}]},{"affects":[{"ref":"a"}],"cwes":[1]},{"bom-ref":"v","affects":[{"ref":"a"}]},{"references":[{"id":"X-1","source":{}}],"affects":[{"ref":"a"}]}`,
		`<vulnerability><affects><target><ref>a</ref></target></affects></vulnerability><vulnerability><cwes><cwe>1</cwe></cwes><affects><target><ref>a</ref></target></affects></vulnerability><vulnerability bom-ref="v"><affects><target><ref>a</ref></target></affects></vulnerability><vulnerability><references><reference><id>X-1</id><source/></reference></references><affects><target><ref>a</ref></target></affects></vulnerability>`,
	) {
		f := mustRead(t, doc).Findings
		if f.Total != 4 || f.Items[2].Rule != "v" || f.Items[3].Rule != "X-1" {
			t.Errorf("%+v", f)
		}
	}
}

// A document without a vulnerability is an inventory and satisfies nobody.
func TestInventory(t *testing.T) {
	for _, doc := range append(both("", ""),
		`{"bomFormat":"CycloneDX","specVersion":"1.2","version":1,"components":[]}`, `{"bomFormat":"CycloneDX","specVersion":"1.7"}`, `<bom xmlns="http://cyclonedx.org/schema/bom/1.3"/>`,
		`<bom xmlns="http://cyclonedx.org/schema/bom/1.2" xmlns:v="http://cyclonedx.org/schema/ext/vulnerability/1.0"><v:vulnerabilities/></bom>`,
	) {
		c := mustRead(t, doc)
		if f := c.Findings; f.Total != 0 || !f.Unscanned || f.Items == nil || len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "not a scan") {
			t.Errorf("%+v %v", f, c.Notes)
		}
	}
	if c := mustRead(t, both("", "")[0]); !strings.HasPrefix(c.Notes[0], "this is an inventory of 4 components and services,") {
		t.Error(c.Notes)
	}
	if c := mustRead(t, both("", "")[1]); !strings.HasPrefix(c.Notes[0], "this is an inventory of 4 components and services,") {
		t.Error(c.Notes)
	}
}

// Statements about the product that a document describes close findings of
// scans that name it; a document of parts is a scan and states nothing.
func TestVEX(t *testing.T) {
	digest := strings.Repeat("ab", 32)
	js := func(affects, more string) string {
		return `{"bomFormat":"CycloneDX","specVersion":"1.4","version":1,"metadata":{"timestamp":"2024-05-06T07:08:09+02:00","component":{"type":"application","bom-ref":"p","name":"shop","version":"3","purl":"pkg:oci/shop@3","hashes":[{"alg":"SHA-256","content":"` + strings.ToUpper(digest) + `"}]}},
"vulnerabilities":[{"id":"CVE-2024-0001","references":[{"id":"GHSA-2222-3333-4444","source":{}}],"affects":[` + affects + `],"analysis":{"state":"not_affected","justification":"code_not_present"}}]` + more + `}`
	}
	xs := func(affects, more string) string {
		return `<bom xmlns="http://cyclonedx.org/schema/bom/1.4"><metadata><timestamp>2024-05-06T07:08:09+02:00</timestamp><component type="application" bom-ref="p"><name>shop</name><version>3</version><hashes><hash alg="SHA-256">` + digest + `</hash></hashes><purl>pkg:oci/shop@3</purl></component></metadata>` + more +
			`<vulnerabilities><vulnerability><id>CVE-2024-0001</id><references><reference><id>GHSA-2222-3333-4444</id><source/></reference></references><analysis><state>not_affected</state><justification>code_not_present</justification></analysis><affects>` + affects + `</affects></vulnerability></vulnerabilities></bom>`
	}
	product := evidence.Thing{IDs: []string{"pkg:oci/shop@3"}, Digests: []string{"sha256:" + digest}}
	said := evidence.Statement{
		Vulnerability: []string{"CVE-2024-0001", "GHSA-2222-3333-4444"}, Product: product, Status: evidence.NotAffected, Why: "code_not_present",
		At: time.Date(2024, 5, 6, 5, 8, 9, 0, time.UTC),
	}
	inside := said
	inside.Component = &evidence.Thing{IDs: []string{"pkg:npm/a@1"}}
	for _, docs := range [][2]string{{js(`{"ref":"p"},{"ref":"pkg:npm/a@1"},{"ref":"urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#pkg:npm/b@1"},{"ref":"unknown"}`, ""), xs(`<target><ref>p</ref></target><target><ref>pkg:npm/a@1</ref></target><target><ref>urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#pkg:npm/b@1</ref></target><target><ref>unknown</ref></target>`, "")}} {
		for _, doc := range docs {
			c := mustRead(t, doc)
			if !c.Findings.Unscanned || c.Findings.Total != 0 || c.Findings.Suppressed != 4 {
				t.Errorf("%+v", c.Findings)
			}
			if diff := cmp.Diff([]evidence.Statement{said, inside}, c.Statements); diff != "" {
				t.Error(diff)
			}
			closed, n := evidence.Close(evidence.Claim{Findings: &evidence.Findings{Total: 1, BySeverity: evidence.Severities{High: 1}, Items: []evidence.Finding{{Rule: "CVE-2024-0001", Severity: evidence.High, Package: "x"}}}}, "sha256:"+digest, c.Statements)
			if n != 1 || closed.Findings.Total != 0 {
				t.Errorf("it closes %d: %+v", n, closed.Findings)
			}
			if _, n := evidence.Close(evidence.Claim{Findings: &evidence.Findings{Total: 1, Items: []evidence.Finding{{Rule: "CVE-2024-0001", Package: "x"}}}}, "sha256:"+strings.Repeat("cd", 32), c.Statements); n != 0 {
				t.Error("it closes a finding of another artifact")
			}
		}
	}
	for _, doc := range []string{
		js(`{"ref":"p"}`, `,"components":[{"type":"library","name":"a","version":"1"}]`), xs(`<target><ref>p</ref></target>`, `<components><component type="library"><name>a</name><version>1</version></component></components>`),
	} {
		if c := mustRead(t, doc); c.Findings.Unscanned || c.Statements != nil || c.Findings.Suppressed != 1 {
			t.Errorf("%+v", c)
		}
	}
}

func TestAbout(t *testing.T) {
	for name, c := range map[string]struct {
		doc       string
		tool      evidence.Tool
		generated string
	}{
		"a list":          {`{"bomFormat":"CycloneDX","specVersion":"1.4","version":1,"metadata":{"timestamp":"2024-01-02T03:04:05Z","tools":[{"vendor":"v","name":"t","version":"1"}]}}`, evidence.Tool{Name: "t", Version: "1"}, "2024-01-02T03:04:05Z"},
		"components":      {`{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,"metadata":{"tools":{"components":[{"type":"application","name":"t","version":"1"}],"services":[{"name":"s"}]}}}`, evidence.Tool{Name: "t + s"}, "0001-01-01T00:00:00Z"},
		"two versions":    {`{"bomFormat":"CycloneDX","specVersion":"1.4","version":1,"metadata":{"tools":[{"name":"t","version":"1"},{"name":"t","version":"2"}]}}`, evidence.Tool{Name: "t"}, "0001-01-01T00:00:00Z"},
		"none":            {`{"bomFormat":"CycloneDX","specVersion":"1.4","version":1,"metadata":{"component":{"type":"application","name":"x","version":"1"}}}`, evidence.Tool{}, "0001-01-01T00:00:00Z"},
		"XML, a list":     {`<bom xmlns="http://cyclonedx.org/schema/bom/1.2"><metadata><timestamp>2024-01-02T03:04:05+01:00</timestamp><tools><tool><vendor>v</vendor><name>t</name><version>1</version></tool></tools><component type="file"><name>x</name><version>9</version></component></metadata></bom>`, evidence.Tool{Name: "t", Version: "1"}, "2024-01-02T02:04:05Z"},
		"XML, components": {`<bom xmlns="http://cyclonedx.org/schema/bom/1.6"><metadata><timestamp>2024-01-02T03:04:05</timestamp><tools><components><component type="file"><name>t</name><version>1</version></component></components></tools></metadata></bom>`, evidence.Tool{Name: "t", Version: "1"}, "0001-01-01T00:00:00Z"},
	} {
		got := mustRead(t, c.doc)
		if got.Tool != c.tool || got.Generated.Format(time.RFC3339) != c.generated || got.Format != Format {
			t.Errorf("%s: %+v at %s", name, got.Tool, got.Generated)
		}
	}
}

// The extension of 1.2 and 1.3 is read wherever it stands, in later versions too.
func TestExtension(t *testing.T) {
	in := func(version, inside, after string) string {
		return `<bom xmlns="http://cyclonedx.org/schema/bom/` + version + `" xmlns:v="http://cyclonedx.org/schema/ext/vulnerability/1.0"><components><component type="library" bom-ref="a"><group>g</group><name>a</name><version>1</version>` + inside + `</component></components>` + after + `</bom>`
	}
	vulnerability := func(ref, more string) string {
		return `<v:vulnerabilities><v:vulnerability ref="` + ref + `"><v:id>CVE-2024-0001</v:id>` + more + `</v:vulnerability></v:vulnerabilities>`
	}
	for _, version := range []string{"1.2", "1.3", "1.5"} {
		for name, doc := range map[string]string{
			"in a component": in(version, vulnerability("urn:uuid:1", ""), ""), "after the components": in(version, "", vulnerability("a", "")), "in what others add": in(version, "", `<x xmlns="urn:x">`+vulnerability("a", "")+`</x>`),
		} {
			c := mustRead(t, doc)
			if f := c.Findings; f.Total != 1 || f.Unscanned || f.Items[0].Package != "g/a" || f.Items[0].Version != "1" || f.Items[0].Location != "a" || f.Items[0].Severity != evidence.Unrated {
				t.Errorf("%s in %s: %+v", name, version, f)
			}
		}
	}
	detail := `<v:source name="NVD"><v:url>https://nvd.nist.gov</v:url></v:source><v:ratings><v:rating><v:severity>Low</v:severity><v:method>OWASP Risk</v:method></v:rating><v:rating><v:score><v:base>9.8</v:base><v:impact>5.9</v:impact></v:score><v:method>CVSSv3</v:method></v:rating></v:ratings><v:cwes><v:cwe>184</v:cwe></v:cwes><v:description>words</v:description><v:recommendations><v:recommendation>Upgrade</v:recommendation></v:recommendations><v:advisories><v:advisory>https://example.org</v:advisory></v:advisories>`
	f := mustRead(t, in("1.2", vulnerability("x", detail), "")).Findings.Items[0]
	if f.Severity != evidence.Critical || f.Scale != "cyclonedx:score CVSSv3 9.8" || f.Message != "words" || !cmp.Equal(f.Identifiers, []string{"CVE-2024-0001", "CWE-184"}) {
		t.Errorf("%+v", f)
	}
	for name, more := range map[string]string{
		"a severity": `<v:ratings><v:rating><v:severity>Bad</v:severity></v:rating></v:ratings>`, "a score": `<v:ratings><v:rating><v:score><v:base>11</v:base></v:score></v:rating></v:ratings>`, "the order": `<v:description/><v:ratings/>`,
		"a method": `<v:ratings><v:rating><v:method>CVSS</v:method></v:rating></v:ratings>`, "an element": `<v:odd/>`, "a weakness": `<v:cwes><v:cwe>CWE-1</v:cwe></v:cwes>`, "a second id": `<v:id>x</v:id>`,
	} {
		if c, err := read(in("1.2", vulnerability("a", more), "")); err == nil {
			t.Errorf("%s is read: %+v", name, c.Findings)
		}
	}
	for _, doc := range []string{in("1.2", `<v:vulnerabilities><v:vulnerability ref="a"/></v:vulnerabilities>`, ""), in("1.2", `<v:vulnerabilities><v:vulnerability><v:id>x</v:id></v:vulnerability></v:vulnerabilities>`, ""), in("1.2", `<v:vulnerabilities><v:vulnerability ref="a"><v:id> </v:id></v:vulnerability></v:vulnerabilities>`, "")} {
		if _, err := read(doc); err == nil {
			t.Errorf("%s is read", doc)
		}
	}
}

// What breaches the rules is refused, with the place and the reason.
func TestRefused(t *testing.T) {
	const ns = `xmlns="http://cyclonedx.org/schema/bom/1.5"`
	for doc, want := range map[string]string{
		`{"bomFormat":"CycloneDX","specVersion":"1.1","version":1}`: `the CycloneDX version is "1.1": these are read`,
		`{"bomFormat":"CycloneDX","specVersion":"1.8","version":1}`: `the CycloneDX version is "1.8"`,
		`{"bomFormat":"CycloneDX","specVersion":1.5,"version":1}`:   `the CycloneDX version is none`,
		`{"bomFormat":"CycloneDX","specVersion":", ","version":1}`:  `the CycloneDX version is ", "`,
		`{"bomFormat":"CycloneDX","version":1}`:                     `the CycloneDX version is none`,
		`{"specVersion":"1.5","bomFormat":"cyclonedx"}`:             `1:34: bomFormat is "cyclonedx": it must be "CycloneDX" (have the tool write CycloneDX 1.5 as its schema has it)`,
		"{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\n\"metadata\":{\"tools\":[{\"hashes\":[{\"alg\":\"MD55\",\"content\":\"" + strings.Repeat("0", 32) + "\"}]}]}}":      `2:40: metadata.tools.0.hashes.0.alg is "MD55": it may be one of 12 words, such as "BLAKE2b-256"`,
		`{"bomFormat":"CycloneDX","specVersion":"1.3","version":1,"vulnerabilities":[]}`:                                                                                            `1:58: vulnerabilities is not known: no such name stands there in this version of the format`,
		`{"bomFormat":"CycloneDX","specVersion":"1.5","Vulnerabilities":[]}`:                                                                                                        `Vulnerabilities is not known`,
		`{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"type":"file","name":"a","bom-ref":"x"},{"type":"file","name":"b","bom-ref":"x"}]}`:                            `components.1.bom-ref is "x": it stands at 1:96 already, and must be unique`,
		`{"bomFormat":"CycloneDX","specVersion":"1.5","specVersion":"1.5"}`:                                                                                                         `a name stands twice in one object`,
		`{"bomFormat":"CycloneDX","specVersion":"1.5","components":[`:                                                                                                               `ends too early`,
		`{"bomFormat":"CycloneDX","specVersion":"1.5"}{}`:                                                                                                                           `cannot be read`,
		`<bom xmlns="http://cyclonedx.org/schema/bom/1.1"/>`:                                                                                                                        `the CycloneDX version is "1.1"`,
		`<bom xmlns="http://cyclonedx.org/schema/bom/"/>`:                                                                                                                           `the CycloneDX version is none`,
		`<bom xmlns="http://cyclonedx.org/schema/bom/1.5x"/>`:                                                                                                                       `the CycloneDX version is "1.5x"`,
		`<bom ` + ns + `><components><component type="nothing"><name>a</name></component></components></bom>`:                                                                       `bom/components/component has the attribute "type" "nothing": it may be one of 12 words`,
		`<bom ` + ns + `><components><component type="file"/></components></bom>`:                                                                                                   `bom/components/component lacks an element: what must come:`,
		"<bom " + ns + ">\n<components><component type=\"file\"><name>a</name><hashes><hash alg=\"MD5\">x</hash></hashes></component></components></bom>":                           `2:82: bom/components/component/hashes/hash is "x": it must match`,
		`<bom ` + ns + `><services/><components/></bom>`:                                                                                                                            `bom holds "components": it stands too late, or once too often`,
		`<bom ` + ns + `><components><component type="file" bom-ref="x"><name>a</name></component><component type="file" bom-ref="x"><name>a</name></component></components></bom>`: `bom/components/component[2] has the attribute "bom-ref" "x": it stands in the document before, and must be unique`,
		`<!DOCTYPE bom [<!ENTITY a "b">]><bom ` + ns + `/>`:                                                                                                                         `declares more than the name`,
		`<bom ` + ns + `><components>&a;</components></bom>`:                                                                                                                        `invalid character entity`,
		`<bom ` + ns + `><p:x/></bom>`:       `has the prefix "p": no namespace is declared for it`,
		`<bom ` + ns + `><components>`:       `unexpected EOF`,
		`<bom ` + ns + `/><bom ` + ns + `/>`: `a second document follows the first`,
	} {
		c, err := read(doc)
		if err == nil {
			t.Errorf("%s is read: %+v", doc, c.Findings)
			continue
		}
		if kind := fault.KindOf(err); kind != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", doc, err, want)
		}
	}
	deep := strings.Repeat(`{"components":[`, 300)
	if _, err := read(`{"bomFormat":"CycloneDX","specVersion":"1.5","components":[` + deep); err == nil {
		t.Error("depth is read")
	}
}

// The documents of the corpus come out as their names say: valid ones are
// read, as inventories where they list no vulnerability.
func TestCorpus(t *testing.T) {
	counts := map[bool]int{}
	for _, path := range corpus(t, "cyclonedx/*/*.json") {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		valid := strings.HasPrefix(filepath.Base(path), "valid")
		counts[valid]++
		c, err := Read(b)
		if (err == nil) != valid {
			t.Errorf("%s: %v", path, err)
			continue
		}
		listed := strings.Contains(path, "vulnerability") || strings.Contains(path, "valid-compositions-1.5")
		if err == nil && (c.Findings.Total+c.Findings.Suppressed > 0) != listed || c.Findings != nil && c.Findings.Unscanned == listed {
			t.Errorf("%s: %+v", path, c.Findings)
		}
		if err != nil && (fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), ": ")) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if counts[true] < 100 || counts[false] < 60 {
		t.Errorf("%d valid, %d invalid", counts[true], counts[false])
	}
}

// Real reports in XML. Where others count a finding that an analysis closes,
// and read versions that are not read here, the difference is wanted.
func TestScans(t *testing.T) {
	want := map[string]string{
		"dd_1_15_0.xml": "381 and 0 by grype 0.11.0", "grype_dd_1_14_1.xml": "312 and 0 by grype 0.7.0", "spec1.xml": "1 and 0 by  ", "valid-vulnerability-1.4.xml": "0 and 1 by  ",
		"jake.xml": `2:122: the CycloneDX version is "1.1"`, "retirejs.latest.xml": `2:62: the CycloneDX version is "1.0"`,
	}
	for _, path := range corpus(t, "scans/cyclonedx/*.xml") {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if c, err := readXML(b); err != nil {
			got = err.Error()
		} else {
			got = fmt.Sprintf("%d and %d by %s %s", c.Findings.Total, c.Findings.Suppressed, c.Tool.Name, c.Tool.Version)
		}
		if expected, known := want[filepath.Base(path)]; known && !strings.HasPrefix(got, expected) {
			t.Errorf("%s: %s, want %s", path, got, expected)
		}
	}
}
