package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"go.yaml.in/yaml/v4"

	"signalbox.dev/signalbox/internal/fault"
)

// Formats of what goes to standard output.
const (
	asTable = "table"
	asJSON  = "json"
	asYAML  = "yaml"
)

func (c call) format() (string, error) {
	s, err := c.resolve(optionOf("output"), c.flags)
	if err != nil {
		return "", err
	}
	switch s.value {
	case asTable, asJSON, asYAML:
		return s.value, nil
	}
	return "", fault.Invalidf("cli.output", "%q is not a format", s.value).On("--output").Remedy("write table, json or yaml").Because("it comes from " + s.origin)
}

// print writes v to standard output: as JSON or YAML, or as the text that
// table writes. JSON has the shape of the API.
func (c call) print(v any, table func(io.Writer) error) error {
	format, err := c.format()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	switch format {
	case asJSON:
		err = encodeJSON(&b, v)
	case asYAML:
		err = encodeYAML(&b, v)
	default:
		err = table(&b)
	}
	if err != nil {
		return err
	}
	_, err = c.Out.Write(b.Bytes())
	return err
}

func encodeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	_, err := io.WriteString(w, escapeJSON(b.String()))
	return err
}

// encodeYAML is the JSON of v in YAML's block style: the same names in the same order.
func encodeYAML(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	var n yaml.Node
	if err := yaml.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	plainStyle(&n)
	if b, err = yaml.Marshal(&n); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	_, err = io.WriteString(w, cleanLines(strings.TrimRight(string(b), "\n"))+"\n")
	return err
}

// plainStyle takes the quotes and brackets of JSON away where YAML needs none.
func plainStyle(n *yaml.Node) {
	empty := n.Kind != yaml.ScalarNode && len(n.Content) == 0
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && !plainScalar(n.Value) {
		n.Style = yaml.DoubleQuotedStyle
	} else if !empty {
		n.Style = 0
	}
	for _, c := range n.Content {
		plainStyle(c)
	}
}

// plainScalar reports words that mean themselves in every version of YAML.
func plainScalar(s string) bool {
	switch strings.ToLower(s) {
	case "", "true", "false", "yes", "no", "on", "off", "y", "n", "null":
		return false
	}
	if s[0] < 'A' || s[0] > 'z' || s[0] > 'Z' && s[0] < 'a' {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.' && r != '/'
	}) < 0
}

// rows is a table: a head and lines, in columns. An empty table says so.
func rows(head []string, lines [][]string) func(io.Writer) error {
	return func(w io.Writer) error {
		if len(lines) == 0 {
			_, err := fmt.Fprintln(w, "none")
			return err
		}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(t, strings.Join(head, "\t"))
		for _, line := range lines {
			for i := range line {
				line[i] = clean(line[i])
			}
			_, _ = fmt.Fprintln(t, strings.TrimRight(strings.Join(line, "\t"), "\t"))
		}
		return t.Flush()
	}
}

// facts is a list of names and values; empty values are left out.
func facts(pairs ...string) func(io.Writer) error {
	return func(w io.Writer) error {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i+1] == "" {
				continue
			}
			if _, err := fmt.Fprintf(w, "%-12s %s\n", pairs[i], clean(pairs[i+1])); err != nil {
				return err
			}
		}
		return nil
	}
}

// said is one line of text.
func said(format string, args ...any) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := fmt.Fprintln(w, clean(fmt.Sprintf(format, args...)))
		return err
	}
}

// note tells whoever watches something that is not data.
func (a *app) note(format string, args ...any) {
	_, _ = fmt.Fprintln(a.Err, clean(fmt.Sprintf(format, args...)))
}

// printError says what happened, where, why and how to fix it, of every error there is.
func (a *app) printError(err error) {
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		for _, one := range many.Unwrap() {
			a.printError(one)
		}
		return
	}
	var f *fault.Error
	if !errors.As(err, &f) {
		_, _ = fmt.Fprintf(a.Err, "error: %s\n", cleanLines(err.Error()))
		return
	}
	what := f.What
	if !f.Where.IsZero() {
		what = f.Where.String() + ": " + what
	}
	_, _ = fmt.Fprintf(a.Err, "error: %s\n", clean(what))
	for _, part := range []struct{ name, text string }{{"why", f.Why}, {"fix", f.Fix}, {"field", f.Field}, {"code", f.Code}} {
		if part.text != "" {
			_, _ = fmt.Fprintf(a.Err, "  %-6s %s\n", part.name+":", clean(part.text))
		}
	}
}
