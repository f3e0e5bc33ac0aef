package control_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/calendar"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/control/controltest"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// racers begin together in every round.
const racers = 16

// raceRounds is how often each kind of race is run on each store: five kinds,
// 10,000 rounds in all when a proof is asked for.
func raceRounds() int {
	switch {
	case os.Getenv("SIGNALBOX_PROVE") != "":
		return 1000
	case testing.Short():
		return 2
	}
	return 10
}

// track is where the racers run: two replicas on PostgreSQL, one process on
// SQLite, where it cannot be otherwise.
type track struct {
	*house
	replicas  []*house
	contended atomic.Int64 // commands that gave up and were sent again
}

func prepareTrack(t *testing.T, open func() *store.DB) *track {
	keys := t.TempDir() + "/keys"
	db := open()
	one := raise(t, db, keys)
	one.furnish()
	k := &track{house: one, replicas: []*house{one, one}}
	if db.Dialect == store.Postgres {
		two := raise(t, open(), keys)
		two.who = one.who
		k.replicas[1] = two
	}
	return k
}

// race lets all racers begin at one moment; each sends its command again for as
// long as it is told only that others were in its way.
func (k *track) race(run func(h *house, i int) error) []error {
	errs := make([]error, racers)
	begin := make(chan struct{})
	var all sync.WaitGroup
	for i := range racers {
		all.Go(func() {
			<-begin
			for {
				errs[i] = run(k.replicas[i%2], i)
				var f *fault.Error
				if !errors.As(errs[i], &f) || f.Code != "request.contended" {
					return
				}
				k.contended.Add(1)
			}
		})
	}
	close(begin)
	all.Wait()
	return errs
}

// wins counts those without an error; every other must have the kind Conflict and one of the codes.
func wins(t testing.TB, errs []error, codes ...string) (won int) {
	t.Helper()
	for _, err := range errs {
		var f *fault.Error
		switch {
		case err == nil:
			won++
		case !errors.As(err, &f) || f.Kind != fault.Conflict || !slices.Contains(codes, f.Code):
			t.Errorf("a loser was told %v", err)
		}
	}
	return won
}

// candidate is a release of a round that may go, with its permit.
type candidate struct {
	release, permit string // ids
	gate            control.GateRequest
	start           control.StartRequest
}

func (k *track) ready(name string) candidate {
	k.t.Helper()
	c, err := k.try(name)
	must(k.t, err)
	return c
}

func (k *track) history(s event.Stream) []event.Recorded {
	k.t.Helper()
	facts, err := k.Journal.History(k.ctx, s)
	must(k.t, err)
	return facts
}

// begun checks that at most one of the deployments is authorised, that the
// others say why, and that the journal holds the same; it answers where the one
// that is authorised stands, 0 for none.
func (k *track) begun(c candidate, all []release.Deployment, codes ...string) (at uint64) {
	k.t.Helper()
	authorised := 0
	for _, d := range all {
		if d.ID == "" {
			continue
		}
		facts := k.history(event.StreamOf(release.DeploymentNoun, d.ID))
		var recorded release.Deployment
		if len(facts) != 1 || facts[0].Body(&recorded) != nil || recorded.Code != d.Code || recorded.Authorised != d.Authorised {
			k.t.Errorf("%s: told %+v, recorded %d facts: %+v", c.gate.Version, d, len(facts), recorded)
			continue
		}
		if d.Authorised {
			authorised++
			at = facts[0].Position
		} else if !slices.Contains(codes, d.Code) {
			k.t.Errorf("%s: a loser was told %q", c.gate.Version, d.Code)
		}
	}
	if authorised > 1 {
		k.t.Errorf("%s was started %d times on one permit", c.gate.Version, authorised)
	}
	return at
}

// redeem is sixteen that start a deployment with the same permit.
func (k *track) redeem(round int) {
	c := k.ready(fmt.Sprintf("1.0.%d", round))
	all := make([]release.Deployment, racers)
	errs := k.race(func(h *house, i int) (err error) {
		all[i], err = h.StartDeployment(h.ctx, h.as("ci"), c.start)
		return err
	})
	if n := wins(k.t, errs); n != racers {
		k.t.Errorf("%d starts were recorded", n)
	}
	if k.begun(c, all, "permit.redeemed", "release.not-ready") == 0 {
		k.t.Error("nobody started")
	}
}

