package verify

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/trust"
)

// rotated is a good sample of 60 facts whose journal key gave way at 25 to the
// key of the seed "next": checkpoints of 20 and 25 by the old key, of 26, 40
// and 60 by the new one.
type rotated struct {
	*sample
	old, next       note.Signer
	oldKey, nextKey string // as in a file of keys
}

func rotation(t testing.TB, compromised bool) rotated {
	t.Helper()
	r := rotated{sample: journal(t, 60, 100)}
	var oldKey, nextKey string
	r.old, oldKey = signer(t, "signalbox.example", "journal")
	r.next, nextKey = signer(t, "signalbox.example", "next")
	r.oldKey, r.nextKey = "journal "+oldKey, "journal "+nextKey
	words := trust.Rotated{Purpose: ForJournal, Old: oldKey, New: nextKey, At: 1_000_008, Compromised: compromised}
	words.ByOld, words.ByNew = by(t, r.old, words.Words(origin)), by(t, r.next, words.Words(origin))
	r.turn(25, words)
	r.marks = nil
	for _, size := range []uint64{20, 25, 26, 40, 60} {
		if r.signer = r.old; size > 25 {
			r.signer = r.next
		}
		r.sign(size)
	}
	r.count()
	return r
}

func by(t testing.TB, s note.Signer, message []byte) []byte {
	t.Helper()
	sig, err := s.Sign(message)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// turn puts a rotation in place of a fact, and names it at the head.
func (s *sample) turn(at uint64, words trust.Rotated) {
	body, err := json.Marshal(words)
	if err != nil {
		s.t.Fatal(err)
	}
	f := &s.facts[at]
	f.header.Stream, f.header.Kind, f.header.Touches, f.body, f.private = trust.StreamOf(words.Purpose), event.KeyRotated, nil, body, []byte("[]")
	s.head.Rotations = append(s.head.Rotations, trust.Turn{Position: at, Rotated: words})
	s.stamp()
	s.hash()
}

// mark puts another checkpoint of a size in place of the one there is.
func (s *sample) mark(size uint64, signers ...note.Signer) {
	i := slices.IndexFunc(s.marks, func(m mark) bool { return m.after == size })
	s.marks[i].text = signed(s.t, s.headAt(size).Text(), signers...)
}

// Whoever knows either key is led to the other, and each signs in its place alone.
func TestRotation(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *rotated)
		code   string
		first  uint64
		says   string
	}{
		"as it was":         {func(*rotated) {}, "", nowhere, ""},
		"by both":           {func(r *rotated) { r.mark(25, r.old, r.next); r.mark(26, r.old, r.next) }, "", nowhere, ""},
		"the old key later": {func(r *rotated) { r.mark(26, r.old) }, "export.checkpoint", 25, "signs for the facts from 0 to 25 alone"},
		"the new key early": {func(r *rotated) { r.mark(25, r.next) }, "export.checkpoint", 20, "signs for the facts from 25 on alone"},
		"a stranger's key":  {func(r *rotated) { s, _ := signer(t, "signalbox.example", "forger"); r.mark(40, s) }, "export.checkpoint", 26, "no trusted journal key"},
		"not at the head":   {func(r *rotated) { r.head.Rotations = nil; r.keys = keysOf(t, r.oldKey, r.nextKey) }, "export.key", 25, "not the next that the head names"},
		"only at the head": {func(r *rotated) {
			r.facts[25].header.Kind = event.ReleaseMoved
			r.again()
		}, "export.key", nowhere, "at 25 and no fact there says so"},
		"at another place": {func(r *rotated) { r.swap(25); r.stamp(); r.again() }, "export.key", 26, "not the next that the head names"},
		"in other words": {func(r *rotated) {
			r.facts[25].body = bytes.Replace(r.facts[25].body, []byte(`"at":1000008`), []byte(`"at":1000009`), 1)
			r.again()
		}, "export.key", 25, "not the next that the head names"},
		"unreadable": {func(r *rotated) {
			r.facts[25].body = append(r.facts[25].body[:len(r.facts[25].body)-1:len(r.facts[25].body)-1], `,"more":1}`...)
			r.again()
		}, "export.key", 25, "cannot be read"},
		"on no stream": {func(r *rotated) { r.facts[25].header.Stream = trust.StreamOf(ForPermits); r.stamp(); r.again() }, "export.key", 25, "cannot be read"},
		"half signed":  {func(r *rotated) { r.head.Rotations[0].ByNew = r.head.Rotations[0].ByOld }, "export.key", nowhere, "the new key has not signed it"},
	} {
		for _, known := range []string{"old", "new", "both"} {
			r := rotation(t, false)
			r.keys = map[string]Keys{"old": keysOf(t, r.oldKey), "new": keysOf(t, r.nextKey), "both": keysOf(t, r.oldKey, r.nextKey)}[known]
			c.change(&r)
			got, err := r.verify()
			if c.code == "" && err != nil || c.code != "" && code(err) != c.code || !strings.Contains(got.Problem, c.says) {
				t.Errorf("%s, by who knows %s: %v, want %s", name, known, err, c.code)
			}
			if at := got.FirstWrong; (at == nil) != (c.first == nowhere) || at != nil && *at != c.first {
				t.Errorf("%s, by who knows %s: the first wrong is %v, want %d: %s", name, known, at, c.first, got.Problem)
			}
			if len(got.Leaked) != 0 {
				t.Errorf("%s: %v", name, got.Leaked)
			}
		}
	}
}

