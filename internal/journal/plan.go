package journal

import (
	"context"
	"encoding/json"
	"fmt"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/state"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/trust"
)

// plan is what a transaction will write: which commands of a batch are
// accepted, and their facts. It is worked out in memory; commands later in the
// batch see the effects of earlier ones, and one that is refused fails alone.
type plan struct {
	head    head
	now     event.Micros
	batch   []*job
	used    map[string]stored // rows of commands recorded before
	streams *state.Batch
	views   map[string]ViewStatus
	careful bool // views fold behind savepoints
	folding bool // views have begun to fold without
	lagging bool // a view was not folded

	facts    []event.Recorded
	results  []result
	accepted []bool
	mine     map[string]stored // accepted in this plan, by id
	traces   *tracing          // once the facts are written
}

// load takes the head and reads what the commands of a batch name, in one round
// trip.
func (j *Journal) load(ctx context.Context, tx *store.Tx, batch []*job) (*plan, error) {
	p := &plan{batch: batch, used: map[string]stored{}, views: map[string]ViewStatus{}}
	var ids []any
	var streams []event.Stream
	for _, w := range batch {
		if !w.minted {
			ids = append(ids, w.ID)
		}
		streams = append(streams, w.streams()...)
	}
	streams = append(streams, trust.StreamOf(trust.ForJournal)) // who signs the receipts
	if err := askHead(ctx, tx, &p.head); err != nil {
		return nil, err
	}
	if err := askCommands(ctx, tx, p.used, ids); err != nil {
		return nil, err
	}
	asked, err := j.states.Ask(ctx, tx, streams)
	if err != nil {
		return nil, err
	}
	if len(j.folders) > 0 {
		if err := askViews(ctx, tx, p.views); err != nil {
			return nil, err
		}
	}
	if err := tx.Answers(ctx); err != nil {
		return nil, fmt.Errorf("take the journal's head: %w", err)
	}
	if err := p.head.held(ctx, tx); err != nil {
		return nil, err
	}
	p.now = j.stamp(p.head)
	p.streams = asked.Batch(ctx, tx)
	return p, nil
}

// complete plans what was loaded until every guess about unique keys has proved right.
func (p *plan) complete(ctx context.Context, tx *store.Tx) error {
	for {
		p.streams.Restart()
		p.run()
		if right, err := p.streams.Resolve(ctx, tx); err != nil || right {
			return err
		}
	}
}

// run plans the commands from the first.
func (p *plan) run() {
	p.facts, p.mine = nil, map[string]stored{}
	p.results, p.accepted = make([]result, len(p.batch)), make([]bool, len(p.batch))
	for i, w := range p.batch {
		p.results[i].receipt, p.accepted[i], p.results[i].err = p.command(w)
	}
}

// command plans one command; accepted means that it is to be written.
func (p *plan) command(w *job) (r Receipt, accepted bool, err error) {
	for _, before := range []map[string]stored{p.used, p.mine} {
		if s, ok := before[w.ID]; ok {
			r, err = s.repeat(w.Command)
			return r, false, err
		}
	}
	if err := p.streams.Check(w.streams()); err != nil {
		return r, false, err
	}
	if err := w.stale(p.streams.Version); err != nil {
		return r, false, err
	}
	trial, facts := p.streams.Try(), p.facts
	for _, e := range w.facts {
		f, err := p.record(w, trial, e)
		if err != nil {
			p.facts = facts
			return r, false, err
		}
		p.facts = append(p.facts, f)
	}
	if err := trial.Keep(); err != nil {
		p.facts = facts
		return r, false, err
	}
	for i := len(facts); i < len(p.facts); i++ {
		p.facts[i].Folded, _ = p.streams.State(p.facts[i].Stream)
	}
	r = Receipt{Command: w.ID, First: p.next() - uint64(len(w.facts)), Next: p.next(), Time: p.now, Result: w.Result}
	p.mine[w.ID] = stored{Receipt: r, request: w.Request[:]}
	return r, true, nil
}

// record makes a fact of a draft: its header, at the next position.
func (p *plan) record(w *job, trial *state.Trial, e encoded) (event.Recorded, error) {
	f := event.Recorded{BodyBytes: e.body, PrivateBytes: e.private, Header: event.Header{
		Format: 1, Position: p.next(), Stream: e.draft.Stream, Version: trial.Raise(e.draft.Stream),
		Kind: e.draft.Kind, Time: p.now, Actor: w.Actor, Auth: w.Auth, Source: w.Source, Command: w.ID,
	}}
	for _, s := range touched(e.draft) {
		f.Touches = append(f.Touches, event.Touch{Stream: s, Version: trial.Raise(s)})
	}
	var err error
	if f.HeaderBytes, err = json.Marshal(f.Header); err != nil {
		return f, fmt.Errorf("encode header: %w", err)
	}
	if len(f.HeaderBytes)+len(f.BodyBytes)+len(f.PrivateBytes) > FactBytes {
		return f, tooLarge("fact.too-large", string(f.Kind), FactBytes)
	}
	return f, trial.Add(f)
}

// next is the position after the facts planned so far.
func (p *plan) next() uint64 { return p.head.size + uint64(len(p.facts)) }

// written reports whether there is anything to write.
func (p *plan) written() bool { return len(p.mine) > 0 }

// settled reports whether a job's answer stands whatever becomes of the
// transaction: its id was used by a command recorded before.
func (p *plan) settled(i int) bool {
	_, ok := p.used[p.batch[i].ID]
	return ok
}

// ids is those of the accepted commands.
func (p *plan) ids() []any {
	ids := make([]any, 0, len(p.mine))
	for id := range p.mine {
		ids = append(ids, id)
	}
	return ids
}

// correct takes the receipts of accepted commands from their rows.
func (p *plan) correct(found map[string]stored) {
	for i, w := range p.batch {
		if s, ok := found[w.ID]; ok && p.accepted[i] {
			p.results[i] = result{receipt: s.Receipt}
		}
	}
}
