package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// mutant is one thing that the code could say instead.
type mutant struct {
	id    int
	file  string
	line  int
	where string // the function it is in
	what  string // what it does to which text
}

func (m mutant) String() string { return fmt.Sprintf("%s:%d %s: %s", m.file, m.line, m.where, m.what) }

// key is the mutant without its line, which moves.
func (m mutant) key() string { return fmt.Sprintf("%s %s: %s", m.file, m.where, m.what) }

// source is a package that is to be mutated.
type source struct {
	listed
	exports map[string]string

	files   *token.FileSet
	info    types.Info
	mutants []mutant

	// of the file and function in hand
	text    []byte
	edits   []edit
	name    string
	where   string
	results *types.Tuple
}

// edit puts text where none was, or in place of an operator. At one place,
// suffixes come before prefixes, the innermost first, and prefixes outermost first.
type edit struct {
	at, drop, order int
	text            string
}

// mutate is the text of every file with all mutants in it, by name, and the mutants.
func (p *source) mutate() (map[string][]byte, []mutant, error) {
	p.files = token.NewFileSet()
	var trees []*ast.File
	for _, name := range p.GoFiles {
		tree, err := parser.ParseFile(p.files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, nil, err
		}
		trees = append(trees, tree)
	}
	p.info = types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: importer.ForCompiler(p.files, "gc", func(path string) (io.ReadCloser, error) { return os.Open(p.exports[path]) })}
	if _, err := config.Check(p.ImportPath, p.files, trees, &p.info); err != nil {
		return nil, nil, err
	}
	out := map[string][]byte{}
	for i, tree := range trees {
		name := p.GoFiles[i]
		if strings.HasSuffix(name, "_templ.go") || strings.HasSuffix(name, ".gen.go") || ast.IsGenerated(tree) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			return nil, nil, err
		}
		p.text, p.name, p.edits = b, name, nil
		for _, d := range tree.Decls {
			if f, is := d.(*ast.FuncDecl); is && f.Body != nil {
				p.function(f)
			}
		}
		out[name] = p.edited()
	}
	out["zz_mutants.go"] = []byte(strings.NewReplacer("PACKAGE", p.Name, "COUNT", strconv.Itoa(len(p.mutants)+1)).Replace(switches))
	return out, p.mutants, nil
}

func (p *source) function(f *ast.FuncDecl) {
	p.where = f.Name.Name
	if f.Recv != nil && len(f.Recv.List) > 0 {
		p.where = strings.TrimPrefix(p.at(f.Recv.List[0].Type), "*") + "." + p.where
	}
	p.results = p.info.Defs[f.Name].Type().(*types.Signature).Results()
	ast.Walk(visitor{p, p.results}, f.Body)
}

// visitor carries the results of the function that is walked, literals' too.
type visitor struct {
	p       *source
	results *types.Tuple
}

func (v visitor) Visit(n ast.Node) ast.Visitor {
	p := v.p
	switch n := n.(type) {
	case *ast.FuncLit:
		return visitor{p, p.info.Types[n].Type.(*types.Signature).Results()}
	case *ast.GenDecl:
		if n.Tok == token.CONST {
			return nil
		}
	case *ast.ArrayType:
		return nil
	case *ast.CompositeLit:
		p.elements(v, n)
		return nil
	case *ast.CallExpr:
		if id, is := n.Fun.(*ast.Ident); is && (id.Name == "make" || id.Name == "panic") {
			return nil
		}
	case *ast.BlockStmt:
		p.statements(n.List)
	case *ast.CaseClause:
		p.statements(n.Body)
		for _, c := range n.List {
			p.condition(c)
		}
	case *ast.CommClause:
		p.statements(n.Body)
	case *ast.IfStmt:
		p.condition(n.Cond)
	case *ast.ForStmt:
		p.condition(n.Cond)
	case *ast.ReturnStmt:
		p.returns(n, v.results)
	case *ast.BinaryExpr:
		p.binary(n)
	case *ast.BasicLit:
		p.number(n)
	case *ast.Ident:
		p.constant(n, n)
	case *ast.SelectorExpr:
		if p.constant(n, n.Sel) {
			return nil
		}
		ast.Walk(v, n.X)
		return nil
	case *ast.KeyValueExpr:
		ast.Walk(v, n.Value)
		return nil
	}
	return v
}

// elements walks what a literal holds; keys are constants or fields.
func (p *source) elements(v visitor, n *ast.CompositeLit) {
	for _, e := range n.Elts {
		ast.Walk(v, e)
	}
}

// statements takes each out that can be: calls, assignments, and leaving early.
func (p *source) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt:
			if c, is := s.X.(*ast.CallExpr); !is || p.at(c.Fun) == "panic" {
				continue
			}
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE || !slices.ContainsFunc(s.Lhs, func(e ast.Expr) bool { return p.at(e) != "_" }) {
				continue
			}
		case *ast.IncDecStmt, *ast.BranchStmt:
		case *ast.ReturnStmt:
			if len(s.Results) > 0 {
				continue
			}
		default:
			continue
		}
		p.wrap(s, fmt.Sprintf("if !mutantAwake(%d) { ", p.add(s, "without "+p.at(s))), " }")
	}
}

// condition is turned round where it is nothing that is mutated by itself.
func (p *source) condition(e ast.Expr) {
	if e == nil || !p.is(e, types.IsBoolean) {
		return
	}
	if b, is := e.(*ast.BinaryExpr); is && (compares(b.Op) || b.Op == token.LAND || b.Op == token.LOR) {
		return
	}
	p.flip(e)
}

