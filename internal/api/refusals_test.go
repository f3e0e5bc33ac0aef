package api_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/wire"
)

const freeze = `{"name":"summer","reason":"holidays"}`

// What is not exactly right is refused, with the place.
func TestStrictBodies(t *testing.T) {
	h := raise(t, sqlite(t))
	if r := h.send(t, message{path: "/api/v1/freezes", body: freeze, as: "manager"}); r.status != 200 {
		t.Fatalf("the request itself: %d %s", r.status, r.body)
	}
	for name, body := range map[string]string{
		"empty":            ``,
		"not JSON":         `name=summer`,
		"cut":              `{"name":"summer"`,
		"trailing":         freeze + `{}`,
		"twice":            `{"name":"a","name":"summer","reason":"r"}`,
		"unknown field":    `{"name":"summer","reason":"r","admin":true}`,
		"wrong case":       `{"Name":"summer","reason":"r"}`,
		"unknown within":   `{"name":"summer","reason":"r","scope":{"service":["a"]}}`,
		"wrong type":       `{"name":7,"reason":"r"}`,
		"a list":           `[` + freeze + `]`,
		"byte order mark":  "\ufeff" + freeze,
		"lone surrogate":   `{"name":"\ud800","reason":"r"}`,
		"invalid UTF-8":    "{\"name\":\"\xff\",\"reason\":\"r\"}",
		"not a number":     `{"name":"summer","reason":"r","scope":{"tiers":[NaN]}}`,
		"a huge number":    `{"name":"summer","reason":"r","scope":{"tiers":[1e400]}}`,
		"not an instant":   `{"name":"summer","reason":"r","until":"tomorrow"}`,
		"very deep":        `{"name":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `,"reason":"r"}`,
		"a comment":        `{"name":"summer",/* hm */"reason":"r"}`,
		"a trailing comma": `{"name":"summer","reason":"r",}`,
	} {
		r := h.send(t, message{path: "/api/v1/freezes", body: body, as: "manager"})
		if p := r.problem(t); r.status != 422 || p.Code != "json.invalid" || p.Why == "" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	r := h.send(t, message{path: "/api/v1/freezes", body: "{\n  \"name\": \"x\",\n  \"admin\": true}", as: "manager"})
	if p := r.problem(t); p.Field != "/admin" || p.Where.Line != 3 {
		t.Errorf("the place: field %q, line %d", p.Field, p.Where.Line)
	}
	for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""} {
		r := h.send(t, message{path: "/api/v1/freezes", body: freeze, as: "manager", header: map[string]string{"Content-Type": media}})
		if r.status != http.StatusUnsupportedMediaType {
			t.Errorf("%q: %d", media, r.status)
		}
	}
}

func TestQueries(t *testing.T) {
	h := raise(t, sqlite(t))
	page, err := h.client(t, "viewer").People(t.Context(), wire.Paging{Limit: 1})
	must(t, err)
	for name, query := range map[string]string{
		"unknown": "?page=2", "twice": "?limit=1&limit=2", "zero": "?limit=0", "too many": "?limit=201", "negative": "?limit=-1", "word": "?limit=ten",
		"no cursor": "?cursor=abc", "of another list": "?cursor=" + page.Next, "tampered": "?cursor=" + page.Next[:8] + "AAAA", "semicolon": "?a=b;c=d", "escape": "?a=%zz",
	} {
		if r := h.send(t, message{method: "GET", path: "/api/v1/releases" + query, as: "viewer"}); r.status != 422 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	for path, want := range map[string]int{
		"/api/v1/people?limit=1&cursor=" + page.Next: 200, "/api/v1/decisions?verdict=maybe": 422, "/api/v1/decisions?verdict=no-go": 200,
		"/api/v1/freezes?all=yes": 422, "/api/v1/freezes?all=true": 200, "/api/v1/changes?after=999999": 422, "/api/v1/evidence": 422,
		"/api/v1/evidence?digest=sha256:zz": 422, "/api/v1/journal/proof?position=-1": 422, "/api/v1/journal/proof?position=5&size=5": 404,
		"/api/v1/journal/proof?position=1&size=99999": 404, "/api/v1/journal/consistency?from=0&to=1": 422, "/api/v1/facts?from=18446744073709551615": 422,
		"/api/v1/facts?from=1000000": 200, "/api/v1/releases/..%2f..%2fpeople": 404, "/api/v1/releases/%00": 404, "/api/v1/permits/%ff": 404,
	} {
		if r := h.send(t, message{method: "GET", path: path, as: "viewer"}); r.status != want {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
}

func TestTooLarge(t *testing.T) {
	h := raise(t, sqlite(t))
	r := h.send(t, message{path: "/api/v1/freezes", body: `{"name":"` + strings.Repeat("a", 2<<20) + `"}`, as: "manager"})
	if p := r.problem(t); r.status != 413 || p.Code != "request.too-large" {
		t.Errorf("%d %s", r.status, p.Code)
	}
	q, err := http.NewRequestWithContext(t.Context(), "POST", h.url+"/api/v1/freezes", http.NoBody)
	must(t, err)
	q.Body, q.ContentLength = endless{}, -1
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer "+h.tokens["manager"])
	answer, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		return // the line was cut: refused as well
	}
	defer answer.Body.Close()
	if answer.StatusCode != 413 {
		t.Errorf("without a length: %d", answer.StatusCode)
	}
}

// endless is a body that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func (endless) Close() error { return nil }

func TestRoutes(t *testing.T) {
	h := raise(t, sqlite(t))
	for path, want := range map[string]int{"/api/v1/nothing": 404, "/api/v2/gate": 404, "/": 404, "/docs": 404, "/openapi-3.0.json": 404, "/schemas/Decision": 404} {
		if r := h.send(t, message{method: "GET", path: path}); r.status != want || r.problem(t).Kind != "not-found" {
			t.Errorf("%s: %d", path, r.status)
		}
	}
	for _, m := range []message{{method: "GET", path: "/api/v1/gate"}, {method: "DELETE", path: "/api/v1/releases"}, {method: "PUT", path: "/livez"}, {method: "PATCH", path: "/api/v1/freezes"}} {
		r := h.send(t, m)
		if r.status != 405 || r.header.Get("Allow") == "" || r.problem(t).Code != "api.method" {
			t.Errorf("%s %s: %d %s", m.method, m.path, r.status, r.body)
		}
	}
	r := h.send(t, message{method: "GET", path: "/livez"})
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Referrer-Policy": "no-referrer",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// No page of another site makes a browser do anything here.
func TestCrossSite(t *testing.T) {
	h := raise(t, sqlite(t))
	for name, header := range map[string]map[string]string{
		"cookie":       {"Cookie": "signalbox=abc"},
		"cross-site":   {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
		"other origin": {"Origin": "https://evil.example"},
	} {
		for _, path := range []string{"/api/v1/freezes", "/api/v1/setup", "/api/v1/tokens"} {
			if r := h.send(t, message{path: path, body: freeze, header: header}); r.status != 403 {
				t.Errorf("%s to %s: %d", name, path, r.status)
			}
		}
	}
	if r := h.send(t, message{path: "/api/v1/freezes", body: freeze}); r.status != 401 {
		t.Errorf("a plain request without a token: %d", r.status)
	}
	if r := h.send(t, message{method: "GET", path: "/api/v1/me", header: map[string]string{"Cookie": "signalbox=" + h.tokens["manager"]}}); r.status != 401 {
		t.Errorf("a cookie read: %d", r.status)
	}
	if r := h.send(t, message{method: "GET", path: "/api/v1/me", header: map[string]string{"Authorization": "Basic " + h.tokens["manager"]}}); r.status != 401 || r.header.Get("WWW-Authenticate") == "" {
		t.Errorf("basic: %d", r.status)
	}
}

// Refused tokens are counted by address; good ones are not held up by them.
func TestRefusedTokensAreCounted(t *testing.T) {
	h := raise(t, sqlite(t))
	counted := map[int]int{}
	for range 30 {
		r := h.send(t, message{method: "GET", path: "/api/v1/me", as: "expired"})
		if counted[r.status]++; r.status == 429 {
			if after, err := strconv.Atoi(r.header.Get("Retry-After")); err != nil || after < 1 {
				t.Fatalf("Retry-After: %q", r.header.Get("Retry-After"))
			}
		}
	}
	if counted[401] != 20 || counted[429] != 10 {
		t.Errorf("answers: %v", counted)
	}
	if r := h.send(t, message{method: "GET", path: "/api/v1/me", as: "viewer"}); r.status != 200 {
		t.Errorf("a good token: %d", r.status)
	}
	h.later.Add(int64(time.Minute))
	if r := h.send(t, message{method: "GET", path: "/api/v1/me", as: "expired"}); r.status != 401 {
		t.Errorf("a minute later: %d", r.status)
	}
}

// Errors of ours show a reference and nothing else; the log has the rest.
func TestOursAreHidden(t *testing.T) {
	h := raise(t, sqlite(t))
	must(t, h.db.Close())
	r := h.send(t, message{method: "GET", path: "/api/v1/releases", as: "viewer"})
	p := r.problem(t)
	if r.status != 500 || p.Kind != "internal" || strings.Contains(string(r.body), "sql") || strings.Contains(string(r.body), "closed") {
		t.Errorf("%d %s", r.status, r.body)
	}
	reference := strings.TrimPrefix(p.Instance, "urn:uuid:")
	if log := h.log.String(); !strings.Contains(log, reference) || !strings.Contains(log, "closed") {
		t.Errorf("the log does not tell of %s: %s", reference, log)
	}
	if strings.Contains(h.log.String(), "sbx_") {
		t.Error("a token stands in the log")
	}
	if r := h.send(t, message{method: "GET", path: "/readyz"}); r.status != 503 || r.header.Get("Retry-After") == "" {
		t.Errorf("readyz: %d %s", r.status, r.body)
	}
	if r := h.send(t, message{method: "GET", path: "/livez"}); r.status != 200 {
		t.Errorf("livez: %d", r.status)
	}
}

// The same key with the same request acts once; with another it is refused.
func TestIdempotency(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		keyed := func(as, key, path, body string) reply {
			return h.send(t, message{path: path, body: body, as: as, header: map[string]string{wire.KeyHeader: key}})
		}
		first, again := keyed("manager", "k1", "/api/v1/freezes", freeze), keyed("manager", "k1", "/api/v1/freezes", freeze)
		if first.status != 200 || string(first.body) != string(again.body) {
			t.Errorf("first %d %s\nagain %d %s", first.status, first.body, again.status, again.body)
		}
		if r := keyed("manager", "k1", "/api/v1/freezes", `{"name":"winter","reason":"holidays"}`); r.status != 409 || r.problem(t).Code != "command.reused" {
			t.Errorf("another request: %d %s", r.status, r.body)
		}
		if r := keyed("manager", "k2", "/api/v1/freezes", freeze); r.status != 409 || r.problem(t).Code != "freeze.exists" {
			t.Errorf("another key: %d %s", r.status, r.body)
		}
		if r := keyed("manager", strings.Repeat("k", 256), "/api/v1/freezes", freeze); r.status != 422 {
			t.Errorf("a long key: %d", r.status)
		}
		gate := `{"service":"shop","version":"v1","digest":"` + digest + `","environment":"production"}`
		if a, b := keyed("pipeline", "k1", "/api/v1/gate", gate), keyed("pipeline", "k1", "/api/v1/gate", gate); a.status != 200 || string(a.body) != string(b.body) {
			t.Errorf("the gate, with the key that another subject used:\n%s\n%s", a.body, b.body)
		}
		issued, repeated := keyed("viewer", "t", "/api/v1/tokens", `{"hours":1}`), keyed("viewer", "t", "/api/v1/tokens", `{"hours":1}`)
		if !strings.Contains(string(issued.body), "sbx_api_") || repeated.status != 200 || strings.Contains(string(repeated.body), "sbx_") {
			t.Errorf("a repeated token: %s %s", issued.body, repeated.body)
		}
	})
}

func TestSetup(t *testing.T) {
	h := empty(t, sqlite(t))
	offer, err := h.control.OfferSetup(t.Context())
	must(t, err)
	nobody := h.client(t, "anonymous")
	who := wire.SetupRequest{Code: "sbx_setup_wrong", Handle: "root", Name: "Root Example", Email: "root@example.com"}
	_, err = nobody.Setup(t.Context(), who)
	wants(t, err, fault.Unauthorised, "access.token")
	who.Code = offer.Secret
	issued, err := nobody.Setup(t.Context(), who)
	must(t, err)
	h.tokens["root"] = issued.Secret
	me, err := h.client(t, "root").Me(t.Context())
	must(t, err)
	if me.Handle != "root" || me.Name != "Root Example" || me.Expires.IsZero() || !strings.HasPrefix(me.Subject, "person/") {
		t.Errorf("me: %+v", me)
	}
	_, err = nobody.Setup(t.Context(), who)
	wants(t, err, fault.Unauthorised, "access.token")
	limited := false
	for range 5 {
		limited = limited || h.send(t, message{path: "/api/v1/setup", body: `{"code":"x","handle":"a","name":"b","email":"c@example.com"}`}).status == 429
	}
	if !limited {
		t.Error("setting up is not limited")
	}
	_, err = h.control.OfferSetup(t.Context())
	wants(t, err, fault.Conflict, "setup.done")
}

// A token that is revoked, or whose holder departs, is dead at once.
func TestRightsEndAtOnce(t *testing.T) {
	h := raise(t, sqlite(t))
	root := h.client(t, "administrator")
	me, err := h.client(t, "viewer").Me(t.Context())
	must(t, err)
	_, err = root.RevokeToken(t.Context(), me.Token, wire.Reasoned{Reason: "lost"})
	must(t, err)
	_, err = h.client(t, "viewer").Me(t.Context())
	wants(t, err, fault.Unauthorised, "access.token")
	_, err = root.RevokeRole(t.Context(), wire.RoleRequest{Handle: "manager", Role: "policy-author", Reason: "moved on"})
	must(t, err)
	_, err = h.client(t, "manager").ActivatePolicy(t.Context(), wire.PolicyRequest{Reason: "x"})
	wants(t, err, fault.Forbidden, "access.missing-right")
	_, err = root.Depart(t.Context(), "manager", wire.Reasoned{Reason: "left"})
	must(t, err)
	_, err = h.client(t, "manager").Me(t.Context())
	wants(t, err, fault.Unauthorised, "access.token")
	_, err = root.GrantRole(t.Context(), wire.RoleRequest{Handle: "administrator", Role: "approver", Reason: "me"})
	wants(t, err, fault.Forbidden, "access.own-grant")
}
