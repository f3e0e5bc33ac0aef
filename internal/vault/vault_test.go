package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// rig is one implementation with a way to spoil what it keeps.
type rig struct {
	vault Vault
	rot   func(t *testing.T, digest string)
}

func each(t *testing.T, limit int64, test func(t *testing.T, r rig)) {
	t.Run("dir", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "vault")
		d, err := OpenDir(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		d.limit = limit
		test(t, rig{d, func(t *testing.T, digest string) {
			_, name := location(digest[len(prefix):])
			if err := os.WriteFile(filepath.Join(path, name), []byte("rotten"), 0o600); err != nil {
				t.Fatal(err)
			}
		}})
	})
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		db := open()
		v := NewTable(db)
		v.limit = limit
		test(t, rig{v, func(t *testing.T, digest string) {
			err := db.InTx(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec(t.Context(), `UPDATE blobs SET body = $1 WHERE digest = $2`, []byte("rotten"), digest)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}})
	})
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return prefix + hex.EncodeToString(s[:])
}

func read(t *testing.T, v Vault, digest string) ([]byte, error) {
	t.Helper()
	r, err := v.Open(t.Context(), digest)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func put(t *testing.T, v Vault, b []byte) string {
	t.Helper()
	digest, size, err := v.Put(t.Context(), bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if digest != sum(b) || size != int64(len(b)) {
		t.Fatalf("put gave %s and %d, want %s and %d", digest, size, sum(b), len(b))
	}
	return digest
}

func has(t *testing.T, v Vault, digest string) bool {
	t.Helper()
	found, err := v.Has(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestKeeps(t *testing.T) {
	each(t, MaxSize, func(t *testing.T, r rig) {
		for _, b := range [][]byte{nil, []byte("a"), []byte("line\n\x00\xff"), bytes.Repeat([]byte("signal"), 1<<18)} {
			if has(t, r.vault, sum(b)) {
				t.Errorf("has %d bytes before they were put", len(b))
			}
			digest := put(t, r.vault, b)
			put(t, r.vault, b)
			if !has(t, r.vault, digest) {
				t.Errorf("has not %d bytes that were put", len(b))
			}
			got, err := read(t, r.vault, digest)
			if err != nil || !bytes.Equal(got, b) {
				t.Errorf("%d bytes came back as %d: %v", len(b), len(got), err)
			}
		}
	})
}

func TestFindsRot(t *testing.T) {
	each(t, MaxSize, func(t *testing.T, r rig) {
		good, bad := []byte("stays"), []byte("rots")
		kept, digest := put(t, r.vault, good), put(t, r.vault, bad)
		r.rot(t, digest)
		_, err := read(t, r.vault, digest)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Unverified || !bytes.Contains([]byte(f.What), []byte(digest)) {
			t.Errorf("rotten bytes were read with the error %v", err)
		}
		if got, err := read(t, r.vault, kept); err != nil || !bytes.Equal(got, good) {
			t.Errorf("the bytes beside came back as %q: %v", got, err)
		}
		put(t, r.vault, bad)
		if got, err := read(t, r.vault, digest); err != nil || !bytes.Equal(got, bad) {
			t.Errorf("put again, the bytes came back as %q: %v", got, err)
		}
	})
}

func TestRefuses(t *testing.T) {
	each(t, 8, func(t *testing.T, r rig) {
		put(t, r.vault, []byte("12345678"))
		if _, _, err := r.vault.Put(t.Context(), bytes.NewReader([]byte("123456789"))); fault.KindOf(err) != fault.TooLarge {
			t.Errorf("nine bytes of eight: %v", err)
		}
		if has(t, r.vault, sum([]byte("123456789"))) {
			t.Error("what was too large is kept")
		}
		if _, err := read(t, r.vault, sum([]byte("absent"))); fault.KindOf(err) != fault.NotFound {
			t.Errorf("absent bytes: %v", err)
		}
		for _, digest := range []string{"", "sha256:", sum(nil)[len(prefix):], "sha256:../../../../etc/passwd", sum(nil)[:70] + "A", sum(nil) + "0"} {
			if _, err := r.vault.Open(t.Context(), digest); fault.KindOf(err) != fault.Invalid {
				t.Errorf("open %q: %v", digest, err)
			}
			if _, err := r.vault.Has(t.Context(), digest); fault.KindOf(err) != fault.Invalid {
				t.Errorf("has %q: %v", digest, err)
			}
		}
	})
}

func TestPutEndsWithItsContext(t *testing.T) {
	each(t, MaxSize, func(t *testing.T, r rig) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := r.vault.Put(ctx, bytes.NewReader([]byte("late"))); !errors.Is(err, context.Canceled) {
			t.Errorf("put after the end gave %v", err)
		}
		if has(t, r.vault, sum([]byte("late"))) {
			t.Error("what was put after the end is kept")
		}
	})
}

func TestPutOfOneByMany(t *testing.T) {
	each(t, MaxSize, func(t *testing.T, r rig) {
		b := bytes.Repeat([]byte("x"), 1<<16)
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				if _, _, err := r.vault.Put(t.Context(), bytes.NewReader(b)); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if got, err := read(t, r.vault, sum(b)); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d bytes came back: %v", len(got), err)
		}
	})
}

// What fails leaves nothing aside, and what is kept is its owner's alone.
func TestDirIsTidy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault")
	d, err := OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.limit = 4
	digest := put(t, d, []byte("kept"))
	if _, _, err := d.Put(t.Context(), bytes.NewReader([]byte("too long"))); err == nil {
		t.Error("too long, and accepted")
	}
	left, err := os.ReadDir(filepath.Join(path, aside))
	if err != nil || len(left) != 0 {
		t.Errorf("aside stand %v: %v", left, err)
	}
	_, name := location(digest[len(prefix):])
	info, err := os.Stat(filepath.Join(path, name))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the entry's mode is %v: %v", info.Mode(), err)
	}
	again, err := OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got, err := read(t, again, digest); err != nil || string(got) != "kept" {
		t.Errorf("opened again, it holds %q: %v", got, err)
	}
}
