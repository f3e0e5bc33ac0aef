package report

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// log is a SARIF log of one run, with results and rules as JSON.
func log(results, rules string) string {
	return fmt.Sprintf(`{"version":"2.1.0","$schema":"https://json.schemastore.org/sarif-2.1.0.json",
"runs":[{"tool":{"driver":{"name":"scanner","semanticVersion":"1.2.3","rules":[%s]}},"results":[%s]}]}`, rules, results)
}

func result(rule, file string, line int, message string, more ...string) string {
	return fmt.Sprintf(`{"ruleId":%q,"message":{"text":%q},"locations":[{"physicalLocation":{"artifactLocation":{"uri":%q},"region":{"startLine":%d}}}]%s}`,
		rule, message, file, line, strings.Join(append([]string{""}, more...), ","))
}

func class(lines string) string {
	return `<packages><package><classes><class><lines>` + lines + `</lines></class></classes></package></packages>`
}

func zip(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestCompressed(t *testing.T) {
	report := log(result("R1", "a.go", 1, "one"), "")
	packed := zip(t, []byte(report))
	c, err := Read(packed)
	if err != nil || c.Findings.Total != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	for n := range len(packed) {
		if c, err := Read(packed[:n]); err == nil {
			t.Errorf("cut at %d: read as %+v", n, c)
		}
	}
	for name, b := range map[string][]byte{
		"damaged":        append(append([]byte{}, packed[:len(packed)-6]...), 1, 2, 3, 4, 5, 6),
		"trailing data":  append(append([]byte{}, packed...), "x"...),
		"a bomb":         zip(t, append([]byte(report), make([]byte, 1<<20)...)),
		"a bomb of text": zip(t, []byte(report+strings.Repeat(" ", 1<<20))),
		"twice packed":   zip(t, packed),
		"nothing":        zip(t, nil),
	} {
		if c, err := Read(b); err == nil {
			t.Errorf("%s: read as %+v", name, c)
		} else if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTooLarge(t *testing.T) {
	b := bytes.Repeat([]byte(" "), MaxSize+1)
	if _, err := Read(b); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("%v", err)
	}
	if _, err := Read(b[1:]); fault.KindOf(err) != fault.Invalid {
		t.Errorf("the control is refused for another reason than emptiness: %v", err)
	}
}

// Every error is the caller's, and nothing panics, whatever the bytes.
func refusedKindly(t *testing.T, b []byte) evidence.Claim {
	c, err := Read(b)
	if err == nil {
		if !c.Whole() {
			t.Errorf("a claim that says nothing: %+v", c)
		}
		return c
	}
	if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
		t.Errorf("%v: %v", k, err)
	}
	if c.Findings != nil || c.Tests != nil || c.Coverage != nil {
		t.Errorf("a claim beside an error: %+v", c)
	}
	return evidence.Claim{}
}

// Damage to a report is either refused or leaves a claim that holds together.
func TestDamage(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, good := range []string{
		log(result("R1", "a.go", 1, "one", `"level":"error"`)+","+result("R2", "b.go", 2, "two"), `{"id":"R1"}`),
		`<testsuites><testsuite tests="2"><testcase name="a"><failure/></testcase><testcase name="b"/></testsuite></testsuites>`,
		`<coverage line-rate="0.5" lines-covered="1" lines-valid="2">` + class(`<line number="1" hits="1"/><line number="2" hits="0"/>`) + `</coverage>`,
	} {
		for range 5000 {
			b := []byte(good)
			for range 1 + random.IntN(3) {
				b[random.IntN(len(b))] = byte(random.IntN(256))
			}
			holdsTogether(t, refusedKindly(t, b))
		}
	}
}

func holdsTogether(t *testing.T, c evidence.Claim) {
	t.Helper()
	if f := c.Findings; f != nil {
		s := f.BySeverity
		if f.Total != s.Critical+s.High+s.Medium+s.Low+s.Info+s.Unrated || f.Total+f.Suppressed != len(f.Items)+f.Omitted {
			t.Errorf("findings: %+v", f)
		}
	}
	if x := c.Tests; x != nil && (x.Total != x.Passed+x.Failed+x.Errored+x.Skipped || !(x.Duration >= 0)) {
		t.Errorf("tests: %+v", x)
	}
	if v := c.Coverage; v != nil && (!(v.LineRate >= 0 && v.LineRate <= 1) || v.LinesValid <= 0 || v.LinesCovered < 0 || v.LinesCovered > v.LinesValid) {
		t.Errorf("coverage: %+v", v)
	}
}

func fuzz(f *testing.F, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { holdsTogether(t, refusedKindly(t, b)) })
}

