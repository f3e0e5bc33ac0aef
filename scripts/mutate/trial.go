package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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
	quick, slow string        // the tests by how long they take, as -test.run has them; together all
	limit       time.Duration // of a run, from how long the control took
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
	t := &trial{binary: filepath.Join(dir, "tests"), dir: p.Dir, limit: 10 * time.Minute, flags: []string{"-test.short", "-test.failfast"}}
	if slices.Contains(p.TestImports, "pgregory.net/rapid") {
		t.flags = append(t.flags, "-rapid.seed=1", "-rapid.nofailfile", "-rapid.shrinktime=1ms")
	}
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-overlay", filepath.Join(dir, "overlay.json"), "-o", t.binary, p.ImportPath)
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("the mutated package does not build: %w\n%s", err, text)
	}
	return t, nil
}

// control runs the tests with no mutant awake: they must pass. It returns which
// mutants they get to, and learns which tests are quick.
func (t *trial) control(log string) (map[int]bool, error) {
	start := time.Now()
	var out bytes.Buffer
	if t.once("", &out, "-test.v", "MUTATE_REACHED="+log) != survived {
		return nil, fmt.Errorf("the tests fail without any mutant\n%s", out.String()[max(0, out.Len()-2000):])
	}
	t.limit = 4*time.Since(start) + 20*time.Second
	t.sort(out.String())
	b, err := os.ReadFile(log)
	if err != nil {
		return nil, fmt.Errorf("the tests reach no mutant: %w", err)
	}
	reached := map[int]bool{}
	for _, word := range strings.Fields(string(b)) {
		id, err := strconv.Atoi(word)
		if err != nil {
			return nil, err
		}
		reached[id] = true
	}
	return reached, nil
}

// passed is a line of a test in verbose output, of those at the top.
var passed = regexp.MustCompile(`(?m)^--- PASS: (\w+) \(([0-9.]+)s\)$`)

// sort parts the tests: the quick ones, which together take a sixth of the time,
// are asked first, for they kill most mutants.
func (t *trial) sort(verbose string) {
	type timed struct {
		name string
		took float64
	}
	var all []timed
	total, spent := 0.0, 0.0
	for _, m := range passed.FindAllStringSubmatch(verbose, -1) {
		took, _ := strconv.ParseFloat(m[2], 64)
		all = append(all, timed{m[1], took})
		total += took
	}
	slices.SortStableFunc(all, func(a, b timed) int { return cmp.Compare(a.took, b.took) })
	var quick, slow []string
	for _, x := range all {
		if spent += x.took; spent <= total/6 {
			quick = append(quick, x.name)
		} else {
			slow = append(slow, x.name)
		}
	}
	pattern := func(names []string) string { return "^(" + strings.Join(names, "|") + ")$" }
	if len(quick) > 0 && len(slow) > 0 {
		t.quick, t.slow = pattern(quick), pattern(slow)
	}
}

// ending is how a run of the tests came out.
type ending int

const (
	survived ending = iota
	failed
	timeout
)

// maxMemory is the address space of a run, in KiB: a mutant may never stop asking for more.
const maxMemory = 8 << 20

// run runs the tests with one mutant awake, the quick ones first.
func (t *trial) run(id int) ending {
	awake := "MUTATE_AWAKE=" + strconv.Itoa(id)
	if t.quick != "" {
		if end := t.once(t.quick, io.Discard, "", awake); end != survived {
			return end
		}
	}
	return t.once(t.slow, io.Discard, "", awake)
}

// once runs the tests that a pattern names, all where it is "", with one more flag and variable.
func (t *trial) once(pattern string, out io.Writer, flag, variable string) ending {
	ctx, cancel := context.WithTimeout(context.Background(), t.limit)
	defer cancel()
	args := append([]string{"-c", fmt.Sprintf(`ulimit -v %d; exec "$0" "$@"`, maxMemory), t.binary}, t.flags...)
	if flag != "" {
		args = append(args, flag)
	}
	if pattern != "" {
		args = append(args, "-test.run", pattern)
	}
	cmd := exec.CommandContext(ctx, "sh", args...)
	cmd.Dir, cmd.WaitDelay, cmd.Stdout = t.dir, time.Second, out
	cmd.Env = append(os.Environ(), variable)
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return timeout
	case err != nil:
		return failed
	}
	return survived
}
