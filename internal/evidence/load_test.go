package evidence

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// However its names are written, a load test fits in a fact, and what is not
// listed there is still counted.
func TestLoadFitsInAFact(t *testing.T) {
	third := 1.0 / 3
	for letter, all := range map[string]bool{"a": true, "<": false, "\x01": false} {
		l := &Load{Requests: 1, Set: MaxParts, Failed: 3, MoreParts: 7}
		for i := range MaxParts {
			name := fmt.Sprintf("%02d%s", i, strings.Repeat(letter, MaxPartName-2))
			l.Parts = append(l.Parts, LoadPart{Name: name, Requests: &i, ErrorRate: &third, P50: &third, P95: &third, P99: &third, Mean: &third})
			l.Limits = append(l.Limits, Limit{Name: name, Failed: i < 3})
		}
		c := Claim{Kind: LoadKind, Load: l, Notes: make([]string, 30)}.Summary()
		b, err := json.Marshal(c)
		if err != nil || len(b) > 24<<10 {
			t.Errorf("%q: %d bytes, %v", letter, len(b), err)
		}
		if n := len(c.Load.Parts); n+c.Load.MoreParts != MaxParts+7 || n == 0 || len(c.Load.Limits) < 5 || len(c.Notes) != 20 {
			t.Errorf("%q: %d listed, %d more, %d thresholds", letter, n, c.Load.MoreParts, len(c.Load.Limits))
		}
		if got := len(c.Load.Parts) >= 40; got != all {
			t.Errorf("%q: %d parts", letter, len(c.Load.Parts))
		}
		if len(l.Parts) != MaxParts || l.MoreParts != 7 {
			t.Errorf("%q: the claim itself was changed", letter)
		}
	}
}
