package evidence

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
)

// MaxClaims bounds the claims that stand about one artifact.
const MaxClaims = 200

// Skew is how far ahead of our clock a report's own time may be, for clocks differ.
const Skew = 5 * time.Minute

// Added is a claim as it is recorded: the body of event.ClaimAdded and
// event.ClaimRecounted, in the stream of the artifact. It holds counts, never
// items: those are in File.
type Added struct {
	ID         string       `json:"id"`
	Service    string       `json:"service"`
	Version    string       `json:"version"`
	Digest     string       `json:"digest"`          // of the artifact, "sha256:" and 64 hexadecimal digits, lower case
	Label      string       `json:"label,omitempty"` // tells apart reports of one tool, such as "unit" and "end-to-end"
	Claim      Claim        `json:"claim"`           // without items
	Provenance string       `json:"provenance"`      // server, pipeline, person, assumed
	File       string       `json:"file"`            // SHA-256 of the original in the vault, "sha256:…"
	Size       int64        `json:"size"`            // of the original, bytes
	At         event.Micros `json:"at"`              // when it was recorded: set by the fold from the fact's time
	VEX        []string     `json:"vex,omitempty"`   // of a recounted claim: the files of the statements it was counted beside, sorted
	By         string       `json:"by,omitempty"`    // who sent it: set by the fold from the fact's actor; of a recounted claim, who sent its report
	First      event.Micros `json:"first,omitzero"`  // of a recounted claim: when its report was recorded, which is its At
}

// Artifact is the state of an artifact's stream: the newest claim of each
// kind, tool and label, at most MaxClaims, in a fixed order.
type Artifact struct {
	Digest string  `json:"digest"`
	Claims []Added `json:"claims"`
}

// Stream is the stream of the artifact with a digest "sha256:…".
func Stream(digest string) (event.Stream, error) {
	id, ok := strings.CutPrefix(digest, "sha256:")
	if b, err := hex.DecodeString(id); !ok || err != nil || len(b) != 32 || strings.ToLower(id) != id {
		return "", fault.Invalidf("evidence.digest", "%q is not the digest of an artifact", clip(digest, 100)).
			On("digest").Remedy("give sha256: and 64 hexadecimal digits in lower case")
	}
	return event.StreamOf("artifact", id), nil
}

// ReleaseKey names the lookup key of the artifacts of a version.
const ReleaseKey = "artifact.release"

// ReleaseValue is the value of ReleaseKey for a version.
func ReleaseValue(service, version string) string { return service + "@" + version }

// Shape folds artifact streams. Keys: lookup ReleaseKey, service and version.
func Shape() event.Shape {
	return event.ShapeOf("artifact", 2, fold, keys)
}

func fold(a *Artifact, f event.Recorded) error {
	if f.Kind != event.ClaimAdded && f.Kind != event.ClaimRecounted {
		return fmt.Errorf("an artifact knows no %s", f.Kind)
	}
	var c Added
	if err := f.Body(&c); err != nil {
		return err
	}
	c.At, c.By = cmp.Or(c.First, f.Time), cmp.Or(c.By, f.Actor)
	a.Digest = c.Digest
	a.put(c)
	return nil
}

