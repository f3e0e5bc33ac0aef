package logic

import (
	"math/big"
	"reflect"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"

	"signalbox.dev/signalbox/internal/policy"
)

// ofGo is a constant that a policy sets: a number, a truth or a text.
func ofGo(v any) value { return fromCEL(types.DefaultTypeAdapter.NativeToValue(v)) }

// example is inputs that go the way of a store, as far as it tells, or nil. They
// are a proposal: where the way stands for what is not reasoned about they may go
// another.
func (s *search) example(st *store, of taste) *policy.Inputs {
	found, ok := st.numbers.solution(of)
	if !ok {
		return nil
	}
	w := writer{s, st, found, map[string]string{}}
	in := policy.Inputs{Contract: policy.Contract}
	w.fill(reflect.ValueOf(&in).Elem(), "", "")
	return &in
}

type writer struct {
	*search
	st      *store
	numbers map[variable]*big.Rat
	written map[string]string // texts by their names
}

// fill sets the fields of a struct that conditions can read; name and path are
// those of the struct.
func (w *writer) fill(v reflect.Value, name, path string) {
	for i := range v.NumField() {
		field, tag := v.Field(i), v.Type().Field(i).Tag.Get("cel")
		if tag == "contract" {
			continue
		}
		w.set(field, join(name, tag), join(path, tag))
	}
}

func join(name, field string) string { return strings.TrimPrefix(name+"."+field, ".") }

func (w *writer) set(v reflect.Value, name, path string) {
	switch v.Kind() {
	case reflect.Bool:
		is, told := w.st.truths[name]
		v.SetBool(told && is || !told && strings.HasSuffix(name, ".known"))
	case reflect.Int:
		v.SetInt(w.number(variable{name: name}, path).Num().Int64())
	case reflect.Float64:
		f, _ := w.number(variable{name, true}, path).Float64()
		v.SetFloat(f)
	case reflect.String:
		v.SetString(w.text(name, path))
	case reflect.Slice:
		w.list(v, name, path)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(timeOf(w.instant(name))))
			return
		}
		w.fill(v, name, path)
	}
}

// number is that of a variable, or the least of its domain.
func (w *writer) number(v variable, path string) *big.Rat {
	if n := w.numbers[v]; n != nil {
		return n
	}
	if low := w.setting.domain(path).Low; low != nil {
		return low
	}
	return number(0)
}

// instant is that of a name, or one in the time of those who read this.
func (w *writer) instant(name string) *big.Rat {
	if n := w.numbers[variable{name: name}]; n != nil {
		return n
	}
	return nanoseconds(time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC))
}

// list sets a list to the items that are told of, and as many more as its size asks for.
func (w *writer) list(v reflect.Value, name, path string) {
	items := slices.Clone(w.st.rolls[name].items)
	slices.SortStableFunc(items, func(a, b value) int { return strings.Compare(a.key()[:1], b.key()[:1]) }) // those read by their place come first: "["
	size := len(items)
	if n := w.numbers[variable{name: "size(" + name + ")"}]; n != nil && n.Num().IsInt64() {
		size = int(min(max(n.Num().Int64(), int64(size)), policy.MaxInputList))
	}
	all := reflect.MakeSlice(v.Type(), size, size)
	for i := range size {
		one := name + "#"
		if len(items) > 0 { // those beyond are like the last
			one = items[min(i, len(items)-1)].key()
		}
		if e := all.Index(i); e.Kind() == reflect.Struct {
			w.fill(e, one, path)
		} else {
			w.set(e, one, path+"[]")
		}
	}
	v.Set(all)
}

// text is words for a name, the same for names of the same text.
func (w *writer) text(name, path string) string {
	root := w.st.writings.root(name)
	x, met := w.st.writings.of[root]
	if !met {
		if x.among = w.setting.Only[path]; x.among == nil {
			x.among = w.setting.domain(path).Texts
		}
		x.closed = x.among != nil
	}
	if words, done := w.written[root]; done && met {
		return words
	}
	words := w.words(&x, root)
	w.written[root] = words
	return words
}

// words are some that a text can be.
func (w *writer) words(x *writing, root string) string {
	if x.closed {
		for _, s := range x.among {
			if !w.taken(s) {
				return s
			}
		}
		return x.among[0]
	}
	longest := func(all []string) string {
		return slices.MaxFunc(append(all, ""), func(a, b string) int { return len(a) - len(b) })
	}
	start, end := longest(x.all(overloads.StartsWith)), longest(x.all(overloads.EndsWith))
	middle := strings.Join(x.all(overloads.Contains), "")
	if x.low != nil {
		start += x.low.at
	}
	size := -1
	if n := w.numbers[variable{name: "size(" + root + ")"}]; n != nil {
		size = int(n.Num().Int64())
	}
	for extra := range 40 {
		words := start + middle + end
		if n := size - int(characters(words)); n > 0 {
			words = start + middle + strings.Repeat(string(rune('a'+extra%26)), n) + end
		} else if size < 0 {
			words = start + middle + strings.Repeat("a", extra) + end
		}
		if x.fits(words) && (!w.taken(words) || extra == 39) {
			return words
		}
	}
	return start + middle + end
}

// taken reports words that another text has already.
func (w *writer) taken(words string) bool {
	for _, s := range w.written {
		if s == words {
			return true
		}
	}
	return false
}
