// Package junit reads JUnit XML in its dialects.
package junit

import (
	"encoding/xml"
	"fmt"
	"hash/fnv"
	"math"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// Format names what is read here.
const Format = "junit"

// Recognise reports whether the root element is that of a report.
func Recognise(root xml.StartElement) bool {
	return root.Name.Local == "testsuites" || root.Name.Local == "testsuite"
}

// New reads a report.
func New() evidence.XMLReader { return &junit{} }

// junit counts test cases. Cases are believed, not the sums in the attributes
// of suites. One case has one outcome, the worst that it shows:
//
//	error, rerunError                              errored
//	failure, rerunFailure                          failed
//	skipped, ignored, disabled, warning, or a
//	status that says so                            skipped
//	flakyFailure, flakyError, none of these        passed
//
// An error or a failure directly in a suite is a case that errored: something
// broke outside of any case. So is it where a suite states failures, and none of
// its cases shows one.
//
// Cases that stand several times under one name are counted each. Gradle's retry
// plugin writes a retried case so, but so do tests over several parameters, and
// nothing in the report tells one from the other: a failure is not taken back
// because another case of its name passed.
type junit struct {
	tests    evidence.Tests
	suites   []*junitSuite
	inCase   bool
	outcome  outcome
	flaky    int
	outside  int
	hidden   int // suites that state failures which no case shows
	disagree int
	silent   bool // a time or zone could not be read
	seconds  float64
	caseTime bool
	at       time.Time
	key      uint64             // of the open case, 0 where it has no name
	seen     map[uint64]outcome // the first outcome of cases by name, at most maxNamed
	repeated int                // cases whose name stood already, with another outcome
	warned   int
}

// maxNamed bounds the cases whose names are remembered.
const maxNamed = 1_000_000

// outcome of a case, worse is greater.
type outcome int

const (
	passed outcome = iota
	skipped
	failed
	errored
)

// junitSuite is what a suite's attributes state, and what was counted.
type junitSuite struct {
	stated  map[string]string
	counted evidence.Tests
	flaky   int
}

// Open is evidence.XMLReader.
func (j *junit) Open(around []xml.Name, e xml.StartElement) error {
	parent := ""
	if len(around) > 0 {
		parent = around[len(around)-1].Local
	}
	name := e.Name.Local
	switch {
	case name == "testsuite" || name == "testsuites":
		if j.inCase {
			return fault.Invalidf("evidence.junit", "a suite stands within a test case")
		}
		j.openSuite(evidence.Attributes(e))
	case name == "testcase":
		if j.inCase {
			return fault.Invalidf("evidence.junit", "a test case stands within another")
		}
		j.inCase, j.outcome, j.key = true, statusOf(e), keyOf(e)
		j.caseSeconds(e)
	case parent == "testcase":
		j.element(name)
	case (parent == "testsuite" || parent == "testsuites") && (name == "error" || name == "failure"):
		j.outside++
		j.add(errored)
	}
	return nil
}

func (j *junit) element(name string) {
	switch name {
	case "error", "rerunError":
		j.outcome = errored
	case "failure", "rerunFailure":
		j.outcome = max(j.outcome, failed)
	case "warning": // PHPUnit: there was no verdict
		j.warned++
		j.outcome = max(j.outcome, skipped)
	case "skipped", "ignored", "disabled":
		j.outcome = max(j.outcome, skipped)
	case "flakyFailure", "flakyError":
		j.flaky++
		for _, s := range j.suites {
			s.flaky++
		}
	}
}

// keyOf is a hash of a case's class and name, 0 without a name.
func keyOf(e xml.StartElement) uint64 {
	a := evidence.Attributes(e)
	if a["name"] == "" {
		return 0
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s\x00%s", a["classname"], a["name"], a["file"])
	return h.Sum64()
}

// again notes a case whose name stood before with another outcome.
func (j *junit) again() {
	if j.key == 0 {
		return
	}
	before, known := j.seen[j.key]
	switch {
	case known && before != j.outcome:
		j.repeated++
	case !known && len(j.seen) < maxNamed:
		if j.seen == nil {
			j.seen = map[uint64]outcome{}
		}
		j.seen[j.key] = j.outcome
	}
}

// statusOf is what the attributes status and result of a case say, as some
// dialects write them instead of an element.
func statusOf(e xml.StartElement) outcome {
	worst := passed
	for _, a := range e.Attr {
		if a.Name.Local != "status" && a.Name.Local != "result" {
			continue
		}
		switch strings.ToLower(a.Value) {
		case "notrun", "disabled", "skipped", "skip", "suppressed", "ignored", "pending", "untested", "inconclusive", "cancelled", "canceled":
			worst = max(worst, skipped)
		case "failed", "failure", "fail", "undefined":
			worst = max(worst, failed)
		case "error", "errored", "broken", "timeout", "timedout", "crashed", "aborted":
			worst = max(worst, errored)
		}
	}
	return worst
}

func (j *junit) caseSeconds(e xml.StartElement) {
	for _, a := range e.Attr {
		if a.Name.Local != "time" || a.Value == "" {
			continue
		}
		s, ok := seconds(a.Value)
		if !ok {
			j.silent = true
			continue
		}
		j.caseTime = true
		j.tests.Duration += s
	}
}

// seconds reads a time; some write thousands with a comma.
func seconds(s string) (float64, bool) {
	n, err := strconv.ParseFloat(strings.ReplaceAll(s, ",", ""), 64)
	return n, err == nil && n >= 0 && n < 1e9
}

func (j *junit) openSuite(stated map[string]string) {
	if s, ok := seconds(stated["time"]); ok && len(j.suites) == 0 {
		j.seconds = s
	} else if ok && len(j.suites) == 1 && j.suites[0].stated["time"] == "" {
		j.seconds += s
	}
	if t := stated["timestamp"]; t != "" {
		at, err := time.Parse(time.RFC3339Nano, t)
		switch {
		case err != nil:
			j.silent = true
		case j.at.IsZero() || at.Before(j.at):
			j.at = at.UTC()
		}
	}
	j.suites = append(j.suites, &junitSuite{stated: stated})
}

// Text is evidence.XMLReader: nothing is read of texts.
func (j *junit) Text([]xml.Name, []byte) error { return nil }

// Shut is evidence.XMLReader.
func (j *junit) Shut(_ []xml.Name, name xml.Name) error {
	switch name.Local {
	case "testcase":
		j.inCase = false
		j.again()
		j.add(j.outcome)
	case "testsuite", "testsuites":
		last := len(j.suites) - 1
		if j.suites[last].disagrees() {
			j.disagree++
		}
		if j.suites[last].hides() {
			j.hidden++
			j.add(errored)
		}
		j.suites = j.suites[:last]
	}
	return nil
}

func (j *junit) add(o outcome) {
	add(&j.tests, o)
	for _, s := range j.suites {
		add(&s.counted, o)
	}
}

func add(t *evidence.Tests, o outcome) {
	t.Total++
	switch o {
	case errored:
		t.Errored++
	case failed:
		t.Failed++
	case skipped:
		t.Skipped++
	default:
		t.Passed++
	}
}

// disagrees reports whether an attribute that can be read states another sum.
func (s *junitSuite) disagrees() bool {
	for name, counted := range map[string]int{"tests": s.counted.Total, "failures": s.counted.Failed, "errors": s.counted.Errored} {
		if n, err := strconv.Atoi(s.stated[name]); err == nil && n != counted {
			return true
		}
	}
	return false
}

// hides reports whether a suite states failures or errors while no case within
// shows one, nor a run that failed before the case passed (which Gradle counts).
func (s *junitSuite) hides() bool {
	stated := 0
	for _, name := range []string{"failures", "errors"} {
		if n, err := strconv.Atoi(s.stated[name]); err == nil && n > 0 {
			stated = min(stated+n, 1<<30)
		}
	}
	return s.counted.Failed+s.counted.Errored == 0 && stated > s.flaky
}

// Claim is evidence.XMLReader.
func (j *junit) Claim() (evidence.Claim, error) {
	if !j.caseTime {
		j.tests.Duration = j.seconds
	}
	j.tests.Duration = math.Round(j.tests.Duration*1e6) / 1e6
	c := evidence.Claim{Kind: evidence.TestsKind, Format: Format, Generated: j.at, Tests: &j.tests}
	note := func(holds bool, format string, args ...any) {
		if holds {
			c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
		}
	}
	note(j.tests.Total == 0, "the report holds no test case")
	note(j.disagree > 0, "the attributes of %d suites state other sums; the cases are counted", j.disagree)
	note(j.outside > 0, "%d errors stand outside of any case and are counted as cases that errored", j.outside)
	note(j.hidden > 0, "%d suites state failures or errors that none of their cases shows; each counts as a case that errored", j.hidden)
	note(j.warned > 0, "%d warnings stand in place of a verdict; such cases are counted as skipped", j.warned)
	note(j.repeated > 0, "%d cases stand under the name of another that ended differently; each is counted (Gradle: let the report merge reruns)", j.repeated)
	note(j.flaky > 0, "%d runs of cases failed before the case passed or failed for good", j.flaky)
	note(j.silent, "a time could not be read or gives no zone, and is not used")
	return c, nil
}
