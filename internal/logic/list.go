package logic

import (
	"slices"
	"strconv"
)

// maxItems bounds the items of one list that a way gives names to.
const maxItems = 12

// visit goes on with the ways in which an item is as it says.
type visit func(item value, st *store, k next) bool

// some goes on with the ways in which one item of a list is as is says.
func (s *search) some(l *list, st *store, is visit, k next) bool {
	if s.step() {
		return true
	}
	through := func(v value, st *store, k next) bool { return s.walk(l.steps, v, st, is, k, nil) }
	for _, v := range l.items {
		if through(v, st, k) {
			return true
		}
	}
	for _, p := range l.parts {
		if s.some(p, st, through, k) {
			return true
		}
	}
	if l.name == "" {
		return false
	}
	name := l.name + "#" + strconv.Itoa(st.made)
	all := st.rolls[l.name].every
	return s.member(l, name, st, func(v value, st *store) bool {
		return through(v, st, func(st *store) bool { return s.visited(all, v, st, k) })
	})
}

// every goes on with the ways in which all items of a list are as is says.
func (s *search) every(l *list, st *store, is visit, k next) bool {
	if s.step() {
		return true
	}
	through := func(v value, st *store, k next) bool { return s.walk(l.steps, v, st, is, k, k) }
	for _, p := range l.parts {
		then := k
		k = func(st *store) bool { return s.every(p, st, through, then) }
	}
	if l.name == "" {
		return s.visitAll(l.items, st, through, k)
	}
	st = st.clone()
	r := st.rolls[l.name]
	r.every = append(slices.Clip(r.every), through)
	st.rolls[l.name] = r
	return s.visitAll(r.items, st, through, k)
}

// visitAll goes on where all items are as is says.
func (s *search) visitAll(items []value, st *store, is visit, k next) bool {
	if s.step() {
		return true
	}
	if len(items) == 0 {
		return k(st)
	}
	return is(items[0], st, func(st *store) bool { return s.visitAll(items[1:], st, is, k) })
}

// visited goes on where an item is as all visits say.
func (s *search) visited(all []visit, v value, st *store, k next) bool {
	if s.step() {
		return true
	}
	if len(all) == 0 {
		return k(st)
	}
	return all[0](v, st, func(st *store) bool { return s.visited(all[1:], v, st, k) })
}

// walk takes an item through filters and maps to what it is said to be; skipped
// is where to go on with one that a filter drops, or nil.
func (s *search) walk(steps []step, v value, st *store, is visit, k, skipped next) bool {
	if len(steps) == 0 {
		return is(v, st, k)
	}
	if s.step() {
		return true
	}
	now := steps[0]
	env := append(slices.Clip(now.env), v)
	if now.keeps {
		return s.assume(now.body, env, True, st, func(st *store) bool { return s.walk(steps[1:], v, st, is, k, skipped) }) ||
			skipped != nil && s.assume(now.body, env, False, st, skipped)
	}
	return s.eval(now.body, env, st, func(v value, st *store) bool { return s.walk(steps[1:], v, st, is, k, skipped) })
}

// walkFails goes on with the ways in which a filter or map cannot be computed.
func (s *search) walkFails(t *Term, env []value, st *store, k next) bool {
	if s.fails(t.args[0], env, st, k) {
		return true
	}
	return s.eval(t.args[0], env, st, func(v value, st *store) bool {
		if v.kind != listing {
			return k(st)
		}
		return s.some(v.list, st, func(v value, st *store, k next) bool {
			return s.fails(t.args[1], append(slices.Clip(env), v), st, k)
		}, k)
	})
}

// sizeOf is the number of items of a list of the inputs.
func (s *search) sizeOf(l *list, st *store) variable {
	v := variable{name: "size(" + l.name + ")"}
	if _, met := st.numbers.low[v]; !met {
		most := number(1 << 40)
		if l.path != "" && s.setting.domain(l.path).Longest > 0 {
			most = number(s.setting.domain(l.path).Longest)
		}
		st.numbers.between(v, number(0), most)
	}
	return v
}

