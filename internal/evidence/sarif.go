package evidence

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	v2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/fault"
)

// sarifVersion is the one that is read. Earlier ones and drafts mean other
// things by the same names.
const sarifVersion = "2.1.0"

func readSARIF(b []byte, probe sarifProbe) (Claim, error) {
	if probe.Version == nil || *probe.Version != sarifVersion {
		said := "none"
		if probe.Version != nil {
			said = strconv.Quote(string(*probe.Version))
		}
		return Claim{}, fault.Invalidf("evidence.sarif-version", "the SARIF version is %s", said).On("/version").
			Because("only 2.1.0 is read").Remedy("have the scanner write SARIF 2.1.0")
	}
	if probe.Runs.kind == 0 || probe.Runs.kind == 'n' {
		return Claim{}, noRun()
	}
	log := struct {
		Runs sarifRuns `json:"runs"`
	}{sarifRuns{seen: map[[sha256.Size]byte]counted{}, findings: Findings{Items: []Finding{}}}}
	if err := decode(b, &log); err != nil {
		return Claim{}, err
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
	seen      map[[sha256.Size]byte]counted // by what makes results the same
	findings  Findings
	runs      int
	results   int
	otherKind int
	absent    int
	tools     []Tool
	generated time.Time
}

// counted is a result that was counted: how severe, and which of the items.
type counted struct {
	severity Severity
	item     int // MaxItems where it is not listed
}

// UnmarshalJSONFrom reads and counts every run. Rules may stand after the
// results that point to them, so a run is gone through twice.
func (s *sarifRuns) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return each(dec, maxRuns, "runs", func(i int) error {
		raw, err := dec.ReadValue()
		if err != nil {
			return err
		}
		s.runs++
		if err := s.add(raw); err != nil {
			return shift(err, dec.InputOffset()-int64(len(raw)), jsontext.Pointer(fmt.Sprintf("/runs/%d", i)))
		}
		return nil
	})
}

// shift makes the place of an error within a run one within the log.
func shift(err error, offset int64, pointer jsontext.Pointer) error {
	if semantic, ok := errors.AsType[*v2.SemanticError](err); ok {
		semantic.ByteOffset += offset
		semantic.JSONPointer = pointer + semantic.JSONPointer
		return semantic
	}
	return &v2.SemanticError{ByteOffset: offset, JSONPointer: pointer, Err: err}
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
		if s.results++; s.results > maxResults {
			return tooLarge("evidence.too-many", "there are more than %d results", maxResults)
		}
		s.count(&run, index, r)
		return nil
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
	case r.Results.kind == 0 || r.Results.kind == 'n':
		return refuse("evidence.sarif-no-results", "a run has no results", "without a list, even an empty one, nothing was scanned", "run the scanner, and send what it writes")
	}
	return nil
}

// about notes which tool ran, and when.
func (s *sarifRuns) about(run *sarifRun) {
	d := run.Tool.Driver
	t := Tool{Name: cutText(d.Name, maxWord), Version: cutText(cmp.Or(d.SemanticVersion, d.Version), maxWord)}
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

// count adds one result to what stands, to what is suppressed, or to what is
// folded into an equal one before.
func (s *sarifRuns) count(run *sarifRun, index sarifIndex, r *sarifResult) {
	rule, found := index.rule(run, r)
	f := Finding{
		Rule: cutText(r.ruleName(rule), maxWord), Location: run.place(&r.Locations), Message: r.Message.words(rule),
		Suppressed: s.outside(r), Identifiers: r.identifiers(rule),
	}
	f.Severity, f.Scale = run.severity(r, rule, found)
	key := r.key(run, f)
	if first, again := s.seen[key]; again {
		s.findings.Folded++
		s.seen[key] = s.fold(first, f)
		return
	}
	s.seen[key] = counted{f.Severity, len(s.findings.Items)}
	if f.Suppressed {
		s.findings.Suppressed++
	} else {
		s.findings.Total++
		s.findings.BySeverity.add(f.Severity, 1)
	}
	if len(s.findings.Items) < MaxItems {
		s.findings.Items = append(s.findings.Items, f)
	} else {
		s.findings.Omitted++
	}
}

// fold makes the first of equal results as severe as the worst of them.
func (s *sarifRuns) fold(first counted, f Finding) counted {
	if !f.Severity.worse(first.severity) {
		return first
	}
	if !f.Suppressed {
		s.findings.BySeverity.add(first.severity, -1)
		s.findings.BySeverity.add(f.Severity, 1)
	}
	if first.item < MaxItems {
		s.findings.Items[first.item].Severity, s.findings.Items[first.item].Scale = f.Severity, f.Scale
	}
	return counted{f.Severity, first.item}
}

// outside reports whether a result does not stand: suppressed with nobody
// objecting, of another kind than fail, or gone since the baseline.
func (s *sarifRuns) outside(r *sarifResult) bool {
	switch {
	case r.Suppressions.all > 0 && r.Suppressions.accepted == r.Suppressions.all:
		return true
	case slices.Contains([]string{"pass", "open", "informational", "notApplicable", "review"}, r.Kind):
		s.otherKind++
		return true
	case r.Baseline == "absent":
		s.absent++
		return true
	}
	return false
}

// key is what makes two results one: tool, rule, locations, message, and
// whether they stand. Fingerprints and snippets do not enter.
func (r *sarifResult) key(run *sarifRun, f Finding) [sha256.Size]byte {
	h := sha256.New()
	text := ""
	for _, t := range []*sarifText{r.Message.Text, r.Message.Markdown} {
		if t != nil && text == "" {
			text = string(t.sum[:])
		}
	}
	parts := []string{run.Tool.Driver.Name, f.Rule, r.RuleID, r.Locations.first.key(run), r.Locations.rest, text, r.Message.ID, strconv.FormatBool(f.Suppressed)}
	for _, p := range append(parts, r.Message.Arguments...) {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func (s *sarifRuns) claim() (Claim, error) {
	if s.runs == 0 {
		return Claim{}, noRun()
	}
	c := Claim{Kind: FindingsKind, Format: FormatSARIF, Version: sarifVersion, Generated: s.generated, Findings: &s.findings}
	var names, versions []string
	for _, t := range s.tools {
		if !slices.Contains(names, t.Name) {
			names, versions = append(names, t.Name), append(versions, t.Version)
		}
	}
	c.Tool = Tool{Name: cutText(strings.Join(names, " + "), maxWord)}
	if len(names) == 1 {
		c.Tool.Version = versions[0]
	}
	if s.runs > 1 {
		c.Notes = append(c.Notes, fmt.Sprintf("%d runs are counted together", s.runs))
	}
	if s.otherKind > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("%d results are of another kind than fail and do not stand", s.otherKind))
	}
	if s.absent > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("%d results are gone since the baseline and do not stand", s.absent))
	}
	if s.findings.Omitted > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("%d findings are counted but not listed", s.findings.Omitted))
	}
	return c, nil
}
