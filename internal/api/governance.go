package api

import (
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/activation"
	"signalbox.dev/signalbox/internal/calendar"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/view"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *api) freezes() []operation {
	return []operation{
		act(operation{id: "declare-freeze", path: "/freezes", need: signedIn, about: "Declare a freeze"}, declareFreeze),
		act(operation{id: "lift-freeze", path: "/freezes/{name}/lift", need: signedIn, about: "End a freeze at once; it is named by name or id"},
			func(c *call, q wire.Reasoned) (wire.Freeze, error) {
				f, err := c.Control.LiftFreeze(c.ctx, c.request(), c.path("name"), q.Reason)
				return wireFreeze(view.Entry[calendar.Freeze]{State: f}), err
			}),
		ask(operation{
			id: "list-freezes", path: "/freezes", need: access.Read, about: "List freezes, newest first: those not over, or all",
			params: append([]param{{name: "all", kind: "boolean", about: "Also those that are over"}}, paging()...),
		}, listFreezes),
	}
}

func declareFreeze(c *call, q wire.FreezeRequest) (wire.Freeze, error) {
	f, err := c.Control.DeclareFreeze(c.ctx, c.request(), control.FreezeRequest{
		Name: q.Name, Rule: q.Rule, From: q.From, Until: q.Until, Reason: q.Reason,
		Scope: calendar.Scope{Services: q.Scope.Services, Environments: q.Scope.Environments, Kinds: q.Scope.Kinds, Regions: q.Scope.Regions, Tiers: q.Scope.Tiers},
	})
	w := wireFreeze(view.Entry[calendar.Freeze]{State: f})
	w.Reason, w.By = q.Reason, c.actor.Subject
	return w, err
}

func wireFreeze(e view.Entry[calendar.Freeze]) wire.Freeze {
	f := e.State
	w := wire.Freeze{
		ID: f.ID, Name: f.Name, Rule: f.Rule, From: f.From.Time(), Until: f.Until.Time(), Lifted: f.Lifted.Time(),
		Scope:  wire.Scope{Services: f.Scope.Services, Environments: f.Scope.Environments, Kinds: f.Scope.Kinds, Regions: f.Scope.Regions, Tiers: f.Scope.Tiers},
		Reason: e.Noted(event.FreezeDeclared, "reason"), By: e.First.By, LiftReason: e.Noted(event.FreezeLifted, "reason"),
	}
	if f.Lifted != 0 {
		w.LiftedBy = e.Last.By
	}
	return w
}

func listFreezes(c *call) (wire.Page[wire.Freeze], error) {
	var none wire.Page[wire.Freeze]
	p, err := c.paging()
	if err != nil {
		return none, err
	}
	all, err := c.flag("all")
	if err != nil {
		return none, err
	}
	now := c.Now()
	if all {
		now = time.Time{}
	}
	found, err := c.Views.Freezes(c.ctx, now, p)
	page, err := pageOf(found, err, wireFreeze)
	if err != nil {
		return none, err
	}
	var ids []string
	for _, f := range page.Items {
		ids = append(ids, f.By)
	}
	names, err := c.names(c.ctx, ids...)
	for i := range page.Items {
		page.Items[i].ByName = names[personOf(page.Items[i].By)]
	}
	return page, err
}

func (a *api) policies() []operation {
	return []operation{
		act(operation{id: "activate-policy", path: "/policy/activations", need: access.Policy, limit: bundleBytes, about: "Activate a bundle; its tests must pass"}, activatePolicy),
		act(operation{id: "deactivate-policy", path: "/policy/deactivations", need: access.Policy, about: "Put the bundle in force out of force: every answer is cannot tell until another takes effect"}, deactivatePolicy),
		choose[wire.ReplayRequest, wire.ReplaySummary](operation{
			id: "replay-policy", path: "/policy/replays", need: access.Policy, limit: bundleBytes, lasting: true, gives: wire.EventStream,
			about: "Decide the recorded history again under a bundle; nothing is recorded. With Accept: text/event-stream it tells progress and each flip as it goes",
		}, replayPolicy),
		ask(operation{id: "show-policy", path: "/policy", need: access.Read, about: "The bundle in force"}, showPolicy),
		ask(operation{id: "show-policy-files", path: "/policy/files", need: access.Read, about: "The sources of the bundle in force"}, showPolicyFiles),
		ask(operation{id: "list-policy-history", path: "/policy/history", need: access.Read, params: paging(), about: "List activations and deactivations, newest first"}, listActivations),
	}
}

func activatePolicy(c *call, q wire.PolicyRequest) (wire.Activation, error) {
	done, err := c.Control.ActivatePolicy(c.ctx, c.request(), control.PolicyRequest{Files: policyFiles(q.Files), Reason: q.Reason, Effective: q.Effective})
	w := wireActivation(done)
	w.Reason = q.Reason
	return w, err
}

func deactivatePolicy(c *call, q wire.Reasoned) (wire.Activation, error) {
	done, err := c.Control.DeactivatePolicy(c.ctx, c.request(), q.Reason)
	w := wireActivation(done)
	w.Reason = q.Reason
	return w, err
}

func wireActivation(a activation.Entry) wire.Activation {
	return wire.Activation{
		Digest: a.Digest, Name: a.Name, Version: a.Version, Effective: a.Effective.Time(), Tests: a.Tests, Contract: a.Contract, By: a.By, At: a.At.Time(),
		Deactivated: a.Off,
	}
}

