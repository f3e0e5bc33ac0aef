package seal_test

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/seal"
)

func TestToken(t *testing.T) {
	shape := regexp.MustCompile(`^sbx_person_[a-z2-7]{52}_[0-9a-f]{8}$`)
	seen := map[string]bool{}
	for range 1000 {
		secret, hash := seal.NewToken("person")
		if !shape.MatchString(secret) {
			t.Fatalf("%q has another shape", secret)
		}
		sum := sha256.Sum256([]byte(secret))
		if got, err := seal.HashToken(secret); err != nil || got != hash || hash != hex.EncodeToString(sum[:]) {
			t.Fatalf("its hash is %q and was %q: %v", got, hash, err)
		}
		if seen[secret] || seen[hash] {
			t.Fatal("the same token twice")
		}
		seen[secret], seen[hash] = true, true
	}
}

func TestHashTokenRefuses(t *testing.T) {
	secret, hash := seal.NewToken("person")
	parts := strings.Split(secret, "_")
	for name, text := range map[string]string{
		"nothing":            "",
		"the hash":           hash,
		"no mark":            strings.TrimPrefix(secret, "sbx_"),
		"another mark":       "x" + secret,
		"another purpose":    strings.Replace(secret, "person", "machine", 1),
		"no purpose":         "sbx__" + parts[2] + "_" + parts[3],
		"capitals":           strings.ToUpper(secret),
		"cut short":          secret[:len(secret)-1],
		"a letter more":      secret + "0",
		"a space before":     " " + secret,
		"a line end after":   secret + "\n",
		"no checksum":        strings.Join(parts[:3], "_"),
		"another checksum":   strings.Join(parts[:3], "_") + "_00000000",
		"a short secret":     "sbx_person_aaaa_" + parts[3],
		"a token in a token": secret + "_" + secret,
		"a long text":        strings.Repeat(secret, 1000),
	} {
		if got, err := seal.HashToken(text); fault.KindOf(err) != fault.Unauthorised || got != "" {
			t.Errorf("%s: %q, %v", name, got, err)
		} else if text != "" && strings.Contains(err.Error(), parts[2][:16]) {
			t.Errorf("%s: the message repeats the secret: %v", name, err)
		}
	}
}

// One mistyped letter is always seen.
func TestTokenChecksum(t *testing.T) {
	secret, _ := seal.NewToken("machine")
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.IntRange(0, len(secret)-1).Draw(t, "at")
		letter := rapid.SampledFrom([]byte("abcdefghijklmnopqrstuvwxyz234567_")).Draw(t, "letter")
		if secret[at] == letter {
			return
		}
		if _, err := seal.HashToken(secret[:at] + string(letter) + secret[at+1:]); err == nil {
			t.Errorf("%q at %d was accepted", letter, at)
		}
	})
}

func FuzzHashToken(f *testing.F) {
	secret, _ := seal.NewToken("person")
	f.Add(secret)
	f.Add("sbx_person__")
	f.Fuzz(func(t *testing.T, text string) {
		hash, err := seal.HashToken(text)
		if (err == nil) != (len(hash) == 64) {
			t.Errorf("%q: %q, %v", text, hash, err)
		}
	})
}
