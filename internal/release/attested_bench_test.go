package release

import (
	"fmt"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/evidence/attestation"
)

// One attestation by one key, and as many of both as are taken.
func BenchmarkAttest(b *testing.B) {
	for _, c := range []struct{ attestations, signatures, keys int }{{1, 1, 1}, {3, 1, 4}, {evidence.MaxAttestations, 8, 64}} {
		b.Run(fmt.Sprintf("%d×%d×%d", c.attestations, c.signatures, c.keys), func(b *testing.B) {
			var keys, signers []string
			for i := range c.keys {
				keys = append(keys, fmt.Sprintf("{name: k%d, key: %s}", i, publicKey(fmt.Sprint("k", i))))
			}
			for i := range c.signatures {
				signers = append(signers, fmt.Sprint("stranger", i))
			}
			p := attesting(b, "keys: ["+strings.Join(keys, ", ")+"]\n", whole)
			a, signed := evidence.Artifact{Digest: digest}, Signed{Envelopes: map[string][]byte{}}
			for i := range c.attestations {
				e := sealed(b, provenance(fmt.Sprint(runner, i), source, head, digest), signers...)
				claim, err := attestation.Read(e)
				if err != nil {
					b.Fatal(err)
				}
				x := evidence.Added{ID: fmt.Sprint(i), Digest: digest, Claim: claim.Summary(), File: Sum(e)}
				a, signed.Envelopes[x.File] = a.With(x), e
			}
			for b.Loop() {
				if len(Attest(a, signed, p.Attestors()).Words) > 0 {
					b.Fatal("a stranger's word")
				}
			}
		})
	}
}