func showPolicy(c *call) (wire.Policy, error) {
	w := wire.Policy{Gates: []wire.Gate{}, Types: []string{}, Freezes: []string{}}
	program, activation, err := c.Control.ActivePolicy(c.ctx)
	if err != nil || program == nil {
		return w, err
	}
	stands := wireActivation(activation)
	names, err := c.names(c.ctx, stands.By)
	stands.ByName = names[personOf(stands.By)]
	if err == nil {
		stands.Reason, err = c.reasonOf(activation)
	}
	w.Active, w.Activation = true, &stands
	for _, g := range program.Gates() {
		w.Gates = append(w.Gates, wire.Gate{Name: g.Name, Title: g.Title, Severity: string(g.Severity), Controls: g.Controls, Owner: g.Owner})
	}
	for _, t := range program.ReleaseTypes() {
		w.Types = append(w.Types, t.Name)
	}
	for _, f := range program.FreezeRules() {
		w.Freezes = append(w.Freezes, f.Name)
	}
	return w, err
}

// reasonOf is why a bundle was activated, from among the newest activations.
func (c *call) reasonOf(a activation.Entry) (string, error) {
	newest, err := c.Views.Activations(c.ctx, view.Paging{Limit: 100})
	for _, e := range newest.Items {
		if e.State.At == a.At && e.State.Digest == a.Digest {
			return e.Noted(event.PolicyActivated, "reason"), err
		}
	}
	return "", err
}

func showPolicyFiles(c *call) (wire.PolicyFiles, error) {
	w := wire.PolicyFiles{Files: []wire.PolicyFile{}}
	program, activation, err := c.Control.ActivePolicy(c.ctx)
	if err != nil || program == nil {
		return w, err
	}
	w.Digest = activation.Digest
	for _, f := range program.Files() {
		w.Files = append(w.Files, wire.PolicyFile{Name: f.Name, Data: string(f.Data)})
	}
	return w, nil
}

func listActivations(c *call) (wire.Page[wire.Activation], error) {
	p, err := c.paging()
	if err != nil {
		return wire.Page[wire.Activation]{}, err
	}
	found, err := c.Views.Activations(c.ctx, p)
	page, err := pageOf(found, err, func(e view.Entry[activation.Entry]) wire.Activation {
		w := wireActivation(e.State)
		w.Reason = e.Noted(event.PolicyActivated, "reason")
		if w.Deactivated {
			w.Reason = e.Noted(event.PolicyDeactivated, "reason")
		}
		return w
	})
	if err != nil {
		return page, err
	}
	var ids []string
	for _, w := range page.Items {
		ids = append(ids, w.By)
	}
	names, err := c.names(c.ctx, ids...)
	for i := range page.Items {
		page.Items[i].ByName = names[personOf(page.Items[i].By)]
	}
	return page, err
}

func (a *api) catalogues() []operation {
	return []operation{
		send(operation{
			id: "import-catalog", path: "/catalog/imports", need: access.Catalog, takes: "application/yaml", limit: bundleBytes,
			params: []param{{name: "file", kind: "string", about: "Name of the file, for messages"}}, about: "Describe what a file of YAML documents names",
		}, importCatalog),
		ask(operation{id: "list-services", path: "/services", need: access.Read, params: paging(), about: "List services by name"},
			func(c *call) (wire.Page[wire.Service], error) {
				return listed(c, c.Views.Services, func(e view.Entry[catalog.Service]) wire.Service { return wireService(e.State) })
			}),
		ask(operation{id: "list-environments", path: "/environments", need: access.Read, params: paging(), about: "List environments by name"},
			func(c *call) (wire.Page[wire.Environment], error) {
				return listed(c, c.Views.Environments, func(e view.Entry[catalog.Environment]) wire.Environment { return wire.Environment(e.State) })
			}),
		ask(operation{id: "list-people", path: "/people", need: access.Read, params: paging(), about: "List persons"},
			func(c *call) (wire.Page[wire.Person], error) { return listed(c, c.Views.People, wirePerson) }),
		ask(operation{id: "list-machines", path: "/machines", need: access.Read, params: paging(), about: "List machines by name"},
			func(c *call) (wire.Page[wire.Machine], error) {
				return listed(c, c.Views.Machines, func(e view.Entry[access.Machine]) wire.Machine { return wire.Machine(e.State) })
			}),
	}
}

func importCatalog(c *call) (wire.Imported, error) {
	data, err := c.bytes()
	if err != nil {
		return wire.Imported{}, err
	}
	file := c.text("file")
	if file == "" || len(file) > 200 || strings.ContainsFunc(file, func(r rune) bool { return r < ' ' }) {
		file = "catalog.yaml"
	}
	done, err := c.Control.ImportCatalog(c.ctx, c.request(), file, data)
	return wire.Imported(done), err
}

func wirePerson(e view.Entry[access.Person]) wire.Person {
	return wire.Person{
		ID: e.ID, Handle: e.Noted(event.PersonDescribed, "handle"), Name: e.Noted(event.PersonDescribed, "name"),
		Teams: e.State.Teams, Groups: e.State.Groups, Roles: slices.Clone(e.State.Roles), Departed: e.State.Departed,
	}
}
