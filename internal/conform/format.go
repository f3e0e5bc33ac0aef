package conform

import (
	"bytes"
	"net/netip"
	"regexp"
	"strings"
	"unicode/utf8"
)

// formats are those of draft 7 (section 7.3) that the schemas in use name.
var formats = map[string]func([]byte) bool{
	"date":          isDate,
	"date-time":     isDateTime,
	"idn-email":     isEmail,
	"iri-reference": func(b []byte) bool { return isReference(b, true) },
	"uri":           func(b []byte) bool { return isReference(b, false) && schemeLength(b) > 0 },
}

var formatNames = map[string]string{
	"date":          "a date (RFC 3339), such as 2006-01-31",
	"date-time":     "a date with time and zone (RFC 3339), such as 2006-01-31T15:04:05Z",
	"idn-email":     "an e-mail address (RFC 6531)",
	"iri-reference": "an internationalised resource identifier or a relative one (RFC 3987)",
	"uri":           "a uniform resource identifier (RFC 3986)",
}

// digits reads a number of exactly len(b) digits.
func digits(b []byte) (int, bool) {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(b) > 0
}

// daysIn are the days of a month of the Gregorian calendar.
func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// isDate is full-date of RFC 3339.
func isDate(b []byte) bool {
	if len(b) != 10 || b[4] != '-' || b[7] != '-' {
		return false
	}
	y, ok1 := digits(b[:4])
	m, ok2 := digits(b[5:7])
	d, ok3 := digits(b[8:])
	return ok1 && ok2 && ok3 && m >= 1 && m <= 12 && d >= 1 && d <= daysIn(y, m)
}

// isDateTime is date-time of RFC 3339. A leap second stands at the end of a day in UTC.
func isDateTime(b []byte) bool {
	if len(b) < 20 || !isDate(b[:10]) || b[10] != 'T' && b[10] != 't' {
		return false
	}
	minute, second, rest, ok := clock(b[11:])
	if !ok {
		return false
	}
	if len(rest) > 0 && rest[0] == '.' {
		n := 1
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		if n == 1 {
			return false
		}
		rest = rest[n:]
	}
	offset, ok := zone(rest)
	return ok && (second < 60 || (minute-offset+2*24*60)%(24*60) == 24*60-1)
}

// clock reads hh:mm:ss: the minute of the day and the second.
func clock(b []byte) (minute, second int, rest []byte, ok bool) {
	if len(b) < 8 || b[2] != ':' || b[5] != ':' {
		return 0, 0, nil, false
	}
	h, ok1 := digits(b[:2])
	m, ok2 := digits(b[3:5])
	s, ok3 := digits(b[6:8])
	return h*60 + m, s, b[8:], ok1 && ok2 && ok3 && h < 24 && m < 60 && s <= 60
}

// zone reads Z or an offset, as minutes east.
func zone(b []byte) (int, bool) {
	if len(b) == 1 {
		return 0, b[0] == 'Z' || b[0] == 'z'
	}
	if len(b) != 6 || b[0] != '+' && b[0] != '-' || b[3] != ':' {
		return 0, false
	}
	h, ok1 := digits(b[1:3])
	m, ok2 := digits(b[4:])
	n := h*60 + m
	if b[0] == '-' {
		n = -n
	}
	return n, ok1 && ok2 && h < 24 && m < 60
}

// isEmail is Mailbox of RFC 5321 section 4.1.2 with the letters of RFC 6531;
// the length of its parts is bounded as there.
func isEmail(b []byte) bool {
	i := bytes.LastIndexByte(b, '@')
	if i < 1 || i > 64 || len(b) > 320 || !utf8.Valid(b) {
		return false
	}
	return isLocalPart(b[:i]) && isDomain(b[i+1:])
}

const atoms = "!#$%&'*+-/=?^_`{|}~"

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || isAlpha(c)
}

