package api

import (
	"context"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/view"
	"signalbox.dev/signalbox/internal/wire"
)

func wireDecision(d release.Decision) wire.Decision {
	w := wire.Decision{
		ID: d.ID, Release: d.Release, Service: d.Service, Version: d.Version, Digest: d.Digest, Environment: d.Environment,
		Verdict: string(d.Verdict), Enforced: d.Enforced, Mode: d.Mode, Lists: d.Lists, Governance: d.Governance, ScopeRule: d.ScopeRule,
		Type: d.Type, Size: d.Size, ChangeType: d.ChangeType, Reasons: []wire.Reason{}, Approvals: d.Approvals,
		Policy: d.Policy, Change: d.Change, Evidence: d.Evidence, Subject: d.Subject, Basis: d.Basis,
		Stop: d.Stop, Issuers: d.Issuers,
		Believed: wire.Believed{
			Release: string(d.Believed.Release), Change: string(d.Believed.Change), Findings: string(d.Believed.Findings),
			Tests: string(d.Believed.Tests), Coverage: string(d.Believed.Coverage), Load: string(d.Believed.Load), Attestors: d.Believed.Attestors,
		},
		At: d.At, Until: d.Until, Permit: d.Permit, PermitUntil: d.PermitUntil, Assumed: d.Assumed,
		Engine: d.Engine, Contract: d.Contract, TZData: d.TZData, AgeHours: d.AgeHours, LoadAge: d.LoadAge,
	}
	if d.Observe != nil {
		w.Observe = &wire.Observed{By: d.Observe.By, Until: d.Observe.Until}
	}
	for _, r := range d.Reasons {
		w.Reasons = append(w.Reasons, wire.Reason{
			Gate: r.Gate, Title: r.Title, Code: r.Code, Severity: string(r.Severity), Verdict: string(r.Verdict), Why: r.Why,
			Observed: r.Observed, Required: r.Required, Controls: r.Controls, Owner: r.Owner, Lift: r.Lift, Next: r.Next,
			Until: r.Until, Where: wire.Place(r.Where),
		})
	}
	return w
}

func wireRelease(s release.State) wire.Release {
	w := wire.Release{
		ID: s.ID, Service: s.Service, Version: s.Version, Digest: s.Digest, Size: s.Size, ChangeType: s.ChangeType, Revision: s.Revision,
		Phase: string(s.Phase), OpenedBy: s.OpenedBy, Provenance: string(s.Provenance), OpenedAt: s.OpenedAt.Time(),
	}
	if c := s.Change; c != nil {
		w.Change = &wire.AttachedChange{
			Digest: c.Digest, Provenance: string(c.Provenance), By: c.By, At: c.At.Time(), From: c.Record.From, To: c.Record.To,
			Commits: c.Record.Commits, Contributors: len(c.Record.Contributors), FilesChanged: c.Record.FilesChanged,
			LinesAdded: c.Record.LinesAdded, LinesDeleted: c.Record.LinesDeleted, SemverStep: c.Record.SemverStep,
			ReleaseType: c.Record.ReleaseType, Breaking: c.Record.Breaking, Complete: c.Record.Complete,
		}
	}
	for environment, t := range s.Targets {
		if w.Targets == nil {
			w.Targets = map[string]wire.Target{}
		}
		target := wire.Target{Phase: string(t.Phase), Since: t.Since.Time(), Deployment: t.Deployment, Unauthorised: t.Unauthorised}
		if t.Standing != nil {
			target.Decision, target.Verdict, target.Permit, target.Until = t.Standing.Decision, string(t.Standing.Verdict), t.Standing.Permit, t.Standing.Until.Time()
		}
		w.Targets[environment] = target
	}
	for _, v := range s.Votes {
		w.Votes = append(w.Votes, wire.Vote{Person: v.Person, Environment: v.Environment, Subject: v.Subject, Answer: v.Answer, At: v.At.Time(), Withdrawn: v.Withdrawn})
	}
	return w
}

