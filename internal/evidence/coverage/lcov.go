package coverage

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// LCOV names a format that is read here.
const LCOV = "lcov"

// Bounds on a tracefile.
const (
	maxFiles     = 200_000
	maxFileLines = 1_000_000 // and branches, of one source file in one record
)

var lcovStart = regexp.MustCompile(`^(?:#[^\n]*\n\s*)*(?:TN:[^\n]*\n\s*)*SF:`)

// IsLCOV reports whether text begins like a tracefile.
func IsLCOV(start []byte) bool { return lcovStart.Match(start[:min(len(start), 4096)]) }

// lcov reads records, each about one source file. The totals that a record
// states win over its lines. Where several records are about one file (several
// tests), its lines are laid over each other, and no total can be.
type lcov struct {
	files   map[string]*lcovFile
	open    *lcovRecord // nil outside of a record
	record  lcovRecord  // what open points to, used again for each
	strange int         // lines of unknown keys
	line    int
}

// lcovRecord is a record that is being read.
type lcovRecord struct {
	file     string
	lines    []uint32 // number<<1, and 1 where it ran
	branches []uint64 // a hash of its place with the last bit cleared, and 1 where it was taken
	stated   map[string]int
}

// lcovFile is what is known of one source file.
type lcovFile struct {
	records  int
	lines    []uint32
	branches []uint64
	stated   [2]counts // lines and branches, as stated by the only record
	states   [2]bool
	bare     bool // a record states totals without their lines
}

// ReadLCOV makes a claim of a tracefile.
func ReadLCOV(b []byte) (evidence.Claim, error) {
	l := lcov{files: map[string]*lcovFile{}}
	for line := range bytes.Lines(b) {
		l.line++
		if err := l.read(bytes.TrimSpace(line)); err != nil {
			if f, ok := errors.AsType[*fault.Error](err); ok && f.Where.IsZero() {
				return evidence.Claim{}, f.At(fault.Position{Line: l.line, Column: 1})
			}
			return evidence.Claim{}, err
		}
	}
	if l.open != nil {
		return evidence.Claim{}, broken("the last record does not end").At(fault.Position{Line: l.line, Column: 1}).
			Remedy("it is cut short: write it again")
	}
	return l.claim()
}

var lcovKey = regexp.MustCompile(`^[A-Z]{2,12}$`)

func (l *lcov) read(line []byte) error {
	if len(line) == 0 || line[0] == '#' {
		return nil
	}
	if string(line) == "end_of_record" {
		return l.end()
	}
	head, rest, keyed := bytes.Cut(line, []byte(":"))
	switch key := string(head); {
	case !keyed:
		return broken("the line is no record of a tracefile: %q", evidence.Cut(string(line), 80))
	case key == "TN" && l.open == nil:
		return nil
	case key == "SF":
		if l.open != nil {
			return broken("a record begins within another").Because("the one before has no end_of_record")
		}
		l.record = lcovRecord{file: string(rest), lines: l.record.lines[:0], branches: l.record.branches[:0], stated: map[string]int{}}
		l.open = &l.record
		return nil
	case l.open == nil:
		return broken("the line %q stands outside of a record", evidence.Cut(string(line), 80))
	case key == "DA":
		return l.open.line(rest)
	case key == "BRDA":
		return l.open.branch(rest)
	case key == "LF" || key == "LH" || key == "BRF" || key == "BRH":
		return l.open.total(key, string(rest))
	case lcovOther[key]:
		return nil
	case lcovKey.MatchString(key):
		l.strange++
		return nil
	}
	return broken("the line is no record of a tracefile: %q", evidence.Cut(string(line), 80))
}

// lcovOther are the keys of functions, conditions and versions, which count for nothing here.
var lcovOther = map[string]bool{
	"TN": true, "VER": true, "FN": true, "FNDA": true, "FNF": true, "FNH": true, "FNL": true, "FNA": true, "MCDC": true, "MCF": true, "MCH": true, "MRF": true, "MRH": true,
}

// line reads DA: number, hits and perhaps a checksum.
func (r *lcovRecord) line(b []byte) error {
	number, rest, two := bytes.Cut(b, []byte(","))
	hits, _, _ := bytes.Cut(rest, []byte(","))
	at, ok := digits(number)
	n, ok2 := digits(hits)
	if !two || !ok || !ok2 || at > 1<<30 {
		return broken("a line is %q", evidence.Cut(string(b), 80)).Because("DA says a line's number and how often it ran")
	}
	if len(r.lines) >= maxFileLines {
		return evidence.TooLarge("evidence.too-many", "one file has more than %d lines", maxFileLines)
	}
	r.lines = append(r.lines, uint32(at<<1|min(n, 1)))
	return nil
}

