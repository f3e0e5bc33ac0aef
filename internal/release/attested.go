package release

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/dsse"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/evidence/attestation"
	"signalbox.dev/signalbox/internal/policy"
)

// Attested is what attestors say of an artifact.
type Attested struct {
	Words   map[string][]attestation.Word // by the claim's id; of one that is nobody's word there is none
	Nobody  map[string]string             // why, by the claim's id
	Lost    bool                          // an envelope could not be read: nothing is known
	total   int
	subject map[string]bool // digests of all that the words are about
}

// Signed is what attestations are weighed by.
type Signed struct {
	Envelopes map[string][]byte                // their bytes, decompressed, by Added.File
	Certified map[string]attestation.Certified // what Sigstore bundles among them prove, by CertifiedKey
}

// CertifiedKey is where Signed has what a file proves under a trust root.
func CertifiedKey(file, root string) string { return file + " " + root }

// BundleVerifier says what a Sigstore bundle proves under a trust root, both as JSON.
// It is slow and reads more than its arguments, so it is asked before a decision and
// not within one; what it says must depend on nothing but the two.
type BundleVerifier func(bundle, root []byte) attestation.Certified

// Certify is envelopes, and what the Sigstore bundles among them prove under the
// roots of some attestors; of nil, none is verified.
func Certify(a evidence.Artifact, envelopes map[string][]byte, attestors []policy.Attestor, verify BundleVerifier) Signed {
	all := Signed{Envelopes: envelopes, Certified: map[string]attestation.Certified{}}
	for _, c := range a.Claims {
		b := envelopes[c.File]
		if c.Claim.Format != attestation.BundleFormat || b == nil || verify == nil {
			continue
		}
		for _, x := range attestors {
			if x.Sigstore == nil {
				continue
			}
			key := CertifiedKey(c.File, x.Sigstore.Digest)
			if _, done := all.Certified[key]; !done {
				all.Certified[key] = verify(b, []byte(x.Sigstore.Root))
			}
		}
	}
	return all
}

// Attest weighs the attestations that stand about an artifact. It is computed
// for every decision from the keys of the policy that decides: what was verified
// when it came would stay so when its key is taken out of the policy.
func Attest(a evidence.Artifact, signed Signed, attestors []policy.Attestor) Attested {
	out := Attested{Words: map[string][]attestation.Word{}, Nobody: map[string]string{}, subject: map[string]bool{}}
	for i := range a.Claims {
		c := &a.Claims[i] // a claim is large: none is copied
		switch {
		case c.Claim.Attestation == nil:
			continue
		case len(attestors) == 0:
			out.Nobody[c.ID] = "the policy names no attestor"
		default:
			out.weigh(*c, signed, attestors)
		}
		out.total++
	}
	return out
}

// askable is an attestor as attestation knows it.
func askable(x policy.Attestor) attestation.Attestor {
	a := attestation.Attestor{Name: x.Name, Threshold: x.Threshold, PredicateTypes: x.PredicateTypes, Builders: x.Builders, Level: x.Level}
	for _, k := range x.Keys {
		a.Keys = append(a.Keys, attestation.Key{Key: k.Key, Name: k.Name, From: k.From, Until: k.Until})
	}
	if x.Sigstore != nil {
		for _, i := range x.Sigstore.Identities {
			a.Identities = append(a.Identities, attestation.Identity(i))
		}
	}
	return a
}

// asker answers an attestor's word about one claim; none where the bytes are lost.
func (signed Signed) asker(c evidence.Added) func(policy.Attestor) (attestation.Word, string) {
	envelope := signed.Envelopes[c.File]
	if c.Claim.Format == attestation.BundleFormat {
		if envelope == nil {
			return nil
		}
		return func(x policy.Attestor) (attestation.Word, string) {
			if x.Sigstore == nil {
				return attestation.Word{}, "it signs by keys, and this is a Sigstore bundle"
			}
			proven, weighed := signed.Certified[CertifiedKey(c.File, x.Sigstore.Digest)]
			if !weighed {
				return attestation.Word{}, "this build does not verify Sigstore bundles"
			}
			return askable(x).WeighCertified(proven, c.Digest)
		}
	}
	e, err := dsse.Read(envelope)
	if err != nil {
		return nil
	}
	return func(x policy.Attestor) (attestation.Word, string) {
		if x.Sigstore != nil {
			return attestation.Word{}, "it signs by Sigstore, and this is an envelope alone"
		}
		return askable(x).Weigh(e, c.Digest, c.At.Time())
	}
}

func (t *Attested) weigh(c evidence.Added, signed Signed, attestors []policy.Attestor) {
	ask := signed.asker(c)
	if ask == nil {
		t.Lost = true
		t.Nobody[c.ID] = "its envelope is not to be had"
		return
	}
	var not []string
	for _, a := range attestors {
		w, why := ask(a)
		if why != "" {
			not = append(not, a.Name+": "+why)
			continue
		}
		t.Words[c.ID] = append(t.Words[c.ID], w)
		for _, s := range w.Subjects {
			t.subject[s.Digest] = s.Digest != ""
		}
	}
	if len(t.Words[c.ID]) == 0 {
		t.Nobody[c.ID] = strings.Join(not, "; ")
	}
}

