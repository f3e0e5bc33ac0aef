package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/strict"
)

// The types and constants of a permit's statement: in-toto Statement v1 and the
// SLSA verification summary v1, with our own words in the member "signalbox".
const (
	StatementType = "https://in-toto.io/Statement/v1"
	PredicateType = "https://slsa.dev/verification_summary/v1"
	SLSAVersion   = "1.1"
	passed        = "PASSED"
	scheme        = "signalbox:"
	instant       = "2006-01-02T15:04:05Z" // in-toto timestamps: UTC, whole seconds
	maxText       = 1024                   // bytes of one name in a permit
	maxLevels     = 64
)

// Statement is the in-toto statement of a deployment permit.
type Statement struct {
	Type          string    `json:"_type"`
	Subject       []Subject `json:"subject"` // exactly one
	PredicateType string    `json:"predicateType"`
	Predicate     Summary   `json:"predicate"`
}

// Subject is the artifact, named service@version.
type Subject struct {
	Name   string `json:"name"`
	Digest Digest `json:"digest"`
}

// Digest is an in-toto digest set that holds nothing but a SHA-256, 64 lower-case hexadecimal digits.
type Digest struct {
	SHA256 string `json:"sha256"`
}

// Summary is a SLSA verification summary predicate.
type Summary struct {
	Verifier           Verifier   `json:"verifier"`
	TimeVerified       string     `json:"timeVerified"`
	ResourceURI        string     `json:"resourceUri"` // signalbox:<origin>/environment/<name>
	Policy             Resource   `json:"policy"`
	InputAttestations  []Resource `json:"inputAttestations"` // change, evidence, basis, in this order
	VerificationResult string     `json:"verificationResult"`
	VerifiedLevels     []string   `json:"verifiedLevels"`
	SLSAVersion        string     `json:"slsaVersion"`
	Signalbox          Extension  `json:"signalbox"`
}

// Verifier is who decided: the journal, as a URI, and the engine's version.
type Verifier struct {
	ID      string `json:"id"`
	Version struct {
		Signalbox string `json:"signalbox"`
	} `json:"version"`
}

// Resource is an in-toto resource descriptor with a URI and a digest.
type Resource struct {
	URI    string `json:"uri"`
	Digest Digest `json:"digest"`
}

// Extension is what a permit says beyond a verification summary.
type Extension struct {
	Permit      string `json:"permit"`
	Release     string `json:"release"`
	ReleaseType string `json:"release_type"`
	Service     string `json:"service"`
	Version     string `json:"version"`
	Environment string `json:"environment"`
	Origin      string `json:"origin"`
	Position    uint64 `json:"position"`
	NotBefore   string `json:"not_before"`
	NotAfter    string `json:"not_after"`
	KeyID       string `json:"kid"`
}

// Permit is a deployment permit: its statement laid flat. All digests are
// "sha256:" and 64 hexadecimal digits; instants are in UTC and lose what is
// below a second, so that the end never moves later.
type Permit struct {
	ID          string
	Release     string // id
	ReleaseType string
	Service     string // name
	Version     string
	Environment string // name
	Digest      string // of the artifact
	Origin      string // of the journal
	Position    uint64 // of the decision in the journal
	Engine      string // version of Signalbox that decided
	Decided     time.Time
	NotBefore   time.Time
	NotAfter    time.Time // the permit is over at this instant
	Policy      string    // digest of the bundle
	Change      string    // digest of the change
	Evidence    string    // digest of the evidence set
	Basis       string    // digest of all that the decision rested on
	Levels      []string  // verified levels; a name of ours never begins with SLSA_
	KeyID       string    // of the permit key that signs
}

// Statement is the permit as an in-toto statement.
func (p Permit) Statement() Statement {
	by := Verifier{ID: scheme + p.Origin}
	by.Version.Signalbox = p.Engine
	return Statement{
		Type:          StatementType,
		Subject:       []Subject{{Name: p.Service + "@" + p.Version, Digest: bare(p.Digest)}},
		PredicateType: PredicateType,
		Predicate: Summary{
			Verifier:     by,
			TimeVerified: p.Decided.UTC().Format(instant),
			ResourceURI:  resource(p.Origin, "environment", p.Environment),
			Policy:       Resource{URI: resource(p.Origin, "policy", p.Policy), Digest: bare(p.Policy)},
			InputAttestations: []Resource{
				{URI: resource(p.Origin, "change", p.Change), Digest: bare(p.Change)},
				{URI: resource(p.Origin, "evidence", p.Evidence), Digest: bare(p.Evidence)},
				{URI: resource(p.Origin, "basis", p.Basis), Digest: bare(p.Basis)},
			},
			VerificationResult: passed,
			VerifiedLevels:     append([]string{}, p.Levels...),
			SLSAVersion:        SLSAVersion,
			Signalbox: Extension{
				Permit: p.ID, Release: p.Release, ReleaseType: p.ReleaseType,
				Service: p.Service, Version: p.Version, Environment: p.Environment,
				Origin: p.Origin, Position: p.Position,
				NotBefore: p.NotBefore.UTC().Format(instant), NotAfter: p.NotAfter.UTC().Format(instant),
				KeyID: p.KeyID,
			},
		},
	}
}

