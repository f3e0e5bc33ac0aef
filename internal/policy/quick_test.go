package policy

import (
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/predicate"
)

// chance makes conditions and inputs of all kinds of values.
type chance struct{ *rand.Rand }

func pick[T any](c chance, from ...T) T { return from[c.IntN(len(from))] }

// field is an input of a kind.
func (c chance) field(is func(reflect.Type) bool) string {
	var all []string
	for i, name := range sectionNames {
		index, _ := inputIndex(name)
		t := reflect.TypeFor[Inputs]().Field(index[0]).Type
		for j := range t.NumField() {
			if is(t.Field(j).Type) {
				all = append(all, sectionNames[i]+"."+t.Field(j).Tag.Get("cel"))
			}
		}
	}
	return pick(c, all...)
}

func kindIs(k reflect.Kind) func(reflect.Type) bool {
	return func(t reflect.Type) bool { return t.Kind() == k }
}

func (c chance) whole(deep int) string {
	switch kind := c.IntN(8); {
	case kind == 0:
		return pick(c, "0", "1", "-1", "3", "2147483648", "9007199254740993", "-9223372036854775807")
	case kind == 1:
		return pick(c, "size("+c.text()+")", c.text()+".size()", "size("+c.texts()+")", c.texts()+".size()")
	case kind < 4 && deep > 0:
		return "(" + c.whole(deep-1) + pick(c, " + ", " - ", " * ", " / ") + c.whole(deep-1) + ")"
	}
	return c.field(kindIs(reflect.Int))
}

func (c chance) fraction(deep int) string {
	switch kind := c.IntN(8); {
	case kind == 0:
		return pick(c, "0.0", "0.5", "-1.0", "3.0", "1e300", "9007199254740993.0")
	case kind == 1:
		return pick(c, "param.share", "threshold.rate", "threshold.unset", "double("+c.whole(0)+")")
	case kind < 4 && deep > 0:
		return "(" + c.fraction(deep-1) + pick(c, " + ", " - ", " * ", " / ") + c.fraction(deep-1) + ")"
	}
	return c.field(kindIs(reflect.Float64))
}

func (c chance) text() string {
	return pick(c, c.field(kindIs(reflect.String)), c.field(kindIs(reflect.String)), `""`, `"a"`, `"ab"`, `"é"`, "param.word")
}

func (c chance) texts() string {
	return pick(c, c.field(func(t reflect.Type) bool { return t == reflect.TypeFor[[]string]() }), `["a", "é"]`)
}

// walk is a walk through a list whose condition reads items and all else. Some
// items are called like an input, which CEL then does not see within the walk.
func (c chance) walk(deep int) string {
	x := pick(c, "x", "x", "x", "now", "findings", "param", "threshold", "tests")
	list, own := "findings.items", pick(c, x+".suppressed", x+`.severity == "a"`, x+".package < "+x+".tool", x+`.rule.matches("^a")`, x+`.rule in ["a", "b"]`)
	switch c.IntN(4) {
	case 0:
		list, own = "approval.votes", pick(c, x+".counted", x+`.answer != "a"`, `"a" in `+x+".groups", "size("+x+".groups) > 1", x+`.groups.exists(g, g == "a")`)
	case 1:
		list, own = "load.parts", pick(c, x+".p95 > 1.0", x+".requests + 1 < 3", x+".new", "double("+x+".requests) < "+x+".error_rate")
	case 2:
		list, own = c.texts(), pick(c, x+` == "a"`, x+".size() > 1", x+" in service.flags")
	}
	holds := pick(c, own, own, "!("+own+")", own+" || "+c.condition(deep), c.condition(deep)+" && "+own)
	return pick(c, list+".all("+x+", "+holds+")", list+".exists("+x+", "+holds+")", list+".exists_one("+x+", "+holds+")",
		list+".filter("+x+", "+holds+").size() > "+c.whole(0), "size("+list+".filter("+x+", "+holds+")) == 1", list+".map("+x+", "+holds+", true).size() > 0")
}

func (c chance) condition(deep int) string {
	compare := pick(c, " == ", " != ", " < ", " <= ", " > ", " >= ")
	kind := c.IntN(16)
	if deep == 0 {
		kind = 6 + c.IntN(8)
	}
	switch {
	case kind > 13:
		return "(" + c.walk(deep-1) + ")"
	case kind < 4:
		return "(" + c.condition(deep-1) + pick(c, " && ", " || ") + c.condition(deep-1) + ")"
	case kind == 4:
		return "!" + c.condition(deep-1)
	case kind == 5:
		return "(" + c.condition(deep-1) + pick(c, " ? true : ", " == ") + c.condition(deep-1) + ")"
	case kind < 8:
		return "(" + c.whole(2) + compare + c.whole(2) + ")"
	case kind == 8:
		return "(" + c.fraction(2) + compare + c.fraction(2) + ")"
	case kind == 9:
		return "(" + pick(c, c.whole(1)+compare+c.fraction(1), c.fraction(1)+compare+c.whole(1)) + ")"
	case kind == 10:
		return pick(c, "("+c.text()+compare+c.text()+")", c.text()+pick(c, ".startsWith(", ".endsWith(", ".contains(", ".matches(")+c.text()+")", c.text()+`.matches("^a|b+$")`)
	case kind == 11:
		return "(" + c.text() + " in " + c.texts() + ")"
	case kind == 12:
		return pick(c, "true", "false", "param.strict")
	}
	return c.field(kindIs(reflect.Bool))
}