// again is hashed and signed anew by whoever has both keys.
func (r *rotated) again() {
	r.hash()
	for _, m := range slices.Clone(r.marks) {
		r.mark(m.after, r.old, r.next)
	}
	r.count()
}

// Rotations come in the order in which the head names them.
func TestRotationsOneByOne(t *testing.T) {
	r := rotation(t, false)
	third, key := signer(t, "signalbox.example", "third")
	words := trust.Rotated{Purpose: ForJournal, Old: strings.TrimPrefix(r.nextKey, "journal "), New: key, At: 1_000_015}
	words.ByOld, words.ByNew = by(t, r.next, words.Words(origin)), by(t, third, words.Words(origin))
	r.turn(45, words)
	for _, m := range slices.Clone(r.marks) {
		r.mark(m.after, r.old, r.next, third)
	}
	for _, known := range []string{r.oldKey, r.nextKey, "journal " + key} {
		r.keys = keysOf(t, known)
		if _, err := r.verify(); err != nil {
			t.Errorf("by who knows %s: %v", known, err)
		}
	}
	r.mark(60, r.next)
	if got, err := r.verify(); code(err) != "export.checkpoint" || !strings.Contains(got.Problem, "from 25 to 45 alone") {
		t.Errorf("the second key after its end: %v", err)
	}
	r.mark(60, third)
	slices.Reverse(r.head.Rotations)
	if _, err := r.verify(); code(err) != "export.key" {
		t.Errorf("named in another order: %v", err)
	}
}

