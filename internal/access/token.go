package access

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
)

// MaxTokenLife bounds every token.
const MaxTokenLife = 90 * 24 * time.Hour

// SetupLife is how long the first administrator's one-time link lives.
const SetupLife = 15 * time.Minute

// Purposes of tokens other than calling the API.
const (
	ForSetup  = "setup"  // makes the first administrator, once
	ForSignIn = "signin" // opens a browser session, once
)

// Token is the state of a token's stream. The secret is nowhere: Hash is the
// hex SHA-256 of 256 random bits.
type Token struct {
	ID      string       `json:"id"`
	Subject string       `json:"subject"` // "person/<id>" or "machine/<id>"; "" for setup
	Hash    string       `json:"hash"`
	Purpose string       `json:"purpose,omitempty"`
	Label   string       `json:"label,omitempty"`
	Scopes  []Right      `json:"scopes"`
	Expires event.Micros `json:"expires"`
	Revoked bool         `json:"revoked,omitempty"`
	Spent   bool         `json:"spent,omitempty"`
}

func foldToken(t *Token, f event.Recorded) error {
	switch f.Kind {
	case event.TokenIssued:
		return f.Body(t)
	case event.TokenRevoked:
		t.Revoked = true
	case event.TokenSpent:
		t.Spent = true
	default:
		return event.Unknown(f)
	}
	return nil
}

func tokenKeys(t Token) []event.Key {
	return []event.Key{
		{Kind: event.Unique, Name: TokenHash, Value: t.Hash},
		{Kind: event.Lookup, Name: TokenOf, Value: t.Subject},
	}
}

// Issue is the fact of a new token. Scopes default to all of the holder's
// rights and may never exceed them.
func Issue(t Token, holder []Right, now time.Time) ([]event.Draft, error) {
	life := t.Expires.Time().Sub(now)
	if life <= 0 || life > MaxTokenLife {
		return nil, fault.Invalidf("token.life", "a token lives from now to at most %d days", int(MaxTokenLife.Hours()/24)).Remedy("ask for a shorter life and rotate")
	}
	if t.Purpose == "" {
		for _, s := range t.Scopes {
			if !slices.Contains(Rights(), s) {
				return nil, fault.Invalidf("token.scope", "there is no right %q", s).Remedy("rights are " + joined(Rights()))
			}
			if !slices.Contains(holder, s) {
				return nil, fault.New(fault.Forbidden, "token.exceeds", fmt.Sprintf("the holder does not have the right %q", s)).Remedy("grant a role first")
			}
		}
		if len(t.Scopes) == 0 {
			t.Scopes = holder
		}
		if len(t.Scopes) == 0 {
			return nil, fault.Invalidf("token.empty", "the holder has no right, so the token would have none").Remedy("grant a role first")
		}
	}
	return []event.Draft{{Stream: event.StreamOf(TokenNoun, t.ID), Kind: event.TokenIssued, Body: t}}, nil
}

// Revoke ends a token.
func (t Token) Revoke(reason string) ([]event.Draft, error) {
	if t.Revoked {
		return nil, fault.New(fault.Conflict, "token.revoked", "this token is revoked already")
	}
	return []event.Draft{{Stream: event.StreamOf(TokenNoun, t.ID), Kind: event.TokenRevoked, Body: struct{}{}, Private: map[string]string{"reason": reason}}}, nil
}

// Spend uses a one-time token up; a second time is refused.
func (t Token) Spend(purpose string, now time.Time) ([]event.Draft, error) {
	if err := t.Usable(purpose, now); err != nil {
		return nil, err
	}
	return []event.Draft{{Stream: event.StreamOf(TokenNoun, t.ID), Kind: event.TokenSpent, Body: struct{}{}}}, nil
}

// Usable is nil while a token may be used for a purpose ("" is the API). The
// error is the same for every cause: whoever holds a dead token learns nothing.
func (t Token) Usable(purpose string, now time.Time) error {
	if t.ID == "" || t.Revoked || t.Spent || t.Purpose != purpose || !now.Before(t.Expires.Time()) {
		return fault.New(fault.Unauthorised, "access.token", "the token is not accepted").
			Because("it is unknown, expired, revoked, used up or meant for something else").
			Remedy("sign in again, or have an administrator issue a new one")
	}
	return nil
}

// Actor is who acts with a token: the holder's rights, cut to the token's scopes.
func (t Token) Actor(roles []string) Actor {
	a := Actor{Subject: t.Subject, Auth: TokenNoun + "/" + t.ID, Source: "api", Roles: roles, Provenance: "person"}
	if strings.HasPrefix(t.Subject, MachineNoun+"/") {
		a.Provenance = "pipeline"
	}
	for _, r := range RightsOf(roles) {
		if slices.Contains(t.Scopes, r) {
			a.Rights = append(a.Rights, r)
		} else {
			a.Confined = true
		}
	}
	return a
}

func joined(rights []Right) string {
	var s []string
	for _, r := range rights {
		s = append(s, string(r))
	}
	return strings.Join(s, ", ")
}
