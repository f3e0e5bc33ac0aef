package load

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// K6 names a format that is read here.
const K6 = "k6"

// The metrics of k6 that are read.
const (
	k6Requests = "http_reqs"
	k6Failed   = "http_req_failed"
	k6Duration = "http_req_duration"
)

// IsK6 reports whether a document opens like a summary of k6: as
// --summary-export writes it, as handleSummary is handed it, or as the
// machine-readable summary of k6 1.5 and later.
func IsK6(t evidence.Top) bool {
	object := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(n string) bool { return t.Members[n].Kind != '{' })
	}
	return !t.Array && (object("metrics") && (object("root_group") || object("options", "state")) ||
		object("metadata", "config", "results") && t.Members["version"].Kind == '"')
}

// IsK6Points reports whether a document opens like k6's stream of single points.
func IsK6Points(t evidence.Top) bool {
	return !t.Array && t.Has("type", "data", "metric") && (t.Text("type") == "Metric" || t.Text("type") == "Point")
}

// RefuseK6Points says why single points are no result.
func RefuseK6Points([]byte) (evidence.Claim, error) {
	return evidence.Claim{}, fault.Invalidf("evidence.unknown-format", "this is k6's stream of single points (--out json)").
		Because("it judges no threshold, and does not say where it ends").
		Remedy("send the summary: k6 run --summary-export=FILE, or what handleSummary writes")
}

// k6Metric is one metric of a summary: statistics by name, and thresholds.
//
// The two forms judge thresholds the opposite way. In --summary-export true
// means that the threshold was crossed; in the data of handleSummary
// {"ok": true} means that it held.
type k6Metric struct {
	stats   map[string]float64
	inner   bool            // statistics stand in an object "values", as in handleSummary
	crossed map[string]bool // by threshold: it was crossed
	plain   bool            // a threshold is a truth value, as in --summary-export
	judged  bool            // a threshold is an object
}

// UnmarshalJSONFrom reads either form.
func (m *k6Metric) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '{' {
		return broken("a metric is no object")
	}
	m.stats, m.crossed = map[string]float64{}, map[string]bool{}
	return members(dec, func(name string) error {
		switch kind := dec.PeekKind(); {
		case name == "thresholds" && kind == '{':
			return members(dec, func(limit string) error { return m.threshold(dec, limit) })
		case name == "values" && kind == '{':
			m.inner = true
			return members(dec, func(stat string) error { return m.number(dec, stat) })
		}
		return m.number(dec, name)
	})
}

func (m *k6Metric) number(dec *jsontext.Decoder, stat string) error {
	if dec.PeekKind() != '0' {
		return dec.SkipValue()
	}
	var v float64
	if err := json.UnmarshalDecode(dec, &v); err != nil {
		return err
	}
	if _, twice := m.stats[stat]; twice {
		return broken("the statistic %q stands both in a metric and in its values", evidence.Cut(stat, 40))
	}
	m.stats[stat] = v
	return nil
}

func (m *k6Metric) threshold(dec *jsontext.Decoder, limit string) error {
	switch dec.PeekKind() {
	case 't', 'f':
		m.plain = true
		var crossed bool
		err := json.UnmarshalDecode(dec, &crossed)
		m.crossed[limit] = crossed
		return err
	case '{':
		m.judged = true
		var verdict struct {
			OK *bool `json:"ok"`
		}
		if err := json.UnmarshalDecode(dec, &verdict); err != nil {
			return err
		}
		if verdict.OK != nil {
			m.crossed[limit] = !*verdict.OK
			return nil
		}
	}
	return broken("the threshold %q has no verdict", evidence.Cut(limit, 80))
}

// members calls read for every member of an object, whose value it must read.
func members(dec *jsontext.Decoder, read func(name string) error) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if err := read(name.String()); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// k6Summary is what all forms come to.
type k6Summary struct {
	metrics map[string]k6Metric
	seconds float64
	claim   evidence.Claim
	failed  bool // the test as a whole, where single thresholds are not judged
}

