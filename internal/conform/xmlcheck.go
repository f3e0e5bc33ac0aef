package conform

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/fault"
)

// Namespaces that every document may use without a schema.
const (
	xmlSpace = "http://www.w3.org/XML/1998/namespace"
	xsiSpace = "http://www.w3.org/2001/XMLSchema-instance"
)

// Walk is the way through one XML document, element by element. Errors are
// *fault.Error and name the path; the caller knows the place.
type Walk struct {
	schema *XML
	open   []opened
	spaces map[string]int // namespaces that are declared, and how often
	seen   map[string]distinct
	budget budget
	text   []byte
}

// opened is an element that is not closed yet.
type opened struct {
	name     string
	nth      int      // among those of its name under one element, from 1
	lax      bool     // no schema knows it: anything may stand within
	element  *element // unless lax
	state    int      // of the content
	from     int      // where its text begins in the walk's
	within   bool     // an element stands within
	counts   []counted
	declared []string // namespaces
}

type counted struct {
	name string
	n    int
}

// Walk begins a document.
func (x *XML) Walk() *Walk {
	return &Walk{schema: x, spaces: map[string]int{xmlSpace: 1}, seen: map[string]distinct{}}
}

// Path is where the walk stands: bom/components/component[2]/name.
func (w *Walk) Path() string {
	var b strings.Builder
	for i, o := range w.open {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(o.name)
		if o.nth > 1 {
			fmt.Fprintf(&b, "[%d]", o.nth)
		}
	}
	if b.Len() > 400 {
		return "…" + strings.ToValidUTF8(b.String()[b.Len()-400:], "")
	}
	return b.String()
}

// Open enters an element.
func (w *Walk) Open(e xml.StartElement) error {
	nth := 1
	if len(w.open) > 0 {
		nth = w.open[len(w.open)-1].count(e.Name.Local)
	}
	o := w.slot()
	*o = opened{name: e.Name.Local, nth: nth, state: start, from: len(w.text), counts: o.counts[:0], declared: o.declared[:0]}
	w.declare(o, e)
	if err := w.find(o, e.Name); err != nil {
		return err
	}
	w.open = w.open[:len(w.open)+1]
	if err := w.declaredAll(e); err != nil {
		return err
	}
	return w.attributes(&w.open[len(w.open)-1], e.Attr)
}

// slot is where the next open element goes: after the last, with the lists of
// what was open there before.
func (w *Walk) slot() *opened {
	if len(w.open) == cap(w.open) {
		w.open = append(w.open, opened{})[:len(w.open)]
	}
	return &w.open[:len(w.open)+1][len(w.open)]
}

// count is the number of elements of a name so far.
func (o *opened) count(name string) int {
	for i := range o.counts {
		if o.counts[i].name == name {
			o.counts[i].n++
			return o.counts[i].n
		}
	}
	if len(o.counts) < 1000 {
		o.counts = append(o.counts, counted{name, 1})
	}
	return 1
}

func isDeclaration(a xml.Name) bool {
	return a.Space == "xmlns" || a.Space == "" && a.Local == "xmlns"
}

func (w *Walk) declare(o *opened, e xml.StartElement) {
	for _, a := range e.Attr {
		if isDeclaration(a.Name) {
			o.declared = append(o.declared, a.Value)
			w.spaces[a.Value]++
		}
	}
}

// declaredAll refuses prefixes that stand for no namespace: the decoder leaves
// them as they are.
func (w *Walk) declaredAll(e xml.StartElement) error {
	unknown := func(space string) bool { return space != "" && w.spaces[space] == 0 }
	if unknown(e.Name.Space) {
		return w.breach("has the prefix "+short(e.Name.Space), "no namespace is declared for it")
	}
	for _, a := range e.Attr {
		if !isDeclaration(a.Name) && unknown(a.Name.Space) {
			return w.breach("has an attribute with the prefix "+short(a.Name.Space), "no namespace is declared for it")
		}
	}
	return nil
}

// breach is one at the element just opened.
func (w *Walk) breach(what, why string) *fault.Error {
	path := w.Path()
	return breach(path+" "+what, why).On(path)
}

// find finds the declaration of an element, and refuses it where it may not stand.
func (w *Walk) find(o *opened, n xml.Name) error {
	if len(w.open) == 0 {
		if o.element = w.schema.globals[name{n.Space, n.Local}]; o.element != w.schema.root {
			return breach("the document's element is "+short(n.Local)+" of "+short(n.Space), "the schema has another")
		}
		return nil
	}
	up := &w.open[len(w.open)-1]
	up.within = true
	if up.lax {
		w.lax(o, n)
		return nil
	}
	if up.element.complex == nil || up.element.complex.model == nil {
		return w.breach("holds an element "+short(n.Local), "no element may stand there")
	}
	t := up.element.complex
	local := n.Local
	if n.Space != t.space {
		local = ""
	}
	state, ok := t.model.step(up.state, local)
	if !ok || n.Space == "" {
		return w.misplaced(up, n)
	}
	up.state = state
	if local == "" {
		w.lax(o, n)
		return nil
	}
	o.take(t.model.places[state].element)
	return nil
}

