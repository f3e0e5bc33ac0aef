package lint

import (
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/logic"
	"signalbox.dev/signalbox/internal/policy"
)

// hurdle is a gate that blocks, with its condition, and applies where it has one.
type hurdle struct {
	policy.Gate
	condition, applies *site
}

// claims are that a gate applies and is satisfied.
func (g hurdle) claims() []logic.Claim {
	all := []logic.Claim{{Term: g.condition.read.Root, Comes: logic.True}}
	if g.applies != nil {
		all = append(all, logic.Claim{Term: g.applies.read.Root, Comes: logic.True})
	}
	return all
}

// clash is gates that nobody can satisfy together, and the release types in which.
type clash struct {
	gates []hurdle
	types []string
}

// together finds gates that block and that nobody can satisfy where they apply
// together, one by itself among them, under one governance and release type.
func (l *linter) together() {
	gates := l.blocking()
	var clashes []clash
	types := l.p.ReleaseTypes()
	sets := [][]hurdle{governed(gates, policy.Full), governed(gates, policy.Light)}
	if all := names(sets[0]); !slices.ContainsFunc(sets[1], func(g hurdle) bool { return !slices.Contains(all, g.Name) }) {
		sets = sets[:1] // gates that can be satisfied together can be with fewer
	}
	for i, setting := range l.settings() {
		for _, set := range sets {
			for _, core := range l.clashes(setting, set) {
				at := slices.IndexFunc(clashes, func(c clash) bool { return slices.Equal(names(c.gates), names(core)) })
				if at < 0 {
					at, clashes = len(clashes), append(clashes, clash{gates: core})
				}
				if i < len(types) && !slices.Contains(clashes[at].types, types[i].Name) {
					clashes[at].types = append(clashes[at].types, types[i].Name)
				}
			}
		}
	}
	for _, c := range clashes {
		l.tell(c, len(c.types) == len(types))
	}
}

// blocking are the gates that block and that somebody can satisfy.
func (l *linter) blocking() []hurdle {
	var all []hurdle
	for _, g := range l.p.Gates() {
		if g.Severity != policy.Block {
			continue
		}
		w := hurdle{g, l.site("Gate", g.Name, "condition", g.Condition, g.Where), l.site("Gate", g.Name, "applies", g.Applies, g.Where)}
		if is, _ := l.always(w.condition); w.condition != nil && is != alwaysFalse && is != neverTrue {
			all = append(all, w)
		}
	}
	return all
}

func governed(gates []hurdle, governance string) []hurdle {
	return slices.DeleteFunc(slices.Clone(gates), func(g hurdle) bool { return !slices.Contains(g.Governance, governance) })
}

// clashes are the smallest sets of gates that nobody can satisfy together in a
// setting, as far as they are looked for: among all that always apply, and those
// with one or two that apply somewhere.
func (l *linter) clashes(setting logic.Setting, gates []hurdle) [][]hurdle {
	var found [][]hurdle
	possible := func(gs []hurdle) bool {
		if !setting.Never(claimsOf(gs)...) {
			return true
		}
		found = append(found, fewest(gs, func(less []hurdle) bool { return setting.Never(claimsOf(less)...) }))
		return false
	}
	var always, selective []hurdle
	for _, g := range gates {
		if !possible([]hurdle{g}) {
			if g.applies != nil && !l.meet(setting, g) {
				found = found[:len(found)-1] // it applies nowhere
			}
			continue
		}
		if g.applies == nil {
			always = append(always, g)
		} else {
			selective = append(selective, g)
		}
	}
	if !possible(always) {
		return found // what is said of those comes first
	}
	var left []hurdle
	for _, g := range selective {
		if l.meet(setting, g) {
			if possible(append(slices.Clip(always), g)) {
				left = append(left, g)
			}
		}
	}
	for i, g := range left {
		for _, h := range left[:i] {
			if l.meet(setting, g, h) {
				possible(append(slices.Clip(always), h, g))
			}
		}
	}
	return found
}

func claimsOf(gates []hurdle) []logic.Claim {
	var all []logic.Claim
	for _, g := range gates {
		all = append(all, g.claims()...)
	}
	return all
}

// meet reports that gates apply together to some release, which CEL confirms.
func (l *linter) meet(setting logic.Setting, gates ...hurdle) bool {
	var claims []logic.Claim
	for _, g := range gates {
		claims = append(claims, logic.Claim{Term: g.applies.read.Root, Comes: logic.True})
	}
	answer, _ := setting.Example(func(in *policy.Inputs) bool {
		return !slices.ContainsFunc(gates, func(g hurdle) bool {
			held, told := g.applies.question.Holds(in, setting.Thresholds)
			return !held || !told
		})
	}, claims...)
	return answer == logic.Possible
}

func names(gates []hurdle) []string {
	var all []string
	for _, g := range gates {
		all = append(all, g.Name)
	}
	return all
}

// tell tells of gates that nobody can satisfy together; it is an error where they
// stand in the way of every release of a type.
func (l *linter) tell(c clash, everywhere bool) {
	last := c.gates[len(c.gates)-1]
	p := bundle.Problem{Where: l.start(last.condition), Code: "policy.contradicting-gates", What: "nobody can satisfy Gates " + conjoin(names(c.gates)) + " together", Why: "their conditions never hold together", Fix: "correct one of the conditions, or narrow applies so that they do not meet"}
	if len(c.gates) == 1 {
		p.Code, p.What, p.Why = "policy.unsatisfiable-gate", "nobody can satisfy Gate "+last.Name, "no value of what its condition reads makes it true"
		p.Fix = "correct the condition, or a threshold that it reads"
	}
	if !everywhere {
		p.What += " in a release of type " + strings.Join(c.types, " or ")
	}
	selective := slices.DeleteFunc(slices.Clone(c.gates), func(g hurdle) bool { return g.applies == nil })
	if len(selective) > 0 {
		p.Severity = bundle.LevelWarning
		p.Why += " " + where(names(selective), len(c.gates))
		if len(c.gates) == 1 {
			p.Why, p.Fix = "its condition never holds where it applies", "correct the condition, or applies"
		}
	}
	l.out.Add(p)
}

// where says where gates stand in the way of which some apply to some releases.
func where(selective []string, of int) string {
	switch {
	case len(selective) == 1:
		return "where " + selective[0] + " applies"
	case len(selective) == of && of == 2:
		return "where both apply"
	case len(selective) == of:
		return "where all apply"
	}
	return "where " + conjoin(selective) + " apply"
}
