package vault

import (
	"bytes"
	"context"
	"crypto/md5" // the checksum of S3
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/minio/minio-go/v7"
)

// Faults that the fake service can be told to have.
const (
	sound       = ""
	down        = "down"           // the connection ends before an answer
	failing     = "failing"        // 500
	refusing    = "refusing"       // 403
	silent      = "silent"         // no answer ever
	cutOff      = "cut off"        // a body ends before its length
	trickling   = "trickling"      // a body stops in the middle, and the line stays open
	wrong       = "wrong"          // a body has other bytes
	forgetful   = "forgetful"      // a put is done, and its answer is lost
	flaky       = "flaky"          // every other request is not answered
	blind       = "blind"          // no conditions: 501
	unlocking   = "unlocking"      // locks are accepted and dropped
	weakening   = "weakening"      // locks are accepted as governance of a day
	unversioned = "no versions"    // versions are not implemented
	earlyAnswer = "early answer"   // a put is refused before its body is read
	conflicting = "conflicting"    // 409 the first time
	lying       = "lying about it" // a put is answered 200 and not done
)

// fakeS3 is gofakes3 behind a front of our own. gofakes3 speaks the protocol
// and keeps objects, with versions. The front checks of a put what services
// check (SHA-256, MD5, the MD5 beside a lock), keeps and enforces locks, which
// gofakes3 does not know, and has faults on demand.
type fakeS3 struct {
	*httptest.Server
	inner http.Handler
	admin *minio.Client

	mu    sync.Mutex
	fault string
	left  int // requests that have the fault; below 0 all
	count int
	puts  int
	locks map[string]*Lock // by bucket/key?version
	can   bool             // Object Lock is enabled
	end   chan struct{}
}

// patience is how long the fake service may take: longer than any machine does.
const patience = 20 * time.Second

const bucket = "signalbox-files"

func newFakeS3(t *testing.T, versions bool) *fakeS3 {
	t.Helper()
	f := &fakeS3{inner: gofakes3.New(s3mem.New()).Server(), locks: map[string]*Lock{}, can: versions, end: make(chan struct{})}
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() { close(f.end); f.Close() })
	client, err := OpenS3(t.Context(), f.options())
	must(t, err)
	f.admin = client.service.Client
	must(t, f.admin.MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{}))
	if versions {
		must(t, f.admin.EnableVersioning(t.Context(), bucket))
	}
	return f
}

func (f *fakeS3) options() S3Options {
	return S3Options{Endpoint: f.URL, Bucket: bucket, Prefix: "vault/one", AccessKey: "key", SecretKey: "secret"}
}

func (f *fakeS3) shelf(t *testing.T, rule LockRule) *S3 {
	t.Helper()
	o := f.options()
	o.Lock = rule
	s, err := OpenS3(t.Context(), o)
	must(t, err)
	s.idle = patience
	return s
}

// has gives the next n requests a fault; below 0 all of them.
func (f *fakeS3) has(fault string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.left = fault, n
}

func (f *fakeS3) next() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	if f.left == 0 || f.fault == flaky && f.count%2 == 0 {
		return sound
	}
	f.left--
	return f.fault
}

func (f *fakeS3) stored() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.puts
}

