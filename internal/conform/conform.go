// Package conform says whether a document conforms to a schema: JSON to JSON
// Schema (draft 7), XML to a compact form of XML Schema 1.0.
//
// It knows the words of both languages that the schemas in use need, and
// refuses a schema with any other when it is compiled, so that no rule is
// passed over in silence. It leaves to its callers which schema is whose. Its
// invariants: a document is gone through once, token by token, and nothing of
// it is kept but digests of what must be unique; a breach says where and why;
// what exceeds a bound is refused, never waved through.
package conform

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"signalbox.dev/signalbox/internal/fault"
)

// Bounds on what is kept of a document.
const (
	maxUnique  = 5_000_000 // values that must differ from each other, at one time
	maxMembers = 500_000   // of objects within such values, at one time
	maxText    = 32 << 20  // bytes of one text
	maxNest    = 1_000     // objects and lists within each other
	maxShown   = 60        // bytes of a value shown in an error
)

// code is that of every breach.
const code = "conform.breach"

// breach is an Invalid fault: the thing at path is not as the schema has it.
func breach(what, why string) *fault.Error {
	return fault.Invalidf(code, "%s", what).Because(why)
}

func tooMuch(format string, args ...any) *fault.Error {
	return fault.New(fault.TooLarge, "conform.too-much", fmt.Sprintf(format, args...))
}

// short is s, quoted and cut for an error.
func short(s string) string {
	if len(s) > maxShown {
		n := maxShown
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n] + "…"
	}
	return strconv.Quote(s)
}

// oneOf lists what a value may be: all of a few, some of many.
func oneOf(sorted []string) string {
	const few = 8
	var shown []string
	for _, s := range sorted[:min(few, len(sorted))] {
		shown = append(shown, short(s))
	}
	text := strings.Join(shown, ", ")
	if more := len(sorted) - few; more > 0 {
		return fmt.Sprintf("it may be one of %d words, such as %s", len(sorted), text)
	}
	if len(sorted) == 1 {
		return "it must be " + text
	}
	return "it may be one of " + text
}

// sum is a digest that tells values apart; two that share one by chance (1 in
// 2^64) are taken for the same, which refuses a document but never admits one.
type sum [12]byte

func sumOf(b []byte) sum {
	full := sha256.Sum256(b)
	return sum(full[:len(sum{})])
}

// short64 is the part of a digest that a set of values keeps. Two in a million
// values share one by chance once in 40 million documents.
func (s sum) short64() uint64 { return binary.LittleEndian.Uint64(s[:8]) }

// distinct is a set of values.
type distinct map[uint64]struct{}

// budget bounds the values in all sets of one document.
type budget int

// add puts a value into the set, and reports whether an equal one is there.
func (b *budget) add(d distinct, v uint64) (twice bool, err error) {
	if _, twice = d[v]; twice {
		return true, nil
	}
	if *b++; *b > maxUnique {
		return false, tooMuch("more than %d elements and references would have to be compared with each other", maxUnique)
	}
	d[v] = struct{}{}
	return false, nil
}

// place is the line and column of an offset in b.
func place(b []byte, offset int) fault.Position {
	before := b[:min(max(offset, 0), len(b))]
	return fault.Position{Line: 1 + bytes.Count(before, []byte("\n")), Column: len(before) - bytes.LastIndexByte(before, '\n')}
}

// sortedKeys are the keys of m in order.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
