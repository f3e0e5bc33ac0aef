package control_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/calendar"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/control/controltest"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// jumps is how often the clock jumps.
func jumps() int {
	switch {
	case os.Getenv("SIGNALBOX_PROVE") != "":
		return 1000
	case testing.Short():
		return 10
	}
	return 60
}

// leap is a clock that stands still but when it is set, and the furthest it ever showed.
type leap struct {
	now, furthest time.Time
	shown         atomic.Pointer[time.Time]
}

func (c *leap) set(to time.Time) {
	c.now = to
	if to.After(c.furthest) {
		c.furthest = to
	}
	c.shown.Store(&to)
}

func (c *leap) jump(random *rand.Rand, last event.Micros) string {
	by := []time.Duration{time.Second, -time.Second, 20 * time.Second, 5 * time.Minute, -5 * time.Minute, time.Hour, -time.Hour, 24 * 365 * time.Hour}
	switch n := random.IntN(len(by) + 4); {
	case n < len(by):
		c.set(c.now.Add(by[n]))
		return by[n].String()
	case n == len(by):
		c.set(last.Time().Add(-time.Millisecond))
		return "before the last fact"
	case n == len(by)+1:
		return "frozen"
	default: // put right, or it would be unsure nearly always
		c.set(c.furthest.Add(time.Second))
		return "put right"
	}
}

// The clock jumps, and nothing that was over begins again: order and times in
// the journal never go back, what is unsure is not decided, and a permit that
// has once ended starts nothing.
func TestClockJumps(t *testing.T) {
	var clock leap
	clock.set(time.Now())
	db, err := store.Open(context.Background(), store.Options{Data: t.TempDir(), Now: func() time.Time { return *clock.shown.Load() }})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	h := raise(t, db, t.TempDir()+"/keys")
	h.furnish()
	_, err = h.ActivatePolicy(h.ctx, h.as("cid"), control.PolicyRequest{Reason: "clocks", Files: []policy.File{{Name: "bundle.yaml", Data: []byte(controltest.Permissive)}}})
	must(t, err)
	k := &track{house: h, replicas: []*house{h, h}}
	random := rand.New(rand.NewPCG(11, 12))
	var open []candidate
	decided, unsure, started, revived := 0, 0, 0, 0
	// Within what is tolerated: a permit ends, and the clock goes back to before its end.
	c, err := k.try("0.9.0")
	must(t, err)
	ends, err := h.PermitState(h.ctx, c.permit)
	must(t, err)
	for _, after := range []time.Duration{5 * time.Second, -15 * time.Second} {
		clock.set(ends.NotAfter.Time().Add(after))
		d, err := h.StartDeployment(h.ctx, h.as("ci"), c.start)
		must(t, err)
		if d.Code != "permit.expired" {
			t.Errorf("%v after its end: %+v", after, d)
		}
	}
	if ends.Usable(clock.now, c.start.Service, c.start.Version, c.start.Digest, c.start.Environment) == nil {
		revived++
	}
	clock.set(clock.furthest.Add(time.Second))
	for n := range jumps() {
		sizeBefore, err := h.Journal.Size(h.ctx)
		must(t, err)
		last, err := h.Journal.Fact(h.ctx, sizeBefore-1)
		must(t, err)
		how := clock.jump(random, last.Time)
		wrong := clock.furthest.Sub(clock.now)
		_, err = h.DeclareFreeze(h.ctx, h.as("cid"), control.FreezeRequest{Name: fmt.Sprint("f", n), Reason: "recorded whatever the clock says", Rule: "", Scope: staging})
		must(t, err)
		// A permit of before.
		if len(open) > 0 {
			c := open[len(open)-1] // as a pipeline would, or much later
			if random.IntN(2) == 0 {
				c = open[random.IntN(len(open))]
			}
			p, err := h.PermitState(h.ctx, c.permit)
			must(t, err)
			over := !clock.furthest.Before(p.NotAfter.Time())
			if over && p.Usable(clock.now, c.start.Service, c.start.Version, c.start.Digest, c.start.Environment) == nil {
				revived++ // by the bare clock it would start
			}
			d, err := h.StartDeployment(h.ctx, h.as("ci"), c.start)
			must(t, err)
			if d.Authorised {
				started++
			}
			if d.Authorised && (over || wrong > 31*time.Second) {
				t.Errorf("jump %d (%s): started with a permit until %v, the clock has shown %v and shows %v", n, how, p.NotAfter, clock.furthest, clock.now)
			}
			if wrong > 31*time.Second && d.Code != "clock.unsure" {
				t.Errorf("jump %d (%s), %v behind: %q", n, how, wrong, d.Code)
			}
		}
		switch c, err := k.try(fmt.Sprintf("1.0.%d", n)); {
		case err == nil && wrong > 31*time.Second:
			t.Errorf("jump %d (%s): decided %v behind", n, how, wrong)
		case err == nil:
			decided++
			open = append(open, c)
		case wrong < 29*time.Second:
			t.Errorf("jump %d (%s): %v", n, how, err)
		default:
			wants(t, err, fault.Unavailable, "clock.unsure")
			unsure++
		}
		if t.Failed() {
			return
		}
	}
	h.verified(t)
	if decided == 0 || unsure == 0 || !testing.Short() && (started == 0 || revived == 0) {
		t.Errorf("%d decided, %d unsure, %d started, %d would have come to life again: something was not tried", decided, unsure, started, revived)
	}
	t.Logf("%d jumps: %d decided, %d refused as unsure, %d started, %d ended permits would have started something by the bare clock", jumps(), decided, unsure, started, revived)
}

