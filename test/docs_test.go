//go:build unix

package test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/store/storetest"
)

// The documents say how they are run, in comments that no reader sees:
//
//	<!-- after PATH -->   at the top: the blocks of that document run first
//	<!-- build hsm -->    at the top: signalbox is the build with PKCS#11
//	<!-- exit N -->       above a block: its last command ends with N, and no other fails
//
// Every block of sh is run, in order, one bash for each document. A block of
// text right after one is what it prints: its lines stand in the output in this
// order, others between them, and … is whatever stands there.
const (
	documents    = "../docs"
	documentedAt = "127.0.0.1:8420" // where the documents reach the server; each run has its own
	runsWithin   = 3 * time.Minute
	mark         = "@@ block "
)

// tooLong are lines of documents that run every test again, or never end.
var tooLong = []string{"go run ./cmd/signalbox demo", "make test"}

func TestDocuments(t *testing.T) {
	var paths []string
	for _, pattern := range []string{"tutorial/*.md", "howto/*.md", "../README.md"} {
		found, err := filepath.Glob(filepath.Join(documents, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("no documents at %s: %v", pattern, err)
		}
		paths = append(paths, found...)
	}
	var all []document
	left := 0
	for _, path := range paths {
		d, err := readDocument(path)
		if err != nil {
			t.Fatal(err)
		}
		if left += d.left; len(d.blocks) == 0 && d.left == 0 {
			t.Errorf("%s runs nothing", path)
		}
		all = append(all, d)
	}
	if left != len(tooLong) {
		t.Errorf("%d lines are left out, want %d", left, len(tooLong))
	}
	usual := build(t)
	for _, d := range all {
		t.Run(strings.TrimSuffix(d.name, ".md"), func(t *testing.T) {
			binary := usual
			if d.hsm {
				var err error
				if binary, err = buildHSM(t.Context(), t.TempDir()); err != nil {
					t.Fatal(err)
				}
			}
			if err := d.run(t, binary); err != nil {
				t.Error(err)
			}
		})
	}
}

// document is what is run of a text in Markdown.
type document struct {
	name   string
	after  string // path of the document whose blocks come first
	hsm    bool   // it is run with the build that has PKCS#11
	blocks []block
	left   int // lines that are not run
}

// block is one fence of sh, and what the fence of text below it says.
type block struct {
	place  string // file and line
	code   string
	exit   int
	prints []string
}

func readDocument(path string) (document, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return document{}, err
	}
	d, err := parse(filepath.Base(path), string(text))
	if err != nil || d.after == "" {
		return d, err
	}
	first, err := readDocument(filepath.Join(filepath.Dir(path), d.after))
	d.blocks = slices.Concat(first.blocks, d.blocks)
	return d, err
}

var (
	afterNote = regexp.MustCompile(`^<!-- after (\S+) -->$`)
	exitNote  = regexp.MustCompile(`^<!-- exit (\d+) -->$`)
)

func parse(name, text string) (document, error) {
	d := document{name: name}
	exit, answers := 0, false // for the next fence: what was noted, and whether it follows a block
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if m := afterNote.FindStringSubmatch(line); m != nil {
			d.after = m[1]
		}
		d.hsm = d.hsm || line == "<!-- build hsm -->"
		if m := exitNote.FindStringSubmatch(line); m != nil {
			exit, _ = strconv.Atoi(m[1])
			continue
		}
		language, fence := strings.CutPrefix(line, "```")
		if !fence {
			answers = answers && line == ""
			if exit != 0 {
				return d, fmt.Errorf("%s:%d: a note of an exit code stands above no block", name, i+1)
			}
			continue
		}
		length := slices.Index(lines[i+1:], "```")
		if length < 0 {
			return d, fmt.Errorf("%s:%d: the fence does not end", name, i+1)
		}
		inside := lines[i+1 : i+1+length]
		switch {
		case language == "sh":
			d.add(block{place: fmt.Sprintf("%s:%d", name, i+1), exit: exit}, inside)
		case exit != 0 || !slices.Contains([]string{"text", "yaml", "json"}, language):
			return d, fmt.Errorf("%s:%d: a fence of %q is not run: use sh, text, yaml or json", name, i+1, language)
		case language == "text" && answers:
			d.blocks[len(d.blocks)-1].prints = printed(inside)
		}
		answers = language == "sh" && len(d.blocks) > 0
		exit = 0
		i += length + 1
	}
	return d, nil
}

