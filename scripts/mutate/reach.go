package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// test is what a test gets to when it runs alone, and what that takes. What it
// shares with others and would find made, it makes itself then: no mutant is
// kept from it because another test was there before.
type test struct {
	reaches map[int]bool
	took    time.Duration // of the processor
}

// A first run has tests for this long, each further one for stride times as
// long: most mutants fall to the quick ones.
const (
	firstStep = 250 * time.Millisecond
	stride    = 5
)

// allowed is the processor time that tests may take with a mutant awake.
func allowed(took time.Duration) time.Duration { return 4*took + 3*time.Second }

// control runs all tests with no mutant awake, and each alone: they must pass.
// It learns which mutants each gets to.
func (t *trial) control(log string) error {
	cmd := exec.Command(t.binary, "-test.list", ".")
	cmd.Dir = t.dir
	names, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("the tests cannot be listed: %w", err)
	}
	if t.whole, err = t.watch("", log); err != nil {
		return err
	}
	for name := range strings.FieldsSeq(string(names)) {
		if strings.HasPrefix(name, "Benchmark") {
			continue
		}
		if t.tests[name], err = t.watch("^"+name+"$", log); err != nil {
			return fmt.Errorf("%s alone: %w", name, err)
		}
	}
	return nil
}

// watch runs tests without a mutant, and reads what they get to from a log.
func (t *trial) watch(pattern, log string) (test, error) {
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		return test{}, err
	}
	var out bytes.Buffer
	end, took := t.once(call{pattern, time.Hour, "MUTATE_REACHED=" + log, &out})
	if end != survived {
		return test{}, fmt.Errorf("the tests fail without any mutant\n%s", out.String()[max(0, out.Len()-2000):])
	}
	b, err := os.ReadFile(filepath.Clean(log))
	if err != nil {
		return test{}, err
	}
	reaches := map[int]bool{}
	for word := range strings.FieldsSeq(string(b)) {
		id, err := strconv.Atoi(word)
		if err != nil {
			return test{}, err
		}
		reaches[id] = true
	}
	return test{reaches, took}, nil
}

// step is tests that are run at once.
type step struct {
	pattern string
	limit   time.Duration
}

// steps are the runs that together ask every test that reaches a mutant, the
// quickest first; none where no test does. Where tests reach it only one after
// another, or all are to be asked, it is one run of all.
func (t *trial) steps(id int, all bool) []step {
	type timed struct {
		name string
		took time.Duration
	}
	var those []timed
	for name, x := range t.tests {
		if x.reaches[id] {
			those = append(those, timed{name, x.took})
		}
	}
	if len(those) == 0 && !t.whole.reaches[id] {
		return nil
	}
	if all || len(those) == 0 {
		return []step{{"", allowed(t.whole.took)}}
	}
	slices.SortFunc(those, func(a, b timed) int { return cmp.Or(cmp.Compare(a.took, b.took), cmp.Compare(a.name, b.name)) })
	var out []step
	var names []string
	var took time.Duration
	room := firstStep
	for i, x := range those {
		names, took = append(names, x.name), took+x.took
		if last := i == len(those)-1; last || took+those[i+1].took > room {
			out = append(out, step{"^(" + strings.Join(names, "|") + ")$", allowed(took)})
			names, took, room = nil, 0, stride*room
		}
	}
	return out
}

// judge asks the tests what becomes of a mutant.
func (t *trial) judge(id int, steps []step) ending {
	for _, s := range steps {
		if end, _ := t.once(call{s.pattern, s.limit, "MUTATE_AWAKE=" + strconv.Itoa(id), io.Discard}); end != survived {
			return end
		}
	}
	return survived
}
