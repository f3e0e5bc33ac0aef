// Package gate holds release.Gate beside Open Policy Agent: the same twenty-six
// rules over the same facts, once as a bundle of ours, once as a Rego module.
//
// A test proves that both deny the same for documents that pass, that fail, and
// that are made by chance; only then does it mean anything which is faster. Both
// count the findings within what is measured. What OPA is spared is hashing: which
// content votes are for stands in the document ready made, and it computes neither
// reasons in words nor the digest of what the answer rests on.
package gate

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/calendar"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/strict"
)

// Document is the facts about one release, as both sides are given them.
type Document struct {
	Now         event.Micros             `json:"now"`
	Environment string                   `json:"environment"`
	Subject     string                   `json:"subject"` // digest of what votes are for now
	Release     release.State            `json:"release"`
	Service     *catalog.Service         `json:"service"`
	Place       *catalog.Environment     `json:"place"`
	People      map[string]access.Person `json:"people"`
	Identities  map[string]string        `json:"identities"`
	Claims      []Claim                  `json:"claims"`
	Freezes     []calendar.Freeze        `json:"freezes"`
}

// Claim is one report about the artifact. Findings are listed, not counted.
type Claim struct {
	Kind       evidence.Kind      `json:"kind"`
	Tool       string             `json:"tool"`
	Provenance string             `json:"provenance"`
	At         event.Micros       `json:"at"`
	Findings   []Finding          `json:"findings,omitempty"`
	Tests      *evidence.Tests    `json:"tests,omitempty"`
	Coverage   *evidence.Coverage `json:"coverage,omitempty"`
}

// Finding is one result of a scanner.
type Finding struct {
	Severity   evidence.Severity `json:"severity"` // "" is unrated
	Rule       string            `json:"rule"`
	Suppressed bool              `json:"suppressed,omitempty"`
}

//go:embed policy.yaml
var rules string

// Bundle is our side's policy. With listed, the three gates over findings walk
// through them one by one instead of reading their counts.
func Bundle(listed bool) (*policy.Program, error) {
	text := rules
	if listed {
		for _, r := range [][2]string{
			{"condition: findings.critical == 0", `condition: '!findings.items.exists(f, f.severity == "critical" && !f.suppressed)'`},
			{"condition: findings.high <= param.max_high", `condition: 'double(size(findings.items.filter(f, f.severity == "high" && !f.suppressed))) <= param.max_high'`},
			{"condition: findings.medium <= 40", `condition: 'size(findings.items.filter(f, f.severity == "medium" && !f.suppressed)) <= 40'`},
		} {
			text = strings.Replace(text, r[0], r[1], 1)
		}
	}
	return compile(text)
}

func compile(text string) (*policy.Program, error) {
	p, problems := policy.Compile([]policy.File{{Name: "policy.yaml", Data: []byte(text)}})
	if p == nil {
		return nil, fmt.Errorf("the bundle does not compile: %v", problems)
	}
	return p, nil
}

// Files are the bundle whose gates read counts, as a server is sent it.
func Files() []policy.File { return []policy.File{{Name: "policy.yaml", Data: []byte(rules)}} }

// Stricter is that bundle with more asked of tests and coverage: a candidate under
// which the passing document no longer passes.
func Stricter() []policy.File {
	text := strings.Replace(rules, "condition: tests.total >= 100", "condition: tests.total >= 2000", 1)
	return []policy.File{{Name: "policy.yaml", Data: []byte(text)}}
}

// Facts are the document as release.Gate takes it. It counts the findings.
func (d *Document) Facts(p *policy.Program) release.Facts {
	f := release.Facts{
		Release: d.Release, Environment: d.Environment, Service: d.Service, Place: d.Place, People: d.People, Identities: d.Identities,
		Artifact: evidence.Artifact{Digest: d.Release.Digest, Claims: make([]evidence.Added, len(d.Claims))}, Freezes: d.Freezes, Policy: p,
	}
	for i, c := range d.Claims {
		a := evidence.Added{
			Service: d.Release.Service, Version: d.Release.Version, Digest: d.Release.Digest, Provenance: c.Provenance, At: c.At, File: d.Release.Digest,
			Claim: evidence.Claim{Kind: c.Kind, Tool: evidence.Tool{Name: c.Tool}, Tests: c.Tests, Coverage: c.Coverage},
		}
		if c.Kind == evidence.FindingsKind {
			a.Claim.Findings = count(c.Findings)
		}
		f.Artifact.Claims[i] = a
	}
	if p.NeedsList("findings") {
		f.Lists.Findings = d.listed()
	}
	return f
}

