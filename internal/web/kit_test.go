package web

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/control/controltest"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

const (
	artifact  = controltest.Digest
	cleanScan = controltest.CleanScan
	badScan   = controltest.BadScan
	testRun   = controltest.Tests
	coverage  = controltest.Coverage
)

var organisation = controltest.Catalog("payments", "ci",
	controltest.Person{Handle: "ada", Teams: "payments", Groups: "release-approvers", Roles: "developer, approver"},
	controltest.Person{Handle: "grace", Groups: "release-approvers", Roles: "approver"},
	controltest.Person{Handle: "mary", Groups: "release-approvers, release-managers", Roles: "approver, release-manager, policy-author"},
	controltest.Person{Handle: "vera", Roles: "viewer"},
)

// house is the pages over a real control and journal.
type house struct {
	*control.Control
	t       *testing.T
	ctx     context.Context
	db      *store.DB
	handler http.Handler
	clock   *clock
	tokens  map[string]string // secrets, by whose they are
}

// clock is what a database's clock shows on SQLite: moved by hand.
type clock struct{ ahead time.Duration }

func (c *clock) now() time.Time { return time.Now().Add(c.ahead) }

// build is an empty house on SQLite, without an administrator.
func build(t *testing.T) *house {
	t.Helper()
	c := &clock{}
	db, err := store.Open(t.Context(), store.Options{Data: t.TempDir(), Now: c.now})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return raise(t, db, c)
}

func raise(t *testing.T, db *store.DB, c *clock) *house {
	t.Helper()
	o := controltest.Open(t, controltest.Options{DB: db, Views: true})
	h := &house{Control: o.Control, t: t, ctx: context.Background(), db: db, clock: c, tokens: map[string]string{}}
	var err error
	h.handler, err = New(Options{Control: h.Control, Views: o.Views, DB: db, Version: "test", Log: o.Log, Now: c.now})
	must(t, err)
	return h
}

// furnished is a house with an organisation, a policy and a token for everybody.
func furnished(t *testing.T) *house {
	t.Helper()
	h := build(t)
	h.furnish()
	return h
}

// furnishedOn is a furnished house on each engine.
func furnishedOn(t *testing.T, test func(t *testing.T, h *house)) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		h := raise(t, open(), &clock{})
		h.furnish()
		test(t, h)
	})
}

func (h *house) furnish() {
	h.t.Helper()
	root, err := h.CreateAdministrator(h.ctx, control.Founder{Handle: "root", Name: "Root Example", Email: "root@example.com"})
	must(h.t, err)
	h.tokens["root"] = root.Secret
	_, err = h.ImportCatalog(h.ctx, h.as("root"), "catalog.yaml", []byte(organisation))
	must(h.t, err)
	for _, handle := range []string{"ada", "grace", "mary", "vera"} {
		h.issue(handle, control.TokenRequest{Handle: handle, Life: 24 * time.Hour})
	}
	h.issue("ci", control.TokenRequest{Machine: "ci", Life: 24 * time.Hour})
	_, err = h.ActivatePolicy(h.ctx, h.as("mary"), control.PolicyRequest{Files: policy.Starter(), Reason: "first policy"})
	must(h.t, err)
}

func (h *house) issue(name string, q control.TokenRequest) string {
	h.t.Helper()
	issued, err := h.IssueToken(h.ctx, h.as("root"), q)
	must(h.t, err)
	h.tokens[name] = issued.Secret
	return issued.ID
}

func (h *house) as(who string) control.Request {
	h.t.Helper()
	actor, err := h.Authenticate(h.ctx, h.tokens[who])
	must(h.t, err)
	return control.Request{Actor: actor}
}

func (h *house) ask(version string) release.Decision {
	h.t.Helper()
	a, err := h.Ask(h.ctx, h.as("ci"), control.GateRequest{
		ReleaseRequest: control.ReleaseRequest{Service: "payments", Version: version, Digest: artifact, Size: "minor"}, Environment: "production",
	})
	must(h.t, err)
	return a.Decision
}

func (h *house) report(version, report string) {
	h.t.Helper()
	_, err := h.AddEvidence(h.ctx, h.as("ci"), control.EvidenceRequest{Service: "payments", Version: version, Digest: artifact}, strings.NewReader(report))
	must(h.t, err)
}

// prepare brings a release to where only approvals are missing.
func (h *house) prepare(version string) release.Decision {
	h.t.Helper()
	id := h.ask(version).Release
	must(h.t, h.AttachChange(h.ctx, h.as("ci"), id, change.Describe(change.Raw{
		From: strings.Repeat("a", 40), To: strings.Repeat("b", 40), FromRef: "v1.0.0", ToRef: version,
		Commits: []change.Commit{{ID: strings.Repeat("b", 40), Parents: 1, Author: change.Identity{Name: "Ada Example", Email: "ada@example.com"}, Committer: change.Identity{Name: "Ada Example", Email: "ada@example.com"}, Subject: "feat: pay"}},
		Files:   []change.File{{Path: "pay.go", Added: 10}},
	})))
	for _, r := range []string{cleanScan, testRun, coverage} {
		h.report(version, r)
	}
	return h.ask(version)
}

func (h *house) approve(d release.Decision, people ...string) {
	h.t.Helper()
	for _, p := range people {
		shown, err := h.Preview(h.ctx, h.as(p), d.Release, d.Environment)
		must(h.t, err)
		must(h.t, h.Vote(h.ctx, h.as(p), d.Release, control.Ballot{Environment: d.Environment, Answer: approval.Approve, Seen: shown.Digest}))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// browser is a client with cookies that says where its requests come from, as browsers do.
type browser struct {
	*http.Client
	t    *testing.T
	base string
}

func (h *house) browser(server *httptest.Server) *browser {
	h.t.Helper()
	jar, err := cookiejar.New(nil)
	must(h.t, err)
	return &browser{t: h.t, base: server.URL, Client: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (h *house) serve() *httptest.Server {
	server := httptest.NewServer(h.handler)
	h.t.Cleanup(server.Close)
	return server
}

// signedIn is a browser in which somebody has signed in.
func (h *house) signedIn(server *httptest.Server, who string) *browser {
	h.t.Helper()
	b := h.browser(server)
	if a := b.post("/signin", url.Values{"token": {h.tokens[who]}}); a.status != http.StatusSeeOther {
		h.t.Fatalf("%s cannot sign in: %d %s", who, a.status, a.body)
	}
	return b
}

// answer is a response, read.
type answer struct {
	status int
	header http.Header
	body   string
}

func (b *browser) get(path string) answer {
	b.t.Helper()
	return b.send(http.MethodGet, path, nil, map[string]string{"Sec-Fetch-Site": "same-origin"})
}

func (b *browser) post(path string, form url.Values) answer {
	b.t.Helper()
	return b.send(http.MethodPost, path, form, map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": b.base})
}

func (b *browser) send(method, path string, form url.Values, headers map[string]string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, strings.NewReader(form.Encode()))
	must(b.t, err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	response, err := b.Do(r)
	must(b.t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	must(b.t, err)
	return answer{status: response.StatusCode, header: response.Header, body: string(body)}
}

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
