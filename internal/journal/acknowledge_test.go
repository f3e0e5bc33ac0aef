package journal_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
	"signalbox.dev/signalbox/internal/verify"
)

// acknowledged is the receipt of a command, read as an outsider reads it.
func (k *kit) acknowledged(t testing.TB, r journal.Receipt) (verify.Receipt, string) {
	t.Helper()
	note, err := k.Acknowledge(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	v, err := verify.OpenReceipt([]byte(note), k.keys)
	if err != nil {
		t.Fatal(err)
	}
	return v, note
}

// against holds receipts against the export.
func (k *kit) against(t testing.TB, receipts []verify.Receipt) (verify.Report, error) {
	t.Helper()
	var b bytes.Buffer
	if err := k.Export(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return verify.Check{Keys: k.keys, Receipts: receipts}.Export(t.Context(), &b)
}

// Whoever asks, and whenever, the receipt of a command is the same: from the
// commit itself, from the stored tree, after a repeat and by another process.
func TestAcknowledge(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), nil)
		var mu sync.Mutex
		var receipts []verify.Receipt
		var wait sync.WaitGroup
		for w := range 8 {
			wait.Go(func() {
				for i := range 4 {
					c := keyed(fmt.Sprintf("w%d/%d", w, i))
					for range i {
						c.Facts = append(c.Facts, c.Facts[0])
					}
					r, err := k.Append(t.Context(), c)
					if err != nil {
						t.Error(err)
						return
					}
					v, note := k.acknowledged(t, r)
					again, err := k.Append(t.Context(), c)
					if err != nil || !again.Repeated {
						t.Errorf("a repeat: %+v %v", again, err)
					}
					if _, same := k.acknowledged(t, again); same != note {
						t.Errorf("the receipt of %s was\n%s and is\n%s", c.ID, note, same)
					}
					mu.Lock()
					receipts = append(receipts, v)
					mu.Unlock()
				}
			})
		}
		wait.Wait()
		for _, r := range receipts {
			root, err := k.TreeHash(t.Context(), r.Next)
			if err != nil || root != r.Tree {
				t.Errorf("the tree of %d is %s, not %s: %v", r.Next, root, r.Tree, err)
			}
			f, err := k.Fact(t.Context(), r.First)
			if err != nil || f.Command != r.Command || f.Time != r.Time {
				t.Errorf("the receipt %+v is for %+v: %v", r, f.Header, err)
			}
		}
		if report, err := k.against(t, receipts); err != nil || report.Receipts != 32 {
			t.Errorf("%d receipts hold: %v %v", report.Receipts, report.Broken, err)
		}
		k.reopen(t)
		last, err := k.Command(t.Context(), receipts[0].Command)
		if err != nil {
			t.Fatal(err)
		}
		if v, _ := k.acknowledged(t, last); v != receipts[0] {
			t.Errorf("after opening again the receipt is %+v, not %+v", v, receipts[0])
		}
		receipts[3].Leaves = tlog.Hash{1}
		if _, err := k.against(t, receipts); err == nil {
			t.Error("a receipt for another fact holds")
		}
	})
}

// What records nothing has no receipt, and nothing is signed without a key, or
// for a journal that is not the signed one.
func TestNothingToAcknowledge(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), nil)
		empty := keyed("empty")
		empty.Facts = nil
		if note, err := k.Acknowledge(t.Context(), k.must(t, empty)); note != "" || err != nil {
			t.Errorf("%q %v", note, err)
		}
		spaced := keyed("two words")
		if note, err := k.Acknowledge(t.Context(), k.must(t, spaced)); note != "" || err == nil {
			t.Errorf("%q %v", note, err)
		}
		r := k.must(t, keyed("one"))
		if _, err := k.SignNow(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := k.db.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), "UPDATE hashes SET hash = $1", bytes.Repeat([]byte{7}, 32))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		k.reopen(t)
		if _, err := k.Acknowledge(t.Context(), r); fault.KindOf(err) != fault.Unverified {
			t.Errorf("of a journal that was changed: %v", err)
		}
		bare := start(t, k.db, func(o *journal.Options) { o.Signer = nil })
		if note, err := bare.Acknowledge(t.Context(), r); note != "" || err != nil {
			t.Errorf("without a key: %q %v", note, err)
		}
	})
}

// Each receipt is signed over the tree as it was: a disposal later changes none.
func TestReceiptsOutliveDisposal(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), nil)
		c := add("a", 1)
		c.Facts[0].Private = map[string]string{"name": "Ada Example"}
		before, note := k.acknowledged(t, k.must(t, c))
		k.must(t, journal.Command{Actor: "system/test", Auth: "local", Source: "test", Facts: []event.Draft{
			{Stream: k.Stream(), Kind: event.FieldsDisposed, Body: event.Disposed{Positions: []uint64{before.First}}},
		}})
		r, err := k.Command(t.Context(), before.Command)
		if err != nil {
			t.Fatal(err)
		}
		if _, after := k.acknowledged(t, r); after != note {
			t.Errorf("the receipt was\n%s and is\n%s", note, after)
		}
		if report, err := k.against(t, []verify.Receipt{before}); err != nil || report.Receipts != 1 || report.Disposed != 1 {
			t.Errorf("%+v %v", report, err)
		}
	})
}
