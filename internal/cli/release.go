package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *app) release() *cobra.Command {
	open := a.online("open", "Open a release", func(ctx context.Context, c call, client *wire.Client) error {
		r, err := client.OpenRelease(ctx, wire.ReleaseRequest{
			Service: c.setting("service"), Version: c.setting("version"), Digest: c.setting("digest"),
			Size: c.text("size"), ChangeType: c.text("change-type"), Draft: c.is("draft"),
		})
		if err != nil {
			return err
		}
		return c.showRelease(r)
	})
	bind(open.Flags(), "service", "version", "digest")
	require(open, "service", "version", "digest")
	declares(open)
	open.Flags().Bool("draft", false, "leave it a draft; signalbox release submit sends it on its way")

	list := paged(a.online("list", "List releases, newest first", func(ctx context.Context, c call, client *wire.Client) error {
		items, err := collect(c, func(p wire.Paging) (wire.Page[wire.ReleaseSummary], error) {
			return client.Releases(ctx, wire.ReleaseFilter{Service: c.setting("service"), Paging: p})
		})
		if err != nil {
			return err
		}
		return showList(c, items, []string{"RELEASE", "SERVICE", "VERSION", "STATE", "OPENED"}, func(r wire.ReleaseSummary) []string {
			return []string{r.ID, r.Service, r.Version, r.Phase, c.stamp(r.OpenedAt)}
		})
	}))
	bind(list.Flags(), "service")

	show := a.online("show RELEASE", "Show a release as it stands", func(ctx context.Context, c call, client *wire.Client) error {
		r, err := client.Release(ctx, c.args[0])
		if err != nil {
			return err
		}
		return c.showRelease(r)
	})

	revise := a.online("revise RELEASE", "Declare size or change type anew, which voids the votes", func(ctx context.Context, c call, client *wire.Client) error {
		done, err := client.ReviseRelease(ctx, c.args[0], wire.ReviseRequest{Size: c.text("size"), ChangeType: c.text("change-type")})
		return c.done(done, err, "revised %s", c.args[0])
	})
	declares(revise)

	move := a.online("move RELEASE STATE", "Move a release to another state by hand", func(ctx context.Context, c call, client *wire.Client) error {
		return c.moveRelease(ctx, client, c.args[1], c.setting("environment"))
	})
	bind(move.Flags(), "environment")
	submit := a.online("submit RELEASE", "Send a draft on its way", func(ctx context.Context, c call, client *wire.Client) error {
		return c.moveRelease(ctx, client, "submitted", "")
	})
	withdraw := a.online("withdraw RELEASE", "Take a release back for good", func(ctx context.Context, c call, client *wire.Client) error {
		return c.moveRelease(ctx, client, "withdrawn", "")
	})
	reasoned(move, withdraw)
	submit.Flags().String("reason", "submitted by its opener", "why; kept with the fact")
	for _, cmd := range []*cobra.Command{show, revise, move, submit, withdraw} {
		a.completeReleases(cmd)
	}
	return a.group("release", "Open releases and see where they stand", open, list, show, revise, move, submit, withdraw)
}

// declares adds the flags of what an opener knows of a release.
func declares(cmd *cobra.Command) {
	cmd.Flags().String("size", "", "major, minor or patch; declares nothing unless given")
	cmd.Flags().String("change-type", "", "standard, normal or emergency; declares nothing unless given")
}

// reasoned adds the reason that a command cannot do without.
func reasoned(commands ...*cobra.Command) {
	for _, cmd := range commands {
		cmd.Flags().String("reason", "", "why; kept with the fact")
		require(cmd, "reason")
	}
}

func (c call) moveRelease(ctx context.Context, client *wire.Client, to, environment string) error {
	done, err := client.MoveRelease(ctx, c.args[0], wire.MoveRequest{Environment: environment, To: to, Reason: c.text("reason")})
	return c.done(done, err, "%s is %s", c.args[0], to)
}

// done prints that a command was carried out.
func (c call) done(v any, err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return c.print(v, terminal.Said(format, args...))
}

