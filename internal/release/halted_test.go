package release

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/halt"
	"signalbox.dev/signalbox/internal/policy"
)

func codeOf(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}

func approvalIn(environment string) approval.Vote {
	return approval.Vote{Person: "ben", Environment: environment, Subject: environment, Answer: approval.Approve}
}

// A policy that only observes lets nothing through that is stopped or was taken back.
func TestObservingPoliciesStopToo(t *testing.T) {
	observing := otherwise(t, "reason: Customers depend on it.", "observe: {by: Erin Example, until: 2040-01-31}\nreason: Customers depend on it.")
	stop := halt.Switch{ID: "s", Since: event.MicrosOf(now)}
	for name, c := range map[string]struct {
		change func(f *Facts)
		gate   string
		passes bool
	}{
		"as it is":    {func(*Facts) {}, "", true},
		"no tests":    {func(f *Facts) { f.Artifact.Claims = f.Artifact.Claims[:2] }, "", true},
		"stopped":     {func(f *Facts) { f.Stop = stop }, "signalbox/stop", false},
		"withdrawn":   {func(f *Facts) { f.Release.Phase = Withdrawn }, closedReason, false},
		"rejected":    {func(f *Facts) { f.Release.Phase = Rejected }, closedReason, false},
		"both of it":  {func(f *Facts) { f.Release.Phase, f.Stop = Withdrawn, stop }, "signalbox/stop", false},
		"not obeying": {func(f *Facts) { f.Policy, f.Stop = nil, stop }, "signalbox/stop", false},
	} {
		f := good(t)
		f.Policy = observing
		c.change(&f)
		d := decide(t, f)
		if d.Passes() != c.passes || d.Permitted() {
			t.Errorf("%s: %s passes: %v, permitted: %v", name, d.Verdict, d.Passes(), d.Permitted())
		}
		if c.gate != "" && (d.Verdict != policy.NoGo || !d.Enforced || d.Observe != nil || d.Reasons[0].Gate != c.gate || d.phase() != Assessing) {
			t.Errorf("%s: %s, enforced %v, observed %v: %v", name, d.Verdict, d.Enforced, d.Observe, blocking(d))
		}
		if (d.Stop != "") != (f.Stop.ID != "") || d.closed() != (f.Release.Phase != Submitted) {
			t.Errorf("%s: stop %q, taken back %v", name, d.Stop, d.closed())
		}
	}
}

