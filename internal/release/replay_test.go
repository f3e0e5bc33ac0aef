package release

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/calendar"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/policy"
)

// otherwise is the starter policy with a text in place of another.
func otherwise(t testing.TB, pairs ...string) *policy.Program {
	t.Helper()
	files := policy.Starter()
	for i := 0; i+1 < len(pairs); i += 2 {
		done := false
		for k := range files {
			if bytes.Contains(files[k].Data, []byte(pairs[i])) {
				files[k].Data, done = bytes.ReplaceAll(files[k].Data, []byte(pairs[i]), []byte(pairs[i+1])), true
			}
		}
		if !done {
			t.Fatalf("no file of the starter policy holds %q", pairs[i])
		}
	}
	p, problems := policy.Compile(files)
	if policy.Failed(problems) {
		t.Fatal(problems)
	}
	return p
}

func recorded(t testing.TB, f Facts) Recorded {
	t.Helper()
	d := decide(t, f)
	d.ID = "d"
	then := Then{Release: f.Release, Voters: map[string]access.Person{}, Lists: policy.Lists{Findings: f.Lists.Findings, Commits: f.Lists.Commits}, Lost: map[string]string{}}
	for _, v := range f.Release.Votes {
		if p, present := f.People[v.Person]; present && !p.Departed {
			then.Voters[v.Person] = p
		}
	}
	return Recorded{Decision: d, Basis: d.BasisText, Rules: RulesOf(f.Policy, d.Type), Then: then}
}

func frozen(rules ...string) []calendar.Freeze {
	var all []calendar.Freeze
	for i, rule := range rules {
		all = append(all, calendar.Freeze{ID: fmt.Sprint("z", i), Name: fmt.Sprint("freeze-", i), Rule: rule, From: event.MicrosOf(now), Until: event.MicrosOf(now.Add(time.Hour))})
	}
	return all
}

const (
	twoQuorum  = "name: review\n    groups: [release-approvers]\n    quorum: 2"
	moreQuorum = "name: review\n    groups: [release-approvers]\n    quorum: 3"
	otherGroup = "name: review\n    groups: [release-managers]\n    quorum: 2"
)

