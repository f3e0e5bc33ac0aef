// Package evidence knows what reports say: it reads one report in bytes and
// makes a typed claim of it, and it knows which claims stand about an artifact.
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
)

// Valid reports whether k is a kind of claim.
func (k Kind) Valid() bool { return k == FindingsKind || k == TestsKind || k == CoverageKind }

// Formats that are read.
const (
	FormatSARIF     = "sarif"
	FormatJUnit     = "junit"
	FormatCobertura = "cobertura"
)

// Tool is what wrote the report; empty where the format does not say.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// Claim is what one report says. Exactly one of Findings, Tests and Coverage
// is set, the one that Kind names.
type Claim struct {
	Kind      Kind      `json:"kind"`
	Format    string    `json:"format"`
	Version   string    `json:"version"` // of the format; "" where it has none
	Tool      Tool      `json:"tool"`
	Generated time.Time `json:"generated,omitzero"` // as the report says, UTC; zero where it is silent or gives no zone
	Findings  *Findings `json:"findings,omitempty"`
	Tests     *Tests    `json:"tests,omitempty"`
	Coverage  *Coverage `json:"coverage,omitempty"`
	Notes     []string  `json:"notes,omitempty"` // what a reader should know before believing the figures
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
	Identifiers []string `json:"identifiers"` // such as CVE-2021-44228, CWE-79
	Message     string   `json:"message"`     // at most 1,000 bytes
	Suppressed  bool     `json:"suppressed"`
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
