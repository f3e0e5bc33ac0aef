package archtest

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Tree is the parsed source of one module.
type Tree struct {
	Module   string // its import path
	Packages []*Package
	fset     *token.FileSet
}

// Package is one directory's files that are compiled into the product.
type Package struct {
	Dir   string // relative to the module root, "." for the root
	Name  string
	Files []*File
	Tests []*File // _test.go files, held to fewer laws
	info  *types.Info
	tree  *Tree
}

// File is one parsed file.
type File struct {
	Path      string // relative to the module root
	Lines     int
	Generated bool // *_templ.go and *.gen.go: exempt from sizes, globals and comments
	Syntax    *ast.File
}

// Load parses every package under root, which holds go.mod. Directories named
// testdata or vendor, hidden ones and nested modules are passed over.
func Load(root fs.FS) (*Tree, error) {
	mod, err := fs.ReadFile(root, "go.mod")
	if err != nil {
		return nil, fmt.Errorf("read the module file: %w", err)
	}
	t := &Tree{Module: moduleName(mod), fset: token.NewFileSet()}
	if t.Module == "" {
		return nil, errors.New("go.mod names no module")
	}
	packages := map[string]*Package{}
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return enter(root, name)
		case path.Ext(name) != ".go":
			return nil
		}
		dir := path.Dir(name)
		if packages[dir] == nil {
			packages[dir] = &Package{Dir: dir, tree: t}
		}
		return packages[dir].add(root, name)
	})
	if err != nil {
		return nil, err
	}
	for _, p := range packages {
		p.resolve()
		t.Packages = append(t.Packages, p)
	}
	slices.SortFunc(t.Packages, func(a, b *Package) int { return strings.Compare(a.Dir, b.Dir) })
	return t, nil
}

func enter(root fs.FS, dir string) error {
	base := path.Base(dir)
	if dir == "." {
		return nil
	}
	if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return fs.SkipDir
	}
	if _, err := fs.Stat(root, path.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func (p *Package) add(root fs.FS, name string) error {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}
	syntax, err := parser.ParseFile(p.tree.fset, name, b, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	f := &File{
		Path:      name,
		Lines:     bytes.Count(b, []byte("\n")),
		Generated: strings.HasSuffix(name, "_templ.go") || strings.HasSuffix(name, ".gen.go"),
		Syntax:    syntax,
	}
	if strings.HasSuffix(name, "_test.go") {
		p.Tests = append(p.Tests, f)
		return nil
	}
	p.Files = append(p.Files, f)
	p.Name = syntax.Name.Name
	return nil
}

// resolve says what each name means. Imports are not followed: a name from
// another package resolves to that package's path, which is all the laws ask.
func (p *Package) resolve() {
	p.info = &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{},
		Defs:  map[*ast.Ident]types.Object{},
		Uses:  map[*ast.Ident]types.Object{},
	}
	var files []*ast.File
	for _, f := range p.Files {
		files = append(files, f.Syntax)
	}
	unresolved := types.Config{Importer: noImports{}, Error: func(error) {}, FakeImportC: true}
	_, _ = unresolved.Check(p.Dir, p.tree.fset, files, p.info)
}

type noImports struct{}

func (noImports) Import(string) (*types.Package, error) { return nil, errors.New("not followed") }

// used is the import path and name that an expression such as time.Now refers to.
func (p *Package) used(e ast.Expr) (pkg, name string) {
	switch e := ast.Unparen(e).(type) {
	case *ast.SelectorExpr:
		if id, ok := e.X.(*ast.Ident); ok {
			if imported, ok := p.info.Uses[id].(*types.PkgName); ok {
				return imported.Imported().Path(), e.Sel.Name
			}
		}
	case *ast.IndexExpr:
		return p.used(e.X)
	case *ast.Ident:
		return "", e.Name
	}
	return "", ""
}

func moduleName(mod []byte) string {
	for line := range strings.Lines(string(mod)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "module "); ok {
			return strings.Trim(name, `" `)
		}
	}
	return ""
}

func importPath(spec *ast.ImportSpec) string {
	s, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return spec.Path.Value
	}
	return s
}

// under reports whether an import path is a given package or lies below it.
func under(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}
