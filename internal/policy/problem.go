package policy

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

// problems collects up to MaxProblems of a bundle.
type problems struct {
	sources map[string]*source
	list    []Problem
	more    int
	worst   Level // of those that are more
}

// add keeps p, as an error unless it says otherwise, with the excerpt of its place.
func (ps *problems) add(p Problem) {
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
	ps.list = append(ps.list, p)
}

// sorted is the list by place; the last line says how many more there are.
func (ps *problems) sorted() []Problem {
	slices.SortStableFunc(ps.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Where.File, b.Where.File), cmp.Compare(a.Where.Line, b.Where.Line),
			cmp.Compare(a.Where.Column, b.Where.Column), cmp.Compare(a.Code, b.Code))
	})
	if ps.more > 0 {
		return append(ps.list, Problem{Severity: ps.worst, Code: "policy.more", What: fmt.Sprintf("there are %d more problems", ps.more), Fix: "mend those above and lint again"})
	}
	return ps.list
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

// nearest is the candidate that word most likely meant, or "".
func nearest(word string, candidates []string) string {
	best, limit := "", 1+len(word)/4
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if d := distance(strings.ToLower(word), c, limit); d <= limit {
			best, limit = c, d-1
		}
	}
	return best
}

// distance is the number of edits (insert, delete, replace, swap) from a to b;
// anything above limit is told as limit+1.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit || len(a) > 64 {
		return limit + 1
	}
	before, previous, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := previous[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(previous[j]+1, row[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, previous, row = previous, row, before
	}
	return previous[len(b)]
}

// didYouMean is the fix for a word that is not among the candidates.
func didYouMean(word string, candidates []string) string {
	if n := nearest(word, candidates); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	return "use one of: " + strings.Join(slices.Sorted(slices.Values(candidates)), ", ")
}
