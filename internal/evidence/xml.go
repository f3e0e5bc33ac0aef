package evidence

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"

	"golang.org/x/text/encoding/charmap"

	"signalbox.dev/signalbox/internal/fault"
)

// Bounds within one XML document.
const (
	maxDepth = 100      // of elements
	maxTag   = 1 << 20  // bytes of one tag
	maxText  = 32 << 20 // bytes of one text, comment or CDATA section
)

// XMLReader takes a document of one format piece by piece. The names of the
// elements around come outermost first.
type XMLReader interface {
	Open(around []xml.Name, e xml.StartElement) error
	// Text gets the text directly within an element, in one or several pieces
	// that are only lent.
	Text(around []xml.Name, text []byte) error
	Shut(around []xml.Name, name xml.Name) error
	Claim() (Claim, error)
}

// ReadXML walks through a document. Pick chooses its reader by the root
// element and the document type ("" without one), or returns an error.
func ReadXML(b []byte, pick func(root xml.StartElement, doctype string) (XMLReader, error)) (Claim, error) {
	if err := tokensBounded(b); err != nil {
		return Claim{}, err
	}
	w := walk{d: xml.NewDecoder(bytes.NewReader(b)), pick: pick}
	w.d.CharsetReader = charset
	for {
		token, err := w.d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = w.take(token)
		}
		if err != nil {
			return Claim{}, w.failed(err)
		}
	}
	if w.reader == nil {
		return Claim{}, w.failed(fault.Invalidf("evidence.xml", "the report holds no element"))
	}
	return w.reader.Claim()
}

// walk is the way through one document.
type walk struct {
	d       *xml.Decoder
	pick    func(xml.StartElement, string) (XMLReader, error)
	around  []xml.Name
	reader  XMLReader
	doctype string
	closed  bool
}

func (w *walk) failed(err error) error {
	line, column := w.d.InputPos()
	at := fault.Position{Line: line, Column: column}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		if f.Where.IsZero() {
			f.Where = at
		}
		return f
	}
	why := err.Error()
	if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
		why, at.Line = syntax.Msg, syntax.Line
	}
	return fault.Invalidf("evidence.xml", "the XML cannot be read").Because(why).At(at).
		Remedy("it is cut short or damaged: write it again").Cause(err)
}

func (w *walk) take(token xml.Token) error {
	switch t := token.(type) {
	case xml.StartElement:
		return w.open(t)
	case xml.EndElement:
		w.around = w.around[:len(w.around)-1]
		w.closed = len(w.around) == 0
		return w.reader.Shut(w.around, t.Name)
	case xml.CharData:
		if len(w.around) > 0 {
			return w.reader.Text(w.around, t)
		}
		if len(bytes.TrimSpace(t)) > 0 {
			return fault.Invalidf("evidence.xml", "text stands outside of the document's element")
		}
	case xml.Directive:
		return w.declared(string(t))
	}
	return nil
}

func (w *walk) open(e xml.StartElement) (err error) {
	if w.closed {
		return fault.Invalidf("evidence.xml", "a second document follows the first")
	}
	if len(w.around) >= maxDepth {
		return TooLarge("evidence.depth", "the report is nested deeper than %d", maxDepth)
	}
	for i, a := range e.Attr {
		for _, b := range e.Attr[:i] {
			if a.Name == b.Name {
				return fault.Invalidf("evidence.xml", "the attribute %q stands twice in one tag", a.Name.Local)
			}
		}
		if i >= 100 {
			return TooLarge("evidence.width", "a tag has more than %d attributes", 100)
		}
	}
	if w.reader == nil {
		if w.reader, err = w.pick(e, w.doctype); err != nil {
			return err
		}
	}
	err = w.reader.Open(w.around, e)
	w.around = append(w.around, e.Name)
	return err
}

// doctype is a document type declaration that names at most an external
// definition, which is never fetched.
var doctype = regexp.MustCompile(`^DOCTYPE\s+[\w:.-]+(?:\s+(?:SYSTEM\s+(?:"[^"]*"|'[^']*')|PUBLIC\s+(?:"[^"]*"|'[^']*')\s+(?:"[^"]*"|'[^']*')))?\s*$`)

func (w *walk) declared(d string) error {
	if len(w.around) > 0 || w.closed || w.reader != nil || w.doctype != "" || !doctype.MatchString(d) {
		return fault.Invalidf("evidence.xml-dtd", "the report declares more than the name of its document type").
			Because("definitions and entities within a report are not read").Remedy("write it without an internal subset")
	}
	w.doctype = d
	return nil
}

func charset(label string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "us-ascii", "ascii":
		return in, nil
	case "iso-8859-1", "latin1":
		return charmap.ISO8859_1.NewDecoder().Reader(in), nil
	case "windows-1252", "cp1252":
		return charmap.Windows1252.NewDecoder().Reader(in), nil
	}
	return nil, fault.Invalidf("evidence.encoding", "the encoding %q is not read", Cut(label, 40)).Remedy("write the report in UTF-8")
}

// tokensBounded refuses tags and texts so long that decoding them would take
// more memory than a report needs. It does not judge the syntax.
func tokensBounded(b []byte) error {
	for i := 0; i < len(b); {
		n, limit := tokenLength(b[i:]), maxText
		if b[i] == '<' && !bytes.HasPrefix(b[i:], []byte("<!")) {
			limit = maxTag
		}
		if n > limit {
			return TooLarge("evidence.width", "one tag or text is longer than %d bytes", limit).At(Place(b, i))
		}
		i += n
	}
	return nil
}

// tokenLength is about how long the tag or text is that b begins with.
func tokenLength(b []byte) int {
	until, start := "<", 0
	switch {
	case bytes.HasPrefix(b, []byte("<!--")):
		until, start = "-->", 4
	case bytes.HasPrefix(b, []byte("<![CDATA[")):
		until, start = "]]>", 9
	case bytes.HasPrefix(b, []byte("<?")):
		until, start = "?>", 2
	case b[0] == '<':
		return tagLength(b)
	}
	if i := bytes.Index(b[start:], []byte(until)); i >= 0 {
		n := start + i
		if until != "<" {
			n += len(until)
		}
		return max(n, 1)
	}
	return len(b)
}

// tagLength ends at the first > outside of quotes.
func tagLength(b []byte) int {
	quote := byte(0)
	for i, c := range b {
		switch {
		case i > maxTag:
			return i + 1
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return len(b)
}

// Attributes are those of a tag that are in no namespace, by name.
func Attributes(e xml.StartElement) map[string]string {
	m := make(map[string]string, len(e.Attr))
	for _, a := range e.Attr {
		if a.Name.Space == "" {
			m[a.Name.Local] = a.Value
		}
	}
	return m
}
