package trust_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/trust"
)

const origin = "signalbox.example"

// pair is a key of the journal's name, and its public half.
func pair(t testing.TB) (sign func([]byte) []byte, public string) {
	t.Helper()
	secret, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return func(message []byte) []byte {
		sig, err := s.Sign(message)
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}, public
}

// chain is n rotations of the journal's key at the positions 10, 20, …, and all keys.
func chain(t testing.TB, n int) (turns []trust.Turn, keys []string) {
	t.Helper()
	old, public := pair(t)
	keys = []string{public}
	for i := range n {
		next, public := pair(t)
		r := trust.Rotated{Purpose: trust.ForJournal, Old: keys[i], New: public, At: event.Micros(i + 1)}
		r.ByOld, r.ByNew = old(r.Words(origin)), next(r.Words(origin))
		turns, keys = append(turns, trust.Turn{Position: uint64(10 * (i + 1)), Rotated: r}), append(keys, public)
		old = next
	}
	return turns, keys
}

func parse(t testing.TB, text string) trust.Keys {
	t.Helper()
	k, err := trust.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// From any key of a chain every other is believed, with its span.
func TestFollow(t *testing.T) {
	turns, keys := chain(t, 3)
	for i, known := range keys {
		k, err := parse(t, "journal "+known).Follow(origin, turns)
		if err != nil {
			t.Fatal(err)
		}
		if len(k.Of(trust.ForJournal)) != len(keys) {
			t.Errorf("from key %d: %d keys", i, len(k.Of(trust.ForJournal)))
		}
		for _, key := range k.Of(trust.ForJournal) {
			for at, text := range keys {
				first, last := uint64(10*at), uint64(10*(at+1))
				if text == key.Text && (key.Early(first) != (at > 0) || key.Early(first+1) || key.Ended(last) || at < 3 && !key.Ended(last+1)) {
					t.Errorf("key %d holds from %d to %d", at, key.Since, key.Until)
				}
			}
		}
	}
	_, stranger := pair(t)
	if k, err := parse(t, "journal "+stranger).Follow(origin, turns); err != nil || len(k.Of(trust.ForJournal)) != 1 {
		t.Errorf("a chain that is not known leads somewhere: %v", err)
	}
}

func TestFollowRefuses(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, turns []trust.Turn, keys []string){
		"as it is":                   func(*testing.T, []trust.Turn, []string) {},
		"not signed by the old key":  func(_ *testing.T, turns []trust.Turn, _ []string) { turns[1].ByOld = turns[0].ByOld },
		"not signed by the new key":  func(_ *testing.T, turns []trust.Turn, _ []string) { turns[1].ByNew = turns[1].ByOld },
		"no signature":               func(_ *testing.T, turns []trust.Turn, _ []string) { turns[0].ByNew = nil },
		"the flag taken away":        func(_ *testing.T, turns []trust.Turn, _ []string) { turns[0].Compromised = true },
		"another purpose":            func(_ *testing.T, turns []trust.Turn, _ []string) { turns[0].Purpose = trust.ForPermits },
		"a witness's":                func(_ *testing.T, turns []trust.Turn, _ []string) { turns[0].Purpose = trust.ForWitness },
		"a gap":                      func(_ *testing.T, turns []trust.Turn, _ []string) { turns[0] = turns[1] },
		"another order":              func(_ *testing.T, turns []trust.Turn, _ []string) { turns[1].Position = turns[0].Position },
		"a key that comes back":      back,
		"another key in the new one": func(_ *testing.T, turns []trust.Turn, keys []string) { turns[1].New = keys[0] },
	} {
		turns, keys := chain(t, 2)
		spoil(t, turns, keys)
		_, err := parse(t, "journal "+keys[0]).Follow(origin, turns)
		if (err == nil) != (name == "as it is") {
			t.Errorf("%s: %v", name, err)
		}
	}
	turns, keys := chain(t, 1)
	if _, err := parse(t, "journal "+keys[0]).Follow("other.example", turns); err == nil {
		t.Error("a rotation of another journal holds")
	}
	for _, file := range []string{"journal " + keys[0] + " until=11", "journal " + keys[1] + " since=9"} {
		if _, err := parse(t, file).Follow(origin, turns); err == nil {
			t.Errorf("%s: the export says otherwise, and is believed", file)
		}
	}
	// An older export does not know of a later end.
	if k, err := parse(t, "journal "+keys[1]+" since=10 until=500").Follow(origin, turns); err != nil || !k.Of(trust.ForJournal)[0].Ended(501) {
		t.Errorf("an end that the export has not reached: %v", err)
	}
}

