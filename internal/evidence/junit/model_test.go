package junit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"signalbox.dev/signalbox/internal/evidence"
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

func drawSuite(t *rapid.T, depth int, want *evidence.Tests) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<testsuite tests="%d">`, rapid.IntRange(0, 3).Draw(t, "stated"))
	for range rapid.IntRange(0, 4).Draw(t, "cases") {
		form := rapid.SampledFrom(caseForms).Draw(t, "form")
		b.WriteString(form.xml)
		add(want, form.want)
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
		var want evidence.Tests
		report := drawSuite(t, 0, &want)
		if rapid.Bool().Draw(t, "wrapped") {
			report = `<testsuites>` + report + `</testsuites>`
		}
		got, err := read([]byte(report))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, *got.Tests); diff != "" {
			t.Errorf("%s\n%s", report, diff)
		}
	})
}
