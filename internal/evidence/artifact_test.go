package evidence

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
)

var (
	noon    = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	subject = "sha256:" + strings.Repeat("ab", 32)
)

func findings(tool string, s Severities) Claim {
	total := s.Critical + s.High + s.Medium + s.Low + s.Info + s.Unrated
	return Claim{Kind: FindingsKind, Format: "sarif", Tool: Tool{Name: tool}, Findings: &Findings{Total: total, Suppressed: 1, BySeverity: s}}
}

func testsOf(t Tests) Claim {
	t.Total = t.Passed + t.Failed + t.Errored + t.Skipped
	return Claim{Kind: TestsKind, Format: "junit", Tests: &t}
}

func coverage(rate float64, branch *float64) Claim {
	return Claim{Kind: CoverageKind, Format: "cobertura", Coverage: &Coverage{LineRate: rate, LinesCovered: int(rate * 100), LinesValid: 100, BranchRate: branch}}
}

func added(c Claim, label, provenance, file string) Added {
	return Added{ID: "id-" + file, Service: "shop", Version: "1.2.3", Digest: subject, Label: label, Claim: c, Provenance: provenance, File: "sha256:" + file, Size: 1}
}

// record adds a claim and folds the facts that follow, at an instant.
func record(t testing.TB, a Artifact, c Added, at time.Time) (Artifact, int, error) {
	t.Helper()
	drafts, err := Add(a, c, at)
	if err != nil {
		return a, 0, err
	}
	state, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range drafts {
		body, err := json.Marshal(d.Body)
		if err != nil {
			t.Fatal(err)
		}
		if state, err = Shape().Fold(state, event.Recorded{Header: event.Header{Kind: d.Kind, Stream: d.Stream, Time: event.MicrosOf(at)}, BodyBytes: body}); err != nil {
			t.Fatal(err)
		}
	}
	a, err = event.Decode[Artifact](state)
	if err != nil {
		t.Fatal(err)
	}
	return a, len(drafts), nil
}

func TestAdd(t *testing.T) {
	clean, dirty := findings("scan", Severities{}), findings("scan", Severities{Critical: 2})
	future := clean
	future.Generated = noon.Add(Skew + time.Second)
	nearly := clean
	nearly.Generated = noon.Add(Skew)
	byPipeline := []Added{added(dirty, "", "pipeline", "f1")}
	for _, c := range []struct {
		name   string
		before []Added
		add    Added
		facts  int
		kind   fault.Kind // of the error, Internal for none
		stand  int
	}{
		{"the first", nil, added(clean, "", "person", "f1"), 1, 0, 1},
		{"a newer of the same tool replaces", byPipeline, added(clean, "", "pipeline", "f2"), 1, 0, 1},
		{"the same file again adds nothing", byPipeline, added(dirty, "", "pipeline", "f1"), 0, 0, 1},
		{"the same file believed more", byPipeline, added(dirty, "", "server", "f1"), 1, 0, 1},
		{"a person does not replace a pipeline", byPipeline, added(clean, "", "person", "f2"), 0, fault.Conflict, 1},
		{"a person beside a pipeline", byPipeline, added(clean, "mine", "person", "f2"), 1, 0, 2},
		{"another label", byPipeline, added(dirty, "nightly", "pipeline", "f1"), 1, 0, 2},
		{"another tool", byPipeline, added(findings("other", Severities{}), "", "pipeline", "f2"), 1, 0, 2},
		{"another kind", byPipeline, added(testsOf(Tests{Passed: 1}), "", "pipeline", "f2"), 1, 0, 2},
		{"written in the future", nil, added(future, "", "pipeline", "f1"), 0, fault.Invalid, 0},
		{"clocks differ a little", nil, added(nearly, "", "pipeline", "f1"), 1, 0, 1},
		{"no provenance", nil, added(clean, "", "", "f1"), 0, fault.Invalid, 0},
		{"an unknown provenance", nil, added(clean, "", "Server", "f1"), 0, fault.Invalid, 0},
		{"an empty claim", nil, added(Claim{Kind: TestsKind}, "", "person", "f1"), 0, fault.Invalid, 0},
		{"a claim of another kind than it says", nil, added(Claim{Kind: TestsKind, Findings: &Findings{}}, "", "person", "f1"), 0, fault.Invalid, 0},
		{"a long label", nil, added(clean, strings.Repeat("x", 101), "person", "f1"), 0, fault.TooLarge, 0},
	} {
		var a Artifact
		for _, b := range c.before {
			a, _, _ = record(t, a, b, noon.Add(-time.Hour))
		}
		a, facts, err := record(t, a, c.add, noon)
		if fault.KindOf(err) != c.kind || (err == nil) != (c.kind == 0) || facts != c.facts || len(a.Claims) != c.stand {
			t.Errorf("%s: %d facts, %d claims stand, %v", c.name, facts, len(a.Claims), err)
		}
	}
}

