package logic

import (
	"slices"

	"cel.dev/cel-go/common/decls"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/stdlib"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// binding is what runs a function of CEL, so that a constant comes out as it does in
// a decision; nil for one that is not CEL's own or not run as functions are.
func binding(function string) *functions.Overload {
	for _, f := range stdlib.Functions() {
		if f.Name() != function {
			continue
		}
		all, err := f.Bindings()
		if err != nil {
			return nil
		}
		for _, b := range all {
			if b.Operator == function {
				return b
			}
		}
	}
	return nil
}

// known reports that a function is one of CEL's own.
func known(function string) bool {
	return slices.ContainsFunc(stdlib.Functions(), func(f *decls.FunctionDecl) bool { return f.Name() == function })
}

// maxComputed is the length of all constant texts that a function is given, in bytes.
const maxComputed = 64 << 10

// computable reports that all values are constant, and not too long to compute with.
func computable(args []value) bool {
	length := 0
	for _, a := range args {
		if length += len(a.words); !a.constant() {
			return false
		}
	}
	return length <= maxComputed
}

// compute is what a function of CEL makes of constants; ok is false where it
// fails, or an argument is not constant.
func compute(function string, args ...value) (v value, ok bool) {
	f := binding(function)
	if f == nil || !computable(args) {
		return value{}, false
	}
	in := make([]ref.Val, len(args))
	for i, a := range args {
		in[i] = a.toCEL()
	}
	var out ref.Val
	switch {
	case len(in) == 1 && f.Unary != nil:
		out = f.Unary(in[0])
	case len(in) == 2 && f.Binary != nil:
		out = f.Binary(in[0], in[1])
	case f.Function != nil:
		out = f.Function(in...)
	default:
		return value{}, false
	}
	if out == nil || types.IsUnknownOrError(out) {
		return value{}, false
	}
	return fromCEL(out), true
}
