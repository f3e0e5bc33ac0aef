package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/verify"
)

// facts is how many facts the journal has, and sessions how many rows the table.
func (h *house) counts() (facts uint64, sessions int) {
	h.t.Helper()
	facts, err := h.Journal.Size(h.ctx)
	must(h.t, err)
	must(h.t, h.db.ReadTx(h.ctx, func(tx *store.Tx) error {
		return tx.QueryRow(h.ctx, "SELECT count(*) FROM sessions").Scan(&sessions)
	}))
	return facts, sessions
}

func contains(t *testing.T, a answer, status int, wants ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d: %s", a.status, status, a.body)
	}
	for _, want := range wants {
		if !strings.Contains(a.body, want) {
			t.Errorf("the page does not say %q:\n%s", want, a.body)
		}
	}
}

func TestSignInAndOut(t *testing.T) {
	furnishedOn(t, func(t *testing.T, h *house) {
		server := h.serve()
		d := h.ask("v1.1.0")
		b := h.browser(server)
		if a := b.get("/decisions/" + d.ID); a.status != http.StatusSeeOther || a.header.Get("Location") != "/signin?next=%2Fdecisions%2F"+d.ID {
			t.Fatalf("a stranger gets %d to %q", a.status, a.header.Get("Location"))
		}
		contains(t, b.get("/signin?next=/decisions/"+d.ID), http.StatusOK, `name="next" value="/decisions/`+d.ID+`"`)
		a := b.post("/signin", url.Values{"token": {" " + h.tokens["vera"] + "\n"}, "next": {"/decisions/" + d.ID}})
		if a.status != http.StatusSeeOther || a.header.Get("Location") != "/decisions/"+d.ID {
			t.Fatalf("%d to %q", a.status, a.header.Get("Location"))
		}
		contains(t, b.get("/decisions/"+d.ID), http.StatusOK, "cannot tell", "Vera Example", "payments", "The change is known in full")
		if a := b.get("/signin?next=/decisions"); a.status != http.StatusSeeOther {
			t.Errorf("signed in, the sign-in page answers %d", a.status)
		}
		kept := b.cookie()
		if a := b.post("/signout", nil); a.status != http.StatusSeeOther || !strings.Contains(a.header.Get("Set-Cookie"), "Max-Age=0") {
			t.Errorf("sign out: %d %v", a.status, a.header)
		}
		if _, sessions := h.counts(); sessions != 0 {
			t.Errorf("%d sessions are left", sessions)
		}
		again := h.browser(server)
		again.setCookie(kept)
		if a := again.get("/decisions"); a.status != http.StatusSeeOther {
			t.Errorf("the old cookie still opens pages: %d", a.status)
		}
	})
}

func (b *browser) cookie() string {
	b.t.Helper()
	u, err := url.Parse(b.base)
	must(b.t, err)
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == "signalbox" {
			return c.Value
		}
	}
	return ""
}

func (b *browser) setCookie(value string) {
	b.t.Helper()
	u, err := url.Parse(b.base)
	must(b.t, err)
	b.Jar.SetCookies(u, []*http.Cookie{{Name: "signalbox", Value: value, Path: "/"}})
}

// A session that somebody planted before sign-in is worth nothing after it.
func TestSessionFixation(t *testing.T) {
	h := furnished(t)
	server := h.serve()
	b := h.browser(server)
	b.setCookie("planted")
	b.post("/signin", url.Values{"token": {h.tokens["vera"]}})
	first := b.cookie()
	if first == "planted" || len(first) != 43 {
		t.Fatalf("the cookie is %q", first)
	}
	b.post("/signin", url.Values{"token": {h.tokens["grace"]}})
	if b.cookie() == first {
		t.Error("a second sign-in kept the session's secret")
	}
	for _, old := range []string{"planted", first} {
		thief := h.browser(server)
		thief.setCookie(old)
		if a := thief.get("/decisions"); a.status != http.StatusSeeOther {
			t.Errorf("the old cookie opens pages: %d", a.status)
		}
	}
	contains(t, b.get("/decisions"), http.StatusOK, "Grace Example")
}

