package policy

import (
	"slices"
	"strings"
	"testing"
)

func TestRegulatedLintsCleanAndPassesItsTests(t *testing.T) {
	for _, p := range Lint(Regulated()) {
		t.Error(p)
	}
	p := regulated(t, "", "")
	results := p.Test()
	if len(results) < 25 {
		t.Errorf("the pack has %d test cases, want 25 or more", len(results))
	}
	for _, r := range results {
		if !r.Passed {
			t.Errorf("%s: %s: %s", r.Where, r.Name, r.Why)
		}
	}
	if err := p.Ready(); err != nil {
		t.Error(err)
	}
}

// Every gate is for something, every control is held by something, and nothing
// claims to be enforced that the gates of the pack do not enforce.
func TestRegulatedGatesAndControlsHoldTogether(t *testing.T) {
	p := regulated(t, "", "")
	named := map[string][]Gate{}
	for _, g := range p.Gates() {
		if len(g.Controls) == 0 {
			t.Errorf("Gate %s names no control", g.Name)
		}
		if g.Severity != Block || g.Owner == "" || g.Lift == "" || g.Next == "" {
			t.Errorf("Gate %s: severity %s, owner %q, lift %q, next %q", g.Name, g.Severity, g.Owner, g.Lift, g.Next)
		}
		for _, c := range g.Controls {
			if _, there := p.Control(c); !there {
				t.Errorf("Gate %s names %s, which nothing describes", g.Name, c)
			}
			named[c] = append(named[c], g)
		}
	}
	for _, c := range p.Controls() {
		enforced := slices.ContainsFunc(named[c.Label()], func(g Gate) bool { return g.Name != "recorded" })
		switch {
		case len(named[c.Label()]) == 0:
			t.Errorf("no gate names %s", c.Label())
		case c.Coverage != CoverageEvidence && !enforced:
			t.Errorf("%s claims to be enforced, and only being on record stands for it", c.Label())
		case c.Duty == "" || c.Objective == "" || c.Owner == "" || c.Frequency == "" || c.Source == "":
			t.Errorf("%s leaves something out: %+v", c.Label(), c)
		}
	}
	if len(p.Controls()) < 100 || len(p.Frameworks()) != 13 {
		t.Errorf("%d controls of %d frameworks", len(p.Controls()), len(p.Frameworks()))
	}
}

func TestWhatNobodyComparedIsShippedAsUnverified(t *testing.T) {
	p := regulated(t, "", "")
	unverified := 0
	for _, c := range p.Controls() {
		common := c.Source == "common knowledge"
		letters := strings.Contains(c.ID, "Art.17(1)") // counted, not compared
		if want := common || letters; want != (c.Status == "unverified") {
			t.Errorf("%s from %s is %s", c.Label(), c.Source, c.Status)
		}
		if c.Status == "unverified" {
			unverified++
		}
	}
	if unverified == 0 || unverified == len(p.Controls()) {
		t.Errorf("%d of %d are unverified", unverified, len(p.Controls()))
	}
}

// All nine pairs of size and change type have a chain in production.
func TestRegulatedAlwaysAsksSomebodyInProduction(t *testing.T) {
	p := regulated(t, "", "")
	quorum := map[string]int{}
	for _, size := range []string{Patch, Minor, Major} {
		for _, kind := range []string{Standard, Normal, Emergency} {
			in := Inputs{Contract: Contract, Now: auditTime, Release: Release{Known: true, Size: size, ChangeType: kind}, Service: Service{Known: true}, Environment: Environment{Known: true, Kind: "production"}, Change: Change{Known: true, Complete: true, SemverStep: "none"}}
			c := p.Classify(&in)
			if c.Type == nil || c.Chain == nil {
				t.Errorf("a %s %s release: %+v", size, kind, c)
				continue
			}
			quorum[size+" "+kind], _ = c.Chain.Asked()
		}
	}
	for pair, want := range map[string]int{"patch standard": 1, "patch normal": 2, "minor normal": 2, "major normal": 3, "major emergency": 2} {
		if quorum[pair] != want {
			t.Errorf("a %s release asks %d, want %d", pair, quorum[pair], want)
		}
	}
}

func TestPacks(t *testing.T) {
	for _, name := range Packs() {
		files, known := Pack(name)
		if p, problems := Compile(files); !known || p == nil || p.Policy().Name != name {
			t.Errorf("pack %s: %v", name, problems)
		}
	}
	if _, known := Pack("strict"); known {
		t.Error("a pack that there is not is known")
	}
}

func BenchmarkCompileRegulated(b *testing.B) {
	files := Regulated()
	for b.Loop() {
		if p, _ := Compile(files); p == nil {
			b.Fatal("the pack does not compile")
		}
	}
}
