package verify

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/trust"
)

// forest is a whole tree in memory, kept as tlog keeps it.
type forest struct {
	hashes []tlog.Hash
	leaves []tlog.Hash
}

func (f *forest) read(indexes []int64) ([]tlog.Hash, error) {
	list := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		list[i] = f.hashes[x]
	}
	return list, nil
}

func grow(t rapid.TB, n int) *forest {
	t.Helper()
	f := &forest{}
	for i := range n {
		leaf := tlog.RecordHash(binary.BigEndian.AppendUint64(nil, uint64(i)))
		more, err := tlog.StoredHashesForRecordHash(int64(i), leaf, tlog.HashReaderFunc(f.read))
		if err != nil {
			t.Fatal(err)
		}
		f.hashes, f.leaves = append(f.hashes, more...), append(f.leaves, leaf)
	}
	return f
}

func (f *forest) head(t rapid.TB, n int) Head {
	t.Helper()
	root, err := tlog.TreeHash(int64(n), tlog.HashReaderFunc(f.read))
	if err != nil {
		t.Fatal(err)
	}
	return Head{Origin: origin, Size: uint64(n), Root: root}
}

// The frontier has the root that two other implementations compute.
func TestFrontier(t *testing.T) {
	const n = 260
	f := grow(t, n)
	var tree frontier
	ranges := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for i := range n {
		if i > 0 {
			root, err := ranges.GetRootHash(nil)
			if err != nil {
				t.Fatal(err)
			}
			if tree.root() != [32]byte(root) || tree.root() != f.head(t, i).Root {
				t.Fatalf("another root at size %d", i)
			}
			if len(tree.roots) > 9 {
				t.Fatalf("the frontier holds %d hashes at size %d", len(tree.roots), i)
			}
		}
		tree.add(f.leaves[i])
		if err := ranges.Append(f.leaves[i][:], nil); err != nil {
			t.Fatal(err)
		}
	}
	if empty := (&frontier{}).root(); empty != [32]byte(rfc6962.DefaultHasher.EmptyRoot()) {
		t.Error("another empty root")
	}
}

func bytesOf(hashes []tlog.Hash) [][]byte {
	list := make([][]byte, len(hashes))
	for i, h := range hashes {
		list[i] = h[:]
	}
	return list
}

// A true proof holds here and in another implementation; with one bit changed, in neither.
func TestInclusion(t *testing.T) {
	f := grow(t, 300)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 300).Draw(t, "size")
		at := rapid.IntRange(0, size-1).Draw(t, "position")
		head, entry := f.head(t, size), Entry{Position: uint64(at), Leaf: f.leaves[at]}
		path, err := tlog.ProveRecord(int64(size), int64(at), tlog.HashReaderFunc(f.read))
		if err != nil {
			t.Fatal(err)
		}
		both := func(e Entry) (ours, theirs bool) {
			return Inclusion(head, e, path) == nil,
				proof.VerifyInclusion(rfc6962.DefaultHasher, e.Position, head.Size, e.Leaf[:], bytesOf(path), head.Root[:]) == nil
		}
		if ours, theirs := both(entry); !ours || !theirs {
			t.Fatalf("a true proof: here %t, there %t", ours, theirs)
		}
		wrong := entry
		switch rapid.IntRange(0, 2).Draw(t, "change") {
		case 0:
			wrong.Leaf[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
		case 1:
			wrong.Position = (wrong.Position + 1) % 300
		case 2:
			head.Root[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
		}
		if size == 1 && wrong.Position == 0 && wrong.Leaf == entry.Leaf && head.Root == f.head(t, 1).Root {
			t.Skip("nothing changed")
		}
		if ours, theirs := both(wrong); ours || theirs {
			t.Fatalf("a false proof: here %t, there %t", ours, theirs)
		}
	})
}

func TestConsistency(t *testing.T) {
	f := grow(t, 300)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 300).Draw(t, "newer")
		older, newer := f.head(t, rapid.IntRange(1, size).Draw(t, "older")), f.head(t, size)
		path, err := tlog.ProveTree(int64(newer.Size), int64(older.Size), tlog.HashReaderFunc(f.read))
		if err != nil {
			t.Fatal(err)
		}
		both := func() (ours, theirs bool) {
			return Consistency(older, newer, path) == nil,
				proof.VerifyConsistency(rfc6962.DefaultHasher, older.Size, newer.Size, bytesOf(path), older.Root[:], newer.Root[:]) == nil
		}
		if ours, theirs := both(); !ours || !theirs {
			t.Fatalf("a true proof: here %t, there %t", ours, theirs)
		}
		changed := []*tlog.Hash{&older.Root, &newer.Root}
		for i := range path {
			changed = append(changed, &path[i])
		}
		rapid.SampledFrom(changed).Draw(t, "hash")[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
		if ours, theirs := both(); ours || theirs {
			t.Fatalf("a false proof: here %t, there %t", ours, theirs)
		}
	})
}

