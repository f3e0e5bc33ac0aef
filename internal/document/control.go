package document

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/fault"
)

// Framework is a catalogue of controls that someone asks for.
type Framework struct {
	Name      string // the part before the slash in soc2/CC8.1
	Title     string
	Authority string // who publishes it
	Version   string
	Note      string
	Where     fault.Position
}

// How far the gates that name a control meet it.
const (
	CoverageFull     = "full"
	CoveragePartial  = "partial"
	CoverageEvidence = "evidence-only" // nothing is enforced; what it takes to show it is kept
)

// Control is one thing that a framework asks for.
type Control struct {
	Name      string // of the document
	Framework string // a Framework
	ID        string // as the framework writes it, such as CC8.1
	Statement string // what is asked, in one's own words
	Objective string // what it is for, such as data-integrity, segregation
	Owner     string // a group
	Frequency string // per-release, daily, quarterly, annual and so on
	Nature    string // preventive or detective
	Key       bool   // auditors test it
	Coverage  string // full, partial, evidence-only
	Duty      string // what remains with people
	Status    string // verified, or unverified: nobody compared it with the framework's text
	Mandatory Mandatory
	Source    string // where the statement was taken from
	Where     fault.Position
}

// Mandatory says which services must not be without a control; empty: none.
type Mandatory struct {
	Flags, DataClasses []string
}

// Label is the control as gates name it: framework/id.
func (c Control) Label() string { return c.Framework + "/" + c.ID }

// Asks reports whether a service with these flags and data classes must not be
// without the control.
func (m Mandatory) Asks(flags, classes []string) bool {
	one := func(all, some []string) bool {
		return slices.ContainsFunc(some, func(s string) bool { return slices.Contains(all, s) })
	}
	return one(m.Flags, flags) || one(m.DataClasses, classes)
}

func (r *Reader) framework(f *bundle.Fields) {
	r.Frameworks = append(r.Frameworks, Framework{
		Name: r.name(f, "Framework", nameForm), Title: f.Need("title"), Authority: f.Text("authority"), Version: f.Text("version"), Note: f.Text("note"), Where: f.At(),
	})
}

// idForm is the id of a control, such as CC8.1, 164.312(c)(1) or Art. 25.
var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ()\[\]._:,§+/-]*$`)

func (r *Reader) control(f *bundle.Fields) {
	c := Control{
		Name: r.name(f, "Control", nameForm), Framework: f.Need("framework"), ID: f.Need("id"), Statement: f.Need("statement"), Objective: f.Text("objective"),
		Owner: r.group(f, "owner"), Frequency: f.Text("frequency"), Nature: f.Choice("nature", "preventive", "preventive", "detective"), Key: f.Bool("key"),
		Coverage: f.Choice("coverage", "", CoverageFull, CoveragePartial, CoverageEvidence), Duty: f.Text("duty"),
		Status: f.Choice("status", "unverified", "verified", "unverified"), Source: f.Text("source"), Where: f.At(),
	}
	if !f.Has("coverage") {
		f.Missing("coverage")
	}
	if c.Coverage != "" && c.Coverage != CoverageFull && c.Duty == "" {
		r.Out.Add(bundle.Problem{Where: f.ValueAt("coverage"), Code: "policy.no-duty", What: fmt.Sprintf("coverage is %s, but nothing is said of what remains", c.Coverage), Why: "what gates do not enforce somebody must do", Fix: "add duty: in one sentence"})
	}
	if c.ID != "" && !idForm.MatchString(c.ID) {
		r.Out.Add(bundle.Problem{Where: f.ValueAt("id"), Code: "policy.control", What: fmt.Sprintf("%q is not the id of a control", c.ID), Fix: "write it as the framework does, such as CC8.1"})
	}
	if c.ID != "" && c.Framework != "" {
		r.Once(f.ValueAt("id"), "the control "+c.Label())
	}
	if m := f.Mapping("mandatory"); m != nil {
		c.Mandatory = Mandatory{Flags: m.List("flags"), DataClasses: m.List("data_classes")}
		m.Done("mandatory")
	}
	r.Controls = append(r.Controls, c)
}

// controlled checks that controls belong to a framework and that gates name
// controls that there are, where the bundle describes those of a framework.
func (r *Reader) controlled(p *Set) {
	var names []string
	for _, f := range p.Frameworks {
		names = append(names, f.Name)
	}
	labels := map[string][]string{} // by framework
	for _, c := range p.Controls {
		labels[c.Framework] = append(labels[c.Framework], c.Label())
		if c.Framework != "" && !slices.Contains(names, c.Framework) {
			r.Out.Add(bundle.Problem{Where: c.Where, Code: "policy.no-framework", What: fmt.Sprintf("there is no Framework %q", c.Framework), Why: "Control " + c.Name + " names it", Fix: bundle.DidYouMean(c.Framework, names)})
		}
	}
	for _, g := range p.Gates {
		for _, c := range g.Controls {
			framework, _, _ := strings.Cut(c, "/")
			if known := labels[framework]; len(known) > 0 && !slices.Contains(known, c) {
				r.Out.Add(bundle.Problem{Where: g.ControlsAt[c], Code: "policy.no-control", What: fmt.Sprintf("there is no Control %q", c), Why: "Gate " + g.Name + " names it", Fix: bundle.DidYouMean(c, known)})
			}
		}
	}
}

// labels are the controls that a gate names.
func (r *Reader) labels(f *bundle.Fields) []string {
	all := f.List("controls")
	for _, c := range all {
		if framework, id, ok := strings.Cut(c, "/"); !ok || framework == "" || id == "" {
			r.Out.Add(bundle.Problem{Where: f.ItemAt("controls", c), Code: "policy.control", What: fmt.Sprintf("%q does not name a control", c), Fix: "write framework/id, such as soc2/CC8.1"})
		}
	}
	return all
}
