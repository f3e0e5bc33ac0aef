package anchor

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/connect/git"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/verify"
)

func noteOf(size int, root, signature string) []byte {
	return fmt.Appendf(nil, "signalbox.local/x\n%d\n%s\n\n— %s AAAA\n", size, root, signature)
}

func TestFolder(t *testing.T) {
	f := Folder{t.TempDir()}
	if b, err := f.Newest(t.Context()); b != nil || err != nil {
		t.Errorf("an empty folder has %q: %v", b, err)
	}
	for _, size := range []int{5, 40, 300, 9} {
		if err := f.Publish(t.Context(), uint64(size), noteOf(size, "root", "one")); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := f.Newest(t.Context()); err != nil || !bytes.Equal(b, noteOf(300, "root", "one")) {
		t.Errorf("the newest is %q: %v", b, err)
	}
	if err := f.Publish(t.Context(), 40, noteOf(40, "root", "two")); err != nil {
		t.Errorf("the same text, cosigned by another: %v", err)
	}
	if err := f.Publish(t.Context(), 40, noteOf(40, "other", "one")); fault.KindOf(err) != fault.Conflict {
		t.Errorf("another text: %v", err)
	}
	path := filepath.Join(f.Dir, "0000000000000000040.checkpoint")
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, noteOf(40, "root", "one")) {
		t.Errorf("what was laid down is now %q: %v", b, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o444 {
		t.Errorf("its mode is %v: %v", info.Mode(), err)
	}
	for name, content := range map[string]string{".new-1": "left by a crash", "README": "what this is"} {
		if err := os.WriteFile(filepath.Join(f.Dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := Read(t.Context(), f.Dir)
	if err != nil || len(all) != 4 || all[0].Name != "0000000000000000005.checkpoint" || !bytes.Equal(all[1].Note, noteOf(9, "root", "one")) {
		t.Errorf("%v: %v", all, err)
	}
	if err := (Folder{filepath.Join(f.Dir, "absent")}).Publish(t.Context(), 1, nil); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("no folder: %v", err)
	}
	for _, dir := range []string{t.TempDir(), filepath.Join(f.Dir, "absent")} {
		if _, err := Read(t.Context(), dir); err == nil {
			t.Errorf("%s proves something", dir)
		}
	}
}

func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestRepository(t *testing.T) {
	bare := filepath.Join(t.TempDir(), "kept.git")
	run(t, ".", "init", "--quiet", "--bare", bare)
	shelf := func() Repository {
		r, err := NewRepository(git.ShelfOptions{Dir: t.TempDir(), Repository: bare})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	one, two := shelf(), shelf()
	if b, err := one.Newest(t.Context()); b != nil || err != nil {
		t.Errorf("an empty repository has %q: %v", b, err)
	}
	for i, r := range []Repository{one, two, two, one} { // two replicas, one after the other
		if err := r.Publish(t.Context(), uint64(i+1), noteOf(i+1, "root", "one")); err != nil {
			t.Fatal(err)
		}
		if b, err := two.Newest(t.Context()); err != nil || !bytes.Equal(b, noteOf(i+1, "root", "one")) {
			t.Errorf("the newest is %q: %v", b, err)
		}
	}
	if said := run(t, bare, "log", "--format=%an <%ae> %s", branch); said != "Signalbox <> Checkpoint of 4 facts\nSignalbox <> Checkpoint of 3 facts\nSignalbox <> Checkpoint of 2 facts\nSignalbox <> Checkpoint of 1 facts" {
		t.Errorf("the history is %s", said)
	}
	clone := filepath.Join(t.TempDir(), "clone")
	run(t, ".", "clone", "--quiet", "--no-checkout", bare, clone)
	for _, dir := range []string{bare, clone} {
		all, err := Read(t.Context(), dir)
		if err != nil || len(all) != 4 || !bytes.Equal(all[0].Note, noteOf(4, "root", "one")) || !bytes.Equal(all[3].Note, noteOf(1, "root", "one")) {
			t.Errorf("%v: %v", all, err)
		}
	}
	// What the repository refuses is told, and nothing there changes.
	hook := filepath.Join(bare, "hooks", "pre-receive")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\necho closed on Sundays >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	tip := run(t, bare, "rev-parse", branch)
	if err := one.Publish(t.Context(), 5, noteOf(5, "root", "one")); fault.KindOf(err) != fault.Unavailable || run(t, bare, "rev-parse", branch) != tip {
		t.Errorf("refused by a hook: %v", err)
	}
	if err := os.Rename(bare, bare+".gone"); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Newest(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a repository that is gone: %v", err)
	}
}

// A branch that holds anything else is not read as checkpoints, nor written over.
func TestForeignRepository(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, "init", "--quiet", "--initial-branch="+branch)
	run(t, dir, "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "--allow-empty", "-m", "begin")
	if _, err := Read(t.Context(), dir); fault.KindOf(err) != fault.Invalid {
		t.Errorf("read: %v", err)
	}
	r, err := NewRepository(git.ShelfOptions{Dir: t.TempDir(), Repository: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Newest(t.Context()); fault.KindOf(err) != fault.Conflict {
		t.Errorf("the newest: %v", err)
	}
	run(t, dir, "branch", "--quiet", "-m", "main")
	if _, err := Read(t.Context(), dir); fault.KindOf(err) != fault.NotFound {
		t.Errorf("no branch: %v", err)
	}
	for _, bad := range []string{"", "file:///tmp/x", "ext::sh -c x", "-x", "http://example.com/x", "https://user:secret@example.com/x", filepath.Join(dir, "absent")} {
		if _, err := NewRepository(git.ShelfOptions{Dir: t.TempDir(), Repository: bad}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestTold(t *testing.T) {
	stamp := func(at time.Time) string { return at.Format(time.DateOnly) }
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	lines := Told(verify.Report{Facts: 9, Published: 2, Witnesses: []verify.Witnessed{{Witness: "a", Size: 9, Time: at}, {Witness: "b", Size: 4, Time: at}, {Witness: "c"}}}, stamp)
	want := []string{
		"published checkpoints that agree: 2", "witness a has cosigned all of it, 2026-05-04",
		"witness b has cosigned 4 of 9 facts, and nothing since 2026-05-04", "witness c has cosigned none of it",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("%q", lines)
	}
}
