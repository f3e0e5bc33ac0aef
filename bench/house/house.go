// Package house furnishes a real installation for measuring: an organisation, the
// twenty-six gates of package gate in force, reports about one artifact, and many
// releases of it that may go to production but have not been asked about.
package house

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"signalbox.dev/signalbox/bench/gate"
	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/server"
	"signalbox.dev/signalbox/internal/store"
)

// What is asked about.
const (
	Service     = "shop"
	Environment = "production"
	Digest      = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

// Version is that of a release by its number.
func Version(n int) string { return fmt.Sprintf("v1.2.%d", n) }

// House is an installation that is open in this process.
type House struct {
	*server.Server
	Token  string // of the pipeline
	Author access.Actor

	ci      access.Actor
	root    access.Actor
	people  map[string]access.Actor
	program *policy.Program
}

// Open furnishes an installation in a directory, or in a database with its keys there.
func Open(ctx context.Context, at store.Options, dir string) (h *House, err error) {
	s, err := server.Open(ctx, server.Options{Data: dir, Database: at.Database, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	h = &House{Server: s, people: map[string]access.Actor{}}
	for _, step := range []func(context.Context) error{h.organise, h.govern, h.report} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("furnish: %w", err), s.Close())
		}
	}
	return h, nil
}

const life = 24 * time.Hour // of tokens

func (h *House) organise(ctx context.Context) error {
	founder, err := h.Control.CreateAdministrator(ctx, control.Founder{Handle: "root", Name: "Root Example", Email: "root@shop.example", Life: life})
	if err != nil {
		return err
	}
	if h.root, err = h.Control.Authenticate(ctx, founder.Secret); err != nil {
		return err
	}
	as := control.Request{Actor: h.root}
	if _, err := h.Control.ImportCatalog(ctx, as, "catalog.yaml", []byte(catalogue())); err != nil {
		return err
	}
	for _, handle := range []string{"ann", "cid", "dee"} {
		issued, err := h.Control.IssueToken(ctx, as, control.TokenRequest{Handle: handle, Life: life})
		if err != nil {
			return err
		}
		if h.people[handle], err = h.Control.Authenticate(ctx, issued.Secret); err != nil {
			return err
		}
	}
	issued, err := h.Control.IssueToken(ctx, as, control.TokenRequest{Machine: "ci", Life: life})
	if err != nil {
		return err
	}
	h.Token, h.Author = issued.Secret, h.people["ann"]
	h.ci, err = h.Control.Authenticate(ctx, issued.Secret)
	return err
}

func (h *House) govern(ctx context.Context) (err error) {
	if _, err = h.Control.ActivatePolicy(ctx, control.Request{Actor: h.Author}, control.PolicyRequest{Files: gate.Files(), Reason: "measured"}); err != nil {
		return err
	}
	h.program, _, err = h.Control.ActivePolicy(ctx)
	return err
}

// report sends what four tools wrote about the artifact.
func (h *House) report(ctx context.Context) error {
	for _, text := range []string{
		sarif("scan-a"), sarif("scan-b"),
		`<testsuites><testsuite name="shop">` + strings.Repeat(`<testcase name="a" classname="c"/>`, 1200) + `</testsuite></testsuites>`,
		`<coverage line-rate="0.9" lines-covered="900" lines-valid="1000" branch-rate="0.7" branches-covered="70" branches-valid="100" version="1" timestamp="0"><packages/></coverage>`,
	} {
		q := control.EvidenceRequest{Service: Service, Version: Version(0), Digest: Digest}
		if _, err := h.Control.AddEvidence(ctx, control.Request{Actor: h.ci}, q, strings.NewReader(text)); err != nil {
			return err
		}
	}
	return nil
}

// sarif is a report of 25 findings: two high, fifteen medium, the rest low.
func sarif(tool string) string {
	var all []string
	for i := range 25 {
		severity := "3.1"
		switch {
		case i%15 == 0:
			severity = "7.5"
		case i%5 > 1:
			severity = "5.0"
		}
		all = append(all, fmt.Sprintf(`{"ruleId":"CVE-2026-%d","level":"warning","message":{"text":"a finding"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"src/a%d.go"},"region":{"startLine":%d}}}],"properties":{"security-severity":%q}}`, 1000+i, i, 10+i, severity))
	}
	return `{"version":"2.1.0","$schema":"https://json.schemastore.org/sarif-2.1.0.json","runs":[{"tool":{"driver":{"name":"` + tool + `"}},"results":[` + strings.Join(all, ",") + `]}]}`
}

func catalogue() string {
	var b strings.Builder
	b.WriteString(`apiVersion: signalbox/v1
kind: Team
name: shop
---
apiVersion: signalbox/v1
kind: Group
name: release-approvers
---
apiVersion: signalbox/v1
kind: Group
name: release-managers
---
apiVersion: signalbox/v1
kind: Service
name: shop
tier: 1
team: shop
---
apiVersion: signalbox/v1
kind: Environment
name: production
is: production
region: eu
---
apiVersion: signalbox/v1
kind: Machine
name: ci
services: [shop]
roles: [pipeline]
`)
	for _, who := range []string{"ann", "bob", "cid", "dee", "eve", "hal"} {
		role := "approver"
		if who == "ann" {
			role = "policy-author"
		}
		fmt.Fprintf(&b, "---\napiVersion: signalbox/v1\nkind: Person\nname: %s\ndisplay: %s Example\nemails: [%s@shop.example]\nteams: [shop]\ngroups: [release-approvers]\nroles: [%s]\n", who, who, who, role)
	}
	return b.String()
}

