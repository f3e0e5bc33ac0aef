package hsm

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/seal"
)

const pin = "48151623"

// softHSM is where Debian has it; SIGNALBOX_TEST_PKCS11 names another place.
const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

// bench is a SoftHSM of this test's own, behind a module that can be made to fail
// (testdata/shim.c). It reads its settings once in a process: so there is one.
type bench struct {
	dir, module string
	tokens      []string // labels of tokens that no test has taken
	missing     string   // why there is none
}

var onBench bench

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "signalbox-hsm-")
	if err == nil {
		err = onBench.furnish(dir)
	}
	if err != nil {
		onBench.missing = err.Error()
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func (b *bench) furnish(dir string) error {
	real := os.Getenv("SIGNALBOX_TEST_PKCS11")
	if real == "" {
		real = softHSM
	}
	if _, err := os.Stat(real); err != nil {
		return err
	}
	b.dir, b.module = dir, filepath.Join(dir, "shim.so")
	out, err := exec.Command("cc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", fmt.Sprintf("-DREAL=%q", real), "-o", b.module, "testdata/shim.c", "-ldl").CombinedOutput()
	if err != nil {
		return fmt.Errorf("compile the module: %w: %s", err, out)
	}
	settings := filepath.Join(dir, "softhsm2.conf")
	if err := errors.Join(
		os.Mkdir(filepath.Join(dir, "tokens"), 0o700),
		os.WriteFile(settings, []byte("directories.tokendir = "+filepath.Join(dir, "tokens")+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600),
		os.Setenv("SOFTHSM2_CONF", settings), os.Setenv("SHIM_DIR", dir),
	); err != nil {
		return err
	}
	for i := range 20 {
		label := fmt.Sprintf("bench %d", i)
		if out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", pin).CombinedOutput(); err != nil {
			return fmt.Errorf("make a token: %w: %s", err, out)
		}
		b.tokens = append(b.tokens, label)
	}
	return nil
}

// fresh is a token of the test's own, without keys, and a way to it.
func fresh(t testing.TB) (*Tokens, seal.URI) {
	t.Helper()
	if onBench.missing != "" {
		if os.Getenv("CI") != "" {
			t.Fatalf("SoftHSM is missing: %s", onBench.missing)
		}
		t.Skipf("SoftHSM is missing (Debian's package softhsm2): %s", onBench.missing)
	}
	file := filepath.Join(t.TempDir(), "pin")
	write(t, file, pin+"\n")
	at := seal.URI{Token: onBench.tokens[0], ModulePath: onBench.module, PINFile: file}
	onBench.tokens = onBench.tokens[1:]
	say(t, "log", "")
	tokens := &Tokens{patience: 2 * time.Minute}
	t.Cleanup(func() { // the next test begins with the library as it was loaded
		for _, m := range tokens.modules {
			m.mu.Lock() // calls that nobody waits for any more have come back
			if m.ctx != nil {
				_ = m.ctx.Finalize()
			}
			m.mu.Unlock()
		}
	})
	return tokens, at
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// say makes the module behave in a way, until the test ends or unsay.
func say(t testing.TB, what, value string) {
	t.Helper()
	write(t, filepath.Join(onBench.dir, what), value)
	t.Cleanup(func() { unsay(what) })
}

func unsay(what string) { _ = os.Remove(filepath.Join(onBench.dir, what)) }

// calls is how often the module was asked for something.
func calls(t *testing.T, what string) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(onBench.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), what+"\n")
}

func code(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Code
	}
	return fmt.Sprint(err)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// make1 makes a key and checks that it signs.
func make1(t *testing.T, tokens *Tokens, at seal.URI) (ed25519.PublicKey, seal.URI) {
	t.Helper()
	public, where, err := tokens.Make(at)
	must(t, err)
	signs(t, tokens, where, public)
	return public, where
}

func signs(t *testing.T, tokens *Tokens, at seal.URI, public ed25519.PublicKey) {
	t.Helper()
	message := []byte("a message")
	sig, err := tokens.Sign(at, message)
	if err != nil || !ed25519.Verify(public, message, sig) {
		t.Fatalf("%s does not sign: %x %v", at.Place(), sig, err)
	}
}

func named(at seal.URI, object string) seal.URI {
	at.Object = object
	return at
}