// Of a key that another may have, the report says up to where its facts are
// vouched for from outside: by a witness, or by a checkpoint kept elsewhere.
func TestLeakedKeys(t *testing.T) {
	w, witnessKey := witness(t, "witness.example/one")
	leaked := func(change func(*rotated) []Published) []Leaked {
		t.Helper()
		r := rotation(t, true)
		keys := keysOf(t, r.oldKey, witnessKey)
		got, err := Check{Keys: keys, Published: change(&r)}.Export(t.Context(), bytes.NewReader(r.export()))
		if err != nil {
			t.Fatal(err)
		}
		return got.Leaked
	}
	kept := func(r *rotated, size uint64) []Published {
		return []Published{{"kept", []byte(signed(t, r.headAt(size).Text(), r.old, r.next))}}
	}
	for name, c := range map[string]struct {
		change func(*rotated) []Published
		known  uint64
	}{
		"nobody":                {func(*rotated) []Published { return nil }, 0},
		"a witness":             {func(r *rotated) []Published { r.mark(20, r.old, w); return nil }, 20},
		"a witness, at the end": {func(r *rotated) []Published { r.mark(20, r.old, w); r.mark(25, r.old, w); return nil }, 25},
		"a witness, too late":   {func(r *rotated) []Published { r.mark(26, r.next, w); return nil }, 0},
		"kept":                  {func(r *rotated) []Published { return kept(r, 17) }, 17},
		"kept after a witness":  {func(r *rotated) []Published { r.mark(20, r.old, w); return kept(r, 23) }, 23},
		"kept before a witness": {func(r *rotated) []Published { r.mark(20, r.old, w); return kept(r, 12) }, 20},
		"kept too late":         {func(r *rotated) []Published { return kept(r, 40) }, 0},
		"a witness that nobody knows": {func(r *rotated) []Published {
			other, _ := witness(t, "witness.example/two")
			r.mark(20, r.old, other)
			return nil
		}, 0},
	} {
		got := leaked(c.change)
		if len(got) != 1 || got[0].Purpose != ForJournal || got[0].Until != 25 || got[0].Known != c.known || got[0].ID == "" {
			t.Errorf("%s: %+v, want known to %d", name, got, c.known)
		}
	}
}

// A checkpoint and a receipt that are asked for by themselves are held to the
// span of their key as well.
func TestSpans(t *testing.T) {
	r := rotation(t, false)
	oldEnds, nextBegins := keysOf(t, r.oldKey+" until=25"), keysOf(t, r.nextKey+" since=25")
	for size, want := range map[uint64][2]string{20: {"", "key"}, 25: {"", "key"}, 26: {"key", ""}, 60: {"key", ""}} {
		head := r.headAt(size)
		for i, c := range []struct {
			s    note.Signer
			keys Keys
		}{{r.old, oldEnds}, {r.next, nextBegins}} {
			if want[i] != "" {
				want[i] = "checkpoint." + want[i]
			}
			got, err := Checkpoint([]byte(signed(t, head.Text(), c.s)), c.keys)
			if want[i] == "" && (err != nil || got != head) || want[i] != "" && code(err) != want[i] {
				t.Errorf("a checkpoint of %d by key %d: %v, want %s", size, i, err, want[i])
			}
		}
		// A receipt may be given again later, by the key of then, and never by one that had ended.
		for i, c := range []struct {
			s    note.Signer
			keys Keys
			code string
		}{{r.old, oldEnds, strings.Replace(want[0], "checkpoint", "receipt", 1)}, {r.next, nextBegins, ""}} {
			_, err := OpenReceipt([]byte(signed(t, r.receipt(size-1, size).Text(), c.s)), c.keys)
			if c.code == "" && err != nil || c.code != "" && code(err) != c.code {
				t.Errorf("a receipt for %d by key %d: %v, want %s", size, i, err, c.code)
			}
		}
	}
}

// A permit is by a key that had not ended at its decision and that nobody else may have.
func TestPermitAndTheEndOfItsKey(t *testing.T) {
	_, public := signer(t, "signalbox.example", "permit")
	_, other := signer(t, "signalbox.example", "next")
	for line, want := range map[string]string{
		"":                               "",
		" since=41":                      "",
		" until=42":                      "",
		" until=41":                      "permit.key-ended", // the permit is of the decision at 41
		" until=40":                      "permit.key-ended",
		" until=99 compromised":          "permit.key-compromised",
		"\npermit " + other + " until=7": "", // another's end
	} {
		keys := keysOf(t, "permit "+public+line)
		p := permitOf(keys.Of(ForPermits)[0].ID)
		got, err := CheckPermit(envelope(t, encoded(t, p), "permit"), keys, expectation(p))
		if want == "" && err != nil || want != "" && code(err) != want {
			t.Errorf("%q: %v, want %s", line, err, want)
		}
		if got.ID != p.ID {
			t.Errorf("%q: which permit it was is not said: %+v", line, got)
		}
	}
}
