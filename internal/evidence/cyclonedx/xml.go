package cyclonedx

import (
	"encoding/xml"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/conform"
	"signalbox.dev/signalbox/internal/evidence"
)

// Namespaces: that of a version stands before it. The extension is read in
// documents of every version, for tools write it long after 1.4.
const (
	spaceOf   = "http://cyclonedx.org/schema/bom/"
	extension = "http://cyclonedx.org/schema/ext/vulnerability/1.0"
)

// RecogniseXML reports whether the root element is one of CycloneDX of any version.
func RecogniseXML(root xml.StartElement) bool {
	return root.Name.Local == "bom" && strings.HasPrefix(root.Name.Space, spaceOf)
}

// NewXML reads a document in XML. It is gone through twice: checked, and then
// read, when it is known what vulnerabilities affect.
func NewXML(doc []byte) evidence.XMLReader { return &xmlCheck{doc: doc, rules: xmlRules} }

// xmlCheck checks a document, and notes what vulnerabilities affect.
type xmlCheck struct {
	doc   []byte
	rules func(version string) (*conform.XML, error)
	bom   bom
	walk  *conform.Walk
	text  []byte // of a reference
}

// Open is evidence.XMLReader.
func (c *xmlCheck) Open(around []xml.Name, e xml.StartElement) error {
	if len(around) == 0 {
		if err := c.begin(e); err != nil {
			return err
		}
	}
	if err := c.walk.Open(e); err != nil {
		return refuse(err, c.bom.version)
	}
	c.text = c.text[:0]
	if isExtension(e.Name, "vulnerability") {
		return c.bom.want([]byte(evidence.Attributes(e)["ref"]))
	}
	return nil
}

func (c *xmlCheck) begin(root xml.StartElement) error {
	c.bom.version = strings.TrimPrefix(root.Name.Space, spaceOf)
	if err := checkVersion(c.bom.version, "bom/@xmlns"); err != nil {
		return err
	}
	schema, err := c.rules(c.bom.version)
	if err != nil {
		return err
	}
	c.walk = schema.Walk()
	a := evidence.Attributes(root)
	c.bom.serial, c.bom.revision = strings.TrimSpace(a["serialNumber"]), strings.TrimSpace(a["version"])
	return nil
}

func isExtension(n xml.Name, local string) bool { return n.Space == extension && n.Local == local }

// inTarget reports whether an element ref stands where a vulnerability says
// what it affects.
func inTarget(around []xml.Name, name xml.Name) bool {
	n := len(around)
	return name.Local == "ref" && n > 2 && around[n-1].Local == "target" && around[n-2].Local == "affects" && around[n-3].Local == "vulnerability"
}

// Text is evidence.XMLReader.
func (c *xmlCheck) Text(around []xml.Name, text []byte) error {
	if err := c.walk.Text(text); err != nil {
		return refuse(err, c.bom.version)
	}
	if inTarget(around[:len(around)-1], around[len(around)-1]) {
		c.text = append(c.text, text...)
	}
	return nil
}

// Shut is evidence.XMLReader.
func (c *xmlCheck) Shut(around []xml.Name, name xml.Name) error {
	if err := c.walk.Shut(); err != nil {
		return refuse(err, c.bom.version)
	}
	if inTarget(around, name) {
		return c.bom.want(c.text)
	}
	return nil
}

// Claim is evidence.XMLReader. It reads the document, which has been checked.
func (c *xmlCheck) Claim() (evidence.Claim, error) {
	read := &xmlRead{bom: c.bom, space: spaceOf + c.bom.version}
	return evidence.ReadXML(c.doc, func(xml.StartElement, string) (evidence.XMLReader, error) { return read, nil })
}

// xmlRead reads a document that has been checked.
type xmlRead struct {
	bom
	space  string
	open   []openPart // components and services that are open, outermost first
	v      *vulnerability
	depth  int // of the elements around the vulnerability
	target affected
	named  string // the version that a target names
	status string
	tell   rating
	writer evidence.Tool
	hash   string // the algorithm of a digest
	text   []byte
}

