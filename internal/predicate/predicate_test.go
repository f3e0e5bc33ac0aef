package predicate_test

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"

	"signalbox.dev/signalbox/internal/predicate"
)

// All is a struct as conditions see it.
type All struct{ Report Report }

// Report is a section of it.
type Report struct {
	Fresh bool     `cel:"fresh"`
	Count int      `cel:"count"`
	Rate  float64  `cel:"rate"`
	Tool  string   `cel:"tool"`
	Tags  []string `cel:"tags"`
	Parts []Part   `cel:"parts"`
	Sizes []int    `cel:"sizes"`
}

// Part is an item of a list.
type Part struct {
	Name string  `cel:"name"`
	Cost float64 `cel:"cost"`
	Bad  bool    `cel:"bad"`
	Tags []string
}

func of(t *testing.T, condition string) predicate.Predicate {
	t.Helper()
	p, _ := both(t, condition)
	return p
}

// both is a condition as a predicate and as CEL runs it.
func both(t *testing.T, condition string) (predicate.Predicate, cel.Program) {
	t.Helper()
	env, err := cel.NewEnv(
		ext.NativeTypes(reflect.TypeFor[Report](), reflect.TypeFor[Part](), ext.ParseStructTags(true)), cel.CrossTypeNumericComparisons(true),
		cel.Variable("report", cel.ObjectType("predicate_test.Report")), cel.Variable("least", cel.DoubleType), cel.Variable("unset", cel.DoubleType), cel.Variable("word", cel.StringType))
	if err != nil {
		t.Fatal(err)
	}
	checked, issues := env.Compile(condition)
	if issues.Err() != nil {
		t.Fatal(issues.Err())
	}
	program, err := env.Program(checked)
	if err != nil {
		t.Fatal(err)
	}
	return predicate.Of(checked.NativeRep().Expr(), predicate.Names{Type: reflect.TypeFor[All](), Of: func(name string) (predicate.Meaning, bool) {
		fields := map[string]int{"report.fresh": 0, "report.count": 1, "report.rate": 2, "report.tool": 3, "report.tags": 4, "report.parts": 5, "report.sizes": 6}
		switch j, is := fields[name]; {
		case is:
			return predicate.Meaning{Index: []int{0, j}}, true
		case name == "least", name == "unset":
			return predicate.Meaning{Number: name}, true
		case name == "word":
			return predicate.Meaning{Constant: "scan"}, true
		}
		return predicate.Meaning{}, false
	}, Field: func(part reflect.Type, name string) (int, bool) {
		for i := range part.NumField() {
			if part.Field(i).Tag.Get("cel") == name {
				return i, true
			}
		}
		return 0, false
	}}), program
}

// reports are values around every bound that a predicate knows.
func reports() (all []Report) {
	const small = 1 << 31
	for _, count := range []int{0, 2, 3, 4, -1, small, small + 1, -small, -small - 1, math.MaxInt64} {
		for _, rate := range []float64{0, 0.5, 1, 2, 3, math.NaN(), math.Inf(1)} {
			all = append(all, Report{Fresh: count%2 == 0, Count: count, Rate: rate, Tool: "scan", Tags: []string{"b", "a"}})
		}
	}
	for _, fresh := range []bool{true, false} {
		for _, tool := range []string{"", "s", "scan", "scanner", "an", "é", "zz"} {
			for _, tags := range [][]string{nil, {"a"}, {"b", "scan"}} {
				all = append(all, Report{Fresh: fresh, Count: 3, Rate: 0.5, Tool: tool, Tags: tags, Parts: []Part{{Name: tool, Cost: 1, Bad: fresh}, {Name: "a", Cost: 2, Bad: true}, {Name: "b", Cost: 0.5}}[:len(tags)+len(tool)%2]})
			}
		}
	}
	all = append(all, Report{Parts: []Part{{Name: "a", Bad: true}, {Name: "b", Cost: math.NaN()}}})
	return all
}

