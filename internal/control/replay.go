package control

import (
	"context"
	"encoding/hex"
	"fmt"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/activation"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
)

// ReplayRequest asks what a bundle would have answered. What it finds is told
// as it goes, in the order of the journal; nothing is recorded.
type ReplayRequest struct {
	Files    []policy.File
	Since    time.Time // zero: from the first decision on
	Progress func(done, total uint64) error
	Flip     func(Flipped) error // every decision that is not the same
}

// Flipped is a decision that the candidate would have answered otherwise, and
// how the release turned out.
type Flipped struct {
	release.Flip
	Ending release.Ending
}

// Replayed is what a replay found, summed up.
type Replayed struct {
	Candidate string // digest of the bundle
	Name      string
	Version   string
	*release.Tally
}

// replayFacts is how many facts are read and decided at once: it bounds the
// memory of a replay, at some 32 KiB a fact, whatever the length of the history.
const replayFacts = 512

// Replay decides the recorded history again under a bundle that need not be
// active, nor pass its tests. It takes all cores.
func (c *Control) Replay(ctx context.Context, r Request, q ReplayRequest) (Replayed, error) {
	if err := r.Actor.May(access.Policy); err != nil {
		return Replayed{}, err
	}
	candidate, err := Compiled(q.Files)
	if err != nil {
		return Replayed{}, err
	}
	done := Replayed{Candidate: candidate.Digest(), Name: candidate.Policy().Name, Version: candidate.Policy().Version, Tally: &release.Tally{}}
	bundles, err := c.bundles(ctx)
	if err != nil {
		return done, err
	}
	w := replaying{Control: c, ctx: ctx, q: q, candidate: candidate, bundles: bundles, rules: map[[2]string]release.Rules{}, tally: done.Tally, then: c.thenFor(candidate)}
	return done, w.run()
}

// bundles are all activations there ever were, by digest of the bundle.
func (c *Control) bundles(ctx context.Context) (map[string]activation.Entry, error) {
	facts, err := c.Journal.History(ctx, activation.Stream)
	if err != nil {
		return nil, err
	}
	all := map[string]activation.Entry{}
	for _, f := range facts {
		a, err := activation.Of(f)
		if err != nil {
			return nil, err
		}
		if !a.Off {
			all[a.Digest] = a
		}
	}
	return all, nil
}

// replaying is one replay under way.
type replaying struct {
	*Control
	ctx       context.Context
	q         ReplayRequest
	candidate *policy.Program
	bundles   map[string]activation.Entry
	rules     map[[2]string]release.Rules // by digest of the bundle and release type
	old       programs
	tally     *release.Tally
	then      *then
}

// page is facts read ahead.
type page struct {
	facts []event.Recorded
	err   error
}

func (w *replaying) run() error {
	size, err := w.Journal.Size(w.ctx)
	if err != nil {
		return err
	}
	first, err := w.first(size)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	pages := make(chan page, 1)
	go w.read(ctx, pages, first, size)
	for p := range pages {
		if p.err != nil {
			return p.err
		}
		if err := w.page(p.facts); err != nil {
			return err
		}
		if err := w.q.Progress(p.facts[len(p.facts)-1].Position+1-first, size-first); err != nil {
			return err
		}
	}
	return w.ctx.Err()
}

// first is the position of the first fact that is not before Since.
func (w *replaying) first(size uint64) (uint64, error) {
	if w.q.Since.IsZero() {
		return 0, nil
	}
	since := event.MicrosOf(w.q.Since)
	var failed error
	at := sort.Search(int(size), func(i int) bool {
		f, err := w.Journal.Fact(w.ctx, uint64(i))
		if err != nil {
			failed = err
		}
		return f.Time >= since
	})
	return uint64(at), failed
}

