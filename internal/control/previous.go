package control

import (
	"fmt"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/release"
)

// lookback are the spans in which the last good release is looked for, one
// after the other: most services were released not long ago, and none of their
// older releases need be loaded. The last span is without a beginning.
var lookback = [...]time.Duration{24 * time.Hour, 14 * 24 * time.Hour, 180 * 24 * time.Hour, 0}

// previous fills the last good release of the service in the environment, where
// a rule of the policy reads it. Every arrival there, and every one that is taken
// back, touches the set that is read here.
func (c *Control) previous(l *Load, f *release.Facts) error {
	if f.Policy == nil || !f.Policy.NeedsPrevious() {
		return nil
	}
	if err := l.Set(release.Arrivals(f.Release.Service, f.Environment)); err != nil {
		return err
	}
	f.Last = &release.Last{}
	until := l.Now.Add(time.Minute)
	for _, span := range lookback {
		from := time.UnixMicro(0)
		if span > 0 {
			from = l.Now.Add(-span)
		}
		found, err := l.overlapping(release.HasArrived, release.ArrivedIn(f.Release.Service, f.Environment), from, until)
		if err != nil {
			return fmt.Errorf("releases that arrived: %w", err)
		}
		if f.Last.Release, err = c.newest(l, found, f); err != nil {
			return err
		}
		if f.Last.Release.ID != "" {
			break
		}
	}
	if f.Last.Release.ID == "" {
		return nil
	}
	stream, err := evidence.Stream(f.Last.Release.Digest)
	if err == nil {
		f.Last.Artifact, err = read[evidence.Artifact](l, stream)
	}
	return err
}

// newest is the release that arrived last, of another digest than the one in
// question; the zero state where there is none.
func (c *Control) newest(l *Load, found []event.Stream, f *release.Facts) (last release.State, err error) {
	all, err := peekEach[release.State](l, found)
	if err != nil {
		return last, fmt.Errorf("releases that arrived: %w", err)
	}
	at := func(s release.State) event.Micros { return s.Target(f.Environment).Arrived }
	for _, s := range all {
		if s.Digest != f.Release.Digest && at(s) >= at(last) {
			last = s
		}
	}
	return last, nil
}
