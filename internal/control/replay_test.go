package control_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// stricter is the starter policy that asks for more coverage than there is.
func stricter(t testing.TB) []policy.File {
	t.Helper()
	return changed(t, "line_rate: 0.7", "line_rate: 0.95")
}

func changed(t testing.TB, old, text string) []policy.File {
	t.Helper()
	files, done := policy.Starter(), false
	for i := range files {
		if bytes.Contains(files[i].Data, []byte(old)) {
			files[i].Data, done = bytes.ReplaceAll(files[i].Data, []byte(old), []byte(text)), true
		}
	}
	if !done {
		t.Fatalf("the starter policy does not hold %q", old)
	}
	return files
}

// seen is what a replay tells.
type seen struct {
	flips     []control.Flipped
	at, total uint64
}

func (h *house) replay(files []policy.File, since time.Time) (seen, control.Replayed) {
	h.t.Helper()
	var s seen
	sum, err := h.Replay(h.ctx, h.as("cid"), control.ReplayRequest{
		Files: files, Since: since,
		Progress: func(at, total uint64) error { s.at, s.total = at, total; return nil },
		Flip:     func(f control.Flipped) error { s.flips = append(s.flips, f); return nil },
	})
	must(h.t, err)
	return s, sum
}

func TestReplay(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.prepare()
		waiting := h.ask().Decision
		h.approve(id, "ben", "cid")
		granted := h.ask()
		q := control.StartRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Permit: granted.Permit}
		d, err := h.StartDeployment(h.ctx, h.as("ci"), q)
		must(t, err)
		_, err = h.EndDeployment(h.ctx, h.as("ci"), control.EndRequest{ID: d.ID})
		must(t, err)
		size, err := h.Journal.Size(h.ctx)
		must(t, err)

		told, sum := h.replay(policy.Starter(), time.Time{})
		if sum.Total != 3 || sum.Same != 3 || len(told.flips) > 0 || told.at != size || told.total != size {
			t.Errorf("under the policy of the day: %+v %+v", sum.Tally, told)
		}
		told, sum = h.replay(stricter(t), time.Time{})
		if sum.Total != 3 || sum.Stopped != 1 || sum.Other != 1 || len(told.flips) != 2 {
			t.Fatalf("under the stricter one: %+v", sum.Tally)
		}
		if f := told.flips[0]; f.Decision != waiting.ID || f.Effect != release.Other || f.Was != policy.Wait || f.Now != policy.NoGo {
			t.Errorf("first flip %+v", f)
		}
		if f := told.flips[1]; f.Decision != granted.Decision.ID || f.Effect != release.Stopped || f.Team != "shop" || f.Ending != release.Arrived || f.Gates[0].Gate != "coverage" {
			t.Errorf("second flip %+v", f)
		}
		if g := sum.Gates(); len(g) != 1 || g[0].Name != "coverage" || len(g[0].Decisions) != 2 {
			t.Errorf("gates %+v", g)
		}
		if _, sum := h.replay(stricter(t), granted.Decision.At); sum.Total != 1 {
			t.Errorf("%d decisions since the last", sum.Total)
		}
		if _, sum := h.replay(stricter(t), time.Now().Add(time.Hour)); sum.Total != 0 {
			t.Errorf("%d decisions in the future", sum.Total)
		}
		items := changed(t, "condition: findings.critical == 0", `condition: findings.items.all(f, f.severity != "critical")`)
		if _, sum := h.replay(items, time.Time{}); sum.Total != 3 || sum.Untold > 0 || sum.Stopped > 0 {
			t.Errorf("findings one by one: %+v", sum.Tally)
		}
		if now, err := h.Journal.Size(h.ctx); err != nil || now != size {
			t.Errorf("a replay left %d facts: %v", now-size, err)
		}
	})
}

func TestReplayIsRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.ask()
		_, err := h.Replay(h.ctx, h.as("ben"), control.ReplayRequest{Files: policy.Starter()})
		if fault.KindOf(err) != fault.Forbidden {
			t.Errorf("without the right: %v", err)
		}
		_, err = h.Replay(h.ctx, h.as("cid"), control.ReplayRequest{Files: []policy.File{{Name: "a.yaml", Data: []byte("kind: Nothing")}}})
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("a bundle that does not compile: %v", err)
		}
		enough := errors.New("enough")
		_, err = h.Replay(h.ctx, h.as("cid"), control.ReplayRequest{Files: policy.Starter(), Progress: func(_, _ uint64) error { return enough }})
		if !errors.Is(err, enough) {
			t.Errorf("a listener who wants no more: %v", err)
		}
		ctx, cancel := context.WithCancel(h.ctx)
		_, err = h.Replay(ctx, h.as("cid"), control.ReplayRequest{Files: policy.Starter(), Progress: func(_, _ uint64) error { cancel(); return nil }})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}

