package load

import (
	"bytes"
	"regexp"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// strangers are files of load tests that are no results, by how they begin.
var strangers = []struct {
	start    *regexp.Regexp
	is, send string
}{
	{
		regexp.MustCompile(`^\d{4}[-/]\d\d[-/]\d\d \d\d:\d\d:\d\d[,.]\d{3} (?:INFO|WARN|ERROR|DEBUG)\s.{0,20}j`),
		"JMeter's log", "the results: what jmeter -l FILE writes",
	},
	{regexp.MustCompile(`^metric_name,timestamp,metric_value`), "k6's table of single points (--out csv)", "the summary: k6 run --summary-export=FILE"},
	{regexp.MustCompile(`^"?Timestamp"?,"?User Count"?,`), "Locust's history", "the file that ends in _stats.csv"},
	{regexp.MustCompile(`^"?(?:Method|Count)"?,"?(?:Name|Message)"?,"?(?:Error|Traceback)"?`), "Locust's list of failures or exceptions", "the file that ends in _stats.csv"},
	{regexp.MustCompile(`^var stats = \{`), "Gatling's statistics as a script", "js/stats.json, which stands beside it"},
}

// IsStranger reports whether text begins like a file of a load test that is no result.
func IsStranger(start []byte) bool { return stranger(start) >= 0 }

func stranger(start []byte) int {
	start = start[:min(len(start), 400)]
	for i, s := range strangers {
		if s.start.Match(start) {
			return i
		}
	}
	return -1
}

// RefuseStranger says what the file is, and what to send instead.
func RefuseStranger(b []byte) (evidence.Claim, error) {
	s := strangers[max(stranger(bytes.TrimLeft(b, " \t\r\n")), 0)]
	return evidence.Claim{}, fault.Invalidf("evidence.unknown-format", "this is %s, not the results of a load test", s.is).Remedy("send " + s.send)
}
