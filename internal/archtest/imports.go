package archtest

import (
	"go/ast"
	"strings"
)

// Imports is the table of rooms: a package has a row, and imports only what its row admits.
func Imports(t *Tree) []Violation {
	var found []Violation
	for _, p := range t.Packages {
		if len(p.Files) == 0 {
			continue
		}
		r, known := roomOf(p.Dir)
		if !known {
			found = append(found, Violation{Law: "imports", Path: p.Dir, Why: "the table of rooms has no such room: name it in rooms.go and in ARCHITECTURE.md with its reason"})
			continue
		}
		for _, f := range p.Files {
			for _, spec := range f.Syntax.Imports {
				to, ours := strings.CutPrefix(importPath(spec), t.Module+"/")
				if ours && !r.admits(p.Dir, to) {
					found = append(found, p.violation("imports", spec.Pos(), "%s may not import %s", p.Dir, to))
				}
			}
		}
	}
	return found
}

// ioPackages do input or output, or stand close to it. A path names itself and all below it.
const ioPackages = "os net database/sql io/ioutil log syscall plugin path/filepath testing runtime/debug expvar"

// plainNet are the packages below net that only compute.
const plainNet = "net/url net/netip net/mail net/textproto"

// unrepeatable packages give another answer each time, or carry a deadline.
const unrepeatable = "context crypto/rand math/rand math/rand/v2 unique"

// clockReads are the functions of package time that read a clock or wait for one.
const clockReads = "Now Since Until After AfterFunc Tick NewTicker NewTimer Sleep"

// Purity keeps pure rooms to facts in, facts out, and still rooms off disk and network.
func Purity(t *Tree) []Violation {
	var found []Violation
	for _, p := range t.Packages {
		r, _ := roomOf(p.Dir)
		if r.kind == shell {
			continue
		}
		embeds := p.imports("embed")
		for _, f := range p.Files {
			for _, spec := range f.Syntax.Imports {
				path := importPath(spec)
				if !under(path, t.Module) && impure(r.kind, path, embeds) {
					found = append(found, p.violation("purity", spec.Pos(), "%s may not import %s: take what it would read as an argument", p.Dir, path))
				}
			}
			if r.kind == pure {
				found = append(found, p.clocks(f)...)
			}
		}
	}
	return found
}

func impure(k kind, path string, embeds bool) bool {
	if path == "io/fs" {
		return !embeds
	}
	if strings.Contains(firstElement(path), ".") {
		return !underAny(path, pureLibraries)
	}
	if underAny(path, plainNet) {
		return false
	}
	return underAny(path, ioPackages) || k == pure && underAny(path, unrepeatable)
}

func (p *Package) clocks(f *File) []Violation {
	var found []Violation
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		if e, ok := n.(*ast.SelectorExpr); ok {
			if pkg, name := p.used(e); pkg == "time" && hasWord(clockReads, name) {
				found = append(found, p.violation("purity", e.Pos(), "time.%s in a pure room: take now as an argument", name))
			}
		}
		return true
	})
	return found
}

// OneCEL keeps to one of the two import paths of cel-go; with both, values of
// one are strangers to the other.
func OneCEL(t *Tree) []Violation {
	var found []Violation
	for _, p := range t.Packages {
		for _, f := range append(p.Files, p.Tests...) {
			for _, spec := range f.Syntax.Imports {
				if under(importPath(spec), "github.com/google/cel-go") {
					found = append(found, p.violation("one cel", spec.Pos(), "import cel.dev/cel-go instead of its old path"))
				}
			}
		}
	}
	return found
}

func (p *Package) imports(path string) bool {
	for _, f := range p.Files {
		for _, spec := range f.Syntax.Imports {
			if importPath(spec) == path {
				return true
			}
		}
	}
	return false
}

func firstElement(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first
}

func underAny(path, parents string) bool {
	for parent := range strings.FieldsSeq(parents) {
		if under(path, parent) {
			return true
		}
	}
	return false
}

func hasWord(words, word string) bool {
	for w := range strings.FieldsSeq(words) {
		if w == word {
			return true
		}
	}
	return false
}
