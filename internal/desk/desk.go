package desk

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/lint"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/prose"
	"signalbox.dev/signalbox/internal/prose/pdf"
	"signalbox.dev/signalbox/internal/terminal"
)

// Linted is what lint found.
type Linted struct {
	Digest   string           `json:"digest,omitempty"`
	Problems []policy.Problem `json:"problems"`
	files    int
}

// Lint looks a bundle over; around is the catalog, or nil where it is not known, and
// o what else lint is to know.
func Lint(files []policy.File, around *catalog.Entries, o lint.Options) Linted {
	surround(&o, around)
	return Linted{policy.Digest(files), append([]policy.Problem{}, lint.Check(files, o)...), len(files)}
}

// Print writes every problem, or that there is none.
func (l Linted) Print(w io.Writer) error {
	for _, p := range l.Problems {
		if _, err := fmt.Fprintln(w, terminal.CleanLines(p.String())); err != nil {
			return err
		}
	}
	if len(l.Problems) > 0 {
		return nil
	}
	return terminal.Said("✓ nothing is wrong: %s, %s", terminal.Count(l.files, "file", "files"), l.Digest)(w)
}

// surround adds what the catalog says.
func surround(o *lint.Options, e *catalog.Entries) {
	if e == nil {
		return
	}
	o.Services, o.Members = []policy.Service{}, map[string][]string{}
	for _, s := range e.Services {
		o.Services = append(o.Services, policy.Service{Name: s.Name, Tier: s.Tier, Team: s.Team, Flags: s.Flags, DataClasses: s.DataClasses})
	}
	for _, x := range e.Environments {
		o.Places = append(o.Places, policy.Environment{Known: true, Name: x.Name, Kind: x.Kind, Region: x.Region})
	}
	for _, p := range e.People {
		for _, g := range p.Groups {
			o.Members[g] = append(o.Members[g], p.Handle)
		}
	}
}

// Tested are the results of a bundle's test cases.
type Tested []policy.TestResult

// Failed is how many cases failed.
func (t Tested) Failed() int {
	n := 0
	for _, r := range t {
		if !r.Passed {
			n++
		}
	}
	return n
}

// Print writes the cases that failed, or how many passed.
func (t Tested) Print(w io.Writer) error {
	for _, r := range t {
		if r.Passed {
			continue
		}
		if _, err := fmt.Fprintf(w, "✗ failed: %s (%s)\n    %s\n", terminal.Clean(r.Name), terminal.Clean(r.Where.String()), terminal.Clean(r.Why)); err != nil {
			return err
		}
	}
	if t.Failed() > 0 || len(t) == 0 {
		return nil
	}
	return terminal.Said("✓ %s", terminal.Count(len(t), "test case passed", "test cases passed"))(w)
}

// PrintCoverage writes what the test cases exercise, and which to add.
func PrintCoverage(w io.Writer, found lint.Coverage) error {
	var gates, parts, add [][]string
	for _, g := range found.Gates {
		idle := "-"
		if g.Selective {
			idle = strconv.Itoa(g.NotApplicable)
		}
		gates = append(gates, []string{g.Gate, strconv.Itoa(g.Passed), strconv.Itoa(g.Failed), strconv.Itoa(g.CannotTell), idle})
		for _, a := range g.Add {
			add = append(add, []string{g.Gate, a})
		}
	}
	for _, x := range found.Parts {
		parts = append(parts, []string{x.Gate, strconv.Itoa(x.True), strconv.Itoa(x.False), x.Part})
		for _, a := range x.Add {
			add = append(add, []string{x.Gate, a})
		}
	}
	seen, of := found.Share()
	tables := []func(io.Writer) error{
		terminal.Rows([]string{"GATE", "PASS", "FAIL", "CANNOT TELL", "NOT ASKED"}, gates), terminal.Said(""),
		terminal.Rows([]string{"GATE", "TRUE", "FALSE", "COMPARISON"}, parts), terminal.Said(""), terminal.Said("%d of %d ways are exercised", seen, of),
	}
	if len(add) > 0 {
		tables = append(tables, terminal.Said(""), terminal.Rows([]string{"GATE", "CASE TO ADD"}, add))
	}
	for _, t := range tables {
		if err := t(w); err != nil {
			return err
		}
	}
	return nil
}

// PrintText writes a text of prose.
func PrintText(w io.Writer, d prose.Document) error {
	_, err := io.WriteString(w, terminal.CleanLines(d.Text()))
	return err
}

// Explain is a whole policy in words, or one of its documents by name.
func Explain(p *policy.Program, name string) (prose.Document, error) {
	d, err := prose.Explain(p)
	if err != nil || name == "" {
		return d, err
	}
	if d = d.Only(name); len(d.Blocks) == 0 {
		return d, fault.New(fault.NotFound, "policy.no-document", fmt.Sprintf("the policy has no document %q that is explained", name)).Remedy("explain the whole policy to see the names")
	}
	return d, nil
}

// Checklist is what a release of a service to an environment would need; both
// stand in the catalog.
func Checklist(p *policy.Program, e catalog.Entries, service, environment string) (prose.Document, error) {
	var t prose.Target
	for _, s := range e.Services {
		if s.Name == service {
			owned := slices.ContainsFunc(e.People, func(x catalog.Person) bool { return slices.Contains(x.Teams, s.Team) })
			t.Service = policy.Service{Known: true, Name: s.Name, Tier: s.Tier, Team: s.Team, Owned: owned, Flags: s.Flags, DataClasses: s.DataClasses}
		}
	}
	for _, x := range e.Environments {
		if x.Name == environment {
			t.Environment = policy.Environment{Known: true, Name: x.Name, Kind: x.Kind, Region: x.Region}
		}
	}
	if !t.Service.Known || !t.Environment.Known {
		return prose.Document{}, fault.New(fault.NotFound, "catalog.absent", "the catalog does not name both the service and the environment").Remedy("correct --service or --environment")
	}
	return prose.Checklist(p, t)
}

// Document is a policy as auditors read it, as md or pdf.
func Document(p *policy.Program, format string, now time.Time) ([]byte, error) {
	d, err := prose.Describe(p, now)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	switch format {
	case "md":
		b.WriteString(d.Markdown())
	case "pdf":
		err = pdf.Write(&b, d, p.Digest())
	default:
		err = fault.Invalidf("cli.format", "%q is not a format", format).On("--format").Remedy("write md or pdf")
	}
	return b.Bytes(), err
}

// Schema writes the JSON Schema of a policy's documents.
func Schema(w io.Writer) error {
	data, err := prose.Schema()
	if err == nil {
		_, err = w.Write(data)
	}
	return err
}

// PrintChanged writes the name of each file that was not in the canonical layout.
func PrintChanged(w io.Writer, all prose.Laid) error {
	for _, name := range all.Changed {
		if err := terminal.Said("%s", name)(w); err != nil {
			return err
		}
	}
	return nil
}
