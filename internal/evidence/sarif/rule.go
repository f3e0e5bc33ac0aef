package sarif

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/internal/evidence"
)

// scale says where a severity came from.
func scale(parts ...string) string { return evidence.ScaleText("sarif:" + strings.Join(parts, " ")) }

// sarifIndex finds a run's rules by id; the driver's come before those of extensions.
type sarifIndex map[string]*sarifRule

func (r *sarifRun) index() sarifIndex {
	index := sarifIndex{}
	for _, c := range r.components() {
		for i := range c.Rules {
			if rule := &c.Rules[i]; index[rule.ID] == nil {
				index[rule.ID] = rule
			}
		}
	}
	return index
}

func (r *sarifRun) components() []*sarifComponent {
	all := []*sarifComponent{&r.Tool.Driver}
	for i := range r.Tool.Extensions {
		all = append(all, &r.Tool.Extensions[i])
	}
	return all
}

// rule is the descriptor of a result's rule; nil with true where the log
// describes none, nil with false where the result points to one that is not
// there. An id that differs from the descriptor's must be one below it, as in
// "CA1000/1" (2.1.0 section 3.27.5); else the id is believed, not the index.
func (x sarifIndex) rule(run *sarifRun, r *sarifResult) (*sarifRule, bool) {
	ref := sarifReference{}
	if r.Rule != nil {
		ref = *r.Rule
	}
	id := cmp.Or(r.RuleID, ref.ID)
	component, there := run.component(ref)
	at := -1
	for _, i := range []*int{r.RuleIndex, ref.Index} {
		if i != nil {
			at = *i
		}
	}
	pointed := at >= 0 || ref.GUID != ""
	if there && at >= 0 && at < len(component.Rules) {
		if rule := &component.Rules[at]; id == "" || below(id, rule.ID) {
			return rule, true
		}
	}
	if there && ref.GUID != "" {
		if i := slices.IndexFunc(component.Rules, func(rule sarifRule) bool { return strings.EqualFold(rule.GUID, ref.GUID) }); i >= 0 {
			return &component.Rules[i], true
		}
	}
	if rule := x.byID(id); rule != nil {
		return rule, true
	}
	return nil, there && !pointed
}

func below(id, of string) bool { return id == of || of != "" && strings.HasPrefix(id, of+"/") }

// byID finds a rule by its id, or by the longest id that it lies below.
func (x sarifIndex) byID(id string) *sarifRule {
	for id != "" {
		if rule := x[id]; rule != nil {
			return rule
		}
		i := strings.LastIndexByte(id, '/')
		if i < 0 {
			return nil
		}
		id = id[:i]
	}
	return nil
}

// component is the tool component that a reference names, the driver by default.
func (r *sarifRun) component(ref sarifReference) (*sarifComponent, bool) {
	c := ref.Component
	if c == nil {
		return &r.Tool.Driver, true
	}
	if c.Index != nil && *c.Index >= 0 {
		if *c.Index >= len(r.Tool.Extensions) {
			return nil, false
		}
		return &r.Tool.Extensions[*c.Index], true
	}
	if c.Name == "" && c.GUID == "" {
		return &r.Tool.Driver, true
	}
	for _, have := range r.components() {
		if c.GUID != "" && strings.EqualFold(c.GUID, have.GUID) || c.GUID == "" && c.Name == have.Name {
			return have, true
		}
	}
	return nil, false
}

func (r *sarifResult) ruleName(rule *sarifRule) string {
	id := r.RuleID
	if r.Rule != nil {
		id = cmp.Or(id, r.Rule.ID)
	}
	if rule != nil {
		id = cmp.Or(id, rule.ID)
	}
	return id
}

