package seal_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"golang.org/x/mod/sumdb/note"
	"pgregory.net/rapid"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/seal"
	"signalbox.dev/signalbox/internal/verify"
)

const name = "signalbox.example"

func code(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Code
	}
	return fmt.Sprint(err)
}

func open(t testing.TB, dir string, create bool) *seal.Keys {
	t.Helper()
	keys, err := seal.Open(dir, name, create)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func fresh(t testing.TB) (dir string, keys *seal.Keys) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "deep", "keys")
	return dir, open(t, dir, true)
}

func public(t testing.TB, keys *seal.Keys) verify.Keys {
	t.Helper()
	trusted, err := verify.ParseKeys(keys.PublicText())
	if err != nil {
		t.Fatal(err)
	}
	return trusted
}

func TestKeysStay(t *testing.T) {
	dir, keys := fresh(t)
	for _, again := range []*seal.Keys{open(t, dir, false), open(t, dir, true)} {
		if !bytes.Equal(again.PublicText(), keys.PublicText()) || again.Pseudonym("email", "a") != keys.Pseudonym("email", "a") {
			t.Error("opened again, the keys are others")
		}
	}
	unnamed, err := seal.Open(dir, "", false)
	if err != nil || unnamed.Signer().Name() != name {
		t.Errorf("opened without a name: %v", err)
	}
	_, others := fresh(t)
	if others.KeyID(seal.Journal) == keys.KeyID(seal.Journal) || others.KeyID(seal.Permit) == keys.KeyID(seal.Permit) ||
		others.Pseudonym("email", "a") == keys.Pseudonym("email", "a") || keys.KeyID(seal.Journal) == keys.KeyID(seal.Permit) {
		t.Error("two keys are the same")
	}
	if keys.KeyID(seal.Identity) != "" {
		t.Error("the identity key has an id")
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	dir, _ := fresh(t)
	want := map[string]os.FileMode{".": 0o700 | os.ModeDir, "journal.key": 0o600, "permit.key": 0o600, "identity.key": 0o600}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(want)-1 {
		t.Errorf("the directory holds %v: %v", entries, err)
	}
	for file, mode := range want {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil || info.Mode() != mode {
			t.Errorf("%s has the mode %v: %v", file, info.Mode(), err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	write := func(file, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	mode := func(file string, mode os.FileMode) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.Chmod(filepath.Join(dir, file), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(file string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, file)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for title, c := range map[string]struct {
		spoil func(*testing.T, string)
		code  string
	}{
		"as it is":             {func(*testing.T, string) {}, ""},
		"a key others read":    {mode("permit.key", 0o604), "seal.permissions"},
		"a key a group reads":  {mode("identity.key", 0o640), "seal.permissions"},
		"a directory to list":  {mode(".", 0o755), "seal.permissions"},
		"no journal key":       {remove("journal.key"), "seal.missing"},
		"no permit key":        {remove("permit.key"), "seal.missing"},
		"no identity key":      {remove("identity.key"), "seal.missing"},
		"an empty key":         {write("journal.key", ""), "seal.malformed"},
		"half a key":           {write("journal.key", "PRIVATE+KEY+signalbox.example+00"), "seal.malformed"},
		"a key of two lines":   {write("identity.key", "IDENTITY+KEY+\n\n"), "seal.malformed"},
		"a short identity key": {write("identity.key", "IDENTITY+KEY+c2hvcnQ=\n"), "seal.malformed"},
		"a bare identity key":  {write("identity.key", strings.Repeat("A", 43)+"=\n"), "seal.malformed"},
		"a huge key":           {write("permit.key", strings.Repeat("A", 1<<20)+"\n"), "seal.malformed"},
	} {
		t.Run(title, func(t *testing.T) {
			dir, _ := fresh(t)
			c.spoil(t, dir)
			_, err := seal.Open(dir, name, false)
			if c.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if code(err) != c.code || !strings.Contains(err.Error(), dir) {
				t.Errorf("got %v, want %s naming the place", err, c.code)
			}
			if _, err := seal.Open(dir, name, true); c.code != "seal.missing" && code(err) != c.code {
				t.Errorf("with leave to create: %v", err)
			}
		})
	}
	if _, err := seal.Open(filepath.Join(t.TempDir(), "none"), name, false); code(err) != "seal.missing" {
		t.Errorf("no directory: %v", err)
	}
	dir, _ := fresh(t)
	if _, err := seal.Open(dir, "other.example", false); code(err) != "seal.other-name" {
		t.Errorf("under another name: %v", err)
	}
	for _, bad := range []string{"", "two words", "a+b"} {
		if _, err := seal.Open(t.TempDir()+"/keys", bad, true); code(err) != "seal.name" {
			t.Errorf("the name %q: %v", bad, err)
		}
	}
}

// A crash between two keys: what is there stays, what is missing is made.
func TestCreationIsTakenUpAgain(t *testing.T) {
	dir, keys := fresh(t)
	if err := os.Remove(filepath.Join(dir, "identity.key")); err != nil {
		t.Fatal(err)
	}
	if again := open(t, dir, true); !bytes.Equal(again.PublicText(), keys.PublicText()) {
		t.Error("the signing keys are others")
	}
}

func TestManyCreateOneSetOfKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	var wait sync.WaitGroup
	texts := make([]string, 8)
	for i := range texts {
		wait.Go(func() {
			keys, err := seal.Open(dir, name, true)
			if err != nil {
				t.Error(err)
				return
			}
			texts[i] = string(keys.PublicText()) + keys.Pseudonym("email", "a")
		})
	}
	wait.Wait()
	for _, text := range texts {
		if text != texts[0] {
			t.Error("two processes have two keys")
		}
	}
}

func TestCheckpointsVerify(t *testing.T) {
	_, keys := fresh(t)
	head := verify.Head{Origin: "journal.example", Size: 7, Root: sha256.Sum256(nil)}
	text, err := note.Sign(&note.Note{Text: head.Text()}, keys.Signer())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := verify.Checkpoint(text, public(t, keys)); err != nil || got != head {
		t.Errorf("%+v: %v", got, err)
	}
	_, others := fresh(t)
	if _, err := verify.Checkpoint(text, public(t, others)); fault.KindOf(err) != fault.Unverified {
		t.Errorf("with another's keys: %v", err)
	}
}

// foreign is the permit key as the protocol's own library asks for it.
type foreign struct{ key verify.Key }

func (f foreign) Verify(_ context.Context, data, sig []byte) error {
	if !ed25519.Verify(f.key.Public, data, sig) {
		return errors.New("false signature")
	}
	return nil
}
func (f foreign) KeyID() (string, error)   { return f.key.ID, nil }
func (f foreign) Public() crypto.PublicKey { return f.key.Public }

func TestEnvelopesVerify(t *testing.T) {
	_, keys := fresh(t)
	trusted := public(t, keys)
	for _, payload := range []string{"{}", `{"a":"<&>\u2028"}`, strings.Repeat("x", 40_000)} {
		b, err := keys.SignEnvelope("", []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		if again, err := keys.SignEnvelope("", []byte(payload)); err != nil || !bytes.Equal(again, b) {
			t.Errorf("signed again, it differs: %v", err)
		}
		got, id, err := verify.Envelope(b, verify.ForPermits, trusted)
		if err != nil || string(got) != payload || id != keys.KeyID(seal.Permit) {
			t.Errorf("%d bytes by %s: %v", len(got), id, err)
		}
		if _, _, err := verify.Envelope(b, verify.ForJournal, trusted); fault.KindOf(err) != fault.Unverified {
			t.Errorf("as a journal's signature: %v", err)
		}
		var e dsse.Envelope
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatal(err)
		}
		verifier, err := dsse.NewEnvelopeVerifier(foreign{trusted.Of(verify.ForPermits)[0]})
		if err != nil {
			t.Fatal(err)
		}
		if _, theirs, err := verifier.VerifyAndDecode(t.Context(), &e); err != nil || string(theirs) != payload {
			t.Errorf("checked elsewhere: %v", err)
		}
	}
}

// From permit to envelope to check, with real keys.
func TestPermitsVerify(t *testing.T) {
	_, keys := fresh(t)
	hash := "sha256:" + strings.Repeat("0", 64)
	noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	p := verify.Permit{
		ID: "1", Release: "2", ReleaseType: "normal", Service: "api", Version: "1", Environment: "production",
		Digest: hash, Origin: "journal.example", Engine: "0.1.0", Decided: noon, NotBefore: noon, NotAfter: noon.Add(time.Minute),
		Policy: hash, Change: hash, Evidence: hash, Basis: hash, Levels: []string{}, KeyID: keys.KeyID(seal.Permit),
	}
	payload, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	b, err := keys.SignEnvelope("", payload)
	if err != nil {
		t.Fatal(err)
	}
	e := verify.Expect{Digest: hash, Environment: "production", Now: noon}
	if _, err := verify.CheckPermit(b, public(t, keys), e); err != nil {
		t.Error(err)
	}
	_, others := fresh(t)
	if _, err := verify.CheckPermit(b, public(t, others), e); code(err) != "permit.signature" {
		t.Errorf("with another's keys: %v", err)
	}
}

func TestPseudonym(t *testing.T) {
	_, keys := fresh(t)
	ada := keys.Pseudonym("email", "ada@example.com")
	if b, err := hex.DecodeString(ada); err != nil || len(b) != 16 {
		t.Errorf("%q is not 32 hexadecimal digits", ada)
	}
	for _, same := range []string{"Ada@Example.COM", "  ada@example.com\n", "ａｄａ@example.com", "ADA@EXAMPLE.COM"} {
		if keys.Pseudonym("email", same) != ada {
			t.Errorf("%q is another person", same)
		}
	}
	for _, other := range [][2]string{{"handle", "ada@example.com"}, {"email", "ad@example.com"}, {"email", ""}, {"email", "ada @example.com"}} {
		if keys.Pseudonym(other[0], other[1]) == ada {
			t.Errorf("%q is the same person", other)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.String().Draw(t, "value")
		if keys.Pseudonym("email", value) != keys.Pseudonym("email", " "+value+"\t") {
			t.Errorf("%q is another with spaces about it", value)
		}
	})
}

// No verb, logger or encoder prints a secret.
func TestKeysKeepTheirSecrets(t *testing.T) {
	dir, keys := fresh(t)
	var secrets []string
	for _, file := range []string{"journal.key", "permit.key", "identity.key"} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.TrimSpace(string(b)) // the secret is base64 at the end, and may hold plus signs
		secrets = append(secrets, text[len(text)-40:])
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("open", "keys", keys)
	slog.New(slog.NewTextHandler(&log, nil)).Info("open", "keys", keys)
	if err := json.NewEncoder(&log).Encode(map[string]any{"keys": keys}); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&log, "%v %+v %#v %s %q %x %d", keys, keys, keys, keys, keys, keys, keys)
	log.Write(keys.PublicText())
	for _, secret := range secrets {
		if strings.Contains(log.String(), secret[8:24]) {
			t.Errorf("a secret was printed: %s", log.String())
		}
	}
	for _, word := range []string{"[{", "PRIVATE", "seed"} {
		if strings.Contains(log.String(), word) {
			t.Errorf("it was printed with %q: %s", word, log.String())
		}
	}
	if !strings.Contains(log.String(), keys.KeyID(seal.Journal)) {
		t.Error("the key's id was not printed")
	}
}