func TestReplay(t *testing.T) {
	high := func(f *Facts) {
		f.Artifact.Claims = slices.Clone(f.Artifact.Claims)
		f.Artifact.Claims[1].Claim.Findings = &evidence.Findings{Total: 2, BySeverity: evidence.Severities{High: 2}}
		*f = approved(t, *f, "ben", "cid")
	}
	emergency := func(f *Facts) {
		f.Release.ChangeType = "emergency"
		*f = approved(t, *f, "ben", "cid")
	}
	for name, c := range map[string]struct {
		facts  func(f *Facts)
		texts  []string // what the candidate has in place of what
		effect Effect
		now    policy.Verdict
		gates  string
		why    string
	}{
		"a draft":                     {facts: func(f *Facts) { f.Release.Phase = Draft }, effect: Same, now: policy.Wait},
		"taken back":                  {facts: func(f *Facts) { f.Release.Phase = Withdrawn }, effect: Same, now: policy.NoGo, why: "taken back"},
		"the same policy":             {effect: Same, now: policy.Go},
		"a threshold that is not met": {facts: high, texts: []string{"value: 3\nunit: findings\nmin: 0\nmax: 20", "value: 1\nunit: findings\nmin: 0\nmax: 20"}, effect: Stopped, now: policy.NoGo, gates: "few-high-findings go no-go"},
		"a threshold that is met now": {facts: func(f *Facts) {
			high(f)
			f.Policy = otherwise(t, "value: 3\nunit: findings\nmin: 0\nmax: 20", "value: 1\nunit: findings\nmin: 0\nmax: 20")
			*f = approved(t, *f, "ben", "cid")
		}, effect: Through, now: policy.Go, gates: "few-high-findings no-go go"},
		"a quorum that was not asked":   {texts: []string{twoQuorum, moreQuorum}, effect: Stopped, now: policy.CannotTell, gates: "signalbox/approval go indeterminate"},
		"other approvers":               {texts: []string{twoQuorum, otherGroup}, effect: Untold, now: policy.CannotTell, why: "not in the record"},
		"other approvers, other gates":  {facts: high, texts: []string{twoQuorum, otherGroup, "value: 3\nunit: findings\nmin: 0\nmax: 20", "value: 1\nunit: findings\nmin: 0\nmax: 20"}, effect: Stopped, now: policy.NoGo, gates: "few-high-findings go no-go"},
		"the same approvers, elsewhere": {facts: func(f *Facts) { f.Release.Change.Record.Complete = false }, texts: []string{twoQuorum, otherGroup}, effect: Same, now: policy.CannotTell},
		"a freeze still":                {facts: func(f *Facts) { f.Freezes = frozen("freeze") }, texts: []string{"value: 3\nunit: findings\nmin: 0\nmax: 20", "value: 1\nunit: findings\nmin: 0\nmax: 20"}, effect: Same, now: policy.Wait},
		"a freeze that exempts it":      {facts: func(f *Facts) { f.Freezes = frozen("freeze") }, texts: []string{"exempt: [emergency]", "exempt: [emergency, feature]"}, effect: Through, now: policy.Go, gates: "signalbox/calendar wait go"},
		"one of two freezes stands":     {facts: func(f *Facts) { f.Freezes = frozen("freeze", "") }, texts: []string{"exempt: [emergency]", "exempt: [emergency, feature]"}, effect: Same, now: policy.Wait, why: "no rule"},
		"a freeze exempts no more":      {facts: func(f *Facts) { f.Freezes = frozen("freeze"); emergency(f) }, texts: []string{"exempt: [emergency]", "exempt: [feature]"}, effect: Stopped, now: policy.NoGo, gates: "signalbox/calendar go no-go", why: "no end"},
		"an emergency in a freeze":      {facts: func(f *Facts) { f.Freezes = frozen("freeze"); emergency(f) }, effect: Same, now: policy.Go},
		"no policy was active":          {facts: func(f *Facts) { f.Policy = nil }, effect: Untold, now: policy.CannotTell, why: "freezes"},
		"no policy, and a finding":      {facts: func(f *Facts) { f.Policy = nil; f.Release.Change.Record.Commits = 0 }, effect: Other, now: policy.NoGo},
		"nobody governs it any more":    {texts: []string{"match: environment.kind == \"production\"\ngovernance: full", "match: environment.kind == \"production\"\ngovernance: none"}, effect: Same, now: policy.Go},
	} {
		t.Run(name, func(t *testing.T) {
			f := good(t)
			if c.facts != nil {
				c.facts(&f)
			}
			r := recorded(t, f)
			got := Replay(r, otherwise(t, c.texts...))
			if got.Effect != c.effect || got.Now != c.now || got.Was != r.Decision.Verdict {
				t.Errorf("%s: %s, was %s (%v)", got.Effect, got.Now, got.Was, got)
			}
			if c.gates != "" {
				var gates []string
				for _, g := range got.Gates {
					gates = append(gates, fmt.Sprintf("%s %s %s", g.Gate, g.Was, g.Now))
				}
				if all := strings.Join(gates, ", "); all != c.gates {
					t.Errorf("gates %s, want %s", all, c.gates)
				}
			}
			if (got.Effect == Same) != (len(got.Gates) == 0) && got.Effect != Untold {
				t.Errorf("%s with gates %v", got.Effect, got.Gates)
			}
			if !strings.Contains(got.Why, c.why) || c.why == "" && got.Why != "" && got.Effect != Stopped && got.Effect != Other && got.Effect != Same {
				t.Errorf("why: %q, want %q", got.Why, c.why)
			}
		})
	}
}

// What is observed stops nothing, whatever it answers.
func TestReplayUnderObserve(t *testing.T) {
	f := good(t)
	f.Artifact.Claims = nil
	f = approved(t, f, "ben", "cid")
	candidate := otherwise(t, "reason: Customers depend on it.", "observe: {by: Erin Example, until: 2040-01-31}\nreason: Customers depend on it.")
	if got := Replay(recorded(t, f), candidate); got.Effect != Through || got.Now != policy.CannotTell || !got.Observed {
		t.Errorf("%+v", got)
	}
}

