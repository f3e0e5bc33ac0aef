package lint

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/policy"
)

func cover(t *testing.T, files []bundle.File) Coverage {
	t.Helper()
	p, list := policy.Compile(files)
	if p == nil {
		t.Fatal(list)
	}
	c, err := Cover(p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const covered = `apiVersion: signalbox/v1
kind: Policy
name: base
version: "1"
---
apiVersion: signalbox/v1
kind: ScopeRule
name: all
governance: full
---
apiVersion: signalbox/v1
kind: ReleaseType
name: any
size: [major, minor, patch]
change_types: [standard, normal, emergency]
chain: none
---
apiVersion: signalbox/v1
kind: Gate
name: findings
title: Findings
applies: service.tier < 2
condition: findings.critical == 0 && (findings.high <= 3 || service.owned)
---
apiVersion: signalbox/v1
kind: TestCase
name: base
at: 2027-03-01T09:00:00Z
inputs:
  release: {size: major}
  service: {name: a, tier: 1, owned: false}
  environment: {kind: production}
  change: {complete: true, commits: 1, contributors: 1, semver_step: major}
  findings: {total: 1, low: 1, tools: [scanner]}
  calendar: {frozen: false}
expect: {verdict: go}
`

func TestCoverage(t *testing.T) {
	c := cover(t, []bundle.File{{Name: "a.yaml", Data: []byte(covered)}})
	g := c.Gates[0]
	if g.Passed != 1 || g.Failed+g.CannotTell+g.NotApplicable != 0 || !g.Selective {
		t.Errorf("%+v", g)
	}
	want := []string{
		`like "base", with inputs: {findings: {critical: 1}}, expect: {verdict: no-go, reasons: [findings]}`,
		`like "base", with inputs: {findings: {known: false}}, expect: {verdict: cannot-tell, reasons: [findings]}`,
		`like "base", with inputs: {service: {tier: 2}}, expect: {verdict: cannot-tell}`,
	}
	if diff := cmp.Diff(want, g.Add); diff != "" {
		t.Error(diff)
	}
	type seen struct {
		Part        string
		True, False int
	}
	var parts []seen
	for _, p := range c.Parts {
		parts = append(parts, seen{p.Part, p.True, p.False})
		if (p.True == 0 || p.False == 0) && len(p.Add) != 1 {
			t.Errorf("%s: %v is added", p.Part, p.Add)
		}
	}
	if diff := cmp.Diff([]seen{{"findings.critical == 0", 1, 0}, {"findings.high <= 3", 1, 0}, {"service.owned", 0, 1}}, parts); diff != "" {
		t.Error(diff)
	}
	if n, of := c.Share(); n != 4 || of != 10 {
		t.Errorf("%d of %d", n, of)
	}
}

// A gate may read a list of items: what its cases exercise is counted, though no
// such list is proposed.
func TestCoverageOfItems(t *testing.T) {
	text := strings.Replace(covered, "findings.critical == 0 &&", "size(findings.items) < 3 && findings.items.all(f, !f.suppressed) &&", 1)
	files := []bundle.File{{Name: "a.yaml", Data: []byte(text)}}
	if c := cover(t, files); len(c.Parts) != 4 || c.Gates[0].CannotTell != 1 {
		t.Errorf("%+v", c)
	}
	if problems := Check(files, Options{}); bundle.Failed(problems) {
		t.Error(problems)
	}
}

// The cases that are suggested do what they say: with them all is covered.
func TestSuggestedCasesCover(t *testing.T) {
	for _, files := range [][]bundle.File{{{Name: "a.yaml", Data: []byte(covered)}}, policy.Starter()} {
		for range 3 {
			rows := rowsOf(cover(t, files))
			for i := range files {
				files[i].Data = withRows(files[i].Data, rows)
			}
		}
		c := cover(t, files)
		if n, of := c.Share(); n != of {
			t.Errorf("%d of %d: %+v %+v", n, of, c.Gates, c.Parts)
		}
		p, _ := policy.Compile(files)
		for _, r := range p.Test() {
			if !r.Passed {
				t.Errorf("%s: %s", r.Name, r.Why)
			}
		}
	}
}

// rowsOf are the suggestions as rows of a table, by the first case they start from.
func rowsOf(c Coverage) []string {
	var all []string
	for _, g := range c.Gates {
		all = append(all, g.Add...)
	}
	for _, p := range c.Parts {
		all = append(all, p.Add...)
	}
	return all
}

func withRows(data []byte, rows []string) []byte {
	text := string(data)
	for _, row := range rows {
		name := "added " + string(rune('a'+strings.Count(text, "added ")))
		_, rest, _ := strings.Cut(row, "with ")
		inputs, expect, _ := strings.Cut(rest, ", expect: ")
		line := "  - name: " + name + "\n    " + inputs + "\n    expect: " + expect + "\n"
		switch {
		case strings.Contains(text, "expect: {verdict: go}\n") && !strings.Contains(text, "cases:"):
			text = strings.Replace(text, "expect: {verdict: go}\n", "cases:\n  - name: itself\n    expect: {verdict: go}\n"+line, 1)
		case strings.Contains(text, "cases:\n"):
			text = strings.Replace(text, "cases:\n", "cases:\n"+line, 1)
		}
	}
	return []byte(text)
}
