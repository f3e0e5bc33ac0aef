package web

import (
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
)

func TestSentences(t *testing.T) {
	block := func(v policy.Verdict) policy.Reason { return policy.Reason{Severity: policy.Block, Verdict: v} }
	warned := policy.Reason{Severity: policy.Warn, Verdict: policy.NoGo}
	for _, c := range []struct {
		verdict  policy.Verdict
		enforced bool
		reasons  []policy.Reason
		want     string
	}{
		{policy.Go, true, []policy.Reason{warned}, "Every gate that blocks is passed: pay 1 may go to prod."},
		{policy.Go, false, nil, "Every gate that blocks is passed: pay 1 could go to prod."},
		{policy.Wait, true, []policy.Reason{block(policy.Wait)}, "pay 1 cannot go to prod yet: 1 gate waits."},
		{policy.NoGo, true, []policy.Reason{block(policy.NoGo), block(policy.NoGo), block(policy.Wait), warned}, "pay 1 may not go to prod: 2 gates refuse it, and 1 more stands open."},
		{policy.CannotTell, true, []policy.Reason{block(policy.CannotTell)}, "Not enough is known to let pay 1 go to prod, and unknown is not yes: 1 gate cannot tell."},
		{"", true, []policy.Reason{block("")}, "Not enough is known to let pay 1 go to prod, and unknown is not yes: 1 gate cannot tell."},
	} {
		p := decisionPage{Decision: release.Decision{Service: "pay", Version: "1", Environment: "prod", Verdict: c.verdict, Enforced: c.enforced, Reasons: c.reasons}}
		if got := p.Sentence(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestMode(t *testing.T) {
	observed := &policy.Observed{By: "x"}
	for want, d := range map[string]release.Decision{
		"Enforced: a deployment permit was signed.":                        {Verdict: policy.Go, Enforced: true},
		"Enforced: no deployment permit is signed.":                        {Verdict: policy.NoGo, Enforced: true},
		"Observed, not enforced: this blocks nothing and signs no permit.": {Verdict: policy.NoGo, Observe: observed},
		"Not enforced: no deployment permit is signed.":                    {Verdict: policy.Go},
	} {
		if got := (decisionPage{Decision: d}).Mode(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestPermitStates(t *testing.T) {
	end := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)
	before, earlier := end.Add(-time.Second), event.MicrosOf(end.Add(-time.Minute))
	for _, c := range []struct {
		permit release.Permit
		now    time.Time
		want   string
	}{
		{release.Permit{NotAfter: event.MicrosOf(end)}, before, "valid"},
		{release.Permit{NotAfter: event.MicrosOf(end)}, end, "expired"},
		{release.Permit{NotAfter: event.MicrosOf(end), Redeemed: earlier}, end, "redeemed"},
		{release.Permit{NotAfter: event.MicrosOf(end), Recalled: earlier}, before, "recalled"},
	} {
		if state, _, _ := permitState(c.permit, c.now); state != c.want {
			t.Errorf("%+v is %s, want %s", c.permit, state, c.want)
		}
	}
}

func TestSteps(t *testing.T) {
	for text, want := range map[string]step{
		"":                                 {},
		"add tests":                        {Before: "Add tests"},
		"signalbox gate":                   {Command: "signalbox gate"},
		"wait, or signalbox freeze lift x": {Before: "Wait, or", Command: "signalbox freeze lift x"},
		"see notsignalbox here":            {Before: "See notsignalbox here"},
		"\xff":                             {Before: "\xff"},
		"émile":                            {Before: "Émile"},
	} {
		if got := next(text); got != want {
			t.Errorf("%q is %+v, want %+v", text, got, want)
		}
	}
	for text, want := range map[string]string{"": "", " why ": "Why.", "Why?": "Why?", "a…": "A…", "ends.": "Ends."} {
		if got := sentence(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// A link to us never leads away from us.
func TestLocal(t *testing.T) {
	for _, away := range []string{
		"", "decisions", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "\t//evil.example", " /x", "/x y",
		"https://evil.example", "http:evil.example", "https:///evil.example", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x",
		"/\n/evil.example", "/\r/evil.example", "/\x00", "/x\x7f", "@evil.example", "?next=//evil.example", "#x", ".", "..", "./x", "../x", "//", "///", "/%zz",
		"//%2f/evil.example", "\u2028//evil.example", "/\u00a0", "mailto:x@evil.example", "//evil.example/%2e%2e", "/%2f%2fevil.example", "/.//evil.example", "/a/../..//x", "http://127.0.0.1@evil.example/", "/" + strings.Repeat("a", 2000),
	} {
		if got := local(away); got != "/decisions" {
			t.Errorf("%q leads to %q", away, got)
		}
	}
	for _, ours := range []string{"/", "/decisions", "/decisions/abc?voted=approve", "/decisions?service=a%20b&verdict=go", "/x#y", "/decisions?next=//evil.example"} {
		if got := local(ours); got != ours {
			t.Errorf("%q leads to %q", ours, got)
		}
	}
}

var property = regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`)

// palette is the colours of one scheme, by name.
func palette(text string) map[string]string {
	colours := map[string]string{}
	for _, m := range property.FindAllStringSubmatch(text, -1) {
		colours[m[1]] = m[2]
	}
	return colours
}

// luminance is relative luminance as WCAG 2.2 defines it.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(colour[1:], 16, 32)
	must(t, err)
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := float64(n>>(16-8*i)&0xff) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// Text has a contrast of 4.5 and what surrounds a control one of 3, light and
// dark (WCAG 2.2, 1.4.3 and 1.4.11).
func TestContrast(t *testing.T) {
	if c := contrast(t, "#000000", "#ffffff"); math.Abs(c-21) > 0.001 {
		t.Fatalf("black on white is %f", c)
	}
	css, err := embedded.ReadFile("assets/style.css")
	must(t, err)
	light, dark, found := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	dark, _, ends := strings.Cut(dark, "\n}\n")
	if !found || !ends {
		t.Fatal("the style sheet has no dark scheme")
	}
	for scheme, text := range map[string]string{"light": light, "dark": dark} {
		p := palette(text)
		pairs := [][2]string{
			{"ink", "paper"},
			{"ink", "surface"},
			{"ink", "sunken"},
			{"muted", "paper"},
			{"muted", "surface"},
			{"muted", "sunken"},
			{"link", "paper"},
			{"link", "surface"},
			{"link", "sunken"},
			{"on-bar", "bar"},
			{"bar-muted", "bar"},
			{"on-primary", "primary"},
		}
		for _, v := range []string{"go", "wait", "no-go", "cannot-tell"} {
			pairs = append(pairs, [2]string{v, v + "-tint"}, [2]string{"ink", v + "-tint"}, [2]string{v, "surface"})
		}
		for _, pair := range pairs {
			if c := contrast(t, p[pair[0]], p[pair[1]]); c < 4.5 {
				t.Errorf("%s: %s on %s has %.2f", scheme, pair[0], pair[1], c)
			}
		}
		for _, ground := range []string{"paper", "surface", "sunken"} {
			if c := contrast(t, p["edge"], p[ground]); c < 3 {
				t.Errorf("%s: edge on %s has %.2f", scheme, ground, c)
			}
		}
	}
}

// Whatever next says, a browser that follows what is made of it stays here.
func FuzzLocal(f *testing.F) {
	for _, seed := range []string{"/", "/decisions?x=1#y", "//evil.example", "/\\evil.example", "https://evil.example", "/%2f%2fx", "/..//evil.example", "/.//x"} {
		f.Add(seed)
	}
	base := &url.URL{Scheme: "https", Host: "signalbox.example", Path: "/signin"}
	f.Fuzz(func(t *testing.T, asked string) {
		got := local(asked)
		u, err := base.Parse(got)
		if err != nil || u.Scheme != base.Scheme || u.Host != base.Host || u.User != nil || strings.HasPrefix(u.Path, "//") {
			t.Errorf("%q leads to %v, %v", asked, u, err)
		}
		w := httptest.NewRecorder()
		http.Redirect(w, httptest.NewRequest(http.MethodPost, "/signin", nil), got, http.StatusSeeOther)
		if to := w.Header().Get("Location"); !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.HasPrefix(to, "/\\") || strings.ContainsAny(to, "\r\n\t") {
			t.Errorf("%q redirects to %q", asked, to)
		}
	})
}
