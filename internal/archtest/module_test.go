package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func root(t *testing.T) fs.FS {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return os.DirFS(dir)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}

// The module keeps every law.
func TestModule(t *testing.T) {
	tree, err := Load(root(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range Check(tree) {
		t.Error(v)
	}
}

// The tree that TestModule judged is this module, whole: it holds the rooms
// that everything stands on, and this file.
func TestModuleIsRead(t *testing.T) {
	tree, err := Load(root(t))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range tree.Packages {
		for _, f := range append(p.Files, p.Tests...) {
			seen[f.Path] = true
		}
	}
	for _, want := range []string{"internal/fault/fault.go", "internal/event/event.go", "internal/archtest/module_test.go"} {
		if !seen[want] {
			t.Errorf("%s was not read", want)
		}
	}
	if tree.Module != "signalbox.dev/signalbox" {
		t.Errorf("module %q", tree.Module)
	}
}

// The module file names one cel-go.
func TestModuleFile(t *testing.T) {
	mod, err := fs.ReadFile(root(t), "go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mod), "github.com/google/cel-go") {
		t.Error("go.mod requires cel-go under its old path")
	}
}

// ARCHITECTURE.md has a row for every room of the plan that exists.
func TestRoomsAreDescribed(t *testing.T) {
	top := root(t)
	text, err := fs.ReadFile(top, "ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rooms {
		if _, err := fs.Stat(top, r.path); err == nil && !strings.Contains(string(text), "`"+r.path+"`") {
			t.Errorf("ARCHITECTURE.md does not describe %s", r.path)
		}
	}
}
