package policy

import (
	"time"

	"signalbox.dev/signalbox/internal/fault"
)

// Verdict is one of four answers. The API's word for cannot-tell is indeterminate.
type Verdict string

// The four verdicts.
const (
	Go         Verdict = "go"
	Wait       Verdict = "wait" // for a person or a time
	NoGo       Verdict = "no-go"
	CannotTell Verdict = "indeterminate"
)

var verdictRank = map[Verdict]int{Go: 0, Wait: 1, CannotTell: 2, NoGo: 3}

// Worse is the worse of two, in the order no-go, cannot-tell, wait, go. Anything
// that is not a verdict counts as cannot-tell.
func (v Verdict) Worse(w Verdict) Verdict {
	v, w = v.orCannotTell(), w.orCannotTell()
	if verdictRank[w] > verdictRank[v] {
		return w
	}
	return v
}

func (v Verdict) orCannotTell() Verdict {
	if _, known := verdictRank[v]; !known {
		return CannotTell
	}
	return v
}

// Words is the verdict as people read it: go, wait, no-go, cannot tell.
func (v Verdict) Words() string {
	if v = v.orCannotTell(); v == CannotTell {
		return "cannot tell"
	}
	return string(v)
}

// Severity is what a failed gate does to the verdict.
type Severity string

// Only Block changes the verdict; the others are listed.
const (
	Block   Severity = "block"
	Warn    Severity = "warn"
	Observe Severity = "observe"
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

// Observed says on whose word and until when a scope is not enforced.
type Observed struct {
	By    string    `json:"by"`
	Until time.Time `json:"until"`
}
