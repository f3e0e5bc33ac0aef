package seal

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/fault"
)

const (
	maxKeyFile     = 4 << 10
	identityPrefix = "IDENTITY+KEY+"
)

// Options say where keys are.
type Options struct {
	Dir    string          // directory of files; one that a token holds has a file there too, which says so
	Name   string          // of the keys, the journal's origin; "" takes any
	Create bool            // make what is missing
	In     map[Purpose]URI // tokens that new signing keys are made in; without one, a file
	Tokens Tokens          // reaches tokens; nil: the public half is known and nothing is signed
}

// Open reads the keys in dir: see Options.Open.
func Open(dir, name string, create bool) (*Keys, error) {
	return Options{Dir: dir, Name: name, Create: create}.Open()
}

// Open reads the keys in a directory. With create, the directory and each missing key
// are made, signing keys under name (the journal's origin, or another name
// without spaces and plus signs); use it only while there is no journal yet.
// Without, a missing key is refused: the journal it signed cannot be
// continued by another. A directory or file that others than its owner can
// read is refused. A name that is not empty must be that of the keys found.
//
// A key file appears whole or not at all, and two processes that create at
// once end with the same keys.
func (o Options) Open() (*Keys, error) {
	for p := range o.In {
		if o.Tokens == nil {
			return nil, noTokens(fault.Invalid, fmt.Sprintf("no %s key can be made in a token", p)).On("--" + string(p) + "-key")
		}
	}
	if o.Create {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("create the directory of keys: %w", err)
		}
	}
	d, err := o.directory()
	if err != nil {
		return nil, err
	}
	defer d.root.Close()
	k := &Keys{at: o, first: map[Purpose]signing{}, later: map[Purpose][]signing{}}
	for _, p := range []Purpose{Journal, Permit} {
		if err := k.open(d, p); err != nil {
			return nil, err
		}
	}
	if first := k.First(Journal); first != "" && first == k.First(Permit) {
		return nil, twoPurposes(o.Dir)
	}
	if k.identity, err = d.identity(); err != nil {
		return nil, err
	}
	return k, nil
}

func (o Options) directory() (directory, error) {
	root, err := openDir(o.Dir)
	return directory{o, root}, err
}

// directory is the directory of keys, open.
type directory struct {
	Options
	root *os.Root
}

func openDir(dir string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing(dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open the directory of keys: %w", err)
	}
	info, err := root.Stat(".")
	if err == nil {
		err = private(dir, info, "chmod 700 ")
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

// private refuses what group or others may use.
func private(path string, info fs.FileInfo, remedy string) error {
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return fault.Invalidf("seal.permissions", "the keys are open to others").
		At(fault.Position{File: path}).Because(fmt.Sprintf("its mode is %04o", info.Mode().Perm())).Remedy(remedy + path)
}

func missing(path string, err error) error {
	return fault.New(fault.NotFound, "seal.missing", "a key is missing").At(fault.Position{File: path}).
		Because("the journal cannot be continued under another key").
		Remedy("restore the file from the backup of the keys").Cause(err)
}

func (d directory) file(p Purpose) string { return string(p) + ".key" }

// generate is a new signing key, as its file has it, in the place for new ones
// of its purpose. made reports whether a token has it that had none before.
func (d directory) generate(p Purpose) (text string, made bool, err error) {
	if at, in := d.In[p]; in {
		return d.inToken(at, p)
	}
	text, _, err = note.GenerateKey(rand.Reader, d.Name)
	if err == nil {
		_, err = note.NewSigner(text) // refuses what GenerateKey lets pass: a bad name
	}
	if err != nil {
		err = fault.Invalidf("seal.name", "no key can be made for the name %q", d.Name).
			Because("a name is not empty and has no spaces and plus signs").Cause(err)
	}
	return text, false, err
}

func (d directory) signing(p Purpose) (signing, error) {
	var fresh string
	var made bool
	text, err := d.text(p, func() (_ string, err error) {
		fresh, made, err = d.generate(p)
		return fresh, err
	})
	if made && text != fresh { // another process was first, or the file was not written
		if ours, err := d.parseHeld(fresh); err == nil {
			_ = d.Tokens.Remove(ours.held.at)
		}
	}
	if err != nil {
		return signing{}, err
	}
	s, err := d.parse(p, text)
	if err != nil {
		return signing{}, err
	}
	if name := s.signer.Name(); d.Name != "" && name != d.Name {
		return signing{}, fault.New(fault.Conflict, "seal.other-name", "the keys belong to "+name+", not to "+d.Name).
			At(d.place(p)).Remedy("point to the directory of keys of this installation")
	}
	return s, nil
}

// parse reads the file of a signing key.
func (d directory) parse(p Purpose, text string) (signing, error) {
	if strings.HasPrefix(text, heldPrefix) {
		s, err := d.parseHeld(text)
		if err != nil { // nothing in it is secret
			return s, d.unreadable(p).Because(err.Error()).Remedy("its first line is the public key, its second where the private half is: correct that, or restore the file")
		}
		return s, nil
	}
	s, err := parseSigning(text)
	if err != nil {
		return s, d.unreadable(p)
	}
	return s, nil
}

func (d directory) place(p Purpose) fault.Position {
	return fault.Position{File: filepath.Join(d.Dir, d.file(p))}
}

// publicOf is the key in name+hash+base64.
func publicOf(vkey string) (ed25519.PublicKey, error) {
	parts := strings.SplitN(vkey, "+", 3)
	raw, err := base64.StdEncoding.Strict().DecodeString(parts[len(parts)-1])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize {
		return nil, errors.New("the public key is not base64 of 33 bytes")
	}
	return raw[1:], nil
}

// parseSigning reads PRIVATE+KEY+name+hash+base64 of the algorithm's byte and the seed.
func parseSigning(text string) (signing, error) {
	signer, err := note.NewSigner(text)
	if err != nil {
		return signing{}, errors.New("not a signing key")
	}
	parts := strings.SplitN(text, "+", 5)
	seed, err := base64.StdEncoding.Strict().DecodeString(parts[len(parts)-1])
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return signing{}, errors.New("not an Ed25519 seed")
	}
	public, _ := ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey)
	verifier, err := note.NewEd25519VerifierKey(signer.Name(), public)
	if err != nil {
		return signing{}, fmt.Errorf("public key: %w", err)
	}
	return signing{signer: signer, public: verifier}, nil
}

