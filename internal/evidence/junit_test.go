package evidence

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJUnitCounts(t *testing.T) {
	for _, c := range []struct {
		name, report string
		want         Tests
		notes        int
	}{
		{"one suite", `<?xml version="1.0" encoding="UTF-8"?><testsuite name="s" tests="4" failures="1" errors="1" skipped="1" time="9">
			<testcase name="a" classname="c" time="0.5"/><testcase name="b" time="1.25"><failure message="x" type="T">trace</failure></testcase>
			<testcase name="c"><error/></testcase><testcase name="d" time="0.25"><skipped/></testcase></testsuite>`, Tests{4, 1, 1, 1, 1, 2}, 0},
		{"suites", `<testsuites><testsuite><testcase/></testsuite><testsuite><testcase/></testsuite></testsuites>`, Tests{2, 2, 0, 0, 0, 0}, 0},
		{"nested suites", `<testsuites tests="3"><testsuite tests="3"><testcase/><testsuite tests="2"><testcase/><testcase><failure/></testcase></testsuite></testsuite></testsuites>`, Tests{3, 2, 1, 0, 0, 0}, 0},
		{"cases without a suite", `<testsuites><testcase/><testcase><error/></testcase></testsuites>`, Tests{2, 1, 0, 1, 0, 0}, 0},
		{"no cases", `<testsuites/>`, Tests{}, 1},
		{"no cases but sums", `<testsuite tests="5" failures="0"/>`, Tests{}, 2},
		{"attributes too high", `<testsuite tests="5" failures="0"><testcase><failure/></testcase></testsuite>`, Tests{1, 0, 1, 0, 0, 0}, 1},
		{"attributes that are no numbers", `<testsuite tests="five"><testcase/></testsuite>`, Tests{1, 1, 0, 0, 0, 0}, 0},
		{"flaky", `<testsuite><testcase><flakyFailure message="x"><stackTrace>t</stackTrace></flakyFailure><flakyError/></testcase></testsuite>`, Tests{1, 1, 0, 0, 0, 0}, 1},
		{"rerun that failed for good", `<testsuite><testcase><failure/><rerunFailure><system-out/></rerunFailure><rerunFailure/></testcase></testsuite>`, Tests{1, 0, 1, 0, 0, 0}, 0},
		{"rerun without a failure", `<testsuite><testcase><rerunFailure/></testcase></testsuite>`, Tests{1, 0, 1, 0, 0, 0}, 0},
		{"rerun that errored", `<testsuite><testcase><rerunError/></testcase></testsuite>`, Tests{1, 0, 0, 1, 0, 0}, 0},
		{"error and failure", `<testsuite><testcase><failure/><error/><failure/></testcase></testsuite>`, Tests{1, 0, 0, 1, 0, 0}, 0},
		{"skipped and failed", `<testsuite><testcase><skipped/><failure/></testcase></testsuite>`, Tests{1, 0, 1, 0, 0, 0}, 0},
		{"two failures in one case", `<testsuite><testcase><failure/><failure/></testcase></testsuite>`, Tests{1, 0, 1, 0, 0, 0}, 0},
		{"status not run", `<testsuite><testcase status="notrun"/><testcase status="run" result="suppressed"/><testcase status="run" result="completed"/></testsuite>`, Tests{3, 1, 0, 0, 2, 0}, 0},
		{"status failed", `<testsuite><testcase status="FAILED"/><testcase status="error"/></testsuite>`, Tests{2, 0, 1, 1, 0, 0}, 0},
		{"error outside of a case", `<testsuite tests="1" errors="1"><testcase/><error message="setup"/></testsuite>`, Tests{2, 1, 0, 1, 0, 0}, 2},
		{"failure within output is text", `<testsuite><testcase><system-out>&lt;failure/&gt;<![CDATA[<failure/>]]></system-out></testcase></testsuite>`, Tests{1, 1, 0, 0, 0, 0}, 0},
		{"failure within properties", `<testsuite><properties><property name="failure"/></properties><testcase><properties><failure/></properties></testcase></testsuite>`, Tests{1, 1, 0, 0, 0, 0}, 0},
		{"times with thousands", `<testsuite><testcase time="1,234.5"/><testcase time=""/></testsuite>`, Tests{2, 2, 0, 0, 0, 1234.5}, 0},
		{"times that are none", `<testsuite><testcase time="NaN"/><testcase time="-3"/><testcase time="x"/><testcase time="Inf"/></testsuite>`, Tests{4, 4, 0, 0, 0, 0}, 1},
		{"time of the suite", `<testsuite time="3.5"><testcase/></testsuite>`, Tests{1, 1, 0, 0, 0, 3.5}, 0},
		{"time of all suites", `<testsuites time="9"><testsuite time="3.5"><testcase/></testsuite></testsuites>`, Tests{1, 1, 0, 0, 0, 9}, 0},
		{"time of each suite", `<testsuites><testsuite time="3.5"/><testsuite time="1.5"><testcase/></testsuite></testsuites>`, Tests{1, 1, 0, 0, 0, 5}, 0},
		{"a document type that is not fetched", `<!DOCTYPE testsuite SYSTEM "http://example.com/x.dtd"><testsuite><testcase/></testsuite>`, Tests{1, 1, 0, 0, 0, 0}, 0},
		{"comments and instructions", `<?xml-stylesheet href="x"?><!-- a --><testsuite><!-- <testcase/> --><testcase/></testsuite><!-- b -->`, Tests{1, 1, 0, 0, 0, 0}, 0},
		{"a byte order mark", "\xef\xbb\xbf<testsuite><testcase/></testsuite>", Tests{1, 1, 0, 0, 0, 0}, 0},
		{"latin 1", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><testsuite><testcase name=\"\xe9\"/></testsuite>", Tests{1, 1, 0, 0, 0, 0}, 0},
		{"windows 1252", "<?xml version=\"1.0\" encoding=\"Windows-1252\"?><testsuite><testcase name=\"\x80\"/></testsuite>", Tests{1, 1, 0, 0, 0, 0}, 0},
		{"ascii", `<?xml version="1.0" encoding="US-ASCII"?><testsuite><testcase/></testsuite>`, Tests{1, 1, 0, 0, 0, 0}, 0},
		{"a name space", `<testsuites xmlns="urn:x"><testsuite><testcase/></testsuite></testsuites>`, Tests{1, 1, 0, 0, 0, 0}, 0},
	} {
		got := mustRead(t, c.report)
		if got.Kind != TestsKind || got.Format != FormatJUnit {
			t.Errorf("%s: %s %s", c.name, got.Kind, got.Format)
		}
		if diff := cmp.Diff(c.want, *got.Tests); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
		if len(got.Notes) != c.notes {
			t.Errorf("%s: notes %q", c.name, got.Notes)
		}
	}
}

