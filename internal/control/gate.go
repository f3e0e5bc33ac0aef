package control

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/activation"
	"signalbox.dev/signalbox/internal/calendar"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/halt"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/strict"
	"signalbox.dev/signalbox/internal/trust"
)

// GateRequest asks whether a version of a service may go to an environment now.
type GateRequest struct {
	ReleaseRequest
	Environment string
}

// Answer is a decision, and the signed permit where it is an enforced go.
type Answer struct {
	Decision release.Decision `json:"decision"`
	Standing bool             `json:"standing"`         // decided earlier, on the same basis, and still standing
	Permit   []byte           `json:"permit,omitempty"` // DSSE envelope
}

// Ask asks the gate. A release that nobody opened is opened. Asked again on
// the same basis while a decision stands, it answers that decision and
// appends nothing.
func (c *Control) Ask(ctx context.Context, r Request, q GateRequest) (Answer, error) {
	if err := r.Actor.May(access.Gate); err != nil {
		return Answer{}, err
	}
	if err := release.CheckName("environment", q.Environment); err != nil {
		return Answer{}, err
	}
	// A journal that takes no facts may lack some: not even a decision that stands is repeated.
	if err := c.Journal.Writable(); err != nil {
		return Answer{}, err
	}
	var receipt journal.Receipt
	asked := r
	asked.Recorded = func(j journal.Receipt) {
		receipt = j
		r.recorded(j)
	}
	var permit signable
	answer, err := do(ctx, c, asked, q, func(l *Load) ([]event.Draft, Answer, error) {
		l.expectGate(q.Digest)
		drafts, state, err := c.open(l, r.Actor, q.ReleaseRequest)
		if err != nil {
			return nil, Answer{}, err
		}
		more, answer, p, err := c.decide(l, state, q.Environment)
		if err == nil && p.ID != "" {
			permit, err = c.signable(l, p)
		}
		return append(drafts, more...), answer, err
	})
	if err == nil && receipt.Repeated && answer.Decision.Verdict == policy.Go {
		err = c.followable(ctx, answer.Decision)
	}
	if err != nil {
		return Answer{}, err
	}
	if c.Decided != nil {
		c.Decided(ctx, answer)
	}
	switch {
	case answer.Decision.Permit == "":
		return answer, nil
	case receipt.Repeated:
		answer.Permit, err = c.Permit(ctx, answer.Decision.Permit)
		return answer, err
	case !answer.Standing:
		permit.Position = receipt.Next - 1 // its fact is the last
	}
	answer.Permit, err = c.sign(permit)
	return answer, err
}

// decide is a decision with its facts, and the permit that it yields or yielded.
func (c *Control) decide(l *Load, state release.State, environment string) ([]event.Draft, Answer, release.Permit, error) {
	if err := l.clock.Sure(); err != nil {
		return nil, Answer{}, release.Permit{}, err
	}
	facts, err := c.facts(l, state, environment)
	if err != nil {
		return nil, Answer{}, release.Permit{}, err
	}
	d, err := release.Gate(l.Now, facts)
	if err != nil {
		return nil, Answer{}, release.Permit{}, err
	}
	if standing, stands := state.Stands(environment, d.Basis, l.Now); stands {
		earlier, permit, err := l.standing(standing.Position)
		if usable := permit.Redeemed == 0 && permit.Recalled == 0; err != nil || usable {
			return nil, Answer{Decision: earlier, Standing: true}, permit, err
		}
	}
	d.ID = NewID()
	if d.Permitted() {
		d.Permit = NewID()
	}
	l.parts = append(l.parts, d.BasisText)
	return append(state.Decide(d), d.Issue()...), Answer{Decision: d}, d.Yields(), nil
}

// standing is an earlier decision, and its permit if it has one.
func (l *Load) standing(position uint64) (d release.Decision, p release.Permit, err error) {
	fact, err := l.from.Fact(l.ctx, position)
	if err != nil {
		return d, p, fmt.Errorf("standing decision: %w", err)
	}
	if err = fact.Body(&d); err == nil && d.Permit != "" {
		p, err = l.permit(d.Permit)
	}
	return d, p, err
}

// expectGate expects what every decision about an artifact rests on.
func (l *Load) expectGate(digest string) {
	l.expect(activation.Stream, event.SetCatalog, event.SetGrants, event.SetFreezes, halt.Stream, trust.StreamOf(trust.ForPermits))
	if artifact, err := evidence.Stream(digest); err == nil {
		l.expect(artifact)
	}
}

// facts loads all that a decision about a release and an environment rests on.
func (c *Control) facts(l *Load, state release.State, environment string) (release.Facts, error) {
	f := release.Facts{Release: state, Environment: environment, TZData: c.TZData}
	l.expectGate(state.Digest)
	steps := []func() error{
		func() (err error) { f.Policy, f.PolicyUntil, err = c.active(l); return },
		func() error { return c.catalogued(l, &f) },
		func() error { return c.people(l, &f) },
		func() (err error) { f.Freezes, err = c.freezes(l); return },
		func() (err error) { f.Stop, err = read[halt.Switch](l, halt.Stream); return },
		func() (err error) {
			stream, err := evidence.Stream(state.Digest)
			if err == nil {
				f.Artifact, err = read[evidence.Artifact](l, stream)
			}
			return err
		},
		func() error { return c.previous(l, &f) },
		func() error { return c.listed(l.ctx, &f) },
		func() (err error) {
			if f.Policy != nil {
				f.Signed, err = c.signed(l.ctx, f.Artifact, f.Policy.Attestors())
			}
			return err
		},
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return f, err
		}
	}
	return f, nil
}

