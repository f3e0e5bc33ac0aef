package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/wire"
)

// outcome is how one run of the program ended.
type outcome struct {
	code     int
	out, err string
}

// world is what the program finds around it.
type world struct {
	env   map[string]string
	in    string
	local Local
}

func (w world) run(t *testing.T, args ...string) outcome {
	t.Helper()
	return w.runIn(t.Context(), args...)
}

func (w world) runIn(ctx context.Context, args ...string) outcome {
	var out, errs bytes.Buffer
	w.local.Version = "1.0.0-test"
	code := Main(ctx, args, Streams{
		In: strings.NewReader(w.in), Out: &out, Err: &errs,
		Env: func(name string) (string, bool) { v, set := w.env[name]; return v, set },
	}, w.local)
	return outcome{code, out.String(), errs.String()}
}

// home is a world in an empty directory of its own.
func home(t *testing.T) world {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".git"), 0o755); err != nil { // ends the search for a project's file
		t.Fatal(err)
	}
	t.Chdir(dir)
	return world{env: map[string]string{"HOME": dir, "SIGNALBOX_ZONE": "UTC"}}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// request is what a fake server was asked.
type request struct {
	method, path, query, token, body string
}

// fake is a server that answers by method and path, and remembers what it was asked.
type fake struct {
	*httptest.Server
	mu      sync.Mutex
	asked   []request
	answers map[string]any // wire struct, string, func(request) any, or refused
}

// refused is an answer that is a problem document.
type refused struct {
	status     int
	kind, code string
}

func serve(t *testing.T, answers map[string]any) *fake {
	t.Helper()
	f := &fake{answers: answers}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	q := request{r.Method, r.URL.Path, r.URL.RawQuery, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), string(body)}
	f.mu.Lock()
	f.asked = append(f.asked, q)
	answer, known := f.answers[q.method+" "+strings.TrimPrefix(q.path, "/api/v1")]
	f.mu.Unlock()
	if fn, ok := answer.(func(request) any); ok {
		answer = fn(q)
	}
	switch a := answer.(type) {
	case refused:
		problem(w, a)
	case http.HandlerFunc:
		a(w, r)
	case string:
		_, _ = io.WriteString(w, a)
	default:
		if !known {
			problem(w, refused{404, "not-found", "test.unknown"})
			return
		}
		_ = json.NewEncoder(w).Encode(a)
	}
}

func problem(w http.ResponseWriter, r refused) {
	w.Header().Set("Content-Type", wire.ProblemType)
	w.WriteHeader(r.status)
	_ = json.NewEncoder(w).Encode(wire.Problem{Title: "refused", Status: r.status, Kind: r.kind, Code: r.code, Detail: "what happened", Why: "why it did", Fix: "how to fix it"})
}

// bodies are what a call was sent, oldest first.
func (f *fake) bodies(call string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, q := range f.asked {
		if q.method+" "+strings.TrimPrefix(q.path, "/api/v1") == call {
			all = append(all, q.body)
		}
	}
	return all
}

// at is a world whose settings name the server, with a token in a file.
func (f *fake) at(t *testing.T) world {
	t.Helper()
	w := home(t)
	w.env["SIGNALBOX_SERVER"] = f.URL
	w.env["SIGNALBOX_TOKEN_FILE"] = write(t, filepath.Join(w.env["HOME"], "token"), "sbx_secret_of_the_test\n")
	return w
}

const artifact = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// question are the flags that every gate needs.
func question(more ...string) []string {
	return append([]string{"gate", "--service", "payments", "--version", "1.4.2", "--digest", artifact, "--environment", "production"}, more...)
}

// decided is an answer of the server's with one reason.
func decided(verdict string) wire.Answer {
	reason := wire.Reason{Gate: "g", Title: "The gate of the test", Code: "failed", Severity: "block", Verdict: verdict, Why: "Because.", Observed: "1", Required: "0"}
	d := wire.Decision{
		ID: "decision-" + verdict, Release: "r1", Service: "payments", Version: "1.4.2", Digest: artifact, Environment: "production", Verdict: verdict, Enforced: true,
		Governance: "full", Reasons: []wire.Reason{reason}, At: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), Believed: wire.Believed{Release: "pipeline"},
	}
	a := wire.Answer{Decision: d, People: map[string]string{}}
	if verdict == wire.Go {
		a.Decision.Permit, a.Permit = "p1", json.RawMessage(`{"payload":"e30="}`)
		a.Decision.PermitUntil = d.At.Add(15 * time.Minute)
	}
	return a
}

func (o outcome) expect(t *testing.T, code int, says ...string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit %d, want %d\nstdout: %s\nstderr: %s", o.code, code, o.out, o.err)
	}
	for _, text := range says {
		if !strings.Contains(o.out+o.err, text) {
			t.Errorf("it does not say %q\nstdout: %s\nstderr: %s", text, o.out, o.err)
		}
	}
}
