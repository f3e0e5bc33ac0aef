package control

import (
	"context"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/seal"
)

// Kinds of identity, as pseudonyms tell them apart.
const (
	handleKind = "handle"
	emailKind  = "email"
	nameKind   = "name"
)

func (c *Control) described(p catalog.Person) access.Described {
	d := access.Described{
		Teams: p.Teams, Groups: p.Groups, Name: p.Name, Handle: p.Handle, Emails: p.Emails,
		Identities: []string{c.Keys.Pseudonym(handleKind, p.Handle)}, Named: c.Keys.Pseudonym(nameKind, p.Name),
	}
	for _, e := range p.Emails {
		d.Identities = append(d.Identities, c.Keys.Pseudonym(emailKind, e))
	}
	slices.Sort(d.Identities)
	d.Identities = slices.Compact(d.Identities)
	return d
}

// Authenticate is who acts with a token's secret. Every failure is the same answer.
func (c *Control) Authenticate(ctx context.Context, secret string) (access.Actor, error) {
	return c.authenticate(ctx, secret, "")
}

func (c *Control) authenticate(ctx context.Context, secret, purpose string) (access.Actor, error) {
	hash, err := seal.HashToken(secret)
	if err != nil {
		return access.Actor{}, access.Token{}.Usable(purpose, time.Time{})
	}
	return view(ctx, c, func(l *Load) (access.Actor, error) {
		token, _, err := hinted(l, &c.tokens, access.TokenHash, hash, func(t access.Token) (string, []event.Stream) {
			return t.Hash, []event.Stream{event.StreamOf(access.TokenNoun, t.ID), event.Stream(t.Subject)}
		})
		if err != nil {
			return access.Actor{}, err
		}
		if err := token.Usable(purpose, l.Now); err != nil {
			return access.Actor{}, err
		}
		return actor(l, token)
	})
}

// Refresh is the actor as he or she stands now: sessions ask at every request,
// so that a right that was taken is gone at once.
func (c *Control) Refresh(ctx context.Context, tokenID string) (access.Actor, error) {
	return view(ctx, c, func(l *Load) (access.Actor, error) {
		token, err := read[access.Token](l, event.StreamOf(access.TokenNoun, tokenID))
		if err != nil {
			return access.Actor{}, err
		}
		if token.Spent && token.Purpose == access.ForSignIn { // spent to open the session that asks: its life was the link's
			token.Spent, token.Expires = false, event.MicrosOf(l.Now.Add(time.Second))
		}
		if err := token.Usable(token.Purpose, l.Now); err != nil {
			return access.Actor{}, err
		}
		a, err := actor(l, token)
		a.Source = "web"
		return a, err
	})
}

func actor(l *Load, t access.Token) (access.Actor, error) {
	if strings.HasPrefix(t.Subject, access.MachineNoun+"/") {
		m, err := read[access.Machine](l, event.Stream(t.Subject))
		a := t.Actor(m.Roles)
		a.Services = m.Services
		return a, err
	}
	p, err := read[access.Person](l, event.Stream(t.Subject))
	if err != nil {
		return access.Actor{}, err
	}
	if p.ID == "" || p.Departed {
		return access.Actor{}, access.Token{}.Usable("", l.Now)
	}
	a := t.Actor(p.Roles)
	a.Groups = p.Groups
	return a, nil
}

// Issued is a new token: its secret is shown once and kept nowhere.
type Issued struct {
	ID      string    `json:"id"`
	Secret  string    `json:"-"`
	Expires time.Time `json:"expires"`
	Subject string    `json:"subject"`
}

// TokenRequest asks for a token of a person (by handle) or a machine (by
// name); both empty means one's own.
type TokenRequest struct {
	Handle, Machine string
	Label           string
	Scopes          []access.Right
	Life            time.Duration
}

// IssueToken issues a token. For oneself it takes no right, and gives none that
// the token it is asked with lacks. For others it takes the right to grant;
// whoever issues it sees the secret, and the fact names issuer and holder.
func (c *Control) IssueToken(ctx context.Context, r Request, q TokenRequest) (Issued, error) {
	secret, hash := seal.NewToken("api")
	var minted string // a repeated request answers another token, whose secret nobody has kept
	issued, err := do(ctx, c, r, q, func(l *Load) ([]event.Draft, Issued, error) {
		subject, rights, err := c.holder(l, r.Actor, q)
		if err != nil {
			return nil, Issued{}, err
		}
		t := access.Token{ID: NewID(), Subject: subject, Hash: hash, Label: q.Label, Scopes: q.Scopes, Expires: event.MicrosOf(l.Now.Add(q.Life))}
		minted = t.ID
		drafts, err := access.Issue(t, rights, l.Now)
		return drafts, Issued{ID: t.ID, Expires: t.Expires.Time(), Subject: subject}, err
	})
	if issued.ID == minted {
		issued.Secret = secret
	}
	return issued, err
}

