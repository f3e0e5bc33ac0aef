package seal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strings"

	"signalbox.dev/signalbox/internal/fault"
)

const (
	tokenMark  = "sbx"
	tokenBytes = 32
)

// NewToken is a fresh secret of 256 random bits,
// sbx_<prefix>_<base32>_<CRC-32>, and the hash under which it is kept. prefix
// says what the token is for, in lower-case letters. The checksum lets a
// scanner of source code tell a leaked token from noise, and a mistyped one be
// refused without a look-up.
func NewToken(prefix string) (secret, hash string) {
	var random [tokenBytes]byte
	_, _ = rand.Read(random[:]) // never fails: see crypto/rand
	body := tokenMark + "_" + prefix + "_" + lower32().EncodeToString(random[:])
	secret = body + "_" + checksum(body)
	return secret, digest(secret)
}

// HashToken is the hash of a token that NewToken could have made; anything
// else is Unauthorised. Tokens are found by this hash, never compared, so that
// no answer's time tells how much of one was right. SHA-256 without a salt is
// enough for 256 random bits.
func HashToken(secret string) (string, error) {
	if !wellFormed(secret) {
		return "", fault.New(fault.Unauthorised, "token.malformed", "this is not a token of Signalbox").
			Remedy("copy the whole token, from " + tokenMark + "_ to the end")
	}
	return digest(secret), nil
}

func wellFormed(secret string) bool {
	parts := strings.Split(secret, "_")
	if len(secret) > 128 || len(parts) != 4 || parts[0] != tokenMark || parts[1] == "" {
		return false
	}
	if strings.Trim(parts[1], "abcdefghijklmnopqrstuvwxyz") != "" {
		return false
	}
	random, err := lower32().DecodeString(parts[2])
	if err != nil || len(random) != tokenBytes || lower32().EncodeToString(random) != parts[2] {
		return false
	}
	return checksum(strings.Join(parts[:3], "_")) == parts[3]
}

func lower32() *base32.Encoding {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
}

func checksum(body string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body))) }

func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
