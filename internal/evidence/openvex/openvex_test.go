package openvex

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

const head = `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://shop.example/vex/1","author":"Example Team","timestamp":"2026-01-02T03:04:05Z","version":1,"statements":[`

func doc(statements ...string) string { return head + strings.Join(statements, ",") + "]}" }

func about(name, product, more string) string {
	return `{"vulnerability":{"name":"` + name + `"},"products":[{"@id":"` + product + `"}],` + more + `}`
}

const (
	closed = `"status":"not_affected","justification":"component_not_present"`
	open   = `"status":"affected","action_statement":"update"`
)

func TestCounts(t *testing.T) {
	for _, c := range []struct {
		name                      string
		statements                []string
		total, suppressed, folded int
	}{
		{"nothing", nil, 0, 0, 0},
		{"not affected", []string{about("CVE-2026-1", "pkg:npm/a@1", closed)}, 0, 1, 0},
		{"fixed", []string{about("CVE-2026-1", "pkg:npm/a@1", `"status":"fixed"`)}, 0, 1, 0},
		{"affected", []string{about("CVE-2026-1", "pkg:npm/a@1", open)}, 1, 0, 0},
		{"looked into", []string{about("CVE-2026-1", "pkg:npm/a@1", `"status":"under_investigation"`)}, 1, 0, 0},
		{"two products", []string{about("CVE-2026-1", "pkg:npm/a@1", open), about("CVE-2026-1", "pkg:npm/b@1", open)}, 2, 0, 0},
		{"two subcomponents", []string{`{"vulnerability":{"name":"CVE-2026-1"},"products":[{"@id":"shop","subcomponents":[{"@id":"pkg:npm/a@1"},{"@id":"pkg:npm/b@1"}]}],` + open + `}`}, 2, 0, 0},
		{"a later word", []string{
			about("CVE-2026-1", "pkg:npm/a@1", closed+`,"timestamp":"2026-01-03T00:00:00Z"`),
			about("CVE-2026-1", "pkg:npm/a@1", open+`,"timestamp":"2026-01-02T00:00:00Z"`),
		}, 0, 1, 1},
		{"an alias is the same", []string{
			about("CVE-2026-1", "pkg:npm/a@1", open),
			`{"vulnerability":{"name":"GHSA-1","aliases":["CVE-2026-1"]},"products":[{"@id":"pkg:npm/a@1"}],"status":"fixed"}`,
		}, 0, 1, 1},
	} {
		got, err := Read([]byte(doc(c.statements...)))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if f := got.Findings; f.Total != c.total || f.Suppressed != c.suppressed || f.Folded != c.folded || !f.Unscanned || f.Items == nil {
			t.Errorf("%s: %+v", c.name, f)
		}
		if got.Findings.BySeverity.Unrated != c.total {
			t.Errorf("%s: a statement without a severity is rated: %+v", c.name, got.Findings.BySeverity)
		}
	}
}

func TestRefused(t *testing.T) {
	good := doc(about("CVE-2026-1", "pkg:npm/a@1", closed))
	if _, err := Read([]byte(good)); err != nil {
		t.Fatal("the control is refused:", err)
	}
	for name, c := range map[string]struct{ from, to, says string }{
		"version":        {"v0.2.0", "v0.0.1", "only https://openvex.dev/ns/v0.2.0"},
		"id":             {`"@id":"https://shop.example/vex/1",`, ``, "@id"},
		"author":         {`"author":"Example Team",`, ``, "author"},
		"time":           {"2026-01-02T03:04:05Z", "yesterday", "RFC 3339"},
		"doc version":    {`"version":1`, `"version":0`, "version"},
		"no list":        {`"statements":[`, `"other":[`, "list of statements"},
		"null list":      {head, strings.Replace(head, `"statements":[`, `"statements":null,"x":[`, 1), "list of statements"},
		"status":         {"not_affected", "unaffected", "not known"},
		"justification":  {"component_not_present", "trust_me", "not known"},
		"why not":        {`,"justification":"component_not_present"`, ``, "not why"},
		"no product":     {`[{"@id":"pkg:npm/a@1"}]`, `[]`, "no product"},
		"nameless":       {`{"@id":"pkg:npm/a@1"}`, `{}`, "neither"},
		"no name":        {`"name":"CVE-2026-1"`, ``, "no vulnerability"},
		"a name twice":   {`"author":`, `"author":"x","author":`, "twice"},
		"cut short":      {"]}", "]", "ends too early"},
		"trailing":       {"]}", "]}{}", "after"},
		"case of letter": {`"status"`, `"Status"`, "not known"},
	} {
		bad := strings.Replace(good, c.from, c.to, 1)
		if bad == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if got, err := Read([]byte(bad)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %+v, %v", name, got.Findings, err)
		}
	}
	for n := range len(good) {
		if _, err := Read([]byte(good[:n])); err == nil {
			t.Errorf("cut at %d, and read", n)
		}
	}
}

// The documents of the corpus are statements, not scans.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "..", "shared", "corpora", "scans", "openvex", "*.json"))
	if err != nil || len(files) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("the corpus is absent")
		}
		t.Skip("the corpus is absent")
	}
	want := map[string][2]int{"openvex_no_vuln.json": {0, 0}, "openvex_one_vuln.json": {0, 1}} // others count the one that is not affected
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Read(b)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if w, known := want[filepath.Base(file)]; !known || w != [2]int{c.Findings.Total, c.Findings.Suppressed} || !c.Findings.Unscanned {
			t.Errorf("%s: %+v", file, c.Findings)
		}
	}
}

func FuzzOpenVEX(f *testing.F) {
	f.Add([]byte(doc(about("CVE-2026-1", "pkg:npm/a@1", closed))))
	f.Add([]byte(doc(about("CVE-2026-1", "pkg:oci/a@sha256%3Aab", open), `{"vulnerability":{"@id":"x"},"products":[{"hashes":{"sha-256":"ab"},"subcomponents":[{"@id":"pkg:a/b"}]}],"status":"fixed"}`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Read(b)
		if err != nil {
			if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
				t.Error(err)
			}
			return
		}
		if x := c.Findings; x.Total+x.Suppressed != len(x.Items)+x.Omitted || !x.Unscanned || len(c.Statements) == 0 && x.Total > 0 {
			t.Errorf("%+v", x)
		}
		evidence.Close(c, "sha256:ab", c.Statements)
	})
}
