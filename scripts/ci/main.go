// Command ci runs the tests and answers for every one of them.
//
// It knows the events of go test -json and leaves what to test to its
// arguments: those of go test, in groups separated by "--", one run a group.
// It prints a line a package, the whole output of what failed, and last
// "N passed, N failed, N skipped". It keeps this: under CI (the environment
// variable is set) a skipped test is a failed one, for it proved nothing.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
)

func main() {
	os.Exit(run(os.Args[1:], os.Getenv("CI") != "", os.Stdout, os.Stderr))
}

func run(args []string, ci bool, out, errs io.Writer) int {
	total := tally{}
	for _, group := range groups(args) {
		t, err := test(group, out, errs)
		if err != nil {
			fmt.Fprintf(errs, "ci: go test %v: %v\n", group, err)
			total.failed = max(total.failed, 1)
		}
		total = total.plus(t)
	}
	return total.conclude(ci, out)
}

func groups(args []string) [][]string {
	all := [][]string{nil}
	for _, a := range args {
		if a == "--" {
			all = append(all, nil)
			continue
		}
		all[len(all)-1] = append(all[len(all)-1], a)
	}
	return all
}

// test runs one go test and reads its events. A run that failed without saying
// which test did is an error.
func test(args []string, out, errs io.Writer) (tally, error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = errs
	events, err := cmd.StdoutPipe()
	if err != nil {
		return tally{}, err
	}
	if err := cmd.Start(); err != nil {
		return tally{}, err
	}
	t, err := read(events, out)
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return t, err
	}
	if err := cmd.Wait(); err != nil && t.failed == 0 {
		return t, err
	}
	return t, nil
}
