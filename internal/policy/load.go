package policy

import (
	"slices"
	"strings"
)

// Load sums the newest claim of each load test about the artifact: requests
// and thresholds together, of the rest the worst. A time of 0 is not given by
// every one of them, and a condition that reads it cannot tell.
type Load struct {
	Known            bool       `cel:"known" json:"known"`
	Provenance       Provenance `cel:"provenance" json:"provenance"`
	AgeHours         float64    `cel:"age_hours" json:"age_hours"` // of the oldest claim counted
	Requests         int        `cel:"requests" json:"requests"`
	ErrorRate        float64    `cel:"error_rate" json:"error_rate"` // 0 to 1, the highest
	P50              float64    `cel:"p50_ms" json:"p50_ms"`         // the slowest, as are those below
	P95              float64    `cel:"p95_ms" json:"p95_ms"`
	P99              float64    `cel:"p99_ms" json:"p99_ms"`
	Mean             float64    `cel:"mean_ms" json:"mean_ms"`
	ThresholdsSet    int        `cel:"thresholds_set" json:"thresholds_set"` // by the tests themselves
	ThresholdsFailed int        `cel:"thresholds_failed" json:"thresholds_failed"`
	Tools            []string   `cel:"tools" json:"tools"`
	Untested         []string   `cel:"untested" json:"untested"` // components that the change touches and no load test names
	Parts            []LoadPart `cel:"parts" json:"parts,omitzero"`
}

// LoadPart is one component of a load test. A time or a number of requests that
// is 0 is not known, as is an error rate below 0; the figures of the last good
// release are not known either where the component is new.
type LoadPart struct {
	Name              string  `cel:"name" json:"name"`
	Tool              string  `cel:"tool" json:"tool"`
	Requests          int     `cel:"requests" json:"requests"`
	ErrorRate         float64 `cel:"error_rate" json:"error_rate"`
	P50               float64 `cel:"p50_ms" json:"p50_ms"`
	P95               float64 `cel:"p95_ms" json:"p95_ms"`
	P99               float64 `cel:"p99_ms" json:"p99_ms"`
	Mean              float64 `cel:"mean_ms" json:"mean_ms"`
	New               bool    `cel:"new" json:"new"` // the last good release's load tests have no such component
	PreviousErrorRate float64 `cel:"previous_error_rate" json:"previous_error_rate"`
	PreviousP50       float64 `cel:"previous_p50_ms" json:"previous_p50_ms"`
	PreviousP95       float64 `cel:"previous_p95_ms" json:"previous_p95_ms"`
	PreviousP99       float64 `cel:"previous_p99_ms" json:"previous_p99_ms"`
	PreviousMean      float64 `cel:"previous_mean_ms" json:"previous_mean_ms"`
}

// Previous is the last good release of the service in the environment: the
// newest other one that arrived there with a permit and was not taken back. It
// is looked for only where a rule reads it.
type Previous struct {
	Known         bool    `cel:"known" json:"known"`
	Exists        bool    `cel:"exists" json:"exists"` // false: this would be the first
	Version       string  `cel:"version" json:"version"`
	LoadKnown     bool    `cel:"load_known" json:"load_known"` // a load test was reported for it
	LoadRequests  int     `cel:"load_requests" json:"load_requests"`
	LoadErrorRate float64 `cel:"load_error_rate" json:"load_error_rate"`
	LoadP50       float64 `cel:"load_p50_ms" json:"load_p50_ms"` // 0: not given, as are those below
	LoadP95       float64 `cel:"load_p95_ms" json:"load_p95_ms"`
	LoadP99       float64 `cel:"load_p99_ms" json:"load_p99_ms"`
	LoadMean      float64 `cel:"load_mean_ms" json:"load_mean_ms"`
}

// figure is an input that may be silent while its section is known.
type figure struct {
	name  string
	value float64
}

// times are those of the load tests, by the name of the input.
func (in *Inputs) times() []figure {
	l, p := &in.Load, &in.Previous
	return []figure{
		{"load.p50_ms", l.P50},
		{"load.p95_ms", l.P95},
		{"load.p99_ms", l.P99},
		{"load.mean_ms", l.Mean},
		{"previous.load_p50_ms", p.LoadP50},
		{"previous.load_p95_ms", p.LoadP95},
		{"previous.load_p99_ms", p.LoadP99},
		{"previous.load_mean_ms", p.LoadMean},
	}
}

// rates are the other figures of load tests that are no counts.
func (in *Inputs) rates() []figure {
	return []figure{
		{"load.age_hours", in.Load.AgeHours},
		{"load.error_rate", in.Load.ErrorRate},
		{"previous.load_error_rate", in.Previous.LoadErrorRate},
	}
}

// silence says which figure that a rule reads the load tests do not give, or "".
// Where there was no release before, its figures are 0 and known to be so: a
// condition asks for previous.exists first.
func (v *values) silence(r *rule) string {
	if r.paths && v.in.Change.Components == nil {
		return "which components of the catalog the change touches was not told"
	}
	if !r.sections().has(secLoad) && !r.sections().has(secPrevious) {
		return ""
	}
	last := &v.in.Previous
	if last.Exists && !last.LoadKnown && slices.ContainsFunc(r.scalars, func(i input) bool {
		return strings.HasPrefix(i.name, "previous.load_") && i.name != "previous.load_known"
	}) {
		return "no load test was reported for the last good release"
	}
	for _, f := range v.in.times() {
		if strings.HasPrefix(f.name, "previous.") && !last.Exists {
			continue // there is none: its figures are known to be none
		}
		if f.value == 0 && slices.ContainsFunc(r.scalars, func(i input) bool { return i.name == f.name }) {
			return "not every load test gives " + f.name
		}
	}
	for _, field := range r.parts {
		for i := range v.in.Load.Parts {
			if why := v.in.Load.Parts[i].silence(field, last); why != "" {
				return why
			}
		}
	}
	return ""
}

// silence says why a field of a component is not known, or "".
func (p *LoadPart) silence(field string, last *Previous) string {
	silent := false
	switch field {
	case "requests":
		silent = p.Requests == 0
	case "error_rate":
		silent = p.ErrorRate < 0
	case "new":
		silent = !last.Known || last.Exists && !last.LoadKnown
	case "previous_error_rate":
		silent = !p.New && p.PreviousErrorRate < 0
	default:
		for _, t := range p.times() {
			if t.name == field {
				silent = t.value == 0 && (!p.New || !strings.HasPrefix(field, "previous_"))
			}
		}
	}
	if strings.HasPrefix(field, "previous_") && (!last.Known || last.Exists && !last.LoadKnown) {
		silent = true
	}
	if !silent {
		return ""
	}
	return "of the component " + shorten(p.Name) + " the " + field + " is not known"
}

func (p *LoadPart) times() []figure {
	return []figure{
		{"p50_ms", p.P50},
		{"p95_ms", p.P95},
		{"p99_ms", p.P99},
		{"mean_ms", p.Mean},
		{"previous_p50_ms", p.PreviousP50},
		{"previous_p95_ms", p.PreviousP95},
		{"previous_p99_ms", p.PreviousP99},
		{"previous_mean_ms", p.PreviousMean},
	}
}

// NeedsPrevious reports whether some rule reads of the last good release, itself
// or beside a component of a load test; else nobody need look for it.
func (p *Program) NeedsPrevious() bool { return p.previous }