func (p *source) flip(e ast.Expr) {
	p.wrap(e, fmt.Sprintf("(mutantAwake(%d) != (", p.add(e, "not "+p.at(e))), "))")
}

func compares(op token.Token) bool {
	return slices.Contains([]token.Token{token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ}, op)
}

// binary mutates comparisons (the other way round, and its boundary) and takes
// operands of and and or away.
func (p *source) binary(n *ast.BinaryExpr) {
	if p.info.Types[n].Value != nil {
		return
	}
	switch n.Op {
	case token.EQL, token.NEQ:
		p.flip(n)
	case token.LSS, token.LEQ, token.GTR, token.GEQ:
		p.flip(n)
		names := map[token.Token][2]string{token.LSS: {"Less", "<="}, token.LEQ: {"AtMost", "<"}, token.GTR: {"More", ">="}, token.GEQ: {"AtLeast", ">"}}[n.Op]
		p.wrap(n, fmt.Sprintf("mutant%s(%d, ", names[0], p.add(n, names[1]+" in "+p.at(n))), ")")
		p.edits = append(p.edits, edit{p.offset(n.OpPos), len(n.Op.String()), len(p.edits), ","})
	case token.LAND:
		p.wrap(n.X, fmt.Sprintf("(mutantAwake(%d) || (", p.add(n.X, "true for "+p.at(n.X))), "))")
		p.wrap(n.Y, fmt.Sprintf("(mutantAwake(%d) || (", p.add(n.Y, "true for "+p.at(n.Y))), "))")
	case token.LOR:
		p.wrap(n.X, fmt.Sprintf("(!mutantAwake(%d) && (", p.add(n.X, "false for "+p.at(n.X))), "))")
		p.wrap(n.Y, fmt.Sprintf("(!mutantAwake(%d) && (", p.add(n.Y, "false for "+p.at(n.Y))), "))")
	}
}

// returns gives back no error, the other truth, or nothing at all.
func (p *source) returns(n *ast.ReturnStmt, results *types.Tuple) {
	if len(n.Results) != results.Len() {
		return
	}
	for i, e := range n.Results {
		t := p.info.Types[e]
		_, parameter := results.At(i).Type().(*types.TypeParam)
		switch {
		case t.IsNil() || t.Value != nil || parameter || isZero(e):
		case results.At(i).Type().String() == "error":
			p.wrap(e, fmt.Sprintf("mutantNil(%d, ", p.add(e, "no error for "+p.at(e))), ")")
		case p.is(e, types.IsBoolean):
			p.condition(e)
		case types.Identical(t.Type, results.At(i).Type()):
			p.wrap(e, fmt.Sprintf("mutantZero(%d, ", p.add(e, "returns nothing for "+p.at(e))), ")")
		}
	}
}

// isZero reports whether an expression is nothing already, as T{} is.
func isZero(e ast.Expr) bool {
	c, is := e.(*ast.CompositeLit)
	return is && len(c.Elts) == 0
}

// number mutates an int by one.
func (p *source) number(n *ast.BasicLit) {
	t := p.info.Types[n].Type
	if n.Kind != token.INT || t != types.Typ[types.Int] {
		return
	}
	text := fmt.Sprintf(" + mutantOne(%d)", p.add(n, n.Value+" + 1"))
	if n.Value != "0" {
		text += fmt.Sprintf(" - mutantOne(%d)", p.add(n, n.Value+" - 1"))
	}
	p.wrap(n, "(", text+")")
}

// constant turns true and false round, and makes go of any other verdict.
func (p *source) constant(e ast.Expr, n *ast.Ident) bool {
	if n.Name == "true" || n.Name == "false" {
		p.flip(e)
		return true
	}
	c, is := p.info.Uses[n].(*types.Const)
	if !is {
		return false
	}
	if named, is := c.Type().(*types.Named); is && named.Obj().Name() == "Verdict" && n.Name != "Go" {
		p.wrap(e, fmt.Sprintf("mutantGo(%d, ", p.add(e, "go for "+p.at(e))), ")")
	}
	return true
}

func (p *source) is(e ast.Expr, of types.BasicInfo) bool {
	t := p.info.Types[e]
	if !t.IsValue() {
		return false
	}
	b, is := t.Type.Underlying().(*types.Basic)
	return is && b.Info()&of != 0
}

func (p *source) offset(at token.Pos) int { return p.files.Position(at).Offset }

// at is the text of a node, on one line.
func (p *source) at(n ast.Node) string {
	s := strings.Join(strings.Fields(string(p.text[p.offset(n.Pos()):p.offset(n.End())])), " ")
	if len(s) > 90 {
		s = s[:90] + "…"
	}
	return s
}

func (p *source) add(n ast.Node, what string) int {
	p.mutants = append(p.mutants, mutant{len(p.mutants) + 1, p.name, p.files.Position(n.Pos()).Line, p.where, what})
	return len(p.mutants)
}

func (p *source) wrap(n ast.Node, before, after string) {
	p.edits = append(p.edits,
		edit{p.offset(n.Pos()), 0, len(p.edits) + 1, before},
		edit{p.offset(n.End()), 0, -len(p.edits) - 1, after})
}

func (p *source) edited() []byte {
	slices.SortStableFunc(p.edits, func(a, b edit) int {
		if a.at != b.at {
			return a.at - b.at
		}
		return a.order - b.order
	})
	var out bytes.Buffer
	from := 0
	for _, e := range p.edits {
		out.Write(p.text[from:e.at])
		out.WriteString(e.text)
		from = e.at + e.drop
	}
	out.Write(p.text[from:])
	return out.Bytes()
}
