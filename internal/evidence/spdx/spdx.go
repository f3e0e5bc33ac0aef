// Package spdx reads SPDX 2.3 documents in JSON and as tags and values: what a
// version is made of. Such a document is an inventory and no scan.
package spdx

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// Format names what is read here, and Version the one that is.
const (
	Format  = "spdx"
	Version = "2.3"
)

// Bounds on a document; more is refused, never left out.
const (
	maxElements  = 200_000 // packages and files, each
	maxRelations = 1_000_000
)

// Recognise reports whether the document opens as SPDX 2 of any version.
func Recognise(t evidence.Top) bool { return !t.Array && t.Has("spdxVersion") }

// document is what both forms give.
type document struct {
	version, id, license, name, namespace, created string
	creators                                       []string
	external                                       map[string]bool // ids of documents referred to
	ids                                            map[string]bool // of elements
	packages, files, advisories                    int
	relations                                      []relation
}

// relation is kept only until all elements are known.
type relation struct{ from, to string }

func newDocument() *document {
	return &document{external: map[string]bool{}, ids: map[string]bool{}}
}

func broken(what, why string) *fault.Error {
	return fault.Invalidf("evidence.spdx", "%s", what).Because(why).Remedy("write SPDX " + Version)
}

func quoted(s string) string { return strconv.Quote(evidence.Cut(s, 60)) }

func checkVersion(version string) error {
	if version != "SPDX-"+Version {
		return fault.Invalidf("evidence.spdx-version", "the SPDX version is %s", quoted(version)).On("/spdxVersion").
			Because("only SPDX-" + Version + " is read").Remedy("have the tool write SPDX " + Version)
	}
	return nil
}

var (
	idForm      = regexp.MustCompile(`^SPDXRef-[a-zA-Z0-9.-]+$`)
	outsideForm = regexp.MustCompile(`^DocumentRef-[a-zA-Z0-9.+-]+$`)
	creatorForm = regexp.MustCompile(`^(?:Person|Organization|Tool): *\S`)
	toolForm    = regexp.MustCompile(`^Tool: *(.*?)(?:-v?(\d[^\s-]*))?$`)
)

// element notes a package, file or snippet by its id.
func (d *document) element(what, id, name string) error {
	switch {
	case !idForm.MatchString(id):
		return broken(fmt.Sprintf("the SPDX id of a %s is %s", what, quoted(id)), "it is SPDXRef- and letters, digits, points and hyphens")
	case d.ids[id]:
		return broken(fmt.Sprintf("the SPDX id %s stands twice", quoted(id)), "an id names one element")
	case name == "":
		return broken(fmt.Sprintf("the %s %s has no name", what, id), "it is required")
	}
	d.ids[evidence.Cut(id, evidence.MaxWord)] = true
	return nil
}

// aPackage notes a package; where it is downloaded from must be said, be it NOASSERTION.
func (d *document) aPackage(id, name, download string) error {
	if d.packages++; d.packages > maxElements {
		return evidence.TooLarge("evidence.too-many", "there are more than %d packages", maxElements)
	}
	if download == "" {
		return broken("the package "+quoted(name)+" has no download location", "it is required, be it NOASSERTION")
	}
	return d.element("package", id, name)
}

func (d *document) file(id, name string) error {
	if d.files++; d.files > maxElements {
		return evidence.TooLarge("evidence.too-many", "there are more than %d files", maxElements)
	}
	return d.element("file", id, name)
}

func (d *document) relate(from, to string) error {
	if len(d.relations) >= maxRelations {
		return evidence.TooLarge("evidence.too-many", "there are more than %d relationships", maxRelations)
	}
	d.relations = append(d.relations, relation{from, to})
	return nil
}

// known reports whether an end of a relationship is there: an element, an
// element of a document that is referred to, or a word for none.
func (d *document) known(id string) bool {
	if outside, _, found := strings.Cut(id, ":"); found {
		return d.external[outside]
	}
	return d.ids[id] || id == "NONE" || id == "NOASSERTION"
}

// claim refuses a document that lacks what the specification requires (2.3
// sections 6 and 7, and its JSON schema), and says what it lists.
func (d *document) claim() (evidence.Claim, error) {
	if err := checkVersion(d.version); err != nil {
		return evidence.Claim{}, err
	}
	at, err := time.Parse("2006-01-02T15:04:05Z", d.created)
	switch {
	case d.id != "SPDXRef-DOCUMENT":
		return evidence.Claim{}, broken("the document's SPDX id is "+quoted(d.id), "it is SPDXRef-DOCUMENT")
	case d.license != "CC0-1.0":
		return evidence.Claim{}, broken("the data license is "+quoted(d.license), "it is CC0-1.0")
	case d.name == "":
		return evidence.Claim{}, broken("the document has no name", "it is required")
	case !strings.Contains(d.namespace, ":") || strings.Contains(d.namespace, "#"):
		return evidence.Claim{}, broken("the document namespace is "+quoted(d.namespace), "it is an absolute URI without a fragment")
	case err != nil:
		return evidence.Claim{}, broken("the document was created "+quoted(d.created), "the time is written as 2006-01-02T15:04:05Z")
	case len(d.creators) == 0:
		return evidence.Claim{}, broken("the document names no creator", "nobody can be believed for it")
	}
	for _, c := range d.creators {
		if !creatorForm.MatchString(c) {
			return evidence.Claim{}, broken("the creator "+quoted(c)+" is of no kind", "it begins with Person:, Organization: or Tool:")
		}
	}
	d.ids["SPDXRef-DOCUMENT"] = true
	for _, r := range d.relations {
		for _, end := range []string{r.from, r.to} {
			if !d.known(end) {
				return evidence.Claim{}, broken("a relationship names "+quoted(end), "no element of the document has that id")
			}
		}
	}
	return d.inventory(at), nil
}

