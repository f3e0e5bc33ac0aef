package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/felixge/httpsnoop"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/api"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/publish"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/telemetry"
	"signalbox.dev/signalbox/internal/vault"
	"signalbox.dev/signalbox/internal/view"
	"signalbox.dev/signalbox/internal/watch"
	"signalbox.dev/signalbox/internal/web"
)

// Server is an installation that is open: its parts, ready to serve.
type Server struct {
	Control *control.Control
	Journal *journal.Journal
	Views   *view.Views
	Publish *publish.Publisher // nil: nothing is published
	DB      *store.DB

	options   Options
	originals *vault.Vault
	telemetry *telemetry.Telemetry
	teardown  []closer
	running   sync.WaitGroup
	ballast   []byte        // see Open
	closing   chan struct{} // closed when the server stops: subscriptions end
	stopping  sync.Once
}

// closer is a part that must be closed, and its name for the error.
type closer struct {
	name  string
	close func() error
}

// Open opens the installation. Close it, also where Open of something later failed.
func Open(ctx context.Context, o Options) (*Server, error) {
	o = o.withDefaults()
	// Garbage is collected when the heap has doubled. A server keeps a few MiB, and would
	// do little else under load: this counts as heap, and takes no memory while nobody touches it.
	s := &Server{options: o, closing: make(chan struct{}), ballast: make([]byte, 64<<20)}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) open(ctx context.Context) error {
	o := s.options
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return fault.Invalidf("server.data", "the data directory %s cannot be made", o.Data).Cause(err).Because(err.Error()).On("--data")
	}
	db, err := store.Open(ctx, store.Options{Data: o.Data, Database: o.Database, Log: o.Log})
	if err != nil {
		return err
	}
	s.DB = db
	s.closes("database", db.Close)
	origin, begun, err := journal.Begin(ctx, db)
	if err != nil {
		return err
	}
	keys, err := s.keys(origin, !begun)
	if err != nil {
		return err
	}
	if err := s.measure(ctx); err != nil {
		return err
	}
	s.Views = view.New(db)
	quorum, err := o.Publish.quorum()
	if err != nil {
		return err
	}
	s.Journal, err = journal.Open(ctx, journal.Options{
		DB: db, Shapes: control.Shapes(), Folders: folders(s.Views), Signer: keys.Signer(), Signers: keys.Signers, Quorum: quorum, Logger: o.Log, Appended: s.appended,
		Progress: func(task string, done, total uint64) { o.Log.Info("working", "task", task, "done", done, "of", total) },
	})
	if err != nil {
		return err
	}
	s.closes("journal", s.Journal.Close)
	if s.originals, err = s.vault(ctx, origin); err != nil {
		return err
	}
	read, err := s.repositories()
	if err != nil {
		return err
	}
	s.Control = &control.Control{Journal: s.Journal, Vault: s.originals, Keys: keys, Log: o.Log, Changes: read.reader(), TZData: tzdata(), Bundles: o.Bundles, Decided: s.decided}
	if err := s.Control.CheckKeys(ctx); err != nil {
		return err
	}
	if err := s.publisher(ctx, quorum); err != nil {
		return err
	}
	if err := s.Control.RecheckPolicy(ctx); err != nil {
		return err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.running.Go(func() { s.ended("checkpoints", s.Journal.RunCheckpoints(background)) })
	s.running.Go(func() { s.ended("timers", s.timers().Run(background)) })
	if s.Publish != nil {
		s.running.Go(func() { s.ended("publishing", s.Publish.Run(background)) })
	}
	s.closes("background tasks", func() error { stop(); s.running.Wait(); return nil })
	if m := read.mirrors; m != nil {
		s.running.Go(func() { s.ended("mirrors", m.Run(background)) })
		s.closes("mirrors", m.Close)
	}
	return nil
}

// timers are the tasks that are due by themselves.
func (s *Server) timers() *watch.Watch {
	return &watch.Watch{DB: s.DB, Log: s.options.Log, Tasks: []watch.Task{
		{Name: "vault/sweep", Every: 24 * time.Hour, Retry: time.Hour, Do: func(ctx context.Context) error {
			_, err := s.Control.SweepVault(ctx, control.Request{Actor: access.System("timer")}, false)
			return err
		}},
	}}
}

