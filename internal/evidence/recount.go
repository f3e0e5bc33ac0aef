package evidence

import (
	"fmt"
	"slices"

	"signalbox.dev/signalbox/internal/event"
)

// Recounting is a scan that is to be counted again beside statements.
type Recounting struct {
	Scan       Added
	Statements []Added // whose originals hold the statements, by file
}

// Recountings are the scans for which other statements stand than those they
// were counted beside. A statement that is believed less than the scan closes
// none of its findings.
func (a Artifact) Recountings() []Recounting {
	var out []Recounting
	for _, scan := range a.Claims {
		if scan.Claim.Findings == nil || scan.Claim.Findings.Unscanned {
			continue
		}
		r := Recounting{Scan: scan}
		for _, s := range a.Claims {
			if s.Claim.states() && rank(s.Provenance) >= rank(scan.Provenance) {
				r.Statements = append(r.Statements, s)
			}
		}
		if !slices.Equal(r.files(), scan.VEX) {
			out = append(out, r)
		}
	}
	return out
}

// states reports whether the claim is one of statements about vulnerabilities.
func (c Claim) states() bool {
	return c.Findings != nil && c.Findings.Unscanned && c.Findings.Total+c.Findings.Suppressed > 0
}

func (r Recounting) files() []string {
	var files []string
	for _, s := range r.Statements {
		files = append(files, s.File)
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// Record is the fact that the scan was counted again. Claim is the scan's with
// its items, as read from the original, and said all that the originals of the
// statements say.
func (r Recounting) Record(id string, claim Claim, said []Statement) (event.Draft, error) {
	stream, err := Stream(r.Scan.Digest)
	if err != nil {
		return event.Draft{}, err
	}
	closed, n := Close(claim, r.Scan.Digest, said)
	again := r.Scan
	again.ID, again.First, again.At, again.VEX = id, r.Scan.At, 0, r.files()
	switch {
	case claim.Findings.Omitted > 0:
		closed.Notes = append(slices.Clone(closed.Notes), "statements about vulnerabilities close nothing here: not all findings are listed")
	case n > 0:
		closed.Notes = append(slices.Clone(closed.Notes), fmt.Sprintf("closed by statements about vulnerabilities: %d", n))
	}
	again.Claim = closed.Summary()
	return event.Draft{Stream: stream, Kind: event.ClaimRecounted, Body: again}, nil
}

// After is a as it will stand when the drafts are recorded at an instant.
func (a Artifact) After(drafts []event.Draft, now event.Micros) Artifact {
	for _, d := range drafts {
		if c, ok := d.Body.(Added); ok {
			c.At = now
			a = a.With(c)
		}
	}
	return a
}
