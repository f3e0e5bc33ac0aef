package prose

import (
	"fmt"
	"reflect"
	"strings"

	"signalbox.dev/signalbox/internal/policy"
)

// attestor is whose word is believed, about what, and by which keys.
func attestor(a policy.Attestor) string {
	text := a.Name + ": what " + signers(a) + " signed about an artifact is believed"
	if len(a.PredicateTypes) > 0 {
		text += ", where it is of the type " + either(a.PredicateTypes)
	}
	if len(a.Builders) > 0 {
		text += ", where it is of the builder " + either(a.Builders)
	}
	if a.Level > 0 {
		text += fmt.Sprintf("; provenance counts as SLSA build level %d", a.Level)
	}
	return text + "." + reason(a.Description)
}

// signers is how many of which keys must have signed.
func signers(a policy.Attestor) string {
	if a.Sigstore != nil {
		return "certificates for " + either(identities(a)) + " under the trust root " + a.Sigstore.Digest
	}
	var names []string
	for _, k := range a.Keys {
		names = append(names, keyed(k))
	}
	if len(names) == 1 {
		return "the key " + names[0]
	}
	return fmt.Sprintf("%s out of the keys %s", counted(a.Threshold, "signer", "signers"), joined(names, "and"))
}

// identities are those that an attestor signs as, by Sigstore.
func identities(a policy.Attestor) []string {
	var all []string
	if a.Sigstore != nil {
		for _, i := range a.Sigstore.Identities {
			all = append(all, i.Subject+" (vouched for by "+i.Issuer+")")
		}
	}
	return all
}

// rootOf is the trust root of an attestor, in words.
func rootOf(a policy.Attestor) string {
	if a.Sigstore == nil {
		return "none"
	}
	return a.Sigstore.Digest
}

// keyed is a key and when it holds.
func keyed(k policy.AttestorKey) string {
	text := k.Name
	if !k.From.IsZero() {
		text += " from " + day(k.From)
	}
	if !k.Until.IsZero() {
		text += " until " + day(k.Until)
	}
	return text
}

// attestors lists the keys in full: whoever audits compares fingerprints.
func attestors(d *Document, p *policy.Program) {
	if len(p.Attestors()) == 0 {
		return
	}
	d.heading(1, "Attestors")
	d.say("What these have signed about an artifact is believed, whoever sends it. A key is held against when an attestation was recorded.")
	var rows [][]string
	for _, a := range p.Attestors() {
		d.items(attestor(a))
		if a.Sigstore != nil {
			rows = append(rows, []string{a.Name, strings.Join(identities(a), ", "), "Sigstore", a.Sigstore.Digest})
		}
		for _, k := range a.Keys {
			rows = append(rows, []string{a.Name, keyed(k), string(k.Key.Scheme), k.Key.Fingerprint})
		}
	}
	d.table([]string{"Attestor", "Key", "Signs by", "Fingerprint"}, rows)
}

// attestorFields are those that attestorField compares.
var attestorFields = []string{"Keys", "Sigstore", "Threshold", "PredicateTypes", "Builders", "Level"}

// attestorField is how a field of an attestor changed, and in which direction;
// none where the field means the same.
func attestorField(field string, x, y policy.Attestor) []finding {
	switch field {
	case "Keys":
		return keysChanged(x, y)
	case "Sigstore":
		all := narrowed("it signs as", identities(x), identities(y))
		if rootOf(x) != rootOf(y) {
			all = append(all, finding{Changed, fmt.Sprintf("its trust root is now %s instead of %s", rootOf(y), rootOf(x))})
		}
		return all
	case "PredicateTypes":
		return narrowed("it is believed about", x.PredicateTypes, y.PredicateTypes)
	case "Builders":
		return narrowed("it speaks for", x.Builders, y.Builders)
	case "Threshold":
		if x.Threshold != y.Threshold {
			return []finding{{direction(y.Threshold > x.Threshold, Tightened), fmt.Sprintf("it takes %d keys instead of %d", y.Threshold, x.Threshold)}}
		}
	case "Level":
		if x.Level != y.Level {
			return []finding{{direction(y.Level > x.Level, Loosened), fmt.Sprintf("its provenance counts as SLSA build level %d instead of %d", y.Level, x.Level)}}
		}
	}
	return nil
}

// narrowed compares lists of which an empty one means anything.
func narrowed(what string, was, is []string) []finding {
	if reflect.DeepEqual(was, is) || within(was, is) && within(is, was) {
		return nil
	}
	said := fmt.Sprintf("%s %s instead of %s", what, anything(is), anything(was))
	switch {
	case len(was) == 0 || len(is) > 0 && within(is, was):
		return []finding{{Tightened, said}}
	case len(is) == 0 || within(was, is):
		return []finding{{Loosened, said}}
	}
	return []finding{{Changed, said}}
}

func anything(list []string) string {
	if len(list) == 0 {
		return "anything"
	}
	return strings.Join(list, ", ")
}

// keysChanged tells of every key: a key more is one more that can speak.
func keysChanged(x, y policy.Attestor) []finding {
	was, is := map[string]policy.AttestorKey{}, map[string]policy.AttestorKey{}
	for _, k := range x.Keys {
		was[k.Key.Fingerprint] = k
	}
	for _, k := range y.Keys {
		is[k.Key.Fingerprint] = k
	}
	var all []finding
	for _, f := range union(was, is) {
		a, before := was[f]
		b, after := is[f]
		switch {
		case !before:
			all = append(all, finding{Loosened, fmt.Sprintf("the key %s (%s) is added", keyed(b), f)})
		case !after:
			all = append(all, finding{Tightened, fmt.Sprintf("the key %s (%s) is taken away", keyed(a), f)})
		case a.Key.Scheme != b.Key.Scheme:
			all = append(all, finding{Changed, fmt.Sprintf("the key %s signs by %s instead of %s", b.Name, b.Key.Scheme, a.Key.Scheme)})
		case !a.From.Equal(b.From) || !a.Until.Equal(b.Until):
			all = append(all, finding{held(a, b), fmt.Sprintf("the key is now %s instead of %s", keyed(b), keyed(a))})
		case a.Name != b.Name:
			all = append(all, finding{Changed, fmt.Sprintf("the key %s is now called %s", a.Name, b.Name)})
		}
	}
	return all
}

// held is whether a key holds for longer or for less long.
func held(a, b policy.AttestorKey) Mark {
	longer := !b.From.After(a.From) && (b.Until.IsZero() || !a.Until.IsZero() && !b.Until.Before(a.Until))
	shorter := !b.From.Before(a.From) && (a.Until.IsZero() || !b.Until.IsZero() && !b.Until.After(a.Until))
	switch {
	case longer:
		return Loosened
	case shorter:
		return Tightened
	}
	return Changed
}
