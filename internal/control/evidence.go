package control

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/report"
)

// EvidenceRequest binds a report to a version's artifact.
type EvidenceRequest struct {
	Service, Version, Digest string
	Label                    string // tells apart reports of one tool
}

func (q EvidenceRequest) check() error {
	for _, f := range []struct{ name, value string }{{"service", q.Service}, {"version", q.Version}, {"digest", q.Digest}} {
		if err := release.CheckName(f.name, f.value); err != nil {
			return err
		}
	}
	return nil
}

// MaxReport bounds one report, in bytes.
const MaxReport = report.MaxSize

// AddEvidence reads a report, keeps the original in the vault, and records
// what it claims. A report that cannot be trusted adds nothing.
func (c *Control) AddEvidence(ctx context.Context, r Request, q EvidenceRequest, from io.Reader) (evidence.Added, error) {
	var none evidence.Added
	if err := r.Actor.May(access.Evidence); err != nil {
		return none, err
	}
	if err := r.Actor.MaySpeakFor(q.Service); err != nil {
		return none, err
	}
	if err := q.check(); err != nil {
		return none, err
	}
	b, err := io.ReadAll(io.LimitReader(from, MaxReport+1))
	if err != nil {
		return none, fault.Invalidf("evidence.interrupted", "the report did not arrive whole").Cause(err)
	}
	if len(b) > MaxReport {
		return none, fault.New(fault.TooLarge, "evidence.too-large", "the report is larger than 200 MiB")
	}
	claim, err := c.readReport(b)
	if err != nil {
		return none, err
	}
	file, size, err := c.Vault.Put(ctx, bytes.NewReader(b))
	if err != nil {
		return none, err
	}
	stream, err := evidence.Stream(q.Digest)
	if err != nil {
		return none, err
	}
	return do(ctx, c, r, []any{q, file}, func(l *Load) ([]event.Draft, evidence.Added, error) {
		artifact, err := read[evidence.Artifact](l, stream)
		if err != nil {
			return nil, none, err
		}
		added := evidence.Added{
			ID: NewID(), Service: q.Service, Version: q.Version, Digest: q.Digest, Label: q.Label,
			Claim: claim, Provenance: r.Actor.Provenance, File: file, Size: size,
		}
		drafts, err := evidence.Add(artifact, added, l.Now)
		added.Claim = claim.Summary()
		if err != nil || len(drafts) == 0 {
			return nil, standing(artifact, added), err
		}
		artifact = artifact.After(drafts, event.MicrosOf(l.Now))
		again, err := c.recounted(l.ctx, artifact)
		return append(drafts, again...), standing(artifact.After(again, event.MicrosOf(l.Now)), added), err
	})
}

// standing is the claim in whose place one was added, as it stands now.
func standing(a evidence.Artifact, added evidence.Added) evidence.Added {
	for _, c := range a.Claims {
		if c.File == added.File && c.Label == added.Label {
			return c
		}
	}
	return added
}

// recounted counts the scans of an artifact again for which other statements
// stand than before. Its originals are read for that; one that is gone or too
// long leaves a scan as it was counted, which only ever counts more.
func (c *Control) recounted(ctx context.Context, a evidence.Artifact) ([]event.Draft, error) {
	var drafts []event.Draft
	for _, r := range a.Recountings() {
		scan, said, err := c.originals(ctx, r)
		if k := fault.KindOf(err); k == fault.NotFound || k == fault.TooLarge {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("count the report %s again: %w", r.Scan.File, err)
		}
		draft, err := r.Record(NewID(), scan, said)
		if err != nil {
			return nil, err
		}
		drafts = append(drafts, draft)
	}
	return drafts, nil
}

func (c *Control) originals(ctx context.Context, r evidence.Recounting) (scan evidence.Claim, said []evidence.Statement, err error) {
	if scan, err = c.reread(ctx, r.Scan); err != nil {
		return scan, nil, err
	}
	said, err = c.said(ctx, r.Statements)
	return scan, said, err
}

// said is what the originals of statements say.
func (c *Control) said(ctx context.Context, statements []evidence.Added) ([]evidence.Statement, error) {
	var all []evidence.Statement
	for _, s := range statements {
		claim, err := c.reread(ctx, s)
		if err != nil {
			return nil, err
		}
		all = append(all, claim.Statements...)
	}
	return all, nil
}

// Evidence is the claims that stand about an artifact.
func (c *Control) Evidence(ctx context.Context, digest string) (evidence.Artifact, error) {
	stream, err := evidence.Stream(digest)
	if err != nil {
		return evidence.Artifact{}, err
	}
	return view(ctx, c, func(l *Load) (evidence.Artifact, error) { return read[evidence.Artifact](l, stream) })
}

