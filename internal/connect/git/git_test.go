package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/fault"
)

// workshop is a real repository in a temporary directory.
type workshop struct {
	t   testing.TB
	dir string
	n   int
}

func newWorkshop(t testing.TB, options ...string) *workshop {
	t.Helper()
	w := &workshop{t: t, dir: t.TempDir()}
	w.git(append([]string{"init", "-q", "-b", "main"}, options...)...)
	return w
}

// git runs git as a person would, with an identity and a clock of its own.
func (w *workshop) git(args ...string) string {
	w.t.Helper()
	out, err := w.try(nil, args...)
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimRight(out, "\n")
}

func (w *workshop) try(env []string, args ...string) (string, error) {
	w.n++
	cmd := exec.Command("git", args...)
	cmd.Dir = w.dir
	date := fmt.Sprintf("%d +0000", 1_700_000_000+w.n)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C",
		"GIT_AUTHOR_NAME=Ada Example", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_AUTHOR_DATE=" + date,
		"GIT_COMMITTER_NAME=Ben Example", "GIT_COMMITTER_EMAIL=ben@example.com", "GIT_COMMITTER_DATE=" + date,
	}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (w *workshop) write(path, content string) {
	w.t.Helper()
	full := filepath.Join(w.dir, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *workshop) commit(message string) string {
	w.t.Helper()
	w.git("add", "-A")
	w.git("commit", "-q", "--allow-empty", "-m", message)
	return w.git("rev-parse", "HEAD")
}

func (w *workshop) inspect(from, to string) change.Raw {
	w.t.Helper()
	raw, err := Inspect(w.t.Context(), Options{Repository: w.dir, From: from, To: to})
	if err != nil {
		w.t.Fatalf("inspect %s..%s: %v", from, to, err)
	}
	return raw
}

// agrees compares with what git itself counts, its configuration left at default.
func (w *workshop) agrees(from, to string) change.Raw {
	w.t.Helper()
	raw := w.inspect(from, to)
	if got, want := fmt.Sprint(len(raw.Commits)), w.git("rev-list", "--count", from+".."+to); got != want {
		w.t.Errorf("%s..%s: %s commits, git counts %s", from, to, got, want)
	}
	files, added, deleted := 0, 0, 0
	for line := range strings.Lines(w.git("-c", "diff.renames=true", "diff", "--numstat", from, to) + "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		var a, d int
		fmt.Sscanf(line, "%d\t%d\t", &a, &d)
		files, added, deleted = files+1, added+a, deleted+d
	}
	c := change.Describe(raw)
	if c.FilesChanged != files || c.LinesAdded != added || c.LinesDeleted != deleted {
		w.t.Errorf("%s..%s: %d files +%d -%d, git counts %d +%d -%d", from, to, c.FilesChanged, c.LinesAdded, c.LinesDeleted, files, added, deleted)
	}
	return raw
}

func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d of a file that is long enough to be recognised\n", i)
	}
	return b.String()
}

func TestCountsAgreeWithGit(t *testing.T) {
	w := newWorkshop(t)
	w.write("a.txt", lines(50))
	w.write("b.txt", lines(20))
	first := w.commit("first")
	w.git("tag", "v1.0.0")

	w.git("mv", "a.txt", "renamed.txt")
	w.write("renamed.txt", lines(50)+"one more\n")
	renamed := w.commit("rename and change")
	raw := w.agrees(first, renamed)
	if len(raw.Files) != 1 || raw.Files[0].OldPath != "a.txt" || raw.Files[0].Path != "renamed.txt" || raw.Files[0].Added != 1 {
		t.Errorf("rename: %+v", raw.Files)
	}

	w.write("picture.bin", "\x00\x01\x02")
	binary := w.commit("binary")
	if raw = w.agrees(renamed, binary); !raw.Files[0].Binary || raw.Files[0].Added != 0 {
		t.Errorf("binary: %+v", raw.Files)
	}

	empty := w.commit("nothing at all")
	if raw = w.agrees(binary, empty); len(raw.Files) != 0 || len(raw.Commits) != 1 {
		t.Errorf("empty commit: %+v", raw)
	}

	for _, branch := range []string{"one", "two", "three"} {
		w.git("checkout", "-q", "-b", branch, empty)
		w.write(branch+".txt", lines(3))
		w.commit("feat: " + branch)
	}
	w.git("checkout", "-q", "main")
	w.git("merge", "-q", "--no-ff", "-m", "octopus", "one", "two", "three")
	if raw = w.agrees(empty, "main"); raw.Commits[0].Parents != 4 || len(raw.Commits) != 4 {
		t.Errorf("octopus: %d parents, %d commits", raw.Commits[0].Parents, len(raw.Commits))
	}
	w.git("revert", "-m", "1", "--no-edit", "HEAD")
	if raw = w.agrees("v1.0.0", "HEAD"); change.Describe(raw).Reverts != 1 {
		t.Error("the revert is not seen")
	}
	w.agrees("HEAD", "v1.0.0")
	if raw = w.agrees("one", "two"); len(raw.Notes) != 1 || !strings.Contains(raw.Notes[0], "not an ancestor") {
		t.Errorf("side branch: %q", raw.Notes)
	}
	if raw = w.inspect("main", "main"); len(raw.Commits) != 0 || len(raw.Files) != 0 || len(raw.Notes) != 0 {
		t.Errorf("a version against itself: %+v", raw)
	}
}

