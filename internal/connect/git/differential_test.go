package git

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/change"
)

// forge writes a history for git fast-import: commits on branches that fork and
// merge, over files that are edited, moved, copied, emptied and removed.
type forge struct {
	*rand.Rand
	out   bytes.Buffer
	marks int
	heads []*line
	ids   []int // marks of commits
	hex   int   // digits of an object's id
}

// line is a branch and the files at its head.
type line struct {
	name  string
	mark  int
	files map[string]string
}

var (
	forgedPaths = []string{
		"a.txt", "b.go", "lib/c.txt", "lib/deep/d.md", "db/migrations/1.sql", "go.mod", "a file.txt", "caf\xe9.txt", "tab\tname", "new\nline",
		"\"quoted\"", "lib/e.lock", "pic.bin", "é.txt", "-option", "x_test.go", "web/app.min.js",
	}
	forgedPeople = []string{
		"Ada Example <ada@example.com>", "Ben Example <BEN@example.com>", "Ren\xe9 <rene@example.com>", " <nameless@example.com>",
		"Nobody <>", "日本 <jp@example.com>", "Ada Example <ada@work.example>", "A, B; C \"D\" <abcd@example.com>",
	}
	forgedMessages = []string{
		"fix: one", "feat(api)!: two\n\nbody", "Revert \"x\"\n\nThis reverts commit 0123456789abcdef0123456789abcdef01234567.\n", "",
		"subject\nsecond line\n\nCo-authored-by: Cleo <cleo@example.com>\n", "caf\xe9 \x00 after", "docs: x\r\n\r\nBREAKING CHANGE: y\r\n", "\n\n  indented\n",
	}
	forgedAttributes = []string{
		"*.txt -diff\n", "*.txt binary\n", "*.bin diff\n", "*.txt diff=evil\n*.go diff=golang\n", "* text=auto\n", "[attr]secret -diff\n*.md secret\n", "lib/** -diff\n!*.x broken\n",
	}
)

func (f *forge) pick(list []string) string { return list[f.IntN(len(list))] }

func (f *forge) content() string {
	switch f.IntN(10) {
	case 0:
		return ""
	case 1:
		return "\x00\x01binary" + strings.Repeat("\x02", f.IntN(9000))
	case 2:
		return "no end of line"
	case 3:
		return strings.Repeat("same\n", f.IntN(30))
	case 4:
		return strings.Repeat("x", 8000) + "\x00 after eight thousand\n"
	}
	var b strings.Builder
	for range 1 + f.IntN(40) {
		fmt.Fprintf(&b, "line %d\n", f.IntN(60))
	}
	return b.String()
}

func (f *forge) edited(s string) string {
	all := strings.SplitAfter(s, "\n")
	for range 1 + f.IntN(4) {
		at := f.IntN(len(all) + 1)
		if f.IntN(2) == 0 && at < len(all) {
			all = slices.Delete(all, at, at+1)
		} else {
			all = slices.Insert(all, at, fmt.Sprintf("edit %d\n", f.IntN(1000)))
		}
	}
	return strings.Join(all, "")
}

func quotePath(p string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(p) {
		fmt.Fprintf(&b, "\\%03o", c)
	}
	b.WriteByte('"')
	return b.String()
}

func (f *forge) put(l *line, path, content string) {
	for other := range l.files { // a file and a directory cannot have one name
		if strings.HasPrefix(other, path+"/") || strings.HasPrefix(path, other+"/") {
			return
		}
	}
	l.files[path] = content
	mode := []string{"644", "644", "644", "755", "120000"}[f.IntN(5)]
	if mode == "120000" && (strings.HasPrefix(filepath.Base(path), ".git") || content == "" || len(content) > 200 || strings.Contains(content, "\x00")) {
		mode = "644" // no link that git or the disk refuses
	}
	fmt.Fprintf(&f.out, "M %s inline %s\ndata %d\n%s\n", mode, quotePath(path), len(content), content)
}

