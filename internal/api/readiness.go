package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/health"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/wire"
)

// Bounds of readiness.
const (
	skewMax     = 30 * time.Second // between the database's clock and ours
	unsignedMax = 2 * time.Minute  // age of the oldest fact that no checkpoint covers
)

// readiness is whether the server can do its work. Anybody may ask, so it is found
// out once a second for all.
type readiness struct {
	health.Shared[wire.Readiness]
	checks  []*check
	outside *check // how those stand who hold the journal to its checkpoints
}

// check is one thing that readiness rests on. One goroutine at a time runs it.
type check struct {
	name      string
	run       func(context.Context) error
	outage    health.Outage
	reference string // of the fault, in the log
}

// newReadiness names what is looked at, beside what memory knows.
func (a *api) newReadiness() *readiness {
	r := &readiness{outside: &check{name: "published"}, checks: []*check{
		{name: "clock", run: a.clock},
		{name: "keys", run: func(ctx context.Context) error { return a.Control.CheckKeys(ctx) }},
		{name: "checkpoints", run: a.covered},
		{name: "views", run: a.folded},
	}}
	for _, c := range append(r.checks, r.outside) {
		c.outage.Log, c.outage.Level, c.outage.Fault, c.outage.Over = a.Log, slog.LevelWarn, "not ready", "ready again"
	}
	return r
}

// ready answers what memory knows, at once, and what was found out within the last second.
func ready(c *call) error {
	r, err := c.readiness.Ask(c.ctx, c.inspect)
	if err != nil {
		return err
	}
	now := []wire.Check{known("serving", c.serving()), known("append", c.Journal.Ready())}
	r.Ready = r.Ready && now[0].OK && now[1].OK
	r.Checks = append(now, r.Checks...)
	code := http.StatusOK
	if !r.Ready && c.text("always") != "200" {
		code = http.StatusServiceUnavailable
		c.w.Header().Set("Retry-After", "5")
	}
	write(c.w, code, "application/json", r)
	return nil
}

// known is a check of what memory knows, and whoever was refused has been told.
func known(name string, err error) wire.Check {
	if err != nil {
		return wire.Check{Name: name, Detail: err.Error()}
	}
	return wire.Check{Name: name, OK: true}
}

// inspect makes every other check.
func (a *api) inspect(ctx context.Context) (wire.Readiness, error) {
	r := wire.Readiness{Ready: true}
	for _, c := range a.readiness.checks {
		one := c.told(ctx, c.run(ctx))
		// A list that lags is shown as such and stops nobody.
		r.Ready = r.Ready && (one.OK || c.name == "views")
		r.Checks = append(r.Checks, one)
	}
	r.Checks = append(r.Checks, a.published(ctx)...)
	return r, nil
}

// told is what anybody may read of a check; the rest is in the log, once for
// each time that it begins to fail.
func (c *check) told(ctx context.Context, err error) wire.Check {
	if c.outage.Note(ctx, err, "check", c.name, "reference", idOf(ctx)) {
		c.reference = idOf(ctx)
	}
	switch {
	case err == nil:
		return wire.Check{Name: c.name, OK: true}
	case fault.KindOf(err) != fault.Internal:
		return wire.Check{Name: c.name, Detail: err.Error()}
	}
	return wire.Check{Name: c.name, Detail: "see the log, reference " + c.reference}
}

// published is how those stand who hold the journal to its checkpoints. One that
// is away stops nobody; one that has seen another journal has stopped it: see append.
func (a *api) published(ctx context.Context) []wire.Check {
	if a.Published == nil {
		return nil
	}
	checks, err := a.Published(ctx)
	if one := a.readiness.outside.told(ctx, err); !one.OK {
		return []wire.Check{one}
	}
	return checks
}

// serving fails once the server has been told to stop.
func (a *api) serving() error {
	select {
	case <-a.Closing:
		return fault.New(fault.Unavailable, "ready.stopping", "the server is about to stop")
	default:
		return nil
	}
}

// clock checks that the database answers and its clock agrees with ours.
func (a *api) clock(ctx context.Context) error {
	var clock journal.Clock
	err := a.Journal.Snapshot(ctx, func(s *journal.Snapshot) (err error) {
		clock, err = s.Clock(ctx)
		return err
	})
	if err != nil {
		return fault.New(fault.Unavailable, "ready.database", "the database does not answer").Cause(err)
	}
	if err := clock.Sure(); err != nil {
		return err
	}
	if skew := a.Now().Sub(clock.Now).Abs(); skew > skewMax {
		return fault.New(fault.Unavailable, "ready.clock", fmt.Sprintf("the database's clock differs by %s", skew.Round(time.Second)))
	}
	return nil
}

// covered checks that what was recorded is soon under a signed checkpoint.
func (a *api) covered(ctx context.Context) error {
	_, oldest, err := a.Journal.Unsigned(ctx)
	if err != nil || oldest == 0 {
		return err
	}
	if age := a.Now().Sub(oldest.Time()); age > unsignedMax {
		return fault.New(fault.Unavailable, "ready.checkpoint", fmt.Sprintf("no checkpoint has been signed for %s", age.Round(time.Second)))
	}
	return nil
}

func (a *api) folded(ctx context.Context) error {
	views, err := a.Journal.Views(ctx)
	if err != nil {
		return err
	}
	var stale []string
	for _, v := range views {
		if v.Stale != "" {
			stale = append(stale, v.Name)
		}
	}
	if len(stale) > 0 {
		return fault.New(fault.Unavailable, "ready.views", "these lists lag behind: "+strings.Join(stale, ", "))
	}
	return nil
}
