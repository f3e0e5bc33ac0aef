package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/settings"
	"signalbox.dev/signalbox/internal/terminal"
)

// call is one command with its flags and arguments.
type call struct {
	*app
	flags *pflag.FlagSet
	args  []string
	path  string // of the command, such as "signalbox gate"
}

type runner func(context.Context, call) error

// command is a command that takes as many arguments as its usage names.
func (a *app) command(use, short string, run runner) *cobra.Command {
	least := strings.Count(use, " ") - strings.Count(use, "[")
	most := strings.Count(use, " ")
	if strings.Contains(use, "...") {
		most = 1 << 16
	}
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c := call{app: a, flags: cmd.Flags(), args: args, path: cmd.CommandPath()}
			if len(args) < least || len(args) > most {
				return fault.Invalidf("cli.arguments", "%s takes %s, not %d", c.path, arguments(least, most), len(args)).
					Remedy("usage: " + strings.TrimSuffix(cmd.UseLine(), " [flags]"))
			}
			if err := c.complete(cmd); err != nil {
				return err
			}
			return run(cmd.Context(), c)
		},
	}
}

func arguments(least, most int) string {
	switch {
	case most == 0:
		return "no arguments"
	case least == most:
		return terminal.Count(least, "argument", "arguments")
	case most > 1000:
		return fmt.Sprintf("at least %s", terminal.Count(least, "argument", "arguments"))
	}
	return fmt.Sprintf("%d to %d arguments", least, most)
}

// required marks a flag, in its annotations, that must be given.
const required = "required"

func require(cmd *cobra.Command, names ...string) {
	for _, n := range names {
		f := cmd.Flags().Lookup(n)
		f.Annotations = map[string][]string{required: {"true"}}
	}
}

// complete refuses a call that lacks something, or that carries a secret in the open.
func (c call) complete(cmd *cobra.Command) error {
	if c.flags.Changed("token") {
		return openSecret("--token")
	}
	var missing []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Annotations[required] != nil && c.value(f.Name) == "" {
			missing = append(missing, "--"+f.Name)
		}
	})
	if len(missing) > 0 {
		return fault.Invalidf("cli.missing", "%s needs %s", c.path, strings.Join(missing, ", ")).Remedy("see " + c.path + " --help")
	}
	for _, name := range []string{"output", "no-color"} {
		if _, err := c.settings.Resolve(settings.Of(name), c.flags); err != nil {
			return err
		}
	}
	_, err := c.format()
	return err
}

func openSecret(where string) error {
	return fault.Invalidf("cli.open-secret", "a token does not go into %s", where).
		Because("other processes, logs and shell histories see it there").
		Remedy("write it to a file that only you can read and give --token-file FILE, or --token-file - and pass it on standard input")
}

// value is what a flag or the setting of its name says.
func (c call) value(name string) string {
	if settings.Of(name).Name == name {
		return c.setting(name)
	}
	return c.flags.Lookup(name).Value.String()
}

// setting is an option's value; what a file has wrong was said before the command ran.
func (c call) setting(name string) string {
	s, err := c.settings.Resolve(settings.Of(name), c.flags)
	if err != nil {
		return ""
	}
	return s.Text
}

func (c call) settingBool(name string) (bool, error) {
	s, err := c.settings.Resolve(settings.Of(name), c.flags)
	if err != nil {
		return false, err
	}
	switch strings.ToLower(s.Text) {
	case "true", "1", "yes":
		return true, nil
	case "false", "0", "no", "":
		return false, nil
	}
	return false, fault.Invalidf("config.value", "%s is %q", name, s.Text).Remedy("write true or false").Because("it comes from " + s.Origin)
}

func (c call) text(name string) string {
	v, _ := c.flags.GetString(name)
	return v
}

func (c call) texts(name string) []string {
	v, _ := c.flags.GetStringArray(name)
	return v
}

func (c call) is(name string) bool {
	v, _ := c.flags.GetBool(name)
	return v
}

// instant reads a flag that holds an instant; zero where it is not given.
func (c call) instant(name string) (time.Time, error) {
	s := c.text(name)
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fault.Invalidf("cli.instant", "--%s is not an instant: %q", name, s).On("--" + name).
			Remedy("write it as RFC 3339 with its zone, such as 2026-12-24T18:00:00+01:00")
	}
	return t.UTC(), nil
}

// zone is where instants are printed.
func (c call) zone() (*time.Location, error) {
	name := c.setting("zone")
	if name == "" || strings.EqualFold(name, "local") {
		return time.Local, nil
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil, fault.Invalidf("cli.zone", "the time zone %q is not known", name).On("--zone").Remedy("write a name such as Europe/Berlin, or UTC")
	}
	return z, nil
}

// colour reports whether w shows colours: a terminal, and nobody objects.
func (c call) colour(w io.Writer) bool {
	if none, err := c.settingBool("no-color"); none || err != nil {
		return false
	}
	if v, _ := c.Env("NO_COLOR"); v != "" {
		return false
	}
	if v, _ := c.Env("TERM"); v == "dumb" {
		return false
	}
	return watched(w)
}

func watched(end any) bool {
	f, ok := end.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func list(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// group is a command that only holds others.
func (a *app) group(name, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: name, Short: short, Args: cobra.ArbitraryArgs, RunE: group}
	cmd.AddCommand(commands...)
	return cmd
}

// group answers a command of which the rest is missing or not known.
func group(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	var names []string
	for _, sub := range cmd.Commands() {
		if !sub.Hidden {
			names = append(names, sub.Name())
		}
	}
	err := fault.Invalidf("cli.unknown-command", "%s has no command %q", cmd.CommandPath(), args[0])
	if near := catalog.Nearest(args[0], names); near != "" {
		return err.Remedy("did you mean " + cmd.CommandPath() + " " + near + "?")
	}
	slices.Sort(names)
	return err.Remedy("it has " + strings.Join(names, ", "))
}

// alias lets --env stand for --environment.
func alias(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	if name == "env" {
		name = "environment"
	}
	return pflag.NormalizedName(name)
}

var flagName = regexp.MustCompile(`unknown (?:shorthand )?flag: (?:--([^\s]+)|'(.)')`)

// flagError says what is wrong with a flag, and which one may have been meant.
func flagError(cmd *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	what := fault.Invalidf("cli.flag", "%s: %s", cmd.CommandPath(), err.Error())
	if m := flagName.FindStringSubmatch(err.Error()); m != nil && m[1] != "" {
		name, _, _ := strings.Cut(m[1], "=")
		var names []string
		visit := func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		}
		cmd.Flags().VisitAll(visit)
		cmd.InheritedFlags().VisitAll(visit)
		if near := catalog.Nearest(name, names); near != "" {
			return what.Remedy("did you mean --" + near + "?")
		}
	}
	return what.Remedy("see " + cmd.CommandPath() + " --help")
}
