package state_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/state"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// label is the test's state: the words said last, each a key.
type label struct {
	Words []string `json:"words"`
}

func labelShape(number int) event.Shape {
	return event.ShapeOf("label", number, func(l *label, f event.Recorded) error {
		if f.Kind == "label.panicked" {
			panic("a bug")
		}
		return f.Body(l)
	}, func(l label) []event.Key {
		var keys []event.Key
		for _, w := range l.Words {
			keys = append(keys, event.Key{Kind: event.Unique, Name: "label.word", Value: w}, event.Key{Kind: event.Lookup, Name: "label.length", Value: fmt.Sprint(len(w))})
		}
		return keys
	})
}

// memory is a history kept by the test.
type memory map[event.Stream][]event.Recorded

func (m memory) read(_ context.Context, _ *store.Tx, s event.Stream) ([]event.Recorded, error) {
	return m[s], nil
}

func said(s event.Stream, words ...string) event.Recorded {
	b, _ := json.Marshal(label{words})
	return event.Recorded{Header: event.Header{Stream: s, Kind: "label.said"}, BodyBytes: b}
}

func open(t *testing.T, number int, m memory) *state.States {
	t.Helper()
	s, err := state.New([]event.Shape{labelShape(number)}, m.read)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// say is one command: the stream's words become these, if none is another's.
func say(b *state.Batch, m memory, s event.Stream, words ...string) error {
	trial := b.Try()
	f := said(s, words...)
	f.Version = trial.Raise(s)
	if err := trial.Add(f); err != nil {
		return err
	}
	if err := trial.Keep(); err != nil {
		return err
	}
	m[s] = append(m[s], f)
	return nil
}

func TestBatch(t *testing.T) {
	storetest.Each(t, func(t *testing.T, database func() *store.DB) {
		ctx, db, m := t.Context(), database(), memory{}
		s := open(t, 1, m)
		err := db.InTx(ctx, func(tx *store.Tx) error {
			b, err := s.Begin(ctx, tx, []event.Stream{"label/a", "label/b", event.SetFreezes})
			if err != nil {
				return err
			}
			var taken *state.Taken
			if err := say(b, m, "label/a", "x", "y", "x"); err != nil {
				return err
			}
			if err := say(b, m, "label/b", "y"); !errors.As(err, &taken) || taken.By != "label/a" {
				t.Errorf("a word of another: %v", err)
			}
			if v := b.Version("label/b"); v != 0 {
				t.Errorf("a refused trial raised the version to %d", v)
			}
			if err := errors.Join(say(b, m, "label/a", "x"), say(b, m, "label/b", "y")); err != nil {
				t.Errorf("a word given up is not free: %v", err)
			}
			touch := b.Try()
			touch.Raise(event.SetFreezes)
			if err := touch.Keep(); err != nil {
				return err
			}
			if right, err := b.Resolve(ctx, tx); !right || err != nil {
				t.Errorf("resolved %v, %v", right, err)
			}
			return b.Write(ctx, tx)
		})
		if err != nil {
			t.Fatal(err)
		}
		reading(t, db, func(tx *store.Tx) {
			all, err := s.Load(ctx, tx, "label/a", "label/b", "label/c", event.SetFreezes)
			if err != nil {
				t.Fatal(err)
			}
			want := map[event.Stream]state.Stored{
				"label/a":        {Stream: "label/a", Version: 2, State: []byte(`{"words":["x"]}`)},
				"label/b":        {Stream: "label/b", Version: 1, State: []byte(`{"words":["y"]}`)},
				"label/c":        {Stream: "label/c"},
				event.SetFreezes: {Stream: event.SetFreezes, Version: 1},
			}
			if diff := cmp.Diff(want, all); diff != "" {
				t.Error(diff)
			}
			if by, err := s.Find(ctx, tx, "label.length", "1"); err != nil || len(by) != 2 {
				t.Errorf("%v, %v", by, err)
			}
		})
	})
}

func reading(t *testing.T, db *store.DB, fn func(*store.Tx)) {
	t.Helper()
	if err := db.ReadTx(t.Context(), func(tx *store.Tx) error { fn(tx); return nil }); err != nil {
		t.Fatal(err)
	}
}

// A key owned by a stream outside the batch is found by Resolve, and refused in the second run.
func TestResolve(t *testing.T) {
	storetest.Each(t, func(t *testing.T, database func() *store.DB) {
		ctx, db, m := t.Context(), database(), memory{}
		s := open(t, 1, m)
		write(t, db, s, m, "label/a", "x")
		err := db.InTx(ctx, func(tx *store.Tx) error {
			b, err := s.Begin(ctx, tx, []event.Stream{"label/b", "label/c"})
			if err != nil {
				return err
			}
			if err := errors.Join(say(b, memory{}, "label/b", "x"), say(b, memory{}, "label/c", "z")); err != nil {
				t.Errorf("before it is known: %v", err)
			}
			if right, err := b.Resolve(ctx, tx); right || err != nil {
				t.Errorf("a wrong guess was right: %v", err)
			}
			b.Restart()
			var taken *state.Taken
			if err := say(b, memory{}, "label/b", "x"); !errors.As(err, &taken) || taken.By != "label/a" {
				t.Errorf("known: %v", err)
			}
			if err := say(b, memory{}, "label/c", "z"); err != nil {
				t.Errorf("a free one: %v", err)
			}
			if right, err := b.Resolve(ctx, tx); !right || err != nil {
				t.Errorf("second run: %v, %v", right, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func write(t *testing.T, db *store.DB, s *state.States, m memory, stream event.Stream, words ...string) {
	t.Helper()
	err := db.InTx(t.Context(), func(tx *store.Tx) error {
		b, err := s.Begin(t.Context(), tx, []event.Stream{stream})
		if err != nil {
			return err
		}
		return errors.Join(say(b, m, stream, words...), b.Write(t.Context(), tx))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Under a new fold number a state is folded from history when it is loaded;
// one stream that cannot be folded hurts only those who ask for it.
func TestLazyRefold(t *testing.T) {
	storetest.Each(t, func(t *testing.T, database func() *store.DB) {
		ctx, db, m := t.Context(), database(), memory{}
		write(t, db, open(t, 1, m), m, "label/a", "old")
		write(t, db, open(t, 1, m), m, "label/b", "b")
		m["label/a"] = []event.Recorded{said("label/a", "new")}
		m["label/b"] = []event.Recorded{{Header: event.Header{Stream: "label/b", Kind: "label.panicked"}}}
		s := open(t, 2, m)
		reading(t, db, func(tx *store.Tx) {
			if all, err := s.Load(ctx, tx, "label/a"); err != nil || string(all["label/a"].State) != `{"words":["new"]}` {
				t.Errorf("%s, %v", all["label/a"].State, err)
			}
			if _, err := s.Load(ctx, tx, "label/a", "label/b"); err == nil || !strings.Contains(err.Error(), "panicked") {
				t.Errorf("a fold that panics: %v", err)
			}
		})
		err := db.InTx(ctx, func(tx *store.Tx) error {
			b, err := s.Begin(ctx, tx, []event.Stream{"label/a", "label/b", "label/c"})
			if err != nil {
				return err
			}
			if b.Check([]event.Stream{"label/b"}) == nil || b.Check([]event.Stream{"label/a", "label/c"}) != nil {
				t.Error("the broken stream is not the one reported")
			}
			// "old" is still in the table, under the older fold: it is nobody's now.
			if err := say(b, m, "label/c", "old"); err != nil {
				return err
			}
			if right, err := b.Resolve(ctx, tx); !right || err != nil {
				t.Errorf("a key of an older fold: %v, %v", right, err)
			}
			if err := say(b, m, "label/a", "newer"); err != nil {
				return err
			}
			return b.Write(ctx, tx)
		})
		if err != nil {
			t.Fatal(err)
		}
		reading(t, db, func(tx *store.Tx) {
			if by, err := s.Find(ctx, tx, "label.word", "old"); err != nil || !cmp.Equal(by, []event.Stream{"label/c"}) {
				t.Errorf("old: %v, %v", by, err)
			}
		})
	})
}

func TestKeysAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		key  event.Key
		kind fault.Kind
	}{
		"span of a lookup": {event.Key{Kind: event.Lookup, Name: "n", From: 1}, fault.Internal},
		"empty span":       {event.Key{Kind: event.Interval, Name: "n", From: 5, Until: 5}, fault.Invalid},
		"unknown kind":     {event.Key{Kind: "primary", Name: "n"}, fault.Internal},
		"not UTF-8":        {event.Key{Kind: event.Unique, Name: "n", Value: "\xff"}, fault.Invalid},
	} {
		shape := event.ShapeOf("x", 1, func(*struct{}, event.Recorded) error { return nil }, func(struct{}) []event.Key { return []event.Key{c.key} })
		s, err := state.New([]event.Shape{shape}, nil)
		if err != nil {
			t.Fatal(err)
		}
		db, err := store.Open(t.Context(), store.Options{Data: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		err = db.InTx(t.Context(), func(tx *store.Tx) error {
			b, err := s.Begin(t.Context(), tx, []event.Stream{"x/1"})
			if err != nil {
				return err
			}
			trial := b.Try()
			trial.Raise("x/1")
			return errors.Join(trial.Add(event.Recorded{Header: event.Header{Stream: "x/1"}}), trial.Keep())
		})
		if err == nil || fault.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
		db.Close()
	}
}

// Whatever is said in whatever batches, the tables end as a model of one map
// says, and as a cold fold of the kept facts does.
func TestBatchesAgreeWithModel(t *testing.T) {
	db, err := store.Open(t.Context(), store.Options{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	rapid.Check(t, func(rt *rapid.T) {
		clearTables(t, db)
		m, model := memory{}, map[string]event.Stream{}
		s := open(t, 1, m)
		for range rapid.IntRange(1, 5).Draw(rt, "batches") {
			runBatch(rt, t, db, s, m, model)
		}
		checkModel(rt, t, db, s, m, model)
	})
}

func clearTables(t *testing.T, db *store.DB) {
	err := db.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), "DELETE FROM streams")
		_, other := tx.Exec(t.Context(), "DELETE FROM keys")
		_, sums := tx.Exec(t.Context(), "DELETE FROM key_sums")
		return errors.Join(err, other, sums)
	})
	if err != nil {
		t.Fatal(err)
	}
}

type command struct {
	stream event.Stream
	words  []string
}

// drawBatch is up to six commands on four streams and four words.
func drawBatch(rt *rapid.T) (commands []command, streams []event.Stream) {
	for range rapid.IntRange(1, 6).Draw(rt, "commands") {
		c := command{
			stream: event.StreamOf("label", rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "stream")),
			words:  rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"w", "x", "y", "z"}), 0, 2, rapid.ID).Draw(rt, "words"),
		}
		commands, streams = append(commands, c), append(streams, c.stream)
	}
	return commands, streams
}

func runBatch(rt *rapid.T, t *testing.T, db *store.DB, s *state.States, m memory, model map[string]event.Stream) {
	commands, streams := drawBatch(rt)
	err := db.InTx(t.Context(), func(tx *store.Tx) error {
		b, err := s.Begin(t.Context(), tx, streams)
		if err != nil {
			return err
		}
		var kept memory
		var refused []bool
		for right := false; !right; {
			b.Restart()
			kept, refused = memory{}, nil
			for _, c := range commands {
				refused = append(refused, say(b, kept, c.stream, c.words...) != nil)
			}
			if right, err = b.Resolve(t.Context(), tx); err != nil {
				return err
			}
		}
		for i, c := range commands {
			if want := !modelSays(model, c); refused[i] != want {
				rt.Errorf("command %d, %v: refused %v, the model says %v", i, c, refused[i], want)
			}
		}
		for stream, facts := range kept {
			m[stream] = append(m[stream], facts...)
		}
		return b.Write(t.Context(), tx)
	})
	if err != nil {
		rt.Fatal(err)
	}
}

// modelSays applies a command to the model and reports whether it was accepted.
func modelSays(model map[string]event.Stream, c command) bool {
	for _, w := range c.words {
		if by, ok := model[w]; ok && by != c.stream {
			return false
		}
	}
	for w, by := range model {
		if by == c.stream {
			delete(model, w)
		}
	}
	for _, w := range c.words {
		model[w] = c.stream
	}
	return true
}

func checkModel(rt *rapid.T, t *testing.T, db *store.DB, s *state.States, m memory, model map[string]event.Stream) {
	cold := s.Cold()
	for _, facts := range m {
		for _, f := range facts {
			if err := cold.Add(f); err != nil {
				rt.Fatal(err)
			}
		}
	}
	reading(t, db, func(tx *store.Tx) {
		if wrong, err := cold.Compare(t.Context(), tx, 10); err != nil || len(wrong) > 0 {
			rt.Errorf("%v, %v", wrong, err)
		}
		for _, w := range []string{"w", "x", "y", "z"} {
			by, err := s.Find(t.Context(), tx, "label.word", w)
			if err != nil {
				rt.Fatal(err)
			}
			if owner, ok := model[w]; len(by) > 1 || ok != (len(by) == 1) || ok && by[0] != owner {
				rt.Errorf("%s is of %v, the model says %q", w, by, owner)
			}
		}
	})
}
