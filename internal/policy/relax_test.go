package policy

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// probed is a gate that fails, and relaxations of it.
func probed(t *testing.T, relaxations ...string) *Program {
	t.Helper()
	docs := []string{doc("Gate", "name: probe\ntitle: Probe\ncondition: findings.critical == 0\ncontrols: [house/C1]\n")}
	for _, r := range relaxations {
		docs = append(docs, doc("Relaxation", r))
	}
	return compiled(t, sample(docs...))
}

const (
	offUntilNoon   = "name: r1\ngate: probe\nto: off\nmatch: service.tier > 0\nuntil: 2027-03-01T12:00:00Z\nby: board\nreason: The scanner is being replaced.\n"
	observeTwoDays = "name: r2\ngate: probe\nto: observe\nuntil: 2027-03-03T09:00:00Z\nby: owner\nreason: Known finding.\n"
	warnOneDay     = "name: r3\ngate: probe\nto: warn\nuntil: 2027-03-02T09:00:00Z\nby: owner\nreason: Known finding.\n"
)

func TestRelaxationOverTime(t *testing.T) {
	noon := monday.Add(3 * time.Hour)
	for name, c := range map[string]struct {
		relaxations []string
		at          time.Time
		change      func(*Inputs)
		severity    Severity
		code        string
		verdict     Verdict // of the whole
		until       time.Time
	}{
		"none":                  {nil, monday, nil, Block, "failed", NoGo, time.Time{}},
		"off":                   {[]string{offUntilNoon}, monday, nil, Observe, "relaxed", Go, noon},
		"off, another scope":    {[]string{offUntilNoon}, monday, func(in *Inputs) { in.Service.Tier = 0 }, Block, "failed", NoGo, time.Time{}},
		"off, scope not known":  {[]string{offUntilNoon}, monday, func(in *Inputs) { in.Service.Known = false }, Block, "failed", NoGo, time.Time{}},
		"off, a second left":    {[]string{offUntilNoon}, noon.Add(-time.Second), nil, Observe, "relaxed", Go, noon},
		"off, at its end":       {[]string{offUntilNoon}, noon, nil, Block, "failed", NoGo, time.Time{}},
		"observe":               {[]string{observeTwoDays}, monday, nil, Observe, "relaxed", Go, monday.Add(48 * time.Hour)},
		"warn":                  {[]string{warnOneDay}, monday, nil, Warn, "relaxed", Go, monday.Add(24 * time.Hour)},
		"the most lenient":      {[]string{warnOneDay, observeTwoDays, offUntilNoon}, monday, nil, Observe, "relaxed", Go, noon},
		"the next most lenient": {[]string{warnOneDay, observeTwoDays, offUntilNoon}, noon, nil, Observe, "relaxed", Go, monday.Add(24 * time.Hour)},
		"passes anyway":         {[]string{observeTwoDays}, monday, func(in *Inputs) { in.Findings.Critical = 0 }, Observe, "passed", Go, monday.Add(48 * time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			o := probed(t, c.relaxations...).Decide(with(func(in *Inputs) {
				in.Now, in.Findings.Critical = c.at, 1
				if c.change != nil {
					c.change(in)
				}
			}))
			r := reason(t, o, "probe")
			if r.Severity != c.severity || r.Code != c.code || o.Verdict.Worse(c.verdict) != o.Verdict || c.verdict == Go && o.Verdict != Go {
				t.Errorf("%s %s, %s: %+v", r.Severity, r.Code, o.Verdict, r)
			}
			if !o.Until.Equal(c.until) {
				t.Errorf("until %s, want %s", o.Until, c.until)
			}
			if c.severity != Block && (!strings.Contains(r.Why, " until 2027-03-0") || !slices.Equal(r.Controls, []string{"house/C1"})) {
				t.Errorf("reason %+v", r)
			}
		})
	}
}

// TestNoGateIsLeft: where the only gate is switched off, nobody can tell.
func TestNoGateIsLeft(t *testing.T) {
	p := compiled(t, sample(doc("Relaxation", strings.Replace(offUntilNoon, "gate: probe", "gate: always", 1))))
	if o := p.Decide(fine()); o.Verdict != CannotTell || reason(t, o, gateGates).Code != "no-gate" {
		t.Errorf("%s: %+v", o.Verdict, o.Reasons)
	}
}

func TestNotOperating(t *testing.T) {
	p := probed(t, offUntilNoon, observeTwoDays)
	all := p.NotOperating(monday)
	if len(all) != 2 || all[0].Gate != "probe" || all[0].Scope != "service.tier > 0" || all[0].To != "off" || all[0].By != "board" || all[1].Scope != "every release" || !slices.Equal(all[1].Controls, []string{"house/C1"}) || all[1].Reason != "Known finding." {
		t.Errorf("%+v", all)
	}
	if all := p.NotOperating(monday.Add(3 * time.Hour)); len(all) != 1 {
		t.Errorf("at noon %+v", all)
	}
	if all := p.NotOperating(monday.Add(48 * time.Hour)); len(all) != 0 {
		t.Errorf("two days later %+v", all)
	}
	if len(p.Relaxations()) != 2 {
		t.Error("two relaxations were written")
	}
	softened := moded(t, "mode: warn\nby: board\nuntil: 2027-03-03\n")
	if all := softened.NotOperating(monday); len(all) != 1 || all[0].Gate != "" || all[0].To != ModeWarn || all[0].Scope != "every release" {
		t.Errorf("in mode warn %+v", all)
	}
	scoped := compiled(t, sample(doc("ScopeRule", "name: eu\nmatch: environment.region == 'eu'\ngovernance: full\nobserve: {by: board, until: 2027-03-03}\n")))
	if all := scoped.NotOperating(monday); len(all) != 1 || all[0].To != "observe" || all[0].Scope != "environment.region == 'eu'" {
		t.Errorf("in an observed scope %+v", all)
	}
}
