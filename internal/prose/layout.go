package prose

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
)

// Format is a file in the canonical layout: two spaces a level, the fields of a
// document in the order of the reference, one line between documents. Comments,
// the order of documents, quotes and the shape of lists stay. It is an error
// where the result would mean something else, lose a comment, or not be stable.
func Format(file bundle.File) ([]byte, error) {
	if list := readable(file); list != nil {
		return nil, list
	}
	once, err := layout(file.Data)
	if err != nil {
		return nil, fault.Invalidf("policy.format", "%s cannot be laid out", file.Name).Because(err.Error())
	}
	twice, err := layout(once)
	if err != nil || !bytes.Equal(once, twice) {
		return nil, unsafe(file.Name, "laying it out again would change it again")
	}
	before, err := meaning(file.Data)
	if err != nil {
		return nil, fault.Invalidf("policy.format", "%s cannot be laid out", file.Name).Because(err.Error())
	}
	after, err := meaning(once)
	switch {
	case err != nil || before != after:
		return nil, unsafe(file.Name, "it would mean something else")
	case !slices.Equal(comments(file.Data), comments(once)):
		return nil, unsafe(file.Name, "a comment would be lost or moved into a text")
	}
	return once, nil
}

func unsafe(name, why string) error {
	return fault.Invalidf("policy.format", "%s is left as it is", name).Because(why).Remedy("lay it out by hand")
}

// readable is what is wrong with the YAML of a file, or nil.
func readable(file bundle.File) error {
	var out bundle.Problems
	bundle.Read([]bundle.File{file}, &out)
	for _, p := range out.Sorted() {
		if p.Severity == bundle.LevelError {
			return p.Fault()
		}
	}
	return nil
}

// documents are the nodes of a file.
func documents(data []byte) ([]*yaml.Node, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	var all []*yaml.Node
	for {
		var n yaml.Node
		err := loader.Load(&n)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, &n)
	}
}

// lineWidth is where long texts are broken, in characters.
const lineWidth = 120

func layout(data []byte) ([]byte, error) {
	orders := order()
	var all []string
	for _, part := range split(data) {
		head, body := heading(part)
		docs, err := documents([]byte(body))
		switch {
		case err != nil:
			return nil, err
		case len(docs) > 1:
			return nil, errors.New("a document ends where no line of three hyphens stands")
		case len(docs) == 0:
			all = append(all, head)
			continue
		}
		text, err := written(docs[0], orders)
		if err != nil {
			return nil, err
		}
		all = append(all, head+text)
	}
	return []byte(strings.Join(all, "---\n")), nil
}

// split is the text of each document: a line that begins with three hyphens
// always separates two. What stands before the first of them may be nothing.
func split(data []byte) []string {
	var all []string
	var b strings.Builder
	for line := range strings.Lines(strings.ReplaceAll(string(data), "\r\n", "\n")) {
		rest, separates := strings.CutPrefix(line, "---")
		if !separates || strings.TrimLeft(rest, " \t\n") == rest && rest != "" {
			b.WriteString(line)
			continue
		}
		if len(all) > 0 || strings.TrimSpace(b.String()) != "" {
			all = append(all, b.String())
		}
		b.Reset()
		b.WriteString(strings.TrimLeft(rest, " \t"))
	}
	if strings.TrimSpace(b.String()) != "" {
		all = append(all, b.String())
	}
	return all
}

// heading are the comments above a document, as they stand, and the rest.
func heading(part string) (head, body string) {
	end := 0
	for line := range strings.Lines(part) {
		if text := strings.TrimSpace(line); text != "" && !strings.HasPrefix(text, "#") {
			break
		}
		end += len(line)
	}
	blank := false
	var b strings.Builder
	for line := range strings.Lines(part[:end]) {
		if line = strings.TrimSpace(line); line == "" {
			blank = b.Len() > 0
			continue
		}
		if blank {
			b.WriteByte('\n')
		}
		blank = false
		b.WriteString(line + "\n")
	}
	if blank {
		b.WriteByte('\n')
	}
	return b.String(), part[end:]
}