func TestCookie(t *testing.T) {
	for secure, want := range map[bool]string{true: "__Host-signalbox=v; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Strict", false: "signalbox=v; Path=/; Max-Age=60; HttpOnly; SameSite=Strict"} {
		if got := (sessions{secure: secure}).with("v", 60).String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Whatever ends a token ends the sessions that stand on it; time ends the rest.
func TestSessionsEnd(t *testing.T) {
	h := furnished(t)
	server := h.serve()
	grace, vera, mary := h.signedIn(server, "grace"), h.signedIn(server, "vera"), h.signedIn(server, "mary")
	id := h.issue("short", control.TokenRequest{Handle: "ada", Life: 24 * time.Hour})
	ada := h.signedIn(server, "short")
	for _, b := range []*browser{grace, vera, mary, ada} {
		contains(t, b.get("/decisions"), http.StatusOK)
	}
	must(t, h.RevokeToken(h.ctx, h.as("root"), id, "lost"))
	must(t, h.Depart(h.ctx, h.as("root"), "vera", "left"))
	for name, b := range map[string]*browser{"revoked": ada, "departed": vera} {
		if a := b.get("/decisions"); a.status != http.StatusSeeOther {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	h.clock.ahead += idleLife - time.Minute
	contains(t, grace.get("/decisions"), http.StatusOK)
	h.clock.ahead += 2 * time.Minute
	contains(t, grace.get("/decisions"), http.StatusOK)
	if a := mary.get("/decisions"); a.status != http.StatusSeeOther {
		t.Errorf("unused for an hour: %d", a.status)
	}
	for h.clock.ahead < absoluteLife-30*time.Minute {
		h.clock.ahead += 30 * time.Minute
		contains(t, grace.get("/decisions"), http.StatusOK)
	}
	h.clock.ahead = absoluteLife + time.Minute
	if a := grace.get("/decisions"); a.status != http.StatusSeeOther {
		t.Errorf("used for eight hours: %d", a.status)
	}
}

// A clock that goes back brings no session to life again, and a use that is
// still to come, as another clock has noted it, does not keep one.
func TestSessionsStayEndedWhenTheClockGoesBack(t *testing.T) {
	h := furnished(t)
	server := h.serve()
	grace, mary, vera := h.signedIn(server, "grace"), h.signedIn(server, "mary"), h.signedIn(server, "vera")
	h.clock.ahead = idleLife + time.Minute
	if a := grace.get("/decisions"); a.status != http.StatusSeeOther {
		t.Errorf("unused for an hour: %d", a.status)
	}
	h.clock.ahead = 10 * time.Minute
	for name, b := range map[string]*browser{"seen to have ended": grace, "not seen": mary} {
		if a := b.get("/decisions"); a.status != http.StatusSeeOther {
			t.Errorf("%s, and the clock went back: %d", name, a.status)
		}
	}
	h.clock.ahead = idleLife + 2*time.Minute
	fresh := h.signedIn(server, "grace")
	contains(t, fresh.get("/decisions"), http.StatusOK)
	must(t, h.db.InTx(h.ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(h.ctx, "UPDATE sessions SET seen = seen + $1", (10 * time.Minute).Microseconds())
		return err
	}))
	for _, b := range []*browser{fresh, vera} {
		if a := b.get("/decisions"); a.status != http.StatusSeeOther {
			t.Errorf("last used at a time to come: %d", a.status)
		}
	}
}

func TestExpiredToken(t *testing.T) {
	h := furnished(t)
	server := h.serve()
	h.issue("brief", control.TokenRequest{Handle: "vera", Life: 10 * time.Minute})
	b := h.signedIn(server, "brief")
	contains(t, b.get("/decisions"), http.StatusOK)
	h.clock.ahead = 11 * time.Minute
	if a := b.get("/decisions"); a.status != http.StatusSeeOther {
		t.Errorf("with an expired token: %d", a.status)
	}
	contains(t, b.post("/signin", url.Values{"token": {h.tokens["brief"]}}), http.StatusUnauthorized, "The token is not accepted", "Sign in again")
}

func TestWhoMayNotSignIn(t *testing.T) {
	h := furnished(t)
	b := h.browser(h.serve())
	for name, c := range map[string]struct {
		form   url.Values
		status int
		says   string
	}{
		"nothing":  {nil, http.StatusUnauthorized, "The token is not accepted"},
		"garbage":  {url.Values{"token": {"sbx_api_x_y"}}, http.StatusUnauthorized, "The token is not accepted"},
		"machine":  {url.Values{"token": {h.tokens["ci"]}}, http.StatusForbidden, "pages are for people"},
		"too long": {url.Values{"token": {strings.Repeat("x", maxForm)}}, http.StatusRequestEntityTooLarge, "64 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			contains(t, b.post("/signin", c.form), c.status, c.says)
		})
	}
	if _, sessions := h.counts(); sessions != 0 {
		t.Errorf("%d sessions", sessions)
	}
}

func TestAttemptsAreLimited(t *testing.T) {
	h := furnished(t)
	b := h.browser(h.serve())
	bad := url.Values{"token": {"nonsense"}}
	for range attemptsMax {
		contains(t, b.post("/signin", bad), http.StatusUnauthorized)
	}
	good := url.Values{"token": {h.tokens["vera"]}}
	a := b.post("/signin", good)
	contains(t, a, http.StatusTooManyRequests, "Too many attempts")
	if a.header.Get("Retry-After") != "300" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	contains(t, b.post("/setup", bad), http.StatusTooManyRequests)
	h.clock.ahead = attemptsWithin + time.Second
	if a := b.post("/signin", good); a.status != http.StatusSeeOther {
		t.Errorf("after the wait: %d", a.status)
	}
}

func TestAddresses(t *testing.T) {
	for from, want := range map[string]string{
		"192.0.2.1:5": "192.0.2.1", "[::ffff:192.0.2.1]:5": "192.0.2.1", "[2001:db8:1:2:3::4]:5": "2001:db8:1:2::/64", "[fe80::1%eth0]:5": "fe80::/64",
		"nowhere": "nowhere", "@": "@", "name:5": "name",
	} {
		if got := address(&http.Request{RemoteAddr: from}); got != want {
			t.Errorf("%s is %s, want %s", from, got, want)
		}
	}
	now := time.Now()
	a := newAttempts(func() time.Time { return now })
	for i := range addressesMax + 10 {
		a.failed(&http.Request{RemoteAddr: fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255)})
	}
	if len(a.counts) != addressesMax {
		t.Errorf("%d addresses are kept", len(a.counts))
	}
	now = now.Add(attemptsWithin)
	a.failed(&http.Request{RemoteAddr: "192.0.2.1:1"})
	if len(a.counts) != 1 {
		t.Errorf("%d addresses are kept after their time", len(a.counts))
	}
}

func TestSetup(t *testing.T) {
	h := build(t)
	b := h.browser(h.serve())
	offered, err := h.OfferSetup(h.ctx)
	must(t, err)
	contains(t, b.get("/signin"), http.StatusOK, "no administrator yet")
	contains(t, b.get("/setup?code="+offered.Secret), http.StatusOK, offered.Secret, "Make this person the administrator")
	founder := url.Values{"code": {offered.Secret}, "handle": {"ada"}, "name": {"Ada Example"}, "email": {"ada@example.com"}}
	wrong := url.Values{"code": {"nonsense"}, "handle": {"ada"}, "name": {"Ada Example"}, "email": {"ada@example.com"}}
	contains(t, b.post("/setup", wrong), http.StatusUnauthorized, `value="Ada Example"`, "The token is not accepted")
	bad := url.Values{"code": {offered.Secret}, "handle": {"A B"}, "name": {"Ada Example"}, "email": {"ada@example.com"}}
	contains(t, b.post("/setup", bad), http.StatusUnprocessableEntity, `value="A B"`)
	done := b.post("/setup", founder)
	contains(t, done, http.StatusOK, "You are the administrator", "shown once")
	secret := regexp.MustCompile(`sbx_api_[a-z0-9]+_[0-9a-f]{8}`).FindString(done.body)
	if _, err := h.Authenticate(h.ctx, secret); err != nil || done.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the token shown is not accepted: %v %v", err, done.header)
	}
	contains(t, b.get("/decisions"), http.StatusOK, "Ada Example", "The gate has not been asked yet")
	contains(t, b.get("/setup?code="+offered.Secret), http.StatusOK, "There is an administrator already")
	contains(t, b.post("/setup", founder), http.StatusUnauthorized, "There is an administrator already")
}

