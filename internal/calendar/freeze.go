// Package calendar knows when a release may happen. In this version: freezes,
// which the business declares and lifts, and when each begins, ends and applies.
//
// Invariant: a freeze's edges belong to it wide: its start is inside, its end
// is the first instant outside (RFC 5545 DTSTART, DTEND), and a freeze whose
// scope names nothing covers everything.
package calendar

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
)

// FreezeNoun is the noun of freezes' streams.
const FreezeNoun = "freeze"

// FreezeSpan is the interval key of every freeze that is not lifted; its value is always "live".
const FreezeSpan = "freeze.span"

// FreezeName finds the freezes of a name that are not lifted; of those only one is not over.
const FreezeName = "freeze.name"

// Freeze is a span in which the business wants no releases.
type Freeze struct {
	ID    string       `json:"id"`
	Name  string       `json:"name"`
	Rule  string       `json:"rule,omitempty"` // the FreezeRule it stands under
	Scope Scope        `json:"scope"`
	From  event.Micros `json:"from"`
	Until event.Micros `json:"until,omitempty"` // first instant after it; 0: until lifted
	// Lifted is when it was lifted; 0 while it stands.
	Lifted event.Micros `json:"lifted,omitempty"`
}

// Scope is what a freeze covers: everything that each non-empty list names.
type Scope struct {
	Services     []string `json:"services,omitempty"`
	Environments []string `json:"environments,omitempty"`
	Kinds        []string `json:"kinds,omitempty"` // of environment
	Regions      []string `json:"regions,omitempty"`
	Tiers        []int    `json:"tiers,omitempty"`
}

// Target is what a release aims at. What is not known is covered by every scope.
type Target struct {
	Service, Environment string
	ServiceKnown         bool
	EnvironmentKnown     bool
	Kind, Region         string
	Tier                 int
}

// Covers reports whether the scope covers the target.
func (s Scope) Covers(t Target) bool {
	in := func(list []string, v string, known bool) bool {
		return len(list) == 0 || !known || slices.Contains(list, v)
	}
	return in(s.Services, t.Service, t.ServiceKnown) && in(s.Environments, t.Environment, t.EnvironmentKnown) &&
		in(s.Kinds, t.Kind, t.EnvironmentKnown) && in(s.Regions, t.Region, t.EnvironmentKnown) &&
		(len(s.Tiers) == 0 || !t.ServiceKnown || slices.Contains(s.Tiers, t.Tier))
}

// Words is the scope in plain words.
func (s Scope) Words() string {
	var parts []string
	for _, p := range []struct {
		label string
		list  []string
	}{{"services", s.Services}, {"environments", s.Environments}, {"kinds", s.Kinds}, {"regions", s.Regions}} {
		if len(p.list) > 0 {
			parts = append(parts, p.label+" "+strings.Join(p.list, ", "))
		}
	}
	if len(s.Tiers) > 0 {
		parts = append(parts, "tiers "+strings.Trim(fmt.Sprint(s.Tiers), "[]"))
	}
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, "; ")
}

// InForce reports whether the freeze stands at an instant.
func (f Freeze) InForce(now time.Time) bool {
	m := event.MicrosOf(now)
	return f.Lifted == 0 && f.From <= m && (f.Until == 0 || m < f.Until)
}

// Shape is the fold of freezes' streams.
func Shape() event.Shape {
	return event.ShapeOf(FreezeNoun, 1, func(f *Freeze, r event.Recorded) error {
		switch r.Kind {
		case event.FreezeDeclared:
			return r.Body(f)
		case event.FreezeLifted:
			f.Lifted = r.Time
			return nil
		default:
			return event.Unknown(r)
		}
	}, func(f Freeze) []event.Key {
		if f.Lifted != 0 {
			return nil
		}
		return []event.Key{
			{Kind: event.Interval, Name: FreezeSpan, Value: "live", From: f.From, Until: f.Until},
			{Kind: event.Lookup, Name: FreezeName, Value: f.Name},
		}
	})
}

// Over reports whether the freeze can be in force no more.
func (f Freeze) Over(now time.Time) bool {
	return f.Lifted != 0 || f.Until != 0 && f.Until <= event.MicrosOf(now)
}

