package bundle

import (
	"strings"

	"go.yaml.in/yaml/v4"

	"signalbox.dev/signalbox/internal/fault"
)

// Expression is the text of a condition and where it stands.
type Expression struct {
	Field string // the key whose value it is
	Text  string
	node  *yaml.Node
	src   *source
}

// Expression is the text of a condition; true, false and numbers are expressions too.
// Nil: there is none.
func (f *Fields) Expression(key string) *Expression {
	n := f.take(key, Shape{Form: FormExpression})
	if n == nil {
		return nil
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" || strings.TrimSpace(n.Value) == "" {
		f.wrong(n, key, "an expression")
		return nil
	}
	return &Expression{Field: key, Text: n.Value, node: n, src: f.src}
}

// At is the place of a line (from 1) and column (from 0) of the text.
func (e *Expression) At(line, column int) fault.Position {
	p := place(e.src, e.node)
	switch {
	case e.node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		p.Line, p.Column = p.Line+line, 1
		if p.Line <= len(e.src.lines) {
			text := e.src.lines[p.Line-1]
			p.Column = 1 + len(text) - len(strings.TrimLeft(text, " "))
		}
		if e.node.Style&yaml.LiteralStyle == 0 {
			return p
		}
		p.Column += column
	case line == 1:
		p.Column += column
		if e.node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
			p.Column++
		}
	}
	return p
}

// Unplaced is a condition that stands in no file.
func Unplaced(text string) *Expression {
	return &Expression{Text: text, node: &yaml.Node{Kind: yaml.ScalarNode, Value: text}, src: &source{}}
}
