package wire

import (
	"context"

	"signalbox.dev/signalbox/internal/fault"
)

// CheckRequest asks what is wrong with a bundle.
type CheckRequest struct {
	Files    []PolicyFile `json:"files"`
	Coverage bool         `json:"coverage,omitempty" doc:"Also say what the test cases exercise"`
}

// PolicyCheck is what is wrong with a bundle, and how its test cases came out.
// One with an error among its problems cannot be tested or activated.
type PolicyCheck struct {
	Digest   string          `json:"digest"`
	Problems []PolicyProblem `json:"problems" doc:"At most 50 by place, and one that counts the others"`
	Tests    []PolicyTest    `json:"tests" doc:"Empty where the bundle does not compile"`
	Coverage *PolicyCoverage `json:"coverage,omitempty" doc:"Where it was asked for and the bundle compiles"`
}

// PolicyProblem is something wrong or doubtful in a bundle.
type PolicyProblem struct {
	Severity string `json:"severity" enum:"error,warning"`
	Where    Place  `json:"where,omitzero"`
	Code     string `json:"code" doc:"Stable and dotted"`
	What     string `json:"what"`
	Why      string `json:"why,omitempty"`
	Fix      string `json:"fix,omitempty"`
	Excerpt  string `json:"excerpt,omitempty" doc:"The line, and a caret under the place"`
}

// PolicyTest is how one test case came out.
type PolicyTest struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	Want   string `json:"want" doc:"Verdict in words"`
	Got    string `json:"got" doc:"Verdict in words"`
	Why    string `json:"why,omitempty" doc:"What differs"`
	Where  Place  `json:"where"`
}

// PolicyCoverage is what the test cases of a bundle exercise: Seen of the Of ways
// in which gates and comparisons can come out.
type PolicyCoverage struct {
	Seen  int            `json:"seen"`
	Of    int            `json:"of"`
	Gates []GateCoverage `json:"gates"`
	Parts []PartCoverage `json:"parts"`
}

// GateCoverage counts the test cases in which a gate came out in each way.
type GateCoverage struct {
	Gate          string   `json:"gate"`
	Passed        int      `json:"passed"`
	Failed        int      `json:"failed" doc:"No-go or wait"`
	CannotTell    int      `json:"cannot_tell"`
	NotApplicable int      `json:"not_applicable"`
	Selective     bool     `json:"selective" doc:"It does not apply to every release"`
	Add           []string `json:"add,omitempty" doc:"Cases to add"`
	Where         Place    `json:"where"`
}

// PartCoverage counts the test cases in which one comparison of a gate's condition
// was true and false.
type PartCoverage struct {
	Gate  string   `json:"gate"`
	Part  string   `json:"part" doc:"The comparison"`
	True  int      `json:"true"`
	False int      `json:"false"`
	Add   []string `json:"add,omitempty" doc:"Cases to add"`
	Where Place    `json:"where"`
}

// DifferenceRequest asks what a bundle would change.
type DifferenceRequest struct {
	Files []PolicyFile `json:"files"`
}

// PolicyDifferences is what changes its meaning from the bundle in force to the
// one sent; nothing, where they differ in layout, comments or order alone.
type PolicyDifferences struct {
	From    string         `json:"from" doc:"Digest of the bundle in force"`
	To      string         `json:"to" doc:"Digest of the bundle sent"`
	Changes []PolicyChange `json:"changes" doc:"Those who are affected together"`
}

// PolicyChange is one change of meaning.
type PolicyChange struct {
	Who  string `json:"who" doc:"Is affected"`
	Mark string `json:"mark" enum:"added,removed,tightened,loosened,changed" doc:"Changed where the direction cannot be told"`
	Text string `json:"text"`
}

// DocumentRequest asks for a bundle as auditors read it.
type DocumentRequest struct {
	Files  []PolicyFile `json:"files,omitzero" doc:"The bundle in force, where absent; a bundle sent takes the right \"policy\""`
	Format string       `json:"format,omitempty" enum:"md,text,pdf" doc:"md where absent; with pdf the answer is the file, application/pdf"`
	// Explain asks for the bundle in plain words, document by document, instead.
	Explain bool   `json:"explain,omitempty" doc:"In plain words, document by document"`
	Name    string `json:"name,omitempty" doc:"With explain: the one document of that name"`
}

// PolicyDocument is a bundle as auditors read it.
type PolicyDocument struct {
	Digest string `json:"digest"`
	Title  string `json:"title"`
	Format string `json:"format" enum:"md,text"`
	Text   string `json:"text"`
}

// LayoutRequest asks for the canonical layout of a bundle, which need not compile.
type LayoutRequest struct {
	Files []PolicyFile `json:"files"`
}

// PolicyLayout is a bundle in the canonical layout. Comments, quotes and the order
// of documents stay, and what it means.
type PolicyLayout struct {
	Files   []PolicyFile `json:"files" doc:"All of them, in the order in which they were sent"`
	Changed []string     `json:"changed" doc:"Names of those that were not in the layout"`
}

// PDF is the media type of a document that DocumentPDF answers.
const PDF = "application/pdf"

// CheckPolicy says what is wrong with a bundle and runs its test cases. Nothing is recorded.
func (c *Client) CheckPolicy(ctx context.Context, q CheckRequest) (PolicyCheck, error) {
	return send[PolicyCheck](ctx, c, "/policy/checks", q)
}

// ComparePolicy says in words what a bundle would change. Nothing is recorded.
func (c *Client) ComparePolicy(ctx context.Context, q DifferenceRequest) (PolicyDifferences, error) {
	return send[PolicyDifferences](ctx, c, "/policy/differences", q)
}

// DocumentPolicy is a bundle as auditors read it, the one in force where none is sent.
func (c *Client) DocumentPolicy(ctx context.Context, q DocumentRequest) (PolicyDocument, error) {
	if q.Format == "pdf" {
		return PolicyDocument{}, fault.Invalidf("client.format", "a PDF is bytes and no text").On("format").Remedy("ask DocumentPDF")
	}
	return send[PolicyDocument](ctx, c, "/policy/documents", q)
}

// DocumentPDF is what DocumentPolicy is, as PDF.
func (c *Client) DocumentPDF(ctx context.Context, q DocumentRequest) ([]byte, error) {
	q.Format = "pdf"
	p, err := post("/policy/documents", q)
	if err != nil {
		return nil, err
	}
	p.accept = PDF
	return c.bytes(ctx, p)
}

// FormatPolicy lays the files of a bundle out. Nothing is recorded.
func (c *Client) FormatPolicy(ctx context.Context, q LayoutRequest) (PolicyLayout, error) {
	return send[PolicyLayout](ctx, c, "/policy/layouts", q)
}
