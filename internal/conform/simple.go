package conform

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// simpleForm is a simple type as written: a restriction of Base by the rest,
// or a union.
type simpleForm struct {
	Base     string   `json:"base"`
	Enum     []string `json:"enum"`
	Patterns []string `json:"patterns"` // one of them must match
	MinChars *int     `json:"minLength"`
	MaxChars *int     `json:"maxLength"`
	Minimum  *string  `json:"minimum"` // inclusive
	Maximum  *string  `json:"maximum"`
	Places   *int     `json:"places"` // at most, after the decimal point
	Union    []string `json:"union"`
}

// simpleType is a type of texts.
type simpleType struct {
	base     *simpleType // nil: builtin
	builtin  string
	union    []*simpleType
	enum     map[string]bool
	words    []string
	patterns []*regexp.Regexp
	sources  []string
	minChars int
	maxChars int // -1 is no bound
	min, max *decimal
	places   int // -1 is no bound
}

// space is what a type does with white space before all else.
type space int

const (
	preserve space = iota
	replace        // tabs and ends of lines are blanks
	collapse       // and several blanks one, none at the ends
)

// builtins are the types of XML Schema part 2 that the schemas in use name.
var builtins = map[string]struct {
	space space
	is    func([]byte) bool
	say   string
}{
	"xs:string":             {preserve, func([]byte) bool { return true }, "a text"},
	"xs:normalizedString":   {replace, func([]byte) bool { return true }, "a text"},
	"xs:token":              {collapse, func([]byte) bool { return true }, "a text"},
	"xs:boolean":            {collapse, isBoolean, "true or false"},
	"xs:integer":            {collapse, isInt, "a whole number"},
	"xs:nonNegativeInteger": {collapse, func(b []byte) bool { return isInt(b) && signOf(b) >= 0 }, "a whole number of 0 or more"},
	"xs:positiveInteger":    {collapse, func(b []byte) bool { return isInt(b) && signOf(b) > 0 }, "a whole number of 1 or more"},
	"xs:decimal":            {collapse, isDecimal, "a number"},
	"xs:date":               {collapse, isXMLDate, "a date (XML Schema), such as 2006-01-31"},
	"xs:dateTime":           {collapse, isXMLDateTime, "a date with time (XML Schema), such as 2006-01-31T15:04:05Z"},
	"xs:anyURI":             {collapse, isAnyURI, "a reference to a resource (RFC 3986)"},
}

func (c *xmlCompiler) simpleType(typ string) (*simpleType, error) {
	if t, done := c.simple[typ]; done {
		if t == nil {
			return nil, fmt.Errorf("the type %q is made of itself", typ)
		}
		return t, nil
	}
	c.simple[typ] = nil
	t, err := c.build(typ)
	if err != nil {
		return nil, err
	}
	c.simple[typ] = t
	return t, nil
}

func (c *xmlCompiler) build(typ string) (*simpleType, error) {
	t := &simpleType{maxChars: -1, places: -1}
	if _, known := builtins[typ]; known {
		t.builtin = typ
		return t, nil
	}
	f, there := c.form.Simple[typ]
	if words, listed := c.lists[typ]; listed && !there {
		f, there = simpleForm{Base: "xs:string", Enum: words}, true
	}
	if !there {
		return nil, fmt.Errorf("the type %q is not defined", typ)
	}
	for _, member := range f.Union {
		u, err := c.simpleType(member)
		if err != nil {
			return nil, err
		}
		t.union = append(t.union, u)
	}
	if len(t.union) > 0 {
		return t, nil
	}
	return t, c.restrict(t, f)
}

func (c *xmlCompiler) restrict(t *simpleType, f simpleForm) (err error) {
	if t.base, err = c.simpleType(f.Base); err != nil {
		return err
	}
	if f.Enum != nil {
		t.enum, t.words = map[string]bool{}, slices.Sorted(slices.Values(f.Enum))
		for _, w := range f.Enum {
			t.enum[w] = true
		}
	}
	for _, p := range f.Patterns {
		re, err := compileXSD(p)
		if err != nil {
			return err
		}
		t.patterns, t.sources = append(t.patterns, re), append(t.sources, p)
	}
	t.minChars, t.maxChars = orZero(f.MinChars), orNone(f.MaxChars)
	t.places = orNone(f.Places)
	for _, b := range []struct {
		from *string
		to   **decimal
	}{{f.Minimum, &t.min}, {f.Maximum, &t.max}} {
		if b.from == nil {
			continue
		}
		d, ok := parseDecimal(*b.from)
		if !ok {
			return fmt.Errorf("the bound %q is not a number", *b.from)
		}
		*b.to = &d
	}
	return nil
}

