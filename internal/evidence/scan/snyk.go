package scan

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	v2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/evidence"
)

// IsSnyk recognises what `snyk test`, `snyk container test` and `snyk iac test`
// write, for one project or an array of them, and how they say that they failed.
// Snyk Code writes SARIF.
func IsSnyk(t evidence.Top) bool {
	list := t.Members["vulnerabilities"].Kind
	return t.Has("ok", "error") || t.Has("infrastructureAsCodeIssues") ||
		list == '[' && (t.Has("ok") || t.Has("dependencyCount")) || t.Has("ok", "dependencyCount")
}

// ReadSnyk makes a claim of a report of Snyk.
func ReadSnyk(b []byte) (evidence.Claim, error) {
	s := snyk{}
	var err error
	if bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("[")) {
		err = evidence.Decode(b, &inner{s.projects})
	} else {
		err = evidence.Decode(b, &inner{func(dec *jsontext.Decoder) error { return evidence.Whole(dec, s.project) }})
	}
	if err != nil {
		return evidence.Claim{}, err
	}
	c := s.Claim("snyk", "", evidence.Tool{Name: "Snyk"})
	if s.read > 1 {
		note(&c, s.read, "%d projects are counted together")
	}
	return c, nil
}

// snyk is a report as far as it has been read.
type snyk struct {
	evidence.Collector
	read    int // projects
	entries int // of lists of issues, one for each path to it
}

func (s *snyk) projects(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxMembers, "projects", func(int) error {
		return evidence.Whole(dec, s.project)
	})
}

// snykProject is the head of a project: what was tested, and how it went.
type snykProject struct {
	OK      *bool             `json:"ok"`
	Error   *evidence.Word    `json:"error"`
	Name    string            `json:"projectName"`
	Display string            `json:"displayTargetFile"`
	Target  string            `json:"targetFile"`
	Path    evidence.Word     `json:"path"`
	List    evidence.Presence `json:"vulnerabilities"`
	Code    evidence.Presence `json:"infrastructureAsCodeIssues"`
	Unique  int               `json:"uniqueCount"`
}

func (p *snykProject) place() string {
	return cmp.Or(p.Display, p.Target, p.Name, string(p.Path))
}

// project is gone through twice, because what was tested stands behind what was found.
func (s *snyk) project(raw jsontext.Value) error {
	var p snykProject
	if err := v2.Unmarshal(raw, &p); err != nil {
		return err
	}
	switch {
	case p.Error != nil && *p.Error != "":
		return failed("Snyk", string(*p.Error))
	case !p.List.There() && !p.Code.There():
		return refusal{"snyk-list", "a project of Snyk has no list of vulnerabilities", "without a list, even an empty one, nothing was tested", again}.fault()
	}
	s.read++
	before := s.entries
	if err := s.lists(raw, &p); err != nil {
		return err
	}
	switch {
	case s.entries > before:
	case p.Unique > 0:
		return refusal{"snyk-lost", fmt.Sprintf("a project of Snyk counts %d vulnerabilities and lists none", p.Unique), "what was found is not here", again}.fault()
	case p.OK == nil:
		return refusal{"snyk-ok", "a project of Snyk lists nothing and does not say that it is well", "the member ok is missing", again}.fault()
	case !*p.OK:
		return refusal{"snyk-ok", "a project of Snyk is not well, and lists nothing", "what was found is not here", again}.fault()
	}
	return nil
}

func (s *snyk) lists(raw jsontext.Value, p *snykProject) error {
	issues := evidence.Rows[snykIssue]{Limit: evidence.MaxResults, What: "vulnerabilities", Take: func(i *snykIssue) error { return s.count(p, i, false) }}
	ignored := evidence.Rows[snykIssue]{Limit: evidence.MaxResults, What: "ignored vulnerabilities", Take: func(i *snykIssue) error { return s.count(p, i, true) }}
	code := issues
	patched := ignored
	return v2.Unmarshal(raw, &inner{func(dec *jsontext.Decoder) error {
		return evidence.Object(
			dec,
			evidence.Member{Name: "vulnerabilities", Into: &issues},
			evidence.Member{Name: "infrastructureAsCodeIssues", Into: &code},
			evidence.Member{Name: "applications", Into: s.projects},
			evidence.Member{Name: "filtered", Into: func(dec *jsontext.Decoder) error {
				return evidence.Object(dec, evidence.Member{Name: "ignore", Into: &ignored}, evidence.Member{Name: "patch", Into: &patched})
			}},
		)
	}})
}

