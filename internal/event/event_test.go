package event

import (
	"bytes"
	"crypto/rand"
	"testing"
)

// A disposed fact keeps its leaf; a touched one does not.
func TestDisposeKeepsLeaf(t *testing.T) {
	private, err := EncodePrivate(map[string]string{"name": "Ada Example", "reason": ""}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	before, err := Leaf([]byte("h"), []byte("b"), private)
	if err != nil {
		t.Fatal(err)
	}
	disposed, err := Dispose(private)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(disposed, []byte("Ada")) {
		t.Error("the value stands after disposal")
	}
	after, err := Leaf([]byte("h"), []byte("b"), disposed)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, after) {
		t.Error("disposal changed the leaf")
	}
	forged := bytes.Replace(private, []byte("Ada"), []byte("Bob"), 1)
	changed, err := Leaf([]byte("h"), []byte("b"), forged)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(before, changed) {
		t.Error("a changed private field keeps the leaf")
	}
}

func TestLeafRefuses(t *testing.T) {
	for name, private := range map[string]string{
		"not JSON":      `{`,
		"short salt":    `[{"name":"a","salt":"AAAA","value":"x"}]`,
		"both":          `[{"name":"a","salt":"AAAA","value":"x","digest":"AAAA"}]`,
		"out of order":  `[{"name":"b","digest":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},{"name":"a","digest":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]`,
		"the same name": `[{"name":"a","digest":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},{"name":"a","digest":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]`,
	} {
		if _, err := Leaf(nil, nil, []byte(private)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestStream(t *testing.T) {
	s := StreamOf("release", "a/b")
	if s.Noun() != "release" || s.ID() != "a/b" {
		t.Errorf("noun %q, id %q", s.Noun(), s.ID())
	}
}

// The past is what had happened before, and a fact that nobody understands is no past.
func TestPast(t *testing.T) {
	shape := ShapeOf("count", 1, func(n *int, f Recorded) error {
		if f.Kind != ReleaseOpened {
			return Unknown(f)
		}
		*n += int(f.Position)
		return nil
	}, nil)
	at := func(position uint64, kind Kind) Recorded {
		return Recorded{Header: Header{Position: position, Kind: kind}}
	}
	facts := []Recorded{at(3, ReleaseOpened), at(7, ReleaseOpened), at(9, ReleaseMoved)}
	for before, want := range map[uint64]int{0: 0, 3: 0, 4: 3, 7: 3, 8: 10, 9: 10} {
		if got, err := Past[int](shape, facts, before); err != nil || got != want {
			t.Errorf("before %d: %d, %v", before, got, err)
		}
	}
	if _, err := Past[int](shape, facts, 10); err == nil {
		t.Error("a fact that the fold does not know is passed over")
	}
}

// A private part has one spelling: the leaf covers names and sums alone, so that
// any other spelling of them would pass for what was recorded.
func TestPrivateHasOneSpelling(t *testing.T) {
	written, err := EncodePrivate(map[string]string{"comment": "seen"}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := Leaf([]byte("{}"), []byte("{}"), written)
	if err != nil {
		t.Fatal(err)
	}
	for at := range written {
		for bit := range 8 {
			other := bytes.Clone(written)
			other[at] ^= 1 << bit
			if same, err := Leaf([]byte("{}"), []byte("{}"), other); err == nil && bytes.Equal(same, leaf) {
				t.Errorf("%s has the leaf of %s", other, written)
			}
		}
	}
}
