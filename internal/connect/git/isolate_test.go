package git

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/fault"
)

// A name that stands for several commits, or for all but one, names none.
func TestNamesOfOneCommit(t *testing.T) {
	w := newWorkshop(t)
	w.write("a.txt", "1\n")
	w.commit("first")
	w.write("a.txt", "2\n")
	w.commit("second")
	for _, name := range []string{"^HEAD", "HEAD^@", "HEAD^!", "HEAD~1..HEAD", "HEAD:a.txt", "HEAD^{tree}", "--all", "-1", "HEAD\x00"} {
		if raw, err := Inspect(t.Context(), Options{Repository: w.dir, To: name}); fault.Exit(fault.KindOf(err)) != 2 {
			t.Errorf("%q: %d commits, %v", name, len(raw.Commits), err)
		}
	}
	w.git("update-ref", "refs/heads/-odd", "HEAD")
	for _, name := range []string{"HEAD~1", "HEAD^", "@", "main", "refs/heads/main", ":/first", "HEAD^{/first}", "refs/heads/-odd"} {
		if _, err := Inspect(t.Context(), Options{Repository: w.dir, To: name}); err != nil {
			t.Errorf("control: %q: %v", name, err)
		}
	}
}

func TestTagBeforeBranch(t *testing.T) {
	w := newWorkshop(t)
	w.commit("first")
	w.git("tag", "v1", "HEAD")
	w.commit("second")
	w.git("branch", "v1")
	raw := w.inspect("", "v1")
	if len(raw.Commits) != 1 || !strings.Contains(strings.Join(raw.Notes, "\n"), "v1 is a tag and also a branch") {
		t.Errorf("%d commits, notes %q", len(raw.Commits), raw.Notes)
	}
	if raw := w.inspect("", "main"); strings.Contains(strings.Join(raw.Notes, "\n"), "also a branch") {
		t.Errorf("control: %q", raw.Notes)
	}
}

// Attributes are those that the later version holds, whatever is checked out;
// what they hide is said.
func TestAttributesAreThoseOfTheVersion(t *testing.T) {
	w := newWorkshop(t)
	w.write("a.txt", "1\n")
	w.write("pic.bin", "\x00")
	w.commit("first")
	w.write("a.txt", "1\n2\n")
	w.write("pic.bin", "\x00\x01")
	w.commit("second")
	plain := w.inspect("HEAD~1", "HEAD")
	if plain.Files[0].Binary || plain.Files[0].Added != 1 || len(plain.Notes) > 0 {
		t.Errorf("%+v %q", plain.Files, plain.Notes)
	}
	w.write(".gitattributes", "*.txt -diff\n")
	if dirty := w.inspect("HEAD~1", "HEAD"); fmt.Sprint(dirty.Files) != fmt.Sprint(plain.Files) {
		t.Errorf("what is not committed counts: %+v", dirty.Files)
	}
	w.commit("third")
	w.write("a.txt", "1\n2\n3\n")
	w.commit("fourth")
	hidden := w.inspect("HEAD~1", "HEAD")
	if !hidden.Files[0].Binary || !strings.Contains(strings.Join(hidden.Notes, "\n"), "1 path count as binary") {
		t.Errorf("%+v %q", hidden.Files, hidden.Notes)
	}
	if before := w.inspect("HEAD~3", "HEAD~2"); fmt.Sprint(before.Files) != fmt.Sprint(plain.Files) {
		t.Errorf("attributes of a later version count: %+v", before.Files)
	}
}

