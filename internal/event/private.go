package event

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"signalbox.dev/signalbox/internal/strict"
)

// Private is one field of a fact's private part. While it stands, Salt (32
// random bytes) and Value are present; after disposal only Digest is. The leaf
// covers the digest, so a proof holds either way and a name cannot be guessed
// from what remains.
type Private struct {
	Name   string `json:"name"`
	Salt   string `json:"salt,omitempty"`   // base64, 32 bytes
	Value  string `json:"value,omitempty"`  // the datum
	Digest string `json:"digest,omitempty"` // base64 of SHA-256(salt || value), only after disposal
}

// sum is what the leaf covers: SHA-256 over salt and value, or what was kept of it.
func (p Private) sum() ([]byte, error) {
	if p.Digest != "" {
		if p.Salt != "" || p.Value != "" {
			return nil, fmt.Errorf("private field %q is both present and disposed of", p.Name)
		}
		return decode32(p.Name, p.Digest)
	}
	salt, err := decode32(p.Name, p.Salt)
	if err != nil {
		return nil, err
	}
	d := sha256.Sum256(append(salt, p.Value...))
	return d[:], nil
}

func decode32(name, s string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != 32 {
		return nil, fmt.Errorf("private field %q has no salt or digest of 32 bytes", name)
	}
	return b, nil
}

// EncodePrivate is the private part of fields, sorted by name, each with a
// fresh salt from random (crypto/rand.Reader outside tests).
func EncodePrivate(fields map[string]string, random io.Reader) ([]byte, error) {
	list := make([]Private, 0, len(fields))
	for name, value := range fields {
		salt := make([]byte, 32)
		if _, err := io.ReadFull(random, salt); err != nil {
			return nil, fmt.Errorf("salt: %w", err)
		}
		list = append(list, Private{Name: name, Salt: base64.StdEncoding.EncodeToString(salt), Value: value})
	}
	slices.SortFunc(list, func(a, b Private) int { return compare(a.Name, b.Name) })
	return json.Marshal(list)
}

// DecodePrivate reads what EncodePrivate or Dispose wrote, and nothing else: the
// leaf covers names and sums, not how they are spelled around.
func DecodePrivate(b []byte) ([]Private, error) {
	var list []Private
	if err := strict.Decode(b, &list); err != nil {
		return nil, err
	}
	return list, nil
}

// Disposed is the body of FieldsDisposed: the facts whose private fields went.
type Disposed struct {
	Positions []uint64 `json:"positions"`
}

// Dispose replaces every private field by its digest: the leaf stays the same.
func Dispose(b []byte) ([]byte, error) {
	list, err := DecodePrivate(b)
	if err != nil {
		return nil, err
	}
	for i, p := range list {
		sum, err := p.sum()
		if err != nil {
			return nil, err
		}
		list[i] = Private{Name: p.Name, Digest: base64.StdEncoding.EncodeToString(sum)}
	}
	return json.Marshal(list)
}

// Leaf is the record that the Merkle tree hashes (RFC 6962 adds its own 0x00):
//
//	"signalbox fact v1\n"
//	SHA-256(header) SHA-256(body)
//	for each private field by name: uint32 length of name, name, SHA-256(salt || value)
//
// All lengths are big endian. Nothing is encoded again: header and body are
// hashed as stored.
func Leaf(header, body, private []byte) ([]byte, error) {
	list, err := DecodePrivate(private)
	if err != nil {
		return nil, err
	}
	h, b := sha256.Sum256(header), sha256.Sum256(body)
	leaf := append([]byte("signalbox fact v1\n"), h[:]...)
	leaf = append(leaf, b[:]...)
	for i, p := range list {
		if i > 0 && list[i-1].Name >= p.Name {
			return nil, fmt.Errorf("private fields %q and %q are not in order", list[i-1].Name, p.Name)
		}
		sum, err := p.sum()
		if err != nil {
			return nil, err
		}
		leaf = binary.BigEndian.AppendUint32(leaf, uint32(len(p.Name)))
		leaf = append(leaf, p.Name...)
		leaf = append(leaf, sum...)
	}
	return leaf, nil
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
