package evidence

import (
	"slices"
	"strings"
	"time"
)

// MaxAttestations bounds the attestations that stand about one artifact: each is
// verified anew for every decision that asks for one.
const MaxAttestations = 20

// Attestation is what an in-toto statement says about its subjects. It is nobody's
// word until keys verify the envelope that it came in: what a fact holds of it is
// for people to look at, and a decision reads the envelope anew.
type Attestation struct {
	PredicateType string    `json:"predicate_type"`
	Subjects      []Subject `json:"subjects,omitzero"` // nil in a fact
	SubjectCount  int       `json:"subject_count"`
	Signatures    int       `json:"signatures"` // of the envelope, whosever they are

	// What SLSA provenance and verification summaries say; empty where the
	// predicate is another or is silent.
	Builder    string    `json:"builder,omitempty"` // id of the builder, or of the verifier of a summary
	BuildType  string    `json:"build_type,omitempty"`
	Source     string    `json:"source,omitempty"` // repository that was built, such as https://example.com/shop/payments
	Ref        string    `json:"ref,omitempty"`    // of the source, such as refs/tags/v1.4.0
	Commit     string    `json:"commit,omitempty"` // of the source, hexadecimal, lower case
	Invocation string    `json:"invocation,omitempty"`
	Started    time.Time `json:"started,omitzero"`
	Finished   time.Time `json:"finished,omitzero"`
	Materials  int       `json:"materials"`        // that the build is said to have used
	Result     string    `json:"result,omitempty"` // of a summary: PASSED or FAILED
	Levels     []string  `json:"levels,omitempty"` // of a summary, such as SLSA_BUILD_LEVEL_3
}

// Subject is one thing that a statement is about.
type Subject struct {
	Name   string `json:"name,omitempty"`
	Digest string `json:"digest,omitempty"` // "sha256:…"; "" where the statement gives only digests of other kinds
}

// Names reports whether the statement is about the thing with a digest "sha256:…".
func (a Attestation) Names(digest string) bool {
	return strings.HasPrefix(digest, "sha256:") && slices.ContainsFunc(a.Subjects, func(s Subject) bool { return s.Digest == digest })
}
