package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *app) token() *cobra.Command {
	issue := a.online("issue", "Issue a token; its secret is shown this once", func(ctx context.Context, c call, client *wire.Client) error {
		life, err := c.flags.GetDuration("life")
		if err != nil || life < time.Hour || life%time.Hour != 0 {
			return fault.Invalidf("token.life", "a token's life is whole hours, at least one").On("--life").Remedy("write such as 24h, at most 2160h")
		}
		return c.keepToken(func() (wire.IssuedToken, error) {
			return client.IssueToken(ctx, wire.TokenRequest{
				Handle: c.text("person"), Machine: c.text("machine"), Label: c.text("label"), Scopes: list(c.text("scopes")), Hours: int(life / time.Hour),
			})
		})
	})
	f := issue.Flags()
	f.String("person", "", "handle of the person; yourself unless given")
	f.String("machine", "", "name of the machine")
	f.String("label", "", "what it is for")
	f.String("scopes", "", "rights, separated by commas; all of the holder's unless given")
	f.Duration("life", 30*24*time.Hour, "how long it lives, at most 2160h")
	f.String("out", "", "file that receives the secret; - is standard output")
	require(issue, "out")

	list := paged(a.online("list", "List tokens: yours, or all where you may grant", func(ctx context.Context, c call, client *wire.Client) error {
		items, err := collect(c, func(p wire.Paging) (wire.Page[wire.Token], error) { return client.Tokens(ctx, p) })
		if err != nil {
			return err
		}
		return showList(c, items, []string{"TOKEN", "HOLDER", "LABEL", "EXPIRES", "STATE", "SCOPES"}, func(t wire.Token) []string {
			state := "usable"
			switch {
			case t.Revoked:
				state = "revoked"
			case t.Spent:
				state = "spent"
			case !t.Expires.After(time.Now()):
				state = "expired"
			}
			return []string{t.ID, t.Subject, t.Label, c.stamp(t.Expires), state, strings.Join(t.Scopes, " ")}
		})
	}))
	revoke := a.online("revoke TOKEN", "Revoke a token at once", func(ctx context.Context, c call, client *wire.Client) error {
		done, err := client.RevokeToken(ctx, c.args[0], wire.Reasoned{Reason: c.text("reason")})
		return c.done(done, err, "revoked %s", c.args[0])
	})
	reasoned(revoke)
	return a.group("token", "Tokens of people and machines", issue, list, revoke)
}

// keepToken has a token issued and writes the secret where --out says, for its
// owner alone, and prints the rest. The file is made first: where it cannot be, no
// token is issued that nobody has.
func (c call) keepToken(issue func() (wire.IssuedToken, error)) error {
	out := c.text("out")
	if out == "-" {
		t, err := issued(issue)
		if err == nil {
			_, err = fmt.Fprintln(c.Out, terminal.Clean(t.Secret))
			c.note("token %s, expires %s", t.ID, c.stamp(t.Expires))
		}
		return err
	}
	f, err := os.OpenFile(out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return unwritable(out, err).Remedy("name a file that does not exist yet")
	}
	t, err := issued(issue)
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(out))
	}
	_, err = f.WriteString(t.Secret + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		err = unwritable(out, err).
			Remedy("nobody has the token's secret: signalbox token revoke " + t.ID + ", and issue another")
		return errors.Join(err, os.Remove(out))
	}
	t.Secret = ""
	return c.print(t, terminal.Facts("token", t.ID, "holder", t.Subject, "expires", c.stamp(t.Expires), "written to", out))
}

// issued is a token whose secret was shown, as it is once.
func issued(issue func() (wire.IssuedToken, error)) (wire.IssuedToken, error) {
	t, err := issue()
	if err == nil && t.Secret == "" {
		err = fault.New(fault.Conflict, "token.no-secret", "the server did not show the secret again").Remedy("issue another token, and revoke " + t.ID)
	}
	return t, err
}

func (a *app) role() *cobra.Command {
	type act func(*wire.Client, context.Context, wire.RoleRequest) (wire.Done, error)
	turn := func(name, short, did string, do act) *cobra.Command {
		cmd := a.online(name+" ROLE", short, func(ctx context.Context, c call, client *wire.Client) error {
			who := kept(c.text("person"), c.text("machine"))
			if len(who) != 1 {
				return fault.Invalidf("role.holder", "a role is held by one person or one machine").Remedy("give --person HANDLE or --machine NAME")
			}
			done, err := do(client, ctx, wire.RoleRequest{Handle: c.text("person"), Machine: c.text("machine"), Role: c.args[0], Reason: c.text("reason")})
			return c.done(done, err, "%s: %s, %s", did, c.args[0], who[0])
		})
		cmd.Flags().String("person", "", "handle of the person")
		cmd.Flags().String("machine", "", "name of the machine")
		reasoned(cmd)
		return cmd
	}
	return a.group("role", "Who may do what",
		turn("grant", "Grant a role", "granted", (*wire.Client).GrantRole),
		turn("revoke", "Revoke a role", "revoked", (*wire.Client).RevokeRole))
}

func (a *app) person() *cobra.Command {
	depart := a.online("depart HANDLE", "Record that a person has left; tokens and votes end at once", func(ctx context.Context, c call, client *wire.Client) error {
		done, err := client.Depart(ctx, c.args[0], wire.Reasoned{Reason: c.text("reason")})
		return c.done(done, err, "departed: %s", c.args[0])
	})
	reasoned(depart)
	return a.group("person", "People of the organisation", depart)
}

func (a *app) me() *cobra.Command {
	return a.online("me", "Say who the token speaks for, and what it may do", func(ctx context.Context, c call, client *wire.Client) error {
		m, err := client.Me(ctx)
		if err != nil {
			return err
		}
		return c.print(m, terminal.Facts("who", strings.Join(kept(m.Name, suffix("handle ", m.Handle), m.Subject), ", "), "roles", strings.Join(m.Roles, ", "),
			"rights", strings.Join(m.Rights, ", "), "groups", strings.Join(m.Groups, ", "), "services", strings.Join(m.Services, ", "),
			"token", m.Token, "expires", c.stamp(m.Expires)))
	})
}

func (a *app) open() *cobra.Command {
	cmd := a.online("open DECISION", "Print a link that signs you in once, at a decision's page", func(ctx context.Context, c call, client *wire.Client) error {
		d, err := client.Decision(ctx, c.args[0])
		if err != nil {
			return err
		}
		offer, err := client.OfferSignIn(ctx)
		if err != nil {
			return err
		}
		link := client.Server() + "/signin?" + url.Values{"code": {offer.Secret}, "next": {"/decisions/" + d.Decision.ID}}.Encode()
		c.note("the link signs you in once, until %s; do not pass it on", c.stamp(offer.Expires))
		return c.print(map[string]string{"link": link}, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, terminal.Clean(link))
			return err
		})
	})
	return cmd
}
