package upkeep

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/seal"
)

// Keep writes what take gives into a file of that name, which must not exist
// yet, and says what is in it. It is read back whole before it gets its name, so
// that a file of that name is never half a backup, also after a crash.
func Keep(ctx context.Context, to string, take func(context.Context, io.Writer) error, c Checking) (Report, error) {
	if to == "-" {
		return Report{}, fault.Invalidf("backup.stdout", "a backup cannot go to standard output").
			Because("it gets its name only once it was read back whole").Remedy("name a file")
	}
	if _, err := os.Lstat(to); err == nil {
		return Report{}, exists(to)
	}
	f, err := os.CreateTemp(filepath.Dir(to), ".signalbox-backup-*")
	if err != nil {
		return Report{}, unwritable(to, err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	report, err := keep(ctx, f, take, c)
	if err = errors.Join(err, f.Close()); err != nil {
		return report, err
	}
	// A link, unlike a rename, never takes the place of a file that is there.
	if err := os.Link(f.Name(), to); errors.Is(err, fs.ErrExist) {
		return report, exists(to)
	} else if err != nil {
		return report, unwritable(to, err)
	}
	return report, syncDir(filepath.Dir(to))
}

func keep(ctx context.Context, f *os.File, take func(context.Context, io.Writer) error, c Checking) (Report, error) {
	if err := take(ctx, f); err != nil {
		return Report{}, err
	}
	if err := f.Sync(); err != nil {
		return Report{}, unwritable(f.Name(), err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return Report{}, err
	}
	return Check(ctx, f, c)
}

func exists(path string) error {
	return fault.New(fault.Conflict, "backup.exists", path+" exists already").Because("a backup is never written over another file").
		Remedy("name a file that does not exist yet")
}

func unwritable(path string, err error) error {
	return fault.Invalidf("file.unwritable", "%s cannot be written", path).Because(err.Error()).Cause(err)
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// CopyKeys copies the private keys in the directory from into a new directory,
// for its owner alone, which is there whole or not at all.
func CopyKeys(from, to string) error {
	files, err := keyFiles(from)
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o700); errors.Is(err, fs.ErrExist) {
		return fault.New(fault.Conflict, "backup.exists", to+" exists already").Because("keys are never written over others").
			Remedy("name a directory that does not exist yet").On("--keys")
	} else if err != nil {
		return unwritable(to, err)
	}
	for _, file := range files {
		if err := copyKey(file, filepath.Join(to, filepath.Base(file))); err != nil {
			return errors.Join(err, os.RemoveAll(to))
		}
	}
	return errors.Join(syncDir(to), syncDir(filepath.Dir(to)))
}

// keyFiles are the files of an installation's keys, ended ones included.
func keyFiles(dir string) ([]string, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "backup.no-keys", "there is no directory of keys "+dir).Remedy("name the installation's with --data or --keys-dir").Cause(err)
	}
	if _, err := seal.Open(dir, "", false); err != nil {
		return nil, err
	}
	return filepath.Glob(filepath.Join(dir, "*.key"))
}

func copyKey(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return unreadable(from, err)
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return unwritable(to, err)
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}
