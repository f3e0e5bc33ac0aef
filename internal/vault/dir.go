package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Dir is a vault in a directory: ab/cdef… by the digits of the digest.
type Dir struct {
	root  *os.Root
	limit int64
}

// aside is where an entry stands while it is written; a crash leaves it there and nothing reads it.
const aside = "incoming"

// OpenDir opens the vault in the directory path and makes it if need be.
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
	return &Dir{root: root, limit: MaxSize}, nil
}

// Close gives the directory free; open readers go on.
func (d *Dir) Close() error { return d.root.Close() }

// Put is Vault.Put.
func (d *Dir) Put(ctx context.Context, r io.Reader) (digest string, size int64, err error) {
	temporary := aside + "/" + rand.Text()
	digest, size, err = d.write(ctx, temporary, r)
	if err == nil {
		err = d.place(temporary, digest)
	}
	if err != nil {
		return "", 0, errors.Join(err, gone(d.root.Remove(temporary)))
	}
	return digest, size, nil
}

func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (d *Dir) write(ctx context.Context, name string, r io.Reader) (digest string, size int64, err error) {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", 0, fmt.Errorf("write to the vault: %w", err)
	}
	digest, size, err = intake(ctx, f, r, d.limit)
	if err == nil {
		err = f.Sync()
	}
	return digest, size, errors.Join(err, f.Close())
}

// place moves a whole file to its name, over what may stand there: the same
// bytes, or what has become of them. Each directory is synced after its entry,
// so that a crash leaves either no entry or a whole one.
func (d *Dir) place(temporary, digest string) error {
	folder, name := location(digest[len(prefix):])
	if err := d.root.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("write to the vault: %w", err)
	}
	if err := d.sync("."); err != nil {
		return err
	}
	if err := d.root.Rename(temporary, name); err != nil {
		return fmt.Errorf("write to the vault: %w", err)
	}
	return d.sync(folder)
}

func (d *Dir) sync(folder string) error {
	f, err := d.root.Open(folder)
	if err != nil {
		return fmt.Errorf("sync the vault: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}

func location(digits string) (folder, name string) {
	return digits[:2], digits[:2] + "/" + digits[2:]
}

// Open is Vault.Open.
func (d *Dir) Open(_ context.Context, digest string) (io.ReadCloser, error) {
	digits, err := hexOf(digest)
	if err != nil {
		return nil, err
	}
	_, name := location(digits)
	f, err := d.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, absent(digest)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", digest, err)
	}
	return check(f, digest), nil
}

// Has is Vault.Has.
func (d *Dir) Has(_ context.Context, digest string) (bool, error) {
	digits, err := hexOf(digest)
	if err != nil {
		return false, err
	}
	_, name := location(digits)
	_, err = d.root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", digest, err)
	}
	return true, nil
}
