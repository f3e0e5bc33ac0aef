package bundle

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"signalbox.dev/signalbox/internal/fault"
)

// Level is how much a Problem weighs.
type Level string

// A bundle with an error has no Program; a warning is advice.
const (
	LevelError   Level = "error"
	LevelWarning Level = "warning"
)

// MaxProblems is how many problems of a bundle are told at once.
const MaxProblems = 50

// Problem is something wrong in a bundle: where, what, why and how to fix it.
type Problem struct {
	Severity Level          `json:"severity"`
	Where    fault.Position `json:"where"`
	Code     string         `json:"code"` // stable, such as "policy.unknown-field"
	What     string         `json:"what"`
	Why      string         `json:"why,omitempty"`
	Fix      string         `json:"fix,omitempty"`
	Excerpt  string         `json:"excerpt,omitempty"` // the line and a caret under the place, two lines
}

// String is the problem as a person reads it in a terminal.
func (p Problem) String() string {
	var b strings.Builder
	if !p.Where.IsZero() {
		b.WriteString(p.Where.String() + ": ")
	}
	fmt.Fprintf(&b, "%s: %s", p.Severity, p.What)
	if p.Why != "" {
		b.WriteString(": " + p.Why)
	}
	b.WriteString(" [" + p.Code + "]")
	if p.Excerpt != "" {
		b.WriteString("\n" + p.Excerpt)
	}
	if p.Fix != "" {
		b.WriteString("\n  fix: " + p.Fix)
	}
	return b.String()
}

// Fault is the problem as an error for the caller.
func (p Problem) Fault() *fault.Error {
	return fault.New(fault.Invalid, p.Code, p.What).Because(p.Why).Remedy(p.Fix).At(p.Where)
}

// Failed reports whether one of the problems is an error.
func Failed(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return p.Severity == LevelError })
}

// Failure is the error of a bundle that cannot be used: all that is wrong with it.
type Failure struct{ List []Problem }

// Error lists every problem.
func (f *Failure) Error() string {
	var b strings.Builder
	for _, p := range f.List {
		fmt.Fprintln(&b, p)
	}
	return strings.TrimRight(b.String(), "\n")
}

// Unwrap is the first error, as a fault.
func (f *Failure) Unwrap() error {
	for _, p := range f.List {
		if p.Severity == LevelError {
			return p.Fault()
		}
	}
	return nil
}

// Problems collects up to MaxProblems of a bundle. The zero value is ready.
type Problems struct {
	sources map[string]*source // by name, once read
	list    []Problem
	more    int
	worst   Level // of those that are more
}

// know keeps the lines of a file for excerpts.
func (ps *Problems) know(src *source) {
	if ps.sources == nil {
		ps.sources = map[string]*source{}
	}
	ps.sources[src.name] = src
}

// Add keeps p, as an error unless it says otherwise, with the excerpt of its place.
// What is wrong in the same place for the same reason is told once.
func (ps *Problems) Add(p Problem) {
	if p.Severity == "" {
		p.Severity = LevelError
	}
	if len(ps.list) >= MaxProblems {
		if ps.more++; ps.worst != LevelError {
			ps.worst = p.Severity
		}
		return
	}
	if src := ps.sources[p.Where.File]; src != nil {
		p.Excerpt = src.excerpt(p.Where)
	}
	if !slices.Contains(ps.list, p) {
		ps.list = append(ps.list, p)
	}
}

// Failed reports whether one of the problems is an error.
func (ps *Problems) Failed() bool { return Failed(ps.list) || ps.worst == LevelError }

// Sorted is the list by place; the last line says how many more there are.
func (ps *Problems) Sorted() []Problem {
	list := slices.SortedStableFunc(slices.Values(ps.list), func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Where.File, b.Where.File), cmp.Compare(a.Where.Line, b.Where.Line),
			cmp.Compare(a.Where.Column, b.Where.Column), cmp.Compare(a.Code, b.Code))
	})
	if ps.more > 0 {
		return append(list, Problem{Severity: ps.worst, Code: "policy.more", What: fmt.Sprintf("there are %d more problems", ps.more), Fix: "mend those above and lint again"})
	}
	return list
}

// excerpt is the line at p with a caret under its column; long lines are cut around it.
func (s *source) excerpt(p fault.Position) string {
	if p.Line < 1 || p.Line > len(s.lines) {
		return ""
	}
	line := []rune(strings.Map(visible, s.lines[p.Line-1]))
	column := min(max(p.Column, 1), len(line)+1) - 1
	from := max(0, column-60)
	line = line[from:min(len(line), from+100)]
	number := fmt.Sprintf("%5d | ", p.Line)
	gap := strings.Repeat(" ", utf8.RuneCountInString(number)+column-from)
	return number + string(line) + "\n" + gap + "^"
}

// visible replaces what a terminal would act on or hide.
func visible(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case r < ' ' || r == 0x7f || misleading(r):
		return '\ufffd'
	}
	return r
}

// misleading reports the characters that make a text read otherwise than it
// runs: bidirectional controls and zero-width ones.
func misleading(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x061c || r == 0x200b || r == 0xfeff
}
