package halt

import (
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
