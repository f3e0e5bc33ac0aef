// Package trust knows public keys: what each may sign, from which place in the
// journal to which, and how one gave way to the next.
//
// It reads the file of public keys and the facts of rotations, and leaves it to
// verify to hold signatures of the journal against them, to seal to sign. Its
// invariant: a key is believed because whoever verifies named it, or because a
// rotation that both keys have signed leads to it from one that was named.
package trust

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"signalbox.dev/signalbox/internal/cosign"
	"signalbox.dev/signalbox/internal/fault"
)

// Purpose is what a key may sign; a signature by a key of another purpose counts for nothing.
type Purpose string

// The purposes of public keys.
const (
	ForJournal Purpose = "journal" // checkpoints and receipts
	ForPermits Purpose = "permit"  // deployment permits
	ForWitness Purpose = "witness" // cosignatures of checkpoints
)

// Bounds of a file of public keys.
const (
	MaxKeysText = 128 << 10 // bytes
	MaxKeys     = 256
)

// Key is one public Ed25519 key.
type Key struct {
	Purpose     Purpose
	Name        string // the signer's name, as in a signature line
	ID          string // eight hexadecimal digits, the key hash of a C2SP signed note
	Public      ed25519.PublicKey
	Text        string // name+hash+base64
	Since       uint64 // position of the fact that brought it; 0: it is the first, or nothing is said
	Until       uint64 // position of the fact that ended it; 0: none has, or nothing is said
	Compromised bool   // it was ended because another may have it

	verifier note.Verifier
}

// Ended reports whether the key's end lies before the last of size facts: then
// whatever it signs of them is not the journal's word.
func (k Key) Ended(size uint64) bool { return k.Until != 0 && size > k.Until }

// Early reports whether the key had not begun when there were size facts.
func (k Key) Early(size uint64) bool { return size <= k.Since && k.Since != 0 }

// Verifier checks signatures of notes.
func (k Key) Verifier() note.Verifier { return k.verifier }

// Keys are the public keys that someone trusts; several of one purpose verify
// side by side, each within its span.
type Keys struct{ list []Key }

// Parse reads one key a line, "<purpose> <vkey> [since=N] [until=N]
// [compromised]", the vkey being name+hash+base64 as in C2SP signed-note, the
// numbers positions in the journal; empty lines and those that begin with # are
// passed over. At most 256 keys in 128 KiB; none at all is refused.
func Parse(b []byte) (Keys, error) {
	if len(b) > MaxKeysText {
		return Keys{}, fault.New(fault.TooLarge, "keys.too-large", fmt.Sprintf("the public keys are longer than %d bytes", MaxKeysText))
	}
	var keys Keys
	for i, line := range bytes.Split(b, []byte("\n")) {
		text := strings.TrimSpace(string(line))
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		key, err := parseLine(text)
		if err == nil {
			err = keys.add(key)
		}
		if err != nil {
			return Keys{}, fault.Invalidf("keys.malformed", "the public key cannot be read").Because(err.Error()).
				At(fault.Position{Line: i + 1}).Remedy("each line is a purpose (journal, permit or witness), a space and name+hash+base64, " +
				"and, where it was rotated, since=POSITION, until=POSITION and compromised, in this order")
		}
	}
	if len(keys.list) == 0 {
		return Keys{}, fault.Invalidf("keys.none", "there is no public key").Remedy("give the file of public keys that the server printed")
	}
	return keys, nil
}

// Of is the keys of some purposes.
func (k Keys) Of(purposes ...Purpose) []Key {
	var list []Key
	for _, key := range k.list {
		if slices.Contains(purposes, key.Purpose) {
			list = append(list, key)
		}
	}
	return list
}

// Trusted is the keys of a purpose, or a fault if there is none.
func (k Keys) Trusted(purpose Purpose) ([]Key, error) {
	list := k.Of(purpose)
	if len(list) == 0 {
		return nil, fault.Invalidf("keys.none", "there is no public key of the purpose %s", purpose).
			Remedy("give the file of public keys that the server printed")
	}
	return list, nil
}

func (k *Keys) add(key Key) error {
	if len(k.list) == MaxKeys {
		return fmt.Errorf("there are more than %d keys", MaxKeys)
	}
	for _, other := range k.list {
		if other.ID == key.ID && other.Name == key.Name {
			return fmt.Errorf("the key %s+%s stands there twice", key.Name, key.ID)
		}
	}
	k.list = append(k.list, key)
	return nil
}

// parseLine reads one line of a file of keys.
func parseLine(line string) (Key, error) {
	parts := strings.Fields(line)
	if len(parts) < 2 {
		return Key{}, errors.New("it is not a purpose and a key with a space between them")
	}
	key, err := parseKey(Purpose(parts[0]), parts[1])
	if err != nil {
		return Key{}, err
	}
	rest := parts[2:]
	for _, number := range []struct {
		name string
		to   *uint64
	}{{"since=", &key.Since}, {"until=", &key.Until}} {
		if len(rest) == 0 || !strings.HasPrefix(rest[0], number.name) {
			continue
		}
		digits := strings.TrimPrefix(rest[0], number.name)
		n, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != digits {
			return Key{}, fmt.Errorf("%.40q is not the position of a rotation", rest[0])
		}
		*number.to, rest = n, rest[1:]
	}
	if len(rest) > 0 && rest[0] == "compromised" && key.Until != 0 {
		key.Compromised, rest = true, rest[1:]
	}
	switch {
	case len(rest) > 0:
		return Key{}, fmt.Errorf("%.40q is not since=, until= or compromised in its place", rest[0])
	case key.Until != 0 && key.Until <= key.Since:
		return Key{}, errors.New("it ends before it begins")
	case key.Purpose == ForWitness && len(parts) > 2:
		return Key{}, errors.New("the key of a witness has no span in the journal")
	}
	return key, nil
}

func parseKey(purpose Purpose, vkey string) (Key, error) {
	key := Key{Purpose: purpose, Text: vkey}
	if !slices.Contains([]Purpose{ForJournal, ForPermits, ForWitness}, purpose) {
		return Key{}, fmt.Errorf("%.40q is not a purpose", purpose)
	}
	read := note.NewVerifier
	if purpose == ForWitness {
		read = cosign.NewVerifier
	}
	var err error
	if key.verifier, err = read(vkey); err != nil {
		return Key{}, fmt.Errorf("%.200q is not name+hash+base64 of an Ed25519 key of the purpose %s", vkey, purpose)
	}
	parts := strings.SplitN(vkey, "+", 3)
	raw, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || strings.ContainsAny(parts[2], "\r\n") {
		return Key{}, fmt.Errorf("the key %.200q is not base64 of 33 bytes", parts[0])
	}
	key.Name, key.ID, key.Public = key.verifier.Name(), fmt.Sprintf("%08x", key.verifier.KeyHash()), raw[1:]
	return key, nil
}

// line is the key as Parse reads it.
func (k Key) line() string {
	text := string(k.Purpose) + " " + k.Text
	if k.Since != 0 {
		text += fmt.Sprintf(" since=%d", k.Since)
	}
	if k.Until != 0 {
		text += fmt.Sprintf(" until=%d", k.Until)
	}
	if k.Compromised {
		text += " compromised"
	}
	return text
}
