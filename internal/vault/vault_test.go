package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

func TestKeeps(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		total := int64(0)
		all := [][]byte{nil, []byte("a"), []byte("line\n\x00\xff"), bytes.Repeat([]byte("s"), chunk), bytes.Repeat([]byte("t"), chunk+1), bytes.Repeat([]byte("signal"), 1<<16)}
		for _, b := range all {
			if has(t, r.Vault, sum(b)) {
				t.Errorf("has %d bytes before they were put", len(b))
			}
			digest := put(t, r.Vault, b)
			put(t, r.Vault, b)
			total += int64(len(b))
			got, err := read(t, r.Vault, digest)
			if err != nil || !bytes.Equal(got, b) {
				t.Errorf("%d bytes came back as %d: %v", len(b), len(got), err)
			}
		}
		if s := status(t, r.Vault); s.Entries != len(all) || s.Bytes != total {
			t.Errorf("%d entries of %d bytes are booked, want %d of %d", s.Entries, s.Bytes, len(all), total)
		}
		again := opened(t, r.db, r.shelf(t), 0)
		for _, b := range all {
			if got, err := read(t, again, sum(b)); err != nil || !bytes.Equal(got, b) {
				t.Errorf("opened again, %d bytes came back as %d: %v", len(b), len(got), err)
			}
		}
	})
}

func TestFindsRot(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		good, bad := []byte("stays"), []byte("rots")
		kept, digest := put(t, r.Vault, good), put(t, r.Vault, bad)
		r.rot(t, digest)
		seen, err := read(t, r.Vault, digest)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Unverified || !bytes.Contains([]byte(f.What), []byte(digest)) {
			t.Errorf("rotten bytes were read with the error %v", err)
		}
		if len(seen) > 0 {
			t.Errorf("of what is rotten, %q was given out", seen)
		}
		if s := status(t, r.Vault); s.Rotten != 1 {
			t.Errorf("%d entries are remembered as rotten", s.Rotten)
		}
		if got, err := read(t, r.Vault, kept); err != nil || !bytes.Equal(got, good) {
			t.Errorf("the bytes beside came back as %q: %v", got, err)
		}
		put(t, r.Vault, bad)
		if got, err := read(t, r.Vault, digest); err != nil || !bytes.Equal(got, bad) {
			t.Errorf("put again, the bytes came back as %q: %v", got, err)
		}
		if s := status(t, r.Vault); s.Rotten != 0 {
			t.Errorf("what was mended is remembered as rotten")
		}
	})
}

// Of long rotten bytes, whatever is given out lacks its end.
func TestTheEndOfRottenBytesIsHeldBack(t *testing.T) {
	for _, n := range []int{1, chunk - 1, chunk, chunk + 1, 2 * chunk, 3*chunk + 5} {
		b := bytes.Repeat([]byte("x"), n)
		for name, from := range map[string]io.Reader{"whole": bytes.NewReader(b), "by the byte": iotest.OneByteReader(bytes.NewReader(b)), "end with data": iotest.DataErrReader(bytes.NewReader(b))} {
			told := false
			got, err := io.ReadAll(&checked{from: io.NopCloser(from), digest: sum([]byte("other")), hash: sha256.New(), rotten: func() { told = true }})
			if fault.KindOf(err) != fault.Unverified || !told || n-len(got) < 1 || n-len(got) > chunk+chunk {
				t.Errorf("%d bytes %s: %d were given out, told %v, %v", n, name, len(got), told, err)
			}
		}
		got, err := io.ReadAll(&checked{from: io.NopCloser(iotest.HalfReader(bytes.NewReader(b))), digest: sum(b), hash: sha256.New()})
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d good bytes: %d, %v", n, len(got), err)
		}
		_, err = io.ReadAll(&checked{from: io.NopCloser(iotest.TimeoutReader(bytes.NewReader(b))), digest: sum(b), hash: sha256.New()})
		if n > chunk && !errors.Is(err, iotest.ErrTimeout) {
			t.Errorf("%d bytes, cut off: %v", n, err)
		}
	}
}

func TestRefuses(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		r.limit = 8
		put(t, r.Vault, []byte("12345678"))
		if _, _, err := r.Put(t.Context(), bytes.NewReader([]byte("123456789"))); fault.KindOf(err) != fault.TooLarge {
			t.Errorf("nine bytes of eight: %v", err)
		}
		if has(t, r.Vault, sum([]byte("123456789"))) {
			t.Error("what was too large is kept")
		}
		if _, err := read(t, r.Vault, sum([]byte("absent"))); fault.KindOf(err) != fault.NotFound {
			t.Errorf("absent bytes: %v", err)
		}
		if s := status(t, r.Vault); s.Missing != 0 || s.Entries != 1 {
			t.Errorf("looking for what never was changed the books: %+v", s)
		}
		for _, digest := range []string{"", "sha256:", sum(nil)[len(prefix):], "sha256:../../../../etc/passwd", sum(nil)[:70] + "A", sum(nil) + "0"} {
			if _, err := r.Open(t.Context(), digest); fault.KindOf(err) != fault.Invalid {
				t.Errorf("open %q: %v", digest, err)
			}
		}
	})
}

