package seal_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/sumdb/note"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/seal"
	"signalbox.dev/signalbox/internal/verify"
)

// device is a token in memory, which may be away, and counts what it signs.
type device struct {
	mu     sync.Mutex
	keys   map[string]ed25519.PrivateKey // by label and id
	away   error
	signed int
	made   int
}

func (d *device) name(at seal.URI) (string, error) {
	if d.away != nil {
		return "", d.away
	}
	var names []string
	for name := range d.keys {
		if label, id, _ := strings.Cut(name, " "); (at.Object == "" || at.Object == label) && (at.ID == "" || at.ID == id) {
			names = append(names, name)
		}
	}
	switch len(names) {
	case 0:
		return "", fault.New(fault.NotFound, "device.none", "no such key")
	case 1:
		return names[0], nil
	}
	return "", fault.New(fault.Conflict, "device.several", "several keys")
}

func (d *device) Find(at seal.URI) (ed25519.PublicKey, seal.URI, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name, err := d.name(at)
	if err != nil {
		return nil, at, err
	}
	at.Object, at.ID, _ = strings.Cut(name, " ")
	return d.keys[name].Public().(ed25519.PublicKey), at, nil
}

func (d *device) Make(at seal.URI) (ed25519.PublicKey, seal.URI, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away != nil {
		return nil, at, d.away
	}
	d.made++
	if at.ID == "" {
		at.ID = fmt.Sprint(d.made)
	}
	public, private, err := ed25519.GenerateKey(nil)
	d.keys[at.Object+" "+at.ID] = private
	return public, at, err
}

func (d *device) Sign(at seal.URI, message []byte) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.signed++
	name, err := d.name(at)
	if err != nil {
		return nil, err
	}
	return ed25519.Sign(d.keys[name], message), nil
}

func (d *device) Remove(at seal.URI) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	name, err := d.name(at)
	delete(d.keys, name)
	return err
}

func (d *device) labels() string { return strings.Join(slices.Sorted(maps.Keys(d.keys)), ", ") }

func token(object string) seal.URI {
	return seal.URI{Token: "t", Object: object, ModuleName: "m", PINFile: "/etc/pin"}
}

// inDevice are options for both signing keys in a device.
func inDevice(t testing.TB, d *device) seal.Options {
	return seal.Options{
		Dir: filepath.Join(t.TempDir(), "keys"), Name: name, Create: true, Tokens: d,
		In: map[seal.Purpose]seal.URI{seal.Journal: token(""), seal.Permit: token("")},
	}
}

