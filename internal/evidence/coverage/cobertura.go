// Package coverage reads reports of which lines and branches tests ran.
package coverage

import (
	"encoding/xml"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"

	"signalbox.dev/signalbox/internal/evidence"
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

// Cobertura names a format that is read here.
const Cobertura = "cobertura"

// IsCobertura reports whether the root element is one of Cobertura; Clover's
// has the same name.
func IsCobertura(root xml.StartElement) bool {
	a := evidence.Attributes(root)
	_, clover := a["clover"]
	_, generated := a["generated"]
	return root.Name.Local == "coverage" && root.Name.Space == "" && !clover && !generated
}

// NewCobertura reads a report with the document type.
func NewCobertura(doctype string) evidence.XMLReader {
	return &cobertura{version: doctypeVersion(doctype)}
}

var dtdVersion = regexp.MustCompile(`coverage-(\d\d)\.dtd`)

// doctypeVersion is "04" of a document type coverage-04.dtd.
func doctypeVersion(d string) string {
	if m := dtdVersion.FindStringSubmatch(d); m != nil {
		return m[1]
	}
	return ""
}

// Open is evidence.XMLReader.
func (c *cobertura) Open(around []xml.Name, e xml.StartElement) error {
	switch n := len(around); {
	case n == 0:
		c.stated = evidence.Attributes(e)
	case n == 1 && e.Name.Local == "project":
		return fault.Invalidf("evidence.unknown-format", "this is neither Cobertura nor Clover").Because("its element project belongs to Clover, whose root states when it was generated")
	case e.Name.Local == "line" && n >= 2 && around[n-1].Local == "lines" && around[n-2].Local == "class":
		return c.line(evidence.Attributes(e))
	}
	return nil
}

// Text is evidence.XMLReader: nothing is read of texts.
func (c *cobertura) Text([]xml.Name, []byte) error { return nil }

// Shut is evidence.XMLReader.
func (c *cobertura) Shut([]xml.Name, xml.Name) error { return nil }

func (c *cobertura) line(a map[string]string) error {
	hits, err := strconv.ParseFloat(a["hits"], 64)
	if err != nil || math.IsNaN(hits) || math.IsInf(hits, 0) || hits < 0 {
		return fault.Invalidf("evidence.cobertura", "a line's hits are %q", evidence.Cut(a["hits"], 40)).Because("that is not a count")
	}
	c.valid++
	if hits > 0 {
		c.covered++
	}
	return nil
}

// Claim is evidence.XMLReader.
func (c *cobertura) Claim() (evidence.Claim, error) {
	cov, notes, err := c.lines()
	if err != nil {
		return evidence.Claim{}, err
	}
	if cov.BranchRate, err = c.branches(); err != nil {
		return evidence.Claim{}, err
	}
	return evidence.Claim{
		Kind: evidence.CoverageKind, Format: Cobertura, Version: c.version,
		Tool:      evidence.Tool{Version: evidence.Cut(c.stated["version"], evidence.MaxWord)},
		Generated: stamp(c.stated["timestamp"]), Coverage: cov, Notes: notes,
	}, nil
}

func (c *cobertura) lines() (*evidence.Coverage, []string, error) {
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
	return &evidence.Coverage{LineRate: rate, LinesCovered: covered, LinesValid: valid}, notes, nil
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
		return 0, false, fault.Invalidf("evidence.cobertura", "%s is %q", name, evidence.Cut(s, 40)).
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
			return 0, 0, false, fault.Invalidf("evidence.cobertura", "%s is %q", name, evidence.Cut(s, 40)).
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