func (f *forge) changes(l *line) {
	for range f.IntN(4) {
		names := slices.Sorted(func(yield func(string) bool) {
			for n := range l.files {
				if !yield(n) {
					return
				}
			}
		})
		path := f.pick(forgedPaths)
		some := path
		if len(names) > 0 {
			some = f.pick(names)
		}
		old, there := l.files[some]
		switch f.IntN(8) {
		case 0, 1:
			if there {
				f.put(l, some, f.edited(old))
			}
		case 2, 3:
			if there && some != path { // moved, and perhaps edited
				fmt.Fprintf(&f.out, "D %s\n", quotePath(some))
				delete(l.files, some)
				if f.IntN(2) == 0 {
					old = f.edited(old)
				}
				f.put(l, path, old)
			}
		case 4:
			if there {
				fmt.Fprintf(&f.out, "D %s\n", quotePath(some))
				delete(l.files, some)
			}
		case 5:
			if there {
				f.put(l, path, old)
			}
		case 6:
			if f.IntN(3) == 0 {
				f.put(l, f.pick([]string{".gitattributes", "lib/.gitattributes"}), f.pick(forgedAttributes))
			} else {
				fmt.Fprintf(&f.out, "M 160000 %s %s\n", strings.Repeat(fmt.Sprintf("%x", 1+f.IntN(9)), f.hex), quotePath(f.pick([]string{"sub", "lib/sub"})))
			}
		default:
			f.put(l, path, f.content())
		}
	}
}

func (f *forge) commit() {
	l := f.heads[f.IntN(len(f.heads))]
	if f.IntN(4) == 0 && len(f.heads) < 5 {
		forked := &line{name: fmt.Sprintf("branch%d", len(f.heads)), mark: l.mark, files: map[string]string{}}
		for p, c := range l.files {
			forked.files[p] = c
		}
		f.heads, l = append(f.heads, forked), forked
	}
	f.marks++
	when := 1_600_000_000 + f.IntN(1_000_000) // clocks of people differ
	fmt.Fprintf(&f.out, "commit refs/heads/%s\nmark :%d\nauthor %s %d +0130\ncommitter %s %d -0800\n", l.name, f.marks, f.pick(forgedPeople), when, f.pick(forgedPeople), when+f.IntN(100))
	if f.IntN(8) == 0 {
		fmt.Fprintf(&f.out, "encoding ISO-8859-1\n")
	}
	message := strings.ReplaceAll(f.pick(forgedMessages), "\x00", "")
	fmt.Fprintf(&f.out, "data %d\n%s\n", len(message), message)
	if l.mark > 0 {
		fmt.Fprintf(&f.out, "from :%d\n", l.mark)
	}
	for _, other := range f.heads {
		if other != l && other.mark > 0 && f.IntN(6) == 0 {
			fmt.Fprintf(&f.out, "merge :%d\n", other.mark)
		}
	}
	f.changes(l)
	f.out.WriteByte('\n')
	l.mark = f.marks
	f.ids = append(f.ids, f.marks)
	if f.IntN(5) == 0 {
		fmt.Fprintf(&f.out, "reset refs/tags/v0.%d.0\nfrom :%d\n\n", f.marks, f.marks)
	} else if f.IntN(5) == 0 {
		fmt.Fprintf(&f.out, "tag v1.%d.0\nfrom :%d\ntagger Tag <tag@example.com> %d +0000\ndata 2\nx\n\n", f.marks, f.marks, when)
	}
}

// forged is a repository made by chance from a seed, and the names of its commits.
func forged(t *testing.T, seed uint64, format string) (*workshop, []string) {
	t.Helper()
	w := newWorkshop(t, "--object-format="+format)
	f := &forge{Rand: rand.New(rand.NewPCG(seed, 1)), hex: map[string]int{"sha1": 40, "sha256": 64}[format]}
	f.heads = []*line{{name: "main", files: map[string]string{}}}
	for range 12 + f.IntN(25) {
		f.commit()
	}
	if f.IntN(2) == 0 { // a history that shares nothing with the first
		f.heads = append(f.heads, &line{name: "orphan", files: map[string]string{}})
		for range 4 {
			f.commit()
		}
	}
	cmd := exec.Command("git", "fast-import", "--quiet", "--export-marks="+filepath.Join(w.dir, ".git", "marks"))
	cmd.Dir, cmd.Stdin = w.dir, &f.out
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("seed %d: %v: %s", seed, err, out)
	}
	return w, strings.Fields(w.git("for-each-ref", "--format=%(refname:short)"))
}

// reference is git itself, without anybody's configuration.
func reference(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C"}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %v: %v: %s", args, err, said.String())
	}
	return string(out)
}

// sheet is what is compared, as text.
type sheet struct {
	commits, files              string
	people                      string
	changed, added, deleted     int
	authors, committers, merges int
}