// What was known one by one is decided on; what was not known then is what a rule
// cannot tell, and what is lost is no answer. What stops a release anyway still does.
func TestReplayOfLists(t *testing.T) {
	reading := func(condition string) *policy.Program {
		return otherwise(t, "condition: findings.critical == 0", "condition: "+condition)
	}
	items := reading(`findings.items.all(f, f.severity != "critical")`)
	commits := reading(`change.commit_list.all(c, c.signed)`)
	votes := reading(`approval.votes.filter(v, v.counted && "release-approvers" in v.groups).size() > 1`)
	plain := func(*Facts) {}
	noTests := func(f *Facts) { f.Artifact.Claims = f.Artifact.Claims[:2]; *f = approved(t, *f, "ben", "cid") }
	for name, c := range map[string]struct {
		candidate *policy.Program
		facts     func(f *Facts)
		lost      string // section
		effect    Effect
		now       policy.Verdict
		why       string
	}{
		"no findings":               {items, func(f *Facts) { f.Lists.Findings = []policy.Finding{} }, "", Same, policy.Go, ""},
		"a critical finding":        {items, func(f *Facts) { f.Lists.Findings = []policy.Finding{{Severity: "critical"}} }, "", Stopped, policy.NoGo, ""},
		"findings never listed":     {items, plain, "", Stopped, policy.CannotTell, ""},
		"findings lost":             {items, plain, "findings", Untold, policy.CannotTell, "the findings one by one are not to be had: rotten"},
		"findings lost, no tests":   {items, noTests, "findings", Same, policy.CannotTell, "stopped all the same"},
		"other lists lost":          {items, func(f *Facts) { f.Lists.Findings = []policy.Finding{} }, "change", Same, policy.Go, ""},
		"signed commits":            {commits, func(f *Facts) { f.Lists.Commits = []policy.Commit{{Signed: true}} }, "", Same, policy.Go, ""},
		"an unsigned commit":        {commits, func(f *Facts) { f.Lists.Commits = []policy.Commit{{Signed: true}, {}} }, "", Stopped, policy.NoGo, ""},
		"commits never listed":      {commits, plain, "", Stopped, policy.CannotTell, ""},
		"commits lost":              {commits, plain, "change", Untold, policy.CannotTell, "the commits one by one are not to be had: rotten"},
		"too many commits to count": {commits, func(f *Facts) { f.Lists.Commits = make([]policy.Commit, policy.MaxInputList+1) }, "", Stopped, policy.CannotTell, ""},
		"votes":                     {votes, plain, "", Same, policy.Go, ""},
		"no votes yet":              {votes, func(f *Facts) { *f = approved(t, *f) }, "", Other, policy.NoGo, ""},
		"votes lost":                {votes, plain, "approval", Untold, policy.CannotTell, "the votes one by one are not to be had: rotten"},
	} {
		t.Run(name, func(t *testing.T) {
			f := good(t)
			c.facts(&f)
			r := recorded(t, f)
			if c.lost != "" {
				r.Then.Lost[c.lost] = "rotten"
			}
			got := Replay(r, c.candidate)
			if got.Effect != c.effect || got.Now != c.now || !strings.Contains(got.Why, c.why) || c.why == "" && got.Why != "" {
				t.Errorf("%+v", got)
			}
		})
	}
}

