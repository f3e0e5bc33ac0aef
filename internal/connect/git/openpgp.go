package git

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/fault"
)

// openPGPKey is a key that may sign, with the whole that it belongs to.
type openPGPKey struct {
	openpgp.Key
}

// addOpenPGP reads the blocks of public keys in a file.
func (k *Keys) addOpenPGP(file string, data []byte) error {
	refused := fault.Invalidf("git.keys", "the OpenPGP keys cannot be read").Remedy("write them with gpg --armor --export").At(fault.Position{File: file})
	for rest := data; len(bytes.TrimSpace(rest)) > 0; {
		const end = "-----END PGP PUBLIC KEY BLOCK-----"
		at := bytes.Index(rest, []byte(end))
		if at < 0 {
			return refused.Because("a block of public keys does not end, or something else stands there")
		}
		block, err := armor.Decode(bytes.NewReader(rest[:at+len(end)]))
		if err != nil || block.Type != openpgp.PublicKeyType {
			return refused.Because("what is there is no block of public keys").Cause(err)
		}
		entities, err := openpgp.ReadKeyRing(block.Body)
		if err != nil {
			return refused.Because(err.Error()).Cause(err)
		}
		if rest = rest[at+len(end):]; k.count+len(entities) > maxKeys {
			return fault.New(fault.TooLarge, "git.keys", "there are too many keys").At(fault.Position{File: file})
		}
		for _, e := range entities {
			k.addEntity(e)
		}
	}
	return nil
}

func (k *Keys) addEntity(e *openpgp.Entity) {
	k.count++
	ids := []uint64{e.PrimaryKey.KeyId}
	for _, s := range e.Subkeys {
		ids = append(ids, s.PublicKey.KeyId)
	}
	for _, id := range ids {
		for _, key := range (openpgp.EntityList{e}).KeysByIdUsage(id, packet.KeyFlagSign) {
			k.openpgp[id] = append(k.openpgp[id], openPGPKey{key})
		}
	}
}

// names are those of the identities of a key's owner, sorted.
func (k openPGPKey) names() []string {
	var all []string
	for name := range k.Entity.Identities {
		all = append(all, strings.ToValidUTF8(name, ""))
	}
	slices.Sort(all)
	return all
}

// strong reports whether what the key signs proves anything today.
func (k openPGPKey) strong() bool {
	switch k.PublicKey.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly:
		bits, err := k.PublicKey.BitLength()
		return err == nil && bits >= minRSA
	case packet.PubKeyAlgoECDSA, packet.PubKeyAlgoEdDSA, packet.PubKeyAlgoEd25519, packet.PubKeyAlgoEd448:
		return true
	}
	return false
}

// checkOpenPGP verifies a detached signature. The key must have been valid at
// the time that the signature states; one that was revoked as stolen never was.
func (k *Keys) checkOpenPGP(c *change.Commit, payload, armoured []byte) {
	s, raw, ok := parseOpenPGP(armoured)
	if !ok || s.IssuerKeyId == nil || !slices.Contains([]crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.SHA3_512}, s.Hash) {
		return
	}
	for _, key := range k.openpgp[*s.IssuerKeyId] {
		if !key.strong() {
			continue
		}
		at := &packet.Config{Time: func() time.Time { return s.CreationTime }}
		_, err := openpgp.CheckDetachedSignature(openpgp.EntityList{key.Entity}, bytes.NewReader(payload), bytes.NewReader(raw), at)
		var broken pgperrors.SignatureError
		switch {
		case err == nil:
			c.Signature, c.Key, c.KeyNames = change.Verified, strings.ToUpper(hex.EncodeToString(key.Entity.PrimaryKey.Fingerprint)), key.names()
			return
		case errors.As(err, &broken):
			c.Signature = change.Bad
		}
	}
}

// parseOpenPGP reads a signature in armour that is one packet and no more.
func parseOpenPGP(armoured []byte) (*packet.Signature, []byte, bool) {
	block, err := armor.Decode(bytes.NewReader(armoured))
	if err != nil || block.Type != openpgp.SignatureType {
		return nil, nil, false
	}
	raw, err := io.ReadAll(io.LimitReader(block.Body, maxSignature))
	if err != nil {
		return nil, nil, false
	}
	packets := packet.NewReader(bytes.NewReader(raw))
	p, err := packets.Next()
	s, is := p.(*packet.Signature)
	if err != nil || !is || s.SigType != packet.SigTypeBinary && s.SigType != packet.SigTypeText {
		return nil, nil, false
	}
	_, err = packets.Next()
	return s, raw, errors.Is(err, io.EOF)
}