func keys(a Artifact) []event.Key {
	var out []event.Key
	for _, c := range a.Claims {
		k := event.Key{Kind: event.Lookup, Name: ReleaseKey, Value: ReleaseValue(c.Service, c.Version)}
		if !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}

func (a *Artifact) put(c Added) {
	i, found := slices.BinarySearchFunc(a.Claims, c, compareAdded)
	if found {
		a.Claims[i] = c
		return
	}
	a.Claims = slices.Insert(a.Claims, i, c)
}

// compareAdded orders by what may stand only once.
func compareAdded(a, b Added) int {
	return cmp.Or(cmp.Compare(a.Claim.Kind, b.Claim.Kind), cmp.Compare(a.Claim.toolName(), b.Claim.toolName()), cmp.Compare(a.Label, b.Label),
		cmp.Compare(a.Claim.scans(), b.Claim.scans()))
}

// scans is 1 for an inventory or statements, which do not replace a scan by the
// same tool, and 0 for all else.
func (c Claim) scans() int {
	if c.Findings != nil && c.Findings.Unscanned {
		return 1
	}
	return 0
}

// With is a with c standing, as if recorded at c.At: for decisions without a journal.
func (a Artifact) With(c Added) Artifact {
	a.Digest, a.Claims = c.Digest, slices.Clone(a.Claims)
	a.put(c)
	return a
}

// Add records a claim. The same file again under the same label adds nothing,
// so that nobody makes a report younger by sending it twice. A claim replaces
// the one of its kind, tool and label only if it is believed at least as much.
func Add(a Artifact, c Added, now time.Time) ([]event.Draft, error) {
	stream, err := Stream(c.Digest)
	if err != nil {
		return nil, err
	}
	if err := check(c, now); err != nil {
		return nil, err
	}
	c.Claim, c.At, c.VEX, c.First = c.Claim.Summary(), 0, nil, 0
	c.By = ""
	i, found := slices.BinarySearchFunc(a.Claims, c, compareAdded)
	switch {
	case !found && len(a.Claims) >= MaxClaims:
		return nil, fault.New(fault.TooLarge, "evidence.too-many", fmt.Sprintf("%d claims stand about this artifact, and no more are kept", MaxClaims)).
			On("label").Remedy("send the report under a label that stands already")
	case !found && c.Claim.Kind == AttestationKind && a.attestations() >= MaxAttestations:
		return nil, fault.New(fault.TooLarge, "evidence.too-many", fmt.Sprintf("%d attestations stand about this artifact, and no more are kept", MaxAttestations)).
			On("label").Remedy("send it under a label that stands already")
	case found && a.Claims[i].File == c.File && a.Claims[i].Provenance == c.Provenance:
		return nil, nil
	case found && rank(c.Provenance) < rank(a.Claims[i].Provenance):
		return nil, fault.New(fault.Conflict, "evidence.weaker", "a claim that is believed more stands in this one's place").
			Because(fmt.Sprintf("it is by %s, this one by %s", a.Claims[i].Provenance, c.Provenance)).
			On("label").Remedy("send it the way the first one came, or under a label of its own")
	}
	return []event.Draft{{Stream: stream, Kind: event.ClaimAdded, Body: c}}, nil
}

func (a Artifact) attestations() int {
	n := 0
	for _, c := range a.Claims {
		if c.Claim.Kind == AttestationKind {
			n++
		}
	}
	return n
}

func check(c Added, now time.Time) error {
	switch {
	case c.Service == "" || c.Version == "":
		return fault.Invalidf("evidence.unbound", "the claim names no service and version").On("service")
	case rank(c.Provenance) == 0 || c.Provenance == byAttestor:
		return fault.Invalidf("evidence.provenance", "%q is not a provenance", clip(c.Provenance, 40)).
			On("provenance").Remedy("one of server, pipeline, person, assumed")
	case len(c.Label) > 100:
		return fault.New(fault.TooLarge, "evidence.label", "the label is longer than 100 bytes").On("label")
	case !c.Claim.Whole():
		return fault.Invalidf("evidence.empty", "the claim says nothing").On("claim")
	case c.Claim.Attestation != nil && !c.Claim.Attestation.Names(c.Digest):
		return fault.Invalidf("evidence.other-subject", "the attestation is about something else than this artifact").On("digest").
			Because(fmt.Sprintf("none of its %d subjects has the digest %s", c.Claim.Attestation.SubjectCount, c.Digest)).
			Remedy("send the attestation of this artifact, or name the artifact that this one is about")
	case c.Claim.Generated.After(now.Add(Skew)):
		return fault.Invalidf("evidence.future", "the report says it was written at %s", c.Claim.Generated.UTC().Format(time.RFC3339)).
			Because("that is in the future").Remedy("set the clock of the machine that wrote it, and write it again")
	}
	return nil
}

// Whole reports whether the one object that Kind names is there.
func (c *Claim) Whole() bool {
	switch c.Kind {
	case FindingsKind:
		return c.Findings != nil
	case TestsKind:
		return c.Tests != nil
	case CoverageKind:
		return c.Coverage != nil
	case LoadKind:
		return c.Load != nil
	case AttestationKind:
		return c.Attestation != nil
	}
	return false
}

// toolName is the tool, or the format where the report does not name one.
func (c *Claim) toolName() string { return cmp.Or(c.Tool.Name, c.Format) }

// Summary is the claim as a fact may hold it: without findings one by one, with
// as many components and thresholds as its bounds admit, and at most 20 notes.
func (c Claim) Summary() Claim {
	if c.Findings != nil {
		f := *c.Findings
		f.Omitted += len(f.Items)
		f.Items = nil
		c.Findings = &f
	}
	if c.Load != nil {
		l := *c.Load
		l.Parts, l.Limits = fitting(l.Parts, maxPartsText), fitting(l.Limits, maxLimitsText)
		l.MoreParts += len(c.Load.Parts) - len(l.Parts)
		c.Load = &l
	}
	if c.Attestation != nil {
		a := *c.Attestation
		a.Subjects = nil
		c.Attestation = &a
	}
	c.Notes = slices.Clone(c.Notes[:min(len(c.Notes), 20)])
	return c
}

// Bounds of what a fact holds of a load test, in bytes of JSON; a fact as a
// whole may be 32 KiB long.
const (
	maxPartsText  = 12 << 10
	maxLimitsText = 6 << 10
)

// fitting is the first elements of a list that take at most limit bytes of JSON.
func fitting[T any](list []T, limit int) []T {
	for i := range list {
		b, err := json.Marshal(list[i])
		if limit -= len(b) + 1; err != nil || limit < 0 {
			return slices.Clone(list[:i])
		}
	}
	return slices.Clone(list)
}

// Since is the instant from which the claim's age counts: when it was
// recorded, or when the report was written if that is earlier.
func (c *Added) Since() time.Time {
	at := c.At.Time()
	if g := c.Claim.Generated; !g.IsZero() && g.Before(at) {
		return g
	}
	return at
}

// rank orders provenances by how much they are believed; 0 is none of them.
func rank(provenance string) int { return ranks[provenance] }

var ranks = map[string]int{"server": 5, byAttestor: 4, "pipeline": 3, "person": 2, "assumed": 1}

// byAttestor is the provenance of a claim for a decision, never of one as it is recorded.
const byAttestor = "attested"

// Attested is a with those claims attested of which is holds and that are believed less.
func (a Artifact) Attested(is func(Added) bool) Artifact {
	a.Claims = slices.Clone(a.Claims)
	for i, c := range a.Claims {
		if rank(c.Provenance) < rank(byAttestor) && is(c) {
			a.Claims[i].Provenance = byAttestor
		}
	}
	return a
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
