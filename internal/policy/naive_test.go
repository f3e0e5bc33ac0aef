package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// A second evaluator, written from docs/reference/policy.md alone: it knows no
// CEL, no sections as bits and no summaries, walks trees of closures and is slow.
// Decide must agree with it.

// answer is what an expression computes: true, false, or an error.
type answer int

const (
	no answer = iota
	yes
	broken
)

func of(b bool) answer {
	if b {
		return yes
	}
	return no
}

// expression is a condition as text for the language and as a walk for us.
type expression struct {
	text    string
	compute func(in *Inputs) answer
	reads   []string // sections of which more than known is read
	asks    []string // sections of which known is read
	counts  bool     // reads counts of findings by severity
	since   bool     // reads when the release was submitted
	lists   []string // sections whose list is read
}

func atom(text string, compute func(in *Inputs) answer, reads ...string) expression {
	e := expression{text: text, compute: compute}
	for _, r := range reads {
		switch name, asked := strings.CutSuffix(r, "?"); {
		case asked:
			e.asks = append(e.asks, name)
		case r == "by severity":
			e.counts = true
		case r == "submitted":
			e.since = true
		case strings.HasSuffix(r, "[]"):
			e.lists, e.reads = append(e.lists, strings.TrimSuffix(r, "[]")), append(e.reads, strings.TrimSuffix(r, "[]"))
		default:
			e.reads = append(e.reads, r)
		}
	}
	return e
}

var naiveAtoms = []expression{
	atom("true", func(*Inputs) answer { return yes }),
	atom("false", func(*Inputs) answer { return no }),
	atom("release.deployed_early", func(in *Inputs) answer { return of(in.Release.DeployedEarly) }, "release"),
	atom("service.tier > 0", func(in *Inputs) answer { return of(in.Service.Tier > 0) }, "service"),
	atom(`"icfr" in service.flags`, func(in *Inputs) answer { return of(slices.Contains(in.Service.Flags, "icfr")) }, "service"),
	atom(`environment.kind == "production"`, func(in *Inputs) answer { return of(in.Environment.Kind == "production") }, "environment"),
	atom("change.breaking", func(in *Inputs) answer { return of(in.Change.Breaking) }, "change"),
	atom("change.commits + change.migrations > 1", func(in *Inputs) answer { return of(in.Change.Commits+in.Change.Migrations > 1) }, "change"),
	atom("findings.critical == 0", func(in *Inputs) answer { return of(in.Findings.Critical == 0) }, "findings", "by severity"),
	atom("findings.high <= 2", func(in *Inputs) answer { return of(in.Findings.High <= 2) }, "findings", "by severity"),
	atom("findings.total < 4", func(in *Inputs) answer { return of(in.Findings.Total < 4) }, "findings"),
	atom("tests.failed == 0", func(in *Inputs) answer { return of(in.Tests.Failed == 0) }, "tests"),
	atom("coverage.line_rate >= 0.5", func(in *Inputs) answer { return of(in.Coverage.LineRate >= 0.5) }, "coverage"),
	atom("findings.known", func(in *Inputs) answer { return of(in.Findings.Known) }, "findings?"),
	atom("tests.known != coverage.known", func(in *Inputs) answer { return of(in.Tests.Known != in.Coverage.Known) }, "tests?", "coverage?"),
	atom("change.known", func(in *Inputs) answer { return of(in.Change.Known) }, "change?"),
	atom("1 / findings.critical > 0", func(in *Inputs) answer {
		if in.Findings.Critical == 0 {
			return broken
		}
		return of(1/in.Findings.Critical > 0)
	}, "findings", "by severity"),
	atom("release.submitted_at + duration('4h') <= now", func(in *Inputs) answer {
		return of(!in.Release.SubmittedAt.Add(4 * time.Hour).After(in.Now))
	}, "release", "submitted"),
	atom(`findings.items.exists(f, f.severity == "critical")`, func(in *Inputs) answer {
		return of(slices.ContainsFunc(in.Findings.Items, func(f Finding) bool { return f.Severity == "critical" }))
	}, "findings[]", "by severity"),
	atom("size(change.commit_list) < 2", func(in *Inputs) answer { return of(len(in.Change.CommitList) < 2) }, "change[]"),
	atom("release.submitted_at < now", func(in *Inputs) answer { return of(in.Release.SubmittedAt.Before(in.Now)) }, "release", "submitted"),
}

