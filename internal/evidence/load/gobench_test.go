package load

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const goBenchOutput = `goos: linux
goarch: amd64
pkg: example.org/a
cpu: some
BenchmarkRead-8   	    1000	   2000000 ns/op	  12.5 MB/s	  64 B/op	 2 allocs/op
BenchmarkRead-8   	    3000	   4000000 ns/op
some log line
BenchmarkWrite/small-8         	 1000000	      1500.5 ns/op
PASS
ok  	example.org/a	3.210s
pkg: example.org/b
BenchmarkRead 	       10	 1e+06 ns/op
PASS
ok  	example.org/b	1.000s
`

func TestGoBench(t *testing.T) {
	c := mustRead(t, goBenchOutput)
	if got := says(c); got != "1004010 0 - - - 0/0 0s" || c.Format != GoBench || len(c.Notes) != 1 || c.Load.Mean != nil {
		t.Errorf("%s, notes %q", got, c.Notes)
	}
	want := []string{
		"example.org/a.BenchmarkWrite/small: 1000000 0 - - - 0.0015005", "example.org/a.BenchmarkRead: 4000 0 - - - 3.5",
		"example.org/b.BenchmarkRead: 10 0 - - - 1",
	}
	if d := cmp.Diff(want, parts(c)); d != "" {
		t.Error(d)
	}
	if got := says(mustRead(t, "BenchmarkA-2 1 5 ns/op\nPASS\n")); got != "1 0 - - - 0/0 0s" {
		t.Error(got)
	}
}

func TestGoBenchRefused(t *testing.T) {
	refused(t, []refusal{
		{"no result", "goos: linux\nPASS\nok  \ta\t1s\n", "measured nothing"},
		{"one that failed", strings.Replace(goBenchOutput, "some log line", "--- FAIL: BenchmarkWrite-8", 1), "BenchmarkWrite"},
		{"a package that failed", strings.Replace(goBenchOutput, "PASS\nok  \texample.org/b\t1.000s", "FAIL\nFAIL\texample.org/b\t1s", 1), "failed"},
		{"a panic", strings.Replace(goBenchOutput, "some log line", "panic: no", 1), "panic"},
		{"no end", "BenchmarkA-2 1 5 ns/op\n", "does not end"},
		{"zero runs", "BenchmarkA-2 0 5 ns/op\nPASS\n", "no count"},
	})
	cut(t, goBenchOutput, func(rest string) bool { // a package is whole, and the next has not begun
		return strings.HasPrefix(rest, "\nok") || strings.HasPrefix(rest, "pkg: example.org/b") || strings.HasPrefix(rest, "\npkg") || strings.HasPrefix(rest, "\tex") ||
			!strings.Contains(rest, "\n") || strings.Count(rest, "\n") == 1 || strings.HasSuffix(goBenchOutput[:len(goBenchOutput)-len(rest)], "PASS\n") ||
			strings.Contains(goBenchOutput[len(goBenchOutput)-len(rest)-25:len(goBenchOutput)-len(rest)], "ok  \t")
	})
}

func FuzzGoBench(f *testing.F) {
	f.Add([]byte(goBenchOutput))
	f.Fuzz(holds)
}
