package strict

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// Canonical is v as JSON in its one canonical form (RFC 8785), of which digests
// are taken. Integers beyond 2^53 would lose digits: they belong into strings.
func Canonical(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode canonically: %w", err)
	}
	text := jsontext.Value(b)
	if err := text.Canonicalize(); err != nil {
		return nil, fmt.Errorf("encode canonically: %w", err)
	}
	return text, nil
}

// Sum is the digest of bytes as it is written: "sha256:" and 64 hexadecimal digits.
func Sum(b []byte) string {
	d := sha256.Sum256(b)
	var text [len("sha256:") + 2*sha256.Size]byte
	hex.Encode(text[copy(text[:], "sha256:"):], d[:])
	return string(text[:])
}
