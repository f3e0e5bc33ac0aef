package tree

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// planted is a tree in a database and the same in memory, by another's code.
type planted struct {
	*testing.T
	db     *store.DB
	size   uint64
	memory []tlog.Hash
}

// plant grows a tree in several transactions, the later ones from its edge alone.
func plant(t *testing.T, db *store.DB, size uint64) *planted {
	p := &planted{T: t, db: db, size: size}
	memory := tlog.HashReaderFunc(p.remembered)
	for i := range size {
		more, err := tlog.StoredHashes(int64(i), leaf(i), memory)
		p.must(err)
		p.memory = append(p.memory, more...)
	}
	for from := uint64(0); from < size; from += 1000 {
		p.must(db.InTx(t.Context(), func(tx *store.Tx) error {
			e, err := Edge{}.At(t.Context(), tx, from)
			if err != nil {
				return err
			}
			g := Growth{Edge: e}
			for i := from; i < min(from+1000, size); i++ {
				if got := g.Add(leaf(i)); got != tlog.RecordHash(leaf(i)) {
					t.Errorf("leaf %d is %v", i, got)
				}
				if want, err := tlog.TreeHash(int64(i+1), memory); err != nil || g.Root() != want {
					t.Fatalf("root of %d: %v, want %v (%v)", i+1, g.Root(), want, err)
				}
			}
			return g.Write(t.Context(), tx)
		}))
	}
	return p
}

func leaf(i uint64) []byte { return fmt.Appendf(nil, "leaf %d", i) }

func (p *planted) remembered(indexes []int64) ([]tlog.Hash, error) {
	all := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		all[i] = p.memory[index]
	}
	return all, nil
}

func (p *planted) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p *planted) exec(query string, args ...any) {
	p.Helper()
	p.must(p.db.InTx(p.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(p.Context(), query, args...)
		return err
	}))
}

// ask reads nodes, those of the root of size among them.
func (p *planted) ask(u *Upper, size uint64, nodes ...int64) (h *Hashes, err error) {
	err = p.db.Look(p.Context(), func(tx *store.Tx) (err error) {
		if h, err = u.Ask(p.Context(), tx, append(nodes, RootNodes(size)...)); err != nil {
			return err
		}
		return tx.Answers(p.Context())
	})
	return h, err
}

// include is the proof that a position is in the tree of size, held against the true root.
func (p *planted) include(u *Upper, position, size uint64, keep bool) (tlog.RecordProof, error) {
	h, err := p.ask(u, size, InclusionNodes(position, size)...)
	if err != nil {
		return nil, err
	}
	root, err := h.Root(size)
	if err != nil {
		return nil, err
	}
	if want, err := tlog.TreeHash(int64(size), tlog.HashReaderFunc(p.remembered)); err != nil || root != want {
		return nil, Rotten(size)
	}
	proof, err := h.Inclusion(position, size, root)
	if err == nil && keep {
		h.Keep()
	}
	return proof, err
}

func (p *planted) grow(u *Upper, from, to uint64) (tlog.TreeProof, error) {
	h, err := p.ask(u, to, append(GrowthNodes(from, to), RootNodes(from)...)...)
	if err != nil {
		return nil, err
	}
	before, err := h.Root(from)
	if err != nil {
		return nil, err
	}
	after, err := h.Root(to)
	if err != nil {
		return nil, err
	}
	proof, err := h.Growth(from, to, before, after)
	if err == nil {
		h.Keep()
	}
	return proof, err
}

// Proofs are those of tlog over the tree in memory, whether their upper hashes
// are read or were kept by proofs of other positions and sizes.
func TestProofs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		p := plant(t, open(), 3000)
		memory := tlog.HashReaderFunc(p.remembered)
		chance := rand.New(rand.NewPCG(1, 2))
		var kept Upper
		for i := range 600 {
			size := 1 + chance.Uint64N(p.size)
			position := chance.Uint64N(size)
			want, err := tlog.ProveRecord(int64(size), int64(position), memory)
			p.must(err)
			for name, u := range map[string]*Upper{"read": {}, "kept": &kept} {
				if got, err := p.include(u, position, size, true); err != nil || !slices.Equal(got, want) {
					t.Fatalf("%s: %d in %d: %v", name, position, size, err)
				}
			}
			grown, err := tlog.ProveTree(int64(size), int64(position+1), memory)
			p.must(err)
			for name, u := range map[string]*Upper{"read": {}, "kept": &kept} {
				if got, err := p.grow(u, position+1, size); err != nil || !slices.Equal(got, grown) {
					t.Fatalf("%s: %d to %d: %v", name, position+1, size, err)
				}
			}
			if i == 0 && len(kept.kept) > 30 {
				t.Errorf("one proof of each kind kept %d", len(kept.kept))
			}
		}
		for node, hash := range kept.kept {
			if level, _ := tlog.SplitStoredHashIndex(node); level < keptFrom || hash != p.memory[node] {
				t.Errorf("node %d of level %d is kept as %v", node, level, hash)
			}
		}
		// 11 of 256 leaves, 5 of 512, 2 of 1,024, 1 of 2,048.
		if len(kept.kept) != 19 {
			t.Errorf("%d are kept", len(kept.kept))
		}
	})
}