func FuzzSARIF(f *testing.F) {
	fuzz(f, log(result("R1", "a.go", 1, "one", `"suppressions":[{"status":"accepted"}]`, `"rule":{"index":0,"toolComponent":{"index":0}}`), `{"id":"R1","properties":{"security-severity":"9.8","tags":["CWE-79"]}}`),
		log("", ""), `{"version":"1.0.0","runs":[]}`, `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":null}]}`)
}

func FuzzJUnit(f *testing.F) {
	fuzz(f, `<?xml version="1.0"?><!DOCTYPE a SYSTEM "b"><testsuites time="1"><testsuite tests="1" timestamp="2026-01-02T03:04:05Z"><testcase time="1"><failure/><rerunFailure/></testcase></testsuite></testsuites>`,
		`<testsuite/>`, `<testsuite><testcase status="notrun"><skipped/></testcase><error/></testsuite>`)
}

func FuzzCobertura(f *testing.F) {
	fuzz(f, `<coverage line-rate="0.5" lines-covered="1" lines-valid="2" branch-rate="0" branches-valid="0" timestamp="1">`+class(`<line number="1" hits="1"/>`)+`</coverage>`,
		`<coverage>`+class(`<line number="1" hits="1e3"/>`)+`</coverage>`)
}

func longNames() string {
	var b strings.Builder
	for i := range 9 {
		fmt.Fprintf(&b, "\"%s%d\":1,", strings.Repeat("n", 1<<20), i)
	}
	return b.String() + `"b":1`
}

// Long names in objects that follow one another are not one object's.
func TestNamesOfSiblings(t *testing.T) {
	x := strings.Repeat(`{"`+strings.Repeat("n", 1<<20)+`":1},`, 10)
	if c := mustRead(t, strings.Replace(log("", ""), `"runs"`, `"x":[`+x+`1],"runs"`, 1)); c.Findings.Total != 0 {
		t.Errorf("%+v", c.Findings)
	}
}

func TestRefusedJSON(t *testing.T) {
	for _, c := range []struct{ name, report, says string }{
		{"other JSON", `{"version":"2.1.0"}`, "opens like no report"},
		{"a list", `[{"a":1}]`, "opens like no report"},
		{"null", " null\n", "the report is null"},
		{"a broken list", `[{"a":1}`, "ends too early"},
		{"deep", `{"version":"2.1.0","runs":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`, "deeper"},
		{"wide", `{"version":"2.1.0","runs":[],"x":{` + strings.Repeat(`"a":1,`, evidence.MaxMembers) + `"b":1}}`, "members"},
		{"long names", `{"version":"2.1.0","runs":[],"x":{` + longNames() + `}}`, "names in an object"},
		{"long names, one object in the other", `{"version":"2.1.0","runs":[],"x":` + strings.Repeat(`{"`+strings.Repeat("n", 1<<20)+`":`, 9) + "1" + strings.Repeat("}", 10), "names in an object"},
		{"a name twice", `{"version":"2.1.0","version":"2.1.0","runs":[]}`, "twice"},
		{"a Clover report as Cobertura", `<coverage line-rate="1" lines-covered="1" lines-valid="1"><project/></coverage>`, "Clover"},
	} {
		if got, err := Read([]byte(c.report)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}

// A byte order mark is no part of a report.
func TestByteOrderMark(t *testing.T) {
	if c := mustRead(t, "\xef\xbb\xbf<testsuite><testcase/></testsuite>"); c.Tests.Total != 1 {
		t.Errorf("%+v", c.Tests)
	}
}