func isAlpha(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isLocalPart(b []byte) bool {
	if b[0] == '"' {
		return isQuoted(b)
	}
	for i, c := range b {
		switch {
		case c == '.':
			if i == 0 || i == len(b)-1 || b[i-1] == '.' {
				return false
			}
		case c < utf8.RuneSelf && !isAlnum(c) && strings.IndexByte(atoms, c) < 0:
			return false
		}
	}
	return true
}

func isQuoted(b []byte) bool {
	if len(b) < 3 || b[len(b)-1] != '"' {
		return false
	}
	inside := b[1 : len(b)-1]
	for i := 0; i < len(inside); i++ {
		switch c := inside[i]; {
		case c == '\\':
			if i++; i == len(inside) {
				return false
			}
		case c == '"' || c < ' ' || c == 0x7f:
			return false
		}
	}
	return true
}

// isDomain is a name of labels, or an address literal in brackets.
func isDomain(b []byte) bool {
	if len(b) == 0 || len(b) > 255 {
		return false
	}
	if b[0] == '[' {
		return b[len(b)-1] == ']' && isAddress(string(bytes.TrimPrefix(b[1:len(b)-1], []byte("IPv6:"))))
	}
	for label := range bytes.SplitSeq(b, []byte(".")) {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range label {
			if c < utf8.RuneSelf && !isAlnum(c) && c != '-' {
				return false
			}
		}
	}
	return true
}

func isAddress(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Zone() == ""
}

// schemeLength is that of the scheme of RFC 3986 section 3.1 that b begins
// with, or 0.
func schemeLength(b []byte) int {
	i := bytes.IndexAny(b, ":/?#")
	if i < 1 || b[i] != ':' || !isAlpha(b[0]) {
		return 0
	}
	for _, c := range b[:i] {
		if !isAlnum(c) && c != '+' && c != '-' && c != '.' {
			return 0
		}
	}
	return i
}

// isReference is URI-reference of RFC 3986, or with wide IRI-reference of RFC
// 3987: letters beyond ASCII, but private ones in the query alone.
func isReference(b []byte, wide bool) bool {
	if !utf8.Valid(b) {
		return false
	}
	rest := b
	n := schemeLength(b)
	if n > 0 {
		rest = rest[n+1:]
	}
	rest, fragment, _ := bytes.Cut(rest, []byte("#"))
	rest, query, _ := bytes.Cut(rest, []byte("?"))
	path := rest
	if after, has := bytes.CutPrefix(rest, []byte("//")); has {
		end := bytes.IndexByte(after, '/')
		if end < 0 {
			end = len(after)
		}
		if !isAuthority(after[:end], wide) {
			return false
		}
		path = after[end:]
	} else if n == 0 {
		first, _, _ := bytes.Cut(path, []byte("/"))
		if bytes.IndexByte(first, ':') >= 0 {
			return false
		}
	}
	return made(path, ":@/", wide, false) && made(query, ":@/?", wide, true) && made(fragment, ":@/?", wide, false)
}

func isAuthority(b []byte, wide bool) bool {
	if i := bytes.LastIndexByte(b, '@'); i >= 0 {
		if !made(b[:i], ":", wide, false) {
			return false
		}
		b = b[i+1:]
	}
	host := b
	if i := bytes.LastIndexByte(b, ':'); i >= 0 && bytes.IndexByte(b[i:], ']') < 0 {
		host = b[:i]
		if port := b[i+1:]; len(bytes.Trim(port, "0123456789")) > 0 {
			return false
		}
	}
	if len(host) > 0 && host[0] == '[' {
		return host[len(host)-1] == ']' && isLiteral(host[1:len(host)-1])
	}
	return made(host, "", wide, false)
}

var futureAddress = regexp.MustCompile(`^[vV][0-9a-fA-F]+\.[\w.~!$&'()*+,;=:-]+$`)

// isLiteral is what may stand in brackets as a host.
func isLiteral(b []byte) bool {
	if futureAddress.Match(b) {
		return true
	}
	return bytes.IndexByte(b, ':') >= 0 && isAddress(string(b))
}

// made reports whether b is made of unreserved letters, sub-delimiters, whole
// percent-encodings and those more; with wide also of letters beyond ASCII.
func made(b []byte, more string, wide, private bool) bool {
	const plain = "-._~!$&'()*+,;="
	for i := 0; i < len(b); {
		c := b[i]
		switch {
		case c >= utf8.RuneSelf:
			letter, size := utf8.DecodeRune(b[i:])
			if !wide || !isUcs(letter) && !(private && isPrivate(letter)) {
				return false
			}
			i += size
			continue
		case c == '%':
			if i+2 >= len(b) || !isHex(b[i+1]) || !isHex(b[i+2]) {
				return false
			}
			i += 2
		case !isAlnum(c) && strings.IndexByte(plain, c) < 0 && strings.IndexByte(more, c) < 0:
			return false
		}
		i++
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func isPrivate(c rune) bool {
	return c >= 0xE000 && c <= 0xF8FF || c >= 0xF0000 && c <= 0xFFFFD || c >= 0x100000 && c <= 0x10FFFD
}

// isUcs is ucschar of RFC 3987 section 2.2.
func isUcs(c rune) bool {
	switch {
	case c >= 0xA0 && c <= 0xD7FF, c >= 0xF900 && c <= 0xFDCF, c >= 0xFDF0 && c <= 0xFFEF:
		return true
	case c < 0x10000 || c >= 0xF0000:
		return false
	}
	return c&0xFFFF <= 0xFFFD && (c < 0xE0000 || c >= 0xE1000)
}

// Format reports whether a text is of a format that JSON Schema names.
func Format(name string, text []byte) bool { return formats[name](text) }
