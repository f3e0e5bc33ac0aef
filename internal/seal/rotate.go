package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/fault"
)

// open finds the keys of a purpose. There must be one: a first key that is
// missing is made with leave to create, and is gone for good where later ones
// have taken its place.
func (k *Keys) open(d directory, p Purpose) error {
	if err := k.scan(d, p); err != nil {
		return err
	}
	first, err := d.signing(p)
	if fault.KindOf(err) == fault.NotFound && len(k.later[p]) > 0 {
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
	d.Create = false
	before := k.later[p]
	k.later[p] = nil
	for _, file := range files {
		s, err := d.signing(Purpose(strings.TrimSuffix(file, ".key")))
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(before, func(b signing) bool { return b.public == s.public }); i >= 0 {
			s = before[i] // with what is known of it
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
	if known := k.known(p, vkey); known.signer != nil {
		return known, nil
	}
	d, err := k.at.directory()
	if err != nil {
		return signing{}, err
	}
	defer d.root.Close()
	if err := k.scan(d, p); err != nil {
		return signing{}, err
	}
	if known := k.known(p, vkey); known.signer != nil {
		return known, nil
	}
	return signing{}, fault.New(fault.Unavailable, "seal.not-here", fmt.Sprintf("the %s key %s is not here", p, ID(vkey))).
		Because("it signs for this installation since the newest rotation").At(fault.Position{File: k.at.Dir}).
		Remedy("give each replica the same directory of keys, or restore the key from its backup")
}

// known is a key that was read before; the zero one where none was.
func (k *Keys) known(p Purpose, vkey string) signing {
	all := []signing{k.first[p]}
	if vkey != "" {
		all = append(all, k.later[p]...)
	}
	for _, s := range all {
		if s.signer == nil || vkey != "" && s.public != vkey {
			continue
		}
		return s
	}
	return signing{}
}

// Check reports why a key cannot sign, or nil; "" is the first of its purpose.
func (k *Keys) Check(p Purpose, vkey string) error {
	s, err := k.find(p, vkey)
	if err == nil && s.held != nil {
		err = s.held.check()
	}
	return err
}

// Where says in a few words where the private half of a key is, "" the first of its purpose.
func (k *Keys) Where(p Purpose, vkey string) string {
	switch s, err := k.find(p, vkey); {
	case err != nil:
		return "not here"
	case s.held != nil:
		return "in " + s.held.at.Place()
	}
	return "in a file"
}

// Sign is the signature of a key over what a rotation says.
func (k *Keys) Sign(p Purpose, vkey string, message []byte) ([]byte, error) {
	s, err := k.find(p, vkey)
	if err != nil {
		return nil, err
	}
	return s.signer.Sign(message)
}

// Mint makes another key of a purpose and returns its public half. It signs nothing until a fact names it: one that no
// fact names, as a crash leaves it, is of no use to anybody.
func (k *Keys) Mint(p Purpose) (vkey string, err error) {
	if p != Journal && p != Permit {
		why := "there is no key of that purpose"
		if p == Identity {
			why = "pseudonyms in facts are made by the identity key, and under another the same person would be a stranger"
		}
		return "", fault.Invalidf("keys.purpose", "the %.20q key is not rotated", string(p)).On("purpose").Because(why).Remedy("rotate journal or permit")
	}
	d, err := k.at.directory()
	if err != nil {
		return "", err
	}
	defer d.root.Close()
	text, made, err := d.generate(p) // without the lock: a token may take its time, and others sign
	if err != nil {
		return "", fmt.Errorf("make a %s key: %w", p, err)
	}
	s, err := d.parse(p, text)
	if err != nil {
		return "", err
	}
	s.made = made
	if err := k.add(d, p, s, text); err != nil {
		if made {
			err = errors.Join(err, d.Tokens.Remove(s.held.at))
		}
		return "", err
	}
	return s.public, nil
}

// add writes the file of a key that was minted, unless it is known already.
func (k *Keys) add(d directory, p Purpose, s signing, text string) (err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.scan(d, p); err != nil {
		return err
	}
	if known, err := k.taken(p, s); known || err != nil {
		return err
	}
	if s.minted, err = d.write(Purpose(string(p)+"-"+ID(s.public)), text); err != nil {
		return fmt.Errorf("write the %s key: %w", p, err)
	}
	k.later[p] = append(k.later[p], s)
	return nil
}

// taken reports whether a key that was found in a token is one of ours already: whether
// it was ended is for the journal to say. Of no other purpose may it be.
func (k *Keys) taken(p Purpose, s signing) (bool, error) {
	for _, other := range []Purpose{Journal, Permit} {
		if other != p && k.known(other, s.public).signer != nil {
			return true, twoPurposes(k.at.Dir)
		}
	}
	for i := range k.later[p] {
		if k.later[p][i].public == s.public {
			k.later[p][i].minted = false
		}
	}
	return k.known(p, s.public).signer != nil, nil
}

func twoPurposes(dir string) error {
	return fault.New(fault.Conflict, "seal.two-purposes", "one key is to sign for the journal and permits").At(fault.Position{File: dir}).
		Because("who is tricked into signing for one would have signed for the other").Remedy("give each purpose a key of its own")
}

// Forget deletes for good a key that was ended.
func (k *Keys) Forget(p Purpose, vkey string) error {
	return k.remove(p, vkey, func(signing) (file, key bool) { return true, true })
}

// Discard deletes a key that Mint has made and no fact came to name. One that
// was there before Mint came upon it stays where it is.
func (k *Keys) Discard(p Purpose, vkey string) error {
	return k.remove(p, vkey, func(s signing) (file, key bool) { return s.minted, s.made })
}

// remove deletes what whole says of a key: its file, and the key in its token.
func (k *Keys) remove(p Purpose, vkey string, whole func(signing) (file, key bool)) error {
	k.mu.Lock()
	s := k.known(p, vkey)
	k.mu.Unlock()
	file, key := whole(s)
	if s.signer == nil || !file {
		return nil
	}
	if s.held != nil && key {
		if err := s.held.destroy(); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	label := string(p)
	if k.first[p].public != vkey {
		label += "-" + ID(vkey)
	}
	err := os.Remove(filepath.Join(k.at.Dir, label+".key"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete the %s key %s: %w", p, ID(vkey), err)
	}
	if k.first[p].public == vkey {
		delete(k.first, p)
	}
	k.later[p] = slices.DeleteFunc(k.later[p], func(s signing) bool { return s.public == vkey })
	return nil
}
