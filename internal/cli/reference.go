package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"signalbox.dev/signalbox/internal/settings"
)

// ConfigurationReference is the table of options in Markdown, made from the code.
func ConfigurationReference() string {
	var b strings.Builder
	b.WriteString("# Configuration\n\n" +
		"A flag outranks the environment, which outranks the files. Of the files the project's own, `.signalbox.yaml` in the\n" +
		"working directory or above it up to the root of the repository, outranks the user's `signalbox/config.yaml` in the\n" +
		"user's configuration directory, which outranks `/etc/signalbox/config.yaml`. `signalbox config explain KEY` prints a\n" +
		"value and where it comes from.\n\n" +
		"A project's file is as foreign as the repository it comes with, so it may set only what is marked so: never where the\n" +
		"server is or which token goes there. A token is given by file or on standard input, never by a flag or a variable. What\n" +
		"has a variable alone is a secret: no flag and no file of settings may hold it.\n\n" +
		"| flag | variable | key | default | in a project's file | meaning |\n|---|---|---|---|---|---|\n")
	for _, o := range settings.All() {
		project := "no"
		if o.Project {
			project = "yes"
		}
		flag := o.Name
		if flag != "" {
			flag = "--" + flag
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s | %s |\n", code(flag), o.Env, code(o.Key), code(o.Fallback), project, o.Meaning)
	}
	return b.String()
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// CommandReference is every command with its flags in Markdown, made from the code.
func CommandReference() string {
	var b strings.Builder
	b.WriteString("# Command line\n\n" +
		"Data goes to standard output, everything else to standard error. `-o json` prints what the API answers.\n\n" +
		"## Exit codes\n\n| code | meaning |\n|---|---|\n")
	for _, e := range exitCodes {
		fmt.Fprintf(&b, "| %d | %s |\n", e.code, e.meaning)
	}
	root := (&app{}).root()
	b.WriteString("\n## Flags of every command\n\n")
	flagTable(&b, root.PersistentFlags())
	describeCommands(&b, root)
	return b.String()
}

func describeCommands(b *strings.Builder, parent *cobra.Command) {
	commands := slices.Clone(parent.Commands())
	slices.SortFunc(commands, func(x, y *cobra.Command) int { return cmp.Compare(x.Name(), y.Name()) })
	for _, c := range commands {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" || c.Name() == "exit-codes" {
			continue
		}
		if !c.HasSubCommands() {
			describeCommand(b, c)
		}
		describeCommands(b, c)
	}
}

func describeCommand(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n", c.CommandPath(), c.Short)
	if c.Long != "" {
		fmt.Fprintf(b, "\n%s\n", c.Long)
	}
	fmt.Fprintf(b, "\n    %s\n", c.UseLine())
	if c.Example != "" {
		fmt.Fprintf(b, "\n%s\n", strings.ReplaceAll("  "+strings.TrimLeft(c.Example, " "), "  signalbox", "    signalbox"))
	}
	if c.LocalNonPersistentFlags().HasFlags() {
		b.WriteString("\n")
		flagTable(b, c.LocalNonPersistentFlags())
	}
}

func flagTable(b *strings.Builder, flags *pflag.FlagSet) {
	b.WriteString("| flag | meaning |\n|---|---|\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name += ", `-" + f.Shorthand + "`"
		}
		must := ""
		if f.Annotations[required] != nil {
			must = "; required"
		}
		fmt.Fprintf(b, "| %s | %s%s |\n", name, f.Usage, must)
	})
}
