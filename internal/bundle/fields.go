package bundle

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"signalbox.dev/signalbox/internal/fault"
)

// Fields reads one mapping strictly: every key must be asked for by name, every
// value must have the shape it is asked for in.
type Fields struct {
	src  *source
	node *yaml.Node
	keys map[string]*yaml.Node
	vals map[string]*yaml.Node
	used []string
	out  *Problems
	asks *asking // where the questions are recorded; nil where they are answered
}

func fieldsOf(src *source, node *yaml.Node, out *Problems) *Fields {
	f := &Fields{src: src, node: node, out: out, keys: map[string]*yaml.Node{}, vals: map[string]*yaml.Node{}}
	for i := 0; i+1 < len(node.Content); i += 2 {
		f.keys[node.Content[i].Value], f.vals[node.Content[i].Value] = node.Content[i], node.Content[i+1]
	}
	return f
}

// At is where the mapping stands, told by its name where it has one.
func (f *Fields) At() fault.Position {
	if n := f.keys["name"]; n != nil {
		return place(f.src, n)
	}
	return place(f.src, f.node)
}

// KeyAt is where a key stands, or the mapping where it is missing.
func (f *Fields) KeyAt(key string) fault.Position {
	if n := f.keys[key]; n != nil {
		return place(f.src, n)
	}
	return f.At()
}

// ValueAt is where the value of a key stands, or the mapping where it is missing.
func (f *Fields) ValueAt(key string) fault.Position {
	if n := f.vals[key]; n != nil {
		return place(f.src, n)
	}
	return f.At()
}

// ItemAt is where one text of a list stands, or the list.
func (f *Fields) ItemAt(key, text string) fault.Position {
	if f.vals[key] == nil {
		return f.At()
	}
	return place(f.src, f.item(key, text))
}

// Keys are the keys of the mapping, in its order.
func (f *Fields) Keys() []string {
	if f.asks != nil {
		return []string{AnyName}
	}
	var all []string
	for i := 0; i+1 < len(f.node.Content); i += 2 {
		all = append(all, f.node.Content[i].Value)
	}
	return all
}

// Has reports whether the key is there, with whatever value.
func (f *Fields) Has(key string) bool {
	if f.asks != nil {
		return f.asks.has(key)
	}
	return f.vals[key] != nil
}

// take is the value of a key, which is of the shape given.
func (f *Fields) take(key string, shape Shape) *yaml.Node {
	f.asks.note(key, shape)
	f.used = append(f.used, key)
	return f.vals[key]
}

// Done reports the keys that nobody asked for; of says what the mapping is.
func (f *Fields) Done(of string) {
	for i := 0; i+1 < len(f.node.Content); i += 2 {
		key := f.node.Content[i]
		if !slices.Contains(f.used, key.Value) {
			f.out.Add(Problem{Where: place(f.src, key), Code: "policy.unknown-field", What: fmt.Sprintf("%q is not a field of %s", key.Value, of), Fix: DidYouMean(key.Value, f.used)})
		}
	}
}

// Wrong reports a value that is not of the shape wanted.
func (f *Fields) Wrong(key, want string) {
	if n := f.vals[key]; n != nil {
		f.wrong(n, key, want)
	}
}

func (f *Fields) wrong(n *yaml.Node, key, want string) {
	f.out.Add(Problem{Where: place(f.src, n), Code: "policy.wrong-shape", What: fmt.Sprintf("%q wants %s", key, want), Why: "this is " + shape(n), Fix: fixShape(n, want)})
}

func fixShape(n *yaml.Node, want string) string {
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		return "give a value or leave the field out"
	case strings.HasPrefix(want, "text") && n.Kind == yaml.ScalarNode:
		return fmt.Sprintf("write it in quotes: %q", n.Value)
	case strings.HasPrefix(want, "a list") && n.Kind == yaml.ScalarNode:
		return fmt.Sprintf("write [%s]", n.Value)
	}
	return ""
}

// Missing reports a key that must be there.
func (f *Fields) Missing(key string) {
	f.asks.missing(key)
	f.out.Add(Problem{Where: f.At(), Code: "policy.missing-field", What: fmt.Sprintf("%q is missing", key), Why: "it is required here", Fix: "add " + key + ":"})
}

