package journal_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store/disktest"
)

// refusal is the code of an append that was refused because of the disk: the
// kind must be Unavailable.
func refusal(t *testing.T, err error) string {
	t.Helper()
	var wrong *fault.Error
	if !errors.As(err, &wrong) || wrong.Kind != fault.Unavailable {
		t.Fatalf("the disk failed, the answer is %v", err)
	}
	return wrong.Code
}

// append8 sends eight commands, and says what became of each.
func append8(r *running, told *tale) (refused []error) {
	for range 8 {
		id := fmt.Sprint("case-", len(told.tried))
		told.tried = append(told.tried, id)
		receipt, err := r.Append(context.Background(), keyed(id))
		if err == nil {
			told.acked[id] = receipt.First
		}
		refused = append(refused, err)
	}
	return refused
}

// reads checks that reading goes on and shows what was acknowledged.
func reads(t *testing.T, r *running, told tale) {
	t.Helper()
	facts, err := r.Facts(context.Background(), 0, 1000)
	if err != nil {
		t.Fatalf("reading beside a disk that cannot be written: %v", err)
	}
	for id, position := range told.acked {
		if position >= uint64(len(facts)) || facts[position].Command != id {
			t.Fatalf("%s, acknowledged at %d, is not there", id, position)
		}
	}
}

// afterwards lets the power go and checks that nothing acknowledged is lost and
// all commands sent again count once.
func (p *plug) afterwards(d *disktest.Disk, told tale) {
	d.Cut()
	d.Restart()
	if err := p.lost(told); err != nil {
		p.t.Fatal(err)
	}
	p.whole(told, 12)
}

// On a full disk a command is refused whole, with a code that says so; reading
// goes on, and so does writing, as soon as there is room.
func TestDiskFullAnywhere(t *testing.T) {
	p := newPlug(t)
	full := 0
	for seed := range uint64(cycles(10, 1000)) {
		random := rand.New(rand.NewPCG(seed, 2))
		d, told := p.templates[random.IntN(2)].Clone(seed), tale{acked: map[string]uint64{}}
		r, err := p.open(8 + random.IntN(60))
		if err != nil {
			t.Fatal(err)
		}
		d.Room(d.Used() + random.IntN(100_000))
		for _, err := range append8(r, &told) {
			if err == nil {
				continue
			}
			if code := refusal(t, err); code != "store.full" {
				t.Fatalf("case %d: the code is %s: %v", seed, code, err)
			}
			full++
		}
		reads(t, r, told)
		if err := r.Stopped(); err != nil {
			t.Fatalf("case %d: %v", seed, err)
		}
		d.Room(0)
		for _, id := range told.tried {
			_, acked := told.acked[id]
			receipt, err := r.Append(context.Background(), keyed(id))
			if err != nil || receipt.Repeated != acked {
				t.Fatalf("case %d: with room again, %s: %+v, %v", seed, id, receipt, err)
			}
			told.acked[id] = receipt.First
		}
		r.close()
		p.afterwards(d, told)
	}
	if full == 0 {
		t.Error("the disk was never full")
	}
	t.Logf("%d commands were refused for want of room", full)
}

// After one failed write, sync or read nothing more is written, though the disk
// seems well again; reading goes on. When the power goes then, nothing that was
// acknowledged goes with it.
func TestDiskFailsAnywhere(t *testing.T) {
	for name, fail := range map[string]struct {
		op   disktest.Op
		most int // calls that pass before one fails
	}{
		"write": {disktest.Write, 150}, "sync": {disktest.Sync, 10}, "read": {disktest.Read, 40},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlug(t)
			stopped := 0
			for seed := range uint64(cycles(10, 200)) {
				random := rand.New(rand.NewPCG(seed, 3))
				d, told := p.templates[random.IntN(2)].Clone(seed), tale{acked: map[string]uint64{}}
				broken := func() { d.Fail(fail.op, random.IntN(fail.most), 1) }
				if fail.op == disktest.Read { // all that is read later stands in memory
					broken()
				}
				r, err := p.open(8 + random.IntN(60))
				if err != nil {
					p.afterwards(d, told)
					continue
				}
				broken()
				if stop := stops(t, append8(r, &told)); stop {
					stopped++
					if r.Stopped() == nil {
						t.Fatalf("case %d: the journal does not say that it has stopped", seed)
					}
				}
				d.Fail(fail.op, 0, 0)
				reads(t, r, told)
				r.close()
				p.afterwards(d, told)
			}
			if stopped == 0 && fail.op != disktest.Read {
				t.Error("the disk never failed under an append")
			}
			t.Logf("%d journals stopped", stopped)
		})
	}
}

// stops checks the answers to commands in their order: the first whose outcome
// is not known is followed by refusals alone. It reports whether there is one.
func stops(t *testing.T, answers []error) bool {
	first := slices.IndexFunc(answers, func(err error) bool { return err != nil })
	if first < 0 {
		return false
	}
	if code := refusal(t, answers[first]); code != "journal.unknown" {
		t.Errorf("the first answer after the disk has failed has code %s: %v", code, answers[first])
	}
	for _, err := range answers[first+1:] {
		if code := refusal(t, err); code != "journal.stopped" {
			t.Errorf("a later answer has code %s: %v", code, err)
		}
	}
	return true
}

// A file system that takes no more writes: refused, read on, and after it takes
// them again and a restart, as if nothing had been.
func TestDiskReadOnly(t *testing.T) {
	p := newPlug(t)
	for seed := range uint64(cycles(5, 200)) {
		random := rand.New(rand.NewPCG(seed, 4))
		d, told := p.templates[random.IntN(2)].Clone(seed), tale{acked: map[string]uint64{}}
		r, err := p.open(8 + random.IntN(60))
		if err != nil {
			t.Fatal(err)
		}
		append8(r, &told)
		d.ReadOnly(true)
		if !stops(t, append8(r, &told)) {
			t.Fatal("a disk that takes no writes has taken one")
		}
		reads(t, r, told)
		r.close()
		if r, err := p.open(8); err == nil {
			// What is not written to can be opened; facts it takes none.
			if _, err := r.Append(t.Context(), keyed("read-only")); err == nil {
				t.Fatal("a disk that takes no writes has taken one")
			}
			r.close()
		}
		d.ReadOnly(false)
		p.afterwards(d, told)
	}
}
