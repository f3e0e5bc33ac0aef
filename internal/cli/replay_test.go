package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

// streamed answers a replay with events, and breaks off before the summary where it is nil.
func streamed(flips int, sum *wire.ReplaySummary) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != wire.EventStream+", application/problem+json" {
			w.WriteHeader(http.StatusNotAcceptable)
			return
		}
		w.Header().Set("Content-Type", wire.EventStream)
		tell := func(e wire.ReplayEvent) {
			b, _ := json.Marshal(e)
			_, _ = fmt.Fprintf(w, "data: %s\n\n", b)
		}
		for i := range flips {
			tell(wire.ReplayEvent{Progress: &wire.ReplayProgress{Done: uint64(i), Total: uint64(flips)}})
			tell(wire.ReplayEvent{Flip: &wire.ReplayFlip{
				Decision: fmt.Sprint("d", i), Service: "pay\x1bments", Version: "1.4.2", Environment: "production", At: nine, Effect: "stopped", Was: "go", Now: "no-go",
				Gates: []wire.ReplayGate{{Gate: "few-high-findings", Was: "go", Now: "no-go"}}, Outcome: "rolled back",
			}})
		}
		if sum != nil {
			tell(wire.ReplayEvent{Summary: sum})
		}
	}
}

func TestReplayPrintsWhatFlips(t *testing.T) {
	counts := wire.ReplayCounts{Stopped: 2}
	sum := &wire.ReplaySummary{
		Name: "starter", Version: "1.1", Candidate: "sha256:cc", Total: 9, Same: 7, ReplayCounts: counts,
		Gates: []wire.ReplayShare{{Name: "few-high-findings", ReplayCounts: counts}}, Services: []wire.ReplayShare{{Name: "payments", ReplayCounts: counts}}, Teams: []wire.ReplayShare{{ReplayCounts: counts}},
	}
	f := serve(t, map[string]any{"POST /policy/replays": streamed(2, sum)})
	w := f.at(t)
	w.run(t, "policy", "init", "p").expect(t, 0)
	o := w.run(t, "policy", "replay", "--candidate", "p", "--since", "2026-11-01T00:00:00Z")
	o.expect(t, 0, "9 decisions replayed under starter 1.1, sha256:cc", "7  the same", "2  stopped", "few-high-findings  2", "(none known)",
		"pay\ufffdments 1.4.2", "rolled back", f.URL+"/decisions/d1")
	if strings.Contains(o.out+o.err, "\x1b") {
		t.Error("a control byte reached what is no terminal")
	}
	var sent wire.ReplayRequest
	if err := json.Unmarshal([]byte(f.bodies("POST /policy/replays")[0]), &sent); err != nil || len(sent.Files) == 0 || !sent.Since.Equal(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("sent %d files since %s: %v", len(sent.Files), sent.Since, err)
	}
	var found terminal.Replay
	if o := w.run(t, "policy", "replay", "--candidate", "p", "-o", "json"); json.Unmarshal([]byte(o.out), &found) != nil || len(found.Flips) != 2 || found.Summary.Stopped != 2 {
		t.Errorf("%s", o.out)
	}
	f = serve(t, map[string]any{"POST /policy/replays": streamed(60, sum)})
	w = f.at(t)
	w.run(t, "policy", "init", "p").expect(t, 0)
	w.run(t, "policy", "replay", "--candidate", "p", "--since", "30d").expect(t, 0, "10 more: -o json lists all")
}

// A replay that breaks off is no answer, and a policy that does not compile asks for none.
func TestReplayIsWholeOrNone(t *testing.T) {
	f := serve(t, map[string]any{"POST /policy/replays": streamed(2, nil)})
	w := f.at(t)
	w.run(t, "policy", "init", "p").expect(t, 0)
	if o := w.run(t, "policy", "replay", "--candidate", "p"); o.code != 6 || o.out != "" || !strings.Contains(o.err, "broke off") {
		t.Errorf("%+v", o)
	}
	w.run(t, "policy", "replay").expect(t, 2, "--candidate")
	w.run(t, "policy", "replay", "--candidate", "p", "--since", "yesterday").expect(t, 2, "30d")
	write(t, "p/gates.yaml", "apiVersion: signalbox/v1\nkind: Gate\nname: one\ncondtion: true\n")
	w.run(t, "policy", "replay", "--candidate", "p").expect(t, 2, "condtion")
	if n := len(f.bodies("POST /policy/replays")); n != 1 {
		t.Errorf("asked %d times", n)
	}
	f = serve(t, map[string]any{"POST /policy/replays": refused{403, "forbidden", "x"}})
	w = f.at(t)
	w.run(t, "policy", "init", "p").expect(t, 0)
	w.run(t, "policy", "replay", "--candidate", "p").expect(t, 4)
}
