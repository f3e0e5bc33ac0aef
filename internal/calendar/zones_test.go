package calendar

import (
	"testing"
	"time"

	_ "time/tzdata"

	"signalbox.dev/signalbox/internal/event"
)

// A freeze is two instants. Written in the local time of any zone, with its
// offset, it covers the same minutes, whatever the clocks on the wall do in
// between: compared minute by minute around every transition, in the gap, in
// both passes of the fold, and where the step is half an hour or Ramadan's.
func TestFreezesAcrossTransitions(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"} {
		place, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, change := range transitions(place, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)) {
			found++
			for _, length := range []time.Duration{time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour} {
				for _, begins := range []time.Duration{-2 * time.Hour, -length, -time.Minute, 0, 30 * time.Minute} {
					compare(t, zone, change.Add(begins).In(place), change.Add(begins).Add(length).In(place))
				}
			}
		}
		if found < 8 {
			t.Errorf("%s has %d transitions: none were compared", zone, found)
		}
	}
}

func compare(t *testing.T, zone string, from, until time.Time) {
	t.Helper()
	parse := func(local time.Time) time.Time { // as it is written and read back
		back, err := time.Parse(time.RFC3339, local.Format(time.RFC3339))
		if err != nil {
			t.Fatal(err)
		}
		return back
	}
	f := Freeze{Name: "z", From: event.MicrosOf(parse(from)), Until: event.MicrosOf(parse(until))}
	none := func(string) bool { return false }
	covered := 0
	for minute := from.Add(-4 * time.Hour); minute.Before(until.Add(4 * time.Hour)); minute = minute.Add(time.Minute) {
		want := minute.Unix() >= from.Unix() && minute.Unix() < until.Unix() // the oracle counts seconds
		if got := len(Weigh(minute, []Freeze{f}, Target{}, none).InForce) == 1; got != want {
			t.Fatalf("%s: %v until %v at %v: in force %v", zone, from, until, minute, got)
		}
		if want {
			covered++
		}
	}
	if covered != int(until.Sub(from)/time.Minute) {
		t.Fatalf("%s: %v until %v covers %d minutes", zone, from, until, covered)
	}
}

// transitions is the instants at which the offset of a place changes.
func transitions(place *time.Location, from, until time.Time) []time.Time {
	var all []time.Time
	offset := func(at time.Time) int { _, o := at.In(place).Zone(); return o }
	for at := from; at.Before(until); at = at.Add(time.Hour) {
		if offset(at) != offset(at.Add(time.Hour)) {
			next := at.Add(time.Minute)
			for offset(next) == offset(at) {
				next = next.Add(time.Minute)
			}
			all = append(all, next)
		}
	}
	return all
}
