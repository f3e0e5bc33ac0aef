package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/fault"
)

// Whoever gives the secret where its file is due does not read it again in the
// log of the job.
func TestSecretInPlaceOfItsFile(t *testing.T) {
	for _, given := range []string{"sbx_api_s3cret_1234", "postgres://ada:s3cret@db.example/signalbox"} {
		_, err := Secret(nil, "token-file", given)
		if fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v", err)
		}
	}
	if _, err := Secret(nil, "token-file", "absent.token"); err == nil || !strings.Contains(err.Error(), "absent.token") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestKeyPair(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		good bool
	}{
		"two lines":            {"key\nsecret\n", 0o600, true},
		"no last line end":     {"key\nsecret", 0o400, true},
		"from another system":  {"key\r\nsecret\r\n", 0o600, true},
		"read by the group":    {"key\nsecret\n", 0o640, false},
		"read by everybody":    {"key\nsecret\n", 0o604, false},
		"one line":             {"key secret\n", 0o600, false},
		"three lines":          {"key\nsecret\nmore\n", 0o600, false},
		"two words in a line":  {"key x\nsecret\n", 0o600, false},
		"empty":                {"", 0o600, false},
		"nothing but a secret": {"\nsecret\n", 0o600, false},
	} {
		path := filepath.Join(t.TempDir(), "keys")
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		access, secret, err := KeyPair(path)
		if (err == nil) != c.good || c.good && (access != "key" || secret != "secret") {
			t.Errorf("%s: %q %q %v", name, access, secret, err)
		}
		if err != nil && (fault.KindOf(err) != fault.Invalid || access+secret != "") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := KeyPair(filepath.Join(t.TempDir(), "absent")); fault.KindOf(err) != fault.Invalid {
		t.Errorf("absent: %v", err)
	}
}
