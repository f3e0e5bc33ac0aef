package policy

import "time"

// Contract is the version of Inputs. Fields are only ever added.
const Contract = 1

// Inputs is all that a policy may see: the versioned contract of its CEL
// conditions. It is complete before a decision starts and is stored with it
// as the decision's basis, so it holds no personal data.
//
// Each section says whether it is Known. A condition that reads any other
// field of a section that is not known cannot tell, whatever it computes.
//
// Four sections carry a list beside their counts. A nil list was not loaded, an
// empty one is known to be empty; a condition that reads a nil list cannot tell.
type Inputs struct {
	Contract    int         `cel:"contract" json:"contract"`
	Now         time.Time   `cel:"now" json:"now"`
	Release     Release     `cel:"release" json:"release"`
	Service     Service     `cel:"service" json:"service"`
	Environment Environment `cel:"environment" json:"environment"`
	Change      Change      `cel:"change" json:"change"`
	Findings    Findings    `cel:"findings" json:"findings"`
	Tests       Tests       `cel:"tests" json:"tests"`
	Coverage    Coverage    `cel:"coverage" json:"coverage"`
	Load        Load        `cel:"load" json:"load,omitzero"` // omitted where nothing is known, as is the next: what was decided before there was either keeps its digest
	Previous    Previous    `cel:"previous" json:"previous,omitzero"`
	Attestation Attestation `cel:"attestation" json:"attestation,omitzero"`
	Approval    Approval    `cel:"approval" json:"approval"`
	Calendar    Calendar    `cel:"calendar" json:"calendar"`
}

// Release is the version on its way. Size and ChangeType are as declared when
// conditions of ScopeRule and ReleaseType run, and as classified when gates run.
type Release struct {
	Known       bool   `cel:"known" json:"known"`
	Version     string `cel:"version" json:"version"`
	Digest      string `cel:"digest" json:"digest"`             // of the artifact, "sha256:…", lower case
	Size        string `cel:"size" json:"size"`                 // major, minor, patch; "" is undeclared
	ChangeType  string `cel:"change_type" json:"change_type"`   // standard, normal, emergency; "" is undeclared
	Type        string `cel:"type" json:"type"`                 // name of the ReleaseType that was chosen; "" while choosing
	RequestedBy string `cel:"requested_by" json:"requested_by"` // provenance of whoever opened it
	// SubmittedAt is when lead time began to run; zero: it is not submitted.
	SubmittedAt   time.Time `cel:"submitted_at" json:"submitted_at"`
	DeployedEarly bool      `cel:"deployed_early" json:"deployed_early"` // this digest went to the environment without a permit
}

// Service is the catalog's entry.
type Service struct {
	Known       bool     `cel:"known" json:"known"`
	Name        string   `cel:"name" json:"name"`
	Tier        int      `cel:"tier" json:"tier"`   // business criticality, 0 (highest) to 3
	Team        string   `cel:"team" json:"team"`   // owning team
	Owned       bool     `cel:"owned" json:"owned"` // a present person owns it
	Flags       []string `cel:"flags" json:"flags"` // such as icfr, critical-function, ephi, cardholder, high-traffic
	DataClasses []string `cel:"data_classes" json:"data_classes"`
}

// Environment is the catalog's entry.
type Environment struct {
	Known  bool   `cel:"known" json:"known"`
	Name   string `cel:"name" json:"name"`
	Kind   string `cel:"kind" json:"kind"` // production, staging, test, development
	Region string `cel:"region" json:"region"`
}

// Change is what the version contains, against the version before.
type Change struct {
	Known               bool       `cel:"known" json:"known"`
	Provenance          Provenance `cel:"provenance" json:"provenance"`
	Complete            bool       `cel:"complete" json:"complete"` // false where history was shallow or unreadable
	Commits             int        `cel:"commits" json:"commits"`
	Contributors        int        `cel:"contributors" json:"contributors"`                 // distinct persons
	UnknownContributors int        `cel:"unknown_contributors" json:"unknown_contributors"` // identities that no person claims
	Files               int        `cel:"files" json:"files"`
	LinesAdded          int        `cel:"lines_added" json:"lines_added"`
	LinesDeleted        int        `cel:"lines_deleted" json:"lines_deleted"`
	SemverStep          string     `cel:"semver_step" json:"semver_step"` // major, minor, patch, none, unknown
	Breaking            bool       `cel:"breaking" json:"breaking"`
	Reverts             int        `cel:"reverts" json:"reverts"`
	Migrations          int        `cel:"migrations" json:"migrations"`     // database migration files touched
	Dependencies        int        `cel:"dependencies" json:"dependencies"` // dependency manifests touched
	OnlyTests           bool       `cel:"only_tests" json:"only_tests"`
	OnlyDocs            bool       `cel:"only_docs" json:"only_docs"`
	Components          []string   `cel:"components" json:"components,omitzero"` // of the catalog; nil: nobody has said which paths are whose
	Elsewhere           int        `cel:"elsewhere" json:"elsewhere,omitzero"`   // files that belong to none
	CommitList          []Commit   `cel:"commit_list" json:"commit_list,omitzero"`
	Head                string     `cel:"head" json:"head,omitzero"` // id of the commit that is released
	Signed              int        `cel:"signed" json:"signed"`      // commits that carry a signature (not: whose signature holds)
}