// Opening a one-time link uses nothing up; its button does, once.
func TestOneTimeLink(t *testing.T) {
	h := furnished(t)
	offered, err := h.OfferSignIn(h.ctx, h.as("vera"), 2*time.Minute)
	must(t, err)
	late, err := h.OfferSignIn(h.ctx, h.as("vera"), 2*time.Minute)
	must(t, err)
	server := h.serve()
	b := h.browser(server)
	for range 2 {
		contains(t, b.get("/signin?code="+offered.Secret), http.StatusOK, "Nothing has happened yet")
	}
	if a := b.post("/signin", url.Values{"code": {offered.Secret}, "next": {"https://evil.example/"}}); a.status != http.StatusSeeOther || a.header.Get("Location") != "/decisions" {
		t.Fatalf("%d to %q", a.status, a.header.Get("Location"))
	}
	contains(t, b.get("/decisions"), http.StatusOK, "Vera Example")
	contains(t, h.browser(server).post("/signin", url.Values{"code": {offered.Secret}}), http.StatusUnauthorized, "used up")
	h.clock.ahead = 30 * time.Minute
	contains(t, b.get("/decisions"), http.StatusOK, "Vera Example")
	contains(t, h.browser(server).post("/signin", url.Values{"code": {late.Secret}}), http.StatusUnauthorized, "expired")
	must(t, h.RevokeToken(h.ctx, h.as("root"), offered.ID, "lost"))
	if a := b.get("/decisions"); a.status != http.StatusSeeOther {
		t.Errorf("after its token was revoked: %d", a.status)
	}
}

