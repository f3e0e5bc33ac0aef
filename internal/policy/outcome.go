package policy

import (
	"time"

	"signalbox.dev/signalbox/internal/fault"
)

// Reason is what one gate found. It holds no personal data: people appear as
// groups, teams and roles.
type Reason struct {
	Gate     string         `json:"gate"` // the gate's name; those of the engine itself start with "signalbox/"
	Title    string         `json:"title"`
	Code     string         `json:"code"` // stable: passed, failed, unknown, stale, provenance, relaxed, and the engine's own
	Severity Severity       `json:"severity"`
	Verdict  Verdict        `json:"verdict"` // of this gate alone
	Why      string         `json:"why"`     // one sentence in plain words
	Observed string         `json:"observed"`
	Required string         `json:"required"`
	Controls []string       `json:"controls,omitempty"` // framework/id
	Owner    string         `json:"owner,omitempty"`    // group or team answerable for the gate
	Lift     string         `json:"lift,omitempty"`     // who can lift it: a group, team or role
	Next     string         `json:"next,omitempty"`     // the next step
	Until    time.Time      `json:"until,omitzero"`     // when it may lift by itself, or the relaxation ends
	Where    fault.Position `json:"where,omitzero"`     // the rule's place in the bundle
}

// Outcome is a policy's answer to Inputs: verdict and every reason.
type Outcome struct {
	Verdict    Verdict   `json:"verdict"`
	Enforced   bool      `json:"enforced"`   // false under observe: the verdict is what would have been
	Mode       string    `json:"mode"`       // observe, warn or enforce: how far the bundle is enforced
	Governance string    `json:"governance"` // full, light, none
	ScopeRule  string    `json:"scope_rule"` // the rule that decided governance
	Observe    *Observed `json:"observe,omitempty"`
	Size       string    `json:"size"`
	ChangeType string    `json:"change_type"`
	Type       string    `json:"type"`           // the ReleaseType
	Reasons    []Reason  `json:"reasons"`        // blocking first by verdict, then warnings and observations, then passed
	Until      time.Time `json:"until,omitzero"` // the next instant at which time alone could change the answer; zero: none known
}
