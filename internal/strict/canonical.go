package strict

import (
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