// EvidenceOf is the claims that stand about the artifacts of a version.
func (c *Control) EvidenceOf(ctx context.Context, service, version string) (evidence.Artifact, error) {
	return view(ctx, c, func(l *Load) (evidence.Artifact, error) { return claimsOf(l, service, version) })
}

func claimsOf(l *Load, service, version string) (evidence.Artifact, error) {
	all, err := readAll[evidence.Artifact](l, evidence.ReleaseKey, evidence.ReleaseValue(service, version))
	if err != nil {
		return evidence.Artifact{}, err
	}
	a := evidence.About(all, service, version)
	if len(a.Claims) == 0 {
		return a, fault.New(fault.NotFound, "evidence.none", fmt.Sprintf("no report stands about %s %s", service, version)).
			Remedy("signalbox evidence add sends one")
	}
	return a, nil
}

// Claim is one claim that stands, with the findings that its original lists.
func (c *Control) Claim(ctx context.Context, digest, id string) (evidence.Added, error) {
	a, err := c.Evidence(ctx, digest)
	if err != nil {
		return evidence.Added{}, err
	}
	for _, added := range a.Claims {
		if added.ID != id {
			continue
		}
		claim, err := c.reread(ctx, added)
		if err == nil {
			claim, err = c.closed(ctx, a, added, claim)
		}
		if err != nil {
			return added, err
		}
		claim.Notes = added.Claim.Notes
		added.Claim = claim
		return added, nil
	}
	return evidence.Added{}, fault.New(fault.NotFound, "evidence.no-claim", "no claim with this id stands about the artifact").On("id").
		Remedy("signalbox evidence list names those that stand; one that was replaced stands in the audit trail alone")
}

// Original is the report that a standing claim was read from, byte for byte.
func (c *Control) Original(ctx context.Context, digest, id string) (evidence.Added, io.ReadCloser, error) {
	a, err := c.Evidence(ctx, digest)
	if err != nil {
		return evidence.Added{}, nil, err
	}
	for _, added := range a.Claims {
		if added.ID == id {
			from, err := c.Vault.Open(ctx, added.File)
			return added, from, err
		}
	}
	return evidence.Added{}, nil, fault.New(fault.NotFound, "evidence.no-claim", "no claim with this id stands about the artifact").On("id")
}

// EvidenceDiff is how the claims about two versions of a service differ.
type EvidenceDiff struct {
	From, To evidence.Artifact
	Now      time.Time
	Findings evidence.Compared
	Notes    []string // what could not be compared, and why
}

// CompareEvidence compares what stands about two versions of a service.
func (c *Control) CompareEvidence(ctx context.Context, service, from, to string) (EvidenceDiff, error) {
	d, err := view(ctx, c, func(l *Load) (EvidenceDiff, error) {
		d := EvidenceDiff{Now: l.Now}
		var err error
		if d.From, err = claimsOf(l, service, from); err == nil {
			d.To, err = claimsOf(l, service, to)
		}
		return d, err
	})
	if err != nil {
		return d, err
	}
	before, notes, err := c.scans(ctx, d.From)
	if err != nil {
		return d, err
	}
	after, more, err := c.scans(ctx, d.To)
	d.Findings, d.Notes = evidence.Compare(before, after), append(notes, more...)
	return d, err
}

// scans is the claims of scans with their items, and a note for each that
// cannot be read one by one.
func (c *Control) scans(ctx context.Context, a evidence.Artifact) (claims []evidence.Claim, notes []string, err error) {
	for _, added := range a.Claims {
		if added.Claim.Findings == nil {
			continue
		}
		claim, err := c.reread(ctx, added)
		if err == nil {
			claim, err = c.closed(ctx, a, added, claim)
		}
		switch k := fault.KindOf(err); {
		case k == fault.NotFound || k == fault.TooLarge || k == fault.Unverified:
			notes = append(notes, fmt.Sprintf("the findings of %s about %s are not compared one by one: %v", added.Claim.Tool.Name, added.Version, err))
			continue
		case err != nil:
			return nil, nil, fmt.Errorf("findings of report %s: %w", added.File, err)
		case claim.Findings.Omitted > 0:
			notes = append(notes, fmt.Sprintf("%d findings of %s about %s are not listed and not compared", claim.Findings.Omitted, added.Claim.Tool.Name, added.Version))
		}
		claims = append(claims, claim)
	}
	if len(claims) == 0 {
		notes = append(notes, "no scan stands about "+versionOf(a)+": that a finding is not there says nothing")
	}
	return claims, notes, nil
}

func versionOf(a evidence.Artifact) string {
	for _, c := range a.Claims {
		return c.Version
	}
	return ""
}
