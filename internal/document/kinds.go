package document

import (
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/fault"
)

// Governance says how much of the policy a scope is under, strictest first.
const (
	Full  = "full"
	Light = "light"
	None  = "none"
)

// Sizes and change types of a release, strictest first.
const (
	Major = "major"
	Minor = "minor"
	Patch = "patch"

	Emergency = "emergency"
	Normal    = "normal"
	Standard  = "standard"
)

// NoChain is the name of the chain that asks nobody.
const NoChain = "none"

// Durations of a ReleaseType and an ApprovalChain where they say nothing else.
const (
	DefaultPermitTTL = 15 * time.Minute
	MaxPermitTTL     = 4 * time.Hour
	DefaultValidFor  = 168 * time.Hour
	maxDuration      = 10 * 365 * 24 * time.Hour
)

// MaxText is the longest text of a Parameter, in bytes.
const MaxText = 4 << 10

// Policy names the bundle. There is exactly one.
type Policy struct {
	Name, Version, Description string
	Owner                      string    // a group
	Mode                       string    // draft, observe, warn, enforce
	By                         string    // on whose word it is not enforced; observe and warn
	Until                      time.Time // and how long
	Where                      fault.Position
}

// ScopeRule says how far a release is governed. Of all rules that match the
// strictest governance wins.
type ScopeRule struct {
	Name, Reason string
	Match        string    // CEL; empty matches all
	Governance   string    // full, light, none
	Observe      *Observed // verdicts are recorded, not enforced, until then
	Where        fault.Position
}

// ReleaseType is the procedure for some pairs of size and change type.
type ReleaseType struct {
	Name                  string
	Sizes, ChangeTypes    []string
	When                  string // CEL over the rest; empty is always
	Chain                 string // an ApprovalChain, or NoChain
	Thresholds            map[string]float64
	LeadTime              time.Duration // from submission to deployment, at least
	RollbackTimeObjective time.Duration // zero: none is set
	PermitTTL             time.Duration
	Where                 fault.Position
}

// Gate is one condition that a release must meet.
type Gate struct {
	Name, Title, Description string
	Applies                  string        // CEL; empty is always
	Governance               []string      // full, light
	Condition                string        // CEL
	Observed                 string        // CEL to text or number; empty lists the inputs read
	Required                 string        // plain text
	Needs                    []string      // sections, beside those that the condition reads
	MaxAge                   time.Duration // of every section needed that has an age; zero: any
	Provenance               Provenance    // the weakest that is believed; ByNobody: any
	Severity                 Severity
	OnFail                   Verdict // NoGo or Wait
	Owner, Lift, Next        string
	Controls                 []string
	Where                    fault.Position
}

// ApprovalChain says who must approve. This version knows one tier.
type ApprovalChain struct {
	Name       string
	Tiers      []Tier
	ValidFor   time.Duration // of a vote
	Rejections int           // how many reject the release
	Where      fault.Position
}

// Tier is a number of distinct persons out of some groups.
type Tier struct {
	Name   string
	Groups []string
	Quorum int
}

// FreezeRule says what a freeze that names it means.
type FreezeRule struct {
	Name                string
	MayDeclare, MayLift []string // groups
	Exempt              []string // ReleaseTypes
	Verdict             Verdict  // Wait or NoGo; empty: wait where the freeze has an end, else no-go
	InFlight            string   // continue or stop: deployments under way
	Where               fault.Position
}

// Parameter is a value that conditions read as param.NAME.
type Parameter struct {
	Name, Unit, Description string
	Value                   any // float64, bool or string
	Min, Max                *float64
	Strict                  string   // min: less is stricter; max: more is; "": nothing says
	MayChange               []string // groups
	Where                   fault.Position
}

// Kind is a kind of document and its reader.
type Kind struct {
	Name string
	Read func(*Reader, *bundle.Fields)
}

// kinds are the documents of a bundle and their readers, in the order of the reference.
var kinds = []Kind{
	{"Policy", (*Reader).policy},
	{"ScopeRule", (*Reader).scopeRule},
	{"ReleaseType", (*Reader).releaseType},
	{"Gate", (*Reader).gate},
	{"Framework", (*Reader).framework},
	{"Control", (*Reader).control},
	{"ApprovalChain", (*Reader).chain},
	{"FreezeRule", (*Reader).freezeRule},
	{"Parameter", (*Reader).parameter},
	{"RiskModel", (*Reader).riskModel},
	{"Window", (*Reader).window},
	{"Attestor", (*Reader).attestor},
	{"Relaxation", (*Reader).relaxation},
	{"Include", (*Reader).include},
	{"Overlay", (*Reader).overlay},
	{"Owner", (*Reader).owner},
}

// Kinds are those that this package reads, in the order of the reference.
func Kinds() []Kind { return slices.Clone(kinds) }

// Needable are the sections of a policy's inputs that a Gate may name under needs.
func Needable() []string {
	return []string{"service", "environment", "change", "findings", "tests", "coverage", "load", "previous", "attestation", "approval", "calendar"}
}

// Asked is how many persons of which groups a chain asks for.
func (c *ApprovalChain) Asked() (quorum int, groups string) {
	var names []string
	for _, t := range c.Tiers {
		quorum += t.Quorum
		names = append(names, t.Groups...)
	}
	return quorum, strings.Join(names, " or ")
}
