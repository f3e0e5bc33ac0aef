package vault

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"

	"signalbox.dev/signalbox/internal/fault"
)

// errStalled is why a request is given up.
var errStalled = errors.New("the service made no progress")

// watched is a context that ends when nothing calls kept for a while, or when
// done is called.
func (s *S3) watched(ctx context.Context) (watched context.Context, kept, done func()) {
	watched, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(s.idle, func() { cancel(errStalled) })
	return watched, func() { timer.Reset(s.idle) }, func() { timer.Stop(); cancel(nil) }
}

// living is a body that is sent: it tells of each move, and can be ended. It
// keeps why the source failed, which is no fault of the service.
type living struct {
	mu     sync.Mutex
	from   io.ReadSeeker
	kept   func()
	failed error
	over   bool
}

// Read is io.Reader.
func (l *living) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return 0, io.ErrClosedPipe
	}
	l.kept()
	n, err := l.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		l.failed = err
	}
	return n, err
}

// Seek is io.Seeker: the library goes to the start before it sends.
func (l *living) Seek(offset int64, whence int) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.from.Seek(offset, whence)
}

// end returns why the source failed. A service that answers early leaves its
// connection reading: from here on it gets nothing.
func (l *living) end() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	return l.failed
}

// arriving is a body that is received: it ends when the service keeps still,
// and its errors are faults.
type arriving struct {
	body       io.ReadCloser
	shelf      *S3
	ctx        context.Context
	kept, done func()
}

// Read is io.Reader.
func (a *arriving) Read(p []byte) (int, error) {
	a.kept()
	n, err := a.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = a.shelf.failed(a.ctx, err)
	}
	return n, err
}

// Close is io.Closer.
func (a *arriving) Close() error {
	a.done()
	return a.body.Close()
}

// codeOf is the code of an error that the service answered, "" for others.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return minio.ToErrorResponse(err).Code
}

// failed says what a failure of the service means to whoever waits for it. The
// cause, for the log, has addresses; keys are never in it.
func (s *S3) failed(ctx context.Context, err error) error {
	if known := fault.KindOf(err); known != fault.Internal {
		return err
	}
	down := fault.New(fault.Unavailable, "vault.unreachable", "the service that keeps original files cannot be reached").
		Remedy("try again; if it stays, whoever runs the server looks at its log").Cause(err)
	var line *url.Error
	answered := minio.ToErrorResponse(err)
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errStalled), errors.Is(err, errStalled):
		return down.Because("it made no progress for " + s.idle.String())
	case cause != nil:
		return cause
	case errors.Is(err, io.ErrUnexpectedEOF):
		return down.Because("the line was cut off")
	case answered.StatusCode == 0 && !errors.As(err, &line):
		return down.Because("it answered what cannot be read")
	case answered.StatusCode == 0:
		return down
	case answered.Code == minio.NoSuchBucket:
		return down.Because("there is no bucket " + s.Bucket)
	case answered.StatusCode == http.StatusForbidden, answered.StatusCode == http.StatusUnauthorized:
		return fault.New(fault.Unavailable, "vault.refused", "the service that keeps original files refuses us").
			Because("it says " + word(answered.Code)).Remedy("whoever runs the server checks the keys of the vault and what they may do in its bucket").Cause(err)
	}
	return down.Because("it says " + word(answered.Code))
}

// word is a code of the service, should it say more than one word.
func word(code string) string {
	letters := strings.Map(func(r rune) rune {
		if r < '0' || r > 'z' {
			return -1
		}
		return r
	}, code)
	return letters[:min(len(letters), 60)]
}
