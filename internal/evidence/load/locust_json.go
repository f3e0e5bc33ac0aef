package load

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/evidence"
)

// locustEntry is one element of what locust --json prints, or of the stats of
// its web interface.
type locustEntry struct {
	Name      string           `json:"name"`
	Method    *string          `json:"method"`
	Started   *float64         `json:"start_time"` // seconds since 1970
	Last      *float64         `json:"last_request_timestamp"`
	Requests  *int             `json:"num_requests"`
	Untimed   int              `json:"num_none_requests"`
	Failures  *int             `json:"num_failures"`
	Total     *float64         `json:"total_response_time"`
	Times     map[string]int64 `json:"response_times"` // how many requests took so many milliseconds
	Median    *float64         `json:"median_response_time"`
	Mean      *float64         `json:"avg_response_time"`
	P95       *float64         `json:"response_time_percentile_0.95"`
	P99       *float64         `json:"response_time_percentile_0.99"`
	P99Before *float64         `json:"ninety_ninth_response_time"`
}

// IsLocust reports whether a document opens like what locust --json prints, or
// like the stats of Locust's web interface.
func IsLocust(t evidence.Top) bool {
	if t.Array {
		return t.Has("name", "method", "num_requests", "num_failures")
	}
	return t.Members["stats"].Kind == '[' && t.Has("errors", "total_rps", "fail_ratio")
}

// ReadLocust makes a claim of Locust's statistics in JSON.
func ReadLocust(b []byte) (evidence.Claim, error) {
	c := evidence.Claim{Format: Locust, Tool: evidence.Tool{Name: "Locust"}}
	var rows locustRows
	rows.entries.Limit, rows.entries.What, rows.entries.Take = maxLabels, "entries", rows.take
	var err error
	if bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("[")) {
		err = evidence.Decode(b, &rows.entries)
	} else {
		err = evidence.Decode(b, &struct {
			Stats *evidence.Rows[locustEntry] `json:"stats"`
		}{&rows.entries})
	}
	if err != nil {
		return evidence.Claim{}, err
	}
	return rows.claim(c)
}

// locustRows is the way through the entries.
type locustRows struct {
	entries evidence.Rows[locustEntry]
	rows    []locustRow
	whole   *locustRow
	times   map[int64]int64 // of all entries
	untimed bool            // an entry has no times: those of all say nothing
	sum     float64         // milliseconds
	timed   int64           // requests
	first   float64
	last    float64
}

func (r *locustRows) take(e *locustEntry) error {
	if e.Requests == nil || e.Failures == nil || *e.Requests < 0 || *e.Failures < 0 || *e.Failures > *e.Requests || *e.Requests > 1e12 {
		return broken("the entry %q does not say how many of its requests failed", evidence.Cut(e.Name, 80))
	}
	p := locustRow{LoadPart: evidence.LoadPart{Name: e.Name, P50: e.Median, P95: e.P95, P99: e.P99, Mean: e.Mean}}
	if p.P99 == nil {
		p.P99 = e.P99Before
	}
	p.count(*e.Requests, *e.Failures)
	for _, v := range []*float64{p.P50, p.P95, p.P99, p.Mean, e.Total} {
		if err := milliseconds("a time of "+evidence.Cut(e.Name, 80), v); err != nil {
			return err
		}
	}
	if e.Times != nil {
		if err := r.histogram(e, &p); err != nil {
			return err
		}
	} else {
		r.untimed = true
	}
	r.span(e)
	if slices.Contains(locustWhole, e.Name) && (e.Method == nil || *e.Method == "" || *e.Method == "None") {
		r.whole = &p
		return nil
	}
	if e.Method != nil {
		p.Name = strings.TrimSpace(*e.Method + " " + e.Name)
	}
	r.rows = append(r.rows, p)
	return nil
}

func (r *locustRows) span(e *locustEntry) {
	within := func(t *float64) bool { return t != nil && *t > 0 && *t < 1e11 }
	if within(e.Started) && (r.first == 0 || *e.Started < r.first) {
		r.first = *e.Started
	}
	if within(e.Last) {
		r.last = max(r.last, *e.Last)
	}
}

// histogram takes the percentiles of one entry from its times.
func (r *locustRows) histogram(e *locustEntry, p *locustRow) error {
	if r.times == nil {
		r.times = map[int64]int64{}
	}
	own, n := map[int64]int64{}, int64(0)
	for text, count := range e.Times {
		ms, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(ms) || ms < 0 || ms > 1e12 || count < 0 || count > 1e12 {
			return broken("%d requests took %q", count, evidence.Cut(text, 40)).Because("that is no time in milliseconds, or no count")
		}
		at := int64(math.Round(ms))
		own[at] += count
		r.times[at] += count
		n += count
	}
	if n+int64(e.Untimed) != int64(*e.Requests) {
		return broken("the entry %q counts %d requests, and the times of %d", evidence.Cut(e.Name, 80), *e.Requests, n).
			Because("they contradict each other").Remedy("it is damaged: write it again")
	}
	p.P50, p.P95, p.P99 = nearest(own, n)
	if e.Total != nil && n > 0 {
		p.Mean = ptr(round(*e.Total / float64(n)))
		r.sum += *e.Total
		r.timed += n
	}
	return nil
}

// nearest are percentiles by nearest rank from how many requests took how long.
func nearest(times map[int64]int64, n int64) (p50, p95, p99 *float64) {
	if n == 0 {
		return nil, nil, nil
	}
	keys := make([]int64, 0, len(times))
	for ms := range times {
		keys = append(keys, ms)
	}
	slices.Sort(keys)
	at := func(p int64) *float64 {
		seen := int64(0)
		for _, ms := range keys {
			if seen += times[ms]; seen >= (p*n+99)/100 {
				return ptr(float64(ms))
			}
		}
		return nil
	}
	return at(50), at(95), at(99)
}

func (r *locustRows) claim(c evidence.Claim) (evidence.Claim, error) {
	if r.whole == nil {
		r.whole = r.all()
	}
	c, err := locustClaim(*r.whole, r.rows, c)
	if err == nil && r.last > r.first && r.first > 0 {
		c.Load.Seconds, c.Generated = round(r.last-r.first), time.UnixMicro(int64(r.last*1e6)).UTC()
	}
	return c, err
}

// all is the sum of the entries, where none stands for all.
func (r *locustRows) all() *locustRow {
	whole := &locustRow{}
	whole.count(sum(r.rows))
	if r.untimed {
		return whole
	}
	n := int64(0)
	for _, count := range r.times {
		n += count
	}
	whole.P50, whole.P95, whole.P99 = nearest(r.times, n)
	if r.timed == n && n > 0 {
		whole.Mean = ptr(round(r.sum / float64(n)))
	}
	return whole
}