// inputs are any, those that no decision would accept among them.
func (c chance) inputs() Inputs {
	var in Inputs
	word := func() string { return pick(c, "", "a", "ab", "b", "é") }
	for range c.IntN(4) {
		in.Findings.Items = append(in.Findings.Items, Finding{Severity: word(), Rule: word(), Package: word(), Tool: word(), Suppressed: c.IntN(2) == 0})
		in.Approval.Votes = append(in.Approval.Votes, Vote{Answer: word(), Groups: pick(c, nil, []string{"a"}, []string{"b", "ab"}), Counted: c.IntN(2) == 0})
		in.Load.Parts = append(in.Load.Parts, LoadPart{P95: pick(c, 0, 1, 2, math.NaN()), Requests: pick(c, 0, 2, math.MaxInt64), ErrorRate: pick(c, 0.5, 3), New: c.IntN(2) == 0})
	}
	all := reflect.ValueOf(&in).Elem()
	for _, name := range sectionNames {
		index, _ := inputIndex(name)
		section := all.FieldByIndex(index)
		for j := range section.NumField() {
			switch f := section.Field(j); f.Kind() {
			case reflect.Bool:
				f.SetBool(c.IntN(2) == 0)
			case reflect.Int:
				f.SetInt(pick[int64](c, 0, 1, 2, 3, -1, 1<<31, -1<<31-1, 1<<53, 1<<53+1, math.MaxInt64, math.MinInt64))
			case reflect.Float64:
				f.SetFloat(pick(c, 0, 0.5, 1, 3, -1, 1<<53, 1e300, math.Inf(1), math.Inf(-1), math.NaN()))
			case reflect.String:
				f.SetString(pick(c, "", "a", "ab", "b", "é", "\xff"))
			case reflect.Slice:
				if f.Type() == reflect.TypeFor[[]string]() {
					f.Set(reflect.ValueOf(pick(c, nil, []string{}, []string{"a"}, []string{"ab", "é", ""})))
				}
			}
		}
	}
	return in
}

// bothWays asks a condition of some inputs without CEL, where it can be, and by
// CEL; told is how often the first answers. It is not quick where it never can.
func bothWays(t *testing.T, s *scoped, condition string, all []Inputs) (quick bool, told map[bool]int) {
	t.Helper()
	r := rule{source: bundle.Unplaced(condition)}
	out := &bundle.Problems{}
	if s.compile(&r, wantBool, out); out.Failed() || r.quick == nil {
		return false, nil
	}
	told = map[bool]int{}
	for i := range all {
		v := &values{in: &all[i], parameters: s.parameters, thresholds: map[string]float64{"rate": 0.5}, spent: new(uint64)}
		held, ok := r.quick(&predicate.Subject{Inputs: reflect.ValueOf(v.in).Elem(), Numbers: v.thresholds})
		if !ok {
			continue
		}
		told[held]++
		if want, err := v.run(&r); err != nil || want != held {
			t.Fatalf("%s is %v without CEL, and with it %v: %v\n%+v", condition, held, want, err, all[i])
		}
	}
	return true, told
}

