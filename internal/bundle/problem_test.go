package bundle

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/fault"
)

func TestProblemInWords(t *testing.T) {
	out := &Problems{}
	Read(one("a: 1\nb: ähm c\n"), out)
	out.Add(Problem{Where: fault.Position{File: "x.yaml", Line: 2, Column: 8}, Code: "policy.probe", What: "this is wrong", Why: "it is", Fix: "mend it"})
	const want = "x.yaml:2:8: error: this is wrong: it is [policy.probe]\n" +
		"    2 | b: ähm c\n" +
		"               ^\n" +
		"  fix: mend it"
	if got := out.Sorted()[0].String(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := (Problem{Severity: LevelWarning, Code: "policy.probe", What: "odd"}).String(); got != "warning: odd [policy.probe]" {
		t.Errorf("%q", got)
	}
	err := out.Sorted()[0].Fault()
	if fault.KindOf(err) != fault.Invalid || err.Where.Line != 2 || !strings.Contains(err.Error(), "mend it") {
		t.Errorf("%v", err)
	}
}

func TestExcerptsOfLongAndHostileLines(t *testing.T) {
	for _, tt := range []struct {
		name, line string
		column     int
		want       string
	}{
		{"tabs", "a:\tb", 4, "    1 | a: b\n           ^"},
		{"what a terminal would act on", "a\x1b[2Jb\u202e", 1, "    1 | a\ufffd[2Jb\ufffd\n        ^"},
		{"a column behind the end", "ab", 40, "    1 | ab\n          ^"},
		{"no column", "ab", 0, "    1 | ab\n        ^"},
		{"a long line", strings.Repeat("x", 300) + "y", 301, "    1 | " + strings.Repeat("x", 60) + "y\n        " + strings.Repeat(" ", 60) + "^"},
	} {
		src := &source{name: "x.yaml", lines: []string{tt.line}}
		if got := src.excerpt(fault.Position{File: "x.yaml", Line: 1, Column: tt.column}); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
	src := &source{lines: []string{"a"}}
	for _, line := range []int{-1, 0, 2} {
		if got := src.excerpt(fault.Position{Line: line, Column: 1}); got != "" {
			t.Errorf("line %d has the excerpt %q", line, got)
		}
	}
}

func TestProblemsStandByPlace(t *testing.T) {
	out := &Problems{}
	places := []fault.Position{{File: "b", Line: 1, Column: 1}, {File: "a", Line: 2, Column: 1}, {File: "a", Line: 1, Column: 9}, {File: "a", Line: 1, Column: 2}, {}}
	for _, at := range places {
		out.Add(Problem{Where: at, Code: "policy.probe", What: "x"})
	}
	var got []string
	for _, p := range out.Sorted() {
		got = append(got, p.Where.String())
	}
	if want := []string{"", "a:1:2", "a:1:9", "a:2:1", "b:1:1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestProblemsEnd(t *testing.T) {
	add := func(out *Problems, n int, level Level) {
		for i := range n {
			out.Add(Problem{Severity: level, Code: "policy.probe", What: fmt.Sprint(i)})
		}
	}
	out := &Problems{}
	add(out, MaxProblems, LevelWarning)
	if list := out.Sorted(); len(list) != MaxProblems || out.Failed() || Failed(list) {
		t.Errorf("%d warnings, failed %v", len(list), out.Failed())
	}
	add(out, 2, LevelWarning)
	list := out.Sorted()
	if last := list[len(list)-1]; len(list) != MaxProblems+1 || last.What != "there are 2 more problems" || last.Severity != LevelWarning || out.Failed() {
		t.Errorf("%d problems, the last %v", len(list), last)
	}
	add(out, 1, LevelError)
	add(out, 1, LevelWarning)
	list = out.Sorted()
	if last := list[len(list)-1]; last.What != "there are 4 more problems" || !out.Failed() || !Failed(list) {
		t.Errorf("an error behind many warnings is lost: %v", last)
	}
}

func TestNothingIsNoProblem(t *testing.T) {
	if out := (&Problems{}); out.Failed() || len(out.Sorted()) != 0 {
		t.Error("an empty list has failed")
	}
}

// A problem is told once, however often it is come upon.
func TestTheSameProblemIsToldOnce(t *testing.T) {
	var ps Problems
	at := fault.Position{File: "a.yaml", Line: 3, Column: 1}
	for range 3 {
		ps.Add(Problem{Where: at, Code: "policy.x", What: "wrong"})
	}
	ps.Add(Problem{Where: at, Code: "policy.x", What: "wrong as well"})
	at.Line++
	ps.Add(Problem{Where: at, Code: "policy.x", What: "wrong"})
	if all := ps.Sorted(); len(all) != 3 {
		t.Errorf("%v", all)
	}
}