// lateNaive are for gates alone.
var lateNaive = []expression{
	atom("approval.approvals >= 1", func(in *Inputs) answer { return of(in.Approval.Approvals >= 1) }, "approval"),
	atom("approval.votes.all(v, v.counted)", func(in *Inputs) answer {
		return of(!slices.ContainsFunc(in.Approval.Votes, func(v Vote) bool { return !v.Counted }))
	}, "approval[]"),
	atom("approval.rejected", func(in *Inputs) answer { return of(in.Approval.Rejected) }, "approval"),
	atom("calendar.frozen", func(in *Inputs) answer { return of(in.Calendar.Frozen) }, "calendar"),
	atom("calendar.known", func(in *Inputs) answer { return of(in.Calendar.Known) }, "calendar?"),
	atom(`release.size == "major"`, func(in *Inputs) answer { return of(in.Release.Size == Major) }, "release"),
	atom("size(calendar.rules) == 0", func(in *Inputs) answer { return of(len(in.Calendar.Rules) == 0) }, "calendar"),
}

func join(text string, compute func(in *Inputs) answer, parts ...expression) expression {
	e := expression{text: text, compute: compute}
	for _, p := range parts {
		e.reads, e.asks = append(e.reads, p.reads...), append(e.asks, p.asks...)
		e.lists = append(e.lists, p.lists...)
		e.counts, e.since = e.counts || p.counts, e.since || p.since
	}
	return e
}

// anyExpression nests atoms. And and or are told by one side where the other is broken.
func anyExpression(r *rand.Rand, from []expression, depth int) expression {
	if depth == 0 || r.IntN(3) == 0 {
		return from[r.IntN(len(from))]
	}
	a, b := anyExpression(r, from, depth-1), anyExpression(r, from, depth-1)
	decided := func(by answer, in *Inputs) answer {
		x, y := a.compute(in), b.compute(in)
		switch {
		case x == by || y == by:
			return by
		case x == broken || y == broken:
			return broken
		}
		return of(by == no)
	}
	switch r.IntN(4) {
	case 0:
		return join("("+a.text+") && ("+b.text+")", func(in *Inputs) answer { return decided(no, in) }, a, b)
	case 1:
		return join("("+a.text+") || ("+b.text+")", func(in *Inputs) answer { return decided(yes, in) }, a, b)
	case 2:
		return join("!("+a.text+")", func(in *Inputs) answer {
			if x := a.compute(in); x != broken {
				return of(x == no)
			}
			return broken
		}, a)
	}
	c := anyExpression(r, from, depth-1)
	return join("("+a.text+") ? ("+b.text+") : ("+c.text+")", func(in *Inputs) answer {
		switch a.compute(in) {
		case yes:
			return b.compute(in)
		case no:
			return c.compute(in)
		}
		return broken
	}, a, b, c)
}

// knows reports whether a section can be relied on; with it goes a pointer to its known.
func knows(in *Inputs, name string) (bool, *bool) {
	switch name {
	case "release":
		return in.Release.Known, &in.Release.Known
	case "service":
		return in.Service.Known, &in.Service.Known
	case "environment":
		return in.Environment.Known, &in.Environment.Known
	case "change":
		return in.Change.Known && in.Change.Complete, &in.Change.Known
	case "findings":
		return in.Findings.Known, &in.Findings.Known
	case "tests":
		return in.Tests.Known && in.Tests.Total > 0, &in.Tests.Known
	case "coverage":
		return in.Coverage.Known, &in.Coverage.Known
	case "approval":
		return in.Approval.Known, &in.Approval.Known
	case "calendar":
		return in.Calendar.Known, &in.Calendar.Known
	}
	panic(name)
}

// selects is the answer of a rule that selects something, broken where it cannot be told.
func (e expression) selects(in *Inputs) answer {
	for _, s := range slices.Concat(e.reads, e.asks) {
		if known, _ := knows(in, s); !known {
			return broken
		}
	}
	if e.counts && in.Findings.Unrated > 0 || e.since && in.Release.SubmittedAt.IsZero() || e.unlisted(in) {
		return broken
	}
	return e.compute(in)
}

// unlisted reports whether a list that is read was not loaded.
func (e expression) unlisted(in *Inputs) bool {
	absent := map[string]bool{"findings": in.Findings.Items == nil, "change": in.Change.CommitList == nil, "approval": in.Approval.Votes == nil}
	return slices.ContainsFunc(e.lists, func(s string) bool { return absent[s] })
}

// wants reports whether the condition holds only for want of something: were
// any of the sections it asks after known, it would not hold.
func (e expression) wants(in *Inputs) bool {
	var missing []string
	for _, s := range e.asks {
		if _, known := knows(in, s); !*known && !slices.Contains(missing, s) {
			missing = append(missing, s)
		}
	}
	for mask := range 1 << len(missing) {
		other := *in
		for i, s := range missing {
			_, known := knows(&other, s)
			*known = mask&(1<<i) != 0
		}
		if e.compute(&other) != yes {
			return true
		}
	}
	return false
}