// Where the two clocks of a replica differ by more than half a minute, or the
// database's is as far behind the journal, nothing is decided; what is recorded
// without deciding goes on.
func TestClocksApart(t *testing.T) {
	u, keys := storetest.PostgresURL(t), t.TempDir()+"/keys"
	var first *house
	for n, by := range []time.Duration{0, 3 * time.Second, -3 * time.Second, 25 * time.Second, 40 * time.Second, -40 * time.Second, time.Hour, -24 * time.Hour} {
		db, err := store.Open(t.Context(), store.Options{Database: u})
		must(t, err)
		t.Cleanup(func() { _ = db.Close() })
		h := raiseBy(t, db, keys, func() time.Time { return time.Now().Add(by) })
		if first == nil {
			first = h
			h.furnish()
			_, err := h.ActivatePolicy(h.ctx, h.as("cid"), control.PolicyRequest{Reason: "clocks", Files: []policy.File{{Name: "bundle.yaml", Data: []byte(controltest.Permissive)}}})
			must(t, err)
		}
		h.who = first.who
		_, err = (&track{house: h}).try(fmt.Sprintf("2.0.%d", n))
		if by.Abs() <= 30*time.Second {
			must(t, err)
		} else {
			wants(t, err, fault.Unavailable, "clock.unsure")
		}
	}
	c, err := (&track{house: first}).try("3.0.0")
	must(t, err)
	for n, by := range []time.Duration{20 * time.Second, 90 * time.Second} {
		db, err := store.Open(t.Context(), store.Options{Database: u})
		must(t, err)
		t.Cleanup(func() { _ = db.Close() })
		must(t, db.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), "UPDATE head SET time = time + $1", by.Microseconds())
			return err
		}))
		d, err := first.StartDeployment(first.ctx, first.as("ci"), c.start)
		must(t, err)
		if n == 0 && !d.Authorised || n == 1 && d.Code != "clock.unsure" {
			t.Errorf("%v behind the journal: %+v", by, d)
		}
	}
}

var staging = calendar.Scope{Kinds: []string{"staging"}}

// try is ready, with the error instead of a failure.
func (k *track) try(name string) (candidate, error) {
	sum := sha256.Sum256([]byte(name))
	q := control.ReleaseRequest{Service: "shop", Version: name, Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: "minor"}
	s, err := k.OpenRelease(k.ctx, k.as("ci"), q)
	if err != nil {
		return candidate{}, err
	}
	if err := k.AttachChange(k.ctx, k.as("ci"), s.ID, annsChange()); err != nil {
		return candidate{}, err
	}
	c := candidate{release: s.ID, gate: control.GateRequest{ReleaseRequest: q, Environment: "production"}}
	a, err := k.Ask(k.ctx, k.as("ci"), c.gate)
	if err != nil {
		return c, err
	}
	if a.Decision.Verdict != policy.Go || a.Permit == nil {
		return c, fmt.Errorf("%s is not ready: %s %+v", name, a.Decision.Verdict, a.Decision.Reasons)
	}
	c.permit = a.Decision.Permit
	c.start = control.StartRequest{Service: "shop", Version: name, Digest: q.Digest, Environment: "production", Permit: a.Permit}
	return c, nil
}
