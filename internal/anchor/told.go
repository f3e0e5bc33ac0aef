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
	for _, l := range r.Leaked {
		known := "no checkpoint from before that is known from elsewhere, so all of them rest"
		if l.Known > 0 {
			known = fmt.Sprintf("a checkpoint known from elsewhere covers %d of them, the others rest", l.Known)
		}
		lines = append(lines, fmt.Sprintf("the %s key %s was reported as compromised at %d: of the facts before, %s on the database as it was then", l.Purpose, l.ID, l.Until, known))
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
