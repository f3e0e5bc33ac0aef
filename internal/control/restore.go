package control

import (
	"context"
	"io"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
)

// Restoration is a restore of the journal, and how far it has been recorded.
type Restoration = journal.Restoration

// Backup hands a backup to w while the installation goes on. It has the names
// of people in it and the hashes of their tokens, so it takes both rights.
func (c *Control) Backup(ctx context.Context, r Request, take func(context.Context, io.Writer) error, w io.Writer) error {
	for _, right := range []access.Right{access.Operate, access.Export} {
		if err := r.Actor.May(right); err != nil {
			return err
		}
	}
	c.Log.Info("a backup is taken", "by", r.Actor.Subject)
	return take(ctx, w)
}

// Restoration is the newest restore. Errors: fault NotFound where there never was one.
func (c *Control) Restoration(ctx context.Context, r Request) (Restoration, error) {
	if err := r.Actor.May(access.Read); err != nil {
		return Restoration{}, err
	}
	found, err := c.Journal.Restoration(ctx)
	if err != nil || found == nil {
		return Restoration{}, orNever(err)
	}
	return *found, nil
}

func orNever(err error) error {
	if err != nil {
		return err
	}
	return fault.New(fault.NotFound, "restore.never", "this journal was never restored")
}

// ProposeRestore records why the journal was restored, by one person.
func (c *Control) ProposeRestore(ctx context.Context, r Request, reason string) (Restoration, error) {
	if err := r.Actor.May(access.Operate); err != nil {
		return Restoration{}, err
	}
	return c.restoring(ctx, r, reason, func(_ *Load, found Restoration) ([]event.Draft, error) {
		return found.Propose(c.Journal.Stream(), r.Actor.Subject, reason)
	})
}

// ConfirmRestore confirms the proposal at a position, by another person: an
// administrator or an auditor. With it the journal takes facts again.
func (c *Control) ConfirmRestore(ctx context.Context, r Request, proposal uint64) (Restoration, error) {
	if r.Actor.May(access.Operate) != nil {
		if err := r.Actor.May(access.Export); err != nil {
			return Restoration{}, err
		}
	}
	return c.restoring(ctx, r, proposal, func(l *Load, found Restoration) ([]event.Draft, error) {
		if found.Proposal != 0 {
			may, err := l.mayStill(event.Stream(found.Proposer), access.Operate)
			if err != nil {
				return nil, err
			}
			if !may {
				return nil, found.ProposerGone()
			}
		}
		return found.Confirm(c.Journal.Stream(), r.Actor.Subject, proposal)
	})
}

// restoring records a step of a restore, and is the restore as it then stands.
func (c *Control) restoring(ctx context.Context, r Request, content any, step func(*Load, Restoration) ([]event.Draft, error)) (Restoration, error) {
	_, err := do(ctx, c, r, content, func(l *Load) ([]event.Draft, struct{}, error) {
		if err := l.load(c.Journal.Stream()); err != nil {
			return nil, struct{}{}, err
		}
		found, err := l.from.Restoration(l.ctx)
		if err != nil || found == nil {
			return nil, struct{}{}, orNever(err)
		}
		drafts, err := step(l, *found)
		return drafts, struct{}{}, err
	})
	if err != nil {
		return Restoration{}, err
	}
	return c.Restoration(ctx, r)
}
