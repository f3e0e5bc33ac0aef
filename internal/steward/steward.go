// Package steward is the commands that keep an installation: backup, restore
// and rebuild.
//
// It knows their flags and what they say. It leaves the work to the functions
// of Local, and reading settings and printing to the terminal's program.
package steward

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/settings"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

// Local is what the commands do, in the server's process. One that is nil is not
// part of the build.
type Local struct {
	Backup  func(context.Context, BackupOptions) (terminal.Backup, error)
	Restore func(context.Context, RestoreOptions) (terminal.Restored, error)
	Rebuild func(context.Context, RebuildOptions) (terminal.Rebuilt, error)
}

// Shell is the terminal's program as the commands need it.
type Shell struct {
	Local   Local
	Command func(use, short string, run func(context.Context, Call) error) *cobra.Command
	Bind    func(*pflag.FlagSet) // adds the settings that say where the data is
	Require func(cmd *cobra.Command, flags ...string)
	Absent  func(what string) error
	Exit    func(code int) error // ends with a code, for what was said already
}

// Call is one command with its flags and arguments.
type Call struct {
	Args   []string
	Flags  *pflag.FlagSet
	Path   string // of the command, such as "signalbox backup"
	Err    io.Writer
	Watch  bool // whether somebody watches Err
	Store  func() (settings.Store, error)
	Client func() (*wire.Client, error)
	Zone   func() (*time.Location, error)
	Print  func(v any, table func(io.Writer) error) error
	Note   func(format string, args ...any)
}

// Commands are backup, restore and rebuild.
func Commands(s Shell) []*cobra.Command {
	return []*cobra.Command{s.backup(), s.restore(), s.rebuild()}
}

func (c Call) text(name string) string {
	v, _ := c.Flags.GetString(name)
	return v
}

func (c Call) is(name string) bool {
	v, _ := c.Flags.GetBool(name)
	return v
}

// progress counts facts where somebody watches; nil where nobody does.
func (c Call) progress(what string) func(uint64) {
	if !c.Watch {
		return nil
	}
	return func(n uint64) { _, _ = fmt.Fprintf(c.Err, "\r\x1b[K%d facts %s\r", n, what) }
}

// online is a command that talks to the server.
func (s Shell) online(use, short string, run func(context.Context, Call, *wire.Client) error) *cobra.Command {
	return s.Command(use, short, func(ctx context.Context, c Call) error {
		client, err := c.Client()
		if err != nil {
			return err
		}
		return run(ctx, c, client)
	})
}

// ending is 7 where a command has found something wrong and said so.
func (s Shell) ending(err error, wrong int) error {
	if err == nil && wrong > 0 {
		return s.Exit(fault.Exit(fault.Unverified))
	}
	return err
}

func (s Shell) backup() *cobra.Command {
	cmd := s.Command("backup FILE", "Write a backup of everything but the keys, while the server goes on", func(ctx context.Context, c Call) error {
		if s.Local.Backup == nil {
			return s.Absent("backup")
		}
		store, err := c.Store()
		if err != nil {
			return err
		}
		o := BackupOptions{Store: store, To: c.Args[0], KeysTo: c.text("keys"), Progress: c.progress("checked")}
		if !c.is("local") {
			client, err := c.Client()
			if err != nil {
				return err
			}
			o.Fetch = client.Backup
		}
		r, err := s.Local.Backup(ctx, o)
		if err != nil {
			return err
		}
		if o.KeysTo != "" {
			c.Note("THE PRIVATE KEYS ARE IN %s: whoever has them signs in this installation's name. Keep them apart from the backup.", o.KeysTo)
		}
		return s.ending(c.Print(r, terminal.BackupFacts(r)), len(r.Lost))
	})
	cmd.Long = "Write a backup: journal, commands, bases of decisions, and the original files, under digests and a signed\n" +
		"checkpoint. It has every fact that was acknowledged before it began. It ends with 7 where originals were gone."
	cmd.Flags().Bool("local", false, "read the data directory or database on this machine instead of asking the server")
	cmd.Flags().String("keys", "", "new directory that receives a copy of the private keys as well")
	s.Bind(cmd.Flags())
	return cmd
}