type naiveGate struct {
	name               string
	condition, applies expression
	always             bool // has no applies
	light              bool // also under light governance
	warn, waits, aged  bool
	relaxed            []naiveRelaxed
}

// naiveRelaxed takes a gate's force: off, observe or warn, until an instant.
type naiveRelaxed struct {
	to    string
	match expression
	until time.Time
}

// isTo is the most lenient that a gate is relaxed to, or "".
func (g naiveGate) isTo(in *Inputs) string {
	order := []string{"", "warn", "observe", "off"}
	most := 0
	for _, x := range g.relaxed {
		if in.Now.Before(x.until) && x.match.selects(in) == yes {
			most = max(most, slices.Index(order, x.to))
		}
	}
	return order[most]
}

type naiveScope struct {
	governance string
	match      expression
	observe    time.Time // until when; zero: it enforces
}

type naiveType struct {
	name, change string
	chain        bool
	lead         time.Duration
	when         *expression
}

type naiveBundle struct {
	scopes []naiveScope
	types  []naiveType
	gates  []naiveGate
	freeze map[string]Verdict // by rule; "" where it depends on the end
	mode   string             // observe or warn until an instant; "" enforces
	until  time.Time
}

// anEnd is an instant before, at or after the one of the inputs.
func anEnd(r *rand.Rand) time.Time {
	return monday.Add([]time.Duration{-time.Hour, 0, time.Second, 24 * time.Hour}[r.IntN(4)])
}

func anyNaive(r *rand.Rand) naiveBundle {
	late := slices.Concat(naiveAtoms, lateNaive)
	b := naiveBundle{freeze: map[string]Verdict{}}
	for range 1 + r.IntN(3) {
		b.scopes = append(b.scopes, naiveScope{[]string{Full, Full, Light, None}[r.IntN(4)], anyExpression(r, naiveAtoms, 2), time.Time{}})
		if last := &b.scopes[len(b.scopes)-1]; last.governance != None && r.IntN(4) == 0 {
			last.observe = anEnd(r)
		}
	}
	if r.IntN(4) == 0 {
		b.mode, b.until = []string{ModeObserve, ModeWarn}[r.IntN(2)], anEnd(r)
	}
	for i, change := range []string{Standard, Normal, Emergency, Normal} {
		t := naiveType{name: fmt.Sprintf("t%d", i), change: change, chain: r.IntN(2) == 0, lead: []time.Duration{0, 0, time.Hour, 24 * time.Hour}[r.IntN(4)]}
		if i == 3 && (r.IntN(2) == 0 || b.types[1].when == nil) {
			break // two types for one pair, each under its own condition
		}
		if r.IntN(3) == 0 || i == 3 {
			when := anyExpression(r, naiveAtoms, 2)
			t.when = &when
		}
		b.types = append(b.types, t)
	}
	for i := range 1 + r.IntN(4) {
		g := naiveGate{name: fmt.Sprintf("g%d", i), condition: anyExpression(r, late, 3), applies: atom("true", func(*Inputs) answer { return yes }), always: r.IntN(2) == 0, light: r.IntN(2) == 0}
		if !g.always {
			g.applies = anyExpression(r, late, 2)
		}
		g.warn, g.waits, g.aged = r.IntN(4) == 0, r.IntN(4) == 0, r.IntN(3) == 0
		for range r.IntN(5) - 2 {
			g.relaxed = append(g.relaxed, naiveRelaxed{[]string{"off", "observe", "warn"}[r.IntN(3)], anyExpression(r, naiveAtoms, 1), anEnd(r)})
		}
		b.gates = append(b.gates, g)
	}
	for i := range r.IntN(3) {
		b.freeze[fmt.Sprintf("z%d", i)] = []Verdict{"", Wait, NoGo}[r.IntN(3)]
	}
	return b
}

