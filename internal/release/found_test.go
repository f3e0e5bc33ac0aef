package release

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/policy"
)

// found is the keys of the stream of a thing, as kind name=value.
func found(t *testing.T, b *book, shape event.Shape, id string) []string {
	t.Helper()
	keys, err := shape.Keys(b.states[event.StreamOf(shape.Noun, id)])
	if err != nil {
		t.Fatal(err)
	}
	all := []string{}
	for _, k := range keys {
		text := fmt.Sprintf("%s=%s", k.Name, k.Value)
		switch k.Kind {
		case event.Unique:
			text += " alone"
		case event.Interval:
			text += fmt.Sprintf(" for %d µs", k.Until-k.From)
		}
		all = append(all, text)
	}
	return all
}

// What stands under which keys, from the first fact to the last.
func TestFound(t *testing.T) {
	b, d := opened(t), permitted()
	d.Approvals, d.Issuers, d.Policy = []string{"ben"}, []string{"machine/ci"}, "sha256:p"
	own := []string{"release.of=shop@v1.1.0@" + digest + " alone", "release.service=shop", "release.version=shop@v1.1.0"}
	same := func(what string, got []string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	same("opened", found(t, b, Shape(), "r"), own...)
	b.add(append(b.release().Decide(d), d.Issue()...), nil)
	same("ready", found(t, b, Shape(), "r"), slices.Insert(slices.Clone(own), 1, "release.phase=production/ready")...)
	permit := func(span int) []string {
		all := []string{"permit.release=r"}
		for _, on := range []string{"approver/ben", "issuer/machine/ci", "policy/sha256:p"} {
			all = append(all, fmt.Sprintf("permit.rests-on=%s for %d µs", on, span))
		}
		return all
	}
	same("a permit", found(t, b, PermitShape(), "p"), permit(15*60_000_000)...)
	x := Deployment{ID: "x", Release: "r", Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Authorised: true, Permit: "p"}
	b.add(b.release().Start(x), nil)
	same("a permit that was used at once", found(t, b, PermitShape(), "p"), permit(1)...)
	same("under way", found(t, b, DeploymentShape(), "x"), "deployment.release=r", "deployment.live=production/shop")
	b.add(at[Deployment](b, DeploymentNoun, "x").End(b.release(), false, "", policy.ByPipeline, ""))
	same("over", found(t, b, DeploymentShape(), "x"), "deployment.release=r")
	same("arrived", found(t, b, Shape(), "r"), append([]string{"release.arrived=shop@production for 1 µs", own[0], "release.phase=production/verifying"}, own[1:]...)...)
	y := Deployment{ID: "y", Release: "r", Service: "shop", Environment: "staging", Code: "permit.none"}
	b.add(b.release().Start(y), nil)
	same("without a permit", found(t, b, DeploymentShape(), "y"), "deployment.release=r", "deployment.live=staging/shop", "deployment.unauthorised=staging")
	if ended := at[Deployment](b, DeploymentNoun, "x"); ended.Status != "finished" || ended.Ended == 0 || ended.Started == 0 {
		t.Errorf("%+v", ended)
	}
	b.add(at[Deployment](b, DeploymentNoun, "y").End(b.release(), true, ReachedSome, policy.ByPipeline, ""))
	if failed := at[Deployment](b, DeploymentNoun, "y"); failed.Status != "failed" || failed.Reached != ReachedSome || failed.Ended == 0 {
		t.Errorf("%+v", failed)
	}
}

// A fact that cannot be read is an error, never passed over.
func TestUnreadableFacts(t *testing.T) {
	for shape, kinds := range map[*event.Shape][]event.Kind{
		new(Shape()):           {event.ReleaseOpened, event.ReleaseRevised, event.ChangeAttached, event.ReleaseMoved, event.ApprovalVoted, event.ApprovalWithdrawn, event.Decided},
		new(PermitShape()):     {event.PermitIssued, event.PermitRedeemed},
		new(DeploymentShape()): {event.DeploymentStarted, event.DeploymentFinished, event.DeploymentFailed},
	} {
		for _, kind := range kinds {
			f := event.Recorded{Header: event.Header{Kind: kind, Time: event.MicrosOf(now)}, BodyBytes: []byte(`[]`)}
			if _, err := shape.Fold(nil, f); err == nil {
				t.Errorf("%s is folded whatever it says", kind)
			}
			f.BodyBytes = []byte(`{}`)
			if _, err := shape.Fold(nil, f); err != nil { // the control
				t.Errorf("%s: %v", kind, err)
			}
		}
	}
}

// When a release was last submitted is on record, however often it was.
func TestSubmitted(t *testing.T) {
	b := newBook(t)
	b.add(Open(Opened{ID: "r", Service: "shop", Version: "v1", Digest: digest, Phase: Draft}))
	if s := b.release(); s.Submitted != 0 || s.Phase != Draft {
		t.Errorf("a draft was submitted at %s", s.Submitted)
	}
	b.add(b.release().Move("", Submitted, "ready"))
	if s := b.release(); s.Submitted != event.MicrosOf(now) {
		t.Errorf("submitted at %s", s.Submitted)
	}
	b.add(b.release().Move("", Rejected, "no"))
	if s := b.release(); s.Submitted != event.MicrosOf(now) || s.Phase != Rejected {
		t.Errorf("rejected: %+v", s)
	}
	b.add(b.release().Move("", Draft, "again"))
	if s := b.release(); s.Phase != Draft {
		t.Errorf("drawn back: %+v", s)
	}
}

// What arrives after baking has arrived.
func TestArrivesAfterBaking(t *testing.T) {
	b, d := opened(t), permitted()
	b.add(append(b.release().Decide(d), d.Issue()...), nil)
	x := Deployment{ID: "x", Release: "r", Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Authorised: true, Permit: "p"}
	b.add(b.release().Start(x), nil)
	b.add(b.release().Move("production", Baking, "watch it"))
	if arrival(b) {
		t.Error("arrived while it bakes")
	}
	b.add(at[Deployment](b, DeploymentNoun, "x").End(b.release(), false, "", policy.ByPipeline, ""))
	if !arrival(b) {
		t.Error("not arrived after it baked")
	}
}

// By hand only what people may say moves, along the legal ways, and words say which those are.
func TestMovesThatAreRefused(t *testing.T) {
	at := func(p Phase) State {
		return State{ID: "r", Phase: Submitted, Targets: map[string]Target{"production": {Phase: p}}}
	}
	for _, c := range []struct {
		from, to Phase
		code     string
		says     string
	}{
		{Ready, Deploying, "release.by-hand", "never by hand"},
		{Approving, Ready, "release.by-hand", "never by hand"},
		{Closed, Draft, "release.illegal-move", "closed is final"},
		{Withdrawn, Submitted, "release.illegal-move", "withdrawn is final"},
		{Rejected, Ready, "release.illegal-move", "from here it can become draft"},
		{RolledBack, Deploying, "release.illegal-move", "from here it can become reviewing"},
		{Ready, "elsewhere", "release.unknown-state", "aborted, approving, assessing, baking, closed"},
	} {
		if drafts, err := at(c.from).Move("production", c.to, "why"); codeOf(err) != c.code || !strings.Contains(err.Error(), c.says) || drafts != nil {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
		}
	}
	if _, err := at(Ready).Move("prod uction", Held, "why"); codeOf(err) != "release.environment" {
		t.Errorf("in no environment: %v", err)
	}
	if _, err := at(Ready).Revise("huge", ""); codeOf(err) != "release.size" {
		t.Errorf("to no size: %v", err)
	}
	withdrawn := State{ID: "r", Phase: Withdrawn}
	if _, err := withdrawn.Revise("minor", ""); codeOf(err) != "release.withdrawn" {
		t.Errorf("revised after it was withdrawn: %v", err)
	}
	if drafts, err := (State{ID: "r", Size: "minor"}).Revise("minor", "emergency"); err != nil || len(drafts) != 1 {
		t.Errorf("another change type alone: %v %v", drafts, err)
	}
	if drafts, err := (State{ID: "r", Size: "minor"}).Revise("major", ""); err != nil || len(drafts) != 1 {
		t.Errorf("another size alone: %v %v", drafts, err)
	}
}

// A decision moves no release that is being rescheduled, and none twice to one place.
func TestDecisionsLeaveAlone(t *testing.T) {
	for from, moved := range map[Phase]bool{Submitted: true, Assessing: true, Ready: false, Rescheduling: false, Deploying: false, Verifying: false, Closed: false} {
		d := permitted()
		d.Verdict, d.Reasons = policy.Go, nil
		if from == Rescheduling {
			d.Verdict = policy.NoGo // assessing would be legal
		}
		s := State{ID: "r", Phase: Submitted, Targets: map[string]Target{"production": {Phase: from}}}
		if got := len(s.Decide(d)) == 2; got != moved {
			t.Errorf("%s: moved %v", from, got)
		}
	}
}

// Only what is observed, and not enforced, moves and passes whatever it answers.
func TestObservedAlonePasses(t *testing.T) {
	for _, c := range []struct {
		d      Decision
		phase  Phase
		passes bool
	}{
		{Decision{Verdict: policy.NoGo, Enforced: true}, Assessing, false},
		{Decision{Verdict: policy.NoGo, Enforced: true, Observe: &policy.Observed{}}, Assessing, false},
		{Decision{Verdict: policy.NoGo}, Assessing, false},
		{Decision{Verdict: policy.NoGo, Observe: &policy.Observed{}}, Ready, true},
		{Decision{Verdict: policy.Go, Enforced: true}, Ready, true},
	} {
		if c.d.phase() != c.phase || c.d.Passes() != c.passes {
			t.Errorf("%+v: %s, passes %v", c.d, c.d.phase(), c.d.Passes())
		}
	}
	// What waits without blocking says nothing of where the release stands.
	waits := []policy.Reason{{Gate: calendarReason, Severity: policy.Warn, Verdict: policy.Wait}, {Gate: approvalReason, Severity: policy.Block, Verdict: policy.Go}}
	if p := (Decision{Verdict: policy.Wait, Enforced: true, Reasons: waits}).phase(); p != Scheduled {
		t.Errorf("%s", p)
	}
}

// A vote is taken back in its environment alone.
func TestUnvoteInOneEnvironment(t *testing.T) {
	s := State{ID: "r"}
	for _, environment := range []string{"staging", "production"} {
		s.Votes = append(s.Votes, approvalIn(environment))
	}
	for _, environment := range []string{"staging", "production"} {
		drafts, err := s.Unvote("ben", environment)
		if err != nil || len(drafts) != 1 || drafts[0].Body.(voted).Environment != environment || drafts[0].Body.(voted).Subject != environment {
			t.Errorf("%s: %+v %v", environment, drafts, err)
		}
	}
	for _, c := range [][2]string{{"ben", "test"}, {"cid", "staging"}} {
		if _, err := s.Unvote(c[0], c[1]); codeOf(err) != "approval.none" {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// A name that cannot be is clipped where it is shown, and one that can be is not.
func TestClip(t *testing.T) {
	if s := strings.Repeat("x", 120); clip(s) != s {
		t.Error(clip(s))
	}
	if s := clip(strings.Repeat("x", 121)); s != strings.Repeat("x", 117)+"…" {
		t.Error(s)
	}
	if s := clipTo(strings.Repeat("x", 9)+"é", 10); s != strings.Repeat("x", 9)+"…" {
		t.Error(s)
	}
	if s := clipTo("0123456789", 10); s != "0123456789" {
		t.Error(s)
	}
}

// Names have their forms: versions more than services, digests one.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		field, value string
		good         bool
	}{
		{"service", "shop/web-1.2_x", true},
		{"service", "shop:web", false},
		{"service", strings.Repeat("x", 100), true},
		{"service", strings.Repeat("x", 101), false},
		{"version", "1:2.3~rc1+build", true},
		{"version", "a/b", false},
		{"version", strings.Repeat("x", 128), true},
		{"version", strings.Repeat("x", 129), false},
		{"digest", digest, true},
		{"digest", digest[7:], false},
		{"environment", "production", true},
		{"environment", "", false},
	} {
		if err := CheckName(c.field, c.value); (err == nil) != c.good || err != nil && codeOf(err) != "release."+c.field {
			t.Errorf("%s %q: %v", c.field, c.value, err)
		}
	}
}

// The newest vote of a person stands, in each environment apart.
func TestVotesOfOnePerson(t *testing.T) {
	b := opened(t)
	for _, environment := range []string{"staging", "production", "staging"} {
		b.add([]event.Draft{{Stream: b.release().stream(), Kind: event.ApprovalVoted, Body: voted{Person: "ben", Environment: environment, Subject: "s", Answer: "approve"}}}, nil)
	}
	b.add([]event.Draft{{Stream: b.release().stream(), Kind: event.ApprovalVoted, Body: voted{Person: "cid", Environment: "staging", Subject: "s", Answer: "approve"}}}, nil)
	var got []string
	for _, v := range b.release().Votes {
		got = append(got, v.Person+" "+v.Environment)
	}
	if want := []string{"ben production", "ben staging", "cid staging"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A decision without an end stands until another is taken.
func TestStandsWithoutAnEnd(t *testing.T) {
	b := opened(t)
	if s := b.release(); s.Submitted != event.MicrosOf(now) {
		t.Errorf("submitted at %s", s.Submitted)
	}
	d := permitted()
	d.Basis = "b"
	b.add(b.release().Decide(d), nil)
	s, stands := b.release().Stands("production", "b", now.AddDate(100, 0, 0))
	if !stands || s.Decision != "d" || s.Permit != "p" || s.Verdict != policy.Go {
		t.Errorf("%+v %v", s, stands)
	}
	if !b.release().MayDeploy("production") || b.release().MayDeploy("staging") {
		t.Error("ready in production alone")
	}
	earlier := event.MicrosOf(now.Add(-time.Hour))
	b = newBook(t)
	b.add(Open(Opened{ID: "r", Service: "shop", Version: "v1", Digest: digest, Submitted: earlier}))
	if s := b.release(); s.Submitted != earlier {
		t.Errorf("submitted at %s, not when it was decided", s.Submitted)
	}
}

// The end of a deployment moves the release only while it is its newest.
func TestEndOfAnEarlierDeployment(t *testing.T) {
	b, d := opened(t), permitted()
	b.add(append(b.release().Decide(d), d.Issue()...), nil)
	for _, id := range []string{"x", "y"} {
		b.add(b.release().Start(Deployment{ID: id, Release: "r", Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Authorised: true, Permit: "p"}), nil)
	}
	x, y := at[Deployment](b, DeploymentNoun, "x"), at[Deployment](b, DeploymentNoun, "y")
	if drafts, err := x.End(b.release(), false, "", policy.ByPipeline, ""); err != nil || len(drafts) != 1 || drafts[0].Body.(ended).Reached != "" {
		t.Errorf("of the earlier one: %v %v", drafts, err)
	}
	if drafts, err := y.End(b.release(), true, "", policy.ByPipeline, ""); err != nil || len(drafts) != 2 || drafts[0].Body.(ended).Reached != ReachedSome {
		t.Errorf("of the newest one: %v %v", drafts, err)
	}
	// While it is rolled back, that it finished moves nothing.
	rolling := b.release()
	rolling.Targets = map[string]Target{"production": {Phase: RollingBack, Deployment: "y"}}
	if drafts, err := y.End(rolling, false, "", policy.ByPipeline, ""); err != nil || len(drafts) != 1 {
		t.Errorf("of one that is rolled back: %v %v", drafts, err)
	}
	// What went there without a permit meanwhile keeps it from having arrived with one.
	b.add(b.release().Start(Deployment{ID: "u", Release: "r", Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Code: "permit.none"}), nil)
	b.add(y.End(b.release(), false, "", policy.ByPipeline, ""))
	if s := b.release().Target("production"); s.Phase != Verifying || s.Arrived != 0 || !s.Unauthorised {
		t.Errorf("beside one without a permit: %+v", s)
	}
	nobodys := Deployment{ID: "", Environment: "production", Status: "started"}
	nobodys.ID = "z"
	if drafts, err := nobodys.End(State{}, false, "", policy.ByPipeline, ""); err != nil || len(drafts) != 1 {
		t.Errorf("of a release that nobody knows: %v %v", drafts, err)
	}
}

// Of two deployments the one that began later counts, and of two at once the later report.
func TestNewestDeployment(t *testing.T) {
	at := func(id string, started event.Micros, status string) Deployment {
		return Deployment{ID: id, Environment: "production", Authorised: true, Status: status, Started: started}
	}
	for name, c := range map[string]struct {
		all   []Deployment
		after event.Micros
		want  Ending
	}{
		"the later one first":  {[]Deployment{at("b", 20, "failed"), at("a", 10, "finished")}, 0, Failed},
		"the later one last":   {[]Deployment{at("a", 10, "finished"), at("b", 20, "failed")}, 0, Failed},
		"both at once":         {[]Deployment{at("a", 10, "finished"), at("b", 10, "failed")}, 0, Failed},
		"at the very instant":  {[]Deployment{at("a", 10, "finished")}, 10, Arrived},
		"an instant too early": {[]Deployment{at("a", 10, "finished")}, 11, Unknown},
	} {
		if got := (State{}).Ended("production", c.all, c.after); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
