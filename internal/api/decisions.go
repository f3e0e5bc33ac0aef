package api

import (
	"context"
	"encoding/base64"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/view"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *api) decisions() []operation {
	return []operation{
		act(operation{id: "ask-gate", path: "/gate", need: access.Gate, about: "Ask whether a version may go to an environment now"}, askGate),
		ask(operation{
			id: "list-decisions", path: "/decisions", need: access.Read, about: "List decisions, newest first",
			params: append(text("service", "environment", "verdict"), paging()...),
		}, listDecisions),
		ask(operation{id: "show-decision", path: "/decisions/{id}", need: access.Read, about: "A decision with every reason, and where it stands in the journal"}, showDecision),
		serve(operation{
			id: "show-basis", path: "/decisions/{id}/basis", need: access.Read, gives: "application/json",
			about: "What a decision rested on, as canonical JSON (RFC 8785)",
		}, showBasis),
	}
}

func askGate(c *call, q wire.GateRequest) (wire.Answer, error) {
	answer, err := c.Control.Ask(c.ctx, c.request(), control.GateRequest{
		ReleaseRequest: control.ReleaseRequest{Service: q.Service, Version: q.Version, Digest: q.Digest, Size: q.Size, ChangeType: q.ChangeType},
		Environment:    q.Environment,
	})
	if err != nil {
		return wire.Answer{}, err
	}
	names, err := c.namesIn(c.ctx, answer.Decision)
	return wire.Answer{Decision: wireDecision(answer.Decision), Standing: answer.Standing, Permit: answer.Permit, People: names}, err
}

// namesIn is the names of the persons that a decision mentions.
func (a *api) namesIn(ctx context.Context, d release.Decision) (map[string]string, error) {
	return a.names(ctx, append([]string{}, d.Approvals...)...)
}

func listDecisions(c *call) (wire.Page[wire.DecisionSummary], error) {
	p, err := c.paging()
	if err != nil {
		return wire.Page[wire.DecisionSummary]{}, err
	}
	verdict := policy.Verdict(c.text("verdict"))
	switch verdict {
	case "", policy.Go, policy.Wait, policy.NoGo, policy.CannotTell:
	default:
		return wire.Page[wire.DecisionSummary]{}, fault.Invalidf("request.verdict", "%q is not a verdict", clip(string(verdict))).
			On("verdict").Remedy("write go, wait, no-go or indeterminate")
	}
	page, err := c.Views.Decisions(c.ctx, view.DecisionFilter{Service: c.text("service"), Environment: c.text("environment"), Verdict: verdict, Paging: p})
	return pageOf(page, err, func(e view.Entry[release.Decision]) wire.DecisionSummary {
		d := e.State
		return wire.DecisionSummary{
			ID: d.ID, Position: e.First.Position, Release: d.Release, Service: d.Service, Version: d.Version,
			Environment: d.Environment, Verdict: string(d.Verdict), Enforced: d.Enforced, At: d.At,
		}
	})
}

func showDecision(c *call) (w wire.RecordedDecision, err error) {
	e, err := c.Views.Decision(c.ctx, c.path("id"))
	if err != nil {
		return w, err
	}
	w.Decision = wireDecision(e.State)
	if w.People, err = c.namesIn(c.ctx, e.State); err != nil {
		return w, err
	}
	if w.Receipt, err = c.receipt(c.ctx, e.First.Position); err != nil {
		return w, err
	}
	if e.State.Permit != "" {
		p, err := c.Control.PermitState(c.ctx, e.State.Permit)
		if err != nil {
			return w, err
		}
		w.Permit = wirePermit(p, c.Now())
	}
	return w, nil
}

// receipt says where a fact stands, with the hash of its leaf.
func (a *api) receipt(ctx context.Context, position uint64) (wire.Receipt, error) {
	f, err := a.Journal.Fact(ctx, position)
	if err != nil {
		return wire.Receipt{}, err
	}
	leaf, err := event.Leaf(f.HeaderBytes, f.BodyBytes, f.PrivateBytes)
	if err != nil {
		return wire.Receipt{}, err
	}
	hash := tlog.RecordHash(leaf)
	return wire.Receipt{Origin: a.Journal.Origin(), Position: position, Leaf: base64.StdEncoding.EncodeToString(hash[:])}, nil
}

func showBasis(c *call) error {
	e, err := c.Views.Decision(c.ctx, c.path("id"))
	if err != nil {
		return err
	}
	basis, err := c.Control.Basis(c.ctx, e.State.Basis)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json")
	_, _ = c.w.Write(basis)
	return nil
}
