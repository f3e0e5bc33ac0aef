package demo

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/cli"
	"signalbox.dev/signalbox/internal/store/storetest"
)

var verdict = regexp.MustCompile(`(?m)^\S (go|wait|no-go|cannot tell): (?:whether )?shop (\S+) `)

// walked runs the demo once and answers the verdicts it printed, and the version.
func walked(t *testing.T, o cli.DemoOptions) (verdicts []string, version, text string) {
	t.Helper()
	var out bytes.Buffer
	o.Once = true
	if err := Run(t.Context(), o, cli.Streams{Out: &out, Err: &out}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, m := range verdict.FindAllStringSubmatch(out.String(), -1) {
		verdicts, version = append(verdicts, m[1]), m[2]
	}
	return verdicts, version, out.String()
}

var story = []string{"no-go", "wait", "cannot tell", "wait", "go"}

// The walk is the same on both stores, and again on the same data.
func TestWalk(t *testing.T) {
	for name, database := range map[string]func() string{
		"sqlite": func() string { return "" }, "postgres": func() string { return storetest.PostgresURL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			o := cli.DemoOptions{StoreOptions: cli.StoreOptions{Data: t.TempDir(), Database: database()}}
			o.Repository = filepath.Join(repository(t), ".")
			first, one, text := walked(t, o)
			second, two, _ := walked(t, o)
			if !slices.Equal(first, story) || !slices.Equal(second, story) {
				t.Errorf("walked %v and %v, want %v", first, second, story)
			}
			if one == two {
				t.Errorf("both runs released %s", one)
			}
			for _, says := range []string{"authorised true", "unauthorised deployment (permit.redeemed)", "every leaf, every version and the root hold"} {
				if !strings.Contains(text, says) {
					t.Errorf("it does not say %q", says)
				}
			}
		})
	}
}

// repository is a real one with two tagged versions.
func repository(t *testing.T) string {
	t.Helper()
	d := &demo{DemoOptions: cli.DemoOptions{StoreOptions: cli.StoreOptions{Data: t.TempDir()}}}
	src, err := d.exampleRepository(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return src.repository
}

// Where there is no whole history, the demo makes an example of its own.
func TestWithoutHistory(t *testing.T) {
	git := func(dir string, args ...string) {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v %s", args, err, out)
		}
	}
	nothing, shallow, unborn := t.TempDir(), filepath.Join(t.TempDir(), "clone"), t.TempDir()
	git(nothing, "clone", "-q", "--depth", "1", "file://"+repository(t), shallow)
	git(unborn, "init", "-q", ".")
	for name, dir := range map[string]string{"no repository": nothing, "a shallow clone": shallow, "no commits": unborn} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(dir)
			verdicts, version, text := walked(t, cli.DemoOptions{StoreOptions: cli.StoreOptions{Data: t.TempDir()}})
			if !slices.Equal(verdicts, story) || !strings.HasPrefix(version, "v1.1.0") || !strings.Contains(text, "makes an example repository") {
				t.Errorf("walked %v with %s", verdicts, version)
			}
		})
	}
}

// What the user names and cannot be used is an error, never replaced by an example.
func TestNamedSourceMustWork(t *testing.T) {
	var out bytes.Buffer
	o := cli.DemoOptions{StoreOptions: cli.StoreOptions{Data: t.TempDir()}, Repository: t.TempDir(), Once: true}
	if err := Run(t.Context(), o, cli.Streams{Out: &out, Err: &out}); err == nil {
		t.Error("a directory without a repository was walked")
	}
	o.Repository, o.From = repository(t), "v9.9.9"
	if err := Run(t.Context(), o, cli.Streams{Out: &out, Err: &out}); err == nil {
		t.Error("a version that does not exist was walked from")
	}
}

// One's own reports are read in place of the mended ones.
func TestOwnEvidence(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "scan.sarif")
	b, err := example.ReadFile("example/scan-first.sarif")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, b, 0o600); err != nil {
		t.Fatal(err)
	}
	verdicts, _, text := walked(t, cli.DemoOptions{StoreOptions: cli.StoreOptions{Data: t.TempDir()}, Repository: repository(t), Evidence: []string{bad}})
	if slices.Contains(verdicts, "go") || !strings.Contains(text, "There is no permit") {
		t.Errorf("walked %v", verdicts)
	}
}
