package seal

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"signalbox.dev/signalbox/internal/fault"
)

// Token keeps Ed25519 keys that never leave it. Labels are what it has them
// under: <purpose> for the first, <purpose>-<key hash> for later ones.
type Token interface {
	Find(label string) (TokenKey, error) // fault NotFound where there is none
	Make(label string) (TokenKey, error) // a new key
	Name(old, label string) error        // gives a key another label
	Remove(label string) error
}

// TokenKey is one key in a token.
type TokenKey interface {
	Public() ed25519.PublicKey
	Sign(message []byte) ([]byte, error)
	Alive() error // why it cannot sign, as far as that shows without signing
}

// tokenSigner signs notes by a key in a token.
type tokenSigner struct {
	key  TokenKey
	name string
	hash uint32
}

func (s tokenSigner) Name() string    { return s.name }
func (s tokenSigner) KeyHash() uint32 { return s.hash }

// Sign checks what the token made: a signature that does not hold is none.
func (s tokenSigner) Sign(message []byte) ([]byte, error) {
	sig, err := s.key.Sign(message)
	if err == nil && !ed25519.Verify(s.key.Public(), message, sig) {
		err = fault.New(fault.Unavailable, "seal.token-signature", "the token made a signature that does not hold")
	}
	return sig, err
}

func inToken(name string, key TokenKey) (signing, error) {
	public, err := note.NewEd25519VerifierKey(name, key.Public())
	if err != nil {
		return signing{}, fmt.Errorf("public key in the token: %w", err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		return signing{}, fmt.Errorf("public key in the token: %w", err)
	}
	return signing{signer: tokenSigner{key, name, verifier.KeyHash()}, public: public}, nil
}

// open finds the keys of a purpose, in files and in the token. There must be
// one: a first key that is missing is made with leave to create, and is gone
// for good where later ones have taken its place.
func (k *Keys) open(d directory, p Purpose) error {
	if err := k.scan(d, p); err != nil {
		return err
	}
	if t := k.at.Token; t != nil {
		key, err := t.Find(string(p))
		if fault.KindOf(err) == fault.NotFound && d.create {
			key, err = t.Make(string(p))
		}
		switch {
		case err == nil:
			if k.first[p], err = inToken(k.at.Name, key); err != nil {
				return err
			}
			if _, there := d.read(p); !errors.Is(there, fs.ErrNotExist) {
				return fault.New(fault.Conflict, "seal.two-first", fmt.Sprintf("there are two first %s keys", p)).
					Because("one is in the token and one is the file " + filepath.Join(d.path, d.file(p))).
					Remedy("take away the one that this journal was not begun with")
			}
			return nil
		case fault.KindOf(err) != fault.NotFound:
			return err
		}
	}
	first, err := d.signing(p)
	if fault.KindOf(err) == fault.NotFound && (len(k.later[p]) > 0 || k.at.Token != nil) {
		return nil // which key is needed shows when the journal names it
	}
	if err != nil {
		return err
	}
	k.first[p] = first
	return nil
}

// scan reads the files of later keys.
func (k *Keys) scan(d directory, p Purpose) error {
	files, err := fs.Glob(d.root.FS(), string(p)+"-*.key")
	if err != nil {
		return fmt.Errorf("look for %s keys: %w", p, err)
	}
	d.create = false
	k.later[p] = slices.DeleteFunc(k.later[p], func(s signing) bool { _, token := s.signer.(tokenSigner); return !token })
	for _, file := range files {
		s, err := d.signing(Purpose(strings.TrimSuffix(file, ".key")))
		if err != nil {
			return err
		}
		k.later[p] = append(k.later[p], s)
	}
	return nil
}

// find is the key of a purpose with that public half, the first where vkey is
// empty. What is not known yet another process may have made: it is looked for anew.
func (k *Keys) find(p Purpose, vkey string) (signing, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known, err := k.known(p, vkey)
	if known.signer != nil || err != nil {
		return known, err
	}
	d, err := k.at.directory(false)
	if err != nil {
		return signing{}, err
	}
	defer d.root.Close()
	if err := k.scan(d, p); err != nil {
		return signing{}, err
	}
	if t := k.at.Token; t != nil && vkey != "" {
		key, err := t.Find(string(p) + "-" + ID(vkey))
		if err == nil {
			var s signing
			if s, err = inToken(k.at.Name, key); err == nil {
				k.later[p] = append(k.later[p], s)
			}
		}
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return signing{}, err
		}
	}
	if known, err := k.known(p, vkey); known.signer != nil || err != nil {
		return known, err
	}
	return signing{}, fault.New(fault.Unavailable, "seal.not-here", fmt.Sprintf("the %s key %s is not here", p, ID(vkey))).
		Because("it signs for this installation since the newest rotation").At(fault.Position{File: k.at.Dir}).
		Remedy("give each replica the same directory of keys or the same token, or restore the key from its backup")
}

