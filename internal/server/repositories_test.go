package server

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// forge serves a repository with one commit at /shop.git by https, once it may.
func forge(t *testing.T, may <-chan struct{}) (h *httptest.Server, ca string) {
	t.Helper()
	dir := t.TempDir()
	script := `git init -q -b main work && cd work && mkdir web && echo 1 >web/a.js && git add . &&
git -c user.name=Ada -c user.email=ada@example.com commit -q -m "feat: begin" && cd .. && git clone -q --bare work shop.git`
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	path, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"), InheritEnv: []string{"PATH"},
		Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "HOME=/nonexistent", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}
	h = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-may:
			backend.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(h.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	return h, ca
}

const shopCatalog = `apiVersion: signalbox/v1
kind: Team
name: shop
---
apiVersion: signalbox/v1
kind: Service
name: shop
tier: 1
team: shop
repository: %s/shop.git
components:
  - name: pages
    paths: [web]
---
apiVersion: signalbox/v1
kind: Service
name: elsewhere
tier: 1
team: shop
repository: https://example.com/shop.git
---
apiVersion: signalbox/v1
kind: Service
name: program
tier: 1
team: shop
repository: ext::sh://x
`

func TestServerMirrors(t *testing.T) {
	for engine, database := range map[string]func() string{"sqlite": func() string { return "" }, "postgres": func() string { return storetest.PostgresURL(t) }} {
		t.Run(engine, func(t *testing.T) { mirrored(t, database()) })
	}
}

func mirrored(t *testing.T, database string) {
	open := make(chan struct{})
	close(open)
	h, ca := forge(t, open)
	s, err := Open(t.Context(), quiet(Options{Data: t.TempDir(), Database: database, Mirrors: MirrorOptions{Hosts: []string{strings.TrimPrefix(h.URL, "https://")}, CA: ca}}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	r := control.Request{Actor: access.System("test")}
	if _, err := s.Control.ImportCatalog(t.Context(), r, "catalog.yaml", fmt.Appendf(nil, shopCatalog, h.URL)); err != nil {
		t.Fatal(err)
	}
	ch, err := s.Control.InspectChange(t.Context(), r, "shop", "", "main")
	if err != nil || ch.Commits != 1 || len(ch.Components) != 1 || ch.Components[0] != "pages" || ch.Signatures != nil {
		t.Errorf("%+v %v", ch, err)
	}
	for service, kind := range map[string]fault.Kind{"elsewhere": fault.Forbidden, "program": fault.Invalid, "nothing": fault.NotFound} {
		if _, err := s.Control.InspectChange(t.Context(), r, service, "", "main"); fault.KindOf(err) != kind {
			t.Errorf("%s: %v", service, err)
		}
	}
	nobody := control.Request{Actor: access.Actor{Subject: "person/x", Rights: []access.Right{access.Read}}}
	if _, err := s.Control.InspectChange(t.Context(), nobody, "shop", "", "main"); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("without the right: %v", err)
	}
}

// A lease keeps others out while it is held, and is free when it is given back.
func TestLeaseOfADirectory(t *testing.T) {
	s, err := Open(t.Context(), quiet(Options{Data: t.TempDir()}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	dir := t.TempDir()
	one, err := s.lease(dir)
	if err != nil {
		t.Fatal(err)
	}
	two, err := s.lease(dir)
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.lease(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	release, held, err := one(t.Context(), "x")
	if err != nil || !held {
		t.Fatal(held, err)
	}
	if _, held, err := two(t.Context(), "x"); err != nil || held {
		t.Errorf("held by two: %v", err)
	}
	apart, held, err := other(t.Context(), "x")
	if err != nil || !held {
		t.Errorf("another directory: %v", err)
	}
	apart()
	release()
	for {
		again, held, err := two(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		if held {
			again()
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// The server stops although a fetch does not end.
func TestCloseEndsFetches(t *testing.T) {
	h, ca := forge(t, make(chan struct{}))
	s, err := Open(t.Context(), quiet(Options{Data: t.TempDir(), Mirrors: MirrorOptions{Hosts: []string{strings.TrimPrefix(h.URL, "https://")}, CA: ca}}))
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan error, 1)
	go func() {
		_, err := s.Control.Changes.ReadChange(t.Context(), h.URL+"/shop.git", "", "main")
		asked <- err
	}()
	for entries := []os.DirEntry(nil); len(entries) < 2; time.Sleep(time.Millisecond) { // id, home, the mirror
		entries, _ = os.ReadDir(filepath.Join(s.options.Data, "mirrors"))
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-asked; err == nil {
		t.Error("what was not fetched was read")
	}
}

func TestMirrorSettingsAreChecked(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte("nothing\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"a host that is none": {Mirrors: MirrorOptions{Hosts: []string{"https://x"}}},
		"a host with a user":  {Mirrors: MirrorOptions{Hosts: []string{"ada:s3cret@x"}}},
		"a size that is none": {Mirrors: MirrorOptions{Hosts: []string{"x"}, Size: "much"}},
		"all less than one":   {Mirrors: MirrorOptions{Hosts: []string{"x"}, Size: "2GiB", Total: "1GiB"}},
		"keys that are none":  {CommitKeys: []string{keys}},
		"keys that are gone":  {CommitKeys: []string{keys + "x"}},
	} {
		o.Data = t.TempDir()
		s, err := Open(t.Context(), quiet(o))
		if fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			_ = s.Close()
		}
	}
}
