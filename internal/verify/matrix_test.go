package verify

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// The matrix of tampering: what somebody does who can write to the database at
// will, and which of four layers shows it, each added to those before it. Every
// cell is worked out by the verifier over an export of a journal of 330 facts,
// with a checkpoint every 50, from which the server, which is honest in all but
// the last two rows, has signed the end when it was exported.

// The layers. The tree's hashes stand in the database, and whoever can write
// there computes them anew; each further layer is something that he cannot reach.
const (
	byTree        = iota // the hashes alone
	byCheckpoints        // and the signed checkpoints in the database
	byWitness            // and what a witness has kept: the last checkpoint that it cosigned
	byReceipt            // and one receipt, given for the first fact concerned or a later one
	layers
)

// last is the size of the newest checkpoint before the tampering, which the witness has cosigned.
const last = facts / every * every

// tampering is a row of the matrix. do returns the first position concerned.
type tampering struct {
	name  string
	shown [layers]bool
	do    func(s *sample, r *rand.Rand) uint64
	signs bool // the key is used for it: no honest server has its say
}

// within is a position in [from, until).
func within(r *rand.Rand, from, until uint64) uint64 { return from + r.Uint64N(until-from) }

// edit changes a fact in a way that every reader takes for good.
func edit(s *sample, r *rand.Rand, p uint64) {
	f := &s.facts[p]
	switch r.IntN(3) {
	case 0:
		f.header.Actor = "person/2"
	case 1:
		f.body = fmt.Appendf(nil, `{"number":%d}`, 1000+r.IntN(1000))
	case 2:
		f.private = bytes.Replace(f.private, []byte("Ada"), []byte("Bob"), 1)
	}
}

func tamperings() []tampering {
	all := [layers]bool{true, true, true, true}
	fromCheckpoints := [layers]bool{false, true, true, true}
	fromWitness := [layers]bool{false, false, true, true}
	fromReceipt := [layers]bool{false, false, false, true}
	rehash := func(s *sample) { s.stamp(); s.hash(); s.count() }
	return []tampering{
		{"edit a fact", all, func(s *sample, r *rand.Rand) uint64 {
			p := within(r, 1, facts)
			edit(s, r, p)
			return p
		}, false},
		{"edit before the last checkpoint, hash again", fromCheckpoints, func(s *sample, r *rand.Rand) uint64 {
			p := within(r, 1, last)
			edit(s, r, p)
			rehash(s)
			return p
		}, false},
		{"edit after the last checkpoint, hash again", fromReceipt, func(s *sample, r *rand.Rand) uint64 {
			p := within(r, last, facts)
			edit(s, r, p)
			rehash(s)
			return p
		}, false},
		{"delete from the middle, renumber, hash again", fromCheckpoints, func(s *sample, r *rand.Rand) uint64 {
			p := within(r, 1, last)
			s.remove(p)
			rehash(s)
			return p
		}, false},
		{"swap two, renumber, hash again", fromCheckpoints, func(s *sample, r *rand.Rand) uint64 {
			p := within(r, 1, last-1)
			s.swap(p)
			rehash(s)
			return p
		}, false},
		{"insert a backdated fact, hash again", fromCheckpoints, func(s *sample, r *rand.Rand) uint64 {
			p := within(r, 1, last-1)
			s.insert(p)
			rehash(s)
			return p + 1
		}, false},
		{"edit, hash again, drop later checkpoints", fromWitness, func(s *sample, r *rand.Rand) uint64 {
			p := within(r, 1, last)
			edit(s, r, p)
			rehash(s)
			s.marks = s.upTo(p)
			return p
		}, false},
		{"cut off the tail", fromReceipt, func(s *sample, r *rand.Rand) uint64 {
			p := within(r, last, facts)
			s.facts = s.facts[:p]
			return p
		}, false},
		{"restore an old copy", fromWitness, func(s *sample, r *rand.Rand) uint64 {
			p := within(r, 1, last)
			s.facts, s.marks = s.facts[:p], s.upTo(p)
			return p
		}, false},
		{"restore an old copy and go on otherwise", fromWitness, func(s *sample, r *rand.Rand) uint64 {
			p := within(r, 1, last)
			s.marks = s.upTo(p)
			for i := p; i < facts; i++ {
				edit(s, r, i)
			}
			rehash(s)
			for size := s.newest() + every; size < facts; size += every {
				s.sign(size)
			}
			return p
		}, false},
		{"edit, hash again, sign with another key", fromCheckpoints, func(s *sample, r *rand.Rand) uint64 {
			p := within(r, 1, last)
			edit(s, r, p)
			rehash(s)
			s.sign(facts)
			resign(s, "signalbox.example")
			return p
		}, true},
		{"move bytes across a field's boundary", all, func(s *sample, r *rand.Rand) uint64 {
			p := within(r, 1, facts)
			f := &s.facts[p]
			switch r.IntN(3) {
			case 0:
				f.private = append([]byte(" "), f.private...)
				f.body = f.body[:len(f.body)-1]
			case 1:
				f.raw = f.headerBytes()
				f.body = append([]byte{f.raw[len(f.raw)-1]}, f.body...)
				f.raw = f.raw[:len(f.raw)-1]
			case 2:
				f.private = bytes.Replace(f.private, []byte(`"reason"`), []byte(`"reasonb"`), 1)
				f.private = bytes.Replace(f.private, []byte(`"because"`), []byte(`"ecause"`), 1)
			}
			return p
		}, false},
		{"with the key: sign another history", fromWitness, func(s *sample, r *rand.Rand) uint64 {
			p := within(r, 1, last)
			edit(s, r, p)
			rehash(s)
			s.marks = nil
			for size := uint64(every); size < facts; size += every {
				s.sign(size)
			}
			s.sign(facts)
			return p
		}, true},
	}
}

