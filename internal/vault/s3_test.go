package vault

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

const month = 30 * 24 * time.Hour

// remote is a vault on a fake service, with its books in SQLite.
func remote(t *testing.T, versions bool, rule LockRule) (*fakeS3, *Vault) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Data: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	f := newFakeS3(t, versions)
	v := opened(t, db, f.shelf(t, rule), 0)
	f.puts = 0 // the mark
	return f, v
}

// A service that is down, slow, or refuses is a fault that says so and that a
// later try mends; nothing is booked, kept or removed meanwhile, and no key is told.
func TestServiceFails(t *testing.T) {
	for name, want := range map[string]string{down: "vault.unreachable", failing: "vault.unreachable", refusing: "vault.refused", silent: "vault.unreachable"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, v := remote(t, false, LockRule{})
			kept := put(t, v, []byte("kept before"))
			age(t, v.DB, old, kept)
			v.Shelf.(*S3).idle = 500 * time.Millisecond
			f.has(name, -1)
			_, _, err := v.Put(t.Context(), bytes.NewReader([]byte("new")))
			errs := []error{err}
			_, err = read(t, v, kept)
			errs = append(errs, err)
			_, err = v.Sweep(t.Context(), Sweeping{Named: func(context.Context, func(string)) error { return nil }})
			errs = append(errs, err)
			_, err = v.Check(t.Context(), "")
			errs = append(errs, err)
			_, err = Open(t.Context(), v.Options)
			errs = append(errs, err)
			for i, err := range errs {
				if code(err) != want || fault.KindOf(err) != fault.Unavailable {
					t.Errorf("%d: %v", i, err)
				}
				for cause := err; cause != nil; cause = errors.Unwrap(cause) {
					if strings.Contains(cause.Error(), "secret") {
						t.Errorf("%d tells the key: %v", i, cause)
					}
				}
			}
			if s := status(t, v); s.Entries != 1 || s.Rotten+s.Missing != 0 {
				t.Errorf("the books say %+v", s)
			}
			f.has(sound, 0)
			v.Shelf.(*S3).idle = patience
			if got, err := read(t, v, kept); err != nil || string(got) != "kept before" {
				t.Errorf("afterwards: %q %v", got, err)
			}
			put(t, v, []byte("new"))
		})
	}
}

// What the network does to one request is no business of the caller.
func TestServiceRecovers(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB: more than the buffers of a connection
	for name, n := range map[string]int{down: 2, failing: 2, flaky: -1, forgetful: 1, blind: -1, conflicting: 1, earlyAnswer: 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, v := remote(t, true, LockRule{})
			f.has(name, n)
			digest := put(t, v, long)
			f.has(sound, 0)
			if got, err := read(t, v, digest); err != nil || !bytes.Equal(got, long) {
				t.Errorf("%d bytes came back: %v", len(got), err)
			}
			if f.stored() != 1 {
				t.Errorf("it was stored %d times", f.stored())
			}
			put(t, v, long)
			if name != blind && f.stored() != 1 {
				t.Errorf("put again, it was stored %d times", f.stored())
			}
			if s := status(t, v); s.Entries != 1 || s.Bytes != int64(len(long)) {
				t.Errorf("the books say %+v", s)
			}
		})
	}
}

// A body that is cut off or stops is a failure of the line; one with other
// bytes is rot. Neither is ever given out whole.
func TestBodiesThatAreNotWhole(t *testing.T) {
	for _, size := range []int{10, 3 * chunk} {
		b := bytes.Repeat([]byte("x"), size)
		for name, want := range map[string]string{cutOff: "vault.unreachable", trickling: "vault.unreachable", wrong: "vault.rotten"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f, v := remote(t, false, LockRule{})
				digest := put(t, v, b)
				v.Shelf.(*S3).idle = 500 * time.Millisecond
				f.has(name, -1)
				got, err := read(t, v, digest)
				if code(err) != want || len(got) >= size {
					t.Errorf("%d of %d bytes came: %v", len(got), size, err)
				}
				if s := status(t, v); s.Rotten != map[bool]int{true: 1}[name == wrong] || s.Missing != 0 {
					t.Errorf("the books say %+v", s)
				}
				_, _, err = v.Put(t.Context(), bytes.NewReader(b)) // there already, but who knows
				f.has(sound, 0)
				v.Shelf.(*S3).idle = patience
				if name == wrong && err != nil || name != wrong && code(err) != "vault.unreachable" {
					t.Errorf("put meanwhile: %v", err)
				}
				if got, err := read(t, v, digest); err != nil || !bytes.Equal(got, b) {
					t.Errorf("afterwards %d bytes came: %v", len(got), err)
				}
			})
		}
	}
}

