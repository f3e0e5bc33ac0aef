package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits N PROGRAM ARG...")
	}
	want := number(ts, args[0])
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("%s exited with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}

func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture VAR REGEXP")
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	found := pattern.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		found = pattern.FindStringSubmatch(ts.ReadFile("stderr"))
	}
	if len(found) < 2 {
		ts.Fatalf("capture: neither stdout nor stderr has %#q with a group", args[1])
	}
	ts.Setenv(args[0], found[1])
}

func checkJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 || len(args) > 2 || neg && len(args) != 1 {
		ts.Fatalf("usage: json PATH [VALUE], or ! json PATH")
	}
	got, found, err := lookup(ts.ReadFile("stdout"), args[0])
	ts.Check(err)
	switch {
	case neg && found:
		ts.Fatalf("json: %s is there: %s", args[0], got)
	case !neg && !found:
		ts.Fatalf("json: there is no %s", args[0])
	case len(args) == 2 && got != args[1]:
		ts.Fatalf("json: %s is %q, want %q", args[0], got, args[1])
	}
}

func captureJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capturejson VAR PATH")
	}
	got, found, err := lookup(ts.ReadFile("stdout"), args[1])
	ts.Check(err)
	if !found {
		ts.Fatalf("capturejson: there is no %s", args[1])
	}
	ts.Setenv(args[0], got)
}

// lookup is what stands at a path of a JSON document: a string bare, anything
// else as JSON.
func lookup(document, path string) (text string, found bool, err error) {
	var v any
	decoder := json.NewDecoder(strings.NewReader(document))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil {
		return "", false, fmt.Errorf("stdout is not JSON: %w", err)
	}
	for _, step := range strings.Split(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			if v, found = at[step]; !found {
				return "", false, nil
			}
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) {
				return "", false, nil
			}
			v = at[i]
		default:
			return "", false, nil
		}
	}
	if s, ok := v.(string); ok {
		return s, true, nil
	}
	b, err := json.Marshal(v)
	return string(b), true, err
}

// commits are the history that gitrepo makes, oldest first. Names and dates are
// fixed, so that the commits have the same ids everywhere.
var commits = []struct{ author, file, text, message, tag string }{
	{"Ada Example <ada@example.com>", "main.go", "package main\n\nfunc main() {}\n", "feat: begin", "v1.0.0"},
	{"Bob Example <bob@example.com>", "cart.go", "package main\n\nfunc cart() {}\n", "feat: keep a cart", ""},
	{"Ada Example <ada@example.com>", "cart.go", "package main\n\nfunc cart() int { return 0 }\n", "fix: count an empty cart", "v1.1.0"},
}

func gitrepo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: gitrepo DIR")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	git := func(env []string, args ...string) {
		cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull}, env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			ts.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	git(nil, "init", "--quiet", "--initial-branch=main")
	for i, c := range commits {
		name, email, _ := strings.Cut(strings.TrimSuffix(c.author, ">"), " <")
		date := fmt.Sprintf("2026-01-%02dT12:00:00Z", i+1)
		env := []string{
			"GIT_AUTHOR_NAME=" + name, "GIT_AUTHOR_EMAIL=" + email, "GIT_AUTHOR_DATE=" + date,
			"GIT_COMMITTER_NAME=" + name, "GIT_COMMITTER_EMAIL=" + email, "GIT_COMMITTER_DATE=" + date,
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[0]+"/"+c.file), []byte(c.text), 0o600))
		git(env, "add", "--all")
		git(env, "commit", "--quiet", "--message", c.message)
		if c.tag != "" {
			git(env, "tag", c.tag)
		}
	}
}