// written is one document in its layout.
func written(doc *yaml.Node, orders map[string][]string) (string, error) {
	if len(doc.Content) == 1 && doc.Content[0].Kind == yaml.MappingNode {
		arrange(doc.Content[0], orders[kindOf(doc.Content[0])])
	}
	var b bytes.Buffer
	dumper, err := yaml.NewDumper(&b, yaml.WithIndent(2), yaml.WithCompactSeqIndent(false), yaml.WithLineWidth(lineWidth), yaml.WithExplicitStart(false))
	if err != nil {
		return "", err
	}
	if err := errors.Join(dumper.Dump(doc), dumper.Close()); err != nil {
		return "", err
	}
	return tidy(strings.TrimPrefix(b.String(), "---\n")), nil
}

// tidy ends a document with one line break and takes spaces from the ends of
// lines that hold nothing else.
func tidy(doc string) string {
	lines := strings.Split(strings.Trim(doc, "\n"), "\n")
	for i, l := range lines {
		if strings.TrimSpace(l) == "" {
			lines[i] = ""
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

func kindOf(n *yaml.Node) string {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "kind" {
			return n.Content[i+1].Value
		}
	}
	return ""
}

// order is that of the fields of each kind.
func order() map[string][]string {
	_, fields := policy.Meanings()
	all := map[string][]string{}
	for kind, list := range fields {
		all[kind] = []string{"apiVersion", "kind"}
		for _, m := range list {
			all[kind] = append(all[kind], m.Name)
		}
	}
	return all
}

// arrange sorts the fields of a document; unknown ones stay last.
func arrange(n *yaml.Node, fields []string) {
	if fields == nil {
		return
	}
	type field struct{ key, value *yaml.Node }
	var all []field
	for i := 0; i+1 < len(n.Content); i += 2 {
		all = append(all, field{n.Content[i], n.Content[i+1]})
	}
	rank := func(f field) int {
		if i := slices.Index(fields, f.key.Value); i >= 0 {
			return i
		}
		return len(fields)
	}
	slices.SortStableFunc(all, func(a, b field) int { return cmp.Compare(rank(a), rank(b)) })
	n.Content = nil
	for _, f := range all {
		n.Content = append(n.Content, f.key, f.value)
	}
}

// meaning is all that a file says, without layout, comments and the order of keys.
func meaning(data []byte) (string, error) {
	docs, err := documents(data)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, d := range docs {
		for _, n := range d.Content {
			if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!null" { // an empty document says nothing
				said(&b, n)
				b.WriteByte('\n')
			}
		}
	}
	return b.String(), nil
}

func said(b *strings.Builder, n *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		var pairs []string
		for i := 0; i+1 < len(n.Content); i += 2 {
			var one strings.Builder
			said(&one, n.Content[i])
			one.WriteString(": ")
			said(&one, n.Content[i+1])
			pairs = append(pairs, one.String())
		}
		slices.Sort(pairs)
		b.WriteString("{" + strings.Join(pairs, ", ") + "}")
	case yaml.SequenceNode:
		b.WriteString("[")
		for _, c := range n.Content {
			said(b, c)
			b.WriteString(", ")
		}
		b.WriteString("]")
	default:
		fmt.Fprintf(b, "%s %q", n.ShortTag(), n.Value)
	}
}

// comments are the texts of all comments, sorted.
func comments(data []byte) []string {
	docs, err := documents(data)
	if err != nil {
		return nil
	}
	var all []string
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		for _, c := range []string{n.HeadComment, n.LineComment, n.FootComment} {
			for line := range strings.Lines(c) {
				if line = strings.TrimSpace(line); line != "" {
					all = append(all, line)
				}
			}
		}
		for _, c := range n.Content {
			walk(c)
		}
	}
	for _, d := range docs {
		walk(d)
	}
	slices.Sort(all)
	return all
}
