package main

import (
	"encoding/xml"
	"fmt"
	"os"
	"strings"
)

// tag is an element of a schema.
type tag struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Children []tag      `xml:",any"`
}

func (t tag) kind() string { return t.XMLName.Local }

func (t tag) attr(name string) string {
	for _, a := range t.Attrs {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// only refuses attributes that are not looked at.
func (t tag) only(names ...string) error {
	for _, a := range t.Attrs {
		if !contains(names, a.Name.Local) {
			return fmt.Errorf("xs:%s has the attribute %q, which is not known", t.kind(), a.Name.Local)
		}
	}
	return nil
}

// parts are the children that constrain something.
func (t tag) parts() []tag {
	var out []tag
	for _, c := range t.Children {
		if c.kind() != "annotation" {
			out = append(out, c)
		}
	}
	return out
}

// xsd writes a schema in the compact form that internal/conform reads.
type xsd struct {
	simple, complex map[string]any
	groups          map[string]tag
}

func xmlRules(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var schema tag
	if err := xml.Unmarshal(b, &schema); err != nil {
		return nil, err
	}
	x := xsd{simple: map[string]any{}, complex: map[string]any{}, groups: map[string]tag{}}
	if schema.attr("elementFormDefault") != "qualified" {
		return nil, fmt.Errorf("elements are not qualified")
	}
	out := map[string]any{"namespace": schema.attr("targetNamespace"), "simple": x.simple, "complex": x.complex}
	for _, c := range schema.parts() {
		if c.kind() == "attributeGroup" {
			x.groups["bom:"+c.attr("name")] = c
		}
	}
	for _, c := range schema.parts() {
		name := c.attr("name")
		switch c.kind() {
		case "import", "attributeGroup":
		case "simpleType":
			x.simple[name], err = x.simpleType(name, c)
		case "complexType":
			x.complex[name], err = x.complexType(name, c)
		case "element":
			err = x.root(out, c)
		default:
			err = fmt.Errorf("xs:%s is not known at the top", c.kind())
		}
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", c.kind(), name, err)
		}
	}
	return lined(out, "simple", "complex")
}

// root writes the element of the document: its type, and which attributes must
// differ all over it.
func (x *xsd) root(out map[string]any, e tag) error {
	name := e.attr("name")
	for _, c := range e.parts() {
		switch c.kind() {
		case "complexType":
			t, err := x.complexType(name, c)
			if err != nil {
				return err
			}
			x.complex[name] = t
		case "unique":
			fields := c.parts()
			if len(fields) != 2 || fields[0].attr("xpath") != ".//*" || !strings.HasPrefix(fields[1].attr("xpath"), "@") {
				return fmt.Errorf("the constraint %q is not known", c.attr("name"))
			}
			out["distinct"] = []string{fields[1].attr("xpath")[1:]}
		default:
			return fmt.Errorf("xs:%s is not known there", c.kind())
		}
	}
	out["elements"] = map[string]any{name: name}
	return nil
}

// local is a type's name without the prefix of its own schema.
func local(name string) string { return strings.TrimPrefix(name, "bom:") }

func (x *xsd) simpleType(name string, t tag) (map[string]any, error) {
	if err := t.only("name", "final"); err != nil {
		return nil, err
	}
	parts := t.parts()
	if len(parts) != 1 {
		return nil, fmt.Errorf("it is not of one part")
	}
	switch p := parts[0]; p.kind() {
	case "union":
		var members []string
		for _, m := range strings.Fields(p.attr("memberTypes")) {
			members = append(members, local(m))
		}
		if len(p.parts()) > 0 {
			return nil, fmt.Errorf("a union has types of its own")
		}
		return map[string]any{"union": members}, nil
	case "restriction":
		return x.restriction(p)
	}
	return nil, fmt.Errorf("%s is neither a union nor a restriction", name)
}

func (x *xsd) restriction(r tag) (map[string]any, error) {
	out := map[string]any{"base": local(r.attr("base"))}
	var words, patterns []string
	for _, f := range r.parts() {
		value := f.attr("value")
		switch f.kind() {
		case "enumeration":
			words = append(words, value)
		case "pattern":
			patterns = append(patterns, value)
		case "minLength", "maxLength":
			var n int
			if _, err := fmt.Sscan(value, &n); err != nil {
				return nil, err
			}
			out[f.kind()] = n
		case "minInclusive":
			out["minimum"] = value
		case "maxInclusive":
			out["maximum"] = value
		default:
			return nil, fmt.Errorf("the facet %s is not known", f.kind())
		}
	}
	if words != nil {
		out["enum"] = words
	}
	if patterns != nil {
		out["patterns"] = patterns
	}
	return out, nil
}

func (x *xsd) complexType(name string, t tag) (map[string]any, error) {
	if err := t.only("name", "mixed"); err != nil {
		return nil, err
	}
	out := map[string]any{}
	if t.attr("mixed") == "true" {
		out["mixed"] = true
	}
	parts := t.parts()
	if len(parts) == 1 && parts[0].kind() == "simpleContent" {
		inner := parts[0].parts()
		if len(inner) != 1 || inner[0].kind() != "extension" {
			return nil, fmt.Errorf("simple content is not one extension")
		}
		out["text"] = local(inner[0].attr("base"))
		parts = inner[0].parts()
	}
	return out, x.contents(name, parts, out)
}

// contents writes the elements and attributes of a type.
func (x *xsd) contents(name string, parts []tag, out map[string]any) error {
	attributes := map[string]any{}
	for _, p := range parts {
		switch p.kind() {
		case "sequence", "choice":
			if out["content"] != nil || out["text"] != nil {
				return fmt.Errorf("it has content twice")
			}
			content, err := x.particle(name, p)
			if err != nil {
				return err
			}
			out["content"] = content
		case "attribute", "attributeGroup":
			if err := x.attribute(name, p, attributes); err != nil {
				return err
			}
		case "anyAttribute":
			if p.attr("processContents") != "lax" {
				return fmt.Errorf("other attributes are not lax")
			}
			out["others"] = p.attr("namespace")
		default:
			return fmt.Errorf("xs:%s is not known in a type", p.kind())
		}
	}
	if len(attributes) > 0 {
		out["attributes"] = attributes
	}
	return nil
}

func (x *xsd) attribute(owner string, a tag, out map[string]any) error {
	if a.kind() == "attributeGroup" {
		group, ok := x.groups[a.attr("ref")]
		if !ok {
			return fmt.Errorf("the group %q is not defined", a.attr("ref"))
		}
		for _, p := range group.parts() {
			if err := x.attribute(owner, p, out); err != nil {
				return err
			}
		}
		return nil
	}
	if err := a.only("name", "type", "use", "default"); err != nil {
		return err
	}
	typ, err := x.typeOf(owner+"/@"+a.attr("name"), a)
	if err != nil {
		return err
	}
	form := map[string]any{"type": typ}
	switch a.attr("use") {
	case "", "optional":
	case "required":
		form["required"] = true
	default:
		return fmt.Errorf("the use %q is not known", a.attr("use"))
	}
	out[a.attr("name")] = form
	return nil
}

// typeOf is the name of the type of an element or attribute; one that stands
// within it is given the name of the place.
func (x *xsd) typeOf(place string, t tag) (string, error) {
	if typ := t.attr("type"); typ != "" {
		return local(typ), nil
	}
	parts := t.parts()
	if len(parts) == 0 {
		return "xs:anyType", nil
	}
	if len(parts) != 1 {
		return "", fmt.Errorf("%s has more than one type", place)
	}
	for x.simple[place] != nil || x.complex[place] != nil {
		place += "'"
	}
	var err error
	switch parts[0].kind() {
	case "simpleType":
		x.simple[place], err = x.simpleType(place, parts[0])
	case "complexType":
		x.complex[place] = map[string]any{} // taken
		x.complex[place], err = x.complexType(place, parts[0])
	default:
		err = fmt.Errorf("%s has no type", place)
	}
	return place, err
}

func (x *xsd) particle(owner string, p tag) (map[string]any, error) {
	out := map[string]any{}
	if err := occurs(p, out); err != nil {
		return nil, err
	}
	switch p.kind() {
	case "any":
		if p.attr("namespace") != "##other" || p.attr("processContents") != "lax" {
			return nil, fmt.Errorf("other elements are not those of other namespaces, lax")
		}
		out["any"] = true
	case "element":
		if err := p.only("name", "type", "minOccurs", "maxOccurs", "default"); err != nil {
			return nil, err
		}
		typ, err := x.typeOf(owner+"/"+p.attr("name"), p)
		if err != nil {
			return nil, err
		}
		out["element"], out["type"] = p.attr("name"), typ
		if p.attr("default") != "" {
			out["default"] = p.attr("default")
		}
	case "sequence", "choice":
		list := []any{}
		for _, c := range p.parts() {
			part, err := x.particle(owner, c)
			if err != nil {
				return nil, err
			}
			list = append(list, part)
		}
		out[p.kind()] = list
	default:
		return nil, fmt.Errorf("xs:%s is not known in content", p.kind())
	}
	return out, nil
}

func occurs(p tag, out map[string]any) error {
	switch p.attr("minOccurs") {
	case "", "1":
	case "0":
		out["optional"] = true
	default:
		return fmt.Errorf("minOccurs is %q", p.attr("minOccurs"))
	}
	switch p.attr("maxOccurs") {
	case "", "1":
	case "unbounded":
		out["many"] = true
	default:
		return fmt.Errorf("maxOccurs is %q", p.attr("maxOccurs"))
	}
	return nil
}
