package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/policy"
)

// Exit codes that do not follow from a fault's kind (see fault.Exit).
const (
	exitGo         = 0
	exitNoGo       = 3
	exitWait       = 5
	exitCannotTell = 9
)

// exitVerdict ends the program with the code of a verdict; it has been printed.
type exitVerdict struct{ code int }

func (e exitVerdict) Error() string { return fmt.Sprintf("exit %d", e.code) }

// exitOf is the error that ends the program after a decision was printed: nil
// for a go, and for whatever answer under observe.
func exitOf(verdict policy.Verdict, observed bool) error {
	switch {
	case verdict == policy.Go, observed:
		return nil
	case verdict == policy.NoGo:
		return exitVerdict{exitNoGo}
	case verdict == policy.Wait:
		return exitVerdict{exitWait}
	}
	return exitVerdict{exitCannotTell}
}

// exitCodes is the contract that pipelines rest on.
var exitCodes = []struct {
	code    int
	meaning string
}{
	{0, "go, or success; also whatever answer under observe, which blocks nothing"},
	{1, "internal error: a defect of signalbox or its server"},
	{2, "wrong usage or invalid input, or no such thing"},
	{3, "no-go"},
	{4, "not signed in, or the right is missing"},
	{5, "wait: for a person or a time; also when --wait reached its time limit"},
	{6, "the server cannot be reached, or asks to try again later"},
	{7, "verification failed: a signature, digest or proof does not hold"},
	{8, "conflict: the thing has changed meanwhile, or exists already"},
	{9, "cannot tell: something that the policy needs is not known"},
	{130, "interrupted"},
}

// ExitCodes is the table of exit codes as text.
func ExitCodes() string {
	var b strings.Builder
	for _, e := range exitCodes {
		fmt.Fprintf(&b, "%4d  %s\n", e.code, e.meaning)
	}
	return b.String()
}

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: "A command that asks for a decision ends with 0 only where it has read a decision that\n" +
			"lets the pipeline go on. Everything else has a code of its own:\n\n" + strings.TrimRight(ExitCodes(), "\n"),
	}
}
