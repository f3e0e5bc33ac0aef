package verify

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

// cosignType is that of Ed25519 keys that cosign (C2SP tlog-cosignature); what they sign begins with a time in seconds.
const cosignType = 0x04

// Cosignature says that a witness has seen the journal grow, and nothing else, up to a checkpoint.
type Cosignature struct {
	Witness string    `json:"witness"` // name of its key
	Time    time.Time `json:"time"`    // by its clock, to the second
}

// Cosigned is Checkpoint and the cosignatures by witnesses among keys.
func Cosigned(text []byte, keys Keys) (Head, []Cosignature, error) {
	head, signatures, err := openCheckpoint(text, keys)
	var all []Cosignature
	for _, s := range signatures {
		if at, is := cosigns(s); is {
			all = append(all, Cosignature{s.Name, at})
		}
	}
	return head, all, err
}

// cosigns is the time of a cosignature; other signatures of a known key are shorter.
func cosigns(s note.Signature) (time.Time, bool) {
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

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }

func (c cosigner) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(sig)
	return at <= math.MaxInt64 && ed25519.Verify(c.public, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text), sig[8:])
}

// newVerifier reads the key of a purpose.
func newVerifier(purpose Purpose, vkey string) (note.Verifier, error) {
	if purpose != ForWitness {
		return note.NewVerifier(vkey)
	}
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