// newest is the size of the newest checkpoint.
func (s *sample) newest() uint64 {
	var size uint64
	for _, m := range s.marks {
		size = max(size, m.after)
	}
	return size
}

// exported has the honest server sign the end, which it does where the tree
// still has, at its newest checkpoint, the root that it signed there.
func (s *sample) exported() {
	size, newest := uint64(len(s.facts)), s.newest()
	good := newest <= size
	for _, m := range s.marks {
		if good && m.after == newest {
			good = strings.HasPrefix(m.text, s.headAt(newest).Text()+"\n")
		}
	}
	if good && newest < size {
		s.sign(size)
	}
	s.count()
}

// clone is a copy that can be changed.
func (s *sample) clone() *sample {
	c := *s
	c.facts, c.marks = slices.Clone(s.facts), slices.Clone(s.marks)
	return &c
}

// before is the journal before the tampering: no checkpoint covers its tail.
func before(t testing.TB) *sample {
	s := journal(t, facts, every)
	s.marks = s.upTo(last)
	s.count()
	return s
}

// kept is what the outsiders have of the journal before it was tampered with.
type kept struct {
	witness  Published
	head     Head
	receipts []Receipt // one a fact
}

func keep(s *sample) kept {
	k := kept{witness: Published{Name: "the witness's checkpoint"}, head: s.headAt(last)}
	for _, m := range s.marks {
		if m.after == last {
			k.witness.Note = []byte(m.text)
		}
	}
	for p := range uint64(len(s.facts)) {
		k.receipts = append(k.receipts, s.receipt(p, p+1))
	}
	return k
}

// shows reports whether a layer, with those before it, shows that something is wrong.
func (k kept) shows(s *sample, layer int, receipt Receipt) bool {
	c := Check{Keys: s.keys}
	if layer == byTree {
		s = s.clone()
		s.marks = nil
		s.count()
	}
	if layer >= byWitness {
		c.Published = []Published{k.witness}
	}
	if layer >= byReceipt {
		c.Receipts = []Receipt{receipt}
	}
	_, err := c.Export(context.Background(), bytes.NewReader(s.export()))
	if layer == byTree && code(err) == "export.tail" {
		return false // nothing is signed here; all else is good
	}
	return err != nil
}

// refuses is what a witness does by the protocol (C2SP tlog-witness): it asks for
// a proof that the new checkpoint continues the one that it has cosigned last.
func (k kept) refuses(t testing.TB, s *sample) bool {
	size := uint64(len(s.facts))
	if size < k.head.Size {
		return Consistency(k.head, s.headAt(size), nil) != nil
	}
	f := &forest{}
	for i, fact := range s.facts {
		more, err := tlog.StoredHashesForRecordHash(int64(i), tlog.Hash(fact.leaf), tlog.HashReaderFunc(f.read))
		if err != nil {
			t.Fatal(err)
		}
		f.hashes = append(f.hashes, more...)
	}
	path, err := tlog.ProveTree(int64(size), int64(k.head.Size), tlog.HashReaderFunc(f.read))
	if err != nil {
		t.Fatal(err)
	}
	return Consistency(k.head, s.headAt(size), path) != nil
}

// trials is how often each tampering is tried; the positions are drawn anew each time, from fixed seeds.
func trials() int {
	if os.Getenv("SIGNALBOX_PROVE") == "" {
		return 10
	}
	return 1000
}

