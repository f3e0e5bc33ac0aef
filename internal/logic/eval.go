package logic

import (
	"cel.dev/cel-go/common/operators"
)

// given goes on with a value.
type given func(value, *store) bool

// eval goes on with every value that a term can have where it does not fail.
func (s *search) eval(t *Term, env []value, st *store, k given) bool {
	switch {
	case t.op == opConstant:
		return k(t.value, st)
	case s.step():
		return true
	case t.kind == truth:
		return s.assume(t, env, True, st, func(st *store) bool { return k(truthOf(true), st) }) ||
			s.assume(t, env, False, st, func(st *store) bool { return k(truthOf(false), st) })
	case t.op == opChoice:
		return s.choose(t, env, st, nil, false, func(branch *Term, st *store) bool { return s.eval(branch, env, st, k) })
	}
	return s.raw(t, env, st, k)
}

// raw is eval without parting ways where the value is true or false.
func (s *search) raw(t *Term, env []value, st *store, k given) bool {
	switch t.op {
	case opConstant:
		return k(t.value, st)
	case opInput:
		v, ok := s.named(t, st)
		return ok && k(v, st)
	case opBound:
		return k(env[t.slot], st)
	case opField:
		return s.eval(t.args[0], env, st, func(v value, st *store) bool { return k(s.field(t, v, st), st) })
	case opFilter, opMap:
		return s.eval(t.args[0], env, st, func(v value, st *store) bool {
			if v.kind != listing {
				return k(s.unknown(st, listing, t.of, t.canon+around(t, env)+v.key(), ""), st)
			}
			return k(value{kind: listing, list: v.list.then(step{t.op == opFilter, t.args[1], env})}, st)
		})
	case opList:
		return s.operands(t.args, env, st, func(items []value, st *store) bool {
			return k(value{kind: listing, list: &list{items: items, of: t.of}}, st)
		})
	}
	return s.operands(t.args, env, st, func(args []value, st *store) bool { return s.call(t, args, st, k) })
}

// operands goes on with all values that terms can have together.
func (s *search) operands(ts []*Term, env []value, st *store, k func([]value, *store) bool) bool {
	if len(ts) == 0 {
		return k(nil, st)
	}
	last := len(ts) - 1
	return s.operands(ts[:last], env, st, func(vs []value, st *store) bool {
		return s.eval(ts[last], env, st, func(v value, st *store) bool { return k(append(vs[:last:last], v), st) })
	})
}

// field is that of an item.
func (s *search) field(t *Term, of value, st *store) value {
	path := ""
	if of.path != "" {
		path = of.path + "." + t.name
	}
	return s.variable(st, t, of.key()+"."+t.name, path)
}

// fails goes on with the ways in which a term cannot be computed.
func (s *search) fails(t *Term, env []value, st *store, k next) bool {
	switch {
	case t.sure:
		return false
	case s.step():
		return true
	case t.op == opInput:
		_, ok := s.named(t, st)
		return !ok && k(st)
	case t.op == opAnd, t.op == opOr, t.op == opNot, t.op == opExists, t.op == opAll, t.op == opOne:
		return s.assume(t, env, Fails, st, k)
	case t.op == opChoice:
		return s.choose(t, env, st, k, true, func(branch *Term, st *store) bool { return s.fails(branch, env, st, k) })
	case t.op == opFilter, t.op == opMap:
		return s.walkFails(t, env, st, k)
	}
	for _, a := range t.args {
		if s.fails(a, env, st, k) {
			return true
		}
	}
	if t.op == opField && t.args[0].kind != item {
		return k(st)
	}
	return t.op == opCall && s.operands(t.args, env, st, func(args []value, st *store) bool { return s.callFails(t, args, st, k) })
}

// total are the functions and operators that never fail, whatever they are given.
var total = map[string]bool{
	operators.Equals: true, operators.NotEquals: true, operators.In: true, "size": true, "startsWith": true, "endsWith": true, "contains": true, "string": true, "double": true,
	"getFullYear": true, "getMonth": true, "getDayOfYear": true, "getDayOfMonth": true, "getDate": true, "getDayOfWeek": true,
	"getHours": true, "getMinutes": true, "getSeconds": true, "getMilliseconds": true,
}

// surely reports that a term can be computed whatever the inputs are.
func surely(t *Term) bool {
	for _, a := range t.args {
		if !a.sure {
			return false
		}
	}
	switch t.op {
	case opInput:
		return !isThreshold(t.name)
	case opField:
		return t.args[0].kind == item
	case opBound:
		return true
	case opCall:
		return sureCall(t)
	case opExists, opAll, opOne, opFilter, opMap:
		return t.args[0].kind == listing && (t.op == opMap || t.args[1].kind == truth)
	case opAnd, opOr, opNot:
		for _, a := range t.args {
			if a.kind != truth {
				return false
			}
		}
	case opChoice:
		return t.args[0].kind == truth
	}
	return true
}

func sureCall(t *Term) bool {
	for _, a := range t.args {
		if a.kind == anything {
			return t.name == operators.Equals || t.name == operators.NotEquals
		}
	}
	switch t.name {
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return !loose(t.args[0]) && !loose(t.args[1])
	case operators.In:
		return t.args[1].kind == listing
	case "double":
		return t.args[0].kind == whole || t.args[0].kind == fraction
	case "string":
		return t.args[0].kind == whole || t.args[0].kind == truth || t.args[0].kind == text
	case operators.Add:
		return t.kind == text || t.kind == listing || t.kind == fraction
	case operators.Subtract, operators.Multiply, operators.Divide, operators.Negate:
		return t.kind == fraction
	case "matches":
		_, ok := compute(t.name, textOf(""), t.args[1].value)
		return ok && t.args[1].op == opConstant
	}
	return total[t.name] && (len(t.args) == 1 || t.kind == truth) || isHas(t.name) && t.args[0].kind == item
}

// loose reports a fraction that may not be a number: what is read or written is one.
func loose(t *Term) bool {
	return t.kind == fraction && t.op != opConstant && t.op != opField && t.op != opInput || t.op == opConstant && t.value.wild
}
