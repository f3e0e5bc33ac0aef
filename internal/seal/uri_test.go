package seal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/seal"
)

func TestParseURI(t *testing.T) {
	const tail = "?module-path=/lib/m.so&pin-source=file:/etc/pin"
	whole := seal.URI{
		Token: "prod & test", Manufacturer: "SoftHSM project", Serial: "5a6c", Model: "SoftHSM v2", Object: "journal/1", ID: "\x00%\xff",
		ModulePath: "/lib/m.so", PINFile: "/etc/pin",
	}
	for text, want := range map[string]seal.URI{
		"pkcs11:token=prod" + tail: {Token: "prod", ModulePath: "/lib/m.so", PINFile: "/etc/pin"},
		"pkcs11:serial=1?pin-source=file:///etc/pin&module-name=softhsm2":                                                                   {Serial: "1", ModuleName: "softhsm2", PINFile: "/etc/pin"},
		"pkcs11:type=private;token=a:[]@!$'()*+,=&b" + tail:                                                                                 {Token: "a:[]@!$'()*+,=&b", ModulePath: "/lib/m.so", PINFile: "/etc/pin"},
		"pkcs11:token=%E2%82%ac;object=%e2%82%AC" + tail:                                                                                    {Token: "€", Object: "€", ModulePath: "/lib/m.so", PINFile: "/etc/pin"},
		"pkcs11:token=t?module-path=%2Flib%2Fm.so&pin-source=file%3A/etc/?|":                                                                {Token: "t", ModulePath: "/lib/m.so", PINFile: "/etc/?|"},
		"pkcs11:model=SoftHSM%20v2;id=%00%25%ff;object=journal%2F1;serial=5a6c;manufacturer=SoftHSM%20project;token=prod%20&%20test" + tail: whole,
	} {
		got, err := seal.ParseURI(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v: %v", text, got, err)
		}
		if again, err := seal.ParseURI(got.String()); err != nil || again != got {
			t.Errorf("%s comes back as %+v: %v", got, again, err)
		}
	}
	if at := whole.Holder(); at.Object+at.ID != "" || at.Token != whole.Token {
		t.Errorf("the token alone is %+v", at)
	}
	if text := whole.Place(); text != "the token prod & test 5a6c, object journal/1" {
		t.Errorf("it is said to be in %s", text)
	}
}

