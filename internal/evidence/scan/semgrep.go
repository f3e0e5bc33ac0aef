package scan

import (
	"cmp"
	"fmt"

	v2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/evidence"
)

// IsSemgrep recognises Semgrep's JSON. Bandit's has results and errors too,
// beside metrics.
func IsSemgrep(t evidence.Top) bool {
	return !t.Array && t.Members["results"].Kind == '[' && t.Has("errors") && !t.Has("metrics") && !t.Has("generated_at")
}

// ReadSemgrep makes a claim of a report of Semgrep.
func ReadSemgrep(b []byte) (evidence.Claim, error) {
	s := semgrep{}
	if err := evidence.Decode(b, &s); err != nil {
		return evidence.Claim{}, err
	}
	return s.claim()
}

// semgrep is a report as far as it has been read.
type semgrep struct {
	evidence.Collector
	version string
	results evidence.Rows[semgrepResult]
	errors  semgrepErrors
	paths   struct {
		Scanned count `json:"scanned"` // files
	}
	skipped count // rules
}

// UnmarshalJSONFrom reads an object.
func (s *semgrep) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	s.results = evidence.Rows[semgrepResult]{Limit: evidence.MaxResults, What: "results", Take: s.count}
	return evidence.Object(
		dec,
		evidence.Member{Name: "version", Into: &s.version},
		evidence.Member{Name: "results", Into: &s.results},
		evidence.Member{Name: "errors", Into: &s.errors},
		evidence.Member{Name: "paths", Into: &s.paths},
		evidence.Member{Name: "skipped_rules", Into: &s.skipped},
	)
}

// semgrepErrors are how many warnings there are, and the first error.
type semgrepErrors struct {
	there    bool
	warnings int
	first    string
	at       int
}

// UnmarshalJSONFrom reads an array. An error of a level that is not known is one.
func (e *semgrepErrors) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	e.there = dec.PeekKind() == '['
	return evidence.Each(dec, evidence.MaxResults, "errors", func(i int) error {
		var v struct {
			Level   string        `json:"level"`
			Type    evidence.Word `json:"type"`
			Message string        `json:"message"`
			Long    string        `json:"long_msg"`
			Short   string        `json:"short_msg"`
		}
		if err := v2.UnmarshalDecode(dec, &v); err != nil {
			return err
		}
		switch v.Level {
		case "warn", "warning", "info":
			e.warnings++
		default:
			if e.first == "" {
				e.at = i
				e.first = evidence.Cut(cmp.Or(v.Message, v.Long, v.Short, string(v.Type), "an error without words"), maxWords)
			}
		}
		return nil
	})
}

type semgrepResult struct {
	Check string       `json:"check_id"`
	Path  string       `json:"path"`
	Start semgrepPlace `json:"start"`
	End   semgrepPlace `json:"end"`
	Extra struct {
		Message  string `json:"message"`
		Severity string `json:"severity"`
		Ignored  *bool  `json:"is_ignored"`
		Metadata struct {
			CWE  names `json:"cwe"`
			CVE  names `json:"cve"`
			GHSA names `json:"ghsa"`
			SCA  names `json:"sca-vuln-database-identifier"`
		} `json:"metadata"`
		SCA struct {
			Match struct {
				Found struct {
					Package string `json:"package"`
					Version string `json:"version"`
				} `json:"found_dependency"`
			} `json:"dependency_match"`
		} `json:"sca_info"`
	} `json:"extra"`
}

type semgrepPlace struct {
	Line   int64 `json:"line"`
	Column int64 `json:"col"`
}

func (s *semgrep) count(r *semgrepResult) error {
	if r.Check == "" || r.Path == "" {
		return refusal{"semgrep-result", "a result has no check_id or no path", "it is no result of Semgrep", again}.fault()
	}
	x := &r.Extra
	found := &x.SCA.Match.Found
	f := evidence.Finding{
		Rule: r.Check, Package: found.Package, Version: found.Version, Location: at(r.Path, r.Start.Line, r.Start.Column),
		Identifiers: ids(x.Metadata.CVE, x.Metadata.GHSA, x.Metadata.SCA, x.Metadata.CWE), Message: x.Message,
	}
	if x.Ignored != nil && *x.Ignored {
		f.Suppressed, f.Why = true, "nosemgrep"
	}
	f.Severity, f.Scale = rating{from: "semgrep:severity", word: x.Severity, scale: evidence.Semgreps}.severity()
	return s.Add(f, f.Rule, f.Package, f.Version, r.Path, fmt.Sprint(r.Start, r.End), f.Message)
}

func (s *semgrep) claim() (evidence.Claim, error) {
	switch {
	case s.errors.first != "":
		return evidence.Claim{}, failed("Semgrep", s.errors.first).On(fmt.Sprintf("/errors/%d", s.errors.at))
	case !s.results.There || !s.errors.there:
		return evidence.Claim{}, refusal{"semgrep-results", "the report of Semgrep has no list of results or of errors", "without a list, even an empty one, nothing was scanned", again}.fault()
	case s.paths.Scanned.there && s.paths.Scanned.n == 0 && s.Findings().Total == 0:
		return evidence.Claim{}, refusal{"semgrep-nothing", "Semgrep scanned no file", "that nothing is found in nothing proves nothing", "give Semgrep the files to scan"}.fault().On("/paths/scanned")
	}
	c := s.Claim("semgrep", "", evidence.Tool{Name: "Semgrep", Version: s.version})
	note(&c, s.errors.warnings, "Semgrep gives %d warnings: files or rules that it could not use whole")
	note(&c, s.skipped.n, "%d rules were skipped")
	return c, nil
}
