//go:build s3service

package vault

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/minio/minio-go/v7"

	"signalbox.dev/signalbox/internal/store"
)

// service is a bucket of a real service, with Object Lock: SIGNALBOX_TEST_S3 is
// ENDPOINT BUCKET ACCESS-KEY SECRET-KEY. What the tests leave there is locked
// for a day, in governance mode, under prefixes of their own.
func service(t *testing.T, rule LockRule) *S3 {
	t.Helper()
	parts := strings.Fields(os.Getenv("SIGNALBOX_TEST_S3"))
	if len(parts) != 4 {
		t.Fatal("SIGNALBOX_TEST_S3 is not ENDPOINT BUCKET ACCESS-KEY SECRET-KEY")
	}
	s, err := OpenS3(t.Context(), S3Options{
		Endpoint: parts[0], Bucket: parts[1], AccessKey: parts[2], SecretKey: parts[3], Prefix: "test-" + uuid.NewString(), Lock: rule,
	})
	must(t, err)
	return s
}

// What the fake is told to do, a real service does by itself.
func TestService(t *testing.T) {
	db, err := store.Open(t.Context(), store.Options{Data: t.TempDir()})
	must(t, err)
	defer func() { _ = db.Close() }()
	s := service(t, LockRule{})
	v := opened(t, db, s, 0)
	for _, b := range [][]byte{nil, []byte("a"), bytes.Repeat([]byte("signalbox"), 1<<20)} {
		digest := put(t, v, b)
		put(t, v, b)
		if got, err := read(t, v, digest); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d bytes came back as %d: %v", len(b), len(got), err)
		}
	}
	digest, other := sum([]byte("a")), []byte("b")
	_, err = s.writer.PutObject(t.Context(), s.Bucket, s.key(digest), bytes.NewReader(other), 1, "", sum(other)[len(prefix):], minio.PutObjectOptions{DisableContentSha256: true})
	must(t, err)
	if _, err := read(t, v, digest); code(err) != "vault.rotten" {
		t.Errorf("written over: %v", err)
	}
	put(t, v, []byte("a"))
	if got, err := read(t, v, digest); err != nil || string(got) != "a" {
		t.Errorf("mended: %q %v", got, err)
	}
	_, err = s.writer.PutObject(t.Context(), s.Bucket, s.key(sum([]byte("x"))), bytes.NewReader(other), 1, "", sum([]byte("x"))[len(prefix):], minio.PutObjectOptions{DisableContentSha256: true})
	if err == nil {
		t.Error("the service takes bytes that are not those of the digest")
	}
	age(t, db, old, digest, sum(nil))
	if r := sweep(t, v, false, sum(nil)); r.Removed != 1 || r.Entries != 3 || has(t, v, digest) {
		t.Errorf("%+v", r)
	}
	for o := range s.service.ListObjectsIter(t.Context(), s.Bucket, minio.ListObjectsOptions{Prefix: s.key(digest), WithVersions: true}) {
		t.Errorf("version %s is left: %v", o.VersionID, o.Err)
	}
	wrong := s.S3Options
	wrong.Prefix, wrong.SecretKey = "", "not the key"
	if w, err := OpenS3(t.Context(), wrong); err != nil {
		t.Error(err)
	} else if _, err := w.mark(t.Context(), ""); code(err) != "vault.refused" || strings.Contains(err.Error()+fmtCause(err), "not the key") {
		t.Errorf("with a wrong key: %v", err)
	}
	wrong = s.S3Options
	wrong.Prefix, wrong.Bucket = "", "signalbox-there-is-no-such-bucket"
	if w, err := OpenS3(t.Context(), wrong); err != nil {
		t.Error(err)
	} else if _, err := w.mark(t.Context(), ""); code(err) != "vault.unreachable" || !strings.Contains(err.Error(), wrong.Bucket) {
		t.Errorf("no such bucket: %v", err)
	}
}

// The service itself keeps what is locked.
func TestServiceLocks(t *testing.T) {
	db, err := store.Open(t.Context(), store.Options{Data: t.TempDir()})
	must(t, err)
	defer func() { _ = db.Close() }()
	for name, rule := range map[string]LockRule{"retention": {Mode: Governance, For: 24 * time.Hour}, "hold": {Hold: true}} {
		t.Run(name, func(t *testing.T) {
			exec(t, db, `UPDATE vault SET mark = ''`)
			exec(t, db, `DELETE FROM vault_entries`)
			s := service(t, rule)
			v := opened(t, db, s, 0)
			digest := put(t, v, []byte(name))
			l, err := s.lock(t.Context(), digest)
			if err != nil || !rule.meets(l, time.Now()) {
				t.Errorf("%s: %v", l, err)
			}
			var locked *Locked
			if err := s.remove(t.Context(), digest); !errors.As(err, &locked) {
				t.Errorf("removed: %v", err)
			}
			age(t, db, old, digest)
			if r := sweep(t, v, false); r.Locked != 1 || r.Removed != 0 || r.Failed != 0 {
				t.Errorf("%+v", r)
			}
			if got, err := read(t, v, digest); err != nil || string(got) != name {
				t.Errorf("%q %v", got, err)
			}
			put(t, v, []byte(name))
			if rule.Hold {
				off := minio.LegalHoldDisabled
				must(t, s.service.PutObjectLegalHold(t.Context(), s.Bucket, s.key(digest), minio.PutObjectLegalHoldOptions{Status: &off}))
				if c, err := v.Check(t.Context(), ""); err != nil || len(c.Open) != 1 {
					t.Errorf("without its hold: %+v %v", c, err)
				}
				put(t, v, []byte(name))
				if c, err := v.Check(t.Context(), ""); err != nil || len(c.Open) != 0 {
					t.Errorf("held again: %+v %v", c, err)
				}
				must(t, s.service.PutObjectLegalHold(t.Context(), s.Bucket, s.key(digest), minio.PutObjectLegalHoldOptions{Status: &off}))
				age(t, db, old, digest)
				if r := sweep(t, v, false); r.Removed != 1 {
					t.Errorf("without its hold: %+v", r)
				}
			}
		})
	}
}
