package hsm

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"github.com/miekg/pkcs11"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/seal"
)

// session is one session with a token whose user is logged in.
type session struct {
	token  *token
	ctx    *pkcs11.Ctx
	handle pkcs11.SessionHandle
}

// found is a key, and the URI that names it alone.
type found struct {
	public ed25519.PublicKey
	at     seal.URI
}

// curves are the two ways in which tokens know the curve, in DER: id-Ed25519 of RFC
// 8410, and the name that PKCS#11 3.0 has beside it.
func curves() [][]byte {
	return [][]byte{{0x06, 0x03, 0x2b, 0x65, 0x70}, append([]byte{0x13, 12}, "edwards25519"...)}
}

// called is the attributes by which a key's halves are found.
func called(at seal.URI, class uint) []*pkcs11.Attribute {
	all := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, edwardsKey), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
	}
	if at.Object != "" {
		all = append(all, pkcs11.NewAttribute(pkcs11.CKA_LABEL, at.Object))
	}
	if at.ID != "" {
		all = append(all, pkcs11.NewAttribute(pkcs11.CKA_ID, []byte(at.ID)))
	}
	return all
}

// generate makes both halves.
func (s session) generate(at seal.URI) (private pkcs11.ObjectHandle, err error) {
	for _, curve := range curves() {
		_, private, err = s.ctx.GenerateKeyPair(s.handle, mechanism(edwardsMake), publicTemplate(at, curve), privateTemplate(at))
		var code pkcs11.Error
		if !errors.As(err, &code) || !slices.Contains([]pkcs11.Error{pkcs11.CKR_CURVE_NOT_SUPPORTED, pkcs11.CKR_DOMAIN_PARAMS_INVALID, pkcs11.CKR_ATTRIBUTE_VALUE_INVALID}, code) {
			break
		}
	}
	return private, err
}

func publicTemplate(at seal.URI, curve []byte) []*pkcs11.Attribute {
	return append(called(at, pkcs11.CKO_PUBLIC_KEY), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, curve), pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true))
}

func privateTemplate(at seal.URI) []*pkcs11.Attribute {
	return append(called(at, pkcs11.CKO_PRIVATE_KEY), pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false), pkcs11.NewAttribute(pkcs11.CKA_SIGN, true))
}

// objects are those that a template finds, at most two.
func (s session) objects(template []*pkcs11.Attribute) ([]pkcs11.ObjectHandle, error) {
	if err := s.ctx.FindObjectsInit(s.handle, template); err != nil {
		return nil, err
	}
	all, _, err := s.ctx.FindObjects(s.handle, 2)
	return all, errors.Join(err, s.ctx.FindObjectsFinal(s.handle))
}

// private is the private half of the one key that a URI names.
func (s session) private(at seal.URI) (pkcs11.ObjectHandle, error) {
	all, err := s.objects(called(at, pkcs11.CKO_PRIVATE_KEY))
	switch {
	case err != nil:
		return 0, err
	case len(all) == 0:
		return 0, fault.New(fault.NotFound, "hsm.no-key", "there is no Ed25519 key in "+at.Place()).
			Because("no private key of that label and id stands there, or the PIN's user may not see it").Remedy("list what the token holds with its own tool")
	case len(all) > 1:
		return 0, fault.New(fault.Conflict, "hsm.two-keys", "there are several keys in "+at.Place()).
			Because("which of them is meant cannot be told").Remedy("name one of them by its id: id=%XX…")
	}
	return all[0], s.keeps(at, all[0])
}

// known is private, looked up once for all sessions that see the same token: a device
// across a network is asked a dozen times for it. What a key may not do it cannot be
// allowed later, so says the standard.
func (s session) known(at seal.URI) (pkcs11.ObjectHandle, error) {
	if handle, known := s.token.key(at); known {
		return handle, nil
	}
	handle, err := s.private(at)
	if err == nil {
		s.token.learn(at, handle)
	}
	return handle, err
}