// Votes are those that the decision weighed, or none: what does not add up to
// what was counted then is not taken for it.
func TestReplayOfVotesThatDoNotAddUp(t *testing.T) {
	votes := otherwise(t, "condition: findings.critical == 0", "condition: approval.votes.size() < 10")
	for name, spoil := range map[string]func(r *Recorded){
		"a vote is missing":    func(r *Recorded) { r.Then.Release.Votes = r.Then.Release.Votes[:1] },
		"a vote too many":      func(r *Recorded) { r.Then.Release = approved(t, good(t), "ann", "ben", "cid").Release },
		"somebody is unknown":  func(r *Recorded) { delete(r.Then.Voters, "ben") },
		"for another content":  func(r *Recorded) { r.Decision.Subject = "sha256:00" },
		"somebody else":        func(r *Recorded) { r.Decision.Approvals = []string{"ben", "dee"} },
		"of an earlier policy": func(r *Recorded) { r.Rules.Chain.ValidFor = time.Second },
	} {
		r := recorded(t, good(t))
		if got := Replay(r, votes); got.Effect != Same {
			t.Fatalf("as it was: %+v", got)
		}
		spoil(&r)
		if got := Replay(r, votes); got.Effect != Untold || !strings.Contains(got.Why, "votes") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Where the rules of the day read the same lists, their digest proves them.
func TestReplayProvesLists(t *testing.T) {
	both := `findings.items.all(f, f.severity != "critical") && change.commit_list.all(c, c.signed) && approval.votes.size() > 1`
	f := good(t)
	f.Policy = otherwise(t, "condition: findings.critical == 0", "condition: "+both)
	f.Lists = policy.Lists{Findings: []policy.Finding{{Severity: "low", Rule: "R1"}}, Commits: []policy.Commit{{Signed: true}, {Signed: true, Type: "fix"}}}
	f = approved(t, f, "ben", "cid")
	candidate := otherwise(t, "condition: findings.critical == 0", "condition: approval.votes.size() > 1 && change.commit_list.size() > 1 && findings.items.size() < 9")
	if got := Replay(recorded(t, f), candidate); got.Effect != Same || got.Now != policy.Go {
		t.Fatalf("as they were: %+v", got)
	}
	other := recorded(t, f)
	other.Then.Lists.Findings = []policy.Finding{{Severity: "low", Rule: "R2"}}
	if got := Replay(other, candidate); got.Effect != Untold || !strings.Contains(got.Why, "is not what the rules of the day read") {
		t.Errorf("other findings: %+v", got)
	}
	fewer := otherwise(t, "condition: findings.critical == 0", "condition: findings.items.size() < 9")
	if got := Replay(other, fewer); got.Effect != Same {
		t.Errorf("a candidate that reads fewer has nothing to compare with: %+v", got)
	}
}

func TestReplayWithoutBasis(t *testing.T) {
	r := recorded(t, good(t))
	for name, basis := range map[string][]byte{"gone": nil, "another form": []byte(`{"schema":2}`), "no JSON": []byte("{")} {
		r.Basis = basis
		if got := Replay(r, starter(t)); got.Effect != Untold || got.Why == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A replay that tells something tells what the gate would have answered on the
// same facts under the candidate, had the same people voted.
func TestReplayIsTheGate(t *testing.T) {
	changes := [][]string{
		{"value: 3\nunit: findings\nmin: 0\nmax: 20", "value: 1\nunit: findings\nmin: 0\nmax: 20"},
		{twoQuorum, moreQuorum},
		{twoQuorum, otherGroup},
		{"exempt: [emergency]", "exempt: [feature]"},
		{"exempt: [emergency]", "exempt: [emergency, feature, small]"},
		{"change.signed == change.commits", "change.signed > 100"},
		{"valid_for: 24h", "valid_for: 48h"},
		{"condition: findings.critical == 0", `condition: approval.votes.exists(v, v.counted) && approval.votes.all(v, v.answer == "approve")`},
		{"condition: change.known", `condition: change.commit_list.all(c, c.signed) || approval.votes.size() > 2`},
	}
	told, listed := 0, 0
	programs := map[string]*policy.Program{}
	rapid.Check(t, func(r *rapid.T) {
		pick := func(name string) *policy.Program {
			var texts []string
			seen := map[string]bool{}
			for _, c := range rapid.SliceOfN(rapid.SampledFrom(changes), 0, 2).Draw(r, name) {
				if !seen[c[0]] {
					texts, seen[c[0]] = append(texts, c...), true
				}
			}
			key := strings.Join(texts, "\x00")
			if programs[key] == nil {
				programs[key] = otherwise(t, texts...)
			}
			return programs[key]
		}
		f := good(t)
		f.Policy = pick("old")
		f.Release.ChangeType = rapid.SampledFrom([]string{"", "normal", "emergency", "standard"}).Draw(r, "change type")
		f.Freezes = frozen(rapid.SliceOfN(rapid.SampledFrom([]string{"freeze", ""}), 0, 2).Draw(r, "freezes")...)
		f.Artifact.Claims = f.Artifact.Claims[rapid.IntRange(0, 3).Draw(r, "claims lost"):]
		f.Release.Change.Record.Complete = rapid.Bool().Draw(r, "complete")
		voters := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"ann", "ben", "cid"}), 0, 3, rapid.ID).Draw(r, "voters")
		f.Lists.Commits = rapid.SampledFrom([][]policy.Commit{nil, {{Signed: true}}, {{Signed: true}, {}}}).Draw(r, "commits")
		f = approved(t, f, voters...)
		against := rapid.SampledFrom([]string{"", "ben", "dee"}).Draw(r, "against")
		reject(&f, against)
		record, candidate := recorded(t, f), pick("new")
		got := Replay(record, candidate)
		if f.Policy == candidate && got.Effect != Same {
			r.Fatalf("under its own policy: %+v", got)
		}
		f.Policy = candidate
		f = approved(t, f, voters...)
		reject(&f, against)
		want := decide(t, f)
		switch {
		case got.Effect == Untold:
			return
		case got.passes() != want.Passes():
			r.Fatalf("replayed as %s, the gate says %s: %+v\n%v", got.Now, want.Verdict, got, blocking(want))
		case got.Why == "" && got.Now != want.Verdict && want.Verdict != policy.NoGo:
			r.Fatalf("replayed as %s, the gate says %s: %+v\n%v", got.Now, want.Verdict, got, blocking(want))
		}
		told++
		if len(candidate.NeedsLists()) > 0 {
			listed++
		}
	})
	if told == 0 || listed == 0 {
		t.Errorf("%d replays told anything, %d of them with lists", told, listed)
	}
}

// reject is f with one vote turned into a rejection, or added as one.
func reject(f *Facts, person string) {
	for i, v := range f.Release.Votes {
		if v.Person == person {
			f.Release.Votes[i].Answer = approval.Reject
		}
	}
}

func TestEnded(t *testing.T) {
	hour := func(n int) event.Micros { return event.MicrosOf(now.Add(time.Duration(n) * time.Hour)) }
	one := Deployment{ID: "d1", Environment: "production", Authorised: true, Status: "finished", Started: hour(1)}
	with := func(status string, authorised bool) []Deployment {
		d := one
		d.Status, d.Authorised = status, authorised
		return []Deployment{d}
	}
	in := func(p Phase, deployment string) State {
		return State{Targets: map[string]Target{"production": {Phase: p, Deployment: deployment}}}
	}
	for name, c := range map[string]struct {
		state       State
		deployments []Deployment
		after       event.Micros
		want        Ending
	}{
		"nothing happened":      {State{}, nil, 0, Unknown},
		"it happened before":    {in(Succeeded, "d1"), []Deployment{one}, hour(2), Unknown},
		"it happened elsewhere": {State{}, []Deployment{{Environment: "staging", Authorised: true, Status: "finished", Started: hour(1)}}, 0, Unknown},
		"arrived":               {in(Verifying, "d1"), []Deployment{one}, 0, Arrived},
		"succeeded":             {in(Succeeded, "d1"), []Deployment{one}, 0, Worked},
		"another succeeded":     {in(Succeeded, "d2"), []Deployment{one}, 0, Arrived},
		"rolled back":           {in(RolledBack, "d1"), []Deployment{one}, 0, WentBack},
		"failed":                {in(PartiallyDeployed, "d1"), with("failed", true), 0, Failed},
		"aborted":               {in(Aborted, "d1"), with("failed", true), 0, NeverBegan},
		"reviewed after it":     {in(Reviewing, "d1"), with("failed", true), 0, Failed},
		"under way":             {in(Deploying, "d1"), with("started", true), 0, Underway},
		"unauthorised":          {in(Assessing, ""), with("finished", false), 0, Unauthorised},
		"unauthorised, failed":  {in(Assessing, ""), with("failed", false), 0, UnauthorisedFailed},
		"the newest counts":     {in(Succeeded, "d2"), []Deployment{{ID: "d2", Environment: "production", Authorised: true, Status: "finished", Started: hour(3)}, one}, 0, Worked},
	} {
		if got := c.state.Ended("production", c.deployments, c.after); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestTally(t *testing.T) {
	var tally Tally
	for i := range 30 {
		tally.Add(Flip{Decision: fmt.Sprint("s", i), Effect: Stopped, Service: "shop", Team: "web", Gates: []Turned{{Gate: "a"}, {Gate: "b"}}})
	}
	tally.Add(Flip{Decision: "t", Effect: Through, Service: "pay", Gates: []Turned{{Gate: "b"}}})
	tally.Add(Flip{Decision: "u", Effect: Untold, Service: "pay"})
	tally.Add(Flip{Decision: "o", Effect: Other, Service: "pay"})
	tally.Add(Flip{Decision: "same", Effect: Same, Service: "pay"})
	if tally.Total != 34 || tally.Same != 1 || tally.Counts != (Counts{Stopped: 30, Through: 1, Other: 1, Untold: 1}) {
		t.Errorf("%+v", tally)
	}
	names := func(list []Share) (all []string) {
		for _, s := range list {
			all = append(all, fmt.Sprint(s.Name, " ", s.sum(), " ", len(s.Decisions)))
		}
		return all
	}
	for _, c := range []struct{ got, want []string }{
		{names(tally.Gates()), []string{"b 31 20", "a 30 20"}},
		{names(tally.Services()), []string{"shop 30 20", "pay 3 3"}},
		{names(tally.Teams()), []string{"web 30 20", " 3 3"}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Error(diff)
		}
	}
}

func BenchmarkReplay(b *testing.B) {
	r, candidate := recorded(b, good(b)), otherwise(b, "value: 3\nunit: findings\nmin: 0\nmax: 20", "value: 1\nunit: findings\nmin: 0\nmax: 20")
	for b.Loop() {
		if Replay(r, candidate).Effect != Same {
			b.Fatal("it flips")
		}
	}
}
