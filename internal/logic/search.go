package logic

import (
	"strings"

	"signalbox.dev/signalbox/internal/policy"
)

// next goes on with a way; it reports that the search is over.
type next func(*store) bool

// maxSteps is how many steps one search may take before it gives up.
const maxSteps = 20_000

// Steps of closing a way, as it weighs all sums together: for each way and row.
const (
	closing = 20
	weighed = 10
)

// Budget is how many steps may still be taken, by several searches.
type Budget struct{ Left int }

// search follows the ways in which claims could hold.
type search struct {
	setting *Setting
	left    int  // steps
	open    bool // a way did not contradict itself
}

// step counts; where there are none left, the search is over with a way open.
func (s *search) step() bool { return s.steps(1) }

func (s *search) steps(n int) bool {
	s.left -= n
	if b := s.setting.Budget; b != nil {
		b.Left -= n
		s.left = min(s.left, b.Left)
	}
	if s.left < 0 {
		s.open = true
	}
	return s.left < 0
}

// Setting is what is known besides the condition.
type Setting struct {
	Domains    Domains             // nil: Declared
	Only       map[string][]string // texts that inputs are limited to here
	Thresholds map[string]float64  // of the release type
	Parameters []policy.Parameter
	Bounded    bool    // a parameter can have any value within its bounds, else it has its own
	Budget     *Budget // shared with other settings; nil: each search has its own
}

func (w *Setting) domain(name string) Domain {
	if w.Domains == nil {
		return Declared(name)
	}
	return w.Domains(name)
}

// named is what a name outside the condition is; ok is false where reading it fails.
func (s *search) named(t *Term, st *store) (v value, ok bool) {
	if name, is := strings.CutPrefix(t.name, "threshold."); is {
		x, set := s.setting.Thresholds[name]
		return ofGo(x), set
	}
	if name, is := strings.CutPrefix(t.name, "param."); is {
		for _, p := range s.setting.Parameters {
			if p.Name == name {
				return s.parameter(t, p, st), true
			}
		}
		return s.variable(st, t, t.name, ""), true
	}
	return s.variable(st, t, t.name, t.name), true
}

func (s *search) parameter(t *Term, p policy.Parameter, st *store) value {
	if !s.setting.Bounded {
		return ofGo(p.Value)
	}
	if t.kind != fraction {
		return s.variable(st, t, t.name, "")
	}
	v := variable{t.name, true}
	if p.Min != nil {
		st.numbers.between(v, ofGo(*p.Min).num.plus, nil)
	}
	if p.Max != nil {
		st.numbers.between(v, nil, ofGo(*p.Max).num.plus)
	}
	return sum(fraction, single(v))
}

// variable is a value of which nothing is known but its kind and domain; path
// names the domain, or is "".
func (s *search) variable(st *store, t *Term, name, path string) value {
	return s.unknown(st, t.kind, t.of, name, path)
}

func (s *search) unknown(st *store, k, of kind, name, path string) value {
	switch k {
	case text:
		s.meetText(st, name, path)
	case whole, instant, duration:
		v := variable{name: name}
		s.meetNumber(st, v, k, path)
		return sum(k, single(v))
	case fraction:
		if path == "" {
			return wildOf(name)
		}
		v := variable{name, true}
		s.meetNumber(st, v, k, path)
		return sum(k, single(v))
	case listing:
		return value{kind: listing, list: &list{name: name, path: path, of: of}}
	}
	return value{kind: k, name: name, path: path}
}

func (s *search) meetText(st *store, name, path string) {
	root := st.writings.root(name)
	if _, met := st.writings.of[root]; met {
		return
	}
	x := writing{path: path}
	if path != "" {
		if x.among = s.setting.Only[path]; x.among == nil {
			x.among = s.setting.domain(path).Texts
		}
		x.closed = x.among != nil
	}
	st.writings.of[root] = x
}

func (s *search) meetNumber(st *store, v variable, k kind, path string) {
	if _, met := st.numbers.low[v]; met {
		return
	}
	var d Domain
	if path != "" {
		d = s.setting.domain(path)
	}
	switch {
	case k == instant:
		d.Low, d.High = firstInstant(), lastInstant()
		if byClock(path) {
			d.High = lastClock()
		}
	case k == duration, d.Low == nil && k == whole:
		d.Low, d.High = leastWhole(), mostWhole()
	}
	st.numbers.between(v, d.Low, d.High)
}

// longest is how many characters a text can have.
func (s *search) longest(st *store, name string) int64 {
	path := st.writings.of[st.writings.root(name)].path
	if path == "" {
		return 1 << 40
	}
	if n := s.setting.domain(path).Longest; n > 0 {
		return n
	}
	return policy.MaxInputText
}
