package document

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/dsse"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
)

// Bounds on whose keys are tried on every attestation.
const (
	MaxAttestorKeys = 64 // of all attestors of a bundle together
	maxSLSALevel    = 3
)

// Attestor is somebody whose signed word about an artifact is believed.
type Attestor struct {
	Name, Description string
	Keys              []AttestorKey
	Threshold         int       // distinct keys that must have signed, at least 1
	PredicateTypes    []string  // what it is believed about; empty: anything
	Builders          []string  // ids that it speaks for, or beginnings of ids that end in *; empty: any
	Level             int       // SLSA build level that its builders are known to meet, 0 to 3
	Sigstore          *Sigstore // in place of keys
	Where             fault.Position
}

// AttestorKey is a public key of an attestor. It holds for envelopes that were
// recorded from From on and before Until; zero is no bound.
type AttestorKey struct {
	Name        string
	Key         dsse.Key
	From, Until time.Time
}

// Sigstore is who signs without a key of his own: as whom, and under which trust root.
type Sigstore struct {
	Root       string // JSON
	Digest     string // of the root, "sha256:…"
	Identities []SigstoreIdentity
}

// SigstoreIdentity is whom certificates name, and who vouches for it.
type SigstoreIdentity struct {
	Issuer  string
	Subject string // or the beginning of one that ends in *
}

func (r *Reader) attestor(f *bundle.Fields) {
	a := Attestor{Name: r.name(f, "Attestor", nameForm), Description: f.Text("description"), Where: f.At()}
	r.attestorKeys(f, &a)
	if s := f.Mapping("sigstore"); s != nil {
		a.Sigstore = r.sigstore(s)
	}
	a.Threshold = f.Count("threshold", 1, 1, MaxAttestorKeys)
	switch n := len(a.Keys); {
	case !f.Has("keys") && !f.Has("sigstore"):
		r.Out.Add(bundle.Problem{Where: f.At(), Code: "policy.missing-field", What: "Attestor " + a.Name + " has neither keys nor sigstore", Why: "nothing could ever be its word", Fix: "add keys:"})
	case f.Has("keys") && f.Has("sigstore"):
		r.Out.Add(bundle.Problem{Where: f.KeyAt("sigstore"), Code: "policy.key", What: "Attestor " + a.Name + " has both keys and sigstore", Why: "whoever reads the policy must see by which it is believed", Fix: "make it two Attestors"})
	case f.EmptyList("keys"):
		r.Out.Add(bundle.Problem{Where: f.ValueAt("keys"), Code: "policy.empty-list", What: `"keys" is empty`, Why: "nothing could ever be its word"})
	case f.Has("sigstore") && a.Threshold > 1:
		r.Out.Add(bundle.Problem{Where: f.ValueAt("threshold"), Code: "policy.threshold", What: fmt.Sprintf("Attestor %s asks for %d signatures", a.Name, a.Threshold), Why: "a Sigstore bundle has one", Fix: "drop threshold"})
	case a.Threshold > n && n > 0:
		r.Out.Add(bundle.Problem{Where: f.ValueAt("threshold"), Code: "policy.threshold", What: fmt.Sprintf("Attestor %s asks for %d keys and has %d", a.Name, a.Threshold, n), Why: "nothing could ever be its word", Fix: "lower the threshold or name more keys"})
	}
	a.PredicateTypes, a.Builders = f.List("predicate_types"), f.List("builders")
	for _, b := range a.Builders {
		r.builder(f, b)
	}
	a.Level = f.Count("slsa_level", 0, 0, maxSLSALevel)
	r.Attestors = append(r.Attestors, a)
}

// attestorKeys reads the keys, each of which may stand once.
func (r *Reader) attestorKeys(f *bundle.Fields, a *Attestor) {
	known := map[string]string{} // name of a key by its fingerprint
	for _, x := range f.Mappings("keys") {
		k, ok := r.attestorKey(x)
		if !ok {
			continue
		}
		if first, twice := known[k.Key.Fingerprint]; twice {
			r.Out.Add(bundle.Problem{Where: x.ValueAt("key"), Code: "policy.same-key", What: fmt.Sprintf("the keys %q and %q of Attestor %s are one key", first, k.Name, a.Name), Why: "who has it would count twice", Fix: "delete one of them"})
			continue
		}
		if slices.ContainsFunc(a.Keys, func(o AttestorKey) bool { return o.Name == k.Name }) {
			r.Out.Add(bundle.Problem{Where: x.ValueAt("name"), Code: "policy.duplicate-name", What: fmt.Sprintf("Attestor %s has two keys %q", a.Name, k.Name), Fix: "rename one"})
		}
		known[k.Key.Fingerprint] = k.Name
		a.Keys = append(a.Keys, k)
	}
}

// rootType begins the media type of a trust root.
const (
	rootType = "application/vnd.dev.sigstore.trustedroot"
	maxRoot  = 64 << 10 // bytes
)

