package policy

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/bundle"
)

func TestQuestion(t *testing.T) {
	a, err := compiled(t, sample()).Asker()
	if err != nil {
		t.Fatal(err)
	}
	q, err := a.Ask(`findings.high <= 3 && (!service.owned || "icfr" in service.flags) && coverage.line_rate >= threshold.rate * param.limit`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"findings.high", "service.owned", "service.flags", "coverage.line_rate", "threshold.rate", "param.limit"}, q.Reads); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"findings.high <= 3", "service.owned", `"icfr" in service.flags`, "coverage.line_rate >= threshold.rate * param.limit"}, q.Parts); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]any{int64(3), "icfr"}, q.Literals); diff != "" {
		t.Error(diff)
	}
	if !slices.Contains(q.Calls, "_*_") || slices.Contains(q.Calls, Walks) {
		t.Errorf("%v", q.Calls)
	}
	in := fine()
	in.Service.Flags = []string{"icfr"}
	for _, tt := range []struct {
		rate       float64
		held, told bool
	}{{0.4, true, true}, {0.5, false, true}} {
		if held, told := q.Holds(&in, map[string]float64{"rate": tt.rate}); held != tt.held || told != tt.told {
			t.Errorf("rate %v: %t, %t", tt.rate, held, told)
		}
	}
	if _, told := q.Holds(&in, nil); told {
		t.Error("a threshold that is not set was told")
	}
}

func TestQuestionsOutsideTheLanguage(t *testing.T) {
	a, err := compiled(t, sample()).Asker()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "findings.hihg > 1", "1 +", "policy.Findings{high: 1}.high == 1"} {
		if _, err := a.Ask(text); err == nil {
			t.Errorf("%q is a question", text)
		}
	}
	q, err := a.Ask("service.flags.exists(f, f == 'a')")
	if err != nil || !slices.Contains(q.Calls, Walks) || len(q.Parts) != 1 || q.Parts[0] != `service.flags.exists(f, f == "a")` {
		t.Errorf("%+v %v", q, err)
	}
}

// Every kind says what its fields look like, and no field is without a meaning.
func TestKinds(t *testing.T) {
	_, fields := Meanings()
	for _, k := range Kinds() {
		for _, f := range k.Fields {
			if !slices.ContainsFunc(fields[k.Name], func(m Meaning) bool { return m.Name == f.Name }) {
				t.Errorf("%s.%s has no meaning", k.Name, f.Name)
			}
		}
		for _, m := range fields[k.Name] {
			if !slices.ContainsFunc(k.Fields, func(f *bundle.Field) bool { return f.Name == m.Name }) {
				t.Errorf("%s.%s is not read", k.Name, m.Name)
			}
		}
	}
}

func TestCasesAndChains(t *testing.T) {
	p := compiled(t, Starter())
	if got := len(p.Cases()); got != len(p.Test()) || p.Cases()[0].Name != "to production: everything is in order" || p.Cases()[0].Verdict != Go {
		t.Errorf("%d cases, first %+v", got, p.Cases()[0])
	}
	var names []string
	for _, c := range p.Chains() {
		names = append(names, c.Name)
	}
	if diff := cmp.Diff([]string{"one-approver", "two-approvers", "emergency-approver"}, names); diff != "" {
		t.Error(diff)
	}
}
