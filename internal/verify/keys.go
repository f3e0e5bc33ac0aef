package verify

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"signalbox.dev/signalbox/internal/cosign"
	"signalbox.dev/signalbox/internal/fault"
)

// Purpose is what a key may sign; a signature by a key of another purpose counts for nothing.
type Purpose string

// The purposes of public keys.
const (
	ForJournal Purpose = "journal" // checkpoints
	ForPermits Purpose = "permit"  // deployment permits
	ForWitness Purpose = "witness" // cosignatures of checkpoints
)

const (
	maxKeysText = 64 << 10
	maxKeys     = 64
)

// Key is one public Ed25519 key.
type Key struct {
	Purpose Purpose
	Name    string // the signer's name, as in a signature line
	ID      string // eight hexadecimal digits, the key hash of a C2SP signed note
	Public  ed25519.PublicKey
	Text    string // name+hash+base64

	verifier note.Verifier
}

// Keys are the public keys that someone trusts; several of one purpose verify
// side by side, so that what an earlier key signed stays good after a rotation.
type Keys struct{ list []Key }

// ParseKeys reads one key a line, "<purpose> <vkey>", the vkey being
// name+hash+base64 as in C2SP signed-note; empty lines and those that begin
// with # are passed over. At most 64 keys in 64 KiB; none at all is refused.
func ParseKeys(b []byte) (Keys, error) {
	if len(b) > maxKeysText {
		return Keys{}, fault.New(fault.TooLarge, "keys.too-large", fmt.Sprintf("the public keys are longer than %d bytes", maxKeysText))
	}
	var keys Keys
	for i, line := range bytes.Split(b, []byte("\n")) {
		text := strings.TrimSpace(string(line))
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		key, err := parseKey(text)
		if err == nil {
			err = keys.add(key)
		}
		if err != nil {
			return Keys{}, fault.Invalidf("keys.malformed", "the public key cannot be read").Because(err.Error()).
				At(fault.Position{Line: i + 1}).Remedy("each line is a purpose (journal, permit or witness), a space and name+hash+base64")
		}
	}
	if len(keys.list) == 0 {
		return Keys{}, fault.Invalidf("keys.none", "there is no public key").Remedy("give the file of public keys that the server printed")
	}
	return keys, nil
}

// Of is the keys of a purpose.
func (k Keys) Of(purpose Purpose) []Key {
	var list []Key
	for _, key := range k.list {
		if key.Purpose == purpose {
			list = append(list, key)
		}
	}
	return list
}

func (k *Keys) add(key Key) error {
	if len(k.list) == maxKeys {
		return fmt.Errorf("there are more than %d keys", maxKeys)
	}
	for _, other := range k.list {
		if other.ID == key.ID && other.Name == key.Name {
			return fmt.Errorf("the key %s+%s stands there twice", key.Name, key.ID)
		}
	}
	k.list = append(k.list, key)
	return nil
}

// trusted is the keys of a purpose, or a fault if there is none.
func (k Keys) trusted(purpose Purpose) ([]Key, error) {
	list := k.Of(purpose)
	if len(list) == 0 {
		return nil, fault.Invalidf("keys.none", "there is no public key of the purpose %s", purpose).
			Remedy("give the file of public keys that the server printed")
	}
	return list, nil
}

func parseKey(line string) (Key, error) {
	purpose, vkey, _ := strings.Cut(line, " ")
	key := Key{Purpose: Purpose(purpose), Text: strings.TrimSpace(vkey)}
	if !slices.Contains([]Purpose{ForJournal, ForPermits, ForWitness}, key.Purpose) {
		return Key{}, fmt.Errorf("%.40q is not a purpose", purpose)
	}
	read := note.NewVerifier
	if key.Purpose == ForWitness {
		read = cosign.NewVerifier
	}
	var err error
	if key.verifier, err = read(key.Text); err != nil {
		return Key{}, fmt.Errorf("%.200q is not name+hash+base64 of an Ed25519 key of the purpose %s", key.Text, purpose)
	}
	parts := strings.SplitN(key.Text, "+", 3)
	raw, err := decode64(parts[2])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize {
		return Key{}, fmt.Errorf("the key %.200q is not base64 of 33 bytes", parts[0])
	}
	key.Name, key.ID, key.Public = key.verifier.Name(), fmt.Sprintf("%08x", key.verifier.KeyHash()), raw[1:]
	return key, nil
}
