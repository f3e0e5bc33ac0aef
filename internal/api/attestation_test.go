package api_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/dsse"
	"signalbox.dev/signalbox/internal/evidence/attestation"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/wire"
)

func signer(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// built is an envelope that says that the artifact was built from a commit.
func built(t *testing.T, artifact, commit string, by ...string) string {
	t.Helper()
	payload := fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"shop","digest":{"sha256":%q}}],"predicateType":"https://slsa.dev/provenance/v1","predicate":{"buildDefinition":{"buildType":"t","externalParameters":{"source":"https://example.com/shop"},"resolvedDependencies":[{"uri":"git+https://example.com/shop@refs/tags/v1.1.0","digest":{"gitCommit":%q}}]},"runDetails":{"builder":{"id":"https://example.com/builders/linux"}}}}`,
		strings.TrimPrefix(artifact, "sha256:"), commit)
	signatures := []map[string]string{}
	for _, name := range by {
		signatures = append(signatures, map[string]string{"sig": base64.StdEncoding.EncodeToString(ed25519.Sign(signer(name), dsse.PAE(attestation.PayloadType, payload)))})
	}
	b, err := json.Marshal(map[string]any{"payloadType": attestation.PayloadType, "payload": payload, "signatures": signatures})
	must(t, err)
	return string(b)
}

// attesting is the starter policy with an attestor of some keys, whose word about the head it asks for.
func attesting(threshold int, keys ...string) []wire.PolicyFile {
	var files []wire.PolicyFile
	for _, f := range policy.Starter() {
		data := string(f.Data)
		if f.Name == "tests.yaml" { // go is what this test is about, not those
			data = "apiVersion: signalbox/v1\nkind: TestCase\nname: nothing known\nat: 2027-03-01T09:00:00Z\nexpect: {verdict: cannot-tell, reasons: [built]}\n"
		}
		files = append(files, wire.PolicyFile{Name: f.Name, Data: data})
	}
	text := fmt.Sprintf("apiVersion: signalbox/v1\nkind: Attestor\nname: builder\nthreshold: %d\nslsa_level: 3\nkeys:\n", threshold)
	for _, k := range keys {
		text += fmt.Sprintf("  - {name: %s, key: %s}\n", k, base64.StdEncoding.EncodeToString(signer(k).Public().(ed25519.PublicKey)))
	}
	text += "---\napiVersion: signalbox/v1\nkind: Gate\nname: built\ntitle: Built\ncondition: >-\n  attestation.statements.exists(s, s.attestor == \"builder\" && s.source == \"https://example.com/shop\" && s.commit == change.head)\n"
	return append(files, wire.PolicyFile{Name: "attestor.yaml", Data: text})
}

func (h *house) activate(t *testing.T, files []wire.PolicyFile) {
	t.Helper()
	_, err := h.client(t, "manager").ActivatePolicy(t.Context(), wire.PolicyRequest{Files: files, Reason: "keys"})
	if err != nil && !strings.Contains(err.Error(), "in force") {
		t.Fatal(err)
	}
}

// reasonOf is what a gate says when the release is asked for.
func (h *house) reasonOf(t *testing.T, gateName string) wire.Reason {
	t.Helper()
	answer, err := h.client(t, "pipeline").Ask(t.Context(), gate())
	must(t, err)
	for _, r := range answer.Decision.Reasons {
		if r.Gate == gateName {
			return r
		}
	}
	t.Fatalf("no reason of %s in %+v", gateName, answer.Decision.Reasons)
	return wire.Reason{}
}

// An attestation is sent by whoever has it; whose word it is says the policy in
// force, now as later.
func TestAttestations(t *testing.T) {
	head := strings.Repeat("b", 40)
	each(t, func(t *testing.T, h *house) {
		ctx, ci := t.Context(), h.client(t, "pipeline")
		h.activate(t, attesting(1, "runner"))
		first, err := ci.Ask(ctx, gate())
		must(t, err)
		_, err = ci.AttachChange(ctx, first.Decision.Release, sent())
		must(t, err)
		if r := h.reasonOf(t, "built"); r.Verdict != wire.Indeterminate || !strings.Contains(r.Why, "No attestation stands") {
			t.Errorf("before any came: %+v", r)
		}
		target := wire.EvidenceTarget{Service: "shop", Version: "v1.1.0", Digest: digest}
		other := "sha256:" + strings.Repeat("00", 32)
		if _, err := ci.AddEvidence(ctx, target, strings.NewReader(built(t, other, head, "runner"))); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "something else") {
			t.Errorf("about another artifact: %v", err)
		}
		bundle := `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":{}}`
		if _, err := ci.AddEvidence(ctx, target, strings.NewReader(bundle)); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "Sigstore") {
			t.Errorf("a Sigstore bundle: %v", err)
		}

		strange, err := ci.AddEvidence(ctx, target, strings.NewReader(built(t, digest, head, "stranger")))
		must(t, err)
		if a := strange.Attestation; strange.Kind != "attestation" || a == nil || len(a.VerifiedBy) != 0 || !strings.Contains(a.NotVerified, "0 of its keys signed") || a.Commit != head {
			t.Errorf("a stranger's: %+v", strange)
		}
		if r := h.reasonOf(t, "built"); r.Verdict != wire.Indeterminate || !strings.Contains(r.Why, "nobody's word") {
			t.Errorf("a stranger's: %+v", r)
		}

		right, err := ci.AddEvidence(ctx, target, strings.NewReader(built(t, digest, head, "runner")))
		must(t, err)
		if a := right.Attestation; a == nil || len(a.VerifiedBy) != 1 || a.VerifiedBy[0].Name != "builder" || a.VerifiedBy[0].Keys[0] != "runner" || a.VerifiedBy[0].SLSALevel != 3 || a.Subjects != 1 || a.NotVerified != "" {
			t.Errorf("the builder's: %+v", a)
		}
		if r := h.reasonOf(t, "built"); r.Verdict != wire.Go {
			t.Errorf("the builder's: %+v", r)
		}
		listed, err := ci.Evidence(ctx, digest)
		must(t, err)
		if len(listed.Claims) != 1 || len(listed.Claims[0].Attestation.VerifiedBy) != 1 {
			t.Errorf("the newer did not take the place of the older: %+v", listed.Claims)
		}
		shown, err := ci.ShowClaim(ctx, digest, right.ID)
		if err != nil || shown.Attestation == nil || shown.Attestation.Source != "https://example.com/shop" || len(shown.Attestation.VerifiedBy) != 1 {
			t.Errorf("%+v %v", shown, err)
		}
		h.keysChange(t)
	})
}

