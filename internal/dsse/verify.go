package dsse

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
)

// message is what was signed, and its digests.
type message struct {
	text       []byte
	signatures []Signature
	sum256     [32]byte
	sum384     [48]byte
	sum512     [64]byte
	summed     bool
}

// SignedBy are the places in keys of those that have signed the envelope, each
// distinct key once, under the first of its places that holds. Every key is tried
// on every signature: no key id is read.
func (e Envelope) SignedBy(keys []Key) []int {
	m := message{text: PAE(e.PayloadType, e.Payload), signatures: e.Signatures}
	var places []int
	counted := map[string]bool{}
	for i, k := range keys {
		if !counted[k.Fingerprint] && m.signedBy(k) {
			counted[k.Fingerprint] = true
			places = append(places, i)
		}
	}
	return places
}

func (m *message) signedBy(k Key) bool {
	for _, s := range m.signatures {
		if m.holds(k, s.Bytes) {
			return true
		}
	}
	return false
}

// holds is false for a key that ParseKey did not make.
func (m *message) holds(k Key, signature []byte) bool {
	switch public := k.public.(type) {
	case ed25519.PublicKey:
		return k.Scheme == Ed25519 && len(signature) == ed25519.SignatureSize && ed25519.Verify(public, m.text, signature)
	case *ecdsa.PublicKey:
		_, sum := m.digest(k.Scheme)
		return sum != nil && ecdsa.VerifyASN1(public, sum, signature)
	case *rsa.PublicKey:
		hash, sum := m.digest(k.Scheme)
		if sum == nil || len(signature) != public.Size() {
			return false
		}
		if k.Scheme == PSSSHA256 || k.Scheme == PSSSHA512 {
			return rsa.VerifyPSS(public, hash, sum, signature, nil) == nil
		}
		return rsa.VerifyPKCS1v15(public, hash, sum, signature) == nil
	}
	return false
}

func (m *message) digest(s Scheme) (crypto.Hash, []byte) {
	if !m.summed {
		m.sum256, m.sum384, m.sum512, m.summed = sha256.Sum256(m.text), sha512.Sum384(m.text), sha512.Sum512(m.text), true
	}
	switch s {
	case ECDSASHA256, PSSSHA256, PKCS1SHA256:
		return crypto.SHA256, m.sum256[:]
	case ECDSASHA384:
		return crypto.SHA384, m.sum384[:]
	case PSSSHA512, PKCS1SHA512:
		return crypto.SHA512, m.sum512[:]
	}
	return 0, nil
}
