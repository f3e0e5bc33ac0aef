package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
	"signalbox.dev/signalbox/internal/tree"
)

func TestProofs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), nil)
		const size = 21
		for i := range size - 1 {
			k.must(t, add(fmt.Sprint(i%3), 1))
		}
		roots := make([]tlog.Hash, size+1)
		for n := uint64(1); n <= size; n++ {
			var err error
			if roots[n], err = k.TreeHash(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		for n := uint64(1); n <= size; n++ {
			for p := range n {
				checkInclusion(t, k, p, n, roots[n])
			}
			for m := uint64(1); m <= n; m++ {
				checkGrowth(t, k, m, n, roots)
			}
		}
		for name, prove := range map[string]func() error{
			"position beyond": func() error { _, err := k.Prove(t.Context(), size, size+1); return err },
			"position = size": func() error { _, err := k.Prove(t.Context(), 3, 3); return err },
			"size beyond":     func() error { _, err := k.TreeHash(t.Context(), size+1); return err },
			"growth from 0":   func() error { _, err := k.ProveGrowth(t.Context(), 0, 2); return err },
			"none so large":   func() error { _, err := k.Prove(t.Context(), 3, 1<<63); return err },
			"none larger":     func() error { _, err := k.ProveGrowth(t.Context(), 3, 1<<64-1); return err },
			"shrinking":       func() error { _, err := k.ProveGrowth(t.Context(), 3, 2); return err },
		} {
			if kind := fault.KindOf(prove()); kind != fault.NotFound && kind != fault.Invalid {
				t.Errorf("%s: %v", name, kind)
			}
		}
		k.verify(t)
	})
}

// checkInclusion checks a proof with two implementations, and that neither takes it for another leaf.
func checkInclusion(t *testing.T, k *kit, position, size uint64, root tlog.Hash) {
	t.Helper()
	f, err := k.Fact(t.Context(), position)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := event.Leaf(f.HeaderBytes, f.BodyBytes, f.PrivateBytes)
	if err != nil {
		t.Fatal(err)
	}
	p, err := k.Prove(t.Context(), position, size)
	if err != nil {
		t.Fatal(err)
	}
	for _, good := range []bool{true, false} {
		if !good {
			leaf = append(leaf, 0)
		}
		if err := tlog.CheckRecord(p, int64(size), root, int64(position), tlog.RecordHash(leaf)); (err == nil) != good {
			t.Errorf("tlog: %d in %d: %v", position, size, err)
		}
		err := proof.VerifyInclusion(rfc6962.DefaultHasher, position, size, rfc6962.DefaultHasher.HashLeaf(leaf), plain(p), root[:])
		if (err == nil) != good {
			t.Errorf("merkle: %d in %d: %v", position, size, err)
		}
	}
}

func checkGrowth(t *testing.T, k *kit, from, to uint64, roots []tlog.Hash) {
	t.Helper()
	p, err := k.ProveGrowth(t.Context(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	if err := tlog.CheckTree(p, int64(to), roots[to], int64(from), roots[from]); err != nil {
		t.Errorf("tlog: %d to %d: %v", from, to, err)
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, from, to, plain(p), roots[from][:], roots[to][:]); err != nil {
		t.Errorf("merkle: %d to %d: %v", from, to, err)
	}
}

// A proof is the true one or refused, whatever has become of the hashes that it is
// made of, also where upper ones are kept. Nothing is kept of a tree that was not
// signed: there a hash that has rotted may pass, and would come back.
func TestProofsOfARottenTree(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), nil)
		for range 2 {
			c := add("a", 1)
			for range 299 {
				c.Facts = append(c.Facts, add("a", 1).Facts...)
			}
			k.must(t, c)
		}
		if _, err := k.SignNow(t.Context()); err != nil {
			t.Fatal(err)
		}
		const position, signed, unsigned = 300, 601, 602
		k.must(t, add("b", 1))
		change := func(query string, node int64) {
			err := k.db.InTx(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec(t.Context(), query, node)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		before, err := k.Prove(t.Context(), position, unsigned)
		if err != nil {
			t.Fatal(err)
		}
		var truth tlog.RecordProof
		for _, kept := range []bool{false, true} {
			for _, node := range append(tree.InclusionNodes(position, signed), tree.RootNodes(signed)...) {
				change("UPDATE hashes SET node = -1 WHERE node = $1", node)
				change("INSERT INTO hashes (node, hash) SELECT $1, hash FROM hashes WHERE node = 9", node)
				_, _ = k.Prove(t.Context(), position, unsigned)
				got, err := k.Prove(t.Context(), position, signed)
				level, n := tlog.SplitStoredHashIndex(node)
				if level >= 8 && kept {
					if err != nil || !slices.Equal(got, truth) {
						t.Errorf("level %d, %d, kept: %v", level, n, err)
					}
				} else if fault.KindOf(err) != fault.Unverified {
					t.Errorf("level %d, %d, kept %v: %v", level, n, kept, err)
				}
				change("DELETE FROM hashes WHERE node = $1", node)
				change("UPDATE hashes SET node = $1 WHERE node = -1", node)
			}
			if truth, err = k.Prove(t.Context(), position, signed); err != nil {
				t.Fatal(err)
			}
		}
		if after, err := k.Prove(t.Context(), position, unsigned); err != nil || !slices.Equal(after, before) {
			t.Errorf("of the tree that was not signed: %v", err)
		}
	})
}

