package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// module writes a small module and makes it the working directory.
func module(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module example.com/m\n\ngo 1.26\n"
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

func oneTest(body string) string {
	return "package p\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) { " + body + " }\n"
}

// The real go test over real packages: what fails, skips, dies or does not
// build is told and answered for.
func TestRun(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		ci    bool
		code  int
		last  string
		says  string
	}{
		{"all pass", map[string]string{"p/a_test.go": oneTest(`t.Run("b", func(*testing.T) {})`)}, true, 0, "2 passed, 0 failed, 0 skipped", "ok  \texample.com/m/p"},
		{"one fails", map[string]string{"p/a_test.go": oneTest(`t.Error("out of ink")`)}, false, 1, "0 passed, 1 failed, 0 skipped", "out of ink"},
		{"one is skipped, by hand", map[string]string{"p/a_test.go": oneTest(`t.Run("b", func(t *testing.T) { t.Skip("no ink") })`)}, false, 0, "1 passed, 0 failed, 1 skipped", "skipped: example.com/m/p TestA/b: a_test.go:5: no ink"},
		{"one is skipped, in CI", map[string]string{"p/a_test.go": oneTest(`t.Run("b", func(t *testing.T) { t.Skip("no ink") })`)}, true, 1, "1 passed, 0 failed, 1 skipped", "a skipped test is a failed one"},
		{"a package without tests is not skipped", map[string]string{"p/a_test.go": oneTest(``), "q/q.go": "package q\n"}, true, 0, "1 passed, 0 failed, 0 skipped", "?   \texample.com/m/q"},
		{"one does not build", map[string]string{"p/a_test.go": oneTest(`nonsense`), "q/a_test.go": oneTest(``)}, false, 1, "1 passed, 1 failed, 0 skipped", "undefined: nonsense"},
		{"one dies", map[string]string{"p/a_test.go": oneTest(`panic("gone")`)}, false, 1, "0 passed, 1 failed, 0 skipped", "gone"},
		{"one exits", map[string]string{"p/a_test.go": "package p\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestMain(m *testing.M) { os.Exit(3) }\n"}, false, 1, "0 passed, 1 failed, 0 skipped", "FAIL\texample.com/m/p"},
		{"none ran", map[string]string{"q/q.go": "package q\n"}, false, 1, "0 passed, 0 failed, 0 skipped", "no test ran"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			module(t, tt.files)
			var out bytes.Buffer
			code := run([]string{"./..."}, tt.ci, &out, t.Output())
			text := strings.TrimSuffix(out.String(), "\n")
			if code != tt.code {
				t.Errorf("exit code %d, want %d:\n%s", code, tt.code, text)
			}
			if last := text[strings.LastIndexByte(text, '\n')+1:]; last != tt.last {
				t.Errorf("last line %q, want %q", last, tt.last)
			}
			if !strings.Contains(text, tt.says) {
				t.Errorf("does not say %q:\n%s", tt.says, text)
			}
		})
	}
}

// A go test that cannot start at all is a failure, also beside a good one.
func TestRunRefusesWhatCannotStart(t *testing.T) {
	module(t, map[string]string{"p/a_test.go": oneTest(``)})
	var out bytes.Buffer
	if code := run([]string{"./p", "--", "-nosuchflag", "./p"}, false, &out, io.Discard); code != 1 {
		t.Errorf("exit code %d:\n%s", code, out.String())
	}
	if code := run([]string{"./p", "--", "-count=1", "./p"}, true, &out, io.Discard); code != 0 {
		t.Errorf("two good groups: exit code %d:\n%s", code, out.String())
	}
}

func TestReadRefusesNoise(t *testing.T) {
	if _, err := read(strings.NewReader("{\"Action\":"), io.Discard); err == nil {
		t.Error("half an event was accepted")
	}
}

func TestGroups(t *testing.T) {
	got := groups([]string{"-p", "1", "./...", "--", "-race", "./a"})
	if diff := cmp.Diff([][]string{{"-p", "1", "./..."}, {"-race", "./a"}}, got); diff != "" {
		t.Error(diff)
	}
}