// What a person or the repository configures changes no count and runs nothing.
func TestConfigurationChangesNothing(t *testing.T) {
	w := newWorkshop(t)
	w.write("a.txt", lines(30))
	w.commit("first")
	w.git("mv", "a.txt", "b.txt")
	w.write("c.txt", "old\nlines\nhere\n")
	w.write(".gitattributes", "*.txt diff=evil\n")
	w.commit("second")
	want := w.agrees("HEAD~1", "HEAD")

	w.write("a.order", "c*\n")
	trap := filepath.Join(w.dir, "ran")
	script := filepath.Join(w.dir, "trap.sh")
	w.write("trap.sh", "#!/bin/sh\ntouch "+trap+"\ncat \"$@\" 2>/dev/null\n")
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, kv := range [][2]string{
		{"diff.renames", "false"},
		{"diff.algorithm", "patience"},
		{"diff.external", script},
		{"diff.evil.textconv", script},
		{"diff.evil.command", script},
		{"core.fsmonitor", script},
		{"log.showSignature", "true"},
		{"gpg.program", script},
		{"core.pager", script},
		{"core.sshCommand", script},
		{"diff.orderFile", filepath.Join(w.dir, "a.order")},
		{"diff.renameLimit", "1"},
		{"diff.noprefix", "true"},
		{"diff.ignoreSubmodules", "all"},
		{"core.hooksPath", w.dir},
		{"alias.diff-tree", "!" + script},
		{"alias.rev-list", "!" + script},
	} {
		w.git("config", kv[0], kv[1])
	}
	t.Setenv("GIT_DIR", "/nonexistent")
	t.Setenv("GIT_EXTERNAL_DIFF", script)
	got := w.inspect("HEAD~1", "HEAD")
	if fmt.Sprint(got.Files) != fmt.Sprint(want.Files) {
		t.Errorf("configuration changes %v to %v", want.Files, got.Files)
	}
	if _, err := os.Stat(trap); err == nil {
		t.Error("a program that the repository names was run")
	}
	// Control: the trap does spring for a git that is not held back.
	if _, err := w.try(nil, "diff", "HEAD~1", "HEAD"); err != nil {
		t.Log(err)
	}
	if _, err := os.Stat(trap); err != nil {
		t.Error("the trap is dull: it would have caught nothing")
	}
}

func TestReplacedHistoryIsNotBelieved(t *testing.T) {
	w := newWorkshop(t)
	w.write("a.txt", "1\n")
	w.commit("first")
	w.write("a.txt", "2\n")
	evil := w.commit("second")
	innocent := w.git("commit-tree", "-p", "HEAD~1", "-m", "innocent", "HEAD^{tree}")
	w.git("replace", evil, innocent)
	if raw := w.inspect("HEAD~1", "HEAD"); raw.Commits[0].Subject != "second" {
		t.Errorf("a replacement was believed: %q", raw.Commits[0].Subject)
	}
	if got := w.git("log", "-1", "--format=%s"); got != "innocent" {
		t.Errorf("the control shows %q", got)
	}
}

func TestBareWorktreeAndSubdirectory(t *testing.T) {
	w := newWorkshop(t)
	w.write("dir/a.txt", "1\n")
	w.commit("first")
	w.write("dir/a.txt", "1\n2\n")
	w.commit("second")
	bare, tree := filepath.Join(t.TempDir(), "bare.git"), filepath.Join(t.TempDir(), "tree")
	w.git("clone", "-q", "--bare", w.dir, bare)
	w.git("worktree", "add", "-q", tree, "HEAD")
	for _, dir := range []string{bare, tree, filepath.Join(w.dir, "dir"), filepath.Join(w.dir, ".git")} {
		raw, err := Inspect(t.Context(), Options{Repository: dir, From: "main~1", To: "main"})
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		if len(raw.Commits) != 1 || len(raw.Files) != 1 || raw.Files[0].Path != "dir/a.txt" {
			t.Errorf("%s: %+v", dir, raw)
		}
	}
}