func (r *sarifResult) identifiers(rule *sarifRule) []string {
	all := evidence.Identifiers(r.ruleName(rule))
	all = append(all, r.Properties.Tags...)
	if rule != nil {
		all = append(all, rule.Properties.Tags...)
	}
	out := []string{}
	for _, id := range all {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// severity is by the score of the result or else of its rule; without one by
// the level of the result, else as configured for the run, else as the rule
// has it by default, else "warning" (2.1.0 section 3.27.10). A result whose
// rule cannot be found where it points is unrated.
func (r *sarifRun) severity(result *sarifResult, rule *sarifRule, found bool) (evidence.Severity, string) {
	score := result.Properties.Score
	if score == nil && rule != nil {
		score = rule.Properties.Score
	}
	switch {
	case score != nil:
		return evidence.SeverityOfScore(string(*score)), scale("security-severity", string(*score))
	case result.Level != "":
		return evidence.Levels.Severity(result.Level), scale("level", result.Level)
	case !found:
		return evidence.Unrated, scale("rule not found")
	}
	if level := r.override(result, rule); level != "" {
		return evidence.Levels.Severity(level), scale("configured level", level)
	}
	if rule != nil && rule.Configuration.Level != "" {
		return evidence.Levels.Severity(rule.Configuration.Level), scale("default level", rule.Configuration.Level)
	}
	return evidence.Medium, scale("level", "warning", "by default")
}

// override is the level that the run's invocation configured for the rule.
func (r *sarifRun) override(result *sarifResult, rule *sarifRule) string {
	i := result.Provenance.Invocation
	if i == nil || *i < 0 || *i >= len(r.Invocations) || rule == nil {
		return ""
	}
	for _, o := range r.Invocations[*i].Overrides {
		c, there := r.component(o.Descriptor)
		if !there || o.Configuration.Level == "" {
			continue
		}
		at := o.Descriptor.Index
		if at != nil && *at >= 0 && *at < len(c.Rules) && &c.Rules[*at] == rule || at == nil && o.Descriptor.ID != "" && o.Descriptor.ID == rule.ID {
			return o.Configuration.Level
		}
	}
	return ""
}

// words is the message as people read it: its text, or the rule's text of
// that name, with the arguments in their places.
func (m sarifMessage) words(rule *sarifRule) string {
	var s string
	switch {
	case m.Text != nil:
		s = m.Text.Head
	case m.Markdown != nil:
		s = m.Markdown.Head
	case rule != nil:
		s = rule.Messages[m.ID].Head
	}
	if s == "" {
		return evidence.Cut(m.ID, evidence.MaxMessage)
	}
	for i, a := range m.Arguments {
		if !strings.Contains(s, "{") || i > 20 {
			break
		}
		s = strings.ReplaceAll(s, "{"+strconv.Itoa(i)+"}", evidence.Cut(a, 200))
	}
	return evidence.Cut(s, evidence.MaxMessage)
}

// key is all of a location that tells it from another.
func (l *sarifLocation) key(run *sarifRun) string {
	p := &l.Physical
	return fmt.Sprintf("%q %q %v %q", p.Artifact.Base, l.file(run), p.Region, l.Logical)
}

// file is the URI, looked up among the run's artifacts where only an index is given.
func (l *sarifLocation) file(run *sarifRun) string {
	a := &l.Physical.Artifact
	if a.URI != "" || a.Index == nil || *a.Index < 0 {
		return a.URI
	}
	if run == nil || *a.Index >= len(run.Artifacts) {
		return "artifact " + strconv.Itoa(*a.Index)
	}
	return run.Artifacts[*a.Index].Location.URI
}

// place is the first location for a person: file:line:column, or a logical name.
func (r *sarifRun) place(l *sarifLocations) string {
	s := l.first.file(r)
	if s == "" {
		return evidence.Cut(string(l.first.Logical), evidence.MaxWord)
	}
	s = evidence.Cut(s, evidence.MaxWord)
	if line := l.first.Physical.Region.Line; line > 0 {
		s += fmt.Sprintf(":%d", line)
		if column := l.first.Physical.Region.Column; column > 0 {
			s += fmt.Sprintf(":%d", column)
		}
	}
	return s
}
