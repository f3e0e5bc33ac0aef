package release

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/policy"
)

// arrival is whether the release has the key by which the last good release is found.
func arrival(b *book) bool {
	return slices.ContainsFunc(keys(b.release()), func(k event.Key) bool {
		return k.Kind == event.Interval && k.Name == HasArrived && k.Value == "shop@production" && k.Until == k.From+1
	})
}

// What arrives with a permit is found until it is taken back, and every such
// move touches the set that decisions read.
func TestArrivals(t *testing.T) {
	for name, c := range map[string]struct {
		authorised, failed bool
		then               []Phase
		want               bool
	}{
		"finished":                 {true, false, nil, true},
		"finished and worked":      {true, false, []Phase{Succeeded, Reviewing, Closed}, true},
		"rolling back":             {true, false, []Phase{RollingBack}, false},
		"rolled back and reviewed": {true, false, []Phase{RollingBack, RolledBack, Reviewing, Closed}, false},
		"a rollback that failed":   {true, false, []Phase{RollingBack, RollbackFailed}, false},
		"fixed by another":         {true, false, []Phase{FixedForward}, false},
		"failed midway":            {true, true, nil, false},
		"without a permit":         {false, false, nil, false},
	} {
		b, d := opened(t), permitted()
		b.add(append(b.release().Decide(d), d.Issue()...), nil)
		x := Deployment{ID: "x", Release: "r", Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Authorised: c.authorised}
		if x.Authorised {
			x.Permit = "p"
		}
		b.add(b.release().Start(x), nil)
		if arrival(b) {
			t.Errorf("%s: arrived before it ended", name)
		}
		ended, err := at[Deployment](b, DeploymentNoun, "x").End(b.release(), c.failed, "", policy.ByPipeline, "")
		b.add(ended, err)
		touched := slices.ContainsFunc(ended, touchesArrivals)
		if touched != c.authorised {
			t.Errorf("%s: the set was touched: %v", name, touched)
		}
		for _, to := range c.then {
			moved, err := b.release().Move("production", to, "test")
			b.add(moved, err)
			if to != Succeeded && to != Reviewing && to != Closed && !touchesArrivals(moved[0]) {
				t.Errorf("%s: %s does not touch the set", name, to)
			}
		}
		if got := arrival(b); got != c.want {
			t.Errorf("%s: found %v", name, got)
		}
	}
}

func touchesArrivals(d event.Draft) bool {
	return slices.Contains(d.Touches, Arrivals("shop", "production"))
}

func loadOf(p95 float64, more int, parts ...evidence.LoadPart) evidence.Claim {
	return evidence.Claim{Kind: evidence.LoadKind, Format: "k6", Load: &evidence.Load{Requests: 100, ErrorRate: 0.01, P95: &p95, Set: 2, Failed: 1, Parts: parts, MoreParts: more}}
}

func withLoad(f Facts, label string, c evidence.Claim) Facts {
	f.Artifact = f.Artifact.With(evidence.Added{Digest: digest, Label: label, Claim: c, Provenance: "pipeline", File: digest, At: event.MicrosOf(now.Add(-2 * time.Hour))})
	return f
}

func lastOf(c evidence.Claim) *Last {
	return &Last{Release: State{ID: "q", Version: "v1.0.0"}, Artifact: evidence.Artifact{}.With(evidence.Added{Claim: c, Provenance: "pipeline", File: digest, At: event.MicrosOf(now.Add(-99 * time.Hour))})}
}

func part(name string, p95 *float64) evidence.LoadPart {
	n := 10
	return evidence.LoadPart{Name: name, Requests: &n, P95: p95}
}

func TestLoadInputs(t *testing.T) {
	fast, slow, none := 10.0, 40.0, 0.0
	f := withLoad(withLoad(good(t), "", loadOf(50, 0, part("a", &slow), part("b", nil))), "soak", loadOf(70, 0, part("a", &none)))
	f.Release.Change.Record.Components = []string{"a", "b", "c"}
	f.Last = lastOf(loadOf(45, 0, part("a", &fast)))
	in := f.inputs(now)
	want := policy.Load{
		Known: true, Provenance: policy.ByPipeline, AgeHours: 2, Requests: 200, ErrorRate: 0.01, P95: 70, ThresholdsSet: 4, ThresholdsFailed: 2, Tools: []string{"k6"}, Untested: []string{"c"},
	}
	if d := cmp.Diff(want, in.Load); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(policy.Previous{Known: true, Exists: true, Version: "v1.0.0", LoadKnown: true, LoadRequests: 100, LoadErrorRate: 0.01, LoadP95: 45}, in.Previous); d != "" {
		t.Error(d)
	}
	parts := []policy.LoadPart{
		{Name: "a", Tool: "k6", Requests: 10, ErrorRate: -1, P95: 40, PreviousErrorRate: -1, PreviousP95: 10},
		{Name: "b", Tool: "k6", Requests: 10, ErrorRate: -1, New: true},
		{Name: "a", Tool: "k6", Requests: 10, ErrorRate: -1, P95: 0.001, New: true}, // the last release had no soak test; a time of 0 was measured
	}
	if d := cmp.Diff(parts, f.parts(now)); d != "" {
		t.Error(d)
	}
	if d := decide(t, f); d.Believed.Load != policy.ByPipeline || d.LoadAge != 2 {
		t.Errorf("%+v, %g", d.Believed, d.LoadAge)
	}
}