// member goes on with an item of a list of the inputs, before filters and maps.
func (s *search) member(l *list, name string, st *store, k given) bool {
	st = st.clone()
	size := s.sizeOf(l, st)
	if !st.numbers.between(size, number(1), nil) || !st.numbers.narrow() {
		return false
	}
	st.made++
	path := l.path
	if path != "" && l.of != item {
		path += "[]"
	}
	v, r := s.unknown(st, l.of, anything, name, path), st.rolls[l.name]
	if len(r.items) < maxItems { // one more is not looked at together with what else is said of all
		r.items = append(slices.Clip(r.items), v)
		st.rolls[l.name] = r
	}
	return k(v, st)
}

// at goes on with the item at a place of a list, which is within it.
func (s *search) at(l *list, place value, t *Term, st *store, k given) bool {
	if i := place.num.plus; len(l.steps)+len(l.parts) == 0 && l.name == "" && place.constant() && i.Num().IsInt64() && i.Num().Int64() >= 0 && i.Num().Int64() < int64(len(l.items)) {
		return k(l.items[i.Num().Int64()], st)
	}
	name := l.key() + "[" + place.key() + "]"
	if l.name == "" || len(l.steps) > 0 {
		return k(s.variable(st, t, name, ""), st)
	}
	for _, v := range st.rolls[l.name].items {
		if v.key() == name {
			return k(v, st)
		}
	}
	all := st.rolls[l.name].every
	return s.member(l, name, st, func(v value, st *store) bool {
		return s.visited(all, v, st, func(st *store) bool { return k(v, st) })
	})
}

// count goes on with the ways in which a list has so many items.
func (s *search) count(l *list, st *store, k func(linear, *store) bool) bool {
	if s.step() {
		return true
	}
	switch {
	case l.name != "":
		return s.countNamed(l, st, k)
	case len(l.parts) > 0:
		return s.countParts(l.parts, l.steps, st, k)
	}
	return s.countItems(l.items, l.steps, st, 0, k)
}

func (s *search) countParts(parts []*list, steps []step, st *store, k func(linear, *store) bool) bool {
	if len(parts) == 0 {
		return k(fixed(number(0)), st)
	}
	first := *parts[0]
	first.steps = slices.Concat(first.steps, steps)
	return s.count(&first, st, func(n linear, st *store) bool {
		return s.countParts(parts[1:], steps, st, func(m linear, st *store) bool { return k(n.add(m), st) })
	})
}

func (s *search) countItems(items []value, steps []step, st *store, n int64, k func(linear, *store) bool) bool {
	if len(items) == 0 || len(steps) == 0 {
		return k(fixed(number(n+int64(len(items)))), st)
	}
	kept := func(_ value, st *store, _ next) bool { return s.countItems(items[1:], steps, st, n+1, k) }
	return s.walk(steps, items[0], st, kept, nil, func(st *store) bool { return s.countItems(items[1:], steps, st, n, k) })
}

// countNamed parts ways by whether filters keep no item of a list of the inputs,
// all, or some.
func (s *search) countNamed(l *list, st *store, k func(linear, *store) bool) bool {
	bare := l.bare()
	kept := func(v value, st *store, k next) bool {
		return s.walk(l.steps, v, st, func(_ value, st *store, k next) bool { return k(st) }, k, nil)
	}
	dropped := func(v value, st *store, k next) bool {
		return s.walk(l.steps, v, st, func(value, *store, next) bool { return false }, k, k)
	}
	size := single(s.sizeOf(bare, st))
	n := size
	if len(l.steps) > 0 {
		v := variable{name: "size(" + l.key() + ")"}
		s.meetNumber(st, v, whole, "")
		n = single(v)
	}
	one := fixed(number(1))
	counted := func(st *store) bool { return k(n, st) }
	empty := s.every(bare, st, dropped, func(st *store) bool { return st.equal(n, counted) })
	return empty ||
		s.some(bare, st, kept, func(st *store) bool {
			return s.every(bare, st, kept, func(st *store) bool { return st.equal(n.sub(size), counted) })
		}) ||
		s.some(bare, st, kept, func(st *store) bool {
			return s.some(bare, st, dropped, func(st *store) bool {
				return st.holds(one.sub(n), false, func(st *store) bool { return st.holds(n.add(one).sub(size), false, counted) })
			})
		})
}

