package witness

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// cosignType is the type of an Ed25519 key that cosigns.
const cosignType = 0x04

// key is the witness's signing key.
type key struct {
	name   string
	secret ed25519.PrivateKey
}

// newKey is a fresh key as the one line of its file: a secret of C2SP
// signed-note, which other witnesses read too.
func newKey(name string) (string, error) {
	secret, _, err := note.GenerateKey(rand.Reader, name)
	if err == nil {
		_, err = note.NewSigner(secret) // refuses a bad name, which GenerateKey lets pass
	}
	return secret, err
}

// parseKey reads PRIVATE+KEY+name+hash+base64. Its error never says what the text is.
func parseKey(text string) (key, error) {
	bad := errors.New("it is not one line as this program writes it")
	signer, err := note.NewSigner(text)
	if err != nil {
		return key{}, bad
	}
	parts := strings.SplitN(text, "+", 5)
	seed, err := base64.StdEncoding.Strict().DecodeString(parts[len(parts)-1])
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return key{}, bad
	}
	return key{signer.Name(), ed25519.NewKeyFromSeed(seed[1:])}, nil
}

func (k key) material() []byte {
	return append([]byte{cosignType}, k.secret.Public().(ed25519.PublicKey)...)
}

func (k key) hash() []byte {
	id := sha256.Sum256(append([]byte(k.name+"\n"), k.material()...))
	return id[:4]
}

// public is name+hash+base64 of the key's type and public half.
func (k key) public() string {
	return fmt.Sprintf("%s+%x+%s", k.name, k.hash(), base64.StdEncoding.EncodeToString(k.material()))
}

// cosign is the signature line over a checkpoint's text, at an instant in seconds.
func (k key) cosign(text string, at uint64) string {
	b := binary.BigEndian.AppendUint64(k.hash(), at)
	b = append(b, ed25519.Sign(k.secret, cosigned(at, text))...)
	return fmt.Sprintf("— %s %s\n", k.name, base64.StdEncoding.EncodeToString(b))
}
