package cli

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

// stop is the stop switch.
func (a *app) stop() *cobra.Command {
	pull := a.online("pull", "Stop all releases, everywhere, at once", func(ctx context.Context, c call, client *wire.Client) error {
		s, err := client.PullStop(ctx, wire.Reasoned{Reason: c.text("reason")})
		return c.done(s, err, "all releases are stopped; two persons let them go on: signalbox stop reset --reason …")
	})
	reset := a.online("reset", "Agree that releases may go on; it takes two persons within an hour", func(ctx context.Context, c call, client *wire.Client) error {
		s, err := client.ResetStop(ctx, wire.Reasoned{Reason: c.text("reason")})
		if err == nil && s.Stopped {
			return c.done(s, err, "agreed; releases are still stopped until another person agrees, within an hour")
		}
		return c.done(s, err, "releases may go on")
	})
	reasoned(pull, reset)
	show := a.online("show", "Show whether releases are stopped, by whom and why", func(ctx context.Context, c call, client *wire.Client) error {
		s, err := client.Stop(ctx)
		if err != nil {
			return err
		}
		return c.print(s, func(w io.Writer) error {
			if !s.Stopped {
				return terminal.Said("releases are not stopped")(w)
			}
			agreed := []string{}
			for _, p := range s.Agreed {
				agreed = append(agreed, orElse(p.Name, p.Person)+" at "+c.stamp(p.At))
			}
			return terminal.Facts("stopped", "all releases", "since", c.stamp(s.Since), "by", orElse(s.ByName, s.By), "reason", s.Reason,
				"agreed", orElse(strings.Join(agreed, ", "), "nobody; it takes two persons"))(w)
		})
	})
	return a.group("stop", "The stop switch: no release goes anywhere", pull, reset, show)
}

// permitsByBasis is the commands about all permits that rest on something.
func (a *app) permitsByBasis() []*cobra.Command {
	recall := a.online("recall-all", "Take back every permit given under a policy, or on somebody's word or approval", func(ctx context.Context, c call, client *wire.Client) error {
		if err := oneBasis(c); err != nil {
			return err
		}
		done, err := client.RecallPermits(ctx, wire.RecallRequest{Policy: c.text("policy"), Issuer: c.text("issuer"), Approver: c.text("approver"), Reason: c.text("reason")})
		if err == nil && done.Given > done.Live {
			c.note("%d of %s had been redeemed or recalled singly, or were over: signalbox permit list shows which", done.Given-done.Live, terminal.Count(done.Given, "permit", "permits"))
		}
		return c.done(done, err, "recalled %s, any that an earlier recall-all took back among them, given on %s", terminal.Count(done.Live, "permit", "permits"), done.Basis)
	})
	recall.Long = "Take back every permit given under a policy, on somebody's word or with somebody's approval.\n" +
		"New permits may be given on the same basis afterwards: deactivate the policy, revoke the role or the\n" +
		"token, or pull the stop switch as well."
	reasoned(recall)
	list := paged(a.online("list", "List the permits given under a policy, or on somebody's word or approval, newest first", func(ctx context.Context, c call, client *wire.Client) error {
		if err := oneBasis(c); err != nil {
			return err
		}
		items, err := collect(c, func(p wire.Paging) (wire.Page[wire.PermitState], error) {
			return client.Permits(ctx, wire.PermitFilter{Policy: c.text("policy"), Issuer: c.text("issuer"), Approver: c.text("approver"), Paging: p})
		})
		if err != nil {
			return err
		}
		return showList(c, items, []string{"PERMIT", "GIVEN", "SERVICE", "VERSION", "ENVIRONMENT", "STATE", "DEPLOYMENT"}, func(p wire.PermitState) []string {
			return []string{p.ID, c.stamp(p.NotBefore), p.Service, p.Version, p.Environment, p.State, p.Deployment}
		})
	}))
	for _, cmd := range []*cobra.Command{recall, list} {
		cmd.Flags().String("policy", "", "digest of a bundle, or active for the one in force")
		cmd.Flags().String("issuer", "", "whose word was taken: a machine's name, attestor/NAME, or a subject such as person/ID")
		cmd.Flags().String("approver", "", "handle, e-mail address or id of a person who approved")
	}
	return []*cobra.Command{recall, list}
}

// oneBasis refuses more than one of the flags that say what permits rest on, and none.
func oneBasis(c call) error {
	n := 0
	for _, flag := range []string{"policy", "issuer", "approver"} {
		if c.text(flag) != "" {
			n++
		}
	}
	if n == 1 {
		return nil
	}
	return fault.Invalidf("cli.basis", "%s takes one of --policy, --issuer and --approver, not %d", c.path, n).Remedy("see " + c.path + " --help")
}
