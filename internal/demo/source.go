package demo

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/connect/git"
	"signalbox.dev/signalbox/internal/fault"
)

// source is the change that is released.
type source struct {
	repository string
	from, to   string // names of commits
	change     change.Change
}

// source is what the options name, else what the working directory stands in,
// else an example repository that the demo makes.
func (d *demo) source(ctx context.Context) (source, error) {
	chosen := d.Repository != "" || d.From != "" || d.To != ""
	src := source{repository: orElse(d.Repository, "."), from: d.From, to: orElse(d.To, "HEAD")}
	err := src.read(ctx)
	switch {
	case err == nil:
	case chosen:
		return src, err
	default:
		d.say("No whole Git history here (%v), so the demo makes an example repository.", plain(err))
		if src, err = d.exampleRepository(ctx); err != nil {
			return src, err
		}
	}
	d.say("The change: %s to %s of %s", short(orElse(src.from, "the beginning")), short(src.to), src.repository)
	d.say("  %d commits by %d people, %d files, %d lines added, %d deleted",
		src.change.Commits, len(src.change.Contributors()), src.change.FilesChanged, src.change.LinesAdded, src.change.LinesDeleted)
	return src, nil
}

// read reads the change; one that is not whole, or holds nothing, cannot be released.
func (s *source) read(ctx context.Context) error {
	path, err := filepath.Abs(s.repository)
	if err != nil {
		return fmt.Errorf("repository %s: %w", s.repository, err)
	}
	s.repository = path
	if s.from == "" {
		if s.from, err = git.Previous(ctx, path, s.to); err != nil {
			return err
		}
	}
	raw, err := git.Inspect(ctx, git.Options{Repository: path, From: s.from, To: s.to})
	if err != nil {
		return err
	}
	s.change = change.Describe(raw)
	switch {
	case !s.change.Complete:
		return fault.Invalidf("demo.shallow", "the clone is shallow").Because("part of the change is missing").Remedy("git fetch --unshallow")
	case s.change.Commits == 0:
		return fault.Invalidf("demo.empty", "no commit lies between the two versions").On("--from").Remedy("name an earlier version with --from")
	}
	return nil
}

// script makes the example repository: two versions of a small shop.
const script = `
git init -q -b main .
git config user.name "Eli Example"
git config user.email eli@signalbox.example
git config commit.gpgsign false
printf 'package shop\n' > shop.go && git add . && git commit -q -m "feat: open the shop"
git tag v1.0.0
printf 'package shop\n\n// Pay takes money.\nfunc Pay() {}\n' > shop.go && git add . && git commit -q -m "feat: take money"
printf 'package shop\n\nfunc testPay() {}\n' > shop_test.go && git add . && git commit -q --author "Fay Example <fay@signalbox.example>" -m "test: taking money"
git tag v1.1.0
`

func (d *demo) exampleRepository(ctx context.Context) (source, error) {
	dir := filepath.Join(d.Data, "example-repository")
	src := source{repository: dir, from: "v1.0.0", to: "v1.1.0"}
	if _, err := os.Stat(filepath.Join(dir, ".git")); err != nil {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return src, fmt.Errorf("example repository: %w", err)
		}
		cmd := exec.CommandContext(ctx, "sh", "-ec", script)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return src, fmt.Errorf("example repository: %w: %s", err, out)
		}
	}
	return src, src.read(ctx)
}

// version names the release after what it is made of; run tells the demo's runs apart.
func (s source) version(run int) string {
	name := s.to
	if !strings.HasPrefix(name, "v") {
		name = "0.0.0-" + short(s.change.To)
	}
	return fmt.Sprintf("%s+run.%d", name, run)
}

func short(ref string) string {
	if len(ref) == 40 && strings.Trim(ref, "0123456789abcdef") == "" {
		return ref[:12]
	}
	return ref
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func plain(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

// in says how long from now, to the minute.
func in(t time.Time) string { return time.Until(t).Round(time.Minute).String() }