func (b naiveBundle) files() []File {
	var w strings.Builder
	w.WriteString("apiVersion: signalbox/v1\nkind: Policy\nname: any\nversion: '1'\n")
	ends := func(until time.Time) string { return "until: " + until.Format(time.RFC3339) + "\n" }
	if b.mode != "" {
		w.WriteString("mode: " + b.mode + "\nby: board\n" + ends(b.until))
	}
	w.WriteString(doc("ApprovalChain", "name: one\ntiers: [{name: review, groups: [release-approvers], quorum: 1}]\n"))
	for i, s := range b.scopes {
		more := ""
		if !s.observe.IsZero() {
			more = "observe:\n  by: board\n  " + ends(s.observe)
		}
		w.WriteString(doc("ScopeRule", fmt.Sprintf("name: s%d\nmatch: >-\n  %s\ngovernance: %s\n%s", i, s.match.text, s.governance, more)))
	}
	for _, t := range b.types {
		more := ""
		if t.lead > 0 {
			more += fmt.Sprintf("lead_time: %dh\n", int(t.lead.Hours()))
		}
		if t.when != nil {
			more += "when: >-\n  " + t.when.text + "\n"
		}
		w.WriteString(doc("ReleaseType", fmt.Sprintf("name: %s\nsize: [major, minor, patch]\nchange_types: [%s]\nchain: %s\n%s", t.name, t.change, map[bool]string{true: "one", false: "none"}[t.chain], more)))
	}
	for _, g := range b.gates {
		more := ""
		for _, m := range []struct {
			holds bool
			text  string
		}{
			{g.warn, "severity: warn\n"},
			{g.waits, "on_fail: wait\n"},
			{g.aged, "max_age: 1d\nneeds: [findings]\nprovenance: pipeline\n"},
			{!g.always, "applies: >-\n  " + g.applies.text + "\n"},
			{!g.light, "governance: [full]\n"},
		} {
			if m.holds {
				more += m.text
			}
		}
		w.WriteString(doc("Gate", fmt.Sprintf("name: %s\ntitle: G\ncondition: >-\n  %s\n%s", g.name, g.condition.text, more)))
		for i, x := range g.relaxed {
			w.WriteString(doc("Relaxation", fmt.Sprintf("name: %s-%d\ngate: %s\nto: %s\nmatch: >-\n  %s\nby: board\nreason: R.\n%s", g.name, i, g.name, x.to, x.match.text, ends(x.until))))
		}
	}
	for name, v := range b.freeze {
		more := ""
		if v != "" {
			more = "verdict: " + string(v) + "\n"
		}
		w.WriteString(doc("FreezeRule", "name: "+name+"\n"+more))
	}
	return []File{{Name: "any.yaml", Data: []byte(w.String())}}
}

// worstOf is by the order of the reference: no-go, cannot tell, wait, go.
func worstOf(all []Verdict) Verdict {
	for _, v := range []Verdict{NoGo, CannotTell, Wait} {
		if slices.Contains(all, v) {
			return v
		}
	}
	return Go
}

// naiveAnswer is the verdict, how far the release is governed, and whether it is enforced.
type naiveAnswer struct {
	verdict    Verdict
	governance string
	enforced   bool
}

func (b naiveBundle) decide(in Inputs) naiveAnswer {
	governance, enforced, told := b.governance(&in)
	if governance != None && in.Service.Known && in.Environment.Known && b.mode != "" && in.Now.Before(b.until) {
		enforced = false
	}
	var said []Verdict
	if !told {
		said = append(said, CannotTell)
	}
	if governance != None {
		said = append(said, b.governed(in, governance)...)
	}
	return naiveAnswer{worstOf(said), governance, enforced}
}

// governed is what is said of a release that is governed at all.
func (b naiveBundle) governed(in Inputs, governance string) (said []Verdict) {
	if !in.Release.Known {
		said = append(said, CannotTell)
	}
	var sure bool
	in.Release.Size, sure = naiveSize(&in)
	if !sure {
		said = append(said, CannotTell)
	}
	in.Release.ChangeType = naiveChange(&in)
	chosen, told := b.choose(&in)
	if !told {
		said = append(said, CannotTell)
	}
	certain := false
	for _, g := range b.gates {
		if governance == Light && !g.light {
			continue
		}
		applies, to := g.applies.selects(&in), g.isTo(&in)
		if applies == no || to == "off" {
			continue
		}
		certain = certain || applies == yes
		if v := g.ask(&in); !g.warn && to == "" {
			said = append(said, v)
		}
	}
	if !certain {
		said = append(said, CannotTell)
	}
	if !in.Change.Known || !in.Change.Complete || in.Change.UnknownContributors > 0 {
		said = append(said, CannotTell)
	}
	return append(said, chosen.approved(&in), b.frozen(&in), chosen.early(&in))
}

