package prose

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/policy"
)

// Describe is a bundle as auditors read it. Now is the instant at which it is
// asked what does not operate; it does not otherwise enter the document.
func Describe(p *policy.Program, now time.Time) (Document, error) {
	s, err := newSpeaker(p)
	if err != nil {
		return Document{}, err
	}
	d := Document{Title: "Release policy " + title(p)}
	s.purpose(&d, p)
	s.scopes(&d, p)
	s.types(&d, p)
	s.gates(&d, p)
	overlays(&d, p)
	d.heading(1, "Approval chains")
	var chains [][]string
	for _, c := range p.Chains() {
		chains = append(chains, []string{c.Name, asked(c), bundle.Duration(c.ValidFor), fmt.Sprint(c.Rejections)})
	}
	d.table([]string{"Chain", "Asks for", "A vote counts for", "Rejections that reject"}, chains)
	d.say("Whoever contributed to a change never counts among its approvers.")
	d.heading(1, "Freezes")
	for _, z := range p.FreezeRules() {
		d.items(freeze(z))
	}
	if len(p.FreezeRules()) == 0 {
		d.say("The policy has no rule of its own for freezes.")
	}
	attestors(&d, p)
	parameters(&d, p)
	controls(&d, p)
	s.idle(&d, p, now)
	trials(&d, p)
	return d, nil
}

func (s *speaker) purpose(d *Document, p *policy.Program) {
	d.heading(1, "Purpose")
	d.say(p.Policy().Description)
	rows := [][]string{{"Policy", p.Policy().Name}, {"Version", p.Policy().Version}, {"Owner", orNobody(p.Policy().Owner)}, {"Mode", p.Policy().Mode}, {"Digest", p.Digest()}}
	if until := p.Policy().Until; !until.IsZero() {
		rows = append(rows, []string{"Not enforced until", day(until) + ", on the word of " + p.Policy().By})
	}
	for _, i := range p.Includes() {
		rows = append(rows, []string{"Includes", i.Name + ", " + i.Digest})
	}
	for _, o := range p.Owners() {
		rows = append(rows, []string{"Owner of " + o.Files, o.Group})
	}
	d.table([]string{"What", "Value"}, rows)
	d.say("The digest identifies the exact files from which this document was made. The answer to a release is the worst of the gates that block, in the order no-go, cannot tell, wait, go. What is not known never counts in favour.")
}

