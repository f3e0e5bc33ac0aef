// Package archtest reads the source of this module and holds it to its plan:
// which room may import which, what a pure room may not touch, who writes a
// table, how large things may grow.
//
// It knows syntax and the table of rooms (rooms.go), and leaves style to the
// linters. It reads files with go/parser and go/types, never through the go
// command: a test whose input the build cache cannot see could pass stale.
// Every law here has a small tree in the tests that breaks it.
package archtest

import (
	"fmt"
	"go/token"
	"slices"
	"strings"
)

// Violation is one place that breaks one law.
type Violation struct {
	Law  string // the law's name, such as "imports"
	Path string // file or package, relative to the module root
	Line int    // from 1; 0 where the whole file or package is meant
	Why  string // what stands there and what to do instead
}

// String is path:line: why [law].
func (v Violation) String() string {
	place := v.Path
	if v.Line > 0 {
		place = fmt.Sprintf("%s:%d", v.Path, v.Line)
	}
	return fmt.Sprintf("%s: %s [%s]", place, v.Why, v.Law)
}

// Law finds what breaks it in a tree.
type Law func(*Tree) []Violation

// Laws are all laws that the module is held to, by name.
func Laws() map[string]Law {
	return map[string]Law{
		"imports":    Imports,
		"purity":     Purity,
		"one cel":    OneCEL,
		"no init":    NoInit,
		"no globals": NoGlobals,
		"strictness": Strictness,
		"one door":   OneDoor,
		"one writer": OneWriter,
		"sizes":      Sizes,
		"interfaces": Interfaces,
		"comments":   Comments,
	}
}

// Check is everything in the tree that breaks a law, in the order of place.
func Check(t *Tree) []Violation {
	var all []Violation
	for _, law := range Laws() {
		all = append(all, law(t)...)
	}
	slices.SortFunc(all, func(a, b Violation) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return strings.Compare(a.Law+a.Why, b.Law+b.Why)
	})
	return all
}

func (p *Package) violation(law string, pos token.Pos, format string, args ...any) Violation {
	at := p.tree.fset.Position(pos)
	return Violation{Law: law, Path: at.Filename, Line: at.Line, Why: fmt.Sprintf(format, args...)}
}