func TestJUnitGenerated(t *testing.T) {
	for stamps, want := range map[string]string{
		`<testsuite timestamp="2026-01-02T03:04:05Z"/>`:                                                                       "2026-01-02T03:04:05Z",
		`<testsuite timestamp="2026-01-02T03:04:05.25+02:00"/>`:                                                               "2026-01-02T01:04:05Z",
		`<testsuite timestamp="2026-01-02T03:04:05"/>`:                                                                        "0001-01-01T00:00:00Z",
		`<testsuites><testsuite timestamp="2026-01-02T03:04:05Z"/><testsuite timestamp="2026-01-01T03:04:05Z"/></testsuites>`: "2026-01-01T03:04:05Z",
	} {
		if got := mustRead(t, stamps).Generated.Format(time.RFC3339); got != want {
			t.Errorf("%s: %s, want %s", stamps, got, want)
		}
	}
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
		{"a wide tag", "<testsuite " + strings.Repeat(`a`, maxTag) + `="1"/>`, "longer than"},
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

func class(lines string) string {
	return `<packages><package><classes><class filename="a"><methods><method><lines><line number="1" hits="0"/></lines></method></methods><lines>` + lines + `</lines></class></classes></package></packages>`
}

func TestCobertura(t *testing.T) {
	half := 0.5
	body := class(`<line number="1" hits="3"/><line number="2" hits="0"/><line number="3" hits="1"/><line number="4" hits="0" branch="true"/>`)
	for _, c := range []struct {
		name, report string
		want         Coverage
		notes        int
	}{
		{"totals", `<coverage line-rate="0.5" lines-covered="2" lines-valid="4" branch-rate="0.5" branches-covered="1" branches-valid="2">` + body + `</coverage>`, Coverage{0.5, 2, 4, &half}, 0},
		{"totals differ from lines", `<coverage line-rate="0.9" lines-covered="9" lines-valid="10">` + body + `</coverage>`, Coverage{0.9, 9, 10, nil}, 1},
		{"rate differs from totals", `<coverage line-rate="0.9" lines-covered="1" lines-valid="10"/>`, Coverage{0.9, 1, 10, nil}, 1},
		{"no counts", `<coverage line-rate="0.5">` + body + `</coverage>`, Coverage{0.5, 2, 4, nil}, 1},
		{"nothing stated", `<coverage>` + body + `</coverage>`, Coverage{0.5, 2, 4, nil}, 1},
		{"no rate", `<coverage lines-covered="1" lines-valid="3"/>`, Coverage{0.333333, 1, 3, nil}, 0},
		{"rate of no branches", `<coverage line-rate="1" lines-covered="4" lines-valid="4" branch-rate="0" branches-covered="0" branches-valid="0"/>`, Coverage{1, 4, 4, nil}, 0},
		{"rate without branches", `<coverage line-rate="1" lines-covered="4" lines-valid="4" branch-rate="1"/>`, Coverage{1, 4, 4, nil}, 0},
		{"branches without a rate", `<coverage line-rate="1" lines-covered="4" lines-valid="4" branches-covered="2" branches-valid="4"/>`, Coverage{1, 4, 4, &half}, 0},
		{"nothing covered", `<coverage line-rate="0" lines-covered="0" lines-valid="4"/>`, Coverage{0, 0, 4, nil}, 0},
		{"a small exponent", `<coverage line-rate="1e-05" lines-covered="1" lines-valid="100000"/>`, Coverage{1e-05, 1, 100000, nil}, 0},
	} {
		got := mustRead(t, c.report)
		if diff := cmp.Diff(c.want, *got.Coverage); diff != "" || got.Kind != CoverageKind || got.Format != FormatCobertura {
			t.Errorf("%s: %s\n%s", c.name, got.Kind, diff)
		}
		if len(got.Notes) != c.notes {
			t.Errorf("%s: notes %q", c.name, got.Notes)
		}
	}
}

func TestCoberturaHeader(t *testing.T) {
	c := mustRead(t, `<?xml version="1.0"?><!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
<coverage version="7.4" timestamp="1767322800123" line-rate="1" lines-covered="1" lines-valid="1"/>`)
	if c.Version != "04" || c.Tool.Version != "7.4" || c.Generated.UnixMilli() != 1767322800123 {
		t.Errorf("%+v", c)
	}
	for in, want := range map[string]int64{"1767322800": 1767322800, "1767322800123": 1767322800, "0": 0, "-5": 0, "x": 0, "": 0, "99999999999999999": 0} {
		got := stamp(in)
		if want == 0 && !got.IsZero() || want != 0 && got.Unix() != want {
			t.Errorf("%q: %v", in, got)
		}
	}
}

func TestCoberturaRefused(t *testing.T) {
	for _, c := range []struct{ name, report, says string }{
		{"no lines at all", `<coverage line-rate="1"/>`, "no lines"},
		{"zero lines", `<coverage line-rate="1" lines-covered="0" lines-valid="0"/>`, "no lines"},
		{"above 1", `<coverage line-rate="1.01" lines-covered="1" lines-valid="1"/>`, "between 0 and 1"},
		{"per cent", `<coverage line-rate="85" lines-covered="85" lines-valid="100"/>`, "between 0 and 1"},
		{"negative", `<coverage line-rate="-0.1" lines-covered="1" lines-valid="1"/>`, "between 0 and 1"},
		{"NaN", `<coverage line-rate="NaN" lines-covered="1" lines-valid="1"/>`, "between 0 and 1"},
		{"hexadecimal", `<coverage line-rate="0x1p-1" lines-covered="1" lines-valid="2"/>`, "between 0 and 1"},
		{"a comma", `<coverage line-rate="0,85" lines-covered="1" lines-valid="2"/>`, "between 0 and 1"},
		{"an empty rate", `<coverage line-rate="" lines-covered="1" lines-valid="2"/>`, "between 0 and 1"},
		{"branches NaN", `<coverage line-rate="1" lines-covered="1" lines-valid="1" branch-rate="NaN" branches-valid="1"/>`, "between 0 and 1"},
		{"more than all", `<coverage line-rate="1" lines-covered="2" lines-valid="1"/>`, "more cannot be covered"},
		{"more branches than all", `<coverage line-rate="1" lines-covered="1" lines-valid="1" branches-covered="2" branches-valid="1"/>`, "more cannot be covered"},
		{"a negative count", `<coverage line-rate="1" lines-covered="-1" lines-valid="1"/>`, "not a count"},
		{"a count in words", `<coverage line-rate="1" lines-covered="one" lines-valid="1"/>`, "not a count"},
		{"hits that are none", `<coverage>` + class(`<line number="1" hits="x"/>`) + `</coverage>`, "not a count"},
		{"hits NaN", `<coverage>` + class(`<line number="1" hits="NaN"/>`) + `</coverage>`, "not a count"},
		{"no hits", `<coverage>` + class(`<line number="1"/>`) + `</coverage>`, "not a count"},
		{"Clover", `<coverage generated="1" clover="4.4"><project/></coverage>`, "Clover"},
		{"Clover without a version", `<coverage generated="1"><project/></coverage>`, "Clover"},
	} {
		got, err := Read([]byte(c.report))
		if err == nil {
			t.Errorf("%s: read as %+v", c.name, got.Coverage)
		} else if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestSecondsAreFinite(t *testing.T) {
	if n, ok := seconds("1e308"); ok || math.IsInf(n, 0) {
		t.Errorf("%g, %v", n, ok)
	}
}