// ServeHTTP is http.Handler.
func (f *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, fault := r.URL.Query(), f.next()
	switch fault {
	case down, flaky:
		panic(http.ErrAbortHandler)
	case failing:
		refuse(w, http.StatusInternalServerError, "InternalError")
		return
	case refusing:
		refuse(w, http.StatusForbidden, "AccessDenied")
		return
	case silent:
		<-f.end
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	switch {
	case q.Has("object-lock"):
		f.lockConfig(w)
	case q.Has("retention"), q.Has("legal-hold"):
		f.lock(w, r, path)
	case r.Method == http.MethodHead:
		f.head(w, r, path)
	case q.Has("versions") && fault == unversioned:
		refuse(w, http.StatusNotImplemented, "NotImplemented")
	case r.Method == http.MethodPut && strings.Contains(strings.TrimSuffix(path, "/"), "/"):
		f.put(w, r, fault)
	case r.Method == http.MethodDelete && f.locked(path, q.Get("versionId")):
		refuse(w, http.StatusForbidden, "AccessDenied")
	case r.Method == http.MethodGet && (fault == cutOff || fault == wrong || fault == trickling):
		f.spoiled(w, r, fault)
	default:
		f.inner.ServeHTTP(w, r)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, code)
}

// put checks a put as services do, and keeps its lock.
func (f *fakeS3) put(w http.ResponseWriter, r *http.Request, fault string) {
	h := r.Header
	switch {
	case fault == earlyAnswer:
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
		return
	case fault == conflicting:
		refuse(w, http.StatusConflict, "ConditionalRequestConflict")
		return
	case fault == blind && h.Get("If-None-Match") != "":
		refuse(w, http.StatusNotImplemented, "NotImplemented")
		return
	}
	b, err := io.ReadAll(r.Body)
	md := md5.Sum(b)
	locks := h.Get("X-Amz-Object-Lock-Mode") != "" || h.Get("X-Amz-Object-Lock-Legal-Hold") != ""
	switch {
	case err != nil:
		return
	case prefix+h.Get("X-Amz-Content-Sha256") != sum(b):
		refuse(w, http.StatusBadRequest, "XAmzContentSHA256Mismatch")
		return
	case h.Get("Content-Md5") != "" && h.Get("Content-Md5") != base64.StdEncoding.EncodeToString(md[:]), locks && h.Get("Content-Md5") == "":
		refuse(w, http.StatusBadRequest, "InvalidDigest")
		return
	case locks && !f.can:
		refuse(w, http.StatusBadRequest, "InvalidRequest")
		return
	case fault == lying:
		w.WriteHeader(http.StatusOK)
		return
	}
	again := r.Clone(r.Context())
	again.Body = io.NopCloser(bytes.NewReader(b))
	told := httptest.NewRecorder()
	f.inner.ServeHTTP(told, again)
	if told.Code == http.StatusOK {
		f.mu.Lock()
		f.puts++
		f.mu.Unlock()
		f.keep(r, told.Header().Get("X-Amz-Version-Id"), fault)
	}
	if fault == forgetful {
		panic(http.ErrAbortHandler)
	}
	for name, values := range told.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(told.Code)
	_, _ = w.Write(told.Body.Bytes())
}

func (f *fakeS3) keep(r *http.Request, version, fault string) {
	l := &Lock{Mode: strings.ToLower(r.Header.Get("X-Amz-Object-Lock-Mode")), Hold: r.Header.Get("X-Amz-Object-Lock-Legal-Hold") == "ON"}
	l.Until, _ = time.Parse(time.RFC3339, r.Header.Get("X-Amz-Object-Lock-Retain-Until-Date"))
	switch fault {
	case unlocking:
		l = &Lock{}
	case weakening:
		l = &Lock{Mode: Governance, Until: time.Now().Add(24 * time.Hour), Hold: l.Hold}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/")
	f.locks[path+"?"+version], f.locks[path+"?"] = l, l // the newest is what is asked for without a version
}

func (f *fakeS3) locked(path, version string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.locks[path+"?"+version]
	return l != nil && version != "" && (l.Hold || l.Until.After(time.Now()))
}

func (f *fakeS3) lockConfig(w http.ResponseWriter) {
	if !f.can {
		refuse(w, http.StatusNotFound, "ObjectLockConfigurationNotFoundError")
		return
	}
	_, _ = io.WriteString(w, "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>")
}

// head is what is told of a version: its lock as well.
func (f *fakeS3) head(w http.ResponseWriter, r *http.Request, path string) {
	told := httptest.NewRecorder()
	f.inner.ServeHTTP(told, r)
	for name, values := range told.Header() {
		if !strings.HasPrefix(name, "X-Amz-Object-Lock") {
			w.Header()[name] = values
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.locks[path+"?"+r.URL.Query().Get("versionId")]; l != nil {
		if l.Mode != "" {
			w.Header().Set("X-Amz-Object-Lock-Mode", strings.ToUpper(l.Mode))
			w.Header().Set("X-Amz-Object-Lock-Retain-Until-Date", l.Until.UTC().Format(time.RFC3339))
		}
		if l.Hold {
			w.Header().Set("X-Amz-Object-Lock-Legal-Hold", "ON")
		}
	}
	w.WriteHeader(told.Code)
}

// lock sets the retention or legal hold of a version.
func (f *fakeS3) lock(w http.ResponseWriter, r *http.Request, path string) {
	q := r.URL.Query()
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.locks[path+"?"+q.Get("versionId")]
	var asked struct {
		Mode            string
		RetainUntilDate time.Time
		Status          string
	}
	switch err := xml.NewDecoder(r.Body).Decode(&asked); {
	case l == nil:
		refuse(w, http.StatusNotFound, "NoSuchKey")
	case r.Method != http.MethodPut || err != nil:
		refuse(w, http.StatusBadRequest, "MalformedXML")
	case q.Has("legal-hold"):
		l.Hold = asked.Status == "ON"
	case l.Mode == Compliance && (asked.Mode != "COMPLIANCE" || asked.RetainUntilDate.Before(l.Until)):
		refuse(w, http.StatusForbidden, "AccessDenied")
	default:
		l.Mode, l.Until = strings.ToLower(asked.Mode), asked.RetainUntilDate
	}
}

// spoiled answers with a body that is not what was kept.
func (f *fakeS3) spoiled(w http.ResponseWriter, r *http.Request, fault string) {
	told := httptest.NewRecorder()
	f.inner.ServeHTTP(told, r)
	b := told.Body.Bytes()
	for name, values := range told.Header() {
		w.Header()[name] = values
	}
	switch {
	case told.Code != http.StatusOK || len(b) == 0:
		w.WriteHeader(told.Code)
		_, _ = w.Write(b)
	case fault == wrong:
		b = bytes.Clone(b)
		b[len(b)/2] ^= 1
		_, _ = w.Write(b)
	default:
		_, _ = w.Write(b[:len(b)/2])
		_ = http.NewResponseController(w).Flush()
		if fault == cutOff {
			panic(http.ErrAbortHandler)
		}
		<-f.end
	}
}

// object is how the shelf names what has a digest.
func object(digest string) string {
	_, name := location(digest[len(prefix):])
	return "vault/one/" + name
}

// amend puts or removes an object past the shelf, as an administrator of the
// service could.
func (f *fakeS3) amend(t *testing.T, digest string, b []byte) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	if b == nil {
		must(t, f.admin.RemoveObject(ctx, bucket, object(digest), minio.RemoveObjectOptions{}))
		return
	}
	f.write(t, object(digest), b)
}

func (f *fakeS3) write(t *testing.T, name string, b []byte) {
	t.Helper()
	core := minio.Core{Client: f.admin}
	_, err := core.PutObject(context.WithoutCancel(t.Context()), bucket, name, bytes.NewReader(b), int64(len(b)), "", hex.EncodeToString(unhex(t, sum(b))), minio.PutObjectOptions{DisableContentSha256: true})
	must(t, err)
}

func unhex(t *testing.T, digest string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digest[len(prefix):])
	must(t, err)
	return b
}

func listAll() minio.ListObjectsOptions {
	return minio.ListObjectsOptions{Recursive: true, WithVersions: true}
}
