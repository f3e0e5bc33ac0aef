package wire

import (
	"encoding/json"
	"time"
)

// GateRequest asks whether a version of a service may go to an environment now.
type GateRequest struct {
	Service     string `json:"service"`
	Version     string `json:"version"`
	Digest      string `json:"digest" doc:"Of the artifact: sha256: and 64 hexadecimal digits"`
	Environment string `json:"environment"`
	Size        string `json:"size,omitempty" doc:"major, minor or patch; declares nothing where empty"`
	ChangeType  string `json:"change_type,omitempty" doc:"standard, normal or emergency; declares nothing where empty"`
}

// Answer is a decision, and the signed permit where it is an enforced go.
type Answer struct {
	Decision Decision          `json:"decision"`
	Standing bool              `json:"standing" doc:"Decided earlier, on the same basis, and still standing"`
	Permit   json.RawMessage   `json:"permit,omitempty" doc:"DSSE envelope of the deployment permit"`
	People   map[string]string `json:"people" doc:"Names of the persons that the decision mentions, by id"`
}

// Decision is the engine's answer with every reason and the digests of all it rested on.
type Decision struct {
	ID          string     `json:"id"`
	Release     string     `json:"release"`
	Service     string     `json:"service"`
	Version     string     `json:"version"`
	Digest      string     `json:"digest"`
	Environment string     `json:"environment"`
	Verdict     string     `json:"verdict" enum:"go,wait,no-go,indeterminate"`
	Enforced    bool       `json:"enforced" doc:"False under observe: the verdict is what would have been"`
	Observe     *Observed  `json:"observe,omitempty"`
	Mode        string     `json:"mode,omitempty" doc:"How far the policy is enforced: observe, warn or enforce"`
	Governance  string     `json:"governance"`
	ScopeRule   string     `json:"scope_rule,omitempty"`
	Type        string     `json:"type,omitempty" doc:"Name of the release type"`
	Size        string     `json:"size,omitempty"`
	ChangeType  string     `json:"change_type,omitempty"`
	Reasons     []Reason   `json:"reasons" doc:"Blocking first, then warnings and observations, then passed"`
	Approvals   []string   `json:"approvals,omitempty" doc:"Ids of the persons whose approvals count"`
	Policy      string     `json:"policy,omitempty" doc:"Digest of the bundle; empty: none is active"`
	Change      string     `json:"change,omitempty" doc:"Digest of the change; empty: none is known"`
	Evidence    string     `json:"evidence,omitempty" doc:"Digest of the claims that stand"`
	Subject     string     `json:"subject" doc:"Digest that approvals are given for"`
	Basis       string     `json:"basis" doc:"Digest of all that the decision rested on"`
	Lists       string     `json:"lists,omitempty" doc:"Digest of the findings, commits, components, statements and votes that rules read one by one; empty: none were"`
	Stop        string     `json:"stop,omitempty" doc:"Id of the stop in force: nothing goes, whatever the policy"`
	Issuers     []string   `json:"issuers,omitempty" doc:"On whose word it rests: subjects, and attestors as attestor/NAME"`
	Believed    Believed   `json:"believed"`
	At          time.Time  `json:"at"`
	Until       time.Time  `json:"until,omitzero" doc:"How long it holds if nothing but time changes"`
	Permit      string     `json:"permit,omitempty" doc:"Id of the permit of an enforced go"`
	PermitUntil time.Time  `json:"permit_until,omitzero"`
	Assumed     []string   `json:"assumed,omitempty" doc:"Offline only: what was taken on trust"`
	Engine      int        `json:"engine"`
	Contract    int        `json:"contract"`
	TZData      string     `json:"tzdata,omitempty"`
	AgeHours    [3]float64 `json:"age_hours" doc:"Of findings, tests and coverage"`
	LoadAge     float64    `json:"load_age_hours,omitzero" doc:"Of load tests"`
}

// Observed says on whose word and until when a scope is not enforced.
type Observed struct {
	By    string    `json:"by"`
	Until time.Time `json:"until"`
}

// Believed says whose word the decision's parts are: server, attested, pipeline,
// person or assumed.
type Believed struct {
	Release  string `json:"release"`
	Change   string `json:"change,omitempty"`
	Findings string `json:"findings,omitempty"`
	Tests    string `json:"tests,omitempty"`
	Coverage string `json:"coverage,omitempty"`
	Load     string `json:"load,omitempty"`

	Attestors []string `json:"attestors,omitempty" doc:"Whose signed word about the artifact was verified"`
}

// Reason is what one gate found.
type Reason struct {
	Gate     string    `json:"gate"`
	Title    string    `json:"title"`
	Code     string    `json:"code" doc:"Stable: passed, failed, unknown, stale, provenance, not-applicable, and the engine's own"`
	Severity string    `json:"severity" enum:"block,warn,observe"`
	Verdict  string    `json:"verdict" enum:"go,wait,no-go,indeterminate" doc:"Of this gate alone"`
	Why      string    `json:"why"`
	Observed string    `json:"observed"`
	Required string    `json:"required"`
	Controls []string  `json:"controls,omitempty" doc:"framework/id"`
	Owner    string    `json:"owner,omitempty"`
	Lift     string    `json:"lift,omitempty" doc:"Who can lift it"`
	Next     string    `json:"next,omitempty" doc:"The next step"`
	Until    time.Time `json:"until,omitzero" doc:"When it may lift by itself; of a relaxed gate, when it is as it was again"`
	Where    Place     `json:"where,omitzero" doc:"The rule's place in the bundle"`
}

// DecisionSummary is a decision in a list.
type DecisionSummary struct {
	ID          string    `json:"id"`
	Position    uint64    `json:"position"`
	Release     string    `json:"release"`
	Service     string    `json:"service"`
	Version     string    `json:"version"`
	Environment string    `json:"environment"`
	Verdict     string    `json:"verdict"`
	Enforced    bool      `json:"enforced"`
	At          time.Time `json:"at"`
}

// DecisionFilter selects decisions; empty fields select all.
type DecisionFilter struct {
	Service, Environment, Verdict string
	Paging
}

// RecordedDecision is a decision as the journal holds it, ready to be proven.
type RecordedDecision struct {
	Decision Decision          `json:"decision"`
	People   map[string]string `json:"people"`
	Receipt  Receipt           `json:"receipt"`
	Permit   *PermitState      `json:"permit,omitempty"`
}

// Receipt says where a fact stands in the journal: with a checkpoint and an
// inclusion proof for the position, anyone can check it offline.
type Receipt struct {
	Origin   string `json:"origin"`
	Position uint64 `json:"position"`
	Leaf     string `json:"leaf" doc:"Hash of the leaf, base64"`
}

// Preview is what an approver is shown and votes on; nothing is recorded by asking.
type Preview struct {
	Subject     string            `json:"subject" doc:"Digest; send it back as seen"`
	Canonical   string            `json:"canonical" doc:"RFC 8785 bytes whose digest is subject"`
	Environment string            `json:"environment"`
	Decision    Decision          `json:"decision" doc:"As it would be now"`
	People      map[string]string `json:"people"`
}

// VoteRequest approves or rejects exactly what stands.
type VoteRequest struct {
	Environment string `json:"environment"`
	Answer      string `json:"answer" doc:"approve or reject"`
	Comment     string `json:"comment,omitempty" doc:"A rejection needs one"`
	Seen        string `json:"seen,omitempty" doc:"Digest of the subject that was shown; refused where another stands"`
}

// UnvoteRequest withdraws one's own vote.
type UnvoteRequest struct {
	Environment string `json:"environment"`
}