// Findings sums the newest claim of each scanner about the artifact.
type Findings struct {
	Known      bool       `cel:"known" json:"known"`
	Provenance Provenance `cel:"provenance" json:"provenance"`
	AgeHours   float64    `cel:"age_hours" json:"age_hours"` // of the oldest claim counted
	Total      int        `cel:"total" json:"total"`
	Critical   int        `cel:"critical" json:"critical"`
	High       int        `cel:"high" json:"high"`
	Medium     int        `cel:"medium" json:"medium"`
	Low        int        `cel:"low" json:"low"`
	Info       int        `cel:"info" json:"info"`
	// Unrated counts findings whose severity maps to none of the above. Where it
	// is not 0, a condition over the counts above that holds cannot tell.
	Unrated    int       `cel:"unrated" json:"unrated"`
	Suppressed int       `cel:"suppressed" json:"suppressed"`
	Tools      []string  `cel:"tools" json:"tools"`
	Items      []Finding `cel:"items" json:"items,omitzero"`
}

// Tests sums the newest claim of each test run about the artifact.
type Tests struct {
	Known      bool       `cel:"known" json:"known"`
	Provenance Provenance `cel:"provenance" json:"provenance"`
	AgeHours   float64    `cel:"age_hours" json:"age_hours"`
	Total      int        `cel:"total" json:"total"`
	Passed     int        `cel:"passed" json:"passed"`
	Failed     int        `cel:"failed" json:"failed"`
	Errored    int        `cel:"errored" json:"errored"`
	Skipped    int        `cel:"skipped" json:"skipped"`
}

// Coverage is the newest claim about the artifact; the lowest of several tools.
type Coverage struct {
	Known        bool       `cel:"known" json:"known"`
	Provenance   Provenance `cel:"provenance" json:"provenance"`
	AgeHours     float64    `cel:"age_hours" json:"age_hours"`
	LineRate     float64    `cel:"line_rate" json:"line_rate"` // 0 to 1
	BranchRate   float64    `cel:"branch_rate" json:"branch_rate"`
	BranchKnown  bool       `cel:"branch_known" json:"branch_known"`
	LinesCovered int        `cel:"lines_covered" json:"lines_covered"`
	LinesValid   int        `cel:"lines_valid" json:"lines_valid"`
}

// Attestation is what attestors of the policy say of the artifact. It is Known
// where at least one attestation is an attestor's word; one that is nobody's word
// is counted in Total and nowhere else.
type Attestation struct {
	Known      bool        `cel:"known" json:"known"`
	Provenance Provenance  `cel:"provenance" json:"provenance"` // attested
	Total      int         `cel:"total" json:"total"`           // attestations that stand
	Verified   int         `cel:"verified" json:"verified"`     // of them, those that are some attestor's word
	Attestors  []string    `cel:"attestors" json:"attestors"`   // whose word at least one is, sorted
	Statements []Statement `cel:"statements" json:"statements,omitzero"`
}

// Approval is where the chain of the release's type stands.
type Approval struct {
	Known     bool   `cel:"known" json:"known"` // false where contributors are not all known persons
	Satisfied bool   `cel:"satisfied" json:"satisfied"`
	Rejected  bool   `cel:"rejected" json:"rejected"`
	Assumed   bool   `cel:"assumed" json:"assumed"`     // offline: from a file
	Approvals int    `cel:"approvals" json:"approvals"` // distinct persons who count
	Required  int    `cel:"required" json:"required"`
	Eligible  int    `cel:"eligible" json:"eligible"` // present persons who could still approve
	Excluded  int    `cel:"excluded" json:"excluded"` // votes that do not count, contributors' among them
	Lapsed    int    `cel:"lapsed" json:"lapsed"`     // votes given for other content, or too old
	Votes     []Vote `cel:"votes" json:"votes,omitzero"`
}

// Calendar is what the time says about this service and environment.
type Calendar struct {
	Known   bool      `cel:"known" json:"known"`
	Frozen  bool      `cel:"frozen" json:"frozen"` // a freeze is in force that the release's type is not exempt from
	Freezes []string  `cel:"freezes" json:"freezes"`
	Rules   []string  `cel:"rules" json:"rules"`       // the FreezeRules that they follow; those without one are not listed
	Exempt  []string  `cel:"exempt" json:"exempt"`     // freezes in force that the type is exempt from
	ThawsAt time.Time `cel:"thaws_at" json:"thaws_at"` // when the last of them ends; zero where it is not known or not frozen
	OpenEnd bool      `cel:"open_end" json:"open_end"` // one of them ends only when lifted
}
