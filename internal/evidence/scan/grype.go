package scan

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"strings"

	v2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/evidence"
)

// IsGrype recognises Grype's JSON.
func IsGrype(t evidence.Top) bool {
	return !t.Array && (t.Has("matches") || t.Has("descriptor", "source", "distro") && !t.Has("artifacts"))
}

// ReadGrype makes a claim of a report of Grype.
func ReadGrype(b []byte) (evidence.Claim, error) {
	g := grype{}
	if err := evidence.Decode(b, &g); err != nil {
		return evidence.Claim{}, err
	}
	return g.claim()
}

// grype is a report as far as it has been read.
type grype struct {
	evidence.Collector
	matches    evidence.Rows[grypeMatch]
	descriptor grypeDescriptor
	source     evidence.Presence
}

type grypeDescriptor struct {
	Name    string  `json:"name"`
	Version string  `json:"version"`
	Time    string  `json:"timestamp"`
	DB      grypeDB `json:"db"`
}

// grypeDB is what is wrong with the database, "" where nothing is.
type grypeDB string

// UnmarshalJSONFrom finds the error.
func (d *grypeDB) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '{' {
		return dec.SkipValue()
	}
	return evidence.EachMember(dec, evidence.MaxMembers, "members", func(name string) error {
		if name != "error" || dec.PeekKind() == 'n' {
			return dec.SkipValue()
		}
		return (*evidence.Word)(d).UnmarshalJSONFrom(dec)
	})
}

// UnmarshalJSONFrom reads an object.
func (g *grype) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	g.matches = evidence.Rows[grypeMatch]{Limit: evidence.MaxResults, What: "matches", Take: g.match}
	ignored := g.matches
	ignored.Take = g.ignored
	return evidence.Object(
		dec,
		evidence.Member{Name: "matches", Into: &g.matches},
		evidence.Member{Name: "ignoredMatches", Into: &ignored},
		evidence.Member{Name: "descriptor", Into: &g.descriptor},
		evidence.Member{Name: "source", Into: &g.source},
	)
}

type grypeMatch struct {
	Vulnerability grypeVulnerability `json:"vulnerability"`
	Related       grypeRelated       `json:"relatedVulnerabilities"`
	Artifact      struct {
		Name      string         `json:"name"`
		Version   string         `json:"version"`
		Type      string         `json:"type"`
		PURL      string         `json:"purl"`
		Locations grypeLocations `json:"locations"`
	} `json:"artifact"`
	Rules grypeRules `json:"appliedIgnoreRules"`
}

type grypeVulnerability struct {
	ID          string      `json:"id"`
	Severity    string      `json:"severity"`
	Description string      `json:"description"`
	CVSS        grypeScores `json:"cvss"`
	Fix         struct {
		Versions list `json:"versions"`
	} `json:"fix"`
}

// grypeScores are the vectors and base scores of a list.
type grypeScores struct{ vectors, scores []string }

// UnmarshalJSONFrom reads an array.
func (s *grypeScores) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxInner, "scores of a vulnerability", func(int) error {
		var v struct {
			Vector  string `json:"vector"`
			Metrics struct {
				Base *evidence.Word `json:"baseScore"`
			} `json:"metrics"`
		}
		if err := v2.UnmarshalDecode(dec, &v); err != nil {
			return err
		}
		s.vectors, s.scores = append(s.vectors, v.Vector), append(s.scores, string(said(v.Metrics.Base)))
		return nil
	})
}

// grypeRelated are the ids of related vulnerabilities: the CVE of an advisory.
type grypeRelated []string

// UnmarshalJSONFrom reads an array.
func (r *grypeRelated) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxInner, "related vulnerabilities", func(i int) error {
		var v struct {
			ID string `json:"id"`
		}
		if err := v2.UnmarshalDecode(dec, &v); err != nil {
			return err
		}
		if i < 20 {
			*r = append(*r, v.ID)
		}
		return nil
	})
}

// grypeLocations are where a package was found: the first path, and a digest of all.
type grypeLocations struct {
	first string
	all   string
}

// UnmarshalJSONFrom reads an array.
func (l *grypeLocations) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	h := sha256.New()
	err := evidence.Each(dec, evidence.MaxMembers, "locations", func(i int) error {
		var v struct {
			Path string `json:"path"`
		}
		err := v2.UnmarshalDecode(dec, &v)
		if i == 0 {
			l.first = v.Path
		}
		fmt.Fprintf(h, "%d:%s", len(v.Path), v.Path)
		return err
	})
	l.all = string(h.Sum(nil))
	return err
}

// grypeRules say why a match is ignored.
type grypeRules []string

// UnmarshalJSONFrom reads an array.
func (r *grypeRules) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxInner, "rules that ignore a match", func(i int) error {
		var v struct {
			Vulnerability string `json:"vulnerability"`
			Reason        string `json:"reason"`
			FixState      string `json:"fix-state"`
			Match         string `json:"match-type"`
			Status        string `json:"vex-status"`
			Justification string `json:"vex-justification"`
			Package       struct {
				Name string `json:"name"`
			} `json:"package"`
		}
		if err := v2.UnmarshalDecode(dec, &v); err != nil {
			return err
		}
		switch {
		case i >= 3:
		case v.Status != "":
			*r = append(*r, why("vex", v.Status, v.Justification, v.Reason))
		default:
			*r = append(*r, why("ignored by rule", v.Reason, v.Vulnerability, v.Package.Name, v.FixState, v.Match))
		}
		return nil
	})
}

func (g *grype) match(m *grypeMatch) error { return g.count(m, "") }

func (g *grype) ignored(m *grypeMatch) error {
	return g.count(m, cmp.Or(strings.Join(m.Rules, "; "), "ignored"))
}

func (g *grype) count(m *grypeMatch, outside string) error {
	v, a := &m.Vulnerability, &m.Artifact
	if v.ID == "" && a.Name == "" {
		return refusal{"grype-match", "a match names neither vulnerability nor package", "it is no match of Grype", again}.fault()
	}
	f := evidence.Finding{
		Rule: v.ID, Package: a.Name, Version: a.Version, PURL: a.PURL, Fixed: v.Fix.Versions.joined(), Location: a.Locations.first,
		Identifiers: ids([]string{v.ID}, m.Related), Message: v.Description, Suppressed: outside != "", Why: outside,
	}
	f.Severity, f.Scale = rating{from: "grype:severity", word: v.Severity, scale: evidence.Words, vectors: v.CVSS.vectors, scores: v.CVSS.scores}.severity()
	return g.Add(f, f.Rule, f.Package, f.Version, a.Type, a.Locations.all, f.Message)
}

func (g *grype) claim() (evidence.Claim, error) {
	switch {
	case g.descriptor.DB != "":
		return evidence.Claim{}, failed("Grype", "its database: "+string(g.descriptor.DB))
	case !g.matches.There:
		return evidence.Claim{}, refusal{
			"grype-matches", "the report of Grype has no list of matches", "without a list, even an empty one, nothing was compared", again,
		}.fault().On("/matches")
	case g.Findings().Total == 0 && (g.descriptor.Name == "" || g.source.Kind == 0):
		return evidence.Claim{}, refusal{
			"grype-source", "the report of Grype finds nothing and does not say what was scanned", "source and descriptor are missing", again,
		}.fault()
	}
	name := "Grype"
	if g.descriptor.Name != "" && g.descriptor.Name != "grype" {
		name = g.descriptor.Name
	}
	c := g.Claim("grype", "", evidence.Tool{Name: name, Version: g.descriptor.Version})
	c.Generated = instant(g.descriptor.Time)
	return c, nil
}
