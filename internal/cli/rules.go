package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/dossier"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/prose"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *app) policy() *cobra.Command {
	write := a.command("init DIR", "Write a pack into a directory, to start from", func(_ context.Context, c call) error { return c.policyInit(c.args[0]) })
	write.Flags().String("pack", policy.Packs()[0], "which pack: "+strings.Join(policy.Packs(), " or "))
	activate := a.online("activate DIR", "Put a policy in force on the server", func(ctx context.Context, c call, client *wire.Client) error {
		return c.policyActivate(ctx, client, c.args[0])
	})
	reasoned(activate)
	activate.Flags().String("effective", "", "when it takes effect, RFC 3339; now unless given")
	show := a.online("show", "Show the policy in force", func(ctx context.Context, c call, client *wire.Client) error { return c.policyShow(ctx, client) })
	history := paged(a.online("history", "List activations, newest first", func(ctx context.Context, c call, client *wire.Client) error {
		items, err := collect(c, func(p wire.Paging) (wire.Page[wire.Activation], error) { return client.PolicyHistory(ctx, p) })
		if err != nil {
			return err
		}
		return showList(c, items, []string{"EFFECTIVE", "POLICY", "VERSION", "BY", "REASON", "DIGEST"}, func(v wire.Activation) []string {
			name := v.Name
			if v.Deactivated {
				name += " (deactivated)"
			}
			return []string{c.stamp(v.Effective), name, v.Version, orElse(v.ByName, v.By), v.Reason, v.Digest}
		})
	}))
	reference := a.command("reference", "Print the policy language, in Markdown", func(_ context.Context, c call) error {
		_, err := io.WriteString(c.Out, prose.Reference())
		return err
	})
	return a.group("policy", "Write, check and activate the rules", append(a.policyTools(), write, activate, a.policyDeactivate(), a.policyReplay(), show, history, reference)...)
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (c call) policyInit(dir string) error {
	files, known := policy.Pack(c.text("pack"))
	if !known {
		return fault.Invalidf("policy.pack", "there is no pack %q", c.text("pack")).On("--pack").Remedy("take " + strings.Join(policy.Packs(), " or "))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fault.Invalidf("file.unwritable", "the directory %s cannot be made", dir).Because(plainReason(err)).Cause(err)
	}
	written := []string{}
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := writeNew(path, f.Data); err != nil {
			return err
		}
		written = append(written, path)
	}
	return c.print(written, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s\n", terminal.CleanLines(strings.Join(written, "\n")))
		c.note("next: signalbox policy test %s", dir)
		return err
	})
}

func (c call) policyActivate(ctx context.Context, client *wire.Client, dir string) error {
	effective, err := c.instant("effective")
	if err != nil {
		return err
	}
	p, err := program(dir)
	if err != nil {
		return err
	}
	if err := p.Ready(); err != nil {
		return err
	}
	q := wire.PolicyRequest{Reason: c.text("reason"), Effective: effective}
	for _, f := range p.Files() {
		q.Files = append(q.Files, wire.PolicyFile{Name: f.Name, Data: string(f.Data)})
	}
	done, err := client.ActivatePolicy(ctx, q)
	return c.done(done, err, "activated %s %s, %s, effective %s", done.Name, done.Version, done.Digest, c.stamp(done.Effective))
}

func (c call) policyShow(ctx context.Context, client *wire.Client) error {
	p, err := client.Policy(ctx)
	if err != nil {
		return err
	}
	return c.print(p, func(w io.Writer) error {
		if !p.Active || p.Activation == nil {
			return terminal.Said("no policy is active: every answer is cannot tell. signalbox policy activate DIR --reason …")(w)
		}
		v := p.Activation
		if err := terminal.Facts("policy", strings.TrimSpace(v.Name+" "+v.Version), "digest", v.Digest, "since", c.stamp(v.Effective),
			"by", orElse(v.ByName, v.By), "reason", v.Reason, "tests", fmt.Sprint(v.Tests), "types", strings.Join(p.Types, ", "))(w); err != nil {
			return err
		}
		lines := make([][]string, len(p.Gates))
		for i, g := range p.Gates {
			lines[i] = []string{g.Name, g.Severity, g.Owner, g.Title}
		}
		_, _ = io.WriteString(w, "\n")
		return terminal.Rows([]string{"GATE", "SEVERITY", "OWNER", "TITLE"}, lines)(w)
	})
}

func (a *app) catalog() *cobra.Command {
	lint := a.command("lint FILE", "Check a catalog file", func(_ context.Context, c call) error {
		e, _, err := readCatalog(c.args[0])
		if err != nil {
			return err
		}
		counts := map[string]int{
			"services": len(e.Services), "environments": len(e.Environments), "teams": len(e.Teams),
			"groups": len(e.Groups), "people": len(e.People), "machines": len(e.Machines),
		}
		return c.print(counts, terminal.Said("✓ nothing is wrong: %s, %s, %s, %s", terminal.Count(len(e.Services), "service", "services"),
			terminal.Count(len(e.Environments), "environment", "environments"), terminal.Count(len(e.People), "person", "people"), terminal.Count(len(e.Machines), "machine", "machines")))
	})
	load := a.online("import FILE", "Add to the server's catalog what a file says; what it leaves out stays", func(ctx context.Context, c call, client *wire.Client) error {
		_, b, err := readCatalog(c.args[0])
		if err != nil {
			return err
		}
		done, err := client.ImportCatalog(ctx, filepath.Base(c.args[0]), b)
		return c.done(done, err, "%d added, %d changed, %d the same", done.Added, done.Changed, done.Same)
	})
	return a.group("catalog", "Services, environments, teams and people", lint, load, a.catalogShow())
}

