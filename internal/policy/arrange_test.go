package policy

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Reasons stand by weight, then by name, and those of one gate as they were found.
func TestArrange(t *testing.T) {
	p := compiled(t, Regulated())
	names := slices.Clone(engineGates[:])
	for _, g := range p.gates {
		names = append(names, g.Name)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		reasons := make([]Reason, r.IntN(60))
		for i := range reasons {
			reasons[i] = Reason{
				Gate: names[r.IntN(len(names))], Why: fmt.Sprint(i),
				Severity: []Severity{Block, Warn, Observe}[r.IntN(3)], Verdict: []Verdict{Go, Wait, CannotTell, NoGo, "odd"}[r.IntN(5)],
			}
		}
		want := slices.Clone(reasons)
		slices.SortStableFunc(want, func(a, b Reason) int {
			return cmp.Or(weight(&a)-weight(&b), strings.Compare(a.Gate, b.Gate))
		})
		reasons = p.arranged(reasons, false)
		if !slices.EqualFunc(reasons, want, func(a, b Reason) bool { return a.Why == b.Why }) {
			t.Fatalf("%+v\nwant\n%+v", reasons, want)
		}
	}
}
