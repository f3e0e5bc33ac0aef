// Command mutate asks whether tests notice when the code says something else.
//
// It knows Go's syntax and types and leaves judging to the package's own tests:
// it rewrites a package once so that every mutant is in it, asleep behind its
// number, builds the tests once with an overlay (no file of the tree changes),
// and runs those that get to a mutant with that one awake, the quickest first. A
// run that fails or hangs has killed its mutant; what survives is printed, for
// people to argue about.
//
// A sample is drawn with a fixed seed, so the same call asks the same questions.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.SetOutput(errs)
	sample := flags.Int("n", 0, "how many mutants of each package to try; 0 is all")
	seed := flags.Uint64("seed", 1, "of the sample")
	budget := flags.Duration("for", 0, "how long to go on with each package before the rest of its sample is left out; 0 is to the end")
	only := flags.String("only", "", "try only mutants whose place contains this, such as decide.go:12")
	equivalent := flags.String("argued", "", "file of survivors that are argued: lines that begin with a mutant as it is printed")
	again := flags.String("again", "", "file with the output of an earlier run: try only what survived there")
	all := flags.Bool("all", false, "ask all tests about each mutant, not just those that get to it")
	workers := flags.Int("j", 2, "how many mutants to try at a time")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	argued, err := read(*equivalent)
	earlier, err2 := read(*again)
	if err := errors.Join(err, err2); err != nil {
		fmt.Fprintln(errs, "mutate:", err)
		return 2
	}
	s := selection{*sample, *seed, *budget, *only, survivors(earlier), argued, *all, max(1, *workers)}
	left := 0
	for _, pattern := range flags.Args() {
		n, err := try(pattern, s, out)
		if err != nil {
			fmt.Fprintf(errs, "mutate: %s: %v\n", pattern, err)
			return 2
		}
		left += n
	}
	if left > 0 {
		return 1
	}
	return 0
}

// read is the text of a file, from a new line; "" where none is named.
func read(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	b, err := os.ReadFile(name)
	return "\n" + string(b), err
}

type selection struct {
	sample  int
	seed    uint64
	budget  time.Duration
	only    string
	again   map[string]bool // keys of mutants; nil for all
	argued  string
	all     bool
	workers int
}

func (s selection) from(all []mutant) []mutant {
	chosen := slices.DeleteFunc(slices.Clone(all), func(m mutant) bool {
		return !strings.Contains(m.String(), s.only) || s.again != nil && !s.again[m.key()]
	})
	r := rand.New(rand.NewPCG(s.seed, uint64(len(all))))
	r.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	if s.sample > 0 && s.sample < len(chosen) {
		chosen = chosen[:s.sample]
	}
	return chosen
}

// place is a line of the output, parted into what names the mutant and its line.
var place = regexp.MustCompile(`(?m)^survived  (\S+):\d+ (.*?)(  \[.*)?$`)

// survivors are the keys of those that an earlier output names.
func survivors(printed string) map[string]bool {
	if printed == "" {
		return nil
	}
	keys := map[string]bool{}
	for _, m := range place.FindAllStringSubmatch(printed, -1) {
		keys[m[1]+" "+m[2]] = true
	}
	return keys
}

// tally is what became of the mutants of a package.
type tally struct {
	out                                             io.Writer
	argued                                          string
	met                                             map[string]int
	tried, killed, hung, known, unargued, unreached int
}

// knows reports whether a survivor is argued: one line excuses one mutant. Lines
// of code move, so the number is not compared: what was mutated is.
func (t *tally) knows(m mutant) bool {
	t.met[m.key()]++
	return t.met[m.key()] <= strings.Count(t.argued, "\n"+m.key()+": ")
}

func (t *tally) count(m mutant, end ending, reached bool) {
	t.tried++
	switch end {
	case failed:
		t.killed++
		return
	case timeout:
		t.hung++
		return
	}
	note := ""
	if !reached {
		t.unreached++
		note = "  [no test gets there]"
	}
	if t.knows(m) {
		t.known++
		note += "  [argued]"
	} else {
		t.unargued++
	}
	fmt.Fprintf(t.out, "survived  %s%s\n", m, note)
}

// try mutates one package and returns how many mutants survived unargued.
func try(pattern string, s selection, out io.Writer) (int, error) {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	p, err := load(pattern)
	if err != nil {
		return 0, err
	}
	files, mutants, err := p.mutate()
	if err != nil {
		return 0, err
	}
	t, err := p.build(dir, files)
	if err != nil {
		return 0, err
	}
	if err := t.control(filepath.Join(dir, "reached")); err != nil {
		return 0, err
	}
	c := &tally{out: out, argued: s.argued, met: map[string]int{}}
	t.tryAll(s.from(mutants), s, c)
	fmt.Fprintf(out, "%s: %d of %d mutants tried, %d killed, %d hung and were killed, %d survived (%d of them argued, %d reached by no test)\n",
		p.ImportPath, c.tried, len(mutants), c.killed, c.hung, c.known+c.unargued, c.known, c.unreached)
	return c.unargued, nil
}

// tryAll tries mutants, a few at a time, until none is left or the time is up.
func (t *trial) tryAll(chosen []mutant, s selection, c *tally) {
	var workers sync.WaitGroup
	var counting sync.Mutex
	queue := make(chan mutant)
	for range s.workers {
		workers.Go(func() {
			for m := range queue {
				steps := t.steps(m.id, s.all)
				end := t.judge(m.id, steps)
				counting.Lock()
				c.count(m, end, len(steps) > 0)
				counting.Unlock()
			}
		})
	}
	start := time.Now()
	for _, m := range chosen {
		if s.budget > 0 && time.Since(start) > s.budget {
			break
		}
		queue <- m
	}
	close(queue)
	workers.Wait()
}
