// Package cli is the terminal: it reads arguments and settings, asks the
// server over wire, and prints what people and pipelines need to know.
//
// It leaves every rule to the nouns: what works offline asks the same
// release.Gate as the server. Commands that need the server within this
// process come from outside, as Local. Invariant: a command that asks for a
// decision never exits with 0 unless it has read one that lets it.
package cli

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/receipt"
	"signalbox.dev/signalbox/internal/settings"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

// Streams are the ends of the program: data goes to Out, all else to Err. Env
// looks a variable of the environment up.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Env      func(name string) (value string, set bool)
}

// PrintOptions say how PrintDecision prints.
type PrintOptions = terminal.Options

// PrintDecision prints a decision as gate, why and approve print it.
func PrintDecision(w io.Writer, d wire.Decision, o PrintOptions) error {
	return terminal.PrintDecision(w, d, o)
}

// app is one run of the program.
type app struct {
	Streams
	local    Local
	settings settings.Source
	receipts *receipt.Folder // nil: none are kept
}

// Main runs one command and returns the exit code of the process.
func Main(ctx context.Context, args []string, s Streams, l Local) int {
	a := &app{Streams: s, local: l, settings: settings.Source{Env: s.Env}}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	err := root.ExecuteContext(ctx)
	if err != nil && ctx.Err() != nil {
		err = fault.New(fault.Interrupted, "cli.interrupted", "interrupted").Cause(err)
	}
	return a.end(err)
}

// end prints an error, if it says something, and is the exit code that follows.
func (a *app) end(err error) int {
	var verdict exitVerdict
	switch {
	case err == nil:
		return exitGo
	case errors.As(err, &verdict):
		return verdict.code
	}
	a.printError(err)
	return fault.Exit(fault.KindOf(err))
}

// root is the tree of commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "signalbox",
		Short: "Decide whether a version may go to an environment now, and prove it",
		Long: "Signalbox decides whether a version of a service may go to an environment now:\n" +
			"go, wait, no-go or cannot tell, with every reason.",
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.ArbitraryArgs,
		RunE: group,
	}
	root.SetGlobalNormalizationFunc(alias)
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.HiddenDefaultCmd = false
	flags := root.PersistentFlags()
	for _, name := range []string{"server", "token-file", "ca", "receipts", "output", "no-color", "zone"} {
		bind(flags, name)
	}
	flags.String("token", "", "")
	_ = flags.MarkHidden("token") // it stands here to be refused with an explanation
	root.AddGroup(
		&cobra.Group{ID: "decide", Title: "Decide:"}, &cobra.Group{ID: "rules", Title: "Rules:"},
		&cobra.Group{ID: "prove", Title: "Prove:"}, &cobra.Group{ID: "run", Title: "Run and configure:"},
	)
	a.add(root, "decide", a.gate(), a.why(), a.release(), a.change(), a.evidence(), a.approve(), a.reject(), a.unvote(), a.deploy())
	a.add(root, "rules", a.policy(), a.catalog(), a.freeze(), a.stop())
	a.add(root, "prove", a.permit(), a.journal(), a.vault(), a.keys())
	a.add(root, "run", a.serve(), a.witness(), a.demo(), a.admin(), a.token(), a.role(), a.person(), a.me(), a.open(), a.config(), a.doctor(), a.version())
	a.add(root, "run", a.upkeep()...)
	root.AddCommand(exitCodesTopic())
	return root
}

func (a *app) add(root *cobra.Command, group string, commands ...*cobra.Command) {
	for _, c := range commands {
		c.GroupID = group
		root.AddCommand(c)
	}
}
