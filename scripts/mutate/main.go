// Command mutate asks whether tests notice when the code says something else.
//
// It knows Go's syntax and types and leaves judging to the package's own tests:
// it rewrites a package once so that every mutant is in it, asleep behind its
// number, builds the tests once with an overlay (no file of the tree changes),
// and runs them once a mutant with that one awake. A run that fails or hangs has
// killed its mutant; what survives is printed, for people to argue about.
//
// A sample is drawn with a fixed seed, so the same call asks the same questions.
package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	if err := flags.Parse(args); err != nil {
		return 2
	}
	argued, err := read(*equivalent)
	if err != nil {
		fmt.Fprintln(errs, "mutate:", err)
		return 2
	}
	left := 0
	for _, pattern := range flags.Args() {
		n, err := try(pattern, selection{*sample, *seed, *budget, *only, argued}, out)
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

// read is the text of the file of arguments; "" where there is none.
func read(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	b, err := os.ReadFile(name)
	return "\n" + string(b), err
}

type selection struct {
	sample int
	seed   uint64
	budget time.Duration
	only   string
	argued string
}

func (s selection) from(all []mutant) []mutant {
	chosen := slices.DeleteFunc(slices.Clone(all), func(m mutant) bool { return !strings.Contains(m.String(), s.only) })
	r := rand.New(rand.NewPCG(s.seed, uint64(len(all))))
	r.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	if s.sample > 0 && s.sample < len(chosen) {
		chosen = chosen[:s.sample]
	}
	return chosen
}

// knows reports whether a survivor is argued. Lines move, so the number of the
// line is not compared: what was mutated is.
func (s selection) knows(m mutant) bool {
	return strings.Contains(s.argued, "\n"+m.key())
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
	reached, err := t.control(filepath.Join(dir, "reached"))
	if err != nil {
		return 0, err
	}
	chosen := s.from(mutants)
	start := time.Now()
	tried, killed, hung, unreached, argued, left := 0, 0, 0, 0, 0, 0
	for _, m := range chosen {
		if s.budget > 0 && time.Since(start) > s.budget {
			break
		}
		tried++
		end := survived
		if reached[m.id] {
			end = t.run(m.id)
		}
		switch {
		case end == failed:
			killed++
			continue
		case end == timeout:
			hung++
			continue
		}
		note := ""
		if !reached[m.id] {
			unreached++
			note = "  [no test gets there]"
		}
		if s.knows(m) {
			argued++
			note += "  [argued]"
		} else {
			left++
		}
		fmt.Fprintf(out, "survived  %s%s\n", m, note)
	}
	fmt.Fprintf(out, "%s: %d of %d mutants tried, %d killed, %d hung and were killed, %d survived (%d of them argued, %d reached by no test)\n",
		p.ImportPath, tried, len(mutants), killed, hung, argued+left, argued, unreached)
	return left, nil
}
