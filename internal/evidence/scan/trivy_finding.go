package scan

import (
	"cmp"
	"fmt"

	v2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/evidence"
)

type trivyVulnerability struct {
	ID          string    `json:"VulnerabilityID"`
	VendorIDs   list      `json:"VendorIDs"`
	Package     string    `json:"PkgName"`
	Path        string    `json:"PkgPath"`
	Identifier  trivyPURL `json:"PkgIdentifier"`
	Installed   string    `json:"InstalledVersion"`
	Fixed       string    `json:"FixedVersion"`
	Title       string    `json:"Title"`
	Description string    `json:"Description"`
	Severity    string    `json:"Severity"`
	CWEs        names     `json:"CweIDs"`
	CVSS        trivyCVSS `json:"CVSS"`
}

type trivyPURL struct {
	PURL string `json:"PURL"`
}

func (r *trivyTarget) vulnerability(v *trivyVulnerability) (evidence.Finding, []string) {
	f := evidence.Finding{
		Rule: v.ID, Package: v.Package, Version: v.Installed, PURL: v.Identifier.PURL, Fixed: v.Fixed, Location: r.place(v.Path, 0),
		Identifiers: ids(evidence.Identifiers(v.ID), v.VendorIDs, v.CWEs), Message: cmp.Or(v.Title, v.Description),
	}
	f.Severity, f.Scale = v.rating().severity()
	return f, []string{"vulnerability", v.Path}
}

// rating is Trivy's own choice among the vendors' words. Where it makes none,
// the worst of their vectors and scores counts.
func (v *trivyVulnerability) rating() rating {
	return rating{from: "trivy:Severity", word: v.Severity, scale: evidence.Words, vectors: v.CVSS.vectors, scores: v.CVSS.scores}
}

// trivyCVSS are the vectors and scores of up to 50 vendors.
type trivyCVSS struct{ vectors, scores []string }

// UnmarshalJSONFrom reads an object by vendor.
func (c *trivyCVSS) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.EachMember(dec, 50, "vendors of a score", func(string) error {
		if dec.PeekKind() != '{' {
			return dec.SkipValue()
		}
		var v struct {
			V2  string         `json:"V2Vector"`
			V3  string         `json:"V3Vector"`
			V40 string         `json:"V40Vector"`
			S2  *evidence.Word `json:"V2Score"`
			S3  *evidence.Word `json:"V3Score"`
			S40 *evidence.Word `json:"V40Score"`
		}
		err := v2.UnmarshalDecode(dec, &v)
		c.vectors = append(c.vectors, v.V2, v.V3, v.V40)
		c.scores = append(c.scores, string(said(v.S2)), string(said(v.S3)), string(said(v.S40)))
		return err
	})
}

type trivyMisconfiguration struct {
	ID       string `json:"ID"`
	AVD      string `json:"AVDID"`
	Title    string `json:"Title"`
	Message  string `json:"Message"`
	Severity string `json:"Severity"`
	Status   string `json:"Status"`
	Cause    struct {
		Resource string `json:"Resource"`
		Start    int64  `json:"StartLine"`
		End      int64  `json:"EndLine"`
	} `json:"CauseMetadata"`
}

// misconfiguration is a check that failed. One that passed is no finding; any
// other status stands, except for an exception that the check's own policy makes.
func (r *trivyTarget) misconfiguration(m *trivyMisconfiguration) (evidence.Finding, []string) {
	f := evidence.Finding{
		Rule: cmp.Or(m.ID, m.AVD), Location: r.place("", m.Cause.Start), Identifiers: ids([]string{m.AVD}),
		Message: cmp.Or(m.Message, m.Title),
	}
	f.Severity, f.Scale = rating{from: "trivy:Severity", word: m.Severity, scale: evidence.Words}.severity()
	switch m.Status {
	case "PASS":
		return f, nil
	case "EXCEPTION":
		f.Suppressed, f.Why = true, "an exception of the check"
		r.excused++
	default:
		r.failing++
	}
	return f, []string{"misconfiguration", m.Cause.Resource, fmt.Sprint(m.Cause.Start, m.Cause.End)}
}

type trivySecret struct {
	Rule     string `json:"RuleID"`
	Category string `json:"Category"`
	Severity string `json:"Severity"`
	Title    string `json:"Title"`
	Start    int64  `json:"StartLine"`
	End      int64  `json:"EndLine"`
}

func (r *trivyTarget) secret(s *trivySecret) (evidence.Finding, []string) {
	f := evidence.Finding{Rule: s.Rule, Location: r.place("", s.Start), Message: cmp.Or(s.Title, s.Category)}
	f.Severity, f.Scale = rating{from: "trivy:Severity", word: s.Severity, scale: evidence.Words}.severity()
	return f, []string{"secret", fmt.Sprint(s.Start, s.End)}
}

type trivyLicence struct {
	Severity string `json:"Severity"`
	Category string `json:"Category"`
	Package  string `json:"PkgName"`
	File     string `json:"FilePath"`
	Name     string `json:"Name"`
}

func (r *trivyTarget) licence(l *trivyLicence) (evidence.Finding, []string) {
	f := evidence.Finding{
		Rule: l.Name, Package: l.Package, Location: r.place(l.File, 0),
		Message: fmt.Sprintf("licence %s, %s", cmp.Or(l.Name, "without a name"), cmp.Or(l.Category, "of no category")),
	}
	f.Severity, f.Scale = rating{from: "trivy:Severity", word: l.Severity, scale: evidence.Words}.severity()
	return f, []string{"licence", l.File}
}
