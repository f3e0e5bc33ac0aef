package journal_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/state"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

func TestBegin(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		db := open()
		origin, begun, err := journal.Begin(t.Context(), db)
		if err != nil || begun || !strings.HasPrefix(origin, "signalbox.local/") {
			t.Fatalf("%q %v %v", origin, begun, err)
		}
		k := start(t, db, nil)
		if k.Origin() != origin || k.verify(t) != 1 {
			t.Errorf("origin %q, was %q", k.Origin(), origin)
		}
		f, err := k.Fact(t.Context(), 0)
		if err != nil || f.Kind != event.JournalBegun || f.Stream != k.Stream() {
			t.Errorf("%+v, %v", f.Header, err)
		}
		k.Close()
		k.reopen(t)
		again, begun, err := journal.Begin(t.Context(), db)
		if err != nil || !begun || again != origin || k.Origin() != origin || k.verify(t) != 1 {
			t.Errorf("after reopening: %q %v %v", again, begun, err)
		}
	})
}

func TestAppend(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), nil)
		c := add("a", 3)
		c.Parts = [][]byte{[]byte("basis"), []byte("basis")}
		c.Facts[0].Private = map[string]string{"name": "Ada Example"}
		c.Facts[0].Touches = []event.Stream{event.SetFreezes, counterStream("b"), event.SetFreezes, counterStream("a")}
		r := k.must(t, c)
		if r.First != 1 || r.Next != 2 || r.Repeated || r.Command == "" {
			t.Errorf("receipt %+v", r)
		}
		f, err := k.Fact(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		want := event.Header{
			Format: 1, Position: 1, Stream: counterStream("a"), Version: 1, Kind: addedKind, Time: r.Time,
			Actor: "person/ada", Auth: "local", Source: "cli", Command: r.Command,
			Touches: []event.Touch{{Stream: counterStream("b"), Version: 1}, {Stream: event.SetFreezes, Version: 1}},
		}
		if diff := cmp.Diff(want, f.Header); diff != "" {
			t.Error(diff)
		}
		private, err := f.Private()
		if err != nil || private["name"] != "Ada Example" || strings.Contains(string(f.BodyBytes)+string(f.HeaderBytes), "Ada") {
			t.Errorf("private %v, %v", private, err)
		}
		if v, s := k.load(t, counterStream("a")); v != 1 || s.Sum != 3 {
			t.Errorf("a at %d is %+v", v, s)
		}
		if v, s := k.load(t, counterStream("b")); v != 1 || s.Sum != 0 {
			t.Errorf("b at %d is %+v", v, s)
		}
		if v, _ := k.load(t, event.SetFreezes); v != 1 {
			t.Errorf("the set is at %d", v)
		}
		k.must(t, add("b", 1))
		if h, err := k.History(t.Context(), counterStream("b")); err != nil || len(h) != 1 || h[0].Version != 2 {
			t.Errorf("history %v, %v", h, err)
		}
		k.must(t, add("a", 2))
		streams := []event.Stream{counterStream("b"), counterStream("a"), counterStream("none"), counterStream("a")}
		all, err := k.Histories(t.Context(), streams)
		if a := all[counterStream("a")]; err != nil || len(all) != 2 || len(a) != 2 || a[0].Version != 1 || a[1].Version != 2 || len(all[counterStream("b")]) != 1 {
			t.Errorf("histories %v, %v", all, err)
		}
		if all, err := k.Histories(t.Context(), streams, event.Decided); err != nil || len(all) != 0 {
			t.Errorf("of another kind %v, %v", all, err)
		}
		if n := k.verify(t); n != 4 {
			t.Errorf("%d facts", n)
		}
	})
}

