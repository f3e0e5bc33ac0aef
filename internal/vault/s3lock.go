package vault

import (
	"context"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"signalbox.dev/signalbox/internal/fault"
)

// noLock are the codes by which services say that a bucket locks nothing.
var noLock = map[string]bool{"NoSuchObjectLockConfiguration": true, "ObjectLockConfigurationNotFoundError": true, "InvalidRequest": true}

// lockable refuses a bucket that cannot lock, where entries are to be locked:
// a service may accept a lock there and keep none.
func (s *S3) lockable(ctx context.Context) error {
	if s.Lock.IsZero() {
		return nil
	}
	ctx, _, done := s.watched(ctx)
	defer done()
	enabled, _, _, _, err := s.service.GetObjectLockConfig(ctx, s.Bucket)
	if err != nil && !noLock[codeOf(err)] {
		return s.failed(ctx, err)
	}
	if err != nil || enabled != "Enabled" {
		return fault.Invalidf("vault.no-lock", "the bucket %s locks nothing", s.Bucket).On("--vault-lock").
			Because("Object Lock is not enabled on it").Remedy("make a bucket with Object Lock, or leave --vault-lock out")
	}
	return nil
}

// until is when the retention of what is put now ends.
func (s *S3) until() time.Time {
	return time.Now().UTC().Add(s.Lock.For).Truncate(time.Second).Add(time.Second)
}

// lockOf reads back the lock of a version of an entry, "" for the newest. The
// service tells it with the object's head; what it does not tell does not stand.
func (s *S3) lockOf(ctx context.Context, digest, version string) (Lock, error) {
	var l Lock
	head, err := s.service.StatObject(ctx, s.Bucket, s.key(digest), minio.StatObjectOptions{VersionID: version})
	if err != nil {
		return l, s.failed(ctx, err)
	}
	l.Hold = head.Metadata.Get("X-Amz-Object-Lock-Legal-Hold") == string(minio.LegalHoldEnabled)
	mode, until := strings.ToLower(head.Metadata.Get("X-Amz-Object-Lock-Mode")), head.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date")
	if mode != Governance && mode != Compliance {
		return l, nil
	}
	if t, err := time.Parse(time.RFC3339, until); err == nil {
		l.Mode, l.Until = mode, t.UTC()
	}
	return l, nil
}

// proveLock reads back the lock of a version that was written just now: that
// the service accepted it proves nothing.
func (s *S3) proveLock(ctx context.Context, digest, version string) (Lock, error) {
	if s.Lock.IsZero() {
		return Lock{}, nil
	}
	ctx, _, done := s.watched(ctx)
	defer done()
	l, err := s.lockOf(ctx, digest, version)
	if err == nil && !s.Lock.meets(l, time.Now()) {
		err = unproven(digest, l, s.Lock)
	}
	return l, err
}

// relock sees to it that an entry which was there already is locked as the rule
// wants, from now on.
func (s *S3) relock(ctx context.Context, digest string) (Lock, error) {
	if s.Lock.IsZero() {
		return Lock{}, nil
	}
	ctx, kept, done := s.watched(ctx)
	defer done()
	l, err := s.lockOf(ctx, digest, "")
	if err != nil || s.Lock.meets(l, time.Now()) {
		return l, err
	}
	if retention := (LockRule{Mode: s.Lock.Mode, For: s.Lock.For}); !retention.meets(l, time.Now()) {
		mode, until := minio.RetentionMode(strings.ToUpper(s.Lock.Mode)), s.until()
		if l.Mode == Compliance {
			mode = minio.Compliance // is never made weaker
		}
		if l.Until.After(until) {
			until = l.Until
		}
		if err := s.service.PutObjectRetention(ctx, s.Bucket, s.key(digest), minio.PutObjectRetentionOptions{Mode: &mode, RetainUntilDate: &until}); err != nil {
			return l, s.failed(ctx, err)
		}
	}
	kept()
	if s.Lock.Hold && !l.Hold {
		on := minio.LegalHoldEnabled
		if err := s.service.PutObjectLegalHold(ctx, s.Bucket, s.key(digest), minio.PutObjectLegalHoldOptions{Status: &on}); err != nil {
			return l, s.failed(ctx, err)
		}
	}
	return s.proveLock(ctx, digest, "")
}

// rule is locking.rule.
func (s *S3) rule() LockRule { return s.Lock }

// lock is locking.lock.
func (s *S3) lock(ctx context.Context, digest string) (Lock, error) {
	if s.Lock.IsZero() {
		return Lock{}, nil
	}
	ctx, _, done := s.watched(ctx)
	defer done()
	return s.lockOf(ctx, digest, "")
}
