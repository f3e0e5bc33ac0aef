package strict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"signalbox.dev/signalbox/internal/fault"
)

// Limits of a YAML file.
const (
	yamlBytes = 4 << 20
	yamlDepth = 50
)

// Document is one document of a YAML file.
type Document struct {
	File string
	Node *yaml.Node // the root value, never the document node
}

// YAML reads the documents of a file. Anchors, aliases, merge keys, tags of
// one's own and duplicate keys are refused: a document says what it shows.
func YAML(file string, data []byte) ([]Document, error) {
	if len(data) > yamlBytes {
		return nil, fault.New(fault.TooLarge, "yaml.too-large", fmt.Sprintf("%s is longer than %d bytes", file, yamlBytes))
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	var docs []Document
	for {
		var n yaml.Node
		err := loader.Load(&n)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, fault.Invalidf("yaml.invalid", "the YAML cannot be read").Because(strings.TrimPrefix(err.Error(), "yaml: ")).At(fault.Position{File: file})
		}
		root := &n
		if n.Kind == yaml.DocumentNode {
			if len(n.Content) == 0 {
				continue
			}
			root = n.Content[0]
		}
		if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
			continue
		}
		if err := plain(file, root, 0); err != nil {
			return nil, err
		}
		docs = append(docs, Document{File: file, Node: root})
	}
}

// Into decodes the document into v by v's JSON names, as strictly as Decode,
// and says line and column of what it refuses.
func (d Document) Into(v any) error {
	var b bytes.Buffer
	if err := asJSON(&b, d.Node); err != nil {
		return fault.Invalidf("yaml.invalid", "the YAML cannot be read").Because(err.Error()).At(d.at(d.Node))
	}
	err := Decode(b.Bytes(), v)
	var f *fault.Error
	if errors.As(err, &f) {
		f.Code, f.What = "yaml.invalid", "the YAML does not fit"
		f.Where = d.at(d.find(f.Field))
	}
	return err
}

// Field is the text of a top-level scalar field, or "".
func (d Document) Field(name string) string {
	for i := 0; d.Node.Kind == yaml.MappingNode && i+1 < len(d.Node.Content); i += 2 {
		if d.Node.Content[i].Value == name {
			return d.Node.Content[i+1].Value
		}
	}
	return ""
}

// At is where the document begins.
func (d Document) At() fault.Position { return d.at(d.Node) }

func (d Document) at(n *yaml.Node) fault.Position {
	return fault.Position{File: d.File, Line: n.Line, Column: n.Column}
}

// find is the node at a JSON pointer, or the nearest above it.
func (d Document) find(pointer string) *yaml.Node {
	n := d.Node
	for _, step := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch n.Kind {
		case yaml.MappingNode:
			found := false
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == step {
					n, found = n.Content[i+1], true
					break
				}
			}
			if !found {
				return n
			}
		case yaml.SequenceNode:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(n.Content) {
				return n
			}
			n = n.Content[i]
		default:
			return n
		}
	}
	return n
}

func plain(file string, n *yaml.Node, depth int) error {
	refuse := func(what, why string) error {
		return fault.Invalidf("yaml.not-plain", "%s", what).Because(why).At(fault.Position{File: file, Line: n.Line, Column: n.Column})
	}
	if depth > yamlDepth {
		return refuse("the YAML is nested too deeply", fmt.Sprintf("more than %d levels", yamlDepth))
	}
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return refuse("anchors and aliases are not accepted", "a reader must see the value where it stands")
	}
	if tag := n.ShortTag(); n.Style&yaml.TaggedStyle != 0 || tag == "!!merge" {
		return refuse("the tag "+tag+" is not accepted", "only plain strings, numbers, booleans, lists and maps are")
	}
	if n.Kind == yaml.MappingNode {
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			if seen[k.Value] {
				n = k
				return refuse(fmt.Sprintf("%q stands twice", k.Value), "one of the two would be lost")
			}
			seen[k.Value] = true
		}
	}
	for _, c := range n.Content {
		if err := plain(file, c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func asJSON(b *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.MappingNode:
		b.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				b.WriteByte(',')
			}
			text(b, n.Content[i].Value)
			b.WriteByte(':')
			if err := asJSON(b, n.Content[i+1]); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, c := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := asJSON(b, c); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	default:
		return scalar(b, n)
	}
	return nil
}

// scalar keeps what looks like a date or a version as the text that was written.
func scalar(b *bytes.Buffer, n *yaml.Node) error {
	switch n.ShortTag() {
	case "!!null":
		b.WriteString("null")
	case "!!bool":
		var v bool
		if err := n.Decode(&v); err != nil {
			return err
		}
		b.WriteString(strconv.FormatBool(v))
	case "!!int", "!!float":
		var v json.Number
		if f, err := strconv.ParseFloat(n.Value, 64); err != nil || f != f || f > 1e300 || f < -1e300 {
			return fmt.Errorf("line %d: %q is not a decimal number", n.Line, n.Value)
		}
		if v = json.Number(n.Value); !json.Valid([]byte(v)) {
			text(b, n.Value)
			return nil
		}
		b.WriteString(v.String())
	default:
		text(b, n.Value)
	}
	return nil
}

func text(b *bytes.Buffer, s string) {
	q, _ := json.Marshal(s) // a string always encodes
	b.Write(q)
}
