// Package seal holds the installation's keys, each for one purpose, and makes
// the secrets that people and machines carry.
//
// It signs checkpoints and deployment permits and turns names of people into
// pseudonyms. Checking is left to verify, which is written apart so that one
// error cannot hide in both. The invariants: a secret leaves this package only
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

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/text/unicode/norm"
)

// Purpose is what a key is for.
type Purpose string

// The purposes; each key is the file <purpose>.key in the directory of keys.
const (
	Journal  Purpose = "journal"  // Ed25519: checkpoints
	Permit   Purpose = "permit"   // Ed25519: deployment permits
	Identity Purpose = "identity" // 32 bytes for HMAC-SHA256: pseudonyms
)

// Keys are the keys of an installation. A value prints without its secrets.
type Keys struct {
	journal  signing
	permit   signing
	identity [32]byte
}

// signing is an Ed25519 key as C2SP signed-note knows it.
type signing struct {
	signer note.Signer
	public string // name+hash+base64
}

// Signer signs checkpoints as C2SP signed notes.
func (k *Keys) Signer() note.Signer { return k.journal.signer }

// KeyID is the key hash of the journal's or the permits' key, eight
// hexadecimal digits; it is empty for other purposes.
func (k *Keys) KeyID(p Purpose) string {
	switch p {
	case Journal:
		return fmt.Sprintf("%08x", k.journal.signer.KeyHash())
	case Permit:
		return fmt.Sprintf("%08x", k.permit.signer.KeyHash())
	}
	return ""
}

// PublicText is the public keys, one "<purpose> <name+hash+base64>" a line: what verify.ParseKeys reads.
func (k *Keys) PublicText() []byte {
	return fmt.Appendf(nil, "# Public keys of Signalbox: what each may sign, and the key.\n%s %s\n%s %s\n",
		Journal, k.journal.public, Permit, k.permit.public)
}

// payloadType is that of in-toto statements.
const payloadType = "application/vnd.in-toto+json"

// SignEnvelope is payload, an in-toto statement, in a DSSE 1.0 envelope signed
// by the permit key: the same bytes for the same payload.
func (k *Keys) SignEnvelope(payload []byte) ([]byte, error) {
	// What DSSE signs: type and payload, each after its length in bytes.
	message := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
	sig, err := k.permit.signer.Sign(message)
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
	}{payloadType, payload, []signature{{k.KeyID(Permit), sig}}})
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
	return "keys of " + k.journal.signer.Name() + " (journal " + k.KeyID(Journal) + ", permit " + k.KeyID(Permit) + ")"
}

// GoString is String, so that no verb prints a secret.
func (k *Keys) GoString() string { return k.String() }

// Format is String for every verb, so that no verb prints a secret.
func (k *Keys) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }
