package measure_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/bench/measure"
)

// A ratio is within rounds: a machine that is slow in one of them falls on both.
func TestRatioIsOfTheSameRound(t *testing.T) {
	at := func(rates ...float64) (all []measure.Sample) {
		for _, r := range rates {
			all = append(all, measure.Sample{Ops: r, Wall: time.Second, CPU: time.Second})
		}
		return all
	}
	r := measure.Results{"ours": at(10, 100, 1000), "theirs": at(5, 50, 500), "odd": at(1, 2, 300)}
	if got := r.Ratio("ours", "theirs", measure.Rate); got != 2 {
		t.Errorf("ratio %v, want 2", got)
	}
	if got := r.Median("odd", measure.Rate); got != 2 {
		t.Errorf("median %v, want 2", got)
	}
	if got := r.Median("none", measure.Rate); got != 0 {
		t.Errorf("median of nothing %v", got)
	}
}

func TestRoundsInterleaveAndStop(t *testing.T) {
	var order []string
	o := measure.Options{Rounds: 3, Log: t.Logf}
	one := func(name string, s measure.Sample, err error) measure.Case {
		return measure.Case{Name: name, Run: func(context.Context) (measure.Sample, error) { order = append(order, name); return s, err }}
	}
	some := measure.Sample{Ops: 1, Wall: 1}
	if _, err := measure.Rounds(t.Context(), o, []measure.Case{one("a", some, nil), one("b", some, nil)}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"a", "b", "b", "a", "a", "b"}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	wrong := errors.New("wrong")
	if _, err := measure.Rounds(t.Context(), o, []measure.Case{one("a", some, wrong)}); !errors.Is(err, wrong) {
		t.Errorf("a case that fails: %v", err)
	}
	if _, err := measure.Rounds(t.Context(), o, []measure.Case{one("a", measure.Sample{}, nil)}); err == nil {
		t.Error("a case that measures nothing has a figure")
	}
}

func TestLoopCountsEveryOperation(t *testing.T) {
	for _, budget := range []time.Duration{0, 3 * time.Millisecond} {
		calls := 0
		s, err := measure.Options{Budget: budget}.Bulk("a", 7, func() error { calls++; return nil }).Run(t.Context())
		if err != nil || s.Ops != float64(7*calls) || calls == 0 {
			t.Errorf("%d calls, %v operations, %v", calls, s.Ops, err)
		}
	}
}

func TestFiguresAreRead(t *testing.T) {
	for f, want := range map[float64]string{0: "–", 0.1234: "0.123", 9.876: "9.88", 123.4: "123", 1234: "1,230", 1234567: "1,230,000", 999.6: "1,000"} {
		if got := measure.Count(f); got != want {
			t.Errorf("%v is written %s, want %s", f, got, want)
		}
	}
}

func TestPublishKeepsWhatStandsAround(t *testing.T) {
	const doc = "# A\n\n<!-- begin measured a -->\nold\n<!-- end measured a -->\n\nBy hand.\n"
	path := filepath.Join(t.TempDir(), "doc.md")
	a := measure.Table{Name: "a", Head: []string{"x", "y"}, Lines: [][]string{{"1", "2"}}}
	for name, c := range map[string]struct {
		doc    string
		tables []measure.Table
		fails  string
	}{
		"written":        {doc, []measure.Table{a}, ""},
		"no place":       {"# A\n", []measure.Table{a}, "no place"},
		"no end":         {strings.Replace(doc, "end", "END", 1), []measure.Table{a}, "does not end"},
		"a place, alone": {doc + strings.ReplaceAll(doc, "measured a", "measured b"), []measure.Table{a}, "2 tables, 1"},
	} {
		if err := os.WriteFile(path, []byte(c.doc), 0o600); err != nil {
			t.Fatal(err)
		}
		err := measure.Publish(path, c.tables)
		b, failed := os.ReadFile(path)
		if failed != nil {
			t.Fatal(failed)
		}
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) || string(b) != c.doc {
				t.Errorf("%s: %v, and the document is %q", name, err, b)
			}
			continue
		}
		if want := strings.Replace(doc, "old\n", "\n"+a.Markdown()+"\n", 1); err != nil || string(b) != want {
			t.Errorf("%s: %v\n%s", name, err, b)
		}
	}
}

// What this process has used is found under its number too, and its parent's.
func TestProcessorTimeIsRead(t *testing.T) {
	own, err := measure.Process(os.Getpid())
	if err != nil || own < 0 {
		t.Errorf("%v, %v", own, err)
	}
	parent, err := measure.Parent(os.Getpid())
	if err != nil || parent != os.Getppid() {
		t.Errorf("parent %d, %v, want %d", parent, err, os.Getppid())
	}
	family, err := measure.Family(parent)
	if err != nil || family < own {
		t.Errorf("the family used %v, one of it %v, %v", family, own, err)
	}
	if _, err := measure.Process(-1); err == nil {
		t.Error("nobody's time is read")
	}
}
