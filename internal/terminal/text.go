package terminal

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Colours, as SGR parameters.
const (
	bold    = "1"
	red     = "31"
	green   = "32"
	yellow  = "33"
	magenta = "35"
)

func paint(colour bool, sgr, text string) string {
	if !colour {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

// Clean is text that a terminal only shows: line breaks and tabs become
// spaces, and whatever a terminal would act on or hide becomes a visible mark.
func Clean(s string) string { return strings.Map(shown, s) }

// CleanLines is clean for text of several lines.
func CleanLines(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return shown(r)
	}, s)
}

func shown(r rune) rune {
	switch {
	case r == '\n' || r == '\r' || r == '\t':
		return ' '
	case hidden(r):
		return utf8.RuneError
	}
	return r
}

// hidden reports what a terminal acts on (C0 and C1 controls), or what makes
// text read otherwise than it is (bidirectional controls, zero width).
func hidden(r rune) bool {
	return unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
}

// escapeJSON writes what a terminal would act on or hide as JSON escapes; it
// changes no value, for in JSON such characters stand only within strings.
func escapeJSON(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || !hidden(r):
			b.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			hi, lo := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		}
	}
	return b.String()
}

// wrap breaks text at spaces into lines of at most width characters; a longer
// word stays whole.
func wrap(text string, width int) []string {
	var lines []string
	line, length := "", 0
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		if length > 0 && length+1+n > width {
			lines, line, length = append(lines, line), "", 0
		}
		if length > 0 {
			line, length = line+" ", length+1
		}
		line, length = line+word, length+n
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
