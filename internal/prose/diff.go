package prose

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/policy"
)

// Mark says in which direction a change goes.
type Mark string

// The marks of a change. Changed says that neither can be told.
const (
	Added     Mark = "added"
	Removed   Mark = "removed"
	Tightened Mark = "tightened"
	Loosened  Mark = "loosened"
	Changed   Mark = "changed"
)

// Change is one change of meaning between two bundles.
type Change struct {
	Who  string `json:"who"` // is affected
	Mark Mark   `json:"mark"`
	Text string `json:"text"`
}

// Diff is every change of meaning from one bundle to another, those who are
// affected together. Bundles that differ in layout, comments or the order of
// documents have none.
func Diff(from, to *policy.Program) ([]Change, error) {
	a, err := newSpeaker(from)
	if err != nil {
		return nil, err
	}
	b, err := newSpeaker(to)
	if err != nil {
		return nil, err
	}
	d := &differ{from: from, to: to, a: a, b: b}
	d.procedures()
	d.documents()
	slices.SortStableFunc(d.all, func(x, y Change) int { return strings.Compare(x.Who, y.Who) })
	return d.all, nil
}

type differ struct {
	from, to *policy.Program
	a, b     *speaker
	all      []Change
}

func (d *differ) note(who string, mark Mark, text string) {
	d.all = append(d.all, Change{who, mark, sentence(text)})
}

// Changes is a comparison as a document, grouped by who is affected.
func Changes(title string, all []Change) Document {
	d := Document{Title: title}
	if len(all) == 0 {
		d.say("Nothing changes its meaning.")
	}
	for i, c := range all {
		if i == 0 || all[i-1].Who != c.Who {
			d.heading(1, c.Who)
		}
		d.items(string(c.Mark) + ": " + c.Text)
	}
	return d
}

// procedure is what one pair of size and change type asks for under one when.
type procedure struct {
	typ   policy.ReleaseType
	chain policy.ApprovalChain
	asks  bool // it has a chain
}

// cell is a size, a change type and a condition over the rest.
type cell struct{ size, change, when string }

func procedures(p *policy.Program, s *speaker) map[cell]procedure {
	all := map[cell]procedure{}
	for _, t := range p.ReleaseTypes() {
		when := ""
		if t.When != "" {
			when = s.canonical(t.When)
		}
		chain, asks := p.Chain(t.Chain)
		for _, size := range t.Sizes {
			for _, change := range t.ChangeTypes {
				all[cell{size, change, when}] = procedure{t, chain, asks}
			}
		}
	}
	return all
}

// finding is a change of some cells.
type finding struct {
	mark Mark
	text string // with who is affected left out
}

// procedures compares what each kind of release needs, and tells alike changes
// of several kinds once.
func (d *differ) procedures() {
	before, after := procedures(d.from, d.a), procedures(d.to, d.b)
	cells := map[finding][]cell{}
	var order []finding
	put := func(c cell, f finding) {
		if cells[f] == nil {
			order = append(order, f)
		}
		cells[f] = append(cells[f], c)
	}
	for _, c := range allCells(before, after) {
		x, was := before[c]
		y, is := after[c]
		switch {
		case !was:
			put(c, finding{Added, "are now of type " + y.typ.Name + " and need " + approvals(d.to, y.typ.Chain) + d.more(y)})
		case !is:
			put(c, finding{Removed, "are no longer of type " + x.typ.Name})
		default:
			for _, f := range d.procedure(x, y) {
				put(c, f)
			}
		}
	}
	for _, f := range order {
		who := d.releases(cells[f])
		d.note(who, f.mark, who+" "+f.text+".")
	}
}

// more are the other demands of a procedure that is new.
func (d *differ) more(p procedure) string {
	text := ""
	if p.typ.LeadTime > 0 {
		text += ", with " + bundle.Duration(p.typ.LeadTime) + " from submission to deployment"
	}
	return text
}

