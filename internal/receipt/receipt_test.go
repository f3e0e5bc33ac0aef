package receipt

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/verify"
	"signalbox.dev/signalbox/internal/wire"
)

const origin = "signalbox.local/01990000-0000-7000-8000-000000000001"

// house is a server's journal: its leaves, its key, and what it would sign.
type house struct {
	t      *testing.T
	signer note.Signer
	keys   verify.Keys
	leaves []tlog.Hash
	signed int // size of the newest checkpoint
	down   error
}

func raise(t *testing.T, facts int) *house {
	t.Helper()
	secret, public, err := note.GenerateKey(bytes.NewReader(make([]byte, 64)), "signalbox.example")
	must(t, err)
	h := &house{t: t, signed: facts}
	h.signer, err = note.NewSigner(secret)
	must(t, err)
	h.keys, err = verify.ParseKeys([]byte("journal " + public))
	must(t, err)
	for i := range facts {
		h.leaves = append(h.leaves, tlog.RecordHash(fmt.Append(nil, i)))
	}
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) tree() tlog.HashReader {
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var list []tlog.Hash
		for _, i := range indexes {
			list = append(list, stored[i])
		}
		return list, nil
	})
	for i, leaf := range h.leaves {
		more, err := tlog.StoredHashesForRecordHash(int64(i), leaf, read)
		must(h.t, err)
		stored = append(stored, more...)
	}
	return read
}

func (h *house) head(size int) verify.Head {
	root, err := tlog.TreeHash(int64(size), h.tree())
	must(h.t, err)
	return verify.Head{Origin: origin, Size: uint64(size), Root: root}
}

func (h *house) note(text string) []byte {
	b, err := note.Sign(&note.Note{Text: text}, h.signer)
	must(h.t, err)
	return b
}

// receipt is the note for the facts [first, next) as they are now.
func (h *house) receipt(first, next int) []byte {
	r := verify.Receipt{
		Origin: origin, Command: "machine/ci/x", Time: 1_700_000_000_000_000, First: uint64(first), Next: uint64(next),
		Leaves: verify.LeavesOf(h.leaves[first:next]), Tree: h.head(next).Root,
	}
	return h.note(r.Text())
}

func (h *house) Checkpoint(context.Context) ([]byte, error) {
	return h.note(h.head(h.signed).Text()), h.down
}

func texts(hashes []tlog.Hash) []string {
	var all []string
	for _, h := range hashes {
		all = append(all, base64.StdEncoding.EncodeToString(h[:]))
	}
	return all
}

func (h *house) Proof(_ context.Context, position, size uint64) (wire.Proof, error) {
	if size > uint64(len(h.leaves)) {
		return wire.Proof{}, fault.New(fault.NotFound, "journal.size", "there are not as many")
	}
	p, err := tlog.ProveRecord(int64(size), int64(position), h.tree())
	return wire.Proof{Leaf: texts(h.leaves[position : position+1])[0], Hashes: texts(p)}, err
}

func (h *house) Consistency(_ context.Context, from, to uint64) (wire.Consistency, error) {
	p, err := tlog.ProveTree(int64(to), int64(from), h.tree())
	return wire.Consistency{Hashes: texts(p)}, err
}

// A receipt is one file for its owner alone, whole or not there, and one again is the same file.
func TestKeep(t *testing.T) {
	h := raise(t, 30)
	var lost []error
	f := &Folder{Path: filepath.Join(t.TempDir(), "a", "b"), Lost: func(err error) { lost = append(lost, err) }}
	must(t, f.Make())
	var wait sync.WaitGroup
	for i := range 20 {
		text := h.receipt(i/2, i/2+1)
		wait.Go(func() { f.Keep(text) })
	}
	wait.Wait()
	entries, err := os.ReadDir(f.Path)
	must(t, err)
	if len(entries) != 10 || len(lost) != 0 || f.Last() == "" {
		t.Errorf("%d files, %v lost, last %q", len(entries), lost, f.Last())
	}
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		if info.Mode().Perm() != 0o600 || !strings.HasSuffix(e.Name(), ".receipt") {
			t.Errorf("%s has the mode %o", e.Name(), info.Mode())
		}
	}
	all, refused, err := Read(f.Path, h.keys)
	if err != nil || refused != nil || len(all) != 10 || all[3].First != 3 {
		t.Errorf("%d read: %v %v", len(all), refused, err)
	}
	for name, text := range map[string]string{"a page": "<html>", "nothing": "", "too long": begins + strings.Repeat("x", maxNote)} {
		lost = nil
		if f.Keep([]byte(text)); len(lost) != 1 || fault.KindOf(lost[0]) != fault.Unavailable {
			t.Errorf("%s: %v", name, lost)
		}
	}
	nowhere := &Folder{Lost: func(err error) { lost = append(lost, err) }}
	if nowhere.Keep(h.receipt(0, 1)); len(lost) != 2 || fault.KindOf(lost[1]) != fault.Invalid || nowhere.Last() != "" {
		t.Errorf("nowhere: %v", lost)
	}
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	if err := (&Folder{Path: filepath.Join(file, "below")}).Make(); fault.KindOf(err) != fault.Invalid {
		t.Errorf("below a file: %v", err)
	}
}