func plain(hashes []tlog.Hash) [][]byte {
	all := make([][]byte, len(hashes))
	for i, h := range hashes {
		all[i] = h[:]
	}
	return all
}

func TestCheckpoints(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), nil)
		if _, err := k.Checkpoint(t.Context()); fault.KindOf(err) != fault.NotFound {
			t.Errorf("before the first: %v", err)
		}
		first, err := k.SignNow(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if again, err := k.SignNow(t.Context()); err != nil || again != first {
			t.Errorf("signed the same size anew: %v", err)
		}
		k.must(t, add("a", 1))
		second, err := k.SignNow(t.Context())
		if err != nil || second == first {
			t.Errorf("%v", err)
		}
		if got, err := k.Checkpoint(t.Context()); err != nil || got != second {
			t.Errorf("newest: %q, %v", got, err)
		}
		k.verify(t)
	})
}

func TestCheckpointsAreSigned(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		ks := replicas(t, open, 2)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, len(ks))
		for _, k := range ks {
			go func() { done <- k.RunCheckpoints(ctx) }()
		}
		for i := range 3 {
			c := add("a", 1)
			c.Facts = nil
			for range 500 {
				c.Facts = append(c.Facts, add(fmt.Sprint(i), 1).Facts...)
			}
			ks[i%len(ks)].must(t, c)
		}
		deadline := time.Now().Add(30 * time.Second)
		for text := ""; text == "" && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			text, _ = ks[0].Checkpoint(t.Context())
		}
		if _, err := ks[0].Checkpoint(t.Context()); err != nil {
			t.Errorf("nothing was signed after 1,500 facts: %v", err)
		}
		cancel()
		for range ks {
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		ks[0].verify(t)
	})
}

// A replica whose database goes away says so once, and once that it is back,
// however often it has tried meanwhile.
func TestOutageIsToldOnce(t *testing.T) {
	p, u := storetest.Through(t, storetest.PostgresURL(t))
	db, err := store.Open(t.Context(), store.Options{Database: u})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	var log toldLog
	k := start(t, db, func(o *journal.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	for range 3 { // with a thousand facts it tries to sign each second
		c := add("a", 1)
		for range 399 {
			c.Facts = append(c.Facts, add("a", 1).Facts...)
		}
		k.must(t, c)
	}
	p.Store(storetest.Away)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- k.RunCheckpoints(ctx) }()
	time.Sleep(4 * time.Second)
	p.Store(storetest.Pass)
	const over, read = "checkpoints can be signed again", "head is read again"
	for end := time.Now().Add(time.Minute); (log.count(over) == 0 || log.count(read) == 0) && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	<-done
	for _, line := range []string{"no checkpoint was signed", over, "head cannot be read", read} {
		if n := log.count(line); n != 1 {
			t.Errorf("%d times %q", n, line)
		}
	}
	if t.Failed() {
		t.Log(log.b.String())
	}
}

// toldLog keeps what is logged.
type toldLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *toldLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *toldLog) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// What was signed cannot be rewritten or taken back: the journal neither signs
// over it nor, opened anew, appends to it.
func TestRewrittenJournalIsRefused(t *testing.T) {
	for name, change := range map[string]string{
		"untouched": "DELETE FROM leases",
		"rewritten": "UPDATE hashes SET hash = (SELECT hash FROM hashes WHERE node = 0)",
		"truncated": "UPDATE head SET size = 2",
		"gutted":    "DELETE FROM hashes WHERE node > 0",
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, open func() *store.DB) {
				k := start(t, open(), nil)
				for i := range 4 {
					k.must(t, add(fmt.Sprint(i), 1))
				}
				if _, err := k.SignNow(t.Context()); err != nil {
					t.Fatal(err)
				}
				k.Close()
				err := k.db.InTx(t.Context(), func(tx *store.Tx) error {
					_, err := tx.Exec(t.Context(), change)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				k.reopen(t)
				_, signed := k.SignNow(t.Context())
				_, appended := k.Append(t.Context(), add("a", 1))
				if name == "untouched" {
					if signed != nil || appended != nil {
						t.Errorf("sign: %v, append: %v", signed, appended)
					}
					return
				}
				if fault.KindOf(signed) != fault.Unverified || fault.KindOf(appended) != fault.Unverified {
					t.Errorf("sign: %v, append: %v", signed, appended)
				}
				// A fact whose leaf is another is not read as true; the first has its own.
				if _, err := k.Fact(t.Context(), 0); err != nil {
					t.Errorf("reading: %v", err)
				}
				if _, err := k.Fact(t.Context(), 1); (fault.KindOf(err) == fault.Unverified) != (name != "truncated") {
					t.Errorf("reading what was changed: %v", err)
				}
			})
		})
	}
}

func TestExportWithoutKey(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), func(o *journal.Options) { o.Signer = nil })
		k.must(t, add("a", 1))
		if _, err := k.SignNow(t.Context()); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("signed without a key: %v", err)
		}
		var b bytes.Buffer
		if err := k.Export(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if n, err := verifyExport(b.Bytes(), nil); err != nil || n != 2 {
			t.Errorf("%d facts, %v", n, err)
		}
	})
}
