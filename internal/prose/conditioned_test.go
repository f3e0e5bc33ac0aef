package prose

import (
	"fmt"
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"pgregory.net/rapid"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/policy"
)

// gated is the starter pack with a gate more.
func gated(t testing.TB, applies, condition, parameter string) *policy.Program {
	t.Helper()
	if applies != "" {
		applies = "applies: >-\n  " + applies + "\n"
	}
	gate := "apiVersion: signalbox/v1\nkind: Gate\nname: probe\ntitle: Probe\n" + applies + "condition: >-\n  " + condition + "\n" +
		"---\napiVersion: signalbox/v1\nkind: Parameter\nname: most\nunit: steps\nvalue: " + parameter + "\n"
	return compiled(t, append(policy.Starter(), bundle.File{Name: "probe.yaml", Data: []byte(gate)}))
}

func TestConditionsAreCompared(t *testing.T) {
	for _, tt := range []struct{ was, is, want string }{
		{"change.migrations <= 3", "change.migrations <= 1", "tightened: now requires that the number of database migration files touched is at most 1 instead of at most 3"},
		{"change.migrations <= 1", "change.migrations <= 3", "loosened: now requires that the number of database migration files touched is at most 3 instead of at most 1"},
		{"change.migrations < 3", "change.migrations <= 2", "changed: condition is written otherwise and means the same, `change.migrations <= 2` instead of `change.migrations < 3`"},
		{"coverage.line_rate < 0.3", "coverage.line_rate <= 0.2", "tightened: now requires that the share of lines covered is at most 0.2 instead of less than 0.3"},
		{"change.migrations <= param.most", "change.migrations <= 1", "tightened: now requires that the number of database migration files touched is at most 1 instead of at most 2 steps (param.most)"},
		{"change.migrations <= 3", "param.most > change.migrations", "tightened: now requires that the number of database migration files touched is less than 2 steps (param.most) instead of at most 3"},
		{"change.migrations <= 3 && change.commits > 0", "change.commits > 0 && change.migrations <= 1", "tightened: now requires that the number of database migration files touched is at most 1 instead of at most 3"},
		{"change.migrations <= 3", "change.migrations <= 3 && tests.failed == 0", "tightened: now requires that the number of tests that failed is 0"},
		{"change.migrations <= 3 && tests.failed == 0", "change.migrations <= 3", "loosened: no longer requires that the number of tests that failed is 0"},
		{"change.migrations <= 3", "change.migrations <= 3 || change.commits < 2", "changed: condition is now that"},
		{"change.migrations <= 3 || change.commits < 2 || change.commits > 9", "change.migrations <= 3 || change.commits < 2", "tightened: condition is now that"},
		{"change.migrations <= 3 || change.commits < 3", "change.migrations <= 3 || change.commits < 2", "tightened: condition is now that"},
		{"change.migrations == 1", "change.migrations != 2", "loosened: now requires that the number of database migration files touched is not 2 instead of 1"},
		{"change.migrations >= 1", "change.migrations <= 1", "changed: now requires that the number of database migration files touched is at most 1 instead of at least 1"},
		{`environment.region in ["eu", "us"]`, `environment.region == "eu"`, "tightened: now requires that the environment's region is eu instead of one of eu, us"},
		{`environment.region == "eu"`, `environment.region in ["eu", "us"]`, "loosened: now requires that the environment's region is one of eu, us instead of eu"},
		{`environment.region in ["eu", "us"]`, `environment.region in ["eu", "ap"]`, "changed: now requires that the environment's region is one of eu, ap instead of one of eu, us"},
		{"coverage.line_rate >= threshold.line_rate", "coverage.line_rate > threshold.line_rate", "tightened: now requires that the share of lines covered is more than the release type's line rate instead of at least the release type's line rate"},
		{"coverage.line_rate >= threshold.line_rate", "coverage.line_rate >= 0.5", "changed: now requires that the share of lines covered is at least 0.5 instead of at least the release type's line rate"},
		{"service.owned", "!service.owned", "changed: condition is now that it is not so that"},
		{"size(findings.tools) > 0", "size(findings.tools) >= 2", "tightened: now requires that the number of"},
		{"service.owned", "service.owned == true", "changed: condition is now that"},
	} {
		all, err := Diff(gated(t, "", tt.was, "2"), gated(t, "", tt.is, "2"))
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != 1 || !strings.HasPrefix(string(all[0].Mark)+": "+strings.TrimPrefix(all[0].Text, "Gate probe: "), tt.want) {
			t.Errorf("%s to %s: %v, want %s", tt.was, tt.is, all, tt.want)
		}
	}
}