func TestAddRefusesDigests(t *testing.T) {
	for _, digest := range []string{"", "sha256:", strings.Repeat("ab", 32), "sha256:" + strings.Repeat("AB", 32), "sha512:" + strings.Repeat("ab", 32), subject + "00", "sha256:" + strings.Repeat("zz", 32)} {
		c := added(findings("scan", Severities{}), "", "person", "f")
		c.Digest = digest
		if _, err := Add(Artifact{}, c, noon); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", digest, err)
		}
	}
	stream, err := Stream(subject)
	if err != nil || stream != event.StreamOf("artifact", strings.Repeat("ab", 32)) {
		t.Errorf("%s, %v", stream, err)
	}
}

func TestAddIsBounded(t *testing.T) {
	var a Artifact
	var err error
	for i := range MaxClaims {
		if a, _, err = record(t, a, added(findings("scan", Severities{}), fmt.Sprint(i), "person", "f"), noon); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err = record(t, a, added(findings("scan", Severities{}), "more", "person", "f"), noon); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("one more: %v", err)
	}
	if _, n, err := record(t, a, added(findings("scan", Severities{}), "7", "person", "g"), noon); err != nil || n != 1 {
		t.Errorf("a replacement: %d, %v", n, err)
	}
}

// A fact holds counts, whatever the report lists.
func TestFactIsSmall(t *testing.T) {
	c := findings("scan", Severities{High: 10_000})
	for range MaxItems {
		c.Findings.Items = append(c.Findings.Items, Finding{Rule: "R", Message: strings.Repeat("x", 500)})
		c.Notes = append(c.Notes, "note")
	}
	drafts, err := Add(Artifact{}, added(c, "", "person", "f"), noon)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(drafts[0].Body)
	if err != nil || len(b) > 4<<10 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if len(c.Findings.Items) != MaxItems {
		t.Error("the caller's claim has lost its items")
	}
}

func TestFoldRefusesStrangers(t *testing.T) {
	if _, err := Shape().Fold(nil, event.Recorded{Header: event.Header{Kind: event.ServiceDescribed}, BodyBytes: []byte("{}")}); err == nil {
		t.Error("a fact nobody understands was passed over")
	}
}

