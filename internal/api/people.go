package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/view"
	"signalbox.dev/signalbox/internal/wire"
)

// listed is a page of a list that has no filters.
func listed[S, W any](c *call, list func(context.Context, view.Paging) (view.Page[view.Entry[S]], error), each func(view.Entry[S]) W) (wire.Page[W], error) {
	p, err := c.paging()
	if err != nil {
		return wire.Page[W]{}, err
	}
	page, err := list(c.ctx, p)
	return pageOf(page, err, each)
}

// Lives of tokens.
const (
	usualLife  = 30 * 24 * time.Hour
	signInLife = 2 * time.Minute
)

func (a *api) tokens() []operation {
	return []operation{
		act(operation{id: "issue-token", path: "/tokens", need: signedIn, about: "Issue a token; its secret is shown this once"}, issueToken),
		ask(operation{id: "list-tokens", path: "/tokens", need: signedIn, params: paging(), about: "List one's own tokens; with the right to grant everybody's"}, listTokens),
		act(operation{id: "revoke-token", path: "/tokens/{id}/revoke", need: signedIn, about: "End a token"},
			func(c *call, q wire.Reasoned) (wire.Done, error) {
				return c.done(c.Control.RevokeToken(c.ctx, c.request(), c.path("id"), q.Reason))
			}),
		ask(operation{id: "show-me", path: "/me", need: signedIn, about: "Who the token speaks for"}, showMe),
		send(operation{id: "offer-sign-in", path: "/signin-offers", need: signedIn, about: "A one-time code that opens a browser session at /signin?code="},
			func(c *call) (wire.IssuedToken, error) {
				issued, err := c.Control.OfferSignIn(c.ctx, c.request(), signInLife)
				return wireIssued(issued), err
			}),
		act(operation{id: "set-up", path: "/setup", need: public, about: "Make the first administrator with the code of the setup link"}, setUp),
	}
}

func issueToken(c *call, q wire.TokenRequest) (wire.IssuedToken, error) {
	life := usualLife
	if q.Hours != 0 {
		if q.Hours < 1 || q.Hours > int(access.MaxTokenLife/time.Hour) {
			return wire.IssuedToken{}, fault.Invalidf("token.life", "a token lives 1 to %d hours", int(access.MaxTokenLife/time.Hour)).On("hours")
		}
		life = time.Duration(q.Hours) * time.Hour
	}
	if len(q.Label) > 200 {
		return wire.IssuedToken{}, fault.Invalidf("token.label", "the label is longer than 200 bytes").On("label")
	}
	var scopes []access.Right
	for _, s := range q.Scopes {
		scopes = append(scopes, access.Right(s))
	}
	issued, err := c.Control.IssueToken(c.ctx, c.request(), control.TokenRequest{Handle: q.Handle, Machine: q.Machine, Label: q.Label, Scopes: scopes, Life: life})
	return wireIssued(issued), err
}

func wireIssued(i control.Issued) wire.IssuedToken {
	return wire.IssuedToken{ID: i.ID, Secret: i.Secret, Subject: i.Subject, Expires: i.Expires}
}

func listTokens(c *call) (wire.Page[wire.Token], error) {
	subject := c.actor.Subject
	if slices.Contains(c.actor.Rights, access.Grant) {
		subject = ""
	}
	list := func(ctx context.Context, p view.Paging) (view.Page[view.Entry[access.Token]], error) {
		return c.Views.Tokens(ctx, subject, p)
	}
	return listed(c, list, func(e view.Entry[access.Token]) wire.Token {
		t := e.State
		w := wire.Token{
			ID: t.ID, Subject: t.Subject, Label: t.Label, Purpose: t.Purpose, Scopes: words(t.Scopes),
			Issued: e.First.At.Time(), Expires: t.Expires.Time(), Revoked: t.Revoked, Spent: t.Spent,
		}
		return w
	})
}

func words[T ~string](list []T) []string {
	all := []string{}
	for _, w := range list {
		all = append(all, string(w))
	}
	return all
}

func showMe(c *call) (wire.Me, error) {
	token := strings.TrimPrefix(c.actor.Auth, access.TokenNoun+"/")
	w := wire.Me{
		Subject: c.actor.Subject, Roles: words(c.actor.Roles), Rights: words(c.actor.Rights), Groups: c.actor.Groups, Services: c.actor.Services, Token: token,
	}
	known, err := c.Views.Names(c.ctx, c.actor.Person())
	if err != nil {
		return w, err
	}
	name := known[c.actor.Person()]
	w.Handle, w.Name = name.Handle, name.Name
	e, err := c.Views.Token(c.ctx, token)
	if fault.KindOf(err) == fault.NotFound {
		return w, nil // the view is being built anew
	}
	w.Expires = e.State.Expires.Time()
	return w, err
}

func setUp(c *call, q wire.SetupRequest) (wire.IssuedToken, error) {
	if wait := c.setups.take(c.address()); wait > 0 {
		return wire.IssuedToken{}, tooOften("too many tries at setting up", wait)
	}
	issued, err := c.Control.Setup(c.ctx, q.Code, control.Founder{Handle: q.Handle, Name: q.Name, Email: q.Email})
	return wireIssued(issued), err
}

func (a *api) people() []operation {
	regrant := func(revoke bool) func(c *call, q wire.RoleRequest) (wire.Done, error) {
		return func(c *call, q wire.RoleRequest) (wire.Done, error) {
			if (q.Handle == "") == (q.Machine == "") {
				return wire.Done{}, fault.Invalidf("request.holder", "name either a person's handle or a machine").On("handle")
			}
			return wire.Done{}, c.Control.Regrant(c.ctx, c.request(), control.Regrant{Handle: q.Handle, Machine: q.Machine, Role: q.Role, Reason: q.Reason, Revoke: revoke})
		}
	}
	return []operation{
		act(operation{id: "grant-role", path: "/roles/grant", need: access.Grant, about: "Give a person or machine a role"}, regrant(false)),
		act(operation{id: "revoke-role", path: "/roles/revoke", need: access.Grant, about: "Take a role"}, regrant(true)),
		act(operation{id: "depart", path: "/people/{handle}/depart", need: access.Grant, about: "End all of a person's rights at once"},
			func(c *call, q wire.Reasoned) (wire.Done, error) {
				return wire.Done{}, c.Control.Depart(c.ctx, c.request(), c.path("handle"), q.Reason)
			}),
	}
}

func wireFact(f event.Recorded, private bool) (wire.Fact, error) {
	w := wire.Fact{
		Position: f.Position, Stream: string(f.Stream), Version: f.Version, Kind: string(f.Kind), Time: f.Time.Time(),
		Actor: f.Actor, Auth: f.Auth, Source: f.Source, Command: f.Command, Body: f.BodyBytes,
	}
	for _, t := range f.Touches {
		w.Touches = append(w.Touches, string(t.Stream))
	}
	if !private {
		return w, nil
	}
	var err error
	w.Private, err = f.Private()
	return w, err
}
