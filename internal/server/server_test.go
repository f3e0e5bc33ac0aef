package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/cli"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store/storetest"
	"signalbox.dev/signalbox/internal/wire"
)

func quiet(o Options) Options {
	o.Log = slog.New(slog.DiscardHandler)
	return o
}

func TestOptions(t *testing.T) {
	for name, c := range map[string]struct {
		o    Options
		code string
	}{
		"loopback":                 {Options{Listen: "127.0.0.1:0"}, ""},
		"loopback by name":         {Options{Listen: "localhost:0"}, ""},
		"loopback, version 6":      {Options{Listen: "[::1]:0"}, ""},
		"every address":            {Options{Listen: ":8420"}, "server.exposed"},
		"every address, spelt":     {Options{Listen: "0.0.0.0:8420"}, "server.exposed"},
		"an address of a network":  {Options{Listen: "192.0.2.1:8420"}, "server.exposed"},
		"a password in the URL":    {Options{Listen: "127.0.0.1:0", URL: "https://ada:s3cret@signalbox.example"}, "server.url"},
		"a URL without its scheme": {Options{Listen: "127.0.0.1:0", URL: "signalbox.example"}, "server.url"},
		"a URL with a question":    {Options{Listen: "127.0.0.1:0", URL: "https://signalbox.example/?x"}, "server.url"},
		"a URL with a path":        {Options{Listen: "127.0.0.1:0", URL: "https://signalbox.example/releases/"}, ""},
		"a name":                   {Options{Listen: "signalbox.example:8420"}, "server.exposed"},
		"loopback-like":            {Options{Listen: "127.0.0.1.signalbox.example:1"}, "server.exposed"},
		"behind a proxy":           {Options{Listen: ":8420", BehindProxy: true}, ""},
		"with TLS":                 {Options{Listen: ":8420", TLSCert: "c", TLSKey: "k"}, ""},
		"half of TLS":              {Options{Listen: ":8420", TLSCert: "c"}, "server.tls"},
		"no port":                  {Options{Listen: "127.0.0.1"}, "server.listen"},
		"a handle without a file":  {Options{Listen: "127.0.0.1:0", AdminHandle: "root"}, "server.admin"},
		"a file without a handle":  {Options{Listen: "127.0.0.1:0", AdminToken: "f"}, "server.admin"},
	} {
		err := c.o.check()
		var f *fault.Error
		if errors.As(err, &f); (c.code == "") != (err == nil) || f != nil && f.Code != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), quiet(Options{Data: dir}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), quiet(Options{Data: dir})); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a second process opened the same directory: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), quiet(Options{Data: dir}))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// A journal whose keys are gone is not carried on with new ones.
func TestMissingKeysAreNotMinted(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), quiet(Options{Data: dir}))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(t.Context(), quiet(Options{Data: dir})); err == nil {
		_ = s.Close()
		t.Error("the journal goes on under new keys")
	}
}