// maxListed bounds the original of a report that is read again for its items, in bytes.
const maxListed = 16 << 20

// listed reads what rules of the policy read one by one. Where an original is
// gone, its list stays unknown, and such a rule cannot tell.
func (c *Control) listed(ctx context.Context, f *release.Facts) (err error) {
	if f.Policy == nil {
		return nil
	}
	needs := f.Policy.NeedsLists()
	if needs["findings"] {
		if f.Lists.Findings, err = c.findings(ctx, f.Artifact); err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
	}
	if needs["change"] && f.Release.Change != nil {
		if f.Lists.Commits, err = c.commits(ctx, f.Release.Change.Record.CommitsFile); err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
	}
	return nil
}

// findings reads findings one by one out of the original reports; nil where there
// are too many. Errors: fault NotFound where an original is gone, Unverified where
// it has rotten.
func (c *Control) findings(ctx context.Context, artifact evidence.Artifact) ([]policy.Finding, error) {
	var claims []evidence.Claim
	for _, a := range artifact.Claims {
		if a.Claim.Findings == nil {
			continue
		}
		if a.Size > maxListed || a.Claim.Findings.Total+a.Claim.Findings.Suppressed > policy.MaxInputList {
			return nil, nil
		}
		claim, err := c.reread(ctx, a)
		if err != nil {
			return nil, fmt.Errorf("findings of report %s: %w", a.File, err)
		}
		if claim, err = c.closed(ctx, artifact, a, claim); err != nil {
			return nil, fmt.Errorf("statements beside report %s: %w", a.File, err)
		}
		claims = append(claims, claim)
	}
	return release.FindingsOf(claims), nil
}

// commits reads the commits of a change one by one out of a file; nil where they
// were not sent. Errors as of findings.
func (c *Control) commits(ctx context.Context, file string) ([]policy.Commit, error) {
	if file == "" {
		return nil, nil
	}
	b, err := c.original(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("commits of the change: %w", err)
	}
	var list []change.CommitFact
	if err := strict.Decode(b, &list); err != nil {
		return nil, fmt.Errorf("commits of the change: %w", err)
	}
	return release.CommitsOf(list), nil
}

// original is the bytes of a file, at most maxListed of them, and those that its
// digest says: whoever stops reading before the end has proven nothing.
func (c *Control) original(ctx context.Context, digest string) ([]byte, error) {
	from, err := c.Vault.Open(ctx, digest)
	if err != nil {
		return nil, err
	}
	defer func() { _ = from.Close() }()
	b, err := io.ReadAll(io.LimitReader(from, maxListed+1))
	if err == nil && len(b) > maxListed {
		err = fault.New(fault.TooLarge, "evidence.too-large", "the file "+digest+" is too large to be read again")
	}
	return b, err
}

// closed is the claim of a scan with those findings closed that it was counted without.
func (c *Control) closed(ctx context.Context, all evidence.Artifact, scan evidence.Added, claim evidence.Claim) (evidence.Claim, error) {
	var beside []evidence.Added
	for _, s := range all.Claims {
		if slices.Contains(scan.VEX, s.File) {
			beside = append(beside, s)
		}
	}
	said, err := c.said(ctx, beside)
	claim, _ = evidence.Close(claim, scan.Digest, said)
	return claim, err
}

// reread is a claim with its items, from the original.
// One that is longer than maxListed is TooLarge.
func (c *Control) reread(ctx context.Context, a evidence.Added) (evidence.Claim, error) {
	if a.Size > maxListed {
		return evidence.Claim{}, fault.New(fault.TooLarge, "evidence.too-large", "the original of the report is too large to be read again")
	}
	b, err := c.original(ctx, a.File)
	if err != nil {
		return evidence.Claim{}, err
	}
	return c.readReport(b)
}

// catalogued fills the service and the environment. Every change of the
// catalog touches its set, so the entries themselves need not be remembered.
func (c *Control) catalogued(l *Load, f *release.Facts) (err error) {
	if f.Service, err = held(l, &c.services, event.SetCatalog, catalog.ServiceName, f.Release.Service); err != nil {
		return err
	}
	f.Place, err = held(l, &c.environments, event.SetCatalog, catalog.EnvironmentName, f.Environment)
	if err == nil && (f.Service == nil || f.Place == nil) {
		f.Services, f.Environments, err = names(l)
	}
	return err
}

// present is every present person.
type present struct {
	people map[string]access.Person // by id
	behind map[string]string        // ids, by commit identity
}