func ours(raw change.Raw) sheet {
	c := change.Describe(raw)
	s := sheet{commits: fmt.Sprint(c.Commits), changed: c.FilesChanged, added: c.LinesAdded, deleted: c.LinesDeleted}
	var list, people []string
	for _, f := range raw.Files {
		list = append(list, fmt.Sprintf("%s<%s %d %d %v", f.Path, f.OldPath, f.Added, f.Deleted, f.Binary))
	}
	for _, k := range raw.Commits {
		people = append(people, fmt.Sprintf("%s %d %s|%s|%s|%s|%s", k.ID, k.Parents, k.Author.Name, k.Author.Email, k.Committer.Name, k.Committer.Email, k.Subject))
		if k.Parents > 1 {
			s.merges++
		}
	}
	s.authors, s.committers = len(c.Authors), len(c.Committers)
	slices.Sort(list)
	slices.Sort(people)
	s.files, s.people = strings.Join(list, "\n"), strings.Join(people, "\n")
	return s
}

// theirs asks git, whose work tree stands at the later of the two.
func theirs(t *testing.T, dir, from, to string) sheet {
	t.Helper()
	reach := cmp.Or(from, "none") + ".." + to
	base := from
	if from == "" {
		reach, base = to, strings.TrimSpace(reference(t, dir, "hash-object", "-t", "tree", "/dev/null"))
	}
	s := sheet{commits: strings.TrimSpace(reference(t, dir, "rev-list", "--count", reach))}
	var list, people []string
	fields := strings.Split(reference(t, dir, "diff", "--numstat", "-z", base, to), "\x00")
	for i := 0; i+1 < len(fields); i++ {
		part := strings.SplitN(fields[i], "\t", 3)
		var f change.File
		if f.Binary = part[0] == "-"; !f.Binary {
			fmt.Sscan(part[0], &f.Added)
			fmt.Sscan(part[1], &f.Deleted)
		}
		f.Path = pathText([]byte(part[2]))
		if part[2] == "" {
			f.OldPath, f.Path = pathText([]byte(fields[i+1])), pathText([]byte(fields[i+2]))
			i += 2
		}
		s.changed, s.added, s.deleted = s.changed+1, s.added+f.Added, s.deleted+f.Deleted
		list = append(list, fmt.Sprintf("%s<%s %d %d %v", f.Path, f.OldPath, f.Added, f.Deleted, f.Binary))
	}
	authors, committers := map[string]bool{}, map[string]bool{}
	for _, record := range strings.Split(reference(t, dir, "log", "-z", "--encoding=UTF-8", "--format=%H%x01%P%x01%an%x01%ae%x01%cn%x01%ce%x01%s", reach), "\x00") {
		f := strings.Split(record, "\x01")
		if len(f) != 7 {
			continue
		}
		for i := range f {
			f[i] = text([]byte(f[i]), "")
		}
		parents := len(strings.Fields(f[1]))
		if parents > 1 {
			s.merges++
		}
		subject := strings.Join(strings.Fields(f[6]), " ")
		people = append(people, fmt.Sprintf("%s %d %s|%s|%s|%s|%s", f[0], parents, strings.TrimSpace(f[2]), f[3], strings.TrimSpace(f[4]), f[5], subject))
		authors[strings.TrimSpace(f[2])+"\x00"+f[3]], committers[strings.TrimSpace(f[4])+"\x00"+f[5]] = true, true
	}
	s.authors, s.committers = len(authors), len(committers)
	slices.Sort(list)
	slices.Sort(people)
	s.files, s.people = strings.Join(list, "\n"), strings.Join(people, "\n")
	return s
}