// keysChange puts other keys in force, and takes them back; history is weighed under either.
func (h *house) keysChange(t *testing.T) {
	ctx, ci, manager := t.Context(), h.client(t, "pipeline"), h.client(t, "manager")
	answer, err := ci.Ask(ctx, gate())
	must(t, err)
	if got := answer.Decision.Believed.Attestors; len(got) != 1 || got[0] != "builder" {
		t.Errorf("attested by %v", got)
	}
	for what, c := range map[string]struct {
		files []wire.PolicyFile
		goes  bool
	}{
		"the key": {attesting(1, "runner"), true}, "another": {attesting(1, "stranger"), false}, "one of two": {attesting(1, "stranger", "runner"), true},
		"two of two": {attesting(2, "stranger", "runner"), false},
	} {
		h.activate(t, c.files)
		if r := h.reasonOf(t, "built"); (r.Verdict == wire.Go) != c.goes {
			t.Errorf("%s in force: %s %s", what, r.Verdict, r.Why)
		}
		listed, err := ci.Evidence(ctx, digest)
		must(t, err)
		if verified := len(listed.Claims[0].Attestation.VerifiedBy) == 1; verified != c.goes {
			t.Errorf("%s in force: %+v", what, listed.Claims[0].Attestation)
		}
	}
	h.activate(t, attesting(1, "runner"))
	effects := func(files []wire.PolicyFile) map[string]int {
		seen := map[string]int{}
		_, err := manager.Replay(ctx, wire.ReplayRequest{Files: files, Since: time.Time{}}, func(e wire.ReplayEvent) error {
			if e.Flip != nil {
				seen[string(e.Flip.Effect)]++
				for _, g := range e.Flip.Gates {
					seen[g.Gate]++
				}
			}
			return nil
		})
		must(t, err)
		return seen
	}
	if seen := effects(attesting(1, "runner")); seen["cannot-be-told"] > 0 {
		t.Errorf("under the key: %v", seen)
	}
	if seen := effects(attesting(1, "nobody")); seen["cannot-be-told"] > 0 {
		t.Errorf("under another key: %v", seen)
	}
}
