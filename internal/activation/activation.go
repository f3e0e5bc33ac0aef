// Package activation knows which bundle of policy is in force: when each takes
// effect, on what reason, and when one is put out of force.
//
// It leaves what a bundle says and whether its tests pass to policy. Its
// invariant: at any instant at most one bundle is in force, and none that is a
// draft or whose tests fail.
package activation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
)

// Stream is the one stream of activations.
const Stream event.Stream = "policy/active"

// kept is how many activations the state remembers where none of
// those beyond is in force or still to come; the journal has them all.
// maxScheduled bounds those that are still to come.
const (
	kept         = 20
	maxScheduled = 100
)

// Entry is a bundle taking effect: the body of PolicyActivated. One that is
// Off is a bundle put out of force, so that none is.
type Entry struct {
	Digest    string       `json:"digest"` // of the bundle, which never changes
	File      string       `json:"file"`   // digest of its sources in the vault
	Name      string       `json:"name"`
	Version   string       `json:"version,omitempty"`
	Effective event.Micros `json:"effective"`
	Tests     int          `json:"tests"`             // how many passed
	Answers   string       `json:"answers,omitempty"` // digest of what the tests were answered, in the vault
	Contract  int          `json:"contract"`
	Off       bool         `json:"off,omitempty"` // set by the fold
	By        string       `json:"by,omitempty"`  // set by the fold
	At        event.Micros `json:"at,omitempty"`  // set by the fold
}

// deactivation is the body of PolicyDeactivated: the bundle that was in force.
type deactivation struct {
	Digest    string       `json:"digest"`
	Name      string       `json:"name"`
	Version   string       `json:"version,omitempty"`
	Effective event.Micros `json:"effective"`
}

// Of is what a fact of Stream says.
func Of(f event.Recorded) (Entry, error) {
	if f.Kind != event.PolicyActivated && f.Kind != event.PolicyDeactivated {
		return Entry{}, event.Unknown(f)
	}
	var one Entry
	if err := f.Body(&one); err != nil {
		return Entry{}, err
	}
	one.Off, one.By, one.At = f.Kind == event.PolicyDeactivated, f.Actor, f.Time
	return one, nil
}

// State is the state of Stream, in the order of recording.
type State struct {
	List []Entry `json:"list"`
}

// Shape is the fold of Stream.
func Shape() event.Shape {
	return event.ShapeOf("policy", 3, func(a *State, f event.Recorded) error {
		one, err := Of(f)
		if err != nil {
			return err
		}
		a.List = append(a.List, one)
		a.forget(f.Time)
		return nil
	}, nil)
}

// forget drops the oldest of those that can never be in force again.
func (a *State) forget(now event.Micros) {
	current, _ := a.latest(now.Time())
	over := len(a.List) - kept
	a.List = slices.DeleteFunc(a.List, func(one Entry) bool {
		if over <= 0 || one.Effective > now || one == current {
			return false
		}
		over--
		return true
	})
}

// Current is the activation in force at an instant; none is once the latest was
// put out of force.
func (a State) Current(now time.Time) (Entry, bool) {
	if latest, found := a.latest(now); found && !latest.Off {
		return latest, true
	}
	return Entry{}, false
}

// latest is, of those that have taken effect, the latest, and of two at one
// instant the one recorded later.
func (a State) latest(now time.Time) (Entry, bool) {
	var current Entry
	found := false
	for _, one := range a.List {
		if one.Effective <= event.MicrosOf(now) && (!found || one.Effective >= current.Effective) {
			current, found = one, true
		}
	}
	return current, found
}

// Next is when another bundle takes effect; zero: none is known.
func (a State) Next(now time.Time) time.Time {
	var next event.Micros
	for _, one := range a.List {
		if one.Effective > event.MicrosOf(now) && (next == 0 || one.Effective < next) {
			next = one.Effective
		}
	}
	return next.Time()
}

// scheduled is how many are still to take effect.
func (a State) scheduled(now time.Time) int {
	n := 0
	for _, one := range a.List {
		if one.Effective > event.MicrosOf(now) {
			n++
		}
	}
	return n
}

// Kept are the digests of what is kept of a bundle in the vault.
type Kept struct{ File, Answers string }

// Activate is the fact that a bundle takes effect. Its tests must pass, a
// reason be given, and the effective time not lie in the past (zero, or less than a
// minute ago: now).
func (a State) Activate(p *policy.Program, kept Kept, effective time.Time, reason string, now time.Time) ([]event.Draft, error) {
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
	if effective.Before(now) { // else it could fall behind one that took effect meanwhile
		effective = now
	}
	if err := p.Activatable(effective); err != nil {
		return nil, err
	}
	if current, active := a.Current(effective); active && current.Digest == p.Digest() {
		return nil, fault.New(fault.Conflict, "policy.active", "this very bundle is in force then already").Because("its digest is " + p.Digest())
	}
	if a.scheduled(now) >= maxScheduled {
		return nil, fault.New(fault.Conflict, "policy.scheduled", fmt.Sprintf("%d bundles are still to take effect", maxScheduled)).Remedy("wait until some of them have")
	}
	body := Entry{
		Digest: p.Digest(), File: kept.File, Answers: kept.Answers, Name: p.Policy().Name, Version: p.Policy().Version,
		Effective: event.MicrosOf(effective), Tests: len(p.Cases()), Contract: policy.Contract,
	}
	return []event.Draft{{Stream: Stream, Kind: event.PolicyActivated, Body: body, Private: map[string]string{"reason": reason}}}, nil
}

// Deactivate is the fact that the bundle in force no longer is. From then on
// nothing is, and every answer is cannot tell, until another takes effect: those
// that are still to come do.
func (a State) Deactivate(reason string, now time.Time) ([]event.Draft, error) {
	current, active := a.Current(now)
	if !active {
		return nil, fault.New(fault.Conflict, "policy.inactive", "no policy is in force").Remedy("signalbox policy history shows those that were")
	}
	if strings.TrimSpace(reason) == "" {
		return nil, fault.Invalidf("policy.reason", "deactivating a policy needs a reason").On("reason").Because("auditors ask for it")
	}
	body := deactivation{Digest: current.Digest, Name: current.Name, Version: current.Version, Effective: event.MicrosOf(now)}
	return []event.Draft{{Stream: Stream, Kind: event.PolicyDeactivated, Body: body, Private: map[string]string{"reason": reason}}}, nil
}
