package terminal

import (
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/wire"
)

func TestLoadLine(t *testing.T) {
	p50, p95, small := 9.876, 1234.5, 0.00150
	for want, l := range map[string]wire.Load{
		"1 request, 0 % failed":                                              {Requests: 1},
		"200 requests, 0.5 % failed, p50 9.88 ms, p95 1234 ms":               {Requests: 200, ErrorRate: 0.005, P50: &p50, P95: &p95},
		"3 requests, 100 % failed, p99 0.0015 ms; 1 of 2 thresholds crossed": {Requests: 3, ErrorRate: 1, P99: &small, ThresholdsSet: 2, ThresholdsFailed: 1},
	} {
		if got := loadLine(l); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestLoadReport(t *testing.T) {
	n, p95 := 40, 12.0
	c := evidence.Claim{Kind: evidence.LoadKind, Format: "k6", Load: &evidence.Load{
		Requests: 100, Set: 2, Failed: 1, Limits: []evidence.Limit{{Name: "http_req_duration: p(95)<10", Failed: true}, {Name: "held"}},
		Parts: []evidence.LoadPart{{Name: "GET /a", Requests: &n, P95: &p95}, {Name: "b\x1b[31m"}},
	}}
	var b strings.Builder
	if err := Report(Inspected{Claim: c})(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"crossed      http_req_duration: p(95)<10", "COMPONENT", "GET /a", "12"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "\x1b") || strings.Contains(b.String(), "held") {
		t.Errorf("%q", b.String())
	}
}