// MaxText is the longest text of one field, in bytes; MaxList the longest list.
const (
	MaxText = 8 << 10
	MaxList = 1000
)

// Text is an optional text.
func (f *Fields) Text(key string) string {
	n := f.take(key, Shape{Form: FormText})
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		f.wrong(n, key, "text")
		return ""
	}
	if len(n.Value) > MaxText {
		f.out.Add(Problem{Where: place(f.src, n), Code: "policy.too-long", What: fmt.Sprintf("%q is too long", key), Why: fmt.Sprintf("it may have %d bytes", MaxText)})
		return ""
	}
	return strings.TrimSpace(n.Value)
}

// Need is a required text.
func (f *Fields) Need(key string) string {
	v := f.Text(key)
	f.asks.require(key)
	if v == "" && f.vals[key] == nil {
		f.Missing(key)
	} else if v == "" && f.vals[key].Kind == yaml.ScalarNode && f.vals[key].Value == "" {
		f.out.Add(Problem{Where: f.KeyAt(key), Code: "policy.missing-field", What: fmt.Sprintf("%q is empty", key), Why: "it is required here"})
	}
	return v
}

// Choice is one of the options, or otherwise.
func (f *Fields) Choice(key, otherwise string, options ...string) string {
	v := f.Text(key)
	f.asks.among(key, options)
	if v == "" {
		return otherwise
	}
	if !slices.Contains(options, v) {
		f.notAmong(f.vals[key], v, options)
		return otherwise
	}
	return v
}

func (f *Fields) notAmong(n *yaml.Node, v string, options []string) {
	f.out.Add(Problem{Where: place(f.src, n), Code: "policy.unknown-value", What: fmt.Sprintf("%q is not known here", v), Why: "known are " + strings.Join(options, ", "), Fix: DidYouMean(v, options)})
}

// List is an optional list of texts, without duplicates.
func (f *Fields) List(key string) []string {
	n := f.take(key, Shape{Form: FormList})
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) > MaxList {
		f.wrong(n, key, "a list of texts")
		return nil
	}
	var all []string
	for _, item := range n.Content {
		switch {
		case item.Kind != yaml.ScalarNode || item.ShortTag() != "!!str" || strings.TrimSpace(item.Value) == "":
			f.wrong(item, key, "text in its list")
		case slices.Contains(all, item.Value):
			f.out.Add(Problem{Where: place(f.src, item), Code: "policy.duplicate-value", What: fmt.Sprintf("%q stands twice in %q", item.Value, key)})
		default:
			all = append(all, item.Value)
		}
	}
	return all
}

// EmptyList reports a list that is there and holds nothing.
func (f *Fields) EmptyList(key string) bool {
	n := f.vals[key]
	return n != nil && n.Kind == yaml.SequenceNode && len(n.Content) == 0
}

// Choices is a list whose texts are among the options.
func (f *Fields) Choices(key string, options ...string) []string {
	all := f.List(key)
	f.asks.among(key, options)
	for _, v := range all {
		if !slices.Contains(options, v) {
			f.notAmong(f.item(key, v), v, options)
		}
	}
	return all
}

// item is the node of one value of a list.
func (f *Fields) item(key, value string) *yaml.Node {
	for _, n := range f.vals[key].Content {
		if n.Value == value {
			return n
		}
	}
	return f.vals[key]
}

// Mappings is a list of mappings.
func (f *Fields) Mappings(key string) []*Fields {
	if f.asks != nil {
		return []*Fields{f.below(key, FormMappings)}
	}
	n := f.take(key, Shape{})
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		f.wrong(n, key, "a list of mappings")
		return nil
	}
	var all []*Fields
	for _, item := range n.Content {
		if item.Kind != yaml.MappingNode {
			f.wrong(item, key, "a mapping in its list")
			continue
		}
		all = append(all, fieldsOf(f.src, item, f.out))
	}
	return all
}

// Mapping is an optional mapping.
func (f *Fields) Mapping(key string) *Fields {
	if f.asks != nil {
		return f.below(key, FormMapping)
	}
	n := f.take(key, Shape{})
	if n == nil {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		f.wrong(n, key, "a mapping")
		return nil
	}
	return fieldsOf(f.src, n, f.out)
}
