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

// Laid is a bundle in the canonical layout.
type Laid struct {
	Files   []bundle.File // all of them, in the order in which they were given
	Changed []string      // names of those that were not in it
}

// Format lays the files of a bundle out: two spaces a level, the fields of a
// document in the order of the reference, one line between documents. Comments,
// the order of documents, quotes and the shape of lists stay. Where a file cannot
// be read, or its layout would mean something else, lose a comment or not be
// stable, nothing is laid out, and the *bundle.Failure says of every file why.
// What does not compile is laid out all the same.
func Format(files []bundle.File) (Laid, error) {
	var wrong bundle.Problems
	if bundle.Read(files, &wrong); wrong.Failed() {
		return Laid{}, &bundle.Failure{List: wrong.Sorted()}
	}
	all := Laid{Changed: []string{}}
	orders := order()
	for _, f := range files {
		data, err := format(f.Data, orders)
		if err != nil {
			wrong.Add(bundle.Problem{Where: fault.Position{File: f.Name}, Code: "policy.format", What: "the file is left as it is", Why: err.Error(), Fix: "lay it out by hand"})
			continue
		}
		if !bytes.Equal(data, f.Data) {
			all.Changed = append(all.Changed, f.Name)
		}
		all.Files = append(all.Files, bundle.File{Name: f.Name, Data: data})
	}
	if wrong.Failed() {
		return Laid{}, &bundle.Failure{List: wrong.Sorted()}
	}
	return all, nil
}

// layoutTries is how often a file is laid out until it stays as it is: a comment
// may stand elsewhere after the first.
const layoutTries = 4

// format is the layout of a file that can be read, or why it must stay.
func format(data []byte, orders map[string][]string) ([]byte, error) {
	once, err := layout(data, orders)
	for try := 1; ; try++ {
		if err != nil {
			return nil, err
		}
		var again []byte
		if again, err = layout(once, orders); err == nil && bytes.Equal(once, again) {
			break
		}
		if try == layoutTries {
			return nil, errors.New("laying it out again would change it again")
		}
		once = again
	}
	before, err := meaning(data)
	if err != nil {
		return nil, err
	}
	after, err := meaning(once)
	switch {
	case err != nil || before != after:
		return nil, errors.New("it would mean something else")
	case !slices.Equal(comments(data), comments(once)):
		return nil, errors.New("a comment would be lost or moved into a text")
	case astray(data, once):
		return nil, errors.New("a comment would stand elsewhere")
	}
	return once, nil
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

func layout(data []byte, orders map[string][]string) ([]byte, error) {
	var all []string
	for _, part := range split(data) {
		head, body := heading(part)
		docs, err := documents([]byte(gathered(body)))
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
	settle(doc, false)
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

// settle writes out what the layout would hide: texts whose blank lines mean
// something, which as a block would end with the document or hold spaces, and
// nothing between braces or brackets.
func settle(n *yaml.Node, within bool) {
	const block = yaml.LiteralStyle | yaml.FoldedStyle
	within = within || n.Style&yaml.FlowStyle != 0
	switch {
	case n.Kind != yaml.ScalarNode:
	case n.Style&block != 0 && (strings.TrimSuffix(n.Value, "\n") == "" || strings.HasSuffix(n.Value, "\n\n") || slices.ContainsFunc(strings.Split(n.Value, "\n"), blank)):
		n.Style = n.Style&^block | yaml.DoubleQuotedStyle
	case within && n.Value == "" && n.ShortTag() == "!!null":
		n.Value = "null"
	}
	for _, c := range n.Content {
		settle(c, within)
	}
}

// blank reports whether a line holds spaces and nothing else.
func blank(line string) bool { return line != "" && strings.TrimSpace(line) == "" }

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
		if b.WriteString(n.ShortTag()); n.ShortTag() != "!!null" { // nothing is the same in all its spellings
			fmt.Fprintf(b, " %q", n.Value)
		}
	}
}
