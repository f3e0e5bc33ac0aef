package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/fault"
)

// Dir is a shelf in a directory: ab/cdef… by the digits of the digest.
type Dir struct{ root *os.Root }

// aside is where an entry stands while it is written; a crash leaves it there,
// nothing reads it, and a sweep removes it.
const aside = "incoming"

// asideTime is how old a file aside must be for a sweep to remove it.
const asideTime = 24 * time.Hour

// OpenDir opens the shelf in the directory path and makes it if need be.
func OpenDir(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("create vault: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	if err := root.MkdirAll(aside, 0o700); err != nil {
		return nil, errors.Join(fmt.Errorf("create vault: %w", err), root.Close())
	}
	return &Dir{root: root}, nil
}

// Close gives the directory free; open readers go on.
func (d *Dir) Close() error { return d.root.Close() }

// place is Shelf.place.
func (d *Dir) place(ctx context.Context, e Entry, r io.ReadSeeker) (Lock, error) {
	folder, name := location(e.Digest[len(prefix):])
	if err := d.root.MkdirAll(folder, 0o700); err != nil {
		return Lock{}, written(err)
	}
	if err := d.sync("."); err != nil {
		return Lock{}, err
	}
	return Lock{}, d.write(ctx, name, r)
}

// write writes a file aside and moves it whole to its name, over what may stand
// there: the same bytes, or what has become of them. The directory is synced
// after it, so that a crash leaves either no file or a whole one.
func (d *Dir) write(ctx context.Context, name string, r io.Reader) error {
	temporary := aside + "/" + rand.Text()
	err := d.copy(ctx, temporary, r)
	failpoint.Hit(failpoint.VaultCopied)
	if err == nil {
		err = d.root.Rename(temporary, name)
	}
	if err != nil {
		return errors.Join(written(err), unlessAbsent(d.root.Remove(temporary)))
	}
	failpoint.Hit(failpoint.VaultRenamed)
	folder, _, below := strings.Cut(name, "/")
	if !below {
		folder = "."
	}
	return d.sync(folder)
}

func (d *Dir) copy(ctx context.Context, name string, r io.Reader) error {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, ending{ctx, r})
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// written says what to do about a disk that is full.
func written(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fault.New(fault.Unavailable, "vault.full", "the disk of the vault is full").Remedy("make room; no restart is needed").Cause(err)
	}
	return fmt.Errorf("write to the vault: %w", err)
}

func unlessAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (d *Dir) sync(folder string) error {
	f, err := d.root.Open(folder)
	if err != nil {
		return fmt.Errorf("sync the vault: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}

// open is Shelf.open.
func (d *Dir) open(_ context.Context, digest string) (io.ReadCloser, error) {
	_, name := location(digest[len(prefix):])
	f, err := d.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, absent(digest)
	}
	return f, err
}

// list is Shelf.list.
func (d *Dir) list(ctx context.Context, after string, n int) ([]Entry, error) {
	folders, err := d.names(".", 2)
	if err != nil {
		return nil, err
	}
	last := strings.TrimPrefix(after, prefix)
	var all []Entry
	for _, folder := range folders {
		if folder < last[:min(2, len(last))] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		names, err := d.names(folder, 62)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if len(all) == n {
				return all, nil
			}
			if folder+name <= last {
				continue
			}
			info, err := d.root.Stat(folder + "/" + name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("list the vault: %w", err)
			}
			all = append(all, Entry{Digest: prefix + folder + name, Size: info.Size()})
		}
	}
	return all, nil
}

// names is what is in a folder and named by so many hexadecimal digits, in order.
func (d *Dir) names(folder string, digits int) ([]string, error) {
	f, err := d.root.Open(folder)
	if err != nil {
		return nil, fmt.Errorf("list the vault: %w", err)
	}
	names, err := f.Readdirnames(-1)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("list the vault: %w", err)
	}
	names = slices.DeleteFunc(names, func(s string) bool { return len(s) != digits || strings.Trim(s, "0123456789abcdef") != "" })
	slices.Sort(names)
	return names, nil
}

// remove is Shelf.remove.
func (d *Dir) remove(_ context.Context, digest string) error {
	folder, name := location(digest[len(prefix):])
	err := d.root.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove from the vault: %w", err)
	}
	return d.sync(folder)
}

// mark is Shelf.mark.
func (d *Dir) mark(ctx context.Context, line string) (string, error) {
	if line != "" {
		if err := d.write(ctx, markName, strings.NewReader(line+"\n")); err != nil {
			return "", err
		}
	}
	f, err := d.root.Open(markName)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the mark of the vault: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxMark))
	return strings.TrimSuffix(string(b), "\n"), errors.Join(err, f.Close())
}

// tidy removes what puts that were cut off have left aside for a day.
func (d *Dir) tidy() error {
	f, err := d.root.Open(aside)
	if err != nil {
		return fmt.Errorf("tidy the vault: %w", err)
	}
	all, err := f.ReadDir(-1)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("tidy the vault: %w", err)
	}
	for _, one := range all {
		info, err := one.Info()
		if err != nil || time.Since(info.ModTime()) < asideTime {
			continue
		}
		if err := unlessAbsent(d.root.Remove(aside + "/" + one.Name())); err != nil {
			return fmt.Errorf("tidy the vault: %w", err)
		}
	}
	return nil
}
