// Package sarif reads SARIF 2.1.0, result by result.
package sarif

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	v2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// Format names what is read here, and Version the one that is. Earlier ones
// and drafts mean other things by the same names.
const (
	Format  = "sarif"
	Version = "2.1.0"
)

// Bounds on a log; more is refused, never left out.
const (
	maxRuns       = 1_000
	maxExtensions = 50     // of one tool
	maxRules      = 20_000 // of one tool component
)

// Recognise reports whether two of the three members that open a log are there.
func Recognise(t evidence.Top) bool {
	schema, version, runs := t.Members["$schema"].Kind == '"', t.Has("version"), t.Has("runs")
	return version && runs || schema && runs || schema && version && strings.Contains(strings.ToLower(t.Text("$schema")), "sarif")
}

// Read makes a claim of a log.
func Read(b []byte) (evidence.Claim, error) {
	var probe struct {
		Version *evidence.Word    `json:"version"`
		Runs    evidence.Presence `json:"runs"`
	}
	if err := evidence.Decode(b, &probe); err != nil {
		return evidence.Claim{}, err
	}
	if probe.Version == nil || *probe.Version != Version {
		said := "none"
		if probe.Version != nil {
			said = strconv.Quote(string(*probe.Version))
		}
		return evidence.Claim{}, fault.Invalidf("evidence.sarif-version", "the SARIF version is %s", said).On("/version").
			Because("only 2.1.0 is read").Remedy("have the scanner write SARIF 2.1.0")
	}
	if !probe.Runs.There() {
		return evidence.Claim{}, noRun()
	}
	var log struct {
		Runs sarifRuns `json:"runs"`
	}
	if err := evidence.Decode(b, &log); err != nil {
		return evidence.Claim{}, err
	}
	return log.Runs.claim()
}

func noRun() *fault.Error {
	return fault.Invalidf("evidence.sarif-no-run", "the SARIF log holds no run").On("/runs").
		Because("that no scan ran does not say that nothing was found").Remedy("run the scanner, and send what it writes")
}

// sarifRuns counts runs one after the other as they are read, and each run's
// results one after the other: none of them is kept beyond what is listed.
type sarifRuns struct {
	evidence.Collector
	runs      int
	otherKind int
	absent    int
	tools     []evidence.Tool
	generated time.Time
}

// UnmarshalJSONFrom reads and counts every run. Rules may stand after the
// results that point to them, so a run is gone through twice.
func (s *sarifRuns) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, maxRuns, "runs", func(int) error {
		s.runs++
		return evidence.Whole(dec, s.add)
	})
}

func (s *sarifRuns) add(raw jsontext.Value) error {
	var run sarifRun
	if err := v2.Unmarshal(raw, &run); err != nil {
		return err
	}
	if err := run.proves(); err != nil {
		return err
	}
	s.about(&run)
	index := run.index()
	results := struct {
		Results sarifResults `json:"results"`
	}{sarifResults{func(r *sarifResult) error {
		return s.count(&run, index, r)
	}}}
	return v2.Unmarshal(raw, &results)
}

// proves refuses a run from which nothing follows.
func (r *sarifRun) proves() error {
	refuse := func(code, what, why, fix string) error {
		return fault.Invalidf(code, "%s", what).Because(why).Remedy(fix)
	}
	for _, i := range r.Invocations {
		if i.Successful != nil && !*i.Successful {
			return refuse("evidence.sarif-failed", "the scan says that it failed", "executionSuccessful is false, so what it did not find proves nothing", "repair the scan and run it again")
		}
	}
	switch {
	case r.Tool.Driver.Name == "":
		return refuse("evidence.sarif-tool", "a run names no tool", "tool.driver.name is required", "have the scanner write SARIF 2.1.0")
	case r.External.Results != nil:
		return refuse("evidence.sarif-external", "a run keeps its results in another file", "what is not here cannot be counted", "have the scanner write one file")
	case !r.Results.There():
		return refuse("evidence.sarif-no-results", "a run has no results", "without a list, even an empty one, nothing was scanned", "run the scanner, and send what it writes")
	}
	return nil
}

// about notes which tool ran, and when.
func (s *sarifRuns) about(run *sarifRun) {
	d := run.Tool.Driver
	t := evidence.Tool{Name: evidence.Cut(d.Name, evidence.MaxWord), Version: evidence.Cut(cmp.Or(d.SemanticVersion, d.Version), evidence.MaxWord)}
	if !slices.Contains(s.tools, t) && len(s.tools) < 20 {
		s.tools = append(s.tools, t)
	}
	for _, i := range run.Invocations {
		at, err := time.Parse(time.RFC3339Nano, cmp.Or(i.End, i.Start))
		if err == nil && (s.generated.IsZero() || at.Before(s.generated)) {
			s.generated = at.UTC()
		}
	}
}

// count adds one result. What makes two of them one is tool, rule, locations
// and message; fingerprints and snippets do not enter.
func (s *sarifRuns) count(run *sarifRun, index sarifIndex, r *sarifResult) error {
	rule, found := index.rule(run, r)
	f := evidence.Finding{
		Rule: r.ruleName(rule), Location: run.place(&r.Locations), Message: r.Message.words(rule), Identifiers: r.identifiers(rule),
	}
	f.Why = s.outside(r)
	f.Suppressed = f.Why != ""
	f.Severity, f.Scale = run.severity(r, rule, found)
	return s.Add(f, r.key(run, f)...)
}

// outside says why a result does not stand: suppressed with nobody objecting,
// of another kind than fail, or gone since the baseline. "" is that it stands.
func (s *sarifRuns) outside(r *sarifResult) string {
	switch {
	case r.Suppressions.all > 0 && r.Suppressions.accepted == r.Suppressions.all:
		return "suppressed by the tool"
	case slices.Contains([]string{"pass", "open", "informational", "notApplicable", "review"}, r.Kind):
		s.otherKind++
		return "a result of kind " + r.Kind
	case r.Baseline == "absent":
		s.absent++
		return "gone since the baseline"
	}
	return ""
}

// key is what makes two results one.
func (r *sarifResult) key(run *sarifRun, f evidence.Finding) []string {
	text := ""
	for _, t := range []*evidence.Text{r.Message.Text, r.Message.Markdown} {
		if t != nil && text == "" {
			text = string(t.Sum[:])
		}
	}
	return append([]string{run.Tool.Driver.Name, f.Rule, r.RuleID, r.Locations.first.key(run), r.Locations.rest, text, r.Message.ID}, r.Message.Arguments...)
}

func (s *sarifRuns) claim() (evidence.Claim, error) {
	if s.runs == 0 {
		return evidence.Claim{}, noRun()
	}
	var names, versions []string
	for _, t := range s.tools {
		if !slices.Contains(names, t.Name) {
			names, versions = append(names, t.Name), append(versions, t.Version)
		}
	}
	tool := evidence.Tool{Name: strings.Join(names, " + ")}
	if len(names) == 1 {
		tool.Version = versions[0]
	}
	c := s.Claim(Format, Version, tool)
	c.Generated = s.generated
	note := func(n int, format string) {
		if n > 0 {
			c.Notes = append(c.Notes, fmt.Sprintf(format, n))
		}
	}
	if s.runs > 1 {
		note(s.runs, "%d runs are counted together")
	}
	note(s.otherKind, "%d results are of another kind than fail and do not stand")
	note(s.absent, "%d results are gone since the baseline and do not stand")
	return c, nil
}
