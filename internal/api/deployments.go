package api

import (
	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/view"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *api) deployments() []operation {
	return []operation{
		act(operation{id: "start-deployment", path: "/deployments", need: access.Deploy, about: "Report that a deployment begins, and redeem its permit"}, startDeployment),
		send(operation{id: "finish-deployment", path: "/deployments/{id}/finish", need: access.Deploy, about: "Report that a deployment ended well"},
			func(c *call) (wire.Deployment, error) { return c.end(control.EndRequest{ID: c.path("id")}) }),
		act(operation{id: "fail-deployment", path: "/deployments/{id}/fail", need: access.Deploy, about: "Report that a deployment failed"},
			func(c *call, q wire.FailRequest) (wire.Deployment, error) {
				return c.end(control.EndRequest{ID: c.path("id"), Failed: true, Reached: q.Reached, Reason: q.Reason})
			}),
		act(operation{id: "end-deployment", path: "/deployments/end", need: access.Deploy, about: "Report how the deployment under way of a version ended"}, endDeployment),
		ask(operation{
			id: "list-deployments", path: "/deployments", need: access.Read, about: "List deployments, newest first",
			params: append(append(text("environment", "service"), param{name: "unauthorised", kind: "boolean", about: "Only those without a permit that holds"}), paging()...),
		}, listDeployments),
		ask(operation{id: "show-permit", path: "/permits/{id}", need: access.Read, about: "A permit as it stands, with its envelope"}, showPermit),
		act(operation{id: "recall-permit", path: "/permits/{id}/recall", need: access.Recall, about: "Take a permit back before it is redeemed"},
			func(c *call, q wire.Reasoned) (wire.Done, error) {
				return c.done(c.Control.RecallPermit(c.ctx, c.request(), c.path("id"), q.Reason))
			}),
	}
}

func startDeployment(c *call, q wire.StartRequest) (wire.Deployment, error) {
	d, err := c.Control.StartDeployment(c.ctx, c.request(), control.StartRequest{
		Service: q.Service, Version: q.Version, Digest: q.Digest, Environment: q.Environment, Permit: q.Permit, Run: q.Run,
	})
	return wireDeployment(d), err
}

func (c *call) end(q control.EndRequest) (wire.Deployment, error) {
	d, err := c.Control.EndDeployment(c.ctx, c.request(), q)
	return wireDeployment(d), err
}

func endDeployment(c *call, q wire.EndRequest) (wire.Deployment, error) {
	live, err := c.Control.LiveDeployment(c.ctx, q.Service, q.Version, q.Digest, q.Environment)
	if fault.KindOf(err) == fault.NotFound && c.request().Key != "" {
		live, err = c.ended(q, err)
	}
	if err != nil {
		return wire.Deployment{}, err
	}
	return c.end(control.EndRequest{ID: live.ID, Failed: q.Failed, Reached: q.Reached, Reason: q.Reason})
}

// ended is the newest deployment of a version that is no longer under way, so
// that a request sent twice finds the answer of the first.
func (c *call) ended(q wire.EndRequest, none error) (release.Deployment, error) {
	page, err := c.Views.Deployments(c.ctx, view.DeploymentFilter{Environment: q.Environment, Service: q.Service})
	if err != nil {
		return release.Deployment{}, err
	}
	for _, e := range page.Items {
		if e.State.Version == q.Version && (q.Digest == "" || e.State.Digest == q.Digest) {
			return e.State, nil
		}
	}
	return release.Deployment{}, none
}

func listDeployments(c *call) (wire.Page[wire.Deployment], error) {
	var none wire.Page[wire.Deployment]
	p, err := c.paging()
	if err != nil {
		return none, err
	}
	unauthorised, err := c.flag("unauthorised")
	if err != nil {
		return none, err
	}
	page, err := c.Views.Deployments(c.ctx, view.DeploymentFilter{Environment: c.text("environment"), Service: c.text("service"), Unauthorised: unauthorised, Paging: p})
	return pageOf(page, err, func(e view.Entry[release.Deployment]) wire.Deployment { return wireDeployment(e.State) })
}

func showPermit(c *call) (wire.PermitState, error) {
	p, err := c.Control.PermitState(c.ctx, c.path("id"))
	if err != nil {
		return wire.PermitState{}, err
	}
	w := wirePermit(p, c.Now())
	w.Envelope, err = c.Control.Permit(c.ctx, p.ID)
	return *w, err
}
