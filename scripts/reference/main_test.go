package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func all(t *testing.T) map[string]string {
	t.Helper()
	pages, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// What is committed is what the code says now.
func TestPagesAreCurrent(t *testing.T) {
	for name, want := range all(t) {
		got, err := os.ReadFile(filepath.Join("../../docs/reference", name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(got), want); diff != "" {
			t.Errorf("docs/reference/%s is out of date, run make generate (-committed +generated):\n%s", name, diff)
		}
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range all(t) {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != want || want == "" {
			t.Errorf("%s: %d bytes written, want %d (%v)", name, len(got), len(want), err)
		}
	}
	if err := write(filepath.Join(dir, "absent")); err == nil {
		t.Error("wrote into a directory that does not exist")
	}
}