func readCatalog(path string) (catalog.Entries, []byte, error) {
	b, err := readFile(path, dossier.MaxInput)
	if err != nil {
		return catalog.Entries{}, nil, err
	}
	e, err := catalog.Parse(path, b)
	if err == nil {
		err = e.CheckRoles(access.Roles())
	}
	return e, b, err
}

// catalogued is what catalog show prints.
type catalogued struct {
	Services     []wire.Service     `json:"services"`
	Environments []wire.Environment `json:"environments"`
	People       []wire.Person      `json:"people"`
	Machines     []wire.Machine     `json:"machines"`
}

func (a *app) catalogShow() *cobra.Command {
	return paged(a.online("show", "Show the server's catalog", func(ctx context.Context, c call, client *wire.Client) error {
		var all catalogued
		var err error
		for _, step := range []func() error{
			func() error {
				all.Services, err = collect(c, func(p wire.Paging) (wire.Page[wire.Service], error) { return client.Services(ctx, p) })
				return err
			},
			func() error {
				all.Environments, err = collect(c, func(p wire.Paging) (wire.Page[wire.Environment], error) { return client.Environments(ctx, p) })
				return err
			},
			func() error {
				all.People, err = collect(c, func(p wire.Paging) (wire.Page[wire.Person], error) { return client.People(ctx, p) })
				return err
			},
			func() error {
				all.Machines, err = collect(c, func(p wire.Paging) (wire.Page[wire.Machine], error) { return client.Machines(ctx, p) })
				return err
			},
		} {
			if err := step(); err != nil {
				return err
			}
		}
		return c.print(all, all.table())
	}))
}

func (all catalogued) table() func(io.Writer) error {
	var lines [][]string
	for _, s := range all.Services {
		lines = append(lines, []string{"service", s.Name, "tier " + strconv.Itoa(s.Tier) + ", team " + s.Team + suffix(", repository ", s.Repository)})
	}
	for _, e := range all.Environments {
		lines = append(lines, []string{"environment", e.Name, e.Kind + suffix(", region ", e.Region)})
	}
	for _, p := range all.People {
		what := strings.Join(kept(p.Name, suffix("groups ", strings.Join(p.Groups, " ")), suffix("roles ", strings.Join(p.Roles, " "))), ", ")
		lines = append(lines, []string{"person", orElse(p.Handle, p.ID), what})
	}
	for _, m := range all.Machines {
		lines = append(lines, []string{"machine", m.Name, strings.Join(kept(m.Purpose, suffix("roles ", strings.Join(m.Roles, " "))), ", ")})
	}
	return terminal.Rows([]string{"KIND", "NAME", "WHAT"}, lines)
}

func (a *app) freeze() *cobra.Command {
	declare := a.online("declare NAME", "Declare a freeze: no releases, as the business agreed", func(ctx context.Context, c call, client *wire.Client) error {
		q, err := c.freezeRequest()
		if err != nil {
			return err
		}
		z, err := client.DeclareFreeze(ctx, q)
		return c.done(z, err, "declared %s, from %s until %s", z.Name, c.stamp(z.From), orElse(c.stamp(z.Until), "it is lifted"))
	})
	f := declare.Flags()
	for _, flag := range []string{"service", "environment", "kind", "region"} {
		f.StringArray(flag, nil, "only this "+flag+" (repeatable); all unless given")
	}
	f.IntSlice("tier", nil, "only this tier (repeatable); all unless given")
	f.String("rule", "", "the policy's freeze rule that it stands under")
	f.String("from", "", "RFC 3339; now unless given")
	f.String("until", "", "first instant after it, RFC 3339; until lifted unless given")
	reasoned(declare)

	lift := a.online("lift NAME", "End a freeze now", func(ctx context.Context, c call, client *wire.Client) error {
		z, err := client.LiftFreeze(ctx, c.args[0], wire.Reasoned{Reason: c.text("reason")})
		return c.done(z, err, "lifted %s", z.Name)
	})
	reasoned(lift)

	list := paged(a.online("list", "List freezes", func(ctx context.Context, c call, client *wire.Client) error {
		items, err := collect(c, func(p wire.Paging) (wire.Page[wire.Freeze], error) { return client.Freezes(ctx, c.is("all"), p) })
		if err != nil {
			return err
		}
		return showList(c, items, []string{"FREEZE", "FROM", "UNTIL", "BY", "REASON"}, func(z wire.Freeze) []string {
			until := orElse(c.stamp(z.Until), "lifted")
			if !z.Lifted.IsZero() {
				until = "lifted " + c.stamp(z.Lifted)
			}
			return []string{z.Name, c.stamp(z.From), until, orElse(z.ByName, z.By), z.Reason}
		})
	}))
	list.Flags().Bool("all", false, "those that are over, too")
	return a.group("freeze", "Times in which nothing is released", declare, lift, list)
}

func (c call) freezeRequest() (wire.FreezeRequest, error) {
	q := wire.FreezeRequest{Name: c.args[0], Rule: c.text("rule"), Reason: c.text("reason")}
	var err error
	if q.From, err = c.instant("from"); err != nil {
		return q, err
	}
	if q.Until, err = c.instant("until"); err != nil {
		return q, err
	}
	tiers, err := c.flags.GetIntSlice("tier")
	q.Scope = wire.Scope{
		Services: c.texts("service"), Environments: c.texts("environment"), Kinds: c.texts("kind"), Regions: c.texts("region"), Tiers: tiers,
	}
	return q, err
}
