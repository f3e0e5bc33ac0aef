package trust

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
)

// Noun is that of the streams "key/journal" and "key/permit".
const Noun = "key"

// MaxTurns is how often the key of a purpose may be rotated.
const MaxTurns = 100

// StreamOf is the stream of a purpose's rotations.
func StreamOf(p Purpose) event.Stream { return event.StreamOf(Noun, string(p)) }

// Rotated is the body of KeyRotated: from this fact on the new key signs. Each
// key has signed the same words, so that whoever knows one is led to the other.
type Rotated struct {
	Purpose     Purpose      `json:"purpose"` // journal or permit
	Old         string       `json:"old"`     // name+hash+base64
	New         string       `json:"new"`
	At          event.Micros `json:"at"`
	Compromised bool         `json:"compromised,omitempty"` // another may have the old key
	ByOld       []byte       `json:"by_old"`                // Ed25519 over Words
	ByNew       []byte       `json:"by_new"`
}

// Words are what both keys sign. Their first line is no journal's name, no
// receipt's and no envelope's: a signature of one is never taken for the other.
func (r Rotated) Words(origin string) []byte {
	return fmt.Appendf(nil, "signalbox-key-rotation/v1\norigin %s\npurpose %s\nold %s\nnew %s\nat %d\ncompromised %t\n",
		origin, r.Purpose, r.Old, r.New, int64(r.At), r.Compromised)
}

// check refuses a rotation that not both keys have signed.
func (r Rotated) check(origin string) error {
	if r.Purpose != ForJournal && r.Purpose != ForPermits {
		return fmt.Errorf("%.40q is no purpose whose key is rotated", r.Purpose)
	}
	for _, by := range []struct {
		which, vkey string
		signature   []byte
	}{{"old", r.Old, r.ByOld}, {"new", r.New, r.ByNew}} {
		key, err := parseKey(r.Purpose, by.vkey)
		if err != nil {
			return err
		}
		if !key.verifier.Verify(r.Words(origin), by.signature) {
			return fmt.Errorf("the %s key has not signed it", by.which)
		}
	}
	return nil
}

// Turn is a rotation and the position of its fact.
type Turn struct {
	Position uint64 `json:"position"`
	Rotated
}

// Line is the state of a purpose's stream: its keys, one after the other.
type Line struct {
	Turns []Turn `json:"turns,omitempty"`
}

// Shape is the fold of rotations.
func Shape() event.Shape {
	return event.ShapeOf(Noun, 1, func(l *Line, f event.Recorded) error {
		if f.Kind != event.KeyRotated {
			return event.Unknown(f)
		}
		t := Turn{Position: f.Position}
		if err := f.Body(&t.Rotated); err != nil {
			return err
		}
		if f.Stream != StreamOf(t.Purpose) {
			return fmt.Errorf("a %s key is rotated on %s", t.Purpose, f.Stream)
		}
		l.Turns = append(l.Turns, t)
		return l.sound()
	}, nil)
}

// sound refuses a line with a gap, or in which a key comes twice.
func (l Line) sound() error {
	used := map[string]bool{}
	for i, t := range l.Turns {
		if i == 0 {
			used[t.Old] = true
		} else if t.Old != l.Turns[i-1].New || t.Position <= l.Turns[i-1].Position {
			return errors.New("a rotation does not begin where the one before ended")
		}
		if used[t.New] {
			return errors.New("a key comes back")
		}
		used[t.New] = true
	}
	if len(l.Turns) > MaxTurns {
		return fmt.Errorf("there are more than %d rotations", MaxTurns)
	}
	return nil
}

// Current is the key that signs now; "" while none was rotated.
func (l Line) Current() string {
	if len(l.Turns) == 0 {
		return ""
	}
	return l.Turns[len(l.Turns)-1].New
}