// folders are the views as the journal knows them.
func folders(v *view.Views) []journal.Folder {
	var all []journal.Folder
	for _, f := range v.Folders() {
		all = append(all, f)
	}
	return all
}

func (s *Server) closes(name string, close func() error) {
	s.teardown = append(s.teardown, closer{name, close})
}

func (s *Server) ended(task string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		s.options.Log.Error("a background task ended", "task", task, "error", err)
	}
}

// Close closes what Open opened, the last first.
func (s *Server) Close() error {
	var errs []error
	for _, part := range slices.Backward(s.teardown) {
		if err := part.close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", part.name, err))
		}
	}
	s.teardown = nil
	return errors.Join(errs...)
}

// Handler is everything that is served: the API and the pages.
func (s *Server) Handler() (http.Handler, error) {
	calls, err := api.New(api.Options{Control: s.Control, Views: s.Views, Journal: s.Journal, Log: s.options.Log, Version: Version, Backup: s.backup, Metrics: s.telemetry.Metrics(), Closing: s.closing, Published: s.published})
	if err != nil {
		return nil, err
	}
	pages, err := web.New(web.Options{
		Control: s.Control, Views: s.Views, DB: s.DB, Log: s.options.Log, Version: Version,
		TLS: s.options.tls() || s.options.BehindProxy,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for _, path := range []string{"/api/", "/livez", "/readyz", "/version", "/metrics", "/openapi.json"} {
		mux.Handle(path, calls)
	}
	mux.Handle("/", pages)
	if s.options.BehindProxy {
		return behindProxy(s.telemetry.Around(mux)), nil
	}
	return s.telemetry.Around(mux), nil
}

// Listening is a server that answers.
type Listening struct {
	URL  string
	Done <-chan error // one value, when it has stopped

	http     *http.Server
	server   *Server
	draining *atomic.Bool
}

// Listen serves until Shutdown.
func (s *Server) Listen(ctx context.Context) (*Listening, error) {
	return s.listen(ctx, func(string) error { return nil })
}

// listen serves until Shutdown, once what has to stand before the first answer
// is prepared; whoever calls meanwhile waits.
func (s *Server) listen(ctx context.Context, prepare func(url string) error) (*Listening, error) {
	if err := s.options.check(); err != nil {
		return nil, err
	}
	handler, err := s.Handler()
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.options.Listen)
	if err != nil {
		return nil, fault.New(fault.Conflict, "server.listen", "cannot listen on "+s.options.Listen).Because(err.Error()).Remedy("choose another address with --listen").Cause(err)
	}
	if err := prepare(s.options.url(l.Addr())); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	var draining atomic.Bool
	h := &http.Server{
		Handler: s.logged(departing(&draining, handler)), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	done := make(chan error, 1)
	go func() {
		if s.options.tls() {
			done <- h.ServeTLS(l, s.options.TLSCert, s.options.TLSKey)
		} else {
			done <- h.Serve(l)
		}
	}()
	return &Listening{URL: s.options.url(l.Addr()), Done: done, http: h, server: s, draining: &draining}, nil
}

// departing ends each connection with its next answer once the server drains:
// a connection that is kept could be closed under a request on its way.
func departing(draining *atomic.Bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// logged logs each request where that is asked for. The query is left out: a
// link may carry a code.
func (s *Server) logged(next http.Handler) http.Handler {
	log := s.options.Log
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !log.Enabled(r.Context(), slog.LevelDebug) {
			next.ServeHTTP(w, r)
			return
		}
		m := httpsnoop.CaptureMetrics(next, w, r)
		log.Debug("request", "reference", w.Header().Get("X-Request-Id"), "method", r.Method, "path", r.URL.Path, "status", m.Code, "bytes", m.Written, "took", m.Duration)
	})
}

// Shutdown ends subscriptions, says for as long as Options.Drain that the server
// is not ready while it still answers, so that whoever distributes requests
// sends them elsewhere, and then lets those under way finish, for at most ten seconds.
func (l *Listening) Shutdown(ctx context.Context) error {
	l.draining.Store(true)
	l.server.stopping.Do(func() { close(l.server.closing) })
	time.Sleep(l.server.options.Drain)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := l.http.Shutdown(ctx); err != nil {
		return errors.Join(err, l.http.Close())
	}
	return nil
}
