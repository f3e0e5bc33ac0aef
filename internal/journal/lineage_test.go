package journal_test

import (
	"fmt"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// touching is a command that adds to a, and touches b.
func touching() journal.Command {
	c := add("a", 1)
	c.Facts[0].Touches = []event.Stream{counterStream("b"), event.SetFreezes}
	return c
}

// told is the positions of a stream's facts, read in both ways.
func (k *kit) told(t *testing.T, stream event.Stream) (positions []uint64, err error) {
	t.Helper()
	one, err := k.History(t.Context(), stream)
	all, errOfAll := k.Histories(t.Context(), []event.Stream{"counter/none", stream, event.SetFreezes, stream})
	if fault.KindOf(err) != fault.KindOf(errOfAll) || len(one) != len(all[stream]) {
		t.Errorf("%s: %d facts, %v; with others %d, %v", stream, len(one), err, len(all[stream]), errOfAll)
	}
	for _, f := range one {
		positions = append(positions, f.Position)
	}
	return positions, err
}

// A history that an index has hidden a fact from is an error with the position of
// that fact, and no state is folded of it; one with touches in between is whole.
func TestHistoriesAreWhole(t *testing.T) {
	hide := func(position int) string {
		return fmt.Sprintf("UPDATE facts SET stream = 'counter/elsewhere' WHERE position = %d", position)
	}
	for name, c := range map[string]struct {
		change, stream, says string
	}{
		"nothing":        {"DELETE FROM leases", "counter/a", ""},
		"the first":      {hide(1), "counter/a", "position 1"},
		"in the middle":  {hide(3), "counter/a", "position 3"},
		"the last":       {hide(6), "counter/a", "position 6"},
		"touched":        {hide(5), "counter/b", "position 5"},
		"the only one":   {hide(7), "counter/c", "position 7"},
		"a touch's":      {hide(4), "counter/b", "position 4"},
		"state gone":     {"DELETE FROM streams WHERE stream = 'counter/a'", "counter/a", "not whole"},
		"state is older": {"UPDATE streams SET version = 3 WHERE stream = 'counter/a'", "counter/a", "checksum"},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, open func() *store.DB) {
				k := start(t, open(), nil)
				for _, c := range []journal.Command{add("a", 1), add("b", 1), touching(), touching(), add("b", 1), add("a", 1), add("c", 1), touching()} {
					k.must(t, c)
				}
				for stream, want := range map[event.Stream]string{"counter/a": "[1 3 4 6 8]", "counter/b": "[2 5]", "counter/c": "[7]", "counter/none": "[]", event.SetFreezes: "[]"} {
					if got, err := k.told(t, stream); err != nil || fmt.Sprint(got) != want {
						t.Fatalf("%s: %v, %v", stream, got, err)
					}
				}
				err := k.db.InTx(t.Context(), func(tx *store.Tx) error {
					_, err := tx.Exec(t.Context(), c.change)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				_, err = k.told(t, event.Stream(c.stream))
				if (err == nil) != (c.says == "") || err != nil && (fault.KindOf(err) != fault.Unverified || !strings.Contains(err.Error(), c.says)) {
					t.Errorf("%v", err)
				}
				k.Close()
				k.options.Shapes = []event.Shape{counterShape(2)}
				j, err := journal.Open(t.Context(), k.options)
				if err == nil {
					_ = j.Close()
				}
				if (err == nil) != (c.says == "" || name == "state gone") {
					t.Errorf("states were folded anew: %v", err)
				}
			})
		})
	}
}

// The index of SQLite's file itself: an entry of it is gone, and nothing else.
func TestIndexThatHidesAFact(t *testing.T) {
	o := store.Options{Data: t.TempDir()}
	db, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	k := start(t, db, nil)
	for range 3 {
		k.must(t, add("a", 1))
	}
	k.Close()
	err = db.InTx(t.Context(), func(tx *store.Tx) error {
		for _, query := range []string{
			"DROP INDEX facts_stream", "CREATE UNIQUE INDEX facts_stream ON facts (stream, version) WHERE position <> 2", "PRAGMA writable_schema = ON",
			"UPDATE sqlite_schema SET sql = 'CREATE UNIQUE INDEX facts_stream ON facts (stream, version)' WHERE name = 'facts_stream'",
		} {
			if _, err := tx.Exec(t.Context(), query); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = store.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	k.options.DB, k.db = db, db
	k.reopen(t)
	if f, err := k.Fact(t.Context(), 2); err != nil || f.Stream != "counter/a" {
		t.Fatalf("by its position it is there: %v", err)
	}
	if _, err := k.told(t, "counter/a"); fault.KindOf(err) != fault.Unverified || !strings.Contains(err.Error(), "position 2") {
		t.Errorf("%v", err)
	}
}
