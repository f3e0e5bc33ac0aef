package terminal

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/wire"
)

// Inspected is what a report claims and, of an attestation, which of the keys that
// were given signed it.
type Inspected struct {
	evidence.Claim
	SignedBy []string `json:"signed_by,omitzero"` // nil: no key was given
}

// Report is what a report claims, with the findings that it lists.
func Report(c Inspected) func(io.Writer) error {
	pairs := []string{"kind", string(c.Kind), "format", strings.TrimSpace(c.Format + " " + c.Version), "tool", strings.TrimSpace(c.Tool.Name + " " + c.Tool.Version)}
	if !c.Generated.IsZero() {
		pairs = append(pairs, "written", Stamp(c.Generated, nil))
	}
	var items [][]string
	switch {
	case c.Findings != nil:
		s := c.Findings.BySeverity
		pairs = append(pairs, "findings", findingsLine(wire.Findings{
			Total: c.Findings.Total, Suppressed: c.Findings.Suppressed,
			Critical: s.Critical, High: s.High, Medium: s.Medium, Low: s.Low, Info: s.Info, Unrated: s.Unrated,
		}))
		for _, f := range c.Findings.Items {
			items = append(items, findingRow(string(f.Severity), f.Rule, at(f.Package, f.Version), f.Location, f.Message, f.Why))
		}
	case c.Tests != nil:
		pairs = append(pairs, "tests", testsLine(wire.Tests{Total: c.Tests.Total, Passed: c.Tests.Passed, Failed: c.Tests.Failed, Errored: c.Tests.Errored, Skipped: c.Tests.Skipped}))
	case c.Coverage != nil:
		pairs = append(pairs, "coverage", coverageLine(wire.Coverage{
			LineRate: c.Coverage.LineRate, LinesCovered: c.Coverage.LinesCovered, LinesValid: c.Coverage.LinesValid, BranchRate: c.Coverage.BranchRate,
		}))
	case c.Load != nil:
		pairs = append(pairs, "load test", loadLine(loadOf(*c.Load)))
		for _, l := range c.Load.Limits {
			if l.Failed {
				pairs = append(pairs, "crossed", l.Name)
			}
		}
		return inTurn(Facts(withNotes(pairs, c.Notes)...), partRows(loadOf(*c.Load).Parts))
	case c.Attestation != nil:
		pairs = append(pairs, attestationPairs(wireAttestation(*c.Attestation))...)
		for _, s := range c.Attestation.Subjects {
			pairs = append(pairs, "about", at(s.Name, cmp.Or(s.Digest, "no SHA-256")))
		}
		signed := "not verified here: anybody may have written this; give --key FILE for each public key that should have signed it"
		if c.SignedBy != nil {
			signed = "signed by " + strings.Join(c.SignedBy, ", ")
		}
		pairs = append(pairs, "verified", signed)
	}
	return inTurn(Facts(withNotes(pairs, c.Notes)...), findingRows(items))
}

// Claim is a claim as it stands, with the findings that its report lists.
func Claim(c wire.ClaimDetail, stamp func(time.Time) string) func(io.Writer) error {
	pairs := []string{
		"claim", c.ID, "service", at(c.Service, c.Version), "artifact", c.Digest, "kind", c.Kind, "format", c.Format, "tool", c.Tool, "label", c.Label,
		"believed", By(c.Provenance), "recorded", stamp(c.At), "report", fmt.Sprintf("%s, %d bytes", c.File, c.Size), "says", Says(c.Claim),
	}
	if !c.Generated.IsZero() {
		pairs = append(pairs, "written", stamp(c.Generated))
	}
	if c.Attestation != nil {
		pairs = append(pairs, attestationPairs(*c.Attestation)...)
	}
	var items [][]string
	for _, f := range c.Items {
		items = append(items, wireRow(f))
	}
	var parts []wire.LoadPart
	if c.Load != nil {
		parts = c.Load.Parts
	}
	return inTurn(Facts(withNotes(pairs, c.Notes)...), findingRows(items), partRows(parts))
}

func wireAttestation(a evidence.Attestation) wire.Attestation {
	return wire.Attestation{
		PredicateType: a.PredicateType, Builder: a.Builder, BuildType: a.BuildType, Source: a.Source, Ref: a.Ref, Commit: a.Commit, Invocation: a.Invocation,
		Started: a.Started, Finished: a.Finished, Materials: a.Materials, Subjects: a.SubjectCount, Signatures: a.Signatures, Result: a.Result, Levels: a.Levels,
	}
}