// comparing is a comparison by every operator.
func comparing(a, b string) (all []string) {
	for _, op := range []string{"==", "!=", "<", "<=", ">", ">="} {
		all = append(all, a+" "+op+" "+b)
	}
	return all
}

// ordering is comparing without equality, which CEL has not between kinds of numbers.
func ordering(a, b string) []string { return comparing(a, b)[2:] }

// Where a predicate answers it answers as CEL does, and it answers wherever its
// values are no NaN, set, and, within sums, small.
func TestAnswersAsCEL(t *testing.T) {
	usual := func(Report) bool { return true }
	number := func(r Report) bool { return !math.IsNaN(r.Rate) }
	small := func(r Report) bool { return -1<<31 <= r.Count && r.Count <= 1<<31 }
	never := func(Report) bool { return false }
	priced := func(r Report) bool {
		return !slices.ContainsFunc(r.Parts, func(p Part) bool { return math.IsNaN(p.Cost) })
	}
	for _, c := range []struct {
		conditions []string
		sure       func(Report) bool
	}{
		{comparing("report.count", "3"), usual},
		{comparing("report.tool", "word"), usual},
		{comparing("size(report.tool)", "1"), usual},
		{comparing("report.tags.size()", "1"), usual},
		{comparing("double(report.count)", "3.0"), usual},
		{[]string{
			"report.fresh", "!report.fresh", "true && report.fresh", "false || !report.fresh", "report.fresh && report.count == 3", "report.fresh || report.count == 3",
			`report.tool.startsWith("s")`, `report.tool.endsWith("an")`, `report.tool.contains("ca")`, "word.startsWith(report.tool)", "report.tool in report.tags",
			`report.tool in ["s", "é"]`, "word in report.tags",
		}, usual},
		{[]string{
			`report.tool.matches("^s.*n$")`, `report.tags.all(x, x != "a")`, `report.tags.exists(x, x == "scan")`, "report.tags.exists_one(x, x in report.tags)",
			`["a", "b"].all(x, x in report.tags)`, "report.parts.all(p, !p.bad || report.fresh)", "report.parts.exists(p, p.name == report.tool)",
			"report.parts.exists_one(p, p.bad)", "report.parts.filter(p, p.bad).size() == 1", "size(report.parts.filter(p, !p.bad)) < report.count",
			"!report.parts.exists(p, p.bad) && report.tags.exists(p, p.size() > 1)", "report.parts.map(p, p.bad, p).size() == 1",
		}, usual},
		{[]string{"report.parts.exists_one(p, p.cost > least)", "report.parts.filter(p, p.cost == 1.0).size() > 0", "report.parts.exists(p, p.cost > 10.0)", "report.parts.all(p, p.cost < 10.0)"}, priced},
		{comparing("report.rate", "least"), number},
		{ordering("report.rate", "report.count"), number},
		{ordering("report.count", "report.rate"), number},
		{comparing("double(report.rate)", "0.5"), number},
		{comparing("report.rate + 0.5", "1.0"), number},
		{comparing("report.rate - 0.5", "0.0"), number},
		{comparing("2.0 * report.rate", "1.0"), number},
		{comparing("1.0", "report.rate * least"), number},
		{comparing("report.count + 1", "4"), small},
		{comparing("1 + report.count", "4"), small},
		{comparing("report.count - 1", "2"), small},
		{comparing("1 - report.count", "-2"), small},
		{comparing("report.count * 2", "6"), small},
		{comparing("2 * report.count", "6"), small},
		{comparing("6", "2 * report.count"), small},
		{append(comparing("(report.count - 2) + 1", "2"), comparing("1 + (report.count - 2)", "2")...), func(r Report) bool { return small(r) && small(Report{Count: r.Count - 2}) }},
		{comparing("report.rate", "unset"), never},
		{comparing("unset", "report.rate"), never},
		{comparing("unset + report.rate", "1.0"), never},
		{comparing("report.rate + unset", "1.0"), never},
		{ordering("report.count", "unset"), never},
		{[]string{"!(report.rate < unset)", "report.rate < unset || report.fresh", "unset < 1.0 && report.fresh"}, never},
		{[]string{"report.fresh || report.rate < unset", "!(!report.fresh && report.rate < unset)"}, func(r Report) bool { return r.Fresh }},
		{[]string{"report.fresh && report.rate < unset"}, func(r Report) bool { return !r.Fresh }},
	} {
		for _, condition := range c.conditions {
			p, program := both(t, condition)
			if p == nil {
				t.Errorf("%s is none", condition)
				continue
			}
			for _, r := range reports() {
				held, told := p(&predicate.Subject{Inputs: reflect.ValueOf(All{r}), Numbers: map[string]float64{"least": 0.5}})
				if told != c.sure(r) {
					t.Errorf("%s of %+v: told %v", condition, r, told)
				}
				if !told {
					continue
				}
				want, _, err := program.Eval(map[string]any{"report": r, "least": 0.5, "word": "scan"})
				if err != nil || want.Value() != held {
					t.Errorf("%s of %+v is %v, and by CEL %v, %v", condition, r, held, want, err)
				}
			}
		}
	}
}

