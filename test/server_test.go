package test

import (
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// How long a server may take to answer, and to stop.
const (
	readyWithin = 60 * time.Second
	stopWithin  = 15 * time.Second
)

// running is the server of one script, if any.
type running struct {
	cmd  *exec.Cmd
	done chan error // its exit, once
}

type serverKey struct{}

func serverOf(ts *testscript.TestScript) *running { return ts.Value(serverKey{}).(*running) }

func serve(ts *testscript.TestScript, neg bool, args []string) {
	s := serverOf(ts)
	if neg || s.cmd != nil {
		ts.Fatalf("serve: one server at a time, and it must start")
	}
	ready := []int{http.StatusOK}
	if len(args) > 0 && args[0] == "-closed" {
		ready, args = []int{http.StatusServiceUnavailable}, args[1:]
	}
	address := freeAddress(ts)
	log, err := os.OpenFile(ts.MkAbs("serve.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	args = append([]string{"serve"}, args...)
	args = append(args, "--data", ts.Getenv("DATA"), "--listen", address)
	if database := ts.Getenv("DATABASE"); database != "" {
		args = append(args, "--database", database)
	}
	binary, err := exec.LookPath(filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], "signalbox"))
	ts.Check(err)
	cmd := exec.Command(binary, args...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME"), "SOFTHSM2_CONF=" + ts.Getenv("SOFTHSM2_CONF"), "NO_COLOR=1", "SIGNALBOX_DRAIN=0s"}
	cmd.Stdout, cmd.Stderr = log, log
	ts.Check(cmd.Start())
	ts.Check(log.Close())
	s.cmd, s.done = cmd, make(chan error, 1)
	go func() { s.done <- cmd.Wait() }()
	ts.Defer(func() { s.end(ts, os.Kill) })
	s.await(ts, "http://"+address, ready)
	ts.Setenv("URL", "http://"+address)
}

// await returns when the server says that it is ready.
func (s *running) await(ts *testscript.TestScript, url string, ready []int) {
	client := &http.Client{Timeout: 2 * time.Second}
	deadline := time.After(readyWithin)
	for {
		if answer, err := client.Get(url + "/readyz"); err == nil {
			_ = answer.Body.Close()
			if slices.Contains(ready, answer.StatusCode) {
				return
			}
		}
		select {
		case err := <-s.done:
			s.cmd = nil
			ts.Fatalf("serve: the server ended: %v\n%s", err, ts.ReadFile("serve.log"))
		case <-deadline:
			ts.Fatalf("serve: not ready within %v\n%s", readyWithin, ts.ReadFile("serve.log"))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func shutdown(ts *testscript.TestScript, _ bool, _ []string) {
	if err := serverOf(ts).end(ts, syscall.SIGTERM); err != nil {
		ts.Fatalf("shutdown: %v\n%s", err, ts.ReadFile("serve.log"))
	}
}

func crash(ts *testscript.TestScript, _ bool, _ []string) {
	_ = serverOf(ts).end(ts, os.Kill) // its exit code says only that it was killed
}

// end sends a signal to the server, if there is one, and waits for its exit.
func (s *running) end(ts *testscript.TestScript, signal os.Signal) error {
	if s.cmd == nil {
		return nil
	}
	cmd := s.cmd
	s.cmd = nil
	if err := cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		ts.Logf("signal the server: %v", err)
	}
	select {
	case err := <-s.done:
		return err
	case <-time.After(stopWithin):
		_ = cmd.Process.Kill()
		<-s.done
		return errors.New("the server did not stop in time and was killed")
	}
}

func freeAddress(ts *testscript.TestScript) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