// acts is every POST there is, as somebody who may do it would send it.
func (h *house) acts(decision, subject string) map[string]url.Values {
	return map[string]url.Values{
		"/signin":                           {"token": {h.tokens["vera"]}},
		"/setup":                            {"code": {"x"}},
		"/decisions/" + decision + "/votes": {"answer": {"approve"}, "seen": {subject}},
		"/signout":                          nil,
	}
}

func TestGetNeverActs(t *testing.T) {
	h := furnished(t)
	offered, err := h.OfferSignIn(h.ctx, h.as("vera"), time.Hour)
	must(t, err)
	d := h.prepare("v1.1.0")
	b := h.signedIn(h.serve(), "grace")
	facts, sessions := h.counts()
	paths := []string{
		"/", "/decisions", "/decisions/" + d.ID, "/decisions/" + d.ID + "/permit.json", "/signin?code=" + offered.Secret, "/setup?code=x&handle=a&name=b&email=c",
		"/signin?token=" + h.tokens["vera"], "/decisions/" + d.ID + "/votes?answer=approve&seen=" + d.Subject, "/signout",
	}
	for _, path := range paths {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions, "TRACE"} {
			b.send(method, path, nil, map[string]string{"Sec-Fetch-Site": "same-origin"})
		}
	}
	if f, s := h.counts(); f != facts || s != sessions {
		t.Errorf("%d facts and %d sessions became %d and %d", facts, sessions, f, s)
	}
	a := b.post("/decisions/"+d.ID+"/votes", url.Values{"answer": {"approve"}, "seen": {d.Subject}})
	if f, _ := h.counts(); a.status != http.StatusSeeOther || f != facts+1 {
		t.Errorf("the POST itself: %d, %d facts", a.status, f)
	}
}

func TestCrossOriginPostIsRefused(t *testing.T) {
	h := furnished(t)
	d := h.prepare("v1.1.0")
	b := h.signedIn(h.serve(), "grace")
	facts, sessions := h.counts()
	for path, form := range h.acts(d.ID, d.Subject) {
		for name, headers := range map[string]map[string]string{
			"cross-site":         {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
			"same site":          {"Sec-Fetch-Site": "same-site", "Origin": b.base},
			"another origin":     {"Origin": "https://evil.example"},
			"origin null":        {"Origin": "null"},
			"another port":       {"Origin": "http://127.0.0.1:1"},
			"says nothing":       {},
			"claims to be typed": {"Sec-Fetch-Site": "cross-site"},
		} {
			if a := b.send(http.MethodPost, path, form, headers); a.status != http.StatusForbidden || !strings.Contains(a.body, "not come from a page of this server") {
				t.Errorf("%s, %s: %d", path, name, a.status)
			}
		}
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch} {
			if a := b.send(method, path, form, map[string]string{"Sec-Fetch-Site": "same-origin"}); a.status != http.StatusNotFound {
				t.Errorf("%s %s: %d", method, path, a.status)
			}
		}
	}
	if f, s := h.counts(); f != facts || s != sessions {
		t.Errorf("%d facts and %d sessions became %d and %d", facts, sessions, f, s)
	}
	if a := b.send(http.MethodPost, "/signout", nil, map[string]string{"Origin": b.base}); a.status != http.StatusSeeOther {
		t.Errorf("from this origin: %d", a.status)
	}
}

