package report

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// A large hostile report costs a bounded amount of memory.
func TestMemoryIsBounded(t *testing.T) {
	const size = 48 << 20
	many := func(before, each, after string) func() string {
		return func() string { return before + strings.Repeat(each, size/len(each)) + after }
	}
	for name, report := range map[string]func() string{
		"results": many(`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[`, `{},`, `{}]}]}`),
		"rules":   many(`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x","rules":[`, `{},`, `{}]}},"results":[]}]}`),
		"tags":    many(`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x","rules":[{"properties":{"tags":[`, `"",`, `""]}}]}},"results":[]}]}`),
		"names":   many(`{"version":"2.1.0","runs":[],"x":{`, `"a":1,`, `"b":1}}`),
		"cases":   many(`<testsuite>`, `<testcase/>`, `</testsuite>`),
		"text":    many(`<testsuite>`, `x`, `</testsuite>`),
	} {
		b := []byte(report())
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		peak, stop := make(chan uint64), make(chan struct{})
		go func() { peak <- watchHeap(stop) }()
		_, err := Read(b)
		close(stop)
		used := int64(<-peak) - int64(before.HeapAlloc)
		t.Logf("%s: %d MiB, %v", name, used>>20, err)
		if used > 128<<20 {
			t.Errorf("%s: %d MiB", name, used>>20)
		}
	}
}

func watchHeap(stop chan struct{}) uint64 {
	var m runtime.MemStats
	var peak uint64
	for {
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapAlloc)
		select {
		case <-stop:
			return peak
		case <-time.After(time.Millisecond):
		}
	}
}
