package release

import (
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/policy"
)

// inputs fills what policy may see, all but the approval and calendar
// sections: those depend on the type that policy chooses.
func (f *Facts) inputs(now time.Time) policy.Inputs {
	said := f.attested()
	findings, tests, coverage := said.raised(f.Artifact).Summary(now)
	in := policy.Inputs{
		Contract: policy.Contract, Now: now,
		Release: policy.Release{
			Known: f.Release.ID != "" || len(f.Assumed) > 0, Version: f.Release.Version, Digest: f.Release.Digest,
			Size: f.Release.Size, ChangeType: f.Release.ChangeType, RequestedBy: string(f.Release.Provenance), SubmittedAt: f.Release.Submitted.Time(),
			DeployedEarly: f.Release.target(f.Environment).Unauthorised,
		},
		Service:     f.service(),
		Environment: policy.Environment{Name: f.Environment},
		Change:      f.change(),
		Findings: policy.Findings{
			Known: findings.Known, Provenance: policy.Provenance(findings.Provenance), AgeHours: findings.AgeHours, Total: findings.Total,
			Critical: findings.Critical, High: findings.High, Medium: findings.Medium, Low: findings.Low, Info: findings.Info,
			Unrated: findings.Unrated, Suppressed: findings.Suppressed, Tools: findings.Tools,
		},
		Tests: policy.Tests{
			Known: tests.Known, Provenance: policy.Provenance(tests.Provenance), AgeHours: tests.AgeHours, Total: tests.Total,
			Passed: tests.Passed, Failed: tests.Failed, Errored: tests.Errored, Skipped: tests.Skipped,
		},
		Coverage: policy.Coverage{
			Known: coverage.Known, Provenance: policy.Provenance(coverage.Provenance), AgeHours: coverage.AgeHours, LineRate: coverage.LineRate,
			BranchRate: coverage.BranchRate, BranchKnown: coverage.BranchKnown, LinesCovered: coverage.LinesCovered, LinesValid: coverage.LinesValid,
		},
	}
	in.Load, in.Previous = f.load(said.raised(f.Artifact).Load(now), in.Change.Components), f.previous(now)
	in.Attestation = said.section(f.Artifact, f.Policy != nil && f.Policy.NeedsList("attestation"))
	if f.Place != nil {
		in.Environment = policy.Environment{Known: true, Name: f.Place.Name, Kind: f.Place.Kind, Region: f.Place.Region}
	}
	return in
}

func (f *Facts) service() policy.Service {
	s := policy.Service{Name: f.Release.Service, Flags: []string{}, DataClasses: []string{}}
	if f.Service == nil {
		return s
	}
	s.Known, s.Tier, s.Team = true, f.Service.Tier, f.Service.Team
	s.Flags, s.DataClasses = append(s.Flags, f.Service.Flags...), append(s.DataClasses, f.Service.DataClasses...)
	for _, p := range f.People {
		s.Owned = s.Owned || owns(p, f.Service.Team)
	}
	return s
}

func owns(p access.Person, team string) bool {
	if p.Departed {
		return false
	}
	for _, t := range p.Teams {
		if t == team {
			return true
		}
	}
	return false
}

func (f *Facts) change() policy.Change {
	a := f.Release.Change
	if a == nil {
		return policy.Change{SemverStep: change.Unknown}
	}
	persons := map[string]struct{}{}
	for _, pseudonym := range a.Record.Contributors {
		if id, known := f.Identities[pseudonym]; known {
			persons[id] = struct{}{}
		}
	}
	return policy.Change{
		Known: true, Provenance: a.Provenance, Complete: a.Record.Complete, Commits: a.Record.Commits, Head: a.Record.To,
		Contributors: len(persons), UnknownContributors: f.unknownContributors(),
		Files: a.Record.FilesChanged, LinesAdded: a.Record.LinesAdded, LinesDeleted: a.Record.LinesDeleted,
		SemverStep: a.Record.SemverStep, Breaking: a.Record.Breaking, Reverts: a.Record.Reverts,
		Migrations: a.Record.Migrations, Dependencies: a.Record.Dependencies,
		OnlyTests: a.Record.OnlyTests, OnlyDocs: a.Record.OnlyDocs, Components: a.Record.Components, Elsewhere: a.Record.Elsewhere, Signed: a.Record.Signed,
	}
}
