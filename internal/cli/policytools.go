package cli

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/desk"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/lint"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/prose"
)

// orActive says what may stand in place of a directory.
const orActive = "With active in place of DIR it is the policy in force on the server."

// policyTools are the commands that look a policy over, with no server.
func (a *app) policyTools() []*cobra.Command {
	check := a.command("lint DIR", "Say what is wrong or doubtful in a policy", func(_ context.Context, c call) error { return c.policyLint(c.args[0]) })
	check.Flags().String("catalog", "", "catalog file: who is in the groups, and which controls services ask for")
	check.Flags().Bool("verbose", false, "say too of which conditions it is not decided whether they can hold and can fail")
	test := a.command("test DIR", "Run a policy's test cases", func(_ context.Context, c call) error { return c.policyTest(c.args[0]) })
	test.Flags().Bool("coverage", false, "say which gates and comparisons no case exercises, and which cases to add")
	format := a.command("fmt DIR", "Say which files are not in the canonical layout", func(_ context.Context, c call) error { return c.policyFormat(c.args[0]) })
	format.Flags().BoolP("write", "w", false, "write them in that layout")
	explain := a.command("explain DIR [NAME]", "Say a policy, or one of its documents, in plain words", func(ctx context.Context, c call) error { return c.policyExplain(ctx) })
	explain.Long = explain.Short + ".\n" + orActive
	f := explain.Flags()
	f.String("catalog", "", "with --service and --environment: catalog file that describes them")
	bind(f, "service", "environment")
	diff := a.command("diff OLD NEW", "Say in words what changes from one policy to another, and for whom", func(ctx context.Context, c call) error { return c.policyDiff(ctx) })
	diff.Long = diff.Short + ".\nOLD and NEW are directories; active in place of one is the policy in force on the server."
	document := a.command("document DIR", "Print a policy as auditors read it", func(ctx context.Context, c call) error { return c.policyDocument(ctx) })
	document.Long = document.Short + ".\n" + orActive
	document.Flags().String("format", "md", "md or pdf")
	document.Flags().String("out", "", "file to write; - and unless given it is standard output")
	schema := a.command("schema", "Print the JSON Schema of a policy's documents, for editors", func(_ context.Context, c call) error { return desk.Schema(c.Out) })
	return []*cobra.Command{check, test, format, explain, diff, document, schema}
}

func (c call) policyLint(dir string) error {
	files, err := policyFiles(dir)
	if err != nil {
		return err
	}
	var around *catalog.Entries
	if path := c.text("catalog"); path != "" {
		e, _, err := readCatalog(path)
		if err != nil {
			return err
		}
		around = &e
	}
	found := desk.Lint(files, around, lint.Options{Now: time.Now(), Verbose: c.is("verbose")})
	if err = c.print(found, found.Print); err == nil && policy.Failed(found.Problems) {
		return exitVerdict{fault.Exit(fault.Invalid)}
	}
	return err
}

func (c call) policyTest(dir string) error {
	p, err := program(dir)
	if err != nil {
		return err
	}
	if c.is("coverage") {
		found, err := lint.Cover(p)
		if err != nil {
			return err
		}
		return c.print(found, func(w io.Writer) error { return desk.PrintCoverage(w, found) })
	}
	results := append(desk.Tested{}, p.Test()...)
	switch err := c.print(results, results.Print); {
	case err != nil:
		return err
	case len(results) == 0:
		return p.Ready()
	case results.Failed() > 0:
		return fault.Invalidf("policy.tests-failed", "%d of %d test cases fail", results.Failed(), len(results)).Remedy("mend the policy or the test, and run them again")
	}
	return nil
}

func (c call) policyFormat(dir string) error {
	files, err := policyFiles(dir)
	if err != nil {
		return err
	}
	laid, err := prose.Format(files)
	if err != nil {
		return err
	}
	for _, f := range laid.Files {
		if path := filepath.Join(dir, filepath.FromSlash(f.Name)); c.is("write") && slices.Contains(laid.Changed, f.Name) {
			if err := rewrite(path, f.Data); err != nil {
				return err
			}
		}
	}
	if err = c.print(laid.Changed, func(w io.Writer) error { return desk.PrintChanged(w, laid) }); err == nil && len(laid.Changed) > 0 && !c.is("write") {
		return exitVerdict{fault.Exit(fault.Invalid)}
	}
	return err
}

// rewrite replaces a file as a whole: a crash leaves the old one or the new.
func rewrite(path string, data []byte) error {
	temporary := path + ".new"
	if err := writeNew(temporary, data); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return unwritable(path, err)
	}
	return nil
}

func (c call) policyExplain(ctx context.Context) error {
	p, err := c.policyOf(ctx, c.args[0])
	if err != nil {
		return err
	}
	var d prose.Document
	switch name := append(c.args, "")[1]; {
	case c.flags.Changed("service") || c.flags.Changed("environment"):
		if c.text("catalog") == "" || c.value("service") == "" || c.value("environment") == "" {
			return fault.Invalidf("cli.missing", "a checklist needs --service, --environment and --catalog").Because("tier, flags and kind stand in the catalog")
		}
		e, _, err := readCatalog(c.text("catalog"))
		if err != nil {
			return err
		}
		if d, err = desk.Checklist(p, e, c.value("service"), c.value("environment")); err != nil {
			return err
		}
	default:
		if d, err = desk.Explain(p, name); err != nil {
			return err
		}
	}
	return c.print(d, func(w io.Writer) error { return desk.PrintText(w, d) })
}

func (c call) policyDiff(ctx context.Context) error {
	to, err := c.policyOf(ctx, c.args[1])
	if err != nil {
		return err
	}
	from, err := c.policyOf(ctx, c.args[0])
	if err != nil {
		return err
	}
	all, err := prose.Diff(from, to)
	if err != nil {
		return err
	}
	return c.print(append([]prose.Change{}, all...), func(w io.Writer) error {
		return desk.PrintText(w, prose.Changes("What changes", all))
	})
}

// policyOf is a directory's, or the one in force.
func (c call) policyOf(ctx context.Context, dir string) (*policy.Program, error) {
	if dir != "active" {
		return program(dir)
	}
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	found, err := client.PolicyFiles(ctx)
	if err == nil && len(found.Files) == 0 {
		err = fault.New(fault.Conflict, "policy.inactive", "no policy is in force").Remedy("name a directory, or activate one")
	}
	if err != nil {
		return nil, err
	}
	var files []policy.File
	for _, f := range found.Files {
		files = append(files, policy.File{Name: f.Name, Data: []byte(f.Data)})
	}
	return compiled(files)
}

func (c call) policyDocument(ctx context.Context) error {
	p, err := c.policyOf(ctx, c.args[0])
	if err != nil {
		return err
	}
	if c.text("format") == "pdf" && c.text("out") == "" && watched(c.Out) {
		return fault.Invalidf("cli.missing", "a PDF does not go to a terminal").Remedy("name a file with --out")
	}
	data, err := desk.Document(p, c.text("format"), time.Now())
	if err != nil {
		return err
	}
	if path := c.text("out"); path != "" && path != "-" {
		return writeNew(path, data)
	}
	_, err = c.Out.Write(data)
	return err
}