// A link on another site brings no strict cookie: the sign-in page comes back once by itself.
func TestArrivingFromAnotherSite(t *testing.T) {
	h := furnished(t)
	b := h.browser(h.serve())
	from := map[string]string{"Sec-Fetch-Site": "cross-site"}
	contains(t, b.send(http.MethodGet, "/signin?next=/decisions/x", nil, from), http.StatusOK, `http-equiv="refresh" content="0;url=/signin?again=1&amp;next=%2Fdecisions%2Fx"`)
	for name, a := range map[string]answer{
		"the second time": b.send(http.MethodGet, "/signin?again=1&next=/x", nil, from),
		"from this site":  b.get("/signin?next=/x"),
		"with a code":     b.send(http.MethodGet, "/signin?code=x", nil, from),
	} {
		if strings.Contains(a.body, "http-equiv=\"refresh\"") {
			t.Errorf("%s, it goes on by itself", name)
		}
	}
}

func TestVoting(t *testing.T) {
	h := furnished(t)
	server := h.serve()
	d := h.prepare("v1.1.0")
	path := "/decisions/" + d.ID
	ada, grace, mary, vera := h.signedIn(server, "ada"), h.signedIn(server, "grace"), h.signedIn(server, "mary"), h.signedIn(server, "vera")
	const button = "Approve (does not deploy)"
	contains(t, grace.get(path), http.StatusOK, button, `value="`+d.Subject+`"`, "You answer as", "Grace Example")
	if strings.Contains(vera.get(path).body, button) {
		t.Error("a viewer is offered a vote")
	}
	yes := url.Values{"answer": {"approve"}, "seen": {d.Subject}}
	contains(t, vera.post(path+"/votes", yes), http.StatusForbidden, "approver")
	contains(t, ada.post(path+"/votes", yes), http.StatusForbidden, "nobody approves their own work")
	contains(t, grace.post(path+"/votes", url.Values{"answer": {"approve"}}), http.StatusUnprocessableEntity, "what you looked at")
	contains(t, grace.post(path+"/votes", url.Values{"answer": {"approve"}, "seen": {"sha256:other"}}), http.StatusConflict, "no longer what stands")
	contains(t, grace.post(path+"/votes", url.Values{"answer": {"reject"}, "seen": {d.Subject}, "comment": {" "}}), http.StatusUnprocessableEntity, "needs a reason", button)
	contains(t, grace.post(path+"/votes", url.Values{"answer": {"perhaps"}, "seen": {d.Subject}, "comment": {"kept words"}}), http.StatusUnprocessableEntity, "kept words")
	a := grace.post(path+"/votes", yes)
	if a.status != http.StatusSeeOther || a.header.Get("Location") != path+"?voted=approve" {
		t.Fatalf("%d to %q", a.status, a.header.Get("Location"))
	}
	shown := grace.get(a.header.Get("Location"))
	contains(t, shown, http.StatusOK, "Your approval is recorded", "Something has changed since this decision")
	if strings.Contains(shown.body, button) {
		t.Error("whoever has approved is asked again")
	}
	if a := mary.post(path+"/votes", yes); a.status != http.StatusSeeOther {
		t.Fatalf("the second approval: %d %s", a.status, a.body)
	}
	granted := h.ask("v1.1.0")
	if granted.Verdict != policy.Go {
		t.Fatalf("after two approvals: %s", granted.Verdict)
	}
	contains(t, vera.get("/decisions/"+granted.ID), http.StatusOK, "Grace Example", "Mary Example", "Deployment permit", "valid", granted.Permit)
}

