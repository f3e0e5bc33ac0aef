package activation

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
)

// at is an instant so long after monday.
func at(after time.Duration) time.Time { return monday.Add(after) }

// history folds activations, each recorded by ada at its own instant.
type history struct {
	t     testing.TB
	state []byte
}

func (h *history) record(when time.Time, drafts ...event.Draft) State {
	h.t.Helper()
	for _, d := range drafts {
		body, err := json.Marshal(d.Body)
		if err != nil {
			h.t.Fatal(err)
		}
		f := event.Recorded{Header: event.Header{Kind: d.Kind, Stream: d.Stream, Time: event.MicrosOf(when), Actor: "ada"}, BodyBytes: body}
		if h.state, err = Shape().Fold(h.state, f); err != nil {
			h.t.Fatal(err)
		}
	}
	return h.now()
}

func (h *history) now() State {
	h.t.Helper()
	a, err := event.Decode[State](h.state)
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

// effect is the fact of a bundle that takes effect; its digest is its name.
func effect(name string, from time.Time) event.Draft {
	return event.Draft{Stream: Stream, Kind: event.PolicyActivated, Body: Entry{Digest: name, Effective: event.MicrosOf(from)}}
}

// base is the smallest bundle that decides, with a test that passes.
const base = `apiVersion: signalbox/v1
kind: Policy
name: base
version: "1"
---
apiVersion: signalbox/v1
kind: ScopeRule
name: all
governance: full
---
apiVersion: signalbox/v1
kind: ReleaseType
name: any
size: [major, minor, patch]
change_types: [standard, normal, emergency]
chain: one
---
apiVersion: signalbox/v1
kind: ApprovalChain
name: one
tiers: [{name: review, groups: [release-approvers], quorum: 2}]
---
apiVersion: signalbox/v1
kind: Gate
name: always
title: Always
condition: size(release.version) > 0
---
apiVersion: signalbox/v1
kind: TestCase
name: nothing is known
at: 2027-03-01T09:00:00Z
expect: {verdict: cannot-tell}
`

// monday is the instant of the tests.
var monday = time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)

// changed is the base bundle with one text in place of another.
func changed(t testing.TB, old, text string) *policy.Program {
	t.Helper()
	p, problems := policy.Compile([]policy.File{{Name: "base.yaml", Data: []byte(strings.Replace(base, old, text, 1))}})
	if p == nil || old != "" && !strings.Contains(base, old) {
		t.Fatalf("the bundle does not compile: %v", problems)
	}
	return p
}

// numbered is the base bundle in a version of its own.
func numbered(t testing.TB, version string) *policy.Program {
	t.Helper()
	return changed(t, `version: "1"`, `version: "`+version+`"`)
}

func TestActivationIsRecorded(t *testing.T) {
	p := numbered(t, "7")
	var h history
	h.t = t
	drafts, err := h.now().Activate(p, Kept{File: "sha256:sources"}, at(time.Hour), "the auditors' findings", monday)
	if err != nil {
		t.Fatal(err)
	}
	want := []event.Draft{{
		Stream: Stream, Kind: event.PolicyActivated, Private: map[string]string{"reason": "the auditors' findings"},
		Body: Entry{Digest: p.Digest(), File: "sha256:sources", Name: "base", Version: "7", Effective: event.MicrosOf(at(time.Hour)), Tests: 1, Contract: policy.Contract},
	}}
	if diff := cmp.Diff(want, drafts); diff != "" {
		t.Fatal(diff)
	}
	folded := want[0].Body.(Entry)
	folded.By, folded.At = "ada", event.MicrosOf(at(time.Second))
	if diff := cmp.Diff(State{List: []Entry{folded}}, h.record(at(time.Second), drafts...)); diff != "" {
		t.Error(diff)
	}
}

func TestActivationsKnowNoOtherFact(t *testing.T) {
	for _, f := range []event.Recorded{
		{Header: event.Header{Kind: event.FreezeDeclared}, BodyBytes: []byte("{}")},
		{Header: event.Header{Kind: event.PolicyActivated}, BodyBytes: []byte("[]")},
	} {
		if state, err := Shape().Fold(nil, f); err == nil {
			t.Errorf("%s %s was folded to %s", f.Kind, f.BodyBytes, state)
		}
	}
}

