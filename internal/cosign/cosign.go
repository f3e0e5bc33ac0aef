// Package cosign reads the keys and signatures of witnesses (C2SP tlog-cosignature,
// Ed25519): a signed note's text, and the time at which it was seen.
//
// It leaves to verify what a checkpoint says and whose keys are trusted, and to
// witness the making. It touches nothing: no clock, no disk.
package cosign

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	"golang.org/x/mod/sumdb/note"
)

// cosignType is that of Ed25519 keys that cosign; what they sign begins with a time in seconds.
const cosignType = 0x04

// Time is when a signature of a known key was made as a cosignature, to the
// second, or false: other signatures are shorter.
func Time(s note.Signature) (time.Time, bool) {
	b, err := base64.StdEncoding.DecodeString(s.Base64)
	if err != nil || len(b) != 4+8+ed25519.SignatureSize {
		return time.Time{}, false
	}
	return time.Unix(int64(binary.BigEndian.Uint64(b[4:])), 0).UTC(), true
}

// cosigner is a witness's key as a verifier of notes.
type cosigner struct {
	name   string
	hash   uint32
	public ed25519.PublicKey
}

// Name is the key's.
func (c cosigner) Name() string { return c.name }

// KeyHash tells keys of one name apart.
func (c cosigner) KeyHash() uint32 { return c.hash }

// Verify checks time and signature over a note's text.
func (c cosigner) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(sig)
	return at <= math.MaxInt64 && ed25519.Verify(c.public, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text), sig[8:])
}

// NewVerifier reads a witness's key, name+hash+base64.
func NewVerifier(vkey string) (note.Verifier, error) {
	name, rest, _ := strings.Cut(vkey, "+")
	_, text, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != cosignType || name == "" || strings.ContainsFunc(name, unicode.IsSpace) {
		return nil, errors.New("it is no key for cosignatures")
	}
	id := sha256.Sum256(append([]byte(name+"\n"), raw...))
	c := cosigner{name, binary.BigEndian.Uint32(id[:]), raw[1:]}
	if vkey != fmt.Sprintf("%s+%08x+%s", name, c.hash, base64.StdEncoding.EncodeToString(raw)) {
		return nil, errors.New("its hash is not that of its name and key")
	}
	return c, nil
}