// A gate that applies to less is loosened, and what a parameter is set to counts.
func TestConditionsAreComparedWhereTheyStand(t *testing.T) {
	for _, tt := range []struct {
		was, is *policy.Program
		want    string
	}{
		{gated(t, "service.tier <= 2", "true", "2"), gated(t, "service.tier <= 1", "true", "2"), "loosened: Gate probe: now applies only where the service's tier is at most 1 instead of at most 2."},
		{gated(t, "service.tier <= 1", "true", "2"), gated(t, "service.tier <= 2", "true", "2"), "tightened: Gate probe: now applies only where the service's tier is at most 2 instead of at most 1."},
		{gated(t, "", "true", "2"), gated(t, "service.tier <= 1", "true", "2"), "loosened: Gate probe: now applies only where the service's tier is at most 1."},
		{gated(t, "service.tier <= 1", "true", "2"), gated(t, "", "true", "2"), "tightened: Gate probe: no longer applies only where the service's tier is at most 1."},
		{
			gated(t, "", "change.migrations <= param.most", "2"), gated(t, "", "param.most >= change.migrations && change.commits < 9", "3"),
			"changed: Gate probe: condition is now that",
		},
		{
			gated(t, "", "change.migrations <= param.most", "3"), gated(t, "", "param.most >= change.migrations && change.commits < 9", "2"),
			"tightened: Gate probe: condition is now that",
		},
	} {
		all, err := Diff(tt.was, tt.is)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, c := range all {
			found = found || strings.HasPrefix(string(c.Mark)+": "+c.Text, tt.want)
		}
		if !found {
			t.Errorf("%v, want %s", all, tt.want)
		}
	}
}

// What is said to follow follows: wherever the one holds, the other does.
func TestImplies(t *testing.T) {
	env, err := cel.NewEnv(cel.Variable("change", cel.MapType(cel.StringType, cel.IntType)), cel.Variable("coverage", cel.MapType(cel.StringType, cel.DoubleType)), cel.Variable("environment", cel.MapType(cel.StringType, cel.StringType)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSpeaker(compiled(t, policy.Starter()))
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]any
	for n := range 4 {
		for _, region := range []string{"eu", "us", "ap"} {
			for rate := range 9 {
				all = append(all, map[string]any{
					"change": map[string]int{"commits": n, "files": (n + rate) % 4}, "coverage": map[string]float64{"line_rate": float64(rate) / 4}, "environment": map[string]string{"region": region},
				})
			}
		}
	}
	truth := func(condition string) (held []bool) {
		parsed, issues := env.Compile(condition)
		if issues.Err() != nil {
			t.Fatal(condition, issues.Err())
		}
		program, err := env.Program(parsed)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range all {
			out, _, err := program.Eval(in)
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, out.Value() == true)
		}
		return held
	}
	var condition func(r *rapid.T, depth int) string
	condition = func(r *rapid.T, depth int) string {
		op := rapid.SampledFrom([]string{"<", "<=", ">", ">=", "==", "!="}).Draw(r, "op")
		switch kind := rapid.IntRange(0, 4+3*min(depth, 1)).Draw(r, "kind"); kind {
		case 0, 1:
			return fmt.Sprintf("change.%s %s %d", rapid.SampledFrom([]string{"commits", "files"}).Draw(r, "what"), op, rapid.IntRange(-1, 4).Draw(r, "with"))
		case 2:
			return fmt.Sprintf("%.2f %s coverage.line_rate", float64(rapid.IntRange(0, 8).Draw(r, "with"))/4, op)
		case 3:
			return "environment.region in " + rapid.SampledFrom([]string{`["eu"]`, `["eu", "us"]`, `["us", "ap"]`}).Draw(r, "in")
		case 4:
			return rapid.SampledFrom([]string{`environment.region == "eu"`, `environment.region != "eu"`, "true", "false", "change.commits < change.files", "change.commits <= change.files"}).Draw(r, "other")
		case 5:
			return "!(" + condition(r, depth-1) + ")"
		case 6:
			return "(" + condition(r, depth-1) + " && " + condition(r, depth-1) + ")"
		default:
			return "(" + condition(r, depth-1) + " || " + condition(r, depth-1) + ")"
		}
	}
	follows := 0
	rapid.Check(t, func(r *rapid.T) {
		one, other := condition(r, 2), condition(r, 2)
		a, _, okA := s.formula(one)
		b, _, okB := s.formula(other)
		if !okA || !okB {
			r.Fatalf("%s or %s cannot be read", one, other)
		}
		if !a.implies(a) {
			r.Errorf("%s does not follow from itself", one)
		}
		if !a.implies(b) {
			return
		}
		follows++
		isB := truth(other)
		for i, held := range truth(one) {
			if held && !isB[i] {
				r.Fatalf("%s is said to follow from %s, and does not where %v", other, one, all[i])
			}
		}
	})
	if follows == 0 {
		t.Error("nothing follows from anything")
	}
}
