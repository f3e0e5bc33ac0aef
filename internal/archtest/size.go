package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
)

// Where things stop growing. Generated files and tests are not counted.
const (
	maxFunction = 80   // lines
	maxFile     = 700  // lines
	maxPackage  = 4000 // lines; a package that nears it is two rooms
	maxMethods  = 5    // of an interface
)

// Sizes stops functions, files and packages that have grown past reading.
func Sizes(t *Tree) []Violation {
	var found []Violation
	for _, p := range t.Packages {
		total := 0
		for _, f := range p.Files {
			if f.Generated {
				continue
			}
			total += f.Lines
			if f.Lines > maxFile {
				found = append(found, Violation{Law: "sizes", Path: f.Path, Why: tooLong("the file", f.Lines, maxFile)})
			}
		}
		if total > maxPackage {
			found = append(found, Violation{Law: "sizes", Path: p.Dir, Why: tooLong("the package", total, maxPackage)})
		}
	}
	t.functions(func(p *Package, f *File, fn *ast.FuncDecl) {
		lines := t.fset.Position(fn.End()).Line - t.fset.Position(fn.Pos()).Line + 1
		if lines > maxFunction && !f.Generated {
			found = append(found, p.violation("sizes", fn.Pos(), "%s", tooLong(fn.Name.Name, lines, maxFunction)))
		}
	})
	return found
}

// Interfaces keeps them small enough that a second implementation is honest work.
func Interfaces(t *Tree) []Violation {
	var found []Violation
	for _, p := range t.Packages {
		for id, object := range p.info.Defs {
			name, ok := object.(*types.TypeName)
			if !ok {
				continue
			}
			if i, ok := name.Type().Underlying().(*types.Interface); ok && i.NumMethods() > maxMethods {
				found = append(found, p.violation("interfaces", id.Pos(), "%s has %d methods, %d at most: split it by what its callers use", id.Name, i.NumMethods(), maxMethods))
			}
		}
	}
	return found
}

// Comments asks every package to say what it keeps, and every exported name what it means.
func Comments(t *Tree) []Violation {
	var found []Violation
	for _, p := range t.Packages {
		if len(p.Files) > 0 && !p.described() {
			found = append(found, Violation{Law: "comments", Path: p.Dir, Why: "no package comment: what it knows, what it leaves to others, the invariant it keeps"})
		}
		for _, f := range p.Files {
			if !f.Generated {
				found = append(found, p.undocumented(f)...)
			}
		}
	}
	return found
}

func (p *Package) described() bool {
	for _, f := range p.Files {
		if f.Syntax.Doc != nil {
			return true
		}
	}
	return false
}

func (p *Package) undocumented(f *File) []Violation {
	var found []Violation
	missing := func(id *ast.Ident) {
		found = append(found, p.violation("comments", id.Pos(), "%s is exported and says nothing of itself", id.Name))
	}
	for _, d := range f.Syntax.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) {
				missing(d.Name)
			}
		case *ast.GenDecl:
			for _, id := range bareNames(d) {
				missing(id)
			}
		}
	}
	return found
}

func exportedReceiver(fn *ast.FuncDecl) bool {
	if fn.Recv == nil {
		return true
	}
	e := fn.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

// bareNames are the exported names of a declaration that has no comment on
// itself, on the line or on its group.
func bareNames(d *ast.GenDecl) []*ast.Ident {
	if d.Doc != nil && (d.Tok != token.TYPE || !d.Lparen.IsValid()) {
		return nil
	}
	var bare []*ast.Ident
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			if s.Doc == nil && s.Comment == nil && s.Name.IsExported() {
				bare = append(bare, s.Name)
			}
		case *ast.ValueSpec:
			for _, id := range s.Names {
				if s.Doc == nil && s.Comment == nil && id.IsExported() {
					bare = append(bare, id)
				}
			}
		}
	}
	return bare
}

func tooLong(what string, lines, limit int) string {
	return fmt.Sprintf("%s has %d lines, %d at most", what, lines, limit)
}
