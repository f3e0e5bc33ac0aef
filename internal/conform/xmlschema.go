package conform

import (
	"fmt"
	"slices"

	"signalbox.dev/signalbox/internal/strict"
)

// XML is a compiled set of XML Schemas, one a namespace. They are written in a
// compact form of XML Schema 1.0: JSON objects of the types below. Elements
// are qualified, attributes are not.
type XML struct {
	root     *element
	globals  map[name]*element
	distinct map[string]bool // attributes whose values differ all over the document
}

// name is that of an element.
type name struct{ space, local string }

// xmlForm is the schema of a namespace as written.
type xmlForm struct {
	Namespace string                 `json:"namespace"`
	Elements  map[string]string      `json:"elements"` // that stand at the root or in place of any: their types
	Distinct  []string               `json:"distinct"`
	Simple    map[string]simpleForm  `json:"simple"`
	Complex   map[string]complexForm `json:"complex"`
}

type complexForm struct {
	Attributes map[string]attributeForm `json:"attributes"`
	Others     string                   `json:"others"` // attributes beyond these: "", "##other" or "##any"
	Text       string                   `json:"text"`   // the simple type of its text; it has no elements
	Mixed      bool                     `json:"mixed"`  // text may stand between elements
	Content    *particle                `json:"content"`
}

type attributeForm struct {
	Type     string `json:"type"`
	Required bool   `json:"required"`
}

// particle is one of an element, elements of other namespaces, a sequence or
// a choice. It stands Min (0 or 1) to Max (1, or any number) times.
type particle struct {
	Element  string     `json:"element"`
	Type     string     `json:"type"`
	Default  *string    `json:"default"`
	Any      bool       `json:"any"`
	Sequence []particle `json:"sequence"`
	Choice   []particle `json:"choice"`
	Optional bool       `json:"optional"`
	Many     bool       `json:"many"`
}

// complexType is a type of elements with attributes or elements within.
type complexType struct {
	space      string
	attributes map[string]attribute
	required   []string
	others     string
	text       *simpleType
	mixed      bool
	model      *model // nil: no element may stand within
}

type attribute struct {
	simple   *simpleType
	required bool
}

// element is the declaration of one: of a complex or a simple type, or of
// neither, and then anything may stand within.
type element struct {
	complex *complexType
	simple  *simpleType
	empty   *string // the value of an element without content
}

// CompileXML compiles the schema of a document and those of elements that may
// stand in it where any may. Lists are the words of simple types by name, for
// those that schemas share.
func CompileXML(schema []byte, lists map[string][]string, more ...[]byte) (*XML, error) {
	x := &XML{globals: map[name]*element{}, distinct: map[string]bool{}}
	for i, b := range append([][]byte{schema}, more...) {
		var f xmlForm
		if err := strict.Decode(b, &f); err != nil {
			return nil, fmt.Errorf("read schema: %w", err)
		}
		c := xmlCompiler{form: f, lists: lists, simple: map[string]*simpleType{}, complex: map[string]*complexType{}}
		for _, local := range sortedKeys(f.Elements) {
			e, err := c.element(f.Elements[local], nil)
			if err != nil {
				return nil, err
			}
			x.globals[name{f.Namespace, local}] = e
			if i == 0 {
				x.root = e
			}
		}
		if i == 0 && len(f.Elements) != 1 {
			return nil, fmt.Errorf("the schema of a document has one element at the root, not %d", len(f.Elements))
		}
		for _, a := range f.Distinct {
			x.distinct[a] = true
		}
		for _, t := range sortedKeys(f.Simple) {
			if _, err := c.simpleType(t); err != nil {
				return nil, err
			}
		}
	}
	return x, nil
}

type xmlCompiler struct {
	form    xmlForm
	lists   map[string][]string
	simple  map[string]*simpleType
	complex map[string]*complexType
}

// element compiles a declaration of a type, whose elements without content
// have a default value.
func (c *xmlCompiler) element(typ string, empty *string) (*element, error) {
	if typ == "xs:anyType" {
		return &element{}, nil
	}
	if _, isComplex := c.form.Complex[typ]; isComplex {
		t, err := c.complexType(typ)
		return &element{complex: t, empty: empty}, err
	}
	t, err := c.simpleType(typ)
	return &element{simple: t, empty: empty}, err
}

