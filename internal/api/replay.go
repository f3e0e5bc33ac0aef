package api

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/wire"
)

// listedShares is how many gates, services and teams a summary lists.
const listedShares = 100

// choose is an operation that takes a JSON body and writes its answer itself: as
// JSON, or of the media type gives, as the caller asks.
func choose[In, Out any](p operation, fn func(c *call, in In) error) operation {
	p.method, p.in, p.out = http.MethodPost, reflect.TypeFor[In](), reflect.TypeFor[Out]()
	p.run = func(c *call) error {
		var in In
		if err := c.decode(&in); err != nil {
			return err
		}
		return fn(c, in)
	}
	return p
}

// accepts reports whether the caller names a media type.
func (c *call) accepts(media string) bool {
	for _, line := range c.r.Header.Values("Accept") {
		for part := range strings.SplitSeq(line, ",") {
			if kind, _, err := mime.ParseMediaType(strings.TrimSpace(part)); err == nil && kind == media {
				return true
			}
		}
	}
	return false
}

// replayPolicy decides the history again. It ends with the server: nothing
// that it finds is lost by asking again.
func replayPolicy(c *call, q wire.ReplayRequest) error {
	done, err := c.heavy()
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	go func() {
		select {
		case <-c.Closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	out := &told{call: c}
	ask := control.ReplayRequest{Files: policyFiles(q.Files), Since: q.Since, Progress: out.nothing, Flip: func(control.Flipped) error { return nil }}
	streams := c.accepts(wire.EventStream)
	if streams {
		ask.Progress, ask.Flip = out.progress, out.flip
	}
	sum, err := c.Control.Replay(ctx, c.request(), ask)
	switch {
	case err != nil && out.begun:
		c.Log.Error("a replay was cut off", "reference", idOf(c.ctx), "error", err)
		panic(http.ErrAbortHandler)
	case err != nil:
		return err
	case streams:
		return out.event(wire.ReplayEvent{Summary: new(wireReplay(sum))}, true)
	}
	return c.answer(wireReplay(sum), nil)
}

func policyFiles(list []wire.PolicyFile) []policy.File {
	var files []policy.File
	for _, f := range list {
		files = append(files, policy.File{Name: f.Name, Data: []byte(f.Data)})
	}
	return files
}

// told is the stream of a replay.
type told struct {
	*call
	begun bool
}

func (t *told) nothing(_, _ uint64) error { return nil }

func (t *told) progress(done, total uint64) error {
	return t.event(wire.ReplayEvent{Progress: &wire.ReplayProgress{Done: done, Total: total}}, true)
}

func (t *told) flip(f control.Flipped) error {
	w := wire.ReplayFlip{
		Decision: f.Decision, Release: f.Release, Service: f.Service, Team: f.Team, Version: f.Version, Environment: f.Environment, At: f.At.Time(),
		Effect: string(f.Effect), Was: string(f.Was), Now: string(f.Now), Observed: f.Observed, Gates: []wire.ReplayGate{}, Why: f.Why, Outcome: string(f.Ending),
	}
	for _, g := range f.Gates {
		w.Gates = append(w.Gates, wire.ReplayGate{Gate: g.Gate, Was: string(g.Was), Now: string(g.Now)})
	}
	return t.event(wire.ReplayEvent{Flip: &w}, false)
}

// event writes an event, and pushes it out at once where it is asked to.
func (t *told) event(e wire.ReplayEvent, push bool) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	line := http.NewResponseController(t.w)
	if !t.begun {
		t.w.Header().Set("Content-Type", wire.EventStream)
		t.begun = true
	}
	_ = line.SetWriteDeadline(time.Now().Add(writeTime)) // where the connection knows deadlines
	if _, err := t.w.Write([]byte("data: " + string(b) + "\n\n")); err != nil || !push {
		return err
	}
	return line.Flush()
}

func wireReplay(r control.Replayed) wire.ReplaySummary {
	w := wire.ReplaySummary{Candidate: r.Candidate, Name: r.Name, Version: r.Version, Total: r.Total, Same: r.Same, ReplayCounts: wireCounts(r.Counts)}
	for _, of := range []struct {
		to   *[]wire.ReplayShare
		from []release.Share
	}{{&w.Gates, r.Gates()}, {&w.Services, r.Services()}, {&w.Teams, r.Teams()}} {
		*of.to = []wire.ReplayShare{}
		for i, s := range of.from {
			if i == listedShares {
				w.LeftOut += len(of.from) - i
				break
			}
			*of.to = append(*of.to, wire.ReplayShare{Name: s.Name, ReplayCounts: wireCounts(s.Counts), Decisions: s.Decisions})
		}
	}
	return w
}

func wireCounts(c release.Counts) wire.ReplayCounts {
	return wire.ReplayCounts{Stopped: c.Stopped, Through: c.Through, Other: c.Other, Untold: c.Untold}
}
