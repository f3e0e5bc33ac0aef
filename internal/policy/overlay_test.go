package policy

import (
	"strings"
	"testing"
	"time"
)

const overlaidDocs = `---
apiVersion: signalbox/v1
kind: Gate
name: g
title: T
condition: findings.critical == 0
severity: warn
on_fail: wait
max_age: 2d
provenance: pipeline
governance: [full]
controls: [house/C1]
---
apiVersion: signalbox/v1
kind: Gate
name: bare
title: T
condition: service.owned
---
apiVersion: signalbox/v1
kind: ApprovalChain
name: two
tiers: [{name: review, groups: [release-approvers], quorum: 3}]
---
apiVersion: signalbox/v1
kind: ApprovalChain
name: wide
tiers: [{name: review, groups: [release-approvers, others], quorum: 3}]
---
apiVersion: signalbox/v1
kind: ApprovalChain
name: slow
valid_for: 30d
rejections: 2
tiers: [{name: review, groups: [release-approvers], quorum: 2}]
---
apiVersion: signalbox/v1
kind: ApprovalChain
name: alone
tiers: [{name: review, groups: [release-approvers], quorum: 1}]
---
apiVersion: signalbox/v1
kind: Parameter
name: most
value: 5
min: 1
max: 9
strict: min
---
apiVersion: signalbox/v1
kind: Parameter
name: least
value: 0.5
strict: max
---
apiVersion: signalbox/v1
kind: ScopeRule
name: lab
match: environment.kind == 'test'
governance: light
observe: {by: board, until: 2027-06-01}
`

// TestOverlayMatrix: what tightens is taken, what loosens is refused with the
// reason, what changes nothing is a warning.
func TestOverlayMatrix(t *testing.T) {
	for _, c := range []struct{ kind, name, set, code string }{
		{"Gate", "g", "severity: block", ""},
		{"Gate", "g", "severity: observe", "policy.looser"},
		{"Gate", "g", "severity: warn", "policy.overlay-idle"},
		{"Gate", "g", "on_fail: no-go", ""},
		{"Gate", "bare", "on_fail: wait", "policy.looser"},
		{"Gate", "g", "max_age: 1d", ""},
		{"Gate", "g", "max_age: 3d", "policy.looser"},
		{"Gate", "g", "max_age: 48h", "policy.overlay-idle"},
		{"Gate", "bare", "max_age: 3d", ""},
		{"Gate", "g", "provenance: server", ""},
		{"Gate", "g", "provenance: person", "policy.looser"},
		{"Gate", "bare", "provenance: person", ""},
		{"Gate", "g", "needs: [tests]", ""},
		{"Gate", "g", "governance: [light]", ""},
		{"Gate", "g", "governance: [full]", "policy.overlay-idle"},
		{"Gate", "g", "controls: [house/C2]", ""},
		{"Gate", "g", "controls: [house/C1]", "policy.overlay-idle"},
		{"Gate", "g", "controls: [house]", "policy.control"},
		{"Gate", "g", "condition: 'true'", "policy.unknown-field"},
		{"Gate", "h", "severity: block", "policy.no-target"},
		{"ReleaseType", "any", "lead_time: 1h", ""},
		{"ReleaseType", "any", "permit_ttl: 10m", ""},
		{"ReleaseType", "any", "permit_ttl: 1h", "policy.looser"},
		{"ReleaseType", "any", "rollback_time_objective: 1h", ""},
		{"ReleaseType", "any", "chain: two", ""},
		{"ReleaseType", "any", "chain: one", "policy.overlay-idle"},
		{"ReleaseType", "any", "chain: none", "policy.looser"},
		{"ReleaseType", "any", "chain: wide", "policy.looser"},
		{"ReleaseType", "any", "chain: slow", "policy.looser"},
		{"ReleaseType", "any", "chain: alone", "policy.looser"},
		{"ReleaseType", "any", "chain: nowhere", "policy.no-chain"},
		{"ReleaseType", "any", "thresholds: {rate: 0.9}", "policy.looser"},
		{"Parameter", "most", "value: 3", ""},
		{"Parameter", "most", "value: 6", "policy.looser"},
		{"Parameter", "most", "value: 5", "policy.overlay-idle"},
		{"Parameter", "most", "value: 0", "policy.out-of-range"},
		{"Parameter", "least", "value: 0.9", ""},
		{"Parameter", "least", "value: 0.1", "policy.looser"},
		{"Parameter", "limit", "value: 1", "policy.looser"},
		{"ScopeRule", "lab", "governance: full", ""},
		{"ScopeRule", "lab", "governance: none", "policy.looser"},
		{"ScopeRule", "lab", "observe_until: 2027-05-01", ""},
		{"ScopeRule", "lab", "observe_until: 2027-07-01", "policy.looser"},
		{"ScopeRule", "all", "observe_until: 2027-07-01", "policy.looser"},
		{"ApprovalChain", "one", "quorum: 3", ""},
		{"ApprovalChain", "one", "quorum: 1", "policy.looser"},
		{"ApprovalChain", "one", "quorum: 2", "policy.overlay-idle"},
		{"ApprovalChain", "one", "valid_for: 1d", ""},
		{"ApprovalChain", "one", "valid_for: 30d", "policy.looser"},
		{"ApprovalChain", "slow", "rejections: 1", ""},
		{"ApprovalChain", "slow", "rejections: 3", "policy.looser"},
		{"FreezeRule", "z", "verdict: wait", "policy.unknown-value"},
	} {
		t.Run(c.kind+" "+c.name+" "+c.set, func(t *testing.T) {
			files := sample(overlaidDocs, doc("Overlay", "name: o\ntarget: {kind: "+c.kind+", name: "+c.name+"}\nset: {"+c.set+"}\nreason: R.\n"))
			p, problems := Compile(files)
			var codes []string
			for _, x := range problems {
				if x.Code != "policy.unused" {
					codes = append(codes, x.Code)
				}
				if x.Code == "policy.looser" && (x.Where.Line == 0 || !strings.Contains(x.What, c.name) || x.Why == "") {
					t.Errorf("%s", x)
				}
			}
			if got := strings.Join(codes, " "); got != c.code {
				t.Errorf("%q, want %q: %v", got, c.code, problems)
			}
			if (p != nil) != (c.code == "" || c.code == "policy.overlay-idle") {
				t.Errorf("compiled: %v", p != nil)
			}
		})
	}
}

