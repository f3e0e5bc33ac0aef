package policy

import (
	"time"

	"signalbox.dev/signalbox/internal/fault"
)

// soften leaves the answer as it is and takes its force, while the bundle's mode
// says so. What is not in the catalog is never observed.
func (p *Program) soften(in *Inputs, o *Outcome) {
	o.Mode = ModeEnforce
	if o.Governance == None || !p.set.Policy.Lenient(in.Now) || !in.Service.Known || !in.Environment.Known {
		return
	}
	o.Mode, o.Enforced = p.set.Policy.Mode, false
	o.Until = sooner(o.Until, p.set.Policy.Until)
	if o.Observe == nil || o.Observe.Until.Before(p.set.Policy.Until) {
		o.Observe = &Observed{By: p.set.Policy.By, Until: p.set.Policy.Until}
	}
}

// Activatable refuses a bundle that its own mode keeps from taking effect.
func (p *Program) Activatable(effective time.Time) error {
	switch p.set.Policy.Mode {
	case ModeDraft:
		return fault.Invalidf("policy.draft", "the policy is a draft").At(p.set.Policy.Where).Remedy("write mode: observe with until and by, or mode: enforce")
	case ModeObserve, ModeWarn:
		if !p.set.Policy.Lenient(effective) {
			return fault.Invalidf("policy.mode-over", "mode %s is over before the policy takes effect", p.set.Policy.Mode).
				Because("it ends at " + p.set.Policy.Until.UTC().Format(time.RFC3339) + ", so the policy would be enforced at once").At(p.set.Policy.Where).Remedy("choose a later until, or write mode: enforce")
		}
	}
	return nil
}
