package bundle

import (
	"strings"
	"unicode/utf8"

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
		return e.inBlock(p, line, column)
	case line == 1:
		p.Column += column
		if e.node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
			p.Column++
		}
	}
	return p
}

// inBlock finds the place in a block whose lines begin below start: a folded one
// joins lines of the file to one of the text.
func (e *Expression) inBlock(start fault.Position, line, column int) fault.Position {
	text := []rune(e.Text)
	offset := column
	for at, n := 0, 1; n < line && at < len(text); at++ {
		if text[at] == '\n' {
			n, offset = n+1, at+1+column
		}
	}
	p := start
	for at, n := 0, start.Line; n < len(e.src.lines); n++ {
		written := e.src.lines[n]
		part := []rune(strings.TrimSpace(written))
		for at < len(text) && (text[at] == ' ' || text[at] == '\n') {
			at++
		}
		if len(part) == 0 {
			continue
		}
		if at+len(part) > len(text) || string(text[at:at+len(part)]) != string(part) {
			break
		}
		indent := utf8.RuneCountInString(written) - utf8.RuneCountInString(strings.TrimLeft(written, " "))
		p.Line, p.Column = n+1, 1+indent
		if at += len(part); offset < at {
			p.Column += max(0, offset-(at-len(part)))
			break
		}
	}
	return p
}

// Unplaced is a condition that stands in no file.
func Unplaced(text string) *Expression {
	return &Expression{Text: text, node: &yaml.Node{Kind: yaml.ScalarNode, Value: text}, src: &source{}}
}
