package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/wire"
)

// candidate is the starter policy that governs nothing any more.
func candidate(t *testing.T) []wire.PolicyFile {
	t.Helper()
	var files []wire.PolicyFile
	for _, f := range policy.Starter() {
		files = append(files, wire.PolicyFile{Name: f.Name, Data: strings.ReplaceAll(string(f.Data), "governance: full", "governance: none")})
	}
	return files
}

func TestReplayStreams(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		answer, err := h.client(t, "pipeline").Ask(ctx, wire.GateRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production"})
		must(t, err)
		if answer.Decision.Verdict == wire.Go {
			t.Fatal("a release of which nothing is known may go")
		}
		manager := h.client(t, "manager")
		var flips []wire.ReplayFlip
		var progress *wire.ReplayProgress
		sum, err := manager.Replay(ctx, wire.ReplayRequest{Files: candidate(t)}, func(e wire.ReplayEvent) error {
			if e.Flip != nil {
				flips = append(flips, *e.Flip)
			}
			if e.Progress != nil {
				progress = e.Progress
			}
			return nil
		})
		must(t, err)
		if sum.Total != 1 || sum.Through != 1 || len(sum.Services) != 1 || sum.Services[0].Decisions[0] != answer.Decision.ID {
			t.Errorf("%+v", sum)
		}
		if len(flips) != 1 || flips[0].Decision != answer.Decision.ID || flips[0].Effect != "let-through" || flips[0].Outcome != "outcome unknown" || len(flips[0].Gates) == 0 {
			t.Errorf("%+v", flips)
		}
		if progress == nil || progress.Done != progress.Total || progress.Total == 0 {
			t.Errorf("progress %+v", progress)
		}
		later, err := manager.Replay(ctx, wire.ReplayRequest{Files: candidate(t), Since: time.Now().Add(time.Hour)}, func(wire.ReplayEvent) error { return nil })
		if err != nil || later.Total != 0 {
			t.Errorf("from an hour ahead: %+v %v", later, err)
		}
		enough := errors.New("enough")
		if _, err := manager.Replay(ctx, wire.ReplayRequest{Files: candidate(t)}, func(wire.ReplayEvent) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("a listener who wants no more: %v", err)
		}
		_, err = h.client(t, "viewer").Replay(ctx, wire.ReplayRequest{Files: candidate(t)}, nil)
		if fault.KindOf(err) != fault.Forbidden {
			t.Errorf("without the right: %v", err)
		}
		_, err = manager.Replay(ctx, wire.ReplayRequest{Files: []wire.PolicyFile{{Name: "a.yaml", Data: "kind: Nothing"}}}, nil)
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("a bundle that does not compile: %v", err)
		}
	})
}

// Without asking for events one has the summary alone, as plain JSON.
func TestReplayInOneAnswer(t *testing.T) {
	h := raise(t, sqlite(t))
	_, err := h.client(t, "pipeline").Ask(t.Context(), wire.GateRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production"})
	must(t, err)
	body, err := json.Marshal(wire.ReplayRequest{Files: candidate(t)})
	must(t, err)
	for _, accept := range []string{"", "*/*", "application/json"} {
		r := h.send(t, message{path: "/api/v1/policy/replays", body: string(body), as: "manager", header: map[string]string{"Accept": accept}})
		var sum wire.ReplaySummary
		if r.header.Get("Content-Type") != "application/json" || json.Unmarshal(r.body, &sum) != nil || sum.Through != 1 {
			t.Errorf("accepting %q: %d %s", accept, r.status, r.body)
		}
	}
	r := h.send(t, message{path: "/api/v1/policy/replays", body: string(body), as: "manager", header: map[string]string{"Accept": "application/json;q=0.5, text/event-stream"}})
	if r.header.Get("Content-Type") != wire.EventStream {
		t.Errorf("accepting events: %s", r.header.Get("Content-Type"))
	}
}

func TestDeactivatePolicy(t *testing.T) {
	h := raise(t, sqlite(t))
	ctx := context.Background()
	manager := h.client(t, "manager")
	done, err := manager.DeactivatePolicy(ctx, wire.Reasoned{Reason: "wrong"})
	must(t, err)
	if !done.Deactivated || done.Reason != "wrong" || done.Name != "starter" {
		t.Errorf("%+v", done)
	}
	if p, err := manager.Policy(ctx); err != nil || p.Active {
		t.Errorf("still in force: %+v %v", p, err)
	}
	history, err := manager.PolicyHistory(ctx, wire.Paging{})
	must(t, err)
	if len(history.Items) != 2 || !history.Items[0].Deactivated || history.Items[0].Reason != "wrong" || history.Items[1].Deactivated {
		t.Errorf("%+v", history.Items)
	}
	_, err = manager.DeactivatePolicy(ctx, wire.Reasoned{Reason: "wrong"})
	wants(t, err, fault.Conflict, "policy.inactive")
}
