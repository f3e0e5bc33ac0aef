package journal_test

import (
	"bytes"
	"context"
	"testing"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// Everything disposable goes; folds, proofs and the export hold as before.
func TestDispose(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		ctx := context.Background()
		k := start(t, open(), nil)
		for _, name := range []string{"Ada Example", "Ben Example"} {
			c := add("a", 1)
			c.Facts[0].Private = map[string]string{"name": name, "reason": "because"}
			k.must(t, c)
		}
		version, before := k.load(t, counterStream("a"))
		size, err := k.Size(ctx)
		if err != nil {
			t.Fatal(err)
		}
		root, err := k.TreeHash(ctx, size)
		if err != nil {
			t.Fatal(err)
		}
		var d event.Disposed
		for p := range size {
			d.Positions = append(d.Positions, p)
		}
		gone := journal.Command{Actor: "system/test", Auth: "local", Source: "test", Facts: []event.Draft{{Stream: k.Stream(), Kind: event.FieldsDisposed, Body: d}}}
		k.must(t, gone)
		facts, err := k.Facts(ctx, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range facts {
			if bytes.Contains(f.PrivateBytes, []byte("xample")) {
				t.Errorf("the fact at %d still holds %s", f.Position, f.PrivateBytes)
			}
			if left, err := f.Private(); err != nil || len(left) != 0 {
				t.Errorf("the fact at %d still has %v, %v", f.Position, left, err)
			}
		}
		if now, after := k.load(t, counterStream("a")); now != version || after != before {
			t.Errorf("the state was %v and is %v", before, after)
		}
		if again, err := k.TreeHash(ctx, size); err != nil || again != root {
			t.Errorf("the root of the first %d facts is another: %v", size, err)
		}
		k.verify(t)
		// A disposal of what is not there yet, or of itself, is refused.
		gone.Facts[0].Body = event.Disposed{Positions: []uint64{size + 1000}}
		if _, err := k.Append(ctx, gone); err == nil {
			t.Error("a fact that does not exist was disposed of")
		}
	})
}