func TestKeyIsMadeAndFound(t *testing.T) {
	tokens, at := fresh(t)
	public, where := make1(t, tokens, named(at, "journal"))
	other, elsewhere := make1(t, tokens, named(at, "permit"))
	if public.Equal(other) || where.ID == elsewhere.ID || len(where.ID) != 16 {
		t.Errorf("two keys are one: %s and %s", where, elsewhere)
	}
	again, err := seal.ParseURI(where.String())
	must(t, err)
	byID := again
	byID.Object = ""
	for _, name := range []seal.URI{again, named(at, "journal"), byID} {
		for _, raw := range []bool{false, true} {
			if raw {
				say(t, "raw", "")
			}
			found, there, err := tokens.Find(name)
			if err != nil || !found.Equal(public) || there != where {
				t.Errorf("%s, raw %t: %x at %s: %v", name, raw, found, there, err)
			}
			unsay("raw")
		}
	}
	for what, name := range map[string]seal.URI{"no such label": named(at, "none"), "another's id": named(elsewhere, "journal")} {
		if _, _, err := tokens.Find(name); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := tokens.Sign(name, nil); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s signs: %v", what, err)
		}
	}
	_, twin, err := tokens.Make(named(at, "journal"))
	must(t, err)
	if _, _, err := tokens.Find(named(at, "journal")); code(err) != "hsm.two-keys" {
		t.Errorf("two of one label: %v", err)
	}
	signs(t, tokens, where, public)
	must(t, tokens.Remove(twin))
	must(t, tokens.Remove(where))
	if _, _, err := tokens.Find(where); fault.KindOf(err) != fault.NotFound {
		t.Errorf("it was removed: %v", err)
	}
	if err := tokens.Remove(where); fault.KindOf(err) != fault.NotFound {
		t.Errorf("removed again: %v", err)
	}
	signs(t, tokens, elsewhere, other)
}

// The private half stays where it is.
func TestKeyCannotBeTakenOut(t *testing.T) {
	tokens, at := fresh(t)
	say(t, "C_GenerateKeyPair.once", fmt.Sprint(pkcs11.CKR_CURVE_NOT_SUPPORTED)) // by its object identifier: by name it goes
	_, at = make1(t, tokens, named(at, "journal"))
	_, err := ask(tokens.of(at), reading, func(s session) (struct{}, error) {
		private, err := s.private(at)
		must(t, err)
		for attribute, want := range map[uint]byte{
			pkcs11.CKA_SENSITIVE: 1, pkcs11.CKA_EXTRACTABLE: 0, pkcs11.CKA_PRIVATE: 1, pkcs11.CKA_TOKEN: 1, pkcs11.CKA_NEVER_EXTRACTABLE: 1, pkcs11.CKA_ALWAYS_SENSITIVE: 1,
		} {
			if value, err := s.attribute(private, attribute); err != nil || !bytes.Equal(value, []byte{want}) {
				t.Errorf("attribute %#x is %x: %v", attribute, value, err)
			}
		}
		if value, err := s.attribute(private, pkcs11.CKA_VALUE); err == nil {
			t.Errorf("its value is %x", value)
		}
		return struct{}{}, nil
	})
	must(t, err)
}

// A key that could be copied, or would not sign unattended, is refused; the same template
// without that is accepted.
func TestUnfitKeys(t *testing.T) {
	tokens, at := fresh(t)
	for i, c := range []struct {
		attribute uint
		value     bool
		why       string
	}{
		{pkcs11.CKA_SIGN, true, ""},
		{pkcs11.CKA_EXTRACTABLE, true, "CKA_EXTRACTABLE"},
		{pkcs11.CKA_SENSITIVE, false, "CKA_SENSITIVE"},
		{pkcs11.CKA_SIGN, false, "CKA_SIGN"},
		{pkcs11.CKA_ALWAYS_AUTHENTICATE, true, "CKA_ALWAYS_AUTHENTICATE"},
	} {
		at := named(at, fmt.Sprint(i))
		_, err := ask(tokens.of(at), writing, func(s session) (struct{}, error) {
			private := privateTemplate(at)
			private = slices.DeleteFunc(private, func(a *pkcs11.Attribute) bool { return a.Type == c.attribute })
			_, _, err := s.ctx.GenerateKeyPair(s.handle, mechanism(edwardsMake), publicTemplate(at, curves()[0]), append(private, pkcs11.NewAttribute(c.attribute, c.value)))
			return struct{}{}, err
		})
		must(t, err)
		_, _, found := tokens.Find(at)
		_, signed := tokens.Sign(at, []byte("a message"))
		for _, err := range []error{found, signed} {
			if c.why == "" && err != nil || c.why != "" && (code(err) != "hsm.unfit" || !strings.Contains(err.Error(), c.why)) {
				t.Errorf("%#x %t: %v", c.attribute, c.value, err)
			}
		}
	}
}

