package control

import (
	"context"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/seal"
)

// administrator is the role of whoever runs the house.
const administrator = "administrator"

// Administered reports whether anybody holds the administrator's role.
func (c *Control) Administered(ctx context.Context) (bool, error) {
	return view(ctx, c, func(l *Load) (bool, error) { return administered(l) })
}

func administered(l *Load) (bool, error) {
	if err := l.Set(event.SetGrants); err != nil {
		return false, err
	}
	holders, err := l.find(access.RoleHolder, administrator)
	return len(holders) > 0, err
}

// OfferSetup issues the one-time token behind the first administrator's setup
// link. It is refused once there is an administrator.
func (c *Control) OfferSetup(ctx context.Context) (Issued, error) {
	secret, hash := seal.NewToken("setup")
	r := Request{Actor: access.System("setup")}
	issued, err := do(ctx, c, r, nil, func(l *Load) ([]event.Draft, Issued, error) {
		if err := unadministered(l); err != nil {
			return nil, Issued{}, err
		}
		t := access.Token{ID: NewID(), Hash: hash, Purpose: access.ForSetup, Scopes: []access.Right{}, Expires: event.MicrosOf(l.Now.Add(access.SetupLife))}
		drafts, err := access.Issue(t, nil, l.Now)
		return drafts, Issued{ID: t.ID, Expires: t.Expires.Time()}, err
	})
	issued.Secret = secret
	return issued, err
}

func unadministered(l *Load) error {
	there, err := administered(l)
	if err == nil && there {
		err = fault.New(fault.Conflict, "setup.done", "there is an administrator already").Remedy("ask him or her for a role, or a token")
	}
	return err
}

// Founder is the first administrator.
type Founder struct {
	Handle, Name, Email string
	Life                time.Duration // of the token; 0 is 30 days
}

// Setup makes the first administrator with the one-time secret of the setup
// link, and issues his or her first token.
func (c *Control) Setup(ctx context.Context, setupSecret string, f Founder) (Issued, error) {
	hash, err := seal.HashToken(setupSecret)
	if err != nil {
		return Issued{}, access.Token{}.Usable(access.ForSetup, time.Time{})
	}
	return c.found(ctx, f, func(l *Load) ([]event.Draft, error) {
		token, _, err := readOne[access.Token](l, access.TokenHash, hash)
		if err != nil {
			return nil, err
		}
		return token.Spend(access.ForSetup, l.Now)
	})
}

// CreateAdministrator makes the first administrator on the machine itself,
// where whoever can open the database could anyway.
func (c *Control) CreateAdministrator(ctx context.Context, f Founder) (Issued, error) {
	return c.found(ctx, f, func(*Load) ([]event.Draft, error) { return nil, nil })
}

func (c *Control) found(ctx context.Context, f Founder, prove func(*Load) ([]event.Draft, error)) (Issued, error) {
	person := catalog.Person{Handle: f.Handle, Name: f.Name, Emails: []string{f.Email}}
	if err := catalog.CheckPerson(person); err != nil {
		return Issued{}, err
	}
	secret, hash := seal.NewToken("api")
	issued, err := do(ctx, c, Request{Actor: access.System("setup")}, nil, func(l *Load) ([]event.Draft, Issued, error) {
		drafts, err := prove(l)
		if err != nil {
			return nil, Issued{}, err
		}
		if err := unadministered(l); err != nil {
			return nil, Issued{}, err
		}
		more, t, err := c.founding(l, person, hash, f.Life)
		return append(drafts, more...), Issued{ID: t.ID, Expires: t.Expires.Time(), Subject: t.Subject}, err
	})
	issued.Secret = secret
	return issued, err
}

func (c *Control) founding(l *Load, person catalog.Person, hash string, life time.Duration) ([]event.Draft, access.Token, error) {
	if life == 0 {
		life = 30 * 24 * time.Hour
	}
	stands, existed, err := readOne[access.Person](l, access.PersonIdentity, c.Keys.Pseudonym(handleKind, person.Handle))
	if err != nil {
		return nil, access.Token{}, err
	}
	var drafts []event.Draft
	if !existed {
		d := c.described(person)
		d.ID = NewID()
		drafts = stands.Describe(d)
		stands.ID = d.ID
	}
	granted, err := stands.Grant(administrator, "first administrator")
	if err != nil {
		return nil, access.Token{}, err
	}
	t := access.Token{
		ID: NewID(), Subject: string(event.StreamOf(access.PersonNoun, stands.ID)), Hash: hash, Label: "first administrator",
		Expires: event.MicrosOf(l.Now.Add(life)),
	}
	issue, err := access.Issue(t, access.RightsOf(append(stands.Roles, administrator)), l.Now)
	return append(append(drafts, granted...), issue...), t, err
}

// OfferSignIn issues a one-time token that opens a browser session as the
// actor: how a terminal hands over to a page.
func (c *Control) OfferSignIn(ctx context.Context, r Request, life time.Duration) (Issued, error) {
	secret, hash := seal.NewToken("signin")
	issued, err := do(ctx, c, Request{Actor: r.Actor, Recorded: r.Recorded}, nil, func(l *Load) ([]event.Draft, Issued, error) {
		t := access.Token{ID: NewID(), Subject: r.Actor.Subject, Hash: hash, Purpose: access.ForSignIn, Scopes: r.Actor.Rights, Expires: event.MicrosOf(l.Now.Add(life))}
		drafts, err := access.Issue(t, nil, l.Now)
		return drafts, Issued{ID: t.ID, Expires: t.Expires.Time(), Subject: t.Subject}, err
	})
	issued.Secret = secret
	return issued, err
}

// SignIn spends a one-time sign-in token, or takes an API token, and answers
// the id of the token that the session stands on.
func (c *Control) SignIn(ctx context.Context, secret string) (tokenID string, err error) {
	hash, err := seal.HashToken(secret)
	if err != nil {
		return "", access.Token{}.Usable("", time.Time{})
	}
	return do(ctx, c, Request{Actor: access.System("signin")}, nil, func(l *Load) ([]event.Draft, string, error) {
		token, _, err := readOne[access.Token](l, access.TokenHash, hash)
		if err != nil {
			return nil, "", err
		}
		if token.Purpose != access.ForSignIn {
			return nil, token.ID, token.Usable("", l.Now)
		}
		drafts, err := token.Spend(access.ForSignIn, l.Now)
		return drafts, token.ID, err
	})
}
