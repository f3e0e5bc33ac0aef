package verify

import (
	"reflect"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/strict"
	"signalbox.dev/signalbox/internal/trust"
)

// Leaked is a key that was ended because another may have it. Of the facts
// before its end, those after the first Known rest on nothing that the holder
// of it could not have made.
type Leaked struct {
	Purpose Purpose `json:"purpose"`
	ID      string  `json:"id"`
	Until   uint64  `json:"until"` // position of the fact that ended it
	Known   uint64  `json:"known"` // size of the newest checkpoint before that which was cosigned or kept elsewhere; 0: none
}

// follow believes the keys that rotations lead to, which the head names so that
// what was signed before one can be checked by who knows the later key alone.
// That each is a fact of the journal shows as the facts go by.
func (e *export) follow(turns []trust.Turn) (err error) {
	if e.keys, err = e.keys.Follow(e.report.Origin, turns); err != nil {
		return wrongf("export.key", nowhere, "%s", err)
	}
	for _, key := range e.keys.Of(ForJournal, ForPermits) {
		if key.Compromised {
			e.report.Leaked = append(e.report.Leaked, Leaked{Purpose: key.Purpose, ID: key.ID, Until: key.Until})
		}
	}
	e.turns = turns
	return nil
}

// turn holds a rotation against the next one that the head names.
func (e *export) turn(h event.Header, body []byte) error {
	if h.Kind != event.KeyRotated {
		return nil
	}
	var r trust.Rotated
	if err := strict.Decode(body, &r); err != nil || h.Stream != trust.StreamOf(r.Purpose) {
		return wrongf("export.key", h.Position, "the rotation at %d cannot be read: %v", h.Position, err)
	}
	if len(e.turns) == 0 || !reflect.DeepEqual(e.turns[0], trust.Turn{Position: h.Position, Rotated: r}) {
		return wrongf("export.key", h.Position, "the rotation at %d is not the next that the head names", h.Position)
	}
	e.turns = e.turns[1:]
	return nil
}

// known notes that a tree of that size is vouched for from outside.
func (e *export) known(size uint64, outside bool) {
	for i, l := range e.report.Leaked {
		if outside && size <= l.Until {
			e.report.Leaked[i].Known = max(l.Known, size)
		}
	}
}
