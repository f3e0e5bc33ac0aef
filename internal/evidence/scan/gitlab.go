package scan

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"

	v2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/evidence"
)

// GitLabSchemas are the major versions of GitLab's security report schemas that
// are read. The members that are read mean the same in each of them.
const GitLabSchemas = "2, 3, 14 or 15"

var gitlabSchema = regexp.MustCompile(`^(2|3|14|15)(\.\d{1,4}){1,2}(-[\w.]+)?$`)

// IsGitLab recognises GitLab's security reports: sast, dependency scanning,
// container scanning, secret detection, dast and their kin.
func IsGitLab(t evidence.Top) bool {
	return !t.Array && t.Members["version"].Kind == '"' && !t.Has("runs") && !t.Has("ok") && !t.Has("bomFormat") &&
		(t.Members["vulnerabilities"].Kind == '[' || t.Members["scan"].Kind == '{' && t.Has("vulnerabilities") || t.Has("remediations"))
}

// ReadGitLab makes a claim of a security report of GitLab.
func ReadGitLab(b []byte) (evidence.Claim, error) {
	g := gitlab{}
	if err := evidence.Decode(b, &g); err != nil {
		return evidence.Claim{}, err
	}
	return g.claim()
}

// gitlab is a report as far as it has been read.
type gitlab struct {
	evidence.Collector
	version string
	scan    *gitlabScan
	rows    evidence.Rows[gitlabVulnerability]
	named   string // the scanner that the first vulnerability names
	flagged int    // that the scanner itself takes for false positives
}