func TestFirstVersion(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		w := newWorkshop(t, "--object-format="+format)
		w.write("a.txt", "1\n2\n")
		w.commit("first")
		w.write("b.txt", "1\n")
		w.commit("second")
		empty := w.git("hash-object", "-t", "tree", "/dev/null")
		for _, from := range []string{"", empty} {
			raw := w.inspect(from, "HEAD")
			c := change.Describe(raw)
			if c.Commits != 2 || c.FilesChanged != 2 || c.LinesAdded != 3 || c.From != "" || !c.Complete {
				t.Errorf("%s from %q: %+v", format, from, c)
			}
		}
	}
}

func TestShallow(t *testing.T) {
	w := newWorkshop(t)
	for i := range 6 {
		w.write("a.txt", lines(i+1))
		w.commit(fmt.Sprintf("commit %d", i))
		w.git("tag", fmt.Sprintf("v1.%d.0", i))
	}
	clone := filepath.Join(t.TempDir(), "clone")
	w.git("clone", "-q", "--depth", "3", "file://"+w.dir, clone)
	inspect := func(from, to string) (change.Change, error) {
		raw, err := Inspect(t.Context(), Options{Repository: clone, From: from, To: to})
		return change.Describe(raw), err
	}
	whole, err := inspect("HEAD~1", "HEAD")
	if err != nil || !whole.Complete || whole.Commits != 1 || len(whole.Notes) != 1 {
		t.Errorf("within what was fetched: %+v, %v", whole, err)
	}
	cut, err := inspect("", "HEAD")
	if err != nil || cut.Complete || cut.Commits != 3 {
		t.Errorf("beyond what was fetched: %+v, %v", cut, err)
	}
	if _, err = inspect("v1.1.0", "HEAD"); fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), "shallow") {
		t.Errorf("a version that was not fetched: %v", err)
	}
}

func TestSubmodule(t *testing.T) {
	inner := newWorkshop(t)
	inner.write("x", "1\n")
	inner.commit("inner")
	w := newWorkshop(t)
	w.write("a.txt", "1\n")
	w.commit("first")
	w.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner.dir, "lib")
	w.commit("submodule")
	raw := w.agrees("HEAD~1", "HEAD")
	if len(raw.Files) != 2 {
		t.Errorf("files: %+v", raw.Files)
	}
	inner.commit("inner moves")
	w.git("-C", "lib", "-c", "protocol.file.allow=always", "pull", "-q")
	w.commit("the submodule moves")
	w.agrees("HEAD~1", "HEAD")
	w.git("config", "submodule.lib.ignore", "all")
	if raw = w.inspect("HEAD~1", "HEAD"); len(raw.Files) != 1 {
		t.Errorf("a submodule that is ignored hides its move: %+v", raw.Files)
	}
	if out := w.git("diff", "--numstat", "HEAD~1", "HEAD"); out != "" {
		t.Errorf("the control shows %q", out)
	}
}

func TestPeopleAndMessages(t *testing.T) {
	w := newWorkshop(t)
	w.write("a.txt", "1\n")
	w.commit("first")
	w.write("caf\xe9.txt", "1\n")
	w.git("add", "-A")
	if out, err := w.try([]string{"GIT_AUTHOR_NAME=Ren\xe9 Example", "GIT_AUTHOR_EMAIL=Rene@Example.com"}, "-c", "i18n.commitEncoding=ISO-8859-1",
		"commit", "-q", "-m", "caf\xe9\n\nbody\n\nCo-authored-by: Cleo Example <cleo@example.com>\nco-authored-by: Dan Example <dan@example.com>"); err != nil {
		t.Fatal(out)
	}
	k := w.agrees("HEAD~1", "HEAD").Commits[0]
	if k.Author != (change.Identity{Name: "René Example", Email: "Rene@Example.com"}) || k.Committer.Email != "ben@example.com" || k.Subject != "café" {
		t.Errorf("commit: %+v", k)
	}
	if len(k.CoAuthors) != 2 || k.CoAuthors[0].Email != "cleo@example.com" || k.CoAuthors[1].Name != "Dan Example" {
		t.Errorf("co-authors: %+v", k.CoAuthors)
	}
	if k.Signed || k.AuthorTime.IsZero() || k.CommitTime.IsZero() {
		t.Errorf("commit: %+v", k)
	}
}