// normal is a text after what the type does with white space.
func (t *simpleType) normal(b []byte) []byte {
	for t.base != nil {
		t = t.base
	}
	switch builtins[t.builtin].space {
	case replace:
		if bytes.ContainsAny(b, "\t\n\r") {
			return bytes.Map(func(r rune) rune {
				if r == '\t' || r == '\n' || r == '\r' {
					return ' '
				}
				return r
			}, b)
		}
	case collapse:
		b = bytes.Trim(b, " \t\n\r")
		if bytes.ContainsAny(b, "\t\n\r") || bytes.Contains(b, []byte("  ")) {
			fields := bytes.FieldsFunc(b, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' })
			return bytes.Join(fields, []byte(" "))
		}
	}
	return b
}

// check says why a text is not of the type, "" where it is.
func (t *simpleType) check(b []byte) string {
	if len(t.union) > 0 {
		var whys []string
		for _, u := range t.union {
			why := u.check(b)
			if why == "" {
				return ""
			}
			whys = append(whys, why)
		}
		return strings.Join(whys, ", or ")
	}
	return t.checkNormal(t.normal(b))
}

func (t *simpleType) checkNormal(b []byte) string {
	if t.base == nil {
		if builtin := builtins[t.builtin]; !builtin.is(b) {
			return "it is not " + builtin.say
		}
		return ""
	}
	if why := t.base.checkNormal(b); why != "" {
		return why
	}
	switch {
	case t.enum != nil && !t.enum[string(b)]:
		return oneOf(t.words)
	case len(t.patterns) > 0 && !slices.ContainsFunc(t.patterns, func(re *regexp.Regexp) bool { return re.Match(b) }):
		return "it must match " + strings.Join(t.sources, " or ")
	}
	if chars := utf8.RuneCount(b); chars < t.minChars || t.maxChars >= 0 && chars > t.maxChars {
		return "it must have " + between(t.minChars, t.maxChars) + " characters"
	}
	return t.checkNumber(b)
}

func (t *simpleType) checkNumber(b []byte) string {
	if t.min == nil && t.max == nil && t.places < 0 {
		return ""
	}
	d, _ := parseDecimal(strings.TrimPrefix(string(b), "+"))
	switch {
	case t.min != nil && d.compare(*t.min) < 0:
		return "it must be at least " + t.min.String()
	case t.max != nil && d.compare(*t.max) > 0:
		return "it must be at most " + t.max.String()
	case t.places >= 0 && int64(len(d.digits))-d.exp > int64(t.places):
		return fmt.Sprintf("it may have %d decimal places", t.places)
	}
	return ""
}

func isBoolean(b []byte) bool {
	switch string(b) {
	case "true", "false", "1", "0":
		return true
	}
	return false
}

func unsigned(b []byte) []byte {
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		return b[1:]
	}
	return b
}

func allDigits(b []byte) bool { return len(b) > 0 && len(bytes.Trim(b, "0123456789")) == 0 }

func isInt(b []byte) bool { return allDigits(unsigned(b)) }

func signOf(b []byte) int {
	switch {
	case len(bytes.Trim(unsigned(b), "0")) == 0:
		return 0
	case b[0] == '-':
		return -1
	}
	return 1
}

func isDecimal(b []byte) bool {
	whole, fraction, point := bytes.Cut(unsigned(b), []byte("."))
	if !point {
		return allDigits(whole)
	}
	return (len(whole) == 0 || allDigits(whole)) && (len(fraction) == 0 || allDigits(fraction)) && len(whole)+len(fraction) > 0
}

// isXMLDate is a date of XML Schema part 2, section 3.2.9.
func isXMLDate(b []byte) bool {
	rest, ok := xmlDay(b)
	return ok && isXMLZone(rest)
}

// xmlDay reads a date with a year of four digits or more, never 0.
func xmlDay(b []byte) (rest []byte, ok bool) {
	b = bytes.TrimPrefix(b, []byte("-"))
	n := 0
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	if n < 4 || n > 9 || n > 4 && b[0] == '0' || len(b) < n+6 || b[n] != '-' || b[n+3] != '-' {
		return nil, false
	}
	y, _ := digits(b[:n])
	m, ok1 := digits(b[n+1 : n+3])
	d, ok2 := digits(b[n+4 : n+6])
	return b[n+6:], ok1 && ok2 && y > 0 && m >= 1 && m <= 12 && d >= 1 && d <= daysIn(y, m)
}

// isXMLDateTime is a dateTime of XML Schema part 2, section 3.2.7.
func isXMLDateTime(b []byte) bool {
	rest, ok := xmlDay(b)
	if !ok || len(rest) < 9 || rest[0] != 'T' {
		return false
	}
	body, fraction := rest[1:], []byte(nil)
	time := body[:8]
	rest = body[8:]
	if len(rest) > 0 && rest[0] == '.' {
		n := 1
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		if n == 1 {
			return false
		}
		fraction, rest = rest[1:n], rest[n:]
	}
	if string(time) == "24:00:00" {
		return len(bytes.Trim(fraction, "0")) == 0 && isXMLZone(rest)
	}
	_, second, _, ok := clock(time)
	return ok && second < 60 && isXMLZone(rest)
}

// isXMLZone is a time zone, or none.
func isXMLZone(b []byte) bool {
	if len(b) == 0 || len(b) == 1 && b[0] == 'Z' {
		return true
	}
	offset, ok := zone(b)
	return ok && len(b) == 6 && offset >= -14*60 && offset <= 14*60
}

// isAnyURI is anyURI of XML Schema part 2, section 3.2.17: a reference in which
// what a URI may not hold stands as it is, to be escaped (XLink 1.0, 5.4).
func isAnyURI(b []byte) bool {
	var out []byte
	for _, c := range b {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("<>\"{}|\\^`", c) >= 0 {
			out = fmt.Appendf(out, "%%%02X", c)
		} else {
			out = append(out, c)
		}
	}
	return isReference(out, false)
}
