package anchor

import (
	"fmt"
	"time"

	"signalbox.dev/signalbox/internal/verify"
)

// Told is what a report says of published checkpoints and of witnesses, a line each.
func Told(r verify.Report, stamp func(time.Time) string) []string {
	var lines []string
	if r.Published > 0 {
		lines = append(lines, fmt.Sprintf("published checkpoints that agree: %d", r.Published))
	}
	for _, w := range r.Witnesses {
		switch {
		case w.Size == 0:
			lines = append(lines, "witness "+w.Witness+" has cosigned none of it")
		case w.Size < r.Facts:
			lines = append(lines, fmt.Sprintf("witness %s has cosigned %d of %d facts, and nothing since %s", w.Witness, w.Size, r.Facts, stamp(w.Time)))
		default:
			lines = append(lines, fmt.Sprintf("witness %s has cosigned all of it, %s", w.Witness, stamp(w.Time)))
		}
	}
	return lines
}