func (c *Control) holder(l *Load, a access.Actor, q TokenRequest) (string, []access.Right, error) {
	switch {
	case q.Machine != "":
		m, known, err := readOne[access.Machine](l, access.MachineName, q.Machine)
		if err == nil && !known {
			err = fault.New(fault.NotFound, "access.unknown-machine", "there is no machine "+q.Machine).Remedy("describe it in the catalog, with kind: Machine")
		}
		if err == nil {
			err = a.May(access.Grant)
		}
		return string(event.StreamOf(access.MachineNoun, m.ID)), access.RightsOf(m.Roles), err
	case q.Handle != "":
		p, err := c.person(l, q.Handle)
		if err != nil {
			return "", nil, err
		}
		if p.ID == a.Person() {
			break
		}
		return string(event.StreamOf(access.PersonNoun, p.ID)), access.RightsOf(p.Roles), a.May(access.Grant)
	}
	return a.Subject, a.Rights, nil
}

func (c *Control) person(l *Load, handle string) (access.Person, error) {
	p, known, err := readOne[access.Person](l, access.PersonIdentity, c.Keys.Pseudonym(handleKind, handle))
	if err == nil && (!known || p.Departed) {
		err = fault.New(fault.NotFound, "access.unknown-person", "there is no person "+handle).Remedy("describe him or her in the catalog, with kind: Person")
	}
	return p, err
}

// RevokeToken ends a token: one's own, or with the right to grant any.
func (c *Control) RevokeToken(ctx context.Context, r Request, id, reason string) error {
	_, err := do(ctx, c, r, [2]string{id, reason}, func(l *Load) ([]event.Draft, struct{}, error) {
		t, err := read[access.Token](l, event.StreamOf(access.TokenNoun, id))
		if err != nil {
			return nil, struct{}{}, err
		}
		if t.ID == "" {
			return nil, struct{}{}, fault.New(fault.NotFound, "token.unknown", "there is no such token")
		}
		if t.Subject != r.Actor.Subject {
			if err := r.Actor.May(access.Grant); err != nil {
				return nil, struct{}{}, err
			}
		}
		drafts, err := t.Revoke(reason)
		return drafts, struct{}{}, err
	})
	return err
}

// Regrant gives a person or machine a role, or takes it.
type Regrant struct {
	Handle, Machine string
	Role, Reason    string
	Revoke          bool
}

// Regrant carries a grant or a revocation out. Nobody grants themselves.
func (c *Control) Regrant(ctx context.Context, r Request, q Regrant) error {
	_, err := do(ctx, c, r, q, func(l *Load) ([]event.Draft, struct{}, error) {
		none := struct{}{}
		if err := r.Actor.May(access.Grant); err != nil {
			return nil, none, err
		}
		grant, revoke, subject, err := c.regrantee(l, q)
		if err != nil {
			return nil, none, err
		}
		if !q.Revoke && subject == r.Actor.Subject {
			return nil, none, fault.New(fault.Forbidden, "access.own-grant", "nobody grants themselves a role").Remedy("ask another administrator")
		}
		turn := grant
		if q.Revoke {
			turn = revoke
		}
		if q.Revoke && q.Role == administrator {
			if err := keepsOne(l, subject); err != nil {
				return nil, none, err
			}
		}
		drafts, err := turn(q.Role, q.Reason)
		return drafts, none, err
	})
	return err
}

type turnRole func(role, reason string) ([]event.Draft, error)

func (c *Control) regrantee(l *Load, q Regrant) (grant, revoke turnRole, subject string, err error) {
	if q.Machine != "" {
		m, known, err := readOne[access.Machine](l, access.MachineName, q.Machine)
		if err == nil && !known {
			err = fault.New(fault.NotFound, "access.unknown-machine", "there is no machine "+q.Machine)
		}
		return m.Grant, m.Revoke, string(event.StreamOf(access.MachineNoun, m.ID)), err
	}
	p, err := c.person(l, q.Handle)
	return p.Grant, p.Revoke, string(event.StreamOf(access.PersonNoun, p.ID)), err
}

// keepsOne refuses to take away the last administrator: nobody could grant
// anything any more, and the next start would offer a setup link.
func keepsOne(l *Load, subject string) error {
	if err := l.Set(event.SetGrants); err != nil {
		return err
	}
	holders, err := l.find(access.RoleHolder, administrator)
	if err == nil && len(holders) == 1 && string(holders[0]) == subject {
		err = fault.New(fault.Conflict, "access.last-administrator", "this is the last administrator").Remedy("make somebody else administrator first")
	}
	return err
}

// Depart ends all of a person's rights at once; tokens and sessions die with them.
func (c *Control) Depart(ctx context.Context, r Request, handle, reason string) error {
	_, err := do(ctx, c, r, [2]string{handle, reason}, func(l *Load) ([]event.Draft, struct{}, error) {
		if err := r.Actor.May(access.Grant); err != nil {
			return nil, struct{}{}, err
		}
		p, err := c.person(l, handle)
		if err != nil {
			return nil, struct{}{}, err
		}
		if err := keepsOne(l, string(event.StreamOf(access.PersonNoun, p.ID))); err != nil {
			return nil, struct{}{}, err
		}
		drafts, err := p.Depart(reason)
		return drafts, struct{}{}, err
	})
	return err
}
