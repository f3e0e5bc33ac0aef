package archtest

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

// tree is a small module: file name to source. A source without a package
// clause gets one, with a package comment.
func tree(t *testing.T, files map[string]string) *Tree {
	t.Helper()
	fsys := fstest.MapFS{"go.mod": {Data: []byte("module example.com/m\n\ngo 1.26\n")}}
	for name, source := range files {
		if strings.HasSuffix(name, ".go") && !strings.Contains(source, "package ") {
			source = "// Package p is an example.\npackage p\n\n" + source
		}
		fsys[name] = &fstest.MapFile{Data: []byte(source)}
	}
	tree, err := Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func importing(paths ...string) string {
	var b strings.Builder
	for _, p := range paths {
		fmt.Fprintf(&b, "import _ %q\n", p)
	}
	return b.String()
}

type example struct {
	name  string
	file  string // internal/policy/p.go unless said
	code  string
	wants string // part of the one violation; "" for none
}

// judge runs a law over each example alone: it must find what the example
// wants, once, and nothing where it wants nothing.
func judge(t *testing.T, law Law, examples []example) {
	t.Helper()
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			file := e.file
			if file == "" {
				file = "internal/policy/p.go"
			}
			found := law(tree(t, map[string]string{file: e.code}))
			switch {
			case e.wants == "" && len(found) > 0:
				t.Errorf("refused: %v", found)
			case e.wants != "" && len(found) != 1:
				t.Errorf("found %d violations, want one with %q: %v", len(found), e.wants, found)
			case e.wants != "" && !strings.Contains(found[0].String(), e.wants):
				t.Errorf("found %v, want %q", found[0], e.wants)
			}
		})
	}
}

func TestImports(t *testing.T) {
	ours := func(rooms ...string) string {
		for i := range rooms {
			rooms[i] = "example.com/m/" + rooms[i]
		}
		return importing(rooms...)
	}
	judge(t, Imports, []example{
		{"a noun knows event, fault and strict", "", ours("internal/event", "internal/fault", "internal/strict"), ""},
		{"a noun knows no other noun", "", ours("internal/calendar"), "internal/policy may not import internal/calendar"},
		{"but where the table says so", "internal/approval/p.go", ours("internal/calendar", "internal/access"), ""},
		{"release joins the nouns", "internal/release/p.go", ours("internal/policy", "internal/change"), ""},
		{"release knows no store", "internal/release/p.go", ours("internal/store"), "may not import internal/store"},
		{"a noun knows no journal", "", ours("internal/journal"), "may not import"},
		{"verify knows no store", "internal/verify/p.go", ours("internal/store"), "may not import"},
		{"verify knows no keys", "internal/verify/p.go", ours("internal/seal"), "may not import"},
		{"control checks permits as outsiders do", "internal/control/p.go", ours("internal/verify"), ""},
		{"control rests on no view", "internal/control/p.go", ours("internal/view"), "may not import"},
		{"a page goes through control", "internal/web/p.go", ours("internal/journal"), "may not import"},
		{"a child knows its parent", "internal/view/releases/p.go", ours("internal/view", "internal/release"), ""},
		{"siblings are strangers", "internal/view/releases/p.go", ours("internal/view/freezes"), "may not import"},
		{"a parent does not know its children", "internal/view/p.go", ours("internal/view/freezes"), "may not import"},
		{"a child of the api uses a child of control", "internal/api/releases/p.go", ours("internal/control/releases"), ""},
		{"the terminal speaks git", "internal/cli/p.go", ours("internal/connect/git"), ""},
		{"and no other system", "internal/cli/p.go", ours("internal/connect/forge"), "may not import"},
		{"the server wires everything", "internal/server/p.go", ours("internal/journal", "internal/connect/git", "internal/web"), ""},
		{"but no test helper", "internal/server/p.go", ours("internal/store/storetest"), "may not import"},
		{"a room without children has none", "internal/policy/deep/p.go", "", "no such room"},
		{"a room that nobody planned", "internal/helpers/p.go", "", "no such room"},
		{"a grandchild", "internal/view/releases/deep/p.go", "", "no such room"},
		{"fault stands on nothing", "internal/fault/p.go", ours("internal/strict"), "may not import"},
		{"strict stands on fault", "internal/strict/p.go", ours("internal/fault"), ""},
		{"a name that begins alike", "", ours("internal/eventful"), "may not import"},
		{"tests may look further", "internal/policy/p_test.go", ours("internal/journal"), ""},
	})
}

