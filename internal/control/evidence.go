package control

import (
	"bytes"
	"context"
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
		added.At = event.MicrosOf(l.Now)
		return drafts, added, err
	})
}

// Evidence is the claims that stand about an artifact.
func (c *Control) Evidence(ctx context.Context, digest string) (evidence.Artifact, error) {
	stream, err := evidence.Stream(digest)
	if err != nil {
		return evidence.Artifact{}, err
	}
	return view(ctx, c, func(l *Load) (evidence.Artifact, error) { return read[evidence.Artifact](l, stream) })
}