// An attributes file that was not fetched is not taken for none.
func TestMissingAttributes(t *testing.T) {
	w := newWorkshop(t)
	w.write(".gitattributes", "*.txt -diff\n")
	w.write("a.txt", "1\n")
	w.commit("first")
	w.write("a.txt", "2\n")
	w.commit("second")
	w.inspect("HEAD~1", "HEAD")
	blob := w.git("rev-parse", "HEAD:.gitattributes")
	if err := os.Remove(filepath.Join(w.dir, ".git", "objects", blob[:2], blob[2:])); err != nil {
		t.Fatal(err)
	}
	if _, err := Inspect(t.Context(), Options{Repository: w.dir, From: "HEAD~1"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("without it: %v", err)
	}
}

// A repository may not lend from beyond the directories that may be read.
func TestWithin(t *testing.T) {
	root, outside := t.TempDir(), newWorkshop(t)
	outside.commit("secret")
	inspect := func(dir string) error {
		_, err := Inspect(t.Context(), Options{Repository: dir, Within: []string{filepath.Join(root, "absent"), root}})
		return err
	}
	own := filepath.Join(root, "own")
	outside.git("clone", "-q", "--no-hardlinks", outside.dir, own)
	if err := inspect(own); err != nil {
		t.Errorf("control: %v", err)
	}
	t.Chdir(root)
	if _, err := Inspect(t.Context(), Options{Repository: "own", Within: []string{"."}}); err != nil {
		t.Errorf("control, relative: %v", err)
	}
	shared, chained, pointer, linked := filepath.Join(root, "shared"), filepath.Join(root, "chained"), filepath.Join(root, "pointer"), filepath.Join(root, "linked")
	outside.git("clone", "-q", "--shared", outside.dir, shared)
	outside.git("clone", "-q", "--shared", shared, chained)
	outside.git("clone", "-q", own, linked)
	if err := os.Mkdir(pointer, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pointer, ".git"), []byte("gitdir: "+filepath.Join(outside.dir, ".git")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	objects := filepath.Join(linked, ".git", "objects")
	if err := os.RemoveAll(objects); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside.dir, ".git", "objects"), objects); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{shared, chained, pointer, linked} {
		if err := inspect(dir); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("%s: %v", filepath.Base(dir), err)
		}
		if _, err := Inspect(t.Context(), Options{Repository: dir}); err != nil {
			t.Errorf("control, %s: %v", filepath.Base(dir), err)
		}
	}
	loop := filepath.Join(root, "loop")
	outside.git("clone", "-q", "--no-hardlinks", outside.dir, loop)
	if err := os.WriteFile(filepath.Join(loop, ".git/objects/info/alternates"), []byte(".\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := inspect(loop); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a loop: %v", err)
	}
}

// What a repository cannot be read as is said, and nothing is left behind.
func TestNothingIsLeftBehind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	w := newWorkshop(t)
	w.commit("first")
	w.inspect("", "HEAD")
	absolute := os.Getenv("TMPDIR")
	t.Chdir(filepath.Dir(absolute))
	t.Setenv("TMPDIR", filepath.Base(absolute))
	w.inspect("", "HEAD")
	t.Setenv("TMPDIR", absolute)
	if _, err := Inspect(t.Context(), Options{Repository: w.dir, To: "nowhere"}); err == nil {
		t.Error("nowhere is found")
	}
	w.git("config", "extensions.unheard", "true")
	w.git("config", "core.repositoryFormatVersion", "1")
	if _, err := Inspect(t.Context(), Options{Repository: w.dir}); fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), "unheard") {
		t.Errorf("an extension that git does not know: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "signalbox-git-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func FuzzParseAttributes(f *testing.F) {
	id := strings.Repeat("a", 40)
	f.Add([]byte(":000000 100644 " + strings.Repeat("0", 40) + " " + id + " A\x00lib/.gitattributes\x00"))
	f.Add([]byte(":000000 100644 x " + id + " A\x00../.gitattributes\x00:"))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, ids, err := parseAttributes(b)
		if err != nil {
			return
		}
		if strings.Count(string(entries), "\x00") != len(ids) {
			t.Errorf("%d ids for %q", len(ids), entries)
		}
		for entry := range strings.SplitSeq(strings.TrimSuffix(string(entries), "\x00"), "\x00") {
			if _, path, _ := strings.Cut(entry, "\t"); entry != "" && !indexable(path) {
				t.Errorf("%q goes into an index", path)
			}
		}
	})
}