// cell is how a cell of the printed table reads.
func cell(shown, of int) string {
	switch shown {
	case of:
		return "shown"
	case 0:
		return "**not shown**"
	}
	return fmt.Sprintf("in %d of %d", shown, of)
}

func TestMatrix(t *testing.T) {
	base := before(t)
	k := keep(base)
	honest := base.clone()
	honest.exported()
	for layer := range layers {
		if k.shows(honest, layer, k.receipts[facts-1]) {
			t.Fatalf("layer %d shows something wrong with the true journal", layer)
		}
	}
	n := trials()
	var table strings.Builder
	fmt.Fprintf(&table, "%d trials each\n| what is done | tree | + checkpoints | + witness | + receipt |\n|---|---|---|---|---|\n", n)
	var total [layers]int
	for row, c := range tamperings() {
		var count [layers]int
		for trial := range n {
			r := rand.New(rand.NewPCG(uint64(row), uint64(trial)))
			s := base.clone()
			at := c.do(s, r)
			if s.count(); !c.signs {
				s.exported()
			}
			receipt := k.receipts[within(r, min(at, facts-1), facts)]
			for layer := range layers {
				shown := k.shows(s, layer, receipt)
				if shown {
					count[layer]++
				}
				if shown != c.shown[layer] {
					t.Errorf("%s, trial %d, at %d, layer %d: shown %t", c.name, trial, at, layer, shown)
				}
			}
			// Where the export alone is good, the witness's protocol says the same as its kept checkpoint.
			if !c.shown[byCheckpoints] && k.refuses(t, s) != c.shown[byWitness] {
				t.Errorf("%s, trial %d, at %d: the witness refuses: %t", c.name, trial, at, !c.shown[byWitness])
			}
		}
		fmt.Fprintf(&table, "| %s |", c.name)
		for layer := range layers {
			fmt.Fprintf(&table, " %s |", cell(count[layer], n))
			if count[layer] == n {
				total[layer]++
			}
		}
		table.WriteString("\n")
	}
	fmt.Fprintf(&table, "| **shown of %d** | %d | %d | %d | %d |", len(tamperings()), total[0], total[1], total[2], total[3])
	t.Log(table.String())
	if want := [layers]int{2, 7, 11, 13}; total != want || len(tamperings()) != 13 {
		t.Errorf("the layers show %v of %d, not %v of 13", total, len(tamperings()), want)
	}
}

// rewrite makes another history of the facts as they are now, and signs it from the first checkpoint on.
func (s *sample) rewrite() {
	s.stamp()
	s.hash()
	s.marks = nil
	for size := uint64(every); size <= last; size += every {
		s.sign(size)
	}
}

// What no layer shows: the negative controls of the matrix. If one of these is
// shown one day, the documents promise too little; until then they must say so.
func TestWhatNothingShows(t *testing.T) {
	base := before(t)
	truth := keep(base)
	for _, c := range []struct {
		name string
		do   func(s *sample, r *rand.Rand) (kept, Receipt)
	}{
		{"server, key and witness in one hand, and only receipts of before it", func(s *sample, r *rand.Rand) (kept, Receipt) {
			p := within(r, 2, last)
			edit(s, r, p)
			s.rewrite()
			return keep(s), truth.receipts[within(r, 0, p)]
		}},
		{"an edit in the tail, and only receipts of before it", func(s *sample, r *rand.Rand) (kept, Receipt) {
			p := within(r, last, facts)
			edit(s, r, p)
			s.hash()
			return truth, truth.receipts[within(r, 0, p)]
		}},
		{"a tail cut off, and only receipts of before it", func(s *sample, r *rand.Rand) (kept, Receipt) {
			p := within(r, last, facts)
			s.facts = s.facts[:p]
			return truth, truth.receipts[within(r, 0, p)]
		}},
		{"what was never recorded", func(s *sample, r *rand.Rand) (kept, Receipt) {
			s.remove(within(r, 1, last))
			s.rewrite()
			return keep(s), s.receipt(facts-2, facts-1)
		}},
		{"a lie that was recorded", func(s *sample, r *rand.Rand) (kept, Receipt) {
			edit(s, r, within(r, 1, facts))
			s.rewrite()
			return keep(s), s.receipt(facts-1, facts)
		}},
	} {
		n := max(1, trials()/2)
		for trial := range n {
			r := rand.New(rand.NewPCG(99, uint64(trial)))
			s := base.clone()
			known, receipt := c.do(s, r)
			s.exported()
			for layer := range layers {
				if known.shows(s, layer, receipt) {
					t.Errorf("%s, trial %d: layer %d shows it", c.name, trial, layer)
				}
			}
		}
		t.Logf("| %s | %s, %d trials |", c.name, cell(0, n), n)
	}
}
