package server

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/store/storetest"
	"signalbox.dev/signalbox/internal/wire"
)

// measuredAt is an installation with an administrator, and a client of its.
func measuredAt(t *testing.T, o Options) (*Server, *wire.Client, string) {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	root, err := s.Control.CreateAdministrator(t.Context(), control.Founder{Handle: "root", Name: "Root Example", Email: "root@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := s.Handler()
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.logged(handler))
	t.Cleanup(web.Close)
	client, err := wire.New(wire.Options{Server: web.URL, Token: root.Secret})
	if err != nil {
		t.Fatal(err)
	}
	return s, client, root.Secret
}

func read(t *testing.T, url, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

// Metrics say what happened, under routes and not under paths, and are for
// whoever may read.
func TestMetrics(t *testing.T) {
	for engine, o := range map[string]Options{"sqlite": {Data: t.TempDir()}, "postgres": {Data: t.TempDir(), Database: storetest.PostgresURL(t)}} {
		t.Run(engine, func(t *testing.T) {
			s, client, token := measuredAt(t, quiet(o))
			if _, err := client.PullStop(t.Context(), wire.Reasoned{Reason: "test"}); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Permit(t.Context(), "01a21d38-4c08-7a44-8fdb-df713e757321"); err == nil {
				t.Error("a permit that nobody issued")
			}
			if _, err := s.Journal.SignNow(t.Context()); err != nil {
				t.Fatal(err)
			}
			if code, _ := read(t, client.Server()+"/metrics", ""); code != http.StatusUnauthorized {
				t.Errorf("without a token: %d", code)
			}
			code, text := read(t, client.Server()+"/metrics", token)
			if code != http.StatusOK {
				t.Fatalf("%d %s", code, text)
			}
			for _, want := range []string{
				`http_server_request_duration_seconds_count\{http_request_method="POST",http_response_status_code="200",http_route="/api/v1/stop/pull"\}`,
				`http_route="/api/v1/permits/\{id\}"\}`,
				`signalbox_facts_total\{kind="stop.pulled"\} 1`,
				`signalbox_append_duration_seconds_count\{outcome="recorded"\} \d`,
				`signalbox_releases_stopped 1`, `signalbox_journal_writable 1`, `signalbox_checkpoint_lag_seconds 0`, `signalbox_state_read 1`,
				`signalbox_view_lagging\{view="releases"\} 0`, `go_goroutines \d`, `process_open_fds \d`,
			} {
				if !regexp.MustCompile(want).MatchString(text) {
					t.Errorf("no %s", want)
				}
			}
			if strings.Contains(text, "01a21d38") || strings.Contains(text, "example.com") {
				t.Error("an id or an address is a label")
			}
			if t.Failed() {
				t.Log(text)
			}
			_ = s.DB.Close() // the database is gone: metrics say so within a second, and are served all the same
			text = ""
			for end := time.Now().Add(30 * time.Second); !strings.Contains(text, "signalbox_state_read 0") && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
				recorder := httptest.NewRecorder()
				s.telemetry.Metrics().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
				text = recorder.Body.String()
			}
			if !strings.Contains(text, "signalbox_state_read 0") || strings.Contains(text, "signalbox_journal_facts ") {
				t.Errorf("without a database: %s", text)
			}
		})
	}
}

// collecting is a collector of traces.
type collecting struct {
	mu    sync.Mutex
	spans []*traces.Span
}

func (c *collecting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	var sent collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(b, &sent) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range sent.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
}

// A request is traced as part of its caller's trace, with what it did below it.
func TestTraces(t *testing.T) {
	var c collecting
	receiver := httptest.NewServer(&c)
	defer receiver.Close()
	s, client, token := measuredAt(t, quiet(Options{Data: t.TempDir(), Traces: receiver.URL}))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, client.Server()+"/api/v1/stop/pull", strings.NewReader(`{"reason":"test"}`))
	if err != nil {
		t.Fatal(err)
	}
	const trace = "0af7651916cd43dd8448eb211c80319c"
	r.Header.Set("Traceparent", "00-"+trace+"-b7ad6b7169203331-01")
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", answer, err)
	}
	_ = answer.Body.Close()
	if err := s.telemetry.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	parents, names := map[string]string{}, map[string]string{}
	for _, span := range c.spans {
		id := string(span.SpanId)
		names[id], parents[span.Name] = span.Name, string(span.ParentSpanId)
		if got := strings.ToLower(strings.TrimSpace(hexed(span.TraceId))); got != trace {
			t.Errorf("%s is of the trace %s", span.Name, got)
		}
	}
	const route = "POST /api/v1/stop/pull"
	if hexed([]byte(parents[route])) != "b7ad6b7169203331" || names[parents["decide"]] != route || names[parents["record"]] != route {
		t.Errorf("%q %q", names, parents)
	}
	for _, none := range []string{"collector:4318", "https://ada:s3cret@collector:4318"} {
		if _, err := Open(t.Context(), quiet(Options{Data: t.TempDir(), Traces: none})); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("an address that is none was answered %v", err)
		}
	}
}

