package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"signalbox.dev/signalbox/internal/fault"
)

// source is a file with its lines, for excerpts and places.
type source struct {
	name  string
	lines []string
}

// Read is the mapping of every document of the files, by name and in the order
// in which they stand. What cannot be read is a problem.
func Read(files []File, out *Problems) []*Fields {
	var docs []*Fields
	total := 0
	if len(files) > MaxFiles {
		out.Add(Problem{Code: "policy.too-many-files", What: fmt.Sprintf("the bundle has more than %d files", MaxFiles), Fix: "join small files: a file may hold several documents"})
		return nil
	}
	ordered := byName(files)
	for i, f := range ordered {
		at := fault.Position{File: f.Name}
		total += len(f.Data)
		switch {
		case !acceptable(f.Name):
			out.Add(Problem{Code: "policy.file-name", What: fmt.Sprintf("%q is not a file name", f.Name), Why: "names are relative, with slashes and without dots, and hide nothing"})
		case i > 0 && ordered[i-1].Name == f.Name:
			out.Add(Problem{Where: at, Code: "policy.duplicate-file", What: "the file stands twice in the bundle"})
		case len(f.Data) > MaxFile || total > MaxBundle:
			out.Add(Problem{Where: at, Code: "policy.too-large", What: "the bundle is too large", Why: fmt.Sprintf("a file may have %d bytes, a bundle %d", MaxFile, MaxBundle)})
			return nil
		default:
			docs = append(docs, readFile(f, out)...)
		}
	}
	if len(docs) > MaxDocuments {
		out.Add(Problem{Code: "policy.too-many-documents", What: fmt.Sprintf("the bundle has more than %d documents", MaxDocuments)})
		return nil
	}
	return docs
}

// acceptable reports whether a name leads downwards alone and can be seen.
func acceptable(name string) bool {
	for element := range strings.SplitSeq(name, "/") {
		if element == "" || element == "." || element == ".." {
			return false
		}
	}
	return utf8.ValidString(name) && !strings.ContainsFunc(name, hidden)
}

func readFile(f File, out *Problems) []*Fields {
	src := &source{name: f.Name, lines: strings.Split(string(f.Data), "\n")}
	out.know(src)
	if !plain(src, f.Data, out) {
		return nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(f.Data))
	if err != nil {
		out.Add(Problem{Where: fault.Position{File: f.Name}, Code: "policy.yaml", What: "the file cannot be read as YAML"})
		return nil
	}
	var docs []*Fields
	for len(docs) <= MaxDocuments {
		var node yaml.Node
		err := loader.Load(&node)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			out.Add(syntax(f.Name, err))
			break
		}
		if root, ok := content(src, &node, out); ok {
			docs = append(docs, fieldsOf(src, root, out))
		}
	}
	return docs
}

// plain refuses bytes that are not UTF-8 and characters that hide or reorder text.
func plain(src *source, data []byte, out *Problems) bool {
	if !utf8.Valid(data) {
		out.Add(Problem{Where: fault.Position{File: src.name}, Code: "policy.not-utf8", What: "the file is not UTF-8 text", Fix: "save it as UTF-8"})
		return false
	}
	for i, line := range src.lines {
		if at := strings.IndexFunc(line, hidden); at >= 0 {
			where := fault.Position{File: src.name, Line: i + 1, Column: 1 + utf8.RuneCountInString(line[:at])}
			out.Add(Problem{Where: where, Code: "policy.hidden-character", What: "a character here cannot be seen or reorders the text", Why: "the policy would read otherwise than it runs", Fix: "delete it"})
			return false
		}
	}
	return true
}

func hidden(r rune) bool {
	return r < ' ' && r != '\t' && r != '\r' || r == 0x7f || misleading(r)
}

// content is the mapping of a document; an empty document has none.
func content(src *source, node *yaml.Node, out *Problems) (*yaml.Node, bool) {
	if node.Kind != yaml.DocumentNode || len(node.Content) == 0 {
		return nil, false
	}
	root := node.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return nil, false
	}
	if !unadorned(src, root, out) {
		return nil, false
	}
	if root.Kind != yaml.MappingNode {
		out.Add(Problem{Where: place(src, root), Code: "policy.not-a-mapping", What: "a document is a mapping", Why: "this one is " + shape(root), Fix: "begin with apiVersion: " + APIVersion})
		return nil, false
	}
	return root, true
}

// unadorned refuses the parts of YAML that let a text mean something its reader
// does not see: anchors, aliases, merge keys, tags, duplicate keys.
func unadorned(src *source, n *yaml.Node, out *Problems) bool {
	if what := adornment(n); what != "" {
		out.Add(Problem{Where: place(src, n), Code: "policy.yaml-feature", What: what + " is not accepted in a policy", Why: "a policy must read as it runs", Fix: "write the value out"})
		return false
	}
	ok := true
	if n.Kind == yaml.MappingNode {
		ok = uniqueKeys(src, n, out)
	}
	for _, c := range n.Content {
		ok = unadorned(src, c, out) && ok
	}
	return ok
}

func adornment(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.AliasNode:
		return "an alias (*" + n.Value + ")"
	case n.Anchor != "":
		return "an anchor (&" + n.Anchor + ")"
	case n.Style&yaml.TaggedStyle != 0:
		return "a tag"
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!merge":
		return "a merge key (<<)"
	}
	return ""
}

func uniqueKeys(src *source, n *yaml.Node, out *Problems) bool {
	seen := map[string]int{}
	ok := true
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			out.Add(Problem{Where: place(src, key), Code: "policy.key", What: "a key is a plain word", Why: "this one is " + shape(key)})
			ok = false
			continue
		}
		if line, twice := seen[key.Value]; twice {
			out.Add(Problem{Where: place(src, key), Code: "policy.duplicate-field", What: fmt.Sprintf("%q stands twice", key.Value), Why: fmt.Sprintf("it stands first in line %d", line), Fix: "keep one of them"})
			ok = false
			continue
		}
		seen[key.Value] = key.Line
	}
	return ok
}

func place(src *source, n *yaml.Node) fault.Position {
	return fault.Position{File: src.name, Line: n.Line, Column: n.Column}
}

// shape says in words what a node is.
func shape(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		switch n.ShortTag() {
		case "!!null":
			return "empty"
		case "!!bool":
			return "true or false"
		case "!!int", "!!float":
			return "a number"
		case "!!timestamp":
			return "a date"
		}
		return "text"
	}
	return "something else"
}

// syntax is a YAML error in words, with its place.
func syntax(file string, err error) Problem {
	p := Problem{Where: fault.Position{File: file}, Code: "policy.yaml", What: "this is not valid YAML", Fix: "check indentation, quotes and colons here and in the line above"}
	var load *yaml.LoadError
	if errors.As(err, &load) {
		p.Where.Line, p.Where.Column = max(load.Mark.Line, 1), max(load.Mark.Column, 1)
		p.Why = load.Message
	}
	return p
}
