package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/api"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/control/controltest"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
	"signalbox.dev/signalbox/internal/wire"
)

const digest = controltest.Digest

var (
	catalogFile = controltest.Catalog("shop", "pipeline",
		controltest.Person{Handle: "developer", Name: "Ada", Teams: "shop", Groups: "release-approvers", Roles: "developer"},
		controltest.Person{Handle: "approver", Name: "Ben", Groups: "release-approvers", Roles: "approver"},
		controltest.Person{Handle: "manager", Name: "Cid", Groups: "release-approvers, release-managers", Roles: "approver, release-manager, policy-author"},
		controltest.Person{Handle: "viewer", Name: "Dee", Roles: "viewer"},
		controltest.Person{Handle: "auditor", Name: "Eve", Roles: "auditor"},
	)
	reports = []string{controltest.CleanScan, controltest.Tests, controltest.Coverage}
)

// house is a server over real commands and a real journal, and a token for each principal.
type house struct {
	control *control.Control
	db      *store.DB
	url     string
	tokens  map[string]string // by principal; "" is nobody's
	log     *journalOfErrors
	later   atomic.Int64 // nanoseconds that the API's clock is ahead
	closing chan struct{}
}

// journalOfErrors keeps what is logged.
type journalOfErrors struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *journalOfErrors) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *journalOfErrors) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// empty is a house in which nobody has been set up.
func empty(t *testing.T, db *store.DB) *house {
	t.Helper()
	h := &house{db: db, tokens: map[string]string{"anonymous": ""}, log: &journalOfErrors{}, closing: make(chan struct{})}
	log := slog.New(slog.NewTextHandler(h.log, nil))
	o := controltest.Open(t, controltest.Options{DB: db, Views: true, Log: log})
	h.control = o.Control
	handler, err := api.New(api.Options{
		Control: h.control, Views: o.Views, Journal: o.Journal, Log: log, Version: "test", Metrics: http.NotFoundHandler(), Closing: h.closing,
		Backup: func(_ context.Context, w io.Writer) error { _, err := io.WriteString(w, "a backup"); return err },
		Now:    func() time.Time { return time.Now().Add(time.Duration(h.later.Load())) },
	})
	must(t, err)
	server := httptest.NewServer(handler)
	h.url = server.URL
	t.Cleanup(func() {
		close(h.closing)
		server.Close()
	})
	return h
}

func raise(t *testing.T, db *store.DB) *house {
	t.Helper()
	h := empty(t, db)
	ctx := t.Context()
	root, err := h.control.CreateAdministrator(ctx, control.Founder{Handle: "administrator", Name: "Root Example", Email: "root@example.com"})
	must(t, err)
	h.tokens["administrator"] = root.Secret
	as := h.client(t, "administrator")
	_, err = as.ImportCatalog(ctx, "catalog.yaml", []byte(catalogFile))
	must(t, err)
	for _, q := range []wire.TokenRequest{{Handle: "developer"}, {Handle: "approver"}, {Handle: "manager"}, {Handle: "viewer"}, {Handle: "auditor"}, {Machine: "pipeline"}} {
		q.Hours = 1
		issued, err := as.IssueToken(ctx, q)
		must(t, err)
		h.tokens[q.Handle+q.Machine] = issued.Secret
	}
	administrator, err := h.control.Authenticate(ctx, root.Secret)
	must(t, err)
	dead, err := h.control.IssueToken(ctx, control.Request{Actor: administrator}, control.TokenRequest{Handle: "manager", Life: time.Microsecond})
	must(t, err)
	h.tokens["expired"] = dead.Secret
	var files []wire.PolicyFile
	for _, f := range policy.Starter() {
		files = append(files, wire.PolicyFile{Name: f.Name, Data: string(f.Data)})
	}
	_, err = h.client(t, "manager").ActivatePolicy(ctx, wire.PolicyRequest{Files: files, Reason: "first policy"})
	must(t, err)
	return h
}

func each(t *testing.T, test func(t *testing.T, h *house)) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) { test(t, raise(t, open())) })
}

func sqlite(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Data: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func (h *house) client(t *testing.T, who string) *wire.Client {
	t.Helper()
	c, err := wire.New(wire.Options{Server: h.url, Token: h.tokens[who]})
	must(t, err)
	return c
}

// message is a raw request.
type message struct {
	method, path, body string
	header             map[string]string
	as                 string
}

// reply is a raw answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) problem(t *testing.T) wire.Problem {
	t.Helper()
	var p wire.Problem
	if r.header.Get("Content-Type") != wire.ProblemType {
		t.Fatalf("%d is no problem document: %s %s", r.status, r.header.Get("Content-Type"), r.body)
	}
	must(t, json.Unmarshal(r.body, &p))
	if p.Status != r.status || p.Code == "" || p.Detail == "" || !strings.HasPrefix(p.Instance, "urn:uuid:") {
		t.Errorf("incomplete: %s", r.body)
	}
	return p
}

// send sends a raw request; of an endless answer it reads only the beginning.
func (h *house) send(t *testing.T, m message) reply {
	t.Helper()
	if m.method == "" {
		m.method = http.MethodPost
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, m.method, h.url+m.path, strings.NewReader(m.body))
	must(t, err)
	if m.method == http.MethodPost {
		q.Header.Set("Content-Type", "application/json")
	}
	if s := h.tokens[m.as]; s != "" {
		q.Header.Set("Authorization", "Bearer "+s)
	}
	for k, v := range m.header {
		q.Header.Set(k, v)
	}
	r, err := http.DefaultTransport.RoundTrip(q)
	must(t, err)
	defer r.Body.Close()
	if r.Header.Get("Content-Type") == "text/event-stream" {
		return reply{status: r.StatusCode, header: r.Header}
	}
	b, err := io.ReadAll(r.Body)
	must(t, err)
	return reply{r.StatusCode, r.Header, b}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants fails unless err is of a kind and says its code.
func wants(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != kind || f.Code != code {
		t.Errorf("got %v, want %s %s", err, kind, code)
	}
}
