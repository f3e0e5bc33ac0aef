package policy

import (
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
)

// ActiveStream is the one stream of activations.
const ActiveStream event.Stream = "policy/active"

// keptActivations bounds how many past activations the state remembers; the
// journal has them all.
const keptActivations = 20

// Activation is a bundle taking effect: the body of PolicyActivated.
type Activation struct {
	Digest    string       `json:"digest"` // of the bundle, which never changes
	File      string       `json:"file"`   // digest of its sources in the vault
	Name      string       `json:"name"`
	Version   string       `json:"version,omitempty"`
	Effective event.Micros `json:"effective"`
	Tests     int          `json:"tests"` // how many passed
	Contract  int          `json:"contract"`
	By        string       `json:"by,omitempty"` // set by the fold
	At        event.Micros `json:"at,omitempty"` // set by the fold
}

// Activations is the state of ActiveStream, in the order of recording.
type Activations struct {
	List []Activation `json:"list"`
}

// ActivationShape is the fold of ActiveStream.
func ActivationShape() event.Shape {
	return event.ShapeOf("policy", 1, func(a *Activations, f event.Recorded) error {
		if f.Kind != event.PolicyActivated {
			return event.Unknown(f)
		}
		var one Activation
		if err := f.Body(&one); err != nil {
			return err
		}
		one.By, one.At = f.Actor, f.Time
		a.List = append(a.List, one)
		if len(a.List) > keptActivations {
			a.List = a.List[len(a.List)-keptActivations:]
		}
		return nil
	}, nil)
}

// Current is the activation in force at an instant: of those that have taken
// effect the latest, and of two at one instant the one recorded later.
func (a Activations) Current(now time.Time) (Activation, bool) {
	var current Activation
	found := false
	for _, one := range a.List {
		if one.Effective <= event.MicrosOf(now) && (!found || one.Effective >= current.Effective) {
			current, found = one, true
		}
	}
	return current, found
}

// Next is when another bundle takes effect; zero: none is known.
func (a Activations) Next(now time.Time) time.Time {
	var next event.Micros
	for _, one := range a.List {
		if one.Effective > event.MicrosOf(now) && (next == 0 || one.Effective < next) {
			next = one.Effective
		}
	}
	return next.Time()
}

// Activate is the fact that a bundle takes effect. Its tests must pass, a
// reason be given, and the effective time not lie in the past (zero: now).
func (a Activations) Activate(p *Program, file string, effective time.Time, reason string, now time.Time) ([]event.Draft, error) {
	if err := p.Ready(); err != nil {
		return nil, err
	}
	if strings.TrimSpace(reason) == "" {
		return nil, fault.Invalidf("policy.reason", "activating a policy needs a reason").On("reason").Because("auditors ask for it")
	}
	if effective.IsZero() {
		effective = now
	}
	if effective.Before(now.Add(-time.Minute)) {
		return nil, fault.Invalidf("policy.past", "a policy cannot take effect in the past").On("effective").Remedy("leave it out to activate now")
	}
	if current, active := a.Current(effective); active && current.Digest == p.Digest() {
		return nil, fault.New(fault.Conflict, "policy.active", "this very bundle is in force then already").Because("its digest is " + p.Digest())
	}
	body := Activation{
		Digest: p.Digest(), File: file, Name: p.Policy().Name, Version: p.Policy().Version,
		Effective: event.MicrosOf(effective), Tests: len(p.cases), Contract: Contract,
	}
	return []event.Draft{{Stream: ActiveStream, Kind: event.PolicyActivated, Body: body, Private: map[string]string{"reason": reason}}}, nil
}
