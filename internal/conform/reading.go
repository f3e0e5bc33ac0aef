package conform

import (
	"bytes"
	"hash"
	"math/bits"
	"slices"
	"unicode/utf8"

	"signalbox.dev/signalbox/internal/strict"
)

// reading is the reading of one value, against the weights from base on.
type reading struct {
	run    *run
	base   int
	at     int // offset of the value
	digest bool
	sum    sum
}

func (v *reading) read() error {
	r := v.run
	if r.nest++; r.nest > maxNest {
		return tooMuch("the document is nested deeper than %d", maxNest).At(place(r.doc, v.at))
	}
	defer func() { r.nest-- }()
	switch r.dec.PeekKind() {
	case '{':
		return v.object()
	case '[':
		return v.array()
	case '"':
		return v.string()
	case '0':
		return v.number()
	}
	return v.word()
}

// token reads a token whose text does not matter.
func (v *reading) token() error {
	if _, err := v.run.dec.ReadToken(); err != nil {
		return strict.Explain(v.run.doc, err)
	}
	return nil
}

// span reads a string or number and is where it ends.
func (v *reading) span() (int, error) {
	if _, err := v.run.dec.ReadValue(); err != nil {
		return 0, strict.Explain(v.run.doc, err)
	}
	return int(v.run.dec.InputOffset()), nil
}

