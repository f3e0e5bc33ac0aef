package api

import (
	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/halt"
	"signalbox.dev/signalbox/internal/view"
	"signalbox.dev/signalbox/internal/wire"
)

// halts is the operations that stop releases everywhere at once.
func (a *api) halts() []operation {
	return []operation{
		ask(operation{id: "show-stop", path: "/stop", need: access.Read, about: "How the stop switch stands"}, func(c *call) (wire.Stop, error) {
			s, err := c.Control.Stop(c.ctx)
			return c.wireStop(s, err)
		}),
		act(operation{id: "pull-stop", path: "/stop/pull", need: access.Recall, about: "Stop all releases: no gate answers go and no permit is redeemed until two persons reset the switch"},
			func(c *call, q wire.Reasoned) (wire.Stop, error) {
				s, err := c.Control.PullStop(c.ctx, c.request(), q.Reason)
				return c.wireStop(s, err)
			}),
		act(operation{id: "reset-stop", path: "/stop/reset", need: access.Recall, about: "Agree that releases may go on; with the second person's agreement, within an hour of the first, they do"},
			func(c *call, q wire.Reasoned) (wire.Stop, error) {
				s, err := c.Control.ResetStop(c.ctx, c.request(), q.Reason)
				return c.wireStop(s, err)
			}),
		act(operation{id: "recall-permits", path: "/permits/recall", need: access.Recall, about: "Take back every permit that rests on a policy, on somebody's word or on somebody's approval"},
			func(c *call, q wire.RecallRequest) (wire.Recalled, error) {
				done, err := c.Control.RecallPermits(c.ctx, c.request(), control.PermitQuery{Policy: q.Policy, Issuer: q.Issuer, Approver: q.Approver}, q.Reason)
				return wire.Recalled{Basis: string(done.Basis), Live: done.Live, Given: done.Given}, err
			}),
		ask(operation{
			id: "list-permits", path: "/permits", need: access.Read, about: "List the permits that rest on a policy, an issuer or an approver, newest first; exactly one is named",
			params: append(text("policy", "issuer", "approver"), paging()...),
		}, listPermits),
	}
}

func (c *call) wireStop(s halt.Switch, err error) (wire.Stop, error) {
	w := wire.Stop{Stopped: s.Stops(), ID: s.ID, Since: s.Since.Time(), By: s.By, Agreed: []wire.Agreement{}}
	if err != nil || !s.Stops() {
		return w, err
	}
	if w.Reason, err = c.Control.StopReason(c.ctx, s); err != nil {
		return w, err
	}
	standing := s.Standing(c.Now())
	ids := []string{s.By}
	for _, a := range standing {
		ids = append(ids, a.Person)
	}
	names, err := c.names(c.ctx, ids...)
	for _, a := range standing {
		w.Agreed = append(w.Agreed, wire.Agreement{Person: a.Person, Name: names[a.Person], At: a.At.Time()})
	}
	w.ByName = names[personOf(s.By)]
	return w, err
}

func listPermits(c *call) (wire.Page[wire.PermitState], error) {
	none := wire.Page[wire.PermitState]{Items: []wire.PermitState{}}
	p, err := c.paging()
	if err != nil {
		return none, err
	}
	if p.Limit == 0 {
		p.Limit = view.LimitUsual
	}
	list, next, err := c.Control.Permits(c.ctx, control.PermitQuery{Policy: c.text("policy"), Issuer: c.text("issuer"), Approver: c.text("approver")}, p.Cursor, p.Limit)
	if err != nil {
		return none, err
	}
	now := c.Now()
	for _, permit := range list {
		none.Items = append(none.Items, *wirePermit(permit, now))
	}
	none.Next = next
	return none, nil
}
