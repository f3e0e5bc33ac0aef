package overhttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"

	"signalbox.dev/signalbox/bench/measure"
)

// program is a server that runs as a process of its own, so that what it costs is
// told apart from the load that it is put under.
type program struct {
	url  string
	cmd  *exec.Cmd
	said bytes.Buffer
	done chan error
}

// build makes a program of a module that this one requires.
func build(ctx context.Context, out, path string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-mod=mod", "-o", out, path)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", path, err, b)
	}
	return nil
}

// start runs a program on a free port and waits until it answers at a path.
// %s in its arguments is the address.
func start(ctx context.Context, ready string, command ...string) (*program, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	args := make([]string, len(command))
	for i, a := range command {
		if args[i] = a; a == "%s" {
			args[i] = address
		}
	}
	p := &program{url: "http://" + address, cmd: exec.Command(args[0], args[1:]...), done: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	if err := p.await(ctx, ready); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

func (p *program) await(ctx context.Context, path string) error {
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(20 * time.Millisecond) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
		if err != nil {
			return err
		}
		if a, err := http.DefaultClient.Do(r); err == nil {
			_ = a.Body.Close()
			if a.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-p.done:
			p.done <- err
			return fmt.Errorf("%s ended: %w\n%s", p.cmd.Path, err, p.said.String())
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
	}
	return fmt.Errorf("%s does not answer within a minute", p.cmd.Path)
}

func (p *program) cpu() (time.Duration, error) { return measure.Process(p.cmd.Process.Pid) }

// stop ends the program and waits for it.
func (p *program) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(15 * time.Second):
		return errors.Join(p.cmd.Process.Kill(), fmt.Errorf("%s did not end when it was told to", p.cmd.Path))
	}
}
