// Package dsse reads Dead Simple Signing Envelopes (DSSE 1.0) and says which of
// some public keys have signed one.
//
// It leaves to its callers what a payload means, whose the keys are and how many
// of them must have signed. Its invariants: signatures are verified over the
// payload's bytes as they were sent, before anybody reads them; a key id is a
// text that anybody may write, so no answer rests on one; a key counts once,
// however often it is named and however often it signed.
//
// The protocol's own Go library is not used: it passes over a key whose id is
// not the one that the envelope states, and counts ids rather than keys.
package dsse

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
)

// Bounds on an envelope.
const (
	MaxEnvelope   = 512 << 10 // bytes of JSON
	MaxSignatures = 8
	maxSignature  = 1 << 10 // bytes: that of an RSA key of 8,192 bits
	maxText       = 300     // bytes of a payload type or key id
)

// Envelope is a payload of a type, and who says that he signed it.
type Envelope struct {
	PayloadType string
	Payload     []byte // as sent
	Signatures  []Signature
}

// Signature is one signature of an envelope. KeyID is whatever the sender wrote.
type Signature struct {
	KeyID string
	Bytes []byte
}

// PAE is the bytes that a signature covers: type and payload, each after its length.
func PAE(payloadType string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// Read reads an envelope. Members that it does not know are passed over, as the
// protocol asks; one that is there twice, or in other case, is refused.
func Read(b []byte) (Envelope, error) {
	var e Envelope
	if len(b) > MaxEnvelope {
		return e, fault.New(fault.TooLarge, "dsse.too-large", fmt.Sprintf("the envelope is longer than %d bytes", MaxEnvelope))
	}
	var members map[string]any
	if err := strict.DecodeOpen(b, &members); err != nil {
		return e, err
	}
	if err := strict.Spelled(members, "", "payload", "payloadType", "signatures"); err != nil {
		return e, err
	}
	payload, typed := members["payload"].(string)
	if !typed {
		return e, malformed("the envelope has no payload", "/payload")
	}
	var err error
	if e.Payload, err = decode64(payload); err != nil {
		return e, malformed("the payload is not base64", "/payload").Because(err.Error())
	}
	if e.PayloadType, typed = members["payloadType"].(string); !typed || e.PayloadType == "" || len(e.PayloadType) > maxText {
		return e, malformed("the envelope does not say the type of its payload", "/payloadType")
	}
	list, typed := members["signatures"].([]any)
	if !typed || len(list) == 0 {
		return e, malformed("the envelope has no signature", "/signatures").Because("what nobody signed is nobody's word")
	}
	if len(list) > MaxSignatures {
		return e, fault.New(fault.TooLarge, "dsse.too-many", fmt.Sprintf("the envelope has more than %d signatures", MaxSignatures)).On("/signatures")
	}
	for i, one := range list {
		s, err := signature(one, fmt.Sprintf("/signatures/%d", i))
		if err != nil {
			return e, err
		}
		e.Signatures = append(e.Signatures, s)
	}
	return e, nil
}

func signature(v any, at string) (Signature, error) {
	var s Signature
	members, is := v.(map[string]any)
	if !is {
		return s, malformed("a signature is not an object", at)
	}
	if err := strict.Spelled(members, at, "sig", "keyid"); err != nil {
		return s, err
	}
	text, typed := members["sig"].(string)
	if !typed {
		return s, malformed("a signature has no bytes", at+"/sig")
	}
	var err error
	if s.Bytes, err = decode64(text); err != nil {
		return s, malformed("a signature is not base64", at+"/sig").Because(err.Error())
	}
	if len(s.Bytes) == 0 || len(s.Bytes) > maxSignature {
		return s, malformed("a signature has no bytes, or more than any key makes", at+"/sig")
	}
	switch id := members["keyid"].(type) {
	case nil: // the same as empty
	case string:
		if s.KeyID = id; len(id) > maxText {
			return s, malformed("a key id is too long", at+"/keyid")
		}
	default:
		return s, malformed("a key id is not a text", at+"/keyid")
	}
	return s, nil
}

func malformed(what, field string) *fault.Error {
	return fault.New(fault.Invalid, "dsse.malformed", what).On(field)
}

// decode64 reads either alphabet of base64 (RFC 4648, 4 and 5), padded, without
// line ends and with no bit to spare, so that a text has one reading.
func decode64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("it has line ends")
	}
	encoding := base64.StdEncoding
	if strings.ContainsAny(text, "-_") {
		encoding = base64.URLEncoding
	}
	b, err := encoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("it is neither of the two alphabets, padded: %w", err)
	}
	return b, nil
}
