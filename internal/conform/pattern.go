package conform

import (
	"fmt"
	"regexp"
	"strings"
)

// CompileECMA compiles a regular expression of ECMA-262, as JSON Schema has
// them, with what differs in Go: the point, and white space. What Go cannot
// express is refused.
func CompileECMA(pattern string) (*regexp.Regexp, error) {
	const ends, space = `\n\r\x{2028}\x{2029}`, `\t\n\v\f\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`
	return translate(pattern, "[^"+ends+"]", space)
}

// compileXSD compiles one of XML Schema (part 2, appendix F), which must match
// the whole of a value. Subtraction of classes and named classes are refused.
func compileXSD(pattern string) (*regexp.Regexp, error) {
	if odd := oddXSD(pattern); odd != "" {
		return nil, fmt.Errorf("the pattern %q has %q, which is not read", pattern, odd)
	}
	re, err := translate(pattern, `[^\n\r]`, `\t\n\r `)
	if err != nil {
		return nil, err
	}
	return regexp.Compile(`^(?:` + re.String() + `)$`)
}

// oddXSD is what in a pattern means another thing in Go, "" where nothing does.
func oddXSD(pattern string) string {
	class := false
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern):
			if i++; strings.IndexByte("pPiIcC", pattern[i]) >= 0 {
				return pattern[i-1 : i+1]
			}
		case class && c == '[', !class && (c == '^' || c == '$'):
			return string(c)
		default:
			class = c == '[' || class && c != ']'
		}
	}
	return ""
}

// translate writes the point and \s out as what they match.
func translate(pattern, point, space string) (*regexp.Regexp, error) {
	var out strings.Builder
	class := false
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern):
			i++
			switch {
			case pattern[i] != 's':
				out.WriteString(pattern[i-1 : i+1])
			case class:
				out.WriteString(space)
			default:
				out.WriteString("[" + space + "]")
			}
		case c == '.' && !class:
			out.WriteString(point)
		default:
			class = c == '[' || class && c != ']'
			out.WriteByte(c)
		}
	}
	re, err := regexp.Compile(out.String())
	if err != nil {
		return nil, fmt.Errorf("the pattern %q cannot be read: %w", pattern, err)
	}
	return re, nil
}
