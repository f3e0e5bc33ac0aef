// Package web knows the pages: the decision with all its reasons, and what a
// person needs to reach it. Every page is complete without JavaScript.
//
// It leaves every rule and every change to control, which it calls as any other
// way in does, and every list to view. Its own table holds browser sessions, on
// which no decision rests. Invariant: a GET changes nothing; a POST acts only
// when it comes from a page of this same origin; a right that was taken is gone
// with the next request.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/view"
)

// Options are what pages stand on; Log and Now have defaults.
type Options struct {
	Control *control.Control
	Views   *view.Views
	DB      *store.DB
	TLS     bool   // the browser speaks TLS, to us or to a proxy before us
	Version string // of this program, printed at the foot of pages
	Log     *slog.Logger
	Now     func() time.Time // the clock of rate limits
}

// site serves the pages.
type site struct {
	control  *control.Control
	views    *view.Views
	db       *store.DB
	sessions sessions
	attempts *attempts
	assets   assets
	version  string
	log      *slog.Logger
}

// New is the handler of all pages and their assets.
func New(o Options) (http.Handler, error) {
	if o.Control == nil || o.DB == nil || o.Views == nil {
		return nil, errors.New("web: Control, Views and DB are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	files, err := loadAssets()
	if err != nil {
		return nil, err
	}
	s := &site{
		control: o.Control, views: o.Views, db: o.DB, assets: files, version: o.Version, log: o.Log,
		sessions: sessions{db: o.DB, now: o.Control.Now, secure: o.TLS}, attempts: newAttempts(o.Now),
	}
	return headers(s.sameOrigin(s.routes())), nil
}

func (s *site) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /assets/", s.assets)
	mux.Handle("GET /setup", s.page(s.showSetup))
	mux.Handle("POST /setup", s.page(s.setup))
	mux.Handle("GET /signin", s.page(s.showSignIn))
	mux.Handle("POST /signin", s.page(s.signIn))
	mux.Handle("POST /signout", s.page(s.signOut))
	mux.Handle("GET /{$}", s.signed(s.showDecisions))
	mux.Handle("GET /decisions", s.signed(s.showDecisions))
	mux.Handle("GET /decisions/{id}", s.signed(s.showDecision))
	mux.Handle("GET /decisions/{id}/permit.json", s.signed(s.downloadPermit))
	mux.Handle("POST /decisions/{id}/votes", s.signed(s.vote))
	mux.Handle("/", s.page(s.unknown))
	return mux
}

// visitor is the person who looks at a page.
type visitor struct {
	actor access.Actor
	name  string
}

// page answers what fn fails with.
func (s *site) page(fn func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := fn(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// signed is a page for whoever is signed in; others are sent to sign in, and
// back to where they were when they only wanted to look.
func (s *site) signed(fn func(http.ResponseWriter, *http.Request, visitor) error) http.Handler {
	return s.page(func(w http.ResponseWriter, r *http.Request) error {
		v, known, err := s.visitor(r)
		if err != nil {
			return err
		}
		if !known {
			http.Redirect(w, r, signInPath(r), http.StatusSeeOther)
			return nil
		}
		r = r.WithContext(withVisitor(r.Context(), v))
		if err := fn(w, r, v); err != nil {
			s.fail(w, r, err)
		}
		return nil
	})
}

type visitorKey struct{}

func withVisitor(ctx context.Context, v visitor) context.Context {
	return context.WithValue(ctx, visitorKey{}, v)
}

func visitorOf(ctx context.Context) visitor {
	v, _ := ctx.Value(visitorKey{}).(visitor)
	return v
}

// maxForm bounds a form's bytes.
const maxForm = 64 << 10