type gitlabScan struct {
	Status  *string `json:"status"`
	Type    string  `json:"type"`
	End     string  `json:"end_time"`
	Scanner struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"scanner"`
	Messages gitlabMessages    `json:"messages"`
	Partial  evidence.Presence `json:"partial_scan"`
}

// gitlabMessages is the first message that tells of a failure.
type gitlabMessages string

// UnmarshalJSONFrom reads an array.
func (m *gitlabMessages) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxMembers, "messages", func(int) error {
		var v struct {
			Level string `json:"level"`
			Value string `json:"value"`
		}
		err := v2.UnmarshalDecode(dec, &v)
		if v.Level == "fatal" && *m == "" {
			*m = gitlabMessages(cmp.Or(evidence.Cut(v.Value, maxWords), "fatal"))
		}
		return err
	})
}

// UnmarshalJSONFrom reads an object.
func (g *gitlab) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	g.rows = evidence.Rows[gitlabVulnerability]{Limit: evidence.MaxResults, What: "vulnerabilities", Take: g.count}
	return evidence.Object(
		dec,
		evidence.Member{Name: "version", Into: func(dec *jsontext.Decoder) error {
			if err := v2.UnmarshalDecode(dec, &g.version); err != nil {
				return err
			}
			if !gitlabSchema.MatchString(g.version) {
				return unread("the security report", "version", evidence.Word(evidence.Cut(g.version, 40)), GitLabSchemas)
			}
			return nil
		}},
		evidence.Member{Name: "scan", Into: &g.scan},
		evidence.Member{Name: "vulnerabilities", Into: &g.rows},
	)
}

type gitlabVulnerability struct {
	Name        string            `json:"name"`
	Message     string            `json:"message"`
	Description string            `json:"description"`
	Severity    string            `json:"severity"`
	Vectors     gitlabVectors     `json:"cvss_vectors"`
	Identifiers gitlabIdentifiers `json:"identifiers"`
	Location    gitlabLocation    `json:"location"`
	Flags       count             `json:"flags"`
	Scanner     struct {
		Name string `json:"name"`
	} `json:"scanner"`
}

// gitlabVectors are CVSS vectors by vendor.
type gitlabVectors []string

// UnmarshalJSONFrom reads an array.
func (l *gitlabVectors) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxInner, "vectors", func(int) error {
		var v struct {
			Vector string `json:"vector"`
		}
		err := v2.UnmarshalDecode(dec, &v)
		*l = append(*l, v.Vector)
		return err
	})
}

// gitlabIdentifiers are the names of a vulnerability. The first is the one by
// which GitLab itself tells vulnerabilities apart.
type gitlabIdentifiers struct {
	primary string
	rule    string
	public  []string
}

// UnmarshalJSONFrom reads an array.
func (l *gitlabIdentifiers) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxInner, "identifiers", func(i int) error {
		var v struct {
			Type  string        `json:"type"`
			Name  string        `json:"name"`
			Value evidence.Word `json:"value"`
		}
		if err := v2.UnmarshalDecode(dec, &v); err != nil {
			return err
		}
		public := evidence.Identifiers(string(v.Value), v.Name)
		if strings.EqualFold(v.Type, "cwe") {
			public = ids(public, evidence.Identifiers("CWE-"+string(v.Value)))
		}
		if i == 0 {
			l.primary, l.rule = v.Type+":"+string(v.Value), cmp.Or(string(v.Value), v.Name)
		}
		if len(public) > 0 && strings.HasPrefix(public[0], "CVE-") && !strings.HasPrefix(l.rule, "CVE-") {
			l.rule = public[0]
		}
		l.public = ids(l.public, public)
		return nil
	})
}

// gitlabLocation is where a vulnerability is, by the kinds of scan.
type gitlabLocation struct {
	File       string `json:"file"`
	Start      int64  `json:"start_line"`
	End        int64  `json:"end_line"`
	Class      string `json:"class"`
	Method     string `json:"method"` // of a class, or of HTTP
	Image      string `json:"image"`
	System     string `json:"operating_system"`
	Host       string `json:"hostname"`
	Path       string `json:"path"`
	Param      string `json:"param"`
	Address    string `json:"crash_address"`
	Dependency struct {
		Package struct {
			Name string `json:"name"`
		} `json:"package"`
		Version string `json:"version"`
	} `json:"dependency"`
	Commit struct {
		SHA string `json:"sha"`
	} `json:"commit"`
	Resource struct {
		Namespace string `json:"namespace"`
		Kind      string `json:"kind"`
		Name      string `json:"name"`
	} `json:"kubernetes_resource"`
}

// place is the location for people.
func (l *gitlabLocation) place() string {
	switch {
	case l.File != "":
		return at(l.File, l.Start, 0)
	case l.Image != "":
		return l.Image
	case l.Host != "" || l.Path != "":
		return strings.TrimSpace(l.Method + " " + l.Host + l.Path + " " + l.Param)
	}
	return cmp.Or(l.Class, l.Resource.Name)
}

// key is all of the location that tells it from another.
func (l *gitlabLocation) key() []string {
	return []string{
		l.File, fmt.Sprint(l.Start, l.End), l.Class, l.Method, l.Image, l.System, l.Host, l.Path, l.Param, l.Address,
		l.Dependency.Package.Name, l.Dependency.Version, l.Commit.SHA, l.Resource.Namespace, l.Resource.Kind, l.Resource.Name,
	}
}

// count adds one vulnerability. The members id and cve are fingerprints and do
// not enter. A flag is the scanner's guess at a false positive: it stands.
func (g *gitlab) count(v *gitlabVulnerability) error {
	l := &v.Location
	if g.named == "" {
		g.named = v.Scanner.Name
	}
	if v.Flags.n > 0 {
		g.flagged++
	}
	f := evidence.Finding{
		Rule: cmp.Or(v.Identifiers.rule, v.Name), Package: l.Dependency.Package.Name, Version: l.Dependency.Version, Location: l.place(),
		Identifiers: v.Identifiers.public, Message: cmp.Or(v.Message, v.Name, v.Description),
	}
	f.Severity, f.Scale = rating{from: "gitlab:severity", word: v.Severity, scale: evidence.Words, vectors: v.Vectors}.severity()
	return g.Add(f, append(l.key(), v.Identifiers.primary, f.Message, v.Name)...)
}

func (g *gitlab) claim() (evidence.Claim, error) {
	if g.version == "" {
		return evidence.Claim{}, unread("the security report", "version", "", GitLabSchemas)
	}
	if !g.rows.There {
		return evidence.Claim{}, refusal{"gitlab-list", "the security report has no list of vulnerabilities", "without a list, even an empty one, nothing was scanned", again}.fault().On("/vulnerabilities")
	}
	early := strings.HasPrefix(g.version, "2.") || strings.HasPrefix(g.version, "3.")
	nothing := g.Findings().Total == 0
	s := g.scan
	if s == nil {
		s = &gitlabScan{}
	}
	switch {
	case s.Status != nil && *s.Status != "success":
		return evidence.Claim{}, failed("GitLab", fmt.Sprintf("status %s %s", *s.Status, s.Messages)).On("/scan/status")
	case s.Messages != "":
		return evidence.Claim{}, failed("GitLab", string(s.Messages)).On("/scan/messages")
	case nothing && s.Status == nil && (g.scan != nil || !early):
		return evidence.Claim{}, refusal{"gitlab-status", "the security report finds nothing and does not say that the scan went well", "its status is missing", again}.fault().On("/scan/status")
	}
	c := g.Claim("gitlab", g.version, evidence.Tool{Name: cmp.Or(s.Scanner.Name, g.named, "GitLab"), Version: s.Scanner.Version})
	c.Generated = gitlabTime(s.End)
	if s.Type != "" {
		c.Notes = append(c.Notes, "the scan is of the type "+evidence.Cut(s.Type, 40))
	}
	if s.Partial.There() {
		c.Findings.Unscanned = true
		c.Notes = append(c.Notes, "the scan looked at a part only, so that it finds nothing elsewhere proves nothing")
	}
	note(&c, g.flagged, "%d vulnerabilities are flagged by their scanner as likely false positives; they stand")
	return c, nil
}

// gitlabTime is a time of a report: UTC without a zone, as the schemas have it.
func gitlabTime(s string) time.Time {
	if t := instant(s); !t.IsZero() {
		return t
	}
	t, err := time.Parse("2006-01-02T15:04:05", s)
	if err != nil {
		return time.Time{}
	}
	return t
}
