package evidence

import (
	"slices"
	"time"

	"signalbox.dev/signalbox/internal/strict"
)

// Believed is what every summary says of the claims it counts.
type Believed struct {
	Known      bool
	Provenance string   // of the claim believed least; "" where there is none
	AgeHours   float64  // of the oldest claim; never negative
	Tools      []string // sorted, each once
}

// FindingsSummary sums the newest findings of each tool and label.
type FindingsSummary struct {
	Believed
	Total, Suppressed int
	Severities
}

// TestsSummary sums the newest test runs. It is Known only where at least one
// case ran: a run of no tests, or of skipped ones only, says nothing.
type TestsSummary struct {
	Believed
	Total, Passed, Failed, Errored, Skipped int
}

// CoverageSummary is the lowest coverage that any tool and label claims.
// BranchKnown is true where every one of them measures branches.
type CoverageSummary struct {
	Believed
	LineRate, BranchRate     float64
	BranchKnown              bool
	LinesCovered, LinesValid int
}

// Summary is what policy may see of the claims at an instant.
func (a Artifact) Summary(now time.Time) (FindingsSummary, TestsSummary, CoverageSummary) {
	f := FindingsSummary{Believed: a.believed(FindingsKind, now)}
	t := TestsSummary{Believed: a.believed(TestsKind, now)}
	c := CoverageSummary{Believed: a.believed(CoverageKind, now)}
	for i := range a.Claims { // a claim is large: none is copied
		switch claim := &a.Claims[i].Claim; {
		case claim.Kind == FindingsKind && claim.Findings != nil:
			f.count(claim.Findings)
		case claim.Kind == TestsKind && claim.Tests != nil:
			t.count(claim.Tests)
		case claim.Kind == CoverageKind && claim.Coverage != nil:
			c.count(claim.Coverage)
		}
	}
	t.Known = t.Known && t.Total > t.Skipped
	return f, t, c
}

func (f *FindingsSummary) count(c *Findings) {
	f.Total += c.Total
	f.Suppressed += c.Suppressed
	f.Severities.sum(c.BySeverity)
}

func (t *TestsSummary) count(c *Tests) {
	t.Total += c.Total
	t.Passed += c.Passed
	t.Failed += c.Failed
	t.Errored += c.Errored
	t.Skipped += c.Skipped
}

// count keeps the lower; LinesValid is above 0 once a claim has been counted.
func (s *CoverageSummary) count(c *Coverage) {
	first := s.LinesValid == 0
	if first || c.LineRate < s.LineRate {
		s.LineRate, s.LinesCovered, s.LinesValid = c.LineRate, c.LinesCovered, c.LinesValid
	}
	switch {
	case c.BranchRate == nil:
		s.BranchKnown, s.BranchRate = false, 0
	case first:
		s.BranchKnown, s.BranchRate = true, *c.BranchRate
	case s.BranchKnown:
		s.BranchRate = min(s.BranchRate, *c.BranchRate)
	}
}

func (a Artifact) believed(kind Kind, now time.Time) Believed {
	b := Believed{Tools: []string{}}
	for i := range a.Claims {
		c := &a.Claims[i]
		if c.Claim.Kind != kind || !c.Claim.Whole() {
			continue
		}
		if c.Claim.Findings != nil && c.Claim.Findings.Unscanned {
			continue // what it lists counts, that it lists nothing proves nothing
		}
		if !b.Known || rank(c.Provenance) < rank(b.Provenance) {
			b.Provenance = c.Provenance
		}
		b.Known = true
		b.AgeHours = max(b.AgeHours, now.Sub(c.Since()).Hours())
		b.Tools = append(b.Tools, c.Claim.toolName())
	}
	slices.Sort(b.Tools)
	b.Tools = slices.Compact(b.Tools)
	return b
}

// Instants is from when the age of each claim of a kind counts, oldest first:
// with a limit of age, the first of them says when the limit is passed.
func (a Artifact) Instants(kind Kind) []time.Time {
	var out []time.Time
	for _, c := range a.Claims {
		if c.Claim.Kind == kind {
			out = append(out, c.Since())
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}

// content is what approvals are given for: schema 1 of the canonical form.
type content struct {
	Schema   int     `json:"schema"`
	Artifact string  `json:"artifact"`
	Claims   []bound `json:"claims"`
}

type bound struct {
	Kind       Kind   `json:"kind"`
	Tool       string `json:"tool"`
	Label      string `json:"label"`
	Provenance string `json:"provenance"`
	File       string `json:"file"`
}

var contentForm = strict.MustForm[content]()

// ContentDigest is "sha256:…" over the canonical list (RFC 8785) of the claims
// that stand. It changes with what they say, not with when they were recorded.
// The list is written into room as far as that is enough.
func (a Artifact) ContentDigest(room []byte) (string, error) {
	c := content{Schema: 1, Artifact: a.Digest, Claims: make([]bound, len(a.Claims))}
	for i := range a.Claims {
		x := &a.Claims[i]
		c.Claims[i] = bound{x.Claim.Kind, x.Claim.toolName(), x.Label, x.Provenance, x.File}
	}
	b, err := contentForm.Append(room[:0], &c)
	if err != nil {
		return "", err
	}
	return strict.Sum(b), nil
}
