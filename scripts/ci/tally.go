package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// event is a line of go test -json: see go doc test2json. Test is empty for
// what concerns the whole package.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of a package that did not build
	Test        string
	Output      string
	FailedBuild string
}

// tally counts tests, subtests included.
type tally struct {
	passed, failed int
	skipped        []string // each with its reason
}

func (t tally) plus(u tally) tally {
	return tally{t.passed + u.passed, t.failed + u.failed, append(slices.Clip(t.skipped), u.skipped...)}
}

// read counts the events of one go test and prints what a person wants of them:
// the line of each package, and the output of each test that failed.
func read(events io.Reader, out io.Writer) (tally, error) {
	r := reader{out: out, output: map[string]*strings.Builder{}}
	decoder := json.NewDecoder(events)
	for {
		var e event
		switch err := decoder.Decode(&e); {
		case errors.Is(err, io.EOF):
			return r.tally, nil
		case err != nil:
			return r.tally, fmt.Errorf("read the events of go test: %w", err)
		}
		r.take(e)
	}
}

type reader struct {
	tally  tally
	out    io.Writer
	output map[string]*strings.Builder // by package and test, until it ends
	broke  map[string]bool             // packages in which a test failed
}

func (r *reader) take(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		r.keep(key, e)
	case "pass", "fail", "skip":
		r.end(key, e)
	}
}

func (r *reader) keep(key string, e event) {
	if e.Test == "" && summary(e.Output) {
		fmt.Fprint(r.out, e.Output)
		return
	}
	b := r.output[key]
	if b == nil {
		b = &strings.Builder{}
		r.output[key] = b
	}
	b.WriteString(e.Output)
}

// summary is a line such as "ok  \tpackage\t0.1s".
func summary(line string) bool {
	first, _, tabbed := strings.Cut(line, "\t")
	return tabbed && slices.Contains([]string{"ok", "FAIL", "?", ""}, strings.TrimSpace(first))
}

func (r *reader) end(key string, e event) {
	text := ""
	if b := r.output[key]; b != nil {
		text = b.String()
	}
	delete(r.output, key)
	switch {
	case e.Test == "":
		r.endPackage(e, text)
	case e.Action == "pass":
		r.tally.passed++
	case e.Action == "fail":
		r.failed(e.Package)
		fmt.Fprint(r.out, text)
	case e.Action == "skip":
		r.tally.skipped = append(r.tally.skipped, e.Package+" "+e.Test+": "+reason(text))
	}
}

// endPackage counts a package that failed as a whole: it did not build, or died
// outside any test.
func (r *reader) endPackage(e event, text string) {
	if e.Action != "fail" {
		return
	}
	if e.FailedBuild != "" || !r.broke[e.Package] {
		r.failed(e.Package)
	}
	fmt.Fprint(r.out, text)
	for key, b := range r.output {
		if strings.HasPrefix(key, e.Package+" ") {
			fmt.Fprint(r.out, b.String())
			delete(r.output, key)
		}
	}
}

func (r *reader) failed(pkg string) {
	r.tally.failed++
	if r.broke == nil {
		r.broke = map[string]bool{}
	}
	r.broke[pkg] = true
}

// reason is what a skipped test said, without the framing of go test.
func reason(output string) string {
	var said []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			said = append(said, line)
		}
	}
	return strings.Join(said, " ")
}

// conclude prints the last lines and is the exit code: 1 when a test failed,
// when none ran, or when one was skipped under CI.
func (t tally) conclude(ci bool, out io.Writer) int {
	for _, s := range t.skipped {
		fmt.Fprintln(out, "skipped:", s)
	}
	code := 0
	switch {
	case t.failed > 0:
		code = 1
	case t.passed == 0:
		fmt.Fprintln(out, "no test ran")
		code = 1
	case ci && len(t.skipped) > 0:
		fmt.Fprintln(out, "a skipped test is a failed one here")
		code = 1
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", t.passed, t.failed, len(t.skipped))
	return code
}