func (d *document) add(b block, lines []string) {
	run := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return slices.Contains(tooLong, l) })
	d.left += len(lines) - len(run)
	if len(run) > 0 {
		b.code = strings.Join(run, "\n")
		d.blocks = append(d.blocks, b)
	}
}

// printed is the lines that an output must have; those that say only that
// there is more are not among them.
func printed(lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.Trim(l, " …") == "" })
}

// script is the document as one program. It says before each block which comes.
func (d document) script() string {
	var b strings.Builder
	b.WriteString("set -euo pipefail\n")
	for i, block := range d.blocks {
		fmt.Fprintf(&b, "echo; echo '%s%d'\n", mark, i)
		if block.exit == 0 {
			b.WriteString(block.code + "\n")
			continue
		}
		b.WriteString("set +e; failures=0; trap 'failures=$((failures+1))' ERR\n" + block.code + "\nlast=$?; trap - ERR; set -e\n")
		fmt.Fprintf(&b, `[ "$last $failures" = "%d 1" ] || { echo "exit code $last, want %d; $failures commands failed, want 1"; exit 99; }`+"\n", block.exit, block.exit)
	}
	fmt.Fprintf(&b, "echo; echo '%s%d'\n", mark, len(d.blocks))
	return b.String()
}

// run runs every block in a directory of its own and compares what is printed.
func (d document) run(t *testing.T, binary string) error {
	address, err := unusedAddress()
	if err != nil {
		return err
	}
	script := strings.ReplaceAll(d.script(), documentedAt, address)
	home := t.TempDir()
	env := []string{
		"PATH=" + filepath.Dir(binary) + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + home, "TZ=UTC", "LANG=C.UTF-8",
		"GIT_CONFIG_NOSYSTEM=1", "SIGNALBOX_LISTEN=" + address, "SIGNALBOX_SERVER=http://" + address,
	}
	if strings.Contains(script, "DATABASE_URL") {
		env = append(env, "DATABASE_URL="+storetest.PostgresURL(t))
	}
	output, failed := bash(t.Context(), home, script, env)
	parts := strings.Split(strings.ReplaceAll(output, address, documentedAt), "\n"+mark)
	if failed != nil {
		last := min(max(len(parts)-2, 0), max(len(d.blocks)-1, 0))
		return fmt.Errorf("%s: %w\n%s", d.blocks[last].place, failed, parts[len(parts)-1])
	}
	var wrong []error
	for i, b := range d.blocks {
		if missing := unprinted(b.prints, parts[i+1]); missing != "" {
			wrong = append(wrong, fmt.Errorf("%s: this line is not printed, or not there: %s\n%s", b.place, missing, parts[i+1]))
		}
	}
	return errors.Join(wrong...)
}

// unprinted is the first of the wanted lines that does not stand in the output
// below the one before it; empty where all do.
func unprinted(wanted []string, output string) string {
	rest := strings.Split(output, "\n")
	for _, want := range wanted {
		pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(strings.TrimRight(want, " ")), "…", ".*") + `\s*$`)
		at := slices.IndexFunc(rest, pattern.MatchString)
		if at < 0 {
			return cmp.Or(want, "(an empty line)")
		}
		rest = rest[at+1:]
	}
	return ""
}

// bash runs a script and ends whatever it has left running. Its output goes to
// a file, for a server in the background would hold a pipe open.
func bash(ctx context.Context, dir, script string, env []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, runsWithin)
	defer cancel()
	out, err := os.CreateTemp("", "signalbox-document-")
	if err != nil {
		return "", err
	}
	defer func() { _ = errors.Join(out.Close(), os.Remove(out.Name())) }()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err = cmd.Run()
	if cmd.Process != nil {
		stopGroup(cmd.Process.Pid)
	}
	text, unread := os.ReadFile(out.Name())
	return string(text), errors.Join(err, unread)
}

