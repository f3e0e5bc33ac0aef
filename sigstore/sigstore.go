// Package sigstore says what a Sigstore bundle proves under a trust root.
//
// It is a module of its own, so that what it stands on (more than seventy modules,
// gRPC and a client of TUF among them) is neither in the product's module graph nor
// in its binary: whoever verifies by keys needs none of it. It leaves to others whose
// word is believed (the policy names identities) and what the payload means.
//
// Invariant: nothing is fetched, and the clock is not asked. A bundle proves the same
// under the same root today and in ten years.
package sigstore

import (
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"signalbox.dev/signalbox/internal/evidence/attestation"
)

// Verify holds a bundle against a trust root, both as JSON: its certificate against
// the authorities, with the proof that a certificate log knows it where the root
// names such logs; its signature and the instant of it against the transparency log
// and, where there is one, the time stamp.
func Verify(bundled, trusted []byte) (c attestation.Certified) {
	defer func() { // bytes of anybody go through many libraries here
		if p := recover(); p != nil {
			c = attestation.Certified{Why: fmt.Sprintf("the Sigstore bundle cannot be verified: %v", p)}
		}
	}()
	c, err := certified(bundled, trusted)
	if err != nil {
		return attestation.Certified{Why: "the Sigstore bundle does not hold under the trust root: " + err.Error()}
	}
	return c
}

func certified(bundled, trusted []byte) (attestation.Certified, error) {
	var none attestation.Certified
	material, err := root.NewTrustedRootFromJSON(trusted)
	if err != nil {
		return none, fmt.Errorf("read the trust root: %w", err)
	}
	var b bundle.Bundle
	if err := b.UnmarshalJSON(bundled); err != nil {
		return none, fmt.Errorf("read the bundle: %w", err)
	}
	options := []verify.VerifierOption{verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1)}
	if len(material.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	verifier, err := verify.NewVerifier(material, options...)
	if err != nil {
		return none, err
	}
	// Artifact and identity are weighed by the product, of what is returned here.
	if _, err := verifier.Verify(&b, verify.NewPolicy(verify.WithoutArtifactUnsafe(), verify.WithoutIdentitiesUnsafe())); err != nil {
		return none, err
	}
	return signed(&b)
}

// signed is the payload as the library has verified it, and the identity in the
// certificate.
func signed(b *bundle.Bundle) (attestation.Certified, error) {
	var none attestation.Certified
	content, err := b.VerificationContent()
	if err != nil {
		return none, err
	}
	leaf := content.Certificate()
	if leaf == nil {
		return none, errors.New("it was signed by a key, and not under a certificate")
	}
	envelope, err := b.Envelope()
	if err != nil {
		return none, err
	}
	payload, err := envelope.RawEnvelope().DecodeB64Payload()
	if err != nil {
		return none, err
	}
	return identified(leaf, envelope.RawEnvelope().PayloadType, payload)
}

func identified(leaf *x509.Certificate, payloadType string, payload []byte) (attestation.Certified, error) {
	summary, err := certificate.SummarizeCertificate(leaf)
	if err != nil {
		return attestation.Certified{}, fmt.Errorf("read the certificate: %w", err)
	}
	return attestation.Certified{PayloadType: payloadType, Payload: payload, Issuer: summary.Issuer, Subject: summary.SubjectAlternativeName}, nil
}
