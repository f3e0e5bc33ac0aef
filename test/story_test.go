package test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/policy"
)

// The organisation of every fixture.
const fixtureCatalog = `
apiVersion: signalbox/v1
kind: Team
name: shop
---
apiVersion: signalbox/v1
kind: Group
name: release-approvers
---
apiVersion: signalbox/v1
kind: Group
name: release-managers
---
apiVersion: signalbox/v1
kind: Service
name: shop
tier: 1
team: shop
---
apiVersion: signalbox/v1
kind: Environment
name: production
is: production
---
apiVersion: signalbox/v1
kind: Person
name: ann
display: Ann Example
emails: [ann@example.com]
teams: [shop]
groups: [release-approvers]
roles: [developer, approver]
---
apiVersion: signalbox/v1
kind: Person
name: ben
display: Ben Example
emails: [ben@example.com]
groups: [release-approvers]
roles: [approver]
---
apiVersion: signalbox/v1
kind: Person
name: cid
display: Cid Example
emails: [cid@example.com]
groups: [release-approvers, release-managers]
roles: [approver, release-manager]
---
apiVersion: signalbox/v1
kind: Person
name: dee
display: Dee Example
emails: [dee@example.com]
roles: [viewer]
---
apiVersion: signalbox/v1
kind: Machine
name: ci
services: [shop]
roles: [pipeline]
`

const (
	fixtureScan     = `{"version":"2.1.0","$schema":"https://json.schemastore.org/sarif-2.1.0.json","runs":[{"tool":{"driver":{"name":"scan"}},"results":[]}]}`
	fixtureFinding  = `{"version":"2.1.0","$schema":"https://json.schemastore.org/sarif-2.1.0.json","runs":[{"tool":{"driver":{"name":"scan"}},"results":[{"ruleId":"R1","level":"error","message":{"text":"bad"},"properties":{"security-severity":"9.8"}}]}]}`
	fixtureTests    = `<testsuites><testsuite name="s" tests="2"><testcase name="a" classname="c"/><testcase name="b" classname="c"/></testsuite></testsuites>`
	fixtureCoverage = `<coverage line-rate="0.9" lines-covered="90" lines-valid="100" branch-rate="0" version="1" timestamp="0"><packages/></coverage>`
)

// story is a small organisation at work: what every fixture holds. Programs of
// earlier commits ran it too, so that it keeps to commands as old as the journal.
type story struct {
	*control.Control
	t        *testing.T
	ctx      context.Context
	who      map[string]access.Actor
	verdicts map[string]int // of the decisions that were asked for
}

// tokenLife is how long the tokens of a story live.
const tokenLife = 24 * time.Hour

// tell makes an organisation and takes releases through all verdicts.
func (s *story) tell(releases int) {
	s.found()
	for n := range releases {
		s.release(n)
	}
	must(s.t, s.Depart(s.ctx, s.as("root"), "dee", "fixture"))
}

func (s *story) as(who string) control.Request { return control.Request{Actor: s.who[who]} }

func (s *story) sign(who string, q control.TokenRequest) {
	s.t.Helper()
	q.Life = tokenLife
	issued, err := s.IssueToken(s.ctx, s.as("root"), q)
	must(s.t, err)
	s.who[who], err = s.Authenticate(s.ctx, issued.Secret)
	must(s.t, err)
}

func (s *story) found() {
	s.t.Helper()
	root, err := s.CreateAdministrator(s.ctx, control.Founder{Handle: "root", Name: "Root Example", Email: "root@example.com"})
	must(s.t, err)
	s.who["root"], err = s.Authenticate(s.ctx, root.Secret)
	must(s.t, err)
	_, err = s.ImportCatalog(s.ctx, s.as("root"), "catalog.yaml", []byte(fixtureCatalog))
	must(s.t, err)
	must(s.t, s.Regrant(s.ctx, s.as("root"), control.Regrant{Handle: "cid", Role: "policy-author", Reason: "fixture"}))
	for _, person := range []string{"ann", "ben", "cid"} {
		s.sign(person, control.TokenRequest{Handle: person})
	}
	s.sign("ci", control.TokenRequest{Machine: "ci"})
	_, err = s.ActivatePolicy(s.ctx, s.as("cid"), control.PolicyRequest{Files: policy.Starter(), Reason: "fixture"})
	must(s.t, err)
}

