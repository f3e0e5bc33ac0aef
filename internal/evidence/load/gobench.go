package load

import (
	"bytes"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// GoBench names a format that is read here.
const GoBench = "go-bench"

var goBenchStart = regexp.MustCompile(`^(?:goos: \w+|pkg: \S+|Benchmark\S*[ \t]+\d+[ \t]+[\d.]+ ns/op)`)

// IsGoBench reports whether text begins like what go test -bench prints.
func IsGoBench(start []byte) bool { return goBenchStart.Match(start[:min(len(start), 1000)]) }

// goBench sums the runs of each benchmark: a request is an iteration, and a
// component a benchmark with its mean. Benchmarks know no percentiles, and the
// mean over different ones means nothing.
type goBench struct {
	pkg   string
	runs  map[string]*goRun // by package and name
	ended bool              // a package's output was ended
	line  int
}

type goRun struct {
	iterations int
	ns         float64 // over all iterations
}

var (
	goResult = regexp.MustCompile(`^(Benchmark\S*?)(?:-\d{1,5})?[ \t]+(\d+)[ \t]+([\d.]+(?:e[+-]\d+)?) ns/op(?:[ \t]|$)`)
	goFailed = regexp.MustCompile(`^(?:\s*--- FAIL: |FAIL(?:\s|$)|panic: |fatal error: |exit status )`)
)

// ReadGoBench makes a claim of what go test -bench prints.
func ReadGoBench(b []byte) (evidence.Claim, error) {
	g := goBench{runs: map[string]*goRun{}}
	for line := range bytes.Lines(b) {
		g.line++
		if err := g.read(strings.TrimRight(string(line[:min(len(line), 4000)]), " \t\r\n")); err != nil {
			return evidence.Claim{}, err
		}
	}
	if !g.ended {
		return evidence.Claim{}, broken("the output does not end with PASS or ok").Because("a benchmark may be missing, or have failed").
			Remedy("send all that go test -bench prints")
	}
	l := &evidence.Load{}
	var parts []evidence.LoadPart
	for _, key := range slices.Sorted(maps.Keys(g.runs)) {
		r := g.runs[key]
		l.Requests += r.iterations
		parts = append(parts, evidence.LoadPart{Name: key, Requests: &r.iterations, ErrorRate: ptr(0.0), Mean: ptr(r.ns / float64(r.iterations) / 1e6)})
	}
	if l.Requests == 0 {
		return evidence.Claim{}, nothing("it holds no benchmark's result")
	}
	list(l, parts)
	c := evidence.Claim{Kind: evidence.LoadKind, Format: GoBench, Tool: evidence.Tool{Name: "go test"}, Load: l}
	note(&c, true, "a request is one iteration of a benchmark; benchmarks know no percentiles, only the mean of each component")
	noteParts(&c)
	return c, nil
}

func (g *goBench) read(line string) error {
	at := fault.Position{Line: g.line, Column: 1}
	switch {
	case line == "":
		return nil
	case goFailed.MatchString(line):
		return broken("a benchmark failed: %s", evidence.Cut(line, 80)).Because("what did not run to its end measured nothing").At(at)
	case line == "PASS" || strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "?   \t"):
		g.ended = true
		return nil
	}
	g.ended = false
	if pkg, is := strings.CutPrefix(line, "pkg: "); is {
		g.pkg = pkg
		return nil
	}
	m := goResult.FindStringSubmatch(line)
	if m == nil {
		return nil // logs stand between the results
	}
	n, err := strconv.ParseInt(m[2], 10, 40)
	ns, err2 := strconv.ParseFloat(m[3], 64)
	if err != nil || err2 != nil || n == 0 || math.IsInf(ns, 0) || ns > 1e15 {
		return broken("%s ran %s times, %s ns each", evidence.Cut(m[1], 80), evidence.Cut(m[2], 40), evidence.Cut(m[3], 40)).
			Because("those are no count and no time").At(at)
	}
	key := m[1]
	if g.pkg != "" {
		key = g.pkg + "." + key
	}
	r := g.runs[key]
	if r == nil {
		if len(g.runs) >= maxLabels {
			return evidence.TooLarge("evidence.too-many", "there are more than %d benchmarks", maxLabels).At(at)
		}
		r = &goRun{}
		g.runs[key] = r
	}
	r.iterations += int(n)
	r.ns += ns * float64(n)
	return nil
}
