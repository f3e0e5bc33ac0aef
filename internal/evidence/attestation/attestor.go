package attestation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/dsse"
	"signalbox.dev/signalbox/internal/evidence"
)

// Attestor is somebody whose word is believed: by which keys, and about what.
type Attestor struct {
	Name           string
	Keys           []Key
	Identities     []Identity // in place of keys: it signs by Sigstore
	Threshold      int        // distinct keys that must have signed one envelope, at least 1
	PredicateTypes []string   // empty: any
	Builders       []string   // ids, or beginnings of ids that end in *; empty: any, and none too
	Level          int        // SLSA build level that its builders are known to meet
}

// Key is a key of an attestor, and when what it signed must have been recorded.
type Key struct {
	dsse.Key
	Name        string
	From, Until time.Time // zero: at any time; Until is the first instant that is too late
}

// Word is what an attestor says of an artifact.
type Word struct {
	evidence.Attestation
	Attestor string
	Keys     []string // names of those that signed, in the attestor's order; of a Sigstore bundle who signed
	Level    int      // SLSA build level: the attestor's for provenance, the summary's own for one that passed
}

// Weigh is the attestor's word about the artifact with a digest, out of an envelope
// that was recorded at an instant; or why it is not the attestor's word.
//
// A key is held against when the envelope was recorded and not against the times
// in it, which its signer chose; nor against now, so that what was believed when it
// came does not cease to be because a key is retired.
func (a Attestor) Weigh(e dsse.Envelope, artifact string, recorded time.Time) (Word, string) {
	var keys []dsse.Key
	var names []string
	for _, k := range a.Keys {
		if recorded.Before(k.From) || !k.Until.IsZero() && !recorded.Before(k.Until) {
			continue
		}
		keys, names = append(keys, k.Key), append(names, k.Name)
	}
	signed := e.SignedBy(keys)
	if want := max(a.Threshold, 1); len(signed) < want {
		return Word{}, a.short(len(signed), want, len(keys))
	}
	var by []string
	for _, i := range signed {
		by = append(by, names[i])
	}
	return a.says(e, artifact, by)
}

// says is the attestor's word, out of what its keys have signed.
func (a Attestor) says(e dsse.Envelope, artifact string, by []string) (Word, string) {
	s, err := parse(e)
	switch {
	case err != nil:
		return Word{}, "what it signed cannot be read: " + err.Error()
	case !s.Names(artifact):
		return Word{}, "what it signed is about something else"
	case len(a.PredicateTypes) > 0 && !slices.Contains(a.PredicateTypes, s.PredicateType):
		return Word{}, "it is not believed about " + s.PredicateType
	case len(a.Builders) > 0 && !slices.ContainsFunc(a.Builders, func(b string) bool { return fits(b, s.Builder) }):
		return Word{}, fmt.Sprintf("it does not speak for the builder %q", s.Builder)
	}
	return Word{Attestation: s.Attestation, Attestor: a.Name, Keys: by, Level: a.level(s.Attestation)}, ""
}

func (a Attestor) short(signed, want, of int) string {
	why := fmt.Sprintf("%d of its keys signed, and it takes %d", signed, want)
	if late := len(a.Keys) - of; late > 0 {
		why += fmt.Sprintf("; %d of its %d keys did not hold when it was recorded", late, len(a.Keys))
	}
	return why
}

// fits reports whether an id is one of an attestor's builders.
func fits(builder, id string) bool {
	if beginning, open := strings.CutSuffix(builder, "*"); open {
		return strings.HasPrefix(id, beginning)
	}
	return id == builder
}

func (a Attestor) level(s evidence.Attestation) int {
	switch {
	case s.PredicateType == ProvenanceV02 || s.PredicateType == ProvenanceV1:
		return a.Level
	case s.PredicateType != SummaryV1 || s.Result != "PASSED":
		return 0
	}
	for n := 4; n > 0; n-- {
		if slices.Contains(s.Levels, fmt.Sprintf("SLSA_BUILD_LEVEL_%d", n)) || slices.Contains(s.Levels, fmt.Sprintf("SLSA_LEVEL_%d", n)) {
			return n
		}
	}
	return 0
}
