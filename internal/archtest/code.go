package archtest

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"regexp"
	"slices"
	"strings"
)

// NoInit refuses init functions: what runs before main cannot be tested or refused.
func NoInit(t *Tree) []Violation {
	var found []Violation
	t.functions(func(p *Package, _ *File, fn *ast.FuncDecl) {
		if fn.Name.Name == "init" && fn.Recv == nil {
			found = append(found, p.violation("no init", fn.Pos(), "an init function: wire it where the program starts"))
		}
	})
	return found
}

// NoGlobals refuses package-level variables that could hold state. What remains
// is written once, where it is declared: sentinel errors, embedded files, what a
// Must function parsed, unexported tables. Rooms for tests alone are free of it.
func NoGlobals(t *Tree) []Violation {
	var found []Violation
	for _, p := range t.Packages {
		if r, _ := roomOf(p.Dir); r.tests {
			continue
		}
		for _, f := range p.Files {
			if f.Generated {
				continue
			}
			for _, spec := range variables(f) {
				for i, name := range spec.Names {
					if name.Name != "_" && !p.constantTable(spec, i) {
						found = append(found, p.violation("no globals", name.Pos(), "the variable %s holds state: make it a constant, or a field of what uses it", name.Name))
					}
				}
			}
			found = append(found, p.assignments(f)...)
		}
	}
	return found
}

func variables(f *File) []*ast.ValueSpec {
	var specs []*ast.ValueSpec
	for _, d := range f.Syntax.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
			for _, s := range g.Specs {
				spec := *s.(*ast.ValueSpec)
				if !g.Lparen.IsValid() {
					spec.Doc = g.Doc
				}
				specs = append(specs, &spec)
			}
		}
	}
	return specs
}

// immutable are calls whose result nobody can change: "package.Function".
const immutable = "errors.New fmt.Errorf strings.NewReplacer reflect.TypeFor hash/crc32.MakeTable encoding/base32.NewEncoding encoding/base64.NewEncoding"

func (p *Package) constantTable(spec *ast.ValueSpec, i int) bool {
	if pkg, name := p.used(spec.Type); pkg == "embed" && name == "FS" {
		return true
	}
	if len(spec.Values) == 0 {
		return embedded(spec)
	}
	if len(spec.Values) != len(spec.Names) {
		return false
	}
	switch v := ast.Unparen(spec.Values[i]).(type) {
	case *ast.CompositeLit:
		pkg, _ := p.used(v.Type)
		return !spec.Names[i].IsExported() && !under(pkg, "sync")
	case *ast.CallExpr:
		return p.callsConstant(v)
	}
	return false
}

func embedded(spec *ast.ValueSpec) bool {
	return spec.Doc != nil && slices.ContainsFunc(spec.Doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, "//go:embed ")
	})
}

func (p *Package) callsConstant(call *ast.CallExpr) bool {
	if _, conversion := call.Fun.(*ast.ArrayType); conversion {
		return true
	}
	if pkg, name := p.used(call.Fun); pkg != "" {
		return strings.HasPrefix(name, "Must") || hasWord(immutable, pkg+"."+name)
	}
	e, method := call.Fun.(*ast.SelectorExpr)
	if !method {
		return false
	}
	pkg, _ := p.used(e.X)
	return under(pkg, "encoding") || strings.HasPrefix(e.Sel.Name, "Must")
}

// assignments are places that change a package-level variable.
func (p *Package) assignments(f *File) []Violation {
	var found []Violation
	report := func(e ast.Expr) {
		if name := p.global(e); name != "" {
			found = append(found, p.violation("no globals", e.Pos(), "%s is changed after its declaration", name))
		}
	}
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				report(left)
			}
		case *ast.IncDecStmt:
			report(n.X)
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "delete" || id.Name == "clear") && len(n.Args) > 0 {
				report(n.Args[0])
			}
		}
		return true
	})
	return found
}

// global is the name of the package-level variable that e is or is part of.
func (p *Package) global(e ast.Expr) string {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		if v, ok := p.info.Uses[e].(*types.Var); ok && v.Parent() != nil && v.Pkg() != nil && v.Parent() == v.Pkg().Scope() {
			return e.Name
		}
	case *ast.IndexExpr:
		return p.global(e.X)
	case *ast.SelectorExpr:
		return p.global(e.X)
	case *ast.StarExpr:
		return p.global(e.X)
	}
	return ""
}