func TestSignedIsPresenceOnly(t *testing.T) {
	w := newWorkshop(t)
	w.write("a.txt", "1\n")
	w.commit("first")
	object := w.git("cat-file", "commit", "HEAD")
	headers, message, _ := strings.Cut(object, "\n\n")
	w.write("object", headers+"\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n author Mal Example <mal@example.com> 1 +0000\n -----END PGP SIGNATURE-----\n\n"+message+"\n")
	id := w.git("hash-object", "-t", "commit", "-w", "object")
	raw := w.inspect("", id)
	if k := raw.Commits[0]; !k.Signed || k.Author.Email != "ada@example.com" {
		t.Errorf("signed commit: %+v", k)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorkshop(t)
	unborn := newWorkshop(t)
	w.write("a.txt", "1\n")
	w.commit("first")
	w.git("tag", "v1.2.0")
	w.commit("second")
	blob := w.git("rev-parse", "HEAD:a.txt")
	for _, c := range []struct {
		name string
		o    Options
		kind fault.Kind
		says string
	}{
		{"no directory", Options{Repository: filepath.Join(w.dir, "none")}, fault.NotFound, "no directory"},
		{"a file", Options{Repository: filepath.Join(w.dir, "a.txt")}, fault.NotFound, "no directory"},
		{"no repository", Options{Repository: t.TempDir()}, fault.NotFound, "not a Git repository"},
		{"no commits", Options{Repository: unborn.dir}, fault.NotFound, "no commits"},
		{"unknown ref", Options{Repository: w.dir, From: "v1.2.1"}, fault.NotFound, "nearest: v1.2.0"},
		{"option as ref", Options{Repository: w.dir, From: "--output=/tmp/x"}, fault.Invalid, "cannot name"},
		{"short option", Options{Repository: w.dir, To: "-h"}, fault.Invalid, "cannot name"},
		{"control character", Options{Repository: w.dir, To: "HEAD\nHEAD~1"}, fault.Invalid, "cannot name"},
		{"range as ref", Options{Repository: w.dir, To: "HEAD~1..HEAD"}, fault.NotFound, "knows no commit"},
		{"blob as ref", Options{Repository: w.dir, To: blob}, fault.NotFound, "knows no commit"},
		{"more than the limit", Options{Repository: w.dir, Limit: 1}, fault.TooLarge, "more than 1 commits"},
	} {
		_, err := Inspect(t.Context(), c.o)
		if fault.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestDamagedRepository(t *testing.T) {
	w := newWorkshop(t)
	w.write("a.txt", "1\n")
	w.commit("first")
	w.write("a.txt", "2\n")
	w.commit("second")
	blob := w.git("rev-parse", "HEAD:a.txt")
	w.write("a.txt", "not committed\n") // else git takes the file here for the one that is lost
	if err := os.Remove(filepath.Join(w.dir, ".git", "objects", blob[:2], blob[2:])); err != nil {
		t.Fatal(err)
	}
	if _, err := Inspect(t.Context(), Options{Repository: w.dir, From: "HEAD~1"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a lost file: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	w := newWorkshop(t)
	w.write("a.txt", "1\n")
	w.commit("first")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Inspect(ctx, Options{Repository: w.dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestMissingGit(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", t.TempDir())
	if _, err := Inspect(t.Context(), Options{Repository: dir}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("without git: %v", err)
	}
}

// long is a repository with a history of n commits.
func long(t testing.TB, n int) *workshop {
	t.Helper()
	w := newWorkshop(t)
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "commit refs/heads/main\nauthor Ada Example <ada@example.com> %d +0000\ncommitter Ada Example <ada@example.com> %d +0000\n", 1_700_000_000+i, 1_700_000_000+i)
		message := fmt.Sprintf("fix: number %d\n\nCo-authored-by: Person %d <p%d@example.com>\n", i, i%50, i%50)
		fmt.Fprintf(&b, "data %d\n%sM 644 inline file%d.txt\ndata 2\nx\n\n", len(message), message, i%500)
	}
	cmd := exec.Command("git", "fast-import", "--quiet")
	cmd.Dir, cmd.Stdin = w.dir, strings.NewReader(b.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return w
}

// A long history is read in one go, not commit by commit: the number of
// programs started does not grow with it.
func TestLongHistory(t *testing.T) {
	const n = 20_000
	w := long(t, n)
	began := time.Now()
	c := change.Describe(w.inspect("", "main"))
	t.Logf("%d commits in %v", c.Commits, time.Since(began))
	if c.Commits != n || len(c.CoAuthors) != 50 || c.FilesChanged != 500 {
		t.Errorf("%d commits, %d co-authors, %d files", c.Commits, len(c.CoAuthors), c.FilesChanged)
	}
}
