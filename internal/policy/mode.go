package policy

import (
	"fmt"
	"time"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/fault"
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
func (r *reader) mode(f *bundle.Fields, p *Policy) {
	p.Mode, p.By, p.Until = f.Choice("mode", ModeEnforce, ModeDraft, ModeObserve, ModeWarn, ModeEnforce), f.Text("by"), f.Instant("until")
	limited := p.Mode == ModeObserve || p.Mode == ModeWarn
	for _, key := range []string{"by", "until"} {
		switch {
		case limited && !f.Has(key):
			r.out.Add(Problem{Where: f.ValueAt("mode"), Code: "policy.mode", What: fmt.Sprintf("mode %s wants %q", p.Mode, key), Why: "what is not enforced ends at a date and stands on somebody's word", Fix: "add until: (a date) and by: (a name)"})
		case !limited && f.Has(key):
			r.out.Add(Problem{Where: f.KeyAt(key), Code: "policy.mode", What: fmt.Sprintf("mode %s has no %q", p.Mode, key), Why: "it does not end", Fix: "drop it, or write mode: observe"})
		}
	}
}

// lenient reports whether the bundle is not enforced at an instant.
func (p *Policy) lenient(now time.Time) bool {
	return (p.Mode == ModeObserve || p.Mode == ModeWarn) && now.Before(p.Until)
}

// soften leaves the answer as it is and takes its force, while the bundle's mode
// says so. What is not in the catalog is never observed.
func (p *Program) soften(in *Inputs, o *Outcome) {
	o.Mode = ModeEnforce
	if o.Governance == None || !p.policy.lenient(in.Now) || !in.Service.Known || !in.Environment.Known {
		return
	}
	o.Mode, o.Enforced = p.policy.Mode, false
	o.Until = sooner(o.Until, p.policy.Until)
	if o.Observe == nil || o.Observe.Until.Before(p.policy.Until) {
		o.Observe = &Observed{By: p.policy.By, Until: p.policy.Until}
	}
}

// activatable refuses a bundle that its own mode keeps from taking effect.
func (p *Program) activatable(effective time.Time) error {
	switch p.policy.Mode {
	case ModeDraft:
		return fault.Invalidf("policy.draft", "the policy is a draft").At(p.policy.Where).Remedy("write mode: observe with until and by, or mode: enforce")
	case ModeObserve, ModeWarn:
		if !p.policy.lenient(effective) {
			return fault.Invalidf("policy.mode-over", "mode %s is over before the policy takes effect", p.policy.Mode).
				Because("it ends at " + p.policy.Until.UTC().Format(time.RFC3339) + ", so the policy would be enforced at once").At(p.policy.Where).Remedy("choose a later until, or write mode: enforce")
		}
	}
	return nil
}