// stopGroup asks every process of a group to end, and then makes it end. It
// does not wait for one that nobody has collected after that.
func stopGroup(group int) {
	deadline := time.Now().Add(stopWithin)
	for syscall.Kill(-group, syscall.SIGTERM) == nil {
		if time.Now().After(deadline) {
			_ = syscall.Kill(-group, syscall.SIGKILL)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func unusedAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// TestDocumentRunner holds that a document that does not hold is found out.
func TestDocumentRunner(t *testing.T) {
	sh := func(code string) string { return "```sh\n" + code + "\n```\n" }
	text := func(lines string) string { return "\n```text\n" + lines + "\n```\n" }
	for name, c := range map[string]struct{ document, wrong string }{
		"one shell for all blocks":    {sh("a=1") + sh("echo a is $a") + text("a is 1"), ""},
		"what is printed, in part":    {sh("printf 'one\\ntwo 22\\nthree\\n'") + text("one\n…\ntwo …"), ""},
		"an expected code":            {"<!-- exit 3 -->\n" + sh("echo so; sh -c 'exit 3'") + text("so"), ""},
		"a block goes on after it":    {"<!-- exit 3 -->\n" + sh("sh -c 'exit 3'") + sh("echo on") + text("on"), ""},
		"left running":                {sh("sleep 600 &"), ""},
		"text of its own":             {"```text\nnot run\n```\n" + sh("true"), ""},
		"a block fails":               {sh("true") + "\n" + sh("false"), "d.md:5: exit status 1"},
		"in the middle of a block":    {sh("false\ntrue"), "exit status 1"},
		"in a pipe":                   {sh("false | cat"), "exit status 1"},
		"a name that is not set":      {sh("echo $nothing"), "exit status 1"},
		"another code":                {"<!-- exit 3 -->\n" + sh("sh -c 'exit 5'"), "exit code 5, want 3"},
		"no failure where one is due": {"<!-- exit 3 -->\n" + sh("true"), "exit code 0, want 3"},
		"a failure before the last":   {"<!-- exit 3 -->\n" + sh("false\nsh -c 'exit 3'"), "2 commands failed, want 1"},
		"a line that is not printed":  {sh("echo one") + text("two"), "not printed, or not there: two"},
		"lines in another order":      {sh("echo one; echo two") + text("two\none"), "not there: one"},
		"part of a line":              {sh("echo one two") + text("one"), "not there: one"},
		"printed by another block":    {sh("echo one") + sh("echo two") + text("one"), "not there: one"},
		"a fence that nobody runs":    {"```bash\ntrue\n```\n", "is not run"},
		"a fence without an end":      {"```sh\ntrue\n", "does not end"},
		"a code of nothing":           {"<!-- exit 3 -->\n\n" + sh("true"), "stands above no block"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := parse("d.md", c.document)
			if err == nil {
				err = d.run(t, "/bin/signalbox")
			}
			switch {
			case c.wrong == "" && err != nil:
				t.Error(err)
			case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
				t.Errorf("the error is %v, want one that says %q", err, c.wrong)
			}
		})
	}
	for text, want := range map[string]bool{"<!-- build hsm -->\n": true, "<!-- build other -->\n": false, "": false} {
		if d, err := parse("d.md", text+sh("true")); err != nil || d.hsm != want {
			t.Errorf("%q is run with PKCS#11: %t, %v", text, d.hsm, err)
		}
	}
	d, err := parse("d.md", sh("make test\ntrue")+sh("go run ./cmd/signalbox demo"))
	if err != nil || d.left != 2 || len(d.blocks) != 1 || d.blocks[0].code != "true" {
		t.Errorf("left out %d lines, kept %v: %v", d.left, d.blocks, err)
	}
}
