//go:build unix

package test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/store/storetest"
	"signalbox.dev/signalbox/internal/wire"
)

// alone is one server process that can be stopped and started again.
type alone struct {
	t       *testing.T
	args    []string
	env     []string
	log     string
	address string
	cmd     *exec.Cmd
	token   string
}

func standAlone(t *testing.T, binary, database string) *alone {
	t.Helper()
	dir := t.TempDir()
	s := &alone{t: t, address: unused(t), log: filepath.Join(dir, "log")}
	s.args = []string{
		binary, "serve", "--data", filepath.Join(dir, "data"), "--listen", s.address, "--drain", "300ms", "--admin", "root", "--admin-email", "root@example.com",
		"--admin-token-file", filepath.Join(dir, "token"),
	}
	if database != "" {
		s.args = append(s.args, "--database", database)
	}
	s.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	s.start()
	secret, err := os.ReadFile(filepath.Join(dir, "token"))
	must(t, err)
	s.token = strings.TrimSpace(string(secret))
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait() })
	return s
}

func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func (s *alone) start() {
	s.t.Helper()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(s.t, err)
	s.cmd = exec.Command(s.args[0], s.args[1:]...)
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = s.env, log, log
	must(s.t, s.cmd.Start())
	must(s.t, log.Close())
	for deadline := time.Now().Add(readyWithin); ; time.Sleep(10 * time.Millisecond) {
		if answer, err := http.Get("http://" + s.address + "/livez"); err == nil {
			_ = answer.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			b, _ := os.ReadFile(s.log)
			s.t.Fatalf("not ready: %s", b)
		}
	}
}

func (s *alone) client() *wire.Client {
	s.t.Helper()
	c, err := wire.New(wire.Options{Server: "http://" + s.address, Token: s.token})
	must(s.t, err)
	return c
}

// Prometheus reads the metrics with a token of a machine that may only read.
func TestPrometheus(t *testing.T) {
	prometheus, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatal("prometheus is not installed; run scripts/install.sh")
	}
	s := standAlone(t, build(t), "")
	ctx, dir := t.Context(), t.TempDir()
	_, err = s.client().ImportCatalog(ctx, "catalog.yaml", []byte("apiVersion: signalbox/v1\nkind: Machine\nname: prometheus\nroles: [viewer]\n"))
	must(t, err)
	issued, err := s.client().IssueToken(ctx, wire.TokenRequest{Machine: "prometheus", Hours: 1})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "token"), []byte(issued.Secret), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "prometheus.yml"), fmt.Appendf(nil, `global: {scrape_interval: 1s}
scrape_configs:
  - job_name: signalbox
    authorization: {credentials_file: %s}
    static_configs: [{targets: [%q]}]
`, filepath.Join(dir, "token"), s.address), 0o600))
	address := unused(t)
	cmd := exec.Command(prometheus, "--config.file", filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path", filepath.Join(dir, "tsdb"), "--web.listen-address", address)
	log := new(strings.Builder)
	cmd.Stderr, cmd.Stdout = log, log
	must(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for query, want := range map[string]string{
		`up{job="signalbox"}`: "1", "signalbox_releases_stopped": "0", `signalbox_facts_total{kind="machine.described"}`: "1",
		`http_server_request_duration_seconds_count{http_route="/api/v1/catalog/imports"}`: "1",
	} {
		got := ""
		for deadline := time.Now().Add(readyWithin); got != want && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
			got = instant(ctx, address, query)
		}
		if got != want {
			t.Errorf("%s is %q, not %q", query, got, want)
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/metrics", nil)
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+issued.Secret)
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	defer func() { _ = answer.Body.Close() }()
	lint := exec.Command("promtool", "check", "metrics")
	lint.Stdin = answer.Body
	if out, err := lint.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// instant is the one value of a query now; "" where there is none.
func instant(ctx context.Context, address, query string) string {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/api/v1/query?query="+url.QueryEscape(query), nil)
	if err != nil {
		return ""
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return ""
	}
	defer func() { _ = answer.Body.Close() }()
	var found struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if json.NewDecoder(answer.Body).Decode(&found) != nil || len(found.Data.Result) != 1 {
		return ""
	}
	value, _ := found.Data.Result[0].Value[1].(string)
	return value
}

// A server told to stop under load cuts no request off: what it took up it
// answers, what it did not take up is not recorded, and it ends well.
func TestTermination(t *testing.T) {
	binary := build(t)
	for engine, database := range map[string]string{"sqlite": "", "postgres": storetest.PostgresURL(t)} {
		t.Run(engine, func(t *testing.T) {
			cycles := 2
			if os.Getenv("SIGNALBOX_PROVE") == "full" {
				cycles = 100
			}
			s := standAlone(t, binary, database)
			answered, refused := 0, 0
			for n := range cycles {
				a, r := s.terminate(n)
				answered, refused = answered+a, refused+r
			}
			t.Logf("%d cycles: %d requests answered, %d not taken up", cycles, answered, refused)
		})
	}
}

// terminate loads the server, ends it with SIGTERM, and starts it again.
func (s *alone) terminate(cycle int) (answered, refused int) {
	s.t.Helper()
	var mu sync.Mutex
	var workers sync.WaitGroup
	told, cut := map[string]bool{}, map[string]bool{}
	enough := make(chan struct{}, 1)
	for worker := range 8 {
		transport := &http.Transport{}
		workers.Go(func() {
			defer transport.CloseIdleConnections()
			for n := 0; ; n++ {
				name := fmt.Sprintf("told-%d-%d-%d", cycle, worker, n)
				err := s.tell(transport, name)
				if errors.Is(err, syscall.ECONNREFUSED) {
					return // it listens no more
				}
				mu.Lock()
				if err == nil {
					told[name] = true
				} else {
					cut[name] = true
				}
				if len(told) == 40 {
					enough <- struct{}{}
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(readyWithin):
		s.t.Fatal("40 requests were not answered")
	}
	must(s.t, s.cmd.Process.Signal(syscall.SIGTERM))
	ended := make(chan error, 1)
	go func() { ended <- s.cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			s.t.Errorf("cycle %d: the server ended with %v", cycle, err)
		}
	case <-time.After(stopWithin):
		s.t.Fatalf("cycle %d: the server did not end", cycle)
	}
	workers.Wait()
	s.start()
	stands := s.labels()
	for name := range told {
		if !stands[name] {
			s.t.Errorf("%s was acknowledged, and is lost", name)
		}
	}
	for name := range cut {
		if stands[name] {
			s.t.Errorf("%s was recorded, and its answer cut off", name)
		}
	}
	return len(told), len(cut)
}

// tell issues a token by a request that nothing sends again.
func (s *alone) tell(transport http.RoundTripper, name string) error {
	body := `{"handle":"root","label":"` + name + `"}`
	r, err := http.NewRequest(http.MethodPost, "http://"+s.address+wire.Prefix+"/tokens", io.NopCloser(strings.NewReader(body)))
	if err != nil {
		return err
	}
	r.ContentLength = int64(len(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+s.token)
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.ReadAll(answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	return nil
}

// labels is those of all tokens.
func (s *alone) labels() map[string]bool {
	s.t.Helper()
	names, cursor := map[string]bool{}, ""
	for {
		page, err := s.client().Tokens(s.t.Context(), wire.Paging{Cursor: cursor, Limit: 200})
		must(s.t, err)
		for _, f := range page.Items {
			names[f.Label] = true
		}
		if cursor = page.Next; cursor == "" {
			return names
		}
	}
}