func (d directory) identity() (key [32]byte, err error) {
	text, err := d.text(Identity, func() (string, error) {
		var fresh [32]byte
		_, err := rand.Read(fresh[:])
		return identityPrefix + base64.StdEncoding.EncodeToString(fresh[:]), err
	})
	if err != nil {
		return key, err
	}
	digits, found := strings.CutPrefix(text, identityPrefix)
	b, err := base64.StdEncoding.Strict().DecodeString(digits)
	if !found || err != nil || len(b) != len(key) {
		return key, d.unreadable(Identity)
	}
	return [32]byte(b), nil
}

// unreadable never says what the file holds.
func (d directory) unreadable(p Purpose) *fault.Error {
	return fault.Invalidf("seal.malformed", "the %s key cannot be read", p).At(d.place(p)).
		Because("it is not as this program writes it").Remedy("restore the file from the backup of the keys")
}

// text is what a key file holds, without the end of its last line, which mint makes if it may.
func (d directory) text(p Purpose, mint func() (string, error)) (string, error) {
	text, err := d.read(p)
	if !errors.Is(err, fs.ErrNotExist) {
		return text, err
	}
	if !d.Create {
		return "", missing(d.place(p).File, err)
	}
	fresh, err := mint()
	if err != nil {
		return "", err
	}
	if _, err := d.write(p, fresh); err != nil {
		return "", fmt.Errorf("write the %s key: %w", p, err)
	}
	return d.read(p)
}

func (d directory) read(p Purpose) (string, error) {
	f, err := d.root.Open(d.file(p))
	if err != nil {
		return "", fmt.Errorf("open the %s key: %w", p, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("look at the %s key: %w", p, err)
	}
	if err := private(d.place(p).File, info, "chmod 600 "); err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return "", fmt.Errorf("read the %s key: %w", p, err)
	}
	text, found := strings.CutSuffix(string(b), "\n")
	if !found || len(b) > maxKeyFile {
		return "", d.unreadable(p)
	}
	return text, nil
}

// write makes the file aside and links it into place, which fails if another
// process was first: then its key stands, and ours is not linked. A crash leaves at
// most the file aside, which nothing reads.
func (d directory) write(p Purpose, text string) (linked bool, err error) {
	aside := "." + d.file(p) + "." + rand.Text()
	f, err := d.root.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false, err
	}
	_, err = f.WriteString(text + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	failpoint.Hit(failpoint.KeyAside)
	if err == nil {
		err = d.root.Link(aside, d.file(p))
		if linked = err == nil; errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	failpoint.Hit(failpoint.KeyLinked)
	return linked, errors.Join(err, d.root.Remove(aside), d.sync())
}

func (d directory) sync() error {
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