func TestHome(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/signalbox/receipts/sig.example_8420_a"},
		{map[string]string{"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/signalbox/receipts/sig.example_8420_a"},
		{map[string]string{"LocalAppData": "/l"}, "/l/signalbox/receipts/sig.example_8420_a"},
		{nil, ""},
	} {
		got := Home(func(name string) (string, bool) { v, set := c.env[name]; return v, set }, "https://sig.example:8420/a")
		if filepath.ToSlash(got) != c.want {
			t.Errorf("%v: %s", c.env, got)
		}
	}
}

// Nothing to read is an error, and what is not a receipt of a known key is named.
func TestReadRefuses(t *testing.T) {
	h := raise(t, 10)
	dir := t.TempDir()
	for name, path := range map[string]string{"an empty folder": dir, "no folder": filepath.Join(dir, "absent")} {
		if _, _, err := Read(path, h.keys); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, os.MkdirAll(filepath.Join(dir, "job-1"), 0o700))
	must(t, os.MkdirAll(filepath.Join(dir, ".hidden"), 0o700))
	secret, _, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{1}, 64)), "signalbox.example")
	must(t, err)
	forger, err := note.NewSigner(secret)
	must(t, err)
	good := h.receipt(3, 5)
	text, _, _ := bytes.Cut(good, []byte("\n\n"))
	forged, err := note.Sign(&note.Note{Text: string(text) + "\n"}, forger)
	must(t, err)
	for name, b := range map[string][]byte{
		"job-1/good.receipt": good, "forged.receipt": forged, "changed.txt": bytes.Replace(good, []byte("facts 3"), []byte("facts 2"), 1),
		"checkpoint": h.note(h.head(4).Text()), "long": bytes.Repeat(good, 20), ".hidden/x": []byte("x"), ".receipt-123": []byte("half"),
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	all, refused, err := Read(dir, h.keys)
	if err != nil || len(all) != 1 || all[0].First != 3 || fault.KindOf(refused) != fault.Unverified {
		t.Fatalf("%+v %v %v", all, refused, err)
	}
	var many interface{ Unwrap() []error }
	if !errors.As(refused, &many) || len(many.Unwrap()) != 4 {
		t.Errorf("refused: %v", refused)
	}
	for _, name := range []string{"forged.receipt", "changed.txt", "checkpoint", "long"} {
		if !strings.Contains(refused.Error(), name) {
			t.Errorf("%s is not named in %v", name, refused)
		}
	}
}

// kept is receipts as read from files.
func (h *house) kept(notes ...[]byte) []Kept {
	var all []Kept
	for i, text := range notes {
		r, err := verify.OpenReceipt(text, h.keys)
		must(h.t, err)
		all = append(all, Kept{r, fmt.Sprintf("%d.receipt", i)})
	}
	return all
}

// The server is held to receipts by its own proofs; whatever it rewrote, it cannot prove.
func TestAsk(t *testing.T) {
	h := raise(t, 20)
	all := h.kept(h.receipt(0, 1), h.receipt(4, 9), h.receipt(12, 13), h.receipt(19, 20))
	held, err := Ask(t.Context(), h, h.keys, all)
	if err != nil || held.Receipts != 4 || held.Unkept() != nil || held.Size != 20 {
		t.Fatalf("%+v %v", held, err)
	}
	h.leaves[6] = tlog.RecordHash([]byte("rewritten"))
	held, err = Ask(t.Context(), h, h.keys, all)
	if err != nil || held.Receipts != 1 || len(held.Broken) != 3 || fault.KindOf(held.Unkept()) != fault.Unverified {
		t.Fatalf("%+v %v", held, err)
	}
	var out bytes.Buffer
	must(t, held.Print(&out))
	if !strings.Contains(out.String(), "✗ 1.receipt, given 2023-11-14T22:13:20.000000Z for positions 4 to 8: the newest checkpoint does not continue") ||
		!strings.Contains(out.String(), "1 receipt holds in the checkpoint of 20 facts") {
		t.Errorf("printed\n%s", out.String())
	}
	h = raise(t, 20)
	h.leaves, h.signed = h.leaves[:10], 10
	if held, err := Ask(t.Context(), h, h.keys, all); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("cut off: %+v %v", held, err)
	}
	h.down = fault.New(fault.Unavailable, "x", "down")
	if _, err := Ask(t.Context(), h, h.keys, all); !errors.Is(err, h.down) {
		t.Errorf("down: %v", err)
	}
	foreign := all[0]
	foreign.Origin = "other"
	if held, err := Ask(t.Context(), raise(t, 20), h.keys, []Kept{foreign}); err != nil || len(held.Broken) != 1 {
		t.Errorf("of another journal: %+v %v", held, err)
	}
	// A receipt whose signature covers leaves that never stood in its own tree.
	odd := all[2]
	odd.Leaves = tlog.Hash{1}
	if held, err := Ask(t.Context(), raise(t, 20), h.keys, []Kept{odd}); err != nil || len(held.Broken) != 1 || !strings.Contains(held.Broken[0].Problem, "not what was acknowledged") {
		t.Errorf("other leaves: %+v %v", held, err)
	}
}