// fickle gives other bytes when it is read a second time.
type fickle struct {
	*bytes.Reader
	times int
	then  []byte
	fails error
}

func (f *fickle) Seek(int64, int) (int64, error) {
	if f.times++; f.times > 1 {
		f.Reader = bytes.NewReader(f.then)
	}
	return f.Reader.Seek(0, io.SeekStart)
}

func (f *fickle) Read(p []byte) (int, error) {
	if f.times > 1 && f.fails != nil && f.Len() == 0 {
		return 0, f.fails
	}
	return f.Reader.Read(p)
}

// A source that changes or breaks between measuring and placing leaves nothing:
// neither bytes, nor an entry, nor a file aside.
func TestAPutThatFailsLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		before := []byte("as it was measured")
		broken := errors.New("the line is cut")
		for name, f := range map[string]*fickle{
			"changed":  {then: []byte("as it is written. ")},
			"shorter":  {then: []byte("short")},
			"longer":   {then: append(bytes.Clone(before), '!')},
			"empty":    {then: nil},
			"cut off":  {then: before[:5], fails: broken},
			"cut late": {then: before, fails: broken},
		} {
			f.Reader = bytes.NewReader(before)
			_, _, err := r.Put(t.Context(), f)
			if err == nil || f.fails == nil && code(err) != "vault.changed" || f.fails != nil && !errors.Is(err, broken) {
				t.Errorf("%s: %v", name, err)
			}
			for _, b := range [][]byte{before, f.then} {
				if has(t, r.Vault, sum(b)) {
					t.Errorf("%s: %q is kept", name, b)
				}
			}
			if s := status(t, r.Vault); s.Entries != 0 || s.Bytes != 0 {
				t.Errorf("%s: %d entries of %d bytes are booked", name, s.Entries, s.Bytes)
			}
		}
		left, err := r.Shelf.list(t.Context(), "", page)
		if err != nil || len(left) != 0 {
			t.Errorf("%v is left: %v", left, err)
		}
		put(t, r.Vault, before)
	})
}

func TestPutEndsWithItsContext(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := r.Put(ctx, bytes.NewReader([]byte("late"))); !errors.Is(err, context.Canceled) {
			t.Errorf("put after the end gave %v", err)
		}
		if has(t, r.Vault, sum([]byte("late"))) {
			t.Error("what was put after the end is kept")
		}
		if s := status(t, r.Vault); s.Entries != 0 {
			t.Errorf("%d entries are booked", s.Entries)
		}
	})
}

func TestPutOfOneByMany(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		b := bytes.Repeat([]byte("x"), 1<<16)
		other := opened(t, r.db, r.shelf(t), 0)
		var wait sync.WaitGroup
		for i := range 8 {
			v := []*Vault{r.Vault, other}[i%2]
			wait.Go(func() {
				if _, _, err := v.Put(t.Context(), bytes.NewReader(b)); err != nil {
					t.Error(err)
				}
				if _, _, err := v.Put(t.Context(), bytes.NewReader([]byte{byte(i)})); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if got, err := read(t, r.Vault, sum(b)); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d bytes came back: %v", len(got), err)
		}
		if s := status(t, r.Vault); s.Entries != 9 || s.Bytes != 1<<16+8 {
			t.Errorf("booked are %d entries of %d bytes", s.Entries, s.Bytes)
		}
	})
}

