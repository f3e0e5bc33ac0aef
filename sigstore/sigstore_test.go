package sigstore

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/testing/data"
	"google.golang.org/protobuf/encoding/protojson"

	"signalbox.dev/signalbox/internal/cli"
	"signalbox.dev/signalbox/internal/evidence/attestation"
	"signalbox.dev/signalbox/internal/server"
)

const (
	issuer   = "https://token.example.com"
	subject  = "https://example.com/shop/.github/workflows/release.yml@refs/tags/v1.1.0"
	artifact = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	built    = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"shop","digest":{"sha256":"` + artifact + `"}}],"predicateType":"https://slsa.dev/provenance/v1","predicate":{"buildDefinition":{"buildType":"t","externalParameters":{"source":"https://example.com/shop"}},"runDetails":{"builder":{"id":"https://example.com/builders/linux"}}}}`
)

// house is a Sigstore of one's own: who certifies, and its trust root as JSON.
type house struct {
	*ca.VirtualSigstore
	root []byte
}

func raise(t *testing.T) house {
	t.Helper()
	v, err := ca.NewVirtualSigstore()
	if err != nil {
		t.Fatal(err)
	}
	// The virtual authority has no certificate log. Its log's ID is the SHA-256 of the key, in bytes.
	logs := v.RekorLogs()
	for id, l := range logs {
		l.ID = fromHex(t, id)
	}
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01, v.FulcioCertificateAuthorities(), map[string]*root.TransparencyLog{}, v.TimestampingAuthorities(), logs)
	if err != nil {
		t.Fatal(err)
	}
	b, err := trusted.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return house{v, b}
}

func fromHex(t *testing.T, s string) []byte {
	t.Helper()
	var b []byte
	for i := 0; i+1 < len(s); i += 2 {
		b = append(b, byte(strings.IndexByte("0123456789abcdef", s[i])<<4|strings.IndexByte("0123456789abcdef", s[i+1])))
	}
	return b
}

// sign is a bundle of version 0.3 over a statement.
func (h house) sign(t *testing.T, as, by, statement string) []byte {
	t.Helper()
	entity, err := h.AttestAtTime(as, by, []byte(statement), time.Now().Add(5*time.Minute), true)
	if err != nil {
		t.Fatal(err)
	}
	content, err := entity.VerificationContent()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := entity.TlogEntries()
	if err != nil {
		t.Fatal(err)
	}
	signature, err := entity.SignatureContent()
	if err != nil {
		t.Fatal(err)
	}
	stamps, err := entity.Timestamps()
	if err != nil {
		t.Fatal(err)
	}
	material := &protobundle.VerificationMaterial{
		Content:                   &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: content.Certificate().Raw}},
		TimestampVerificationData: &protobundle.TimestampVerificationData{},
	}
	for _, e := range entries {
		entry := e.TransparencyLogEntry()
		entry.KindVersion = &protorekor.KindVersion{Kind: "dsse", Version: "0.0.1"}
		material.TlogEntries = append(material.TlogEntries, entry)
	}
	for _, s := range stamps {
		material.TimestampVerificationData.Rfc3161Timestamps = append(material.TimestampVerificationData.Rfc3161Timestamps, &protocommon.RFC3161SignedTimestamp{SignedTimestamp: s})
	}
	b, err := protojson.Marshal(&protobundle.Bundle{
		MediaType: "application/vnd.dev.sigstore.bundle.v0.3+json", VerificationMaterial: material,
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload: []byte(statement), PayloadType: attestation.PayloadType, Signatures: []*protodsse.Signature{{Sig: signature.Signature()}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBundles(t *testing.T) {
	ours, theirs := raise(t), raise(t)
	good := ours.sign(t, subject, issuer, built)
	c := Verify(good, ours.root)
	if c.Why != "" || c.Issuer != issuer || c.Subject != subject || string(c.Payload) != built || c.PayloadType != attestation.PayloadType {
		t.Fatalf("%+v", c)
	}
	other := ours.sign(t, subject, issuer, strings.Replace(built, "linux", "other", 1))
	for what, x := range map[string]struct{ bundle, root []byte }{
		"under another root":       {good, theirs.root},
		"by another house":         {theirs.sign(t, subject, issuer, built), ours.root},
		"no bundle":                {[]byte("{}"), ours.root},
		"no JSON":                  {[]byte("bundle"), ours.root},
		"no root":                  {good, []byte("{}")},
		"an empty root":            {good, []byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`)},
		"another payload":          {swap(t, good, other, "dsseEnvelope", "payload"), ours.root},
		"another signature":        {swap(t, good, other, "dsseEnvelope", "signatures"), ours.root},
		"another certificate":      {swap(t, good, other, "verificationMaterial", "certificate"), ours.root},
		"another entry of the log": {swap(t, good, other, "verificationMaterial", "tlogEntries"), ours.root},
		"no entry of the log":      {swap(t, good, []byte(`{"verificationMaterial":{"tlogEntries":[]}}`), "verificationMaterial", "tlogEntries"), ours.root},
		"another type of payload":  {bytes.Replace(good, []byte("vnd.in-toto+json"), []byte("vnd.in-toto+jsom"), 1), ours.root},
	} {
		if c := Verify(x.bundle, x.root); c.Why == "" || c.Payload != nil || c.Subject != "" {
			t.Errorf("%s: %+v", what, c)
		}
	}
}

