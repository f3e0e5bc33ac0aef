// Package replays measures how fast recorded decisions are decided again under
// another policy, on as many processors as there are.
package replays

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/bench/gate"
	"signalbox.dev/signalbox/bench/house"
	"signalbox.dev/signalbox/bench/measure"
	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/store"
)

// What is measured, by which the table finds it.
const (
	loaded = "loaded"
	journ  = "from the journal"
)

// Measure replays decisions that are loaded, and decisions out of a journal.
func Measure(ctx context.Context, o measure.Options) (tables []measure.Table, aims []measure.Aim, err error) {
	decisions := 2000
	if o.Smoke {
		decisions = 4
	}
	again, err := inMemory(o)
	if err != nil {
		return nil, nil, err
	}
	h, err := house.Open(ctx, store.Options{}, filepath.Join(o.Dir, "house"))
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	o.Log("recording %d decisions", decisions)
	if err := record(ctx, h, decisions); err != nil {
		return nil, nil, err
	}
	r, err := measure.Rounds(ctx, o, []measure.Case{again, o.Bulk(journ, float64(decisions), func() error { return replay(ctx, h, decisions) })})
	if err != nil {
		return nil, nil, err
	}
	t := measure.Table{Name: "replay", Head: []string{fmt.Sprintf("GOMAXPROCS %d", runtime.GOMAXPROCS(0)), "decisions/s", "processor time"}}
	t.Add("decisions that are loaded: `release.Replay`", measure.Count(r.Median(loaded, measure.Rate)), measure.Micros(r.Median(loaded, measure.Cost)))
	t.Add("out of a journal on SQLite, four other facts to a decision: `control.Replay`", measure.Count(r.Median(journ, measure.Rate)), measure.Micros(r.Median(journ, measure.Cost)))
	rate := r.Median(loaded, measure.Rate)
	return []measure.Table{t}, []measure.Aim{{
		What: "replay on two processors", Wanted: "100,000 decisions/s", Met: rate >= 100_000,
		Got: measure.Count(rate) + "/s; out of the journal " + measure.Count(r.Median(journ, measure.Rate)) + "/s",
	}}, nil
}

// inMemory replays the same decisions again and again on all processors. Each has
// another version, so that no two have the same basis.
func inMemory(o measure.Options) (measure.Case, error) {
	program, err := gate.Bundle(false)
	if err != nil {
		return measure.Case{}, err
	}
	candidate, problems := policy.Compile(gate.Stricter())
	if candidate == nil {
		return measure.Case{}, fmt.Errorf("the candidate does not compile: %v", problems)
	}
	var all []release.Recorded
	for i := range 256 {
		d, err := gate.Passing(program)
		if err != nil {
			return measure.Case{}, err
		}
		d.Release.Version = house.Version(i)
		r, err := recorded(d, program)
		if err != nil {
			return measure.Case{}, err
		}
		if f := release.Replay(r, candidate); f.Effect == release.Untold {
			return measure.Case{}, fmt.Errorf("a decision cannot be replayed: %s", f.Why)
		}
		all = append(all, r)
	}
	return measure.Case{Name: loaded, Run: func(context.Context) (measure.Sample, error) {
		var done atomic.Int64
		var running sync.WaitGroup
		cpu, start := measure.Self(), time.Now()
		for range runtime.GOMAXPROCS(0) {
			running.Go(func() {
				for time.Since(start) < o.Budget || done.Load() == 0 {
					for _, r := range all {
						release.Replay(r, candidate)
					}
					done.Add(int64(len(all)))
				}
			})
		}
		running.Wait()
		return measure.Sample{Ops: float64(done.Load()), Wall: time.Since(start), CPU: measure.Self() - cpu}, nil
	}}, nil
}

// recorded is the decision about a document as a journal gives it back.
func recorded(d *gate.Document, program *policy.Program) (release.Recorded, error) {
	decision, err := d.Gate(program)
	if err != nil {
		return release.Recorded{}, err
	}
	then := release.Then{Release: d.Release, Voters: map[string]access.Person{}, Lost: map[string]string{}}
	for _, v := range d.Release.Votes {
		then.Voters[v.Person] = d.People[v.Person]
	}
	return release.Recorded{Decision: decision, Basis: []byte(decision.BasisText), Rules: release.RulesOf(program, decision.Type), Then: then}, nil
}

// record asks about so many releases.
func record(ctx context.Context, h *house.House, n int) error {
	if err := h.Ready(ctx, 0, n); err != nil {
		return err
	}
	var next atomic.Int64
	var running sync.WaitGroup
	failed := make([]error, 16)
	for i := range failed {
		running.Go(func() {
			for at := next.Add(1) - 1; at < int64(n) && failed[i] == nil; at = next.Add(1) - 1 {
				a, err := h.Ask(ctx, int(at))
				if err == nil && a.Decision.Verdict != policy.Go {
					err = fmt.Errorf("release %d may not go: %s", at, a.Decision.Verdict)
				}
				failed[i] = err
			}
		})
	}
	running.Wait()
	return errors.Join(failed...)
}

// replay decides them again: none would have gone on.
func replay(ctx context.Context, h *house.House, n int) error {
	done, err := h.Control.Replay(ctx, control.Request{Actor: h.Author}, control.ReplayRequest{
		Files: gate.Stricter(), Progress: func(uint64, uint64) error { return nil }, Flip: func(control.Flipped) error { return nil },
	})
	if err == nil && (done.Stopped != n || done.Total != n) {
		err = fmt.Errorf("%d of %d decisions are replayed, %d would be stopped", done.Total, n, done.Stopped)
	}
	return err
}