// section is what policy may see of it; statements only where a rule reads them.
func (t Attested) section(a evidence.Artifact, list bool) policy.Attestation {
	s := policy.Attestation{Total: t.total}
	if t.Lost || len(t.Words) == 0 {
		return s
	}
	s.Known, s.Provenance, s.Verified, s.Attestors = true, policy.ByAttestor, len(t.Words), t.attestors()
	if !list {
		return s
	}
	for _, c := range a.Claims {
		for _, w := range t.Words[c.ID] {
			s.Statements = append(s.Statements, policy.Statement{
				Attestor: w.Attestor, Keys: w.Keys, PredicateType: w.PredicateType, Builder: w.Builder, BuildType: w.BuildType,
				Source: w.Source, Ref: w.Ref, Commit: w.Commit, Invocation: w.Invocation, StartedAt: w.Started, FinishedAt: w.Finished,
				Materials: w.Materials, Subjects: w.SubjectCount, SLSALevel: w.Level, Result: w.Result, Levels: slices.Concat([]string{}, w.Levels),
			})
		}
	}
	return s
}

// attestors are those whose word at least one attestation is, sorted.
func (t Attested) attestors() []string {
	var names []string
	for _, words := range t.Words {
		for _, w := range words {
			names = append(names, w.Attestor)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// raised is the artifact with those reports attested whose files are subjects of a
// word about it: then their content does not rest on who sent them. What was
// counted beside statements of others rests on those too.
func (t Attested) raised(a evidence.Artifact) evidence.Artifact {
	if t.Lost || len(t.Words) == 0 {
		return a
	}
	return a.Attested(func(c evidence.Added) bool {
		return t.subject[c.File] && !slices.ContainsFunc(c.VEX, func(file string) bool { return !t.subject[file] })
	})
}

// unknown says why nothing is known of attestations, for people.
func (t Attested) unknown(a evidence.Artifact) string {
	switch {
	case t.total == 0:
		return "No attestation stands about the artifact."
	case t.Lost:
		return "An envelope that stands about the artifact is not to be had."
	}
	var each []string
	for _, c := range a.Claims {
		if why := t.Nobody[c.ID]; why != "" && len(each) < 3 {
			each = append(each, fmt.Sprintf("from %s: %s", c.Claim.Tool.Name, why))
		}
	}
	why := fmt.Sprintf("%d of the attestations that stand about the artifact are nobody's word", t.total)
	return clipTo(why+" ("+strings.Join(each, "; ")+").", 600)
}

func clipTo(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// attested weighs the attestations under the policy of the facts.
func (f *Facts) attested() Attested {
	if f.Policy == nil {
		return Attest(f.Artifact, Signed{}, nil)
	}
	return Attest(f.Artifact, f.Signed, f.Policy.Attestors())
}

// attested puts into recorded inputs what attestors of the candidate say, in place
// of what those of the day said. Where the artifact is not to be had as it was, it
// is unknown wherever attestors are concerned at all.
func (w *weighed) attested(r *Recorded, candidate *policy.Program) {
	concerned := len(candidate.Attestors()) > 0
	for _, p := range []policy.Provenance{w.in.Findings.Provenance, w.in.Tests.Provenance, w.in.Coverage.Provenance, w.in.Load.Provenance, w.in.Attestation.Provenance} {
		concerned = concerned || p == policy.ByAttestor
	}
	if !concerned {
		return
	}
	if why := r.Then.Lost["attestation"]; why != "" {
		w.attestation = true
		w.unknown = append(w.unknown, "what attestors would have said is not to be had: "+why)
		for _, p := range w.provenances() {
			if *p != policy.ByNobody && w.in.Attestation.Known { // it may be somebody's word that was believed
				*p = policy.ByPerson
			}
		}
		w.in.Attestation = policy.Attestation{Total: w.in.Attestation.Total}
		return
	}
	a := r.Then.Artifact
	said := Attest(a, r.Then.Signed, candidate.Attestors())
	w.in.Attestation = said.section(a, candidate.NeedsList("attestation"))
	a = said.raised(a)
	findings, tests, coverage := a.Summary(r.Decision.At)
	for i, p := range w.provenances() {
		*p = policy.Provenance([]string{findings.Provenance, tests.Provenance, coverage.Provenance, a.Load(r.Decision.At).Provenance}[i])
	}
}

func (w *weighed) provenances() []*policy.Provenance {
	return []*policy.Provenance{&w.in.Findings.Provenance, &w.in.Tests.Provenance, &w.in.Coverage.Provenance, &w.in.Load.Provenance}
}

// attestedThen are the statements that the rules of the day read.
func (r *Recorded) attestedThen() []policy.Statement {
	if !r.Rules.Reads["attestation"] {
		return nil
	}
	return Attest(r.Then.Artifact, r.Then.Signed, r.Rules.Attestors).section(r.Then.Artifact, true).Statements
}
