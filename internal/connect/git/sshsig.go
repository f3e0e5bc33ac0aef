package git

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"

	"golang.org/x/crypto/ssh"
)

// The format is OpenSSH's, PROTOCOL.sshsig.
const (
	sshMagic   = "SSHSIG"
	sshVersion = 1
	namespace  = "git" // what is signed for anything else is no signature of a commit
)

// sshSignature is a signature as ssh-keygen -Y sign writes it.
type sshSignature struct {
	key       []byte // in wire form
	hash      string // sha256 or sha512
	reserved  []byte
	signature ssh.Signature
}

// parseSSH reads a signature in armour; false for one that is not whole, or is for
// something other than git.
func parseSSH(armoured []byte) (s sshSignature, ok bool) {
	b, ok := unarmour(armoured, "SSH SIGNATURE")
	if !ok || !bytes.HasPrefix(b, []byte(sshMagic)) {
		return s, false
	}
	version, b, ok := uint32At(b[len(sshMagic):])
	if !ok || version != sshVersion {
		return s, false
	}
	var parts [5][]byte // key, namespace, reserved, hash, signature
	for i := range parts {
		if parts[i], b, ok = sshString(b); !ok {
			return s, false
		}
	}
	s.key, s.reserved, s.hash = parts[0], parts[2], string(parts[3])
	if len(b) > 0 || string(parts[1]) != namespace || s.hash != "sha256" && s.hash != "sha512" {
		return s, false
	}
	return s, ssh.Unmarshal(parts[4], &s.signature) == nil
}

// signed is what was signed of a message.
func (s sshSignature) signed(message []byte) []byte {
	var digest []byte
	switch s.hash {
	case "sha256":
		sum := sha256.Sum256(message)
		digest = sum[:]
	case "sha512":
		sum := sha512.Sum512(message)
		digest = sum[:]
	}
	out := []byte(sshMagic)
	for _, part := range [][]byte{[]byte(namespace), s.reserved, []byte(s.hash), digest} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(part)))
		out = append(out, part...)
	}
	return out
}

// sshString is the string at the beginning of b, and the rest.
func sshString(b []byte) (s, rest []byte, ok bool) {
	n, b, ok := uint32At(b)
	if !ok || uint64(n) > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// unarmour is what stands in base 64 between the lines that begin and end a kind of block.
func unarmour(b []byte, kind string) ([]byte, bool) {
	b, ok := bytes.CutPrefix(bytes.TrimSpace(b), []byte("-----BEGIN "+kind+"-----"))
	if !ok {
		return nil, false
	}
	if b, ok = bytes.CutSuffix(b, []byte("-----END "+kind+"-----")); !ok {
		return nil, false
	}
	out, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(b), nil)))
	return out, err == nil
}