// What the quota has no room for is refused; what is there already is not, and
// room that is freed is used.
func TestQuota(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		r.Quota = 10
		six := put(t, r.Vault, []byte("123456"))
		put(t, r.Vault, []byte("1234"))
		if _, _, err := r.Put(t.Context(), bytes.NewReader([]byte("x"))); code(err) != "vault.quota" || fault.KindOf(err) != fault.TooLarge {
			t.Errorf("an eleventh byte: %v", err)
		}
		if has(t, r.Vault, sum([]byte("x"))) {
			t.Error("what had no room is kept")
		}
		put(t, r.Vault, []byte("1234"))
		put(t, r.Vault, nil)
		if s := status(t, r.Vault); s.Bytes != 10 || s.Entries != 3 || s.Quota != 10 {
			t.Errorf("booked are %d bytes", s.Bytes)
		}
		age(t, r.db, Grace+time.Second, six)
		sweep(t, r.Vault, false)
		put(t, r.Vault, []byte("abcdef"))
		var wait sync.WaitGroup
		for i := range 8 { // none of them has room, however they meet
			wait.Go(func() {
				if _, _, err := r.Put(t.Context(), bytes.NewReader([]byte{byte(i)})); code(err) != "vault.quota" {
					t.Errorf("a byte more: %v", err)
				}
			})
		}
		wait.Wait()
		if s := status(t, r.Vault); s.Bytes != 10 {
			t.Errorf("booked are %d bytes of 10", s.Bytes)
		}
	})
}

// A shelf is known again by its mark, and another is refused.
func TestAnotherVaultIsRefused(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		put(t, r.Vault, []byte("kept"))
		opened(t, r.db, r.shelf(t), 0)
		refused := func(name string, s Shelf, origin string) {
			t.Helper()
			_, err := Open(t.Context(), Options{DB: r.db, Origin: origin, Shelf: s})
			if code(err) != "vault.other" || fault.KindOf(err) != fault.Conflict {
				t.Errorf("%s: %v", name, err)
			}
		}
		fresh := filepath.Join(t.TempDir(), "another")
		refused("an empty directory", dirAt(t, fresh), testOrigin)
		if left, err := os.ReadDir(fresh); err != nil || len(left) != 1 { // incoming
			t.Errorf("the directory that was refused holds %v: %v", left, err)
		}
		other := store.Options{Data: t.TempDir()}
		db, err := store.Open(t.Context(), other)
		must(t, err)
		defer func() { _ = db.Close() }()
		stranger := filepath.Join(t.TempDir(), "stranger")
		_, err = Open(t.Context(), Options{DB: db, Origin: "signalbox.local/other", Shelf: dirAt(t, stranger)})
		must(t, err)
		refused("another installation's", dirAt(t, stranger), testOrigin)
		if _, isTable := r.Shelf.(*Table); !isTable {
			refused("the table", NewTable(r.db, testOrigin), testOrigin)
			refused("ours under another origin", r.shelf(t), "signalbox.local/other")
		}
		must(t, os.WriteFile(filepath.Join(stranger, markName), []byte("who knows\n"), 0o600))
		if _, err := Open(t.Context(), Options{DB: r.db, Origin: testOrigin, Shelf: dirAt(t, stranger)}); code(err) != "vault.mark" {
			t.Errorf("a mark that says nothing: %v", err)
		}
	})
}

// What stood before there were books, or marks, is entered at the first opening.
func TestTheFirstOpeningTakesStock(t *testing.T) {
	for name, make := range map[string]func(*testing.T, *store.DB) rig{"dir": dirRig, "table": tableRig} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, open func() *store.DB) {
				db := open()
				r := make(t, db)
				shelf := r.shelf(t)
				r.plant(t, []byte("before"))
				v := opened(t, db, shelf, 0)
				if s := status(t, v); s.Entries != 1 || s.Bytes != 6 {
					t.Errorf("entered are %d entries of %d bytes", s.Entries, s.Bytes)
				}
				if s := sweep(t, v, false); s.Removed != 0 || s.Orphans != 1 {
					t.Errorf("what was entered just now: %+v", s)
				}
			})
		})
	}
}

// What fails leaves nothing aside, what a crash left goes after a day, and what
// is kept is its owner's alone.
func TestDirIsTidy(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		path := filepath.Join(t.TempDir(), "vault")
		v := opened(t, open(), dirAt(t, path), 0)
		digest := put(t, v, []byte("kept"))
		if _, _, err := v.Put(t.Context(), &fickle{Reader: bytes.NewReader([]byte("one")), then: []byte("two")}); err == nil {
			t.Error("changed, and accepted")
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
		for _, f := range []string{"old", "new"} {
			must(t, os.WriteFile(filepath.Join(path, aside, f), []byte("half"), 0o600))
		}
		yesterday := time.Now().Add(-asideTime - time.Hour)
		must(t, os.Chtimes(filepath.Join(path, aside, "old"), yesterday, yesterday))
		sweep(t, v, true)
		if left, _ := os.ReadDir(filepath.Join(path, aside)); len(left) != 2 {
			t.Errorf("a dry sweep left %v aside", left)
		}
		sweep(t, v, false)
		if left, _ := os.ReadDir(filepath.Join(path, aside)); len(left) != 1 || left[0].Name() != "new" {
			t.Errorf("aside stand %v", left)
		}
	})
}