func allCells(before, after map[cell]procedure) []cell {
	var all []cell
	for _, m := range []map[cell]procedure{before, after} {
		for c := range m {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	rank := func(c cell) int {
		return 3*slices.Index(sizes, c.size) + slices.Index(changeTypes, c.change)
	}
	slices.SortFunc(all, func(a, b cell) int {
		if n := strings.Compare(a.when, b.when); n != 0 {
			return n
		}
		return rank(a) - rank(b)
	})
	return all
}

var (
	sizes       = []string{policy.Major, policy.Minor, policy.Patch}
	changeTypes = []string{policy.Standard, policy.Normal, policy.Emergency}
)

// procedure compares two of the same cell.
func (d *differ) procedure(x, y procedure) []finding {
	var all []finding
	if x.typ.Name != y.typ.Name {
		all = append(all, finding{Changed, "are now of type " + y.typ.Name + " instead of " + x.typ.Name})
	}
	all = append(all, chained(x, y)...)
	for _, t := range []struct {
		what          string
		was, is       int64
		more          Mark
		before, after string
	}{
		{"need a lead time of %s instead of %s", int64(x.typ.LeadTime), int64(y.typ.LeadTime), Tightened, span(x.typ.LeadTime), span(y.typ.LeadTime)},
		{"must be rolled back within %s instead of %s", int64(x.typ.RollbackTimeObjective), int64(y.typ.RollbackTimeObjective), "", span(x.typ.RollbackTimeObjective), span(y.typ.RollbackTimeObjective)},
		{"get permits that last %s instead of %s", int64(x.typ.PermitTTL), int64(y.typ.PermitTTL), Loosened, span(x.typ.PermitTTL), span(y.typ.PermitTTL)},
	} {
		if t.was == t.is {
			continue
		}
		mark := direction(t.was < t.is, t.more)
		if t.more == "" { // an objective: none is the loosest, and more is looser
			mark = direction(t.was == 0 || t.is != 0 && t.is < t.was, Tightened)
		}
		all = append(all, finding{mark, "now " + fmt.Sprintf(t.what, t.after, t.before)})
	}
	return append(all, d.thresholds(x, y)...)
}

// direction is the mark of an increase, or its opposite.
func direction(up bool, more Mark) Mark {
	if up {
		return more
	}
	return map[Mark]Mark{Tightened: Loosened, Loosened: Tightened, Changed: Changed}[more]
}

// chained compares what two chains ask for.
func chained(x, y procedure) []finding {
	was, is := "nobody's approval", "nobody's approval"
	if x.asks {
		was = asked(x.chain)
	}
	if y.asks {
		is = asked(y.chain)
	}
	if was == is {
		return nil
	}
	mark := Changed
	switch {
	case !x.asks:
		mark = Tightened
	case !y.asks:
		mark = Loosened
	default:
		mark = chainDirection(x.chain, y.chain)
	}
	// Of the same groups the number alone is told twice.
	if x.asks && y.asks && len(x.chain.Tiers) == 1 && len(y.chain.Tiers) == 1 && x.chain.ValidFor == y.chain.ValidFor && x.chain.Rejections == y.chain.Rejections {
		a, b := x.chain.Tiers[0], y.chain.Tiers[0]
		if a.Quorum != b.Quorum && slices.Equal(a.Groups, b.Groups) {
			was = strings.Fields(counted(a.Quorum, "approver", "approvers"))[0]
		}
	}
	return []finding{{mark, "now need " + is + " instead of " + was}}
}

// chainDirection is tightened where y asks for no less than x in every respect.
func chainDirection(x, y policy.ApprovalChain) Mark {
	atLeast := func(a, b policy.ApprovalChain) bool {
		if len(a.Tiers) != len(b.Tiers) || a.ValidFor > b.ValidFor || a.Rejections > b.Rejections {
			return false
		}
		for i := range a.Tiers {
			within := !slices.ContainsFunc(a.Tiers[i].Groups, func(g string) bool { return !slices.Contains(b.Tiers[i].Groups, g) })
			if a.Tiers[i].Quorum < b.Tiers[i].Quorum || !within {
				return false
			}
		}
		return true
	}
	switch {
	case atLeast(y, x):
		return Tightened
	case atLeast(x, y):
		return Loosened
	}
	return Changed
}

// thresholds compares the numbers that gates read.
func (d *differ) thresholds(x, y procedure) []finding {
	var all []finding
	for _, name := range union(x.typ.Thresholds, y.typ.Thresholds) {
		was, had := x.typ.Thresholds[name]
		is, has := y.typ.Thresholds[name]
		said := strings.ReplaceAll(name, "_", " ")
		switch {
		case had && has && was != is:
			all = append(all, finding{direction(is > was, d.pull("threshold."+name)), fmt.Sprintf("now have the threshold %s %s instead of %s", said, number(is), number(was))})
		case !had && has:
			all = append(all, finding{Added, fmt.Sprintf("now have the threshold %s %s", said, number(is))})
		case had && !has:
			all = append(all, finding{Removed, "no longer have the threshold " + said})
		}
	}
	return all
}

// pull is what an increase of a threshold or parameter does to the conditions of
// gates that compare with it: tightens, loosens, or changed where that cannot be told.
func (d *differ) pull(name string) Mark {
	mark := Mark("")
	for _, g := range d.to.Gates() {
		text := d.b.canonical(g.Condition)
		if !strings.Contains(text, name) {
			continue
		}
		one := Changed
		for op, m := range map[string]Mark{">=": Tightened, ">": Tightened, "<=": Loosened, "<": Loosened} {
			if plain(text) && strings.Contains(text, " "+op+" "+name) {
				one = m
			}
		}
		if mark != "" && mark != one {
			return Changed
		}
		mark = one
	}
	if mark == "" {
		return Changed
	}
	return mark
}

// plain reports whether a condition joins comparisons with and alone, so that
// each of them pulls the way it reads.
func plain(text string) bool {
	return !strings.ContainsAny(text, "!?|") && strings.Count(text, "(") == 0
}

func union[V any](a, b map[string]V) []string {
	var all []string
	for _, m := range []map[string]V{a, b} {
		for k := range m {
			if !slices.Contains(all, k) {
				all = append(all, k)
			}
		}
	}
	slices.Sort(all)
	return all
}

// releases says which releases some cells are.
func (d *differ) releases(cells []cell) string {
	when := cells[0].when
	bySize := map[string][]string{}
	for _, c := range cells {
		if c.when != when {
			return "Several kinds of release"
		}
		bySize[c.size] = append(bySize[c.size], c.change)
	}
	groups := map[string][]string{} // change types to sizes
	var order []string
	for _, size := range sizes {
		if changes := bySize[size]; changes != nil {
			key := strings.Join(changes, " ")
			if groups[key] == nil {
				order = append(order, key)
			}
			groups[key] = append(groups[key], size)
		}
	}
	var parts []string
	for _, key := range order {
		said := joined(groups[key], "and")
		if len(groups[key]) == 3 {
			said = "all"
		}
		if changes := strings.Fields(key); len(changes) < 3 {
			said += " " + joined(changes, "and")
			if len(groups[key]) == 3 {
				said = joined(changes, "and")
			}
		}
		parts = append(parts, said)
	}
	return sentence(strings.Join(parts, " as well as ") + " releases" + d.b.where(when))
}

// where is a condition as an addition to "releases".
func (s *speaker) where(when string) string {
	if when == "" {
		return ""
	}
	if tier, is := strings.CutPrefix(when, "service.tier == "); is && len(tier) == 1 {
		return " of tier " + tier + " services"
	}
	if kind, is := strings.CutPrefix(when, `environment.kind == "`); is && strings.Count(kind, `"`) == 1 && strings.HasSuffix(kind, `"`) {
		return " to " + strings.TrimSuffix(kind, `"`)
	}
	return " where " + s.condition(when)
}
