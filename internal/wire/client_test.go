package wire_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/wire"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// against is a client of a server that answers with handle.
func against(t *testing.T, handle http.HandlerFunc) *wire.Client {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	c, err := wire.New(wire.Options{Server: server.URL, Token: "secret"})
	must(t, err)
	return c
}

func wants(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != kind || f.Code != code {
		t.Errorf("got %v, want %s %s", err, kind, code)
	}
}

// A call that is tried again carries the same key and the same body; another call another key.
func TestTriedAgain(t *testing.T) {
	var keys, bodies []string
	c := against(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		keys, bodies = append(keys, r.Header.Get(wire.KeyHeader)), append(bodies, string(b))
		switch len(keys) {
		case 1, 2:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader([]int{503, 429}[len(keys)-1])
			return
		case 3:
			w.Header().Set("Content-Type", wire.ProblemType)
			w.WriteHeader(409)
			_, _ = w.Write([]byte(`{"status":409,"code":"request.contended"}`))
			return
		}
		_, _ = w.Write([]byte(`{"id":"f1","new_field":1}`))
	})
	f, err := c.DeclareFreeze(t.Context(), wire.FreezeRequest{Name: "summer", Reason: "r"})
	must(t, err)
	if f.ID != "f1" || len(keys) != 4 || keys[0] == "" || keys[0] != keys[1] || keys[1] != keys[2] || keys[2] != keys[3] || bodies[0] == "" || bodies[0] != bodies[3] {
		t.Errorf("keys %v, bodies %v", keys, bodies)
	}
	_, err = c.DeclareFreeze(t.Context(), wire.FreezeRequest{Name: "summer", Reason: "r"})
	must(t, err)
	if keys[4] == keys[0] {
		t.Error("another call has the same key")
	}
}

func TestReportIsReadAgain(t *testing.T) {
	var bodies []string
	c := against(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(b)+r.URL.RawQuery)
		if len(bodies) == 1 {
			w.WriteHeader(503)
			return
		}
		_, _ = w.Write([]byte(`{}`))
	})
	_, err := c.AddEvidence(t.Context(), wire.EvidenceTarget{Service: "shop", Version: "v1", Digest: "d"}, strings.NewReader("report"))
	must(t, err)
	if want := "reportdigest=d&service=shop&version=v1"; len(bodies) != 2 || bodies[0] != want || bodies[1] != want {
		t.Errorf("bodies %q", bodies)
	}
}

// A refusal is the fault that the server made, and is not tried again.
func TestRefusals(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Internal, fault.Invalid, fault.Unauthorised, fault.Forbidden, fault.NotFound, fault.Conflict, fault.TooLarge, fault.Unverified} {
		var calls atomic.Int32
		sent := fault.New(kind, "some.code", "what").Because("why").Remedy("fix").On("/field").At(fault.Position{File: "f", Line: 2, Column: 3})
		c := against(t, func(w http.ResponseWriter, _ *http.Request) {
			calls.Add(1)
			p := wire.ProblemOf(sent)
			w.Header().Set("Content-Type", wire.ProblemType)
			w.WriteHeader(p.Status)
			_ = json.NewEncoder(w).Encode(p)
		})
		_, err := c.Ask(t.Context(), wire.GateRequest{})
		var got *fault.Error
		if !errors.As(err, &got) || calls.Load() != 1 {
			t.Fatalf("%s: %v after %d calls", kind, err, calls.Load())
		}
		if diff := cmp.Diff(*sent, *got); diff != "" {
			t.Errorf("%s: %s", kind, diff)
		}
	}
}

// What a proxy answers has no kind; the status gives it one.
func TestForeignRefusals(t *testing.T) {
	for status, want := range map[int]fault.Kind{
		400: fault.Invalid, 401: fault.Unauthorised, 403: fault.Forbidden, 404: fault.NotFound, 409: fault.Conflict, 413: fault.TooLarge, 500: fault.Internal, 504: fault.Unavailable, 302: fault.Internal, 418: fault.Internal,
	} {
		c := against(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/elsewhere") {
				t.Error("the token followed a redirect")
			}
			w.Header().Set("Location", "/elsewhere")
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			_, _ = w.Write([]byte("<html>"))
		})
		if _, err := c.Me(t.Context()); fault.KindOf(err) != want || err == nil {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// No answer that cannot be read is ever taken for one.
func TestBrokenAnswers(t *testing.T) {
	for name, body := range map[string]string{
		"cut": `{"decision":{"verdict":"go"`, "HTML": `<html>go</html>`, "wrong type": `{"decision":"go"}`, "twice": `{"decision":{"verdict":"no-go","verdict":"go"}}`,
		"trailing": `{"decision":{"verdict":"go"}}{}`,
	} {
		c := against(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
		_, err := c.Ask(t.Context(), wire.GateRequest{})
		wants(t, err, fault.Unavailable, "client.answer")
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	c := against(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"x":"`))
		for range 17 {
			_, _ = w.Write(bytes.Repeat([]byte("a"), 1<<20))
		}
	})
	_, err := c.Me(t.Context())
	wants(t, err, fault.TooLarge, "client.answer-size")
	c = against(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(`{"id":`))
	})
	_, err = c.Release(t.Context(), "r")
	wants(t, err, fault.Unavailable, "client.unreachable")
}

type full struct{ err error }

func (f full) Write([]byte) (int, error) { return 0, f.err }

