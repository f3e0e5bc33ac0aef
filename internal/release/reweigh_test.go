package release

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/evidence/attestation"
	"signalbox.dev/signalbox/internal/halt"
	"signalbox.dev/signalbox/internal/policy"
)

const (
	threeHigh = "value: 3\nunit: findings\nmin: 0\nmax: 20"
	oneHigh   = "value: 1\nunit: findings\nmin: 0\nmax: 20"
)

// highs is f with two findings that are high.
func highs(t testing.TB, f Facts) Facts {
	t.Helper()
	f.Artifact.Claims = slices.Clone(f.Artifact.Claims)
	f.Artifact.Claims[1].Claim.Findings = &evidence.Findings{Total: 2, BySeverity: evidence.Severities{High: 2}}
	return approved(t, f, "ben", "cid")
}

// A basis is read as it was written, with the clock that it leaves out.
func TestInputsOfTheRecord(t *testing.T) {
	f := withLoad(good(t), "", loadOf(50, 0))
	f.Artifact.Claims = slices.Clone(f.Artifact.Claims)
	ages := map[evidence.Kind]float64{evidence.FindingsKind: 3, evidence.TestsKind: 5, evidence.CoverageKind: 7, evidence.LoadKind: 11}
	for i := range f.Artifact.Claims {
		c := &f.Artifact.Claims[i]
		c.At = event.MicrosOf(now.Add(-time.Duration(ages[c.Claim.Kind]) * time.Hour))
	}
	d := decide(t, f)
	in, err := (&Recorded{Decision: d, Basis: d.BasisText}).inputs()
	want, _ := d.Inputs.Apart()
	if diff := cmp.Diff(want, in); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if in.Findings.AgeHours != 3 || in.Tests.AgeHours != 5 || in.Coverage.AgeHours != 7 || in.Load.AgeHours != 11 || !in.Now.Equal(now) {
		t.Errorf("%+v", in)
	}
	for basis, says := range map[string]string{"": "not in the journal any more", "x": "does not read", `{"schema":2}`: "does not read", `{"schema":1,`: "does not read", `{"schema":1}x`: "does not read"} {
		r := recorded(t, good(t))
		r.Basis = []byte(basis)
		if got := Replay(r, starter(t)); got.Effect != Untold || got.Now != policy.CannotTell || !strings.Contains(got.Why, says) {
			t.Errorf("%q: %+v", basis, got)
		}
	}
}

func TestReplayTellsWhat(t *testing.T) {
	text := func(got Flip) string {
		all := []string{string(got.Effect), string(got.Now)}
		for _, g := range got.Gates {
			all = append(all, fmt.Sprintf("%s %s %s", g.Gate, g.Was, g.Now))
		}
		return strings.Join(all, ", ")
	}
	stopped := good(t)
	stopped.Stop = halt.Switch{ID: "s", Since: event.MicrosOf(now)}
	draft := highs(t, good(t))
	draft.Release.Phase = Draft
	strict := good(t)
	strict.Policy = otherwise(t, threeHigh, oneHigh)
	strict = highs(t, strict)
	untested := strict
	untested.Artifact.Claims = untested.Artifact.Claims[:2]
	untested = approved(t, untested, "ben", "cid")
	for name, c := range map[string]struct {
		f     Facts
		texts []string
		want  string
	}{
		"stopped, whatever the policy":   {stopped, []string{"findings.critical == 0", "findings.critical == 9"}, "same, no-go"},
		"no-go by another gate":          {strict, []string{"findings.critical == 0", "findings.critical == 9"}, "same, no-go"},
		"a draft that would not go":      {draft, []string{threeHigh, oneHigh}, "other-answer, no-go, few-high-findings go no-go"},
		"more than one gate, in order":   {good(t), []string{"findings.critical == 0", "findings.critical == 9", "change.complete && ", "change.commits > 99 && change.complete && ", "findings.high <=", "findings.high >", "tests.failed == 0", "tests.failed == 9"}, "stopped, no-go, change-known go no-go, few-high-findings go no-go, no-critical-findings go no-go, tests-pass go no-go"},
		"a warning turns no gate":        {good(t), []string{"findings.critical == 0", "findings.critical == 9", "change.signed == change.commits", "change.signed > 99"}, "stopped, no-go, no-critical-findings go no-go"},
		"unknown, and no better at best": {untested, []string{twoQuorum, otherGroup}, "same, no-go"},
		"unknown, stopped for another":   {untested, []string{twoQuorum, otherGroup, oneHigh, threeHigh}, "same, no-go"},
		"nobody need approve any more":   {approved(t, good(t)), []string{"size: [minor, major]\nchange_types: [normal]\nchain: two-approvers", "size: [minor, major]\nchange_types: [normal]\nchain: none"}, "let-through, go, signalbox/approval wait go"},
	} {
		if name == "unknown, stopped for another" {
			c.texts = []string{twoQuorum, otherGroup}
		}
		for range 3 { // maps are walked another way each time
			if got := text(Replay(recorded(t, c.f), otherwise(t, c.texts...))); got != c.want {
				t.Errorf("%s: %s, want %s", name, got, c.want)
			}
		}
	}
	if got := Replay(recorded(t, stopped), starter(t)); got.Decision != "d" || got.Service != "shop" || got.Team != "shop" || !strings.Contains(got.Why, "were stopped") {
		t.Errorf("%+v", got)
	}
}

