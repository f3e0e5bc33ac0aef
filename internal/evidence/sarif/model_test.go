package sarif

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"signalbox.dev/signalbox/internal/evidence"
)

type modelResult struct {
	rule, file, message string
	line                int
	suppressed          bool
	level               string
}

func (m modelResult) json() string {
	more := []string{fmt.Sprintf(`"level":%q`, m.level), `"fingerprints":{"x":"1"}`}
	if m.suppressed {
		more = append(more, `"suppressions":[{"kind":"inSource"}]`)
	}
	return result(m.rule, m.file, m.line, m.message, more...)
}

// A log folds as a set does over rule, location, message and whether it
// stands, and equal results are as severe as the worst of them.
func TestSARIFModel(t *testing.T) {
	draw := rapid.Custom(func(t *rapid.T) modelResult {
		return modelResult{
			rule: rapid.SampledFrom([]string{"R1", "R2"}).Draw(t, "rule"), file: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "file"),
			message: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "message"), line: rapid.IntRange(1, 2).Draw(t, "line"),
			suppressed: rapid.Bool().Draw(t, "suppressed"), level: rapid.SampledFrom([]string{"error", "warning", "note", "none", "odd"}).Draw(t, "level"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(draw, 0, 20).Draw(t, "results")
		worst, want := map[modelResult]evidence.Severity{}, evidence.Findings{}
		var parts []string
		for _, m := range list {
			parts = append(parts, m.json())
			same := m
			same.level = ""
			severity, before := evidence.Levels.Severity(m.level), worst[same]
			switch {
			case before != "":
				want.Folded++
			case m.suppressed:
				want.Suppressed++
			default:
				want.Total++
			}
			if before == "" || severity.Worse(before) {
				worst[same] = severity
			}
		}
		for same, severity := range worst {
			if !same.suppressed {
				want.BySeverity.Add(severity, 1)
			}
		}
		got, err := Read([]byte(log(strings.Join(parts, ","), "")))
		if err != nil {
			t.Fatal(err)
		}
		var listed evidence.Severities
		for _, f := range got.Findings.Items {
			if !f.Suppressed {
				listed.Add(f.Severity, 1)
			}
		}
		if diff := cmp.Diff(want.BySeverity, listed); diff != "" {
			t.Error("as listed", diff)
		}
		got.Findings.Items = nil
		if diff := cmp.Diff(want, *got.Findings); diff != "" {
			t.Error(diff)
		}
	})
}
