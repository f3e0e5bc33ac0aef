// Package vault keeps bytes by their SHA-256, on disk, in the database or in an
// S3 service: the original files that evidence and decisions name.
//
// It knows which entries there are, how large they are and when each was put
// last, in tables of its own that no decision rests on. It knows nothing of
// what the bytes mean, who may read them, or which facts name them. Its
// invariants: bytes once put never change, and no reader comes to the end of
// bytes that are not those it asked for. Putting the same bytes again is
// harmless and mends what has rotted. Bytes are put before the fact that names
// them, and a fact names them by the digest as Put returns it, written out;
// what no fact names is an orphan, and Sweep removes it a week after its last put.
package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

// MaxSize is the most bytes that one entry may have: 200 MiB.
const MaxSize = 200 << 20

// prefix stands before the hexadecimal digits of every digest.
const prefix = "sha256:"

// Options say what a vault stands on. DB, Origin and Shelf are needed.
type Options struct {
	DB     *store.DB // of the books
	Origin string    // the installation: the origin of its journal
	Shelf  Shelf     // where the bytes are
	Quota  int64     // most bytes of all entries together; 0 is no bound
	Log    *slog.Logger
}

// Shelf is where bytes are: a Dir, a Table or an S3.
type Shelf interface {
	// place makes the bytes of an entry durable, whole or not at all, over what
	// may stand there under its digest. It returns the lock as read back.
	place(ctx context.Context, e Entry, r io.ReadSeeker) (Lock, error)
	// open reads what stands under a digest, unchecked; nothing is NotFound.
	open(ctx context.Context, digest string) (io.ReadCloser, error)
	// list is the first n entries after a digest, in the order of digests.
	list(ctx context.Context, after string, n int) ([]Entry, error)
	// remove removes an entry, if it is there; one under a lock is a *Locked.
	remove(ctx context.Context, digest string) error
	// mark reads the one line that names this vault, "" where there is none;
	// unless line is empty it is written first.
	mark(ctx context.Context, line string) (string, error)
}

// Entry is what is kept under a digest.
type Entry struct {
	Digest string // "sha256:" and 64 lower-case hexadecimal digits
	Size   int64
	Put    time.Time // the newest put; zero where only the shelf knows the entry
}

// Vault keeps bytes. It is safe for concurrent use, also by several processes
// on one shelf.
type Vault struct {
	Options
	id    string        // of the mark
	limit int64         // MaxSize, but in tests
	page  int           // page, but in tests
	wait  time.Duration // claimWait, but in tests
}

// Open opens a vault. The first time, it marks the shelf as this
// installation's and enters what is there already; afterwards a shelf without
// that mark is a Conflict: another directory or bucket, one that is not
// mounted, or another installation's.
func Open(ctx context.Context, o Options) (*Vault, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	v := &Vault{Options: o, limit: MaxSize, page: page, wait: claimWait}
	first, err := v.recognise(ctx)
	if err != nil {
		return nil, err
	}
	if first {
		if _, err := v.stock(ctx, &Swept{}); err != nil {
			return nil, fmt.Errorf("enter what is in the vault: %w", err)
		}
	}
	return v, nil
}

// Put keeps all that r gives, read twice from its start, at most MaxSize bytes
// (more is TooLarge, as is what the quota has no room for), and returns only
// once it is durable and, where the shelf locks, the lock has been read back.
// A Put that fails leaves nothing that counts.
func (v *Vault) Put(ctx context.Context, r io.ReadSeeker) (digest string, size int64, err error) {
	if digest, size, err = measure(ctx, r, v.limit); err != nil {
		return "", 0, err
	}
	e := Entry{Digest: digest, Size: size}
	stamp, err := v.reserve(ctx, e)
	if err != nil {
		return "", 0, fmt.Errorf("put %s: %w", digest, err)
	}
	failpoint.Hit(failpoint.VaultReserved)
	lock, err := v.Shelf.place(ctx, e, &proven{ctx: ctx, from: r, entry: e, hash: sha256.New()})
	if err != nil {
		return "", 0, errors.Join(fmt.Errorf("put %s: %w", digest, err), v.forsake(ctx, e, stamp))
	}
	failpoint.Hit(failpoint.VaultPlaced)
	if err := v.settle(ctx, digest, lock); err != nil {
		return "", 0, fmt.Errorf("put %s: %w", digest, err)
	}
	return digest, size, nil
}

// Open reads an entry; one that is not there is NotFound. Bytes that are not
// those of the digest end in an Unverified error instead of io.EOF, before the
// last of them are given out, and are remembered as rotten.
func (v *Vault) Open(ctx context.Context, digest string) (io.ReadCloser, error) {
	if _, err := hexOf(digest); err != nil {
		return nil, err
	}
	from, err := v.Shelf.open(ctx, digest)
	if fault.KindOf(err) == fault.NotFound {
		v.flawed(ctx, digest, missing)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", digest, err)
	}
	return &checked{from: from, digest: digest, hash: sha256.New(), rotten: func() { v.flawed(ctx, digest, rotten) }}, nil
}

func hexOf(digest string) (string, error) {
	digits, found := strings.CutPrefix(digest, prefix)
	if !found || len(digits) != 2*sha256.Size || strings.Trim(digits, "0123456789abcdef") != "" {
		return "", fault.Invalidf("vault.digest", "%.80q is not a digest", digest).Remedy("write sha256: and 64 lower-case hexadecimal digits")
	}
	return digits, nil
}

// location is where the bytes of a digest stand, on disk and in a bucket.
func location(digits string) (folder, name string) {
	return digits[:2], digits[:2] + "/" + digits[2:]
}

func digestOf(h hash.Hash) string { return prefix + hex.EncodeToString(h.Sum(nil)) }

func absent(digest string) error {
	return fault.New(fault.NotFound, "vault.absent", "there are no bytes with the digest "+digest)
}

// measure reads r from its start to its end, within the limit and the context.
func measure(ctx context.Context, r io.ReadSeeker, limit int64) (digest string, size int64, err error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return "", 0, fmt.Errorf("take in bytes: %w", err)
	}
	h := sha256.New()
	size, err = io.Copy(h, io.LimitReader(ending{ctx, r}, limit+1))
	if err != nil {
		return "", 0, fmt.Errorf("take in bytes: %w", err)
	}
	if size > limit {
		return "", 0, fault.New(fault.TooLarge, "vault.too-large", fmt.Sprintf("there are more than %d bytes", limit))
	}
	return digestOf(h), size, nil
}

// ending is a reader that ends with its context.
type ending struct {
	ctx context.Context
	r   io.Reader
}

// Read is io.Reader.
func (e ending) Read(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	return e.r.Read(p)
}