// openPart is a component or service whose element is open.
type openPart struct {
	thing
	depth int // of the elements around it
}

// Open is evidence.XMLReader.
func (x *xmlRead) Open(around []xml.Name, e xml.StartElement) error {
	x.text = x.text[:0]
	a := evidence.Attributes(e)
	switch local := e.Name.Local; {
	case x.v != nil:
		x.within(local)
	case local == "vulnerability" && (e.Name.Space == x.space || e.Name.Space == extension) && last(around) == "vulnerabilities":
		x.v, x.depth = &vulnerability{ref: a["bom-ref"]}, len(around)
		if e.Name.Space == extension {
			x.v.affects = []affected{{ref: a["ref"]}}
		}
	case e.Name.Space != x.space:
	case local == "component" || local == "service":
		x.open = append(x.open, openPart{thing{ref: a["bom-ref"]}, len(around)})
		if up := last(around); (up == "components" || up == "services") && !slices.ContainsFunc(around, func(n xml.Name) bool { return n.Local == "tools" || n.Local == "formulation" }) {
			x.parts++
		}
	case local == "hash":
		x.hash = a["alg"]
	case local == "tool":
		x.writer = evidence.Tool{}
	}
	return nil
}

func last(around []xml.Name) string {
	if len(around) == 0 {
		return ""
	}
	return around[len(around)-1].Local
}

// within begins an element within a vulnerability.
func (x *xmlRead) within(local string) {
	switch local {
	case "rating":
		x.tell = rating{}
	case "target":
		x.target, x.named, x.status = affected{}, "", ""
	}
}

// Text is evidence.XMLReader.
func (x *xmlRead) Text(_ []xml.Name, text []byte) error {
	if x.v != nil || len(x.open) > 0 || len(x.text) < evidence.MaxMessage {
		x.text = append(x.text, text...)
	}
	return nil
}

// Shut is evidence.XMLReader.
func (x *xmlRead) Shut(around []xml.Name, name xml.Name) error {
	defer func() { x.text = x.text[:0] }()
	switch {
	case x.v != nil && len(around) == x.depth:
		v := x.v
		x.v = nil
		return x.take(v, name)
	case x.v != nil:
		return x.part(around[x.depth+1:], name)
	case name.Space != x.space:
	case len(x.open) > 0 && len(around) == x.open[len(x.open)-1].depth:
		x.shutPart(around)
	case len(x.open) > 0 && len(around) == x.open[len(x.open)-1].depth+1:
		x.field(name.Local)
	default:
		x.about(around, name.Local)
	}
	return nil
}

// Claim is evidence.XMLReader.
func (x *xmlRead) Claim() (evidence.Claim, error) { return x.claim(), nil }

// shutPart ends a component or service.
func (x *xmlRead) shutPart(around []xml.Name) {
	t := x.open[len(x.open)-1].thing
	x.open = x.open[:len(x.open)-1]
	switch path := pathOf(around); path {
	case "bom/metadata":
		x.product = t
	case "bom/metadata/tools/components", "bom/metadata/tools/services":
		x.tool(t.name, t.version)
	}
	if x.wants([]byte(t.ref)) {
		x.found(t)
	}
}

// field keeps what tells a component or service from others.
func (x *xmlRead) field(local string) {
	t := &x.open[len(x.open)-1].thing
	switch text := strings.TrimSpace(string(x.text)); local {
	case "group":
		t.group = text
	case "name":
		t.name = text
	case "version":
		t.version = text
	case "purl":
		t.purl = text
	}
}