// A wrong PIN is tried once, however often it is asked for, so that it locks nothing.
func TestWrongPINIsTriedOnce(t *testing.T) {
	tokens, at := fresh(t)
	write(t, at.PINFile, "99999999")
	for range 10 {
		_, _, err := tokens.Make(named(at, "journal"))
		if code(err) != "hsm.pin" || fault.KindOf(err) != fault.Unavailable || strings.Contains(err.Error(), "99999999") {
			t.Fatal(err)
		}
	}
	if n := calls(t, "C_Login"); n != 1 {
		t.Errorf("the PIN was tried %d times", n)
	}
	var printed bytes.Buffer
	fmt.Fprintf(&printed, "%v %+v %#v %s %x %v", tokens, tokens, tokens, tokens, tokens, []any{tokens})
	slog.New(slog.NewTextHandler(&printed, nil)).Info("tokens", "tokens", tokens)
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("tokens", "tokens", tokens)
	for _, secret := range []string{"99999999", fmt.Sprintf("%x", "99999999")} {
		if strings.Contains(printed.String(), secret) {
			t.Errorf("the PIN is printed: %s", printed.String())
		}
	}
	write(t, at.PINFile, "11111111")
	if _, _, err := tokens.Make(named(at, "journal")); code(err) != "hsm.pin" || calls(t, "C_Login") != 2 {
		t.Errorf("another wrong one: %v", err)
	}
	write(t, at.PINFile, pin)
	make1(t, tokens, named(at, "journal"))
	must(t, os.Chmod(at.PINFile, 0o644))
	if _, _, err := (&Tokens{}).Find(named(at, "journal")); err != nil && code(err) != "seal.permissions" {
		t.Errorf("a PIN that others read: %v", err)
	}
}

// A PIN that others can read is not used.
func TestPINOfOthers(t *testing.T) {
	tokens, at := fresh(t)
	must(t, os.Chmod(at.PINFile, 0o644))
	if _, _, err := tokens.Make(named(at, "journal")); code(err) != "seal.permissions" || calls(t, "C_Login") != 0 {
		t.Errorf("%v after %d tries", err, calls(t, "C_Login"))
	}
	must(t, os.Chmod(at.PINFile, 0o600))
	make1(t, tokens, named(at, "journal"))
}

// Where one more wrong PIN would lock the token, none is tried: not the right one either.
func TestTokenIsNotLocked(t *testing.T) {
	tokens, at := fresh(t)
	for _, c := range []struct {
		flag uint
		code string
	}{{pkcs11.CKF_USER_PIN_FINAL_TRY, "hsm.last-try"}, {pkcs11.CKF_USER_PIN_LOCKED, "hsm.locked"}} {
		say(t, "flags", fmt.Sprint(c.flag))
		if _, _, err := tokens.Make(named(at, "journal")); code(err) != c.code || calls(t, "C_Login") != 0 {
			t.Errorf("%#x: %v after %d tries", c.flag, err, calls(t, "C_Login"))
		}
	}
	say(t, "flags", fmt.Sprint(pkcs11.CKF_USER_PIN_COUNT_LOW))
	make1(t, tokens, named(at, "journal"))
}

