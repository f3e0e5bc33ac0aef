package control_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/halt"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
)

func (h *house) start(permit []byte) release.Deployment {
	h.t.Helper()
	d, err := h.StartDeployment(h.ctx, h.as("ci"), control.StartRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Permit: permit})
	must(h.t, err)
	return d
}

// While the switch is pulled nothing goes, not even on a permit given before;
// one person does not let it go on, and nobody counts twice.
func TestStopSwitch(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.approve(h.prepare(), "ben", "cid")
		granted := h.ask()
		if granted.Permit == nil {
			t.Fatal("no permit")
		}
		_, err := h.PullStop(h.ctx, h.as("ci"), "a pipeline may not")
		wants(t, err, fault.Forbidden, "access.missing-right")
		_, err = h.PullStop(h.ctx, h.as("cid"), " ")
		wants(t, err, fault.Invalid, "stop.reason")
		stop, err := h.PullStop(h.ctx, h.as("cid"), "a breach is looked into")
		must(t, err)
		if reason, err := h.StopReason(h.ctx, stop); err != nil || reason != "a breach is looked into" {
			t.Errorf("%q %v", reason, err)
		}
		_, err = h.PullStop(h.ctx, h.as("root"), "again")
		wants(t, err, fault.Conflict, "stop.pulled")
		stopped := h.ask().Decision
		if stopped.Verdict != policy.NoGo || !stopped.Enforced || stopped.Stop != stop.ID || stopped.Reasons[0].Code != "stopped" || stopped.Permit != "" {
			t.Errorf("%s, stop %q, %+v", stopped.Verdict, stopped.Stop, stopped.Reasons[0])
		}
		if again := h.ask(); !again.Standing {
			t.Error("asked again under the stop it was decided anew")
		}
		if d := h.start(granted.Permit); d.Authorised || d.Code != "stop.pulled" {
			t.Errorf("a permit was redeemed under the stop: %+v", d)
		}
		agreed, err := h.ResetStop(h.ctx, h.as("cid"), "it was nothing")
		must(t, err)
		if !agreed.Stops() || h.ask().Decision.Verdict != policy.NoGo {
			t.Error("one person let releases go on")
		}
		_, err = h.ResetStop(h.ctx, h.as("cid"), "it was nothing")
		wants(t, err, fault.Conflict, "stop.agreed")
		_, err = h.PullStop(h.ctx, h.as("root"), "it was something after all")
		must(t, err)
		_, err = h.ResetStop(h.ctx, h.as("root"), "looked into")
		must(t, err)
		if h.ask().Decision.Verdict != policy.NoGo {
			t.Error("an agreement of before the second stop counted")
		}
		if _, err = h.ResetStop(h.ctx, h.as("cid"), "looked into"); err != nil || h.ask().Decision.Verdict != policy.Go {
			t.Errorf("two persons did not let releases go on: %v", err)
		}
		_, err = h.ResetStop(h.ctx, h.as("cid"), "again")
		wants(t, err, fault.Conflict, "stop.not-pulled")
		h.verified(t)
	})
}

// Whoever has departed since, or may recall no more, has agreed to nothing.
func TestAgreementNeedsItsPerson(t *testing.T) {
	for name, leave := range map[string]func(h *house){
		"departed": func(h *house) { must(h.t, h.Depart(h.ctx, h.as("root"), "cid", "left")) },
		"without the right": func(h *house) {
			must(h.t, h.Regrant(h.ctx, h.as("root"), control.Regrant{Handle: "cid", Role: "release-manager", Revoke: true, Reason: "moved"}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h *house) {
				must(t, h.Regrant(h.ctx, h.as("root"), control.Regrant{Handle: "ben", Role: "release-manager", Reason: "test"}))
				h.sign("ben")
				_, err := h.PullStop(h.ctx, h.as("root"), "a breach")
				must(t, err)
				stop, err := h.ResetStop(h.ctx, h.as("cid"), "over")
				must(t, err)
				if len(stop.Agreed) != 1 {
					t.Errorf("agreed: %+v", stop.Agreed)
				}
				leave(h)
				if stop, err = h.Stop(h.ctx); err != nil || len(stop.Agreed) != 0 {
					t.Errorf("shown as agreed: %+v %v", stop.Agreed, err)
				}
				if stop, err = h.ResetStop(h.ctx, h.as("ben"), "over"); err != nil || !stop.Stops() {
					t.Errorf("an agreement of somebody who may not counted: %v", err)
				}
				if stop, err = h.ResetStop(h.ctx, h.as("root"), "over"); err != nil || stop.Stops() {
					t.Errorf("two who may did not let releases go on: %v", err)
				}
			})
		})
	}
}

// A question that is sent again under its key gets the go of before only while
// it can still be followed.
func TestRepeatedGo(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.approve(h.prepare(), "ben", "cid")
		keyed := h.as("ci")
		keyed.Key = "once"
		first, err := h.Ask(h.ctx, keyed, h.gate())
		must(t, err)
		if again, err := h.Ask(h.ctx, keyed, h.gate()); err != nil || first.Permit == nil || again.Decision.ID != first.Decision.ID || string(again.Permit) != string(first.Permit) {
			t.Errorf("sent again: %s %v", again.Decision.ID, err)
		}
		_, err = h.PullStop(h.ctx, h.as("cid"), "a breach")
		must(t, err)
		_, err = h.Ask(h.ctx, keyed, h.gate())
		wants(t, err, fault.Conflict, "gate.over")
		for _, who := range []string{"cid", "root"} {
			_, err = h.ResetStop(h.ctx, h.as(who), "over")
			must(t, err)
		}
		_, err = h.Ask(h.ctx, keyed, h.gate())
		must(t, err)
		_, err = h.RecallPermits(h.ctx, h.as("cid"), control.PermitQuery{Issuer: "ci"}, "its key leaked")
		must(t, err)
		_, err = h.Ask(h.ctx, keyed, h.gate())
		wants(t, err, fault.Conflict, "gate.over")
	})
}