func opened(t testing.TB, o seal.Options) *seal.Keys {
	t.Helper()
	keys, err := o.Open()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func newDevice() *device { return &device{keys: map[string]ed25519.PrivateKey{}} }

func TestKeysInToken(t *testing.T) {
	d := newDevice()
	o := inDevice(t, d)
	keys := opened(t, o)
	if d.labels() != "signalbox-journal 1, signalbox-permit 2" {
		t.Errorf("the token holds %s", d.labels())
	}
	for _, p := range []seal.Purpose{seal.Journal, seal.Permit} {
		if err := keys.Check(p, ""); err != nil || keys.Where(p, "") != "in the token t, object signalbox-"+string(p) {
			t.Errorf("the %s key, %s: %v", p, keys.Where(p, ""), err)
		}
		file, err := os.ReadFile(filepath.Join(o.Dir, string(p)+".key"))
		seed := d.keys["signalbox-"+string(p)+" "+map[seal.Purpose]string{seal.Journal: "1", seal.Permit: "2"}[p]].Seed()
		if err != nil || bytes.Contains(file, seed) || !strings.HasPrefix(string(file), "PKCS11+KEY+"+keys.First(p)+"\npkcs11:token=t;") {
			t.Errorf("the file of the %s key is %q: %v", p, file, err)
		}
	}
	text, err := note.Sign(&note.Note{Text: "a\n"}, keys.Signer())
	if err != nil {
		t.Fatal(err)
	}
	trusted := public(t, keys)
	if _, err := note.Open(text, note.VerifierList(trusted.Of(verify.ForJournal)[0].Verifier())); err != nil {
		t.Error(err)
	}
	envelope, err := keys.SignEnvelope("", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := verify.Envelope(envelope, verify.ForPermits, trusted); err != nil {
		t.Error(err)
	}
	o.In = nil // where new ones are made says nothing of those that are there
	if again := opened(t, o); !bytes.Equal(again.PublicText(), keys.PublicText()) || again.Check(seal.Journal, "") != nil {
		t.Error("opened again, the keys are others")
	}
	o.Tokens = nil
	unable := opened(t, o)
	if !bytes.Equal(unable.PublicText(), keys.PublicText()) {
		t.Error("without the token the public keys are others")
	}
	if err := unable.Check(seal.Journal, ""); code(err) != "seal.no-pkcs11" {
		t.Errorf("without C: %v", err)
	}
	if _, err := unable.SignEnvelope("", []byte("{}")); code(err) != "seal.no-pkcs11" {
		t.Errorf("without C: %v", err)
	}
	if err := unable.Forget(seal.Journal, unable.First(seal.Journal)); code(err) != "seal.no-pkcs11" || unable.First(seal.Journal) == "" {
		t.Errorf("without C: %v", err)
	}
	o.In = map[seal.Purpose]seal.URI{seal.Permit: token("")}
	if _, err := o.Open(); code(err) != "seal.no-pkcs11" || fault.KindOf(err) != fault.Invalid {
		t.Errorf("made in a token without C: %v", err)
	}
}

// A token that is away when keys are to be made leaves nothing behind, in it or on disk.
func TestTokenAwayAtTheBeginning(t *testing.T) {
	d := newDevice()
	d.away = fault.New(fault.Unavailable, "device.away", "away")
	o := inDevice(t, d)
	if _, err := o.Open(); code(err) != "device.away" {
		t.Errorf("%v", err)
	}
	if files, err := os.ReadDir(o.Dir); err != nil || len(files) != 0 {
		t.Errorf("these are left: %v %v", files, err)
	}
	d.away = nil
	keys := opened(t, o)
	o.Create, d.keys = false, map[string]ed25519.PrivateKey{}
	again := opened(t, o)
	if err := again.Check(seal.Journal, ""); code(err) != "seal.token-key" || d.made != 2 {
		t.Errorf("the token was emptied, and has %d keys: %v", d.made, err)
	}
	if !bytes.Equal(again.PublicText(), keys.PublicText()) {
		t.Error("the public keys are others")
	}
}

// What does not verify under the key that is meant is no signature of it.
func TestAnotherKeyUnderTheName(t *testing.T) {
	d := newDevice()
	keys := opened(t, inDevice(t, d))
	_, d.keys["signalbox-journal 1"], _ = ed25519.GenerateKey(nil)
	if sig, err := keys.Signer().Sign([]byte("a\n")); code(err) != "seal.token-signature" || sig != nil {
		t.Errorf("%x %v", sig, err)
	}
	if err := keys.Check(seal.Journal, ""); code(err) != "seal.token-signature" || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v", err)
	}
	if err := keys.Check(seal.Permit, ""); err != nil {
		t.Errorf("the other key: %v", err)
	}
	d.away = fault.New(fault.Conflict, "device.unfit", "unfit")
	if _, err := keys.SignEnvelope("", []byte("{}")); code(err) != "device.unfit" || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a fault of the token is the caller's: %v", err)
	}
}

