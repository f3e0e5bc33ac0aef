// Package api is the REST interface: it decodes strictly, says who asks, calls
// one command or one query, and encodes the answer in the structs of wire.
//
// It holds no rule: what may be done is control's to say, and a right that an
// operation declares here only refuses earlier what control would refuse. Its
// invariant: every operation declares the right it takes or that it is public,
// and every error leaves through one function, which shows what the caller can
// act on and only a reference to everything else.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/view"
	"signalbox.dev/signalbox/internal/wire"
)

// Options say what the API stands on. Control, Views and Journal are needed.
type Options struct {
	Control *control.Control
	Views   *view.Views
	Journal *journal.Journal
	Log     *slog.Logger                           // nil discards
	Version string                                 // of this build
	Now     func() time.Time                       // nil is time.Now; for rate limits and lists, never for decisions
	Backup  func(context.Context, io.Writer) error // nil: none is taken over the API
	Metrics http.Handler                           // what Prometheus reads; nil: nothing is measured
	Closing <-chan struct{}                        // closed when the server stops: ends subscriptions; nil never

	Published func(context.Context) ([]wire.Check, error) // how witnesses and places of checkpoints stand; nil: there are none
}

// api is the handler: operations on one mux.
type api struct {
	Options
	mux      *http.ServeMux
	document *huma.OpenAPI
	openAPI  []byte
	failures *limiter // failed authentications, by address
	setups   *limiter // tries at the first administrator, by address
	streams  chan struct{}
	heavies  chan struct{}

	readiness *readiness
}

// Bounds of what is open at once: subscriptions; large uploads, which are held
// in memory, exports, and policies that are replayed or looked over.
const (
	maxStreams = 1000
	maxHeavies = 4
)

// New is the handler of everything under /api/v1, and of health, version and
// the description. It fails where an operation declares no right.
func New(o Options) (http.Handler, error) {
	a, err := build(o)
	if err != nil {
		return nil, err
	}
	return a, nil
}

// OpenAPI is the description of the API, OpenAPI 3.1, generated from the operations.
func OpenAPI() ([]byte, error) {
	a, err := build(Options{Version: "v1"})
	if err != nil {
		return nil, err
	}
	return a.openAPI, nil
}

func build(o Options) (*api, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &api{
		Options: o, mux: http.NewServeMux(), streams: make(chan struct{}, maxStreams), heavies: make(chan struct{}, maxHeavies),
		failures: newLimiter(20, time.Minute, o.Now), setups: newLimiter(5, time.Minute, o.Now),
	}
	a.readiness = a.newReadiness()
	h := huma.NewAPI(description(), humago.NewAdapter(a.mux, ""))
	a.document = h.OpenAPI()
	for _, p := range a.operations() {
		if err := a.register(h, p); err != nil {
			return nil, err
		}
	}
	loosen(a.document)
	document, err := json.MarshalIndent(a.document, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the description of the API: %w", err)
	}
	a.openAPI = append(document, '\n')
	return a, nil
}

// description is the document without its operations. Nothing is served by
// huma itself: no page that loads from elsewhere, no links to schemas.
func description() huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Signalbox", Version: "v1",
				Description: "The release control plane: ask the gate, prove the answer. Errors are problem documents (RFC 9457). " +
					"A POST with an Idempotency-Key acts once, however often it is sent.",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token": {Type: "http", Scheme: "bearer", Description: "A token of a person or a machine"},
				},
			},
		},
	}
}

// operations is every operation there is.
func (a *api) operations() []operation {
	var all []operation
	for _, some := range [][]operation{
		a.decisions(), a.releases(), a.approvals(), a.evidence(), a.freezes(), a.halts(), a.policies(), a.drafts(), a.catalogues(),
		a.deployments(), a.tokens(), a.people(), a.proofs(), a.vault(), a.upkeep(), a.subscriptions(), a.health(),
	} {
		all = append(all, some...)
	}
	return all
}

// ServeHTTP answers one request.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := control.NewID()
	h := w.Header()
	h.Set("X-Request-Id", id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	asked := r
	r = r.WithContext(withID(r.Context(), id))
	defer a.recovered(w, r)
	handler, pattern := a.mux.Handler(r)
	asked.Pattern = pattern // for whoever measures
	if pattern == "" {
		a.unrouted(w, r, handler)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// recovered answers a panic like any error of ours.
func (a *api) recovered(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler)
	}
	a.fail(w, r, fmt.Errorf("panic: %v", p))
}

// unrouted answers what no operation fits: 404, or 405 with the methods there are.
func (a *api) unrouted(w http.ResponseWriter, r *http.Request, mux http.Handler) {
	var told probe
	mux.ServeHTTP(&told, r)
	p := wire.Problem{
		Type: "about:blank", Title: "Not found", Status: http.StatusNotFound, Kind: "not-found", Code: "api.no-route",
		Detail: "there is nothing at this path", Fix: "GET /openapi.json lists what there is",
	}
	if told.status == http.StatusMethodNotAllowed {
		allow := told.Header().Get("Allow")
		w.Header().Set("Allow", allow)
		p.Title, p.Status, p.Kind, p.Code = "Method not allowed", told.status, "invalid", "api.method"
		p.Detail, p.Fix = r.Method+" is not possible here", "use "+allow
	}
	a.refuse(w, r, p)
}

// probe learns what the mux would answer.
type probe struct {
	header http.Header
	status int
}

// Header is what the mux sets.
func (p *probe) Header() http.Header {
	if p.header == nil {
		p.header = http.Header{}
	}
	return p.header
}

// Write discards the mux's text.
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader keeps the status.
func (p *probe) WriteHeader(status int) { p.status = status }

// Needs of operations other than a right.
const (
	public   access.Right = "public"    // no token
	signedIn access.Right = "signed-in" // any token; the command says what else
)