// keeps refuses a private key that the token would give away, or not use unattended.
func (s session) keeps(at seal.URI, private pkcs11.ObjectHandle) error {
	for _, want := range []struct {
		attribute     uint
		value, unsaid bool // what it must be, and what it is taken for where the token does not say
		why, fix      string
	}{
		{pkcs11.CKA_SENSITIVE, true, false, "its bytes can be read (CKA_SENSITIVE is not set)", "make one that is sensitive and not extractable"},
		{pkcs11.CKA_EXTRACTABLE, false, true, "it can be taken out of the token (CKA_EXTRACTABLE is set)", "make one that is sensitive and not extractable"},
		{pkcs11.CKA_SIGN, true, false, "it may not sign (CKA_SIGN is not set)", "make one that may"},
		{pkcs11.CKA_ALWAYS_AUTHENTICATE, false, false, "it asks for the PIN at each signature (CKA_ALWAYS_AUTHENTICATE is set)", "make one that does not: nobody is there to give it"},
	} {
		value, err := s.attribute(private, want.attribute)
		set := len(value) == 1 && value[0] != 0
		if errors.Is(err, pkcs11.Error(pkcs11.CKR_ATTRIBUTE_TYPE_INVALID)) {
			set, err = want.unsaid, nil
		}
		if err != nil {
			return err
		}
		if set != want.value {
			return fault.New(fault.Conflict, "hsm.unfit", "the key in "+at.Place()+" is not fit to sign here").Because(want.why).Remedy(want.fix)
		}
	}
	return nil
}

func (s session) attribute(of pkcs11.ObjectHandle, attribute uint) ([]byte, error) {
	all, err := s.ctx.GetAttributeValue(s.handle, of, []*pkcs11.Attribute{pkcs11.NewAttribute(attribute, nil)})
	if err != nil {
		return nil, err
	}
	return all[0].Value, nil
}

// found is the public half of a private key, which has the same id, or label
// where there is no id; some tokens give the point of the private half itself.
func (s session) found(at seal.URI, private pkcs11.ObjectHandle) (found, error) {
	for _, name := range []struct {
		attribute uint
		to        *string
	}{{pkcs11.CKA_LABEL, &at.Object}, {pkcs11.CKA_ID, &at.ID}} {
		value, err := s.attribute(private, name.attribute)
		if err != nil {
			return found{}, err
		}
		*name.to = string(value)
	}
	of := private
	all, err := s.objects(called(at, pkcs11.CKO_PUBLIC_KEY))
	if err != nil {
		return found{}, err
	}
	if len(all) == 1 {
		of = all[0]
	}
	value, err := s.attribute(of, pkcs11.CKA_EC_POINT)
	if err == nil {
		public, wrong := point(value)
		if wrong == nil {
			return found{public, at}, nil
		}
		err = wrong
	}
	if lost(err) {
		return found{}, err
	}
	return found{}, fault.New(fault.Conflict, "hsm.no-public", "the public half of the key in "+at.Place()+" cannot be read").
		Because(fmt.Sprintf("%d public keys stand beside it under the same label and id: %v", len(all), err)).Remedy("put its public key into the token, under the same label and id")
}

// point is the key in CKA_EC_POINT: 32 bytes, as version 3.0 of PKCS#11 has it, or
// those in a DER octet string, as most tokens have it from before.
func point(value []byte) (ed25519.PublicKey, error) {
	if len(value) == ed25519.PublicKeySize+2 && value[0] == 0x04 && value[1] == ed25519.PublicKeySize {
		value = value[2:]
	}
	if len(value) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("its point has %d bytes and is not one of Ed25519", len(value))
	}
	return ed25519.PublicKey(value), nil
}

// destroy destroys both halves of a key, the private one first.
func (s session) destroy(at seal.URI) error {
	for _, class := range []uint{pkcs11.CKO_PRIVATE_KEY, pkcs11.CKO_PUBLIC_KEY} {
		all, err := s.objects(called(at, class))
		if err != nil {
			return err
		}
		for _, object := range all {
			if err := s.ctx.DestroyObject(s.handle, object); err != nil {
				return err
			}
		}
	}
	return nil
}
