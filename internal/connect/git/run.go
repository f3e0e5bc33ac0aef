package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/fault"
)

// settings outrank the configuration of the repository that was asked for,
// which is foreign: no program that it names is run and nothing is fetched.
var settings = []string{
	"core.fsmonitor=false",
	"core.hooksPath=/dev/null",
	"core.attributesFile=/dev/null",
	"core.commitGraph=false",
	"core.warnAmbiguousRefs=true",
	"protocol.allow=never",
	"log.showSignature=false",
}

// environment is all that git sees of ours.
func environment() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"LC_ALL=C",
		"HOME=/nonexistent",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_ATTR_NOSYSTEM=1",
		"GIT_NO_REPLACE_OBJECTS=1",
		"GIT_GRAFT_FILE=/dev/null",
		"GIT_OPTIONAL_LOCKS=0",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_NO_LAZY_FETCH=1",
		"GIT_ALLOW_PROTOCOL=none",
	}
}

// repository runs git in one directory.
type repository struct {
	dir      string
	env      []string
	settings []string // nil are those for a repository that is foreign
	group    bool     // git starts programs that must end with it
}

func (r repository) command(ctx context.Context, args ...string) *exec.Cmd {
	full := []string{"--no-pager", "-C", r.dir}
	if r.settings == nil {
		r.settings = settings
	}
	for _, s := range r.settings {
		full = append(full, "-c", s)
	}
	cmd := exec.CommandContext(ctx, "git", append(full, args...)...)
	cmd.Env = r.env
	cmd.WaitDelay = 2 * time.Second
	if r.group {
		together(cmd)
	}
	return cmd
}

// failure is git's exit code, and at most 4 KiB of what it said.
type failure struct {
	args string
	code int
	text string
}

func (f *failure) Error() string {
	return fmt.Sprintf("git %s: exit code %d: %s", f.args, f.code, f.text)
}

// output is the standard output of git, at most limit bytes.
func (r repository) output(ctx context.Context, limit int64, args ...string) ([]byte, error) {
	var out []byte
	err := r.stream(ctx, nil, whole(&out, limit, args[0]), args...)
	return out, err
}

// answer is what git writes, at most maxFiles bytes, when it has read a question.
func (r repository) answer(ctx context.Context, question []byte, args ...string) ([]byte, error) {
	var out []byte
	err := r.stream(ctx, bytes.NewReader(question), whole(&out, maxFiles, args[0]), args...)
	return out, err
}

// whole reads all of git's output into out.
func whole(out *[]byte, limit int64, verb string) func(io.Reader) error {
	return func(stdout io.Reader) (err error) {
		if *out, err = io.ReadAll(io.LimitReader(stdout, limit+1)); err == nil && int64(len(*out)) > limit {
			err = fault.New(fault.TooLarge, "git.too-large", fmt.Sprintf("git %s says more than %d bytes", verb, limit))
		}
		return err
	}
}

// line is one short answer of git without the line's end.
func (r repository) line(ctx context.Context, args ...string) (string, error) {
	out, err := r.output(ctx, 64<<10, args...)
	return strings.TrimRight(string(out), "\r\n"), err
}

// stream hands the standard output of git to read, and kills git when read fails.
func (r repository) stream(ctx context.Context, stdin io.Reader, read func(io.Reader) error, args ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := r.command(ctx, args...)
	cmd.Stdin = stdin
	said := &head{limit: 4 << 10}
	cmd.Stderr = said
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("git %s: %w", args[0], err)
	}
	if err := cmd.Start(); err != nil {
		return unavailable(ctx, args[0], err)
	}
	readErr := read(stdout)
	if readErr != nil {
		cancel()
	}
	return outcome(ctx, args[0], readErr, cmd.Wait(), said)
}

func outcome(ctx context.Context, verb string, readErr, waitErr error, said *head) error {
	exit, exited := errors.AsType[*exec.ExitError](waitErr)
	switch {
	case readErr != nil && fault.KindOf(readErr) != fault.Internal:
		return readErr
	case waitErr == nil && readErr == nil:
		return nil
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return fault.New(fault.TooLarge, "git.too-slow", "git "+verb+" took too long and was stopped").Cause(waitErr)
	case exited && exit.ExitCode() >= 0:
		return &failure{args: verb, code: exit.ExitCode(), text: said.String()}
	case readErr != nil:
		return fmt.Errorf("git %s: %w", verb, readErr)
	}
	return fmt.Errorf("git %s: %w", verb, waitErr)
}

func unavailable(ctx context.Context, verb string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("git %s: %w", verb, ctx.Err())
	}
	if errors.Is(err, exec.ErrNotFound) {
		return fault.New(fault.Unavailable, "git.missing", "git is not installed where Signalbox runs").
			Remedy("install git 2.36 or later, and have it on the PATH").Cause(err)
	}
	return fmt.Errorf("start git %s: %w", verb, err)
}

// head keeps the first bytes that are written to it and drops the rest.
type head struct {
	bytes.Buffer
	limit int
}

func (h *head) Write(p []byte) (int, error) {
	if room := h.limit - h.Len(); room > 0 {
		h.Buffer.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}