// ReadK6 makes a claim of a summary of k6.
func ReadK6(b []byte) (evidence.Claim, error) {
	s := k6Summary{claim: evidence.Claim{Format: K6, Tool: evidence.Tool{Name: K6}}}
	var form struct {
		Metadata evidence.Presence `json:"metadata"`
	}
	if err := evidence.Decode(b, &form); err != nil {
		return evidence.Claim{}, err
	}
	read := s.classic
	if form.Metadata.There() {
		read = s.machine
	}
	if err := read(b); err != nil {
		return evidence.Claim{}, err
	}
	return s.load()
}

// classic reads --summary-export and the data of handleSummary.
func (s *k6Summary) classic(b []byte) error {
	var doc struct {
		Metrics map[string]k6Metric `json:"metrics"`
		State   struct {
			Milliseconds float64 `json:"testRunDurationMs"`
		} `json:"state"`
	}
	if err := evidence.Decode(b, &doc); err != nil {
		return err
	}
	s.metrics, s.seconds = doc.Metrics, doc.State.Milliseconds/1000
	var inner, plain, judged bool
	for _, m := range s.metrics {
		inner, plain, judged = inner || m.inner, plain || m.plain, judged || m.judged
	}
	if plain && (inner || judged) {
		return broken("the summary mixes the forms of --summary-export and handleSummary").
			Because("a threshold that is true failed in the one and held in the other").Remedy("send what k6 wrote, as it wrote it")
	}
	return nil
}

// machine reads the summary with metadata, config and results, schema 1.
func (s *k6Summary) machine(b []byte) error {
	var doc struct {
		Version  string `json:"version"`
		Metadata struct {
			Version   string    `json:"k6Version"`
			Generated time.Time `json:"generatedAt"`
		} `json:"metadata"`
		Config struct {
			Duration float64 `json:"duration"`
		} `json:"config"`
		Results struct {
			Passed  *bool `json:"passed"`
			Metrics []struct {
				Name       string             `json:"name"`
				Values     map[string]float64 `json:"values"`
				Thresholds evidence.Presence  `json:"thresholds"`
			} `json:"metrics"`
			Thresholds evidence.Presence `json:"thresholds"`
		} `json:"results"`
	}
	if err := evidence.Decode(b, &doc); err != nil {
		return err
	}
	if !strings.HasPrefix(doc.Version, "1.") || doc.Metadata.Version == "" {
		return fault.Invalidf("evidence.k6-version", "the summary's schema is version %q", evidence.Cut(doc.Version, 40)).
			Because("1 is read, with the version of k6 that wrote it").Remedy("send what --summary-export writes")
	}
	s.metrics = map[string]k6Metric{}
	for _, m := range doc.Results.Metrics {
		if _, twice := s.metrics[m.Name]; twice {
			return broken("the metric %q stands twice", evidence.Cut(m.Name, 80))
		}
		s.metrics[m.Name] = k6Metric{stats: m.Values}
	}
	s.seconds, s.claim.Version, s.claim.Tool.Version, s.claim.Generated = doc.Config.Duration, doc.Version, doc.Metadata.Version, doc.Metadata.Generated.UTC()
	s.failed = doc.Results.Passed != nil && !*doc.Results.Passed
	note(&s.claim, true, "this form of the summary judges no single threshold; the older forms do")
	return nil
}

func (s *k6Summary) load() (evidence.Claim, error) {
	whole, err := s.part("")
	switch {
	case err != nil:
		return evidence.Claim{}, err
	case whole.Requests == nil || *whole.Requests == 0:
		return evidence.Claim{}, nothing("k6 counted no HTTP request (http_reqs)")
	case whole.ErrorRate == nil:
		return evidence.Claim{}, broken("the summary does not say how many requests failed").Because("the metric http_req_failed is missing or counted nothing").
			Remedy("use k6 0.31 or later, with a response callback")
	}
	l := &evidence.Load{Requests: *whole.Requests, ErrorRate: *whole.ErrorRate, P50: whole.P50, P95: whole.P95, P99: whole.P99, Mean: whole.Mean}
	if l.Seconds, err = s.duration(*whole.Requests); err != nil {
		return evidence.Claim{}, err
	}
	parts, err := s.parts()
	if err != nil {
		return evidence.Claim{}, err
	}
	list(l, parts)
	limits(l, s.limits())
	s.claim.Kind, s.claim.Load = evidence.LoadKind, l
	noteParts(&s.claim)
	return s.claim, nil
}

