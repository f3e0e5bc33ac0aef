package halt

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
)

// A permit whose approvers were not kept rests on any; one that had none, on none.
func TestBases(t *testing.T) {
	for name, c := range map[string]struct {
		approvers, issuers []string
		want               []Basis
	}{
		"not kept": {nil, nil, []Basis{"approver/", "issuer/", "policy/p"}},
		"none":     {[]string{}, []string{}, []Basis{"policy/p"}},
		"some":     {[]string{"b", "a", "a"}, []string{"machine/m"}, []Basis{"approver/a", "approver/b", "issuer/machine/m", "policy/p"}},
	} {
		if got := Bases("p", c.approvers, c.issuers); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if BasisOf(OfApprover, "x").Stream() == BasisOf(OfIssuer, "x").Stream() {
		t.Error("two bases share a stream")
	}
}

func TestRecallRefuses(t *testing.T) {
	for _, b := range []Basis{"", "approver/", "environment/x", "policy"} {
		if _, err := Recall(b, "x"); code(err) != "recall.basis" {
			t.Errorf("%q: %v", b, err)
		}
	}
	if _, err := Recall("policy/p", " "); code(err) != "recall.reason" {
		t.Errorf("without a reason: %v", err)
	}
	for b, facts := range map[Basis]int{"policy/p": 1, "approver/a": 2, "issuer/machine/m": 2} {
		if drafts, err := Recall(b, "x"); err != nil || len(drafts) != facts {
			t.Errorf("%s: %d facts, %v", b, len(drafts), err)
		}
	}
}

// Facts that the stream of the switch cannot hold are errors, never passed over.
func TestFoldsKnowTheirFacts(t *testing.T) {
	for _, shape := range []event.Shape{SwitchShape(), RecallShape()} {
		if _, err := shape.Fold(nil, event.Recorded{Header: event.Header{Kind: event.FreezeLifted}, BodyBytes: []byte("{}")}); err == nil {
			t.Errorf("%s folds a freeze", shape.Noun)
		}
	}
}

func TestPullAndReset(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	pulled := Switch{ID: "s", Since: event.MicrosOf(now)}
	agreed := Switch{ID: "s", Agreed: []Agreement{{Person: "a", At: event.MicrosOf(now)}}}
	for name, c := range map[string]struct {
		do   func() ([]event.Draft, error)
		kind event.Kind
		code string
	}{
		"pull":                    {func() ([]event.Draft, error) { return Switch{}.Pull("s", "x") }, event.StopPulled, ""},
		"pull without a reason":   {func() ([]event.Draft, error) { return Switch{}.Pull("s", " ") }, "", "stop.reason"},
		"pull what is pulled":     {func() ([]event.Draft, error) { return pulled.Pull("t", "x") }, "", "stop.pulled"},
		"pull what one gave up":   {func() ([]event.Draft, error) { return agreed.Pull("t", "x") }, event.StopPulled, ""},
		"reset nothing":           {func() ([]event.Draft, error) { return Switch{}.Reset("a", "x", now) }, "", "stop.not-pulled"},
		"a machine resets":        {func() ([]event.Draft, error) { return pulled.Reset("", "x", now) }, "", "stop.person"},
		"reset without a reason":  {func() ([]event.Draft, error) { return pulled.Reset("a", "", now) }, "", "stop.reason"},
		"the first person agrees": {func() ([]event.Draft, error) { return pulled.Reset("a", "x", now) }, event.StopResetAgreed, ""},
		"the same one again":      {func() ([]event.Draft, error) { return agreed.Reset("a", "x", now) }, "", "stop.agreed"},
		"the second one":          {func() ([]event.Draft, error) { return agreed.Reset("b", "x", now) }, event.StopReset, ""},
		"the second, too late":    {func() ([]event.Draft, error) { return agreed.Reset("b", "x", now.Add(2*AgreementFor)) }, event.StopResetAgreed, ""},
	} {
		drafts, err := c.do()
		if code(err) != c.code || c.kind != "" && (len(drafts) != 1 || drafts[0].Kind != c.kind) {
			t.Errorf("%s: %v %v", name, drafts, err)
		}
	}
}

func code(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}

// folded is the state after some facts of a stream, one microsecond after the other from 10 on.
func folded[S any](t *testing.T, shape event.Shape, drafts ...event.Draft) S {
	t.Helper()
	var state []byte
	for i, d := range drafts {
		body, err := json.Marshal(d.Body)
		if err != nil {
			t.Fatal(err)
		}
		f := event.Recorded{Header: event.Header{Position: uint64(i + 1), Stream: d.Stream, Kind: d.Kind, Time: event.Micros(i + 10), Actor: "person/puller"}, BodyBytes: body}
		if state, err = shape.Fold(state, f); err != nil {
			t.Fatal(err)
		}
	}
	s, err := event.Decode[S](state)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The switch as its facts leave it: who pulled it, who agreed and when, and nothing once it is reset.
func TestSwitchOverItsFacts(t *testing.T) {
	at := time.UnixMicro(12)
	first := func(drafts []event.Draft, err error) event.Draft {
		t.Helper()
		if err != nil || len(drafts) != 1 || drafts[0].Stream != Stream || drafts[0].Private["reason"] != "why" {
			t.Fatalf("%v %v", drafts, err)
		}
		return drafts[0]
	}
	pull := first(Switch{}.Pull("s", "why"))
	s := folded[Switch](t, SwitchShape(), pull)
	if !s.Stops() || s.ID != "s" || s.Since != 10 || s.By != "person/puller" || s.Position != 1 || len(s.Agreed) != 0 {
		t.Errorf("pulled: %+v", s)
	}
	a := first(s.Reset("a", "why", at))
	s = folded[Switch](t, SwitchShape(), pull, a)
	if !s.Stops() || !slices.Equal(s.Agreed, []Agreement{{Person: "a", At: 11}}) {
		t.Errorf("agreed by one: %+v", s)
	}
	again := folded[Switch](t, SwitchShape(), pull, a, a)
	if !again.Stops() || !slices.Equal(again.Agreed, []Agreement{{Person: "a", At: 12}}) {
		t.Errorf("agreed by the same one, later: %+v", again)
	}
	late := folded[Switch](t, SwitchShape(), pull, a, event.Draft{Stream: Stream, Kind: event.StopResetAgreed, Body: agreement{Stop: "s", Person: "b"}})
	if len(late.Agreed) != 2 || late.Agreed[0].Person != "a" || late.Agreed[1].Person != "b" {
		t.Errorf("agreed by two in turn: %+v", late)
	}
	anew := folded[Switch](t, SwitchShape(), pull, a, first(s.Pull("t", "why")))
	if anew.ID != "t" || len(anew.Agreed) != 0 || anew.Position != 3 {
		t.Errorf("pulled again: %+v", anew)
	}
	reset := first(s.Reset("b", "why", at))
	if over := folded[Switch](t, SwitchShape(), pull, a, reset); over.Stops() || over.Since != 0 || len(over.Agreed) != 0 {
		t.Errorf("reset: %+v", over)
	}
	for _, kind := range []event.Kind{event.StopPulled, event.StopResetAgreed} {
		if _, err := SwitchShape().Fold(nil, event.Recorded{Header: event.Header{Kind: kind}, BodyBytes: []byte("[]")}); err == nil {
			t.Errorf("%s is folded whatever it says", kind)
		}
	}
}

// An agreement counts for an hour, and just that long.
func TestAgreementsStand(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	s := Switch{ID: "s", Agreed: []Agreement{{"a", event.MicrosOf(now.Add(-AgreementFor))}, {"b", event.MicrosOf(now.Add(-AgreementFor - time.Microsecond))}, {"c", event.MicrosOf(now)}}}
	var got []string
	for _, a := range s.Standing(now) {
		got = append(got, a.Person)
	}
	if !slices.Equal(got, []string{"a", "c"}) || len(s.Agreed) != 3 {
		t.Errorf("%v of %v", got, s.Agreed)
	}
}

// A recall takes in what was issued before it on the basis that it names, and
// with an issuer or approver what was issued before such were kept.
func TestRecallOverItsFacts(t *testing.T) {
	for b, also := range map[Basis]Basis{"policy/p": "", "approver/a": "approver/", "issuer/machine/m": "issuer/"} {
		drafts, err := Recall(b, "why")
		if err != nil || drafts[0].Stream != b.Stream() || drafts[0].Private["reason"] != "why" || drafts[0].Kind != event.PermitsRecalled {
			t.Errorf("%s: %v %v", b, drafts, err)
		}
		if o := folded[Order](t, RecallShape(), drafts[0]); o.Basis != b || o.At != 10 || o.Position != 1 {
			t.Errorf("%s: %+v", b, o)
		}
		if o := folded[Order](t, RecallShape(), drafts[0], drafts[0]); o.Position != 2 || o.At != 11 {
			t.Errorf("%s, again: %+v", b, o)
		}
		if also == "" {
			continue
		}
		if o := folded[Order](t, RecallShape(), drafts[1]); drafts[1].Stream != also.Stream() || o.Basis != also {
			t.Errorf("%s: %v, %+v", b, drafts[1], o)
		}
	}
	if _, err := RecallShape().Fold(nil, event.Recorded{Header: event.Header{Kind: event.PermitsRecalled}, BodyBytes: []byte("[]")}); err == nil {
		t.Error("an order is folded whatever it says")
	}
	if s := Basis("policy/p").Stream(); s.Noun() != RecallNoun || len(s.ID()) != 32 {
		t.Errorf("%s", s)
	}
}