func TestKeys(t *testing.T) {
	a, _, _ := record(t, Artifact{}, added(findings("a", Severities{}), "", "person", "f"), noon)
	a, _, _ = record(t, a, added(findings("b", Severities{}), "", "person", "f"), noon)
	state, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Shape().Keys(state)
	if diff := cmp.Diff([]event.Key{{Kind: event.Lookup, Name: "artifact.release", Value: "shop@1.2.3"}}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestSummary(t *testing.T) {
	half, most := 0.5, 0.9
	old := findings("old", Severities{High: 1, Unrated: 1})
	old.Generated = noon.Add(-48 * time.Hour)
	var a Artifact
	for _, c := range []Added{
		added(findings("new", Severities{Critical: 2, Low: 1}), "", "server", "1"),
		added(old, "", "pipeline", "2"),
		added(testsOf(Tests{Passed: 3, Failed: 1, Skipped: 1}), "unit", "pipeline", "3"),
		added(testsOf(Tests{Passed: 2, Errored: 1}), "end", "person", "4"),
		added(coverage(0.8, &half), "unit", "server", "5"),
		added(coverage(0.7, &most), "end", "server", "6"),
	} {
		var err error
		if a, _, err = record(t, a, c, noon); err != nil {
			t.Fatal(err)
		}
	}
	f, x, c := a.Summary(noon.Add(2 * time.Hour))
	if diff := cmp.Diff(FindingsSummary{Believed{true, "pipeline", 50, []string{"new", "old"}}, 5, 2, Severities{Critical: 2, High: 1, Low: 1, Unrated: 1}}, f); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(TestsSummary{Believed{true, "person", 2, []string{"junit"}}, 8, 5, 1, 1, 1}, x); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(CoverageSummary{Believed{true, "server", 2, []string{"cobertura"}}, 0.7, 0.5, true, 70, 100}, c); diff != "" {
		t.Error(diff)
	}
	want := []time.Time{noon.Add(-48 * time.Hour), noon}
	if diff := cmp.Diff(want, a.Instants(FindingsKind)); diff != "" {
		t.Error(diff)
	}
}

func TestSummaryKnowsWhatItDoesNotKnow(t *testing.T) {
	f, x, c := Artifact{}.Summary(noon)
	if f.Known || x.Known || c.Known || f.Provenance != "" {
		t.Errorf("nothing is known of nothing: %+v %+v %+v", f, x, c)
	}
	for name, tests := range map[string]Tests{"no tests": {}, "only skipped": {Skipped: 5}} {
		a := Artifact{}.With(added(testsOf(tests), "", "server", "1"))
		if _, x, _ = a.Summary(noon); x.Known {
			t.Errorf("%s: known", name)
		}
	}
	a := Artifact{}.With(added(testsOf(Tests{Failed: 1}), "", "server", "1"))
	if _, x, _ = a.Summary(noon); !x.Known {
		t.Error("the control is not known")
	}
	half := 0.5
	for _, order := range [][]*float64{{nil, &half}, {&half, nil}} {
		a = Artifact{}.With(added(coverage(0.5, order[0]), "a", "server", "1")).With(added(coverage(0.6, order[1]), "b", "server", "2"))
		if _, _, c = a.Summary(noon); c.BranchKnown || c.BranchRate != 0 {
			t.Errorf("branches that one tool does not measure: %+v", c)
		}
	}
}

// A clock behind ours does not make a claim younger than now.
func TestAgeIsNeverNegative(t *testing.T) {
	a, _, err := record(t, Artifact{}, added(findings("x", Severities{}), "", "server", "1"), noon)
	if err != nil {
		t.Fatal(err)
	}
	if f, _, _ := a.Summary(noon.Add(-time.Hour)); f.AgeHours != 0 {
		t.Errorf("%g hours", f.AgeHours)
	}
}

func TestContentDigest(t *testing.T) {
	base := Artifact{}.With(added(findings("x", Severities{}), "", "server", "1"))
	digest := func(a Artifact) string {
		d, err := a.ContentDigest(nil)
		if err != nil || !strings.HasPrefix(d, "sha256:") || len(d) != 71 {
			t.Fatalf("%q, %v", d, err)
		}
		return d
	}
	want := digest(base)
	later := base.With(added(findings("x", Severities{}), "", "server", "1"))
	later.Claims[0].At = event.MicrosOf(noon)
	later.Claims[0].ID = "another"
	if digest(later) != want {
		t.Error("the digest changes with the time")
	}
	for name, a := range map[string]Artifact{
		"nothing":         {},
		"another file":    base.With(added(findings("x", Severities{}), "", "server", "2")),
		"one more":        base.With(added(findings("x", Severities{}), "l", "server", "1")),
		"believed less":   base.With(added(findings("x", Severities{}), "", "person", "1")),
		"another kind":    base.With(added(testsOf(Tests{Passed: 1}), "", "server", "1")),
		"another subject": {Digest: "sha256:" + strings.Repeat("cd", 32), Claims: base.Claims},
	} {
		if digest(a) == want {
			t.Errorf("%s: the same digest", name)
		}
	}
}

// Whatever the order of claims that do not replace each other, the state and
// its digest are the same, and no finding of any of them is lost.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-d]{1,3}`), 1, 8, rapid.ID).Draw(t, "labels")
		shuffled := rapid.Permutation(labels).Draw(t, "shuffled")
		build := func(list []string) Artifact {
			var a Artifact
			for _, l := range list {
				a = a.With(added(findings("x", Severities{High: len(l)}), l, "server", l))
			}
			return a
		}
		a, b := build(labels), build(shuffled)
		if diff := cmp.Diff(a, b); diff != "" {
			t.Error(diff)
		}
		sum := 0
		for _, l := range labels {
			sum += len(l)
		}
		if f, _, _ := a.Summary(noon); f.High != sum || f.Total != sum {
			t.Errorf("%d of %d", f.High, sum)
		}
	})
}