func orNobody(s string) string {
	if s == "" {
		return "nobody is named"
	}
	return s
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

func (s *speaker) scopes(d *Document, p *policy.Program) {
	d.heading(1, "Scope")
	var rows [][]string
	for _, r := range p.ScopeRules() {
		where := "every release"
		if r.Match != "" {
			where = s.condition(r.Match)
		}
		observe := "enforced"
		if r.Observe != nil {
			observe = "recorded only until " + day(r.Observe.Until) + ", on the word of " + r.Observe.By
		}
		rows = append(rows, []string{r.Name, where, governed[r.Governance], observe, r.Reason})
	}
	d.table([]string{"Rule", "Where", "Governance", "Enforcement", "Why"}, rows)
	d.say("Of all rules that match, the strictest decides. A service or environment outside the catalog is governed in full.")
}

func (s *speaker) types(d *Document, p *policy.Program) {
	d.heading(1, "Types of release")
	var rows [][]string
	for _, t := range p.ReleaseTypes() {
		when := "always"
		if t.When != "" {
			when = s.condition(t.When)
		}
		var limits []string
		for _, name := range slices.Sorted(maps.Keys(t.Thresholds)) {
			limits = append(limits, name+" "+number(t.Thresholds[name]))
		}
		rows = append(rows, []string{
			t.Name, either(t.Sizes), either(t.ChangeTypes), when, approvals(p, t.Chain), orNone(strings.Join(limits, ", ")),
			span(t.LeadTime), span(t.RollbackTimeObjective), bundle.Duration(t.PermitTTL),
		})
	}
	d.table([]string{"Type", "Size", "Change", "When", "Approval", "Thresholds", "Lead time", "Rollback within", "Permit lasts"}, rows)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func span(t time.Duration) string {
	if t == 0 {
		return "none"
	}
	return bundle.Duration(t)
}

func (s *speaker) gates(d *Document, p *policy.Program) {
	d.heading(1, "Gates")
	for _, g := range p.Gates() {
		d.heading(2, g.Title)
		d.say(g.Description)
		rows := [][]string{{"Gate", g.Name}, {"Asks that", s.condition(g.Condition) + s.demands(g)}, {"Condition", "`" + flat(g.Condition) + "`"}}
		for _, x := range [][2]string{
			{"Asked", s.asks(g)},
			{"Where it fails", effect(g)},
			{"Owner", g.Owner},
			{"Lifted by", g.Lift},
			{"Next step", g.Next},
			{"Controls", strings.Join(g.Controls, ", ")},
		} {
			if x[1] != "" {
				rows = append(rows, []string{x[0], x[1]})
			}
		}
		d.table([]string{"What", "Value"}, rows)
	}
}

// overlays are what this bundle tightens of what it includes or holds itself; it
// stands tightened above.
func overlays(d *Document, p *policy.Program) {
	if len(p.Overlays()) == 0 {
		return
	}
	d.heading(1, "Tightened")
	var rows [][]string
	for _, o := range p.Overlays() {
		rows = append(rows, []string{o.Name, tightened(o), o.Reason})
	}
	d.table([]string{"Overlay", "Tightens", "Why"}, rows)
	d.say("What is said above is said of the gates, types, chains, parameters and scopes as they stand tightened.")
}

// effect is what a gate that fails does.
func effect(g policy.Gate) string {
	switch g.Severity {
	case policy.Warn:
		return "a warning"
	case policy.Observe:
		return "a note"
	}
	return consequences[g.OnFail]
}

func parameters(d *Document, p *policy.Program) {
	if len(p.Parameters()) == 0 {
		return
	}
	d.heading(1, "Parameters")
	var rows [][]string
	for _, x := range p.Parameters() {
		bounds := "none"
		switch {
		case x.Min != nil && x.Max != nil:
			bounds = number(*x.Min) + " to " + number(*x.Max)
		case x.Min != nil:
			bounds = "at least " + number(*x.Min)
		case x.Max != nil:
			bounds = "at most " + number(*x.Max)
		}
		rows = append(rows, []string{x.Name, strings.TrimSpace(literal(x.Value) + " " + x.Unit), bounds, orNobody(either(x.MayChange)), x.Description})
	}
	d.table([]string{"Parameter", "Value", "Bounds", "May be changed by", "Meaning"}, rows)
}

// controls is the matrix of controls and the gates that name them.
func controls(d *Document, p *policy.Program) {
	named := map[string][]string{}
	for _, g := range p.Gates() {
		for _, c := range g.Controls {
			named[c] = append(named[c], fmt.Sprintf("%s (%s)", g.Name, g.Severity))
		}
	}
	d.heading(1, "Controls")
	d.say("A policy supports controls; an organisation satisfies them. What is not covered in full leaves a duty with people.")
	var rows [][]string
	for _, c := range p.Controls() {
		rows = append(rows, []string{c.Label(), c.Statement, orNone(strings.Join(named[c.Label()], ", ")), c.Coverage + ", " + c.Status, strings.TrimSpace(c.Nature + " " + c.Frequency), orNone(c.Duty)})
		delete(named, c.Label())
	}
	d.table([]string{"Control", "Statement", "Gates", "Coverage", "Nature", "Duty that remains"}, rows)
	rows = nil
	for _, label := range slices.Sorted(maps.Keys(named)) {
		rows = append(rows, []string{label, strings.Join(named[label], ", ")})
	}
	d.table([]string{"Control named by gates alone", "Gates"}, rows)
}

// idle are the controls that do not operate.
func (s *speaker) idle(d *Document, p *policy.Program, now time.Time) {
	d.heading(1, "Controls not operating")
	var rows [][]string
	for _, x := range p.NotOperating(now) {
		gate := x.Gate
		if gate == "" {
			gate = "every gate that blocks"
		}
		scope := x.Scope
		if scope != policy.EveryRelease {
			scope = s.condition(scope)
		}
		rows = append(rows, []string{gate, orNone(strings.Join(x.Controls, ", ")), scope, x.To, day(x.Until), x.By, x.Reason})
	}
	if len(rows) == 0 {
		d.say("None: no gate is switched off or relaxed.")
		return
	}
	d.table([]string{"Gate", "Controls", "Scope", "Relaxed to", "Until", "By", "Why"}, rows)
}

// trials are the test cases and how they came out.
func trials(d *Document, p *policy.Program) {
	d.heading(1, "Tests")
	d.say("Each case is decided at a fixed instant; a policy with a failing test, or none, cannot be activated.")
	var rows [][]string
	for _, r := range p.Test() {
		result := "passes"
		switch {
		case !r.Passed:
			result = "fails: " + r.Why
		case r.Got != r.Want:
			result = "passes: the answer is " + r.Got + ", which is stricter"
		}
		rows = append(rows, []string{r.Name, r.Want, result})
	}
	d.table([]string{"Case", "Expected", "Result"}, rows)
}