// Strictness sends JSON from outside through internal/strict: encoding/json
// folds case and keeps the last duplicate.
func Strictness(t *Tree) []Violation {
	return t.uses(func(p *Package, pkg, name string) (Violation, bool) {
		loose := (pkg == "encoding/json" || pkg == "github.com/go-json-experiment/json/v1") && (name == "Unmarshal" || name == "NewDecoder") && !underAny(p.Dir, jsonReaders)
		second := pkg == "github.com/go-json-experiment/json" && strings.HasPrefix(name, "Unmarshal") && !underAny(p.Dir, streamReaders)
		return Violation{Law: "strictness", Why: "json." + name + " here: decode with strict"}, loose || second
	})
}

// OneDoor keeps decisions to the rooms that record them or mark them as
// assumed, and what is appended to commands.
func OneDoor(t *Tree) []Violation {
	return t.uses(func(p *Package, pkg, name string) (Violation, bool) {
		if pkg == t.Module+"/internal/journal" && name == "Command" && !underAny(p.Dir, "internal/control") {
			return Violation{Law: "one door", Why: "a journal.Command is made here: send a command to control instead"}, true
		}
		decides := pkg == t.Module+"/internal/release" && name == "Gate" && !underAny(p.Dir, deciders)
		return Violation{Law: "one door", Why: "release.Gate is asked here: send a command to control instead"}, decides
	})
}

// uses judges every name of another package that the tree uses; what it finds
// gets its place here.
func (t *Tree) uses(judge func(p *Package, pkg, name string) (Violation, bool)) []Violation {
	var found []Violation
	for _, p := range t.Packages {
		for _, f := range p.Files {
			ast.Inspect(f.Syntax, func(n ast.Node) bool {
				if e, ok := n.(*ast.SelectorExpr); ok {
					if pkg, name := p.used(e); pkg != "" {
						if v, broken := judge(p, pkg, name); broken {
							found = append(found, p.violation(v.Law, e.Pos(), "%s", v.Why))
						}
					}
				}
				return true
			})
		}
	}
	return found
}

// writes finds the table in the SQL that changes rows. "FOR UPDATE", "DO
// UPDATE" and "ON UPDATE" name no table.
var writes = regexp.MustCompile(`(?i)\b(?:(?:INSERT|REPLACE)\s+(?:OR\s+\w+\s+)?INTO|DELETE\s+FROM|TRUNCATE\s+TABLE|MERGE\s+INTO)\b\s*"?(\w*)|(?:^|[^\w\s]|\b(?:AS|THEN)\b)\s*UPDATE\s+(?:ONLY\s+)?"?(\w+)"?(?:\s+AS\s+\w+|\s+\w+)??\s+SET\b`)

// OneWriter keeps each table to one package, and the tables that decisions
// rest on to their owners.
func OneWriter(t *Tree) []Violation {
	var found []Violation
	first := map[string]string{}
	for _, p := range t.Packages {
		p.strings(func(pos token.Pos, text string) {
			for _, m := range writes.FindAllStringSubmatch(text, -1) {
				table := strings.ToLower(m[1] + m[2])
				owner := ownerOf(table)
				if owner == "" {
					owner = first[table]
				}
				switch {
				case table == "":
					found = append(found, p.violation("one writer", pos, "the table's name stands outside the statement: write it in, or how it begins"))
				case owner == "":
					first[table] = p.Dir
				case !under(p.Dir, owner):
					found = append(found, p.violation("one writer", pos, "%s writes the table %s, which is %s's", p.Dir, table, owner))
				}
			}
		})
	}
	return found
}

// strings visits every constant string, concatenations as one.
func (p *Package) strings(visit func(token.Pos, string)) {
	for _, f := range p.Files {
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			if v := p.info.Types[e].Value; v != nil && v.Kind() == constant.String {
				visit(e.Pos(), constant.StringVal(v))
				return false
			}
			return true
		})
	}
}

func (t *Tree) functions(visit func(*Package, *File, *ast.FuncDecl)) {
	for _, p := range t.Packages {
		for _, f := range p.Files {
			for _, d := range f.Syntax.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok {
					visit(p, f, fn)
				}
			}
		}
	}
}
