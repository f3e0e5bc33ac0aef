package lint

import (
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/policy"
)

// exact are the functions and operators of which trying boundary values tells all.
var exact = []string{"_&&_", "_||_", "!_", "_?_:_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "@in", "_in_", "-_", "double", "size"}

var ordering = []string{"_<_", "_<=_", "_>_", "_>=_"}

// always says what a condition is for every value of its inputs.
type always int

const (
	varies always = iota // or it cannot be told
	alwaysTrue
	alwaysFalse
)

// decidable reports whether boundary values decide the question.
func (l *linter) decidable(q *policy.Question) bool {
	for _, f := range q.Calls {
		if !slices.Contains(exact, f) {
			return false
		}
	}
	for _, part := range q.Parts {
		x := l.ask(part)
		if x == nil {
			return false
		}
		compares := slices.ContainsFunc(x.Calls, func(f string) bool { return slices.Contains(ordering, f) })
		measured := slices.Contains(x.Calls, "size")
		for _, name := range x.Reads {
			_, t, ok := fieldOf(name)
			if text := ok && t.Kind().String() == "string"; text && (compares || measured) {
				return false
			}
		}
	}
	return true
}

// try asks a question of every set of values; each is what a trial sees until it
// answers false. It is false where the values cannot be tried.
func try(axes []axis, each func(*policy.Inputs) bool) bool {
	total := 1
	for _, a := range axes {
		if total *= len(a.values); total > maxTrials {
			return false
		}
	}
	in := known()
	for n := range total {
		rest := n
		for _, a := range axes {
			a.set(&in, rest%len(a.values))
			rest /= len(a.values)
		}
		if !each(&in) {
			break
		}
	}
	return true
}

// known are inputs of which every section is known.
func known() policy.Inputs {
	in := policy.Inputs{Contract: policy.Contract}
	in.Release.Known, in.Service.Known, in.Environment.Known, in.Change.Known, in.Findings.Known = true, true, true, true, true
	in.Tests.Known, in.Coverage.Known, in.Load.Known, in.Previous.Known, in.Attestation.Known = true, true, true, true, true
	in.Approval.Known, in.Calendar.Known = true, true
	return in
}

// always is what a condition is for all values, under every release type where
// it reads thresholds.
func (l *linter) always(text string) always {
	q := l.ask(text)
	if q == nil || !l.decidable(q) {
		return varies
	}
	sets := []map[string]float64{nil}
	if slices.ContainsFunc(q.Reads, func(n string) bool { return strings.HasPrefix(n, "threshold.") }) {
		sets = nil
		for _, t := range l.p.ReleaseTypes() {
			sets = append(sets, t.Thresholds)
		}
	}
	yes, no, unsure := false, false, false
	for _, thresholds := range sets {
		axes, ok := l.axes(q, thresholds)
		if !ok || !try(axes, func(in *policy.Inputs) bool {
			held, told := q.Holds(in, thresholds)
			yes, no, unsure = yes || told && held, no || told && !held, unsure || !told
			return !unsure && (!yes || !no)
		}) {
			return varies
		}
	}
	switch {
	case unsure || yes == no:
		return varies
	case yes:
		return alwaysTrue
	}
	return alwaysFalse
}
