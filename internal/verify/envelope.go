package verify

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
)

// PayloadType is the only type of payload in an envelope that is read.
const PayloadType = "application/vnd.in-toto+json"

const (
	maxEnvelope   = 64 << 10
	maxSignatures = 8
)

// DSSE is an envelope of the Dead Simple Signing Envelope protocol 1.0.
type DSSE struct {
	PayloadType string          `json:"payloadType"`
	Payload     string          `json:"payload"` // base64
	Signatures  []DSSESignature `json:"signatures"`
}

// DSSESignature is one signature of an envelope. KeyID is a hint that nothing rests on.
type DSSESignature struct {
	KeyID string `json:"keyid,omitempty"`
	Sig   string `json:"sig"` // base64
}

// PAE is the bytes that a DSSE signature covers: type and payload, each after its length.
func PAE(payloadType string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// Envelope reads a DSSE envelope of at most 64 KiB and returns its payload and
// the id of the first key of that purpose that has signed it. The payload type
// must be PayloadType; Ed25519 is the only algorithm. The envelope is read
// here rather than by the protocol's Go library because that accepts two
// base64 alphabets and unknown members, and so several spellings of one envelope.
func Envelope(b []byte, purpose Purpose, keys Keys) (payload []byte, keyID string, err error) {
	trusted, err := keys.Trusted(purpose)
	if err != nil {
		return nil, "", err
	}
	if len(b) > maxEnvelope {
		return nil, "", fault.New(fault.TooLarge, "envelope.too-large", fmt.Sprintf("the envelope is longer than %d bytes", maxEnvelope))
	}
	payload, signatures, err := openEnvelope(b)
	if err != nil {
		return nil, "", unverified("envelope.malformed", "the envelope cannot be read").Because(err.Error()).Cause(err)
	}
	message := PAE(PayloadType, payload)
	for _, key := range trusted {
		for _, signature := range signatures {
			if ed25519.Verify(key.Public, message, signature) {
				return payload, key.ID, nil
			}
		}
	}
	return nil, "", unverified("envelope.signature", "no trusted key of the purpose %s has signed the envelope", purpose).
		Remedy("check that the public keys are those of the server that issued it")
}

func openEnvelope(b []byte) (payload []byte, signatures [][]byte, err error) {
	var e DSSE
	if err := strict.Decode(b, &e); err != nil {
		return nil, nil, err
	}
	if e.PayloadType != PayloadType {
		return nil, nil, fmt.Errorf("the payload type is %.80q, not %s", e.PayloadType, PayloadType)
	}
	if len(e.Signatures) == 0 || len(e.Signatures) > maxSignatures {
		return nil, nil, fmt.Errorf("there are %d signatures, not 1 to %d", len(e.Signatures), maxSignatures)
	}
	if payload, err = decode64(e.Payload); err != nil {
		return nil, nil, fmt.Errorf("the payload is not base64: %w", err)
	}
	for _, s := range e.Signatures {
		sig, err := decode64(s.Sig)
		if err != nil || len(sig) != ed25519.SignatureSize {
			return nil, nil, errors.New("a signature is not base64 of 64 bytes")
		}
		signatures = append(signatures, sig)
	}
	return payload, signatures, nil
}

// decode64 accepts the one spelling of b; the standard decoder passes over line ends.
func decode64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("it has line ends")
	}
	return base64.StdEncoding.Strict().DecodeString(text)
}
