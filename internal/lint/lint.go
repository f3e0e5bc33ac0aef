package lint

import (
	"slices"
	"time"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/logic"
	"signalbox.dev/signalbox/internal/policy"
)

// Options are what lies outside the bundle. The zero Options look at the bundle alone.
type Options struct {
	Services []policy.Service     // of the catalog; nil: not known
	Places   []policy.Environment // of the catalog
	Members  map[string][]string  // persons by group; nil: not known
	Now      time.Time            // what ended before it is over; zero: nothing is
	Verbose  bool                 // say too of which conditions it is not decided whether they can hold and fail
	// Required are controls that the bundle must not drop, whether it describes
	// them or not, beside those that are mandatory for the Services anyway.
	Required []policy.Control
}

// Check is everything that is wrong or doubtful in a bundle, by place: the
// problems of policy.Lint and, where it compiles, those that it takes a longer
// look to find.
func Check(files []bundle.File, o Options) []bundle.Problem {
	first := policy.Lint(files)
	if bundle.Failed(first) {
		return first
	}
	p, _ := policy.Compile(files)
	if p == nil {
		return first
	}
	l := &linter{p: p, o: o, docs: map[string]*bundle.Fields{}, questions: map[string]*policy.Question{}, budget: &logic.Budget{Left: steps}}
	for _, d := range bundle.Read(files, &l.out) {
		if kind, name := d.Text("kind"), d.Text("name"); kind != "" {
			l.docs[kind+" "+name] = d
		}
	}
	for _, one := range first {
		l.out.Add(one)
	}
	var err error
	if l.asker, err = p.Asker(); err != nil {
		return first
	}
	l.conditions()
	l.scopes()
	l.together()
	l.chains()
	l.unused()
	l.over()
	l.attestors()
	l.controls()
	l.tests()
	return l.out.Sorted()
}

// linter looks one bundle over.
type linter struct {
	p         *policy.Program
	o         Options
	asker     *policy.Asker
	questions map[string]*policy.Question // by their text; nil is no question
	docs      map[string]*bundle.Fields   // by kind and name
	budget    *logic.Budget
	out       bundle.Problems
}

// at is where a field of a document stands, or the document.
func (l *linter) at(kind, name, field string, otherwise fault.Position) fault.Position {
	if d := l.docs[kind+" "+name]; d != nil && d.Has(field) {
		return d.ValueAt(field)
	}
	return otherwise
}

func (l *linter) warn(p bundle.Problem) {
	p.Severity = bundle.LevelWarning
	l.out.Add(p)
}

// ask is a question of a condition, or nil where there is none.
func (l *linter) ask(text string) *policy.Question {
	if text == "" {
		return nil
	}
	q, known := l.questions[text]
	if known {
		return q
	}
	q, err := l.asker.Ask(text)
	if err != nil {
		q = nil
	}
	l.questions[text] = q
	return q
}

// reads are the names that any condition of the bundle reads.
func (l *linter) reads() []string {
	var all []string
	note := func(texts ...string) {
		for _, t := range texts {
			if q := l.ask(t); q != nil {
				all = append(all, q.Reads...)
			}
		}
	}
	for _, s := range l.p.ScopeRules() {
		note(s.Match)
	}
	for _, t := range l.p.ReleaseTypes() {
		note(t.When)
	}
	for _, g := range l.p.Gates() {
		note(g.Applies, g.Condition, g.Observed)
	}
	for _, x := range l.p.Relaxations() {
		note(x.Match)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
