package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/activation"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// activated records, past every check, that a bundle takes effect: as if a
// version before had found it well.
func activated(t *testing.T, s *Server, files []policy.File, answers []activation.Answer, effective time.Time) {
	t.Helper()
	keep := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		digest, _, err := s.Control.Vault.Put(t.Context(), bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		return digest
	}
	body := activation.Entry{Digest: policy.Digest(files), File: keep(files), Name: "starter", Version: "1.0", Effective: event.MicrosOf(effective)}
	if answers != nil {
		body.Answers = keep(answers)
	}
	_, err := s.Journal.Append(t.Context(), journal.Command{Actor: "system/test", Auth: "local", Source: "test", Facts: []event.Draft{{
		Stream: activation.Stream, Kind: event.PolicyActivated,
		Body: body,
	}}})
	if err != nil {
		t.Fatal(err)
	}
}

// altered is the starter policy with a text in place of another in one of its files.
func altered(t *testing.T, file, old, text string) []policy.File {
	t.Helper()
	files, done := policy.Starter(), false
	for i, f := range files {
		if f.Name == file && bytes.Contains(f.Data, []byte(old)) {
			files[i].Data, done = bytes.Replace(f.Data, []byte(old), []byte(text), 1), true
		}
	}
	if !done {
		t.Fatalf("%s does not hold %q", file, old)
	}
	return files
}

// including is a bundle that is nothing but another.
func including(files []policy.File) []policy.File {
	all := []policy.File{{Name: "policy.yaml", Data: fmt.Appendf(nil, "apiVersion: signalbox/v1\nkind: Policy\nname: starter\nversion: \"1.0\"\n---\n"+
		"apiVersion: signalbox/v1\nkind: Include\nname: starter\npath: include/starter\ndigest: %s\n", policy.Digest(files))}}
	for _, f := range files {
		all = append(all, policy.File{Name: "include/starter/" + f.Name, Data: f.Data})
	}
	return all
}

// A version that reads the active policy otherwise, or not at all, does not
// start, says which line it is, and writes nothing.
func TestUpgradeRechecksThePolicy(t *testing.T) {
	line := func(files []policy.File, file, text string) int {
		for _, f := range files {
			if before, _, found := bytes.Cut(f.Data, []byte(text)); f.Name == file && found {
				return 1 + bytes.Count(before, []byte("\n"))
			}
		}
		return 0
	}
	failing := altered(t, "gates.yaml", "findings.critical == 0", "findings.critical <= 99")
	included := including(policy.Starter())
	p, problems := policy.Compile(included)
	if p == nil {
		t.Fatal(problems)
	}
	answers, otherwise := activation.Answers(p), activation.Answers(p)
	i := slices.IndexFunc(answers, func(a activation.Answer) bool { return strings.HasSuffix(a.Case, ": a failing test") })
	otherwise[i].Verdict = policy.Go // a stricter answer is no failing test of what is included, and yet another answer
	broken := altered(t, "gates.yaml", "findings.critical == 0", "findings.grave == 0")
	for name, c := range map[string]struct {
		files     []policy.File
		answers   []activation.Answer // as they were; nil: not kept
		effective time.Duration       // from now
		file      string
		line      int // 0: any
		says      string
	}{
		"it holds":                 {files: policy.Starter()},
		"a test fails":             {files: failing, file: "tests.yaml", says: "expected no-go, got"},
		"it does not compile":      {files: broken, file: "gates.yaml", line: line(broken, "gates.yaml", "findings.grave"), says: "grave"},
		"it is still to come":      {files: broken, effective: time.Hour},
		"it answers as it did":     {files: included, answers: answers},
		"it answers otherwise":     {files: included, answers: otherwise, file: "include/starter/tests.yaml", says: "it was answered go when"},
		"it asks other tests":      {files: included, answers: answers[1:], file: "include/starter/tests.yaml"},
		"a test fails, and it has": {files: failing, effective: -time.Hour, file: "tests.yaml", says: "test cases fail"},
	} {
		t.Run(name, func(t *testing.T) {
			for engine, o := range map[string]Options{"sqlite": {Data: t.TempDir()}, "postgres": {Data: t.TempDir(), Database: storetest.PostgresURL(t)}} {
				t.Run(engine, func(t *testing.T) {
					restarted(t, quiet(o), c.files, c.answers, c.effective, func(err error) {
						var f *fault.Error
						switch {
						case c.file == "" && err != nil:
							t.Errorf("it does not start: %v", err)
						case c.file == "":
						case !errors.As(err, &f) || f.Code != "policy.upgrade" || f.Where.File != c.file || f.Where.Line == 0 || c.line > 0 && f.Where.Line != c.line:
							t.Errorf("it says %v, and ought to name %s:%d", err, c.file, c.line)
						case !strings.Contains(f.Why, c.says) || !strings.Contains(f.What, "starter 1.0"):
							t.Errorf("it says %v, and not %q", f, c.says)
						}
					})
				})
			}
		})
	}
}

// restarted activates a bundle and starts anew; then says how that went. The
// journal has not grown meanwhile.
func restarted(t *testing.T, o Options, files []policy.File, answers []activation.Answer, effective time.Duration, said func(error)) {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	activated(t, s, files, answers, time.Now().Add(effective))
	size, err := s.Journal.Size(t.Context())
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), o)
	said(err)
	if err == nil {
		err = again.Close()
	} else {
		err = nil
	}
	if now := facts(t, o); err != nil || now != size {
		t.Errorf("the start wrote %d facts: %v", now-size, err)
	}
}

// facts is how many there are in a database that nobody serves.
func facts(t *testing.T, o Options) uint64 {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Data: o.Data, Database: o.Database})
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(t.Context(), journal.Options{DB: db, Shapes: control.Shapes()})
	if err != nil {
		t.Fatal(err)
	}
	size, err := j.Size(t.Context())
	if err = errors.Join(err, j.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	return size
}