// each calls what a schema says of this value, for every one; a flaw is noted.
func (v *reading) each(judge func(n *node) reason) error {
	for i := v.base; i < len(v.run.work); i++ {
		n := v.run.work[i].node
		if why := judge(n); why != fine {
			if err := v.run.flaw(i, flaw{why: why, node: n, at: v.at}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *node) admits(k kinds) bool { return n.kinds == 0 || n.kinds&k != 0 }

// plain judges what applies to a value of any kind.
func (v *reading) plain(n *node, k kinds) reason {
	switch {
	case !n.admits(k):
		return wrongKind
	case n.enum != nil && k != isString:
		return notListed
	case n.shown != "" && n.constant != v.sum:
		return notConstant
	}
	return fine
}

func (v *reading) word() error {
	kind := isNull
	switch v.run.dec.PeekKind() {
	case 't', 'f':
		kind = isBool
	}
	if err := v.token(); err != nil {
		return err
	}
	if v.digest {
		v.sum = sumOf(v.run.doc[v.at:v.run.dec.InputOffset()])
	}
	return v.each(func(n *node) reason { return v.plain(n, kind) })
}

func (v *reading) number() error {
	end, err := v.span()
	if err != nil {
		return err
	}
	d, _ := parseDecimal(string(v.run.doc[v.at:end]))
	kind := isNumber
	if d.whole() {
		kind |= isInteger
	}
	if v.digest {
		v.sum = sumOf([]byte("0" + d.text()))
	}
	return v.each(func(n *node) reason {
		switch why := v.plain(n, kind); {
		case why != fine:
			return why
		case n.min != nil && d.compare(*n.min) < 0:
			return tooSmall
		case n.max != nil && d.compare(*n.max) > 0:
			return tooGreat
		}
		return fine
	})
}

func (v *reading) string() error {
	end, err := v.span()
	if err != nil {
		return err
	}
	var text []byte
	if v.digest || v.looked() {
		if text, err = v.run.text(v.at, end); err != nil {
			return err
		}
	}
	if v.digest {
		v.run.hashed = append(append(v.run.hashed[:0], '"'), text...)
		v.sum = sumOf(v.run.hashed)
	}
	return v.each(func(n *node) reason {
		if why := v.plain(n, isString); why != fine {
			return why
		}
		return n.string(text)
	})
}

// looked reports whether a schema looks at the text of a string.
func (v *reading) looked() bool {
	return slices.ContainsFunc(v.run.work[v.base:], func(w weight) bool {
		n := w.node
		return n.enum != nil || n.pattern != nil || n.format != "" || n.minChars > 0 || n.maxChars >= 0
	})
}

func (n *node) string(text []byte) reason {
	if n.enum != nil && !n.enum[string(text)] {
		return notListed
	}
	if n.minChars > 0 || n.maxChars >= 0 {
		switch chars := utf8.RuneCount(text); {
		case chars < n.minChars:
			return tooShort
		case n.maxChars >= 0 && chars > n.maxChars:
			return tooLong
		}
	}
	if n.pattern != nil && !n.pattern.Match(text) {
		return notMatched
	}
	if n.format != "" && !formats[n.format](text) {
		return notFormed
	}
	return fine
}

func (v *reading) object() error {
	r := v.run
	if err := v.token(); err != nil {
		return err
	}
	if err := v.each(func(n *node) reason { return v.plain(n, isObject) }); err != nil {
		return err
	}
	first := len(r.members)
	for r.dec.PeekKind() != '}' {
		if err := v.member(); err != nil {
			return err
		}
	}
	if err := v.token(); err != nil {
		return err
	}
	if v.digest {
		v.sumMembers(first)
	}
	return v.complete()
}

// member reads a name and its value.
func (v *reading) member() error {
	r := v.run
	at := r.start()
	end, err := v.span()
	if err != nil {
		return err
	}
	name, err := r.text(at, end)
	if err != nil {
		return err
	}
	if len(name) != end-at-2 {
		name = bytes.Clone(name) // it was written with escapes, and what follows reuses the buffer
	}
	from := len(r.goals)
	defer func() { r.goals = r.goals[:from] }()
	if err := v.aims(name, at); err != nil {
		return err
	}
	valueAt, kind := r.start(), r.dec.PeekKind()
	inner, err := r.value(from, v.digest)
	if err != nil {
		return err
	}
	if v.digest {
		if len(r.members) >= maxMembers {
			return tooMuch("elements that must differ have more than %d members", maxMembers).At(place(r.doc, at))
		}
		r.members = append(r.members, digested{name, inner})
	}
	if kind == '"' && v.distinct(name) {
		if err := r.differs(valueAt); err != nil {
			return err
		}
	}
	return v.reach(from)
}

// distinct reports whether the strings under a name must differ all over the document.
func (v *reading) distinct(name []byte) bool {
	for _, w := range v.run.work[v.base:] {
		if w.node.distinct != "" && w.node.distinct == string(name) {
			return true
		}
	}
	return false
}

// aims sets the goals for the value under a name.
func (v *reading) aims(name []byte, at int) error {
	r := v.run
	for i := v.base; i < len(r.work); i++ {
		w := &r.work[i]
		m, known := w.node.members[string(name)]
		w.got |= m.bit
		switch n := w.node; {
		case known && m.own:
			r.goals = append(r.goals, goal{node: m.node, owner: i, firm: w.firm})
		case n.closed:
			if err := r.flaw(i, flaw{why: unknownName, node: n, at: at}); err != nil {
				return err
			}
		case n.others != nil:
			r.goals = append(r.goals, goal{node: n.others, owner: i, firm: w.firm})
		}
	}
	return nil
}

// reach passes on how the value just read came out.
func (v *reading) reach(from int) error {
	r := v.run
	for _, g := range r.goals[from:] {
		if g.bad.why != fine {
			if err := r.flaw(g.owner, g.bad); err != nil {
				return err
			}
		}
	}
	return nil
}

// differs refuses a string at an offset, just read, that stood before.
func (r *run) differs(at int) error {
	text, err := r.text(at, int(r.dec.InputOffset()))
	if err != nil {
		return err
	}
	v := sumOf(text).short64()
	twice, err := r.budget.add(r.seen, v)
	switch {
	case err != nil:
		return err
	case twice:
		return r.explain(flaw{why: stoodBefore, at: at, sum: v, first: r.first})
	case v == r.sought:
		r.first = at
	}
	return nil
}

// complete refuses an object that lacks a name.
func (v *reading) complete() error {
	for i := v.base; i < len(v.run.work); i++ {
		w := &v.run.work[i]
		if missing := (uint64(1)<<len(w.node.needed) - 1) &^ w.got; missing != 0 {
			bad := flaw{why: missingName, node: w.node, at: v.at, first: bits.TrailingZeros64(missing)}
			if err := v.run.flaw(i, bad); err != nil {
				return err
			}
		}
	}
	return nil
}

// sumMembers digests an object by its members in the order of their names.
func (v *reading) sumMembers(first int) {
	r := v.run
	mine := r.members[first:]
	slices.SortFunc(mine, func(a, b digested) int { return bytes.Compare(a.name, b.name) })
	h := append(r.hashed[:0], '{')
	for _, m := range mine {
		h = append(h, byte(len(m.name)), byte(len(m.name)>>8), byte(len(m.name)>>16), byte(len(m.name)>>24))
		h = append(append(h, m.name...), m.sum[:]...)
	}
	r.hashed, v.sum = h, sumOf(h)
	clear(mine)
	r.members = r.members[:first]
}

func (v *reading) array() error {
	r := v.run
	if err := v.token(); err != nil {
		return err
	}
	if err := v.each(func(n *node) reason { return v.plain(n, isArray) }); err != nil {
		return err
	}
	list := elements{reading: v, unique: slices.ContainsFunc(r.work[v.base:], func(w weight) bool { return w.node.unique })}
	if list.unique {
		list.seen = distinct{}
		defer func() { r.budget -= budget(len(list.seen)) }()
	}
	if v.digest {
		list.hash = r.hash()
		list.hash.Write([]byte{'['})
	}
	for r.dec.PeekKind() != ']' {
		if err := list.next(); err != nil {
			return err
		}
	}
	if err := v.token(); err != nil {
		return err
	}
	if v.digest {
		v.sum = sum(list.hash.Sum(r.hashed[:0])[:len(sum{})])
		r.hashes = append(r.hashes, list.hash)
	}
	return v.each(func(n *node) reason {
		switch {
		case list.count < n.minItems:
			return tooFew
		case n.maxItems >= 0 && list.count > n.maxItems:
			return tooMany
		}
		return fine
	})
}

// elements are those of a list that have been read.
type elements struct {
	*reading
	count  int
	unique bool
	seen   distinct
	first  int // place of the element that is sought
	hash   hash.Hash
}

// next reads an element.
func (l *elements) next() error {
	r := l.run
	from := len(r.goals)
	defer func() { r.goals = r.goals[:from] }()
	at := r.start()
	for i := l.base; i < len(r.work); i++ {
		w := &r.work[i]
		switch n := w.node; {
		case n.items != nil:
			r.goals = append(r.goals, goal{node: n.items, owner: i, firm: w.firm})
		case l.count < len(n.tuple):
			r.goals = append(r.goals, goal{node: n.tuple[l.count], owner: i, firm: w.firm})
		case n.noRest:
			if err := r.flaw(i, flaw{why: tooMany, node: n, at: at}); err != nil {
				return err
			}
		}
	}
	inner, err := r.value(from, l.digest || l.unique)
	if err != nil {
		return err
	}
	if l.digest {
		l.hash.Write(inner[:])
	}
	if l.unique {
		if err := l.differs(inner, at); err != nil {
			return err
		}
	}
	l.count++
	return l.reach(from)
}

// differs notes it where the element just read stood in the list before.
func (l *elements) differs(inner sum, at int) error {
	v := inner.short64()
	twice, err := l.run.budget.add(l.seen, v)
	if !twice && v == l.run.sought {
		l.first = l.count
	}
	if err != nil || !twice {
		return err
	}
	for i := l.base; i < len(l.run.work); i++ {
		if n := l.run.work[i].node; n.unique {
			bad := flaw{why: repeated, node: n, at: at, sum: v, first: l.first}
			if err := l.run.flaw(i, bad); err != nil {
				return err
			}
		}
	}
	return nil
}