// Declare is the fact of a new freeze; reason is what the business says.
// named are the freezes that bear its name already.
func Declare(f Freeze, named []Freeze, reason string, now time.Time) ([]event.Draft, error) {
	for _, other := range named {
		if !other.Over(now) {
			return nil, fault.New(fault.Conflict, "freeze.exists", "a freeze "+f.Name+" stands already").Remedy("lift it first, or choose another name").On("name")
		}
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	switch {
	case strings.TrimSpace(reason) == "":
		return nil, fault.Invalidf("freeze.reason", "a freeze needs a reason").On("reason").Because("whoever is stopped by it is told why")
	case f.Until != 0 && f.Until <= f.From:
		return nil, fault.Invalidf("freeze.span", "the freeze ends before it begins").On("until").Remedy("give an end after the start, or none to freeze until lifted")
	case f.Until != 0 && f.Until <= event.MicrosOf(now):
		return nil, fault.Invalidf("freeze.past", "the freeze would be over already").On("until").Remedy("give an end in the future")
	}
	return []event.Draft{{
		Stream: event.StreamOf(FreezeNoun, f.ID), Kind: event.FreezeDeclared, Body: f,
		Private: map[string]string{"reason": reason}, Touches: []event.Stream{event.SetFreezes},
	}}, nil
}

// Names stand in what others read and copy into a shell: letters, digits and
// little else.
var (
	freezeForm = regexp.MustCompile(`^[\pL\pN][\pL\pN\pM ._/+:-]{0,99}$`)
	scopeForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$`)
)

func (f Freeze) check() error {
	if strings.TrimSpace(f.Name) == "" {
		return fault.Invalidf("freeze.name", "a freeze needs a name").On("name")
	}
	if !freezeForm.MatchString(f.Name) {
		return fault.Invalidf("freeze.name", "%q is not a name for a freeze", clip(f.Name)).On("name").
			Remedy("write 1 to 100 letters, digits, spaces, '.', '_', '/', '+', ':' or '-'")
	}
	for _, name := range slices.Concat(f.Scope.Services, f.Scope.Environments, f.Scope.Kinds, f.Scope.Regions) {
		if !scopeForm.MatchString(name) {
			return fault.Invalidf("freeze.scope", "%q is not a name", clip(name)).On("scope").Remedy("write the name as it stands in the catalog")
		}
	}
	return nil
}

func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}

// Lift ends a freeze at once.
func (f Freeze) Lift(reason string) ([]event.Draft, error) {
	switch {
	case f.ID == "":
		return nil, fault.New(fault.NotFound, "freeze.unknown", "there is no such freeze")
	case f.Lifted != 0:
		return nil, fault.New(fault.Conflict, "freeze.lifted", "the freeze "+f.Name+" was lifted already").Because("at " + f.Lifted.String())
	case strings.TrimSpace(reason) == "":
		return nil, fault.Invalidf("freeze.reason", "lifting a freeze needs a reason").On("reason")
	}
	return []event.Draft{{
		Stream: event.StreamOf(FreezeNoun, f.ID), Kind: event.FreezeLifted, Body: struct{}{},
		Private: map[string]string{"reason": reason}, Touches: []event.Stream{event.SetFreezes},
	}}, nil
}

// Standing is what the freezes say about one target at one instant.
type Standing struct {
	InForce []Freeze  // that cover the target, and from which it is not exempt
	Exempt  []Freeze  // in force and covering, but the target is exempt
	ThawsAt time.Time // when the last of InForce ends; zero where one is open-ended or none is in force
	OpenEnd bool
	Next    time.Time // the next instant at which a known freeze begins or ends for the target; zero: none
}

// Weigh says what the freezes mean for a target. exempt tells, by the
// freeze's rule, whether the release's type is exempt.
func Weigh(now time.Time, freezes []Freeze, t Target, exempt func(rule string) bool) Standing {
	var s Standing
	next := func(m event.Micros) {
		if at := m.Time(); m != 0 && at.After(now) && (s.Next.IsZero() || at.Before(s.Next)) {
			s.Next = at
		}
	}
	for _, f := range freezes {
		if f.Lifted != 0 || !f.Scope.Covers(t) {
			continue
		}
		next(f.From)
		next(f.Until)
		switch {
		case !f.InForce(now):
		case exempt(f.Rule):
			s.Exempt = append(s.Exempt, f)
		default:
			s.InForce = append(s.InForce, f)
			s.OpenEnd = s.OpenEnd || f.Until == 0
			if end := f.Until.Time(); end.After(s.ThawsAt) {
				s.ThawsAt = end
			}
		}
	}
	if s.OpenEnd {
		s.ThawsAt = time.Time{}
	}
	return s
}