// A batch whose commands refuse one another: each gets its own answer.
func TestRefusals(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), nil)
		named := func(id, name string) journal.Command {
			c := add(id, 1)
			c.Facts[0].Body = added{Name: name, N: 1}
			return c
		}
		k.must(t, named("a", "one"))
		var stale *journal.Stale
		if _, err := k.Append(t.Context(), add("a", 1, journal.Read{Stream: counterStream("a"), Version: 0})); !errors.As(err, &stale) || stale.Now != 1 {
			t.Errorf("stale: %v", err)
		}
		if _, err := k.Append(t.Context(), add("a", 1, journal.Read{Stream: event.SetGrants, Version: 4})); !errors.As(err, &stale) || stale.Stream != event.SetGrants {
			t.Errorf("stale set: %v", err)
		}
		var taken *journal.Taken
		if _, err := k.Append(t.Context(), named("b", "one")); !errors.As(err, &taken) || taken.By != counterStream("a") {
			t.Errorf("taken: %v", err)
		}
		both := named("c", "new")
		both.Facts = append(both.Facts, named("d", "new").Facts...)
		if _, err := k.Append(t.Context(), both); !errors.As(err, &taken) {
			t.Errorf("taken within one command: %v", err)
		}
		swap := named("a", "two")
		swap.Facts = append(swap.Facts, named("b", "one").Facts...)
		k.must(t, swap)
		for name, c := range map[string]struct {
			command journal.Command
			kind    fault.Kind
		}{
			"unknown noun":   {journal.Command{Actor: "a", Source: "cli", Facts: []event.Draft{{Stream: "ghost/1", Kind: addedKind}}}, fault.Internal},
			"unknown kind":   {journal.Command{Actor: "a", Source: "cli", Facts: []event.Draft{{Stream: "counter/1", Kind: "counter.burnt"}}}, fault.Internal},
			"fact in a set":  {journal.Command{Actor: "a", Source: "cli", Facts: []event.Draft{{Stream: event.SetFreezes, Kind: addedKind}}}, fault.Internal},
			"no actor":       {journal.Command{Source: "cli"}, fault.Internal},
			"NUL in a key":   {named("n", "a\x00b"), fault.Invalid},
			"long key":       {named("n", strings.Repeat("x", 2000)), fault.Invalid},
			"NUL in an id":   {journal.Command{ID: "a\x00", Actor: "a", Source: "cli"}, fault.Invalid},
			"NUL in stream":  {add("\x00", 1), fault.Invalid},
			"too many facts": {journal.Command{Actor: "a", Source: "cli", Facts: slices.Repeat(add("n", 1).Facts, 513)}, fault.TooLarge},
			"large body":     {named("n", strings.Repeat("x", 40000)), fault.TooLarge},
			"large result":   {journal.Command{Actor: "a", Source: "cli", Result: make([]byte, 40000)}, fault.TooLarge},
			"many parts":     {journal.Command{Actor: "a", Source: "cli", Parts: make([][]byte, 65)}, fault.TooLarge},
			"large part":     {journal.Command{Actor: "a", Source: "cli", Parts: [][]byte{make([]byte, 20000)}}, fault.TooLarge},
		} {
			if _, err := k.Append(t.Context(), c.command); err == nil || fault.KindOf(err) != c.kind {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := k.verify(t); n != 4 {
			t.Errorf("%d facts", n)
		}
	})
}

func TestKeys(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), nil)
		k.must(t, add("a", 5))
		k.must(t, add("b", 10))
		k.must(t, add("a", 2))
		err := k.Snapshot(t.Context(), func(s *journal.Snapshot) error {
			for _, c := range []struct {
				what string
				find func() ([]event.Stream, error)
				want []event.Stream
			}{
				{"odd", func() ([]event.Stream, error) { return s.Find(t.Context(), "counter.parity", "1") }, []event.Stream{"counter/a"}},
				{"even", func() ([]event.Stream, error) { return s.Find(t.Context(), "counter.parity", "0") }, []event.Stream{"counter/b"}},
				{"before", func() ([]event.Stream, error) { return s.At(t.Context(), "counter.span", "all", 99) }, nil},
				{"first", func() ([]event.Stream, error) { return s.At(t.Context(), "counter.span", "all", 100) }, []event.Stream{"counter/a", "counter/b"}},
				{"last", func() ([]event.Stream, error) { return s.At(t.Context(), "counter.span", "all", 106) }, []event.Stream{"counter/a", "counter/b"}},
				{"past", func() ([]event.Stream, error) { return s.At(t.Context(), "counter.span", "all", 107) }, []event.Stream{"counter/b"}},
				{"open", func() ([]event.Stream, error) {
					return s.Overlapping(t.Context(), state.Span{Name: "counter.span", Value: "all", From: 109})
				}, []event.Stream{"counter/b"}},
			} {
				got, err := c.find()
				if err != nil {
					return err
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s: %s", c.what, diff)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		k.verify(t)
	})
}
