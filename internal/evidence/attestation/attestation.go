// Package attestation reads in-toto statements in DSSE envelopes, SLSA provenance
// (0.2 and 1) and verification summaries (1) among them, and says whose word one
// is.
//
// It leaves to others who is asked (policy names attestors and their keys) and
// what the word suffices for. Its invariant: an Attestor's word is only what its
// keys signed. Signatures are verified over the bytes as they were sent; then,
// and not before, are those bytes read for a decision.
package attestation

import (
	"bytes"
	"cmp"
	"errors"
	"strings"

	"signalbox.dev/signalbox/internal/dsse"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
)

// Format names what is read here.
const Format = "in-toto"

// PayloadType is the one type of payload that is a statement.
const PayloadType = "application/vnd.in-toto+json"

// The types of predicate whose content is read; of others only the subjects are.
const (
	ProvenanceV02 = "https://slsa.dev/provenance/v0.2"
	ProvenanceV1  = "https://slsa.dev/provenance/v1"
	SummaryV1     = "https://slsa.dev/verification_summary/v1"
)

// bundles begins the media types of Sigstore bundles.
const bundles = "application/vnd.dev.sigstore.bundle"

// Recognise reports whether a document opens as an envelope, or as what is often
// sent in place of one.
func Recognise(t evidence.Top) bool {
	return t.Has("payload", "payloadType") || t.Has("payloadType", "signatures") || isBundle(t) || isBare(t)
}

func isBundle(t evidence.Top) bool { return strings.HasPrefix(t.Text("mediaType"), bundles) }

func isBare(t evidence.Top) bool { return t.Has("_type", "predicateType") }

// Read makes a claim of an envelope. It verifies nothing: the claim says what the
// statement says, whoever signed it.
func Read(b []byte) (evidence.Claim, error) {
	if err := instead(b); err != nil {
		return evidence.Claim{}, err
	}
	e, err := dsse.Read(b)
	if err != nil {
		return evidence.Claim{}, err
	}
	s, err := parse(e)
	if err != nil {
		return evidence.Claim{}, err
	}
	return evidence.Claim{
		Kind: evidence.AttestationKind, Format: Format, Version: s.version, Generated: s.Finished,
		Tool: evidence.Tool{Name: evidence.Cut(cmp.Or(s.Builder, s.PredicateType), evidence.MaxWord)}, Attestation: &s.Attestation,
	}, nil
}

// instead refuses, with a word of what to do, what is sent in place of an envelope.
func instead(b []byte) error {
	top, err := evidence.TopOf(b)
	switch {
	case err != nil:
		return err
	case isBundle(top):
		return fault.Invalidf("evidence.sigstore", "this is a Sigstore bundle, which this build does not read").
			Because("its key is worth nothing without a certificate, a log and a trust root to hold against each other").
			Remedy("use the build that reads them (make build-sigstore), or send an envelope signed by a key that the policy names")
	case isBare(top):
		return fault.Invalidf("evidence.unsigned", "this is a statement without an envelope").
			Because("what nobody signed is nobody's word").Remedy("sign it, and send the envelope")
	case several(b):
		return fault.Invalidf("evidence.several", "there are several documents, one a line").
			Because("each envelope is a claim of its own").Remedy("send each line as a file of its own")
	}
	return nil
}

// several reports whether more than one line holds an object.
func several(b []byte) bool {
	n := 0
	for line := range bytes.Lines(b) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if line[0] != '{' || line[len(line)-1] != '}' {
			return false
		}
		n++
	}
	return n > 1
}

// KeyText is a public key as it is written, in any form that dsse.ParseKey reads,
// and what to call it. How an RSA key signs need not be said: all ways are tried.
type KeyText struct{ Name, Text string }

// Signers are the names of those keys that have signed an envelope. None is an
// Unverified fault.
func Signers(envelope []byte, keys []KeyText) ([]string, error) {
	e, err := dsse.Read(envelope)
	if err != nil {
		return nil, err
	}
	var all []dsse.Key
	var names []string
	for _, k := range keys {
		parsed, err := dsse.ParseKeys(k.Text)
		if f, is := errors.AsType[*fault.Error](err); is {
			return nil, f.At(fault.Position{File: k.Name})
		}
		for _, p := range parsed {
			all, names = append(all, p), append(names, k.Name)
		}
	}
	var signers []string
	for _, i := range e.SignedBy(all) {
		signers = append(signers, names[i])
	}
	if len(signers) == 0 {
		return nil, fault.New(fault.Unverified, "evidence.signature", "none of the keys has signed the attestation").
			Because("so it may say what it likes").Remedy("check the keys with whoever signed it")
	}
	return signers, nil
}