// hostile configures a repository and a home so that git itself counts otherwise.
func hostile(t *testing.T, dir string) {
	t.Helper()
	git := filepath.Join(dir, ".git")
	trap := filepath.Join(dir, "ran")
	run := filepath.Join(git, "trap.sh")
	home := t.TempDir()
	config := "[diff]\n\trenames = false\n\talgorithm = histogram\n\texternal = " + run + "\n\trenameLimit = 1\n\tnoprefix = true\n\tignoreSubmodules = all\n\trelative = true\n\torderFile = /dev/null\n" +
		"[diff \"evil\"]\n\ttextconv = " + run + "\n\tcommand = " + run + "\n\tbinary = true\n\txfuncname = \"(\"\n" +
		"[core]\n\tquotePath = false\n\tbigFileThreshold = 1\n\tfsmonitor = " + run + "\n\tpager = " + run + "\n\tignoreCase = true\n\tsshCommand = " + run + "\n\tattributesFile = " + home + "/attributes\n" +
		"[log]\n\tshowSignature = true\n\tmailmap = true\n[mailmap]\n\tfile = " + home + "/mailmap\n[gpg]\n\tprogram = " + run + "\n[i18n]\n\tlogOutputEncoding = ISO-8859-1\n[include]\n\tpath = " + home + "/more\n"
	head := strings.TrimSpace(reference(t, dir, "rev-parse", "HEAD"))
	for path, content := range map[string]string{
		filepath.Join(home, ".gitconfig"):             config,
		filepath.Join(home, "attributes"):             "* -diff\n",
		filepath.Join(home, "mailmap"):                "Eve <eve@example.com> <ada@example.com>\n",
		filepath.Join(home, "more"):                   "[diff]\n\tmnemonicPrefix = true\n",
		filepath.Join(git, "info", "attributes"):      "* binary\n*.txt diff=evil\n",
		filepath.Join(git, "info", "grafts"):          head + "\n",
		filepath.Join(dir, ".gitattributes"):          "* -diff\n",
		filepath.Join(dir, ".mailmap"):                "Eve <eve@example.com> <ada@example.com>\n",
		filepath.Join(git, "objects/info/alternates"): filepath.Join(home, "absent") + "\n",
		run: "#!/bin/sh\ntouch '" + trap + "'\ncat \"$@\" 2>/dev/null\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	own, err := os.OpenFile(filepath.Join(git, "config"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := own.WriteString(config); err != nil {
		t.Fatal(err)
	}
	if err := own.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	for _, name := range []string{"GIT_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_WORK_TREE"} {
		t.Setenv(name, home)
	}
	t.Setenv("GIT_EXTERNAL_DIFF", run)
	t.Cleanup(func() {
		if _, err := os.Stat(trap); err == nil {
			t.Error("a program that the repository names was run")
		}
	})
}

// Whatever the repository, and whatever is configured in it and around it: the
// counts are those of git with its defaults, in a clone that stands at the later version.
func TestForgedRepositoriesAgreeWithGit(t *testing.T) {
	seeds := uint64(8)
	if os.Getenv("SIGNALBOX_PROVE") == "full" {
		seeds = 300
	}
	for seed := range seeds {
		format := "sha1"
		if seed%4 == 3 {
			format = "sha256"
		}
		t.Run(fmt.Sprintf("%s-%d", format, seed), func(t *testing.T) {
			w, names := forged(t, seed, format)
			draw := rand.New(rand.NewPCG(seed, 2))
			type pair struct{ from, to string }
			want := map[pair]sheet{}
			for range 4 {
				p := pair{names[draw.IntN(len(names))], names[draw.IntN(len(names))]}
				if draw.IntN(5) == 0 {
					p.from = ""
				}
				w.git("checkout", "-q", "-f", "--detach", p.to)
				want[p] = theirs(t, w.dir, p.from, p.to)
			}
			bare := filepath.Join(t.TempDir(), "bare.git")
			w.git("clone", "-q", "--bare", w.dir, bare)
			for _, at := range []string{"as it was made", "bare", "hostile"} {
				dir := w.dir
				switch at {
				case "bare":
					dir = bare
				case "hostile":
					hostile(t, w.dir)
				}
				for p, s := range want {
					raw, err := Inspect(t.Context(), Options{Repository: dir, From: p.from, To: p.to})
					if err != nil {
						t.Errorf("%s, %s..%s: %v", at, p.from, p.to, err)
						continue
					}
					if diff := gocmp.Diff(s, ours(raw), gocmp.AllowUnexported(sheet{})); diff != "" {
						t.Errorf("%s, %s..%s (-git +ours):\n%s", at, p.from, p.to, diff)
					}
				}
			}
		})
	}
}

// Control: the hostile configuration does change what git itself counts.
func TestHostileConfigurationIsHostile(t *testing.T) {
	w := newWorkshop(t)
	w.write("a.txt", lines(20))
	w.commit("first")
	w.git("mv", "a.txt", "b.txt")
	w.commit("second")
	before := w.agrees("HEAD~1", "HEAD")
	w.git("config", "diff.renames", "false")
	w.git("config", "core.bigFileThreshold", "1")
	out := w.git("diff", "--numstat", "HEAD~1", "HEAD")
	if strings.Count(out, "\n") != 1 || !strings.Contains(out, "-\t-") {
		t.Errorf("git counts %q", out)
	}
	if after := w.inspect("HEAD~1", "HEAD"); fmt.Sprint(after.Files) != fmt.Sprint(before.Files) {
		t.Errorf("%v became %v", before.Files, after.Files)
	}
}
