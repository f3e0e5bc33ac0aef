package policy

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// base is the smallest bundle that decides; %gate% stands for more gates.
const base = `apiVersion: signalbox/v1
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
chain: one
thresholds: {rate: 0.5}
---
apiVersion: signalbox/v1
kind: ApprovalChain
name: one
tiers: [{name: review, groups: [release-approvers], quorum: 2}]
---
apiVersion: signalbox/v1
kind: Gate
name: always
title: Always
condition: size(release.version) > 0
---
apiVersion: signalbox/v1
kind: Parameter
name: limit
value: 2
---
apiVersion: signalbox/v1
kind: TestCase
name: nothing is known
at: 2027-03-01T09:00:00Z
expect: {verdict: cannot-tell}
`

// monday is the instant of the tests.
var monday = time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)

// fine are inputs with which the base and the starter pack say go.
func fine() Inputs {
	return Inputs{
		Contract:    Contract,
		Now:         monday,
		Release:     Release{Known: true, Version: "1.4.1", Digest: "sha256:" + strings.Repeat("0f", 32), Size: Patch, SubmittedAt: monday.Add(-24 * time.Hour)},
		Service:     Service{Known: true, Name: "example", Tier: 1, Team: "example-team", Owned: true},
		Environment: Environment{Known: true, Name: "prod-eu", Kind: "production", Region: "eu"},
		Change:      Change{Known: true, Provenance: ByServer, Complete: true, Commits: 3, Contributors: 1, SemverStep: Patch, Signed: 3},
		Findings:    Findings{Known: true, Provenance: ByPipeline, AgeHours: 2, Tools: []string{"example-scanner"}},
		Tests:       Tests{Known: true, Provenance: ByPipeline, AgeHours: 2, Total: 10, Passed: 10},
		Coverage:    Coverage{Known: true, Provenance: ByPipeline, AgeHours: 2, LineRate: 0.8},
		Attestation: Attestation{Known: true, Provenance: ByAttestor, Total: 1, Verified: 1, Attestors: []string{"builder"}},
		Approval:    Approval{Known: true, Satisfied: true, Approvals: 2, Required: 2, Eligible: 1},
		Calendar:    Calendar{Known: true},
	}
}

// with is fine, changed.
func with(change func(*Inputs)) Inputs {
	in := fine()
	change(&in)
	return in
}

// doc is a document of the given kind.
func doc(kind, rest string) string {
	return "---\napiVersion: signalbox/v1\nkind: " + kind + "\n" + strings.TrimLeft(rest, "\n")
}

func sample(more ...string) []File {
	return []File{{Name: "base.yaml", Data: []byte(base)}, {Name: "more.yaml", Data: []byte(strings.Join(more, "\n"))}}
}

// without is the base less the documents of a kind, and more.
func without(kind string, more ...string) []File {
	var kept []string
	for _, d := range strings.Split(base, "---\n") {
		if !strings.Contains(d, "kind: "+kind+"\n") {
			kept = append(kept, d)
		}
	}
	return []File{{Name: "base.yaml", Data: []byte(strings.Join(kept, "---\n"))}, {Name: "more.yaml", Data: []byte(strings.Join(more, "\n"))}}
}

func compiled(t testing.TB, files []File) *Program {
	t.Helper()
	p, list := Compile(files)
	if p == nil {
		for _, problem := range list {
			t.Log(problem)
		}
		t.Fatal("the bundle does not compile")
	}
	return p
}

// reason finds a gate's reason.
func reason(t testing.TB, o Outcome, gate string) Reason {
	t.Helper()
	for _, r := range o.Reasons {
		if r.Gate == gate {
			return r
		}
	}
	t.Fatalf("no reason of %s in %+v", gate, o.Reasons)
	return Reason{}
}

// auditTime is the instant of the regulated pack's tests.
var auditTime = time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)

// regulated is the pack with one text replaced by another in all files.
func regulated(t testing.TB, from, to string) *Program {
	t.Helper()
	files := Regulated()
	found := from == ""
	for i := range files {
		if from != "" && bytes.Contains(files[i].Data, []byte(from)) {
			files[i].Data, found = bytes.ReplaceAll(files[i].Data, []byte(from), []byte(to)), true
		}
	}
	if !found {
		t.Fatalf("the pack does not say %q", from)
	}
	p, problems := Compile(files)
	if p == nil {
		t.Fatal(problems)
	}
	return p
}
