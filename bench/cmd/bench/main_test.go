package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox.dev/signalbox/bench/measure"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// Everything that is measured runs, at its smallest, and has its place in the
// document; what stands around the tables stays. No figure is looked at.
func TestEverythingRunsAndHasItsPlace(t *testing.T) {
	o := measure.Options{Rounds: 1, Dir: t.TempDir(), Smoke: true, Postgres: storetest.PostgresURL(t), Log: t.Logf}
	tables, err := measureAll(t.Context(), o, parts(), 1)
	if err != nil {
		t.Fatal(err)
	}
	machine, err := measure.Machine(t.Context(), o, 0)
	if err != nil {
		t.Fatal(err)
	}
	tables = append(tables, machine)
	doc, err := os.ReadFile("../../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(copied, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := measure.Publish(copied, tables); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	if want, got := byHand(string(doc)), byHand(string(written)); want != got {
		t.Errorf("what is written by hand did not stay:\n%s", got)
	}
	for _, table := range tables {
		if len(table.Lines) == 0 || !strings.Contains(string(written), table.Markdown()) {
			t.Errorf("the table %s is empty or not there", table.Name)
		}
		for _, l := range table.Lines {
			if len(l) != len(table.Head) {
				t.Errorf("the table %s: %d cells under %d heads", table.Name, len(l), len(table.Head))
			}
		}
	}
	if err := measure.Publish(copied, tables[1:]); err == nil {
		t.Error("a document that keeps a table of another run was written")
	}
}

// byHand is a document without what stands between markers.
func byHand(doc string) string {
	var kept []string
	measured := false
	for line := range strings.Lines(doc) {
		if strings.HasPrefix(line, "<!-- end measured") {
			measured = false
		}
		if !measured {
			kept = append(kept, line)
		}
		if strings.HasPrefix(line, "<!-- begin measured") {
			measured = true
		}
	}
	return strings.Join(kept, "")
}
