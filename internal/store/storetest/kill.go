//go:build unix

package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Killable is a PostgreSQL server of the test's own, on a port that it keeps
// when it is killed and started again.
type Killable struct {
	URL string
	c   *cluster
}

// NewKillable starts one, and stops it when the test ends. The test is skipped
// where there is no PostgreSQL, and fails there if CI is set.
func NewKillable(t testing.TB) *Killable {
	t.Helper()
	c, err := start()
	if err != nil {
		missing(t, err)
	}
	t.Cleanup(func() {
		_ = c.hold.Close()
		_ = c.keeper.Wait()
	})
	return &Killable{URL: c.url, c: c}
}

// Kill ends the server with SIGKILL, and then every process that it had begun,
// so that nothing is flushed or told. It leaves the lock file and the shared
// memory of a server that crashed.
func (k *Killable) Kill() error {
	children := childrenOf(k.c.server)
	if err := syscall.Kill(k.c.server, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill the server: %w", err)
	}
	for _, child := range children {
		if err := syscall.Kill(child, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill a process of the server: %w", err)
		}
	}
	k.dismiss()
	return nil
}

// dismiss ends the keeper of a server that has ended, and keeps the directory.
func (k *Killable) dismiss() {
	_, _ = io.WriteString(k.c.hold, "keep\n")
	_ = k.c.hold.Close()
	_ = k.c.keeper.Wait()
}

// Start starts the server again and returns when it answers. A process that was
// being born when the server was killed may hold the shared memory for a moment:
// the server then refuses to start, and is started once more.
func (k *Killable) Start() error {
	for try := 0; ; try++ {
		if err := k.c.serve(); err != nil {
			return err
		}
		err := k.answers()
		if err == nil || try == 20 {
			return err
		}
		k.dismiss()
		time.Sleep(50 * time.Millisecond)
	}
}

// answers waits until the server answers, and gives up when it has ended.
func (k *Killable) answers() error {
	failed := make(chan error, 1)
	go func() { failed <- await(k.URL) }()
	for {
		select {
		case err := <-failed:
			return err
		case <-time.After(50 * time.Millisecond):
			if ended(k.c.server) {
				return fmt.Errorf("the server ended: %s", k.c.log())
			}
		}
	}
}

// ended reports whether a process is gone, or dead and not yet waited for.
func ended(pid int) bool {
	fields := stat(pid)
	return len(fields) == 0 || fields[0] == "Z"
}

// childrenOf is the processes whose parent is pid.
func childrenOf(pid int) []int {
	var all []int
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if fields := stat(child); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			all = append(all, child)
		}
	}
	return all
}

// stat is the fields of /proc/pid/stat from the state on: state, parent, …
func stat(pid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
}
