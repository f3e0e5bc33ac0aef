package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// keeper runs a server for as long as its standard input stays open, that is
// until the test binary ends in whatever way, and then removes the directory.
const keeper = `
dir=$1; shift
"$@" >"$dir/log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -QUIT $server
wait $server
rm -rf "$dir"
`

// cluster is a running server.
type cluster struct {
	url  string
	hold io.Closer // the keeper's standard input, kept from the garbage collector
}

// start makes a cluster in a temporary directory and serves it on a free
// loopback port. fsync stays on: tests rely on what a commit means.
func start() (*cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "signalbox-postgres-")
	if err != nil {
		return nil, err
	}
	port, hold, err := launch(bin, dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	u := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	if err := await(u); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		return nil, fmt.Errorf("%w\n%s", err, log)
	}
	return &cluster{url: u, hold: hold}, nil
}

// launch initialises the cluster in dir and starts its server.
func launch(bin, dir string) (port int, hold io.Closer, err error) {
	if err := handOver(dir); err != nil {
		return 0, nil, err
	}
	data := filepath.Join(dir, "data")
	args := as(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		return 0, nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if port, err = freePort(); err != nil {
		return 0, nil, err
	}
	serve := as("/bin/sh", "-c", keeper, "keeper", dir, filepath.Join(bin, "postgres"), "-D", data, "-k", dir,
		"-c", "listen_addresses=127.0.0.1", "-c", fmt.Sprintf("port=%d", port),
		"-c", "max_connections=200", "-c", "fsync=on")
	cmd := exec.Command(serve[0], serve[1:]...)
	if hold, err = cmd.StdinPipe(); err != nil {
		return 0, nil, err
	}
	return port, hold, cmd.Start()
}

// as is the command line, run as user postgres where we are root, as the server demands.
func as(args ...string) []string {
	if os.Geteuid() != 0 {
		return args
	}
	return append([]string{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"}, args...)
}

func handOver(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	if out, err := exec.Command("chown", "postgres", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("chown: %w: %s", err, out)
	}
	return nil
}

// binaries is the folder with initdb and postgres: on the PATH, or the newest that Debian keeps.
func binaries() (string, error) {
	if p, err := exec.LookPath("initdb"); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil {
			return filepath.Dir(p), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errors.New("initdb is neither on the PATH nor in /usr/lib/postgresql")
	}
	slices.SortFunc(found, func(a, b string) int { return len(a) - len(b) + strings.Compare(a, b) })
	return filepath.Dir(found[len(found)-1]), nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// await waits until the server answers, half a minute at most.
func await(u string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		err := execute(ctx, u, "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