func hexed(b []byte) string {
	const digits = "0123456789abcdef"
	var out []byte
	for _, x := range b {
		out = append(out, digits[x>>4], digits[x&15])
	}
	return string(out)
}

// Secrets that pass through a server stand in no line of its log, whatever it logs.
func TestLogHoldsNoSecrets(t *testing.T) {
	var log locked
	o := Options{Data: t.TempDir(), Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	s, client, token := measuredAt(t, o)
	issued, err := client.IssueToken(t.Context(), wire.TokenRequest{Handle: "root", Hours: 1})
	if err != nil {
		t.Fatal(err)
	}
	canaries := []string{token, issued.Secret, "canary-bearer", "canary-code", "canary-cookie", "canary-reason", "canary-body", "canary-password"}
	for _, send := range []struct{ method, path, authorization, cookie, body string }{
		{http.MethodGet, "/api/v1/me", "Bearer canary-bearer", "", ""},
		{http.MethodGet, "/api/v1/me", "Basic canary-password", "", ""},
		{http.MethodGet, "/setup?code=canary-code", "", "session=canary-cookie", ""},
		{http.MethodPost, "/api/v1/freezes", "Bearer " + token, "", `{"name":"x","reason":"canary-reason"}`},
		{http.MethodPost, "/api/v1/freezes", "Bearer " + token, "", `{"unknown":"canary-body"}`},
		{http.MethodPost, "/api/v1/setup", "", "", `{"code":"canary-code","handle":"x"}`},
		{http.MethodPost, "/signin", "", "session=canary-cookie", "code=canary-code"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), send.method, client.Server()+send.path, strings.NewReader(send.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		for name, value := range map[string]string{"Authorization": send.authorization, "Cookie": send.cookie} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
	}
	s.options.Log.Info("control", "said", "canary-control")
	text := log.String()
	if !strings.Contains(text, "canary-control") || strings.Count(text, `"msg":"request"`) < 7 {
		t.Fatalf("the log is not what was written: %s", text)
	}
	if i := slices.IndexFunc(canaries, func(c string) bool { return strings.Contains(text, c) }); i >= 0 {
		t.Errorf("the log holds %q", canaries[i])
	}
}

// locked is a buffer that several write to.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A server that drains says that it is not ready, and still answers.
func TestDrains(t *testing.T) {
	s, err := Open(t.Context(), quiet(Options{Data: t.TempDir(), Listen: "127.0.0.1:0", Drain: 2 * time.Second}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	l, err := s.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if code, text := read(t, l.URL+"/readyz", ""); code != http.StatusOK {
		t.Fatalf("%d %s", code, text)
	}
	ended := make(chan error, 1)
	go func() { ended <- l.Shutdown(context.Background()) }()
	<-s.closing
	answer, err := http.Get(l.URL + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable || !answer.Close {
		t.Errorf("while it drains: %d, closes %v", answer.StatusCode, answer.Close)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