// take takes the element for what it is declared to be.
func (o *opened) take(e *element) {
	o.element = e
	o.lax = e == nil || e.complex == nil && e.simple == nil
}

// lax takes an element for what some schema declares it to be, or for anything.
func (w *Walk) lax(o *opened, n xml.Name) {
	o.take(w.schema.globals[name{n.Space, n.Local}])
}

// misplaced says why an element may not stand where it does.
func (w *Walk) misplaced(up *opened, n xml.Name) error {
	m := up.element.complex.model
	what := "holds " + short(n.Local)
	if n.Space != up.element.complex.space {
		return w.breach(what+" of the namespace "+short(n.Space), "elements of other namespaces may not stand there")
	}
	why := "no such element stands there in this version of the format"
	if m.knows(n.Local) {
		why = "it stands too late, or once too often"
	}
	if may := m.may(up.state); len(may) > 0 {
		why += "; what may come there: " + strings.Join(may[:min(len(may), 12)], ", ")
	}
	return w.breach(what, why)
}

func (w *Walk) attributes(o *opened, list []xml.Attr) error {
	for _, a := range list {
		if isDeclaration(a.Name) {
			continue
		}
		value := blanks([]byte(a.Value))
		if err := w.attribute(o, a.Name, value); err != nil {
			return err
		}
	}
	if o.lax || o.element.complex == nil {
		return nil
	}
	for _, need := range o.element.complex.required {
		if !slices.ContainsFunc(list, func(a xml.Attr) bool { return a.Name == xml.Name{Local: need} }) {
			return w.breach("has no attribute "+short(need), "it is required")
		}
	}
	return nil
}

// blanks is an attribute's value as a parser hands it on (XML 1.0, section 3.3.3).
func blanks(b []byte) []byte {
	for i, c := range b {
		if c == '\t' || c == '\n' || c == '\r' {
			b[i] = ' '
		}
	}
	return b
}

func (w *Walk) attribute(o *opened, n xml.Name, value []byte) error {
	if n.Space == xsiSpace {
		return w.instance(n.Local)
	}
	if o.lax {
		return nil
	}
	t := o.element.complex
	if n.Space == "" && t != nil {
		if a, known := t.attributes[n.Local]; known {
			if why := a.simple.check(value); why != "" {
				return w.breach(fmt.Sprintf("has the attribute %s %s", short(n.Local), short(string(value))), why)
			}
			return w.differs(n.Local, value)
		}
	}
	if t == nil || t.others == "" || t.others == "##other" && (n.Space == "" || n.Space == t.space) {
		return w.breach("has an attribute "+short(n.Local), "no such attribute stands there in this version of the format")
	}
	return nil
}

// instance judges an attribute of XML Schema instances: only hints to where a
// schema lies may stand, and are not followed.
func (w *Walk) instance(local string) error {
	if local == "schemaLocation" || local == "noNamespaceSchemaLocation" {
		return nil
	}
	return w.breach("has the attribute xsi:"+short(local), "types are not changed within a document")
}

func (w *Walk) differs(attribute string, value []byte) error {
	if !w.schema.distinct[attribute] {
		return nil
	}
	if w.seen[attribute] == nil {
		w.seen[attribute] = distinct{}
	}
	twice, err := w.budget.add(w.seen[attribute], sumOf(value).short64())
	if err != nil || !twice {
		return err
	}
	return w.breach(fmt.Sprintf("has the attribute %s %s", short(attribute), short(string(value))), "it stands in the document before, and must be unique")
}

// Text takes text directly within the element, all of it or a piece.
func (w *Walk) Text(b []byte) error {
	o := &w.open[len(w.open)-1]
	switch {
	case o.lax:
	case o.element.simple != nil || o.element.complex.text != nil:
		if len(w.text)-o.from+len(b) > maxText {
			return tooMuch("one text is longer than %d bytes", maxText)
		}
		w.text = append(w.text, b...)
	case o.element.complex.mixed:
	case o.element.complex.model == nil && len(b) > 0:
		return w.breach("holds the text "+short(string(b)), "it must be empty, without blanks")
	case len(bytes.Trim(b, " \t\r\n")) > 0:
		return w.breach("holds the text "+short(string(bytes.TrimSpace(b))), "only elements may stand there")
	}
	return nil
}

// Shut leaves the element.
func (w *Walk) Shut() error {
	o := &w.open[len(w.open)-1]
	if err := w.complete(o); err != nil {
		return err
	}
	for _, space := range o.declared {
		w.spaces[space]--
	}
	w.text = w.text[:o.from]
	w.open = w.open[:len(w.open)-1]
	return nil
}

// complete judges an element by its text or by what it lacks.
func (w *Walk) complete(o *opened) error {
	if o.lax {
		return nil
	}
	simple := o.element.simple
	if t := o.element.complex; t != nil {
		if simple = t.text; simple == nil {
			if t.model != nil && !t.model.ends(o.state) {
				return w.breach("lacks an element", "what must come: "+strings.Join(t.model.may(o.state), " or "))
			}
			return nil
		}
	}
	text := w.text[o.from:]
	if len(text) == 0 && o.element.empty != nil {
		return nil
	}
	if why := simple.check(text); why != "" {
		return w.breach("is "+short(string(text)), why)
	}
	return nil
}
