package api

import (
	"context"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/view"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *api) releases() []operation {
	return []operation{
		act(operation{id: "open-release", path: "/releases", need: access.Open, about: "Open a release, or answer the one that stands"}, openRelease),
		ask(operation{
			id: "list-releases", path: "/releases", need: access.Read, about: "List releases, newest first",
			params: append(text("service"), paging()...),
		}, listReleases),
		ask(operation{id: "show-release", path: "/releases/{id}", need: access.Read, about: "A release as it stands"}, showRelease),
		act(operation{id: "revise-release", path: "/releases/{id}/revisions", need: access.Open, about: "Declare size or change type anew; votes given before no longer count"},
			func(c *call, q wire.ReviseRequest) (wire.Done, error) {
				return c.done(c.Control.ReviseRelease(c.ctx, c.request(), c.path("id"), q.Size, q.ChangeType))
			}),
		act(operation{id: "attach-change", path: "/releases/{id}/change", need: access.Open, limit: bundleBytes, about: "Say what the release contains"}, attachChange),
		act(operation{id: "read-change", path: "/releases/{id}/change/read", need: access.Open, about: "Have the server read what the release contains"},
			func(c *call, q wire.ReadChangeRequest) (wire.Change, error) {
				ch, err := c.Control.ReadChange(c.ctx, c.request(), c.path("id"), q.From, q.To)
				return wireChange(ch), err
			}),
		act(operation{id: "inspect-change", path: "/change/inspections", need: access.Open, about: "Have the server describe a change of a service, from the repository that the catalog names; nothing is recorded"},
			func(c *call, q wire.InspectChangeRequest) (wire.Change, error) {
				ch, err := c.Control.InspectChange(c.ctx, c.request(), q.Service, q.From, q.To)
				return wireChange(ch), err
			}),
		act(operation{id: "move-release", path: "/releases/{id}/moves", need: signedIn, about: "Take the release to another phase by hand"},
			func(c *call, q wire.MoveRequest) (wire.Done, error) {
				return c.done(c.Control.MoveRelease(c.ctx, c.request(), c.path("id"), q.Environment, release.Phase(q.To), q.Reason))
			}),
	}
}

// done answers a command on the thing that the path names.
func (c *call) done(err error) (wire.Done, error) { return wire.Done{ID: c.path("id")}, err }

func openRelease(c *call, q wire.ReleaseRequest) (wire.Release, error) {
	s, err := c.Control.OpenRelease(c.ctx, c.request(), control.ReleaseRequest{
		Service: q.Service, Version: q.Version, Digest: q.Digest, Size: q.Size, ChangeType: q.ChangeType, Draft: q.Draft,
	})
	if err != nil {
		return wire.Release{}, err
	}
	return c.named(c.ctx, s)
}

func showRelease(c *call) (wire.Release, error) {
	s, err := c.Control.Release(c.ctx, c.path("id"))
	if err != nil {
		return wire.Release{}, err
	}
	return c.named(c.ctx, s)
}

// named is a release with the names of whoever opened it, attached or voted.
func (a *api) named(ctx context.Context, s release.State) (wire.Release, error) {
	w := wireRelease(s)
	ids := []string{s.OpenedBy}
	if s.Change != nil {
		ids = append(ids, s.Change.By)
	}
	for _, v := range s.Votes {
		ids = append(ids, v.Person)
	}
	var err error
	w.People, err = a.names(ctx, ids...)
	return w, err
}

func listReleases(c *call) (wire.Page[wire.ReleaseSummary], error) {
	p, err := c.paging()
	if err != nil {
		return wire.Page[wire.ReleaseSummary]{}, err
	}
	page, err := c.Views.Releases(c.ctx, c.text("service"), p)
	return pageOf(page, err, func(e view.Entry[release.State]) wire.ReleaseSummary {
		s := e.State
		return wire.ReleaseSummary{ID: s.ID, Service: s.Service, Version: s.Version, Digest: s.Digest, Phase: string(s.Phase), OpenedBy: s.OpenedBy, OpenedAt: s.OpenedAt.Time()}
	})
}

func attachChange(c *call, q wire.Change) (wire.Done, error) {
	if err := release.CheckName("digest", q.Digest); err != nil {
		return wire.Done{}, err
	}
	return c.done(c.Control.AttachChange(c.ctx, c.request(), c.path("id"), changeOf(q)))
}

func (a *api) approvals() []operation {
	return []operation{
		ask(operation{
			id: "preview-decision", path: "/releases/{id}/preview", need: access.Read, params: needed("environment"),
			about: "What an approver sees and votes on; nothing is recorded",
		}, preview),
		act(operation{id: "vote", path: "/releases/{id}/votes", need: access.Approve, about: "Approve or reject exactly what stands"},
			func(c *call, q wire.VoteRequest) (wire.Done, error) {
				return c.done(c.Control.Vote(c.ctx, c.request(), c.path("id"), control.Ballot{Environment: q.Environment, Answer: q.Answer, Comment: q.Comment, Seen: q.Seen}))
			}),
		act(operation{id: "withdraw-vote", path: "/releases/{id}/votes/withdraw", need: access.Approve, about: "Withdraw one's own vote"},
			func(c *call, q wire.UnvoteRequest) (wire.Done, error) {
				return c.done(c.Control.Unvote(c.ctx, c.request(), c.path("id"), q.Environment))
			}),
	}
}

func preview(c *call) (wire.Preview, error) {
	s, err := c.Control.Preview(c.ctx, c.request(), c.path("id"), c.text("environment"))
	if err != nil {
		return wire.Preview{}, err
	}
	names, err := c.namesIn(c.ctx, s.Decision)
	return wire.Preview{Subject: s.Digest, Canonical: s.Canonical, Environment: s.Environment, Decision: wireDecision(s.Decision), People: names}, err
}