// swap is a bundle with one part out of another.
func swap(t *testing.T, into, from []byte, path ...string) []byte {
	t.Helper()
	var a, b map[string]map[string]any
	var whole map[string]any
	for from, to := range map[*map[string]map[string]any][]byte{&b: from} {
		_ = json.Unmarshal(to, from)
	}
	_ = json.Unmarshal(into, &a)
	if err := json.Unmarshal(into, &whole); err != nil {
		t.Fatal(err)
	}
	inner, _ := whole[path[0]].(map[string]any)
	inner[path[1]] = b[path[0]][path[1]]
	out, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A bundle of the public good instance, as its library keeps it for tests: with a
// certificate log, and of an older version than the product reads.
func TestPublicGood(t *testing.T) {
	b, err := data.Bundle(t, "dsse.sigstore.json").MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := data.TrustedRoot(t, "public-good.json").MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	c := Verify(b, trusted)
	if c.Why != "" || c.Issuer == "" || c.Subject == "" || !json.Valid(c.Payload) {
		t.Errorf("%+v", c)
	}
	if c := Verify(b, raise(t).root); c.Why == "" {
		t.Error("it holds under a root of our own")
	}
	if _, err := attestation.ReadBundle(b); err == nil || !strings.Contains(err.Error(), "only version 0.3") {
		t.Errorf("an older version: %v", err)
	}
}

// Identities decide whose word it is.
func TestIdentities(t *testing.T) {
	h := raise(t)
	c := Verify(h.sign(t, subject, issuer, built), h.root)
	for what, x := range map[string]struct {
		identity attestation.Identity
		believed bool
	}{
		"exactly":         {attestation.Identity{Issuer: issuer, Subject: subject}, true},
		"at any tag":      {attestation.Identity{Issuer: issuer, Subject: strings.TrimSuffix(subject, "v1.1.0") + "*"}, true},
		"another issuer":  {attestation.Identity{Issuer: issuer + "/", Subject: subject}, false},
		"no issuer":       {attestation.Identity{Subject: subject}, false},
		"another subject": {attestation.Identity{Issuer: issuer, Subject: subject + "x"}, false},
		"a beginning":     {attestation.Identity{Issuer: issuer, Subject: "https://example.com/shop/"}, false},
	} {
		a := attestation.Attestor{Name: "hosted", Identities: []attestation.Identity{x.identity}, Level: 3}
		w, why := a.WeighCertified(c, "sha256:"+artifact)
		if (why == "") != x.believed || x.believed && (w.Builder != "https://example.com/builders/linux" || w.Level != 3 || w.Keys[0] != subject) {
			t.Errorf("%s: %+v %s", what, w, why)
		}
	}
	if _, why := (attestation.Attestor{Identities: []attestation.Identity{{Issuer: issuer, Subject: subject}}}).WeighCertified(c, "sha256:"+strings.Repeat("0", 64)); !strings.Contains(why, "something else") {
		t.Errorf("about another artifact: %s", why)
	}
	if _, why := (attestation.Attestor{}).WeighCertified(c, "sha256:"+artifact); why == "" {
		t.Error("it is the word of an attestor without identities")
	}
}

// run runs the product, with Sigstore or without.
func run(t *testing.T, with bool, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	local := server.Local(nil)
	if with {
		local = server.Local(Verify)
	}
	code = cli.Main(t.Context(), args, cli.Streams{In: strings.NewReader(""), Out: &o, Err: &e, Env: func(string) (string, bool) { return "", false }}, local)
	return code, o.String(), e.String()
}

// The gate offline, under a policy that names the root and who signs.
func TestGate(t *testing.T) {
	h := raise(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("policy/policy.yaml", strings.Replace(policyText, "ROOT", string(h.root), 1))
	good := write("good.json", string(h.sign(t, subject, issuer, built)))
	stranger := write("stranger.json", string(h.sign(t, "https://example.com/fork/.github/workflows/release.yml@refs/tags/v1.1.0", issuer, built)))
	ask := func(bundle string) []string {
		return []string{"gate", "--policy", filepath.Join(dir, "policy"), "--service", "shop", "--version", "1.1.0", "--digest", "sha256:" + artifact, "--env", "production", "--evidence", bundle, "--all"}
	}
	if _, out, errs := run(t, true, ask(good)...); !strings.Contains(out, "✓ go: Built [built]") || !strings.Contains(out, "attested by hosted") {
		t.Errorf("%s%s", out, errs)
	}
	if _, out, errs := run(t, true, ask(stranger)...); !strings.Contains(out, "cannot tell: Built [built]") || !strings.Contains(strings.Join(strings.Fields(out), " "), "it was signed as") {
		t.Errorf("%s%s", out, errs)
	}
	if code, out, errs := run(t, false, ask(good)...); code != 2 || out != "" || !strings.Contains(errs, "use the build that reads them") {
		t.Errorf("without Sigstore: %d %s%s", code, out, errs)
	}
	if code, out, _ := run(t, true, "evidence", "inspect", good); code != 0 || !strings.Contains(out, "format       sigstore 0.3") || !strings.Contains(out, "not verified here") {
		t.Errorf("%d %s", code, out)
	}
	if code, _, errs := run(t, false, "evidence", "inspect", good); code != 2 || !strings.Contains(errs, "Sigstore bundle") {
		t.Errorf("%d %s", code, errs)
	}
	if code, _, errs := run(t, false, "policy", "lint", filepath.Join(dir, "policy")); code != 0 {
		t.Errorf("a build without Sigstore refuses the policy: %s", errs)
	}
}

const policyText = `apiVersion: signalbox/v1
kind: Policy
name: hosted
version: "1"
---
apiVersion: signalbox/v1
kind: ScopeRule
name: all
governance: full
---
apiVersion: signalbox/v1
kind: ReleaseType
name: any
size: [major, minor, patch]
change_types: [standard, normal, emergency]
chain: none
---
apiVersion: signalbox/v1
kind: Attestor
name: hosted
sigstore:
  root: 'ROOT'
  identities:
    - issuer: https://token.example.com
      subject: https://example.com/shop/.github/workflows/release.yml@refs/tags/*
slsa_level: 3
---
apiVersion: signalbox/v1
kind: Gate
name: built
title: Built
condition: attestation.statements.exists(s, s.attestor == "hosted" && s.source == "https://example.com/shop" && s.slsa_level == 3)
---
apiVersion: signalbox/v1
kind: TestCase
name: nothing is known
at: 2027-03-01T09:00:00Z
expect: {verdict: cannot-tell, reasons: [built]}
`
