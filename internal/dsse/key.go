package dsse

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/fault"
)

// Scheme is how a key signs. A signature does not say it: whoever names the key does.
type Scheme string

// The schemes. ECDSA signatures are in ASN.1; PSS takes a salt of any length.
const (
	Ed25519     Scheme = "ed25519"
	ECDSASHA256 Scheme = "ecdsa-sha256"
	ECDSASHA384 Scheme = "ecdsa-sha384"
	PSSSHA256   Scheme = "rsa-pss-sha256"
	PSSSHA512   Scheme = "rsa-pss-sha512"
	PKCS1SHA256 Scheme = "rsa-pkcs1v15-sha256"
	PKCS1SHA512 Scheme = "rsa-pkcs1v15-sha512"
)

// Bounds on a key.
const (
	maxKey       = 8 << 10 // bytes of its text
	leastRSABits = 2048
	mostRSABits  = 8192
)

// Schemes are all of them.
func Schemes() []Scheme {
	return []Scheme{Ed25519, ECDSASHA256, ECDSASHA384, PSSSHA256, PSSSHA512, PKCS1SHA256, PKCS1SHA512}
}

// Key is a public key and how it signs.
type Key struct {
	Scheme      Scheme
	Fingerprint string // "sha256:…" of the key in PKIX DER (RFC 5280): what the key is, whatever it is called
	public      crypto.PublicKey
}

// ParseKey reads a public key: PEM (PUBLIC KEY, RSA PUBLIC KEY), the base64 of
// its PKIX DER, or an Ed25519 key's 32 bytes in base64 or hexadecimal. The scheme
// may be "" where the key leaves no choice: only with RSA it must be said.
func ParseKey(text string, scheme Scheme) (Key, error) {
	if len(text) > maxKey {
		return Key{}, fault.New(fault.TooLarge, "dsse.key", fmt.Sprintf("the key is longer than %d bytes", maxKey))
	}
	public, err := publicKey(strings.TrimSpace(text))
	if err != nil {
		return Key{}, err
	}
	able, err := schemesOf(public)
	if err != nil {
		return Key{}, err
	}
	switch {
	case scheme == "" && able[0] == PSSSHA256:
		return Key{}, badKey("an RSA key does not say how it signs").Remedy("name its scheme: one of " + join(able))
	case scheme == "":
		scheme = able[0]
	case !slices.Contains(able, scheme):
		return Key{}, badKey(fmt.Sprintf("the key cannot sign by %.40q", string(scheme))).Remedy("one of " + join(able))
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return Key{}, badKey("the key cannot be written in its common form").Cause(err)
	}
	sum := sha256.Sum256(der)
	return Key{Scheme: scheme, Fingerprint: "sha256:" + hex.EncodeToString(sum[:]), public: public}, nil
}

// ParseKeys is ParseKey where nothing says the scheme: the key by each scheme
// that it could sign by. All have one fingerprint, so they count as one key.
func ParseKeys(text string) ([]Key, error) {
	one, err := ParseKey(text, "")
	if err == nil {
		return []Key{one}, nil
	}
	var all []Key
	for _, s := range Schemes() {
		if k, err := ParseKey(text, s); err == nil {
			all = append(all, k)
		}
	}
	if len(all) == 0 {
		return nil, err
	}
	return all, nil
}

func publicKey(text string) (crypto.PublicKey, error) {
	if text == "" {
		return nil, badKey("there is no key")
	}
	if strings.HasPrefix(text, "-----BEGIN") {
		return fromPEM(text)
	}
	if raw, err := hex.DecodeString(text); err == nil && len(raw) == ed25519.PublicKeySize {
		return ed25519.PublicKey(raw), nil
	}
	raw, err := decode64(text)
	if err != nil {
		return nil, badKey("the key is neither PEM nor base64").Remedy("write it in PEM: -----BEGIN PUBLIC KEY-----")
	}
	if len(raw) == ed25519.PublicKeySize {
		return ed25519.PublicKey(raw), nil
	}
	return fromDER(raw)
}

func fromPEM(text string) (crypto.PublicKey, error) {
	block, rest := pem.Decode([]byte(text))
	switch {
	case block == nil:
		return nil, badKey("the key's PEM is broken").Remedy("copy it whole, with its first and last line")
	case len(strings.TrimSpace(string(rest))) > 0:
		return nil, badKey("something follows the key").Remedy("give one key")
	case strings.Contains(block.Type, "PRIVATE KEY"):
		return nil, badKey("this is a private key").Because("whoever reads it can sign").Remedy("replace it everywhere, and give the public half of the new one")
	case block.Type == "CERTIFICATE":
		return nil, badKey("this is a certificate").Because("its dates and issuer would not be heeded").Remedy("give its public key: openssl x509 -pubkey -noout")
	case block.Type == "RSA PUBLIC KEY":
		key, err := x509.ParsePKCS1PublicKey(block.Bytes)
		if err != nil {
			return nil, badKey("the key cannot be read").Cause(err)
		}
		return key, nil
	case block.Type != "PUBLIC KEY":
		return nil, badKey(fmt.Sprintf("%.40q is no public key", block.Type)).Remedy("give -----BEGIN PUBLIC KEY-----")
	}
	return fromDER(block.Bytes)
}

func fromDER(der []byte) (crypto.PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, badKey("the key cannot be read").Because("it is no public key in the form of RFC 5280").Cause(err)
	}
	return key, nil
}

// schemesOf are those that a key can sign by, the usual one first.
func schemesOf(public crypto.PublicKey) ([]Scheme, error) {
	switch k := public.(type) {
	case ed25519.PublicKey:
		return []Scheme{Ed25519}, nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return []Scheme{ECDSASHA256}, nil
		case elliptic.P384():
			return []Scheme{ECDSASHA384, ECDSASHA256}, nil
		}
		return nil, badKey("the key is on the curve " + k.Curve.Params().Name).Remedy("use P-256, P-384, Ed25519 or RSA")
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < leastRSABits || n > mostRSABits {
			return nil, badKey(fmt.Sprintf("the RSA key has %d bits", n)).Because(fmt.Sprintf("%d to %d are taken", leastRSABits, mostRSABits))
		}
		return []Scheme{PSSSHA256, PSSSHA512, PKCS1SHA256, PKCS1SHA512}, nil
	}
	return nil, badKey("the key is of a kind that is not verified").Remedy("use Ed25519, ECDSA on P-256 or P-384, or RSA")
}

func badKey(what string) *fault.Error { return fault.New(fault.Invalid, "dsse.key", what) }

func join(list []Scheme) string {
	var words []string
	for _, s := range list {
		words = append(words, string(s))
	}
	return strings.Join(words, ", ")
}