// Nothing is new where nobody knows what there was.
func TestPartsAreNewOnlyWhereTheRestIsKnown(t *testing.T) {
	fast := 10.0
	f := withLoad(good(t), "", loadOf(50, 0, part("a", &fast)))
	for name, c := range map[string]struct {
		last *Last
		want bool
	}{
		"nobody looked":                   {nil, false},
		"the first release":               {&Last{}, true},
		"no load test before":             {&Last{Release: State{ID: "q"}}, false},
		"a load test of other components": {lastOf(loadOf(45, 0, part("b", &fast))), true},
		"one that does not list all":      {lastOf(loadOf(45, 3, part("b", &fast))), false},
	} {
		f.Last = c.last
		if got := f.parts(now)[0].New; got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if f := withLoad(good(t), "", loadOf(50, 1, part("a", &fast))); f.parts(now) != nil {
		t.Error("a list with gaps is given")
	}
}

// A candidate that reads what the rules of the day did not look for is told so,
// and never changes an answer for want of it.
func TestReplayOfThePreviousRelease(t *testing.T) {
	gate := func(condition string) string {
		return "name: commits-signed\ntitle: Probe\nseverity: block\ncondition: \"" + condition + "\"\n---\napiVersion: signalbox/v1\nkind: Gate\nname: commits-signed-too"
	}
	fast := 10.0
	for name, c := range map[string]struct {
		condition string
		last      *Last
		effect    Effect
	}{
		"nobody looked, it might pass":  {"!previous.exists || load.p95_ms <= previous.load_p95_ms", nil, Untold},
		"nobody looked, it would not":   {"previous.known && load.thresholds_failed == 0", nil, Untold},
		"the components of the load":    {"load.parts.all(p, p.p95_ms < 1.0)", lastOf(loadOf(45, 0)), Untold},
		"the load test as a whole":      {"load.p95_ms < 60.0", nil, Same},
		"the load test, and it is slow": {"load.p95_ms < 50.0", nil, Stopped},
	} {
		f := withLoad(good(t), "", loadOf(50, 0, part("a", &fast)))
		f.Last = c.last
		f = approved(t, f, "ben", "cid")
		r := recorded(t, f)
		if r.Decision.Verdict != policy.Go {
			t.Fatalf("%s: recorded as %s", name, r.Decision.Verdict)
		}
		got := Replay(r, otherwise(t, "name: commits-signed", gate(c.condition)))
		if got.Effect != c.effect {
			t.Errorf("%s: %s, want %s (%s)", name, got.Effect, c.effect, got.Why)
		}
	}
}

// What there is of the last good release is told, and no more.
func TestPreviousInputs(t *testing.T) {
	rate := 0.25
	a := evidence.LoadPart{Name: "a", ErrorRate: &rate}
	f := withLoad(good(t), "", loadOf(50, 0, a))
	for name, c := range map[string]struct {
		last *Last
		want policy.Previous
		was  float64
	}{
		"nobody looked":       {nil, policy.Previous{}, -1},
		"there is none":       {&Last{Artifact: lastOf(loadOf(45, 0, a)).Artifact}, policy.Previous{Known: true}, 0.25},
		"without a load test": {&Last{Release: State{ID: "q", Version: "v1"}}, policy.Previous{Known: true, Exists: true, Version: "v1"}, -1},
		"with one":            {lastOf(loadOf(45, 0, a)), policy.Previous{Known: true, Exists: true, Version: "v1.0.0", LoadKnown: true, LoadRequests: 100, LoadErrorRate: 0.01, LoadP95: 45}, 0.25},
	} {
		f.Last = c.last
		if d := cmp.Diff(c.want, f.previous(now)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if p := f.parts(now)[0]; p.ErrorRate != 0.25 || p.PreviousErrorRate != c.was {
			t.Errorf("%s: %+v", name, p)
		}
	}
	s := evidence.LoadSummary{Named: []string{"a", "service:b", "c:"}}
	if got := untested(s, []string{"a", "b", "c", "service", "service:b", "d"}); !slices.Equal(got, []string{"c", "service", "d"}) {
		t.Errorf("untested %v", got)
	}
	if Arrivals("shop", "production") != "set/arrivals/shop@production" {
		t.Error(Arrivals("shop", "production"))
	}
	f.Policy, f.Last = extended(t, "load.parts.all(p, p.error_rate >= 0.0)"), nil
	f = approved(t, f, "ben", "cid")
	if d := decide(t, f); probe(t, d).Verdict != policy.Go || d.Lists == "" || len(d.Inputs.Load.Parts) != 1 {
		t.Errorf("the components one by one: %+v", probe(t, d))
	}
}

// Which the last good release was is unknown only where nobody looked.
func TestPreviousReweighed(t *testing.T) {
	reads := extended(t, "previous.known")
	for name, c := range map[string]struct {
		candidate *policy.Program
		known     bool
		unknown   bool
	}{"nobody looked": {reads, false, true}, "somebody did": {reads, true, false}, "nobody asks": {starter(t), false, false}} {
		w := weighed{in: policy.Inputs{Previous: policy.Previous{Known: c.known}}}
		if w.previous(c.candidate); w.last != c.unknown || (len(w.unknown) > 0) != c.unknown {
			t.Errorf("%s: %v %v", name, w.last, w.unknown)
		}
	}
}