// withdraw is eight that start a deployment and eight that withdraw the release.
func (k *track) withdraw(round int) {
	c := k.ready(fmt.Sprintf("2.0.%d", round))
	all := make([]release.Deployment, racers)
	withdrawals := make([]error, 0, racers/2)
	errs := k.race(func(h *house, i int) (err error) {
		if i%4 < 2 {
			return h.MoveRelease(h.ctx, h.as("ci"), c.release, "", release.Withdrawn, "no longer wanted")
		}
		all[i], err = h.StartDeployment(h.ctx, h.as("ci"), c.start)
		return err
	})
	for i, err := range errs {
		if i%4 < 2 {
			withdrawals = append(withdrawals, err)
		} else if err != nil {
			k.t.Error(err)
		}
	}
	withdrawn := wins(k.t, withdrawals, "release.illegal-move")
	started := k.begun(c, all, "permit.redeemed", "release.not-ready", "gate.no-go")
	var at uint64
	for _, f := range k.history(event.StreamOf(release.Noun, c.release)) {
		var m release.Moved
		if f.Kind == event.ReleaseMoved && f.Body(&m) == nil && m.To == release.Withdrawn {
			at = f.Position
		}
	}
	if withdrawn != 1 || started > at {
		k.t.Errorf("%s: withdrawn %d times, at %d, and started at %d", c.gate.Version, withdrawn, at, started)
	}
	if a, err := k.Ask(k.ctx, k.as("ci"), c.gate); err != nil || a.Decision.Verdict != policy.NoGo || a.Permit != nil {
		k.t.Errorf("%s was withdrawn, and the gate says %s, %v", c.gate.Version, a.Decision.Verdict, err)
	}
}

// freeze is one freeze that is declared while others ask the gate and start.
func (k *track) freeze(round int) {
	c := k.ready(fmt.Sprintf("3.0.%d", round))
	name := fmt.Sprintf("quiet-%d", round)
	all := make([]release.Deployment, racers)
	answers := make([]control.Answer, racers)
	var declared calendar.Freeze
	errs := k.race(func(h *house, i int) (err error) {
		switch {
		case i == round%racers:
			declared, err = h.DeclareFreeze(h.ctx, h.as("cid"), control.FreezeRequest{Name: name, Reason: "quiet"})
		case i%2 == 0:
			answers[i], err = h.Ask(h.ctx, h.as("ci"), c.gate)
		default:
			all[i], err = h.StartDeployment(h.ctx, h.as("ci"), c.start)
		}
		return err
	})
	if n := wins(k.t, errs); n != racers {
		k.t.Errorf("%d of %d were answered", n, racers)
	}
	frozen := k.history(event.StreamOf(calendar.FreezeNoun, declared.ID))[0].Position
	if at := k.begun(c, all, "permit.redeemed", "release.not-ready", "gate.no-go", "gate.wait", "gate.cannot-tell"); at > frozen {
		k.t.Errorf("%s started at %d, frozen at %d", c.gate.Version, at, frozen)
	}
	for _, f := range k.history(event.StreamOf(release.Noun, c.release)) {
		var d release.Decision
		if f.Kind == event.Decided && f.Body(&d) == nil && d.Verdict == policy.Go && f.Position > frozen {
			k.t.Errorf("%s: a go at %d, frozen at %d", c.gate.Version, f.Position, frozen)
		}
	}
	for _, h := range k.replicas {
		if a, err := h.Ask(h.ctx, h.as("ci"), c.gate); err != nil || a.Decision.Verdict == policy.Go {
			k.t.Errorf("after the freeze: %s, %v", a.Decision.Verdict, err)
		}
	}
	_, err := k.LiftFreeze(k.ctx, k.as("cid"), name, "over")
	must(k.t, err)
}

// claim is eight that declare a freeze of one name and eight that open the same release.
func (k *track) claim(round int) {
	name := fmt.Sprintf("only-%d", round)
	q := control.ReleaseRequest{Service: "shop", Version: "4.0." + fmt.Sprint(round), Digest: digest, Size: "minor"}
	opened := make([]string, racers)
	errs := k.race(func(h *house, i int) error {
		if i%4 < 2 {
			s, err := h.OpenRelease(h.ctx, h.as("ci"), q)
			opened[i] = s.ID
			return err
		}
		_, err := h.DeclareFreeze(h.ctx, h.as("cid"), control.FreezeRequest{Name: name, Reason: "one of a name", Scope: calendar.Scope{Kinds: []string{"staging"}}})
		return err
	})
	declared := 0
	for i, err := range errs {
		if i%4 >= 2 {
			declared += wins(k.t, []error{err}, "freeze.exists")
		} else if err != nil || opened[i] != opened[0] {
			k.t.Errorf("opened %s and %s, %v", opened[i], opened[0], err)
		}
	}
	if n := len(k.history(event.StreamOf(release.Noun, opened[0]))); declared != 1 || n == 0 {
		k.t.Errorf("%d freezes are called %s; %d facts of the release", declared, name, n)
	}
	_, err := k.LiftFreeze(k.ctx, k.as("cid"), name, "over")
	must(k.t, err)
}

// votes is two approvers who vote and take it back on both replicas while others ask.
func (k *track) votes(id string) {
	errs := k.race(func(h *house, i int) error {
		who := []string{"ben", "cid"}[i/2%2]
		switch i / 4 {
		case 0, 1:
			return h.Vote(h.ctx, h.as(who), id, control.Ballot{Environment: "production", Answer: approval.Approve})
		case 2:
			return h.Unvote(h.ctx, h.as(who), id, "production")
		}
		_, err := h.Ask(h.ctx, h.as("ci"), h.gate())
		return err
	})
	for i, err := range errs {
		var f *fault.Error
		if err != nil && (i/4 != 2 || !errors.As(err, &f) || !strings.HasPrefix(f.Code, "approval.")) {
			k.t.Errorf("racer %d: %v", i, err)
		}
	}
}

