package journal_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// A commit whose answer was lost is looked up, and told as it is.
func TestUncertainCommit(t *testing.T) {
	p, u := storetest.Through(t, storetest.PostgresURL(t))
	db, err := store.Open(t.Context(), store.Options{Database: u})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	k := start(t, db, nil)
	for round := range 3 {
		n, err := k.Size(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.Store(storetest.LoseAnswer)
		r, err := k.Append(context.Background(), keyed(string(rune('a'+round))))
		if err != nil || r.First != n || p.Load() != storetest.Pass {
			t.Fatalf("the answer was lost: %+v, %v", r, err)
		}
		p.Store(storetest.LoseCommit)
		c := keyed(string(rune('A' + round)))
		if _, err := k.Append(context.Background(), c); fault.KindOf(err) != fault.Unavailable || p.Load() != storetest.Pass {
			t.Fatalf("the commit was lost: %v", err)
		}
		if r := k.must(t, c); r.Repeated || r.First != n+1 {
			t.Errorf("sent again: %+v", r)
		}
		if n := k.verify(t); n != uint64(2*round)+3 {
			t.Errorf("%d facts", n)
		}
	}
}

// Connections are cut at commits at random while several append; each command,
// sent again for as long as the answer is "unavailable", is recorded once.
func TestRandomCuts(t *testing.T) {
	const writers, each = 6, 12
	p, u := storetest.Through(t, storetest.PostgresURL(t))
	db, err := store.Open(t.Context(), store.Options{Database: u})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	k := start(t, db, nil)
	var all sync.WaitGroup
	var again, cuts atomic.Int64
	for w := range writers {
		all.Go(func() {
			for i := range each {
				n, err := insist(k, fmt.Sprintf("%d-%d", w, i))
				again.Add(n)
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	ctx, stop := context.WithCancel(t.Context())
	var cutter sync.WaitGroup
	cutter.Go(func() {
		random := rand.New(rand.NewPCG(5, 6))
		for ctx.Err() == nil {
			p.Store(1 + random.Int32N(2))
			cuts.Add(1)
			time.Sleep(time.Duration(50+random.IntN(200)) * time.Millisecond) // long enough that some commits get through
		}
	})
	all.Wait()
	stop()
	cutter.Wait()
	p.Store(storetest.Pass)
	if again.Load() == 0 {
		t.Errorf("of %d cuts none was felt", cuts.Load())
	}
	if v, c := k.load(t, counterStream("k")); v != writers*each || c.Sum != writers*each {
		t.Errorf("version %d, sum %d for %d commands", v, c.Sum, writers*each)
	}
	k.verify(t)
}

// insist appends a command until it is acknowledged, and counts the refusals.
func insist(k *kit, id string) (again int64, err error) {
	for {
		_, err := k.Append(context.Background(), keyed(id))
		if fault.KindOf(err) != fault.Unavailable {
			return again, err
		}
		again++
	}
}
