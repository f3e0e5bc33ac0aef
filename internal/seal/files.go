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
	Dir    string // directory of files
	Name   string // of the keys, the journal's origin; "" takes any
	Create bool   // make what is missing
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
	if o.Create {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("create the directory of keys: %w", err)
		}
	}
	d, err := o.directory(o.Create)
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
	if k.identity, err = d.identity(); err != nil {
		return nil, err
	}
	return k, nil
}

func (o Options) directory(create bool) (directory, error) {
	root, err := openDir(o.Dir)
	return directory{root: root, path: o.Dir, name: o.Name, create: create}, err
}

type directory struct {
	root   *os.Root
	path   string
	name   string
	create bool
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

// generate is a new signing key.
func (d directory) generate() (string, error) {
	secret, _, err := note.GenerateKey(rand.Reader, d.name)
	if err == nil {
		_, err = note.NewSigner(secret) // refuses what GenerateKey lets pass: a bad name
	}
	return secret, err
}

func (d directory) signing(p Purpose) (signing, error) {
	text, err := d.text(p, d.generate)
	if err != nil {
		return signing{}, err
	}
	s, err := parseSigning(text)
	if err != nil {
		return signing{}, d.unreadable(p)
	}
	if name := s.signer.Name(); d.name != "" && name != d.name {
		return signing{}, fault.New(fault.Conflict, "seal.other-name", "the keys belong to "+name+", not to "+d.name).
			At(fault.Position{File: filepath.Join(d.path, d.file(p))}).Remedy("point to the directory of keys of this installation")
	}
	return s, nil
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
func (d directory) unreadable(p Purpose) error {
	return fault.Invalidf("seal.malformed", "the %s key cannot be read", p).
		At(fault.Position{File: filepath.Join(d.path, d.file(p))}).
		Because("it is not one line as this program writes it").Remedy("restore the file from the backup of the keys")
}

// text is the one line of a key file, which mint makes if it may.
func (d directory) text(p Purpose, mint func() (string, error)) (string, error) {
	text, err := d.read(p)
	if !errors.Is(err, fs.ErrNotExist) {
		return text, err
	}
	if !d.create {
		return "", missing(filepath.Join(d.path, d.file(p)), err)
	}
	fresh, err := mint()
	if err != nil {
		return "", fault.Invalidf("seal.name", "no key can be made for the name %q", d.name).
			Because("a name is not empty and has no spaces and plus signs").Cause(err)
	}
	if err := d.write(p, fresh); err != nil {
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
	if err := private(filepath.Join(d.path, d.file(p)), info, "chmod 600 "); err != nil {
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
// process was first: then its key stands. A crash leaves at most the file
// aside, which nothing reads.
func (d directory) write(p Purpose, text string) error {
	aside := "." + d.file(p) + "." + rand.Text()
	f, err := d.root.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	failpoint.Hit(failpoint.KeyAside)
	if err == nil {
		if err = d.root.Link(aside, d.file(p)); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	failpoint.Hit(failpoint.KeyLinked)
	return errors.Join(err, d.root.Remove(aside), d.sync())
}

func (d directory) sync() error {
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