// Once the policy is out of force nothing is allowed; the next one decides again.
func TestDeactivatePolicy(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.approve(h.prepare(), "ben", "cid")
		if d := h.ask().Decision; d.Verdict != policy.Go {
			t.Fatal(d.Verdict)
		}
		_, err := h.DeactivatePolicy(h.ctx, h.as("ben"), "mine")
		if fault.KindOf(err) != fault.Forbidden {
			t.Errorf("without the right: %v", err)
		}
		ended, err := h.DeactivatePolicy(h.ctx, h.as("cid"), "it lets everything through")
		must(t, err)
		if !ended.Off || ended.Digest != policy.Digest(policy.Starter()) {
			t.Errorf("%+v", ended)
		}
		if d := h.ask().Decision; d.Verdict != policy.CannotTell || d.Policy != "" || d.Permit != "" {
			t.Errorf("without a policy: %s", d.Verdict)
		}
		if p, _, err := h.ActivePolicy(h.ctx); p != nil || err != nil {
			t.Errorf("active: %v %v", p, err)
		}
		_, err = h.DeactivatePolicy(h.ctx, h.as("cid"), "twice")
		wants(t, err, fault.Conflict, "policy.inactive")
		_, err = h.ActivatePolicy(h.ctx, h.as("cid"), control.PolicyRequest{Files: policy.Starter(), Reason: "mended"})
		must(t, err)
		if d := h.ask().Decision; d.Verdict != policy.Go {
			t.Errorf("under the same policy again: %s", d.Verdict)
		}
		_, sum := h.replay(policy.Starter(), time.Time{})
		if sum.Total < 3 || sum.Untold+sum.Other != 1 || sum.Total-sum.Same != 1 {
			t.Errorf("a decision without a policy cannot be replayed, others can: %+v", sum.Tally)
		}
	})
}

// BenchmarkReplay1000 decides a thousand decisions again, each of a release of
// its own with a change and two votes, among ten other facts and with a basis of
// its own; under candidates that read no list, one, and all.
func BenchmarkReplay1000(b *testing.B) {
	engines := map[string]func(b *testing.B) store.Options{
		"sqlite":   func(b *testing.B) store.Options { return store.Options{Data: b.TempDir()} },
		"postgres": func(b *testing.B) store.Options { return store.Options{Database: storetest.PostgresURL(b)} },
	}
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			db, err := store.Open(context.Background(), engines[name](b))
			must(b, err)
			b.Cleanup(func() { _ = db.Close() })
			h := raise(b, db, b.TempDir()+"/keys")
			h.furnish()
			h.approve(h.prepare(), "ben", "cid")
			h.multiply(h.ask().Decision, 1000)
			for _, reads := range []struct{ what, condition string }{
				{"none", "findings.critical == 0"},
				{"findings", readsFindings},
				{"commits", readsCommits},
				{"votes", readsVotes},
				{"all", readsFindings + " && " + readsCommits + " && " + readsVotes},
			} {
				files := stricter(b)
				for i := range files {
					files[i].Data = bytes.ReplaceAll(files[i].Data, []byte("condition: findings.critical == 0"), []byte("condition: "+reads.condition))
				}
				b.Run(reads.what, func(b *testing.B) {
					for b.Loop() {
						if _, sum := h.replay(files, time.Time{}); sum.Stopped < 1000 || sum.Untold > 0 {
							b.Fatalf("%+v", sum.Tally)
						}
					}
				})
			}
		})
	}
}

// multiply records a decision n times over, each for a version of its own.
func (h *house) multiply(d release.Decision, n int) {
	h.t.Helper()
	basis, err := h.Basis(h.ctx, d.Basis)
	must(h.t, err)
	before, err := h.Journal.History(h.ctx, event.StreamOf(release.Noun, d.Release))
	must(h.t, err)
	const batch = 32
	for from := 0; from < n; from += batch {
		c := journal.Command{Actor: "system/test", Auth: "local", Source: "test"}
		for i := from; i < min(from+batch, n); i++ {
			version := fmt.Sprintf("v1.2.%d", i)
			part := []byte(strings.ReplaceAll(string(basis), `"version":"v1.1.0"`, `"version":"`+version+`"`))
			if !json.Valid(part) {
				h.t.Fatal("the basis is no JSON any more")
			}
			one := d
			one.ID, one.Release, one.Version, one.Basis = fmt.Sprint("d", i), fmt.Sprint("r", i), version, release.Sum(part)
			stream := event.StreamOf(release.Noun, one.Release)
			c.Parts = append(c.Parts, part)
			opened := release.Opened{ID: one.Release, Service: one.Service, Version: version, Digest: one.Digest, Phase: release.Ready}
			c.Facts = append(c.Facts, event.Draft{Stream: stream, Kind: event.ReleaseOpened, Body: opened})
			for _, f := range before {
				if f.Kind == event.ChangeAttached || f.Kind == event.ApprovalVoted {
					c.Facts = append(c.Facts, event.Draft{Stream: stream, Kind: f.Kind, Body: json.RawMessage(f.BodyBytes)})
				}
			}
			c.Facts = append(c.Facts, event.Draft{Stream: stream, Kind: event.Decided, Body: one})
			for range 6 {
				c.Facts = append(c.Facts, event.Draft{Stream: stream, Kind: event.ReleaseMoved, Body: release.Moved{Environment: "production", From: release.Ready, To: release.Ready, Cause: "test"}})
			}
		}
		_, err := h.Journal.Append(h.ctx, c)
		must(h.t, err)
	}
}
