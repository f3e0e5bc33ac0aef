package scan

import (
	"slices"
	"strings"

	v2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/evidence"
)

// maxEntries bounds the entries that are kept together: all of a stream of
// govulncheck, whose database has some thousands, or those about one package.
const maxEntries = 20_000

// osvEntry is what is read of an entry of the OSV format.
type osvEntry struct {
	ID       string      `json:"id"`
	Summary  string      `json:"summary"`
	Details  string      `json:"details"`
	Aliases  list        `json:"aliases"`
	Severity osvSeverity `json:"severity"`
	Affected osvAffected `json:"affected"`
	Specific osvSpecific `json:"database_specific"`
}

// kept is the entry with short texts, for keeping.
func (e *osvEntry) kept() *osvEntry {
	k := *e
	k.ID, k.Summary, k.Details = evidence.Cut(e.ID, evidence.MaxWord), evidence.Cut(e.Summary, evidence.MaxWord), evidence.Cut(e.Details, evidence.MaxWord)
	return &k
}

// rating is by the vectors of the entry, or else the word of its database.
func (e *osvEntry) rating(tool string) rating {
	r := rating{from: tool + ":severity", word: e.Severity.word, scale: evidence.Words, vectors: e.Severity.vectors}
	if r.word == "" && len(r.vectors) == 0 && e.Specific.Word != "" {
		r.from, r.word = tool+":database_specific.severity", e.Specific.Word
	}
	return r
}

// osvSeverity is a list of CVSS vectors, of which 10 are kept; some databases
// write a word.
type osvSeverity struct {
	word    string
	vectors []string
}

// UnmarshalJSONFrom reads an array or a string.
func (s *osvSeverity) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		return v2.UnmarshalDecode(dec, &s.word)
	}
	return evidence.Each(dec, evidence.MaxInner, "severities", func(i int) error {
		var v struct {
			Score string `json:"score"`
		}
		err := v2.UnmarshalDecode(dec, &v)
		if i < 10 {
			s.vectors = append(s.vectors, evidence.Cut(v.Score, evidence.MaxWord))
		}
		return err
	})
}

// osvSpecific is what databases add to an entry.
type osvSpecific struct {
	Word string
	CWEs []string
}

// UnmarshalJSONFrom finds the severity and the weaknesses; what else is there
// is the database's own, of any type.
func (s *osvSpecific) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '{' {
		return dec.SkipValue()
	}
	return evidence.EachMember(dec, evidence.MaxMembers, "members", func(name string) error {
		switch {
		case name == "severity" && dec.PeekKind() == '"':
			return v2.UnmarshalDecode(dec, &s.Word)
		case name == "cwe_ids" || name == "cwes":
			var n names
			err := n.UnmarshalJSONFrom(dec)
			s.CWEs = ids(s.CWEs, n)
			return err
		}
		return dec.SkipValue()
	})
}

// osvAffected is which packages an entry affects, and which versions mend them:
// of the first 30.
type osvAffected []osvPackage

type osvPackage struct {
	Package struct {
		Name string `json:"name"`
	} `json:"package"`
	Ranges   osvRanges   `json:"ranges"`
	Specific osvSpecific `json:"database_specific"`
}

// UnmarshalJSONFrom reads an array.
func (a *osvAffected) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxMembers, "affected packages", func(int) error {
		var p osvPackage
		err := v2.UnmarshalDecode(dec, &p)
		if len(*a) < 30 {
			*a = append(*a, p)
		}
		return err
	})
}

// fixed are the versions that mend a package.
func (a osvAffected) fixed(name string) string {
	var all []string
	for _, p := range a {
		if p.Package.Name != name {
			continue
		}
		for _, v := range p.Ranges {
			if !slices.Contains(all, v) && len(all) < 10 {
				all = append(all, v)
			}
		}
	}
	return strings.Join(all, ", ")
}

// weaknesses are the CWEs that are given with the packages.
func (a osvAffected) weaknesses() []string {
	var all []string
	for _, p := range a {
		all = ids(all, p.Specific.CWEs)
	}
	return all
}

// osvRanges are the versions that end ranges as fixed, at most 5.
type osvRanges []string

// UnmarshalJSONFrom reads an array of ranges, each with its events.
func (r *osvRanges) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type event struct {
		Fixed string `json:"fixed"`
	}
	return evidence.Each(dec, evidence.MaxMembers, "ranges", func(int) error {
		var v struct {
			Events evidence.Rows[event] `json:"events"`
		}
		v.Events = evidence.Rows[event]{Limit: evidence.MaxMembers, What: "events", Take: func(e *event) error {
			if e.Fixed != "" && len(*r) < 5 {
				*r = append(*r, evidence.Cut(e.Fixed, 100))
			}
			return nil
		}}
		return v2.UnmarshalDecode(dec, &v)
	})
}