func TestRejecting(t *testing.T) {
	h := furnished(t)
	d := h.prepare("v1.1.0")
	grace := h.signedIn(h.serve(), "grace")
	a := grace.post("/decisions/"+d.ID+"/votes", url.Values{"answer": {"reject"}, "seen": {d.Subject}, "comment": {"not on a Friday"}})
	if a.status != http.StatusSeeOther {
		t.Fatalf("%d %s", a.status, a.body)
	}
	contains(t, grace.get(a.header.Get("Location")), http.StatusOK, "Your rejection is recorded")
	if d := h.ask("v1.1.0"); d.Verdict == policy.Wait || d.Verdict == policy.Go {
		t.Errorf("after a rejection: %s", d.Verdict)
	}
}

// What changed since the page was made takes its vote away.
func TestNoVoteOnOtherContent(t *testing.T) {
	h := furnished(t)
	d := h.prepare("v1.1.0")
	grace := h.signedIn(h.serve(), "grace")
	h.report("v1.1.0", strings.Replace(coverage, "0.9", "0.8", 1))
	a := grace.get("/decisions/" + d.ID)
	contains(t, a, http.StatusOK, "Something has changed")
	if strings.Contains(a.body, "Approve (does not deploy)") {
		t.Error("a vote is offered on what no longer stands")
	}
	contains(t, grace.post("/decisions/"+d.ID+"/votes", url.Values{"answer": {"approve"}, "seen": {d.Subject}}), http.StatusConflict, "no longer what stands")
}

func TestPermitDownload(t *testing.T) {
	h := furnished(t)
	d := h.prepare("v1.1.0")
	b := h.signedIn(h.serve(), "vera")
	contains(t, b.get("/decisions/"+d.ID+"/permit.json"), http.StatusNotFound, "yielded no deployment permit")
	h.approve(d, "grace", "mary")
	granted := h.ask("v1.1.0")
	a := b.get("/decisions/" + granted.ID + "/permit.json")
	keys, err := verify.ParseKeys(h.Keys.PublicText())
	must(t, err)
	if _, err := verify.CheckPermit([]byte(a.body), keys, verify.Expect{Digest: artifact, Environment: "production", Now: time.Now(), Skew: time.Minute}); err != nil {
		t.Errorf("the permit does not hold: %v", err)
	}
	if a.header.Get("Content-Disposition") != `attachment; filename="permit-`+granted.Permit+`.json"` {
		t.Errorf("%v", a.header)
	}
	must(t, h.RecallPermit(h.ctx, h.as("root"), granted.Permit, "wrong build"))
	contains(t, b.get("/decisions/"+granted.ID), http.StatusOK, "recalled")
}

func TestMissingRight(t *testing.T) {
	h := furnished(t)
	h.issue("voter", control.TokenRequest{Handle: "grace", Life: time.Hour, Scopes: []access.Right{access.Approve}})
	b := h.signedIn(h.serve(), "voter")
	for _, path := range []string{"/decisions", "/decisions/" + h.ask("v1.1.0").ID} {
		contains(t, b.get(path), http.StatusForbidden, "&#34;read&#34;", "administrator can grant the role", "Sign out")
	}
}

func TestUnknownPages(t *testing.T) {
	h := furnished(t)
	b := h.signedIn(h.serve(), "vera")
	for _, path := range []string{"/nowhere", "/decisions/nothing", "/decisions/00000000-0000-7000-8000-000000000000", "/decisions/%3Cscript%3E", "/api"} {
		contains(t, b.get(path), http.StatusNotFound, "Not found", `href="/decisions"`, "Vera Example", `type="search"`)
	}
	if a := b.get("/assets/style.css"); a.status != http.StatusNotFound || strings.Contains(a.header.Get("Cache-Control"), "immutable") {
		t.Errorf("an asset without its hash: %d %v", a.status, a.header)
	}
}