// A put that fails on the way has no object, not even half a one.
func TestHalfAPutIsNone(t *testing.T) {
	f, v := remote(t, true, LockRule{})
	long := bytes.Repeat([]byte("x"), 1<<20)
	broken := errors.New("the file is gone")
	if _, _, err := v.Put(t.Context(), &fickle{Reader: bytes.NewReader(long), then: long[:1<<19], fails: broken}); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if _, _, err := v.Put(t.Context(), &fickle{Reader: bytes.NewReader(long), then: bytes.Repeat([]byte("y"), 1<<20)}); code(err) != "vault.changed" {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	f.has(silent, 1)
	if _, _, err := v.Put(ctx, bytes.NewReader(long)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	all, err := v.Shelf.list(t.Context(), "", page)
	if err != nil || len(all) != 0 || f.stored() != 0 || status(t, v).Entries != 0 {
		t.Errorf("%v %v", all, err)
	}
}

// Each entry is locked when it is put, and the lock is read back.
func TestLock(t *testing.T) {
	for name, rule := range map[string]LockRule{
		"governance": {Mode: Governance, For: month}, "compliance": {Mode: Compliance, For: month},
		"a hold": {Hold: true}, "both": {Mode: Compliance, For: month, Hold: true},
	} {
		t.Run(name, func(t *testing.T) {
			f, v := remote(t, true, rule)
			digest := put(t, v, []byte("locked"))
			l, err := v.Shelf.(*S3).lock(t.Context(), digest)
			if err != nil || !rule.meets(l, time.Now()) || l.Mode != rule.Mode || l.Hold != rule.Hold {
				t.Errorf("%s: %v", l, err)
			}
			if s := status(t, v); s.Proven != 1 || s.Rule != rule {
				t.Errorf("%+v", s)
			}
			if c, err := v.Check(t.Context(), ""); err != nil || c.Open != nil {
				t.Errorf("%+v %v", c, err)
			}

			// An orphan under a lock stays, and a put of it is possible.
			age(t, v.DB, old, digest)
			if s := sweep(t, v, false); s.Locked != 1 || s.Removed != 0 || s.Failed != 0 || !has(t, v, digest) {
				t.Errorf("swept: %+v", s)
			}
			if s := status(t, v); s.Last.Locked != 1 || s.Last.Orphans != 1 {
				t.Errorf("%+v", s.Last)
			}
			put(t, v, []byte("locked"))

			// Once the lock is over it goes, with every version of it.
			f.amend(t, digest, []byte("written over")) // a newer version, without a lock
			if _, err := read(t, v, digest); code(err) != "vault.rotten" {
				t.Errorf("written over: %v", err)
			}
			f.mu.Lock()
			for _, l := range f.locks {
				l.Until, l.Hold = time.Now().Add(-time.Hour), false
			}
			f.mu.Unlock()
			age(t, v.DB, old, digest)
			if s := sweep(t, v, false); s.Removed != 1 || s.Locked != 0 {
				t.Errorf("swept after the lock: %+v", s)
			}
			for o := range f.admin.ListObjectsIter(t.Context(), bucket, listAll()) {
				if !strings.HasSuffix(o.Key, markName) {
					t.Errorf("%s %s is left", o.Key, o.VersionID)
				}
			}
		})
	}
}

// A lock that does not stand is no success, whatever the service answered.
func TestLockThatDoesNotStand(t *testing.T) {
	for name, rule := range map[string]LockRule{unlocking: {Mode: Governance, For: month}, weakening: {Mode: Compliance, For: month}, lying: {Mode: Governance, For: month}} {
		f, v := remote(t, true, rule)
		f.has(name, -1)
		_, _, err := v.Put(t.Context(), bytes.NewReader([]byte("open")))
		if name != lying && (code(err) != "vault.unlocked" || fault.KindOf(err) != fault.Unverified) || err == nil {
			t.Errorf("%s: %v", name, err)
		}
		if s := status(t, v); s.Entries != 0 || s.Proven != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	// A hold that was asked for beside, and dropped.
	f, v := remote(t, true, LockRule{Hold: true})
	f.has(unlocking, -1)
	if _, _, err := v.Put(t.Context(), bytes.NewReader([]byte("open"))); code(err) != "vault.unlocked" {
		t.Errorf("%v", err)
	}
	plain := newFakeS3(t, false)
	o := plain.options()
	o.Lock = LockRule{Mode: Governance, For: month}
	if _, err := OpenS3(t.Context(), o); code(err) != "vault.no-lock" || fault.KindOf(err) != fault.Invalid {
		t.Errorf("a bucket that cannot lock: %v", err)
	}
}

// What is put again is kept from now on, and no lock is made weaker.
func TestLockIsProlonged(t *testing.T) {
	f, v := remote(t, true, LockRule{Mode: Governance, For: month, Hold: true})
	digest := put(t, v, []byte("again"))
	set := func(l Lock) {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, one := range f.locks {
			*one = l
			one.Until = l.Until.Truncate(time.Second)
		}
	}
	for name, c := range map[string]struct{ was, want Lock }{
		"nearly over":        {Lock{Mode: Governance, Until: time.Now().Add(time.Hour), Hold: true}, Lock{Mode: Governance, Hold: true}},
		"gone":               {Lock{}, Lock{Mode: Governance, Hold: true}},
		"compliance":         {Lock{Mode: Compliance, Until: time.Now().Add(time.Hour), Hold: true}, Lock{Mode: Compliance, Hold: true}},
		"longer, not held":   {Lock{Mode: Compliance, Until: time.Now().Add(10 * month)}, Lock{Mode: Compliance, Hold: true}},
		"as it should stand": {Lock{Mode: Governance, Until: time.Now().Add(month), Hold: true}, Lock{Mode: Governance, Hold: true}},
	} {
		set(c.was)
		c2, err := v.Check(t.Context(), "")
		if meets := v.rule().meets(c.was, time.Now()); err != nil || slices.Equal(c2.Open, []string{digest}) == meets {
			t.Errorf("%s: checked %+v %v", name, c2, err)
		}
		put(t, v, []byte("again"))
		l, err := v.Shelf.(*S3).lock(t.Context(), digest)
		if err != nil || l.Mode != c.want.Mode || l.Hold != c.want.Hold || l.Until.Before(time.Now().Add(month-slack)) || l.Until.Before(c.was.Until.Truncate(time.Second)) {
			t.Errorf("%s: %s, %v", name, l, err)
		}
	}
	if f.stored() != 1 {
		t.Errorf("it was stored %d times", f.stored())
	}
}

// A service that knows no versions removes the one object there is.
func TestRemoveWithoutVersions(t *testing.T) {
	f, v := remote(t, false, LockRule{})
	digest := put(t, v, []byte("gone"))
	f.has(unversioned, -1)
	must(t, v.Shelf.remove(t.Context(), digest))
	must(t, v.Shelf.remove(t.Context(), digest))
	if has(t, v, digest) {
		t.Error("it is still there")
	}
}

// A bucket may hold what is not ours: another prefix, other names.
func TestStrangersInTheBucket(t *testing.T) {
	f, v := remote(t, false, LockRule{})
	mine := put(t, v, []byte("mine"))
	other := f.options()
	other.Prefix = "vault/two"
	s, err := OpenS3(t.Context(), other)
	must(t, err)
	e := Entry{Digest: sum([]byte("theirs")), Size: 6}
	_, err = s.place(t.Context(), e, bytes.NewReader([]byte("theirs")))
	must(t, err)
	for _, name := range []string{"vault/one/zz/readme", "vault/one/ab/short", "vault/one/" + strings.Repeat("a", 64), "vault/onetwo"} {
		f.write(t, name, []byte("x"))
	}
	if s := sweep(t, v, false, mine); s.Entries != 1 || s.Adopted != 0 {
		t.Errorf("%+v", s)
	}
	if all, err := s.list(t.Context(), "", page); err != nil || len(all) != 1 || all[0].Digest != e.Digest {
		t.Errorf("%v %v", all, err)
	}
}

func TestS3Options(t *testing.T) {
	good := S3Options{Endpoint: "https://s3.example.com", Bucket: "files", AccessKey: "a", SecretKey: "s"}
	authority := httptest.NewTLSServer(nil)
	defer authority.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Certificate().Raw}), 0o600))
	for name, c := range map[string]struct {
		change func(*S3Options)
		code   string
	}{
		"good":               {func(*S3Options) {}, ""},
		"a port":             {func(o *S3Options) { o.Endpoint = "https://s3.example.com:9000/" }, ""},
		"this machine":       {func(o *S3Options) { o.Endpoint = "http://127.0.0.1:9000" }, ""},
		"this machine, IPv6": {func(o *S3Options) { o.Endpoint = "http://[::1]:9000" }, ""},
		"a prefix":           {func(o *S3Options) { o.Prefix = "a/b-c" }, ""},
		"an authority":       {func(o *S3Options) { o.CA = ca }, ""},
		"in the clear":       {func(o *S3Options) { o.Endpoint = "http://s3.example.com" }, "vault.endpoint"},
		"a name like ours":   {func(o *S3Options) { o.Endpoint = "http://localhost.example.com" }, "vault.endpoint"},
		"nothing":            {func(o *S3Options) { o.Endpoint = "" }, "vault.endpoint"},
		"no scheme":          {func(o *S3Options) { o.Endpoint = "s3.example.com" }, "vault.endpoint"},
		"another scheme":     {func(o *S3Options) { o.Endpoint = "file:///etc" }, "vault.endpoint"},
		"a user":             {func(o *S3Options) { o.Endpoint = "https://a:s@s3.example.com" }, "vault.endpoint"},
		"a path":             {func(o *S3Options) { o.Endpoint = "https://s3.example.com/files" }, "vault.endpoint"},
		"a query":            {func(o *S3Options) { o.Endpoint = "https://s3.example.com?x" }, "vault.endpoint"},
		"no bucket":          {func(o *S3Options) { o.Bucket = "" }, "vault.bucket"},
		"a bad bucket":       {func(o *S3Options) { o.Bucket = "Files/.." }, "vault.bucket"},
		"a bad prefix":       {func(o *S3Options) { o.Prefix = "a/../b" }, "vault.prefix"},
		"a rooted prefix":    {func(o *S3Options) { o.Prefix = "/a" }, "vault.prefix"},
		"no key":             {func(o *S3Options) { o.AccessKey = "" }, "vault.keys"},
		"no secret":          {func(o *S3Options) { o.SecretKey = "" }, "vault.keys"},
		"half a day":         {func(o *S3Options) { o.Lock = LockRule{Mode: Governance, For: 12 * time.Hour} }, "vault.retention"},
		"no such authority":  {func(o *S3Options) { o.CA = ca + ".absent" }, "vault.ca"},
		"no authority":       {func(o *S3Options) { o.CA = "s3_test.go" }, "vault.ca"},
	} {
		o := good
		c.change(&o)
		if _, err := OpenS3(t.Context(), o); code(err) != c.code || (err == nil) != (c.code == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A certificate that nobody trusts ends it, and says what is to be done.
func TestTLS(t *testing.T) {
	f := newFakeS3(t, false)
	secure := httptest.NewTLSServer(f)
	defer secure.Close()
	o := f.options()
	o.Endpoint = secure.URL
	s, err := OpenS3(t.Context(), o)
	must(t, err)
	if _, err := s.mark(t.Context(), ""); code(err) != "vault.unreachable" || !strings.Contains(fmtCause(err), "certificate") {
		t.Errorf("a stranger's certificate: %v", err)
	}
	o.CA = filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(o.CA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600))
	s, err = OpenS3(t.Context(), o)
	must(t, err)
	e := Entry{Digest: sum([]byte("over TLS")), Size: 8}
	if _, err := s.place(t.Context(), e, bytes.NewReader([]byte("over TLS"))); err != nil {
		t.Fatal(err)
	}
	from, err := s.open(t.Context(), e.Digest)
	must(t, err)
	if b, err := io.ReadAll(from); err != nil || string(b) != "over TLS" {
		t.Errorf("%q %v", b, err)
	}
	must(t, from.Close())
}

func fmtCause(err error) string {
	var f *fault.Error
	if errors.As(err, &f) && f.Err != nil {
		return f.Err.Error()
	}
	return ""
}

// Only names that the shelf itself would give are entries of it.
func FuzzObjectName(f *testing.F) {
	d := sum(nil)
	for _, s := range []string{object(d), "vault/one/" + d[7:], "vault/one/ab/", "/", object(d) + "/", "vault/one//" + d[9:]} {
		f.Add(s)
	}
	s := &S3{S3Options: S3Options{Prefix: "vault/one/"}}
	f.Fuzz(func(t *testing.T, key string) {
		if digest := s.digest(key); digest != "" && s.key(digest) != key {
			t.Errorf("%q was taken for %s", key, digest)
		}
	})
}
