package report

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A large hostile report costs a bounded amount of memory: with the longest one
// itself, 200 MiB, well below the 512 MiB that reading may take in all.
func TestMemoryIsBounded(t *testing.T) {
	const size = 48 << 20
	many := func(before, each, after string) func() string {
		return func() string { return before + strings.Repeat(each, size/len(each)) + after }
	}
	distinct := func(before, each string) func() string {
		return func() string {
			var b strings.Builder
			b.WriteString(before)
			for i := 0; b.Len() < size; i++ {
				fmt.Fprintf(&b, each, i)
			}
			return b.String()
		}
	}
	for name, report := range map[string]func() string{
		"results":                many(`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[`, `{},`, `{}]}]}`),
		"rules":                  many(`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x","rules":[`, `{},`, `{}]}},"results":[]}]}`),
		"tags":                   many(`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x","rules":[{"properties":{"tags":[`, `"",`, `""]}}]}},"results":[]}]}`),
		"names":                  many(`{"version":"2.1.0","runs":[],"x":{`, `"a":1,`, `"b":1}}`),
		"cases":                  many(`<testsuite>`, `<testcase/>`, `</testsuite>`),
		"text":                   many(`<testsuite>`, `x`, `</testsuite>`),
		"samples":                many("elapsed,success,label\n", "1,true,\n", ""),
		"results of a load test": many(`<testResults>`, `<sample t="1" s="true"/>`, `</testResults>`),
		"metrics":                many(`{"root_group":{},"metrics":{"x":{`, `"a":1,`, `"b":1}}}`),
		"records":                many("", "SF:a\nDA:1,1\nend_of_record\n", ""),
		"lines":                  many("SF:a\n", "DA:1,1\n", "end_of_record\n"),
		"files":                  distinct("", "SF:%d\nDA:1,1\nend_of_record\n"),
		"blocks":                 distinct("mode: set\n", "a.go:%d.1,2.2 1 1\n"),
		"labels":                 distinct("elapsed,success,label\n", "1,true,%d\n"),
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
		if used > 256<<20 {
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
