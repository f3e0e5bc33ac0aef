package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"

	"signalbox.dev/signalbox/internal/fault"
)

// frame is what every page shows around its content.
type frame struct {
	Title   string
	Style   string // paths of assets
	Script  string
	Icon    string
	Version string
	Visitor string // printed name; "" while nobody is signed in
	Refresh string // where the page goes by itself at once; "" is nowhere
	Stopped *stopped
}

// stopped is what every page says while everything is stopped.
type stopped struct {
	Since  time.Time
	By     string // printed name
	Reason string // "" where it was disposed of
}

func (s *site) frame(ctx context.Context, title string) frame {
	f := frame{
		Title: title, Version: s.version, Visitor: visitorOf(ctx).name,
		Style: s.assets.path("style.css"), Script: s.assets.path("page.js"), Icon: s.assets.path("icon.svg"),
	}
	if f.Visitor == "" && visitorOf(ctx).actor.Subject != "" {
		f.Visitor = "signed in"
	}
	return f
}

// reading is the frame of a page for whoever may read: it says whether
// everything is stopped.
func (s *site) reading(ctx context.Context, title string) (frame, error) {
	f := s.frame(ctx, title)
	stop, err := s.control.Stop(ctx)
	if err != nil || !stop.Stops() {
		return f, err
	}
	f.Stopped = &stopped{Since: stop.Since.Time(), By: "somebody"}
	if f.Stopped.Reason, err = s.control.StopReason(ctx, stop); err != nil {
		return f, err
	}
	id := strings.TrimPrefix(stop.By, "person/")
	names, err := s.views.Names(ctx, id)
	if name := names[id].Name; name != "" {
		f.Stopped.By = name
	}
	return f, err
}

// show sends a page whole, or nothing of it.
func show(ctx context.Context, w http.ResponseWriter, status int, page templ.Component) error {
	var b bytes.Buffer
	if err := page.Render(ctx, &b); err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the browser may be gone
	return nil
}

// errorPage says what went wrong, why, and what to do about it.
type errorPage struct {
	frame
	Status    int
	What      string
	Why       string
	Fix       string
	Code      string
	Reference string // under which the log knows an error of ours
}

// Heading is the error in a word or two.
func (p errorPage) Heading() string {
	switch p.Status {
	case http.StatusNotFound:
		return "Not found"
	case http.StatusForbidden:
		return "Not allowed"
	case http.StatusConflict:
		return "Changed meanwhile"
	case http.StatusTooManyRequests:
		return "Too many attempts"
	case http.StatusServiceUnavailable:
		return "Unavailable"
	case http.StatusUnauthorized:
		return "Not signed in"
	case http.StatusInternalServerError:
		return "Our mistake"
	}
	return "Not accepted"
}

// fail answers an error. What is not the caller's mistake is logged under a
// reference, and only the reference is shown.
func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return
	}
	p := s.problem(r, err)
	p.frame = s.frame(r.Context(), p.Heading())
	if p.Status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", fmt.Sprint(int(attemptsWithin.Seconds())))
	}
	if err := show(r.Context(), w, p.Status, showError(p)); err != nil {
		s.log.ErrorContext(r.Context(), "error page failed", "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
	}
}

func (s *site) problem(r *http.Request, err error) errorPage {
	var f *fault.Error
	if errors.As(err, &f) && f.Kind != fault.Internal {
		return errorPage{Status: fault.Status(f.Kind), What: f.What, Why: f.Why, Fix: f.Fix, Code: f.Code}
	}
	reference := rand.Text()[:12]
	s.log.ErrorContext(r.Context(), "page failed", "reference", reference, "path", r.URL.Path, "error", err)
	return errorPage{
		Status: http.StatusInternalServerError, What: "something failed on our side, and nothing was changed by this page",
		Fix: "try again; if it stays, tell whoever runs this server the reference", Code: "internal", Reference: reference,
	}
}

// unknown answers every other path, with the links of whoever is signed in.
func (s *site) unknown(w http.ResponseWriter, r *http.Request) error {
	v, _, err := s.visitor(r)
	if err != nil {
		return err
	}
	s.fail(w, r.WithContext(withVisitor(r.Context(), v)), fault.New(fault.NotFound, "web.unknown-page", "there is no such page").
		Because("nothing answers "+r.Method+" here").Remedy("look for the decision in the list"))
	return nil
}

// form is a request's form, bounded.
func form(r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return fault.New(fault.TooLarge, "web.form", "the form is larger than 64 KiB").Cause(err)
		}
		return fault.Invalidf("web.form", "the form cannot be read").Cause(err)
	}
	return nil
}