func (s Shell) restore() *cobra.Command {
	cmd := s.Command("restore [FILE]", "Check a backup, and bring it into an empty place", func(ctx context.Context, c Call) error { return s.bring(ctx, c) })
	cmd.Long = "Check a backup to its last byte and restore it into a data directory or database without a journal. The server\n" +
		"then takes no facts until two persons have recorded the restore: one proposes, another confirms."
	f := cmd.Flags()
	f.Bool("verify", false, "check the backup, and change nothing")
	f.String("key", "", "file of the public keys, as signalbox keys show prints them; unless given, those of --keys-dir")
	f.String("known-checkpoint", "", "file of the newest checkpoint that was kept elsewhere: what came after the backup is then known as lost")
	f.Bool("in-place", false, "record that the database was put back by other means; no FILE")
	f.Bool("trust-facts", false, "restore also where the states were not what the facts make; they are folded anew")
	s.Bind(f)
	show := func(c Call, r wire.Restore, err error) error {
		if err != nil {
			return err
		}
		zone, err := c.Zone()
		if err != nil {
			return err
		}
		return c.Print(r, terminal.Restore(r, zone))
	}
	status := s.online("status", "Say what was restored, and who has recorded it", func(ctx context.Context, c Call, client *wire.Client) error {
		r, err := client.Restore(ctx)
		return show(c, r, err)
	})
	propose := s.online("propose", "Say why the journal was restored", func(ctx context.Context, c Call, client *wire.Client) error {
		r, err := client.ProposeRestore(ctx, wire.RestoreProposal{Reason: c.text("reason")})
		return show(c, r, err)
	})
	propose.Flags().String("reason", "", "what happened, and what is known of what was lost")
	s.Require(propose, "reason")
	confirm := s.online("confirm", "Confirm what another person has said of a restore", func(ctx context.Context, c Call, client *wire.Client) error {
		proposal, _ := c.Flags.GetUint64("proposal")
		r, err := client.ConfirmRestore(ctx, wire.RestoreConfirmation{Proposal: proposal})
		return show(c, r, err)
	})
	confirm.Flags().Uint64("proposal", 0, "position of the proposal, as signalbox restore status shows it")
	s.Require(confirm, "proposal")
	cmd.AddCommand(status, propose, confirm)
	return cmd
}

func (s Shell) bring(ctx context.Context, c Call) error {
	if s.Local.Restore == nil {
		return s.Absent("restore")
	}
	store, err := c.Store()
	if err != nil {
		return err
	}
	o := RestoreOptions{
		Store: store, PublicKeys: c.text("key"), KnownCheckpoint: c.text("known-checkpoint"), Verify: c.is("verify"),
		InPlace: c.is("in-place"), TrustFacts: c.is("trust-facts"), Progress: c.progress("checked"),
	}
	if len(c.Args) > 0 {
		o.File = c.Args[0]
	}
	if (o.File == "") != o.InPlace || o.InPlace && o.Verify {
		return fault.Invalidf("cli.arguments", "%s takes a backup, or --in-place alone", c.Path).Remedy("see " + c.Path + " --help")
	}
	r, err := s.Local.Restore(ctx, o)
	if err != nil {
		return err
	}
	if !o.Verify {
		c.Note("Start the server: it takes no facts until one person has run signalbox restore propose, and another signalbox restore confirm.")
	}
	if o.Verify && !r.Trusted {
		c.Note("Held against the keys in the backup itself: that shows damage, and no forgery. Give --key FILE with the public keys.")
	}
	return c.Print(r, terminal.RestoreFacts(r))
}

func (s Shell) rebuild() *cobra.Command {
	cmd := s.Command("rebuild", "Fold states and lists anew from the facts, or compare them", func(ctx context.Context, c Call) error {
		if s.Local.Rebuild == nil {
			return s.Absent("rebuild")
		}
		store, err := c.Store()
		if err != nil {
			return err
		}
		said := c.progress("")
		r, err := s.Local.Rebuild(ctx, RebuildOptions{Store: store, Check: c.is("check"), Progress: func(task string, done, total uint64) {
			if said != nil {
				_, _ = fmt.Fprintf(c.Err, "\r\x1b[K%s: %d of %d", task, done, total)
			}
		}})
		if said != nil {
			_, _ = fmt.Fprint(c.Err, "\r\x1b[K")
		}
		if err != nil {
			return err
		}
		return s.ending(c.Print(r, terminal.RebuildFacts(r)), len(r.Differences))
	})
	cmd.Long = "Fold every state and list anew from the facts and put them in the place of those that stand. With --check\n" +
		"only compare, row by row, and end with 7 where something differs. The embedded database must not be served meanwhile."
	cmd.Flags().Bool("check", false, "compare, and change nothing")
	s.Bind(cmd.Flags())
	return cmd
}

// BackupOptions are those of the command backup.
type BackupOptions struct {
	settings.Store
	To       string
	KeysTo   string                                 // new directory for a copy of the private keys; "" for none
	Fetch    func(context.Context, io.Writer) error // from a server; nil reads the data on this machine
	Progress func(facts uint64)
}

// RestoreOptions are those of the command restore.
type RestoreOptions struct {
	settings.Store
	File, PublicKeys, KnownCheckpoint string
	Verify, InPlace, TrustFacts       bool
	Progress                          func(facts uint64)
}

// RebuildOptions are those of the command rebuild.
type RebuildOptions struct {
	settings.Store
	Check    bool
	Progress func(task string, done, total uint64)
}
