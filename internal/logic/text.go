package logic

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common/overloads"
)

// writing is what is taken for granted about one text.
type writing struct {
	path   string   // the name of its domain
	closed bool     // it is among
	among  []string // without duplicates
	not    []string
	found  []found
	low    *border
	high   *border
}

// found is whether a function such as startsWith finds something in a text.
type found struct {
	function, what string
	holds          bool
}

// border is a text before or after which another stands, by the order of texts.
type border struct {
	at   string
	open bool // at itself is outside
}

// writings are what is taken for granted about texts by their names, and which
// names stand for the same text. Methods report false for a contradiction.
type writings struct {
	of    map[string]writing
	same  map[string]string // name to another name of the same text
	apart [][2]string       // names of different texts
}

func (w *writings) clone() writings {
	return writings{maps.Clone(w.of), maps.Clone(w.same), w.apart[:len(w.apart):len(w.apart)]}
}

// root is the name under which a text is kept.
func (w *writings) root(name string) string {
	for {
		other, is := w.same[name]
		if !is {
			return name
		}
		name = other
	}
}

// is takes for granted that a text is one of some.
func (w *writings) is(name string, words ...string) bool {
	return w.change(name, func(x *writing) {
		if !x.closed {
			x.closed, x.among = true, words
			return
		}
		x.among = slices.DeleteFunc(slices.Clone(x.among), func(s string) bool { return !slices.Contains(words, s) })
	})
}

// isNot takes for granted that a text is not some words.
func (w *writings) isNot(name, words string) bool {
	return w.change(name, func(x *writing) { x.not = append(x.not[:len(x.not):len(x.not)], words) })
}

// finds takes for granted whether a function finds something in a text.
func (w *writings) finds(name string, f found) bool {
	return w.change(name, func(x *writing) { x.found = append(x.found[:len(x.found):len(x.found)], f) })
}

// change changes what is taken for granted of a text and sees what is left.
func (w *writings) change(name string, how func(*writing)) bool {
	name = w.root(name)
	x := w.of[name]
	how(&x)
	ok := x.settle()
	w.of[name] = x
	return ok && w.differ()
}

// equal takes for granted that two texts are the same.
func (w *writings) equal(a, b string) bool {
	a, b = w.root(a), w.root(b)
	if a == b {
		return true
	}
	y := w.of[b]
	delete(w.of, b)
	w.same[b] = a
	return w.change(a, func(x *writing) {
		switch {
		case x.closed && y.closed:
			x.among = slices.DeleteFunc(slices.Clone(x.among), func(s string) bool { return !slices.Contains(y.among, s) })
		case y.closed:
			x.closed, x.among = true, y.among
		}
		x.not, x.found = slices.Concat(x.not, y.not), slices.Concat(x.found, y.found)
		if y.low != nil {
			x.after(*y.low)
		}
		if y.high != nil {
			x.before(*y.high)
		}
	})
}

// differ reports whether texts that are apart still can be.
func (w *writings) differ() bool {
	for _, pair := range w.apart {
		a, b := w.root(pair[0]), w.root(pair[1])
		x, y := w.of[a], w.of[b]
		if a == b || x.closed && y.closed && len(x.among) == 1 && slices.Equal(x.among, y.among) {
			return false
		}
	}
	return true
}

func (x *writing) after(b border) {
	if x.low == nil || b.at > x.low.at || b.at == x.low.at && b.open {
		x.low = &b
	}
}

func (x *writing) before(b border) {
	if x.high == nil || b.at < x.high.at || b.at == x.high.at && b.open {
		x.high = &b
	}
}

// fits reports whether the text can be these words.
func (x *writing) fits(words string) bool {
	return !slices.Contains(x.not, words) &&
		(x.low == nil || words > x.low.at || words == x.low.at && !x.low.open) &&
		(x.high == nil || words < x.high.at || words == x.high.at && !x.high.open) &&
		!slices.ContainsFunc(x.found, func(f found) bool {
			got, ok := compute(f.function, textOf(words), textOf(f.what))
			return ok && got.yes != f.holds
		})
}

// settle drops words that the text cannot be; it is false where none is left, or
// where what is found in it cannot stand together.
func (x *writing) settle() bool {
	if x.closed {
		x.among = slices.DeleteFunc(slices.Clone(x.among), func(s string) bool { return !x.fits(s) })
		return len(x.among) > 0
	}
	if x.low != nil && x.high != nil && (x.low.at > x.high.at || x.low.at == x.high.at && (x.low.open || x.high.open)) {
		return false
	}
	starts, ends, holds := x.all(overloads.StartsWith), x.all(overloads.EndsWith), x.all(overloads.Contains)
	for i, a := range starts {
		if slices.ContainsFunc(starts[:i], func(b string) bool { return !strings.HasPrefix(a, b) && !strings.HasPrefix(b, a) }) {
			return false
		}
	}
	for i, a := range ends {
		if slices.ContainsFunc(ends[:i], func(b string) bool { return !strings.HasSuffix(a, b) && !strings.HasSuffix(b, a) }) {
			return false
		}
	}
	there := slices.Concat(starts, ends, holds)
	return !slices.ContainsFunc(x.found, func(f found) bool {
		if f.holds {
			return false
		}
		if slices.ContainsFunc(x.found, func(g found) bool { return g.holds && g.function == f.function && g.what == f.what }) {
			return true
		}
		in := func(all []string, has func(s, part string) bool) bool {
			return f.what == "" || slices.ContainsFunc(all, func(s string) bool { return has(s, f.what) })
		}
		return f.function == overloads.StartsWith && in(starts, strings.HasPrefix) || f.function == overloads.EndsWith && in(ends, strings.HasSuffix) ||
			f.function == overloads.Contains && in(there, strings.Contains)
	})
}

// all are what a function is known to find in the text.
func (x *writing) all(function string) []string {
	var all []string
	for _, f := range x.found {
		if f.function == function && f.holds {
			all = append(all, f.what)
		}
	}
	return all
}

// length is the range of how many characters the text has; most is -1 where
// nothing says so.
func (x *writing) length() (least, most int) {
	most = -1
	if x.closed {
		for i, s := range x.among {
			n := utf8.RuneCountInString(s)
			most = max(most, n)
			if i == 0 || n < least {
				least = n
			}
		}
		return least, most
	}
	if slices.Contains(x.not, "") {
		least = 1
	}
	for _, f := range x.found {
		if f.holds && f.function != overloads.Matches {
			least = max(least, utf8.RuneCountInString(f.what))
		}
	}
	return least, most
}