// about reads what wrote the document when, and the digests of the product.
func (x *xmlRead) about(around []xml.Name, local string) {
	if len(around) < 2 || around[1].Local != "metadata" {
		return
	}
	text := strings.TrimSpace(string(x.text))
	switch path := pathOf(around[2:]) + "/" + local; path {
	case "/timestamp":
		x.at(text)
	case "tools/tool/name":
		x.writer.Name = text
	case "tools/tool/version":
		x.writer.Version = text
	case "tools/tool":
		x.tool(x.writer.Name, x.writer.Version)
	case "component/hashes/hash":
		x.digest(x.hash, text)
	}
}

// pathOf is the names of elements with strokes between.
func pathOf(names []xml.Name) string {
	var b strings.Builder
	for i, n := range names {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(n.Local)
	}
	return b.String()
}

// take counts a vulnerability whose element ends. One that the extension puts
// into a component affects that, whatever its reference says.
func (x *xmlRead) take(v *vulnerability, name xml.Name) error {
	if name.Space == extension && len(x.open) > 0 {
		return x.addTo(v, x.open[len(x.open)-1].thing)
	}
	return x.add(v)
}

// part keeps what an element within a vulnerability says when it ends.
func (x *xmlRead) part(around []xml.Name, name xml.Name) error {
	foreign := func(n xml.Name) bool { return n.Space != x.space && n.Space != extension }
	if foreign(name) || slices.ContainsFunc(around, foreign) {
		return nil
	}
	path, _ := strings.CutPrefix(pathOf(around)+"/"+name.Local, "/")
	text := strings.TrimSpace(string(x.text))
	switch rest, inRating := strings.CutPrefix(path, "ratings/rating"); {
	case inRating:
		return x.rate(rest, text)
	case strings.HasPrefix(path, "affects/target"):
		return x.affect(strings.TrimPrefix(path, "affects/target"), text)
	}
	switch v := x.v; path {
	case "id":
		v.id = text
	case "references/reference/id":
		v.aliases = keep(v.aliases, text)
	case "cwes/cwe", "cwe":
		v.weaknesses = keep(v.weaknesses, text)
	case "description":
		v.description = evidence.Cut(text, evidence.MaxMessage)
	case "detail":
		if v.description == "" {
			v.description = evidence.Cut(text, evidence.MaxMessage)
		}
	case "analysis/state":
		v.state = text
	case "analysis/justification":
		v.justification = text
	case "rejected":
		v.rejected = true
	}
	return nil
}

// keep adds to a list of which only the first are shown.
func keep(list []string, s string) []string {
	if len(list) < maxAliases && s != "" {
		list = append(list, evidence.Cut(s, evidence.MaxWord))
	}
	return list
}

// rate takes what an element at the end of a path within a rating says; the
// extension has the score within an element of its own.
func (x *xmlRead) rate(path, text string) error {
	switch path {
	case "/severity":
		x.tell.severity = text
	case "/score", "/score/base":
		if x.tell.score == "" {
			x.tell.score = text
		}
	case "/method":
		x.tell.method = text
	case "/vector":
		x.tell.vector = text
	case "":
		if len(x.v.ratings) >= evidence.MaxInner {
			return evidence.TooLarge("evidence.too-many", "there are more than %d ratings of a vulnerability", evidence.MaxInner)
		}
		x.v.ratings = append(x.v.ratings, x.tell)
	}
	return nil
}

// affect takes what an element at the end of a path within a target says.
func (x *xmlRead) affect(path, text string) error {
	switch path {
	case "/ref":
		x.target.ref = string(x.text)
	case "/versions/version/version":
		x.named = text
	case "/versions/version/status":
		x.status = text
	case "/versions/version":
		x.target.version(x.named, x.status)
		x.named, x.status = "", ""
	case "":
		if len(x.v.affects) >= evidence.MaxResults {
			return evidence.TooLarge("evidence.too-many", "there are more than %d components that a vulnerability affects", evidence.MaxResults)
		}
		x.v.affects = append(x.v.affects, x.target)
	}
	return nil
}