// An answer given before is followed no longer than it and its permit stand.
func TestFollowable(t *testing.T) {
	until := now.Add(time.Minute)
	for name, c := range map[string]struct {
		until time.Time
		at    time.Time
		stop  halt.Switch
		p     Permit
		says  string
	}{
		"without an end":      {at: now},
		"before its end":      {until: until, at: until.Add(-time.Microsecond)},
		"at its end":          {until: until, at: until, says: "good until 2026-11-23T12:01:00Z"},
		"after its end":       {until: until, at: until.Add(time.Hour), says: "good until"},
		"stopped":             {at: now, stop: halt.Switch{ID: "s", Since: event.MicrosOf(now)}, says: "stopped since"},
		"its permit recalled": {at: now, p: Permit{ID: "p", Recalled: event.MicrosOf(now)}, says: "was recalled at"},
		"its permit redeemed": {at: now, p: Permit{ID: "p", Redeemed: event.MicrosOf(now)}},
	} {
		err := (&Decision{Until: c.until}).Followable(c.at, c.stop, c.p)
		if (err == nil) != (c.says == "") || err != nil && (codeOf(err) != "gate.over" || fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// On whose word a decision rests is said of each, once and in order.
func TestIssuers(t *testing.T) {
	f := good(t)
	f.Artifact.Claims = slices.Clone(f.Artifact.Claims)
	f.Artifact.Claims[0].By, f.Artifact.Claims[1].By, f.Artifact.Claims[2].By = "machine/scan", "person/dee", "machine/scan"
	if got := f.issuers([]string{"builder"}); !slices.Equal(got, []string{"attestor/builder", "machine/ci", "machine/scan", "person/dee"}) {
		t.Errorf("%v", got)
	}
	if d := decide(t, f); !slices.Equal(d.Issuers, []string{"machine/ci", "machine/scan", "person/dee"}) {
		t.Errorf("%v", d.Issuers)
	}
	f.Release.Change, f.Artifact.Claims = nil, nil
	if got := f.issuers(nil); got == nil || len(got) != 0 { // nobody's, which is not the same as not kept
		t.Errorf("%#v", got)
	}
}

// A permit starts the deployment that it is for, once.
func TestUsablePermits(t *testing.T) {
	whole := Permit{ID: "p", Service: "shop", Version: "v1", Digest: digest, Environment: "production", NotAfter: event.MicrosOf(now.Add(time.Hour))}
	for name, c := range map[string]struct {
		change func(p *Permit)
		code   string
	}{
		"as it is":            {func(*Permit) {}, ""},
		"of another service":  {func(p *Permit) { p.Service = "ledger" }, "permit.other-version"},
		"of another version":  {func(p *Permit) { p.Version = "v2" }, "permit.other-version"},
		"of another artifact": {func(p *Permit) { p.Digest = "sha256:00" }, "permit.other-digest"},
		"for elsewhere":       {func(p *Permit) { p.Environment = "staging" }, "permit.other-environment"},
		"redeemed":            {func(p *Permit) { p.Redeemed = 1 }, "permit.redeemed"},
		"recalled":            {func(p *Permit) { p.Recalled = 1 }, "permit.recalled"},
		"over":                {func(p *Permit) { p.NotAfter = event.MicrosOf(now) }, "permit.expired"},
		"nobody's":            {func(p *Permit) { p.ID = "" }, "permit.unknown"},
	} {
		p := whole
		c.change(&p)
		code := ""
		if err := p.Usable(now, "shop", "v1", digest, "production"); err != nil {
			code = err.Code
		}
		if code != c.code {
			t.Errorf("%s: %q, want %q", name, code, c.code)
		}
	}
	for want, p := range map[string]Permit{"permit.unknown": {}, "permit.recalled": {ID: "p", Recalled: 1}, "permit.redeemed": {ID: "p", Redeemed: 1}} {
		if _, err := p.Recall("why"); codeOf(err) != want {
			t.Errorf("recalled: %v, want %s", err, want)
		}
	}
}

// A deployment with a permit sets out where that is the next legal step.
func TestStartFrom(t *testing.T) {
	for from, want := range map[Phase]Phase{Ready: Deploying, Succeeded: Deploying, Held: Held, RolledBack: RolledBack, Submitted: Submitted} {
		s := State{ID: "r", Phase: Submitted, Targets: map[string]Target{"production": {Phase: from}}}
		drafts := s.Start(Deployment{ID: "x", Environment: "production", Authorised: true, Permit: "p"})
		if to := drafts[2].Body.(Moved).To; len(drafts) != 3 || to != want {
			t.Errorf("from %s to %s, want %s", from, to, want)
		}
	}
	if drafts := (State{}).Start(Deployment{ID: "x", Environment: "production"}); len(drafts) != 1 {
		t.Errorf("of a release that nobody knows: %v", drafts)
	}
}

// Whatever approvers are shown is part of what they approve.
func TestSubjectIsMaterial(t *testing.T) {
	digestOf := func(change func(f *Facts)) string {
		f := good(t)
		c := *f.Release.Change
		f.Release.Change, f.Artifact.Claims = &c, slices.Clone(f.Artifact.Claims)
		change(&f)
		_, subject, err := f.Subject()
		if err != nil {
			t.Fatal(err)
		}
		return subject
	}
	seen := map[string]string{digestOf(func(*Facts) {}): "as it is"}
	for name, change := range map[string]func(f *Facts){
		"service":     func(f *Facts) { f.Release.Service = "ledger" },
		"version":     func(f *Facts) { f.Release.Version = "v2" },
		"digest":      func(f *Facts) { f.Release.Digest = "sha256:00" },
		"environment": func(f *Facts) { f.Environment = "staging" },
		"revision":    func(f *Facts) { f.Release.Revision = 2 },
		"size":        func(f *Facts) { f.Release.Size = "major" },
		"change type": func(f *Facts) { f.Release.ChangeType = "emergency" },
		"change":      func(f *Facts) { f.Release.Change.Digest = "sha256:00" },
		"no change":   func(f *Facts) { f.Release.Change = nil },
		"evidence":    func(f *Facts) { f.Artifact.Claims[0].File = "sha256:00" },
		"policy":      func(f *Facts) { f.Policy = otherwise(t, twoQuorum, moreQuorum) },
		"no policy":   func(f *Facts) { f.Policy = nil },
	} {
		subject := digestOf(change)
		if other, twice := seen[subject]; twice {
			t.Errorf("another %s is the same as %s", name, other)
		}
		seen[subject] = name
	}
	f := good(t)
	if text, _, err := f.Subject(); err != nil || !strings.Contains(text, `"schema":1,`) {
		t.Errorf("%s: %v", text, err)
	}
	if again := digestOf(func(*Facts) {}); seen[again] != "as it is" {
		t.Error("the same is another")
	}
}

// The question that voters answer is that of the chain which the policy asks for.
func TestChainThatIsAsked(t *testing.T) {
	f := good(t)
	q, err := f.Chain(now)
	_, subject, _ := f.Subject()
	if err != nil || q.Chain.Name == "" || len(q.Chain.Tiers) != 1 || q.Chain.Tiers[0].Quorum != 2 || q.Subject != subject || q.Environment != "production" || !q.Now.Equal(now) {
		t.Errorf("%+v: %v", q, err)
	}
	if !q.Contributors["ann"] || len(q.Votes) != 2 || len(q.People) != len(f.People) || len(q.People["ben"].Roles) == 0 {
		t.Errorf("%+v", q)
	}
	f.Release.Change.By = "person/eve" // who attached the change had a hand in it
	if q, _ := f.Chain(now); !q.Contributors["eve"] {
		t.Errorf("%v", q.Contributors)
	}
	f.Release.ChangeType = "standard"
	if q, err := f.Chain(now); err != nil || len(q.Chain.Tiers) != 0 || q.Environment != "production" || len(q.Votes) != 2 || !q.Contributors["eve"] {
		t.Errorf("where nobody need approve: %+v %v", q, err)
	}
	f.Policy = nil
	if q, err := f.Chain(now); err != nil || !q.Now.Equal(now) || len(q.Chain.Tiers) != 0 || q.People != nil {
		t.Errorf("without a policy: %+v %v", q, err)
	}
}

// Where nobody need approve, that is known only if the type is.
func TestNobodyNeedApprove(t *testing.T) {
	f := good(t)
	if a := f.approvalInputs(policy.Classification{}, approval.Standing{}); a.Known || a.Satisfied {
		t.Errorf("without a type: %+v", a)
	}
	if a := f.approvalInputs(policy.Classification{Type: &policy.ReleaseType{}}, approval.Standing{}); !a.Known || !a.Satisfied {
		t.Errorf("with one: %+v", a)
	}
	f.Release.Change.Record.Contributors = append(f.Release.Change.Record.Contributors, "mail-stranger")
	if f.contributorsKnown() {
		t.Error("an author that nobody claims is known")
	}
}

// What cannot be written down is no decision.
func TestGateErrs(t *testing.T) {
	f := good(t)
	f.Artifact.Claims = slices.Clone(f.Artifact.Claims)
	f.Artifact.Claims[0].Claim.Coverage = &evidence.Coverage{LineRate: math.NaN(), LinesCovered: 90, LinesValid: 100}
	if d, err := Gate(now, f); err == nil || d.Basis != "" {
		t.Errorf("a rate that is no number: %s %v", d.Verdict, err)
	}
	nan := math.NaN()
	f = withLoad(good(t), "", loadOf(50, 0, part("a", &nan)))
	f.Policy = extended(t, "load.parts.all(p, p.p95_ms < 1.0)")
	if d := decide(t, f); probe(t, d).Verdict != policy.CannotTell || d.Lists != "" {
		t.Errorf("a list with what is no number: %+v", probe(t, d))
	}
}

// A freeze of some tiers, kinds or regions stands where they are not known.
func TestFreezesOfWhatIsNotKnown(t *testing.T) {
	tier := 3
	for name, c := range map[string]struct {
		scope  string
		change func(f *Facts)
		stands bool
	}{
		"its kind":            {"production", func(*Facts) {}, true},
		"another kind":        {"staging", func(*Facts) {}, false},
		"a kind not known":    {"staging", func(f *Facts) { f.Place = nil }, true},
		"another tier":        {"tier", func(*Facts) {}, false},
		"its tier":            {"tier", func(f *Facts) { f.Service.Tier = tier }, true},
		"a tier not known":    {"tier", func(f *Facts) { f.Service = nil }, true},
		"another region":      {"region", func(f *Facts) { f.Place.Region = "us" }, false},
		"its region":          {"region", func(f *Facts) { f.Place.Region = "eu" }, true},
		"a region not known":  {"region", func(f *Facts) { f.Place = nil }, true},
		"unknown, every kind": {"", func(f *Facts) { f.Place = nil }, true},
	} {
		f := good(t)
		service, place := *f.Service, *f.Place
		f.Service, f.Place = &service, &place
		z := frozen("")[0]
		switch c.scope {
		case "tier":
			z.Scope.Tiers = []int{tier}
		case "region":
			z.Scope.Regions = []string{"eu"}
		case "":
		default:
			z.Scope.Kinds = []string{c.scope}
		}
		f.Freezes = append(f.Freezes, z)
		c.change(&f)
		d := decide(t, f)
		if got := slices.ContainsFunc(blocking(d), func(g string) bool { return strings.HasPrefix(g, calendarReason) }); got != c.stands {
			t.Errorf("%s: stands %v: %v", name, got, blocking(d))
		}
	}
}

// The engine's own reasons name what stands in the way and who can lift it.
func TestReasonsNameTheNextStep(t *testing.T) {
	f := good(t)
	f.Freezes = frozen("", "")
	f.Identities = nil
	d := decide(t, approved(t, f))
	next := map[string]policy.Reason{}
	for _, r := range d.Reasons {
		next[r.Gate] = r
	}
	if r := next[calendarReason]; !strings.Contains(r.Next, "freeze lift freeze-0 ") || !strings.Contains(r.Observed, "freeze-0 covers ") || !strings.Contains(r.Observed, "; freeze-1 covers ") {
		t.Errorf("%+v", r)
	}
	if r := next[contributorsReason]; !strings.Contains(r.Next, "claimed by a person of the catalog") {
		t.Errorf("%+v", r)
	}
	if r := next[approvalReason]; r.Next != "signalbox approve r --environment production" || !strings.Contains(r.Lift, "a member of release-approvers who did not contribute") {
		t.Errorf("%+v", r)
	}
	f = good(t)
	f.Freezes = frozen("")
	if r := verdictOf(t, decide(t, f), calendarReason); !strings.Contains(r.Next, "freeze lift freeze-0 ") {
		t.Errorf("one freeze: %+v", r)
	}
	f = approved(t, good(t))
	f.Release.ID, f.Assumed = "", []string{AssumedApprovals}
	d = decide(t, f)
	if !d.Inputs.Release.Known || !d.Inputs.Approval.Assumed {
		t.Errorf("offline, with one assumption: %+v", d.Inputs.Release)
	}
	for _, r := range d.Reasons {
		if r.Gate == approvalReason && strings.Contains(r.Next, "signalbox approve") {
			t.Errorf("nothing to approve: %+v", r)
		}
	}
}

// What is not known of a service or a change still has its form.
func TestInputsOfWhatIsNotKnown(t *testing.T) {
	f := good(t)
	f.Service, f.Release.Change = nil, nil
	in := f.inputs(now)
	if s := in.Service; s.Known || s.Name != "shop" || s.Flags == nil || s.DataClasses == nil {
		t.Errorf("%+v", s)
	}
	if c := in.Change; c.Known || c.SemverStep != "unknown" {
		t.Errorf("%+v", c)
	}
	f = good(t)
	f.Release.Change.Record.Contributors = []string{"mail-ann", "mail-ben", "mail-stranger"}
	f.Identities["mail-ben"] = "ben"
	if c := f.inputs(now).Change; c.Contributors != 2 || c.UnknownContributors != 1 {
		t.Errorf("%+v", c)
	}
	f.People["eve"] = f.People["dee"] // of the same team: one is enough, in whatever order
	if s := f.inputs(now).Service; !s.Owned {
		t.Errorf("%+v", s)
	}
	outsider := f.People["dee"]
	outsider.Teams = []string{"ledger"}
	for id := range f.People {
		if id != "ann" {
			f.People[id] = outsider
		}
	}
	for range 20 { // the order of persons is another each time
		if s := f.inputs(now).Service; !s.Owned {
			t.Fatalf("owned by one of four: %+v", s)
		}
	}
}

// Without a policy nothing goes, and what stops a release is told as well.
func TestWithoutAPolicy(t *testing.T) {
	for phase, want := range map[Phase]policy.Verdict{Submitted: policy.CannotTell, Draft: policy.CannotTell, Withdrawn: policy.NoGo, Rejected: policy.NoGo} {
		f := good(t)
		f.Policy, f.Release.Phase = nil, phase
		d := decide(t, f)
		if d.Verdict != want || !d.Enforced || d.Passes() || d.Governance != policy.Full || d.drafted() != (phase == Draft) || d.closed() != (want == policy.NoGo) {
			t.Errorf("%s: %s %v", phase, d.Verdict, d.Reasons)
		}
	}
}

// A permit lasts as long as the type says, and where there is no type as it does by default.
func TestPermitLastsAsTheTypeSays(t *testing.T) {
	f := good(t)
	f.Policy = otherwise(t, "name: feature\n", "name: feature\npermit_ttl: 5m\n")
	f = approved(t, f, "ben", "cid")
	if d := decide(t, f); !d.Permitted() || !d.PermitUntil.Equal(now.Add(5*time.Minute)) {
		t.Errorf("%s, until %s", d.Verdict, d.PermitUntil)
	}
	f.Environment = "lab"
	f.Place = &catalog.Environment{ID: "e", Name: "lab", Kind: catalog.Development}
	if d := decide(t, f); !d.Permitted() || d.Governance != policy.None || !d.PermitUntil.Equal(now.Add(policy.DefaultPermitTTL)) {
		t.Errorf("ungoverned: %s, until %s", d.Verdict, d.PermitUntil)
	}
}

// What passed is told in the policy's words alone.
func TestPassedReasonsStay(t *testing.T) {
	for _, r := range decide(t, good(t)).Reasons {
		if strings.Contains(r.Why, "does not know") || strings.Contains(r.Why, "attestation") || r.Next != "" && r.Verdict == policy.Go || strings.Contains(r.Lift, "who did not contribute") {
			t.Errorf("%+v", r)
		}
	}
	if s := didYouMean("not known", "ledger", []string{"shop"}); s != "not known" {
		t.Error(s)
	}
}

// That a release is a draft stands before what waits and behind what is worse.
func TestWhereDraftsStand(t *testing.T) {
	of := map[string]policy.Reason{
		"no-go": {Severity: policy.Block, Verdict: policy.NoGo}, "untold": {Severity: policy.Block, Verdict: policy.CannotTell},
		"wait": {Severity: policy.Block, Verdict: policy.Wait}, "go": {Severity: policy.Block, Verdict: policy.Go}, "warning": {Severity: policy.Warn, Verdict: policy.NoGo},
	}
	for before, want := range map[string]string{
		"": "draft", "no-go": "no-go draft", "wait": "draft wait", "go": "draft go", "warning": "draft warning",
		"no-go untold wait go warning": "no-go untold draft wait go warning", "no-go untold": "no-go untold draft", "untold go": "untold draft go", "untold warning go": "untold draft warning go",
	} {
		d := Decision{Verdict: policy.Go}
		for name := range strings.FieldsSeq(before) {
			r := of[name]
			r.Gate = name
			d.Reasons = append(d.Reasons, r)
			if r.Severity == policy.Block {
				d.Verdict = d.Verdict.Worse(r.Verdict)
			}
		}
		worst := d.Verdict.Worse(policy.Wait)
		d.draft()
		var got []string
		for _, r := range d.Reasons {
			got = append(got, strings.TrimPrefix(r.Gate, "signalbox/"))
			if r.Gate == draftReason && (r.Verdict != policy.Wait || r.Severity != policy.Block) {
				t.Errorf("%q: %+v", before, r)
			}
		}
		if strings.Join(got, " ") != want || d.Verdict != worst {
			t.Errorf("%q: %v, %s", before, got, d.Verdict)
		}
	}
}

// A list is no part of the decision where its section is not known.
func TestListsOfUnknownSections(t *testing.T) {
	every := "findings.items.size() == 1 && change.commit_list.size() == 1 && approval.votes.size() > 1 && load.parts.size() > 0"
	f := good(t)
	f.Policy = extended(t, every)
	f.Lists = policy.Lists{Findings: []policy.Finding{{}}, Commits: []policy.Commit{{}}}
	f.Artifact.Claims, f.Release.Change = nil, nil
	if d := decide(t, approved(t, f, "ben", "cid")); d.Lists != "" || probe(t, d).Verdict == policy.Go {
		_, lists := d.Inputs.Apart()
		t.Errorf("%s: %+v", probe(t, d).Verdict, lists)
	}
	plain := good(t)
	plain.Lists = f.Lists
	if d := decide(t, withLoad(plain, "", loadOf(50, 0))); d.Lists != "" {
		t.Error("lists that nobody reads are part of the decision")
	}
	f = attach(t, good(t), sealed(t, provenance(runner, source, head, digest), "runner"))
	f.Policy = attesting(t, oneKey(""), "condition: attestation.verified == 1\n")
	if d := decide(t, approved(t, f, "ben", "cid")); d.Inputs.Attestation.Statements != nil || d.Lists != "" || d.Verdict != policy.Go {
		t.Errorf("%s: %+v", d.Verdict, d.Inputs.Attestation)
	}
	f.Policy = attesting(t, strings.Replace(oneKey(""), publicKey("runner"), publicKey("other"), 1), "condition: attestation.statements.size() == 0\n")
	if d := decide(t, approved(t, f, "ben", "cid")); d.Lists != "" || d.Verdict != policy.CannotTell {
		t.Errorf("nobody's word has no statements: %s %+v", d.Verdict, d.Inputs.Attestation)
	}
}

// Nobody who has left owns anything.
func TestWhoHasLeftOwnsNothing(t *testing.T) {
	f := good(t)
	for id, p := range f.People {
		p.Departed = true
		f.People[id] = p
	}
	if s := f.service(); s.Owned {
		t.Errorf("%+v", s)
	}
	f = good(t)
	f.Release.Change = nil
	if f.contributorsKnown() {
		t.Error("of no change the contributors are known")
	}
	f = good(t)
	f.Release.Change.Record.Complete = false
	if f.contributorsKnown() {
		t.Error("of half a change the contributors are known")
	}
}