func count(list []Finding) *evidence.Findings {
	var f evidence.Findings
	for _, x := range list {
		if x.Suppressed {
			f.Suppressed++
			continue
		}
		f.Total++
		f.BySeverity.Add(x.Severity, 1)
	}
	return &f
}

func (d *Document) listed() []policy.Finding {
	all := make([]policy.Finding, 0, 64)
	for _, c := range d.Claims {
		for _, f := range c.Findings {
			all = append(all, policy.Finding{Severity: string(f.Severity), Rule: f.Rule, Tool: c.Tool, Suppressed: f.Suppressed})
		}
	}
	return all
}

// Gate is our answer to the document.
func (d *Document) Gate(p *policy.Program) (release.Decision, error) {
	return release.Gate(d.Now.Time(), d.Facts(p))
}

// GateJSON is our answer to the document as JSON, read strictly as everything from outside is.
func GateJSON(b []byte, p *policy.Program) (release.Decision, error) {
	var d Document
	if err := strict.Decode(b, &d); err != nil {
		return release.Decision{}, err
	}
	return d.Gate(p)
}

// Denials are the gates that stand in the way, the engine's own among them.
func Denials(d release.Decision) map[string]bool {
	all := map[string]bool{}
	for _, r := range d.Reasons {
		if r.Severity == policy.Block && r.Verdict != policy.Go {
			all[r.Gate] = true
		}
	}
	return all
}

// JSON is the document as OPA is sent it.
func (d *Document) JSON() ([]byte, error) { return json.Marshal(d) }