// Rotate is the fact of a rotation, signed by both keys, and its body.
func (l Line) Rotate(origin string, r Rotated, reason string, sign Sign) ([]event.Draft, Rotated, error) {
	if strings.TrimSpace(reason) == "" {
		return nil, Rotated{}, fault.Invalidf("keys.reason", "rotating a key needs a reason").On("reason")
	}
	if len(l.Turns) == MaxTurns {
		return nil, Rotated{}, fault.New(fault.Conflict, "keys.often", fmt.Sprintf("the key was rotated %d times, the most there may be", MaxTurns))
	}
	if r.New == r.Old || slices.ContainsFunc(l.Turns, func(t Turn) bool { return t.Old == r.New || t.New == r.New }) {
		return nil, Rotated{}, fault.New(fault.Conflict, "keys.used", fmt.Sprintf("the key that is to be the next %s key is, or was, one before", r.Purpose)).
			Because("no key follows itself, and none that was ended comes back").
			Remedy("have the server's settings name another key by object or id, or the token alone, where a new one is made")
	}
	var err error
	if r.ByOld, err = sign(r.Old, r.Words(origin)); err != nil {
		return nil, Rotated{}, err
	}
	if r.ByNew, err = sign(r.New, r.Words(origin)); err != nil {
		return nil, Rotated{}, err
	}
	if err := r.check(origin); err != nil {
		return nil, Rotated{}, fmt.Errorf("rotate the %s key: %w", r.Purpose, err)
	}
	return []event.Draft{{Stream: StreamOf(r.Purpose), Kind: event.KeyRotated, Body: r, Private: map[string]string{"reason": reason}}}, r, nil
}

// Sign is the signature of a key over a message.
type Sign func(vkey string, message []byte) ([]byte, error)

// Before is the rotations of some lines among the first size facts, in order.
func Before(size uint64, lines ...Line) []Turn {
	var all []Turn
	for _, l := range lines {
		for _, t := range l.Turns {
			if t.Position < size {
				all = append(all, t)
			}
		}
	}
	slices.SortFunc(all, func(a, b Turn) int { return cmp.Compare(a.Position, b.Position) })
	return all
}

// keys is the line's keys with their spans; first is its only key while none was rotated.
func (l Line) keys(purpose Purpose, first string) ([]Key, error) {
	if len(l.Turns) > 0 {
		first = l.Turns[0].Old
	}
	key, err := parseKey(purpose, first)
	if err != nil {
		return nil, err
	}
	all := []Key{key}
	for _, t := range l.Turns {
		all[len(all)-1].Until, all[len(all)-1].Compromised = t.Position, t.Compromised
		if key, err = parseKey(purpose, t.New); err != nil {
			return nil, err
		}
		key.Since = t.Position
		all = append(all, key)
	}
	return all, nil
}

// Named is a purpose's line and the key that it began with, where that is known.
type Named struct {
	Purpose Purpose
	First   string
	Line
}

// Text is the file of public keys: what Parse reads, with the times as comments.
func Text(all ...Named) ([]byte, error) {
	text := []byte("# Public keys of Signalbox: what each may sign, and the key.\n")
	for _, n := range all {
		keys, err := n.keys(n.Purpose, n.First)
		if err != nil {
			return nil, fmt.Errorf("public key of the purpose %s: %w", n.Purpose, err)
		}
		for i, k := range keys {
			if i > 0 {
				text = fmt.Appendf(text, "# rotated at %s\n", n.Turns[i-1].At)
			}
			text = fmt.Appendf(text, "%s\n", k.line())
		}
	}
	return text, nil
}

// Follow is the keys, and those that rotations lead to from them in either
// direction, each with its span. What a file of keys says of spans must agree.
func (k Keys) Follow(origin string, turns []Turn) (Keys, error) {
	lines := map[Purpose]Line{}
	for _, t := range turns {
		if err := t.check(origin); err != nil {
			return k, fmt.Errorf("the rotation of a %.20s key at %d does not hold: %w", t.Purpose, t.Position, err)
		}
		lines[t.Purpose] = Line{append(lines[t.Purpose].Turns, t)}
	}
	followed := Keys{append([]Key(nil), k.list...)}
	for purpose, line := range lines {
		if err := line.sound(); err != nil {
			return k, err
		}
		chain, err := line.keys(purpose, "")
		if err != nil {
			return k, err
		}
		if err := followed.lead(chain); err != nil {
			return k, err
		}
	}
	return followed, nil
}

// lead believes the keys of a line, if one of them is believed already.
func (k *Keys) lead(chain []Key) error {
	var fresh []Key
	for _, key := range chain {
		i := k.index(key)
		if i < 0 {
			fresh = append(fresh, key)
			continue
		}
		known := &k.list[i]
		if known.Since != 0 && known.Since != key.Since || known.Until != 0 && key.Until != 0 && known.Until != key.Until {
			return fmt.Errorf("the %s key %s holds for other facts than the file of keys says", key.Purpose, key.ID)
		}
		known.Since, known.Compromised = key.Since, known.Compromised || key.Compromised
		known.Until = max(known.Until, key.Until)
	}
	if len(fresh) == len(chain) {
		return nil
	}
	for _, key := range fresh {
		if err := k.add(key); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keys) index(key Key) int {
	for i, other := range k.list {
		if other.Purpose == key.Purpose && other.Text == key.Text {
			return i
		}
	}
	return -1
}