// known is a key that was read before; the zero one where none was.
func (k *Keys) known(p Purpose, vkey string) (signing, error) {
	all := []signing{k.first[p]}
	if vkey != "" {
		all = append(all, k.later[p]...)
	}
	for _, s := range all {
		if s.signer == nil || vkey != "" && s.public != vkey {
			continue
		}
		if t, is := s.signer.(tokenSigner); is {
			return s, t.key.Alive()
		}
		return s, nil
	}
	return signing{}, nil
}

// Check reports why a key cannot sign, or nil; "" is the first of its purpose.
func (k *Keys) Check(p Purpose, vkey string) error {
	_, err := k.find(p, vkey)
	return err
}

// Sign is the signature of a key over what a rotation says.
func (k *Keys) Sign(p Purpose, vkey string, message []byte) ([]byte, error) {
	s, err := k.find(p, vkey)
	if err != nil {
		return nil, err
	}
	return s.signer.Sign(message)
}

// Mint makes another key of a purpose, in the token where there is one, and
// returns its public half. It signs nothing until a fact names it: one that no
// fact names, as a crash leaves it, is of no use to anybody.
func (k *Keys) Mint(p Purpose) (vkey string, err error) {
	if p != Journal && p != Permit {
		return "", fault.Invalidf("keys.purpose", "the %.20q key is not rotated", string(p)).On("purpose").
			Because("pseudonyms in facts are made by the identity key, and under another the same person would be a stranger").
			Remedy("rotate journal or permit")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if t := k.at.Token; t != nil {
		return k.mintInToken(t, p)
	}
	d, err := k.at.directory(false)
	if err != nil {
		return "", err
	}
	defer d.root.Close()
	secret, err := d.generate()
	if err != nil {
		return "", fmt.Errorf("make a %s key: %w", p, err)
	}
	s, err := parseSigning(secret)
	if err != nil {
		return "", err
	}
	if err := d.write(Purpose(string(p)+"-"+ID(s.public)), secret); err != nil {
		return "", fmt.Errorf("write the %s key: %w", p, err)
	}
	k.later[p] = append(k.later[p], s)
	return s.public, nil
}

// mintInToken makes a key under a name of the moment, for what it is to be
// called follows from the key.
func (k *Keys) mintInToken(t Token, p Purpose) (string, error) {
	const fresh = "fresh-"
	if err := t.Remove(fresh + string(p)); err != nil && fault.KindOf(err) != fault.NotFound {
		return "", err // left there by a crash
	}
	key, err := t.Make(fresh + string(p))
	if err != nil {
		return "", err
	}
	s, err := inToken(k.at.Name, key)
	if err == nil {
		err = t.Name(fresh+string(p), string(p)+"-"+ID(s.public))
	}
	if err != nil {
		return "", err
	}
	k.later[p] = append(k.later[p], s)
	return s.public, nil
}

// Forget deletes a key for good: one that was ended, or that no fact came to name.
func (k *Keys) Forget(p Purpose, vkey string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	label := string(p)
	if k.first[p].public != vkey {
		label += "-" + ID(vkey)
	}
	var err error
	if s, _ := k.known(p, vkey); s.signer == nil {
		return nil
	} else if _, token := s.signer.(tokenSigner); token {
		err = k.at.Token.Remove(label)
	} else {
		err = os.Remove(filepath.Join(k.at.Dir, label+".key"))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && fault.KindOf(err) != fault.NotFound {
		return fmt.Errorf("delete the %s key %s: %w", p, ID(vkey), err)
	}
	if k.first[p].public == vkey {
		delete(k.first, p)
	}
	k.later[p] = slices.DeleteFunc(k.later[p], func(s signing) bool { return s.public == vkey })
	return nil
}
