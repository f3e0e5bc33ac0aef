package vault

import (
	"context"
	"crypto/md5" // a checksum of the line that S3 asks for, beside the SHA-256
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"signalbox.dev/signalbox/internal/fault"
)

// S3Options say which bucket of which service a shelf is in, and as whom.
type S3Options struct {
	Endpoint  string // https://host, with a port where it is another; http:// on this machine alone
	Region    string // "" is us-east-1
	Bucket    string
	Prefix    string // of the objects' names, without slashes at its ends; "" for none
	AccessKey string
	SecretKey string
	CA        string // file of PEM certificates that are trusted besides the system's
	Lock      LockRule
}

// S3 is a shelf in a bucket of an S3 service: PREFIX/ab/cdef… by the digits of
// the digest. An object is written once, on the condition that there is none,
// in one request that the service checks against the digest; only one that no
// longer has its bytes is written over.
type S3 struct {
	S3Options
	service minio.Core    // tries again by itself
	writer  minio.Core    // does not: who sends a body again must know that nobody reads the old one
	idle    time.Duration // how long the service may keep still
}

// idleTime is how long a request to the service may make no progress.
const idleTime = 30 * time.Second

// s3Tries is how often a request is tried that failed for want of the network
// or that the service asks to repeat.
const s3Tries = 4

