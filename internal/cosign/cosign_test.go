package cosign

import (
	"bytes"
	"strings"
	"testing"
	"time"

	others "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// witness is a signer by others' code, and its public key.
func witness(t testing.TB) (note.Signer, string) {
	t.Helper()
	secret, public, err := note.GenerateKey(bytes.NewReader(make([]byte, 64)), "witness.example")
	if err != nil {
		t.Fatal(err)
	}
	s, err := others.NewSignerForCosignatureV1(secret)
	if err != nil {
		t.Fatal(err)
	}
	key, err := others.VKeyToCosignatureV1(public)
	if err != nil {
		t.Fatal(err)
	}
	return s, key
}

// What others sign holds here, with its time, and for no other text.
func TestCosignature(t *testing.T) {
	s, key := witness(t)
	v, err := NewVerifier(key)
	if err != nil || v.Name() != s.Name() || v.KeyHash() != s.KeyHash() {
		t.Fatalf("%v %v", v, err)
	}
	b, err := note.Sign(&note.Note{Text: "log.example\n7\nAAAA\n"}, s)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := note.Open(b, note.VerifierList(v))
	if err != nil || len(opened.Sigs) != 1 {
		t.Fatal(err)
	}
	if at, is := Time(opened.Sigs[0]); !is || time.Since(at).Abs() > time.Hour {
		t.Errorf("made at %v, a cosignature: %t", at, is)
	}
	changed := bytes.Replace(b, []byte("\n7\n"), []byte("\n8\n"), 1)
	if _, err := note.Open(changed, note.VerifierList(v)); err == nil {
		t.Error("the signature holds for another text")
	}
	if _, is := Time(note.Signature{Base64: "AAAA"}); is {
		t.Error("a short signature is a cosignature")
	}
}

// A key is read in its one spelling alone.
func FuzzKey(f *testing.F) {
	_, key := witness(f)
	f.Add(key)
	f.Add(strings.Replace(key, "+", "++", 1))
	f.Add("witness.example+00000000+BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := NewVerifier(text)
		if err != nil {
			return
		}
		if !strings.HasPrefix(text, v.Name()+"+") || strings.ContainsAny(v.Name(), " +\n") {
			t.Errorf("%q is the key of %q", text, v.Name())
		}
		if theirs, err := others.NewVerifierForCosignatureV1(text); err != nil || theirs.KeyHash() != v.KeyHash() {
			t.Errorf("%q is no key for others: %v", text, err)
		}
	})
}
