package report

import (
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/evidence"
)

func mustRead(t *testing.T, s string) evidence.Claim {
	t.Helper()
	c, err := Read([]byte(s))
	if err != nil {
		t.Fatalf("%v\n%s", err, s[:min(len(s), 500)])
	}
	return c
}

func TestXMLRefused(t *testing.T) {
	for _, c := range []struct{ name, report, says string }{
		{"cut short", `<testsuite><testcase/>`, "cut short"},
		{"wrong end", `<testsuite><testcase></testsuite>`, "closed by"},
		{"a second document", `<testsuite/><testsuite/>`, "second document"},
		{"text after", `<testsuite/>x`, "outside"},
		{"text before", `<?xml version="1.0"?>x<testsuite/>`, "outside"},
		{"no element", `<?xml version="1.0"?><!-- a -->`, "no element"},
		{"an attribute twice", `<testsuite tests="1" tests="2"/>`, "twice"},
		{"an internal subset", `<!DOCTYPE testsuite [<!ENTITY a "b">]><testsuite/>`, "document type"},
		{"an internal subset beside an external", `<!DOCTYPE testsuite SYSTEM "x" [<!ELEMENT a ANY>]><testsuite/>`, "document type"},
		{"a stray entity", `<!ENTITY a "b"><testsuite/>`, "document type"},
		{"two document types", `<!DOCTYPE a><!DOCTYPE b><testsuite/>`, "document type"},
		{"a late document type", `<testsuite><!DOCTYPE a></testsuite>`, "document type"},
		{"an unknown entity", `<testsuite name="&evil;"/>`, "entity"},
		{"a NUL", "<testsuite>\x00</testsuite>", "NUL"},
		{"UTF-16", "\xff\xfe<\x00t\x00", "UTF-16"},
		{"an unread encoding", `<?xml version="1.0" encoding="UTF-7"?><testsuite/>`, `"UTF-7"`},
		{"not UTF-8", "<testsuite name=\"\xff\"/>", "UTF-8"},
		{"deep", strings.Repeat("<testsuite>", 101) + strings.Repeat("</testsuite>", 101), "deeper"},
		{"a wide tag", "<testsuite " + strings.Repeat(`a`, 1<<20) + `="1"/>`, "longer than"},
		{"many attributes", "<testsuite " + manyAttributes(101) + "/>", "attributes"},
		{"a case in a case", `<testsuite><testcase><testcase/></testcase></testsuite>`, "within another"},
		{"a suite in a case", `<testsuite><testcase><testsuite/></testcase></testsuite>`, "within a test case"},
		{"XML 1.1", `<?xml version="1.1"?><testsuite/>`, "version"},
		{"something else", `<html/>`, `"html"`},
		{"empty", ``, "empty"},
		{"blank", " \n\t", "empty"},
		{"only a byte order mark", "\xef\xbb\xbf", "empty"},
		{"words", `all is well`, "neither"},
	} {
		got, err := Read([]byte(c.report))
		if err == nil {
			t.Errorf("%s: read as %+v", c.name, got)
		} else if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("a" + strings.Repeat("b", i) + `="" `)
	}
	return b.String()
}

// However a report is cut short, it is refused.
func TestXMLTruncated(t *testing.T) {
	for _, good := range []string{
		`<?xml version="1.0"?><testsuites><testsuite name="a"><testcase name="b"><failure message="c">d</failure></testcase></testsuite></testsuites>`,
		`<coverage line-rate="0.5" lines-covered="1" lines-valid="2"><packages/></coverage>`,
	} {
		mustRead(t, good)
		for n := range len(good) {
			if c, err := Read([]byte(good[:n])); err == nil {
				t.Errorf("cut at %d: read as %+v", n, c)
			}
		}
	}
}

// A refusal says where.
func TestXMLPlace(t *testing.T) {
	_, err := Read([]byte("<testsuite>\n<testcase/>\n<testcase a=\"1\" a=\"2\"/></testsuite>"))
	if err == nil || !strings.HasPrefix(err.Error(), "3:") {
		t.Errorf("%v", err)
	}
}