// attestationPairs is what a statement says; Facts leaves out what it does not.
func attestationPairs(a wire.Attestation) []string {
	var took string
	if !a.Started.IsZero() && !a.Finished.IsZero() {
		took = fmt.Sprintf("%s to %s", Stamp(a.Started, nil), Stamp(a.Finished, nil))
	}
	return []string{
		"states", a.PredicateType, "builder", a.Builder, "build type", a.BuildType, "source", at(a.Source, a.Ref), "commit", a.Commit, "run", a.Invocation,
		"built", took, "result", at(a.Result, strings.Join(a.Levels, ", ")), "materials", fmt.Sprint(a.Materials), "signatures", fmt.Sprint(a.Signatures),
	}
}

// word is whose word an attestation is, in one line.
func word(a wire.Attestation) string {
	if len(a.VerifiedBy) == 0 {
		return "nobody's word: " + a.NotVerified
	}
	var all []string
	for _, w := range a.VerifiedBy {
		all = append(all, fmt.Sprintf("%s (%s)", w.Name, strings.Join(w.Keys, ", ")))
	}
	return "the word of " + strings.Join(all, " and ")
}

// Says is a claim in one line.
func Says(c wire.Claim) string {
	switch {
	case c.Findings != nil:
		return findingsLine(*c.Findings)
	case c.Tests != nil:
		return testsLine(*c.Tests)
	case c.Coverage != nil:
		return coverageLine(*c.Coverage)
	case c.Load != nil:
		return loadLine(*c.Load)
	case c.Attestation != nil:
		return short(word(*c.Attestation), 200)
	}
	return ""
}

// EvidenceDiff is how the claims about two versions differ.
func EvidenceDiff(d wire.EvidenceDiff) func(io.Writer) error {
	lines := [][]string{}
	side := func(what string, from, to *string) {
		if from != nil || to != nil {
			lines = append(lines, []string{what, orNone(from), orNone(to)})
		}
	}
	side("findings", said(d.From.Findings, findingsLine), said(d.To.Findings, findingsLine))
	side("tests", said(d.From.Tests, testsLine), said(d.To.Tests, testsLine))
	side("coverage", said(d.From.Coverage, coverageLine), said(d.To.Coverage, coverageLine))
	side("load test", said(d.From.Load, loadLine), said(d.To.Load, loadLine))
	steps := []func(io.Writer) error{Rows([]string{"", d.From.Version, d.To.Version}, lines)}
	for _, part := range []struct {
		what string
		list []wire.Finding
	}{{"appeared", d.Findings.Appeared}, {"gone", d.Findings.Gone}} {
		var items [][]string
		for _, f := range part.list {
			items = append(items, wireRow(f))
		}
		steps = append(steps, Said("%s: %s", part.what, Count(len(part.list), "finding", "findings")), findingRows(items))
	}
	steps = append(steps, Said("stayed: %s", Count(d.Findings.Stayed, "finding", "findings")))
	if d.Findings.Omitted > 0 {
		steps = append(steps, Said("%d more differ and are not listed", d.Findings.Omitted))
	}
	for _, n := range d.Notes {
		steps = append(steps, Facts("note", n))
	}
	return inTurn(steps...)
}

func said[T any](v *T, line func(T) string) *string {
	if v == nil {
		return nil
	}
	s := line(*v)
	return &s
}

func orNone(s *string) string {
	if s == nil {
		return "nothing is known"
	}
	return *s
}

// at is a name with a version behind it, where there is one.
func at(name, version string) string {
	if version == "" {
		return name
	}
	return name + " " + version
}

func withNotes(pairs, notes []string) []string {
	for _, n := range notes {
		pairs = append(pairs, "note", n)
	}
	return pairs
}

func wireRow(f wire.Finding) []string {
	return findingRow(f.Severity, f.Rule, at(f.Package, f.Version), f.Location, f.Message, f.Why)
}

func findingRow(severity, rule, pkg, location, message, why string) []string {
	if why != "" {
		severity = "(" + severity + ")"
		message = why
	}
	return []string{severity, rule, pkg, location, short(message, 100)}
}

func short(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// findingRows prints nothing where there are none; the sums have said so.
func findingRows(lines [][]string) func(io.Writer) error {
	if len(lines) == 0 {
		return func(io.Writer) error { return nil }
	}
	return Rows([]string{"SEVERITY", "RULE", "PACKAGE", "LOCATION", "SAYS"}, lines)
}

func inTurn(steps ...func(io.Writer) error) func(io.Writer) error {
	return func(w io.Writer) error {
		for _, step := range steps {
			if err := step(w); err != nil {
				return err
			}
		}
		return nil
	}
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