const (
	noon   = event.Micros(1_795_608_000_000_000) // 2026-11-25T12:00:00Z
	hour   = event.Micros(time.Hour / time.Microsecond)
	digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

// Passing is a document that nothing stands against: 50 findings by two scanners,
// 6 persons, 6 votes, 3 closed hours and 3 freezes.
func Passing(p *policy.Program) (*Document, error) {
	branch := 0.7
	d := &Document{
		Now: noon, Environment: "production",
		Release: release.State{
			ID: "r1", Service: "shop", Version: "v1.1.0", Digest: digest, Size: "minor", ChangeType: "normal", Revision: 1,
			Phase: release.Submitted, OpenedBy: "machine/ci", Provenance: policy.ByPipeline, OpenedAt: noon - 30*hour, Submitted: noon - 29*hour,
			Change: &release.Attached{Digest: digest, Provenance: policy.ByPipeline, By: "machine/ci", At: noon - 29*hour, Record: change.Record{
				Commits: 12, Contributors: []string{"id-ann", "id-bob"}, FilesChanged: 31, LinesAdded: 420, LinesDeleted: 130, SemverStep: "minor",
				ReleaseType: "minor", Reverts: 1, Migrations: 1, Dependencies: 2, Signed: 12, Complete: true, Digest: digest,
			}},
		},
		Service: &catalog.Service{ID: "s1", Name: "shop", Tier: 1, Team: "shop", Flags: []string{"icfr"}, DataClasses: []string{"cardholder", "personal"}},
		Place:   &catalog.Environment{ID: "e1", Name: "production", Kind: catalog.Production, Region: "eu"},
		People:  map[string]access.Person{}, Identities: map[string]string{"id-ann": "ann", "id-bob": "bob"},
		Claims: []Claim{
			{Kind: evidence.CoverageKind, Tool: "cover", Provenance: "pipeline", At: noon - 2*hour, Coverage: &evidence.Coverage{LineRate: 0.83, LinesCovered: 830, LinesValid: 1000, BranchRate: &branch}},
			{Kind: evidence.FindingsKind, Tool: "scan-a", Provenance: "pipeline", At: noon - 3*hour},
			{Kind: evidence.FindingsKind, Tool: "scan-b", Provenance: "pipeline", At: noon - 4*hour},
			{Kind: evidence.TestsKind, Tool: "run", Provenance: "pipeline", At: noon - 2*hour, Tests: &evidence.Tests{Total: 1204, Passed: 1198, Skipped: 6}},
		},
	}
	d.people()
	d.scan()
	d.close()
	return d, d.vote(p)
}

func (d *Document) people() {
	for i, id := range []string{"ann", "bob", "cid", "dee", "eve", "hal"} {
		p := access.Person{ID: id, Identities: []string{"id-" + id}, Teams: []string{"shop"}, Roles: []string{"approver"}}
		if i != 5 {
			p.Groups = []string{"release-approvers"}
		}
		d.People[id] = p
	}
}

// scan lists 25 findings of each scanner: none critical, 3 high, 20 medium.
func (d *Document) scan() {
	for i := range 50 {
		f := Finding{Severity: evidence.Low, Rule: fmt.Sprintf("CVE-2026-%d", 1000+i)}
		switch {
		case i%17 == 0:
			f.Severity = evidence.High
		case i%5 < 2:
			f.Severity = evidence.Medium
		case i%11 == 0:
			f.Suppressed = true
		}
		c := &d.Claims[1+i%2]
		c.Findings = append(c.Findings, f)
	}
}

// close is three windows that are shut at noon, and three freezes: one that is
// over, one that covers elsewhere, one from which only emergencies are exempt and
// that begins tomorrow.
func (d *Document) close() {
	midnight := noon - 12*hour
	for i, span := range [][2]event.Micros{{0, 6}, {19, 24}, {24, 30}} {
		d.Freezes = append(d.Freezes, calendar.Freeze{
			ID: fmt.Sprint("w", i), Name: fmt.Sprint("closed ", i), Rule: "closed",
			Scope: calendar.Scope{Kinds: []string{catalog.Production}}, From: midnight + span[0]*hour, Until: midnight + span[1]*hour,
		})
	}
	d.Freezes = append(d.Freezes,
		calendar.Freeze{ID: "z0", Name: "audit", Rule: "closed", From: noon - 90*hour, Until: noon - 50*hour},
		calendar.Freeze{ID: "z1", Name: "stop", Scope: calendar.Scope{Services: []string{"ledger", "billing"}, Regions: []string{"eu"}}, From: noon - 5*hour},
		calendar.Freeze{ID: "z2", Name: "sales", Rule: "closed", Scope: calendar.Scope{Tiers: []int{0, 1}}, From: noon + 20*hour, Until: noon + 90*hour})
}

// vote gives six votes for what the document now is: two count, of two who
// contributed, one outside the groups and one for other content.
func (d *Document) vote(p *policy.Program) (err error) {
	d.Release.Votes = nil
	facts := d.Facts(p)
	if _, d.Subject, err = facts.Subject(); err != nil {
		return err
	}
	for i, id := range []string{"ann", "bob", "cid", "dee", "eve", "hal"} {
		v := approval.Vote{Person: id, Environment: d.Environment, Subject: d.Subject, Answer: approval.Approve, At: noon - event.Micros(i)*hour}
		if id == "eve" {
			v.Subject = digest
		}
		d.Release.Votes = append(d.Release.Votes, v)
	}
	return nil
}

// Failing is a document that seven rules deny.
func Failing(p *policy.Program) (*Document, error) {
	d, err := Passing(p)
	if err != nil {
		return nil, err
	}
	d.Service.DataClasses, d.Place.Region = []string{"cardholder"}, "us"
	d.Release.Change.Record.Signed = 9
	d.Claims[1].Findings[0].Severity = evidence.Critical
	d.Claims[2].At = noon - 200*hour
	d.Claims[3].Tests = &evidence.Tests{Total: 1204, Passed: 1000, Failed: 4, Skipped: 200}
	d.Freezes[0].Until = noon + hour
	return d, d.vote(p)
}

// Random is a document made by chance: anything may be missing, old, weakly
// believed or against a rule.
func Random(r *rand.Rand, p *policy.Program) (*Document, error) {
	d, err := Passing(p)
	if err != nil {
		return nil, err
	}
	calm := 1 + r.IntN(10) // in some documents little is wrong
	sometimes := func(one int, fn func()) {
		if r.IntN(one*calm) == 0 {
			fn()
		}
	}
	d.unsettleRelease(r, sometimes)
	d.unsettleClaims(r, sometimes)
	sometimes(12, func() { d.Service = nil })
	sometimes(12, func() { d.Place = nil })
	if d.Service != nil {
		sometimes(6, func() { d.Service.Team = "gone" })
		sometimes(6, func() { d.Service.Tier = r.IntN(5) })
	}
	if d.Place != nil {
		sometimes(4, func() { d.Place.Region = []string{"us", "asia"}[r.IntN(2)] })
	}
	if err := d.vote(p); err != nil {
		return nil, err
	}
	d.unsettleVotes(r, sometimes)
	return d, nil
}

func (d *Document) unsettleRelease(r *rand.Rand, sometimes func(int, func())) {
	s := &d.Release
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	sometimes(6, func() { s.Digest = digest[:40] })
	sometimes(6, func() { s.Version = "1.1" })
	sometimes(6, func() { s.Targets = map[string]release.Target{pick("production", "staging"): {Unauthorised: true}} })
	s.Size, s.ChangeType = pick("", "patch", "minor", "major"), pick("", "normal", "standard", "emergency")
	sometimes(6, func() { s.OpenedBy = "person/" + pick("cid", "dee", "eve") })
	sometimes(12, func() { s.Change = nil })
	if s.Change == nil {
		return
	}
	c := &s.Change.Record
	c.SemverStep, c.Breaking = pick("major", "minor", "patch", "none", "unknown"), r.IntN(6) == 0
	sometimes(2, func() { c.Migrations = 0 })
	sometimes(8, func() { c.Complete = false })
	sometimes(6, func() { s.Change.Provenance = policy.Provenance(pick("person", "server", "assumed")) })
	sometimes(6, func() { c.Commits, c.Signed = 0, 0 })
	sometimes(6, func() { c.Signed = 3 })
	sometimes(6, func() { c.LinesAdded = 4900 })
	sometimes(6, func() { c.FilesChanged = 201 })
	sometimes(6, func() { c.Reverts = 2 })
	sometimes(6, func() { c.Dependencies = 11 })
	sometimes(6, func() { c.Contributors = append(c.Contributors, "id-"+pick("cid", "nobody")) })
	sometimes(8, func() { d.Identities["id-cid"] = "cid" })
}

func (d *Document) unsettleClaims(r *rand.Rand, sometimes func(int, func())) {
	severities := []evidence.Severity{evidence.Critical, evidence.High, evidence.Medium, evidence.Low, evidence.Info, ""}
	for i := range d.Claims {
		c := &d.Claims[i]
		sometimes(6, func() { c.Provenance = []string{"server", "person", "assumed"}[r.IntN(3)] })
		sometimes(6, func() { c.At = noon - event.Micros(100+r.IntN(150))*hour })
		for n := r.IntN(4); n > 0 && len(c.Findings) > 0; n-- {
			f := &c.Findings[r.IntN(len(c.Findings))]
			f.Severity, f.Suppressed = severities[r.IntN(len(severities))], r.IntN(3) == 0
		}
	}
	sometimes(4, func() { d.Claims[3].Tests.Failed = r.IntN(2) })
	sometimes(4, func() { d.Claims[3].Tests.Errored = r.IntN(2) })
	sometimes(4, func() { d.Claims[3].Tests.Skipped = r.IntN(300) })
	sometimes(6, func() { d.Claims[3].Tests = &evidence.Tests{Total: 90, Passed: 90} })
	sometimes(9, func() { d.Claims[3].Tests = &evidence.Tests{Total: 2, Skipped: 2} })
	sometimes(4, func() { d.Claims[0].Coverage.LineRate = 0.5 + r.Float64()/4 })
	sometimes(4, func() { d.Claims[0].Coverage.BranchRate = nil })
	sometimes(4, func() { low := 0.4; d.Claims[0].Coverage.BranchRate = &low })
	for i := len(d.Claims) - 1; i >= 0; i-- {
		sometimes(9, func() { d.Claims = append(d.Claims[:i:i], d.Claims[i+1:]...) })
	}
}

func (d *Document) unsettleVotes(r *rand.Rand, sometimes func(int, func())) {
	for i := range d.Release.Votes {
		v := &d.Release.Votes[i]
		sometimes(5, func() { v.Answer = approval.Reject })
		sometimes(6, func() { v.Withdrawn = true })
		sometimes(6, func() { v.Environment = "staging" })
		sometimes(5, func() { v.At = noon - event.Micros(20+r.IntN(200))*hour })
	}
	for id, p := range d.People { // each of them by the same chance, so the order of a map changes nothing but which
		sometimes(9, func() { p.Departed = true; d.People[id] = p })
		sometimes(9, func() { p.Roles = []string{"viewer"}; d.People[id] = p })
	}
	for i := range d.Freezes {
		z := &d.Freezes[i]
		sometimes(9, func() { z.From = noon })
		sometimes(9, func() { z.Until = 0 })
		sometimes(9, func() { z.Lifted = noon - hour })
		sometimes(9, func() { z.Scope = calendar.Scope{Environments: []string{"production"}} })
	}
}
