package lint

import (
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/policy"
)

// An attestor none of whose keys hold any more says nothing from now on.
func TestKeysThatAreOver(t *testing.T) {
	files := append(policy.Starter(), bundle.File{Name: "attestor.yaml", Data: []byte(strings.TrimPrefix(`
apiVersion: signalbox/v1
kind: Attestor
name: builder
keys: [{name: runner, until: 2027-06-01, key: 6uHIeTtVl8Sz9JDnasMRcsQ5aQ+O4UFCu4UaYfmknw4=}]
`, "\n"))})
	june := time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		now  time.Time
		over bool
	}{{time.Time{}, false}, {june.Add(-time.Second), false}, {june, true}} {
		over := slices.ContainsFunc(Check(files, Options{Now: c.now}), func(p bundle.Problem) bool { return p.Code == "policy.over" })
		if over != c.over {
			t.Errorf("at %s: %v", c.now, over)
		}
	}
}