func TestProofsAtTheEdges(t *testing.T) {
	f := grow(t, 4)
	empty, four := Head{Origin: origin, Root: emptyRoot()}, f.head(t, 4)
	if err := Consistency(empty, four, nil); err != nil {
		t.Errorf("from nothing: %v", err)
	}
	other := four
	other.Origin = "other"
	huge := Head{Origin: origin, Size: math.MaxUint64}
	for name, err := range map[string]error{
		"from nothing with a proof":    Consistency(empty, four, []tlog.Hash{{}}),
		"from nothing of another root": Consistency(Head{Origin: origin}, four, nil),
		"shrunk":                       Consistency(four, f.head(t, 3), nil),
		"of two journals":              Consistency(other, four, nil),
		"a huge journal":               Consistency(four, huge, nil),
		"beyond the end":               Inclusion(four, Entry{Position: 4}, nil),
		"within nothing":               Inclusion(empty, Entry{}, nil),
		"within a huge journal":        Inclusion(huge, Entry{}, nil),
	} {
		if fault.KindOf(err) != fault.Unverified {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What this package writes and reads as a checkpoint another implementation reads and writes too.
func TestCheckpointFormat(t *testing.T) {
	s, public := signer(t, origin, "journal")
	keys := keysOf(t, "journal "+public)
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	head := grow(t, 9).head(t, 9)
	text := signed(t, head.Text(), s)
	theirs, _, _, err := log.ParseCheckpoint([]byte(text), origin, verifier)
	if err != nil || theirs.Origin != origin || theirs.Size != 9 || [32]byte(theirs.Hash) != head.Root {
		t.Errorf("read elsewhere, our checkpoint is %+v: %v", theirs, err)
	}
	back, err := Checkpoint([]byte(signed(t, string(theirs.Marshal()), s)), keys)
	if err != nil || back != head {
		t.Errorf("written elsewhere, their checkpoint is %+v: %v", back, err)
	}
}

func TestCheckpointRefuses(t *testing.T) {
	s, public := signer(t, origin, "journal")
	forger, _ := signer(t, origin, "forger")
	keys := keysOf(t, "journal "+public)
	head := grow(t, 9).head(t, 9)
	good := head.Text()
	lines := strings.Split(good, "\n")
	for name, c := range map[string]struct{ text, code string }{
		"another key":      {signed(t, good, forger), "checkpoint.signature"},
		"an edited size":   {strings.Replace(signed(t, good, s), "\n9\n", "\n8\n", 1), "checkpoint.signature"},
		"no signature":     {good, "checkpoint.signature"},
		"nothing":          {"", "checkpoint.signature"},
		"an extension":     {signed(t, good+"more\n", s), "checkpoint.malformed"},
		"no origin":        {signed(t, "\n9\n"+lines[2]+"\n", s), "checkpoint.malformed"},
		"a negative size":  {signed(t, origin+"\n-9\n"+lines[2]+"\n", s), "checkpoint.malformed"},
		"a padded size":    {signed(t, origin+"\n09\n"+lines[2]+"\n", s), "checkpoint.malformed"},
		"a huge size":      {signed(t, origin+"\n9223372036854775808\n"+lines[2]+"\n", s), "checkpoint.malformed"},
		"a short root":     {signed(t, origin+"\n9\nAAAA\n", s), "checkpoint.malformed"},
		"no root":          {signed(t, origin+"\n9\n", s), "checkpoint.malformed"},
		"a root respelled": {signed(t, origin+"\n9\n"+lines[2][:42]+"B=\n", s), "checkpoint.malformed"},
	} {
		if _, err := Checkpoint([]byte(c.text), keys); fault.KindOf(err) != fault.Unverified || code(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := Checkpoint([]byte(signed(t, good, s)), keys); err != nil || got != head {
		t.Errorf("unchanged: %+v, %v", got, err)
	}
}

func TestParseKeys(t *testing.T) {
	_, one := signer(t, "one.example", "one")
	_, two := signer(t, "two.example", "two")
	keys, err := ParseKeys([]byte("# keys\n\njournal " + one + "\r\n  permit   " + two + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	journal, permit := keys.Of(ForJournal), keys.Of(ForPermits)
	if len(journal) != 1 || len(permit) != 1 || journal[0].Name != "one.example" || permit[0].Text != two || len(permit[0].ID) != 8 {
		t.Errorf("journal %+v, permit %+v", journal, permit)
	}
	parts := strings.Split(one, "+")
	var many strings.Builder
	for i := range trust.MaxKeys + 1 {
		_, key := signer(t, "many.example", fmt.Sprint(i))
		many.WriteString("journal " + key + "\n")
	}
	for name, text := range map[string]string{
		"nothing":             "",
		"comments alone":      "# journal " + one,
		"no purpose":          one,
		"another purpose":     "identity " + one,
		"a purpose alone":     "journal",
		"a private key":       "journal PRIVATE+KEY+" + one,
		"another hash":        "journal " + parts[0] + "+00000000+" + strings.Join(parts[2:], "+"),
		"another name":        "journal x" + one,
		"a word more":         "journal " + one + " more",
		"twice":               "journal " + one + "\njournal " + one,
		"in two purposes":     "journal " + one + "\npermit " + one,
		"too many":            many.String(),
		"bytes that are none": "journal \xff\xfe",
	} {
		if _, err := ParseKeys([]byte(text)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseKeys(make([]byte, trust.MaxKeysText+1)); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("too long: %v", err)
	}
}
