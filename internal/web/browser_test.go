package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// chromium is a real browser, and what it complained about.
type chromium struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string
}

// chromiumOf starts the browser. The test is skipped where there is none, and
// fails there if CI is set.
func chromiumOf(t *testing.T) *chromium {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("Chromium is needed")
		}
		t.Skip("no Chromium")
	}
	c := &chromium{t: t}
	ctx, end := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(end)
	ctx, end = chromedp.NewContext(ctx, chromedp.WithListener(c.listen), chromedp.WithAllocatorOptions(
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.NoFirstRun, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
	))
	t.Cleanup(end)
	c.ctx = ctx
	return c
}

func (c *chromium) listen(ev any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e := ev.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelWarning || e.Entry.Level == log.EntryLevelError {
			c.complaints = append(c.complaints, e.Entry.Text)
		}
	case *runtime.EventExceptionThrown:
		c.complaints = append(c.complaints, e.ExceptionDetails.Text)
	}
}

// complained is what the browser complained about since it was asked last.
func (c *chromium) complained() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	said := c.complaints
	c.complaints = nil
	return said
}

func (c *chromium) do(steps ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	must(c.t, chromedp.Do(c.ctx, steps...))
}

func evaluate[T any](c *chromium, expression string) T {
	c.t.Helper()
	v, err := chromedp.Run(c.ctx, chromedp.Evaluate[T](expression))
	must(c.t, err)
	return v
}

func (c *chromium) signIn(base, token string) {
	c.t.Helper()
	c.do(chromedp.Navigate(base+"/signin"), chromedp.SendKeys("#token", token), chromedp.Submit("#token"), chromedp.WaitVisible(".decisions"))
}

