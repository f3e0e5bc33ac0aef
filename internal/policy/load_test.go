package policy

import (
	"encoding/json"
	"strings"
	"testing"
)

// tested are inputs with a load test of this release and of the last good one.
func tested(change func(*Inputs)) Inputs {
	return with(func(in *Inputs) {
		in.Load = Load{Known: true, Provenance: ByPipeline, AgeHours: 1, Requests: 100, ErrorRate: 0.01, P50: 10, P95: 50, ThresholdsSet: 2, Tools: []string{"k6"}, Parts: []LoadPart{
			{Name: "a", Requests: 60, P95: 40, PreviousP95: 40}, {Name: "b", Requests: 40, ErrorRate: -1, P95: 60, New: true},
		}}
		in.Previous = Previous{Known: true, Exists: true, Version: "1", LoadKnown: true, LoadRequests: 90, LoadP95: 45}
		change(in)
	})
}

// A figure that the load tests do not give is not 0: the condition cannot tell,
// whatever it computes.
func TestLoadFigures(t *testing.T) {
	for name, c := range map[string]struct {
		condition string
		change    func(*Inputs)
		want      Verdict
		says      string
	}{
		"holds":                            {"load.p95_ms <= 50.0", nil, Go, ""},
		"does not hold":                    {"load.p95_ms < 50.0", nil, NoGo, ""},
		"a time that is not given":         {"load.p99_ms < 500.0", nil, CannotTell, "gives load.p99_ms"},
		"one that is not given, no matter": {"load.p99_ms < 500.0 || true", nil, CannotTell, "load.p99_ms"},
		"a count of 0 is one":              {"load.thresholds_failed == 0", nil, Go, ""},
		"no load test":                     {"load.thresholds_failed == 0", func(in *Inputs) { in.Load = Load{} }, CannotTell, "load is not known"},
		"against the last release":         {"load.p95_ms <= previous.load_p95_ms * 1.2", nil, Go, ""},
		"slower than the last release":     {"load.p95_ms <= previous.load_p95_ms * 1.1", nil, NoGo, ""},
		"the last release gives no p99":    {"previous.load_p99_ms >= 0.0", nil, CannotTell, "previous.load_p99_ms"},
		"the last release has no load":     {"previous.load_requests >= 0", func(in *Inputs) { in.Previous = Previous{Known: true, Exists: true} }, CannotTell, "no load test was reported"},
		"but it has a version":             {`previous.version == "" && !previous.load_known`, func(in *Inputs) { in.Previous = Previous{Known: true, Exists: true} }, Go, ""},
		"nobody looked":                    {"!previous.exists", func(in *Inputs) { in.Previous = Previous{} }, CannotTell, "previous is not known"},
		"the first release":                {"!previous.exists || load.p95_ms <= previous.load_p95_ms", func(in *Inputs) { in.Previous = Previous{Known: true} }, Go, ""},
		"the first release, forgotten":     {"load.p95_ms <= previous.load_p95_ms", func(in *Inputs) { in.Previous = Previous{Known: true} }, NoGo, ""},
		"parts":                            {"load.parts.all(p, p.new || p.p95_ms <= p.previous_p95_ms)", nil, Go, ""},
		"parts that are slower":            {"load.parts.all(p, p.new || p.p95_ms * 2.0 <= p.previous_p95_ms)", nil, NoGo, ""},
		"a part without a figure":          {"load.parts.all(p, p.p50_ms < 1000.0)", nil, CannotTell, "of the component a the p50_ms"},
		"a part without an error rate":     {"load.parts.all(p, p.error_rate < 0.5)", nil, CannotTell, "of the component b the error_rate"},
		"parts, and no load test before":   {"load.parts.all(p, p.new || p.p95_ms <= p.previous_p95_ms)", func(in *Inputs) { in.Previous = Previous{Known: true, Exists: true} }, CannotTell, "of the component a"},
		"every component was tested":       {"size(load.untested) == 0", func(in *Inputs) { in.Change.Components = []string{} }, Go, ""},
		"a component was not tested":       {"size(load.untested) == 0", func(in *Inputs) { in.Change.Components, in.Load.Untested = []string{"pay"}, []string{"pay"} }, NoGo, ""},
		"nobody told the components":       {"size(load.untested) == 0", nil, CannotTell, "which components of the catalog"},
		"nor where the files are":          {"change.elsewhere == 0", nil, CannotTell, "which components of the catalog"},
		"parts that were not loaded":       {"load.parts.all(p, p.p95_ms < 1.0)", func(in *Inputs) { in.Load.Parts = nil }, CannotTell, "load.parts was not loaded"},
		"a part that must be there":        {`load.parts.exists(p, p.name == "c")`, nil, NoGo, ""},
		"a part before that gave nothing":  {"load.parts.all(p, p.new || p.p95_ms <= p.previous_p95_ms)", func(in *Inputs) { in.Load.Parts[0].PreviousP95 = 0 }, CannotTell, "the previous_p95_ms"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.change == nil {
				c.change = func(*Inputs) {}
			}
			r := reason(t, listed(t, c.condition).Decide(tested(c.change)), "probe")
			if r.Verdict != c.want || !strings.Contains(strings.ToLower(r.Why), c.says) {
				t.Errorf("%s %s: %s", r.Verdict, r.Code, r.Why)
			}
		})
	}
}

// Where a rule selects, a silent figure makes it apply, and never not.
func TestSilentFiguresNeverExempt(t *testing.T) {
	p := compiled(t, sample(doc("Gate", "name: probe\ntitle: P\napplies: load.p99_ms > 100.0\ncondition: \"false\"\n")))
	if r := reason(t, p.Decide(tested(func(*Inputs) {})), "probe"); r.Verdict != NoGo {
		t.Errorf("%+v", r)
	}
}

func TestNeedsPrevious(t *testing.T) {
	for condition, want := range map[string]bool{
		"load.p95_ms < 1.0": false, "previous.known": true, "previous.load_p95_ms < 1.0": true, "load.parts.size() > 0": true, "size(release.version) > 0": false,
	} {
		if got := listed(t, condition).NeedsPrevious(); got != want {
			t.Errorf("%s: %v", condition, got)
		}
	}
}

// Inputs of which no load test is known are written as they were before there
// were any: their digest stays.
func TestLoadLeavesOldInputsAsTheyWere(t *testing.T) {
	b, err := json.Marshal(fine())
	if err != nil || strings.Contains(string(b), "load") || strings.Contains(string(b), "previous") {
		t.Errorf("%s, %v", b, err)
	}
	b, err = json.Marshal(tested(func(*Inputs) {}))
	if err != nil || !strings.Contains(string(b), `"p95_ms":50`) || !strings.Contains(string(b), `"load_p95_ms":45`) {
		t.Errorf("%s, %v", b, err)
	}
}