var (
	bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	prefixForm = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$`)
)

// OpenS3 opens the shelf in a bucket, which must exist and, where entries are to
// be locked, must be able to. Errors: fault Invalid for options that cannot be
// used, Unavailable for a service that is not reached or refuses.
func OpenS3(ctx context.Context, o S3Options) (*S3, error) {
	host, secure, err := o.endpoint()
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	over, err := transport(o.CA)
	if err != nil {
		return nil, err
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	s := &S3{S3Options: o, idle: idleTime}
	for _, c := range []struct {
		client *minio.Core
		tries  int
	}{{&s.service, s3Tries}, {&s.writer, 1}} {
		c.client.Client, err = minio.New(host, &minio.Options{
			Creds: credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""), Secure: secure, Region: o.Region, Transport: over, MaxRetries: c.tries,
		})
		if err != nil {
			return nil, fault.Invalidf("vault.endpoint", "the S3 service %s cannot be used", o.Endpoint).On("--vault-endpoint").Because(err.Error())
		}
	}
	if o.Prefix != "" {
		s.Prefix += "/"
	}
	return s, s.lockable(ctx)
}

// endpoint is host and port, and whether TLS is spoken.
func (o S3Options) endpoint() (host string, secure bool, err error) {
	wrong := fault.Invalidf("vault.endpoint", "the address of the S3 service cannot be used").On("--vault-endpoint").Remedy("write it as in https://s3.example.com")
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", false, wrong.Because("it is not https:// and a host, and nothing more")
	}
	switch {
	case u.Scheme == "https":
		return u.Host, true, nil
	case u.Scheme == "http" && onThisMachine(u.Hostname()):
		return u.Host, false, nil
	case u.Scheme == "http":
		return "", false, wrong.Because("originals would travel in the clear, for " + u.Hostname() + " is not this machine")
	}
	return "", false, wrong.Because("it begins with neither https:// nor http://")
}

func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

func (o S3Options) check() error {
	switch {
	case !bucketForm.MatchString(o.Bucket):
		return fault.Invalidf("vault.bucket", "%.80q is not the name of a bucket", o.Bucket).On("--vault").Remedy("write s3://BUCKET or s3://BUCKET/PREFIX")
	case o.Prefix != "" && (len(o.Prefix) > 200 || !prefixForm.MatchString(o.Prefix)):
		return fault.Invalidf("vault.prefix", "%.80q cannot begin the names of objects", o.Prefix).On("--vault").
			Remedy("write letters, digits, and . _ - between single slashes")
	case o.AccessKey == "" || o.SecretKey == "":
		return fault.Invalidf("vault.keys", "there are no keys for the S3 service").On("--vault-keys-file").
			Remedy("give --vault-keys-file FILE, or the variables SIGNALBOX_VAULT_ACCESS_KEY and SIGNALBOX_VAULT_SECRET_KEY")
	case o.Lock.Mode != "" && (o.Lock.For < 24*time.Hour || o.Lock.For%(24*time.Hour) != 0):
		return fault.Invalidf("vault.retention", "a retention lock holds for whole days, not for %s", o.Lock.For).On("--vault-retention")
	}
	return nil
}

func transport(ca string) (http.RoundTripper, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	t.TLSHandshakeTimeout = 10 * time.Second
	t.ResponseHeaderTimeout = idleTime
	t.DisableCompression = true
	t.MaxIdleConnsPerHost = 16
	if ca == "" {
		return t, nil
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, fault.Invalidf("vault.ca", "the file of trusted certificates cannot be read").On("--vault-ca").Because(err.Error())
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fault.Invalidf("vault.ca", "%s holds no certificate", ca).On("--vault-ca").Remedy("give a file of PEM certificates")
	}
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t, nil
}

func (s *S3) key(digest string) string {
	_, name := location(strings.TrimPrefix(digest, prefix))
	return s.Prefix + name
}

// digest is that of an object's name; "" where it is none of ours.
func (s *S3) digest(key string) string {
	folder, rest, _ := strings.Cut(strings.TrimPrefix(key, s.Prefix), "/")
	digest := prefix + folder + rest
	if _, err := hexOf(digest); err != nil || s.key(digest) != key {
		return ""
	}
	return digest
}

// place is Shelf.place. An answer that was lost shows at the next try, as an
// object that is there already; what is there is read back and compared.
func (s *S3) place(ctx context.Context, e Entry, r io.ReadSeeker) (Lock, error) {
	version, err := s.write(ctx, e, r, true)
	switch code := codeOf(err); {
	case err == nil:
		return s.proveLock(ctx, e.Digest, version)
	case code == minio.NotImplemented: // the service knows no conditions
	case code != minio.PreconditionFailed && code != "ConditionalRequestConflict":
		return Lock{}, s.failed(ctx, err)
	default:
		err := s.compare(ctx, e.Digest)
		if err == nil {
			return s.relock(ctx, e.Digest)
		}
		if k := fault.KindOf(err); k != fault.Unverified && k != fault.NotFound {
			return Lock{}, err
		}
	}
	if version, err = s.write(ctx, e, r, false); err != nil {
		return Lock{}, s.failed(ctx, err)
	}
	return s.proveLock(ctx, e.Digest, version)
}

// write sends an object whole in one request, again where the network failed or
// the service asks for it.
func (s *S3) write(ctx context.Context, e Entry, r io.ReadSeeker, onlyNew bool) (version string, err error) {
	o := minio.PutObjectOptions{DisableContentSha256: true, ContentType: "application/octet-stream"}
	if onlyNew {
		o.SetMatchETagExcept("*")
	}
	sum, err := s.dress(ctx, &o, r)
	if err != nil {
		return "", err
	}
	for try := 1; ; try++ {
		var again bool
		if version, again, err = s.send(ctx, e, r, sending{o, sum}); err == nil || !again || try == s3Tries {
			return version, err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(100 * time.Millisecond << try):
		}
	}
}

// sending is how an object is sent: what is asked of the service, and the MD5.
type sending struct {
	options minio.PutObjectOptions
	md5     string
}

// send sends an object once, signed with the digest of its bytes: a service that
// receives others refuses them. When it returns, nobody reads r any more.
func (s *S3) send(ctx context.Context, e Entry, r io.ReadSeeker, how sending) (version string, again bool, err error) {
	ctx, kept, done := s.watched(ctx)
	defer done()
	body := &living{from: r, kept: kept}
	info, err := s.writer.PutObject(ctx, s.Bucket, s.key(e.Digest), body, e.Size, how.md5, strings.TrimPrefix(e.Digest, prefix), how.options)
	if failed := body.end(); failed != nil {
		return "", false, failed
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return "", errors.Is(cause, errStalled), cause
	}
	status := minio.ToErrorResponse(err).StatusCode
	return info.VersionID, status == 0 || status >= 500 && status != http.StatusNotImplemented || status == http.StatusTooManyRequests, err
}

// dress adds the lock to a write, and the MD5 that S3 asks for beside it.
func (s *S3) dress(ctx context.Context, o *minio.PutObjectOptions, r io.ReadSeeker) (sum string, err error) {
	if s.Lock.IsZero() {
		return "", nil
	}
	if s.Lock.Mode != "" {
		o.Mode, o.RetainUntilDate = minio.RetentionMode(strings.ToUpper(s.Lock.Mode)), s.until()
	}
	if s.Lock.Hold {
		o.LegalHold = minio.LegalHoldEnabled
	}
	h := md5.New()
	if _, err = io.Copy(h, ending{ctx, r}); err != nil {
		return "", err
	}
	_, err = r.Seek(0, io.SeekStart)
	return base64.StdEncoding.EncodeToString(h.Sum(nil)), err
}

// compare reads an object to its end and judges it.
func (s *S3) compare(ctx context.Context, digest string) error {
	from, err := s.open(ctx, digest)
	if err != nil {
		return err
	}
	h := sha256.New()
	_, err = io.Copy(h, ending{ctx, from})
	if err = errors.Join(err, from.Close()); err != nil {
		return err
	}
	if digestOf(h) != digest {
		return fault.New(fault.Unverified, "vault.rotten", "the bytes kept as "+digest+" have changed")
	}
	return nil
}

// open is Shelf.open.
func (s *S3) open(ctx context.Context, digest string) (io.ReadCloser, error) {
	ctx, kept, done := s.watched(ctx)
	body, _, _, err := s.service.GetObject(ctx, s.Bucket, s.key(digest), minio.GetObjectOptions{})
	if err != nil {
		defer done()
		if codeOf(err) == minio.NoSuchKey {
			return nil, absent(digest)
		}
		return nil, s.failed(ctx, err)
	}
	return &arriving{body: body, shelf: s, ctx: ctx, kept: kept, done: done}, nil
}

// list is Shelf.list.
func (s *S3) list(ctx context.Context, after string, n int) ([]Entry, error) {
	ctx, kept, done := s.watched(ctx)
	defer done()
	o := minio.ListObjectsOptions{Prefix: s.Prefix, Recursive: true, MaxKeys: n}
	if after != "" {
		o.StartAfter = s.key(after)
	}
	var all []Entry
	for object := range s.service.ListObjectsIter(ctx, s.Bucket, o) {
		kept()
		if object.Err != nil {
			return nil, s.failed(ctx, object.Err)
		}
		digest := s.digest(object.Key)
		if digest == "" || digest <= after {
			continue
		}
		if all = append(all, Entry{Digest: digest, Size: object.Size}); len(all) == n {
			break
		}
	}
	return all, nil
}

// remove is Shelf.remove: every version, so that the bytes are gone and not
// merely hidden. A lock is never lifted, nor gone around.
func (s *S3) remove(ctx context.Context, digest string) error {
	ctx, kept, done := s.watched(ctx)
	defer done()
	key := s.key(digest)
	var versions []string
	for object := range s.service.ListObjectsIter(ctx, s.Bucket, minio.ListObjectsOptions{Prefix: key, Recursive: true, WithVersions: true}) {
		kept()
		if codeOf(object.Err) == minio.NotImplemented {
			versions = []string{""}
			break
		}
		if object.Err != nil {
			return s.failed(ctx, object.Err)
		}
		if object.Key == key {
			versions = append(versions, object.VersionID)
		}
	}
	for _, version := range versions {
		if version == "null" { // what a bucket without versions calls its one
			version = ""
		}
		err := s.service.RemoveObject(ctx, s.Bucket, key, minio.RemoveObjectOptions{VersionID: version})
		kept()
		if err == nil || codeOf(err) == minio.NoSuchKey || codeOf(err) == minio.NoSuchVersion {
			continue
		}
		if l, unread := s.lockOf(ctx, digest, version); unread == nil && (l.Hold || l.Until.After(time.Now())) {
			return &Locked{Digest: digest, Lock: l}
		}
		return s.failed(ctx, err)
	}
	return nil
}

// mark is Shelf.mark.
func (s *S3) mark(ctx context.Context, line string) (string, error) {
	ctx, kept, done := s.watched(ctx)
	defer done()
	key := s.Prefix + markName
	if line != "" {
		b := []byte(line + "\n")
		sum := sha256.Sum256(b)
		o := minio.PutObjectOptions{DisableContentSha256: true, ContentType: "text/plain"}
		_, err := s.service.PutObject(ctx, s.Bucket, key, strings.NewReader(string(b)), int64(len(b)), md5Of(b), fmt.Sprintf("%x", sum), o)
		kept()
		if err != nil {
			return "", s.failed(ctx, err)
		}
	}
	body, _, _, err := s.service.GetObject(ctx, s.Bucket, key, minio.GetObjectOptions{})
	if codeOf(err) == minio.NoSuchKey {
		return "", nil
	}
	if err != nil {
		return "", s.failed(ctx, err)
	}
	b, err := io.ReadAll(io.LimitReader(body, maxMark))
	if err = errors.Join(err, body.Close()); err != nil {
		return "", s.failed(ctx, err)
	}
	return strings.TrimSuffix(string(b), "\n"), nil
}

func md5Of(b []byte) string {
	sum := md5.Sum(b)
	return base64.StdEncoding.EncodeToString(sum[:])
}
