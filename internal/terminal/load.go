package terminal

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/wire"
)

func loadOf(l evidence.Load) wire.Load {
	w := wire.Load{
		Requests: l.Requests, ErrorRate: l.ErrorRate, P50: l.P50, P95: l.P95, P99: l.P99, Mean: l.Mean, ThresholdsSet: l.Set, ThresholdsFailed: l.Failed,
	}
	for _, p := range l.Parts {
		w.Parts = append(w.Parts, wire.LoadPart(p))
	}
	return w
}

// loadLine is a load test in one line; a time that nobody gave is not named.
func loadLine(l wire.Load) string {
	text := fmt.Sprintf("%s, %s failed", Count(l.Requests, "request", "requests"), perCent(&l.ErrorRate))
	for _, t := range []struct {
		name  string
		value *float64
	}{{"p50", l.P50}, {"p95", l.P95}, {"p99", l.P99}} {
		if t.value != nil {
			text += ", " + t.name + " " + millis(t.value) + " ms"
		}
	}
	if l.ThresholdsSet > 0 {
		text += fmt.Sprintf("; %d of %s crossed", l.ThresholdsFailed, Count(l.ThresholdsSet, "threshold", "thresholds"))
	}
	return text
}

// partRows prints nothing where there are no components.
func partRows(parts []wire.LoadPart) func(io.Writer) error {
	if len(parts) == 0 {
		return func(io.Writer) error { return nil }
	}
	var lines [][]string
	for _, p := range parts {
		requests := ""
		if p.Requests != nil {
			requests = strconv.Itoa(*p.Requests)
		}
		lines = append(lines, []string{p.Name, requests, perCent(p.ErrorRate), millis(p.P50), millis(p.P95), millis(p.P99)})
	}
	return Rows([]string{"COMPONENT", "REQUESTS", "FAILED", "P50 MS", "P95 MS", "P99 MS"}, lines)
}

// millis is a time in milliseconds with three digits that count, "" where it is not known.
func millis(v *float64) string {
	if v == nil {
		return ""
	}
	if *v >= 100 {
		return strconv.FormatFloat(*v, 'f', 0, 64)
	}
	return strconv.FormatFloat(*v, 'g', 3, 64)
}

func perCent(v *float64) string {
	if v == nil {
		return ""
	}
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(100**v, 'f', 2, 64), "0"), ".") + " %"
}
