// Package evidence knows what reports say: the typed claims that are made of
// them, which claims stand about an artifact, and what all readers of reports
// share. The rooms below it read one format or family each, bytes in, claims
// out; report recognises the format.
//
// It leaves to others whose word a claim is, where the original file is kept
// (the vault) and whether a claim suffices (policy). Its invariant: a report
// that is broken, truncated, empty of meaning or of an unsupported version
// yields an error that says where, never a claim; and what is not listed for
// length is still counted.
package evidence

import "time"

// Kind is what a claim is about.
type Kind string

// The kinds of claim.
const (
	FindingsKind Kind = "findings"
	TestsKind    Kind = "tests"
	CoverageKind Kind = "coverage"
	LoadKind     Kind = "load"

	AttestationKind Kind = "attestation"
)

// Valid reports whether k is a kind of claim.
func (k Kind) Valid() bool {
	return k == FindingsKind || k == TestsKind || k == CoverageKind || k == LoadKind || k == AttestationKind
}

// Tool is what wrote the report; empty where the format does not say.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// Claim is what one report says. Exactly one of Findings, Tests, Coverage, Load
// and Attestation is set, the one that Kind names.
type Claim struct {
	Kind      Kind      `json:"kind"`
	Format    string    `json:"format"`
	Version   string    `json:"version"` // of the format; "" where it has none
	Tool      Tool      `json:"tool"`
	Generated time.Time `json:"generated,omitzero"` // as the report says, UTC; zero where it is silent or gives no zone
	Findings  *Findings `json:"findings,omitempty"`
	Tests     *Tests    `json:"tests,omitempty"`
	Coverage  *Coverage `json:"coverage,omitempty"`
	Load      *Load     `json:"load,omitempty"`

	Statements  []Statement  `json:"-"` // of a VEX document: what it says, for Close
	Attestation *Attestation `json:"attestation,omitempty"`

	Notes []string `json:"notes,omitempty"` // what a reader should know before believing the figures
}

// Findings counts what a scanner found. Total is what stands: without
// suppressed results, each rule, location and message once.
type Findings struct {
	Total      int        `json:"total"`
	Suppressed int        `json:"suppressed"`       // suppressed, or of another kind than fail: outside Total
	Folded     int        `json:"folded"`           // repetitions of a result already counted
	BySeverity Severities `json:"by_severity"`      // of Total
	Items      []Finding  `json:"items,omitzero"`   // nil in a fact; at most MaxItems, in the order of the report
	Omitted    int        `json:"omitted,omitzero"` // counted above but not in Items

	// Unscanned is true where nobody looked for faults: an inventory, or a
	// statement about vulnerabilities. That it lists none proves nothing.
	Unscanned bool `json:"unscanned,omitempty"`
}

// MaxItems bounds the findings that are listed; all are counted.
const MaxItems = 10_000

// Severities are counts by severity. Unrated is a severity that no table maps:
// it may be anything, and is never taken for low.
type Severities struct {
	Critical int `json:"critical"`
	High     int `json:"high"`
	Medium   int `json:"medium"`
	Low      int `json:"low"`
	Info     int `json:"info"`
	Unrated  int `json:"unrated"`
}

// Finding is one result of a scanner.
type Finding struct {
	Rule        string   `json:"rule"`
	Severity    Severity `json:"severity"`
	Scale       string   `json:"scale"`    // where the severity came from, such as "sarif:security-severity 9.8"
	Location    string   `json:"location"` // file:line:column as far as known, or a logical name
	Package     string   `json:"package"`
	Version     string   `json:"version"`            // of the package
	PURL        string   `json:"purl,omitempty"`     // package URL of the package and version, where the report gives it
	Fixed       string   `json:"fixed_in,omitempty"` // the version that mends it
	Identifiers []string `json:"identifiers"`        // such as CVE-2021-44228, CWE-79
	Message     string   `json:"message"`            // at most 1,000 bytes
	Suppressed  bool     `json:"suppressed"`
	Why         string   `json:"why,omitempty"` // it does not stand, such as "vex: not_affected, component_not_present"
}

// Tests counts test cases: Total is the sum of the four after it.
type Tests struct {
	Total    int     `json:"total"`
	Passed   int     `json:"passed"`
	Failed   int     `json:"failed"`
	Errored  int     `json:"errored"`
	Skipped  int     `json:"skipped"`
	Duration float64 `json:"duration_s"` // seconds, summed over the cases
}

// Coverage is the share of lines and branches that tests ran, 0 to 1.
type Coverage struct {
	LineRate     float64  `json:"line_rate"`
	LinesCovered int      `json:"lines_covered"`
	LinesValid   int      `json:"lines_valid"` // lines that could be covered, above 0
	BranchRate   *float64 `json:"branch_rate"` // nil where the report measures no branches
}

// Load is what a load test measured. Times are in milliseconds, and nil where
// the report does not give them.
type Load struct {
	Requests  int        `json:"requests"`   // above 0
	ErrorRate float64    `json:"error_rate"` // 0 to 1
	P50       *float64   `json:"p50_ms"`
	P95       *float64   `json:"p95_ms"`
	P99       *float64   `json:"p99_ms"`
	Mean      *float64   `json:"mean_ms"`
	Set       int        `json:"thresholds_set"`         // by the test itself, and judged in the report
	Failed    int        `json:"thresholds_failed"`      // of them
	Seconds   float64    `json:"duration_s"`             // from first to last request, 0 where unknown
	Parts     []LoadPart `json:"parts,omitzero"`         // those with the most requests first, at most MaxParts
	MoreParts int        `json:"parts_omitted,omitzero"` // that are not in Parts
	Limits    []Limit    `json:"thresholds,omitzero"`    // those that failed first, at most MaxParts
}

// MaxParts bounds the components of a load test, and its thresholds, that are listed.
const MaxParts = 50

// LoadPart is what a load test measured of one component: a request's name, an
// endpoint, a scenario, a transaction. What the report does not give is nil.
type LoadPart struct {
	Name      string   `json:"name"` // at most MaxPartName bytes
	Requests  *int     `json:"requests"`
	ErrorRate *float64 `json:"error_rate"`
	P50       *float64 `json:"p50_ms"`
	P95       *float64 `json:"p95_ms"`
	P99       *float64 `json:"p99_ms"`
	Mean      *float64 `json:"mean_ms"`
}

// MaxPartName bounds the name of a component, and of a threshold, in bytes.
const MaxPartName = 100

// Limit is a threshold that the test itself set.
type Limit struct {
	Name   string `json:"name"` // the metric and the condition, as the tool writes them
	Failed bool   `json:"failed"`
}
