package cli

import (
	"context"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/dossier"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/report"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *app) evidence() *cobra.Command {
	look := a.command("inspect FILE", "Say what a report claims; nothing is sent", func(_ context.Context, c call) error {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(reportMemory))
		var b []byte
		var err error
		if c.args[0] == "-" {
			b, err = readAll(c.In, "standard input", report.MaxSize)
		} else {
			b, err = readFile(c.args[0], report.MaxSize)
		}
		if err != nil {
			return err
		}
		claim, err := report.Reader{Bundles: c.local.Bundles != nil}.Read(b)
		if err != nil {
			return asInvalid(dossier.Placed(c.args[0], err))
		}
		seen := terminal.Inspected{Claim: claim}
		if c.flags.Changed("key") {
			if seen.SignedBy, err = report.Signers(b, c.texts("key"), func(path string) ([]byte, error) { return readFile(path, 64<<10) }); err != nil {
				return asInvalid(err)
			}
		}
		return c.print(seen, terminal.Report(seen))
	})
	look.Flags().StringArray("key", nil, "a public key (PEM) that should have signed the attestation; repeat for several")
	look.Long = "Say what a report claims; it may be compressed with gzip. These are read:\n" + strings.Join(report.Names(), ", ") + ".\nIt ends with 0, or with 2 where the report is not a good one, or none of the keys has signed it."

	add := a.online("add FILE...", "Send reports about an artifact", func(ctx context.Context, c call, client *wire.Client) error {
		claims := []wire.Claim{}
		for _, path := range c.args {
			claim, err := c.upload(ctx, client, wire.EvidenceTarget{
				Service: c.setting("service"), Version: c.setting("version"), Digest: c.setting("digest"), Label: c.text("label"),
			}, path)
			if err != nil {
				return dossier.Placed(path, err)
			}
			claims = append(claims, claim)
		}
		return c.showClaims(claims)
	})
	bind(add.Flags(), "service", "version", "digest")
	require(add, "service", "version", "digest")
	add.Flags().String("label", "", "tells apart reports of one tool, such as unit and end-to-end")

	return a.group("evidence", "Reports about an artifact, and what they claim", look, add, a.listEvidence(), a.showEvidence(), a.diffEvidence())
}

// reportMemory is from how many bytes in use on memory is collected early while a
// report is read: the longest one and what is kept of it stay below 512 MiB.
const reportMemory = 400 << 20

func (a *app) listEvidence() *cobra.Command {
	list := a.online("list", "List the claims that stand about an artifact or a version", func(ctx context.Context, c call, client *wire.Client) error {
		var artifact wire.Artifact
		var err error
		switch digest, service, version := c.setting("digest"), c.setting("service"), c.setting("version"); {
		case digest != "":
			artifact, err = client.Evidence(ctx, digest)
		case service != "" && version != "":
			artifact, err = client.EvidenceOf(ctx, service, version)
		default:
			err = fault.Invalidf("cli.missing", "%s needs --digest, or --service and --version", c.path).Remedy("see " + c.path + " --help")
		}
		if err != nil {
			return err
		}
		return c.showClaims(artifact.Claims)
	})
	bind(list.Flags(), "service", "version", "digest")
	list.Long = "List the claims that stand about an artifact (--digest), or about the artifacts of a version\n(--service and --version). The newest of each kind, tool and label stands."
	return list
}

func (a *app) showEvidence() *cobra.Command {
	show := a.online("show CLAIM", "Show a claim, with the findings that its report lists", func(ctx context.Context, c call, client *wire.Client) error {
		if c.text("original") != "" {
			return c.original(ctx, client)
		}
		claim, err := client.ShowClaim(ctx, c.setting("digest"), c.args[0])
		if err != nil {
			return err
		}
		return c.print(claim, terminal.Claim(claim, c.stamp))
	})
	show.Long = "Show a claim that stands about an artifact, named by its id as evidence list prints it.\n--original writes the report that it was read from, byte for byte, to a file or, with -, to standard output."
	bind(show.Flags(), "digest")
	require(show, "digest")
	show.Flags().String("original", "", "a new file for the report itself; - is standard output")
	return show
}

func (c call) original(ctx context.Context, client *wire.Client) error {
	path := c.text("original")
	if path == "-" {
		return client.Original(ctx, c.setting("digest"), c.args[0], c.Out)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fault.Invalidf("cli.file", "the report cannot be written").Because(err.Error()).On("--original").Remedy("name a file that is not there yet")
	}
	if err = client.Original(ctx, c.setting("digest"), c.args[0], f); err == nil {
		err = f.Close()
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(path)
	}
	return err
}

func (a *app) diffEvidence() *cobra.Command {
	diff := a.online("diff", "Compare the claims about two versions of a service", func(ctx context.Context, c call, client *wire.Client) error {
		d, err := client.CompareEvidence(ctx, c.setting("service"), c.text("from"), c.text("to"))
		if err != nil {
			return err
		}
		return c.print(d, terminal.EvidenceDiff(d))
	})
	diff.Long = "Compare the claims that stand about two versions of a service: which findings appeared, which are gone,\nand tests and coverage side by side. It compares and does not judge: it ends with 0 whatever differs."
	bind(diff.Flags(), "service")
	require(diff, "service")
	diff.Flags().String("from", "", "the earlier version")
	diff.Flags().String("to", "", "the later version")
	require(diff, "from", "to")
	return diff
}

// asInvalid makes whatever is wrong with a report the fault of the input.
func asInvalid(err error) error {
	if fault.Exit(fault.KindOf(err)) == fault.Exit(fault.Invalid) {
		return err
	}
	return fault.Invalidf("evidence.unreadable", "the report cannot be read").Because(err.Error()).Cause(err)
}

func (c call) showClaims(claims []wire.Claim) error {
	return showList(c, claims, []string{"KIND", "TOOL", "LABEL", "BELIEVED", "RECORDED", "SAYS", "CLAIM"}, func(w wire.Claim) []string {
		return []string{w.Kind, w.Tool, w.Label, terminal.By(w.Provenance), c.stamp(w.At), terminal.Says(w), w.ID}
	})
}
