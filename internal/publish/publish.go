// Package publish brings the journal's checkpoints to those who hold it to
// them: witnesses that cosign, and places out of its reach.
//
// It knows what is due where, what went wrong there, and what it means when one
// of them has seen another journal; it leaves the protocol to witness and the
// laying down to anchor. Its invariants: nothing here ever makes an append
// wait; and a journal that is behind what one of them has, or another than that,
// takes no more facts, on every replica.
package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/health"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/verify"
	"signalbox.dev/signalbox/internal/witness"
)

// Times of publishing. Once more is asked again although nothing is new, so
// that a cosignature is never much older, and a database that was put back
// under a running server is found.
const (
	tryTime   = 20 * time.Second // of one try
	askTime   = 5 * time.Second  // of all witnesses together, at a start
	leaseTime = time.Minute
	look      = time.Second // how often what is due is looked for
	onceMore  = 10 * time.Minute
	mostPause = time.Minute // between tries that fail
	gather    = 15 * time.Second
	watchTime = 2 * time.Second
)

// Witness cosigns checkpoints.
type Witness interface {
	Name() string
	Add(ctx context.Context, old uint64, proof []tlog.Hash, checkpoint []byte) (line string, at time.Time, err error)
}

// Place keeps checkpoints. Newest is nil where it has none.
type Place interface {
	Newest(ctx context.Context) ([]byte, error)
	Publish(ctx context.Context, size uint64, note []byte) error
}

// Options say what is published where.
type Options struct {
	Journal   *journal.Journal
	DB        *store.DB
	Keys      func(context.Context) (verify.Keys, error) // the journal's own, as they stand
	Witnesses []Witness
	Quorum    int              // so many of them make a checkpoint witnessed
	Places    map[string]Place // by what they are, such as folder
	Every     time.Duration    // from one checkpoint to the next in a place; witnesses get each
	Log       *slog.Logger
}

// Publisher publishes for one process. Of several processes one at a time
// speaks to each witness and place; all heed what they have shown.
type Publisher struct {
	o       Options
	holder  string // our name in leases
	targets []*target
}

// target is one witness or place.
type target struct {
	name string // of its row and lease
	what string // for messages
	sent func(ctx context.Context, row row, c checkpoint) error
	pace time.Duration
	late bool // waits a little for cosignatures

	fails int    // in a row
	first uint64 // size of the checkpoint that is waited with
	since time.Time
}

// checkpoint is the journal's newest, as signed.
type checkpoint struct {
	verify.Head
	note string
}

// New is a publisher that has not begun.
func New(o Options) *Publisher {
	p := &Publisher{o: o, holder: uuid.NewString()}
	for _, w := range o.Witnesses {
		p.targets = append(p.targets, &target{name: "witness/" + w.Name(), what: "the witness " + w.Name(), sent: func(ctx context.Context, r row, c checkpoint) error {
			return p.cosign(ctx, w, r.size, c)
		}})
	}
	for name, place := range o.Places {
		p.targets = append(p.targets, &target{name: "place/" + name, what: "the " + name + " of checkpoints", pace: o.Every, late: true, sent: func(ctx context.Context, _ row, c checkpoint) error {
			return p.lay(ctx, name, place, c)
		}})
	}
	return p
}

// Ask compares the journal with what every witness and place has, for at most
// five seconds, before the first append: a journal behind one of them is
// refused at once. Who does not answer is asked again by Run.
func (p *Publisher) Ask(ctx context.Context) error {
	c, err := p.newest(ctx)
	if err != nil || c.Size == 0 {
		return err
	}
	short, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	var all sync.WaitGroup
	for _, t := range p.targets {
		all.Go(func() { _ = p.try(short, t, c) }) // what fails stands in its row
	}
	all.Wait()
	return p.heed(ctx)
}

// Run publishes until ctx ends.
func (p *Publisher) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, t := range p.targets {
		all.Go(func() { p.keep(ctx, t) })
	}
	all.Go(func() {
		reading := health.Outage{Log: p.o.Log, Level: slog.LevelWarn, Fault: "what witnesses have shown cannot be read; trying on", Over: "what witnesses have shown is read again"}
		for ctx.Err() == nil {
			if err := p.heed(ctx); ctx.Err() == nil {
				reading.Note(ctx, err)
			}
			sleep(ctx, watchTime)
		}
	})
	all.Wait()
	return ctx.Err()
}

func (p *Publisher) keep(ctx context.Context, t *target) {
	lease := "publish/" + t.name
	defer func() { _ = p.o.DB.Release(context.WithoutCancel(ctx), lease, p.holder) }()
	for ctx.Err() == nil {
		sleep(ctx, t.pause())
		c, due, err := p.due(ctx, t)
		if err == nil && due {
			var held bool
			if held, err = p.o.DB.Acquire(ctx, lease, p.holder, leaseTime); err == nil && held {
				err = p.try(ctx, t, c)
			}
		}
		switch {
		case ctx.Err() != nil:
		case err != nil:
			if t.fails++; t.fails == 1 || t.fails%10 == 0 {
				p.o.Log.Warn("a checkpoint was not published; trying on", "to", t.name, "failures", t.fails, "error", err)
			}
		case due:
			t.fails = 0
		}
	}
}

// pause is a second, and doubles with each failure up to a minute, half of it by chance.
func (t *target) pause() time.Duration {
	d := min(look<<min(t.fails, 10), mostPause)
	return d/2 + rand.N(d/2+1)
}

