package evidence

import (
	"encoding/xml"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"

	"signalbox.dev/signalbox/internal/fault"
)

// cobertura reads the totals that the root element states; where it states no
// counts they are summed over the lines of all classes. Where both are there
// and differ, the stated ones win and the difference is noted.
type cobertura struct {
	version string // of the document type
	stated  map[string]string
	covered int // lines with hits, over all classes
	valid   int
}

func (c *cobertura) open(around []string, e xml.StartElement) error {
	switch n := len(around); {
	case n == 0:
		c.stated = attributes(e)
		if _, clover := c.stated["clover"]; clover {
			return unknown("it is a Clover report")
		}
	case n == 1 && e.Name.Local == "project":
		return unknown("it is a Clover report")
	case e.Name.Local == "line" && n >= 2 && around[n-1] == "lines" && around[n-2] == "class":
		return c.line(attributes(e))
	}
	return nil
}

func (c *cobertura) shut([]string, string) error { return nil }

func (c *cobertura) line(a map[string]string) error {
	hits, err := strconv.ParseFloat(a["hits"], 64)
	if err != nil || math.IsNaN(hits) || math.IsInf(hits, 0) || hits < 0 {
		return fault.Invalidf("evidence.cobertura", "a line's hits are %q", cutText(a["hits"], 40)).Because("that is not a count")
	}
	c.valid++
	if hits > 0 {
		c.covered++
	}
	return nil
}

func (c *cobertura) claim() (Claim, error) {
	cov, notes, err := c.lines()
	if err != nil {
		return Claim{}, err
	}
	if cov.BranchRate, err = c.branches(); err != nil {
		return Claim{}, err
	}
	return Claim{
		Kind: CoverageKind, Format: FormatCobertura, Version: c.version,
		Tool:      Tool{Version: cutText(c.stated["version"], maxWord)},
		Generated: stamp(c.stated["timestamp"]), Coverage: cov, Notes: notes,
	}, nil
}

func (c *cobertura) lines() (*Coverage, []string, error) {
	rate, stated, err := c.rate("line-rate")
	if err != nil {
		return nil, nil, err
	}
	covered, valid, counted, err := c.counts("lines-covered", "lines-valid")
	if err != nil {
		return nil, nil, err
	}
	var notes []string
	switch {
	case counted && valid > 0 && c.valid > 0 && (covered != c.covered || valid != c.valid):
		notes = append(notes, fmt.Sprintf("the totals state %d of %d lines, the lines themselves say %d of %d; the totals count", covered, valid, c.covered, c.valid))
	case (!counted || valid == 0) && c.valid > 0:
		covered, valid = c.covered, c.valid
		notes = append(notes, "the report states no totals; its lines are counted")
	}
	if valid == 0 {
		return nil, nil, fault.Invalidf("evidence.cobertura-empty", "the report measures no lines").
			Because("coverage of nothing says nothing").Remedy("run the tests with coverage switched on, and send what is written")
	}
	computed := float64(covered) / float64(valid)
	switch {
	case !stated:
		rate = math.Round(computed*1e6) / 1e6
	case math.Abs(rate-computed) > 0.005:
		notes = append(notes, fmt.Sprintf("the stated rate %g is not that of %d of %d lines; the rate counts", rate, covered, valid))
	}
	return &Coverage{LineRate: rate, LinesCovered: covered, LinesValid: valid}, notes, nil
}

// branches is nil where no branches are measured: many tools write a rate
// then, 0 or 1, which means nothing.
func (c *cobertura) branches() (*float64, error) {
	rate, stated, err := c.rate("branch-rate")
	if err != nil {
		return nil, err
	}
	covered, valid, counted, err := c.counts("branches-covered", "branches-valid")
	if err != nil {
		return nil, err
	}
	if c.stated["branches-valid"] == "" || valid == 0 {
		return nil, nil
	}
	if !stated && !counted {
		return nil, nil
	}
	if !stated {
		rate = math.Round(float64(covered)/float64(valid)*1e6) / 1e6
	}
	return &rate, nil
}

var decimal = regexp.MustCompile(`^[+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?$`)

// rate reads an attribute that must lie between 0 and 1.
func (c *cobertura) rate(name string) (rate float64, stated bool, err error) {
	s, there := c.stated[name]
	if !there {
		return 0, false, nil
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !decimal.MatchString(s) || n < 0 || n > 1 {
		return 0, false, fault.Invalidf("evidence.cobertura", "%s is %q", name, cutText(s, 40)).
			Because("a rate lies between 0 and 1").On("/coverage/@" + name)
	}
	return n, true, nil
}

// counts reads a pair of attributes; counted is true where both are there.
func (c *cobertura) counts(covered, valid string) (a, b int, counted bool, err error) {
	_, hasA := c.stated[covered]
	_, hasB := c.stated[valid]
	for i, name := range []string{covered, valid} {
		s, there := c.stated[name]
		if !there {
			continue
		}
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			return 0, 0, false, fault.Invalidf("evidence.cobertura", "%s is %q", name, cutText(s, 40)).
				Because("that is not a count").On("/coverage/@" + name)
		}
		*[]*int{&a, &b}[i] = int(n)
	}
	if hasA && hasB && a > b {
		return 0, 0, false, fault.Invalidf("evidence.cobertura", "%s is %d of %d", covered, a, b).
			Because("more cannot be covered than there is").On("/coverage/@" + covered)
	}
	return a, b, hasA && hasB, nil
}

// stamp reads seconds or milliseconds since 1970; what is neither is silence.
func stamp(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil || n <= 0 || n > 1e14:
		return time.Time{}
	case n > 1e11:
		return time.UnixMilli(n).UTC()
	}
	return time.Unix(n, 0).UTC()
}
