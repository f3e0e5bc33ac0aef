package cli

import (
	"os"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/seal"
	"signalbox.dev/signalbox/internal/verify"
)

// sealed writes a signed permit that holds from nine for a quarter of an hour, and the public keys.
func sealed(t *testing.T) (permit, keys string) {
	t.Helper()
	const origin = "signalbox.local/01990000-0000-7000-8000-000000000001"
	k, err := seal.Open(t.TempDir()+"/keys", origin, true)
	if err != nil {
		t.Fatal(err)
	}
	sum := "sha256:" + strings.Repeat("a", 64)
	p := verify.Permit{
		ID: "p1", Release: "r1", ReleaseType: "small", Service: "payments", Version: "1.4.2", Environment: "production", Digest: artifact,
		Origin: origin, Position: 41, Engine: "1", Decided: nine, NotBefore: nine, NotAfter: nine.Add(15 * time.Minute),
		Policy: sum, Change: sum, Evidence: sum, Basis: sum, Levels: []string{}, KeyID: k.KeyID(seal.Permit),
	}
	payload, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := k.SignEnvelope("", payload)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "permit.json", string(envelope)), write(t, "keys.txt", string(k.PublicText()))
}

func TestPermitVerify(t *testing.T) {
	w := home(t)
	permit, keys := sealed(t)
	check := func(more ...string) outcome {
		args := []string{"permit", "verify", "--key", keys, "--digest", artifact, "--environment", "production", "--at", "2026-11-23T09:05:00Z"}
		return w.run(t, append(args, more...)...)
	}
	check(permit).expect(t, 0, "✓ verified: the permit p1 lets payments 1.4.2 go to production until 2026-11-23 09:15 UTC", "position 41")
	check("--service", "payments", "--version", "1.4.2", permit).expect(t, 0)
	check("-o", "json", permit).expect(t, 0, `"valid": true`, `"not_after": "2026-11-23T09:15:00Z"`)
	envelope, err := os.ReadFile(permit)
	if err != nil {
		t.Fatal(err)
	}
	w.in = string(envelope)
	check("-").expect(t, 0)
	for code, more := range map[string][]string{
		"permit.other-environment": {"--environment", "staging", permit},
		"permit.other-digest":      {"--digest", "sha256:" + strings.Repeat("b", 64), permit},
		"permit.other-service":     {"--service", "orders", permit},
		"permit.other-version":     {"--version", "1.4.3", permit},
		"permit.expired":           {"--at", "2026-11-23T09:15:00Z", permit},
		"permit.not-yet":           {"--at", "2026-11-23T08:00:00Z", permit},
	} {
		o := check(more...)
		o.expect(t, 7, code)
		if o.out != "" {
			t.Errorf("%s: standard output has %q", code, o.out)
		}
	}
	tampered := write(t, "tampered.json", strings.Replace(string(envelope), `"sig":"`, `"sig":"AAAA`, 1))
	check(tampered).expect(t, 7)
	check(write(t, "empty.json", "")).expect(t, 7)
	check(keys).expect(t, 7)
	check("nowhere.json").expect(t, 2, "nowhere.json")
	check(write(t, "huge.json", strings.Repeat("x", maxPermit+1))).expect(t, 2, "longer than")
	w.run(t, "permit", "verify", permit).expect(t, 2, "needs --digest, --environment, --key")
	check("--key", write(t, "bad.keys", "not a key\n"), permit).expect(t, 2, "bad.keys:1")
	check("--key", write(t, "no.keys", "# none\n"), permit).expect(t, 2, "no public key")
	other, err := seal.Open(t.TempDir()+"/keys", "signalbox.local/other", true)
	if err != nil {
		t.Fatal(err)
	}
	check("--key", write(t, "other.keys", string(other.PublicText())), permit).expect(t, 7, "permit.signature")
}

func TestJournalVerifyRefuses(t *testing.T) {
	w := home(t)
	_, keys := sealed(t)
	for name, text := range map[string]string{
		"empty": "", "cut": `{"signalbox_export":1,"origin":"o","size":3}` + "\n", "foreign": "hello\n", "other format": `{"signalbox_export":2,"origin":"o","size":0}` + "\n",
	} {
		o := w.run(t, "journal", "verify", "--key", keys, write(t, "export.jsonl", text))
		o.expect(t, 7, "✗ ", "export.jsonl", "export.line")
		w.run(t, "journal", "verify", "--key", keys, "export.jsonl", "-o", "json").expect(t, 7, `"problem"`)
		w.in = text
		if o := w.run(t, "journal", "verify", "--key", keys, "-"); o.code != 7 {
			t.Errorf("%s on standard input: exit %d", name, o.code)
		}
	}
	w.run(t, "journal", "verify", "--key", keys, "nowhere.jsonl").expect(t, 2, "nowhere.jsonl")
	w.run(t, "journal", "verify", "export.jsonl").expect(t, 2, "needs --key")
}