// A disk that is full here is not told as a server that is away; an answer that
// breaks off is, and what whoever reads it has to say goes through.
func TestWhoFailedWhenItIsWritten(t *testing.T) {
	c := against(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("line\n")) })
	cut := against(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("line\n"))
	})
	for _, bring := range map[string]func(*wire.Client, io.Writer) error{
		"an export":   func(c *wire.Client, w io.Writer) error { return c.Export(t.Context(), w) },
		"a backup":    func(c *wire.Client, w io.Writer) error { return c.Backup(t.Context(), w) },
		"an original": func(c *wire.Client, w io.Writer) error { return c.Original(t.Context(), "d", "c", w) },
	} {
		wants(t, bring(c, full{errors.New("no space left on device")}), fault.Invalid, "client.unwritable")
		wants(t, bring(c, full{fault.New(fault.Unverified, "x.broken", "it is no export")}), fault.Unverified, "x.broken")
		must(t, bring(c, io.Discard))
	}
	wants(t, cut.Export(t.Context(), io.Discard), fault.Unavailable, "client.unreachable")
}

func TestUnreachable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c, err := wire.New(wire.Options{Server: server.URL})
	must(t, err)
	_, err = c.Version(t.Context())
	wants(t, err, fault.Unavailable, "client.unreachable")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Version(ctx)
	wants(t, err, fault.Interrupted, "client.interrupted")
}

func TestServers(t *testing.T) {
	for server, want := range map[string]string{
		"https://signalbox.example.com": "", "http://localhost:8080": "", "http://127.0.0.1:1": "", "http://[::1]:1": "", "https://x.example.com/base/": "",
		"http://signalbox.example.com": "client.clear-text", "http://127.0.0.1.example.com": "client.clear-text", "http://10.0.0.1": "client.clear-text",
		"": "client.server", "signalbox.example.com": "client.server", "ftp://x": "client.server", "https://u:p@x": "client.server", "https://x?token=a": "client.server", "https://": "client.server", "http://[::1": "client.server",
	} {
		_, err := wire.New(wire.Options{Server: server, Token: "secret"})
		if want == "" {
			must(t, err)
			continue
		}
		wants(t, err, fault.Invalid, want)
	}
}

func TestBase(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.EscapedPath() + " " + r.Header.Get("Authorization")
		_, _ = w.Write([]byte(`{}`))
	}))
	defer server.Close()
	c, err := wire.New(wire.Options{Server: server.URL + "/base/", Token: " secret\n"})
	must(t, err)
	_, err = c.LiftFreeze(t.Context(), "summer/../x y", wire.Reasoned{})
	must(t, err)
	if want := "/base/api/v1/freezes/summer%2F..%2Fx%20y/lift Bearer secret"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestCertificates(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"version":"1"}`)) }))
	defer server.Close()
	server.Config.ErrorLog = nil
	c, err := wire.New(wire.Options{Server: server.URL})
	must(t, err)
	_, err = c.Version(t.Context())
	wants(t, err, fault.Unavailable, "client.certificate")
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	c, err = wire.New(wire.Options{Server: server.URL, CA: ca})
	must(t, err)
	v, err := c.Version(t.Context())
	must(t, err)
	if v.Version != "1" {
		t.Errorf("version %q", v.Version)
	}
	must(t, os.WriteFile(ca, []byte("nothing"), 0o600))
	_, err = wire.New(wire.Options{Server: server.URL, CA: ca})
	wants(t, err, fault.Invalid, "client.ca")
	_, err = wire.New(wire.Options{Server: server.URL, CA: ca + ".none"})
	wants(t, err, fault.Invalid, "client.ca")
}

func TestSeveral(t *testing.T) {
	c := against(t, func(w http.ResponseWriter, _ *http.Request) {
		p := wire.ProblemOf(fault.Invalidf("policy.a", "first"))
		p.Errors = []wire.Detail{{Detail: "first", Where: wire.Place{File: "a.yaml", Line: 1}}, {Detail: "second", Fix: "mend it"}}
		w.Header().Set("Content-Type", wire.ProblemType)
		w.WriteHeader(422)
		_ = json.NewEncoder(w).Encode(p)
	})
	_, err := c.ActivatePolicy(t.Context(), wire.PolicyRequest{})
	wants(t, err, fault.Invalid, "policy.a")
	if err.Error() != "a.yaml:1: first\nsecond (mend it)" {
		t.Errorf("%q", err)
	}
}

// Subscribing again goes on from the last news; heartbeats are no news.
func TestChangesGoOn(t *testing.T) {
	var asked []string
	c := against(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		w.Header().Set("Content-Type", "text/event-stream")
		switch len(asked) {
		case 1:
			_, _ = w.Write([]byte("id: 5\nevent: news\ndata: {\"from\":5,\"next\":5,\"streams\":[]}\n\n: still here\n\ndata: {\"from\":5,\"next\":7,\ndata: \"streams\":[\"release/1\"]}\n\ndata: {\"from\":7"))
		case 2:
			_, _ = w.Write([]byte("data: {\"from\":7,\"next\":8,\"streams\":[\"freeze/1\"]}\n\n"))
		}
	})
	stop := errors.New("enough")
	var heard []wire.News
	err := c.Changes(t.Context(), 0, func(n wire.News) error {
		if heard = append(heard, n); len(heard) == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	want := []wire.News{{From: 5, Next: 7, Streams: []string{"release/1"}}, {From: 7, Next: 8, Streams: []string{"freeze/1"}}}
	if diff := cmp.Diff(want, heard); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"", "after=7"}, asked); diff != "" {
		t.Error(diff)
	}
}

func TestChangesEnd(t *testing.T) {
	c := against(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) })
	err := c.Changes(t.Context(), 1, func(wire.News) error { return nil })
	if fault.KindOf(err) != fault.Forbidden {
		t.Errorf("got %v", err)
	}
}
