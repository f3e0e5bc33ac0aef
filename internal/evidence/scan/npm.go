package scan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	v2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/evidence"
)

// NPMVersion is the auditReportVersion of npm 7 and later. The reports of npm 6,
// pnpm and Yarn, with advisories, have none.
const NPMVersion = "2"

// IsNPM recognises the reports of npm audit, and how it says that it failed.
func IsNPM(t evidence.Top) bool {
	failure := t.Members["error"].Kind == '{' && (len(t.Members) == 1 || t.Has("message") && !t.Has("ok"))
	return !t.Array && (t.Has("auditReportVersion") || t.Members["advisories"].Kind == '{' || failure)
}

// ReadNPM makes a claim of a report of npm audit.
func ReadNPM(b []byte) (evidence.Claim, error) {
	n := npm{}
	if err := evidence.Decode(b, &n); err != nil {
		return evidence.Claim{}, err
	}
	return n.claim()
}

// npm is a report as far as it has been read.
type npm struct {
	evidence.Collector
	version  *evidence.Word
	old      bool // the form of npm 6
	packages bool // the list of npm 7 is there
	entries  int
	muted    count
	failure  *npmFailure
	counts   npmCounts
	metadata evidence.Presence
}

type npmFailure struct {
	Code    evidence.Word `json:"code"`
	Summary string        `json:"summary"`
	Detail  string        `json:"detail"`
}

// npmCounts are the report's own counts by severity.
type npmCounts struct {
	Counts struct {
		Total    *int `json:"total"`
		Info     int  `json:"info"`
		Low      int  `json:"low"`
		Moderate int  `json:"moderate"`
		High     int  `json:"high"`
		Critical int  `json:"critical"`
	} `json:"vulnerabilities"`
}

func (c *npmCounts) sum() int {
	x := &c.Counts
	if x.Total != nil {
		return *x.Total
	}
	return x.Info + x.Low + x.Moderate + x.High + x.Critical
}

// UnmarshalJSONFrom reads an object.
func (n *npm) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Object(
		dec,
		evidence.Member{Name: "auditReportVersion", Into: n.takeVersion},
		evidence.Member{Name: "vulnerabilities", Into: n.takePackages},
		evidence.Member{Name: "advisories", Into: n.takeAdvisories},
		evidence.Member{Name: "muted", Into: &n.muted},
		evidence.Member{Name: "metadata", Into: func(dec *jsontext.Decoder) error {
			n.metadata.Kind = dec.PeekKind()
			return v2.UnmarshalDecode(dec, &n.counts)
		}},
		evidence.Member{Name: "error", Into: &n.failure},
	)
}

func (n *npm) takeVersion(dec *jsontext.Decoder) error {
	var w evidence.Word
	if err := w.UnmarshalJSONFrom(dec); err != nil {
		return err
	}
	if w != NPMVersion {
		return unread("npm audit", "auditReportVersion", w, NPMVersion)
	}
	n.version = &w
	return nil
}

// npmPackage is a vulnerable package of npm 7.
type npmPackage struct {
	Name     string `json:"name"`
	Severity string `json:"severity"`
	Range    string `json:"range"`
	Nodes    list   `json:"nodes"`
	Via      npmVia `json:"via"`
	Fix      npmFix `json:"fixAvailable"`
}

// npmVia is why a package is vulnerable: advisories about it, and the names of
// vulnerable packages that it needs.
type npmVia struct {
	advisories []npmAdvisory
	packages   []string
	all        int
}

type npmAdvisory struct {
	Source *evidence.Word `json:"source"`
	Title  string         `json:"title"`
	URL    string         `json:"url"`
	CWE    names          `json:"cwe"`
	CVSS   npmCVSS        `json:"cvss"`
	Word   string         `json:"severity"`
}

type npmCVSS struct {
	Score  *evidence.Word `json:"score"`
	Vector string         `json:"vectorString"`
}

// UnmarshalJSONFrom reads an array of strings and objects.
func (v *npmVia) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxInner, "reasons of a vulnerability", func(int) error {
		v.all++
		if dec.PeekKind() != '"' {
			var a npmAdvisory
			err := v2.UnmarshalDecode(dec, &a)
			v.advisories = append(v.advisories, a)
			return err
		}
		var s string
		err := v2.UnmarshalDecode(dec, &s)
		v.packages = append(v.packages, s)
		return err
	})
}

// npmFix is the package and version that mends it; npm writes true where an
// update within the ranges does.
type npmFix struct {
	Name    string
	Version string
}

// UnmarshalJSONFrom reads a truth value or an object.
func (f *npmFix) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if k := dec.PeekKind(); k == 't' || k == 'f' {
		return dec.SkipValue()
	}
	var v struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	err := v2.UnmarshalDecode(dec, &v)
	f.Name, f.Version = v.Name, v.Version
	return err
}

// takePackages counts one finding for each vulnerable package.
func (n *npm) takePackages(dec *jsontext.Decoder) error {
	n.packages = dec.PeekKind() == '{'
	return evidence.EachMember(dec, evidence.MaxMembers, "vulnerable packages", func(name string) error {
		var p npmPackage
		if err := v2.UnmarshalDecode(dec, &p); err != nil {
			return err
		}
		n.entries++
		return n.Add(p.finding(cmp.Or(p.Name, name)), name)
	})
}

