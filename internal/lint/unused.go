package lint

import (
	"fmt"
	"maps"
	"slices"

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