// read reads the facts of [from, size) ahead of those that decide.
func (w *replaying) read(ctx context.Context, to chan<- page, from, size uint64) {
	defer close(to)
	for from < size {
		facts, err := w.Journal.Facts(ctx, from, int(min(replayFacts, size-from)))
		if err == nil && len(facts) == 0 {
			err = fmt.Errorf("replay: the journal has no fact at %d", from)
		}
		select {
		case to <- page{facts, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
		from += uint64(len(facts))
	}
}

// page decides the decisions among some facts again, and tells them in order.
func (w *replaying) page(facts []event.Recorded) error {
	var decided []event.Recorded
	for _, f := range facts {
		if f.Kind == event.Decided {
			decided = append(decided, f)
		}
	}
	recorded := make([]release.Recorded, len(decided))
	if err := parallel(len(decided), func(i int) error {
		recorded[i].Position = decided[i].Position
		return decided[i].Body(&recorded[i].Decision)
	}); err != nil {
		return err
	}
	if err := w.ground(recorded); err != nil {
		return err
	}
	flips := make([]release.Flip, len(recorded))
	if err := parallel(len(recorded), func(i int) error {
		r := recorded[i]
		if err := w.then.recall(w.ctx, &r); err != nil { // into a copy: lists may be long
			return err
		}
		flips[i] = release.Replay(r, w.candidate)
		return w.ctx.Err()
	}); err != nil {
		return err
	}
	return w.tell(flips)
}

// ground fills what decisions rested on, and what their bundles asked for.
func (w *replaying) ground(recorded []release.Recorded) error {
	digests := make([][32]byte, len(recorded))
	for i, r := range recorded {
		if _, err := hex.Decode(digests[i][:], []byte(strings.TrimPrefix(r.Decision.Basis, "sha256:"))); err != nil {
			return fmt.Errorf("basis of decision %s: %w", r.Decision.ID, err)
		}
	}
	parts, err := w.Journal.Parts(w.ctx, digests)
	if err != nil {
		return err
	}
	for i := range recorded {
		recorded[i].Basis = parts[digests[i]]
		if recorded[i].Rules, err = w.ruled(recorded[i].Decision); err != nil {
			return err
		}
	}
	return w.then.prepare(w.ctx, recorded)
}

// ruled is what the bundle of a decision's day asked for. One that this version
// cannot read any more is not known.
func (w *replaying) ruled(d release.Decision) (release.Rules, error) {
	key := [2]string{d.Policy, d.Type}
	if known, found := w.rules[key]; found {
		return known, nil
	}
	var rules release.Rules
	if a, found := w.bundles[d.Policy]; found {
		program, err := w.old.get(d.Policy, func() (*policy.Program, error) { return w.compile(w.ctx, a) })
		if w.ctx.Err() != nil {
			return rules, w.ctx.Err()
		}
		if err != nil {
			w.Log.Warn("a bundle of the history cannot be read", "digest", d.Policy, "error", err)
		} else {
			rules = release.RulesOf(program, d.Type)
		}
	}
	w.rules[key] = rules
	return rules, nil
}

// tell counts decisions, and tells of those that flip.
func (w *replaying) tell(flips []release.Flip) error {
	var turned []Flipped
	for _, f := range flips {
		w.tally.Add(f)
		if f.Effect != release.Same {
			turned = append(turned, Flipped{Flip: f, Ending: release.Unknown})
		}
	}
	if len(turned) == 0 {
		return nil
	}
	if _, err := view(w.ctx, w.Control, func(l *Load) (bool, error) { return true, ended(l, turned) }); err != nil {
		return err
	}
	for _, f := range turned {
		if err := w.q.Flip(f); err != nil {
			return err
		}
	}
	return nil
}

// ended fills how releases turned out. Deployments are looked up only for those
// releases of which one is known to have begun.
func ended(l *Load, turned []Flipped) error {
	states := map[string]release.State{}
	var streams []event.Stream
	for _, f := range turned {
		if _, twice := states[f.Release]; !twice {
			states[f.Release] = release.State{}
			streams = append(streams, event.StreamOf(release.Noun, f.Release))
		}
	}
	all, err := peekEach[release.State](l, streams)
	if err != nil {
		return err
	}
	for i, s := range all {
		states[streams[i].ID()] = s
	}
	begun := map[string][]release.Deployment{}
	for i, f := range turned {
		s := states[f.Release]
		if t := s.Target(f.Environment); t.Deployment == "" && !t.Unauthorised {
			continue
		}
		if _, found := begun[f.Release]; !found {
			if begun[f.Release], err = peekAll[release.Deployment](l, release.DeploymentOfRelease, f.Release); err != nil {
				return err
			}
		}
		turned[i].Ending = s.Ended(f.Environment, begun[f.Release], f.At)
	}
	return nil
}

// parallel runs fn for 0 to n-1 on all cores, and returns one of the errors.
func parallel(n int, fn func(i int) error) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var running sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		running.Go(func() {
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := fn(i); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	running.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
