package release

import (
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/strict"
)

// Engine is the version of the evaluator, recorded in every decision.
const Engine = 1

// Decision is the engine's answer, with every reason and the digests of all it
// rested on. It is the body of Decided and holds no personal data: persons
// appear as ids.
type Decision struct {
	ID          string           `json:"id"`
	Release     string           `json:"release"`
	Service     string           `json:"service"`
	Version     string           `json:"version"`
	Digest      string           `json:"digest"`
	Environment string           `json:"environment"`
	Verdict     policy.Verdict   `json:"verdict"`
	Enforced    bool             `json:"enforced"`
	Observe     *policy.Observed `json:"observe,omitempty"`
	Mode        string           `json:"mode,omitempty"` // of the policy: observe, warn, enforce
	Governance  string           `json:"governance"`
	ScopeRule   string           `json:"scope_rule,omitempty"`
	Type        string           `json:"type,omitempty"`
	Size        string           `json:"size,omitempty"`
	ChangeType  string           `json:"change_type,omitempty"`
	Reasons     []policy.Reason  `json:"reasons"`
	Approvals   []string         `json:"approvals,omitempty"` // ids of the persons who count
	Policy      string           `json:"policy,omitempty"`    // digest of the bundle; empty: none is active
	Change      string           `json:"change,omitempty"`    // digest of the change; empty: none is known
	Evidence    string           `json:"evidence,omitempty"`  // digest of the claims that stand
	Subject     string           `json:"subject"`             // digest that votes are given for
	Basis       string           `json:"basis"`               // digest of Inputs and all the above: the same basis is the same decision
	Lists       string           `json:"lists,omitempty"`     // digest of the lists that rules read; empty: none was loaded
	Stop        string           `json:"stop,omitempty"`      // id of the stop in force: nothing goes, whatever the policy
	Issuers     []string         `json:"issuers,omitempty"`   // on whose word it rests: subjects, and attestors as "attestor/<name>"; sorted
	Believed    Believed         `json:"believed"`
	At          time.Time        `json:"at"`
	Until       time.Time        `json:"until,omitzero"`   // how long it holds if nothing but time changes
	Permit      string           `json:"permit,omitempty"` // id, where the answer is an enforced go
	PermitUntil time.Time        `json:"permit_until,omitzero"`
	Assumed     []string         `json:"assumed,omitempty"` // offline only: what was taken on trust
	Engine      int              `json:"engine"`
	Contract    int              `json:"contract"`
	TZData      string           `json:"tzdata,omitempty"`

	// AgeHours are the ages of findings, tests and coverage, which the basis leaves out.
	AgeHours [3]float64 `json:"age_hours"`
	LoadAge  float64    `json:"load_age_hours,omitzero"` // of load tests

	// Inputs are what the gates saw, and BasisText the canonical bytes that the
	// journal keeps apart from the fact, under Basis.
	Inputs    policy.Inputs `json:"-"`
	BasisText []byte        `json:"-"`
}

// Believed says whose word the decision's parts are.
type Believed struct {
	Release  policy.Provenance `json:"release"`
	Change   policy.Provenance `json:"change,omitempty"`
	Findings policy.Provenance `json:"findings,omitempty"`
	Tests    policy.Provenance `json:"tests,omitempty"`
	Coverage policy.Provenance `json:"coverage,omitempty"`
	Load     policy.Provenance `json:"load,omitempty"`

	Attestors []string `json:"attestors,omitempty"` // whose signed word about the artifact was verified
}

// believe takes over whose word the evidence is.
func (d *Decision) believe(in policy.Inputs) {
	b := &d.Believed
	b.Findings, b.Tests, b.Coverage, b.Load = in.Findings.Provenance, in.Tests.Provenance, in.Coverage.Provenance, in.Load.Provenance
	b.Attestors = in.Attestation.Attestors
}

// Permitted reports whether the answer lets a deployment start: a go that is enforced.
func (d Decision) Permitted() bool { return d.Verdict == policy.Go && d.Enforced }

