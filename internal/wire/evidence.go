package wire

import "time"

// EvidenceTarget binds a report to a version's artifact.
type EvidenceTarget struct {
	Service, Version, Digest string
	Label                    string // tells apart reports of one tool
}

// Claim is what one report says about an artifact, and whose word it is.
type Claim struct {
	ID         string    `json:"id"`
	Service    string    `json:"service"`
	Version    string    `json:"version"`
	Digest     string    `json:"digest"`
	Label      string    `json:"label,omitempty"`
	Kind       string    `json:"kind" enum:"findings,tests,coverage,load,attestation"`
	Format     string    `json:"format"`
	Tool       string    `json:"tool,omitempty"`
	Generated  time.Time `json:"generated,omitzero"`
	Provenance string    `json:"provenance"`
	File       string    `json:"file" doc:"Digest of the original report"`
	Size       int64     `json:"size" doc:"Of the original, bytes"`
	At         time.Time `json:"at"`
	Findings   *Findings `json:"findings,omitempty"`
	Tests      *Tests    `json:"tests,omitempty"`
	Coverage   *Coverage `json:"coverage,omitempty"`
	Load       *Load     `json:"load,omitempty"`
	Notes      []string  `json:"notes,omitempty"`

	Attestation *Attestation `json:"attestation,omitempty"`
}

// Attestation is what a signed statement says about an artifact. It is somebody's
// word only where VerifiedBy names an attestor.
type Attestation struct {
	PredicateType string     `json:"predicate_type"`
	Builder       string     `json:"builder,omitempty" doc:"Id of the builder; of a verification summary, of the verifier"`
	BuildType     string     `json:"build_type,omitempty"`
	Source        string     `json:"source,omitempty" doc:"Repository that was built"`
	Ref           string     `json:"ref,omitempty"`
	Commit        string     `json:"commit,omitempty"`
	Invocation    string     `json:"invocation,omitempty"`
	Started       time.Time  `json:"started,omitzero"`
	Finished      time.Time  `json:"finished,omitzero"`
	Materials     int        `json:"materials"`
	Subjects      int        `json:"subjects" doc:"Things that it is about, the artifact among them"`
	Signatures    int        `json:"signatures" doc:"Whosever they are"`
	Result        string     `json:"result,omitempty" doc:"Of a verification summary: PASSED or FAILED"`
	Levels        []string   `json:"levels,omitempty"`
	VerifiedBy    []Attestor `json:"verified_by" doc:"Whose word it is under the policy in force"`
	NotVerified   string     `json:"not_verified,omitempty" doc:"Why it is nobody's word under the policy in force"`
}

// Attestor is one whose word an attestation is, and by which of its keys.
type Attestor struct {
	Name      string   `json:"name"`
	Keys      []string `json:"keys"`
	SLSALevel int      `json:"slsa_level"`
}

// Findings counts what a scanner found.
type Findings struct {
	Total      int `json:"total"`
	Suppressed int `json:"suppressed"`
	Critical   int `json:"critical"`
	High       int `json:"high"`
	Medium     int `json:"medium"`
	Low        int `json:"low"`
	Info       int `json:"info"`
	Unrated    int `json:"unrated"`
}

// Tests counts test cases.
type Tests struct {
	Total   int `json:"total"`
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Errored int `json:"errored"`
	Skipped int `json:"skipped"`
}

// Coverage is the share of lines and branches that tests ran, 0 to 1.
type Coverage struct {
	LineRate     float64  `json:"line_rate"`
	LinesCovered int      `json:"lines_covered"`
	LinesValid   int      `json:"lines_valid"`
	BranchRate   *float64 `json:"branch_rate,omitempty"`
}

// Load is what load tests measured. Times are milliseconds; one that is absent is not known.
type Load struct {
	Requests         int        `json:"requests"`
	ErrorRate        float64    `json:"error_rate" doc:"Share of requests that failed, 0 to 1"`
	P50              *float64   `json:"p50_ms,omitempty" doc:"Half of the requests took no longer"`
	P95              *float64   `json:"p95_ms,omitempty"`
	P99              *float64   `json:"p99_ms,omitempty"`
	Mean             *float64   `json:"mean_ms,omitempty"`
	ThresholdsSet    int        `json:"thresholds_set" doc:"Limits that the load test itself set and judged"`
	ThresholdsFailed int        `json:"thresholds_failed"`
	Seconds          float64    `json:"duration_s,omitzero" doc:"From first to last request; absent where not known"`
	Parts            []LoadPart `json:"parts,omitempty" doc:"Components: requests by name, endpoint, scenario or tag"`
	MoreParts        int        `json:"parts_omitted,omitzero" doc:"Components that are counted but not listed"`
}

// LoadPart is what a load test measured of one component; what is absent is not known.
type LoadPart struct {
	Name      string   `json:"name"`
	Requests  *int     `json:"requests,omitempty"`
	ErrorRate *float64 `json:"error_rate,omitempty"`
	P50       *float64 `json:"p50_ms,omitempty"`
	P95       *float64 `json:"p95_ms,omitempty"`
	P99       *float64 `json:"p99_ms,omitempty"`
	Mean      *float64 `json:"mean_ms,omitempty"`
}

// Artifact is the claims that stand about a digest.
type Artifact struct {
	Digest string  `json:"digest"`
	Claims []Claim `json:"claims"`
}

// ClaimDetail is a claim with the findings that its report lists.
type ClaimDetail struct {
	Claim
	Items   []Finding `json:"items"`
	Omitted int       `json:"omitted,omitzero" doc:"Findings that are counted but not listed"`
}

// Finding is one result of a scanner.
type Finding struct {
	Rule        string   `json:"rule"`
	Severity    string   `json:"severity" enum:"critical,high,medium,low,info,unrated"`
	Scale       string   `json:"scale" doc:"Where the severity came from"`
	Location    string   `json:"location,omitempty"`
	Package     string   `json:"package,omitempty"`
	Version     string   `json:"version,omitempty" doc:"Of the package"`
	PURL        string   `json:"purl,omitempty"`
	Fixed       string   `json:"fixed_in,omitempty"`
	Identifiers []string `json:"identifiers"`
	Message     string   `json:"message"`
	Suppressed  bool     `json:"suppressed" doc:"It does not stand"`
	Why         string   `json:"why,omitempty" doc:"It does not stand"`
}

// EvidenceDiff is how the claims about two versions of a service differ.
type EvidenceDiff struct {
	Service  string           `json:"service"`
	From     EvidenceSums     `json:"from"`
	To       EvidenceSums     `json:"to"`
	Findings FindingsCompared `json:"findings"`
	Notes    []string         `json:"notes" doc:"What could not be compared, and why"`
}

// EvidenceSums is what stands about a version; what no report says is absent.
type EvidenceSums struct {
	Version  string    `json:"version"`
	Findings *Findings `json:"findings,omitempty"`
	Tests    *Tests    `json:"tests,omitempty"`
	Coverage *Coverage `json:"coverage,omitempty"`
	Load     *Load     `json:"load,omitempty"`
}

// FindingsCompared is which findings stand about one version alone.
type FindingsCompared struct {
	Appeared []Finding `json:"appeared"`
	Gone     []Finding `json:"gone"`
	Stayed   int       `json:"stayed"`
	Omitted  int       `json:"omitted,omitzero" doc:"Of both lists, for length"`
}
