package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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

func trying(t *testing.T, test string, args ...string) (code int, out string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/grown\n\ngo 1.26\n", "grown.go": grown,
		"grown_test.go": "package grown\n\nimport \"testing\"\n\nfunc TestOf(t *testing.T) {\n" + test + "\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	var printed, errs strings.Builder
	code = run(append(args, "."), &printed, &errs)
	return code, printed.String() + errs.String()
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
	if code, out := trying(t, `t.Fatal()`); code != 2 || !strings.Contains(out, "fail without any mutant") {
		t.Errorf("tests that fail anyway: code %d\n%s", code, out)
	}
}