func TestWhichBundleIsInForce(t *testing.T) {
	tick := time.Microsecond
	for _, tt := range []struct {
		name    string
		history []event.Draft
		now     time.Time
		want    string // "" where none is
		next    time.Time
	}{
		{"nothing was ever activated", nil, monday, "", time.Time{}},
		{"before the first", []event.Draft{effect("a", at(time.Hour))}, at(time.Hour - tick), "", at(time.Hour)},
		{"at the first", []event.Draft{effect("a", at(time.Hour))}, at(time.Hour), "a", time.Time{}},
		{"after the first", []event.Draft{effect("a", at(time.Hour))}, at(1000 * time.Hour), "a", time.Time{}},
		{"before the second", []event.Draft{effect("a", monday), effect("b", at(time.Hour))}, at(time.Hour - tick), "a", at(time.Hour)},
		{"at the second", []event.Draft{effect("a", monday), effect("b", at(time.Hour))}, at(time.Hour), "b", time.Time{}},
		{"recorded in another order", []event.Draft{effect("b", at(time.Hour)), effect("a", monday)}, at(2 * time.Hour), "b", time.Time{}},
		{"the next of two", []event.Draft{effect("c", at(2*time.Hour)), effect("b", at(time.Hour)), effect("a", monday)}, monday, "a", at(time.Hour)},
		{"two at one instant: the one recorded later", []event.Draft{effect("a", at(time.Hour)), effect("b", at(time.Hour))}, at(time.Hour), "b", time.Time{}},
		{"two at one instant, told before it", []event.Draft{effect("a", at(time.Hour)), effect("b", at(time.Hour))}, monday, "", at(time.Hour)},
		{"back to the first", []event.Draft{effect("a", monday), effect("b", at(time.Hour)), effect("a", at(2*time.Hour))}, at(3 * time.Hour), "a", time.Time{}},
		{"within a microsecond", []event.Draft{effect("a", at(time.Hour))}, at(time.Hour + 999), "a", time.Time{}},
		{"in another zone", []event.Draft{effect("a", at(time.Hour).In(time.FixedZone("", 7200)))}, at(time.Hour), "a", time.Time{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := history{t: t}
			h.record(monday, tt.history...)
			a := h.now()
			current, found := a.Current(tt.now)
			if current.Digest != tt.want || found != (tt.want != "") {
				t.Errorf("in force is %q (%v), want %q", current.Digest, found, tt.want)
			}
			if next := a.Next(tt.now); !next.Equal(tt.next) || next.IsZero() != tt.next.IsZero() {
				t.Errorf("the next takes effect at %s, want %s", next, tt.next)
			}
		})
	}
}

// TestWhatIsForgottenIsNeverNeeded compares the folded state with one that
// forgets nothing, at every instant from the last fact on.
func TestWhatIsForgottenIsNeverNeeded(t *testing.T) {
	h := history{t: t}
	var all State
	now := monday
	record := func(name string, from time.Time) {
		now = now.Add(time.Minute)
		a := h.record(now, effect(name, from))
		all.List = append(all.List, Entry{Digest: name, Effective: event.MicrosOf(from), By: "ada", At: event.MicrosOf(now)})
		for when := now; when.Before(at(200 * time.Hour)); when = when.Add(17 * time.Minute) {
			got, _ := a.Current(when)
			want, _ := all.Current(when)
			if got != want || !a.Next(when).Equal(all.Next(when)) {
				t.Fatalf("after %d, at %s: %q is in force, want %q", len(all.List), when, got.Digest, want.Digest)
			}
		}
	}
	record("next month", at(150*time.Hour))
	for i := range 3 * kept {
		record(fmt.Sprintf("now %d", i), now)
	}
	if n := len(h.now().List); n != kept {
		t.Errorf("%d are remembered, want %d", n, kept)
	}
	for i := range 2 * kept {
		record(fmt.Sprintf("soon %d", i), at(100*time.Hour+time.Duration(i)*time.Minute))
	}
	if n := len(h.now().List); n != 2*kept+2 {
		t.Errorf("%d are remembered, want those to come and the one in force", n)
	}
}