// settle asks with no vote and with both, one after the other: a machine that runs
// one racer after the other may meet only one of the two.
func (k *track) settle(id string) {
	k.t.Helper()
	for _, act := range []func(who string) error{
		func(who string) error {
			var f *fault.Error
			err := k.Unvote(k.ctx, k.as(who), id, "production")
			if errors.As(err, &f) && strings.HasPrefix(f.Code, "approval.") {
				return nil // no vote of theirs stands
			}
			return err
		},
		func(who string) error {
			return k.Vote(k.ctx, k.as(who), id, control.Ballot{Environment: "production", Answer: approval.Approve})
		},
	} {
		must(k.t, errors.Join(act("ben"), act("cid")))
		_, err := k.Ask(k.ctx, k.as("ci"), k.gate())
		must(k.t, err)
	}
}

// explained replays a release's facts: nobody took back a vote that did not
// stand, and every go had both votes at its position.
func (k *track) explained(t *testing.T, id string) {
	standing := map[string]bool{}
	gos, waits := 0, 0
	for _, f := range k.history(event.StreamOf(release.Noun, id)) {
		var v struct{ Person string }
		var d release.Decision
		switch f.Kind {
		case event.ApprovalVoted, event.ApprovalWithdrawn:
			must(t, f.Body(&v))
			if f.Kind == event.ApprovalWithdrawn && !standing[v.Person] {
				t.Errorf("at %d a vote is taken back that did not stand", f.Position)
			}
			standing[v.Person] = f.Kind == event.ApprovalVoted
		case event.Decided:
			must(t, f.Body(&d))
			n := 0
			for _, stands := range standing {
				if stands {
					n++
				}
			}
			if (d.Verdict == policy.Go) != (n == 2) && d.Verdict != policy.CannotTell {
				t.Errorf("at %d with %d votes: %s", f.Position, n, d.Verdict)
			}
			if d.Verdict == policy.Go {
				gos++
			} else {
				waits++
			}
		}
	}
	if gos == 0 || waits == 0 {
		t.Errorf("%d gos and %d others: only one of them was held against its votes", gos, waits)
	}
}

// Two replicas and sixteen racers: one outcome, every loser is told why, and the
// journal explains all of it.
func TestRaces(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := prepareTrack(t, open)
		n := raceRounds()
		id := k.prepare()
		for range max(n, 5) {
			k.votes(id)
		}
		k.settle(id)
		k.explained(t, id)
		_, err := k.ActivatePolicy(k.ctx, k.as("cid"), control.PolicyRequest{Reason: "races", Files: []policy.File{{Name: "bundle.yaml", Data: []byte(controltest.Permissive)}}})
		must(t, err)
		for round := range n {
			for _, run := range []func(int){k.redeem, k.withdraw, k.freeze, k.claim} {
				if run(round); t.Failed() {
					t.Fatalf("round %d", round)
				}
			}
		}
		k.verified(t)
		t.Logf("%d rounds of each of five kinds with %d racers; %d commands gave up and were sent again", n, racers, k.contended.Load())
	})
}

// The negative control: where the version that was read is not compared, all who
// have read one permit redeem it. They read before any of them appends, as on a
// machine that runs one racer after the other none would have to.
func TestRacesWouldShow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := prepareTrack(t, open)
		_, err := k.ActivatePolicy(k.ctx, k.as("cid"), control.PolicyRequest{Reason: "races", Files: []policy.File{{Name: "bundle.yaml", Data: []byte(controltest.Permissive)}}})
		must(t, err)
		a, err := k.Ask(k.ctx, k.as("ci"), k.ready("5.0.0").gate)
		must(t, err)
		permit := event.StreamOf(release.PermitNoun, a.Decision.Permit)
		var have sync.WaitGroup
		have.Add(racers)
		errs := k.race(func(h *house, i int) error {
			used, err := h.PermitState(h.ctx, a.Decision.Permit)
			have.Done()
			have.Wait()
			if err != nil || used.Redeemed != 0 {
				return errors.Join(err, errors.New("not read as it was"))
			}
			_, err = h.Journal.Append(context.Background(), journal.Command{
				Actor: "machine/ci", Auth: "local", Source: "test", // and no Reads
				Facts: []event.Draft{{Stream: permit, Kind: event.PermitRedeemed, Body: map[string]string{"deployment": fmt.Sprint(i)}}},
			})
			return err
		})
		if err := errors.Join(errs...); err != nil {
			t.Errorf("the races prove nothing: somebody is refused without the comparison: %v", err)
		}
	})
}