// due reports whether the newest checkpoint is to be sent now.
func (p *Publisher) due(ctx context.Context, t *target) (checkpoint, bool, error) {
	c, err := p.newest(ctx)
	if err != nil || c.Size == 0 {
		return c, false, err
	}
	row, now, err := p.row(ctx, t.name)
	if err != nil {
		return c, false, err
	}
	if row.failure == "" && (row.size == c.Size && now.Sub(row.time) < onceMore || row.size > 0 && now.Sub(row.time) < t.pace) {
		return c, false, nil
	}
	if t.first != c.Size {
		t.first, t.since = c.Size, now
	}
	if t.late && journal.Cosignatures(c.note) < p.o.Quorum && now.Sub(t.since) < gather {
		return c, false, nil
	}
	return c, true, nil
}

// try sends a checkpoint and writes down what came of it.
func (p *Publisher) try(ctx context.Context, t *target, c checkpoint) error {
	row, _, err := p.row(ctx, t.name)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	failed := t.sent(limited, row, c)
	if failed != nil && limited.Err() != nil && fault.KindOf(failed) == fault.Internal {
		failed = fault.New(fault.Unavailable, "publish.slow", t.what+" did not answer in time").Cause(failed)
	}
	if err := p.record(context.WithoutCancel(ctx), t.name, c.Size, failed); err != nil {
		return errors.Join(failed, err)
	}
	return failed
}

// newest is the newest checkpoint; the zero one where nothing is signed yet.
func (p *Publisher) newest(ctx context.Context) (checkpoint, error) {
	text, err := p.o.Journal.Checkpoint(ctx)
	if fault.KindOf(err) == fault.NotFound && err != nil {
		return checkpoint{}, nil
	}
	if err != nil {
		return checkpoint{}, err
	}
	keys, err := p.o.Keys(ctx)
	if err != nil {
		return checkpoint{}, err
	}
	head, err := verify.Checkpoint([]byte(text), keys)
	return checkpoint{head, text}, err
}

// cosign has a witness cosign a checkpoint and keeps the line. The old size is
// what the witness is believed to have, and then what it says that it has.
func (p *Publisher) cosign(ctx context.Context, w Witness, old uint64, c checkpoint) error {
	for range 4 {
		var proof []tlog.Hash
		if old > c.Size {
			old = 0 // to ask
		}
		if old > 0 && old < c.Size {
			var err error
			if proof, err = p.o.Journal.ProveGrowth(ctx, old, c.Size); err != nil {
				return err
			}
		}
		line, _, err := w.Add(ctx, old, proof, []byte(c.note))
		var conflict *witness.Conflict
		switch {
		case err == nil:
			return p.o.Journal.Cosign(ctx, c.Size, line)
		case errors.Is(err, witness.ErrOtherHistory):
			return other("the witness "+w.Name(), c.Size)
		case !errors.As(err, &conflict):
			return err
		}
		if old = conflict.Size; old > c.Size {
			// Another replica may have signed meanwhile. Whatever a witness has was durable here first.
			if c, err = p.newest(ctx); err != nil {
				return err
			}
			if old > c.Size {
				return behind("the witness "+w.Name(), old, c.Size)
			}
		}
	}
	return fault.New(fault.Busy, "publish.racing", "the witness "+w.Name()+" was always further than it had said")
}

// lay lays a checkpoint down, unless the place shows that the journal is not what it was.
func (p *Publisher) lay(ctx context.Context, name string, place Place, c checkpoint) error {
	what := "the " + name + " of checkpoints"
	note, err := place.Newest(ctx)
	if err != nil {
		return err
	}
	if note != nil {
		keys, err := p.o.Keys(ctx)
		if err != nil {
			return err
		}
		there, err := verify.Checkpoint(note, keys)
		if err != nil || there.Origin != c.Origin {
			return fault.New(fault.Conflict, "publish.foreign", what+" ends with what no key of this journal has signed").Cause(err).
				Because("it is another journal's, or it was changed").Remedy("give each journal a place of its own; if it has one, keep it as it is and find out who wrote there")
		}
		if there.Size > c.Size {
			if c, err = p.newest(ctx); err != nil {
				return err
			}
		}
		if there.Size > c.Size {
			return behind(what, there.Size, c.Size)
		}
		root, err := p.o.Journal.TreeHash(ctx, there.Size)
		if err != nil {
			return err
		}
		if root != there.Root {
			return other(what, there.Size)
		}
		if there.Size == c.Size {
			return nil
		}
	}
	return place.Publish(ctx, c.Size, []byte(c.note))
}

// Codes of what stops the journal.
const (
	codeBehind = "journal.rolled-back"
	codeOther  = "journal.other-history"
)

func behind(who string, theirs, ours uint64) error {
	return shown(codeBehind, fmt.Sprintf("%s has a checkpoint of %d facts, and the newest here is of %d", who, theirs, ours))
}

func other(who string, size uint64) error {
	return shown(codeOther, fmt.Sprintf("%s has seen another history than the one of %d facts here", who, size))
}

// shown is the fault that refuses every append.
func shown(code, why string) *fault.Error {
	what := "facts that were recorded are missing: the database was put back to an earlier state"
	if code == codeOther {
		what = "the journal is not the one that was published"
	}
	return fault.New(fault.Unverified, code, what).Because(why).
		Remedy("stop every replica, keep this database as it is, and start with the newest copy of the database that has those facts; " +
			"if there is none, see what the guide on witnesses says of restoring")
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