// Encode is the payload to be signed: the statement as JSON, the same bytes
// for the same permit. A permit that ParsePermit would refuse is an error.
func (p Permit) Encode() ([]byte, error) {
	payload, err := json.Marshal(p.Statement())
	if err != nil {
		return nil, fmt.Errorf("encode permit %s: %w", p.ID, err)
	}
	if _, err := ParsePermit(payload); err != nil {
		return nil, fmt.Errorf("encode permit %s: %w", p.ID, err)
	}
	return payload, nil
}

// ParsePermit reads the payload of a permit. It accepts only what Statement
// writes: what is said twice agrees, and every part that binds is there.
func ParsePermit(payload []byte) (Permit, error) {
	var s Statement
	if len(payload) > maxEnvelope {
		return Permit{}, unverified("permit.malformed", "the permit is longer than %d bytes", maxEnvelope)
	}
	if err := strict.Decode(payload, &s); err != nil {
		return Permit{}, unverified("permit.malformed", "the permit cannot be read").Because(err.Error()).Cause(err)
	}
	p, err := s.permit()
	if err == nil {
		err = p.check(s)
	}
	if err != nil {
		return Permit{}, unverified("permit.malformed", "this is not a deployment permit").Because(err.Error())
	}
	return p, nil
}

// permit lays the statement flat.
func (s Statement) permit() (Permit, error) {
	if len(s.Subject) != 1 || len(s.Predicate.InputAttestations) != 3 {
		return Permit{}, errors.New("it has not one subject and three input attestations")
	}
	v, x := s.Predicate, s.Predicate.Signalbox
	decided, err1 := time.Parse(instant, v.TimeVerified)
	notBefore, err2 := time.Parse(instant, x.NotBefore)
	notAfter, err3 := time.Parse(instant, x.NotAfter)
	if err := errors.Join(err1, err2, err3); err != nil {
		return Permit{}, errors.New("an instant is not RFC 3339 in UTC with whole seconds")
	}
	inputs := v.InputAttestations
	return Permit{
		ID: x.Permit, Release: x.Release, ReleaseType: x.ReleaseType,
		Service: x.Service, Version: x.Version, Environment: x.Environment,
		Digest: full(s.Subject[0].Digest), Origin: x.Origin, Position: x.Position,
		Engine: v.Verifier.Version.Signalbox, Decided: decided, NotBefore: notBefore, NotAfter: notAfter,
		Policy: full(v.Policy.Digest), Change: full(inputs[0].Digest), Evidence: full(inputs[1].Digest), Basis: full(inputs[2].Digest),
		Levels: v.VerifiedLevels, KeyID: x.KeyID,
	}, nil
}

// check refuses a permit that lacks a part, or whose statement s says anything that p does not.
func (p Permit) check(s Statement) error {
	for _, text := range []string{p.ID, p.Release, p.ReleaseType, p.Service, p.Version, p.Environment, p.Origin, p.Engine, p.KeyID} {
		if text == "" || len(text) > maxText {
			return fmt.Errorf("a name in it is empty or longer than %d bytes", maxText)
		}
	}
	for _, digest := range []string{p.Digest, p.Policy, p.Change, p.Evidence, p.Basis} {
		if err := isDigest(digest); err != nil {
			return err
		}
	}
	if len(p.Levels) > maxLevels {
		return fmt.Errorf("it has more than %d verified levels", maxLevels)
	}
	if !p.NotBefore.Before(p.NotAfter) {
		return errors.New("it ends before it begins")
	}
	said, err1 := json.Marshal(s)
	meant, err2 := json.Marshal(p.Statement())
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if string(said) != string(meant) {
		return errors.New("its statement and its members disagree")
	}
	return nil
}

func resource(origin, kind, name string) string {
	return scheme + origin + "/" + kind + "/" + url.PathEscape(name)
}

func bare(digest string) Digest { return Digest{SHA256: strings.TrimPrefix(digest, DigestPrefix)} }

func full(d Digest) string { return DigestPrefix + d.SHA256 }
