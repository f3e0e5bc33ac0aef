package conform

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/fault"
)

// reason is how a value does not meet a schema.
type reason uint8

const (
	fine reason = iota
	wrongKind
	notListed
	notConstant
	notMatched
	notFormed
	tooShort
	tooLong
	tooSmall
	tooGreat
	missingName
	unknownName
	tooFew
	tooMany
	repeated    // the element stands in its list before
	stoodBefore // the string stands in the document before, under the same name
	several     // of the alternatives hold
	none        // of the alternatives holds
	forbidden   // the schema of not holds
)

// flaw is a breach that may yet be made up for by an alternative: kept small,
// and put into words only when nothing does.
type flaw struct {
	why   reason
	node  *node
	at    int    // offset of the value, or of the name that is unknown
	first int    // where an equal value stands: an index, or an offset
	sum   uint64 // of a value that stands twice
	inner *flaw  // of none: that of the alternative that came closest
}

// explain is the fault for a flaw. Where a value stood first is found in a
// second reading: to keep it for every value would double what is kept.
func (r *run) explain(bad flaw) error {
	if bad.sum != 0 && r.sought == 0 {
		return r.schema.check(r.doc, bad.sum)
	}
	pointer, value := r.find(bad.at)
	path := dotted(pointer)
	f := r.words(bad, path, value)
	return f.At(place(r.doc, bad.at)).On(pointer)
}

// find goes through the document again up to an offset: which value begins
// there, and the value if it is none of several.
func (r *run) find(at int) (pointer string, value []byte) {
	again := run{doc: r.doc, dec: jsontext.NewDecoder(bytes.NewBuffer(r.doc))}
	for {
		begin := again.start()
		t, err := again.dec.ReadToken()
		if err != nil {
			return "", nil
		}
		if begin >= at {
			end := again.dec.InputOffset()
			if k := t.Kind(); k == '{' || k == '[' {
				end = int64(begin) + 1
			}
			return string(again.dec.StackPointer()), r.doc[begin:end]
		}
	}
}

// dotted is a JSON pointer for people: metadata.tools.0.name.
func dotted(pointer string) string {
	if pointer == "" {
		return "the document"
	}
	path := strings.NewReplacer("~1", "/", "~0", "~").Replace(strings.ReplaceAll(pointer[1:], "/", "."))
	if len(path) > 300 {
		path = "…" + strings.ToValidUTF8(path[len(path)-300:], "")
	}
	return path
}

// shown is a value as an error shows it.
func shown(value []byte) string {
	switch {
	case len(value) == 0:
		return "nothing"
	case value[0] == '{':
		return "an object"
	case value[0] == '[':
		return "a list"
	case value[0] == '"':
		text, _ := jsontext.AppendUnquote(nil, value)
		return short(string(text))
	case len(value) > maxShown:
		return string(value[:maxShown]) + "…"
	}
	return string(value)
}

func (r *run) words(bad flaw, path string, value []byte) *fault.Error {
	is := fmt.Sprintf("%s is %s", path, shown(value))
	n := bad.node
	switch bad.why {
	case wrongKind:
		return breach(is, "it must be "+n.kindsInWords())
	case notListed:
		return breach(is, oneOf(n.words))
	case notConstant:
		return breach(is, "it must be "+n.shown)
	case notMatched:
		return breach(is, "it must match "+n.source)
	case notFormed:
		return breach(is, "it is not "+formatNames[n.format])
	case tooShort, tooLong:
		return breach(is, "it must have "+between(n.minChars, n.maxChars)+" characters")
	case tooSmall:
		return breach(is, "it must be at least "+n.min.String())
	case tooGreat:
		return breach(is, "it must be at most "+n.max.String())
	case tooFew, tooMany:
		least, most := n.minItems, n.maxItems
		if n.noRest {
			most = len(n.tuple)
		}
		return breach(fmt.Sprintf("%s has too few or too many elements", path), "it must have "+between(least, most))
	}
	return r.wordsOfMany(bad, path, is)
}

// wordsOfMany are for what concerns more than one value, or several schemas.
func (r *run) wordsOfMany(bad flaw, path, is string) *fault.Error {
	n := bad.node
	switch bad.why {
	case missingName:
		return breach(fmt.Sprintf("%s has no %s", path, short(n.needed[bad.first])), "it is required")
	case unknownName:
		return breach(path+" is not known", "no such name stands there in this version of the format")
	case repeated:
		return breach(path+" repeats an element of its list", fmt.Sprintf("element %d is equal to it, and they must differ", bad.first))
	case stoodBefore:
		return breach(is, fmt.Sprintf("it stands at %s already, and must be unique", place(r.doc, bad.first)))
	case several:
		return breach(path+" has more than one of the forms that exclude each other", "one of them must be chosen"+n.alternatives())
	case none:
		if names := n.alternatives(); names != "" && bad.inner.why == missingName {
			return breach(path+" has none of the forms it may have", "one of them must be chosen"+names)
		}
		return r.wordsOfNone(bad)
	default:
		return breach(path+" has a form that it may not have", n.forbids())
	}
}

// wordsOfNone say of no alternative that holds how the closest one fails.
func (r *run) wordsOfNone(bad flaw) *fault.Error {
	innermost := bad.inner
	for innermost.why == none {
		innermost = innermost.inner
	}
	pointer, value := r.find(innermost.at)
	if innermost.why == unknownName {
		return breach(dotted(pointer)+" may not stand there", "no form of what it stands in has that name beside the others")
	}
	return r.words(*innermost, dotted(pointer), value)
}

// alternatives are the names that tell the forms of an object apart, where
// names do.
func (n *node) alternatives() string {
	var names []string
	for _, p := range n.parts {
		if p.role != one && p.role != any1 {
			continue
		}
		if len(p.node.needed) == 0 {
			return ""
		}
		names = append(names, strings.Join(quotedAll(p.node.needed), " with "))
	}
	if len(names) == 0 {
		return ""
	}
	return ": " + strings.Join(slices.Compact(names), " or ")
}

func quotedAll(names []string) []string {
	var out []string
	for _, name := range names {
		out = append(out, short(name))
	}
	return out
}

// forbids says what the schema of not admits, as far as names say it.
func (n *node) forbids() string {
	for _, p := range n.parts {
		if p.role == never && len(p.node.needed) > 0 {
			return "these must not stand together or at all: " + strings.Join(quotedAll(p.node.needed), ", ")
		}
	}
	return "the schema excludes it"
}

func (n *node) kindsInWords() string {
	var names []string
	for _, k := range kindNames {
		if n.kinds&k.kind != 0 {
			names = append(names, k.say)
		}
	}
	return strings.Join(names, " or ")
}

func between(least, most int) string {
	switch {
	case most < 0:
		return fmt.Sprintf("at least %d", least)
	case least == most:
		return fmt.Sprintf("exactly %d", least)
	}
	return fmt.Sprintf("%d to %d", least, most)
}

// String is d as people write it.
func (d decimal) String() string {
	switch {
	case d.digits == "":
		return "0"
	case d.exp >= 0 && d.exp < 20 && d.whole():
		s := d.digits + strings.Repeat("0", int(d.exp)-len(d.digits))
		if d.negative {
			s = "-" + s
		}
		return s
	}
	return d.text()
}
