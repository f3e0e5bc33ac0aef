package evidence

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Reports are drawn together with the counts that they must give.

var caseForms = []struct {
	xml  string
	want outcome
}{
	{`<testcase name="a"/>`, passed},
	{`<testcase name="b"><system-out>&lt;error/&gt;</system-out></testcase>`, passed},
	{`<testcase name="c"><flakyFailure/><flakyError/></testcase>`, passed},
	{`<testcase name="d"><skipped message="later"/></testcase>`, skipped},
	{`<testcase name="e" status="disabled"/>`, skipped},
	{`<testcase name="f"><failure>trace</failure></testcase>`, failed},
	{`<testcase name="g"><failure/><rerunFailure/><rerunFailure/></testcase>`, failed},
	{`<testcase name="h"><skipped/><failure/></testcase>`, failed},
	{`<testcase name="i"><error/></testcase>`, errored},
	{`<testcase name="j"><failure/><error/></testcase>`, errored},
}

func drawSuite(t *rapid.T, depth int, want *Tests) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<testsuite tests="%d">`, rapid.IntRange(0, 3).Draw(t, "stated"))
	for range rapid.IntRange(0, 4).Draw(t, "cases") {
		form := rapid.SampledFrom(caseForms).Draw(t, "form")
		b.WriteString(form.xml)
		want.add(form.want)
	}
	if depth < 4 {
		for range rapid.IntRange(0, 2).Draw(t, "suites") {
			b.WriteString(drawSuite(t, depth+1, want))
		}
	}
	return b.String() + `</testsuite>`
}

func TestJUnitModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want Tests
		report := drawSuite(t, 0, &want)
		if rapid.Bool().Draw(t, "wrapped") {
			report = `<testsuites>` + report + `</testsuites>`
		}
		got, err := Read([]byte(report))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, *got.Tests); diff != "" {
			t.Errorf("%s\n%s", report, diff)
		}
	})
}

type modelResult struct {
	rule, file, message string
	line                int
	suppressed          bool
	level               string
}

func (m modelResult) json() string {
	more := []string{fmt.Sprintf(`"level":%q`, m.level), `"fingerprints":{"x":"1"}`}
	if m.suppressed {
		more = append(more, `"suppressions":[{"kind":"inSource"}]`)
	}
	return result(m.rule, m.file, m.line, m.message, more...)
}

// A log folds as a set does over rule, location, message and whether it
// stands, and equal results are as severe as the worst of them.
func TestSARIFModel(t *testing.T) {
	draw := rapid.Custom(func(t *rapid.T) modelResult {
		return modelResult{
			rule: rapid.SampledFrom([]string{"R1", "R2"}).Draw(t, "rule"), file: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "file"),
			message: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "message"), line: rapid.IntRange(1, 2).Draw(t, "line"),
			suppressed: rapid.Bool().Draw(t, "suppressed"), level: rapid.SampledFrom([]string{"error", "warning", "note", "none", "odd"}).Draw(t, "level"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(draw, 0, 20).Draw(t, "results")
		worst, want := map[modelResult]Severity{}, Findings{}
		var parts []string
		for _, m := range list {
			parts = append(parts, m.json())
			same := m
			same.level = ""
			severity, before := severityOfLevel(m.level), worst[same]
			switch {
			case before != "":
				want.Folded++
			case m.suppressed:
				want.Suppressed++
			default:
				want.Total++
			}
			if before == "" || severity.worse(before) {
				worst[same] = severity
			}
		}
		for same, severity := range worst {
			if !same.suppressed {
				want.BySeverity.add(severity, 1)
			}
		}
		got, err := Read([]byte(log(strings.Join(parts, ","), "")))
		if err != nil {
			t.Fatal(err)
		}
		var listed Severities
		for _, f := range got.Findings.Items {
			if !f.Suppressed {
				listed.add(f.Severity, 1)
			}
		}
		if diff := cmp.Diff(want.BySeverity, listed); diff != "" {
			t.Error("as listed", diff)
		}
		got.Findings.Items = nil
		if diff := cmp.Diff(want, *got.Findings); diff != "" {
			t.Error(diff)
		}
	})
}

func TestCoberturaModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hits := rapid.SliceOfN(rapid.IntRange(0, 3), 1, 40).Draw(t, "hits")
		var b strings.Builder
		covered := 0
		for i, h := range hits {
			fmt.Fprintf(&b, `<line number="%d" hits="%d"/>`, i+1, h)
			if h > 0 {
				covered++
			}
		}
		got, err := Read([]byte(`<coverage>` + class(b.String()) + `</coverage>`))
		if err != nil {
			t.Fatal(err)
		}
		c := got.Coverage
		if c.LinesCovered != covered || c.LinesValid != len(hits) || c.LineRate < 0 || c.LineRate > 1 {
			t.Errorf("%+v, want %d of %d", c, covered, len(hits))
		}
		rate := float64(covered) / float64(len(hits))
		if c.LineRate-rate > 1e-6 || rate-c.LineRate > 1e-6 {
			t.Errorf("rate %g, want %g", c.LineRate, rate)
		}
	})
}

// What a fact holds comes back as it went in.
func TestClaimSurvivesStorage(t *testing.T) {
	half := 0.5
	for _, c := range []Claim{
		mustRead(t, log(result("R1", "a", 1, "x"), "")).Summary(),
		testsOf(Tests{Passed: 1, Failed: 2, Errored: 3, Skipped: 4, Duration: 1.5}),
		coverage(0.25, nil), coverage(0.25, &half),
	} {
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back Claim
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, back); diff != "" {
			t.Error(diff)
		}
	}
}

// An artifact's stream replayed: every step, what stands and what policy sees.
func TestHistory(t *testing.T) {
	type step struct {
		name   string
		claim  Added
		stands int
		high   int
		failed int
		by     string
	}
	red, green := Tests{Failed: 3, Passed: 1}, Tests{Passed: 4}
	var a Artifact
	for i, s := range []step{
		{"a scan", added(findings("scan", Severities{High: 2}), "", "pipeline", "1"), 1, 2, 0, "pipeline"},
		{"a better scan", added(findings("scan", Severities{High: 1}), "", "pipeline", "2"), 1, 1, 0, "pipeline"},
		{"another scanner", added(findings("other", Severities{High: 5}), "", "server", "3"), 2, 6, 0, "pipeline"},
		{"unit tests fail", added(testsOf(red), "unit", "pipeline", "4"), 3, 6, 3, "pipeline"},
		{"other tests pass", added(testsOf(green), "end", "pipeline", "5"), 4, 6, 3, "pipeline"},
		{"unit tests repaired", added(testsOf(green), "unit", "pipeline", "6"), 4, 6, 0, "pipeline"},
		{"a person adds a scan", added(findings("hand", Severities{}), "", "person", "7"), 5, 6, 0, "person"},
		{"the pipeline takes it over", added(findings("hand", Severities{High: 1}), "", "pipeline", "8"), 5, 7, 0, "pipeline"},
	} {
		var err error
		if a, _, err = record(t, a, s.claim, noon.AddDate(0, 0, i)); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		f, x, _ := a.Summary(noon.AddDate(0, 0, i))
		if len(a.Claims) != s.stands || f.High != s.high || x.Failed != s.failed || f.Provenance != s.by {
			t.Errorf("%s: %d stand, %d high, %d failed, by %s", s.name, len(a.Claims), f.High, x.Failed, f.Provenance)
		}
	}
}
