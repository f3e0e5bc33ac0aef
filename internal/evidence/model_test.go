package evidence

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a fact holds comes back as it went in.
func TestClaimSurvivesStorage(t *testing.T) {
	half := 0.5
	for _, c := range []Claim{
		findings("scanner", Severities{High: 1}),
		testsOf(Tests{Passed: 1, Failed: 2, Errored: 3, Skipped: 4, Duration: 1.5}),
		coverage(0.25, nil), coverage(0.25, &half),
	} {
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back Claim
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, back); diff != "" {
			t.Error(diff)
		}
	}
}

// An artifact's stream replayed: every step, what stands and what policy sees.
func TestHistory(t *testing.T) {
	type step struct {
		name   string
		claim  Added
		stands int
		high   int
		failed int
		by     string
	}
	red, green := Tests{Failed: 3, Passed: 1}, Tests{Passed: 4}
	var a Artifact
	for i, s := range []step{
		{"a scan", added(findings("scan", Severities{High: 2}), "", "pipeline", "1"), 1, 2, 0, "pipeline"},
		{"a better scan", added(findings("scan", Severities{High: 1}), "", "pipeline", "2"), 1, 1, 0, "pipeline"},
		{"another scanner", added(findings("other", Severities{High: 5}), "", "server", "3"), 2, 6, 0, "pipeline"},
		{"unit tests fail", added(testsOf(red), "unit", "pipeline", "4"), 3, 6, 3, "pipeline"},
		{"other tests pass", added(testsOf(green), "end", "pipeline", "5"), 4, 6, 3, "pipeline"},
		{"unit tests repaired", added(testsOf(green), "unit", "pipeline", "6"), 4, 6, 0, "pipeline"},
		{"a person adds a scan", added(findings("hand", Severities{}), "", "person", "7"), 5, 6, 0, "person"},
		{"the pipeline takes it over", added(findings("hand", Severities{High: 1}), "", "pipeline", "8"), 5, 7, 0, "pipeline"},
	} {
		var err error
		if a, _, err = record(t, a, s.claim, noon.AddDate(0, 0, i)); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		f, x, _ := a.Summary(noon.AddDate(0, 0, i))
		if len(a.Claims) != s.stands || f.High != s.high || x.Failed != s.failed || f.Provenance != s.by {
			t.Errorf("%s: %d stand, %d high, %d failed, by %s", s.name, len(a.Claims), f.High, x.Failed, f.Provenance)
		}
	}
}
