package control

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
)

// ReleaseRequest names a release, and declares what its opener knows of it.
type ReleaseRequest struct {
	Service, Version, Digest string
	Size, ChangeType         string
	Draft                    bool
}

// OpenRelease opens a release; the same service, version and digest again is
// the same release, as it stands.
func (c *Control) OpenRelease(ctx context.Context, r Request, q ReleaseRequest) (release.State, error) {
	return do(ctx, c, r, q, func(l *Load) ([]event.Draft, release.State, error) {
		return c.open(l, r.Actor, q)
	})
}

func (c *Control) open(l *Load, a access.Actor, q ReleaseRequest) ([]event.Draft, release.State, error) {
	var none release.State
	if err := a.May(access.Open); err != nil {
		return nil, none, err
	}
	if err := a.MaySpeakFor(q.Service); err != nil {
		return nil, none, err
	}
	stands, known, err := hinted(l, &c.releases, release.Of, release.Name(q.Service, q.Version, q.Digest), func(s release.State) (string, []event.Stream) {
		return release.Name(s.Service, s.Version, s.Digest), []event.Stream{event.StreamOf(release.Noun, s.ID)}
	})
	if err != nil || known {
		return nil, stands, err
	}
	o := release.Opened{
		ID: NewID(), Service: q.Service, Version: q.Version, Digest: q.Digest, Size: q.Size, ChangeType: q.ChangeType,
		Phase: release.Submitted, Provenance: policy.Provenance(a.Provenance),
	}
	if o.Submitted = event.MicrosOf(l.Now); q.Draft {
		o.Phase, o.Submitted = release.Draft, 0
	}
	drafts, err := release.Open(o)
	return drafts, release.State{
		ID: o.ID, Service: o.Service, Version: o.Version, Digest: o.Digest, Size: o.Size, ChangeType: o.ChangeType,
		Revision: 1, Phase: o.Phase, OpenedBy: a.Subject, Provenance: o.Provenance, OpenedAt: event.MicrosOf(l.Now), Submitted: o.Submitted,
	}, err
}

// known is a release by id.
func known(l *Load, id string) (release.State, error) {
	s, err := read[release.State](l, event.StreamOf(release.Noun, id))
	if err == nil && s.ID == "" {
		err = fault.New(fault.NotFound, "release.unknown", "there is no release "+id).Remedy("signalbox release list shows those there are")
	}
	return s, err
}

// Release is a release as it stands.
func (c *Control) Release(ctx context.Context, id string) (release.State, error) {
	return view(ctx, c, func(l *Load) (release.State, error) { return known(l, id) })
}

// amend runs a command on one release that takes a right, and answers the
// release as it stood before.
func (c *Control) amend(ctx context.Context, r Request, right access.Right, id string, content any, fn func(l *Load, s release.State) ([]event.Draft, error)) error {
	_, err := do(ctx, c, r, []any{id, content}, func(l *Load) ([]event.Draft, string, error) {
		if err := r.Actor.May(right); err != nil {
			return nil, "", err
		}
		s, err := known(l, id)
		if err != nil {
			return nil, "", err
		}
		if err := r.Actor.MaySpeakFor(s.Service); err != nil {
			return nil, "", err
		}
		drafts, err := fn(l, s)
		return drafts, s.ID, err
	})
	return err
}

// ReviseRelease declares size or change type anew.
func (c *Control) ReviseRelease(ctx context.Context, r Request, id, size, changeType string) error {
	return c.amend(ctx, r, access.Open, id, [2]string{size, changeType}, func(_ *Load, s release.State) ([]event.Draft, error) {
		return s.Revise(size, changeType)
	})
}

// MoveRelease takes a release to another phase by hand.
func (c *Control) MoveRelease(ctx context.Context, r Request, id, environment string, to release.Phase, reason string) error {
	right := access.Move
	if to == release.Submitted || to == release.Withdrawn {
		right = access.Open
	}
	return c.amend(ctx, r, right, id, []string{environment, string(to), reason}, func(_ *Load, s release.State) ([]event.Draft, error) {
		return s.Move(environment, to, reason)
	})
}

// AttachChange says what a release contains, on the word of whoever sends it.
func (c *Control) AttachChange(ctx context.Context, r Request, id string, ch change.Change) error {
	return c.attach(ctx, r, id, ch, policy.Provenance(r.Actor.Provenance))
}

func (c *Control) attach(ctx context.Context, r Request, id string, ch change.Change, p policy.Provenance) error {
	if err := r.Actor.May(access.Open); err != nil {
		return err
	}
	if err := ch.Check(); err != nil {
		return err
	}
	record, private := ch.Record(c.Keys.Pseudonym)
	if ch.CommitList != nil {
		b, err := json.Marshal(ch.CommitList)
		if err != nil {
			return fmt.Errorf("encode the commits of the change: %w", err)
		}
		if record.CommitsFile, _, err = c.Vault.Put(ctx, bytes.NewReader(b)); err != nil {
			return err
		}
	}
	return c.amend(ctx, r, access.Open, id, []any{ch.Digest(), p}, func(_ *Load, s release.State) ([]event.Draft, error) {
		return s.Attach(record, ch.Digest(), private, p)
	})
}
