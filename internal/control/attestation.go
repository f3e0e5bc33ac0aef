package control

import (
	"context"
	"fmt"
	"slices"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/report"
)

// readReport makes a claim of a report of a format that this build reads.
func (c *Control) readReport(b []byte) (evidence.Claim, error) {
	return report.Reader{Bundles: c.Bundles != nil}.Read(b)
}

// signed is what attestors weigh the attestations about an artifact by.
func (c *Control) signed(ctx context.Context, a evidence.Artifact, attestors []policy.Attestor) (release.Signed, error) {
	if len(attestors) == 0 {
		return release.Signed{}, nil
	}
	envelopes, err := c.envelopes(ctx, a)
	return release.Certify(a, envelopes, attestors, c.Bundles), err
}

// envelopes are those of the attestations that stand, by the file that each claim
// was read from. They are read out of the vault, which proves them by the digest in
// the fact, and verified anew for every decision: an Ed25519 signature covers the
// message and no digest of it, and a verdict kept from when an envelope came would
// outlive the keys that it rested on. They do not lie in the journal, where nothing
// can be disposed of that is not a private field: builders write into provenance
// who pushed. One that is gone or has rotten is left out, and nothing is then known.
func (c *Control) envelopes(ctx context.Context, a evidence.Artifact) (map[string][]byte, error) {
	all := map[string][]byte{}
	for _, claim := range a.Claims {
		if claim.Claim.Attestation == nil {
			continue
		}
		b, err := c.original(ctx, claim.File)
		if k := fault.KindOf(err); k == fault.NotFound || k == fault.Unverified {
			continue
		}
		if err == nil {
			b, err = report.Unpacked(b)
		}
		if err != nil {
			return nil, fmt.Errorf("envelope %s: %w", claim.File, err)
		}
		all[claim.File] = b
	}
	return all, nil
}

// Attested is whose word the attestations about an artifact are under the policy in
// force. It is told for people; a decision asks anew.
func (c *Control) Attested(ctx context.Context, a evidence.Artifact) (release.Attested, error) {
	if !slices.ContainsFunc(a.Claims, func(x evidence.Added) bool { return x.Claim.Attestation != nil }) {
		return release.Attest(a, release.Signed{}, nil), nil
	}
	return view(ctx, c, func(l *Load) (release.Attested, error) {
		program, _, err := c.active(l)
		if err != nil || program == nil {
			return release.Attest(a, release.Signed{}, nil), err
		}
		signed, err := c.signed(ctx, a, program.Attestors())
		return release.Attest(a, signed, program.Attestors()), err
	})
}