func TestList(t *testing.T) {
	h := furnished(t)
	for i := range 55 {
		h.ask(fmt.Sprintf("v1.0.%d", i))
	}
	b := h.signedIn(h.serve(), "vera")
	first := b.get("/")
	contains(t, first, http.StatusOK, "v1.0.54", "v1.0.5<", "Older decisions")
	older := regexp.MustCompile(`rel="next" href="([^"]+)"`).FindStringSubmatch(first.body)
	if older == nil || strings.Contains(first.body, "v1.0.4<") {
		t.Fatal("the first page is not cut, or has no link to the next")
	}
	second := b.get(strings.ReplaceAll(older[1], "&amp;", "&"))
	contains(t, second, http.StatusOK, "v1.0.0<", "v1.0.4<")
	if strings.Contains(second.body, "v1.0.5<") || strings.Contains(second.body, "Older decisions") {
		t.Error("the second page repeats the first, or goes on")
	}
	contains(t, b.get("/decisions?service=payments&environment=production&verdict=indeterminate"), http.StatusOK, "v1.0.54", `value="payments"`, "selected", "Show all")
	contains(t, b.get("/decisions?verdict=go"), http.StatusOK, "No decision matches")
	contains(t, b.get("/decisions?service=other"), http.StatusOK, "No decision matches")
	contains(t, b.get("/decisions?verdict=maybe"), http.StatusUnprocessableEntity, "not a verdict")
	contains(t, b.get("/decisions?cursor=forged"), http.StatusUnprocessableEntity, "not a cursor")
}

func TestHeadersAndAssets(t *testing.T) {
	h := build(t)
	b := h.browser(h.serve())
	page := b.get("/signin")
	for _, path := range []string{"/signin", "/nowhere", "/assets/none.css", "/decisions"} {
		a := b.get(path)
		if a.header.Get("Content-Security-Policy") != contentPolicy || a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, a.header)
		}
	}
	found := regexp.MustCompile(`/assets/[^"]+`).FindAllString(page.body, -1)
	if len(found) != 3 {
		t.Fatalf("the page names %v", found)
	}
	for _, path := range found {
		if a := b.get(path); a.status != http.StatusOK || !strings.Contains(a.header.Get("Cache-Control"), "immutable") || a.header.Get("Content-Type") == "" {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
}

// What is our mistake is logged, and shown by its reference alone.
func TestOurMistakesAreHidden(t *testing.T) {
	h := build(t)
	var log strings.Builder
	s := &site{log: logTo(&log)}
	s.control = h.Control
	w := httptest.NewRecorder()
	s.fail(w, httptest.NewRequest(http.MethodGet, "/x?token=secret", nil), fmt.Errorf("wrapped: %w", errors.New("password=hunter2")))
	reference := regexp.MustCompile(`<code>([A-Z2-7]{12})</code>`).FindStringSubmatch(w.Body.String())
	if w.Code != http.StatusInternalServerError || reference == nil || strings.Contains(w.Body.String(), "hunter2") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), reference[1]) || !strings.Contains(log.String(), "hunter2") || strings.Contains(log.String(), "token=secret") {
		t.Errorf("the log says %s", log.String())
	}
	w = httptest.NewRecorder()
	s.fail(w, httptest.NewRequest(http.MethodGet, "/x", nil), fault.New(fault.Unavailable, "x.y", "the database is away").Remedy("try later"))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "Try later.") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestNewNeedsItsParts(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("pages were made of nothing")
	}
}

// While everything is stopped every page says so, to whoever may read.
func TestStoppedIsSaidEverywhere(t *testing.T) {
	h := furnished(t)
	d := h.prepare("v1.1.0")
	server := h.serve()
	b := h.signedIn(server, "vera")
	const words = "All releases are stopped"
	says := func(want bool) {
		t.Helper()
		for _, path := range []string{"/decisions", "/decisions/" + d.ID} {
			body := b.get(path).body
			if strings.Contains(body, words) != want || strings.Contains(body, "a &lt;breach&gt;") != want || strings.Contains(body, "by Root Example,") != want {
				t.Errorf("%s says %t", path, !want)
			}
		}
	}
	says(false)
	_, err := h.PullStop(h.ctx, h.as("root"), "a <breach>")
	must(t, err)
	says(true)
	if body := h.browser(server).get("/signin").body; strings.Contains(body, words) {
		t.Error("it is told to whoever comes along")
	}
	for _, who := range []string{"root", "mary"} {
		_, err := h.ResetStop(h.ctx, h.as(who), "over")
		must(t, err)
	}
	says(false)
}
