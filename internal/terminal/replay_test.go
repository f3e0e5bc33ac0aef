package terminal

import (
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/wire"
)

// What the record leaves open is said once, below the table, however many
// decisions it is about, and nothing in it acts on the terminal.
func TestPrintReplay(t *testing.T) {
	flip := func(id, effect, why string, gates ...string) wire.ReplayFlip {
		f := wire.ReplayFlip{Decision: id, Service: "shop", Version: "1.0", Environment: "production", Effect: effect, Was: "go", Now: "no-go", Why: why, Outcome: "succeeded"}
		for _, g := range gates {
			f.Gates = append(f.Gates, wire.ReplayGate{Gate: g})
		}
		return f
	}
	r := Replay{
		Flips: []wire.ReplayFlip{
			flip("a", "stopped", "", "coverage"), flip("b", "cannot-be-told", "the votes are lost\x1b[2J"), flip("c", "cannot-be-told", "the votes are lost\x1b[2J"),
			flip("d", "stopped", "the freeze is taken to have had no end", "coverage", "tests"),
		},
		Summary: wire.ReplaySummary{Name: "ours", Total: 5, Same: 1, ReplayCounts: wire.ReplayCounts{Stopped: 2, Untold: 2}},
	}
	var b strings.Builder
	if err := PrintReplay(&b, r, "https://sb.example", time.UTC); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{
		"5 decisions replayed under ours", "1 the same", "2 stopped", "go no-go coverage succeeded https://sb.example/decisions/a",
		"go cannot be told [1] succeeded https://sb.example/decisions/b", "go cannot be told [1] succeeded https://sb.example/decisions/c",
		"go no-go coverage, tests [2] succeeded https://sb.example/decisions/d", "[1] the votes are lost", "[2] the freeze is taken to have had no end.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if strings.Count(text, "votes are lost") != 1 || strings.Contains(text, "\x1b") {
		t.Errorf("a note stands twice, or acts on the terminal:\n%q", b.String())
	}
}