// Readiness follows the token, and does not wear it out.
func TestTokenGoesAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		keys := opened(t, inDevice(t, d))
		for range 100 {
			if err := keys.Check(seal.Journal, ""); err != nil {
				t.Fatal(err)
			}
		}
		if d.signed != 1 {
			t.Errorf("asked a hundred times, the token signed %d times", d.signed)
		}
		d.away = fault.New(fault.Unavailable, "device.away", "away")
		if _, err := keys.Signer().Sign([]byte("a\n")); code(err) != "device.away" {
			t.Error(err)
		}
		if err := keys.Check(seal.Journal, ""); code(err) != "device.away" {
			t.Errorf("the token is gone: %v", err)
		}
		d.away = nil
		time.Sleep(6 * time.Second)
		if err := keys.Check(seal.Journal, ""); err != nil {
			t.Errorf("the token is back: %v", err)
		}
		if d.signed != 3 {
			t.Errorf("the token was asked %d times", d.signed)
		}
	})
}

func TestRotationIntoTokenAndBack(t *testing.T) {
	d := newDevice()
	o := seal.Options{Dir: filepath.Join(t.TempDir(), "keys"), Name: name, Create: true, Tokens: d}
	opened(t, o)
	o.Create, o.In = false, map[seal.Purpose]seal.URI{seal.Journal: token(""), seal.Permit: token("ours")}
	keys := opened(t, o)
	mint := func(p seal.Purpose) string {
		t.Helper()
		vkey, err := keys.Mint(p)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := keys.Sign(p, vkey, []byte("words"))
		if verifier, _ := note.NewVerifier(vkey); err != nil || !verifier.Verify([]byte("words"), sig) {
			t.Fatalf("the new %s key does not sign: %v", p, err)
		}
		return vkey
	}
	first, second := mint(seal.Journal), mint(seal.Journal)
	if first == second || d.labels() != "signalbox-journal 1, signalbox-journal 2" {
		t.Errorf("the token holds %s", d.labels())
	}
	other := opened(t, o) // another replica
	if other.Where(seal.Journal, first) != "in the token t, object signalbox-journal" || other.Check(seal.Journal, second) != nil {
		t.Error("another replica does not know them")
	}
	if err := keys.Discard(seal.Journal, second); err != nil || d.labels() != "signalbox-journal 1" {
		t.Errorf("no fact named it: %s %v", d.labels(), err)
	}
	if err := other.Discard(seal.Journal, first); err != nil || d.labels() != "signalbox-journal 1" {
		t.Errorf("another process has made it: %s %v", d.labels(), err)
	}
	if err := keys.Forget(seal.Journal, first); err != nil || d.labels() != "" {
		t.Errorf("it was ended: %s %v", d.labels(), err)
	}
	o.In = nil
	if back := opened(t, o); back.Where(seal.Journal, func() string { v, _ := back.Mint(seal.Journal); return v }()) != "in a file" || d.made != 2 {
		t.Error("without a token named, the next key is not a file")
	}
}

