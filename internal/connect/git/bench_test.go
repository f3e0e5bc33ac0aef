package git

import (
	"testing"

	"signalbox.dev/signalbox/internal/change"
)

// Twenty thousand commits of fifty people over five hundred files.
func BenchmarkInspect20000(b *testing.B) {
	w := long(b, 20_000)
	for b.Loop() {
		raw, err := Inspect(b.Context(), Options{Repository: w.dir, To: "main"})
		if err != nil {
			b.Fatal(err)
		}
		if c := change.Describe(raw); c.Commits != 20_000 {
			b.Fatalf("%d commits", c.Commits)
		}
	}
}