// TestOverlaysAct: a tightened document decides as tightened, and overlays add up.
func TestOverlaysAct(t *testing.T) {
	gate := doc("Gate", "name: g\ntitle: T\ncondition: findings.high <= param.most\nseverity: warn\n") + doc("Parameter", "name: most\nvalue: 5\nstrict: min\n")
	over := func(name, target, set string) string {
		return doc("Overlay", "name: "+name+"\ntarget: {"+target+"}\nset: {"+set+"}\n")
	}
	high := with(func(in *Inputs) { in.Findings.High = 3 })
	if o := compiled(t, sample(gate)).Decide(high); o.Verdict != Go {
		t.Fatalf("without an overlay %s", o.Verdict)
	}
	if o := compiled(t, sample(gate, over("o", "kind: Parameter, name: most", "value: 2"))).Decide(high); o.Verdict != Go || reason(t, o, "g").Code != "failed" {
		t.Errorf("with one overlay %s %+v", o.Verdict, reason(t, o, "g"))
	}
	p := compiled(t, sample(gate, over("o", "kind: Parameter, name: most", "value: 2"), over("o2", "kind: Gate, name: g", "severity: block")))
	if o := p.Decide(high); o.Verdict != NoGo {
		t.Errorf("with two overlays %s", o.Verdict)
	}
	if all := p.Overlays(); len(all) != 2 || all[0].Target != "most" || all[1].Fields[0] != "severity" {
		t.Errorf("overlays %+v", all)
	}
	p = compiled(t, sample(over("o", "kind: ReleaseType, name: any", "lead_time: 2d"), over("o2", "kind: ApprovalChain, name: one", "quorum: 4")))
	if c, _ := p.Chain("one"); c.Tiers[0].Quorum != 4 {
		t.Errorf("chain %+v", c)
	}
	if o := p.Decide(fine()); o.Verdict != Wait || p.ReleaseTypes()[0].LeadTime != 48*time.Hour {
		t.Errorf("with a lead time %s", o.Verdict)
	}
	if _, problems := Compile(sample(over("o", "kind: ApprovalChain, name: one", "quorum: 4"), over("o2", "kind: ApprovalChain, name: one", "quorum: 3"))); !Failed(problems) {
		t.Error("a second overlay loosened the first")
	}
}
