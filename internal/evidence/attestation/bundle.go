package attestation

import (
	"cmp"
	"fmt"
	"slices"

	"signalbox.dev/signalbox/internal/dsse"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
)

// BundleFormat names Sigstore bundles, of which one version is read.
const (
	BundleFormat  = "sigstore"
	bundleVersion = "0.3"
)

// Bundled reports whether a document is a Sigstore bundle, of whatever version.
func Bundled(b []byte) bool {
	top, err := evidence.TopOf(b)
	return err == nil && isBundle(top)
}

// ReadBundle makes a claim of a Sigstore bundle. It verifies nothing, no more than
// Read does.
func ReadBundle(b []byte) (evidence.Claim, error) {
	if len(b) > dsse.MaxEnvelope {
		return evidence.Claim{}, evidence.TooLarge("evidence.too-large", "the bundle is longer than %d bytes", dsse.MaxEnvelope)
	}
	var members map[string]any
	if err := strict.DecodeOpen(b, &members); err != nil {
		return evidence.Claim{}, err
	}
	if err := strict.Spelled(members, "", "mediaType", "dsseEnvelope", "verificationMaterial"); err != nil {
		return evidence.Claim{}, err
	}
	if kind, _ := members["mediaType"].(string); kind != bundles+".v"+bundleVersion+"+json" {
		return evidence.Claim{}, fault.Invalidf("evidence.sigstore", "the Sigstore bundle is of the type %q", evidence.Cut(kind, 100)).
			Because("only version " + bundleVersion + " is read").Remedy("sign anew with a client of these days").On("/mediaType")
	}
	inner, is := members["dsseEnvelope"].(map[string]any)
	if !is {
		return evidence.Claim{}, fault.Invalidf("evidence.sigstore", "the Sigstore bundle signs a file and no statement").
			Because("that somebody signed the artifact says nothing of how it was built").Remedy("send the bundle of an attestation").On("/dsseEnvelope")
	}
	again, err := strict.Canonical(inner)
	if err != nil {
		return evidence.Claim{}, err
	}
	e, err := dsse.Read(again)
	if err != nil {
		return evidence.Claim{}, err
	}
	s, err := parse(e)
	if err != nil {
		return evidence.Claim{}, err
	}
	return evidence.Claim{
		Kind: evidence.AttestationKind, Format: BundleFormat, Version: bundleVersion, Generated: s.Finished,
		Tool: evidence.Tool{Name: evidence.Cut(cmp.Or(s.Builder, s.PredicateType), evidence.MaxWord)}, Attestation: &s.Attestation,
	}, nil
}

// Certified is what a Sigstore bundle proves under a trust root: that the holder of
// a certificate signed a payload while it held, as a log or time stamp shows.
type Certified struct {
	PayloadType string
	Payload     []byte
	Issuer      string // of the identity in the certificate, such as https://token.actions.githubusercontent.com
	Subject     string // the identity: a URI or e-mail address
	Why         string // nothing is proven, and why; "" where it is
}

// Identity is a subject that an attestor signs as, and who vouches for it.
type Identity struct {
	Issuer  string
	Subject string // or the beginning of one that ends in *
}

// WeighCertified is Weigh for a Sigstore bundle.
func (a Attestor) WeighCertified(c Certified, artifact string) (Word, string) {
	switch {
	case c.Why != "":
		return Word{}, c.Why
	case !slices.ContainsFunc(a.Identities, func(i Identity) bool { return i.Issuer == c.Issuer && c.Issuer != "" && fits(i.Subject, c.Subject) }):
		return Word{}, fmt.Sprintf("it was signed as %q, for whom %q vouches", evidence.Cut(c.Subject, 200), evidence.Cut(c.Issuer, 200))
	}
	return a.says(dsse.Envelope{PayloadType: c.PayloadType, Payload: c.Payload}, artifact, []string{c.Subject})
}
