package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

const testOrigin = "signalbox.local/0199aaaa-0000-7000-8000-000000000000"

// rig is a vault on one kind of shelf, with ways to spoil what it keeps.
type rig struct {
	*Vault
	db    *store.DB
	rot   func(t *testing.T, digest string) // other bytes stand there
	lose  func(t *testing.T, digest string) // nothing stands there
	plant func(t *testing.T, b []byte)      // bytes stand there, and the books do not know
	shelf func(t *testing.T) Shelf          // a second shelf on the same bytes
}

// each runs a test on every shelf there is, with its books on both engines; on
// the S3 service without versions on PostgreSQL, on the one with them on SQLite.
func each(t *testing.T, test func(t *testing.T, r rig)) {
	for name, make := range map[string]func(*testing.T, *store.DB) rig{"dir": dirRig, "table": tableRig, "s3": s3Rig} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, open func() *store.DB) {
				db := open()
				r := make(t, db)
				r.db = db
				r.Vault = opened(t, db, r.shelf(t), 0)
				test(t, r)
			})
		})
	}
}

func opened(t *testing.T, db *store.DB, s Shelf, quota int64) *Vault {
	t.Helper()
	v, err := Open(t.Context(), Options{DB: db, Origin: testOrigin, Shelf: s, Quota: quota, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func dirRig(t *testing.T, _ *store.DB) rig {
	path := filepath.Join(t.TempDir(), "vault")
	at := func(digest string) string {
		_, name := location(digest[len(prefix):])
		return filepath.Join(path, name)
	}
	return rig{
		shelf: func(t *testing.T) Shelf { return dirAt(t, path) },
		rot: func(t *testing.T, digest string) {
			must(t, os.WriteFile(at(digest), []byte("rotten"), 0o600))
		},
		lose: func(t *testing.T, digest string) { must(t, os.Remove(at(digest))) },
		plant: func(t *testing.T, b []byte) {
			must(t, os.MkdirAll(filepath.Dir(at(sum(b))), 0o700))
			must(t, os.WriteFile(at(sum(b)), b, 0o600))
		},
	}
}

func dirAt(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := OpenDir(path)
	must(t, err)
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func tableRig(_ *testing.T, db *store.DB) rig {
	return rig{
		shelf: func(*testing.T) Shelf { return NewTable(db, testOrigin) },
		rot: func(t *testing.T, digest string) {
			exec(t, db, `UPDATE blobs SET body = $1 WHERE digest = $2`, []byte("rotten"), digest)
		},
		lose: func(t *testing.T, digest string) { exec(t, db, `DELETE FROM blobs WHERE digest = $1`, digest) },
		plant: func(t *testing.T, b []byte) {
			exec(t, db, `INSERT INTO blobs (digest, size, body, created) VALUES ($1, $2, $3, 1)`, sum(b), len(b), b)
		},
	}
}

func s3Rig(t *testing.T, db *store.DB) rig {
	f := newFakeS3(t, db.Dialect == store.SQLite)
	return rig{
		shelf: func(t *testing.T) Shelf { return f.shelf(t, LockRule{}) },
		rot:   func(t *testing.T, digest string) { f.amend(t, digest, []byte("rotten")) },
		lose:  func(t *testing.T, digest string) { f.amend(t, digest, nil) },
		plant: func(t *testing.T, b []byte) { f.amend(t, sum(b), b) },
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func exec(t *testing.T, db *store.DB, query string, args ...any) {
	t.Helper()
	must(t, db.InTx(context.WithoutCancel(t.Context()), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), query, args...)
		return err
	}))
}

// age makes entries look as if put so long ago.
func age(t *testing.T, db *store.DB, by time.Duration, digests ...string) {
	t.Helper()
	for _, d := range digests {
		exec(t, db, `UPDATE vault_entries SET put = put - $1, created = created - $2 WHERE digest = $3`, by.Microseconds(), by.Microseconds(), d)
	}
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return prefix + hex.EncodeToString(s[:])
}

func read(t *testing.T, v *Vault, digest string) ([]byte, error) {
	t.Helper()
	r, err := v.Open(t.Context(), digest)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return io.ReadAll(r)
}

func put(t *testing.T, v *Vault, b []byte) string {
	t.Helper()
	digest, size, err := v.Put(t.Context(), bytes.NewReader(b))
	must(t, err)
	if digest != sum(b) || size != int64(len(b)) {
		t.Fatalf("put gave %s and %d, want %s and %d", digest, size, sum(b), len(b))
	}
	return digest
}

// has is whether a vault has an entry, by its bytes.
func has(t *testing.T, v *Vault, digest string) bool {
	t.Helper()
	r, err := v.Open(t.Context(), digest)
	if fault.KindOf(err) == fault.NotFound {
		return false
	}
	must(t, err)
	must(t, r.Close())
	return true
}

func status(t *testing.T, v *Vault) Status {
	t.Helper()
	s, err := v.Status(t.Context())
	must(t, err)
	return s
}

// sweep sweeps a vault of which some entries are named.
func sweep(t *testing.T, v *Vault, dry bool, named ...string) Swept {
	t.Helper()
	r, err := v.Sweep(t.Context(), Sweeping{Dry: dry, Named: func(_ context.Context, name func(string)) error {
		for _, d := range named {
			name(d)
		}
		return nil
	}})
	must(t, err)
	return r
}

func code(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}