// A recall takes in every permit that rests on what it names, and no other.
func TestRecallPermits(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.approve(h.prepare(), "ben", "cid")
		active := h.ask()
		for name, c := range map[string]struct {
			query control.PermitQuery
			takes bool
		}{
			"policy":         {control.PermitQuery{Policy: "active"}, true},
			"its digest":     {control.PermitQuery{Policy: active.Decision.Policy}, true},
			"another policy": {control.PermitQuery{Policy: digest}, false},
			"issuer":         {control.PermitQuery{Issuer: "ci"}, true},
			"an attestor":    {control.PermitQuery{Issuer: "attestor/builder"}, false},
			"approver":       {control.PermitQuery{Approver: "ben"}, true},
			"by address":     {control.PermitQuery{Approver: "cid@example.com"}, true},
			"no approver":    {control.PermitQuery{Approver: "ann"}, false},
		} {
			t.Run(name, func(t *testing.T) {
				permit := h.ask().Decision.Permit
				done, err := h.RecallPermits(h.ctx, h.as("cid"), c.query, "it cannot be trusted")
				must(t, err)
				p, err := h.PermitState(h.ctx, permit)
				must(t, err)
				if takes := p.Recalled != 0; takes != c.takes || takes != (done.Live > 0) {
					t.Errorf("recalled %v, live %d: %s", takes, done.Live, done.Basis)
				}
				list, next, err := h.Permits(h.ctx, c.query, "", 1)
				must(t, err)
				if (len(list) > 0) != c.takes || c.takes && list[0].ID != permit {
					t.Errorf("listed %d, then %q", len(list), next)
				}
				if next != "" {
					older, _, err := h.Permits(h.ctx, c.query, next, 1)
					if err != nil || len(older) != 1 || older[0].ID == permit {
						t.Errorf("the next page: %v %v", older, err)
					}
				}
			})
		}
		recalled := h.ask()
		_, err := h.RecallPermits(h.ctx, h.as("cid"), control.PermitQuery{Approver: "ben"}, "he was not himself")
		must(t, err)
		if d := h.start(recalled.Permit); d.Authorised || d.Code != "permit.recalled" {
			t.Errorf("%+v", d)
		}
		h.verified(t)
	})
}

func TestRecallRefuses(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for code, q := range map[string]control.PermitQuery{
			"recall.approver": {Approver: "nobody"}, "recall.issuer": {Issuer: "person/nobody"}, "recall.basis": {Approver: "ben", Issuer: "ci"}, "release.digest": {Policy: "x"},
		} {
			if _, err := h.RecallPermits(h.ctx, h.as("cid"), q, "x"); codeOf(err) != code {
				t.Errorf("%v: %v", q, err)
			}
		}
		_, err := h.RecallPermits(h.ctx, h.as("cid"), control.PermitQuery{Approver: "ben"}, "")
		wants(t, err, fault.Invalid, "recall.reason")
		_, err = h.RecallPermits(h.ctx, h.as("ci"), control.PermitQuery{Approver: "ben"}, "x")
		wants(t, err, fault.Forbidden, "access.missing-right")
	})
}

// A permit from before approvers were kept might rest on anybody's approval.
func TestRecallTakesInPermitsOfBefore(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		now, err := h.Now(h.ctx)
		must(t, err)
		issue := func(id string) {
			body := json.RawMessage(`{"id":"` + id + `","release":"r","decision":"d","service":"shop","version":"v1.1.0","digest":"` + digest + `","environment":"production","type":"minor","policy":"` + digest +
				`","change":"","evidence":"","basis":"","not_before":` + fmt.Sprint(int64(event.MicrosOf(now))) + `,"not_after":` + fmt.Sprint(int64(event.MicrosOf(now.Add(time.Hour)))) + `}`)
			_, err := h.Journal.Append(h.ctx, journal.Command{Actor: "system/test", Auth: "local", Source: "test", Facts: []event.Draft{{
				Stream: event.StreamOf(release.PermitNoun, id), Kind: event.PermitIssued, Body: body,
			}}})
			must(t, err)
		}
		issue("before")
		_, err = h.RecallPermits(h.ctx, h.as("cid"), control.PermitQuery{Approver: "ann"}, "x")
		must(t, err)
		issue("after")
		for id, recalled := range map[string]bool{"before": true, "after": false} {
			if p, err := h.PermitState(h.ctx, id); err != nil || (p.Recalled != 0) != recalled {
				t.Errorf("%s: %+v %v", id, p, err)
			}
		}
	})
}

// An agreement that waited too long for the second person counts no more.
func TestAgreementLapses(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	s := halt.Switch{ID: "s", Agreed: []halt.Agreement{{Person: "a", At: event.MicrosOf(now)}}}
	for after, kind := range map[time.Duration]event.Kind{halt.AgreementFor: event.StopReset, halt.AgreementFor + time.Second: event.StopResetAgreed} {
		drafts, err := s.Reset("b", "over", now.Add(after))
		if err != nil || len(drafts) != 1 || drafts[0].Kind != kind {
			t.Errorf("after %v: %v %v", after, drafts, err)
		}
	}
}

func codeOf(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Code
	}
	return fmt.Sprint(err)
}
