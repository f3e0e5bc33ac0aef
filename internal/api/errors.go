package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/wire"
)

// busy is a Busy fault that says when to try again.
type busy struct {
	fault *fault.Error
	after time.Duration
}

// Error is the fault's.
func (b *busy) Error() string { return b.fault.Error() }

// Unwrap is the fault.
func (b *busy) Unwrap() error { return b.fault }

func tooOften(what string, after time.Duration) error {
	return &busy{fault.New(fault.Busy, "api.rate", what).Remedy("wait, then try again"), after}
}

// status is a fault with an HTTP status of its own.
type status struct {
	fault  *fault.Error
	status int
}

// Error is the fault's.
func (s *status) Error() string { return s.fault.Error() }

// Unwrap is the fault.
func (s *status) Unwrap() error { return s.fault }

// fail is the one way out for errors.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody is there to read it
	}
	var f *fault.Error
	if errors.Is(err, context.DeadlineExceeded) {
		err = fault.New(fault.Unavailable, "api.time", "this took too long").Remedy("try again").Cause(err)
	}
	if !errors.As(err, &f) || f.Kind == fault.Internal {
		a.Log.Error("a request failed", "reference", idOf(r.Context()), "method", r.Method, "path", r.URL.Path, "error", err)
		f = fault.New(fault.Internal, "internal", "something went wrong on our side").Remedy("quote the reference to whoever runs this server")
	} else if f.Err != nil && fault.Status(f.Kind) >= 500 {
		a.Log.Warn("a request failed", "reference", idOf(r.Context()), "path", r.URL.Path, "error", err, "cause", f.Err)
	}
	p := wire.ProblemOf(f)
	var s *status
	if errors.As(err, &s) {
		p.Status = s.status
	}
	var b *busy
	switch {
	case errors.As(err, &b):
		w.Header().Set("Retry-After", strconv.Itoa(int(b.after/time.Second)+1))
	case p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	case p.Status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="signalbox"`)
	}
	p.Errors = problems(err)
	a.refuse(w, r, p)
}

// problems lists what is wrong in a bundle, where that is what went wrong.
func problems(err error) []wire.Detail {
	var several *policy.Failure
	if !errors.As(err, &several) {
		return nil
	}
	var all []wire.Detail
	for _, p := range several.List {
		all = append(all, wire.Detail{Code: p.Code, Detail: p.What, Why: p.Why, Fix: p.Fix, Where: wire.Place(p.Where)})
	}
	return all
}

func (a *api) refuse(w http.ResponseWriter, r *http.Request, p wire.Problem) {
	p.Instance = "urn:uuid:" + idOf(r.Context())
	if r.ProtoMajor == 1 && r.ContentLength != 0 {
		w.Header().Set("Connection", "close") // the body may not have been read
	}
	write(w, p.Status, wire.ProblemType, p)
}
