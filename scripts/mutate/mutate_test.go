package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A package with a bug that its tests would not notice, and one they would.
const grown = `package grown

// Verdict is an answer.
type Verdict string

const (
	Go   Verdict = "go"
	NoGo Verdict = "no-go"
)

// Of says go from eighteen on, but never where it is stopped.
func Of(age int, stopped bool) Verdict {
	if age < 18 || stopped {
		return NoGo
	}
	return Go
}
`

// trying runs the tool over grown and one test of it.
func trying(t *testing.T, test string, args ...string) (code int, out string) {
	t.Helper()
	return mutating(t, grown, "func TestOf(t *testing.T) {\n"+test+"\n}\n", args...)
}

// mutating runs the tool over a package and its tests.
func mutating(t *testing.T, code, tests string, args ...string) (int, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/grown\n\ngo 1.26\n", "grown.go": code,
		"grown_test.go": "package grown\n\nimport \"testing\"\n\n" + tests,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	var printed, errs strings.Builder
	status := run(append(args, "."), &printed, &errs)
	return status, printed.String() + errs.String()
}

// Tests that try both sides of every condition leave no mutant; tests that look
// less closely leave just those that they cannot see.
func TestSurvivors(t *testing.T) {
	all := `for age := range 30 {
		want := NoGo
		if age >= 18 { want = Go }
		if Of(age, false) != want || Of(age, true) != NoGo { t.Fatal(age) }
	}`
	if code, out := trying(t, all); code != 0 || strings.Contains(out, "survived  ") || !strings.Contains(out, "7 of 7 mutants tried, 7 killed") {
		t.Errorf("code %d\n%s", code, out)
	}
	some := `if Of(10, false) != NoGo || Of(30, false) != Go { t.Fatal() }`
	code, out := trying(t, some)
	for _, want := range []string{"grown.go:13 Of: <= in age < 18", "grown.go:13 Of: false for stopped", "grown.go:13 Of: 18 + 1"} {
		if code != 1 || !strings.Contains(out, "survived  "+want) {
			t.Errorf("code %d, without %q\n%s", code, want, out)
		}
	}
	if strings.Contains(out, "go for NoGo") {
		t.Errorf("a verdict that was tested survived\n%s", out)
	}
}