func TestPurity(t *testing.T) {
	judge(t, Purity, []example{
		{"plain computing", "", importing("strings", "time", "net/url", "encoding/json", "cel.dev/cel-go/cel", "go.yaml.in/yaml/v4"), ""},
		{"context", "", importing("context"), "context"},
		{"files", "", importing("os"), "os"},
		{"running programs", "", importing("os/exec"), "os/exec"},
		{"the network", "", importing("net/http"), "net/http"},
		{"a database", "", importing("database/sql"), "database/sql"},
		{"chance", "", importing("crypto/rand"), "crypto/rand"},
		{"cheap chance", "", importing("math/rand/v2"), "math/rand/v2"},
		{"logging", "", importing("log/slog"), "log/slog"},
		{"a foreign library", "", importing("github.com/jackc/pgx/v5"), "pgx"},
		{"io/fs alone", "", importing("io/fs"), "io/fs"},
		{"io/fs beside embed", "", importing("io/fs", "embed"), ""},
		{"the clock", "", "import \"time\"\nfunc f() time.Time { return time.Now() }", "time.Now"},
		{"the clock as a value", "", "import \"time\"\nvar f = time.Since", "time.Since"},
		{"the clock by another name", "", "import clock \"time\"\nfunc f() { clock.Sleep(1) }", "time.Sleep"},
		{"another thing called time", "", "type clock struct{ Now int }\nfunc f(time clock) int { return time.Now }", ""},
		{"instants as values", "", "import \"time\"\nfunc f(now time.Time) bool { return now.After(time.Unix(0, 0)) }", ""},
		{"a word room", "internal/fault/p.go", importing("os"), "os"},
		{"verify without a disk", "internal/verify/p.go", importing("os"), "os"},
		{"verify can be interrupted", "internal/verify/p.go", importing("context"), ""},
		{"a shell may", "internal/journal/p.go", importing("os", "context", "crypto/rand"), ""},
	})
}

func TestOneCEL(t *testing.T) {
	judge(t, OneCEL, []example{
		{"the new path", "", importing("cel.dev/cel-go/cel"), ""},
		{"the old path", "", importing("github.com/google/cel-go/cel"), "old path"},
		{"the old path in a test", "internal/policy/p_test.go", importing("github.com/google/cel-go/cel"), "old path"},
	})
}

func TestNoInit(t *testing.T) {
	judge(t, NoInit, []example{
		{"an init", "", "func init() {}", "init function"},
		{"a method of that name", "", "type t struct{}\nfunc (t) init() {}", ""},
	})
}

func TestNoGlobals(t *testing.T) {
	judge(t, NoGlobals, []example{
		{"a constant", "", "const c = 1", ""},
		{"a sentinel error", "", "import \"errors\"\nvar ErrGone = errors.New(\"gone\")", ""},
		{"a parsed pattern", "", "import \"regexp\"\nvar name = regexp.MustCompile(`a`)", ""},
		{"parsed templates", "", "import \"html/template\"\nvar pages = template.Must(template.New(\"\").Parse(``))", ""},
		{"an unexported table", "", "var words = map[string]int{\"a\": 1}", ""},
		{"an exported table", "", "var Words = map[string]int{\"a\": 1}", "Words holds state"},
		{"embedded files", "", "import \"embed\"\nvar files embed.FS", ""},
		{"an embedded string", "", "import _ \"embed\"\n\n//go:embed a.txt\nvar text string", ""},
		{"an implementation asserted", "", "var _ error = (*t)(nil)\ntype t struct{ error }", ""},
		{"a counter", "", "var count int", "count holds state"},
		{"a pointer", "", "type t struct{}\nvar one = &t{}", "one holds state"},
		{"a map made", "", "var cache = make(map[string]int)", "cache holds state"},
		{"a lock", "", "import \"sync\"\nvar mu = sync.Mutex{}", "mu holds state"},
		{"a lock declared", "", "import \"sync\"\nvar once sync.Once", "once holds state"},
		{"a function's result", "", "func f() int { return 1 }\nvar v = f()", "v holds state"},
		{"a table that grows", "", "var words = map[string]int{}\nfunc f() { words[\"b\"] = 2 }", "words is changed"},
		{"a table that shrinks", "", "var words = map[string]int{}\nfunc f() { delete(words, \"b\") }", "words is changed"},
		{"a table replaced", "", "var words = []int{1}\nfunc f() { words = nil }", "words is changed"},
		{"a local of the same name", "", "var words = []int{1}\nfunc f() { words := []int{2}; words[0] = 3; _ = words }", ""},
		{"generated code", "internal/web/page_templ.go", "var count int", ""},
		{"a room for tests", "internal/store/storetest/p.go", "var count int", ""},
	})
}

