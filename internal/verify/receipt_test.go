package verify

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/fault"
)

// receipt is what the caller was answered whose command recorded the facts [first, next).
func (s *sample) receipt(first, next uint64) Receipt {
	var leaves []tlog.Hash
	for _, f := range s.facts[first:next] {
		leaves = append(leaves, tlog.Hash(f.leaf))
	}
	return Receipt{
		Origin: s.head.Origin, Command: fmt.Sprintf("machine/ci/%d", first), Time: s.facts[first].header.Time,
		First: first, Next: next, Leaves: LeavesOf(leaves), Tree: s.headAt(next).Root,
	}
}

// against verifies the sample with receipts.
func (s *sample) against(receipts ...Receipt) (Report, error) {
	return Check{Keys: s.keys, Receipts: receipts}.Export(context.Background(), bytes.NewReader(s.export()))
}

func TestReceiptIsReadAsWritten(t *testing.T) {
	s := journal(t, 60, every)
	r := s.receipt(41, 43)
	note := signed(t, r.Text(), s.signer)
	back, err := OpenReceipt([]byte(note), s.keys)
	if err != nil || back != r {
		t.Fatalf("%+v, want %+v: %v", back, r, err)
	}
	if one := s.receipt(7, 8); one.Leaves != tlog.Hash(s.facts[7].leaf) {
		t.Error("the leaves of one fact are not its leaf")
	}
	if len(note) > 700 {
		t.Errorf("a receipt takes %d bytes", len(note))
	}
	other, _ := signer(t, "signalbox.example", "forger")
	edited := func(old, new string) string { return signed(t, strings.Replace(r.Text(), old, new, 1), s.signer) }
	for name, c := range map[string]struct{ text, code string }{
		"another key's":      {signed(t, r.Text(), other), "receipt.signature"},
		"nobody's":           {r.Text(), "receipt.signature"},
		"edited":             {strings.Replace(note, "facts 41 43", "facts 41 44", 1), "receipt.signature"},
		"a checkpoint":       {s.marks[0].text, "receipt.malformed"},
		"no facts":           {edited("facts 41 43", "facts 41 41"), "receipt.malformed"},
		"backwards":          {edited("facts 41 43", "facts 43 41"), "receipt.malformed"},
		"a sign":             {edited("facts 41 43", "facts +41 43"), "receipt.malformed"},
		"a zero before":      {edited("facts 41 43", "facts 041 43"), "receipt.malformed"},
		"too large a number": {edited("facts 41 43", "facts 41 99999999999999999999"), "receipt.malformed"},
		"another version":    {edited("/v1", "/v2"), "receipt.malformed"},
		"another time":       {edited("Z\n", "+00:00\n"), "receipt.malformed"},
		"a line more":        {signed(t, r.Text()+"more 1\n", s.signer), "receipt.malformed"},
		"two spaces":         {edited("origin ", "origin  "), "receipt.malformed"},
		"half a hash":        {edited("tree ", "tree A"), "receipt.malformed"},
		"too long":           {note + strings.Repeat("x", maxReceipt), "receipt.malformed"},
		"nothing":            {"", "receipt.signature"},
	} {
		if _, err := OpenReceipt([]byte(c.text), s.keys); fault.KindOf(err) != fault.Unverified || code(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Checkpoint([]byte(note), s.keys); code(err) != "checkpoint.malformed" {
		t.Errorf("a receipt taken for a checkpoint: %v", err)
	}
	if _, err := OpenReceipt([]byte(note), Keys{}); code(err) != "keys.none" {
		t.Errorf("without keys: %v", err)
	}
}

func TestReceiptsHold(t *testing.T) {
	s := journal(t, facts, every)
	all := []Receipt{s.receipt(300, 330), s.receipt(0, 1), s.receipt(41, 43), s.receipt(42, 60), s.receipt(41, 43), s.receipt(0, 330), s.receipt(329, 330)}
	r, err := s.against(all...)
	if err != nil || r.Receipts != uint64(len(all)) || len(r.Broken) != 0 {
		t.Fatalf("%d of %d hold: %v %v", r.Receipts, len(all), r.Broken, err)
	}
	// Disposal leaves them as they are.
	s.facts[41].private = s.dispose(41)
	if r, err = s.against(all...); code(err) != "export.disposed" {
		t.Errorf("without a fact that says so: %v", err)
	}
	s = journal(t, facts, every)
	for p := range uint64(facts) {
		if p%2 == 0 {
			s.facts[p].private = s.dispose(p)
		}
	}
	s.accountForHalf()
	if r, err = s.against(all...); err != nil || r.Receipts != uint64(len(all)) {
		t.Errorf("after a disposal %d hold: %v", r.Receipts, err)
	}
}

// Every receipt that does not hold is named, and why.
func TestReceiptsThatDoNotHold(t *testing.T) {
	s := journal(t, facts, every)
	before, own, later := s.receipt(10, 12), s.receipt(320, 322), s.receipt(325, 326)
	foreign, beyond := s.receipt(20, 21), s.receipt(328, 330)
	foreign.Origin = "signalbox.local/other"
	s.facts[321].header.Actor = "person/2"
	s.facts = s.facts[:329]
	s.hash()
	s.marks = nil
	s.sign(329)
	s.count()
	if _, err := s.verify(); err != nil {
		t.Fatalf("the export alone shows it: %v", err)
	}
	r, err := s.against(before, own, later, foreign, beyond)
	if code(err) != "export.receipt" || *r.FirstWrong != 20 || r.Receipts != 1 || len(r.Broken) != 4 {
		t.Fatalf("%v: %+v", err, r)
	}
	for i, c := range []struct {
		first uint64
		says  string
	}{{20, "of the journal signalbox.local/other"}, {320, "not what was acknowledged"}, {325, "before them"}, {328, "ends before"}} {
		if b := r.Broken[i]; b.First != c.first || !strings.Contains(b.Problem, c.says) || b.Given.IsZero() {
			t.Errorf("%+v, want %d %s", b, c.first, c.says)
		}
	}
	// Of an export that is wrong itself, the receipts are judged as far as it was read.
	s.facts[100].leaf = flip(s.facts[100].leaf)
	if r, err = s.against(before, own); code(err) != "export.leaf" || r.Receipts != 1 || len(r.Broken) != 0 {
		t.Errorf("%v: %+v", err, r)
	}
}

// Nothing is read as a receipt that was not signed, and what is read says the same when written again.
func FuzzReceipt(f *testing.F) {
	s := journal(f, 5, 2)
	r := s.receipt(1, 3)
	f.Add([]byte(signed(f, r.Text(), s.signer)), r.Text())
	f.Add([]byte(s.marks[0].text), s.marks[0].text)
	f.Add([]byte(""), strings.Replace(r.Text(), "facts 1 3", "facts 3 1", 1))
	keys := s.keys
	f.Fuzz(func(t *testing.T, note []byte, text string) {
		if got, err := OpenReceipt(note, keys); err == nil && got != r {
			t.Errorf("a receipt that nobody signed: %+v", got)
		} else if err != nil && fault.KindOf(err) != fault.Unverified {
			t.Errorf("refused with %v", err)
		}
		got, err := parseReceipt(text)
		if err == nil && (got.Text() != text || got.First >= got.Next) {
			t.Errorf("%q is read as %+v", text, got)
		}
	})
}

// What a checkpoint is read from is what was signed, and is one spelling.
func FuzzNote(f *testing.F) {
	s := journal(f, 5, 2)
	for _, m := range s.marks {
		f.Add([]byte(m.text), m.text)
	}
	cosigner, key := witness(f, "witness.example/one")
	f.Add([]byte(signed(f, s.headAt(5).Text(), s.signer, cosigner)), "")
	f.Add([]byte(signed(f, s.headAt(5).Text(), cosigner)), "")
	heads := map[Head]bool{s.headAt(2): true, s.headAt(4): true, s.headAt(5): true}
	keys := s.with(key)
	f.Fuzz(func(t *testing.T, note []byte, text string) {
		if head, _, err := Cosigned(note, keys); err == nil && !heads[head] {
			t.Errorf("a checkpoint that nobody signed: %+v", head)
		} else if err != nil && fault.KindOf(err) != fault.Unverified {
			t.Errorf("refused with %v", err)
		}
		if head, err := parseHead(text); err == nil && head.Text() != text {
			t.Errorf("%q is read as %+v", text, head)
		}
	})
}

// Only the one true proof holds, whatever its hashes, place and sizes are.
func FuzzProof(f *testing.F) {
	const n = 21
	tree := grow(f, n)
	heads := make([]Head, n+1)
	for i := range heads {
		heads[i] = tree.head(f, i)
	}
	path, err := tlog.ProveRecord(n, 4, tlog.HashReaderFunc(tree.read))
	if err != nil {
		f.Fatal(err)
	}
	growth, err := tlog.ProveTree(n, 4, tlog.HashReaderFunc(tree.read))
	if err != nil {
		f.Fatal(err)
	}
	flat := func(hashes []tlog.Hash) []byte { return bytes.Join(bytesOf(hashes), nil) }
	f.Add(flat(path), uint64(4), uint64(n))
	f.Add(flat(growth), uint64(4), uint64(n))
	f.Add([]byte{}, uint64(0), uint64(1))
	f.Fuzz(func(t *testing.T, b []byte, at, size uint64) {
		var hashes []tlog.Hash
		for i := 0; i+tlog.HashSize <= len(b); i += tlog.HashSize {
			hashes = append(hashes, tlog.Hash(b[i:i+tlog.HashSize]))
		}
		head := Head{Origin: origin, Size: size}
		if size <= n {
			head = heads[size]
		}
		forged := Entry{Position: at, Leaf: tlog.RecordHash(b)}
		if Inclusion(head, forged, hashes) == nil && (size > n || forged.Leaf != tree.leaves[at]) {
			t.Errorf("a leaf that is not there stands at %d of %d", at, size)
		}
		older := Head{Origin: origin, Size: at, Root: forged.Leaf}
		if Consistency(older, head, hashes) == nil && (at > n || size > n || older.Root != heads[at].Root) {
			t.Errorf("another tree of %d grew into that of %d", at, size)
		}
	})
}