// duration is what is stated, or what the count and its rate come to.
func (s *k6Summary) duration(requests int) (float64, error) {
	if s.seconds == 0 {
		if r := s.metrics[k6Requests].stats["rate"]; r > 0 {
			return round(float64(requests) / r), nil
		}
	}
	if math.IsNaN(s.seconds) || s.seconds < 0 || s.seconds > 1e9 {
		return 0, broken("the test took %g seconds", s.seconds)
	}
	return round(s.seconds), nil
}

func (s *k6Summary) limits() []evidence.Limit {
	var all []evidence.Limit
	for metric, m := range s.metrics {
		for limit, crossed := range m.crossed {
			all = append(all, evidence.Limit{Name: metric + ": " + limit, Failed: crossed})
		}
	}
	if s.failed {
		all = append(all, evidence.Limit{Name: "the test as a whole", Failed: true})
	}
	return all
}

// parts are the tags that single metrics were kept by: http_reqs{scenario:a}.
// Whether a response was expected is not a component, and k6 keeps it unasked.
func (s *k6Summary) parts() ([]evidence.LoadPart, error) {
	tags := map[string]bool{}
	for metric := range s.metrics {
		base, tag, tagged := strings.Cut(metric, "{")
		if tagged && slices.Contains([]string{k6Requests, k6Failed, k6Duration}, base) && metric != k6Duration+"{expected_response:true}" {
			tags["{"+tag] = true
		}
	}
	var parts []evidence.LoadPart
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		p, err := s.part(tag)
		if err != nil {
			return nil, err
		}
		p.Name = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(tag, "{"), "}"))
		parts = append(parts, p)
	}
	return parts, nil
}

// part is what the metrics with a tag, or without one, come to.
func (s *k6Summary) part(tag string) (p evidence.LoadPart, err error) {
	if n, there := s.metrics[k6Requests+tag].stats["count"]; there {
		if n < 0 || n > math.MaxInt32*1e3 || n != math.Trunc(n) {
			return p, broken("http_reqs%s counts %g", tag, n).Because("that is not a count")
		}
		p.Requests = ptr(int(n))
	}
	if p.ErrorRate, err = failedRate(s.metrics[k6Failed+tag].stats); err != nil {
		return p, err
	}
	stats := s.metrics[k6Duration+tag].stats
	for _, x := range []struct {
		to    **float64
		names [2]string
	}{{&p.P50, [2]string{"med", "p(50)"}}, {&p.P95, [2]string{"p(95)"}}, {&p.P99, [2]string{"p(99)"}}, {&p.Mean, [2]string{"avg"}}} {
		for _, n := range x.names {
			if v, there := stats[n]; there && *x.to == nil {
				*x.to = &v
			}
		}
		if err := milliseconds(k6Duration+tag, *x.to); err != nil {
			return p, err
		}
	}
	return p, nil
}

// failedRate is the share of requests that failed. The metric counts failures
// as its passes (matches): each is a time that "it failed" was true.
func failedRate(stats map[string]float64) (*float64, error) {
	hits, counted := stats["passes"]
	misses, both := stats["fails"]
	if total, machine := stats["total"]; machine {
		hits, counted = stats["matches"]
		misses, both = total-hits, true
	}
	stated, there := stats["rate"]
	if !there {
		stated, there = stats["value"]
	}
	if !counted || !both {
		if !there {
			return nil, nil
		}
		return &stated, share(stated)
	}
	if hits < 0 || misses < 0 || math.IsInf(hits+misses, 0) {
		return nil, broken("http_req_failed counts %g and %g", hits, misses).Because("those are not counts")
	}
	if hits+misses == 0 {
		return nil, nil
	}
	r := hits / (hits + misses)
	if there && math.Abs(stated-r) > 0.005 {
		return nil, broken("http_req_failed states a rate of %g, and %g of %g requests", stated, hits, hits+misses).
			Because("they contradict each other").Remedy("send what k6 wrote, as it wrote it")
	}
	return &r, nil
}

func share(r float64) error {
	if math.IsNaN(r) || r < 0 || r > 1 {
		return broken("http_req_failed is %g", r).Because("a rate lies between 0 and 1")
	}
	return nil
}