// quantify goes on with the ways in which exists, all or exists_one comes out.
func (s *search) quantify(t *Term, env []value, want Outcomes, st *store, k next) bool {
	item := func(want Outcomes) visit {
		return func(v value, st *store, k next) bool {
			return s.assume(t.args[1], append(slices.Clip(env), v), want, st, k)
		}
	}
	if want&Fails != 0 && s.fails(t.args[0], env, st, k) {
		return true
	}
	return s.eval(t.args[0], env, st, func(v value, st *store) bool {
		l := v.list
		switch {
		case v.kind != listing:
			return k(st)
		case want&Fails != 0 && s.some(l, st, item(Fails), k):
			return true
		case t.op == opAll:
			return want&True != 0 && s.every(l, st, item(True), k) || want&False != 0 && s.some(l, st, item(False), k)
		}
		return want&True != 0 && s.some(l, st, item(True), k) ||
			want&False != 0 && (s.every(l, st, item(False), k) || t.op == opOne && s.some(l, st, item(True), k))
	})
}

// within goes on with the ways in which a value is in a list, or is not.
func (s *search) within(v, in value, is bool, st *store, k next) bool {
	if in.kind != listing {
		return st.truth("in("+v.key()+","+in.key()+")", is, k)
	}
	if words, ok := in.list.words(); ok && is && v.kind == text && v.name != "" {
		return st.text(func(w *writings) bool { return w.is(v.name, words...) }, k)
	}
	item := func(x value, st *store, k next) bool { return s.equal(x, v, is, st, k) }
	if is {
		return s.some(in.list, st, item, k)
	}
	return s.every(in.list, st, item, k)
}

// words are the items of a list that is written out, where all are constant texts.
func (l *list) words() (all []string, ok bool) {
	if l.name != "" || len(l.parts)+len(l.steps) > 0 {
		return nil, false
	}
	for _, v := range l.items {
		if v.kind != text || v.name != "" {
			return nil, false
		}
		if !slices.Contains(all, v.words) {
			all = append(all, v.words)
		}
	}
	return all, true
}

// sameList goes on with the ways in which two lists are the same, or are not: by
// their sizes, and where one is written out by what must be in the other.
func (s *search) sameList(a, b *list, is bool, st *store, k next) bool {
	name := symmetric("==", value{kind: listing, list: a}, value{kind: listing, list: b})
	words, written := b.words()
	if !written {
		if words, written = a.words(); written {
			a, b = b, a
		}
	}
	if !is {
		if written && len(words) == 0 && len(b.items) == 0 {
			return s.count(a, st, func(n linear, st *store) bool { return st.holds(fixed(number(1)).sub(n), false, k) })
		}
		return st.truth(name, false, k)
	}
	return st.truth(name, true, func(st *store) bool {
		return s.count(a, st, func(n linear, st *store) bool {
			return s.count(b, st, func(m linear, st *store) bool {
				return st.equal(n.sub(m), func(st *store) bool { return s.contains(a, words, st, k) })
			})
		})
	})
}

// contains goes on where all words are in a list.
func (s *search) contains(l *list, words []string, st *store, k next) bool {
	if len(words) == 0 {
		return k(st)
	}
	return s.some(l, st, func(v value, st *store, k next) bool { return s.equal(v, textOf(words[0]), true, st, k) },
		func(st *store) bool { return s.contains(l, words[1:], st, k) })
}
