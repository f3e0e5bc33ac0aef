package control

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/state"
)

// then reads what a candidate reads one by one, as it stood when decisions were
// taken: out of the facts before each, and the files that they name by digest.
// For a candidate that reads no list it reads nothing.
type then struct {
	*Control
	needs     map[string]bool   // sections
	attestors []policy.Attestor // of the candidate
	facts     map[event.Stream][]event.Recorded
	findings  state.Memo[[]policy.Finding] // by digest of the claims
	commits   state.Memo[[]policy.Commit]  // by digest of the file
}

// keptStreams bounds what is kept of the history, for decisions that stand near
// each other are often about the same.
const keptStreams = 4096

func (c *Control) thenFor(candidate *policy.Program) *then {
	return &then{Control: c, needs: candidate.NeedsLists(), attestors: candidate.Attestors(), facts: map[event.Stream][]event.Recorded{}}
}

// prepare reads the facts that some decisions rested on. Afterwards they may be
// recalled, several at once.
func (t *then) prepare(ctx context.Context, recorded []release.Recorded) error {
	if len(t.facts) > keptStreams {
		clear(t.facts)
	}
	var releases, artifacts, people []event.Stream
	for _, r := range recorded {
		if t.needs["change"] || t.needs["approval"] {
			releases = append(releases, event.StreamOf(release.Noun, r.Decision.Release))
		}
		if stream, err := evidence.Stream(r.Decision.Digest); err == nil && (t.needs["findings"] || t.attested(r)) {
			artifacts = append(artifacts, stream)
		}
	}
	if err := t.read(ctx, releases, event.ReleaseOpened, event.ReleaseRevised, event.ChangeAttached, event.ApprovalVoted, event.ApprovalWithdrawn); err != nil {
		return err
	}
	if err := t.read(ctx, artifacts); err != nil || !t.needs["approval"] {
		return err
	}
	for _, stream := range releases {
		for _, f := range t.facts[stream] {
			if f.Kind != event.ApprovalVoted {
				continue
			}
			var v approval.Vote
			if err := f.Body(&v); err != nil {
				return err
			}
			people = append(people, event.StreamOf(access.PersonNoun, v.Person))
		}
	}
	return t.read(ctx, people)
}

// read reads facts of some kinds, all unless some are named, of streams whose
// facts are not there yet.
func (t *then) read(ctx context.Context, streams []event.Stream, kinds ...event.Kind) error {
	var missing []event.Stream
	for _, s := range streams {
		if _, found := t.facts[s]; !found {
			t.facts[s] = nil
			missing = append(missing, s)
		}
	}
	found, err := t.Journal.Histories(ctx, missing, kinds...)
	for s, facts := range found {
		t.facts[s] = facts
	}
	return err
}

// recall fills what stood when a decision was taken. A file that is gone or has
// rotten loses its list; any other failure is an error.
func (t *then) recall(ctx context.Context, r *release.Recorded) (err error) {
	r.Then.Lost = map[string]string{}
	if t.needs["change"] || t.needs["approval"] {
		stream := event.StreamOf(release.Noun, r.Decision.Release)
		if r.Then.Release, err = event.Past[release.State](release.Shape(), t.facts[stream], r.Position); err != nil {
			return fmt.Errorf("the release as it stood before %d: %w", r.Position, err)
		}
	}
	if t.attested(*r) {
		r.Then.Artifact, r.Then.Signed, err = t.recallAttestations(ctx, r)
		if err = lose(r, "attestation", err); err != nil {
			return err
		}
	}
	if t.needs["findings"] {
		r.Then.Lists.Findings, err = t.recallFindings(ctx, r)
		if err = lose(r, "findings", err); err != nil {
			return err
		}
	}
	if t.needs["change"] {
		r.Then.Lists.Commits, err = t.recallCommits(ctx, r)
		if err = lose(r, "change", err); err != nil {
			return err
		}
	}
	if t.needs["approval"] {
		r.Then.Voters, err = t.voters(r)
	}
	return err
}

// lose says why a list is not to be had; what is no matter of the bytes is an error.
func lose(r *release.Recorded, section string, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) || !slices.Contains([]fault.Kind{fault.NotFound, fault.Unverified, fault.Invalid, fault.TooLarge}, f.Kind) {
		return err
	}
	r.Then.Lost[section] = f.What
	return nil
}

func otherThan(what string) error {
	return fault.New(fault.Unverified, "replay.other", what+" on record is not what the decision rested on")
}

// attested reports whether what attestors say has to do with a decision, then or
// under the candidate.
func (t *then) attested(r release.Recorded) bool {
	b := r.Decision.Believed
	return len(t.attestors) > 0 || len(b.Attestors) > 0 || slices.Contains([]policy.Provenance{b.Findings, b.Tests, b.Coverage, b.Load}, policy.ByAttestor)
}

func (t *then) recallAttestations(ctx context.Context, r *release.Recorded) (evidence.Artifact, release.Signed, error) {
	stood, err := t.artifact(r)
	if err != nil {
		return stood, release.Signed{}, err
	}
	envelopes, err := t.envelopes(ctx, stood)
	for _, c := range stood.Claims {
		if _, there := envelopes[c.File]; err == nil && c.Claim.Attestation != nil && !there {
			err = fault.New(fault.NotFound, "replay.envelope", "an envelope is not in the vault any more")
		}
	}
	return stood, release.Certify(stood, envelopes, slices.Concat(t.attestors, r.Rules.Attestors), t.Bundles), err
}

// artifact is the claims as they stood when a decision was taken.
func (t *then) artifact(r *release.Recorded) (evidence.Artifact, error) {
	stream, err := evidence.Stream(r.Decision.Digest)
	if err != nil {
		return evidence.Artifact{}, err
	}
	stood, err := event.Past[evidence.Artifact](evidence.Shape(), t.facts[stream], r.Position)
	if err != nil {
		return stood, fmt.Errorf("the reports as they stood before %d: %w", r.Position, err)
	}
	if digest, err := stood.ContentDigest(nil); err != nil || digest != r.Decision.Evidence {
		return stood, otherThan("the evidence")
	}
	return stood, nil
}

func (t *then) recallFindings(ctx context.Context, r *release.Recorded) ([]policy.Finding, error) {
	return t.findings.Get(r.Decision.Evidence, func() ([]policy.Finding, error) {
		stood, err := t.artifact(r)
		if err != nil {
			return nil, err
		}
		return t.Control.findings(ctx, stood)
	})
}

func (t *then) recallCommits(ctx context.Context, r *release.Recorded) ([]policy.Commit, error) {
	attached := r.Then.Release.Change
	switch {
	case attached == nil && r.Decision.Change == "":
		return nil, nil
	case attached == nil || attached.Digest != r.Decision.Change:
		return nil, otherThan("the change")
	}
	file := attached.Record.CommitsFile
	return t.commits.Get(file, func() ([]policy.Commit, error) { return t.Control.commits(ctx, file) })
}

// voters are those who voted for the release before the decision.
func (t *then) voters(r *release.Recorded) (map[string]access.Person, error) {
	all := map[string]access.Person{}
	for _, v := range r.Then.Release.Votes {
		p, err := event.Past[access.Person](access.PersonShape(), t.facts[event.StreamOf(access.PersonNoun, v.Person)], r.Position)
		if err != nil {
			return nil, fmt.Errorf("the voters as they stood before %d: %w", r.Position, err)
		}
		if p.ID != "" && !p.Departed {
			all[v.Person] = p
		}
	}
	return all, nil
}