func TestParseURIRefuses(t *testing.T) {
	const tail = "?module-path=/lib/m.so&pin-source=file:/etc/pin"
	for text, why := range map[string]string{
		"": "begin with", "token=a" + tail: "begin with", "PKCS11:token=a" + tail: "begin with", "pkcs11:token=" + strings.Repeat("a", 3000) + tail: "begin with",
		"pkcs11:" + tail: "", "pkcs11:object=a" + tail: "names no token", "pkcs11:token=a;" + tail: "not known", "pkcs11:token" + tail: "empty", "pkcs11:token=" + tail: "empty",
		"pkcs11:token=a;token=a" + tail: "twice", "pkcs11:token=a" + tail + "&module-path=/lib/m.so": "twice", "pkcs11:token=a;slot-id=1" + tail: "not known",
		"pkcs11:token=a;Object=b" + tail: "not known", "pkcs11:token=a;type=public" + tail: "not known", "pkcs11:token=a;x-v=b" + tail: "not known", "pkcs11:token=a;pin-source=file:/etc/pin" + tail: "not known",
		"pkcs11:token=a b" + tail: "must be written", "pkcs11:token=a/b" + tail: "must be written", "pkcs11:token=a%2" + tail: "must be written", "pkcs11:token=a%zz" + tail: "must be written", "pkcs11:token=a#b" + tail: "must be written", "pkcs11:token=é" + tail: "must be written",
		"pkcs11:token=%ff" + tail: "printable", "pkcs11:token=a%0a" + tail: "printable", "pkcs11:token=" + strings.Repeat("a", 33) + tail: "more than 32",
		"pkcs11:token=a": "names no module", "pkcs11:token=a?pin-source=file:/etc/pin": "names no module", "pkcs11:token=a" + tail + "&module-name=m": "or two",
		"pkcs11:token=a?module-path=m.so&pin-source=file:/etc/pin": "absolute", "pkcs11:token=a?module-path=/a/../m.so&pin-source=file:/etc/pin": "absolute",
		"pkcs11:token=a?module-name=../m&pin-source=file:/etc/pin": "module-name",
		"pkcs11:token=a?module-name=m":                             "pin-source", "pkcs11:token=a?module-name=m&pin-source=/etc/pin": "pin-source", "pkcs11:token=a?module-name=m&pin-source=file:pin": "pin-source",
		"pkcs11:token=a?module-name=m&pin-source=file://host/etc/pin": "pin-source", "pkcs11:token=a?module-name=m&pin-source=%7Ccat%20pin": "pin-source",
		"pkcs11:token=a?module-name=m&pin-source=file:/a%2520b": "pin-source", "pkcs11:token=a?module-name=m&pin-value=987654": "PIN does not belong",
		"pkcs11:token=a;pin-value=987654?module-name=m": "PIN does not belong", "pkcs11:token=a?module-name=m&pin-value=98%2076&pin-source=file:/etc/pin": "PIN does not belong",
	} {
		_, err := seal.ParseURI(text)
		if code(err) != "seal.uri" || !strings.Contains(err.Error(), why) {
			t.Errorf("%.80q: %v, want %q", text, err, why)
		}
		if err != nil && (strings.Contains(err.Error(), "987654") || strings.Contains(err.Error(), "2076")) {
			t.Errorf("the PIN is in %v", err)
		}
	}
}

func FuzzParseURI(f *testing.F) {
	for _, text := range []string{"pkcs11:token=a;id=%00?module-path=/m&pin-source=file:/p", "pkcs11:serial=%41;object=%2f?module-name=m&pin-source=file:///p", "pkcs11:token=a?pin-value=1", "pkcs11:;;?&"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := seal.ParseURI(text)
		if err != nil {
			return
		}
		again, err := seal.ParseURI(u.String())
		if err != nil || again != u || again.String() != u.String() {
			t.Errorf("%q is %+v, and comes back as %+v: %v", text, u, again, err)
		}
		if u.Token+u.Serial == "" || u.ModulePath+u.ModuleName == "" || !filepath.IsAbs(u.PINFile) {
			t.Errorf("%q says too little: %+v", text, u)
		}
	})
}

func TestPIN(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pin")
	at := seal.URI{PINFile: file}
	if _, err := at.PIN(); code(err) != "seal.pin-file" {
		t.Errorf("no file: %v", err)
	}
	for _, c := range []struct {
		text string
		mode os.FileMode
		code string
	}{
		{"1234", 0o600, ""},
		{"1234\n", 0o400, ""},
		{"1234", 0o644, "seal.permissions"},
		{"1234", 0o640, "seal.permissions"},
		{"", 0o600, "seal.pin-file"},
		{"\n", 0o600, "seal.pin-file"},
		{"1234\n\n", 0o600, "seal.pin-file"},
		{"1234\r\n", 0o600, "seal.pin-file"},
		{"12\x0034", 0o600, "seal.pin-file"},
		{strings.Repeat("1", 256), 0o600, "seal.pin-file"},
	} {
		_ = os.Remove(file)
		if err := os.WriteFile(file, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		pin, err := at.PIN()
		if c.code == "" && (err != nil || pin != "1234") || c.code != "" && code(err) != c.code {
			t.Errorf("%q with mode %o: %q, %v", c.text, c.mode, pin, err)
		}
		if err != nil && strings.Contains(err.Error(), "1234") {
			t.Errorf("the PIN is in %v", err)
		}
	}
}