func wireChange(c change.Change) wire.Change {
	return wire.Change{
		From: c.From, To: c.To, FromRef: c.FromRef, ToRef: c.ToRef, Commits: c.Commits,
		Authors: wireIdentities(c.Authors), Committers: wireIdentities(c.Committers), CoAuthors: wireIdentities(c.CoAuthors),
		FilesChanged: c.FilesChanged, LinesAdded: c.LinesAdded, LinesDeleted: c.LinesDeleted, SemverStep: c.SemverStep, ReleaseType: c.ReleaseType,
		Reasons: c.Reasons, Breaking: c.Breaking, Reverts: c.Reverts, Subsystems: c.Subsystems, Components: c.Components, Elsewhere: c.Elsewhere, Migrations: c.Migrations, Dependencies: c.Dependencies,
		OnlyTests: c.OnlyTests, OnlyDocs: c.OnlyDocs, Signed: c.Signed, Signatures: wireSignatures(c.Signatures), Complete: c.Complete, Notes: c.Notes, CommitList: convertAll(c.CommitList, func(k change.CommitFact) wire.CommitFact { return wire.CommitFact(k) }), Digest: c.Content,
	}
}

func changeOf(w wire.Change) change.Change {
	return change.Change{
		From: w.From, To: w.To, FromRef: w.FromRef, ToRef: w.ToRef, Commits: w.Commits,
		Authors: identities(w.Authors), Committers: identities(w.Committers), CoAuthors: identities(w.CoAuthors),
		FilesChanged: w.FilesChanged, LinesAdded: w.LinesAdded, LinesDeleted: w.LinesDeleted, SemverStep: w.SemverStep, ReleaseType: w.ReleaseType,
		Reasons: w.Reasons, Breaking: w.Breaking, Reverts: w.Reverts, Subsystems: w.Subsystems, Components: w.Components, Elsewhere: w.Elsewhere, Migrations: w.Migrations, Dependencies: w.Dependencies,
		OnlyTests: w.OnlyTests, OnlyDocs: w.OnlyDocs, Signed: w.Signed, Signatures: signaturesOf(w.Signatures), Complete: w.Complete, Notes: w.Notes, CommitList: convertAll(w.CommitList, func(k wire.CommitFact) change.CommitFact { return change.CommitFact(k) }), Content: w.Digest,
	}
}

func wireSignatures(s *change.Signatures) *wire.Signatures {
	if s == nil {
		return nil
	}
	return &wire.Signatures{
		Verified: s.Verified, Bad: s.Bad, Unverifiable: s.Unverifiable, Unsigned: s.Unsigned,
		Keys: convertAll(s.Keys, func(k change.SigningKey) wire.SigningKey { return wire.SigningKey(k) }),
	}
}

func signaturesOf(w *wire.Signatures) *change.Signatures {
	if w == nil {
		return nil
	}
	return &change.Signatures{
		Verified: w.Verified, Bad: w.Bad, Unverifiable: w.Unverifiable, Unsigned: w.Unsigned,
		Keys: convertAll(w.Keys, func(k wire.SigningKey) change.SigningKey { return change.SigningKey(k) }),
	}
}

// convertAll keeps nil apart from empty.
func convertAll[A, B any](list []A, one func(A) B) []B {
	if list == nil {
		return nil
	}
	all := make([]B, len(list))
	for i, x := range list {
		all[i] = one(x)
	}
	return all
}

func wireIdentities(list []change.Identity) []wire.Identity {
	all := []wire.Identity{}
	for _, i := range list {
		all = append(all, wire.Identity(i))
	}
	return all
}

func identities(list []wire.Identity) []change.Identity {
	all := []change.Identity{}
	for _, i := range list {
		all = append(all, change.Identity(i))
	}
	return all
}

func wireLoad(l evidence.Load) *wire.Load {
	return &wire.Load{
		Requests: l.Requests, ErrorRate: l.ErrorRate, P50: l.P50, P95: l.P95, P99: l.P99, Mean: l.Mean,
		ThresholdsSet: l.Set, ThresholdsFailed: l.Failed, Seconds: l.Seconds, MoreParts: l.MoreParts,
		Parts: convertAll(l.Parts, func(p evidence.LoadPart) wire.LoadPart { return wire.LoadPart(p) }),
	}
}