func (c *xmlCompiler) complexType(typ string) (*complexType, error) {
	if t, done := c.complex[typ]; done {
		return t, nil
	}
	f := c.form.Complex[typ]
	t := &complexType{space: c.form.Namespace, attributes: map[string]attribute{}, others: f.Others, mixed: f.Mixed}
	c.complex[typ] = t
	if f.Text != "" && f.Content != nil {
		return nil, fmt.Errorf("type %q has both text and elements", typ)
	}
	for _, a := range sortedKeys(f.Attributes) {
		s, err := c.simpleType(f.Attributes[a].Type)
		if err != nil {
			return nil, fmt.Errorf("type %q, attribute %q: %w", typ, a, err)
		}
		t.attributes[a] = attribute{s, f.Attributes[a].Required}
		if f.Attributes[a].Required {
			t.required = append(t.required, a)
		}
	}
	var err error
	if f.Text != "" {
		t.text, err = c.simpleType(f.Text)
	} else if f.Content != nil {
		t.model, err = c.model(*f.Content)
	}
	if err != nil {
		return nil, fmt.Errorf("type %q: %w", typ, err)
	}
	return t, nil
}

// model is the content of a type as an automaton (Glushkov 1961): its places
// are the elements of the particle, and after each place some may follow. XML
// Schema has it that at most one of those fits what comes next.
type model struct {
	places []modelPlace
	first  []int
	empty  bool // nothing at all will do
}

type modelPlace struct {
	local   string // "" stands for elements of other namespaces
	element *element
	follow  []int
	last    bool // the content may end here
}

// fragment is a part of a model while it is built.
type fragment struct {
	first, last []int
	empty       bool
}

func (c *xmlCompiler) model(p particle) (*model, error) {
	m := &model{}
	f, err := c.particle(m, p)
	if err != nil {
		return nil, err
	}
	m.first, m.empty = f.first, f.empty
	for _, i := range f.last {
		m.places[i].last = true
	}
	return m, m.unambiguous()
}

func (c *xmlCompiler) particle(m *model, p particle) (fragment, error) {
	f, err := c.once(m, p)
	if err != nil {
		return f, err
	}
	if p.Many {
		m.join(f.last, f.first)
	}
	f.empty = f.empty || p.Optional
	return f, nil
}

// once is the particle standing one time.
func (c *xmlCompiler) once(m *model, p particle) (fragment, error) {
	switch {
	case p.Element != "":
		e, err := c.element(p.Type, p.Default)
		if err != nil {
			return fragment{}, fmt.Errorf("element %q: %w", p.Element, err)
		}
		return m.place(modelPlace{local: p.Element, element: e}), nil
	case p.Any:
		return m.place(modelPlace{}), nil
	case p.Choice != nil:
		return c.choice(m, p.Choice)
	}
	all := fragment{empty: true}
	for _, part := range p.Sequence {
		f, err := c.particle(m, part)
		if err != nil {
			return f, err
		}
		m.join(all.last, f.first)
		if all.empty {
			all.first = append(all.first, f.first...)
		}
		if !f.empty {
			all.last = nil
		}
		all.last = append(all.last, f.last...)
		all.empty = all.empty && f.empty
	}
	return all, nil
}

func (c *xmlCompiler) choice(m *model, forms []particle) (fragment, error) {
	var all fragment
	for _, part := range forms {
		f, err := c.particle(m, part)
		if err != nil {
			return f, err
		}
		all.first, all.last, all.empty = append(all.first, f.first...), append(all.last, f.last...), all.empty || f.empty
	}
	return all, nil
}

func (m *model) place(p modelPlace) fragment {
	m.places = append(m.places, p)
	i := []int{len(m.places) - 1}
	return fragment{first: i, last: slices.Clone(i)}
}

func (m *model) join(from, to []int) {
	for _, i := range from {
		for _, j := range to {
			if !slices.Contains(m.places[i].follow, j) {
				m.places[i].follow = append(m.places[i].follow, j)
			}
		}
	}
}

// unambiguous refuses a model in which two places fit what comes next.
func (m *model) unambiguous() error {
	check := func(next []int) error {
		seen := map[string]bool{}
		for _, i := range next {
			if seen[m.places[i].local] {
				return fmt.Errorf("the content is ambiguous at %q", m.places[i].local)
			}
			seen[m.places[i].local] = true
		}
		return nil
	}
	for _, p := range m.places {
		if err := check(p.follow); err != nil {
			return err
		}
	}
	return check(m.first)
}

// start is the state before any element.
const start = -1

func (m *model) next(state int) []int {
	if state == start {
		return m.first
	}
	return m.places[state].follow
}

// ends reports whether the content may end in a state.
func (m *model) ends(state int) bool {
	if state == start {
		return m.empty
	}
	return m.places[state].last
}

// step is the state after an element, if it may stand there.
func (m *model) step(state int, local string) (int, bool) {
	for _, i := range m.next(state) {
		if m.places[i].local == local {
			return i, true
		}
	}
	return 0, false
}

// may are the names that may come next.
func (m *model) may(state int) []string {
	var out []string
	for _, i := range m.next(state) {
		if local := m.places[i].local; local != "" {
			out = append(out, local)
		}
	}
	return out
}

// knows reports whether an element of that name may stand somewhere in the content.
func (m *model) knows(local string) bool {
	return slices.ContainsFunc(m.places, func(p modelPlace) bool { return p.local == local })
}