func TestStrictness(t *testing.T) {
	const unmarshal = "import \"encoding/json\"\nfunc f(b []byte, v any) error { return json.Unmarshal(b, v) }"
	judge(t, Strictness, []example{
		{"reading loosely", "", unmarshal, "decode with strict"},
		{"reading a stream loosely", "internal/api/p.go", "import (\"encoding/json\"; \"io\")\nfunc f(r io.Reader) *json.Decoder { return json.NewDecoder(r) }", "decode with strict"},
		{"reading our own writing", "internal/journal/p.go", unmarshal, ""},
		{"writing", "", "import \"encoding/json\"\nfunc f(v any) ([]byte, error) { return json.Marshal(v) }", ""},
		{"a second strict reader", "", "import \"github.com/go-json-experiment/json\"\nfunc f(b []byte, v any) error { return json.Unmarshal(b, v) }", "decode with strict"},
		{"the loose reader's twin", "", "import json \"github.com/go-json-experiment/json/v1\"\nfunc f(b []byte, v any) error { return json.Unmarshal(b, v) }", "decode with strict"},
		{"piece by piece, elsewhere", "", "import \"github.com/go-json-experiment/json\"\nvar read = json.UnmarshalDecode", "decode with strict"},
		{"the strict reader", "internal/strict/p.go", "import \"github.com/go-json-experiment/json\"\nfunc f(b []byte, v any) error { return json.Unmarshal(b, v) }", ""},
	})
}

func TestOneDoor(t *testing.T) {
	const gate = "import \"example.com/m/internal/release\"\nvar ask = release.Gate"
	judge(t, OneDoor, []example{
		{"control decides", "internal/control/p.go", gate, ""},
		{"the terminal decides offline", "internal/cli/p.go", gate, ""},
		{"a page decides", "internal/web/p.go", gate, "send a command to control"},
		{"a page decides under another name", "internal/web/p.go", "import r \"example.com/m/internal/release\"\nvar ask = r.Gate", "send a command to control"},
		{"a page shows a decision", "internal/web/p.go", "import \"example.com/m/internal/release\"\ntype page struct{ d release.Decision }", ""},
	})
}

func TestOneWriter(t *testing.T) {
	sql := func(text string) string { return "const q = `" + text + "`" }
	judge(t, OneWriter, []example{
		{"the journal writes facts", "internal/journal/p.go", sql("INSERT INTO facts (position) VALUES ($1)"), ""},
		{"a view writes facts", "internal/view/p.go", sql("INSERT INTO facts (position) VALUES ($1)"), "which is internal/journal's"},
		{"a view changes a fact", "internal/view/p.go", sql("\n\tUPDATE facts SET body = $1"), "facts"},
		{"a view changes a fact under another name", "internal/view/p.go", sql("update facts as f set body = $1"), "facts"},
		{"a view deletes a fact", "internal/view/p.go", sql("WITH x AS (SELECT 1) DELETE FROM facts"), "facts"},
		{"after a common table expression", "internal/view/p.go", sql("WITH x AS (SELECT 1) UPDATE streams SET version = 0"), "streams"},
		{"hidden in a concatenation", "internal/view/p.go", "const q = \"INSERT INTO \" + \"facts VALUES ($1)\"", "facts"},
		{"a table named elsewhere", "internal/view/p.go", "func f(table string) string { return \"DELETE FROM \" + table }", "outside the statement"},
		{"a table named by how it begins", "internal/view/p.go", "func f(name string) string { return \"DELETE FROM view_\" + name }", ""},
		{"a view's table written elsewhere", "internal/web/p.go", sql("UPDATE view_releases SET id = $1"), "which is internal/view's"},
		{"a room below writes its parent's", "internal/view/releases/p.go", sql("UPDATE view_releases SET id = $1"), ""},
		{"reading is free", "internal/view/p.go", sql("SELECT body FROM facts WHERE position = $1 FOR UPDATE"), ""},
		{"an upsert of one's own", "internal/vault/p.go", sql("INSERT INTO blobs VALUES ($1) ON CONFLICT (digest) DO UPDATE SET size = 1"), ""},
	})
	found := OneWriter(tree(t, map[string]string{
		"internal/view/p.go":  "const q = `INSERT INTO board (id) VALUES ($1)`",
		"internal/watch/p.go": "const q = `UPDATE board SET id = $1`",
	}))
	if len(found) != 1 || !strings.Contains(found[0].Why, "board") {
		t.Errorf("two writers of one table: %v", found)
	}
}

