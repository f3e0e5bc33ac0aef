package git

import (
	"bytes"
	"crypto/rsa"
	"encoding/binary"
	"fmt"
	"path"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/fault"
)

// Bounds of a file of keys.
const (
	MaxKeyFile = 4 << 20 // bytes
	maxKeys    = 5000
)

// minRSA is the length of an RSA key, in bits, under which nothing is verified.
const minRSA = 2048

// Keys are those that signatures of commits are held against. None, or nil,
// verifies nothing.
type Keys struct {
	ssh     map[string][]sshKey     // by the key in wire form
	openpgp map[uint64][]openPGPKey // by the id of the key, or of the one below it that signs
	count   int
}

// sshKey is a line of a file of allowed signers.
type sshKey struct {
	names         []string // whom the file names for it
	after, before time.Time
}

// Add reads a file of keys: lines as ssh-keygen(1) has them for allowed
// signers, or public keys of OpenPGP in armour. What cannot be used is refused,
// with its place, and never left out in silence.
func (k *Keys) Add(file string, data []byte) error {
	if k.ssh == nil {
		k.ssh, k.openpgp = map[string][]sshKey{}, map[uint64][]openPGPKey{}
	}
	if len(data) > MaxKeyFile {
		return fault.New(fault.TooLarge, "git.keys", fmt.Sprintf("the file of keys is longer than %d bytes", MaxKeyFile)).At(fault.Position{File: file})
	}
	before := k.count
	var err error
	switch {
	case bytes.Contains(data, []byte(" PRIVATE KEY")):
		err = fault.Invalidf("git.keys", "the file holds a private key").Because("signatures are verified with public keys").Remedy("keep private keys to yourself").At(fault.Position{File: file})
	case bytes.Contains(data, []byte("-----BEGIN PGP ")):
		err = k.addOpenPGP(file, data)
	default:
		err = k.addSSH(file, data)
	}
	if err == nil && k.count == before {
		err = fault.Invalidf("git.keys", "the file holds no key").Remedy("give allowed signers as ssh-keygen has them, or OpenPGP public keys in armour").At(fault.Position{File: file})
	}
	if err == nil && k.count > maxKeys {
		err = fault.New(fault.TooLarge, "git.keys", fmt.Sprintf("there are more than %d keys", maxKeys)).At(fault.Position{File: file})
	}
	return err
}

func (k *Keys) addSSH(file string, data []byte) error {
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := k.addSigner(line); err != nil {
			return err.At(fault.Position{File: file, Line: number})
		}
	}
	return nil
}

// addSigner reads "principals [options] type key [comment]".
func (k *Keys) addSigner(line string) *fault.Error {
	names, rest, _ := strings.Cut(line, " ")
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(strings.TrimSpace(rest)))
	if err != nil || strings.HasPrefix(names, `"`) {
		return fault.Invalidf("git.keys", "the line is not one of allowed signers").Remedy("write: who@example.com ssh-ed25519 AAAA…")
	}
	if _, is := key.(*ssh.Certificate); is {
		return fault.Invalidf("git.keys", "certificates are not read").Remedy("list the keys themselves")
	}
	signer := sshKey{names: strings.Split(names, ",")}
	git := true
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		value = strings.Trim(value, `"`)
		ok := true
		switch strings.ToLower(name) {
		case "namespaces":
			git = false
			for p := range strings.SplitSeq(value, ",") {
				match, err := path.Match(p, namespace)
				git, ok = git || match, ok && err == nil
			}
		case "valid-after":
			signer.after, ok = signerTime(value)
		case "valid-before":
			signer.before, ok = signerTime(value)
		default:
			ok = false
		}
		if !ok {
			return fault.Invalidf("git.keys", "the option %q cannot be used", o).Because("namespaces, valid-after and valid-before are read, and times are in UTC")
		}
	}
	if git {
		k.ssh[string(key.Marshal())] = append(k.ssh[string(key.Marshal())], signer)
	}
	k.count++
	return nil
}

// signerTime reads YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS with Z behind it, or
// without, which is UTC here as well.
func signerTime(s string) (time.Time, bool) {
	s = strings.TrimSuffix(s, "Z")
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// check holds a commit's signature over payload against the keys, and writes
// what came of it into the commit.
func (k *Keys) check(c *change.Commit, payload, signature []byte) {
	c.Signature = change.Unverifiable
	if len(signature) > maxSignature {
		return
	}
	switch {
	case bytes.HasPrefix(signature, []byte("-----BEGIN SSH SIGNATURE-----")):
		k.checkSSH(c, payload, signature)
	case bytes.HasPrefix(signature, []byte("-----BEGIN PGP SIGNATURE-----")):
		k.checkOpenPGP(c, payload, signature)
	}
}

// checkSSH verifies a signature of ssh-keygen -Y sign. It names its own key, so
// that one which does not hold is told from one by a stranger.
func (k *Keys) checkSSH(c *change.Commit, payload, armoured []byte) {
	s, ok := parseSSH(armoured)
	if !ok {
		return
	}
	key, err := ssh.ParsePublicKey(s.key)
	if err != nil || !strong(key, s.signature.Format) {
		return
	}
	if key.Verify(s.signed(payload), &s.signature) != nil {
		c.Signature = change.Bad
		return
	}
	for _, signer := range k.ssh[string(s.key)] {
		if c.CommitTime.IsZero() || !signer.after.IsZero() && c.CommitTime.Before(signer.after) || !signer.before.IsZero() && !c.CommitTime.Before(signer.before) {
			continue
		}
		c.Signature, c.Key = change.Verified, ssh.FingerprintSHA256(key)
		c.KeyNames = append(c.KeyNames, signer.names...)
	}
}

// strong reports whether a key and the way it signs are good enough today: what
// is not proves nothing either way.
func strong(key ssh.PublicKey, format string) bool {
	if holder, ok := key.(ssh.CryptoPublicKey); ok {
		if k, is := holder.CryptoPublicKey().(*rsa.PublicKey); is {
			return k.N.BitLen() >= minRSA && (format == ssh.KeyAlgoRSASHA256 || format == ssh.KeyAlgoRSASHA512)
		}
	}
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoSKECDSA256:
		return format == key.Type()
	}
	return false
}

// uint32At is the four bytes at the beginning of b, and the rest.
func uint32At(b []byte) (uint32, []byte, bool) {
	if len(b) < 4 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint32(b), b[4:], true
}