func quickly(t testing.TB) *scoped {
	t.Helper()
	s, err := environment([]Parameter{{Name: "share", Value: 0.5}, {Name: "word", Value: "ab"}, {Name: "strict", Value: true}}, []string{"rate", "unset"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestQuickAgreesWithCEL holds conditions as predicates against CEL: 500 by
// chance, or 20,000 where every count is tried in full, each of 40 inputs.
func TestQuickAgreesWithCEL(t *testing.T) {
	n := 500
	if os.Getenv("SIGNALBOX_PROVE") == "full" {
		n = 20_000
	}
	s, c := quickly(t), chance{rand.New(rand.NewPCG(1, 2))}
	all := make([]Inputs, 40)
	conditions, walking, asked, answers := 0, 0, 0, map[bool]int{}
	for range n {
		for i := range all {
			all[i] = c.inputs()
		}
		condition := c.condition(3)
		quick, told := bothWays(t, s, condition, all)
		if !quick {
			continue
		}
		if strings.Contains(condition, "(x, ") && len(told) == 2 {
			walking++
		}
		conditions, asked = conditions+1, asked+len(all)
		answers[true] += told[true]
		answers[false] += told[false]
	}
	if walking < n/50 || answers[true] < asked/4 || answers[false] < asked/4 || conditions < n/4 || answers[true]+answers[false] == asked {
		t.Errorf("of %d conditions %d are quick, and %d that walk answer both; asked %d times they answer %v", n, conditions, walking, asked, answers)
	}
}

// TestQuickAnswers: the commonest conditions need no CEL for what is usual.
func TestQuickAnswers(t *testing.T) {
	s, usual := quickly(t), []Inputs{fine()}
	for _, condition := range []string{
		"findings.critical == 0", "findings.high <= param.share", "coverage.line_rate >= threshold.rate", "!release.deployed_early",
		`!("cardholder" in service.data_classes) || environment.region in ["eu", "us"]`, "change.lines_added + change.lines_deleted <= 5000",
		`release.digest.startsWith("sha256:") && size(release.digest) == 71`, "double(tests.skipped) <= param.share * double(tests.total)",
		`service.flags.all(f, f != "x")`, `release.version.matches("^v1")`, `!findings.items.exists(f, f.severity == "critical" && !f.suppressed)`,
		`double(size(findings.items.filter(f, f.severity == "high"))) <= param.share`, `approval.votes.exists_one(v, "board" in v.groups)`,
	} {
		if quick, told := bothWays(t, s, condition, usual); !quick || told[true]+told[false] == 0 {
			t.Errorf("%s is left to CEL", condition)
		}
	}
	for _, condition := range []string{
		"now > release.submitted_at", "tests.total / 2 > 1", "release.version.matches(param.word)", `approval.votes.all(v, v.groups.exists(g, g == "x"))`,
		`service.flags.map(f, f + "x").size() > 0`, "service.flags.filter(f, true) == service.flags", "findings.items.all(tests, tests.suppressed)",
		"findings.items.all(f, f == f)", "change.commit_list.all(c, c.signed && now > release.submitted_at)",
	} {
		if quick, _ := bothWays(t, s, condition, usual); quick {
			t.Errorf("%s is not left to CEL", condition)
		}
	}
}

// FuzzQuick: whatever a condition says, CEL says the same where it is quick.
func FuzzQuick(f *testing.F) {
	for _, condition := range append(conditions, late...) {
		f.Add(condition, uint64(1))
	}
	s := quickly(f)
	f.Fuzz(func(t *testing.T, condition string, seed uint64) {
		if strings.ContainsAny(condition, "\n\r") || len(condition) > 500 {
			return
		}
		c := chance{rand.New(rand.NewPCG(seed, 3))}
		bothWays(t, s, condition, []Inputs{c.inputs(), c.inputs(), fine()})
	})
}

// TestModestInputsAreNotMetered: what a rule takes out of the budget unmetered is
// at least what it costs, and its answer is that of the metered one.
func TestModestInputsAreNotMetered(t *testing.T) {
	s, in := quickly(t), fine()
	in.Findings.Tools = make([]string, modest)
	in.Findings.Items = make([]Finding, modest)
	for i := range in.Findings.Items {
		in.Findings.Tools[i] = strings.Repeat("a", modest)
		in.Findings.Items[i] = Finding{Severity: strings.Repeat("h", MaxItemWord), Tool: strings.Repeat("a", modest), Package: strings.Repeat("b", modest)}
	}
	if over, few := in.excess(); over != "" || !few {
		t.Fatal("the inputs are not modest", over)
	}
	for condition, want := range map[string]bool{
		`findings.items.all(f, f.severity != "critical" || f.suppressed)`:    true,
		`size(findings.items.filter(f, f.severity == "high")) > 3`:           false,
		`findings.tools.exists(x, x.endsWith("b"))`:                          false,
		`findings.items.exists(f, f.package.contains("a") && f.tool != "a")`: false,
	} {
		r := rule{source: bundle.Unplaced(condition)}
		if s.compile(&r, wantBool, &bundle.Problems{}); !r.metered || r.brief == nil {
			t.Errorf("%s is not metered, or always", condition)
			continue
		}
		spent := [2]uint64{}
		for i := range spent {
			v := &values{in: &in, parameters: s.parameters, spent: &spent[i], modest: i == 1}
			if held, err := v.holds(&r); err != nil || held != want {
				t.Errorf("%s is %v, modest %v: %v", condition, held, v.modest, err)
			}
			spent[i] = *v.spent
		}
		if spent[0] == 0 || spent[0] > spent[1] || spent[1] > briefRule {
			t.Errorf("%s costs %d and takes %d", condition, spent[0], spent[1])
		}
	}
	in.Findings.Items[0].Package += "b"
	if _, few := in.excess(); few {
		t.Error("inputs beyond what is modest are modest")
	}
	long, err := environment([]Parameter{{Name: "word", Value: strings.Repeat("x", modest+1)}}, nil)
	if err != nil || long.modest {
		t.Error("a long parameter is modest", err)
	}
}