func TestSizes(t *testing.T) {
	long := func(lines int) string { return strings.Repeat("\n", lines) }
	judge(t, Sizes, []example{
		{"a function of 80", "", "func f() {" + long(79) + "}", ""},
		{"a function of 81", "", "func f() {" + long(80) + "}", "f has 81 lines"},
		{"a file of 700", "", long(697), ""},
		{"a file of 701", "", long(698), "the file has 701 lines"},
		{"a generated file", "internal/web/page_templ.go", "func f() {" + long(5000) + "}", ""},
		{"a long test", "internal/policy/p_test.go", "func f() {" + long(900) + "}", ""},
	})
	files := map[string]string{}
	for i := range 6 {
		files[fmt.Sprintf("internal/policy/f%d.go", i)] = long(690)
	}
	found := Sizes(tree(t, files))
	if len(found) != 1 || !strings.Contains(found[0].Why, "the package has 41") {
		t.Errorf("a package of six long files: %v", found)
	}
}

func TestInterfaces(t *testing.T) {
	judge(t, Interfaces, []example{
		{"five methods", "", "type i interface { A(); B(); C(); D(); E() }", ""},
		{"six methods", "", "type i interface { A(); B(); C(); D(); E(); F() }", "6 methods"},
		{"six through another", "", "type i interface { A(); B(); C(); struct1 }\ntype struct1 interface { D(); E(); F() }", "6 methods"},
		{"a constraint", "", "type number interface { ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~float64 }", ""},
	})
}

func TestComments(t *testing.T) {
	judge(t, Comments, []example{
		{"all is said", "", "// F is.\nfunc F() {}\n\n// T is.\ntype T int\n\n// The kinds.\nconst (\n\tA = 1\n\tB = 2 // is\n)", ""},
		{"a bare function", "", "func F() {}", "F is exported"},
		{"a bare method", "", "type t int\nfunc (t) M() {}\n// T is.\ntype T int\nfunc (T) M() {}", "M is exported"},
		{"a bare type", "", "type T int", "T is exported"},
		{"a bare constant", "", "const C = 1", "C is exported"},
		{"a bare type in a group", "", "// These are.\ntype (\n\tT int\n)", "T is exported"},
		{"nothing said of the package", "", "package p", "no package comment"},
		{"generated code", "internal/web/page_templ.go", "func F() {}", ""},
	})
}

// Each law is among those that the module is held to, and finds something in a
// tree that breaks them all.
func TestCheckRunsEveryLaw(t *testing.T) {
	broken := tree(t, map[string]string{"internal/policy/p.go": `package p

import (
	"encoding/json"
	"os"

	_ "github.com/google/cel-go/cel"

	"example.com/m/internal/release"

	_ "example.com/m/internal/journal"
)

var count int

func init() { _ = json.Unmarshal; _ = os.Args; _ = release.Gate }

const q = "DELETE FROM facts"

type i interface { A(); B(); C(); D(); E(); F() }

func f() {` + strings.Repeat("\n", 100) + `}
`})
	found := map[string]bool{}
	for _, v := range Check(broken) {
		found[v.Law] = true
	}
	for name := range Laws() {
		if !found[name] {
			t.Errorf("the law %q found nothing", name)
		}
	}
}

func TestLoad(t *testing.T) {
	read := tree(t, map[string]string{
		"internal/policy/p.go":          "",
		"internal/policy/testdata/x.go": "package x",
		"tools/go.mod":                  "module example.com/m/tools",
		"tools/main.go":                 "package main",
		".hidden/x.go":                  "package x",
	})
	if len(read.Packages) != 1 || read.Packages[0].Dir != "internal/policy" {
		t.Errorf("read %d packages", len(read.Packages))
	}
	if _, err := Load(fstest.MapFS{"go.mod": {Data: []byte("module m\n")}, "a.go": {Data: []byte("package")}}); err == nil {
		t.Error("a file that does not parse was passed over")
	}
	if _, err := Load(fstest.MapFS{}); err == nil {
		t.Error("a tree without go.mod was accepted")
	}
}
