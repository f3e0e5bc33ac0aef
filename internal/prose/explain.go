package prose

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/policy"
)

// Explain is a whole bundle in plain words: scopes, types, gates, chains, freezes.
func Explain(p *policy.Program) (Document, error) {
	s, err := newSpeaker(p)
	if err != nil {
		return Document{}, err
	}
	d := Document{Title: title(p)}
	d.say(p.Policy().Description)
	d.heading(1, "How far a release is governed")
	for _, r := range p.ScopeRules() {
		d.items(s.scope(r))
	}
	d.heading(1, "What kind of release it is")
	for _, t := range p.ReleaseTypes() {
		d.items(s.releaseType(p, t))
	}
	d.heading(1, "What it must meet")
	for _, g := range p.Gates() {
		d.items(s.gate(g))
	}
	if all := p.Attestors(); len(all) > 0 {
		d.heading(1, "Whose signed word is believed")
		for _, a := range all {
			d.items(attestor(a))
		}
	}
	d.heading(1, "Who approves")
	for _, c := range p.Chains() {
		d.items(c.Name + ": " + asked(c) + ".")
	}
	if all := p.FreezeRules(); len(all) > 0 {
		d.heading(1, "What a freeze means")
		for _, z := range all {
			d.items(freeze(z))
		}
	}
	if all := p.Overlays(); len(all) > 0 {
		d.heading(1, "What is tightened here")
		for _, o := range all {
			d.items(o.Name + ": " + tightened(o) + "." + reason(o.Reason))
		}
	}
	if all := p.Relaxations(); len(all) > 0 {
		d.heading(1, "What does not hold for a time")
		for _, x := range all {
			d.items(s.relaxation(x))
		}
	}
	return d, nil
}

// tightened is what an overlay sets.
func tightened(o policy.Overlay) string {
	return joined(spaced(o.Fields), "and") + " of " + titles[o.Kind] + " " + o.Target
}

// spaced are names with spaces between their words.
func spaced(names []string) []string {
	var all []string
	for _, n := range names {
		all = append(all, strings.ReplaceAll(n, "_", " "))
	}
	return all
}

var relaxed = map[string]string{"off": "off", "warn": "down to a warning", "observe": "down to a note"}

func (s *speaker) relaxation(x policy.Relaxation) string {
	text := fmt.Sprintf("%s: until %s gate %s is %s", x.Name, day(x.Until), x.Gate, relaxed[x.To])
	if x.Match != "" {
		text += " where " + s.condition(x.Match)
	}
	return text + ", on the word of " + x.By + "." + reason(x.Reason)
}

func title(p *policy.Program) string {
	return strings.TrimSpace(p.Policy().Name + " " + p.Policy().Version)
}

var governed = map[string]string{policy.Full: "governed in full", policy.Light: "governed lightly", policy.None: "not governed"}

func (s *speaker) scope(r policy.ScopeRule) string {
	text := r.Name + ": every release"
	if r.Match != "" {
		text = r.Name + ": where " + s.condition(r.Match) + ", a release"
	}
	text += " is " + governed[r.Governance] + "."
	if r.Observe != nil {
		text += fmt.Sprintf(" Until %s its answers are recorded and not enforced, on the word of %s.", r.Observe.Until.Format("2006-01-02"), r.Observe.By)
	}
	return text + reason(r.Reason)
}

func reason(text string) string {
	if text == "" {
		return ""
	}
	return " " + sentence(strings.TrimSuffix(text, ".")) + "."
}