// Ready records n more releases, from a number on, each with its change and the two
// votes that it needs, as if they had been opened, described and approved one by one.
func (h *House) Ready(ctx context.Context, from, n int) error {
	model, err := h.model(ctx)
	if err != nil {
		return err
	}
	const each = 64
	for n > 0 {
		c := journal.Command{Actor: h.ci.Subject, Auth: "local", Source: "bench"}
		for range min(n, each) {
			drafts, err := model.release(from)
			if err != nil {
				return err
			}
			c.Facts = append(c.Facts, drafts...)
			from, n = from+1, n-1
		}
		if _, err := h.Journal.Append(ctx, c); err != nil {
			return fmt.Errorf("record releases: %w", err)
		}
	}
	return nil
}

// model is a release that others are made after.
type model struct {
	facts  release.Facts
	change event.Recorded
	voters []string
}

// model opens a release the usual way, so that its change has the pseudonyms of the installation.
func (h *House) model(ctx context.Context) (m model, err error) {
	state, err := h.Control.OpenRelease(ctx, control.Request{Actor: h.ci}, control.ReleaseRequest{Service: Service, Version: "v1.1.0", Digest: Digest, Size: policy.Minor, ChangeType: policy.Normal})
	if err != nil {
		return m, err
	}
	if state.Change == nil {
		if err := h.Control.AttachChange(ctx, control.Request{Actor: h.ci}, state.ID, described()); err != nil {
			return m, err
		}
	}
	if state, err = h.Control.Release(ctx, state.ID); err != nil {
		return m, err
	}
	artifact, err := h.artifact(ctx)
	if err != nil {
		return m, err
	}
	history, err := h.Journal.History(ctx, event.StreamOf(release.Noun, state.ID))
	if err != nil {
		return m, err
	}
	for _, f := range history {
		if f.Kind == event.ChangeAttached {
			m.change = f
		}
	}
	m.facts = release.Facts{Release: state, Environment: Environment, Artifact: artifact, Policy: h.program}
	m.voters = []string{h.people["cid"].Person(), h.people["dee"].Person()}
	return m, nil
}

func (h *House) artifact(ctx context.Context) (a evidence.Artifact, err error) {
	stream, err := evidence.Stream(Digest)
	if err != nil {
		return a, err
	}
	err = h.Journal.Snapshot(ctx, func(s *journal.Snapshot) error {
		_, b, err := s.Load(ctx, stream)
		if err != nil {
			return err
		}
		a, err = event.Decode[evidence.Artifact](b)
		return err
	})
	return a, err
}

// release is the facts of one more release.
func (m model) release(n int) ([]event.Draft, error) {
	id := fmt.Sprintf("0193f2a1-5f0e-7cc1-9d52-%012d", n)
	stream := event.StreamOf(release.Noun, id)
	f := m.facts
	f.Release.ID, f.Release.Version = id, Version(n)
	canonical, subject, err := f.Subject()
	if err != nil {
		return nil, err
	}
	drafts := []event.Draft{
		{Stream: stream, Kind: event.ReleaseOpened, Body: release.Opened{
			ID: id, Service: Service, Version: Version(n), Digest: Digest, Size: policy.Minor, ChangeType: policy.Normal, Phase: release.Submitted, Provenance: policy.ByPipeline,
		}},
		{Stream: stream, Kind: event.ChangeAttached, Body: json.RawMessage(m.change.BodyBytes)},
	}
	for _, person := range m.voters {
		drafts = append(drafts, event.Draft{Stream: stream, Kind: event.ApprovalVoted, Body: map[string]string{
			"person": person, "environment": Environment, "subject": subject, "canonical": canonical, "answer": "approve", "meaning": "approve for " + Environment,
		}})
	}
	return drafts, nil
}

func described() change.Change {
	raw := change.Raw{From: strings.Repeat("a", 40), To: strings.Repeat("b", 40), FromRef: "v1.0.0", ToRef: "v1.1.0"}
	for i := range 12 {
		who := change.Identity{Name: "Ann Example", Email: "ann@shop.example"}
		if i%2 == 1 {
			who = change.Identity{Name: "Bob Example", Email: "bob@shop.example"}
		}
		raw.Commits = append(raw.Commits, change.Commit{ID: fmt.Sprintf("%040x", i+1), Parents: 1, Author: who, Committer: who, Subject: "feat: buy more", Signed: true})
	}
	raw.Files = []change.File{{Path: "buy.go", Added: 410, Deleted: 120}, {Path: "go.mod", Added: 10, Deleted: 10}}
	return change.Describe(raw)
}

// Ask asks about a release in this process, as a pipeline does.
func (h *House) Ask(ctx context.Context, n int) (control.Answer, error) {
	return h.Control.Ask(ctx, control.Request{Actor: h.ci}, control.GateRequest{
		ReleaseRequest: control.ReleaseRequest{Service: Service, Version: Version(n), Digest: Digest, Size: policy.Minor, ChangeType: policy.Normal}, Environment: Environment,
	})
}