func (r *Reader) sigstore(f *bundle.Fields) *Sigstore {
	s := &Sigstore{Root: f.Need("root")}
	if s.Root != "" {
		var members map[string]any
		err := strict.DecodeOpen([]byte(s.Root), &members)
		kind, _ := members["mediaType"].(string)
		if err != nil || len(s.Root) > maxRoot || !strings.HasPrefix(kind, rootType) {
			r.Out.Add(bundle.Problem{Where: f.ValueAt("root"), Code: "policy.key", What: "the trust root is none", Why: "it is the JSON of a Sigstore trusted root, with its certificates and logs", Fix: "copy trusted_root.json whole"})
		}
		sum := sha256.Sum256([]byte(s.Root))
		s.Digest = "sha256:" + hex.EncodeToString(sum[:])
	}
	for _, x := range r.list(f, "identities") {
		i := SigstoreIdentity{Issuer: x.Need("issuer"), Subject: x.Need("subject")}
		x.Done("an identity")
		if strings.Contains(i.Issuer, "*") {
			r.Out.Add(bundle.Problem{Where: x.ValueAt("issuer"), Code: "policy.builder", What: fmt.Sprintf("%q is not an issuer", i.Issuer), Why: "who vouches must be said whole"})
		}
		if n := strings.Count(i.Subject, "*"); n > 0 && (n > 1 || !builderForm.MatchString(i.Subject)) {
			r.Out.Add(bundle.Problem{Where: x.ValueAt("subject"), Code: "policy.builder", What: fmt.Sprintf("%q is not a subject", i.Subject), Why: "a star may stand at the end of a URI alone, after the host and a slash"})
		}
		s.Identities = append(s.Identities, i)
	}
	f.Done("sigstore")
	return s
}

func (r *Reader) attestorKey(f *bundle.Fields) (k AttestorKey, ok bool) {
	k = AttestorKey{Name: f.Need("name"), From: f.Instant("from"), Until: f.Instant("until")}
	if k.Name != "" && (len(k.Name) > 63 || !nameForm.MatchString(k.Name)) {
		r.Out.Add(bundle.Problem{Where: f.ValueAt("name"), Code: "policy.name", What: fmt.Sprintf("%q is not the name of a key", k.Name), Why: "a name has at most 63 characters and is made of lower-case words joined by hyphens"})
	}
	if !k.Until.IsZero() && !k.From.Before(k.Until) {
		r.Out.Add(bundle.Problem{Where: f.ValueAt("until"), Code: "policy.out-of-range", What: fmt.Sprintf("the key %q ends before it begins", k.Name)})
	}
	var options []string
	for _, s := range dsse.Schemes() {
		options = append(options, string(s))
	}
	scheme := dsse.Scheme(f.Choice("scheme", "", options...))
	text := f.Need("key")
	f.Done("a key")
	if text == "" {
		return k, false
	}
	key, err := dsse.ParseKey(text, scheme)
	if err != nil {
		p := bundle.Problem{Where: f.ValueAt("key"), Code: "policy.key", What: fmt.Sprintf("the key %q cannot be used", k.Name), Why: err.Error()}
		if e, is := errors.AsType[*fault.Error](err); is {
			p.Why, p.Fix = strings.TrimSuffix(e.What+": "+e.Why, ": "), e.Fix
		}
		r.Out.Add(p)
		return k, false
	}
	k.Key = key
	return k, true
}

// builderForm is an id of a builder, or the beginning of one that names a host.
var builderForm = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://[^/*\s]+(/[^*\s]*\*?)?$`)

func (r *Reader) builder(f *bundle.Fields, id string) {
	if !builderForm.MatchString(id) || len(id) > 1000 {
		r.Out.Add(bundle.Problem{Where: f.ItemAt("builders", id), Code: "policy.builder", What: fmt.Sprintf("%q is not the id of a builder", id), Why: "an id is a URI; a star may stand at its end alone, after the host and a slash", Fix: "write such as https://example.com/builders/linux@refs/tags/*"})
	}
}

// attested checks what attestors have in common.
func (r *Reader) attested(p *Set) {
	total, owner := 0, map[string]string{}
	for _, a := range p.Attestors {
		total += len(a.Keys)
		for _, k := range a.Keys {
			if other, twice := owner[k.Key.Fingerprint]; twice {
				r.warn(bundle.Problem{Where: a.Where, Code: "policy.same-key", What: fmt.Sprintf("Attestors %s and %s have one key in common", other, a.Name), Why: "who has it speaks as both; a gate that asks for both asks for one", Fix: "give each keys of its own"})
			}
			owner[k.Key.Fingerprint] = a.Name
		}
	}
	if total > MaxAttestorKeys {
		r.Out.Add(bundle.Problem{Where: p.Attestors[len(p.Attestors)-1].Where, Code: "policy.too-many", What: fmt.Sprintf("the attestors have %d keys", total), Why: fmt.Sprintf("each is tried on every attestation, so there may be %d", MaxAttestorKeys), Fix: "delete those that are not in use"})
	}
}

// AttestorNames are those of the attestors, sorted.
func (s *Set) AttestorNames() []string {
	var names []string
	for _, a := range s.Attestors {
		names = append(names, a.Name)
	}
	return slices.Sorted(slices.Values(names))
}