// sentence begins with a capital letter.
func sentence(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

func (s *speaker) releaseType(p *policy.Program, t policy.ReleaseType) string {
	text := fmt.Sprintf("%s: %s releases that are %s", t.Name, either(t.Sizes), either(t.ChangeTypes))
	if t.When != "" {
		text += ", where " + s.condition(t.When)
	}
	text += ". They need " + approvals(p, t.Chain)
	if t.LeadTime > 0 {
		text += ", " + bundle.Duration(t.LeadTime) + " between submission and deployment"
	}
	if t.RollbackTimeObjective > 0 {
		text += ", a rollback within " + bundle.Duration(t.RollbackTimeObjective)
	}
	return text + ". A permit lasts " + bundle.Duration(t.PermitTTL) + "."
}

// either is a list joined with or.
func either(all []string) string { return joined(all, "or") }

func joined(all []string, word string) string {
	switch n := len(all); n {
	case 0:
		return "nothing"
	case 1:
		return all[0]
	default:
		return strings.Join(all[:n-1], ", ") + " " + word + " " + all[n-1]
	}
}

// approvals are what a release type's chain asks for.
func approvals(p *policy.Program, chain string) string {
	if c, there := p.Chain(chain); there {
		return asked(c)
	}
	return "nobody's approval"
}

// asked is what a chain asks for.
func asked(c policy.ApprovalChain) string {
	var tiers []string
	for _, t := range c.Tiers {
		tiers = append(tiers, fmt.Sprintf("%s of %s", counted(t.Quorum, "approver", "approvers"), either(t.Groups)))
	}
	text := strings.Join(tiers, ", then ")
	if c.ValidFor != policy.DefaultValidFor {
		text += ", whose votes count for " + bundle.Duration(c.ValidFor)
	}
	if c.Rejections != 1 {
		text += fmt.Sprintf(", and %d rejections to reject it", c.Rejections)
	}
	return text
}

var numerals = []string{"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"}

// counted is a number in words and what it counts.
func counted(n int, one, many string) string {
	word := fmt.Sprint(n)
	if n >= 0 && n < len(numerals) {
		word = numerals[n]
	}
	if n == 1 {
		return word + " " + one
	}
	return word + " " + many
}

var consequences = map[policy.Verdict]string{policy.NoGo: "no-go", policy.Wait: "a wait"}

func (s *speaker) gate(g policy.Gate) string {
	text := g.Title + " (" + g.Name + "): "
	switch g.Severity {
	case policy.Warn:
		text += "it warns unless "
	case policy.Observe:
		text += "it is noted unless "
	default:
		text += "it is " + consequences[g.OnFail] + " unless "
	}
	text += s.condition(g.Condition)
	text += s.demands(g) + "."
	if where := s.asks(g); where != "" {
		text += " Asked " + where + "."
	}
	if g.Lift != "" {
		text += " It is lifted by " + g.Lift + "."
	}
	return text
}

// sender is who is believed at a provenance.
var sender = map[policy.Provenance]string{policy.ByServer: "the server", policy.ByAttestor: "an attestor", policy.ByPipeline: "a pipeline", policy.ByPerson: "a person"}

// demands are what a gate asks of its evidence.
func (s *speaker) demands(g policy.Gate) string {
	var all []string
	if len(g.Needs) > 0 {
		all = append(all, "with the "+joined(g.Needs, "and")+" known")
	}
	if g.MaxAge > 0 {
		all = append(all, "at most "+bundle.Duration(g.MaxAge)+" old")
	}
	if g.Provenance != policy.ByNobody {
		all = append(all, "on the word of "+sender[g.Provenance]+" or better")
	}
	if len(all) == 0 {
		return ""
	}
	return ", " + strings.Join(all, ", ")
}

// asks is to which releases a gate applies; "" is all that are governed.
func (s *speaker) asks(g policy.Gate) string {
	var all []string
	if len(g.Governance) == 1 {
		all = append(all, "of releases "+governed[g.Governance[0]])
	}
	if g.Applies != "" {
		all = append(all, "where "+s.condition(g.Applies))
	}
	return strings.Join(all, ", ")
}

func freeze(z policy.FreezeRule) string {
	text := z.Name + ": releases "
	switch z.Verdict {
	case policy.Wait:
		text += "wait"
	case policy.NoGo:
		text += "are refused"
	default:
		text += "wait until the freeze ends, and are refused where it has no end"
	}
	if len(z.Exempt) > 0 {
		text += ", but those of type " + either(z.Exempt)
	}
	text += "; deployments under way " + map[string]string{"stop": "stop", "continue": "continue"}[z.InFlight] + "."
	return text + fmt.Sprintf(" Declared by %s, lifted by %s.", orRight(z.MayDeclare), orRight(z.MayLift))
}

func orRight(groups []string) string {
	if len(groups) == 0 {
		return "holders of the freeze right"
	}
	return either(groups)
}

// Target is what a checklist is for.
type Target struct {
	Service     policy.Service
	Environment policy.Environment
}

// Checklist is what a release of a service to an environment would need.
func Checklist(p *policy.Program, t Target) (Document, error) {
	s, err := newSpeaker(p)
	if err != nil {
		return Document{}, err
	}
	t.Service.Known, t.Environment.Known = true, true
	in := policy.Inputs{Contract: policy.Contract, Service: t.Service, Environment: t.Environment}
	in.Release.Known, in.Release.Size, in.Release.ChangeType = true, policy.Major, policy.Normal
	in.Change = policy.Change{Known: true, Complete: true, Commits: 1, SemverStep: policy.Major, Provenance: policy.ByServer}
	c := p.Classify(&in)
	d := Document{Title: fmt.Sprintf("A release of %s (tier %d) to %s (%s)", t.Service.Name, t.Service.Tier, t.Environment.Name, t.Environment.Kind)}
	if c.ScopeRule == "" {
		d.say("Whether it is governed cannot be told: " + refusals(c))
		return d, nil
	}
	d.say(fmt.Sprintf("It is %s, by scope rule %s.", governed[c.Governance], c.ScopeRule))
	if c.Governance == policy.None {
		d.say("Nothing is asked of it.")
		return d, nil
	}
	d.heading(1, "It must meet")
	for _, g := range p.Gates() {
		if slices.Contains(g.Governance, c.Governance) {
			g.Governance = nil
			d.items("☐ " + s.gate(g))
		}
	}
	d.items("☐ Every commit identity belongs to a known person.", "☐ No freeze is in force that its type is not exempt from.")
	d.heading(1, "By kind of release")
	d.table([]string{"Release", "Type", "Approvals", "Lead time"}, kinds(p, in))
	return d, nil
}

// refusals are why something could not be classified.
func refusals(c policy.Classification) string {
	var all []string
	for _, r := range c.Reasons {
		if r.Verdict != policy.Go {
			all = append(all, r.Why)
		}
	}
	return strings.Join(all, " ")
}

// kinds are the release types of each size and change type, as rows.
func kinds(p *policy.Program, in policy.Inputs) [][]string {
	var rows [][]string
	for _, size := range []string{policy.Patch, policy.Minor, policy.Major} {
		for _, change := range []string{policy.Standard, policy.Normal, policy.Emergency} {
			in.Release.Size, in.Release.ChangeType = size, change
			in.Change.SemverStep = size
			if change == policy.Standard && size == policy.Major {
				in.Change.SemverStep = policy.Minor // a step of major is never standard; the declaration alone is
			}
			c := p.Classify(&in)
			row := []string{size + " " + change}
			if c.Type == nil {
				rows = append(rows, append(row, "cannot tell", refusals(c), ""))
				continue
			}
			lead := "none"
			if c.Type.LeadTime > 0 {
				lead = bundle.Duration(c.Type.LeadTime)
			}
			rows = append(rows, append(row, c.Type.Name, approvals(p, c.Type.Chain), lead))
		}
	}
	return rows
}