func (p *npmPackage) finding(name string) evidence.Finding {
	f := evidence.Finding{Package: name, Location: p.Nodes.joined()}
	r := rating{from: "npm audit:severity", word: p.Severity, scale: evidence.NPM}
	var messages, rules, weaknesses []string
	nameless := false // an advisory has no public name
	for _, a := range p.Via.advisories {
		public := evidence.Identifiers(a.URL, a.Title)
		nameless = nameless || len(public) == 0
		rules = append(rules, cmp.Or(list(public).first(), string(said(a.Source))))
		f.Identifiers, weaknesses = ids(f.Identifiers, public), ids(weaknesses, a.CWE)
		messages = append(messages, a.Title)
		r.vectors, r.scores = append(r.vectors, a.CVSS.Vector), append(r.scores, string(said(a.CVSS.Score)))
	}
	if nameless && len(rules) > 1 {
		f.Identifiers = nil // a statement about those with a name would close the others
	}
	f.Identifiers = ids(f.Identifiers, weaknesses)
	if len(rules) == 0 {
		rules = []string{"vulnerable-dependency"}
		messages = []string{"needs vulnerable versions of " + strings.Join(p.Via.packages, ", ")}
	}
	if p.Fix.Version != "" {
		f.Fixed = p.Fix.Version
		if p.Fix.Name != name {
			f.Fixed = p.Fix.Name + "@" + p.Fix.Version
		}
	}
	f.Rule, f.Message = strings.Join(slices.Compact(rules), ", "), strings.Join(slices.Compact(messages), "; ")
	f.Severity, f.Scale = r.severity()
	return f
}

// npmOld is an advisory of npm 6, with the places where its package is.
type npmOld struct {
	ID       *evidence.Word `json:"id"`
	GHSA     string         `json:"github_advisory_id"`
	Module   string         `json:"module_name"`
	Title    string         `json:"title"`
	Severity string         `json:"severity"`
	Patched  string         `json:"patched_versions"`
	CVEs     names          `json:"cves"`
	CWE      names          `json:"cwe"`
	URL      string         `json:"url"`
	CVSS     npmCVSS        `json:"cvss"`
	Findings npmPlaces      `json:"findings"`
}

// npmPlaces are the versions of a package that are installed, and where.
type npmPlaces []npmPlace

type npmPlace struct {
	Version string  `json:"version"`
	Path    npmPath `json:"paths"`
}

// npmPath is the first of the paths by which a package is reached.
type npmPath string

// UnmarshalJSONFrom reads an array.
func (p *npmPath) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxMembers, "paths", func(i int) error {
		var s string
		err := v2.UnmarshalDecode(dec, &s)
		if i == 0 {
			*p = npmPath(evidence.Cut(s, evidence.MaxWord))
		}
		return err
	})
}

// UnmarshalJSONFrom reads an array.
func (l *npmPlaces) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	*l, err = evidence.List[npmPlace](dec, evidence.MaxMembers, "places of a package")
	return err
}

// takeAdvisories counts one finding for each advisory and version of its package.
func (n *npm) takeAdvisories(dec *jsontext.Decoder) error {
	n.old = dec.PeekKind() == '{'
	return evidence.EachMember(dec, evidence.MaxMembers, "advisories", func(name string) error {
		var a npmOld
		if err := v2.UnmarshalDecode(dec, &a); err != nil {
			return err
		}
		n.entries++
		if len(a.Findings) == 0 {
			a.Findings = npmPlaces{{}}
		}
		for _, place := range a.Findings {
			if err := n.Add(a.finding(name, place), "advisory", name, place.Version); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *npmOld) finding(name string, place npmPlace) evidence.Finding {
	f := evidence.Finding{
		Package: a.Module, Version: place.Version, Fixed: a.Patched, Location: string(place.Path), Message: a.Title,
		Identifiers: ids([]string{a.GHSA}, evidence.Identifiers(a.URL), a.CVEs, a.CWE),
	}
	f.Rule = cmp.Or(a.GHSA, list(a.CVEs).first(), string(said(a.ID)), name)
	f.Severity, f.Scale = rating{
		from: "npm audit:severity", word: a.Severity, scale: evidence.NPM,
		vectors: []string{a.CVSS.Vector}, scores: []string{string(said(a.CVSS.Score))},
	}.severity()
	return f
}

func (n *npm) claim() (evidence.Claim, error) {
	switch {
	case n.failure != nil:
		return evidence.Claim{}, failed("npm audit", fmt.Sprintf("%s %s %s", n.failure.Code, n.failure.Summary, n.failure.Detail))
	case n.version == nil && !n.old || n.version != nil && !n.packages:
		return evidence.Claim{}, refusal{"npm-list", "the report of npm audit lists no packages and no advisories", "without a list, even an empty one, nothing was audited", again}.fault()
	case n.entries == 0 && !n.metadata.There():
		return evidence.Claim{}, refusal{"npm-metadata", "the report of npm audit finds nothing and does not say what it looked at", "metadata is missing", again}.fault()
	case n.entries == 0 && n.counts.sum() > 0:
		return evidence.Claim{}, refusal{"npm-lost", fmt.Sprintf("npm audit counts %d vulnerabilities and lists none", n.counts.sum()), "what was found is not here", again}.fault().On("/metadata/vulnerabilities")
	}
	c := n.Claim("npm-audit", string(said(n.version)), evidence.Tool{Name: "npm audit"})
	if stated := n.counts.sum(); n.metadata.There() && !n.old && stated != n.entries {
		c.Notes = append(c.Notes, fmt.Sprintf("the report itself counts %d vulnerable packages", stated))
	}
	note(&c, n.muted.n, "%d advisories are muted and not listed")
	return c, nil
}
