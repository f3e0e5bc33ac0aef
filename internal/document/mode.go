package document

import (
	"fmt"
	"time"

	"signalbox.dev/signalbox/internal/bundle"
)

// Modes of a bundle, weakest first.
const (
	ModeDraft   = "draft"   // cannot be activated
	ModeObserve = "observe" // verdicts are recorded, not enforced, until a date
	ModeWarn    = "warn"    // as observe, and whoever asks is warned
	ModeEnforce = "enforce"
)

// mode reads how far the bundle is enforced. What is not enforced ends at a date
// and stands on somebody's word.
func (r *Reader) mode(f *bundle.Fields, p *Policy) {
	p.Mode, p.By, p.Until = f.Choice("mode", ModeEnforce, ModeDraft, ModeObserve, ModeWarn, ModeEnforce), f.Text("by"), f.Instant("until")
	limited := p.Mode == ModeObserve || p.Mode == ModeWarn
	for _, key := range []string{"by", "until"} {
		switch {
		case limited && !f.Has(key):
			r.Out.Add(bundle.Problem{Where: f.ValueAt("mode"), Code: "policy.mode", What: fmt.Sprintf("mode %s wants %q", p.Mode, key), Why: "what is not enforced ends at a date and stands on somebody's word", Fix: "add until: (a date) and by: (a name)"})
		case !limited && f.Has(key):
			r.Out.Add(bundle.Problem{Where: f.KeyAt(key), Code: "policy.mode", What: fmt.Sprintf("mode %s has no %q", p.Mode, key), Why: "it does not end", Fix: "drop it, or write mode: observe"})
		}
	}
}

// Lenient reports whether the bundle is not enforced at an instant.
func (p *Policy) Lenient(now time.Time) bool {
	return (p.Mode == ModeObserve || p.Mode == ModeWarn) && now.Before(p.Until)
}
