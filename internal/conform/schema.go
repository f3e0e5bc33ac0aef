package conform

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/strict"
)

// maxRequired bounds the names that one object must have.
const maxRequired = 63

// JSON is a compiled JSON Schema.
type JSON struct {
	root        *node
	definitions map[string]*node
}

// form is a schema as written: the words of draft 7 that are known here.
type form struct {
	Ref         string          `json:"$ref"`
	Definitions map[string]form `json:"definitions"`

	Type     oneOrMore      `json:"type"`
	Enum     []string       `json:"enum"`
	Const    jsontext.Value `json:"const"`
	Pattern  string         `json:"pattern"`
	Format   string         `json:"format"`
	MinChars *int           `json:"minLength"`
	MaxChars *int           `json:"maxLength"`
	Minimum  jsontext.Value `json:"minimum"`
	Maximum  jsontext.Value `json:"maximum"`

	Required   []string        `json:"required"`
	Properties map[string]form `json:"properties"`
	Additional *formOrBool     `json:"additionalProperties"`

	Items    *formOrList `json:"items"`
	Rest     *bool       `json:"additionalItems"`
	Unique   bool        `json:"uniqueItems"`
	MinItems *int        `json:"minItems"`
	MaxItems *int        `json:"maxItems"`

	AllOf []form `json:"allOf"`
	AnyOf []form `json:"anyOf"`
	OneOf []form `json:"oneOf"`
	Not   *form  `json:"not"`
	If    *form  `json:"if"`
	Then  *form  `json:"then"`
	Else  *form  `json:"else"`
}

// oneOrMore is a word or a list of words.
type oneOrMore []string

// UnmarshalJSONFrom reads either.
func (l *oneOrMore) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '[' {
		return json.UnmarshalDecode(dec, (*[]string)(l))
	}
	var one string
	err := json.UnmarshalDecode(dec, &one)
	*l = oneOrMore{one}
	return err
}

// formOrBool is a schema, or false for nothing at all.
type formOrBool struct {
	never bool
	form  *form
}

// UnmarshalJSONFrom reads either.
func (f *formOrBool) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if k := dec.PeekKind(); k == 't' || k == 'f' {
		f.never = k == 'f'
		return dec.SkipValue()
	}
	f.form = &form{}
	return json.UnmarshalDecode(dec, f.form)
}

// formOrList is a schema of all elements, or one for each in order.
type formOrList struct {
	all   *form
	tuple []form
}

// UnmarshalJSONFrom reads either.
func (f *formOrList) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '[' {
		return json.UnmarshalDecode(dec, &f.tuple)
	}
	f.all = &form{}
	return json.UnmarshalDecode(dec, f.all)
}

// kinds of JSON value as bits; an integer is also a number.
type kinds uint8

const (
	isNull kinds = 1 << iota
	isBool
	isString
	isNumber
	isInteger
	isObject
	isArray
)

type kindName struct {
	kind kinds
	name string
	say  string
}

var kindNames = []kindName{
	{isNull, "null", "null"},
	{isBool, "boolean", "true or false"},
	{isString, "string", "a string"},
	{isNumber, "number", "a number"},
	{isInteger, "integer", "a whole number"},
	{isObject, "object", "an object"},
	{isArray, "array", "a list"},
}

// role is how a schema that applies to the same value bears on the one around it.
type role uint8

const (
	must  role = iota // $ref and allOf
	any1              // anyOf: at least one holds
	one               // oneOf: exactly one holds
	never             // not
	cond              // if
	then
	otherwise
)

// part is a schema that applies to the same value as the one it stands in.
type part struct {
	role role
	node *node
}

// node is a compiled schema. Its zero value admits everything.
type node struct {
	kinds    kinds // 0 is all
	enum     map[string]bool
	words    []string // of enum, sorted
	constant sum
	shown    string // the constant as written, "" without one
	pattern  *regexp.Regexp
	source   string // of pattern, as written
	format   string
	minChars int
	maxChars int // -1 is no bound
	min, max *decimal

	members map[string]member // required, or with a schema of their own
	needed  []string          // by bit
	closed  bool              // no names but those in members that have a schema
	others  *node             // schema of all other names, or nil

	distinct string // the name whose strings differ all over the document, or ""

	items    *node
	tuple    []*node
	noRest   bool // nothing beyond the tuple
	unique   bool
	minItems int
	maxItems int // -1 is no bound

	parts []part
}

// member is what a schema says of a name: its schema, or nil, and its bit
// among the names that are required, or 0.
type member struct {
	node *node
	bit  uint64
	own  bool // stands in properties
}

// compiler turns forms into nodes, each definition once.
type compiler struct {
	definitions map[string]form
	compiled    map[string]*node
}

// CompileJSON compiles the first document; the definitions of the others may
// be referred to as if they stood in it.
func CompileJSON(schema []byte, more ...[]byte) (*JSON, error) {
	c := compiler{definitions: map[string]form{}, compiled: map[string]*node{}}
	var root form
	for i, b := range append([][]byte{schema}, more...) {
		var f form
		if err := strict.Decode(b, &f); err != nil {
			return nil, fmt.Errorf("read schema: %w", err)
		}
		for name, d := range f.Definitions {
			if _, twice := c.definitions[name]; twice {
				return nil, fmt.Errorf("the schema defines %q twice", name)
			}
			c.definitions[name] = d
		}
		if i == 0 {
			root = f
		}
	}
	n, err := c.node(root)
	if err != nil {
		return nil, err
	}
	for _, name := range sortedKeys(c.definitions) {
		if _, err := c.definition(name); err != nil {
			return nil, err
		}
	}
	return &JSON{n, c.compiled}, acyclic(append(slices.Collect(maps.Values(c.compiled)), n))
}

