package api

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/wire"
)

// However events fall, an address is allowed its burst and what has refilled
// since, within one, and never less; and one address takes nothing from another.
func TestLimiter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Unix(1_800_000_000, 0)
		now := start
		l := newLimiter(5, time.Minute, func() time.Time { return now })
		allowed := 0
		for range rapid.IntRange(1, 200).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms")) * time.Millisecond)
			wait := l.take("a")
			if wait == 0 {
				allowed++
			}
			if wait < 0 || wait > time.Minute/5 {
				t.Fatalf("wait %s", wait)
			}
			if most := 5 + 5*now.Sub(start).Minutes(); float64(allowed) > most+0.001 {
				t.Fatalf("%d allowed, at most %.2f", allowed, most)
			}
			if wait > 0 {
				now = now.Add(wait + time.Millisecond)
				if l.take("a") != 0 {
					t.Fatal("refused after the wait")
				}
				allowed++
			}
		}
		for range 5 {
			if l.take("b") != 0 {
				t.Fatal("another address is refused")
			}
		}
	})
}

// An event that is short by less than a fraction can say is not there yet: it
// waits, or it is counted.
func TestLimiterCountsWhatItAllows(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := newLimiter(5, time.Minute, func() time.Time { return now })
	allowed := 0
	for _, ms := range []int{0, 0, 0, 0, 0, 11, 11_999, 11_993, 11_997, 0, 0} {
		now = now.Add(time.Duration(ms) * time.Millisecond)
		if l.take("a") == 0 {
			allowed++
		}
	}
	if allowed != 8 {
		t.Errorf("%d allowed of 5 and the 3 that 36 s refill", allowed)
	}
}

func TestLimiterForgets(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := newLimiter(1, time.Minute, func() time.Time { return now })
	for i := range 3 * maxAddresses {
		l.take(fmt.Sprint(i))
		if i == maxAddresses {
			now = now.Add(time.Hour)
		}
		if len(l.full) > maxAddresses+1 {
			t.Fatalf("%d addresses are remembered", len(l.full))
		}
	}
}

// An operation without a right is no operation.
func TestRegisterRefuses(t *testing.T) {
	a, err := build(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, need := range []access.Right{"", "reed"} {
		p := ask(operation{id: "x", path: "/x", need: need}, func(*call) (wire.Done, error) { return wire.Done{}, nil })
		if err := a.register(nil, p); err == nil {
			t.Errorf("the need %q was accepted", need)
		}
	}
}

func TestZeroByte(t *testing.T) {
	for text, want := range map[string]bool{
		`"\u0000"`: true, `"a\\\u0000"`: true, `"\\u0000"`: false, `"\\\\u0000"`: false, `"\u0001"`: false, `"\`: false, ``: false, `"\n\u0000"`: true,
	} {
		if zeroByte([]byte(text)) != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
}
