package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"signalbox.dev/signalbox/internal/fault"
)

func says(text string, err error) func(io.Writer) error {
	return func(w io.Writer) error {
		_, wrong := io.WriteString(w, text)
		return errors.Join(wrong, err)
	}
}

func TestFileIsReplacedWhole(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "permit.json"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(file, []byte("earlier"), 0o644), os.Symlink(file, link)); err != nil {
		t.Fatal(err)
	}
	left := func(want string) {
		t.Helper()
		got, err := os.ReadFile(file)
		entries, wrong := os.ReadDir(dir)
		if err != nil || wrong != nil || string(got) != want || len(entries) != 2 {
			t.Errorf("%q is left of it, among %v: %v %v", got, entries, err, wrong)
		}
	}
	full := errors.New("no room")
	if err := replace(file, says("ha", full)); !errors.Is(err, full) {
		t.Errorf("written by half: %v", err)
	}
	left("earlier")
	for _, path := range []string{file, link} {
		if err := replace(path, says("through "+path, nil)); err != nil {
			t.Fatal(err)
		}
		left("through " + path)
	}
	if info, err := os.Lstat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("others may read it: %v %v", info.Mode(), err)
	}
	var wrong *fault.Error
	for _, path := range []string{dir, filepath.Join(dir, "none", "permit.json")} {
		if err := replace(path, says("", nil)); !errors.As(err, &wrong) || wrong.Code != "file.unwritable" || wrong.Why == "" {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A pipe stays one.
func TestPipeIsWrittenTo(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		b, _ := os.ReadFile(pipe)
		read <- string(b)
	}()
	if err := replace(pipe, says("a permit", nil)); err != nil {
		t.Error(err)
	}
	if got := <-read; got != "a permit" {
		t.Errorf("it says %q", got)
	}
	if info, err := os.Lstat(pipe); err != nil || info.Mode().Type() != os.ModeNamedPipe {
		t.Errorf("the pipe is gone: %v %v", info, err)
	}
}