// governance is the strictest of the rules that match; of two that are as strict,
// one that enforces. What the catalog does not know is governed in full, enforced,
// and cannot be told; so is what a rule that cannot be told might have made stricter.
func (b naiveBundle) governance(in *Inputs) (governance string, enforced, told bool) {
	order := []string{Full, Light, None, ""}
	strict, observed, unsure := "", false, false
	for _, s := range b.scopes {
		observes := in.Now.Before(s.observe)
		switch s.match.selects(in) {
		case broken:
			unsure = true
		case yes:
			switch by := slices.Index(order, s.governance) - slices.Index(order, strict); {
			case by < 0:
				strict, observed = s.governance, observes
			case by == 0:
				observed = observed && observes
			}
		}
	}
	switch {
	case !in.Service.Known || !in.Environment.Known, strict == "", unsure && (strict != Full || observed):
		return Full, true, false
	}
	return strict, !observed, true
}

func naiveSize(in *Inputs) (string, bool) {
	step := in.Change.SemverStep
	whole := in.Change.Known && in.Change.Complete
	switch {
	case in.Release.Size == Major, in.Change.Known && (in.Change.Breaking || step == Major):
		return Major, true
	case !whole:
		return Major, false
	case step == "unknown":
		return Major, true
	case in.Release.Size == Minor || step == Minor:
		return Minor, true
	}
	return Patch, true
}

func naiveChange(in *Inputs) string {
	c := in.Change
	harmless := c.Known && c.Complete && slices.Contains([]string{"none", Patch, Minor}, c.SemverStep) && !c.Breaking && c.Migrations == 0
	switch {
	case in.Release.ChangeType == Emergency:
		return Emergency
	case in.Release.ChangeType == Standard && harmless:
		return Standard
	}
	return Normal
}

func (b naiveBundle) choose(in *Inputs) (*naiveType, bool) {
	var fit []*naiveType
	before := *in // when reads what was declared, not what it counts as
	for i := range b.types {
		t := &b.types[i]
		if t.change != in.Release.ChangeType {
			continue
		}
		if t.when != nil {
			switch t.when.selects(&before) {
			case broken:
				return nil, false
			case no:
				continue
			}
		}
		fit = append(fit, t)
	}
	if len(fit) != 1 {
		return nil, false
	}
	return fit[0], true
}

func (g naiveGate) ask(in *Inputs) Verdict {
	needs := slices.Clone(g.condition.reads)
	if g.aged {
		needs = append(needs, "findings")
	}
	for _, s := range needs {
		if known, _ := knows(in, s); !known {
			return CannotTell
		}
	}
	if g.condition.unlisted(in) {
		return CannotTell
	}
	type about struct {
		by  Provenance
		age float64
	}
	sent := map[string]about{
		"change": {in.Change.Provenance, 0}, "findings": {in.Findings.Provenance, in.Findings.AgeHours},
		"tests": {in.Tests.Provenance, in.Tests.AgeHours}, "coverage": {in.Coverage.Provenance, in.Coverage.AgeHours},
	}
	if g.aged {
		for _, s := range needs {
			if a, has := sent[s]; has && a.by == ByPerson {
				return NoGo
			}
		}
		for _, s := range needs {
			if sent[s].age > 24 {
				return CannotTell
			}
		}
	}
	switch g.condition.compute(in) {
	case broken:
		return CannotTell
	case no:
		if g.waits {
			return Wait
		}
		return NoGo
	}
	if g.condition.counts && in.Findings.Unrated > 0 || g.condition.since && in.Release.SubmittedAt.IsZero() || g.condition.wants(in) {
		return CannotTell
	}
	return Go
}

func (t *naiveType) approved(in *Inputs) Verdict {
	switch a := in.Approval; {
	case t == nil:
		return CannotTell
	case !t.chain:
		return Go
	case !a.Known:
		return CannotTell
	case a.Rejected:
		return NoGo
	case a.Satisfied:
		return Go
	case a.Eligible < max(a.Required, 1)-a.Approvals:
		return CannotTell
	}
	return Wait
}

func (t *naiveType) early(in *Inputs) Verdict {
	switch {
	case t == nil || t.lead == 0:
		return Go
	case !in.Release.Known || in.Release.SubmittedAt.IsZero():
		return CannotTell
	case in.Now.Before(in.Release.SubmittedAt.Add(t.lead)):
		return Wait
	}
	return Go
}

func (b naiveBundle) frozen(in *Inputs) Verdict {
	k := in.Calendar
	if !k.Known {
		return CannotTell
	}
	if !k.Frozen {
		return Go
	}
	byEnd := NoGo
	if !k.OpenEnd && k.ThawsAt.After(in.Now) {
		byEnd = Wait
	}
	var said []Verdict
	for _, name := range k.Rules {
		v := b.freeze[name]
		if v == "" {
			v = byEnd
		}
		said = append(said, v)
	}
	if len(k.Rules) < max(len(k.Freezes), 1) {
		said = append(said, byEnd)
	}
	return worstOf(said)
}