// What is argued is no failure, whatever its line; a mutant is named by what it does.
func TestArgued(t *testing.T) {
	list := filepath.Join(t.TempDir(), "argued")
	if err := os.WriteFile(list, []byte("grown.go Of: <= in age < 18: why\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	test := `if Of(17, false) != NoGo || Of(19, false) != Go || Of(19, true) != NoGo { t.Fatal() }`
	if code, out := trying(t, test, "-only", "<= in", "-argued", list); code != 0 || !strings.Contains(out, "1 survived (1 of them argued, 0 reached by no test)") {
		t.Errorf("code %d\n%s", code, out)
	}
	// One line excuses one mutant.
	twice := strings.Replace(grown, "return Go", "if age < 18 {\n\t\treturn NoGo\n\t}\n\treturn Go", 1)
	if code, out := mutating(t, twice, "func TestOf(t *testing.T) {\n"+test+"\n}\n", "-only", "<= in", "-argued", list); code != 1 || !strings.Contains(out, "2 survived (1 of them argued") {
		t.Errorf("two mutants and one argument: code %d\n%s", code, out)
	}
	if code, out := trying(t, `t.Fatal()`); code != 2 || !strings.Contains(out, "fail without any mutant") {
		t.Errorf("tests that fail anyway: code %d\n%s", code, out)
	}
}

// What tests share is made once, by whichever comes first; Deep is got to only
// after another test, and Lone by one test alone.
const shared = `package grown

import "sync"

var table = sync.OnceValue(fill)

func fill() int { return 42 }

// Left and Right rest on the same table.
func Left() int  { return table() }
func Right() int { return table() }

// Opened lets tests get to Deep.
var Opened bool

func Deep(n int) bool { return n > 3 }

func Lone(n int) bool { return n == 5 }
`

const sharing = `
func TestA(t *testing.T) { Opened = true; if Left() == 0 { t.Fatal() } }

func TestB(t *testing.T) { if Right() != 42 { t.Fatal() } }

func TestDeep(t *testing.T) { if Opened && (Deep(3) || !Deep(4)) { t.Fatal() } }

func TestLone(t *testing.T) { if Lone(4) || !Lone(5) { t.Fatal() } }

func BenchmarkNothing(b *testing.B) { b.Fatal() }
`

// Asking only the tests that get to a mutant finds what asking all of them does:
// the test that notices is not passed over because another came before it.
func TestSelection(t *testing.T) {
	for _, args := range [][]string{{}, {"-all"}} {
		if code, out := mutating(t, shared, sharing, args...); code != 0 || !strings.Contains(out, "11 of 11 mutants tried, 11 killed") {
			t.Errorf("%v: code %d\n%s", args, code, out)
		}
	}
	// The controls: where the one test that notices looks less closely, just that survives.
	for _, c := range []struct {
		closely, less, survivor string
		of                      int
	}{
		{"Right() != 42", "Right() == 0", "fill: 42 + 1", 2},
		{"Deep(3) || !Deep(4)", "Deep(3)", "Deep: 3 + 1", 1},
		{"Lone(4) || !Lone(5)", "Lone(4) && Lone(5)", "Lone: not n == 5", 3},
	} {
		code, out := mutating(t, shared, strings.Replace(sharing, c.closely, c.less, 1))
		if code != 1 || !strings.Contains(out, c.survivor) || !strings.Contains(out, fmt.Sprintf(" %d survived", c.of)) {
			t.Errorf("with %s for %s: code %d\n%s", c.less, c.closely, code, out)
		}
	}
	if code, out := mutating(t, shared, strings.Replace(sharing, "if Opened &&", "if !Opened ||", 1)); code != 2 || !strings.Contains(out, "TestDeep alone") {
		t.Errorf("a test that fails alone: code %d\n%s", code, out)
	}
}

// The quickest tests come first, some at a time; only those that get to the mutant are asked.
func TestSteps(t *testing.T) {
	got := func(took time.Duration, ids ...int) test {
		x := test{reaches: map[int]bool{}, took: took}
		for _, id := range ids {
			x.reaches[id] = true
		}
		return x
	}
	tests := &trial{whole: got(20*time.Second, 1, 2, 3), tests: map[string]test{
		"TestSlow": got(9*time.Second, 1), "TestQuick": got(time.Millisecond, 1, 2), "TestMiddling": got(time.Second, 1),
		"TestOther": got(time.Second, 2), "TestAlsoQuick": got(time.Millisecond, 1),
	}}
	for id, want := range map[int][]string{
		1: {"^(TestAlsoQuick|TestQuick)$", "^(TestMiddling)$", "^(TestSlow)$"},
		2: {"^(TestQuick)$", "^(TestOther)$"},
		3: {""}, // only after one another
		4: nil,
	} {
		var patterns []string
		for _, s := range tests.steps(id, false) {
			if patterns = append(patterns, s.pattern); s.limit < 3*time.Second {
				t.Errorf("%d: %s may take %s", id, s.pattern, s.limit)
			}
		}
		if !slices.Equal(patterns, want) {
			t.Errorf("%d: %q, want %q", id, patterns, want)
		}
	}
	if all := tests.steps(1, true); len(all) != 1 || all[0].pattern != "" || tests.steps(4, true) != nil {
		t.Errorf("all: %v", all)
	}
}

// What survived is tried again by what it does, wherever its line is now.
func TestAgain(t *testing.T) {
	weak := `if Of(10, false) != NoGo || Of(30, false) != Go { t.Fatal() }`
	_, out := trying(t, weak)
	earlier := filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(earlier, []byte(strings.ReplaceAll(out, "grown.go:13", "grown.go:99")), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out := trying(t, `if Of(17, false) != NoGo || Of(18, false) != Go || Of(18, true) != NoGo { t.Fatal() }`, "-again", earlier)
	if code != 0 || !strings.Contains(out, "4 of 7 mutants tried, 4 killed") {
		t.Errorf("code %d\n%s", code, out)
	}
}
