package lint

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/internal/policy"
)

// maxFound bounds the decisions that the search for one case may take.
const maxFound = 2_000

// find changes what a question reads in one of the cases until the release comes
// out as wanted, and writes the case that does so; at most one.
func (l *linter) find(g policy.Gate, q *policy.Question, runs []run, wanted func(run) bool) []string {
	if q == nil {
		return nil
	}
	left := maxFound
	for _, base := range l.bases(g, runs) {
		for _, c := range l.changes(q, base) {
			if left--; left < 0 {
				return nil
			}
			in := base.test.Inputs
			for _, one := range c {
				one.set(&in)
			}
			r := l.run(policy.Case{Name: base.name, Inputs: in})
			if wanted(r) {
				return []string{write(g, base, c, r)}
			}
		}
	}
	return nil
}

// bases are cases to start from: those in which the gate passed, then others in
// which it was weighed.
func (l *linter) bases(g policy.Gate, runs []run) []run {
	var passed, weighed, rest []run
	for _, r := range runs {
		reason, applies := r.reasons[g.Name]
		switch {
		case applies && r.outcome.Verdict == policy.Go:
			passed = append(passed, r)
		case applies && reason.Verdict == policy.Go:
			weighed = append(weighed, r)
		default:
			rest = append(rest, r)
		}
	}
	all := slices.Concat(passed, weighed, rest)
	return all[:min(len(all), 3)]
}

// change is one input set to a value.
type change struct {
	name  string
	field []int
	value reflect.Value
}

func (c change) set(in *policy.Inputs) {
	reflect.ValueOf(in).Elem().FieldByIndex(c.field).Set(c.value)
}

// changes are single inputs changed, then pairs of them, then a section that is
// not known.
func (l *linter) changes(q *policy.Question, base run) [][]change {
	var single []change
	axes, ok := l.axes(q, base.thresholds)
	for _, a := range axes {
		for _, v := range a.values {
			single = append(single, change{a.name, a.field, v})
		}
	}
	var all [][]change
	for _, c := range single {
		all = append(all, []change{c})
	}
	if ok {
		for i, a := range single {
			for _, b := range single[i+1:] {
				if a.name != b.name {
					all = append(all, []change{a, b})
				}
			}
		}
	}
	for _, name := range q.Reads {
		section, _, _ := strings.Cut(name, ".")
		if index, _, ok := fieldOf(section + ".known"); ok {
			all = append(all, []change{{section + ".known", index, reflect.ValueOf(false)}})
		}
	}
	return all
}

// write is a case as a row of the table that it starts from.
func write(g policy.Gate, base run, c []change, r run) string {
	sections := map[string][]string{}
	var order []string
	for _, one := range c {
		section, field, _ := strings.Cut(one.name, ".")
		if sections[section] == nil {
			order = append(order, section)
		}
		sections[section] = append(sections[section], field+": "+literal(one.value))
	}
	var inputs []string
	for _, s := range order {
		inputs = append(inputs, s+": {"+strings.Join(sections[s], ", ")+"}")
	}
	verdict := string(r.outcome.Verdict)
	if r.outcome.Verdict == policy.CannotTell {
		verdict = "cannot-tell"
	}
	expect := "verdict: " + verdict
	if reason, applies := r.reasons[g.Name]; applies && reason.Verdict != policy.Go {
		expect += ", reasons: [" + g.Name + "]"
	}
	return fmt.Sprintf("like %q, with inputs: {%s}, expect: {%s}", base.name, strings.Join(inputs, ", "), expect)
}

// literal is a value as YAML writes it within braces.
func literal(v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		return strconv.Quote(v.String())
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = strconv.Quote(v.Index(i).String())
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return fmt.Sprint(v.Interface())
}
