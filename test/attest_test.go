package test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"signalbox.dev/signalbox/internal/dsse"
	"signalbox.dev/signalbox/internal/evidence/attestation"
)

// signingKey is the key of a name: for one name always the same.
func signingKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// pubkey writes the public key of a name, in PEM.
func pubkey(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: pubkey NAME FILE")
	}
	der, err := x509.MarshalPKIXPublicKey(signingKey(args[0]).Public())
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600))
}

// attest puts a statement into an envelope. Signatures bear the id that all who
// sign would like to have.
func attest(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: attest STATEMENT FILE NAME...")
	}
	payload := []byte(ts.ReadFile(args[0]))
	type signature struct {
		KeyID string `json:"keyid"`
		Sig   []byte `json:"sig"`
	}
	list := []signature{}
	for _, name := range args[2:] {
		list = append(list, signature{"release-key", ed25519.Sign(signingKey(name), dsse.PAE(attestation.PayloadType, payload))})
	}
	b, err := json.Marshal(map[string]any{"payloadType": attestation.PayloadType, "payload": payload, "signatures": list})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o600))
}
