package policy

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOneProgramDecidesForMany(t *testing.T) {
	p := compiled(t, Starter())
	bad := with(func(in *Inputs) { in.Findings.Critical = 1 })
	wantGood, wantBad := p.Decide(fine()), p.Decide(bad)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if diff := cmp.Diff(wantGood, p.Decide(fine())); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(wantBad, p.Decide(bad)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
	wg.Wait()
}
