package release

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/dsse"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/evidence/attestation"
	"signalbox.dev/signalbox/internal/policy"
)

const head = "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0de"

func signer(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicKey(name string) string {
	return base64.StdEncoding.EncodeToString(signer(name).Public().(ed25519.PublicKey))
}

// provenance is a statement of a builder about digests, that some source was built at a commit.
func provenance(builder, source, commit string, subjects ...string) string {
	var list []string
	for _, s := range subjects {
		list = append(list, fmt.Sprintf(`{"name":"x","digest":{"sha256":%q}}`, strings.TrimPrefix(s, "sha256:")))
	}
	return fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[%s],"predicateType":"https://slsa.dev/provenance/v1","predicate":{"buildDefinition":{"buildType":"t","externalParameters":{"source":%q},"resolvedDependencies":[{"uri":%q,"digest":{"gitCommit":%q}}]},"runDetails":{"builder":{"id":%q}}}}`,
		strings.Join(list, ","), source, "git+"+source, commit, builder)
}

func sealed(t testing.TB, payload string, by ...string) []byte {
	t.Helper()
	signatures := []map[string]string{}
	for _, name := range by {
		sig := ed25519.Sign(signer(name), dsse.PAE(attestation.PayloadType, []byte(payload)))
		signatures = append(signatures, map[string]string{"keyid": "whoever", "sig": base64.StdEncoding.EncodeToString(sig)})
	}
	b, err := json.Marshal(map[string]any{"payloadType": attestation.PayloadType, "payload": base64.StdEncoding.EncodeToString([]byte(payload)), "signatures": signatures})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// attesting is the starter pack with an attestor and more documents.
func attesting(t testing.TB, attestor string, gates ...string) *policy.Program {
	t.Helper()
	docs := "apiVersion: signalbox/v1\nkind: Attestor\nname: builder\n" + attestor
	for i, g := range gates {
		docs += fmt.Sprintf("---\napiVersion: signalbox/v1\nkind: Gate\nname: probe-%d\ntitle: Probe\n%s", i, g)
	}
	p, problems := policy.Compile(append(policy.Starter(), policy.File{Name: "attestor.yaml", Data: []byte(docs)}))
	if policy.Failed(problems) {
		t.Fatal(problems)
	}
	return p
}

// attach adds attestations to facts, recorded an hour ago, and lets the votes stand for them.
func attach(t testing.TB, f Facts, envelopes ...[]byte) Facts {
	t.Helper()
	f.Signed.Envelopes = map[string][]byte{}
	for i, b := range envelopes {
		claim, err := attestation.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		c := evidence.Added{ID: fmt.Sprintf("attestation-%d", i), Service: "shop", Version: "v1.1.0", Digest: digest, Label: fmt.Sprint(i), Claim: claim.Summary(), Provenance: "person", File: Sum(b), At: event.MicrosOf(now.Add(-time.Hour))}
		f.Artifact, f.Signed.Envelopes[c.File] = f.Artifact.With(c), b
	}
	f.Release.Change.Record.To = head
	return approved(t, f, "ben", "cid")
}

func verdictOf(t *testing.T, d Decision, gate string) policy.Reason {
	t.Helper()
	for _, r := range d.Reasons {
		if r.Gate == gate {
			return r
		}
	}
	t.Fatalf("no reason of %s: %v", gate, d.Reasons)
	return policy.Reason{}
}

const (
	source = "https://example.com/shop/payments"
	runner = "https://example.com/builders/linux"
	whole  = "condition: >-\n  attestation.statements.exists(s, s.attestor == \"builder\" && \"runner\" in s.keys\n  && s.builder == \"" + runner + "\" && s.source == \"" + source + "\" && s.commit == change.head && s.slsa_level >= 3)\n"
)

func oneKey(more string) string {
	return "slsa_level: 3\nkeys: [{name: runner, key: " + publicKey("runner") + more + "}]\n"
}

// What a gate may ask of an attestation: by whose key, of which builder, of which
// source, at the commit that is released.
func TestGateOverAttestations(t *testing.T) {
	right := provenance(runner, source, head, digest)
	for what, c := range map[string]struct {
		attestor  string
		envelopes [][]byte
		verdict   policy.Verdict
		says      string
	}{
		"all of it":           {oneKey(""), [][]byte{sealed(t, right, "runner")}, policy.Go, ""},
		"by another key":      {oneKey(""), [][]byte{sealed(t, right, "stranger")}, policy.CannotTell, "builder: 0 of its keys signed, and it takes 1"},
		"by both":             {oneKey(""), [][]byte{sealed(t, right, "stranger", "runner")}, policy.Go, ""},
		"nothing sent":        {oneKey(""), nil, policy.CannotTell, "No attestation stands about the artifact."},
		"another commit":      {oneKey(""), [][]byte{sealed(t, provenance(runner, source, strings.Repeat("0", 40), digest), "runner")}, policy.NoGo, ""},
		"another source":      {oneKey(""), [][]byte{sealed(t, provenance(runner, source+"-fork", head, digest), "runner")}, policy.NoGo, ""},
		"another builder":     {oneKey(""), [][]byte{sealed(t, provenance(runner+"/2", source, head, digest), "runner")}, policy.NoGo, ""},
		"in two halves":       {oneKey(""), [][]byte{sealed(t, provenance(runner, source+"-fork", head, digest), "runner"), sealed(t, provenance(runner, source, strings.Repeat("0", 40), digest), "runner")}, policy.NoGo, ""},
		"right beside wrong":  {oneKey(""), [][]byte{sealed(t, right, "stranger"), sealed(t, right, "runner")}, policy.Go, ""},
		"key not yet":         {oneKey(", from: " + now.Format(time.RFC3339)), [][]byte{sealed(t, right, "runner")}, policy.CannotTell, "did not hold when it was recorded"},
		"key retired since":   {oneKey(", until: " + now.Add(-time.Minute).Format(time.RFC3339)), [][]byte{sealed(t, right, "runner")}, policy.Go, ""},
		"key retired before":  {oneKey(", until: " + now.Add(-2*time.Hour).Format(time.RFC3339)), [][]byte{sealed(t, right, "runner")}, policy.CannotTell, "did not hold when it was recorded"},
		"builder not his":     {oneKey("") + "builders: [https://example.com/other]\n", [][]byte{sealed(t, right, "runner")}, policy.CannotTell, "does not speak for the builder"},
		"type not his":        {oneKey("") + "predicate_types: [https://slsa.dev/verification_summary/v1]\n", [][]byte{sealed(t, right, "runner")}, policy.CannotTell, "not believed about"},
		"two keys, one signs": {"threshold: 2\nslsa_level: 3\nkeys: [{name: runner, key: " + publicKey("runner") + "}, {name: second, key: " + publicKey("second") + "}]\n", [][]byte{sealed(t, right, "runner", "runner")}, policy.CannotTell, "1 of its keys signed, and it takes 2"},
		"two keys":            {"threshold: 2\nslsa_level: 3\nkeys: [{name: runner, key: " + publicKey("runner") + "}, {name: second, key: " + publicKey("second") + "}]\n", [][]byte{sealed(t, right, "second", "runner")}, policy.Go, ""},
	} {
		f := good(t)
		f.Policy = attesting(t, c.attestor, whole)
		d := decide(t, attach(t, f, c.envelopes...))
		r := verdictOf(t, d, "probe-0")
		if r.Verdict != c.verdict || !strings.Contains(r.Why, c.says) {
			t.Errorf("%s: %s %q, want %s %q", what, r.Verdict, r.Why, c.verdict, c.says)
		}
		if d.Permitted() != (c.verdict == policy.Go) {
			t.Errorf("%s: permitted %v", what, d.Permitted())
		}
		if known := len(d.Believed.Attestors) > 0; known == (r.Verdict == policy.CannotTell) {
			t.Errorf("%s: attested by %v", what, d.Believed.Attestors)
		}
		if strings.Contains(string(d.BasisText), `"statements"`) {
			t.Errorf("%s: the basis holds the list", what)
		}
	}
}

// The keys of the policy that decides decide: nothing is frozen when it is sent.
func TestKeysChangeByActivation(t *testing.T) {
	right := sealed(t, provenance(runner, source, head, digest), "runner")
	f := good(t)
	verdicts := map[string]policy.Verdict{}
	bases := map[string]bool{}
	for _, key := range []string{"runner", "other"} {
		f.Policy = attesting(t, "slsa_level: 3\nkeys: [{name: runner, key: "+publicKey(key)+"}]\n", whole)
		d := decide(t, attach(t, f, right))
		verdicts[key], bases[d.Basis] = verdictOf(t, d, "probe-0").Verdict, true
	}
	if verdicts["runner"] != policy.Go || verdicts["other"] != policy.CannotTell || len(bases) != 2 {
		t.Errorf("%v", verdicts)
	}
}

// An envelope that is not to be had makes everything unknown, whatever the others say.
func TestLostEnvelope(t *testing.T) {
	f := good(t)
	f.Policy = attesting(t, oneKey(""), whole, "condition: attestation.verified > 0\n")
	f = attach(t, f, sealed(t, provenance(runner, source, head, digest), "runner"), sealed(t, provenance(runner, source+"2", head, digest), "runner"))
	if d := decide(t, f); d.Verdict != policy.Go {
		t.Fatalf("%s %v", d.Verdict, blocking(d))
	}
	for file, b := range f.Signed.Envelopes {
		for what, bytes := range map[string][]byte{"gone": nil, "cut": b[:len(b)/2], "another": []byte("{}")} {
			f.Signed.Envelopes[file] = bytes
			if d := decide(t, f); d.Believed.Tests != policy.ByPipeline || len(d.Believed.Attestors) > 0 {
				t.Errorf("%s: the reports are by %s", what, d.Believed.Tests)
			}
			for _, gate := range []string{"probe-0", "probe-1"} {
				if r := verdictOf(t, decide(t, f), gate); r.Verdict != policy.CannotTell || !strings.Contains(r.Why, "not to be had") {
					t.Errorf("%s: %s %s", what, r.Verdict, r.Why)
				}
			}
		}
		f.Signed.Envelopes[file] = b
	}
}

// What stands where no policy asks changes no answer and no basis.
func TestAttestationsThatNobodyAsksFor(t *testing.T) {
	plain := decide(t, good(t))
	if strings.Contains(string(plain.BasisText), "attestation") || strings.Contains(string(plain.BasisText), `"head"`) {
		t.Errorf("a basis without attestations speaks of them: %s", plain.BasisText)
	}
	d := decide(t, attach(t, good(t), sealed(t, provenance(runner, source, head, digest), "runner")))
	if d.Verdict != policy.Go || len(d.Believed.Attestors) > 0 || d.Inputs.Attestation.Known || d.Inputs.Attestation.Total != 1 {
		t.Errorf("%s %+v", d.Verdict, d.Inputs.Attestation)
	}
	f := good(t)
	f.Policy = nil
	if d := decide(t, attach(t, f, sealed(t, provenance(runner, source, head, digest), "runner"))); d.Verdict != policy.CannotTell || d.Inputs.Attestation.Total != 1 {
		t.Errorf("without a policy: %s %+v", d.Verdict, d.Inputs.Attestation)
	}
}

// A report that a statement names beside the artifact is attested, whoever sent it.
func TestAttestedReports(t *testing.T) {
	report := "sha256:" + strings.Repeat("ab", 32)
	asks := "condition: tests.failed == 0\nprovenance: attested\n"
	for what, c := range map[string]struct {
		subjects []string
		key      string
		vex      []string
		believed policy.Provenance
	}{
		"named":                  {[]string{digest, report}, "runner", nil, policy.ByAttestor},
		"not named":              {[]string{digest}, "runner", nil, policy.ByPerson},
		"named by a stranger":    {[]string{digest, report}, "stranger", nil, policy.ByPerson},
		"beside what is not":     {[]string{digest, report}, "runner", []string{"sha256:" + strings.Repeat("cd", 32)}, policy.ByPerson},
		"beside what is as well": {[]string{digest, report, "sha256:" + strings.Repeat("cd", 32)}, "runner", []string{"sha256:" + strings.Repeat("cd", 32)}, policy.ByAttestor},
	} {
		f := good(t)
		f.Policy = attesting(t, oneKey(""), asks)
		for i := range f.Artifact.Claims {
			f.Artifact.Claims[i].File = "sha256:" + strings.Repeat(fmt.Sprint(i), 64)
			if f.Artifact.Claims[i].Claim.Kind == evidence.TestsKind {
				f.Artifact.Claims[i].File, f.Artifact.Claims[i].Provenance, f.Artifact.Claims[i].VEX = report, "person", c.vex
			}
		}
		before, err := f.Artifact.ContentDigest(nil)
		if err != nil {
			t.Fatal(err)
		}
		d := decide(t, attach(t, f, sealed(t, provenance(runner, source, head, c.subjects...), c.key)))
		r := verdictOf(t, d, "probe-0")
		if d.Believed.Tests != c.believed || d.Believed.Findings != policy.ByPipeline || (r.Verdict == policy.Go) != (c.believed == policy.ByAttestor) {
			t.Errorf("%s: tests by %s, findings by %s: %s", what, d.Believed.Tests, d.Believed.Findings, r.Why)
		}
		if after, _ := f.Artifact.ContentDigest(nil); after != before {
			t.Errorf("%s: the claims themselves were changed", what)
		}
	}
}

// Why an attestation is nobody's word is told of each, by its claim.
func TestNobodysWord(t *testing.T) {
	f := good(t)
	f.Policy = attesting(t, oneKey(""), "condition: attestation.verified > 0\n")
	f = attach(t, f, sealed(t, provenance(runner, source, head, digest), "runner"))
	id, file := "attestation-0", f.Artifact.Claims[slices.IndexFunc(f.Artifact.Claims, func(c evidence.Added) bool { return c.ID == "attestation-0" })].File
	if got := Attest(f.Artifact, f.Signed, f.Policy.Attestors()); got.Lost || len(got.Words[id]) != 1 || len(got.Nobody) != 0 {
		t.Errorf("somebody's: %+v", got)
	}
	if got := Attest(f.Artifact, f.Signed, nil); got.Lost || got.Nobody[id] != "the policy names no attestor" {
		t.Errorf("without attestors: %+v", got)
	}
	if got := Attest(f.Artifact, Signed{}, f.Policy.Attestors()); !got.Lost || got.Nobody[id] != "its envelope is not to be had" {
		t.Errorf("lost: %+v", got)
	}
	if a, b := CertifiedKey(file, "x"), CertifiedKey(file, "y"); a == b || a == CertifiedKey(id, "x") {
		t.Error("what two roots prove stands in one place")
	}
}

// A statement that says that it is about the artifact in the claim alone is not believed.
func TestSubjectIsCheckedAgain(t *testing.T) {
	other := "sha256:" + strings.Repeat("00", 32)
	f := good(t)
	f.Policy = attesting(t, oneKey(""), "condition: attestation.verified > 0\n")
	d := decide(t, attach(t, f, sealed(t, provenance(runner, source, head, other), "runner")))
	if r := verdictOf(t, d, "probe-0"); r.Verdict != policy.CannotTell || !strings.Contains(r.Why, "about something else") {
		t.Errorf("%s %s", r.Verdict, r.Why)
	}
}

// History is decided again under the keys of the candidate, as the envelopes stood.
func TestReplayOfAttestations(t *testing.T) {
	right := sealed(t, provenance(runner, source, head, digest), "runner")
	f := good(t)
	f.Policy = attesting(t, oneKey(""), whole)
	for i := range f.Artifact.Claims {
		f.Artifact.Claims[i].File = "sha256:" + strings.Repeat(fmt.Sprint(i), 64)
	}
	f = attach(t, f, right)
	d := decide(t, f)
	d.ID = "d"
	if d.Verdict != policy.Go || d.Lists == "" {
		t.Fatalf("%s %v", d.Verdict, blocking(d))
	}
	other := "slsa_level: 3\nkeys: [{name: runner, key: " + publicKey("other") + "}]\n"
	for what, c := range map[string]struct {
		candidate *policy.Program
		lost      bool
		effect    Effect
	}{
		"the same":             {f.Policy, false, Same},
		"another key":          {attesting(t, other, whole), false, Stopped},
		"a lower level":        {attesting(t, strings.Replace(oneKey(""), "level: 3", "level: 2", 1), whole), false, Stopped},
		"a count alone":        {attesting(t, oneKey(""), "condition: attestation.verified == 1\n"), false, Same},
		"no attestor":          {starter(t), false, Same},
		"reports attested":     {attesting(t, oneKey(""), "condition: tests.failed == 0\nprovenance: attested\n"), false, Stopped},
		"lost":                 {f.Policy, true, Untold},
		"lost, a count alone":  {attesting(t, oneKey(""), "condition: attestation.verified == 1\n"), true, Untold},
		"lost, senders alone":  {attesting(t, oneKey("")), true, Untold}, // who sent the reports may have been an attestor's word
		"lost, stopped anyhow": {attesting(t, oneKey(""), "condition: tests.total > 1000\n"), true, Stopped},
	} {
		r := Recorded{Decision: d, Basis: d.BasisText, Rules: RulesOf(f.Policy, d.Type), Then: Then{Artifact: f.Artifact, Signed: f.Signed, Release: f.Release, Voters: f.People}}
		if c.lost {
			r.Then.Artifact, r.Then.Signed, r.Then.Lost = evidence.Artifact{}, Signed{}, map[string]string{"attestation": "it is gone"}
		}
		flip := Replay(r, c.candidate)
		if flip.Effect != c.effect {
			t.Errorf("%s: %s, %s: %s", what, flip.Effect, flip.Now, flip.Why)
		}
		if c.effect == Untold && !strings.Contains(flip.Why, "what attestors would have said is not to be had: it is gone") {
			t.Errorf("%s: %s", what, flip.Why)
		}
	}
}

// What a Sigstore bundle proves is asked before the decision; where nobody can
// verify it, it is nobody's word.
func TestBundles(t *testing.T) {
	const root = `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`
	hosted := "slsa_level: 3\nsigstore:\n  root: '" + root + "'\n  identities: [{issuer: https://issuer.example, subject: https://example.com/ci}]\n"
	payload := provenance(runner, source, head, digest)
	file := []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":` + string(sealed(t, payload, "whoever")) + `}`)
	claim, err := attestation.ReadBundle(file)
	if err != nil {
		t.Fatal(err)
	}
	proven := func(as string) BundleVerifier {
		return func(b, r []byte) attestation.Certified {
			if string(b) != string(file) || string(r) != root {
				return attestation.Certified{Why: "other bytes"}
			}
			return attestation.Certified{PayloadType: attestation.PayloadType, Payload: []byte(payload), Issuer: "https://issuer.example", Subject: as}
		}
	}
	asks := strings.Replace(whole, `"runner" in s.keys`, `"https://example.com/ci" in s.keys`, 1)
	for what, c := range map[string]struct {
		attestor string
		verify   BundleVerifier
		verdict  policy.Verdict
		says     string
	}{
		"by whom it should":    {hosted, proven("https://example.com/ci"), policy.Go, ""},
		"by somebody else":     {hosted, proven("https://example.com/fork"), policy.CannotTell, "it was signed as"},
		"proven by nothing":    {hosted, func([]byte, []byte) attestation.Certified { return attestation.Certified{Why: "not in the log"} }, policy.CannotTell, "not in the log"},
		"in a build without":   {hosted, nil, policy.CannotTell, "this build does not verify Sigstore bundles"},
		"by an attestor's key": {oneKey(""), proven("https://example.com/ci"), policy.CannotTell, "it signs by keys"},
	} {
		f := good(t)
		f.Policy = attesting(t, c.attestor, asks)
		added := evidence.Added{ID: "b", Service: "shop", Version: "v1.1.0", Digest: digest, Claim: claim.Summary(), Provenance: "pipeline", File: Sum(file), At: event.MicrosOf(now.Add(-time.Hour))}
		f.Artifact = f.Artifact.With(added)
		f.Signed = Certify(f.Artifact, map[string][]byte{added.File: file}, f.Policy.Attestors(), c.verify)
		f.Release.Change.Record.To = head
		d := decide(t, approved(t, f, "ben", "cid"))
		if r := verdictOf(t, d, "probe-0"); r.Verdict != c.verdict || !strings.Contains(r.Why, c.says) {
			t.Errorf("%s: %s %q", what, r.Verdict, r.Why)
		}
	}
	f := good(t)
	f.Policy = attesting(t, hosted, asks)
	d := decide(t, attach(t, f, sealed(t, payload, "runner")))
	if r := verdictOf(t, d, "probe-0"); r.Verdict != policy.CannotTell || !strings.Contains(r.Why, "it signs by Sigstore") {
		t.Errorf("an envelope alone: %s %s", r.Verdict, r.Why)
	}
}
