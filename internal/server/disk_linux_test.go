package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/wire"
)

// smallDisk is a file system of 8 MiB of its own. Only root may mount one:
// elsewhere a full disk is tried on the file system in memory alone, in journal.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Logf("NOT TRIED: a real full disk under a real server, as mounting a tmpfs failed: %v (run as root, with CAP_SYS_ADMIN)", err)
		return ""
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes all the room of a file system, and gives it back.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// post issues a token, as a request of its own under a key, and answers the
// status and the code of the problem.
func post(t *testing.T, url, secret, key string) (status int, code string) {
	t.Helper()
	body, err := json.Marshal(wire.TokenRequest{Label: key})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, url+"/api/v1/tokens", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("Idempotency-Key", key)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var problem struct {
		Code string `json:"code"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&problem); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, problem.Code
}

// readiness is what /readyz answers, and says of appending.
func readiness(t *testing.T, url string) (status int, appending wire.Check) {
	t.Helper()
	answer, err := http.Get(url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var r wire.Readiness
	if err := json.NewDecoder(answer.Body).Decode(&r); err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Checks {
		if c.Name == "append" {
			appending = c
		}
	}
	return answer.StatusCode, appending
}

// A server whose disk is full refuses with 503 and store.full, records nothing by
// halves, answers what is asked, and goes on by itself once there is room.
func TestServesOnAFullDisk(t *testing.T) {
	dir := smallDisk(t)
	if dir == "" {
		return
	}
	s, err := Open(t.Context(), quiet(Options{Data: dir, Listen: "127.0.0.1:0"}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
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
	free := fill(t, dir)
	made, full := 0, 0
	for i := 0; i < 1000 && full < 20; i++ {
		switch status, code := post(t, l.URL, issued.Secret, fmt.Sprint("key-", i)); {
		case status < 300:
			made++
		case status == http.StatusServiceUnavailable && code == "store.full":
			full++
		default:
			t.Fatalf("on a full disk: %d %s", status, code)
		}
	}
	if full == 0 {
		t.Fatal("the disk was never full")
	}
	if status, appending := readiness(t, l.URL); status != http.StatusServiceUnavailable || appending.OK || !strings.Contains(appending.Detail, "the disk is full") {
		t.Errorf("ready on a full disk: %d %+v", status, appending)
	}
	before, err := s.Journal.Size(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if me, err := c.Me(t.Context()); err != nil || len(me.Roles) == 0 {
		t.Errorf("asked on a full disk: %+v %v", me, err)
	}
	if facts, err := c.Facts(t.Context(), 0, 200); err != nil || len(facts.Items) == 0 {
		t.Errorf("facts on a full disk: %d %v", len(facts.Items), err)
	}
	free()
	for i := range made + full { // each sent again: those recorded are answered as they were
		if status, code := post(t, l.URL, issued.Secret, fmt.Sprint("key-", i)); status >= 300 {
			t.Fatalf("with room again: %d %s", status, code)
		}
	}
	if status, appending := readiness(t, l.URL); status != http.StatusOK || !appending.OK {
		t.Errorf("ready with room again: %d %+v", status, appending)
	}
	after, err := s.Journal.Size(t.Context())
	if err != nil || after != before+uint64(full) {
		t.Errorf("%d facts before there was room, %d after %d commands that had been refused: %v", before, after, full, err)
	}
	if err := s.Journal.CheckRebuild(t.Context(), func(string, uint64, uint64) {}); err != nil {
		t.Error(err)
	}
	if err := l.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	t.Logf("%d commands recorded while the log had room, %d refused", made, full)
}

// A file system that is mounted read-only is told at the start, with what to do.
func TestReadOnlyFileSystem(t *testing.T) {
	dir := smallDisk(t)
	if dir == "" {
		return
	}
	s, err := Open(t.Context(), quiet(Options{Data: dir}))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	_, err = Open(t.Context(), quiet(Options{Data: dir}))
	var wrong *fault.Error
	if !errors.As(err, &wrong) || wrong.Kind != fault.Unavailable || wrong.Code != "store.unwritable" {
		t.Errorf("on a read-only file system: %v", err)
	}
	remount(0)
	s, err = Open(t.Context(), quiet(Options{Data: dir}))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
