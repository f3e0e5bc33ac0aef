package clock

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Whatever the clock shows, the time that is read never goes back, passes at
// nine tenths of the monotonic rate at least, and is the clock's own again as
// soon as that has caught up.
func TestSteady(t *testing.T) {
	random := rand.New(rand.NewPCG(13, 14))
	for range 1000 {
		var s Steady
		shown, at := time.Unix(1_800_000_000, 0), time.Now()
		before := s.Read(shown, at)
		for range 20 {
			passed := time.Duration(random.Int64N(int64(time.Hour)))
			at = at.Add(passed)
			switch random.IntN(4) {
			case 0: // frozen
			case 1:
				shown = shown.Add(passed)
			case 2:
				shown = shown.Add(-passed)
			default:
				shown = shown.Add(time.Duration(random.Int64N(int64(24 * time.Hour))))
			}
			got := s.Read(shown, at)
			if got.Before(shown) || got.Sub(before) < passed/10*9 {
				t.Fatalf("%v passed: %v after %v, and the clock showed %v", passed, got, before, shown)
			}
			if got.After(shown) && got.Sub(before) > passed {
				t.Fatalf("%v passed, and it went on by %v", passed, got.Sub(before))
			}
			before = got
		}
	}
	var s Steady
	at := time.Now()
	ahead := time.Unix(1_800_000_000, 0)
	s.Read(ahead, at)
	if got, want := s.Read(ahead.Add(9*time.Minute+time.Second), at.Add(10*time.Minute)), ahead.Add(9*time.Minute+time.Second); !got.Equal(want) {
		t.Errorf("a clock put right by a minute has not caught up after ten: %v, want %v", got, want)
	}
}

// The bounds of what is decided.
func TestSure(t *testing.T) {
	for _, c := range []struct {
		behind, apart time.Duration
		sure          bool
	}{
		{0, 0, true},
		{Max, Max, true},
		{Max + 1, 0, false},
		{0, Max + 1, false},
	} {
		if err := (Reading{Behind: c.behind, Apart: c.apart}).Sure(); (err == nil) != c.sure {
			t.Errorf("%v behind, %v apart: %v", c.behind, c.apart, err)
		}
	}
}