// serving is a server that answers, and its administrator's client.
func serving(t *testing.T, o Options) (*Server, *Listening, *wire.Client) {
	t.Helper()
	o = quiet(o)
	o.Data, o.Listen = t.TempDir(), "127.0.0.1:0"
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	l, err := s.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	issued, err := s.Control.CreateAdministrator(t.Context(), control.Founder{Handle: "root", Name: "Root Example", Email: "root@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := wire.New(wire.Options{Server: l.URL, Token: issued.Secret})
	if err != nil {
		t.Fatal(err)
	}
	return s, l, c
}

func TestServesOnBothStores(t *testing.T) {
	for name, database := range map[string]func() string{
		"sqlite": func() string { return "" }, "postgres": func() string { return storetest.PostgresURL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			_, l, c := serving(t, Options{Database: database()})
			if me, err := c.Me(t.Context()); err != nil || len(me.Roles) != 1 {
				t.Errorf("%+v %v", me, err)
			}
			for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/version": 200, "/openapi.json": 200, "/signin": 200, "/api/v1/nothing": 401, "/nothing": 404, "/api/v1/me": 401} {
				r, err := http.Get(l.URL + path)
				if err != nil {
					t.Fatal(err)
				}
				_ = r.Body.Close()
				if r.StatusCode != want && !(want == 401 && r.StatusCode == 404) {
					t.Errorf("%s: %d, want %d", path, r.StatusCode, want)
				}
			}
			if err := l.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if err := <-l.Done; !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// A subscription under way does not keep the server from stopping.
func TestShutdownEndsSubscriptions(t *testing.T) {
	_, l, c := serving(t, Options{})
	began := make(chan struct{}, 1)
	go func() {
		_ = c.Changes(t.Context(), 1, func(wire.News) error {
			select {
			case began <- struct{}{}:
			default:
			}
			return nil
		})
	}()
	select {
	case <-began:
	case <-time.After(20 * time.Second):
		t.Fatal("no news came")
	}
	done := make(chan error, 1)
	go func() { done <- l.Shutdown(context.Background()) }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("the server had to cut it off: %v", err)
		}
	case <-time.After(shutdownGrace + 10*time.Second):
		t.Fatal("the server does not stop")
	}
}

func TestSetupLinkOrToken(t *testing.T) {
	var out strings.Builder
	s, err := Open(t.Context(), quiet(Options{Data: t.TempDir()}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.firstAdministrator(t.Context(), "http://127.0.0.1:1", &out); err != nil || !strings.Contains(out.String(), "/setup?code=sbx_setup_") {
		t.Errorf("%q %v", out.String(), err)
	}
	file := filepath.Join(t.TempDir(), "token")
	s.options.AdminHandle, s.options.AdminToken, s.options.AdminEmail = "root", file, "root@example.com"
	out.Reset()
	if err := s.firstAdministrator(t.Context(), "", &out); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("token file: %v %v", info, err)
	}
	secret, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), strings.TrimSpace(string(secret))) {
		t.Error("the token was printed")
	}
	if a, err := s.Control.Authenticate(t.Context(), strings.TrimSpace(string(secret))); err != nil || a.May(access.Grant) != nil {
		t.Errorf("%+v %v", a, err)
	}
	out.Reset()
	if err := s.firstAdministrator(t.Context(), "", &out); err != nil || out.Len() > 0 {
		t.Errorf("offered again: %q %v", out.String(), err)
	}
}

// A token is never written over a file that is there, and a refusal leaves none behind.
func TestTokenFile(t *testing.T) {
	s, err := Open(t.Context(), quiet(Options{Data: t.TempDir()}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	there := filepath.Join(t.TempDir(), "there")
	if err := os.WriteFile(there, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := control.Founder{Handle: "root", Name: "Root Example", Email: "root@example.com"}
	if err := s.CreateAdministrator(t.Context(), good, there); fault.KindOf(err) != fault.Invalid {
		t.Errorf("%v", err)
	}
	absent := filepath.Join(t.TempDir(), "absent")
	if err := s.CreateAdministrator(t.Context(), control.Founder{Handle: "no one", Name: "X", Email: "x"}, absent); fault.KindOf(err) != fault.Invalid {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(absent); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refusal left a file: %v", err)
	}
}

func TestRepositoriesAreConfined(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	confined := repositories{roots: []string{root}, places: make(chan struct{}, 1)}
	for _, path := range []string{outside, filepath.Join(root, "link"), filepath.Join(root, "..", filepath.Base(outside)), "/"} {
		if _, err := confined.ReadChange(t.Context(), path, "", "HEAD"); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := confined.ReadChange(t.Context(), filepath.Join(root, "absent"), "", "HEAD"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("absent: %v", err)
	}
	if _, err := confined.ReadChange(t.Context(), root, "", "HEAD"); fault.KindOf(err) == fault.Forbidden {
		t.Errorf("the root itself: %v", err)
	}
	if (repositories{}).reader() != nil {
		t.Error("without directories the server reads something")
	}
}

func TestDoctor(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if f := examine(t.Context(), cli.StoreOptions{Data: dir}); len(f) != 1 || f[0].OK {
		t.Errorf("nothing is there: %+v", f)
	}
	s, err := Open(t.Context(), quiet(Options{Data: dir}))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "keys"), 0o755); err != nil { // as after a careless copy
		t.Fatal(err)
	}
	bad := map[string]bool{}
	for _, f := range examine(t.Context(), cli.StoreOptions{Data: dir}) {
		if !f.OK {
			bad[f.Check] = true
			if f.What == "" || f.Why == "" || f.Fix == "" {
				t.Errorf("a finding without why or fix: %+v", f)
			}
		}
	}
	if !bad["permissions"] {
		t.Errorf("an open keys directory is not found: %v", bad)
	}
	if err := os.Chmod(filepath.Join(dir, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	bad = map[string]bool{}
	for _, f := range examine(t.Context(), cli.StoreOptions{Data: dir}) {
		if !f.OK {
			bad[f.Check] = true
		}
	}
	if !bad["administrator"] || !bad["policy"] || bad["permissions"] || bad["open"] {
		t.Errorf("a fresh installation: %v", bad)
	}
}

// Only what the proxy itself wrote counts as the address of the caller.
func TestBehindProxy(t *testing.T) {
	for header, want := range map[string]string{
		"": "192.0.2.9:5", "203.0.113.7": "203.0.113.7:0", "10.0.0.1, 203.0.113.7": "203.0.113.7:0",
		"203.0.113.7, nonsense": "192.0.2.9:5", "2001:db8::1": "[2001:db8::1]:0",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "192.0.2.9:5"
		if header != "" {
			r.Header.Set("X-Forwarded-For", header)
		}
		got := ""
		behindProxy(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr })).ServeHTTP(nil, r)
		if got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}

func TestCatalogAtTheStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "catalog.yaml")
	if err := os.WriteFile(file, []byte("apiVersion: signalbox/v1\nkind: Team\nname: shop\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), quiet(Options{Data: t.TempDir(), Catalog: file}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for _, want := range []string{"1 entries added", "1 as they were"} {
		var out strings.Builder
		if err := s.importCatalog(t.Context(), &out); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%q does not say %q: %v", out.String(), want, err)
		}
	}
	s.options.Catalog = file + ".absent"
	if err := s.importCatalog(t.Context(), io.Discard); fault.KindOf(err) != fault.Invalid {
		t.Errorf("%v", err)
	}
}

func TestServeStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, written := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := Serve(ctx, quiet(Options{Data: t.TempDir(), Listen: "127.0.0.1:0"}), written)
		_ = written.Close()
		done <- err
	}()
	for said := ""; !strings.Contains(said, "headless"); { // the last line before it waits
		some := make([]byte, 512)
		n, err := out.Read(some)
		if err != nil {
			t.Fatal(err)
		}
		said += string(some[:n])
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the server does not stop")
	}
}
