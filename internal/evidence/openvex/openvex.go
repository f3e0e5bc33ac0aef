// Package openvex reads OpenVEX 0.2.0: statements about vulnerabilities in
// products. Such a document is no scan: that it lists nothing proves nothing.
package openvex

import (
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// Format names what is read here, and Version the one that is.
const (
	Format  = "openvex"
	Version = "0.2.0"
)

// maxStatements bounds statements, each counted once for every product in it.
const maxStatements = 10_000

const context = "https://openvex.dev/ns/v" + Version

// Recognise reports whether the document opens as one of OpenVEX, of any version.
func Recognise(t evidence.Top) bool {
	return !t.Array && strings.HasPrefix(t.Text("@context"), "https://openvex.dev/ns")
}

type document struct {
	ID         string       `json:"@id"`
	Author     string       `json:"author"`
	Timestamp  string       `json:"timestamp"`
	Updated    string       `json:"last_updated"`
	Version    *int64       `json:"version"`
	Tooling    string       `json:"tooling"`
	Statements statementSet `json:"statements"`
}

type statement struct {
	Vulnerability struct {
		ID      string   `json:"@id"`
		Name    string   `json:"name"`
		Aliases []string `json:"aliases"`
	} `json:"vulnerability"`
	Timestamp     string    `json:"timestamp"`
	Updated       string    `json:"last_updated"`
	Products      []product `json:"products"`
	Status        string    `json:"status"`
	Justification string    `json:"justification"`
	Impact        string    `json:"impact_statement"`
	Action        string    `json:"action_statement"`
}

type component struct {
	ID          string            `json:"@id"`
	Identifiers map[string]string `json:"identifiers"`
	Hashes      map[string]string `json:"hashes"`
}

type product struct {
	component
	Subcomponents []component `json:"subcomponents"`
}

// statementSet is an array, absent or not; null is refused.
type statementSet struct {
	there bool
	list  []statement
}

// UnmarshalJSONFrom reads at most maxStatements.
func (s *statementSet) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	s.there = dec.PeekKind() == '['
	s.list, err = evidence.List[statement](dec, maxStatements, "statements")
	return err
}

// Read makes a claim of a document: what is affected or still looked into
// stands, what is not affected or fixed does not.
func Read(b []byte) (evidence.Claim, error) {
	var version struct {
		Context evidence.Word `json:"@context"`
	}
	if err := evidence.Decode(b, &version); err != nil {
		return evidence.Claim{}, err
	}
	if version.Context != context {
		return evidence.Claim{}, fault.Invalidf("evidence.openvex-version", "the OpenVEX context is %q", string(version.Context)).On("/@context").
			Because("only " + context + " is read").Remedy("write OpenVEX " + Version)
	}
	var d document
	if err := evidence.Decode(b, &d); err != nil {
		return evidence.Claim{}, err
	}
	at, err := d.check()
	if err != nil {
		return evidence.Claim{}, err
	}
	var all []evidence.Statement
	for i, s := range d.Statements.list {
		said, err := s.read(at)
		if err != nil {
			return evidence.Claim{}, err.On("/statements/" + number(i))
		}
		if all = append(all, said...); len(all) > maxStatements {
			return evidence.Claim{}, evidence.TooLarge("evidence.too-many", "there are more than %d products in statements", maxStatements)
		}
	}
	return d.claim(at, all)
}

func (d document) claim(at time.Time, all []evidence.Statement) (evidence.Claim, error) {
	latest := evidence.Latest(all)
	var found evidence.Collector
	for _, s := range latest {
		if err := found.Add(finding(s)); err != nil {
			return evidence.Claim{}, err
		}
	}
	c := found.Claim(Format, Version, evidence.Tool{Name: d.Author})
	c.Generated, c.Statements = at, latest
	c.Findings.Unscanned = true
	c.Findings.Folded += len(all) - len(latest)
	c.Notes = append(c.Notes, "these are statements about vulnerabilities, not a scan: they close findings of scans where they name the artifact or the package")
	return c, nil
}

func finding(s evidence.Statement) evidence.Finding {
	thing := s.Product
	if s.Component != nil {
		thing = *s.Component
	}
	f := evidence.Finding{
		Rule: s.Vulnerability[0], Identifiers: evidence.Identifiers(s.Vulnerability...), Severity: evidence.Unrated, Scale: "openvex: a statement has no severity",
		Location: first(s.Product), Package: first(thing), Message: string(s.Status),
	}
	if s.Why != "" {
		f.Message += ": " + s.Why
	}
	if strings.HasPrefix(f.Package, "pkg:") {
		f.PURL = f.Package
	}
	if s.Status.Closes() {
		f.Suppressed, f.Why = true, "vex: "+f.Message
	}
	return f
}

func first(t evidence.Thing) string {
	return slices.Concat(t.IDs, t.Digests, []string{""})[0]
}
