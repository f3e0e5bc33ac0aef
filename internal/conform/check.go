package conform

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/strict"
)

// run is the way through one JSON document. A value is weighed at once against
// all schemas that bear on it, those of alternatives included, so that nothing
// is read twice. What is under way lies on stacks, which recursion shares.
type run struct {
	doc     []byte
	dec     *jsontext.Decoder
	work    []weight // schemas weighed against values that are open
	goals   []goal   // schemas for the next value
	members []digested
	buf     []byte // one text without escapes
	hashed  []byte // one value as it enters a digest
	nest    int

	seen   distinct // the strings that must differ all over the document
	budget budget

	sought uint64 // the value that is known to stand twice, in a second reading
	first  int    // where it stands first

	spare  []*reading
	hashes []hash.Hash
	schema *JSON
}

// goal is a schema that the next value has to meet, for the weight that asks
// for it; bad says how it does not.
type goal struct {
	node  *node
	owner int
	firm  bool // nothing can make up for a breach
	bad   flaw
}

// weight is a schema in the balance with a value.
type weight struct {
	node *node
	up   int // the weight it is a part of, or the goal
	role role
	top  bool // up is a goal
	firm bool
	got  uint64 // required names that are there
	bad  flaw

	anyof, oneof choice
	condition    bool
	then, other  flaw
}

// choice counts the alternatives of anyOf or oneOf.
type choice struct {
	all, held int
	closest   flaw // of those that did not hold, the one that came furthest
}

// digested is a member of an object that is being digested.
type digested struct {
	name []byte
	sum  sum
}

// Check reads one JSON document and says, as a *fault.Error, how it does not conform.
func (s *JSON) Check(doc []byte) error {
	return s.check(doc, 0)
}

func (s *JSON) check(doc []byte, sought uint64) error {
	r := run{doc: doc, dec: jsontext.NewDecoder(bytes.NewBuffer(doc)), seen: distinct{}, schema: s, sought: sought}
	r.goals = append(r.goals, goal{node: s.root, firm: true})
	if _, err := r.value(0, false); err != nil {
		return err
	}
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("a second value follows the first")
		}
		return strict.Explain(doc, err)
	}
	return nil
}

// sumOfJSON digests one value, alike for equal ones however they are written.
func sumOfJSON(v []byte) (sum, error) {
	r := run{doc: v, dec: jsontext.NewDecoder(bytes.NewBuffer(v))}
	return r.value(0, true)
}

// start is the offset of the token that comes next.
func (r *run) start() int {
	i := int(r.dec.InputOffset())
	for ; i < len(r.doc); i++ {
		switch r.doc[i] {
		case ' ', '\t', '\r', '\n', ',', ':':
		default:
			return i
		}
	}
	return i
}

// text is the string written from offset at to end, without escapes.
func (r *run) text(at, end int) ([]byte, error) {
	raw := r.doc[at:end]
	if len(raw) > maxText {
		return nil, tooMuch("one text is longer than %d bytes", maxText).At(place(r.doc, at))
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], nil
	}
	var err error
	r.buf, err = jsontext.AppendUnquote(r.buf[:0], raw)
	return r.buf, err
}

// value reads one value and weighs it against the goals from an index on. It
// is digested where that is asked for or a schema compares it.
func (r *run) value(from int, digest bool) (sum, error) {
	base := len(r.work)
	defer func() { r.work = r.work[:base] }()
	for i := from; i < len(r.goals); i++ {
		r.expand(weight{node: r.goals[i].node, up: i, top: true, firm: r.goals[i].firm})
	}
	for i := base; i < len(r.work) && !digest; i++ {
		digest = r.work[i].node.shown != ""
	}
	v := r.reading()
	*v = reading{run: r, base: base, at: r.start(), digest: digest}
	if err := v.read(); err != nil {
		return sum{}, err
	}
	result, at := v.sum, v.at
	r.spare = append(r.spare, v)
	return result, r.settle(base, at)
}

// reading is one that is free.
func (r *run) reading() *reading {
	last := len(r.spare) - 1
	if last < 0 {
		return &reading{}
	}
	v := r.spare[last]
	r.spare = r.spare[:last]
	return v
}

// hash is one that is free.
func (r *run) hash() hash.Hash {
	last := len(r.hashes) - 1
	if last < 0 {
		return sha256.New()
	}
	h := r.hashes[last]
	r.hashes = r.hashes[:last]
	h.Reset()
	return h
}

// expand puts a weight and all its parts on the stack, parts after what they are part of.
func (r *run) expand(w weight) {
	self := len(r.work)
	r.work = append(r.work, w)
	for _, p := range w.node.parts {
		r.expand(weight{node: p.node, up: self, role: p.role, firm: w.firm && p.role == must})
	}
}

// flaw notes a breach by weight i, the first of them, and ends the reading
// where nothing can make up for it.
func (r *run) flaw(i int, bad flaw) error {
	w := &r.work[i]
	if w.firm {
		return r.explain(bad)
	}
	if w.bad.why == fine {
		w.bad = bad
	}
	return nil
}

// settle weighs parts before what they are part of.
func (r *run) settle(base, at int) error {
	for i := len(r.work) - 1; i >= base; i-- {
		w := &r.work[i]
		w.choose(at)
		if w.bad.why != fine && w.firm {
			return r.explain(w.bad)
		}
		if w.top {
			r.goals[w.up].bad = w.bad
			continue
		}
		r.work[w.up].take(w.role, w.bad, at)
	}
	return nil
}

// take notes how a part of the weight came out.
func (w *weight) take(as role, bad flaw, at int) {
	held := bad.why == fine
	switch as {
	case must:
		if !held {
			w.bad = bad
		}
	case any1:
		w.anyof.take(bad)
	case one:
		w.oneof.take(bad)
	case never:
		if held {
			w.bad = flaw{why: forbidden, node: w.node, at: at}
		}
	case cond:
		w.condition = held
	case then:
		w.then = bad
	case otherwise:
		w.other = bad
	}
}

func (c *choice) take(bad flaw) {
	c.all++
	switch {
	case bad.why == fine:
		c.held++
	case c.all-c.held == 1 || bad.at > c.closest.at || bad.at == c.closest.at && c.closest.why == wrongKind:
		c.closest = bad
	}
}

// fails is the breach of alternatives none of which holds.
func (c *choice) fails(n *node) flaw {
	closest := c.closest
	return flaw{why: none, node: n, at: closest.at, inner: &closest}
}

// choose draws the conclusion from the parts of the value at an offset.
func (w *weight) choose(at int) {
	if w.bad.why != fine {
		return
	}
	switch {
	case w.anyof.all > 0 && w.anyof.held == 0:
		w.bad = w.anyof.fails(w.node)
	case w.oneof.all > 0 && w.oneof.held == 0:
		w.bad = w.oneof.fails(w.node)
	case w.oneof.held > 1:
		w.bad = flaw{why: several, node: w.node, at: at}
	case w.condition:
		w.bad = w.then
	default:
		w.bad = w.other
	}
}
