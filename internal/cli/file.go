package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"signalbox.dev/signalbox/internal/fault"
)

// replace gives a file what write writes: whole, or it stays as it was. It is then
// its owner's alone. What is no file, such as a pipe, is written to. Errors: those of
// write, and fault Invalid.
func replace(path string, write func(io.Writer) error) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return through(path, write)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".signalbox-*") // of mode 0600
	if err != nil {
		return unwritable(path, err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	wrong := write(f)
	if err := f.Close(); wrong == nil && err != nil {
		wrong = unwritable(path, err)
	}
	if wrong != nil {
		return wrong
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return unwritable(path, err)
	}
	return nil
}

func through(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return unwritable(path, err)
	}
	return errors.Join(write(f), f.Close())
}

func unwritable(path string, err error) *fault.Error {
	return fault.Invalidf("file.unwritable", "%s cannot be written", path).Because(plainReason(err)).Cause(err)
}