// Distinct demands of the objects of some definitions that the strings under a
// name differ from each other all over a document, which JSON Schema cannot say.
func (s *JSON) Distinct(name string, definitions ...string) error {
	for _, d := range definitions {
		n, there := s.definitions[d]
		if !there {
			return fmt.Errorf("the schema does not define %q", d)
		}
		n.distinct = name
	}
	return nil
}

func (c *compiler) definition(name string) (*node, error) {
	if n, done := c.compiled[name]; done {
		return n, nil
	}
	f, there := c.definitions[name]
	if !there {
		return nil, fmt.Errorf("the schema refers to %q and does not define it", name)
	}
	n := &node{}
	c.compiled[name] = n
	built, err := c.node(f)
	if err != nil {
		return nil, fmt.Errorf("definition %q: %w", name, err)
	}
	*n = *built
	return n, nil
}

// node compiles a form. Beside $ref nothing counts (draft 7 section 8.3).
func (c *compiler) node(f form) (*node, error) {
	n := &node{maxChars: -1, maxItems: -1}
	if f.Ref != "" {
		name, ok := strings.CutPrefix(f.Ref, "#/definitions/")
		if !ok {
			return nil, fmt.Errorf("the reference %q is not one to a definition", f.Ref)
		}
		target, err := c.definition(name)
		n.parts = []part{{must, target}}
		return n, err
	}
	for _, step := range []func(*node, form) error{c.scalar, c.object, c.array, c.applied} {
		if err := step(n, f); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (c *compiler) scalar(n *node, f form) (err error) {
	for _, name := range f.Type {
		i := slices.IndexFunc(kindNames, func(k kindName) bool { return k.name == name })
		if i < 0 {
			return fmt.Errorf("%q is not a type", name)
		}
		n.kinds |= kindNames[i].kind
	}
	if f.Enum != nil {
		n.enum, n.words = map[string]bool{}, slices.Sorted(slices.Values(f.Enum))
		for _, w := range f.Enum {
			n.enum[w] = true
		}
	}
	if f.Const != nil {
		n.shown = string(f.Const)
		if n.constant, err = sumOfJSON(f.Const); err != nil {
			return err
		}
	}
	if f.Pattern != "" {
		n.source = f.Pattern
		if n.pattern, err = CompileECMA(f.Pattern); err != nil {
			return err
		}
	}
	if f.Format != "" {
		if n.format = f.Format; formats[f.Format] == nil {
			return fmt.Errorf("the format %q is not known", f.Format)
		}
	}
	n.minChars, n.maxChars = orZero(f.MinChars), orNone(f.MaxChars)
	if n.min, err = bound(f.Minimum); err != nil {
		return err
	}
	n.max, err = bound(f.Maximum)
	return err
}

func bound(v jsontext.Value) (*decimal, error) {
	if v == nil {
		return nil, nil
	}
	d, ok := parseDecimal(string(v))
	if !ok {
		return nil, fmt.Errorf("%s is not a number", v)
	}
	return &d, nil
}

func orZero(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

func orNone(n *int) int {
	if n == nil {
		return -1
	}
	return *n
}

func (c *compiler) object(n *node, f form) (err error) {
	n.members = map[string]member{}
	for _, name := range sortedKeys(f.Properties) {
		m := member{own: true}
		if m.node, err = c.node(f.Properties[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		n.members[name] = m
	}
	if len(f.Required) > maxRequired {
		return fmt.Errorf("more than %d names are required", maxRequired)
	}
	for i, name := range f.Required {
		m := n.members[name]
		m.bit = 1 << i
		n.members[name] = m
	}
	n.needed = f.Required
	if f.Additional != nil {
		n.closed = f.Additional.never
		if f.Additional.form != nil {
			n.others, err = c.node(*f.Additional.form)
		}
	}
	return err
}

func (c *compiler) array(n *node, f form) (err error) {
	n.unique, n.minItems, n.maxItems = f.Unique, orZero(f.MinItems), orNone(f.MaxItems)
	if f.Items == nil {
		return nil
	}
	if f.Items.all != nil {
		n.items, err = c.node(*f.Items.all)
		return err
	}
	if f.Rest == nil || *f.Rest {
		return fmt.Errorf("a list by place must end with it: additionalItems false")
	}
	n.noRest = true
	n.tuple, err = c.nodes(f.Items.tuple)
	return err
}

func (c *compiler) nodes(forms []form) ([]*node, error) {
	var out []*node
	for _, f := range forms {
		n, err := c.node(f)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

func (c *compiler) applied(n *node, f form) error {
	for _, group := range []struct {
		role  role
		forms []form
	}{
		{must, f.AllOf},
		{any1, f.AnyOf},
		{one, f.OneOf},
		{never, single(f.Not)},
		{cond, single(f.If)},
		{then, single(f.Then)},
		{otherwise, single(f.Else)},
	} {
		nodes, err := c.nodes(group.forms)
		if err != nil {
			return err
		}
		for _, sub := range nodes {
			n.parts = append(n.parts, part{group.role, sub})
		}
	}
	return nil
}

func single(f *form) []form {
	if f == nil {
		return nil
	}
	return []form{*f}
}

// acyclic refuses a schema that applies itself to the same value without end.
func acyclic(nodes []*node) error {
	state := map[*node]int{} // 1 is under way, 2 is done
	var visit func(*node) error
	visit = func(n *node) error {
		if state[n] == 1 {
			return fmt.Errorf("a definition refers to itself without end")
		}
		if state[n] == 2 {
			return nil
		}
		state[n] = 1
		for _, p := range n.parts {
			if err := visit(p.node); err != nil {
				return err
			}
		}
		state[n] = 2
		return nil
	}
	for _, n := range nodes {
		if err := visit(n); err != nil {
			return err
		}
	}
	return nil
}