func (s *story) gate(n int) control.GateRequest {
	return control.GateRequest{ReleaseRequest: control.ReleaseRequest{Service: "shop", Version: fmt.Sprintf("v1.%d.0", n+1), Digest: fmt.Sprintf("sha256:%064x", n+1), Size: "minor"}, Environment: "production"}
}

func (s *story) ask(n int, want policy.Verdict) control.Answer {
	s.t.Helper()
	a, err := s.Ask(s.ctx, s.as("ci"), s.gate(n))
	must(s.t, err)
	if a.Decision.Verdict != want {
		s.t.Fatalf("release %d: %s and not %s: %+v", n, a.Decision.Verdict, want, a.Decision.Reasons[0])
	}
	s.verdicts[string(want)]++
	return a
}

func (s *story) report(n int, report string) {
	s.t.Helper()
	q := s.gate(n)
	_, err := s.AddEvidence(s.ctx, s.as("ci"), control.EvidenceRequest{Service: q.Service, Version: q.Version, Digest: q.Digest}, strings.NewReader(report))
	must(s.t, err)
}

// release takes one from cannot tell to go and into production.
func (s *story) release(n int) {
	s.t.Helper()
	id := s.ask(n, policy.CannotTell).Decision.Release
	commit := fmt.Sprintf("%040x", n+1)
	ann := change.Identity{Name: "Ann Example", Email: "ann@example.com"}
	must(s.t, s.AttachChange(s.ctx, s.as("ci"), id, change.Describe(change.Raw{
		From: fmt.Sprintf("%040x", n), To: commit, FromRef: fmt.Sprintf("v1.%d.0", n), ToRef: fmt.Sprintf("v1.%d.0", n+1),
		Commits: []change.Commit{{ID: commit, Parents: 1, Author: ann, Committer: ann, Subject: "feat: fixture"}},
		Files:   []change.File{{Path: "buy.go", Added: 10}},
	})))
	s.report(n, fixtureFinding)
	s.report(n, fixtureTests)
	s.report(n, fixtureCoverage)
	s.ask(n, policy.NoGo)
	s.report(n, fixtureScan)
	s.ask(n, policy.Wait)
	for _, who := range []string{"ben", "cid"} {
		shown, err := s.Preview(s.ctx, s.as(who), id, "production")
		must(s.t, err)
		must(s.t, s.Vote(s.ctx, s.as(who), id, control.Ballot{Environment: "production", Answer: approval.Approve, Seen: shown.Digest}))
	}
	s.freeze(n)
	q, permit := s.gate(n), s.ask(n, policy.Go).Permit
	if permit == nil {
		s.t.Fatal("a go without a permit")
	}
	d, err := s.StartDeployment(s.ctx, s.as("ci"), control.StartRequest{Service: q.Service, Version: q.Version, Digest: q.Digest, Environment: "production", Permit: permit})
	must(s.t, err)
	_, err = s.EndDeployment(s.ctx, s.as("ci"), control.EndRequest{ID: d.ID, Failed: n%3 == 0, Reason: "fixture"})
	must(s.t, err)
}

// freeze forbids a release for a moment, of some.
func (s *story) freeze(n int) {
	s.t.Helper()
	if n%4 != 0 {
		return
	}
	_, err := s.DeclareFreeze(s.ctx, s.as("cid"), control.FreezeRequest{Name: fmt.Sprintf("fixture-%d", n), Reason: "fixture"})
	must(s.t, err)
	s.ask(n, policy.NoGo)
	_, err = s.LiftFreeze(s.ctx, s.as("cid"), fmt.Sprintf("fixture-%d", n), "fixture")
	must(s.t, err)
}