// A key that was in the token before is taken, and never destroyed for nothing.
func TestAKeyIsTaken(t *testing.T) {
	d := newDevice()
	given, _, _ := d.Make(token("ceremony"))
	o := seal.Options{Dir: filepath.Join(t.TempDir(), "keys"), Name: name, Create: true, Tokens: d, In: map[seal.Purpose]seal.URI{seal.Journal: token("ceremony")}}
	keys := opened(t, o)
	if trusted := public(t, keys).Of(verify.ForJournal); len(trusted) != 1 || !trusted[0].Public.Equal(given) || d.made != 1 {
		t.Errorf("the token's key was not taken: %+v", trusted)
	}
	same, err := keys.Mint(seal.Journal)
	if err != nil || same != keys.First(seal.Journal) {
		t.Errorf("the next key is %s: %v", same, err)
	}
	if err := keys.Discard(seal.Journal, same); err != nil || d.labels() != "ceremony 1" || opened(t, o).First(seal.Journal) != same {
		t.Errorf("a key in use was thrown away: %v", err)
	}
	o.In[seal.Permit] = token("ceremony")
	if _, err := opened(t, o).Mint(seal.Permit); code(err) != "seal.two-purposes" {
		t.Errorf("one key for both: %v", err)
	}
	o.Dir += "2"
	if _, err := o.Open(); code(err) != "seal.two-purposes" {
		t.Errorf("one key for both from the beginning: %v", err)
	}
	o.Dir, o.In = filepath.Join(t.TempDir(), "keys"), map[seal.Purpose]seal.URI{seal.Journal: token("next")}
	file := opened(t, seal.Options{Dir: o.Dir, Name: name, Create: true})
	if _, _, err := d.Make(token("next")); err != nil {
		t.Fatal(err)
	}
	next, err := opened(t, o).Mint(seal.Journal)
	if err != nil || d.made != 2 {
		t.Fatal(err)
	}
	taking := opened(t, o)
	if err := taking.Discard(seal.Journal, next); err != nil || taking.Where(seal.Journal, next) == "not here" {
		t.Errorf("another process took it: %v", err)
	}
	if file.First(seal.Journal) != taking.First(seal.Journal) {
		t.Error("the first key is another")
	}
	d.keys["next 9"] = d.keys["next 2"]
	if _, err := taking.Mint(seal.Journal); code(err) != "device.several" {
		t.Errorf("two of one name: %v", err)
	}
}

// Processes that create at once end with the same keys, and leave no others behind.
func TestManyCreateOneSetOfKeysInToken(t *testing.T) {
	d := newDevice()
	o := inDevice(t, d)
	texts := make([]string, 8)
	var wait sync.WaitGroup
	for i := range texts {
		wait.Go(func() {
			keys, err := o.Open()
			if err != nil {
				t.Error(err)
				return
			}
			texts[i] = string(keys.PublicText())
		})
	}
	wait.Wait()
	for _, text := range texts {
		if text != texts[0] {
			t.Error("two processes have two keys")
		}
	}
	if len(d.keys) != 2 {
		t.Errorf("of %d keys these are left: %s", d.made, d.labels())
	}
}

func TestFilesOfKeysInTokenAreReadStrictly(t *testing.T) {
	d := newDevice()
	o := inDevice(t, d)
	keys := opened(t, o)
	file := filepath.Join(o.Dir, "journal.key")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, others := fresh(t)
	for what, change := range map[string]func(string) string{
		"as it is":          func(s string) string { return s },
		"no second line":    func(s string) string { return strings.SplitAfter(s, "\n")[0] },
		"a third line":      func(s string) string { return s + "more\n" },
		"a PIN":             func(s string) string { return strings.Replace(s, "pin-source=file:/etc/pin", "pin-value=987654", 1) },
		"no key named":      func(s string) string { return strings.Replace(s, ";object=signalbox-journal;id=%31", "", 1) },
		"half a public key": func(s string) string { return strings.Replace(s, keys.First(seal.Journal)[40:], "", 1) },
		"no public key":     func(s string) string { return strings.Replace(s, keys.First(seal.Journal), "", 1) },
		"another public key": func(s string) string {
			return strings.Replace(s, keys.First(seal.Journal), others.First(seal.Journal), 1)
		},
	} {
		if err := os.WriteFile(file, []byte(change(string(good))), 0o600); err != nil {
			t.Fatal(err)
		}
		o.Create = what == "a PIN" // a file that is there is never made anew
		k, err := o.Open()
		switch {
		case what == "another public key":
			if err == nil {
				err = k.Check(seal.Journal, "")
			}
			if code(err) != "seal.token-signature" {
				t.Errorf("%s: %v", what, err)
			}
		case what == "as it is":
			if err != nil {
				t.Error(err)
			}
		default:
			if code(err) != "seal.malformed" || strings.Contains(fmt.Sprint(err, errors.Unwrap(err)), "987654") {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	if d.made != 2 {
		t.Errorf("%d keys were made", d.made)
	}
}
