package main

import (
	"fmt"
	"strings"

	"signalbox.dev/signalbox/internal/policy"
)

// controls is the page of the regulated pack: framework, control, gates.
func controls(files []policy.File) string {
	p, problems := policy.Compile(files)
	if p == nil {
		return fmt.Sprintln(problems)
	}
	gates := map[string][]string{}
	for _, g := range p.Gates() {
		for _, c := range g.Controls {
			gates[c] = append(gates[c], "`"+g.Name+"`")
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Controls of the %s pack\n\nVersion %s: %d controls of %d frameworks, and the gates that name them. What the words mean, and what none of this\nmeans, stands in [Controls and coverage](../explanation/controls.md).\n\n",
		p.Policy().Name, p.Policy().Version, len(p.Controls()), len(p.Frameworks()))
	b.WriteString("| framework | full | partial | evidence-only | unverified | mandatory for |\n|---|---|---|---|---|---|\n")
	for _, f := range p.Frameworks() {
		b.WriteString(summed(f, p.Controls()))
	}
	for _, f := range p.Frameworks() {
		fmt.Fprintf(&b, "\n## %s\n\n`%s`: %s, %s.", f.Title, f.Name, f.Authority, f.Version)
		if f.Note != "" {
			b.WriteString(" " + f.Note)
		}
		b.WriteString("\n\n| control | asks | gates | coverage | what remains with people | status |\n|---|---|---|---|---|---|\n")
		for _, c := range p.Controls() {
			if c.Framework == f.Name {
				fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", cell(c.ID), cell(c.Statement), strings.Join(gates[c.Label()], ", "), c.Coverage, cell(c.Duty), c.Status)
			}
		}
	}
	return b.String()
}

// summed is a framework's row of the summary.
func summed(f policy.Framework, all []policy.Control) string {
	coverage, unverified, mandatory := map[string]int{}, 0, "–"
	for _, c := range all {
		if c.Framework != f.Name {
			continue
		}
		coverage[c.Coverage]++
		if c.Status == "unverified" {
			unverified++
		}
		var pulled []string
		for _, x := range c.Mandatory.Flags {
			pulled = append(pulled, "flag `"+x+"`")
		}
		for _, x := range c.Mandatory.DataClasses {
			pulled = append(pulled, "data class `"+x+"`")
		}
		if len(pulled) > 0 {
			mandatory = strings.Join(pulled, ", ")
		}
	}
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %s |\n", f.Title, coverage[policy.CoverageFull], coverage[policy.CoveragePartial], coverage[policy.CoverageEvidence], unverified, mandatory)
}

// cell is a text within a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
