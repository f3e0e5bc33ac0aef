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

// keeper runs a server, says its process id, and stops it when its standard input
// ends, as it does when the test binary ends in whatever way. The directory goes
// with it unless the last word is to keep it.
const keeper = `
dir=$1; shift
"$@" >>"$dir/log" 2>&1 </dev/null &
server=$!
echo $server
read word
kill -QUIT $server 2>/dev/null
wait $server
[ "$word" = keep ] || rm -rf "$dir"
`

// cluster is a server, running or killed, in a directory of its own.
type cluster struct {
	url, bin, dir string
	port          int
	keeper        *exec.Cmd
	hold          io.WriteCloser // the keeper's standard input, kept from the garbage collector
	server        int            // process id
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
	c := &cluster{bin: bin, dir: dir}
	if err = c.initialise(); err == nil {
		err = c.serve()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := await(c.url); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, c.log())
	}
	return c, nil
}

func (c *cluster) log() []byte {
	b, _ := os.ReadFile(filepath.Join(c.dir, "log"))
	return b[max(0, len(b)-4000):]
}

func (c *cluster) initialise() (err error) {
	if err := handOver(c.dir); err != nil {
		return err
	}
	args := as(filepath.Join(c.bin, "initdb"), "-D", filepath.Join(c.dir, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	c.port, err = freePort()
	c.url = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", c.port)
	return err
}

// serve starts the server, and does not wait until it answers.
func (c *cluster) serve() error {
	serve := as("/bin/sh", "-c", keeper, "keeper", c.dir, filepath.Join(c.bin, "postgres"), "-D", filepath.Join(c.dir, "data"), "-k", c.dir,
		"-c", "listen_addresses=127.0.0.1", "-c", fmt.Sprintf("port=%d", c.port),
		"-c", "max_connections=200", "-c", "fsync=on")
	c.keeper = exec.Command(serve[0], serve[1:]...)
	out, err := c.keeper.StdoutPipe()
	if err != nil {
		return err
	}
	if c.hold, err = c.keeper.StdinPipe(); err != nil {
		return err
	}
	if err := c.keeper.Start(); err != nil {
		return err
	}
	if _, err := fmt.Fscan(out, &c.server); err != nil {
		return fmt.Errorf("start a server: %w", err)
	}
	return nil
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
