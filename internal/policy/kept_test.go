package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox.dev/signalbox/internal/fault"
)

const (
	aRisk   = "name: r\ntitle: R\nfactors:\n- {name: size, question: How much?, weight: 60, answers: {little: 0, much: 1}}\n- {name: tested, weight: 40, answers: {yes: 0, no: 0.5}}\nthresholds:\n- {level: low, from: 0, to: 30}\n- {level: high, from: 30, to: 100}\n"
	aWindow = "name: w\ntitle: W\nzone: Europe/Berlin\nweekly: [{days: [monday, friday], from: \"22:00\", to: \"02:00\"}]\nfrom: 2027-01-01\nuntil: 2028-01-01\n"
)

func TestKeptKinds(t *testing.T) {
	p := compiled(t, sample(doc("RiskModel", aRisk), doc("Window", aWindow), doc("Owner", "name: all\nfiles: \"**\"\ngroup: board\n"), doc("Owner", "name: more\nfiles: m*.yaml\ngroup: sre\n")))
	noPlace := cmpopts.IgnoreTypes(fault.Position{})
	if diff := cmp.Diff([]RiskModel{{Name: "r", Title: "R", Factors: []RiskFactor{
		{Name: "size", Question: "How much?", Weight: 60, Answers: map[string]float64{"little": 0, "much": 1}}, {Name: "tested", Weight: 40, Answers: map[string]float64{"yes": 0, "no": 0.5}},
	}, Thresholds: []RiskThreshold{{Level: "low", From: 0, To: 30}, {Level: "high", From: 30, To: 100}}}}, p.RiskModels(), noPlace); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Window{{
		Name: "w", Title: "W", Zone: "Europe/Berlin", Weekly: []WindowHours{{Days: []string{"monday", "friday"}, From: "22:00", To: "02:00"}},
		From: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC),
	}}, p.Windows(), noPlace); diff != "" {
		t.Error(diff)
	}
	warned := 0
	for _, x := range Lint(p.Files()) {
		if x.Code == "policy.not-weighed" && x.Severity == LevelWarning {
			warned++
		}
	}
	if warned != 2 {
		t.Errorf("%d of two kept documents are said not to be weighed", warned)
	}
	for file, group := range map[string]string{"more.yaml": "sre", "base.yaml": "board", "include/x/more.yaml": "board"} {
		if o, ok := p.OwnerOf(file); !ok || o.Group != group {
			t.Errorf("%s is owned by %+v", file, o)
		}
	}
	if len(p.Owners()) != 2 {
		t.Error("two owners were written")
	}
	if _, ok := compiled(t, sample()).OwnerOf("base.yaml"); ok {
		t.Error("an owner that nobody named was found")
	}
}

func TestOwnerPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, file string
		want          bool
	}{
		{"gates/*.yaml", "gates/a.yaml", true},
		{"gates/*.yaml", "gates/b/a.yaml", false},
		{"gates/**", "gates/b/a.yaml", true},
		{"gates/**", "gates.yaml", false},
		{"**", "a.yaml", true},
		{"a.yaml", "a.yaml", true},
		{"a.yaml", "b/a.yaml", false},
	} {
		if got := (Owner{Files: c.pattern}).Owns(c.file); got != c.want {
			t.Errorf("%s owns %s: %v", c.pattern, c.file, got)
		}
	}
}

func TestKeptKindsAreStrict(t *testing.T) {
	for name, c := range map[string]struct{ kind, was, is, code string }{
		"weights":           {"RiskModel", "weight: 60", "weight: 50", "policy.risk"},
		"a gap":             {"RiskModel", "from: 30", "from: 31", "policy.risk"},
		"an overlap":        {"RiskModel", "from: 30", "from: 29", "policy.risk"},
		"an open end":       {"RiskModel", "to: 100", "to: 99", "policy.risk"},
		"backwards":         {"RiskModel", "to: 30", "to: 0", "policy.risk"},
		"an answer above 1": {"RiskModel", "much: 1", "much: 1.5", "policy.out-of-range"},
		"a weight above":    {"RiskModel", "weight: 60", "weight: 160", "policy.out-of-range"},
		"no answers":        {"RiskModel", ", answers: {yes: 0, no: 0.5}", "", "policy.missing-field"},
		"unknown field":     {"RiskModel", "question", "text", "policy.unknown-field"},
		"an offset":         {"Window", "Europe/Berlin", "\"+01:00\"", "policy.zone"},
		"a strange day":     {"Window", "monday", "someday", "policy.unknown-value"},
		"an hour too many":  {"Window", "22:00", "24:00", "policy.clock"},
		"no time":           {"Window", "02:00", "22:00", "policy.out-of-range"},
		"over before begun": {"Window", "2028-01-01", "2026-01-01", "policy.out-of-range"},
		"a later kind":      {"Questionnaire", "", "", "policy.unknown-kind"},
	} {
		t.Run(name, func(t *testing.T) {
			text := map[string]string{"RiskModel": aRisk, "Window": aWindow, "Questionnaire": "name: q\n"}[c.kind]
			_, problems := Compile(sample(doc(c.kind, strings.Replace(text, c.was, c.is, 1))))
			found := false
			for _, x := range problems {
				found = found || x.Code == c.code && x.Severity == LevelError
			}
			if !found {
				t.Errorf("%v", problems)
			}
		})
	}
}
