// Package halt knows what stops releases everywhere at once: the stop switch,
// which one person pulls and two reset, and orders that recall every permit
// given under a policy, on somebody's word or with somebody's approval.
//
// Invariant: neither is weighed against anything. While the switch is pulled
// nothing goes, whatever the policy; an order takes in every permit issued
// before it, whatever has become of the permits' own streams.
package halt

import (
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
)

// SwitchNoun is the noun of the one stream of the stop switch.
const SwitchNoun = "stop"

// Stream is the stop switch's.
const Stream event.Stream = SwitchNoun + "/switch"

// Persons is how many must agree to a reset; AgreementFor is how long the first
// one's agreement waits for the next.
const (
	Persons      = 2
	AgreementFor = time.Hour
)

// Switch is the state of the stop switch. The zero switch stops nothing.
type Switch struct {
	ID       string       `json:"id,omitempty"` // of this stop; "" while nothing is stopped
	Since    event.Micros `json:"since,omitempty"`
	By       string       `json:"by,omitempty"`       // who pulled it
	Position uint64       `json:"position,omitempty"` // of the fact that pulled it
	Agreed   []Agreement  `json:"agreed,omitempty"`   // to a reset, of different persons
}

// Agreement is a person's word that releases may go on.
type Agreement struct {
	Person string       `json:"person"` // id
	At     event.Micros `json:"at"`     // set by the fold
}

// pulled is the body of StopPulled, agreement of StopResetAgreed and StopReset.
type pulled struct {
	ID string `json:"id"`
}

type agreement struct {
	Stop   string `json:"stop"`
	Person string `json:"person"`
}

// SwitchShape is the fold of the stop switch's stream.
func SwitchShape() event.Shape {
	return event.ShapeOf(SwitchNoun, 1, func(s *Switch, f event.Recorded) error {
		switch f.Kind {
		case event.StopPulled:
			var p pulled
			if err := f.Body(&p); err != nil {
				return err
			}
			*s = Switch{ID: p.ID, Since: f.Time, By: f.Actor, Position: f.Position}
		case event.StopResetAgreed:
			var a agreement
			if err := f.Body(&a); err != nil {
				return err
			}
			s.Agreed = append(s.without(a.Person), Agreement{Person: a.Person, At: f.Time})
		case event.StopReset:
			*s = Switch{}
		default:
			return event.Unknown(f)
		}
		return nil
	}, nil)
}

// Stops reports whether releases are stopped.
func (s Switch) Stops() bool { return s.ID != "" }

func (s Switch) without(person string) []Agreement {
	return slices.DeleteFunc(slices.Clone(s.Agreed), func(a Agreement) bool { return a.Person == person })
}

// Standing is the agreements to a reset that still count.
func (s Switch) Standing(now time.Time) []Agreement {
	since := event.MicrosOf(now.Add(-AgreementFor))
	return slices.DeleteFunc(slices.Clone(s.Agreed), func(a Agreement) bool { return a.At < since })
}

// Pull stops all releases; id names this stop. Pulled again, it takes away the
// agreements to a reset that there were.
func (s Switch) Pull(id, reason string) ([]event.Draft, error) {
	switch {
	case strings.TrimSpace(reason) == "":
		return nil, fault.Invalidf("stop.reason", "stopping all releases needs a reason").Because("whoever is stopped is told why").On("reason")
	case s.Stops() && len(s.Agreed) == 0:
		return nil, fault.New(fault.Conflict, "stop.pulled", "all releases are stopped already").Because("since " + s.Since.String())
	}
	return []event.Draft{{Stream: Stream, Kind: event.StopPulled, Body: pulled{ID: id}, Private: map[string]string{"reason": reason}}}, nil
}

// Reset is a person's agreement that releases may go on; with the last one
// needed they do.
func (s Switch) Reset(person, reason string, now time.Time) ([]event.Draft, error) {
	standing := s.Standing(now)
	switch {
	case !s.Stops():
		return nil, fault.New(fault.Conflict, "stop.not-pulled", "nothing is stopped")
	case person == "":
		return nil, fault.New(fault.Forbidden, "stop.person", "only persons may let releases go on").
			Because("it takes two of them").Remedy("have two persons reset the switch")
	case strings.TrimSpace(reason) == "":
		return nil, fault.Invalidf("stop.reason", "letting releases go on needs a reason").On("reason")
	case slices.ContainsFunc(standing, func(a Agreement) bool { return a.Person == person }):
		return nil, fault.New(fault.Conflict, "stop.agreed", "you have agreed to the reset already").Remedy("another person must agree, within an hour of you")
	}
	kind := event.StopResetAgreed
	if len(standing)+1 >= Persons {
		kind = event.StopReset
	}
	return []event.Draft{{Stream: Stream, Kind: kind, Body: agreement{Stop: s.ID, Person: person}, Private: map[string]string{"reason": reason}}}, nil
}