func TestTokensOfOtherNames(t *testing.T) {
	tokens, at := fresh(t)
	public, at := make1(t, tokens, named(at, "journal"))
	_, other := fresh(t)
	other.Object, other.ID = at.Object, at.ID
	if _, err := tokens.Sign(other, []byte("a")); fault.KindOf(err) != fault.NotFound {
		t.Errorf("another token signs: %v", err)
	}
	for what, change := range map[string]func(*seal.URI){
		"label": func(u *seal.URI) { u.Token = "none" }, "serial": func(u *seal.URI) { u.Serial = "0" },
		"model": func(u *seal.URI) { u.Model = "none" }, "manufacturer": func(u *seal.URI) { u.Manufacturer = "none" },
	} {
		wrong := at
		change(&wrong)
		if _, err := tokens.Sign(wrong, []byte("a")); code(err) != "hsm.no-token" || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("another %s: %v", what, err)
		}
	}
	several := at
	several.Token, several.Model = "", "SoftHSM v2"
	if _, err := tokens.Sign(several, []byte("a")); code(err) != "hsm.two-tokens" {
		t.Errorf("several tokens: %v", err)
	}
	right := at
	right.Model, right.Manufacturer = "SoftHSM v2", "SoftHSM project"
	signs(t, tokens, right, public)
	for what, file := range map[string]string{"not there": "/nowhere/module.so", "not a module": "/etc/passwd"} {
		wrong := at
		wrong.ModulePath = file
		if _, err := tokens.Sign(wrong, []byte("a")); code(err) != "hsm.module" || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("a module that is %s: %v", what, err)
		}
	}
}

// What breaks a session is met with a new one; what goes on breaking is said.
func TestSessionsThatAreLost(t *testing.T) {
	tokens, at := fresh(t)
	public, at := make1(t, tokens, named(at, "journal"))
	for _, lost := range []uint{pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_USER_NOT_LOGGED_IN, pkcs11.CKR_DEVICE_ERROR, pkcs11.CKR_KEY_HANDLE_INVALID} {
		say(t, "C_Sign.once", fmt.Sprint(lost))
		signs(t, tokens, at, public)
		say(t, "C_Sign", fmt.Sprint(lost))
		if sig, err := tokens.Sign(at, []byte("a")); code(err) != "hsm.failed" || fault.KindOf(err) != fault.Unavailable || sig != nil {
			t.Errorf("%#x: %x %v", lost, sig, err)
		}
		unsay("C_Sign")
		signs(t, tokens, at, public)
	}
	say(t, "C_Sign", fmt.Sprint(pkcs11.CKR_MECHANISM_INVALID))
	before := calls(t, "C_Sign")
	if _, err := tokens.Sign(at, []byte("a")); code(err) != "hsm.no-ed25519" || calls(t, "C_Sign") != before+1 {
		t.Errorf("a token without Ed25519, asked %d times: %v", calls(t, "C_Sign")-before, err)
	}
	unsay("C_Sign")
	say(t, "C_OpenSession", fmt.Sprint(pkcs11.CKR_SESSION_COUNT))
	if _, err := tokens.Sign(at, []byte("a")); code(err) != "hsm.failed" {
		t.Errorf("no session is free: %v", err)
	}
	unsay("C_OpenSession")
	signs(t, tokens, at, public)
}