// stamp is an instant as this terminal shows it; "" for none.
func (c call) stamp(t time.Time) string {
	zone, err := c.zone()
	if t.IsZero() || err != nil {
		return ""
	}
	return terminal.Stamp(t, zone)
}

func (c call) showRelease(r wire.Release) error {
	return c.print(r, func(w io.Writer) error {
		content := "not known"
		if ch := r.Change; ch != nil {
			content = fmt.Sprintf("%s, %s by %s, %s, %s", ch.Digest, terminal.Count(ch.Commits, "commit", "commits"),
				terminal.Count(ch.Contributors, "contributor", "contributors"), terminal.Count(ch.FilesChanged, "file", "files"), terminal.By(ch.Provenance))
		}
		pairs := []string{
			"release", r.ID, "service", r.Service + " " + r.Version, "artifact", r.Digest, "size", r.Size, "change type", r.ChangeType,
			"revision", fmt.Sprint(r.Revision), "state", r.Phase, "opened", c.stamp(r.OpenedAt) + " by " + named(r.People, r.OpenedBy), "change", content,
		}
		for _, name := range slices.Sorted(maps.Keys(r.Targets)) {
			t := r.Targets[name]
			pairs = append(pairs, "to "+name, strings.Join(kept(t.Phase, verdictWord(t.Verdict), suffix("decision ", t.Decision), suffix("deployment ", t.Deployment)), ", "))
		}
		for _, v := range r.Votes {
			if !v.Withdrawn {
				pairs = append(pairs, v.Answer, fmt.Sprintf("%s for %s, %s", named(r.People, v.Person), v.Environment, c.stamp(v.At)))
			}
		}
		return terminal.Facts(pairs...)(w)
	})
}

// named is the name of whoever an id or subject stands for, else the id.
func named(people map[string]string, subject string) string {
	id := strings.TrimPrefix(subject, "person/")
	if name := people[id]; name != "" {
		return name
	}
	return subject
}

func verdictWord(v string) string {
	if v == "" {
		return ""
	}
	return terminal.Verdict(v).Words()
}

func suffix(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// kept is the texts that say something.
func kept(texts ...string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

// completeReleases lets the shell complete ids of releases.
func (a *app) completeReleases(cmd *cobra.Command) {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		c := call{app: a, flags: cmd.Flags()}
		client, err := c.client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
		defer cancel()
		page, err := client.Releases(ctx, wire.ReleaseFilter{Paging: wire.Paging{Limit: 50}})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var ids []string
		for _, r := range page.Items {
			ids = append(ids, r.ID+"\t"+terminal.Clean(r.Service+" "+r.Version))
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}

func (a *app) why() *cobra.Command {
	cmd := a.online("why DECISION|RELEASE", "Print a decision again, or what the gate would answer for a release", func(ctx context.Context, c call, client *wire.Client) error {
		o, err := c.printOptions()
		if err != nil {
			return err
		}
		if environment := c.setting("environment"); environment != "" {
			p, err := client.Preview(ctx, c.args[0], environment)
			if err != nil {
				return err
			}
			o.People, o.Preview = p.People, true
			return c.print(p, func(w io.Writer) error { return terminal.PrintDecision(w, p.Decision, o) })
		}
		d, err := client.Decision(ctx, c.args[0])
		if fault.KindOf(err) == fault.NotFound {
			return fault.New(fault.NotFound, "decision.unknown", "there is no decision "+c.args[0]).
				Remedy("for a release, say for which environment: --environment NAME").Cause(err)
		}
		if err != nil {
			return err
		}
		o.People, o.Receipt = d.People, &d.Receipt
		return c.print(d, func(w io.Writer) error { return terminal.PrintDecision(w, d.Decision, o) })
	})
	cmd.Long = "Print a decision with all its reasons. It explains and ends with 0 whatever the verdict is;\nsignalbox gate is what a pipeline asks."
	bind(cmd.Flags(), "environment")
	cmd.Flags().Bool("all", false, "list the gates that passed too")
	return cmd
}
