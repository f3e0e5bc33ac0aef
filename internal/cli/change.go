package cli

import (
	"context"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/connect/git"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/survey"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *app) change() *cobra.Command {
	look := a.command("inspect", "Describe a change from a Git repository; nothing is sent", func(ctx context.Context, c call) error {
		describe := c.surveyed
		if c.is("server-reads") {
			describe = c.inspected
		}
		ch, err := describe(ctx)
		if err != nil {
			return err
		}
		return c.print(ch, survey.Print(ch))
	})
	look.Long = "Describe a change from a Git repository; nothing is sent.\n\n" +
		"Without --from there is no version before, and everything that --to contains counts.\n" +
		"Counts are those of git rev-list --count FROM..TO and of git diff --numstat FROM TO with git's\n" +
		"defaults, whatever anybody has configured."
	surveys(look)
	look.Flags().Bool("server-reads", false, "the server describes it, from the repository that its catalog names for --service")

	attach := a.online("attach RELEASE", "Say what a release contains, from a Git repository on this machine", func(ctx context.Context, c call, client *wire.Client) error {
		sent, err := c.surveyed(ctx)
		if err != nil {
			return err
		}
		done, err := client.AttachChange(ctx, c.args[0], sent)
		return c.done(done, err, "attached %s, %s", sent.Digest, terminal.Count(sent.Commits, "commit", "commits"))
	})
	surveys(attach)

	read := a.online("read RELEASE", "Let the server read what a release contains, from the repository in the catalog", func(ctx context.Context, c call, client *wire.Client) error {
		ch, err := client.ReadChange(ctx, c.args[0], wire.ReadChangeRequest{From: c.text("from"), To: c.text("to")})
		if err != nil {
			return err
		}
		return c.print(ch, survey.Print(ch))
	})
	reads(read)
	a.completeReleases(attach)
	a.completeReleases(read)
	return a.group("change", "What a version contains", look, attach, read)
}

func reads(cmd *cobra.Command) {
	cmd.Flags().String("from", "", "version before, any name of a commit; everything counts unless given")
	cmd.Flags().String("to", "HEAD", "this version, any name of a commit")
}

// surveys adds the flags of a change that is read on this machine.
func surveys(cmd *cobra.Command) {
	reads(cmd)
	f := cmd.Flags()
	f.String("repo", ".", "Git repository on this machine")
	f.StringArray("keys", nil, keysUsage)
	f.String("catalog", "", "with --service: catalog file that says which paths are which component")
	bind(f, "service")
}

// surveyed is the change that the flags name, in the shape of the API.
func (c call) surveyed(ctx context.Context) (wire.Change, error) {
	keys, err := c.keyFiles()
	if err != nil {
		return wire.Change{}, err
	}
	o := survey.Options{Repository: c.text("repo"), From: c.text("from"), To: c.text("to"), Service: c.setting("service"), Keys: keys}
	if path := c.text("catalog"); path != "" {
		e, _, err := readCatalog(path)
		if err != nil {
			return wire.Change{}, err
		}
		o.Catalog = &e
	}
	ch, err := survey.Read(ctx, o)
	if err != nil {
		return wire.Change{}, err
	}
	return survey.Wire(ch)
}

// inspected is the change as the server describes it.
func (c call) inspected(ctx context.Context) (wire.Change, error) {
	for _, name := range []string{"repo", "keys", "catalog"} {
		if c.flags.Changed(name) {
			return wire.Change{}, fault.Invalidf("change.two-readers", "--%s and --server-reads exclude each other", name).
				Because("the server has its own").Remedy("give one of them").On("--" + name)
		}
	}
	if c.setting("service") == "" {
		return wire.Change{}, fault.Invalidf("cli.missing", "--server-reads needs --service").On("--service")
	}
	client, err := c.client()
	if err != nil {
		return wire.Change{}, err
	}
	return client.InspectChange(ctx, wire.InspectChangeRequest{Service: c.setting("service"), From: c.text("from"), To: c.text("to")})
}

const keysUsage = "file of keys that signatures of commits are held against: allowed signers of ssh-keygen, or OpenPGP public keys in armour; may stand several times"

// keyFiles are the files that --keys names.
func (c call) keyFiles() ([]survey.File, error) {
	var all []survey.File
	for _, path := range c.texts("keys") {
		b, err := readFile(path, git.MaxKeyFile)
		if err != nil {
			return nil, err
		}
		all = append(all, survey.File{Name: path, Data: b})
	}
	return all, nil
}