// What stands in the way whatever an unknown section was stands so in the same words.
func TestSure(t *testing.T) {
	one := policy.Reason{Gate: "g", Severity: policy.Block, Verdict: policy.Wait, Code: "c", Why: "w"}
	with := func(change func(r *policy.Reason)) policy.Reason {
		r := one
		change(&r)
		return r
	}
	for name, c := range map[string]struct {
		unknown, best policy.Reason
		sure          bool
	}{
		"the same":        {one, one, true},
		"another gate":    {one, with(func(r *policy.Reason) { r.Gate = "h" }), false},
		"another verdict": {one, with(func(r *policy.Reason) { r.Verdict = policy.NoGo }), false},
		"another code":    {one, with(func(r *policy.Reason) { r.Code = "d" }), false},
		"other words":     {one, with(func(r *policy.Reason) { r.Why = "x" }), false},
		"a warning":       {with(func(r *policy.Reason) { r.Severity = policy.Warn }), with(func(r *policy.Reason) { r.Severity = policy.Warn }), false},
		"a go":            {with(func(r *policy.Reason) { r.Verdict = policy.Go }), with(func(r *policy.Reason) { r.Verdict = policy.Go }), false},
	} {
		if got := len(sure([]policy.Reason{c.unknown}, []policy.Reason{c.best})) == 1; got != c.sure {
			t.Errorf("%s: sure %v", name, got)
		}
	}
	block := func(v policy.Verdict) policy.Reason {
		return policy.Reason{Gate: "g", Severity: policy.Block, Verdict: v}
	}
	for _, twice := range [][]policy.Reason{{block(policy.Wait), block(policy.NoGo)}, {block(policy.NoGo), block(policy.Wait)}} {
		if got := blockers(twice); got["g"] != policy.NoGo {
			t.Errorf("%v", got)
		}
	}
	if v := worst([]policy.Reason{block(policy.Wait), block(policy.CannotTell), block(policy.Wait)}); v != policy.CannotTell {
		t.Error(v)
	}
	if got := blockers([]policy.Reason{{Gate: "g", Severity: policy.Warn, Verdict: policy.NoGo}, block(policy.Go)}); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

// What is unknown is as good as it can be, and nothing else is touched.
func TestBest(t *testing.T) {
	if diff := cmp.Diff(policy.Inputs{}, weighed{}.best()); diff != "" {
		t.Error(diff)
	}
	all := weighed{chain: true, freeze: true, last: true, attestation: true}.best()
	if !all.Approval.Satisfied || !all.Calendar.Known || all.Calendar.Frozen || !all.Previous.Known || !all.Attestation.Known {
		t.Errorf("%+v", all)
	}
	for _, p := range (&weighed{in: all}).provenances() {
		if *p != policy.ByAttestor {
			t.Errorf("by %q", *p)
		}
	}
	_, lists := weighed{lost: []string{"findings", "change", "attestation", "approval", "load"}}.best().Apart()
	if lists.Findings == nil || lists.Commits == nil || lists.Statements == nil || lists.Votes == nil || lists.Parts == nil {
		t.Errorf("%+v", lists)
	}
}

// Approvals are those of the record only where the same votes would count.
func TestApprovalsReweighed(t *testing.T) {
	chain := func(change func(c *policy.ApprovalChain)) *policy.ApprovalChain {
		c := policy.ApprovalChain{Name: "c", ValidFor: time.Hour, Rejections: 1, Tiers: []policy.Tier{{Name: "t", Groups: []string{"a", "b"}, Quorum: 2}}}
		if change != nil {
			change(&c)
		}
		return &c
	}
	known := policy.Change{Known: true, Complete: true}
	two := policy.Approval{Known: true, Approvals: 2, Required: 2, Satisfied: true}
	for name, c := range map[string]struct {
		change   policy.Change
		old, now *policy.ApprovalChain
		was      policy.Approval
		want     policy.Approval
		unknown  bool
	}{
		"the same":           {known, chain(nil), chain(nil), two, two, false},
		"in another order":   {known, chain(nil), chain(func(c *policy.ApprovalChain) { c.Tiers[0].Groups = []string{"b", "a"} }), two, two, false},
		"one more":           {known, chain(nil), chain(func(c *policy.ApprovalChain) { c.Tiers[0].Quorum = 3 }), two, policy.Approval{Known: true, Approvals: 2, Required: 3}, false},
		"one less":           {known, chain(nil), chain(func(c *policy.ApprovalChain) { c.Tiers[0].Quorum = 1 }), two, policy.Approval{Known: true, Approvals: 2, Required: 1, Satisfied: true}, false},
		"none said is one":   {known, chain(nil), chain(func(c *policy.ApprovalChain) { c.Tiers[0].Quorum = 0 }), policy.Approval{Known: true}, policy.Approval{Known: true, Required: 1}, false},
		"none said, one did": {known, chain(nil), chain(func(c *policy.ApprovalChain) { c.Tiers[0].Quorum = 0 }), policy.Approval{Known: true, Approvals: 1}, policy.Approval{Known: true, Approvals: 1, Required: 1, Satisfied: true}, false},
		"rejected":           {known, chain(nil), chain(nil), policy.Approval{Known: true, Approvals: 2, Rejected: true}, policy.Approval{Known: true, Approvals: 2, Required: 2, Rejected: true}, false},
		"other groups":       {known, chain(nil), chain(func(c *policy.ApprovalChain) { c.Tiers[0].Groups = []string{"a"} }), two, policy.Approval{}, true},
		"another validity":   {known, chain(nil), chain(func(c *policy.ApprovalChain) { c.ValidFor = time.Minute }), two, policy.Approval{}, true},
		"two may reject":     {known, chain(nil), chain(func(c *policy.ApprovalChain) { c.Rejections = 2 }), two, policy.Approval{}, true},
		"one rejects anyway": {known, chain(func(c *policy.ApprovalChain) { c.Rejections = 0 }), chain(nil), two, two, false},
		"one, said now":      {known, chain(nil), chain(func(c *policy.ApprovalChain) { c.Rejections = 0 }), two, two, false},
		"two tiers":          {known, chain(nil), chain(func(c *policy.ApprovalChain) { c.Tiers = append(c.Tiers, c.Tiers[0]) }), two, policy.Approval{}, true},
		"two tiers before":   {known, chain(func(c *policy.ApprovalChain) { c.Tiers = append(c.Tiers, c.Tiers[0]) }), chain(nil), two, policy.Approval{}, true},
		"no chain before":    {known, nil, chain(nil), two, policy.Approval{}, true},
		"no chain now":       {known, chain(nil), nil, policy.Approval{Known: true}, policy.Approval{Known: true, Satisfied: true}, false},
		"change unknown":     {policy.Change{Complete: true}, chain(nil), chain(nil), two, policy.Approval{}, false},
		"change in part":     {policy.Change{Known: true}, chain(nil), chain(nil), two, policy.Approval{}, false},
		"by a stranger":      {policy.Change{Known: true, Complete: true, UnknownContributors: 1}, chain(nil), chain(nil), two, policy.Approval{}, false},
	} {
		w := weighed{in: policy.Inputs{Change: c.change, Approval: c.was}}
		w.approvals(Rules{Chain: c.old}, policy.Classification{Chain: c.now, Type: &policy.ReleaseType{}})
		if diff := cmp.Diff(c.want, w.in.Approval); diff != "" || w.chain != c.unknown || (len(w.unknown) > 0) != c.unknown {
			t.Errorf("%s: unknown %v %v %s", name, w.chain, w.unknown, diff)
		}
	}
}

// Freezes are those of the record as far as it says which rule each follows.
func TestFreezesReweighed(t *testing.T) {
	thaws := now.Add(time.Hour)
	free := policy.Calendar{Known: true, Freezes: []string{}, Rules: []string{}, Exempt: []string{}}
	with := func(change func(k *policy.Calendar)) policy.Calendar {
		k := free
		change(&k)
		return k
	}
	passed := with(func(k *policy.Calendar) { k.Exempt = []string{"z"} })
	two := with(func(k *policy.Calendar) {
		k.Frozen, k.Freezes, k.Rules, k.ThawsAt = true, []string{"y", "z"}, []string{"a", "b"}, thaws
	})
	half := with(func(k *policy.Calendar) {
		k.Frozen, k.Freezes, k.Rules, k.ThawsAt = true, []string{"y", "z"}, []string{"b"}, thaws
	})
	rules := func(exempt ...string) Rules { return Rules{Known: true, Exempt: exempt} }
	for name, c := range map[string]struct {
		was    policy.Calendar
		old    Rules
		exempt []string // from which rules now
		want   policy.Calendar
		taken  string
	}{
		"none":                       {free, rules(), nil, free, ""},
		"not known":                  {policy.Calendar{}, rules(), nil, policy.Calendar{}, ""},
		"exempt as it was":           {passed, rules("a"), []string{"a"}, passed, ""},
		"exempt, rules not known":    {passed, Rules{}, []string{"a"}, policy.Calendar{}, ""},
		"none, rules not known":      {free, Rules{}, nil, free, ""},
		"exempt from fewer":          {passed, rules("a", "b"), []string{"a"}, policy.Calendar{}, ""},
		"exempt from more":           {passed, rules("a", "b"), []string{"a", "b", "c"}, passed, ""},
		"none, exempt from fewer":    {free, rules("a", "b"), nil, free, ""},
		"none, exempt from one less": {free, rules("a"), nil, free, ""},
		"exempt no more": {passed, rules("a"), nil, with(func(k *policy.Calendar) {
			k.Frozen, k.OpenEnd, k.Freezes, k.Rules = true, true, []string{"z"}, []string{"a"}
		}), "no end"},
		"frozen still": {two, rules(), nil, two, ""},
		"from one rule": {two, rules(), []string{"b"}, with(func(k *policy.Calendar) {
			k.Frozen, k.Freezes, k.Rules, k.Exempt, k.ThawsAt = true, []string{"y"}, []string{"a"}, []string{"z"}, thaws
		}), ""},
		"from both":   {two, rules(), []string{"b", "a"}, with(func(k *policy.Calendar) { k.Exempt = []string{"y", "z"} }), ""},
		"none of two": {half, rules(), nil, half, ""},
		"which is which": {half, rules(), []string{"b"}, with(func(k *policy.Calendar) {
			k.Frozen, k.Freezes, k.ThawsAt = true, []string{"y", "z"}, thaws
		}), "no rule"},
	} {
		w := weighed{in: policy.Inputs{Calendar: c.was}}
		w.freezes(c.old, policy.Classification{ExemptFrom: c.exempt})
		if diff := cmp.Diff(c.want, w.in.Calendar); diff != "" || w.freeze == c.want.Known || (len(w.unknown) > 0) != w.freeze {
			t.Errorf("%s: unknown %v %v %s", name, w.freeze, w.unknown, diff)
		}
		if taken := strings.Join(w.taken, ""); !strings.Contains(taken, c.taken) || (c.taken == "") != (taken == "") {
			t.Errorf("%s: %q", name, taken)
		}
	}
}

// Only what the candidate reads and what was known then is given.
func TestListed(t *testing.T) {
	r := Recorded{Then: Then{Lists: policy.Lists{Findings: []policy.Finding{{}}, Commits: []policy.Commit{{}}}}}
	known := policy.Inputs{Findings: policy.Findings{Known: true}, Change: policy.Change{Known: true}, Load: policy.Load{Known: true}, Approval: policy.Approval{Known: true}}
	all := map[string]bool{"findings": true, "change": true, "load": true, "approval": true}
	r.Decision.Lists, r.Rules.Reads = "sha256:00", map[string]bool{"findings": true} // which nothing has
	lists, lost := r.listed(known, all)
	if lists.Findings == nil || lists.Commits == nil || lists.Votes == nil || !slices.Equal(slices.Collect(maps.Keys(lost)), []string{"load"}) {
		t.Errorf("%+v %v", lists, lost)
	}
	r.Decision.Lists = ""
	for name, c := range map[string]struct {
		in    policy.Inputs
		needs map[string]bool
	}{"not known": {policy.Inputs{}, all}, "not read": {known, nil}} {
		if lists, lost := r.listed(c.in, c.needs); !lists.Empty() || len(lost) != 0 {
			t.Errorf("%s: %+v %v", name, lists, lost)
		}
	}
	r.Then.Lost = map[string]string{"approval": "gone", "attestation": "gone"}
	if lists, lost := r.listed(known, map[string]bool{"approval": true}); lists.Votes != nil || lost["approval"] != "gone" || lost["attestation"] != "" {
		t.Errorf("votes that are gone: %+v %v", lists, lost)
	}
	if len(r.Then.Lost) != 2 {
		t.Error("the record was changed")
	}
}

// Votes add up only where every number does.
func TestVotesAddUp(t *testing.T) {
	f := approved(t, good(t), "ann", "ben", "cid") // ann wrote the change
	f.Release.Votes = append(f.Release.Votes, f.Release.Votes[1])
	f.Release.Votes[3].Person, f.Release.Votes[3].Subject = "dee", "sha256:00"
	r := recorded(t, f)
	r.Then.Voters["ann"] = f.People["ann"]
	counted := r.Decision.Inputs.Approval
	if got := r.votes(counted); len(got) != counted.Approvals+counted.Excluded || counted.Approvals != 2 || counted.Excluded+counted.Lapsed == 0 {
		t.Fatalf("%+v of %+v", got, counted)
	}
	for name, change := range map[string]func(a *policy.Approval){
		"approvals": func(a *policy.Approval) { a.Approvals++ }, "rejected": func(a *policy.Approval) { a.Rejected = !a.Rejected },
		"excluded": func(a *policy.Approval) { a.Excluded++ }, "lapsed": func(a *policy.Approval) { a.Lapsed++ },
	} {
		other := counted
		change(&other)
		if got := r.votes(other); got != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	votes := otherwise(t, "condition: findings.critical == 0", "condition: approval.votes.size() < 10")
	if got := Replay(r, votes); got.Effect != Same {
		t.Errorf("%+v", got)
	}
}

// The digest is that of what the rules of the day read, whatever the candidate reads beside it.
func TestProvenByWhatWasRead(t *testing.T) {
	lists := policy.Lists{Findings: []policy.Finding{{Severity: "low", Rule: "R1"}}, Commits: []policy.Commit{{Signed: true}}}
	every := "condition: approval.votes.size() > 1 && change.commit_list.size() == 1 && findings.items.size() == 1"
	for section, condition := range map[string]string{
		"findings": "condition: findings.items.size() == 1", "change": "condition: change.commit_list.size() == 1", "approval": "condition: approval.votes.size() > 1",
	} {
		f := good(t)
		f.Policy, f.Lists = otherwise(t, "condition: findings.critical == 0", condition), lists
		r := recorded(t, approved(t, f, "ben", "cid"))
		if got := Replay(r, otherwise(t, "condition: findings.critical == 0", every)); r.Decision.Lists == "" || got.Effect != Same || got.Now != policy.Go {
			t.Errorf("%s: %+v", section, got)
		}
		r.Decision.Lists = "sha256:00"
		if got := Replay(r, otherwise(t, "condition: findings.critical == 0", every)); got.Effect != Untold {
			t.Errorf("%s, of which the digest is another: %+v", section, got)
		}
		if r.Then.Lost["attestation"] = "gone"; !r.proven(policy.Inputs{}, policy.Lists{}, map[string]bool{}) || r.proven(r.Decision.Inputs, policy.Lists{}, map[string]bool{section: true}) {
			t.Errorf("%s: proven by attestations that no rule read", section)
		}
		if r.Rules.Reads["attestation"] = true; !r.proven(r.Decision.Inputs, policy.Lists{}, map[string]bool{section: true, "attestation": true}) {
			t.Errorf("%s: held to statements that are gone", section)
		}
		r.Then.Lost = nil
		if r.proven(r.Decision.Inputs, policy.Lists{}, map[string]bool{section: true, "attestation": true}) {
			t.Errorf("%s: not held to statements", section)
		}
	}
	// Where nobody is asked, the votes are none, however they were weighed.
	f := good(t)
	f.Release.ChangeType = "standard"
	r := recorded(t, approved(t, f))
	r.Then.Lost["approval"] = "gone"
	if got := Replay(r, otherwise(t, "condition: findings.critical == 0", "condition: approval.votes.size() == 0")); got.Effect != Same || got.Now != policy.Go {
		t.Errorf("nobody was asked: %+v", got)
	}
	if got := Replay(r, otherwise(t, "condition: findings.critical == 0", "condition: approval.votes.size() == 9")); got.Effect != Stopped || got.Why != "" {
		t.Errorf("nobody was asked, and nine must be: %+v", got)
	}
	reads := otherwise(t, "condition: findings.critical == 0", "condition: approval.votes.size() < 10")
	counted := recorded(t, good(t))
	w := weighed{in: policy.Inputs{Approval: policy.Approval{}}}
	was := policy.Inputs{Approval: counted.Decision.Inputs.Approval}
	if w.lists(&counted, was, policy.Classification{Chain: counted.Rules.Chain}, reads.NeedsLists()); w.in.Approval.Votes != nil {
		t.Errorf("votes of approvals that are not known: %v", w.in.Approval.Votes)
	}
	w = weighed{in: policy.Inputs{Findings: policy.Findings{Known: true}}}
	w.lists(&Recorded{Then: Then{Lost: map[string]string{"findings": "gone", "change": "gone"}}}, policy.Inputs{}, policy.Classification{}, nil)
	if !slices.Equal(w.lost, []string{"findings"}) || len(w.unknown) != 1 {
		t.Errorf("%v %v", w.lost, w.unknown)
	}
}

// Attestations are weighed by the candidate's attestors, and where they are
// gone, nothing rests on them that might have.
func TestAttestedReweighed(t *testing.T) {
	report := "sha256:" + strings.Repeat("ab", 32)
	f := good(t)
	f.Artifact.Claims = slices.Clone(f.Artifact.Claims)
	f.Artifact.Claims[1].File, f.Artifact.Claims[2].File, f.Artifact.Claims[2].Provenance = "sha256:"+strings.Repeat("cd", 32), report, "person"
	f = attach(t, f, sealed(t, provenance(runner, source, head, digest, report), "runner"))
	attested, unattested := attesting(t, oneKey(""), whole), starter(t)
	record := func(p *policy.Program, lost bool) Recorded {
		f := f
		f.Policy = p
		f = approved(t, f, "ben", "cid")
		r := recorded(t, f)
		r.Rules, r.Then.Artifact, r.Then.Signed = RulesOf(p, r.Decision.Type), f.Artifact, f.Signed
		if lost {
			r.Then.Artifact, r.Then.Signed, r.Then.Lost = evidence.Artifact{}, Signed{}, map[string]string{"attestation": "gone"}
		}
		return r
	}
	for name, c := range map[string]struct {
		r           Recorded
		candidate   *policy.Program
		known       bool
		tests, scan policy.Provenance
		lost        bool
		total       int
	}{
		"no attestor, then or now":        {record(unattested, false), unattested, false, policy.ByPerson, policy.ByPipeline, false, 1},
		"an attestor now":                 {record(unattested, false), attested, true, policy.ByAttestor, policy.ByPipeline, false, 1},
		"an attestor then":                {record(attested, false), unattested, false, policy.ByPerson, policy.ByPipeline, false, 1},
		"an attestor, then and now":       {record(attested, false), attested, true, policy.ByAttestor, policy.ByPipeline, false, 1},
		"gone, no attestor, then or now":  {record(unattested, true), unattested, false, policy.ByPerson, policy.ByPipeline, false, 1},
		"gone, an attestor now":           {record(unattested, true), attested, false, policy.ByPerson, policy.ByPipeline, true, 1},
		"gone, an attestor then":          {record(attested, true), unattested, false, policy.ByPerson, policy.ByPerson, true, 1},
		"gone, an attestor, then and now": {record(attested, true), attested, false, policy.ByPerson, policy.ByPerson, true, 1},
	} {
		in, err := c.r.inputs()
		if err != nil {
			t.Fatal(err)
		}
		w := weighed{in: in}
		w.attested(&c.r, c.candidate)
		if w.in.Attestation.Known != c.known || w.in.Tests.Provenance != c.tests || w.in.Findings.Provenance != c.scan || w.attestation != c.lost || w.in.Attestation.Total != c.total {
			t.Errorf("%s: %+v, tests by %s, findings by %s, lost %v", name, w.in.Attestation, w.in.Tests.Provenance, w.in.Findings.Provenance, w.attestation)
		}
		if !c.known && (w.in.Attestation.Verified != 0 || w.in.Attestation.Provenance != "") {
			t.Errorf("%s: %+v", name, w.in.Attestation)
		}
		if w.in.Load.Provenance != policy.ByNobody {
			t.Errorf("%s: load tests that there are not are by %s", name, w.in.Load.Provenance)
		}
	}
}

// Attestors are told once each, in order.
func TestAttestorsInOrder(t *testing.T) {
	said := Attested{Words: map[string][]attestation.Word{"a": {{Attestor: "z"}, {Attestor: "m"}}, "b": {{Attestor: "a"}, {Attestor: "z"}}, "c": {{Attestor: "k"}}}}
	if got := said.attestors(); !slices.Equal(got, []string{"a", "k", "m", "z"}) {
		t.Errorf("%v", got)
	}
}

// Verifying is asked only of bundles that are there, under each root once.
func TestCertifyAsksOnce(t *testing.T) {
	payload := provenance(runner, source, head, digest)
	bundle := []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":` + string(sealed(t, payload, "whoever")) + `}`)
	claim, err := attestation.ReadBundle(bundle)
	if err != nil {
		t.Fatal(err)
	}
	f := good(t)
	for i, file := range []string{"there", "gone"} {
		f.Artifact = f.Artifact.With(evidence.Added{ID: fmt.Sprint(i), Label: fmt.Sprint(i), Digest: digest, Claim: claim.Summary(), File: file})
	}
	asked := 0
	verify := func(b, r []byte) attestation.Certified {
		if string(b) != string(bundle) || len(r) == 0 {
			t.Errorf("asked of %q under %q", b, r)
		}
		asked++
		return attestation.Certified{}
	}
	const root = `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`
	hosted := attesting(t, "slsa_level: 3\nsigstore:\n  root: '"+root+"'\n  identities: [{issuer: https://issuer.example, subject: https://example.com/ci}]\n").Attestors()
	attestors := slices.Concat([]policy.Attestor{{Name: "keys"}}, hosted, hosted)
	envelopes := map[string][]byte{"there": bundle, digest: []byte("a report")}
	if all := Certify(f.Artifact, envelopes, attestors, verify); asked != 1 || len(all.Certified) != 1 || len(all.Envelopes) != 2 {
		t.Errorf("asked %d times: %v", asked, all.Certified)
	}
	if all := Certify(f.Artifact, envelopes, attestors, nil); len(all.Certified) != 0 {
		t.Errorf("by nobody: %v", all.Certified)
	}
}

// Of attestations that are nobody's word the first three are told.
func TestNobodysWordIsBounded(t *testing.T) {
	f := good(t)
	f.Policy = attesting(t, oneKey(""), "condition: attestation.verified > 0\n")
	var envelopes [][]byte
	for i := range 5 {
		envelopes = append(envelopes, sealed(t, provenance(runner, source+fmt.Sprint(i), head, digest), "stranger"))
	}
	why := func(n int) string {
		return verdictOf(t, decide(t, attach(t, f, envelopes[:n]...)), "probe-0").Why
	}
	for n, told := range map[int]int{1: 1, 2: 2, 3: 3, 4: 3, 5: 3} {
		got := why(n)
		if strings.Count(got, "builder: 0 of its keys signed") != told || !strings.HasPrefix(got, fmt.Sprintf("%d of the attestations", n)) || strings.Contains(got, "from : ") {
			t.Errorf("%d: %s", n, got)
		}
	}
	long := Attested{total: 1, Nobody: map[string]string{f.Artifact.Claims[0].ID: strings.Repeat("x", 700)}}
	if got := long.unknown(f.Artifact); len(got) != 600+len("…") {
		t.Errorf("%d bytes", len(got))
	}
}

// Commits are given one by one only where all are there.
func TestCommitsOf(t *testing.T) {
	if CommitsOf(nil) != nil || CommitsOf(commits(policy.MaxInputList+1)) != nil {
		t.Error("some of nothing, or too many")
	}
	if got := CommitsOf(commits(0)); got == nil || len(got) != 0 {
		t.Errorf("none: %#v", got)
	}
	if got := CommitsOf(commits(policy.MaxInputList)); len(got) != policy.MaxInputList || !got[0].Signed || got[policy.MaxInputList-1].Type != "fix" {
		t.Errorf("%d", len(got))
	}
	items := make([]evidence.Finding, policy.MaxInputList)
	if got := FindingsOf([]evidence.Claim{{Findings: &evidence.Findings{Items: items}}}); len(got) != policy.MaxInputList {
		t.Errorf("%d findings", len(got))
	}
}

func commits(n int) []change.CommitFact {
	all := make([]change.CommitFact, n)
	for i := range all {
		all[i] = change.CommitFact{Signed: true, Type: "fix"}
	}
	return all
}
