package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/report"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *app) evidence() *cobra.Command {
	look := a.command("inspect FILE", "Say what a report claims; nothing is sent", func(_ context.Context, c call) error {
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
		claim, err := report.Read(b)
		if err != nil {
			return asInvalid(placed(c.args[0], err))
		}
		return c.print(claim, claimTable(claim))
	})
	look.Long = "Say what a report claims; it may be compressed with gzip. These are read:\n" + strings.Join(report.Names(), ", ") + ".\nIt ends with 0, or with 2 where the report is not a good one."

	add := a.online("add FILE...", "Send reports about an artifact", func(ctx context.Context, c call, client *wire.Client) error {
		claims := []wire.Claim{}
		for _, path := range c.args {
			claim, err := c.upload(ctx, client, wire.EvidenceTarget{
				Service: c.setting("service"), Version: c.setting("version"), Digest: c.setting("digest"), Label: c.text("label"),
			}, path)
			if err != nil {
				return placed(path, err)
			}
			claims = append(claims, claim)
		}
		return c.showClaims(claims)
	})
	bind(add.Flags(), "service", "version", "digest")
	require(add, "service", "version", "digest")
	add.Flags().String("label", "", "tells apart reports of one tool, such as unit and end-to-end")

	list := a.online("list", "List the claims that stand about an artifact", func(ctx context.Context, c call, client *wire.Client) error {
		artifact, err := client.Evidence(ctx, c.setting("digest"))
		if err != nil {
			return err
		}
		return c.showClaims(artifact.Claims)
	})
	bind(list.Flags(), "digest")
	require(list, "digest")
	return a.group("evidence", "Reports about an artifact, and what they claim", look, add, list)
}

// asInvalid makes whatever is wrong with a report the fault of the input.
func asInvalid(err error) error {
	if fault.Exit(fault.KindOf(err)) == fault.Exit(fault.Invalid) {
		return err
	}
	return fault.Invalidf("evidence.unreadable", "the report cannot be read").Because(err.Error()).Cause(err)
}

func claimTable(c evidence.Claim) func(io.Writer) error {
	pairs := []string{"kind", string(c.Kind), "format", strings.TrimSpace(c.Format + " " + c.Version), "tool", strings.TrimSpace(c.Tool.Name + " " + c.Tool.Version)}
	if !c.Generated.IsZero() {
		pairs = append(pairs, "written", terminal.Stamp(c.Generated, nil))
	}
	switch {
	case c.Findings != nil:
		s := c.Findings.BySeverity
		pairs = append(pairs, "findings", findingsLine(wire.Findings{
			Total: c.Findings.Total, Suppressed: c.Findings.Suppressed,
			Critical: s.Critical, High: s.High, Medium: s.Medium, Low: s.Low, Info: s.Info, Unrated: s.Unrated,
		}))
	case c.Tests != nil:
		pairs = append(pairs, "tests", testsLine(wire.Tests{Total: c.Tests.Total, Passed: c.Tests.Passed, Failed: c.Tests.Failed, Errored: c.Tests.Errored, Skipped: c.Tests.Skipped}))
	case c.Coverage != nil:
		pairs = append(pairs, "coverage", coverageLine(wire.Coverage{
			LineRate: c.Coverage.LineRate, LinesCovered: c.Coverage.LinesCovered, LinesValid: c.Coverage.LinesValid, BranchRate: c.Coverage.BranchRate,
		}))
	}
	for _, n := range c.Notes {
		pairs = append(pairs, "note", n)
	}
	return terminal.Facts(pairs...)
}

func findingsLine(f wire.Findings) string {
	return fmt.Sprintf("%d: %d critical, %d high, %d medium, %d low, %d info, %d unrated; %d suppressed",
		f.Total, f.Critical, f.High, f.Medium, f.Low, f.Info, f.Unrated, f.Suppressed)
}

func testsLine(t wire.Tests) string {
	return fmt.Sprintf("%d: %d passed, %d failed, %d errored, %d skipped", t.Total, t.Passed, t.Failed, t.Errored, t.Skipped)
}

func coverageLine(c wire.Coverage) string {
	text := fmt.Sprintf("%.1f %% of lines (%d of %d)", 100*c.LineRate, c.LinesCovered, c.LinesValid)
	if c.BranchRate != nil {
		text += fmt.Sprintf(", %.1f %% of branches", 100**c.BranchRate)
	}
	return text
}

func (c call) showClaims(claims []wire.Claim) error {
	return showList(c, claims, []string{"KIND", "TOOL", "LABEL", "BELIEVED", "RECORDED", "SAYS"}, func(w wire.Claim) []string {
		says := ""
		switch {
		case w.Findings != nil:
			says = findingsLine(*w.Findings)
		case w.Tests != nil:
			says = testsLine(*w.Tests)
		case w.Coverage != nil:
			says = coverageLine(*w.Coverage)
		}
		return []string{w.Kind, w.Tool, w.Label, terminal.By(w.Provenance), c.stamp(w.At), says}
	})
}
