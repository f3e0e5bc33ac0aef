package lint

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"signalbox.dev/signalbox/internal/bundle"
)

// unused finds parameters and thresholds that no condition reads.
func (l *linter) unused() {
	reads := l.reads()
	for _, p := range l.p.Parameters() {
		if !slices.Contains(reads, "param."+p.Name) {
			l.warn(bundle.Problem{Where: p.Where, Code: "policy.unused", What: "no condition reads param." + p.Name, Why: "changing it would change nothing", Fix: "read it in a condition, or delete the Parameter"})
		}
		if _, number := p.Value.(float64); number && len(p.MayChange) > 0 && (p.Min == nil || p.Max == nil) {
			l.warn(bundle.Problem{Where: p.Where, Code: "policy.unbounded", What: fmt.Sprintf("Parameter %s may be changed without bounds", p.Name), Why: "may_change names who may set it, and nothing says how far", Fix: "add min and max"})
		}
	}
	for _, t := range l.p.ReleaseTypes() {
		for _, name := range slices.Sorted(maps.Keys(t.Thresholds)) {
			if slices.Contains(reads, "threshold."+name) {
				continue
			}
			at := t.Where
			if d := l.docs["ReleaseType "+t.Name]; d != nil {
				if m := d.Mapping("thresholds"); m != nil {
					at = m.KeyAt(name)
				}
			}
			l.warn(bundle.Problem{Where: at, Code: "policy.unused", What: fmt.Sprintf("no gate reads threshold.%s of ReleaseType %s", name, t.Name), Why: "changing it would change nothing", Fix: "read it in a gate, or delete it"})
		}
	}
}

// over finds what had an end and has reached it: relaxations, and what is observed.
func (l *linter) over() {
	ended := func(until time.Time) bool { return !until.IsZero() && !l.o.Now.IsZero() && !l.o.Now.Before(until) }
	day := func(until time.Time) string { return until.UTC().Format("2006-01-02 15:04 UTC") }
	for _, x := range l.p.Relaxations() {
		if ended(x.Until) {
			l.warn(bundle.Problem{
				Where: l.at("Relaxation", x.Name, "until", x.Where), Code: "policy.over", What: fmt.Sprintf("Relaxation %s is over: Gate %s is as it was again", x.Name, x.Gate),
				Why: "it ended " + day(x.Until), Fix: "delete it, or have somebody give it a later end",
			})
		}
	}
	for _, s := range l.p.ScopeRules() {
		if s.Observe != nil && ended(s.Observe.Until) {
			l.warn(bundle.Problem{
				Where: l.at("ScopeRule", s.Name, "observe", s.Where), Code: "policy.over", What: fmt.Sprintf("ScopeRule %s is enforced again", s.Name),
				Why: "observing it ended " + day(s.Observe.Until), Fix: "delete observe, or have somebody give it a later end",
			})
		}
	}
	if p := l.p.Policy(); ended(p.Until) {
		l.warn(bundle.Problem{
			Where: l.at("Policy", p.Name, "until", p.Where), Code: "policy.over", What: fmt.Sprintf("the policy is enforced again, whatever mode: %s says", p.Mode),
			Why: "it ended " + day(p.Until), Fix: "write mode: enforce, or have somebody give it a later end",
		})
	}
}
