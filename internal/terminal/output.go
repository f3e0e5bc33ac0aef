package terminal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"go.yaml.in/yaml/v4"
)

// JSON writes v indented; what a terminal would act on stands there as escapes.
func JSON(w io.Writer, v any) error {
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

// YAML writes the JSON of v in YAML's block style: the same names in the same order.
func YAML(w io.Writer, v any) error {
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
	_, err = io.WriteString(w, CleanLines(strings.TrimRight(string(b), "\n"))+"\n")
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

// Rows is a table: a head and lines, in columns. An empty table says so.
func Rows(head []string, lines [][]string) func(io.Writer) error {
	return func(w io.Writer) error {
		if len(lines) == 0 {
			_, err := fmt.Fprintln(w, "none")
			return err
		}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(t, strings.Join(head, "\t"))
		for _, line := range lines {
			for i := range line {
				line[i] = Clean(line[i])
			}
			_, _ = fmt.Fprintln(t, strings.TrimRight(strings.Join(line, "\t"), "\t"))
		}
		return t.Flush()
	}
}

// Facts is a list of names and values; empty values are left out.
func Facts(pairs ...string) func(io.Writer) error {
	return func(w io.Writer) error {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i+1] == "" {
				continue
			}
			if _, err := fmt.Fprintf(w, "%-12s %s\n", pairs[i], Clean(pairs[i+1])); err != nil {
				return err
			}
		}
		return nil
	}
}

// Said is one line of text.
func Said(format string, args ...any) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := fmt.Fprintln(w, Clean(fmt.Sprintf(format, args...)))
		return err
	}
}
