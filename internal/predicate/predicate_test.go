package predicate_test

import (
	"reflect"
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
}

func of(t *testing.T, condition string) predicate.Predicate {
	t.Helper()
	env, err := cel.NewEnv(
		ext.NativeTypes(reflect.TypeFor[Report](), ext.ParseStructTags(true)), cel.CrossTypeNumericComparisons(true),
		cel.Variable("report", cel.ObjectType("predicate_test.Report")), cel.Variable("least", cel.DoubleType), cel.Variable("word", cel.StringType))
	if err != nil {
		t.Fatal(err)
	}
	checked, issues := env.Compile(condition)
	if issues.Err() != nil {
		t.Fatal(issues.Err())
	}
	return predicate.Of(checked.NativeRep().Expr(), predicate.Names{Type: reflect.TypeFor[All](), Of: func(name string) (predicate.Meaning, bool) {
		fields := map[string]int{"report.fresh": 0, "report.count": 1, "report.rate": 2, "report.tool": 3, "report.tags": 4}
		switch j, is := fields[name]; {
		case is:
			return predicate.Meaning{Index: []int{0, j}}, true
		case name == "least":
			return predicate.Meaning{Number: name}, true
		case name == "word":
			return predicate.Meaning{Constant: "scan"}, true
		}
		return predicate.Meaning{}, false
	}})
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
	for _, condition := range []string{`report.tags.exists(x, x == "a")`, "report.count / 2 == 1", "report.fresh ? true : false", "report.tags == []", `report.tool.matches("^s")`} {
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
