package journal_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/disktest"
)

// plug is a journal on a disk that can lose power, opened over and over.
type plug struct {
	t         testing.TB
	dir       string
	templates []*disktest.Disk // what cases begin with
	kit       *kit             // for its keys
}

// newPlug prepares the disks that cases begin with: one of a journal closed in
// good order, one of a journal that is open, with its log.
func newPlug(t testing.TB) *plug {
	p := &plug{t: t, dir: t.TempDir()}
	d := disktest.New(t, p.dir, 0)
	db, err := store.Open(t.Context(), store.Options{Data: p.dir})
	if err != nil {
		t.Fatal(err)
	}
	p.kit = start(t, db, nil)
	for i := range 12 {
		p.kit.must(t, keyed(fmt.Sprint("before-", i)))
	}
	log := d.Clone(0)
	d.Mount()
	p.kit.Close()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	p.templates = []*disktest.Disk{d, log}
	return p
}

// running is one opening of the journal.
type running struct {
	kit
	close func()
}

// open opens store and journal; the error is whatever a machine without power says.
func (p *plug) open(checkpointEvery int) (*running, error) {
	ctx := context.Background()
	db, err := store.Open(ctx, store.Options{Data: p.dir})
	if err != nil {
		return nil, err
	}
	err = db.InTx(ctx, func(tx *store.Tx) error {
		var got int
		return tx.QueryRow(ctx, fmt.Sprintf("PRAGMA wal_autocheckpoint = %d", checkpointEvery)).Scan(&got)
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	o := p.kit.options
	o.DB = db
	j, err := journal.Open(ctx, o)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	k := *p.kit
	k.Journal, k.db, k.options = j, db, o
	return &running{k, func() { _ = j.Close(); _ = db.Close() }}, nil
}

// tale is what a client knows of a case: what it sent, and what was acknowledged where.
type tale struct {
	tried []string
	acked map[string]uint64
}

func (p *plug) work(random *rand.Rand, told *tale) {
	r, err := p.open(8 + random.IntN(60))
	if err != nil {
		return
	}
	defer r.close()
	for range 3 + random.IntN(6) {
		id := fmt.Sprint("case-", len(told.tried))
		told.tried = append(told.tried, id)
		receipt, err := r.Append(context.Background(), keyed(id))
		if err != nil {
			return
		}
		told.acked[id] = receipt.First
	}
}

// cutOff runs one case: it appends until the power goes, maybe restarts and
// loses power again. It returns what was said, and how many facts stood before.
func (p *plug) cutOff(seed uint64, begin func(*disktest.Disk)) (tale, int) {
	random := rand.New(rand.NewPCG(seed, 1))
	told := tale{acked: map[string]uint64{}}
	d, before := p.templates[0].Empty(seed), 0
	if random.IntN(16) > 0 {
		d, before = p.templates[random.IntN(len(p.templates))].Clone(seed), 12
	}
	for lives := 1 + random.IntN(3); lives > 0; lives-- {
		begin(d)
		// A life of a journal that stands changes the disk some 30 to 400 times;
		// making one from nothing takes more.
		longest := 250
		if before == 0 && len(told.acked) == 0 {
			longest = 900
		}
		d.CutAfter(1 + random.IntN(longest))
		p.work(random, &told)
		if random.IntN(4) == 0 {
			p.work(random, &told)
		}
		d.Cut()
		d.Restart()
	}
	return told, before
}

// lost is why an acknowledged fact is not where it was said to be, or nil.
func (p *plug) lost(told tale) error {
	r, err := p.open(1000)
	if err != nil {
		return fmt.Errorf("it does not open: %w", err)
	}
	defer r.close()
	for id, position := range told.acked {
		got, err := r.Command(context.Background(), id)
		if err != nil || got.First != position {
			return fmt.Errorf("%s was acknowledged at %d, now %d: %w", id, position, got.First, err)
		}
	}
	return nil
}

// whole checks everything else: the database's own structure, the journal's
// chain, the folded state, and that all commands sent again count once.
func (p *plug) whole(told tale, before int) {
	t := p.t
	r, err := p.open(1000)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	ctx := context.Background()
	err = r.db.ReadTx(ctx, func(tx *store.Tx) error {
		var says string
		if err := tx.QueryRow(ctx, "PRAGMA integrity_check").Scan(&says); err != nil || says != "ok" {
			return fmt.Errorf("integrity_check: %q, %w", says, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for _, id := range told.tried {
		again := r.must(t, keyed(id))
		if position, acked := told.acked[id]; acked && (!again.Repeated || again.First != position) {
			t.Errorf("%s, acknowledged at %d, was recorded anew at %d", id, position, again.First)
		}
	}
	want := before + len(told.tried)
	if v, c := r.load(t, counterStream("k")); v != uint64(want) || c.Sum != int64(want) {
		t.Errorf("%d facts and a sum of %d for %d commands", v, c.Sum, want)
	}
	r.verify(t)
}

// No acknowledged fact is lost with the power, none is recorded twice, and the
// database is sound: on the driver that is shipped, with its pragmas and statements.
func TestPowerLoss(t *testing.T) {
	p := newPlug(t)
	inDoubt, acked := 0, 0
	for seed := range uint64(cycles(150, 100_000)) {
		told, before := p.cutOff(seed, func(*disktest.Disk) {})
		if err := p.lost(told); err != nil {
			t.Fatalf("case %d: %v", seed, err)
		}
		if p.whole(told, before); t.Failed() {
			t.Fatalf("in case %d", seed)
		}
		inDoubt, acked = inDoubt+len(told.tried)-len(told.acked), acked+len(told.acked)
	}
	if inDoubt == 0 || acked == 0 {
		t.Errorf("%d commands were acknowledged, %d in doubt when the power went", acked, inDoubt)
	}
	t.Logf("%d commands acknowledged, %d in doubt", acked, inDoubt)
}

// The controls: the same cases must lose where commits are not synced, and where
// the disk only says that it has.
func TestPowerLossControls(t *testing.T) {
	for name, weaken := range map[string]func(*disktest.Disk){
		"synchronous NORMAL":        func(d *disktest.Disk) { d.Weaken("NORMAL") },
		"a disk that lies of syncs": func(d *disktest.Disk) { d.Lie() },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlug(t)
			n, lost := cycles(40, 2_000), 0
			for seed := range uint64(n) {
				if told, _ := p.cutOff(seed, weaken); p.lost(told) != nil {
					lost++
				}
			}
			if lost < n/10 {
				t.Errorf("only %d of %d cases lost a fact that was acknowledged: the test would not notice", lost, n)
			}
			t.Logf("%d of %d cases lost a fact that was acknowledged", lost, n)
		})
	}
}
