package coverage

import (
	"fmt"
	"strconv"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// counts are lines, statements or branches, and how many of them tests ran.
type counts struct{ covered, valid int }

func (c *counts) add(hit bool) {
	c.valid++
	if hit {
		c.covered++
	}
}

func (c *counts) sum(o counts) {
	c.covered += o.covered
	c.valid += o.valid
}

// measured is a claim of lines and, where any are measured, branches; "" is no note.
func measured(c evidence.Claim, lines, branches counts, notes ...string) (evidence.Claim, error) {
	if lines.valid == 0 {
		return evidence.Claim{}, fault.Invalidf("evidence.coverage-empty", "the report measures no line").
			Because("coverage of nothing says nothing").Remedy("run the tests with coverage switched on, and send what is written")
	}
	c.Kind = evidence.CoverageKind
	c.Coverage = &evidence.Coverage{LineRate: lines.rate(), LinesCovered: lines.covered, LinesValid: lines.valid}
	if branches.valid > 0 {
		rate := branches.rate()
		c.Coverage.BranchRate = &rate
	}
	for _, n := range notes {
		if n != "" {
			c.Notes = append(c.Notes, n)
		}
	}
	return c, nil
}

func (c counts) rate() float64 { return float64(c.covered) / float64(c.valid) }

// maxCount bounds a count that a report states, so that no sum overflows.
const maxCount = 1 << 40

// count reads a count that a report states.
func count(what, s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || n > maxCount {
		return 0, broken("%s is %q", what, evidence.Cut(s, 40)).Because("that is not a count")
	}
	return int(n), nil
}

// pair reads how many there are and how many of them are covered.
func pair(what, covered, valid string) (c counts, err error) {
	if c.valid, err = count(what, valid); err != nil {
		return c, err
	}
	if c.covered, err = count("covered "+what, covered); err != nil {
		return c, err
	}
	if c.covered > c.valid {
		return c, broken("%d of %d %s are covered", c.covered, c.valid, what).Because("more cannot be covered than there is")
	}
	return c, nil
}

// broken is the fault of a report that contradicts its format.
func broken(format string, args ...any) *fault.Error {
	return fault.Invalidf("evidence.coverage", format, args...)
}

// differ is the note that totals and lines say different things, or "".
func differ(stated, counted counts) string {
	if counted.valid == 0 || counted == stated {
		return ""
	}
	return fmt.Sprintf("the totals state %d of %d lines, the lines themselves say %d of %d; the totals count", stated.covered, stated.valid, counted.covered, counted.valid)
}

// noTotals is the note that a report's lines had to be counted.
const noTotals = "the report states no totals; its lines are counted"
