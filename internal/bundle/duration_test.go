package bundle

import (
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"15m": 15 * time.Minute, "4h": 4 * time.Hour, "7d": 168 * time.Hour, "2w": 336 * time.Hour, "1d12h": 36 * time.Hour, "90s": 90 * time.Second, "0h": 0, "1h30m15s": time.Hour + 30*time.Minute + 15*time.Second,
	} {
		if got, ok := ParseDuration(s); !ok || got != want {
			t.Errorf("%q is %s, %v; want %s", s, got, ok, want)
		}
	}
	for _, s := range []string{"", "7", "d", "7 d", "-7d", "1.5h", "12h1d", "1h1h", "7D", "1ms", "9999999h", "999999w", "1h ", "١h"} {
		if got, ok := ParseDuration(s); ok {
			t.Errorf("%q is read as %s", s, got)
		}
	}
	for d, want := range map[time.Duration]string{0: "0s", 15 * time.Minute: "15m", 168 * time.Hour: "7d", 36*time.Hour + 5*time.Second: "1d12h5s"} {
		if got := Duration(d); got != want {
			t.Errorf("%s is written %q, want %q", d, got, want)
		}
		if back, ok := ParseDuration(Duration(d)); !ok || back != d {
			t.Errorf("%q reads back as %s", Duration(d), back)
		}
	}
}
