package house_test

import (
	"testing"

	"signalbox.dev/signalbox/bench/house"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// A release that was made in bulk is one that may go: all 26 gates weigh it.
func TestReleasesMayGo(t *testing.T) {
	for name, at := range map[string]store.Options{"sqlite": {}, "postgres": {Database: storetest.PostgresURL(t)}} {
		t.Run(name, func(t *testing.T) {
			h, err := house.Open(t.Context(), at, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := h.Close(); err != nil {
					t.Error(err)
				}
			})
			if err := h.Ready(t.Context(), 1, 70); err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{1, 70} {
				a, err := h.Ask(t.Context(), n)
				if err != nil {
					t.Fatal(err)
				}
				gates := 0
				for _, r := range a.Decision.Reasons {
					if r.Severity == policy.Block && r.Verdict != policy.Go {
						t.Errorf("%s: %s", r.Gate, r.Why)
					}
					if r.Gate != "" && r.Gate[0] != 's' || r.Gate == "service-owned" || r.Gate == "service-ranked" || r.Gate == "scanners-ran" {
						gates++
					}
				}
				if a.Decision.Verdict != policy.Go || a.Permit == nil || a.Standing || gates != 26 {
					t.Errorf("release %d: %s, standing %v, %d gates", n, a.Decision.Verdict, a.Standing, gates)
				}
				if again, err := h.Ask(t.Context(), n); err != nil || !again.Standing {
					t.Errorf("asked again: %v, %v", again.Standing, err)
				}
			}
			// Who was never made is opened, and then unknown is not yes.
			if a, err := h.Ask(t.Context(), 71); err != nil || a.Decision.Verdict != policy.CannotTell {
				t.Errorf("a release without a change: %s, %v", a.Decision.Verdict, err)
			}
		})
	}
}