// A token is taken away under a process, and put back.
func TestTokenGoesAndComesBack(t *testing.T) {
	tokens, at := fresh(t)
	public, at := make1(t, tokens, named(at, "journal"))
	here, gone := filepath.Join(onBench.dir, "tokens"), filepath.Join(onBench.dir, "gone")
	must(t, os.Rename(here, gone))
	restored := false
	defer func() {
		if !restored {
			must(t, os.Rename(gone, here))
		}
	}()
	for range 3 {
		if sig, err := tokens.Sign(at, []byte("a")); fault.KindOf(err) != fault.Unavailable || sig != nil {
			t.Errorf("without the token: %x %v", sig, err)
		}
	}
	must(t, os.Rename(gone, here))
	restored = true
	deadline := time.Now().Add(30 * time.Second)
	for {
		sig, err := tokens.Sign(at, []byte("a"))
		if err == nil && ed25519.Verify(public, []byte("a"), sig) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the token is back: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// A module that does not come back holds nobody up for ever, and takes no more threads
// than there are sessions.
func TestModuleThatHangs(t *testing.T) {
	tokens, at := fresh(t)
	tokens.patience = 2 * time.Second
	public, at := make1(t, tokens, named(at, "journal"))
	say(t, "hang", "")
	var wait sync.WaitGroup
	begun := calls(t, "C_Sign")
	for range 2 * sessions {
		wait.Go(func() {
			if sig, err := tokens.Sign(at, []byte("a")); code(err) != "hsm.silent" || sig != nil {
				t.Errorf("%x %v", sig, err)
			}
		})
	}
	wait.Wait()
	unsay("hang")
	signs(t, tokens, at, public)
	if n := calls(t, "C_Sign") - begun; n > sessions+1 {
		t.Errorf("%d signatures were begun at once", n)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	tokens, at := fresh(t)
	public, at := make1(t, tokens, named(at, "journal"))
	open, logins := calls(t, "C_OpenSession"), calls(t, "C_Login")
	var wait sync.WaitGroup
	for range 8 * sessions {
		wait.Go(func() {
			for i := range 20 {
				message := fmt.Appendf(nil, "message %d", i)
				if sig, err := tokens.Sign(at, message); err != nil || !ed25519.Verify(public, message, sig) {
					t.Errorf("%x %v", sig, err)
				}
			}
		})
	}
	wait.Wait()
	if open, logins = calls(t, "C_OpenSession")-open, calls(t, "C_Login")-logins; open > sessions || logins > 1 {
		t.Errorf("%d sessions were opened, %d times a PIN was given", open, logins)
	}
}

func TestPoint(t *testing.T) {
	whole := bytes.Repeat([]byte{7}, 32)
	starting := append([]byte{4, 32}, whole[2:]...) // a key may well begin so
	for _, c := range []struct{ given, want []byte }{
		{whole, whole},
		{append([]byte{4, 32}, whole...), whole},
		{starting, starting},
		{append([]byte{4, 32}, starting...), starting},
		{nil, nil},
		{whole[1:], nil},
		{append([]byte{4, 31}, whole...), nil},
		{append([]byte{3, 32}, whole...), nil},
		{append([]byte{4, 33, 0}, whole...), nil},
		{append([]byte{4, 57}, make([]byte, 57)...), nil}, // Ed448
	} {
		got, err := point(c.given)
		if !bytes.Equal(got, c.want) || (err == nil) != (c.want != nil) {
			t.Errorf("%x: %x %v", c.given, got, err)
		}
	}
}

// The keys of an installation, with a real token under them.
func TestKeysOfAnInstallation(t *testing.T) {
	tokens, at := fresh(t)
	o := seal.Options{Dir: filepath.Join(t.TempDir(), "keys"), Name: "signalbox.example", Create: true, Tokens: tokens, In: map[seal.Purpose]seal.URI{seal.Journal: at, seal.Permit: at}}
	keys, err := o.Open()
	must(t, err)
	for _, p := range []seal.Purpose{seal.Journal, seal.Permit} {
		must(t, keys.Check(p, ""))
	}
	say(t, "wrong", "")
	if sig, err := keys.Signer().Sign([]byte("a note\n")); code(err) != "seal.token-signature" || sig != nil {
		t.Errorf("a bit is wrong: %x %v", sig, err)
	}
	unsay("wrong")
	_, err = keys.Signer().Sign([]byte("a note\n"))
	must(t, err)
	o.Create, o.In = false, nil
	_, where, err := tokens.Find(named(at, "signalbox-journal"))
	must(t, err)
	must(t, tokens.Remove(where))
	gone, err := o.Open()
	must(t, err)
	if err := gone.Check(seal.Journal, ""); code(err) != "seal.token-key" || fault.KindOf(err) != fault.Unavailable || calls(t, "C_GenerateKeyPair") != 2 {
		t.Errorf("the key is gone: %v", err)
	}
	_, _, err = tokens.Make(where)
	must(t, err)
	other, err := o.Open()
	must(t, err)
	if err := other.Check(seal.Journal, ""); code(err) != "seal.token-signature" {
		t.Errorf("another key of its label and id: %v", err)
	}
	must(t, other.Check(seal.Permit, ""))
}

func BenchmarkSign(b *testing.B) {
	tokens, at := fresh(b)
	_, at, err := tokens.Make(named(at, "journal"))
	must(b, err)
	for b.Loop() {
		if _, err := tokens.Sign(at, []byte("a message")); err != nil {
			b.Fatal(err)
		}
	}
}
