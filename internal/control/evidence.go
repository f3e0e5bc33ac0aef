package control

import (
	"bytes"
	"context"
	"fmt"
	"io"

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
	claim, err := report.Read(b)
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
			Claim: claim.Summary(), Provenance: r.Actor.Provenance, File: file, Size: size,
		}
		drafts, err := evidence.Add(artifact, added, l.Now)
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
