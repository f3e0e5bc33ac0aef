package junit

import (
	"encoding/xml"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

func tests(total, passed, failed, errored, skipped int, seconds float64) evidence.Tests {
	return evidence.Tests{Total: total, Passed: passed, Failed: failed, Errored: errored, Skipped: skipped, Duration: seconds}
}

func TestJUnitCounts(t *testing.T) {
	for _, c := range []struct {
		name, report string
		want         evidence.Tests
		notes        int
	}{
		{"one suite", `<?xml version="1.0" encoding="UTF-8"?><testsuite name="s" tests="4" failures="1" errors="1" skipped="1" time="9">
			<testcase name="a" classname="c" time="0.5"/><testcase name="b" time="1.25"><failure message="x" type="T">trace</failure></testcase>
			<testcase name="c"><error/></testcase><testcase name="d" time="0.25"><skipped/></testcase></testsuite>`, tests(4, 1, 1, 1, 1, 2), 0},
		{"suites", `<testsuites><testsuite><testcase/></testsuite><testsuite><testcase/></testsuite></testsuites>`, tests(2, 2, 0, 0, 0, 0), 0},
		{"nested suites", `<testsuites tests="3"><testsuite tests="3"><testcase/><testsuite tests="2"><testcase/><testcase><failure/></testcase></testsuite></testsuite></testsuites>`, tests(3, 2, 1, 0, 0, 0), 0},
		{"cases without a suite", `<testsuites><testcase/><testcase><error/></testcase></testsuites>`, tests(2, 1, 0, 1, 0, 0), 0},
		{"no cases", `<testsuites/>`, evidence.Tests{}, 1},
		{"no cases but sums", `<testsuite tests="5" failures="0"/>`, evidence.Tests{}, 2},
		{"attributes too high", `<testsuite tests="5" failures="0"><testcase><failure/></testcase></testsuite>`, tests(1, 0, 1, 0, 0, 0), 1},
		{"attributes that are no numbers", `<testsuite tests="five"><testcase/></testsuite>`, tests(1, 1, 0, 0, 0, 0), 0},
		{"flaky", `<testsuite><testcase><flakyFailure message="x"><stackTrace>t</stackTrace></flakyFailure><flakyError/></testcase></testsuite>`, tests(1, 1, 0, 0, 0, 0), 1},
		{"rerun that failed for good", `<testsuite><testcase><failure/><rerunFailure><system-out/></rerunFailure><rerunFailure/></testcase></testsuite>`, tests(1, 0, 1, 0, 0, 0), 0},
		{"rerun without a failure", `<testsuite><testcase><rerunFailure/></testcase></testsuite>`, tests(1, 0, 1, 0, 0, 0), 0},
		{"rerun that errored", `<testsuite><testcase><rerunError/></testcase></testsuite>`, tests(1, 0, 0, 1, 0, 0), 0},
		{"error and failure", `<testsuite><testcase><failure/><error/><failure/></testcase></testsuite>`, tests(1, 0, 0, 1, 0, 0), 0},
		{"skipped and failed", `<testsuite><testcase><skipped/><failure/></testcase></testsuite>`, tests(1, 0, 1, 0, 0, 0), 0},
		{"two failures in one case", `<testsuite><testcase><failure/><failure/></testcase></testsuite>`, tests(1, 0, 1, 0, 0, 0), 0},
		{"status not run", `<testsuite><testcase status="notrun"/><testcase status="run" result="suppressed"/><testcase status="run" result="completed"/></testsuite>`, tests(3, 1, 0, 0, 2, 0), 0},
		{"status failed", `<testsuite><testcase status="FAILED"/><testcase status="error"/></testsuite>`, tests(2, 0, 1, 1, 0, 0), 0},
		{"error outside of a case", `<testsuite tests="1" errors="1"><testcase/><error message="setup"/></testsuite>`, tests(2, 1, 0, 1, 0, 0), 2},
		{"failure within output is text", `<testsuite><testcase><system-out>&lt;failure/&gt;<![CDATA[<failure/>]]></system-out></testcase></testsuite>`, tests(1, 1, 0, 0, 0, 0), 0},
		{"failure within properties", `<testsuite><properties><property name="failure"/></properties><testcase><properties><failure/></properties></testcase></testsuite>`, tests(1, 1, 0, 0, 0, 0), 0},
		{"times with thousands", `<testsuite><testcase time="1,234.5"/><testcase time=""/></testsuite>`, tests(2, 2, 0, 0, 0, 1234.5), 0},
		{"times that are none", `<testsuite><testcase time="NaN"/><testcase time="-3"/><testcase time="x"/><testcase time="Inf"/></testsuite>`, tests(4, 4, 0, 0, 0, 0), 1},
		{"time of the suite", `<testsuite time="3.5"><testcase/></testsuite>`, tests(1, 1, 0, 0, 0, 3.5), 0},
		{"time of all suites", `<testsuites time="9"><testsuite time="3.5"><testcase/></testsuite></testsuites>`, tests(1, 1, 0, 0, 0, 9), 0},
		{"time of each suite", `<testsuites><testsuite time="3.5"/><testsuite time="1.5"><testcase/></testsuite></testsuites>`, tests(1, 1, 0, 0, 0, 5), 0},
		{"a document type that is not fetched", `<!DOCTYPE testsuite SYSTEM "http://example.com/x.dtd"><testsuite><testcase/></testsuite>`, tests(1, 1, 0, 0, 0, 0), 0},
		{"comments and instructions", `<?xml-stylesheet href="x"?><!-- a --><testsuite><!-- <testcase/> --><testcase/></testsuite><!-- b -->`, tests(1, 1, 0, 0, 0, 0), 0},
		{"latin 1", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><testsuite><testcase name=\"\xe9\"/></testsuite>", tests(1, 1, 0, 0, 0, 0), 0},
		{"windows 1252", "<?xml version=\"1.0\" encoding=\"Windows-1252\"?><testsuite><testcase name=\"\x80\"/></testsuite>", tests(1, 1, 0, 0, 0, 0), 0},
		{"ascii", `<?xml version="1.0" encoding="US-ASCII"?><testsuite><testcase/></testsuite>`, tests(1, 1, 0, 0, 0, 0), 0},
		{"a name space", `<testsuites xmlns="urn:x"><testsuite><testcase/></testsuite></testsuites>`, tests(1, 1, 0, 0, 0, 0), 0},
	} {
		got := mustRead(t, c.report)
		if got.Kind != evidence.TestsKind || got.Format != Format {
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

func TestSecondsAreFinite(t *testing.T) {
	if n, ok := seconds("1e308"); ok || math.IsInf(n, 0) {
		t.Errorf("%g, %v", n, ok)
	}
}

func read(b []byte) (evidence.Claim, error) {
	return evidence.ReadXML(b, func(root xml.StartElement, _ string) (evidence.XMLReader, error) {
		if !Recognise(root) {
			return nil, fault.Invalidf("test", "no report")
		}
		return New(), nil
	})
}

func mustRead(t *testing.T, report string) evidence.Claim {
	t.Helper()
	c, err := read([]byte(report))
	if err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	return c
}