func everybody(l *Load) (present, bool, error) {
	p := present{people: map[string]access.Person{}, behind: map[string]string{}}
	all, err := peekAll[access.Person](l, access.PersonAll, "present")
	for _, one := range all {
		p.people[one.ID] = one
		for _, i := range one.Identities {
			p.behind[i] = one.ID
		}
	}
	return p, err == nil, err
}

// people fills every present person, and who is behind each commit identity. Every change of a person touches the set of grants.
func (c *Control) people(l *Load, f *release.Facts) error {
	if err := l.Set(event.SetGrants); err != nil {
		return err
	}
	all, _, err := c.present.Get(l.reads[event.SetGrants], "", func() (present, bool, error) { return everybody(l) })
	if err != nil {
		return err
	}
	f.People = all.people
	f.Identities = map[string]string{}
	if f.Release.Change == nil {
		return nil
	}
	for _, pseudonym := range f.Release.Change.Record.Contributors {
		id, there := all.behind[pseudonym]
		if !there {
			gone, known, err := readOne[access.Person](l, access.PersonIdentity, pseudonym)
			if err != nil {
				return err
			}
			if !known {
				continue
			}
			id = gone.ID
		}
		f.Identities[pseudonym] = id
	}
	return nil
}

// horizon is how far ahead freezes are looked for: no permit lasts longer.
const horizon = policy.MaxPermitTTL + time.Hour

func (c *Control) freezes(l *Load) ([]calendar.Freeze, error) {
	if err := l.Set(event.SetFreezes); err != nil {
		return nil, err
	}
	all, _, err := c.live.Get(l.reads[event.SetFreezes], "", func() ([]calendar.Freeze, bool, error) {
		all, err := peekAll[calendar.Freeze](l, calendar.FreezeSpan, "live")
		return all, err == nil, err
	})
	var near []calendar.Freeze
	for _, f := range all {
		if !f.Over(l.Now) && f.From < event.MicrosOf(l.Now.Add(horizon)) {
			near = append(near, f)
		}
	}
	return near, err
}

// Subject is what an approver is shown and votes on.
type Subject struct {
	Digest      string           `json:"subject"`
	Canonical   string           `json:"canonical"`
	Environment string           `json:"environment"`
	Decision    release.Decision `json:"decision"` // as it would be now; nothing is recorded
}

// Preview is what the gate would answer now, and what an approver would vote on. It records nothing.
func (c *Control) Preview(ctx context.Context, r Request, id, environment string) (Subject, error) {
	if err := r.Actor.May(access.Read); err != nil {
		return Subject{}, err
	}
	if err := release.CheckName("environment", environment); err != nil {
		return Subject{}, err
	}
	return view(ctx, c, func(l *Load) (Subject, error) {
		if err := l.clock.Sure(); err != nil {
			return Subject{}, err
		}
		state, err := known(l, id)
		if err != nil {
			return Subject{}, err
		}
		facts, err := c.facts(l, state, environment)
		if err != nil {
			return Subject{}, err
		}
		d, err := release.Gate(l.Now, facts)
		if err != nil {
			return Subject{}, err
		}
		canonical, digest, err := facts.Subject()
		return Subject{Digest: digest, Canonical: canonical, Environment: environment, Decision: d}, err
	})
}

// Ballot is a vote as a person casts it.
type Ballot struct {
	Environment, Answer, Comment string
	Seen                         string // the digest of the subject that was shown; "" where none was
}

// Vote records a person's approval or rejection of exactly what stands.
func (c *Control) Vote(ctx context.Context, r Request, id string, b Ballot) error {
	if err := release.CheckName("environment", b.Environment); err != nil {
		return err
	}
	return c.amend(ctx, r, access.Approve, id, b, func(l *Load, s release.State) ([]event.Draft, error) {
		facts, err := c.facts(l, s, b.Environment)
		if err != nil {
			return nil, err
		}
		question, err := facts.Chain(l.Now)
		if err != nil {
			return nil, err
		}
		canonical, digest, err := facts.Subject()
		if err != nil {
			return nil, err
		}
		return s.Vote(r.Actor, question, release.Ballot{
			Environment: b.Environment, Answer: b.Answer, Comment: strings.TrimSpace(b.Comment), Seen: b.Seen, Subject: digest, Canonical: canonical,
		})
	})
}

// Unvote withdraws one's own vote.
func (c *Control) Unvote(ctx context.Context, r Request, id, environment string) error {
	return c.amend(ctx, r, access.Approve, id, environment, func(_ *Load, s release.State) ([]event.Draft, error) {
		return s.Unvote(r.Actor.Person(), environment)
	})
}

// Basis is what a decision rested on, as canonical JSON, by its digest "sha256:…".
func (c *Control) Basis(ctx context.Context, digest string) (json.RawMessage, error) {
	if err := release.CheckName("digest", digest); err != nil {
		return nil, err
	}
	var sum [32]byte
	if _, err := hex.Decode(sum[:], []byte(strings.TrimPrefix(digest, "sha256:"))); err != nil {
		return nil, fmt.Errorf("digest %s: %w", digest, err)
	}
	return c.Journal.Part(ctx, sum)
}
