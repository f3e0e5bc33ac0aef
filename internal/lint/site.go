package lint

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/logic"
	"signalbox.dev/signalbox/internal/policy"
)

// steps are how many steps of logic one bundle may take; what is not decided with
// them is not spoken of. They take a few seconds, where a bundle is made to take them.
const steps = 400_000

// site is a condition of the bundle, and where it stands.
type site struct {
	kind, name, field string // of the document
	where             fault.Position
	question          *policy.Question
	read              *logic.Condition
	settings          []logic.Setting // in one of which it is asked
}

// words is the site in words, such as: the condition of Gate owned.
func (s *site) words() string {
	if s.field == "condition" {
		return fmt.Sprintf("the condition of %s %s", s.kind, s.name)
	}
	return fmt.Sprintf("%s of %s %s", s.field, s.kind, s.name)
}

// site is a condition of a document, or nil where there is none. In gates the
// release type is known; before them it is being chosen.
func (l *linter) site(kind, name, field, text string, where fault.Position) *site {
	q := l.ask(text)
	if q == nil {
		return nil
	}
	s := &site{kind: kind, name: name, field: field, where: where, question: q, read: logic.Read(q.Tree())}
	if kind != "Gate" {
		s.settings = []logic.Setting{l.setting(policy.ReleaseType{})}
		return s
	}
	s.settings = l.settings()
	if !slices.ContainsFunc(q.Reads, typed) {
		s.settings = s.settings[:1] // all are alike for it
	}
	return s
}

// typed reports an input that depends on the release type.
func typed(name string) bool {
	return strings.HasPrefix(name, "threshold.") || name == "release" || slices.Contains([]string{"release.type", "release.size", "release.change_type"}, name)
}

// settings are those of gates: one for each release type.
func (l *linter) settings() []logic.Setting {
	var all []logic.Setting
	for _, t := range l.p.ReleaseTypes() {
		all = append(all, l.setting(t))
	}
	if all == nil {
		all = append(all, l.setting(policy.ReleaseType{}))
	}
	return all
}

func (l *linter) setting(t policy.ReleaseType) logic.Setting {
	s := logic.Setting{Only: map[string][]string{}, Thresholds: t.Thresholds, Parameters: l.p.Parameters(), Budget: l.budget}
	for name, texts := range map[string][]string{"release.size": t.Sizes, "release.change_type": t.ChangeTypes} {
		if len(texts) > 0 {
			s.Only[name] = texts
		}
	}
	s.Only["release.type"] = []string{t.Name}
	return s
}

// at is where a part of the condition begins.
func (l *linter) atPart(s *site, part *logic.Term) fault.Position {
	if d := l.docs[s.kind+" "+s.name]; d != nil && d.Has(s.field) {
		if e := d.Expression(s.field); e != nil {
			return e.At(s.read.Place(part))
		}
	}
	return s.where
}

// start is where the condition begins.
func (l *linter) start(s *site) fault.Position { return l.at(s.kind, s.name, s.field, s.where) }

// never reports that claims cannot hold together in any of some settings.
func never(settings []logic.Setting, claims ...logic.Claim) bool {
	for i := range settings {
		if !settings[i].Never(claims...) {
			return false
		}
	}
	return true
}

// bounded are settings in which parameters can have any value within their bounds.
func bounded(settings []logic.Setting) []logic.Setting {
	all := slices.Clone(settings)
	for i := range all {
		all[i].Bounded = true
	}
	return all
}

// verdict is what a condition is for all that its inputs can be.
type verdict int

const (
	varies      verdict = iota // or it is not decided
	alwaysTrue                 // and it can be computed always
	alwaysFalse                // and it can be computed always
	neverTrue                  // but it may fail to be computed
)

// always is what a condition is for all values; of none it is true. While says as
// long as which parameters stay as they are, or is "".
func (l *linter) always(s *site) (is verdict, while string) {
	if s == nil {
		return alwaysTrue, ""
	}
	if is = decide(s, s.settings); is != varies && slices.ContainsFunc(s.question.Reads, parameter) && decide(s, bounded(s.settings)) != is {
		while = l.whileParameters(s)
	}
	return is, while
}

func decide(s *site, settings []logic.Setting) verdict {
	comes := func(o logic.Outcomes) bool { return !never(settings, logic.Claim{Term: s.read.Root, Comes: o}) }
	switch {
	case comes(logic.True):
		if comes(logic.False) || comes(logic.Fails) {
			return varies
		}
		return alwaysTrue
	case comes(logic.Fails):
		return neverTrue
	}
	return alwaysFalse
}

func parameter(name string) bool { return strings.HasPrefix(name, "param.") }

// whileParameters says what the parameters that a condition reads are.
func (l *linter) whileParameters(s *site) string {
	var all []string
	for _, p := range l.p.Parameters() {
		if slices.Contains(s.question.Reads, "param."+p.Name) {
			all = append(all, fmt.Sprintf("param.%s is %v", p.Name, p.Value))
		}
	}
	return " while " + strings.Join(all, " and ")
}

// quote is a part of a condition as it is written, cut where it is long.
func (s *site) quote(part *logic.Term) string {
	const most = 80
	text := s.read.Text(part)
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most-1]) + "…"
	}
	return "`" + text + "`"
}

// quotes are parts as a list in words.
func (s *site) quotes(parts []*logic.Term) string {
	var all []string
	for _, p := range parts {
		all = append(all, s.quote(p))
	}
	return conjoin(all)
}

// conjoin is a list in words.
func conjoin(all []string) string {
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}

// fewest drops from some things all that are not needed for what holds of them.
func fewest[T any](all []T, holds func([]T) bool) []T {
	for i := len(all) - 1; i >= 0 && len(all) > 1; i-- {
		if less := slices.Delete(slices.Clone(all), i, i+1); holds(less) {
			all = less
		}
	}
	return all
}

// unsatisfiable is a condition that never holds, as a problem without its name: why,
// as shortly as can be (which of the parts that must all hold cannot, alone or
// together), where, and how to fix it.
func (l *linter) unsatisfiable(s *site, while, fix string) bundle.Problem {
	reading := map[string]string{"condition": "its condition", "when": "its when"}[s.field]
	if reading == "" {
		reading = s.field
	}
	if while != "" {
		fix = "set the parameter otherwise, or " + fix
	}
	p := bundle.Problem{Where: l.start(s), Why: "no value of what " + reading + " reads makes it true" + while, Fix: fix}
	joint, parts := s.read.Root.Joins()
	cannot := func(parts []*logic.Term) bool {
		var claims []logic.Claim
		for _, p := range parts {
			claims = append(claims, logic.Claim{Term: p, Comes: logic.True})
		}
		return never(s.settings, claims...)
	}
	if joint != logic.And || !cannot(parts) { // else they stand under a not
		return p
	}
	if parts = fewest(parts, cannot); len(parts) == 1 {
		p.Where, p.Why = l.atPart(s, parts[0]), s.quote(parts[0])+" never holds: no value of what it reads makes it true"+while
		return p
	}
	p.Where, p.Why, p.Fix = l.atPart(s, parts[0]), s.quotes(parts)+" never hold together"+while, "correct one of them"
	return p
}

// named is a problem with its code and what it is.
func named(p bundle.Problem, code, what string) bundle.Problem {
	p.Code, p.What = "policy."+code, what
	return p
}
