// Package seal holds the installation's keys, each for one purpose, and makes
// the secrets that people and machines carry.
//
// It signs checkpoints and deployment permits and turns names of people into
// pseudonyms. Checking is left to verify, which is written apart so that one
// error cannot hide in both, and speaking to tokens to the build that has C in it. The invariants: a secret leaves this package only
// as a signature, a pseudonym or a new token; a key that is missing is never
// minted in silence, for a journal signed by a new key is another journal.
package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/text/unicode/norm"
)

// Purpose is what a key is for.
type Purpose string

// The purposes. The first key of each is the file <purpose>.key in the
// directory of keys; one that a rotation brought is <purpose>-<key hash>.key.
// Of a key that a token holds the file has the public half, and says where it is.
const (
	Journal  Purpose = "journal"  // Ed25519: checkpoints and receipts
	Permit   Purpose = "permit"   // Ed25519: deployment permits
	Identity Purpose = "identity" // 32 bytes for HMAC-SHA256: pseudonyms; never rotated
)

// Keys are the keys of an installation. Which of a purpose's keys signs is for
// the journal to say. A value prints without its secrets.
type Keys struct {
	at       Options
	identity [32]byte

	mu    sync.Mutex
	first map[Purpose]signing   // the keys that the journal began with; one may be gone
	later map[Purpose][]signing // those that rotations brought
}

// signing is an Ed25519 key as C2SP signed-note knows it.
type signing struct {
	signer note.Signer
	public string // name+hash+base64
	held   *held  // the signer, where a token has the key
	minted bool   // by this process, for a fact to come
	made   bool   // and generated in its token
}

// Signer signs checkpoints as C2SP signed notes, by the key that the journal
// began with; nil where that is gone.
func (k *Keys) Signer() note.Signer { return k.first[Journal].signer }

// Signers finds who signs checkpoints by a key that a rotation brought.
func (k *Keys) Signers(vkey string) (note.Signer, error) {
	s, err := k.find(Journal, vkey)
	return s.signer, err
}

// First is the public key that a purpose began with, as name+hash+base64; "" where it is gone.
func (k *Keys) First(p Purpose) string { return k.first[p].public }

// KeyID is the key hash of the journal's or the permits' first key, eight
// hexadecimal digits; it is empty for other purposes.
func (k *Keys) KeyID(p Purpose) string { return ID(k.First(p)) }

// ID is the key hash in name+hash+base64.
func ID(vkey string) string {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return ""
	}
	return parts[1]
}

// PublicText is the public keys that are here, one "<purpose>
// <name+hash+base64>" a line: what trust.Parse reads. From where to where each
// holds only the journal knows.
func (k *Keys) PublicText() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	text := []byte("# Public keys of Signalbox: what each may sign, and the key.\n")
	for _, p := range []Purpose{Journal, Permit} {
		for _, s := range append([]signing{k.first[p]}, k.later[p]...) {
			if s.public != "" {
				text = fmt.Appendf(text, "%s %s\n", p, s.public)
			}
		}
	}
	return text
}

// payloadType is that of in-toto statements.
const payloadType = "application/vnd.in-toto+json"

// SignEnvelope is payload, an in-toto statement, in a DSSE 1.0 envelope signed
// by a permit key, the first where vkey is empty: the same bytes for the same payload.
func (k *Keys) SignEnvelope(vkey string, payload []byte) ([]byte, error) {
	by, err := k.find(Permit, vkey)
	if err != nil {
		return nil, err
	}
	// What DSSE signs: type and payload, each after its length in bytes.
	message := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
	sig, err := by.signer.Sign(message)
	if err != nil {
		return nil, fmt.Errorf("sign envelope: %w", err)
	}
	type signature struct {
		KeyID string `json:"keyid"`
		Sig   []byte `json:"sig"`
	}
	envelope, err := json.Marshal(struct {
		PayloadType string      `json:"payloadType"`
		Payload     []byte      `json:"payload"`
		Signatures  []signature `json:"signatures"`
	}{payloadType, payload, []signature{{ID(by.public), sig}}})
	if err != nil {
		return nil, fmt.Errorf("encode envelope: %w", err)
	}
	return envelope, nil
}

// Pseudonym stands for an e-mail address or handle where the name itself must
// not: HMAC-SHA256 over kind, a zero byte and the normalised value, cut to
// 128 bits, as 32 hexadecimal digits: a fact holds 800 of them. The same person comes out the same however the value is
// written: NFKC, lower case, trimmed. RFC 5321 lets a mail host tell local
// parts apart by case; none in use does, and two people made one here are less
// harm than one person who approves twice.
func (k *Keys) Pseudonym(kind, value string) string {
	mac := hmac.New(sha256.New, k.identity[:])
	mac.Write([]byte(kind + "\x00" + normal(value)))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// normal lowers between two normalisations because lowering can undo the first.
func normal(value string) string {
	return strings.TrimSpace(norm.NFKC.String(strings.ToLower(norm.NFKC.String(value))))
}

// String names the keys by their ids.
func (k *Keys) String() string {
	name, _, _ := strings.Cut(k.First(Journal)+k.First(Permit), "+")
	return "keys of " + name + " (journal " + k.KeyID(Journal) + ", permit " + k.KeyID(Permit) + ")"
}

// GoString is String, so that no verb prints a secret.
func (k *Keys) GoString() string { return k.String() }

// Format is String for every verb, so that no verb prints a secret.
func (k *Keys) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }
