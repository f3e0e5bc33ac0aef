package document

import (
	"time"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/fault"
)

// Off is a gate that is not asked; beside it a gate can be relaxed to Warn or Observe.
const Off = "off"

// Relaxation takes the force of one gate in a scope, until a date, on somebody's
// word. Where it cannot be told whether a release is of the scope, it is not relaxed.
type Relaxation struct {
	Name, Gate string
	Match      string // CEL, as a ScopeRule's; empty matches all
	To         string // off, observe, warn
	By, Reason string
	Until      time.Time
	Where      fault.Position
}

func (r *Reader) relaxation(f *bundle.Fields) {
	x := Relax{Relaxation: Relaxation{
		Name: r.name(f, "Relaxation", nameForm), Gate: f.Need("gate"), To: f.Choice("to", "", Off, string(Observe), string(Warn)),
		By: f.Need("by"), Reason: f.Need("reason"), Until: f.Instant("until"), Where: f.At(),
	}, GateAt: f.ValueAt("gate")}
	for _, key := range []string{"to", "until"} {
		if !f.Has(key) {
			f.Missing(key)
		}
	}
	x.Matching, x.Match = expression(f, "match")
	r.Relaxations = append(r.Relaxations, x)
}
