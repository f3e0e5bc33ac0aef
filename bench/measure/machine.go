package measure

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// Machine says on what, with what and when was measured.
func Machine(ctx context.Context, o Options, took time.Duration) (Table, error) {
	t := Table{Name: "machine", Head: []string{"", ""}}
	t.Add("date", Day(time.Now()))
	t.Add("processor", fmt.Sprintf("%d × %s", runtime.NumCPU(), field("/proc/cpuinfo", "model name")))
	t.Add("memory", memory())
	t.Add("system", system())
	t.Add("disk under the data", Disk(o.Dir))
	t.Add("Go", runtime.Version()+fmt.Sprintf(", GOMAXPROCS %d", runtime.GOMAXPROCS(0)))
	if o.Postgres != "" {
		s, err := NewServer(ctx, o.Postgres)
		if err != nil {
			return t, err
		}
		t.Add("PostgreSQL", s.Version)
	}
	for _, path := range []string{
		"github.com/open-policy-agent/opa", "github.com/transparency-dev/tessera", "golang.org/x/mod", "cel.dev/cel-go", "modernc.org/sqlite", "github.com/jackc/pgx/v5",
	} {
		t.Add(path, version(path))
	}
	t.Add("rounds", fmt.Sprint(o.Rounds))
	t.Add("the whole run", took.Round(time.Second).String())
	return t, nil
}

// field is what a file of /proc says of the first line of a name.
func field(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return "not known"
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "not known"
}

func memory() string {
	var kib float64
	if _, err := fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%f kB", &kib); err != nil {
		return "not known"
	}
	return fmt.Sprintf("%.0f GiB", kib/(1<<20))
}

func system() string {
	var u syscall.Utsname
	if err := syscall.Uname(&u); err != nil {
		return runtime.GOOS
	}
	var release strings.Builder
	for _, c := range u.Release {
		if c == 0 {
			break
		}
		release.WriteByte(byte(c))
	}
	name := "Linux"
	if b, err := os.ReadFile("/etc/os-release"); err == nil {
		for line := range strings.Lines(string(b)) {
			if v, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
				name = strings.Trim(strings.TrimSpace(v), `"`)
			}
		}
	}
	return name + ", kernel " + release.String()
}

// Disk is the file system that a directory is on.
func Disk(dir string) string {
	b, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return "not known"
	}
	best, what := "", "not known"
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 3 || len(f[1]) < len(best) || dir != f[1] && !strings.HasPrefix(dir, strings.TrimSuffix(f[1], "/")+"/") {
			continue
		}
		best, what = f[1], f[2]
	}
	return what
}

// version is that of a module that this program is built with.
func version(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "not known"
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return m.Version
		}
	}
	return "not built in"
}
