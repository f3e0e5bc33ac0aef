package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// listed is what go list says of a package.
type listed struct {
	Dir, ImportPath, Name string
	GoFiles, TestImports  []string
}

// load is a package of this module, and where the types of what it imports stand.
func load(pattern string) (*source, error) {
	run := func(args ...string) ([]byte, error) {
		cmd := exec.Command("go", append([]string{"list"}, args...)...)
		cmd.Stderr = os.Stderr
		return cmd.Output()
	}
	b, err := run("-f", "{{.Dir}}\n{{.ImportPath}}\n{{.Name}}\n{{join .GoFiles \" \"}}\n{{join .TestImports \" \"}} {{join .XTestImports \" \"}}", pattern)
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if len(lines) != 5 {
		return nil, fmt.Errorf("this is not one package")
	}
	p := &source{exports: map[string]string{}}
	p.listed = listed{lines[0], lines[1], lines[2], strings.Fields(lines[3]), strings.Fields(lines[4])}
	b, err = run("-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", pattern)
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		p.exports[path] = file
	}
	return p, nil
}

// trial is the built tests of a package.
type trial struct {
	binary, dir string
	flags       []string
	tests       map[string]test // by name
	whole       test            // all of them in one run
}

// build compiles the tests over the mutated files, by name, with an overlay.
func (p *source) build(dir string, files map[string][]byte) (*trial, error) {
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for name, text := range files {
		to := filepath.Join(dir, name)
		if err := os.WriteFile(to, text, 0o600); err != nil {
			return nil, err
		}
		overlay.Replace[filepath.Join(p.Dir, name)] = to
	}
	b, err := json.Marshal(overlay)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), b, 0o600); err != nil {
		return nil, err
	}
	t := &trial{binary: filepath.Join(dir, "tests"), dir: p.Dir, tests: map[string]test{}, flags: []string{"-test.short", "-test.failfast"}}
	if slices.Contains(p.TestImports, "pgregory.net/rapid") {
		t.flags = append(t.flags, "-rapid.seed=1", "-rapid.nofailfile", "-rapid.shrinktime=1ms")
	}
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-overlay", filepath.Join(dir, "overlay.json"), "-o", t.binary, p.ImportPath)
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("the mutated package does not build: %w\n%s", err, text)
	}
	return t, nil
}

// ending is how a run of the tests came out.
type ending int

const (
	survived ending = iota
	failed
	timeout
)

// maxMemory is the address space of a run, in KiB: a mutant may never stop asking for more.
const maxMemory = 6 << 20

// call is one run of the tests.
type call struct {
	pattern  string        // of the names of the tests, as -test.run has it; all where it is ""
	limit    time.Duration // of processor time, to the second; other work on the machine does not count
	variable string        // set in the environment
	out      io.Writer
}

// once runs the tests, and says what processor time that took.
func (t *trial) once(c call) (ending, time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*c.limit+time.Minute)
	defer cancel()
	limits := fmt.Sprintf(`ulimit -v %d -t %d; exec nice -n 5 "$0" "$@"`, maxMemory, int(c.limit.Seconds()))
	args := append([]string{"-c", limits, t.binary}, t.flags...)
	if c.pattern != "" {
		args = append(args, "-test.run", c.pattern)
	}
	cmd := exec.CommandContext(ctx, "sh", args...)
	cmd.Dir, cmd.WaitDelay, cmd.Stdout = t.dir, time.Second, c.out
	cmd.Env = append(os.Environ(), "GOGC=400", c.variable) // collecting less often is a third quicker
	err := cmd.Run()
	var took time.Duration
	if cmd.ProcessState != nil {
		took = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	switch {
	case ctx.Err() != nil, took >= c.limit:
		return timeout, took
	case err != nil:
		return failed, took
	}
	return survived, took
}