// branch reads BRDA: number, block, branch and how often it was taken, a dash
// where its line never ran. The branch may be a text with commas of its own.
func (r *lcovRecord) branch(b []byte) error {
	i := bytes.LastIndexByte(b, ',')
	if i < 0 || bytes.Count(b, []byte(",")) < 3 {
		return broken("a branch is %q", evidence.Cut(string(b), 80)).Because("BRDA says line, block, branch and how often it was taken")
	}
	n, ok := digits(b[i+1:])
	if string(b[i+1:]) == "-" {
		n, ok = 0, true
	}
	if !ok {
		return broken("a branch was taken %q times", evidence.Cut(string(b[i+1:]), 40)).Because("that is not a count")
	}
	if len(r.branches) >= maxFileLines {
		return evidence.TooLarge("evidence.too-many", "one file has more than %d branches", maxFileLines)
	}
	h := fnv.New64a()
	_, _ = h.Write(b[:i])
	r.branches = append(r.branches, h.Sum64()&^1|min(n, 1))
	return nil
}

// digits reads a whole number; beyond 2^60 it is 2^60.
func digits(b []byte) (n uint64, ok bool) {
	if len(b) == 0 || len(b) > 40 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+uint64(c-'0'), 1<<60)
	}
	return n, true
}

func (r *lcovRecord) total(key, s string) error {
	if _, twice := r.stated[key]; twice {
		return broken("%s stands twice in one record", key)
	}
	n, err := count(key, s)
	r.stated[key] = n
	return err
}

// pair is a total that the record states, and whether it does.
func (r *lcovRecord) pair(found, hit string) (counts, bool, error) {
	valid, a := r.stated[found]
	covered, b := r.stated[hit]
	if a && b && covered > valid {
		return counts{}, false, broken("%s is %d of %d", hit, covered, valid).Because("more cannot be covered than there is")
	}
	return counts{covered, valid}, a && b, nil
}

func (l *lcov) end() error {
	r := l.open
	if r == nil {
		return broken("a record ends that did not begin")
	}
	l.open = nil
	f := l.files[r.file]
	if f == nil {
		if len(l.files) >= maxFiles {
			return evidence.TooLarge("evidence.too-many", "there are more than %d source files", maxFiles)
		}
		f = &lcovFile{}
		l.files[r.file] = f
	}
	f.records++
	for i, names := range [][2]string{{"LF", "LH"}, {"BRF", "BRH"}} {
		stated, there, err := r.pair(names[0], names[1])
		if err != nil {
			return err
		}
		f.stated[i], f.states[i] = stated, there
		f.bare = f.bare || []int{len(r.lines), len(r.branches)}[i] == 0 && stated.valid > 0
	}
	f.lines, f.branches = overlay(f.lines, r.lines), overlay(f.branches, r.branches)
	if f.bare && f.records > 1 {
		return broken("%q stands in several records, and not all list its lines", evidence.Cut(r.file, 80)).
			Because("totals of one file cannot be added").Remedy("send a tracefile with DA and BRDA, or one record a file")
	}
	return nil
}

// overlay joins what two records say of one file: each place once, as run where
// one of them says so.
func overlay[T uint32 | uint64](a, b []T) []T {
	all := append(slices.Grow([]T(nil), len(a)+len(b)), a...)
	all = append(all, b...)
	slices.Sort(all)
	out := all[:0]
	for i, v := range all {
		if i+1 < len(all) && all[i+1]>>1 == v>>1 {
			continue // the one that ran sorts last
		}
		out = append(out, v)
	}
	return out
}

// ran counts the places of a list, and those that ran.
func ran[T uint32 | uint64](list []T) (c counts) {
	for _, v := range list {
		c.add(v&1 == 1)
	}
	return c
}

func (l *lcov) claim() (evidence.Claim, error) {
	var total [2]counts
	differing, merged := 0, 0
	for _, f := range l.files {
		if f.records > 1 {
			merged++
		}
		for i, own := range []counts{ran(f.lines), ran(f.branches)} {
			if f.records == 1 && f.states[i] {
				if own.valid > 0 && own != f.stated[i] {
					differing++
				}
				own = f.stated[i]
			}
			total[i].sum(own)
		}
	}
	noted := func(n int, says string) string {
		if n == 0 {
			return ""
		}
		return fmt.Sprintf(says, n)
	}
	return measured(evidence.Claim{Format: LCOV, Tool: evidence.Tool{Name: "lcov"}}, total[0], total[1],
		noted(differing, "the totals of %d records are not those of their lines; the totals count"),
		noted(merged, "%d files stand in several records: their lines are laid over each other"),
		noted(l.strange, "%d lines have a key that is not known, and count for nothing"))
}
