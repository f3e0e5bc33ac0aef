package verify

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/fault"
)

// DefaultSkew is how far the clock of a machine that checks permits may run behind the server's.
const DefaultSkew = 60 * time.Second

// Expect is the deployment that a permit is asked for.
type Expect struct {
	Digest      string // of the artifact about to run, "sha256:…"; required
	Environment string // required
	Service     string // empty: any
	Version     string // empty: any
	Now         time.Time
	Skew        time.Duration // how long before its beginning a permit already holds; its end never moves
}

// CheckPermit opens an envelope, reads the permit in it and checks that it was
// signed by a permit key and holds for e. Each refusal is Unverified and has a
// code of its own: permit.signature, permit.malformed, permit.other-digest,
// permit.other-environment, permit.other-service, permit.other-version,
// permit.not-yet, permit.expired, permit.key-ended, permit.key-compromised. Whether the permit was redeemed or recalled
// only the server knows.
func CheckPermit(envelope []byte, keys Keys, e Expect) (Permit, error) {
	if err := isDigest(e.Digest); err != nil {
		return Permit{}, fault.Invalidf("permit.digest", "a permit is checked for one artifact").Because(err.Error()).On("digest")
	}
	if e.Environment == "" || e.Now.IsZero() {
		return Permit{}, fault.Invalidf("permit.expectation", "a permit is checked for one environment and instant").On("environment")
	}
	payload, keyID, err := Envelope(envelope, ForPermits, keys)
	if err != nil {
		return Permit{}, asPermit(err)
	}
	p, err := ParsePermit(payload)
	if err != nil {
		return Permit{}, err
	}
	if p.KeyID != keyID {
		return Permit{}, unverified("permit.signature", "the permit names the key %.16s but %s has signed it", p.KeyID, keyID)
	}
	for _, key := range keys.Of(ForPermits) {
		switch {
		case key.ID != keyID:
		case key.Compromised:
			return p, unverified("permit.key-compromised", "the permit is signed by a key that another may have").
				Because("the key " + keyID + " was taken out of use as compromised").Remedy("fetch the permit anew: signalbox permit show")
		case key.Ended(p.Position + 1):
			return p, unverified("permit.key-ended", "the permit is signed by a key that had ended").
				Because(fmt.Sprintf("the key %s ended at %d, and the permit is of the decision at %d", keyID, key.Until, p.Position)).
				Remedy("fetch the permit anew: signalbox permit show")
		}
	}
	return p, p.holds(e)
}

// asPermit turns what is wrong with an envelope into a permit's code; what is wrong with the keys stays.
func asPermit(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) || !strings.HasPrefix(f.Code, "envelope.") {
		return err
	}
	g := *f
	g.Kind = fault.Unverified
	g.Code = "permit.malformed"
	if f.Code == "envelope.signature" {
		g.Code = "permit.signature"
	}
	return &g
}

// holds checks what the permit is for, then when.
func (p Permit) holds(e Expect) error {
	for _, of := range []struct{ what, code, is, asked string }{
		{"artifact", "digest", p.Digest, e.Digest},
		{"environment", "environment", p.Environment, e.Environment},
		{"service", "service", p.Service, cmp.Or(e.Service, p.Service)},
		{"version", "version", p.Version, cmp.Or(e.Version, p.Version)},
	} {
		if of.is != of.asked {
			return unverified("permit.other-"+of.code, "the permit is for another %s", of.what).
				Because("it is for " + of.is + ", not " + of.asked).Remedy("ask for a permit for this deployment: signalbox gate")
		}
	}
	switch {
	case e.Now.Add(e.Skew).Before(p.NotBefore):
		return unverified("permit.not-yet", "the permit does not hold yet").
			Because("it begins at " + p.NotBefore.Format(instant)).Remedy("wait, or set the clock")
	case !e.Now.Before(p.NotAfter):
		return unverified("permit.expired", "the permit has expired").
			Because("it ended at " + p.NotAfter.Format(instant)).Remedy("ask for a decision again: signalbox gate")
	}
	return nil
}
