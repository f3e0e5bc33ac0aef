package server

import (
	"context"
	"time"

	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/telemetry"
)

// measure begins to measure the installation.
func (s *Server) measure(ctx context.Context) error {
	t, err := telemetry.Open(ctx, telemetry.Options{Version: Version, Traces: s.options.Traces, Log: s.options.Log, State: s.measured})
	if err != nil {
		return err
	}
	s.telemetry = t
	s.closes("telemetry", func() error { return t.Close(ctx) })
	return nil
}

// appended counts what the journal answered.
func (s *Server) appended(ctx context.Context, facts []event.Draft, r journal.Receipt, took time.Duration, err error) {
	outcome, kinds := "recorded", []string(nil)
	switch {
	case err != nil:
		outcome = fault.KindOf(err).String()
	case r.Repeated:
		outcome = "repeated"
	default:
		for _, f := range facts {
			kinds = append(kinds, string(f.Kind))
		}
	}
	s.telemetry.Appended(ctx, took, kinds, outcome)
}

func (s *Server) decided(ctx context.Context, a control.Answer) {
	s.telemetry.Decided(ctx, string(a.Decision.Verdict), a.Standing)
}

// measured is what only the database knows.
func (s *Server) measured(ctx context.Context) (telemetry.State, error) {
	state := telemetry.State{Writable: s.Journal.Ready() == nil, Lagging: map[string]bool{}}
	var now time.Time
	var oldest event.Micros
	var stopped bool
	for _, ask := range []func() error{
		func() (err error) { now, err = s.Control.Now(ctx); return },
		func() (err error) { state.Facts, err = s.Journal.Size(ctx); return },
		func() (err error) { state.Signed, oldest, err = s.Journal.Unsigned(ctx); return },
		func() error {
			stop, err := s.Control.Stop(ctx)
			stopped = stop.Stops()
			return err
		},
		func() error {
			views, err := s.Journal.Views(ctx)
			for _, v := range views {
				state.Lagging[v.Name] = v.Stale != ""
			}
			return err
		},
		func() error {
			v, err := s.Control.Vault.Status(ctx)
			state.VaultBytes, state.VaultQuota = v.Bytes, v.Quota
			return err
		},
	} {
		if err := ask(); err != nil {
			return state, err
		}
	}
	state.Stopped, state.Skew = stopped, time.Since(now)
	if oldest != 0 {
		state.Unsigned = max(0, now.Sub(oldest.Time()))
	}
	return state, nil
}
