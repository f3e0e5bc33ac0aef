package test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// persons and machines of example/catalog.yaml.
var (
	persons  = []string{"ada", "bob", "carol", "dave", "mia", "vera", "otto"}
	machines = []string{"shop-ci", "billing-ci"}
)

// organise starts a server for the example organisation: its first
// administrator root, its catalog, a token for everybody in NAME.token, and the
// starter policy, or the one in DIR.
func organise(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("organise: it must work")
	}
	policy := ""
	if len(args) > 1 && args[0] == "-policy" {
		policy, args = args[1], args[2:]
	}
	serve(ts, false, append([]string{"--admin", "root", "--admin-name", "Root Example", "--admin-email", "root@example.com", "--admin-token-file", ts.MkAbs("root.token")}, args...))
	ts.Setenv("SIGNALBOX_SERVER", ts.Getenv("URL"))
	root := func(args ...string) { ts.Check(ts.Exec("signalbox", append(args, "--token-file", "root.token")...)) }
	root("catalog", "import", ts.Getenv("EXAMPLE")+"/catalog.yaml")
	for _, name := range persons {
		root("token", "issue", "--person", name, "--out", name+".token")
	}
	for _, name := range machines {
		root("token", "issue", "--machine", name, "--out", name+".token")
	}
	if policy == "" {
		policy = "starter-policy"
		ts.Check(ts.Exec("signalbox", "policy", "init", policy))
	}
	ts.Check(ts.Exec("signalbox", "policy", "activate", policy, "--reason", "first policy", "--token-file", "mia.token"))
}

// example is the absolute path of the files that scripts share.
func example() (string, error) { return filepath.Abs("example") }

// grows waits until a file has so many lines: what runs beside the script has come that far.
func grows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: grows FILE LINES")
	}
	want, deadline := number(ts, args[1]), time.Now().Add(readyWithin)
	for {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && strings.Count(string(b), "\n") >= want {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("grows: %s has not %d lines: %v\n%s", args[0], want, err, b)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// includes fails unless each line of one file is a line of the other, and there
// is at least one.
func includes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: includes WHOLE PART")
	}
	whole, part := strings.Fields(ts.ReadFile(args[0])), strings.Fields(ts.ReadFile(args[1]))
	if len(part) == 0 {
		ts.Fatalf("includes: %s is empty", args[1])
	}
	for _, line := range part {
		if !slices.Contains(whole, line) {
			ts.Fatalf("includes: %s lacks %s", args[0], line)
		}
	}
}

// flip changes one byte of a file: the last one of the first place where a
// regular expression fits.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: flip FROM TO REGEXP")
	}
	pattern, err := regexp.Compile(args[2])
	ts.Check(err)
	b := []byte(ts.ReadFile(args[0]))
	at := pattern.FindIndex(b)
	if at == nil {
		ts.Fatalf("flip: %s has no %s", args[0], args[2])
	}
	if b[at[1]-1]++; b[at[1]-1] == '{' || b[at[1]-1] == ':' || b[at[1]-1] == '[' { // stay within letters and digits
		b[at[1]-1] -= 2
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o600))
}