// extremesServer serves every template with extreme texts under numbers, with
// the headers of all pages, and a page that breaks the content policy.
func extremesServer(t *testing.T) (base string, titles []string) {
	t.Helper()
	files, err := loadAssets()
	must(t, err)
	mux := http.NewServeMux()
	mux.Handle("/assets/", files)
	mux.HandleFunc("/violation", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><link rel="icon" href="data:,"><main><script>window.pwned=1</script></main>`))
	})
	for _, name := range []string{"hostile", "one long word", "right to left"} {
		text := extremes[name]
		f := frame{Title: text, Style: files.path("style.css"), Script: files.path("page.js"), Icon: files.path("icon.svg"), Version: text, Visitor: text, Stopped: &stopped{By: text, Reason: text}}
		for page, component := range pages(text, f) {
			if strings.Contains(page, "decision ") && page != "decision no-go false" && name != "hostile" {
				continue // these differ in what the first text has shown
			}
			mux.HandleFunc(fmt.Sprintf("/%d", len(titles)), func(w http.ResponseWriter, r *http.Request) {
				_ = show(r.Context(), w, http.StatusOK, component)
			})
			titles = append(titles, page+", "+name)
		}
	}
	server := httptest.NewServer(headers(mux))
	t.Cleanup(server.Close)
	return server.URL, titles
}

// No text of any kind runs as script, makes the browser complain, or is wider
// than the narrowest screen.
func TestBrowserStandsExtremes(t *testing.T) {
	c := chromiumOf(t)
	base, titles := extremesServer(t)
	c.do(chromedp.EmulateViewport(360, 800), chromedp.Navigate(base+"/violation"), chromedp.WaitReady("main"))
	if said := c.complained(); len(said) == 0 {
		t.Fatal("a page that breaks the content policy went unnoticed")
	}
	for i, title := range titles {
		c.do(chromedp.Navigate(fmt.Sprintf("%s/%d", base, i)), chromedp.WaitReady("footer"))
		if said := c.complained(); len(said) > 0 {
			t.Errorf("%s: %v", title, said)
		}
		if evaluate[bool](c, "'pwned' in window || document.images.length > 0 || [...document.links].some(a => a.protocol == 'javascript:')") {
			t.Errorf("%s: the text acts", title)
		}
		if w := evaluate[int](c, "document.documentElement.scrollWidth"); w > 360 {
			t.Errorf("%s: %d pixels wide", title, w)
		}
	}
}

// small lists controls below 24 pixels either way (WCAG 2.2, 2.5.8), links in sentences excepted.
const small = `[...document.querySelectorAll("button, input:not([type=hidden]), select, textarea, summary, nav a, .brand, .button, .entry")]
	.filter(e => e.offsetParent && (e.getBoundingClientRect().height < 24 || e.getBoundingClientRect().width < 24)).map(e => e.outerHTML.slice(0, 80))`

// The main job of the pages, in a real browser: sign in, read, approve, see the go.
func TestBrowserFromSignInToApproval(t *testing.T) {
	c := chromiumOf(t)
	h := furnished(t)
	d := h.prepare("v1.1.0")
	base := h.serve().URL
	c.signIn(base, h.tokens["grace"])
	c.do(chromedp.Click(".entry"), chromedp.WaitVisible("#vote"))
	if title, err := chromedp.Run(c.ctx, chromedp.Title()); err != nil || title != "wait: payments v1.1.0 to production – Signalbox" {
		t.Errorf("title %q, %v", title, err)
	}
	if n := evaluate[int](c, "document.querySelectorAll('time + .local').length"); n < 2 {
		t.Errorf("%d times say what they are here", n)
	}
	if n := evaluate[int](c, "document.querySelectorAll('button.copy').length"); n < 6 {
		t.Errorf("%d copy buttons", n)
	}
	c.do(chromedp.Click("details.passed summary"), chromedp.WaitVisible("details.passed li"))
	for _, width := range []int64{320, 360, 768, 1280, 2560} {
		c.do(chromedp.EmulateViewport(width, 900))
		if w := evaluate[int64](c, "document.documentElement.scrollWidth"); w > width {
			t.Errorf("at %d pixels the page is %d wide", width, w)
		}
		if list := evaluate[[]string](c, small); len(list) > 0 {
			t.Errorf("at %d pixels too small: %v", width, list)
		}
	}
	c.do(chromedp.Click("button[value=approve]"), chromedp.WaitVisible(".notice.good"))
	h.approve(d, "mary")
	granted := h.ask("v1.1.0")
	c.do(chromedp.Navigate(base+"/decisions/"+granted.ID), chromedp.WaitVisible(".permit.valid"))
	if word, err := chromedp.Run(c.ctx, chromedp.Text(".word")); err != nil || strings.TrimSpace(word) != "go" {
		t.Errorf("the verdict is %q, %v", word, err)
	}
	c.do(chromedp.Click(".visitor button"), chromedp.WaitVisible("#token"))
	if said := c.complained(); len(said) > 0 {
		t.Errorf("the browser complains: %v", said)
	}
}

// Reading and approving need no script.
func TestBrowserWithoutScript(t *testing.T) {
	c := chromiumOf(t)
	h := furnished(t)
	d := h.prepare("v1.1.0")
	base := h.serve().URL
	c.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
	c.do(chromedp.Navigate(base+"/signin?next=/decisions/"+d.ID), chromedp.SendKeys("#token", h.tokens["grace"]), chromedp.Click("button.primary"), chromedp.WaitVisible("#vote"))
	if n := evaluate[int](c, "document.querySelectorAll('button.copy, .local').length"); n != 0 {
		t.Fatal("scripts ran")
	}
	c.do(chromedp.Click("button[value=approve]"), chromedp.WaitVisible(".notice.good"))
}

// A link on another site ends on the page for whoever is signed in, although
// the cookie is strict. 127.0.0.1 and localhost are two sites.
func TestBrowserArrivesFromAnotherSite(t *testing.T) {
	c := chromiumOf(t)
	h := furnished(t)
	d := h.ask("v1.1.0")
	base := h.serve().URL
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!doctype html><link rel="icon" href="data:,"><a id="link" href="%s/decisions/%s">look</a>`, base, d.ID)
	}))
	t.Cleanup(elsewhere.Close)
	c.signIn(base, h.tokens["vera"])
	c.do(chromedp.Navigate(strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)), chromedp.Click("#link"), chromedp.WaitVisible(".verdict"))
	if at, err := chromedp.Run(c.ctx, chromedp.Location()); err != nil || at != base+"/decisions/"+d.ID {
		t.Errorf("the link ended at %s, %v", at, err)
	}
}