type snykIssue struct {
	ID          string         `json:"id"`
	Title       string         `json:"title"`
	Severity    string         `json:"severity"`
	Exact       string         `json:"severityWithCritical"` // where severity knows no critical
	Name        string         `json:"name"`
	PackageName string         `json:"packageName"`
	ModuleName  string         `json:"moduleName"`
	Version     string         `json:"version"`
	FixedIn     list           `json:"fixedIn"`
	Nearest     string         `json:"nearestFixedInVersion"`
	Identifiers names          `json:"identifiers"`
	Vector      string         `json:"CVSSv3"`
	Score       *evidence.Word `json:"cvssScore"`
	Ignored     bool           `json:"isIgnored"`
	Filtered    snykFiltered   `json:"filtered"`
	Line        int64          `json:"lineNumber"` // of an issue of configuration
	Path        snykPath       `json:"path"`       // to the property, of such an issue
	Message     string         `json:"msg"`        // likewise
}

// snykPath is a path as text: a list of strings and numbers, or a string.
type snykPath string

// UnmarshalJSONFrom joins a list.
func (p *snykPath) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '[' {
		return v2.UnmarshalDecode(dec, (*string)(p))
	}
	var steps []string
	err := evidence.Each(dec, evidence.MaxInner, "steps of a path", func(int) error {
		var w evidence.Word
		err := v2.UnmarshalDecode(dec, &w)
		steps = append(steps, string(w))
		return err
	})
	*p = snykPath(strings.Join(steps, "."))
	return err
}

// snykFiltered says why an issue was filtered out.
type snykFiltered struct{ reasons []string }

// UnmarshalJSONFrom reads the reasons that are given.
func (f *snykFiltered) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var v struct {
		Ignored evidence.Rows[struct {
			Reason  string `json:"reason"`
			Expires string `json:"expires"`
		}] `json:"ignored"`
	}
	v.Ignored.Limit, v.Ignored.What = evidence.MaxInner, "reasons"
	v.Ignored.Take = func(r *struct {
		Reason  string `json:"reason"`
		Expires string `json:"expires"`
	},
	) error {
		if len(f.reasons) < 3 {
			f.reasons = append(f.reasons, r.Reason)
		}
		return nil
	}
	return v2.UnmarshalDecode(dec, &v)
}

// count adds one issue. Snyk lists a vulnerability once for each path on which
// its package is reached; the paths do not tell apart.
func (s *snyk) count(p *snykProject, i *snykIssue, filtered bool) error {
	s.entries++
	f := evidence.Finding{
		Rule: i.ID, Package: cmp.Or(i.Name, i.PackageName, i.ModuleName), Version: i.Version, Fixed: cmp.Or(i.FixedIn.joined(), i.Nearest),
		Location: at(p.place(), i.Line, 0), Identifiers: i.Identifiers, Message: cmp.Or(i.Title, i.Message),
	}
	if filtered || i.Ignored {
		f.Suppressed, f.Why = true, why("ignored", i.Filtered.reasons...)
	}
	f.Severity, f.Scale = rating{
		from: "snyk:severity", word: cmp.Or(i.Exact, i.Severity), scale: evidence.Snyks,
		vectors: []string{i.Vector}, scores: []string{string(said(i.Score))},
	}.severity()
	return s.Add(f, f.Rule, f.Package, f.Version, f.Message, p.Name, p.Display, p.Target, string(p.Path), string(i.Path), fmt.Sprint(i.Line))
}