func wireClaim(a evidence.Added) wire.Claim {
	w := wire.Claim{
		ID: a.ID, Service: a.Service, Version: a.Version, Digest: a.Digest, Label: a.Label, Kind: string(a.Claim.Kind), Format: a.Claim.Format,
		Tool: a.Claim.Tool.Name, Generated: a.Claim.Generated, Provenance: a.Provenance, File: a.File, Size: a.Size, At: a.At.Time(), Notes: a.Claim.Notes,
	}
	if f := a.Claim.Findings; f != nil {
		s := f.BySeverity
		w.Findings = &wire.Findings{Total: f.Total, Suppressed: f.Suppressed, Critical: s.Critical, High: s.High, Medium: s.Medium, Low: s.Low, Info: s.Info, Unrated: s.Unrated}
	}
	if t := a.Claim.Tests; t != nil {
		w.Tests = &wire.Tests{Total: t.Total, Passed: t.Passed, Failed: t.Failed, Errored: t.Errored, Skipped: t.Skipped}
	}
	if l := a.Claim.Load; l != nil {
		w.Load = wireLoad(*l)
	}
	if v := a.Claim.Coverage; v != nil {
		w.Coverage = &wire.Coverage{LineRate: v.LineRate, LinesCovered: v.LinesCovered, LinesValid: v.LinesValid, BranchRate: v.BranchRate}
	}
	return w
}

// attested is a claim with whose word it is, where it is an attestation.
func attested(a evidence.Added, said release.Attested) wire.Claim {
	w := wireClaim(a)
	v := a.Claim.Attestation
	if v == nil {
		return w
	}
	w.Attestation = &wire.Attestation{
		PredicateType: v.PredicateType, Builder: v.Builder, BuildType: v.BuildType, Source: v.Source, Ref: v.Ref, Commit: v.Commit, Invocation: v.Invocation,
		Started: v.Started, Finished: v.Finished, Materials: v.Materials, Subjects: v.SubjectCount, Signatures: v.Signatures, Result: v.Result, Levels: v.Levels,
		VerifiedBy: []wire.Attestor{}, NotVerified: said.Nobody[a.ID],
	}
	for _, word := range said.Words[a.ID] {
		w.Attestation.VerifiedBy = append(w.Attestation.VerifiedBy, wire.Attestor{Name: word.Attestor, Keys: word.Keys, SLSALevel: word.Level})
	}
	return w
}

func wireDeployment(d release.Deployment) wire.Deployment {
	return wire.Deployment{
		ID: d.ID, Release: d.Release, Service: d.Service, Version: d.Version, Digest: d.Digest, Environment: d.Environment, Permit: d.Permit,
		Authorised: d.Authorised, Code: d.Code, Provenance: string(d.Provenance), Run: d.Run, Status: d.Status, Reached: d.Reached,
		Started: d.Started.Time(), Ended: d.Ended.Time(),
	}
}

func wirePermit(p release.Permit, now time.Time) *wire.PermitState {
	state := "issued"
	switch {
	case p.Recalled != 0:
		state = "recalled"
	case p.Redeemed != 0:
		state = "redeemed"
	case event.MicrosOf(now) >= p.NotAfter:
		state = "expired"
	}
	return &wire.PermitState{
		ID: p.ID, Release: p.Release, Decision: p.Decision, Service: p.Service, Version: p.Version, Digest: p.Digest, Environment: p.Environment,
		NotBefore: p.NotBefore.Time(), NotAfter: p.NotAfter.Time(), State: state, Redeemed: p.Redeemed.Time(), Recalled: p.Recalled.Time(), Deployment: p.Deployment,
	}
}

func wireService(s catalog.Service) wire.Service {
	return wire.Service{
		ID: s.ID, Name: s.Name, Tier: s.Tier, Team: s.Team, Flags: s.Flags, DataClasses: s.DataClasses, Repository: s.Repository, DependsOn: s.DependsOn,
		Components: convertAll(s.Components, func(c catalog.Component) wire.Component { return wire.Component(c) }),
	}
}

// pageOf is a page of view as it goes over the line.
func pageOf[S, W any](p view.Page[view.Entry[S]], err error, each func(view.Entry[S]) W) (wire.Page[W], error) {
	page := wire.Page[W]{Items: []W{}, Next: p.Next, Stale: p.Stale}
	for _, e := range p.Items {
		page.Items = append(page.Items, each(e))
	}
	return page, err
}

// names is the printed names of persons by id; the ids may be subjects such as
// "person/<id>". Those disposed of are absent.
func (a *api) names(ctx context.Context, ids ...string) (map[string]string, error) {
	for i, id := range ids {
		ids[i] = personOf(id)
	}
	known, err := a.Views.Names(ctx, ids...)
	names := map[string]string{}
	for id, n := range known {
		names[id] = n.Name
	}
	return names, err
}

// personOf is the id in a subject "person/<id>"; of a machine or the server "".
func personOf(subject string) string {
	if id, is := strings.CutPrefix(subject, access.PersonNoun+"/"); is {
		return id
	}
	if strings.Contains(subject, "/") {
		return ""
	}
	return subject
}