// What is kept is not read again, and what no proof has led to a root is not kept.
func TestKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		p := plant(t, open(), 700)
		want, err := p.include(&Upper{}, 3, 700, false)
		p.must(err)
		var kept, unkept Upper
		_, err = p.include(&kept, 3, 700, true)
		p.must(err)
		_, err = p.include(&unkept, 3, 700, false)
		p.must(err)
		upper := tlog.StoredHashIndex(8, 1) // beside the 256 leaves of position 3
		for name, change := range map[string]string{
			"gone": "DELETE FROM hashes WHERE node = $1", "other": "UPDATE hashes SET hash = (SELECT hash FROM hashes WHERE node = 0) WHERE node = $1",
			"cut off": "UPDATE hashes SET hash = substr(hash, 1, 31) WHERE node = $1",
		} {
			p.exec(change, upper)
			if got, err := p.include(&kept, 3, 700, true); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s, kept: %v", name, err)
			}
			for which, u := range map[string]*Upper{"read anew": {}, "not kept": &unkept} {
				if _, err := p.include(u, 3, 700, true); fault.KindOf(err) != fault.Unverified {
					t.Errorf("%s, %s: %v", name, which, err)
				}
				if len(u.kept) > 0 {
					t.Errorf("%s, %s: %d are kept of a proof that failed", name, which, len(u.kept))
				}
			}
			p.exec("DELETE FROM hashes WHERE node = $1", upper)
			p.exec("INSERT INTO hashes (node, hash) VALUES ($1, $2)", upper, p.memory[upper][:])
		}
		if got, err := p.include(&unkept, 3, 700, true); err != nil || !slices.Equal(got, want) || len(unkept.kept) == 0 {
			t.Errorf("put right: %v, %d kept", err, len(unkept.kept))
		}
	})
}

// However many hashes were used, so many are kept and no more; those that were
// just used are among them.
func TestKeptIsBounded(t *testing.T) {
	u := &Upper{kept: map[int64]tlog.Hash{}}
	for i := range int64(keptMax) {
		u.kept[-1-i] = tlog.Hash{}
	}
	h := &Hashes{upper: u, found: map[int64]tlog.Hash{1: {1}, 2: {2}}, fresh: []int64{1, 2}}
	h.Keep()
	if len(u.kept) != keptMax || u.kept[2] != (tlog.Hash{2}) {
		t.Errorf("%d are kept, the last as %v", len(u.kept), u.kept[2])
	}
}

// Sizes that no tree has name no nodes, and nothing is computed of them for ever.
func TestSizesBeyond(t *testing.T) {
	for _, size := range []uint64{sizeMax + 1, 1 << 62, math.MaxInt64, 1 << 63, math.MaxUint64} {
		if n := len(InclusionNodes(5, size)) + len(GrowthNodes(5, size)) + len(RootNodes(size)); n > 0 {
			t.Errorf("%d: %d nodes", size, n)
		}
	}
	if n := len(InclusionNodes(5, sizeMax)); n != 57 {
		t.Errorf("of the largest tree: %d nodes", n)
	}
}

// BenchmarkInclusion is a proof at 200,000 leaves, whose upper hashes are kept.
func BenchmarkInclusion(b *testing.B) {
	const size = 200_000
	for name, at := range map[string]func() store.Options{
		"sqlite": func() store.Options { return store.Options{Data: b.TempDir()} }, "postgres": func() store.Options { return store.Options{Database: storetest.PostgresURL(b)} },
	} {
		b.Run(name, func(b *testing.B) {
			ctx := context.Background()
			db, err := store.Open(ctx, at())
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = db.Close() })
			var g Growth
			for g.size < size {
				err := db.InTx(ctx, func(tx *store.Tx) error {
					for range 10_000 {
						g.Add(leaf(uint64(g.size)))
					}
					return g.Write(ctx, tx)
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			var kept Upper
			chance := rand.New(rand.NewPCG(1, 2))
			for b.Loop() {
				at := chance.Uint64N(size)
				err := db.Look(ctx, func(tx *store.Tx) error {
					h, err := kept.Ask(ctx, tx, InclusionNodes(at, size))
					if err == nil {
						err = tx.Answers(ctx)
					}
					if err != nil {
						return err
					}
					_, err = h.Inclusion(at, size, g.Root())
					h.Keep()
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