// Passes reports whether a pipeline may go on: a go, or whatever answer under
// observe, which blocks nothing and permits nothing.
func (d Decision) Passes() bool { return d.Verdict == policy.Go || !d.Enforced && d.Observe != nil }

// subject is what an approver approves, schema 1: everything material. A change
// of any of it is other content, for which no vote was given.
type subject struct {
	Schema      int    `json:"schema"`
	Service     string `json:"service"`
	Version     string `json:"version"`
	Digest      string `json:"digest"`
	Environment string `json:"environment"`
	Revision    int    `json:"revision"`
	Size        string `json:"size"`
	ChangeType  string `json:"change_type"`
	Change      string `json:"change"`
	Evidence    string `json:"evidence"`
	Policy      string `json:"policy"`
}

// The canonical forms of what every decision writes.
var (
	subjectForm = strict.MustForm[subject]()
	basisForm   = strict.MustForm[basis]()
	listsForm   = strict.MustForm[policy.Lists]()
)

// canonical is v's RFC 8785 form, in room as far as that is enough, and its digest "sha256:…".
func canonical[T any](f strict.Form[T], v *T, room []byte) (text []byte, digest string, err error) {
	if text, err = f.Append(room[:0], v); err != nil {
		return nil, "", err
	}
	return text, Sum(text), nil
}

// basisSize is in bytes, for room to write in: more than most bases take.
const basisSize = 2304

// Sum is the digest of bytes as it is written: "sha256:" and 64 hexadecimal digits.
func Sum(b []byte) string { return strict.Sum(b) }

// basisSchema numbers the form of basis.
const basisSchema = 1

// basis is what makes two decisions the same: Inputs without the clock, and
// the digests of the rest.
type basis struct {
	Schema  int            `json:"schema"`
	Subject string         `json:"subject"`
	Policy  string         `json:"policy"`
	Inputs  *policy.Inputs `json:"inputs"` // without lists
	Lists   string         `json:"lists,omitempty"`
	Verdict policy.Verdict `json:"verdict"`
	Counted []string       `json:"counted"`
	Engine  int            `json:"engine"`
	Stop    string         `json:"stop,omitempty"`
}

// timeless leaves out of in what only the clock moves, and lists.
func timeless(in *policy.Inputs) {
	*in = in.With(policy.Lists{})
	in.Now = time.Time{}
	in.Findings.AgeHours, in.Tests.AgeHours, in.Coverage.AgeHours, in.Load.AgeHours = 0, 0, 0, 0
}

// Decide is the facts that record a decision and move the release with it.
func (s State) Decide(d Decision) []event.Draft {
	drafts := []event.Draft{{Stream: s.stream(), Kind: event.Decided, Body: d}}
	from := s.target(d.Environment).Phase
	if to := d.phase(); from.Open() && from.to(to) == nil {
		drafts = append(drafts, event.Draft{Stream: s.stream(), Kind: event.ReleaseMoved, Body: Moved{Environment: d.Environment, From: from, To: to, Cause: "decision"}})
	}
	return drafts
}

// phase is where a decision takes a release that is not yet deploying.
func (d Decision) phase() Phase {
	if !d.Enforced && d.Observe != nil {
		return Ready
	}
	switch d.Verdict {
	case policy.Go:
		return Ready
	case policy.Wait:
		waits := map[string]bool{}
		for _, r := range d.Reasons {
			if r.Severity == policy.Block && r.Verdict == policy.Wait {
				waits[r.Gate] = true
			}
		}
		switch {
		case waits[calendarReason]:
			return Held
		case waits[approvalReason]:
			return Approving
		}
		return Scheduled
	}
	return Assessing
}

// Stands reports whether the newest decision for an environment still answers
// for a basis at an instant.
func (s State) Stands(environment, basis string, now time.Time) (Standing, bool) {
	t := s.target(environment)
	if t.Standing == nil || t.Standing.Basis != basis {
		return Standing{}, false
	}
	until := t.Standing.Until
	return *t.Standing, until == 0 || event.MicrosOf(now) < until
}
