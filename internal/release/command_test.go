package release

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
)

// book folds drafts as the journal would, one position after the other.
type book struct {
	t        *testing.T
	position uint64
	states   map[event.Stream][]byte
}

func newBook(t *testing.T) *book { return &book{t: t, states: map[event.Stream][]byte{}} }

func (b *book) add(drafts []event.Draft, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	shapes := map[string]event.Shape{}
	for _, s := range []event.Shape{Shape(), PermitShape(), DeploymentShape()} {
		shapes[s.Noun] = s
	}
	for _, d := range drafts {
		body, err := json.Marshal(d.Body)
		if err != nil {
			b.t.Fatal(err)
		}
		f := event.Recorded{Header: event.Header{Position: b.position, Stream: d.Stream, Kind: d.Kind, Time: event.MicrosOf(now), Actor: "person/opener"}, BodyBytes: body}
		shape := shapes[d.Stream.Noun()]
		if b.states[d.Stream], err = shape.Fold(b.states[d.Stream], f); err != nil {
			b.t.Fatal(err)
		}
		if _, err := shape.Keys(b.states[d.Stream]); err != nil {
			b.t.Fatal(err)
		}
		b.position++
	}
}

func at[S any](b *book, noun, id string) S {
	b.t.Helper()
	s, err := event.Decode[S](b.states[event.StreamOf(noun, id)])
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func (b *book) release() State { return at[State](b, Noun, "r") }

func opened(t *testing.T) *book {
	b := newBook(t)
	b.add(Open(Opened{ID: "r", Service: "shop", Version: "v1.1.0", Digest: digest, Size: "minor", Provenance: policy.ByPipeline}))
	return b
}

func TestOpen(t *testing.T) {
	s := opened(t).release()
	if s.Phase != Submitted || s.Revision != 1 || s.OpenedBy != "person/opener" || s.OpenedAt == 0 {
		t.Errorf("opened as %+v", s)
	}
	for name, o := range map[string]Opened{
		"no service":       {Version: "1", Digest: digest},
		"a newline":        {Service: "a\nb", Version: "1", Digest: digest},
		"a version of ../": {Service: "a", Version: "../1", Digest: digest},
		"upper-case hex":   {Service: "a", Version: "1", Digest: "sha256:" + "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08"},
		"a short digest":   {Service: "a", Version: "1", Digest: "sha256:9f86"},
		"another size":     {Service: "a", Version: "1", Digest: digest, Size: "huge"},
		"another type":     {Service: "a", Version: "1", Digest: digest, ChangeType: "urgent"},
	} {
		if _, err := Open(o); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReviseAndAttach(t *testing.T) {
	b := opened(t)
	b.add(b.release().Revise("major", "emergency"))
	if s := b.release(); s.Revision != 2 || s.Size != "major" || s.ChangeType != "emergency" {
		t.Errorf("revised to %+v", s)
	}
	if drafts, err := b.release().Revise("major", "emergency"); err != nil || drafts != nil {
		t.Errorf("the same again: %v %v", drafts, err)
	}
	record := change.Record{Commits: 1, Complete: true}
	b.add(b.release().Attach(record, digest, nil, policy.ByPerson))
	if c := b.release().Change; c == nil || c.Provenance != policy.ByPerson || c.By != "person/opener" || c.At == 0 {
		t.Errorf("attached %+v", c)
	}
	if drafts, _ := b.release().Attach(record, digest, nil, policy.ByPerson); drafts != nil {
		t.Error("the same change again is a new fact")
	}
	if drafts, _ := b.release().Attach(record, digest, nil, policy.ByServer); len(drafts) != 1 {
		t.Error("a stronger provenance is no new fact")
	}
	b.add(b.release().Attach(record, digest, nil, policy.ByServer))
	if _, err := b.release().Attach(change.Record{Commits: 1}, "sha256:00", nil, policy.ByPerson); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a person's word replaced the server's: %v", err)
	}
	b.add(b.release().Move("", Withdrawn, "not needed"))
	if _, err := b.release().Attach(record, digest, nil, policy.ByServer); fault.KindOf(err) != fault.Conflict {
		t.Errorf("attached to a withdrawn release: %v", err)
	}
}

func TestMove(t *testing.T) {
	b := newBook(t)
	b.add(Open(Opened{ID: "r", Service: "shop", Version: "v1", Digest: digest, Phase: Draft}))
	if _, err := b.release().Move("", Submitted, " "); fault.KindOf(err) != fault.Invalid {
		t.Errorf("without a reason: %v", err)
	}
	if _, err := b.release().Move("", Closed, "why"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("from draft to closed: %v", err)
	}
	if _, err := b.release().Move("", "nowhere", "why"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("to a state nobody knows: %v", err)
	}
	b.add(b.release().Move("", Submitted, "ready"))
	if _, err := b.release().Move("production", Ready, "trust me"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("ready by hand: %v", err)
	}
	if _, err := b.release().Move("", Held, "why"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("held without an environment: %v", err)
	}
	b.add(b.release().Move("production", Held, "incident"))
	if p := b.release().Target("production").Phase; p != Held {
		t.Errorf("production is %s", p)
	}
	if p := b.release().Target("staging").Phase; p != Submitted {
		t.Errorf("staging is %s", p)
	}
}

// Every phase can be reached from draft, terminal ones have no way out, and
// rolled_back never leads back to deploying.
func TestPhases(t *testing.T) {
	reached, todo := map[Phase]bool{}, []Phase{Draft}
	for len(todo) > 0 {
		p := todo[0]
		todo = todo[1:]
		if reached[p] {
			continue
		}
		reached[p] = true
		todo = append(todo, p.Legal()...)
	}
	for _, p := range Phases() {
		if !reached[p] {
			t.Errorf("%s cannot be reached", p)
		}
		if terminal := p == Closed || p == Withdrawn; terminal != (len(p.Legal()) == 0) {
			t.Errorf("%s leads to %v", p, p.Legal())
		}
		for _, next := range p.Legal() {
			if _, known := legal[next]; !known {
				t.Errorf("%s leads to %s, which is no phase", p, next)
			}
		}
	}
	seen, todo := map[Phase]bool{}, []Phase{RolledBack}
	for len(todo) > 0 {
		p := todo[0]
		todo = todo[1:]
		if p == Deploying {
			t.Fatal("rolled_back leads to deploying")
		}
		if !seen[p] {
			seen[p] = true
			todo = append(todo, p.Legal()...)
		}
	}
}

func TestDecideMoves(t *testing.T) {
	for name, c := range map[string]struct {
		d    Decision
		want Phase
	}{
		"go":       {Decision{Verdict: policy.Go, Enforced: true}, Ready},
		"no-go":    {Decision{Verdict: policy.NoGo, Enforced: true}, Assessing},
		"observed": {Decision{Verdict: policy.NoGo, Observe: &policy.Observed{By: "x"}}, Ready},
		"approval": {Decision{Verdict: policy.Wait, Enforced: true, Reasons: []policy.Reason{{Gate: approvalReason, Severity: policy.Block, Verdict: policy.Wait}}}, Approving},
		"frozen":   {Decision{Verdict: policy.Wait, Enforced: true, Reasons: []policy.Reason{{Gate: calendarReason, Severity: policy.Block, Verdict: policy.Wait}}}, Held},
		"time":     {Decision{Verdict: policy.Wait, Enforced: true}, Scheduled},
		"unknown":  {Decision{Verdict: policy.CannotTell, Enforced: true}, Assessing},
	} {
		b := opened(t)
		c.d.ID, c.d.Environment, c.d.Basis, c.d.Until = "d", "production", "b", now.Add(time.Minute)
		b.add(b.release().Decide(c.d), nil)
		if p := b.release().Target("production").Phase; p != c.want {
			t.Errorf("%s: production is %s, want %s", name, p, c.want)
		}
		s := b.release()
		if _, stands := s.Stands("production", "b", now); !stands {
			t.Errorf("%s: does not stand", name)
		}
		for what, stands := range map[string]bool{
			"another basis": standing(s, "production", "c", now), "elsewhere": standing(s, "staging", "b", now), "too late": standing(s, "production", "b", now.Add(time.Minute)),
		} {
			if stands {
				t.Errorf("%s: stands for %s", name, what)
			}
		}
	}
}

func standing(s State, env, basis string, now time.Time) bool {
	_, stands := s.Stands(env, basis, now)
	return stands
}

func TestVote(t *testing.T) {
	f := approved(t, good(t))
	question, err := f.Chain(now)
	if err != nil {
		t.Fatal(err)
	}
	canonical, subject, err := f.Subject()
	if err != nil {
		t.Fatal(err)
	}
	person := func(id string) access.Actor {
		return access.Actor{Subject: "person/" + id, Rights: []access.Right{access.Approve}}
	}
	yes := Ballot{Environment: "production", Answer: approval.Approve, Subject: subject, Seen: subject, Canonical: canonical}
	with := func(change func(*Ballot)) Ballot { b := yes; change(&b); return b }
	for name, c := range map[string]struct {
		who  access.Actor
		b    Ballot
		code string
	}{
		"a member":        {person("ben"), yes, ""},
		"without seeing":  {person("ben"), with(func(b *Ballot) { b.Seen = "" }), ""},
		"a contributor":   {person("ann"), yes, "approval.contributor"},
		"outside":         {person("dee"), yes, "approval.not-in-group"},
		"a stranger":      {person("eve"), yes, "approval.departed"},
		"a machine":       {access.Actor{Subject: "machine/ci"}, yes, "approval.not-a-person"},
		"the server":      {access.System("timer"), yes, "approval.not-a-person"},
		"another content": {person("ben"), with(func(b *Ballot) { b.Seen = "sha256:00" }), "approval.other-content"},
		"no answer":       {person("ben"), with(func(b *Ballot) { b.Answer = "maybe" }), "approval.answer"},
		"a silent no":     {person("ben"), with(func(b *Ballot) { b.Answer = approval.Reject }), "approval.reason"},
		"a reasoned no":   {person("ben"), with(func(b *Ballot) { b.Answer, b.Comment = approval.Reject, "too risky" }), ""},
	} {
		drafts, err := f.Release.Vote(c.who, question, c.b)
		code := ""
		if err != nil {
			code = err.(*fault.Error).Code
		}
		if code != c.code || (err == nil) != (len(drafts) == 1) {
			t.Errorf("%s: %q, %d facts, want %q", name, code, len(drafts), c.code)
		}
		if err == nil && Sum([]byte(drafts[0].Body.(voted).Canonical)) != drafts[0].Body.(voted).Subject {
			t.Errorf("%s: the canonical bytes are not what was voted on", name)
		}
	}
}

func TestVotesFold(t *testing.T) {
	b := opened(t)
	cast := func(kind event.Kind, person, answer string) {
		b.add([]event.Draft{{Stream: event.StreamOf(Noun, "r"), Kind: kind, Body: voted{Person: person, Environment: "production", Subject: "s", Answer: answer}}}, nil)
	}
	cast(event.ApprovalVoted, "ben", approval.Approve)
	cast(event.ApprovalVoted, "ben", approval.Reject)
	cast(event.ApprovalVoted, "cid", approval.Approve)
	if v := b.release().Votes; len(v) != 2 || v[0].Answer != approval.Reject || v[0].At == 0 {
		t.Errorf("votes %+v", v)
	}
	b.add(b.release().Unvote("cid", "production"))
	if v := b.release().Votes; len(v) != 2 || !v[1].Withdrawn {
		t.Errorf("votes %+v", v)
	}
	for _, person := range []string{"cid", "dee"} {
		if _, err := b.release().Unvote(person, "production"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s withdrew nothing: %v", person, err)
		}
	}
}

func permitted() Decision {
	return Decision{
		ID: "d", Release: "r", Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Verdict: policy.Go, Enforced: true,
		Permit: "p", At: now.Add(300 * time.Millisecond), PermitUntil: now.Add(15*time.Minute + 300*time.Millisecond),
	}
}

func TestPermitLife(t *testing.T) {
	b := opened(t)
	d := permitted()
	b.add(append(b.release().Decide(d), d.Issue()...), nil)
	p := at[Permit](b, PermitNoun, "p")
	if !p.NotBefore.Time().Equal(now) || !p.NotAfter.Time().Equal(now.Add(15*time.Minute)) || p.Position == 0 {
		t.Fatalf("issued %+v", p)
	}
	usable := func(p Permit, at time.Time) string {
		if f := p.Usable(at, "shop", "v1.1.0", digest, "production"); f != nil {
			return f.Code
		}
		return ""
	}
	for at, want := range map[time.Duration]string{0: "", 15*time.Minute - time.Microsecond: "", 15 * time.Minute: "permit.expired"} {
		if got := usable(p, now.Add(at)); got != want {
			t.Errorf("after %v: %q, want %q", at, got, want)
		}
	}
	if f := (Permit{}).Usable(now, "shop", "v1.1.0", digest, "production"); f == nil || f.Code != "permit.unknown" {
		t.Error("a permit nobody issued is usable")
	}
	for want, f := range map[string]*fault.Error{
		"permit.other-digest":      p.Usable(now, "shop", "v1.1.0", "sha256:00", "production"),
		"permit.other-environment": p.Usable(now, "shop", "v1.1.0", digest, "staging"),
		"permit.other-version":     p.Usable(now, "shop", "v1.2.0", digest, "production"),
	} {
		if f == nil || f.Code != want {
			t.Errorf("%v, want %s", f, want)
		}
	}
	if _, err := p.Recall(""); fault.KindOf(err) != fault.Invalid {
		t.Errorf("recalled without a reason: %v", err)
	}
	b.add(p.Recall("wrong build"))
	p = at[Permit](b, PermitNoun, "p")
	if usable(p, now) != "permit.recalled" {
		t.Error("usable after recall")
	}
	if _, err := p.Recall("again"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("recalled twice: %v", err)
	}
}

// A use that a clock going back noted before the permit's beginning leaves it a
// span that can be kept.
func TestPermitSpan(t *testing.T) {
	for name, p := range map[string]Permit{
		"unused":              {NotBefore: 100, NotAfter: 200},
		"redeemed at once":    {NotBefore: 100, NotAfter: 200, Redeemed: 100},
		"redeemed before it":  {NotBefore: 100, NotAfter: 200, Redeemed: 90},
		"recalled before it":  {NotBefore: 100, NotAfter: 200, Recalled: 1},
		"redeemed, as usual":  {NotBefore: 100, NotAfter: 200, Redeemed: 150},
		"recalled when it is": {NotBefore: 100, NotAfter: 200, Recalled: 200},
	} {
		if p.ends() <= p.NotBefore {
			t.Errorf("%s: ends at %d", name, p.ends())
		}
	}
}

func TestOnlyEnforcedGoIsPermitted(t *testing.T) {
	for name, change := range map[string]func(*Decision){
		"wait": func(d *Decision) { d.Verdict = policy.Wait }, "no-go": func(d *Decision) { d.Verdict = policy.NoGo },
		"cannot tell": func(d *Decision) { d.Verdict = policy.CannotTell }, "observed": func(d *Decision) { d.Enforced, d.Observe = false, &policy.Observed{} },
		"no id": func(d *Decision) { d.Permit = "" },
	} {
		d := permitted()
		change(&d)
		if d.Issue() != nil {
			t.Errorf("%s: a permit was issued", name)
		}
	}
	d := permitted()
	if d.Issue() == nil {
		t.Error("an enforced go has no permit")
	}
}

func TestDeployment(t *testing.T) {
	start := func(b *book, authorised bool) Deployment {
		d := Deployment{ID: "x", Release: "r", Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Authorised: authorised}
		if authorised {
			d.Permit = "p"
		} else {
			d.Code = "permit.none"
		}
		b.add(b.release().Start(d), nil)
		return at[Deployment](b, DeploymentNoun, "x")
	}
	ready := func(t *testing.T) *book {
		b, d := opened(t), permitted()
		b.add(append(b.release().Decide(d), d.Issue()...), nil)
		return b
	}
	for name, c := range map[string]struct {
		authorised, failed bool
		reached            string
		want               Phase
	}{
		"finished":                {true, false, "", Verifying},
		"failed at once":          {true, true, ReachedNone, Aborted},
		"failed midway":           {true, true, ReachedSome, PartiallyDeployed},
		"failed, nobody knows":    {true, true, "", PartiallyDeployed},
		"unauthorised":            {false, false, "", Ready},
		"unauthorised and failed": {false, true, "", Ready},
	} {
		b := ready(t)
		d := start(b, c.authorised)
		if got := at[Permit](b, PermitNoun, "p").Redeemed != 0; got != c.authorised {
			t.Errorf("%s: redeemed %v", name, got)
		}
		if got := b.release().Target("production").Unauthorised; got == c.authorised {
			t.Errorf("%s: unauthorised %v", name, got)
		}
		b.add(d.End(b.release(), c.failed, c.reached, policy.ByPipeline, ""))
		if p := b.release().Target("production").Phase; p != c.want {
			t.Errorf("%s: production is %s, want %s", name, p, c.want)
		}
		if _, err := at[Deployment](b, DeploymentNoun, "x").End(b.release(), false, "", policy.ByPipeline, ""); fault.KindOf(err) != fault.Conflict {
			t.Errorf("%s: ended twice: %v", name, err)
		}
	}
	if _, err := (Deployment{}).End(State{}, false, "", policy.ByPipeline, ""); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a deployment nobody reported ended: %v", err)
	}
	b := ready(t)
	if _, err := start(b, true).End(b.release(), true, "most", policy.ByPipeline, ""); fault.KindOf(err) != fault.Invalid {
		t.Errorf("reached most: %v", err)
	}
}

func TestUnknownKindIsRefused(t *testing.T) {
	for _, shape := range []event.Shape{Shape(), PermitShape(), DeploymentShape()} {
		if _, err := shape.Fold(nil, event.Recorded{Header: event.Header{Kind: "release.guessed"}, BodyBytes: []byte(`{}`)}); err == nil {
			t.Errorf("%s folds a kind nobody knows", shape.Noun)
		}
	}
}

func TestContributors(t *testing.T) {
	f := good(t)
	f.Release.OpenedBy = "person/dee"
	var ids []string
	for id := range f.Contributors() {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if !slices.Equal(ids, []string{"ann", "dee"}) {
		t.Errorf("contributors %v", ids)
	}
}

// Only a deployment without a permit is found by the key of those.
func TestUnauthorisedIsFound(t *testing.T) {
	shape := DeploymentShape()
	for _, authorised := range []bool{true, false} {
		b, err := json.Marshal(Deployment{ID: "d", Service: "shop", Environment: "production", Release: "r", Authorised: authorised})
		if err != nil {
			t.Fatal(err)
		}
		state, err := shape.Fold(nil, event.Recorded{Header: event.Header{Kind: event.DeploymentStarted, Time: event.MicrosOf(now)}, BodyBytes: b})
		if err != nil {
			t.Fatal(err)
		}
		keys, err := shape.Keys(state)
		if err != nil {
			t.Fatal(err)
		}
		if found := slices.ContainsFunc(keys, func(k event.Key) bool { return k.Name == DeploymentUnpermit }); found == authorised {
			t.Errorf("authorised %v, found as unauthorised %v", authorised, found)
		}
	}
}

// That a release is a draft stands behind what is worse, be it all there is.
func TestDraftStandsBehind(t *testing.T) {
	d := Decision{Verdict: policy.NoGo, Reasons: []policy.Reason{{Gate: "g", Severity: policy.Block, Verdict: policy.NoGo}}}
	if d.draft(); d.Verdict != policy.NoGo || len(d.Reasons) != 2 || d.Reasons[0].Gate != "g" || !d.drafted() {
		t.Errorf("%s %+v", d.Verdict, d.Reasons)
	}
}
