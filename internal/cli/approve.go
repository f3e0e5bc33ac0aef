package cli

import (
	"bufio"
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *app) approve() *cobra.Command {
	return a.vote(approval.Approve, "Approve a release for an environment, after seeing what stands")
}

func (a *app) reject() *cobra.Command {
	cmd := a.vote(approval.Reject, "Reject a release for an environment, with the reason")
	require(cmd, "comment")
	return cmd
}

func (a *app) vote(answer, short string) *cobra.Command {
	cmd := a.online(answer+" RELEASE", short, func(ctx context.Context, c call, client *wire.Client) error {
		environment := c.setting("environment")
		preview, err := client.Preview(ctx, c.args[0], environment)
		if err != nil {
			return err
		}
		if err := c.seen(preview); err != nil {
			return err
		}
		if err := c.confirm(answer + " exactly this for " + environment + "? It does not deploy anything."); err != nil {
			return err
		}
		done, err := client.Vote(ctx, c.args[0], wire.VoteRequest{Environment: environment, Answer: answer, Comment: c.text("comment"), Seen: preview.Subject})
		return c.done(done, err, "recorded: %s for %s", answer, environment)
	})
	cmd.Long = "The vote is given for exactly the content that is shown. Where that changes before the vote\narrives, the server refuses it."
	bind(cmd.Flags(), "environment")
	require(cmd, "environment")
	cmd.Flags().String("comment", "", "what to say with it")
	cmd.Flags().Bool("yes", false, "do not ask; needed where no terminal can answer")
	cmd.Flags().Bool("all", false, "list the gates that passed too")
	a.completeReleases(cmd)
	return cmd
}

// seen shows what the vote is about, beside the data.
func (c call) seen(p wire.Preview) error {
	o, err := c.printOptions()
	if err != nil {
		return err
	}
	o.People, o.Preview, o.Color = p.People, true, c.colour(c.Err)
	if err := terminal.PrintDecision(c.Err, p.Decision, o); err != nil {
		return err
	}
	c.note("subject     %s", p.Subject)
	return nil
}

const maxReply = 1 << 10

// confirm asks whoever sits at the terminal; without one only --yes will do.
func (c call) confirm(question string) error {
	if c.is("yes") {
		return nil
	}
	if !watched(c.In) {
		return fault.Invalidf("cli.unconfirmed", "nobody is there to confirm").Because("standard input is not a terminal").Remedy("give --yes")
	}
	if _, err := io.WriteString(c.Err, terminal.Clean(question)+" [y/N] "); err != nil {
		return err
	}
	reply, err := bufio.NewReader(io.LimitReader(c.In, maxReply)).ReadString('\n')
	if r := strings.ToLower(strings.TrimSpace(reply)); err == nil && (r == "y" || r == "yes") {
		return nil
	}
	return fault.Invalidf("cli.declined", "nothing was done")
}

func (a *app) unvote() *cobra.Command {
	cmd := a.online("unvote RELEASE", "Withdraw your own vote", func(ctx context.Context, c call, client *wire.Client) error {
		done, err := client.Unvote(ctx, c.args[0], wire.UnvoteRequest{Environment: c.setting("environment")})
		return c.done(done, err, "withdrawn: your vote for %s", c.setting("environment"))
	})
	bind(cmd.Flags(), "environment")
	require(cmd, "environment")
	a.completeReleases(cmd)
	return cmd
}
