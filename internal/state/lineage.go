package state

import (
	"context"
	"fmt"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

// Lineages is where the facts of streams stand, as an index has found them: an
// index that has rotted may hide some.
type Lineages map[event.Stream][]place

// place is where a fact stands in the journal and in its stream.
type place struct{ position, version uint64 }

// Add takes the next fact of a stream.
func (l Lineages) Add(f event.Recorded) {
	l[f.Stream] = append(l[f.Stream], place{f.Position, f.Version})
}

// Order is the journal in its order: how many facts, and some, one at least, from a
// position on.
type Order struct {
	Size uint64
	Page func(from uint64) ([]event.Recorded, error)
}

// Whole checks that each version of each stream, up to the one that its state has,
// is that of a fact that was found, or of a fact of another stream that touched
// this one. Sets have versions and no facts. Errors: fault Unverified, with the
// position where the fact is known.
func (l Lineages) Whole(ctx context.Context, tx *store.Tx, streams []event.Stream, all Order) error {
	versions, err := versions(ctx, tx, streams)
	if err != nil {
		return err
	}
	for _, stream := range streams {
		if stream.Noun() == SetNoun {
			continue
		}
		due := place{0, 1}
		for _, next := range append(l[stream], place{all.Size, versions[stream] + 1}) {
			if err := all.explain(stream, due, next); err != nil {
				return err
			}
			due = place{next.position + 1, next.version + 1}
		}
	}
	return nil
}

// explain checks that all versions from due on and below next are those of touches
// at the positions between. There are hardly ever any, and nothing is read.
func (o Order) explain(stream event.Stream, due, next place) error {
	broken := func(format string, args ...any) error {
		return fault.New(fault.Unverified, "state.history", fmt.Sprintf("the history of %s is not whole", stream)).
			Because(fmt.Sprintf(format, args...)).
			Remedy("stop the server, check the disk, and restore a backup; signalbox rebuild --check lists what has changed")
	}
	for due.version < next.version && due.position < next.position {
		facts, err := o.Page(due.position)
		if err != nil {
			return err
		}
		for _, f := range facts[:min(uint64(len(facts)), next.position-due.position)] {
			if f.Stream == stream {
				return broken("the index of streams does not have its fact at position %d", f.Position)
			}
			for _, t := range f.Touches {
				if t.Stream == stream && t.Version == due.version {
					due.version++
				}
			}
		}
		due.position += uint64(len(facts))
	}
	if due.version != next.version {
		return broken("before position %d version %d is due, and not %d", next.position, due.version, next.version)
	}
	return nil
}
