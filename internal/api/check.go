package api

import (
	"bytes"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/counsel"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/prose/pdf"
	"signalbox.dev/signalbox/internal/wire"
)

// drafts are the operations on a policy that is being written.
func (a *api) drafts() []operation {
	return []operation{
		act(operation{
			id: "check-policy", path: "/policy/checks", need: access.Policy, limit: bundleBytes,
			about: "Say what is wrong or doubtful in a bundle beside the catalog, and run its test cases; nothing is recorded",
		}, checkPolicy),
		act(operation{
			id: "compare-policy", path: "/policy/differences", need: access.Policy, limit: bundleBytes,
			about: "Say in words what a bundle would change if it took the place of the one in force; nothing is recorded",
		}, comparePolicy),
		choose[wire.DocumentRequest, wire.PolicyDocument](operation{
			id: "document-policy", path: "/policy/documents", need: access.Read, limit: bundleBytes, gives: wire.PDF,
			about: "A bundle as auditors read it: the one in force or, with the right \"policy\", the one sent; with format pdf the answer is the file itself; nothing is recorded",
		}, documentPolicy),
		act(operation{
			id: "format-policy", path: "/policy/layouts", need: access.Policy, limit: bundleBytes,
			about: "Lay the files of a bundle out canonically, and say which were not; nothing is recorded",
		}, formatPolicy),
	}
}

// A bundle that is looked over holds a processor until that is done, so it
// takes one of the few places; the right that it takes is that to activate one.
func checkPolicy(c *call, q wire.CheckRequest) (wire.PolicyCheck, error) {
	done, err := c.heavy()
	if err != nil {
		return wire.PolicyCheck{}, err
	}
	defer done()
	found, err := counsel.Check(c.ctx, c.Control, c.request(), counsel.CheckRequest{Files: policyFiles(q.Files), Coverage: q.Coverage})
	return wireCheck(found), err
}

func wireCheck(found counsel.Checked) wire.PolicyCheck {
	w := wire.PolicyCheck{Digest: found.Digest, Problems: []wire.PolicyProblem{}, Tests: []wire.PolicyTest{}}
	for _, p := range found.Problems {
		w.Problems = append(w.Problems, wire.PolicyProblem{
			Severity: string(p.Severity), Where: wire.Place(p.Where), Code: p.Code, What: p.What, Why: p.Why, Fix: p.Fix, Excerpt: p.Excerpt,
		})
	}
	for _, t := range found.Tests {
		w.Tests = append(w.Tests, wire.PolicyTest{Name: t.Name, Passed: t.Passed, Want: t.Want, Got: t.Got, Why: t.Why, Where: wire.Place(t.Where)})
	}
	if found.Coverage == nil {
		return w
	}
	w.Coverage = &wire.PolicyCoverage{Gates: []wire.GateCoverage{}, Parts: []wire.PartCoverage{}}
	w.Coverage.Seen, w.Coverage.Of = found.Coverage.Share()
	for _, g := range found.Coverage.Gates {
		w.Coverage.Gates = append(w.Coverage.Gates, wire.GateCoverage{
			Gate: g.Gate, Passed: g.Passed, Failed: g.Failed, CannotTell: g.CannotTell, NotApplicable: g.NotApplicable,
			Selective: g.Selective, Add: g.Add, Where: wire.Place(g.Where),
		})
	}
	for _, x := range found.Coverage.Parts {
		w.Coverage.Parts = append(w.Coverage.Parts, wire.PartCoverage{Gate: x.Gate, Part: x.Part, True: x.True, False: x.False, Add: x.Add, Where: wire.Place(x.Where)})
	}
	return w
}

func comparePolicy(c *call, q wire.DifferenceRequest) (wire.PolicyDifferences, error) {
	done, err := c.heavy()
	if err != nil {
		return wire.PolicyDifferences{}, err
	}
	defer done()
	found, err := counsel.Compare(c.ctx, c.Control, c.request(), policyFiles(q.Files))
	w := wire.PolicyDifferences{From: found.From, To: found.To, Changes: []wire.PolicyChange{}}
	for _, x := range found.Changes {
		w.Changes = append(w.Changes, wire.PolicyChange{Who: x.Who, Mark: string(x.Mark), Text: x.Text})
	}
	return w, err
}

// documentPolicy answers with the text and what it is of, or with the PDF alone.
func documentPolicy(c *call, q wire.DocumentRequest) error {
	w := wire.PolicyDocument{Format: q.Format}
	if w.Format == "" {
		w.Format = "md"
	}
	if w.Format != "md" && w.Format != "text" && w.Format != "pdf" {
		return fault.Invalidf("policy.format", "%q is not a format", clip(q.Format)).On("/format").Remedy("write md, text or pdf")
	}
	if q.Files != nil || w.Format == "pdf" {
		done, err := c.heavy()
		if err != nil {
			return err
		}
		defer done()
	}
	var files []policy.File
	if q.Files != nil { // an empty list is a bundle without files, not the one in force
		files = append([]policy.File{}, policyFiles(q.Files)...)
	}
	found, err := counsel.Describe(c.ctx, c.Control, c.request(), files)
	if err != nil {
		return err
	}
	document := found.Document
	if q.Explain {
		document = found.InWords
	}
	if q.Name != "" {
		if document = document.Only(q.Name); !q.Explain || len(document.Blocks) == 0 {
			return fault.New(fault.NotFound, "policy.unknown-name", "nothing in the bundle is called "+clip(q.Name)).On("/name").Remedy("with explain, name one of its documents")
		}
	}
	w.Digest, w.Title = found.Digest, document.Title
	switch w.Format {
	case "pdf":
		var b bytes.Buffer
		if err := pdf.Write(&b, document, found.Digest); err != nil {
			return err
		}
		return c.file(wire.PDF, "policy.pdf", b.Bytes())
	case "text":
		w.Text = document.Text()
	default:
		w.Text = document.Markdown()
	}
	return c.answer(w, nil)
}

func formatPolicy(c *call, q wire.LayoutRequest) (wire.PolicyLayout, error) {
	done, err := c.heavy()
	if err != nil {
		return wire.PolicyLayout{}, err
	}
	defer done()
	laid, err := counsel.Format(c.request(), policyFiles(q.Files))
	w := wire.PolicyLayout{Files: []wire.PolicyFile{}, Changed: laid.Changed}
	for _, f := range laid.Files {
		w.Files = append(w.Files, wire.PolicyFile{Name: f.Name, Data: string(f.Data)})
	}
	return w, err
}