// That it answers as CEL does is tried in policy, on all inputs of its language.
func TestOf(t *testing.T) {
	all := All{Report{Fresh: true, Count: 3, Rate: 0.5, Tool: "scan", Tags: []string{"a"}}}
	for condition, want := range map[string]bool{
		"report.fresh": true, "!report.fresh || report.count == 3": true, "report.fresh && report.count < 3": false,
		"report.count + 1 == 4": true, "report.rate >= least": true, "report.count > least": true, "report.rate * 2.0 == 1.0": true,
		"report.tool == word": true, `report.tool in ["scan", "b"]`: true, `"b" in report.tags`: false, "size(report.tags) == 1": true,
		`report.tool.startsWith("s") && report.tool.size() == 4`: true,
	} {
		p := of(t, condition)
		if p == nil {
			t.Errorf("%s is none", condition)
			continue
		}
		if held, told := p(&predicate.Subject{Inputs: reflect.ValueOf(all), Numbers: map[string]float64{"least": 0.5}}); !told || held != want {
			t.Errorf("%s is %v, told %v", condition, held, told)
		}
	}
}

func TestWhatIsLeftToCEL(t *testing.T) {
	for _, condition := range []string{
		"report.parts.all(p, p == p)", "report.parts.map(p, p.name).size() == 1", "report.parts.map(p, p.bad, p.name).size() == 1", "report.parts.filter(p, p.bad) == report.parts",
		`report.parts.all(p, report.tags.exists(x, x == p.name))`, `report.parts.all(p, report.tags.exists(x, x == "a"))`, "report.parts.all(p, p.Tags.exists(x, x == word))",
		"[1, 2].all(x, report.fresh)", "report.sizes.all(x, x > 1)", "report.parts[0].bad", "report.parts.all(p, has(p.bad))", "report.parts.all(word, word.bad)", "report.parts.all(p, p.name + word == word)", "report.parts.exists_one(p, p.cost / 2.0 > 1.0)",
		"report.count / 2 == 1", "report.fresh ? true : false", "report.tags == []", "report.tool.matches(word)", "report.fresh == true", "report.fresh != report.fresh", "report.tool + word == word", `report.tool in ["s", word]`, "int(report.rate) == 1", "-report.count == 1", "-report.rate < 0.0", "string(report.count) == word", "report.count in [1, 2]", "report.rate / 2.0 < 1.0", "1u < 2u", "has(report.fresh)",
	} {
		if of(t, condition) != nil {
			t.Errorf("%s is made ready", condition)
		}
	}
	all := All{Report{Count: 1 << 40}}
	for _, condition := range []string{"report.rate >= least", "report.count * report.count > 0"} {
		if _, told := of(t, condition)(&predicate.Subject{Inputs: reflect.ValueOf(all)}); told {
			t.Errorf("%s is told of what it is not sure of", condition)
		}
	}
}