func TestActivationIsRefused(t *testing.T) {
	v1, v2 := numbered(t, "1"), numbered(t, "2")
	untested, failing := changed(t, base[strings.Index(base, "---\napiVersion: signalbox/v1\nkind: TestCase"):], ""), changed(t, "verdict: cannot-tell", "verdict: go")
	var inForce, full []event.Draft
	inForce = append(inForce, effect(v1.Digest(), at(-time.Hour)))
	full = append(full, inForce...)
	for i := range maxScheduled {
		full = append(full, effect(fmt.Sprintf("soon %d", i), at(time.Duration(i+1)*time.Hour)))
	}
	later := append(inForce[:1:1], effect(v2.Digest(), at(time.Hour)))
	for _, tt := range []struct {
		name      string
		history   []event.Draft
		program   *policy.Program
		effective time.Time
		reason    string
		code      string    // "" where it is accepted
		from      time.Time // when it takes effect
	}{
		{"now", inForce, v2, time.Time{}, "why", "", monday},
		{"at this instant", inForce, v2, monday, "why", "", monday},
		{"to come", inForce, v2, at(time.Hour), "why", "", at(time.Hour)},
		{"the first ever", nil, v1, time.Time{}, "why", "", monday},
		{"no test case", inForce, untested, time.Time{}, "why", "policy.no-tests", time.Time{}},
		{"a failing test case", inForce, failing, time.Time{}, "why", "policy.tests-failed", time.Time{}},
		{"no reason", inForce, v2, time.Time{}, "", "policy.reason", time.Time{}},
		{"a blank reason", inForce, v2, time.Time{}, " \n\t", "policy.reason", time.Time{}},
		{"a minute ago", inForce, v2, at(-time.Minute), "why", "", monday},
		{"longer ago", inForce, v2, at(-time.Minute - time.Microsecond), "why", "policy.past", time.Time{}},
		{"in force already", inForce, v1, time.Time{}, "why", "policy.active", time.Time{}},
		{"in force already then", inForce, v1, at(time.Hour), "why", "policy.active", time.Time{}},
		{"in force by then", later, v2, at(time.Hour), "why", "policy.active", time.Time{}},
		{"in force later, wanted now", later, v2, time.Time{}, "why", "", monday},
		{"in force now, wanted after the next", later, v1, at(time.Hour), "why", "", at(time.Hour)},
		{"in force now, wanted before the next", later, v1, at(time.Hour - time.Microsecond), "why", "policy.active", time.Time{}},
		{"too many to come", full, v2, time.Time{}, "why", "policy.scheduled", time.Time{}},
		{"one fewer to come", full[:maxScheduled], v2, time.Time{}, "why", "", monday},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := history{t: t}
			h.record(at(-time.Hour), tt.history...)
			drafts, err := h.now().Activate(tt.program, Kept{File: "f"}, tt.effective, tt.reason, monday)
			if tt.code != "" {
				if f, ok := err.(*fault.Error); !ok || f.Code != tt.code || drafts != nil {
					t.Fatalf("%v (%v), want %s", err, drafts, tt.code)
				}
				return
			}
			if err != nil || len(drafts) != 1 {
				t.Fatalf("%v, %v", drafts, err)
			}
			if got := drafts[0].Body.(Entry).Effective.Time(); !got.Equal(tt.from) {
				t.Errorf("it takes effect at %s, want %s", got, tt.from)
			}
			if current, _ := h.record(monday, drafts...).Current(tt.from); current.Digest != tt.program.Digest() {
				t.Errorf("what was activated is not in force at %s", tt.from)
			}
		})
	}
}

// TestLateActivationIsNotOvertaken: an instant just gone by does not put a
// bundle behind one that took effect after it.
func TestLateActivationIsNotOvertaken(t *testing.T) {
	h := history{t: t}
	h.record(at(-30*time.Second), effect("before", at(-30*time.Second)))
	p := numbered(t, "2")
	drafts, err := h.now().Activate(p, Kept{File: "f"}, at(-45*time.Second), "why", monday)
	if err != nil {
		t.Fatal(err)
	}
	if current, _ := h.record(monday, drafts...).Current(monday); current.Digest != p.Digest() {
		t.Errorf("%q is in force", current.Digest)
	}
}

// A bundle put out of force is followed by none, until another takes effect,
// and nothing that was forgotten comes back.
func TestDeactivation(t *testing.T) {
	var h history
	h.t = t
	if _, err := h.now().Deactivate("none is there", monday); fault.KindOf(err) != fault.Conflict {
		t.Errorf("with none in force: %v", err)
	}
	h.record(at(0), effect("first", at(0)))
	h.record(at(time.Hour), effect("second", at(time.Hour)))
	h.record(at(time.Hour), effect("third", at(9*time.Hour)))
	if _, err := h.now().Deactivate("  ", at(2*time.Hour)); fault.KindOf(err) != fault.Invalid {
		t.Errorf("without a reason: %v", err)
	}
	drafts, err := h.now().Deactivate("it lets everything through", at(2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if drafts[0].Kind != event.PolicyDeactivated || drafts[0].Private["reason"] != "it lets everything through" {
		t.Errorf("%+v", drafts)
	}
	stands := h.record(at(2*time.Hour), drafts...)
	for _, c := range []struct {
		after time.Duration
		want  string
	}{{time.Minute, "first"}, {90 * time.Minute, "second"}, {2 * time.Hour, ""}, {8 * time.Hour, ""}, {9 * time.Hour, "third"}} {
		if got, active := stands.Current(at(c.after)); got.Digest != c.want || active != (c.want != "") {
			t.Errorf("after %s: %q %v, want %q", c.after, got.Digest, active, c.want)
		}
	}
	if next := stands.Next(at(3 * time.Hour)); !next.Equal(at(9 * time.Hour)) {
		t.Errorf("next at %s", next)
	}
	if _, err := stands.Deactivate("twice", at(3*time.Hour)); fault.KindOf(err) != fault.Conflict {
		t.Errorf("twice: %v", err)
	}
	for i := range 3 * kept {
		stands = h.record(at(2*time.Hour), effect(fmt.Sprint("later ", i), at(time.Duration(10+i)*time.Hour)))
	}
	if got, active := stands.Current(at(4 * time.Hour)); active {
		t.Errorf("%q came back", got.Digest)
	}
	p := numbered(t, "7")
	drafts, err = stands.Activate(p, Kept{File: "sha256:sources"}, time.Time{}, "better", at(3*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := h.record(at(3*time.Hour), drafts...).Current(at(3 * time.Hour)); got.Digest != p.Digest() {
		t.Errorf("the next activation is not in force: %+v", got)
	}
}