// back rotates from the second key to the first, rightly signed.
func back(t *testing.T, turns []trust.Turn, _ []string) {
	a, first := pair(t)
	b, second := pair(t)
	for i, r := range []trust.Rotated{{Old: first, New: second}, {Old: second, New: first}} {
		r.Purpose = trust.ForJournal
		r.ByOld, r.ByNew = a(r.Words(origin)), b(r.Words(origin))
		if i == 1 {
			r.ByOld, r.ByNew = r.ByNew, r.ByOld
		}
		turns[i].Rotated = r
	}
}

func TestParseSpans(t *testing.T) {
	_, key := pair(t)
	k := parse(t, "permit "+key+" since=7 until=9 compromised").Of(trust.ForPermits)[0]
	if k.Since != 7 || k.Until != 9 || !k.Compromised {
		t.Errorf("%+v", k)
	}
	for _, tail := range []string{
		" since=", " since=0", " since=07", " since=-1", " since=+1", " since=1.0", " since=99999999999999999999", " until=9 since=7", " since=9 until=9",
		" since=7 since=8", " compromised", " until=9 compromised compromised", " until=9 Compromised", " since=7 later=9", " until=9 x", " SINCE=7",
	} {
		if _, err := trust.Parse([]byte("permit " + key + tail)); err == nil {
			t.Errorf("%q is read", tail)
		}
	}
}

// What is printed is what is read.
func TestText(t *testing.T) {
	turns, keys := chain(t, 2)
	_, permit := pair(t)
	text, err := trust.Text(trust.Named{Purpose: trust.ForJournal, Line: trust.Line{Turns: turns}}, trust.Named{Purpose: trust.ForPermits, First: permit})
	if err != nil {
		t.Fatal(err)
	}
	k := parse(t, string(text))
	journal := k.Of(trust.ForJournal)
	if len(journal) != 3 || journal[1].Text != keys[1] || journal[1].Since != 10 || journal[1].Until != 20 || k.Of(trust.ForPermits)[0].Text != permit {
		t.Errorf("%s is %+v", text, k)
	}
	if again, err := k.Follow(origin, turns); err != nil || len(again.Of(trust.ForJournal)) != 3 {
		t.Errorf("what was printed is at odds with the journal: %v", err)
	}
}

func FuzzFollow(f *testing.F) {
	turns, keys := chain(f, 2)
	b, err := json.Marshal(turns)
	if err != nil {
		f.Fatal(err)
	}
	known := parse(f, "journal "+keys[0])
	f.Add(b)
	f.Add([]byte(strings.Replace(string(b), `"position":10`, `"position":30`, 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var turns []trust.Turn
		if json.Unmarshal(b, &turns) != nil {
			return
		}
		k, err := known.Follow(origin, turns)
		for _, key := range k.Of(trust.ForJournal) {
			if err == nil && key.Text != keys[0] && key.Text != keys[1] && key.Text != keys[2] {
				t.Errorf("%s is believed", key.Text)
			}
		}
	})
}

// No key follows itself or comes back: the journal would take no fact more.
func TestRotateRefusesUsedKeys(t *testing.T) {
	turns, keys := chain(t, 2)
	asked := 0
	sign := func(string, []byte) ([]byte, error) { asked++; return nil, nil }
	for i, key := range keys {
		r := trust.Rotated{Purpose: trust.ForJournal, Old: keys[2], New: key}
		_, _, err := trust.Line{Turns: turns}.Rotate(origin, r, "test", sign)
		if code := codeOf(err); code != "keys.used" || asked != 0 {
			t.Errorf("the key %d is to follow: %v", i, err)
		}
	}
	if _, _, err := (trust.Line{}).Rotate(origin, trust.Rotated{Purpose: trust.ForJournal, Old: keys[0], New: keys[0]}, "test", sign); codeOf(err) != "keys.used" {
		t.Errorf("it is to follow itself: %v", err)
	}
	_, fresh := pair(t)
	if _, _, err := (trust.Line{Turns: turns}).Rotate(origin, trust.Rotated{Purpose: trust.ForJournal, Old: keys[2], New: fresh}, "test", sign); codeOf(err) == "keys.used" || asked != 2 {
		t.Errorf("a new one: %v", err)
	}
}

func codeOf(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}