func (d *document) inventory(at time.Time) evidence.Claim {
	var none evidence.Collector
	c := none.Claim(Format, Version, d.tool())
	c.Generated, c.Findings.Unscanned = at, true
	c.Notes = append(c.Notes, fmt.Sprintf("this is an inventory of %d packages and %d files, not a scan: that it lists no vulnerability proves nothing", d.packages, d.files))
	if d.advisories > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("%d references of packages point to security advisories; whether they apply is not said", d.advisories))
	}
	return c
}

// tool is the first creator that is a tool: "Tool: name-version".
func (d *document) tool() evidence.Tool {
	for _, c := range d.creators {
		if m := toolForm.FindStringSubmatch(c); m != nil {
			return evidence.Tool{Name: m[1], Version: m[2]}
		}
	}
	return evidence.Tool{}
}

// Read makes a claim of a document in JSON.
func Read(b []byte) (evidence.Claim, error) {
	var version struct {
		Version evidence.Word `json:"spdxVersion"`
	}
	if err := evidence.Decode(b, &version); err != nil {
		return evidence.Claim{}, err
	}
	if err := checkVersion(string(version.Version)); err != nil {
		return evidence.Claim{}, err
	}
	d := newDocument()
	var form struct {
		ID        string `json:"SPDXID"`
		License   string `json:"dataLicense"`
		Name      string `json:"name"`
		Namespace string `json:"documentNamespace"`
		Creation  struct {
			Created  string    `json:"created"`
			Creators shortList `json:"creators"`
		} `json:"creationInfo"`
		External evidence.Rows[jsonExternal] `json:"externalDocumentRefs"`
		Packages evidence.Rows[jsonPackage]  `json:"packages"`
		Files    evidence.Rows[jsonFile]     `json:"files"`
		Snippets evidence.Rows[jsonSnippet]  `json:"snippets"`
		Relation evidence.Rows[jsonRelation] `json:"relationships"`
	}
	form.External = evidence.Rows[jsonExternal]{Limit: evidence.MaxInner, What: "documents referred to", Take: d.outside}
	form.Packages = evidence.Rows[jsonPackage]{Limit: maxElements, What: "packages", Take: d.jsonPackage}
	form.Files = evidence.Rows[jsonFile]{Limit: maxElements, What: "files", Take: func(f *jsonFile) error { return d.file(f.ID, f.Name) }}
	form.Snippets = evidence.Rows[jsonSnippet]{Limit: maxElements, What: "snippets", Take: func(s *jsonSnippet) error { return d.element("snippet", s.ID, "a snippet") }}
	form.Relation = evidence.Rows[jsonRelation]{Limit: maxRelations, What: "relationships", Take: d.jsonRelation}
	if err := evidence.Decode(b, &form); err != nil {
		return evidence.Claim{}, err
	}
	d.version, d.id, d.license, d.name, d.namespace = string(version.Version), form.ID, form.License, form.Name, form.Namespace
	d.created, d.creators = form.Creation.Created, form.Creation.Creators
	return d.claim()
}

type jsonExternal struct {
	ID string `json:"externalDocumentId"`
}

func (d *document) outside(e *jsonExternal) error {
	if !outsideForm.MatchString(e.ID) {
		return broken("the id of a document referred to is "+quoted(e.ID), "it is DocumentRef- and letters, digits, points, pluses and hyphens")
	}
	d.external[e.ID] = true
	return nil
}

type jsonPackage struct {
	ID         string         `json:"SPDXID"`
	Name       string         `json:"name"`
	Download   string         `json:"downloadLocation"`
	References jsonReferences `json:"externalRefs"`
}

// jsonReferences counts references to security advisories.
type jsonReferences int

// UnmarshalJSONFrom reads an array.
func (n *jsonReferences) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return evidence.Each(dec, evidence.MaxInner, "references of a package", func(int) error {
		var r struct {
			Category string `json:"referenceCategory"`
			Kind     string `json:"referenceType"`
			Locator  string `json:"referenceLocator"`
		}
		if err := json.UnmarshalDecode(dec, &r); err != nil {
			return err
		}
		if r.Category == "" || r.Kind == "" || r.Locator == "" {
			return broken("a reference of a package lacks its category, type or locator", "all three are required")
		}
		if r.Category == "SECURITY" && r.Kind == "advisory" {
			*n++
		}
		return nil
	})
}

func (d *document) jsonPackage(p *jsonPackage) error {
	d.advisories += int(p.References)
	return d.aPackage(p.ID, p.Name, p.Download)
}

type jsonFile struct {
	ID   string `json:"SPDXID"`
	Name string `json:"fileName"`
}

type jsonSnippet struct {
	ID string `json:"SPDXID"`
}

type jsonRelation struct {
	From string `json:"spdxElementId"`
	To   string `json:"relatedSpdxElement"`
	Kind string `json:"relationshipType"`
}

func (d *document) jsonRelation(r *jsonRelation) error {
	if r.Kind == "" {
		return broken("a relationship of "+quoted(r.From)+" has no type", "it is required")
	}
	return d.relate(evidence.Cut(r.From, evidence.MaxWord), evidence.Cut(r.To, evidence.MaxWord))
}

// shortList is a list of words.
type shortList []string

// UnmarshalJSONFrom reads at most MaxInner words.
func (l *shortList) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	*l, err = evidence.List[string](dec, evidence.MaxInner, "creators")
	*l = slices.Clip(*l)
	return err
}
