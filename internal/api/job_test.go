package api_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/verify"
	"signalbox.dev/signalbox/internal/wire"
)

func gate() wire.GateRequest {
	return wire.GateRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Size: "minor"}
}

func sent() wire.Change {
	ada := wire.Identity{Name: "Ada Example", Email: "ada@example.com"}
	return wire.Change{
		From: strings.Repeat("a", 40), To: strings.Repeat("b", 40), FromRef: "v1.0.0", ToRef: "v1.1.0", Commits: 1,
		Authors: []wire.Identity{ada}, Committers: []wire.Identity{ada}, CoAuthors: []wire.Identity{}, FilesChanged: 1, LinesAdded: 10,
		SemverStep: "minor", ReleaseType: "minor", Reasons: []string{}, Migrations: []string{}, Dependencies: []string{}, Complete: true, Notes: []string{},
		Digest: digest,
	}
}

// granted walks a release to go over the wire alone, and answers the decision.
func (h *house) granted(t *testing.T) wire.Answer {
	t.Helper()
	ctx, ci := t.Context(), h.client(t, "pipeline")
	first, err := ci.Ask(ctx, gate())
	must(t, err)
	if first.Decision.Verdict != wire.Indeterminate || first.Permit != nil {
		t.Fatalf("with nothing known: %s", first.Decision.Verdict)
	}
	id := first.Decision.Release
	_, err = ci.AttachChange(ctx, id, sent())
	must(t, err)
	for _, r := range reports {
		_, err := ci.AddEvidence(ctx, wire.EvidenceTarget{Service: "shop", Version: "v1.1.0", Digest: digest}, strings.NewReader(r))
		must(t, err)
	}
	waiting, err := ci.Ask(ctx, gate())
	must(t, err)
	if waiting.Decision.Verdict != wire.Wait {
		t.Fatalf("without approvals: %s %+v", waiting.Decision.Verdict, waiting.Decision.Reasons[0])
	}
	for _, who := range []string{"approver", "manager"} {
		c := h.client(t, who)
		shown, err := c.Preview(ctx, id, "production")
		must(t, err)
		if release.Sum([]byte(shown.Canonical)) != shown.Subject {
			t.Error("the subject is not the digest of what was shown")
		}
		_, err = c.Vote(ctx, id, wire.VoteRequest{Environment: "production", Answer: "approve", Seen: shown.Subject})
		must(t, err)
	}
	answer, err := ci.Ask(ctx, gate())
	must(t, err)
	if answer.Decision.Verdict != wire.Go || answer.Permit == nil {
		t.Fatalf("approved: %s", answer.Decision.Verdict)
	}
	return answer
}

// From cannot tell to a finished deployment, through the API alone, and every
// proof of it checked by the verifier that needs no server.
func TestMainJob(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx, ci, viewer := t.Context(), h.client(t, "pipeline"), h.client(t, "viewer")
		answer := h.granted(t)
		public, err := viewer.Keys(ctx)
		must(t, err)
		keys, err := verify.ParseKeys(public)
		must(t, err)
		expect := verify.Expect{Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Now: time.Now(), Skew: time.Minute}
		if _, err := verify.CheckPermit(answer.Permit, keys, expect); err != nil {
			t.Fatal(err)
		}
		names := []string{}
		for _, id := range answer.Decision.Approvals {
			names = append(names, answer.People[id])
		}
		slices.Sort(names)
		if diff := cmp.Diff([]string{"Ben Example", "Cid Example"}, names); diff != "" {
			t.Errorf("who approved: %s", diff)
		}
		started, err := ci.StartDeployment(ctx, wire.StartRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Permit: answer.Permit, Run: "https://ci.example.com/1"})
		must(t, err)
		if !started.Authorised || started.Status != "started" {
			t.Errorf("started: %+v", started)
		}
		ended, err := ci.EndDeployment(ctx, wire.EndRequest{Service: "shop", Version: "v1.1.0", Environment: "production"})
		must(t, err)
		if ended.Status != "finished" || ended.ID != started.ID {
			t.Errorf("ended: %+v", ended)
		}
		h.recorded(t, answer.Decision)
		h.proven(t, keys, answer.Decision.ID)
		h.exported(t, keys)
	})
}

// recorded looks the decision up again, in lists and by id.
func (h *house) recorded(t *testing.T, d wire.Decision) {
	t.Helper()
	ctx, viewer := t.Context(), h.client(t, "viewer")
	page, err := viewer.Decisions(ctx, wire.DecisionFilter{Service: "shop", Verdict: wire.Go})
	must(t, err)
	if len(page.Items) != 1 || page.Items[0].ID != d.ID {
		t.Fatalf("listed: %+v", page)
	}
	found, err := viewer.Decision(ctx, d.ID)
	must(t, err)
	if diff := cmp.Diff(d, found.Decision); diff != "" {
		t.Errorf("answered (-) and recorded (+):\n%s", diff)
	}
	if found.Permit == nil || found.Permit.State != "redeemed" {
		t.Errorf("permit: %+v", found.Permit)
	}
	basis, err := viewer.Basis(ctx, d.ID)
	must(t, err)
	if release.Sum(basis) != d.Basis {
		t.Error("the basis has another digest")
	}
	r, err := viewer.Release(ctx, d.Release)
	must(t, err)
	if target := r.Targets["production"]; target.Phase != "verifying" || target.Decision != d.ID || r.Change == nil || r.Change.Provenance != "pipeline" || len(r.Votes) != 2 {
		t.Errorf("release: %+v", r)
	}
	permit, err := viewer.Permit(ctx, d.Permit)
	must(t, err)
	if !json.Valid(permit.Envelope) || permit.Decision != d.ID {
		t.Errorf("permit: %+v", permit)
	}
}

// proven checks the decision's receipt against a signed checkpoint.
func (h *house) proven(t *testing.T, keys verify.Keys, id string) {
	t.Helper()
	ctx, viewer := t.Context(), h.client(t, "viewer")
	_, err := h.control.Journal.SignNow(ctx)
	must(t, err)
	found, err := viewer.Decision(ctx, id)
	must(t, err)
	text, err := viewer.Checkpoint(ctx)
	must(t, err)
	head, err := verify.Checkpoint(text, keys)
	must(t, err)
	proof, err := viewer.Proof(ctx, found.Receipt.Position, 0)
	must(t, err)
	if proof.Leaf != found.Receipt.Leaf || proof.Size == 0 {
		t.Errorf("proof %+v, receipt %+v", proof, found.Receipt)
	}
	leaf, path := hash(t, proof.Leaf), tlog.RecordProof(hashesOf(t, proof.Hashes))
	root, err := h.control.Journal.TreeHash(ctx, proof.Size)
	must(t, err)
	if root != head.Root || uint64(head.Size) != proof.Size {
		t.Error("the checkpoint signs another tree")
	}
	must(t, tlog.CheckRecord(path, int64(proof.Size), head.Root, int64(proof.Position), leaf))
	leaf[0] ^= 1
	if tlog.CheckRecord(path, int64(proof.Size), head.Root, int64(proof.Position), leaf) == nil {
		t.Error("another leaf is proven too")
	}
	growth, err := viewer.Consistency(ctx, 3, proof.Size)
	must(t, err)
	older, err := h.control.Journal.TreeHash(ctx, 3)
	must(t, err)
	must(t, tlog.CheckTree(hashesOf(t, growth.Hashes), int64(growth.To), head.Root, int64(growth.From), older))
}

func hash(t *testing.T, text string) (h tlog.Hash) {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	must(t, err)
	copy(h[:], b)
	return h
}

func hashesOf(t *testing.T, texts []string) []tlog.Hash {
	t.Helper()
	var all []tlog.Hash
	for _, text := range texts {
		all = append(all, hash(t, text))
	}
	return all
}

// exported verifies the export offline, and that a changed one does not verify.
func (h *house) exported(t *testing.T, keys verify.Keys) {
	t.Helper()
	var b bytes.Buffer
	must(t, h.client(t, "auditor").Export(t.Context(), &b))
	whole := b.Bytes()
	report, err := verify.Export(t.Context(), bytes.NewReader(whole), keys, nil)
	must(t, err)
	facts, err := h.client(t, "auditor").Facts(t.Context(), 0, 200)
	must(t, err)
	if uint64(report.Facts) != facts.Size || len(facts.Items) == 0 || facts.Items[0].Kind != "journal.begun" {
		t.Errorf("%d facts exported of %d", report.Facts, facts.Size)
	}
	middle := bytes.LastIndexByte(whole[:len(whole)/2], '\n')
	if _, err := verify.Export(t.Context(), bytes.NewReader(whole[:middle]), keys, nil); err == nil {
		t.Error("an export that was cut off verifies")
	}
}

// Names and texts of the audit trail take the right to export.
func TestFactsArePrivate(t *testing.T) {
	h := raise(t, sqlite(t))
	for who, sees := range map[string]bool{"viewer": false, "auditor": true} {
		r := h.send(t, message{method: "GET", path: "/api/v1/facts?limit=200", as: who})
		if got := strings.Contains(string(r.body), "ada@example.com"); r.status != 200 || got != sees {
			t.Errorf("%s: %d, sees an address: %v", who, r.status, got)
		}
	}
	if r := h.send(t, message{method: "GET", path: "/api/v1/people", as: "viewer"}); strings.Contains(string(r.body), "@") || !strings.Contains(string(r.body), "Ada Example") {
		t.Errorf("people: %s", r.body)
	}
}

// The end of a deployment, reported twice under one key, is answered twice.
func TestEndedTwice(t *testing.T) {
	h := raise(t, sqlite(t))
	ci := h.client(t, "pipeline")
	_, err := ci.StartDeployment(t.Context(), wire.StartRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production"})
	must(t, err)
	end := message{path: "/api/v1/deployments/end", as: "pipeline", header: map[string]string{wire.KeyHeader: "e1"}, body: `{"service":"shop","version":"v1.1.0","environment":"production","failed":true,"reached":"some"}`}
	first, again := h.send(t, end), h.send(t, end)
	if first.status != 200 || string(first.body) != string(again.body) {
		t.Errorf("%s\n%s", first.body, again.body)
	}
	end.header[wire.KeyHeader] = "e2"
	if r := h.send(t, end); r.status != 409 {
		t.Errorf("another key: %d %s", r.status, r.body)
	}
	_, err = ci.EndDeployment(t.Context(), wire.EndRequest{Service: "shop", Version: "v9", Environment: "production"})
	wants(t, err, fault.NotFound, "deployment.none")
	all, err := h.client(t, "viewer").Deployments(t.Context(), wire.DeploymentFilter{Unauthorised: true})
	must(t, err)
	if len(all.Items) != 1 || all.Items[0].Code != "permit.none" || all.Items[0].Status != "failed" {
		t.Errorf("unauthorised: %+v", all.Items)
	}
}

// A vote for something else than what stands is refused with both digests.
func TestStaleVote(t *testing.T) {
	h := raise(t, sqlite(t))
	ci := h.client(t, "pipeline")
	asked, err := ci.Ask(t.Context(), gate())
	must(t, err)
	shown, err := h.client(t, "approver").Preview(t.Context(), asked.Decision.Release, "production")
	must(t, err)
	_, err = ci.AttachChange(t.Context(), asked.Decision.Release, sent())
	must(t, err)
	_, err = h.client(t, "approver").Vote(t.Context(), asked.Decision.Release, wire.VoteRequest{Environment: "production", Answer: "approve", Seen: shown.Subject})
	wants(t, err, fault.Conflict, "approval.other-content")
}

// What goes over the line is what the terminal prints of a change, and back.
func TestChangeRoundTrip(t *testing.T) {
	c := change.Describe(change.Raw{
		Repository: "shop", From: strings.Repeat("a", 40), To: strings.Repeat("b", 40), FromRef: "v1.0.0", ToRef: "v2.0.0", Notes: []string{"note"},
		Commits: []change.Commit{{ID: strings.Repeat("b", 40), Parents: 1, Author: change.Identity{Name: "Ada Example", Email: "ada@example.com"}, Subject: "feat!: buy", Signed: true}},
		Files:   []change.File{{Path: "migrations/1.sql", Added: 10, Deleted: 2}, {Path: "go.mod", Added: 1}},
	})
	printed, err := json.Marshal(c)
	must(t, err)
	var w wire.Change
	must(t, json.Unmarshal(printed, &w))
	over, err := json.Marshal(w)
	must(t, err)
	if diff := cmp.Diff(string(printed), string(over)); diff != "" {
		t.Error(diff)
	}
}

// A bundle that does not compile is refused with all of its problems, each with its place.
func TestPolicyProblems(t *testing.T) {
	h := raise(t, sqlite(t))
	_, err := h.client(t, "manager").ActivatePolicy(t.Context(), wire.PolicyRequest{Reason: "try", Files: []wire.PolicyFile{
		{Name: "a.yaml", Data: "apiVersion: signalbox/v1\nkind: Gate\nname: one\ncondition: nonsense.here\n"},
		{Name: "b.yaml", Data: "apiVersion: signalbox/v1\nkind: Nothing\nname: two\n"},
	}})
	var several *wire.Several
	if !errors.As(err, &several) || !slices.ContainsFunc(several.All, func(d wire.Detail) bool { return d.Where == wire.Place{File: "b.yaml", Line: 2, Column: 7} }) ||
		!slices.ContainsFunc(several.All, func(d wire.Detail) bool { return d.Where.File == "a.yaml" && d.Fix != "" }) {
		t.Errorf("got %v", err)
	}
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("kind %s", fault.KindOf(err))
	}
	stands, err := h.client(t, "viewer").Policy(t.Context())
	must(t, err)
	if !stands.Active || len(stands.Gates) != 10 || stands.Activation.ByName != "Cid Example" {
		t.Errorf("policy: %+v", stands)
	}
	history, err := h.client(t, "viewer").PolicyHistory(t.Context(), wire.Paging{})
	must(t, err)
	files, err := h.client(t, "viewer").PolicyFiles(t.Context())
	must(t, err)
	if len(history.Items) != 1 || history.Items[0].Reason != "first policy" || files.Digest != history.Items[0].Digest || len(files.Files) == 0 {
		t.Errorf("history: %+v", history)
	}
}

func TestFreezes(t *testing.T) {
	h := raise(t, sqlite(t))
	manager, viewer := h.client(t, "manager"), h.client(t, "viewer")
	f, err := manager.DeclareFreeze(t.Context(), wire.FreezeRequest{Name: "summer break", Reason: "holidays", Scope: wire.Scope{Services: []string{"shop"}}})
	must(t, err)
	listed, err := viewer.Freezes(t.Context(), false, wire.Paging{})
	must(t, err)
	if len(listed.Items) != 1 || listed.Items[0].ByName != "Cid Example" || listed.Items[0].Reason != "holidays" || !cmp.Equal(listed.Items[0].Scope, f.Scope) {
		t.Errorf("listed: %+v", listed)
	}
	_, err = h.client(t, "developer").LiftFreeze(t.Context(), "summer break", wire.Reasoned{Reason: "no"})
	wants(t, err, fault.Forbidden, "freeze.not-in-group")
	_, err = manager.LiftFreeze(t.Context(), "summer break", wire.Reasoned{Reason: "over"})
	must(t, err)
	all, err := viewer.Freezes(t.Context(), true, wire.Paging{})
	must(t, err)
	if len(all.Items) != 1 || all.Items[0].LiftReason != "over" || all.Items[0].Lifted.IsZero() {
		t.Errorf("all: %+v", all)
	}
}

// A subscriber learns of what is new, on the streams concerned, and no more
// once the token is revoked.
func TestChanges(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		viewer := h.client(t, "viewer")
		me, err := viewer.Me(ctx)
		must(t, err)
		size, err := h.control.Journal.Size(ctx)
		must(t, err)
		heard := make(chan wire.News, 10)
		over := make(chan error, 1)
		go func() {
			over <- viewer.Changes(ctx, size, func(n wire.News) error {
				heard <- n
				return nil
			})
		}()
		f, err := h.client(t, "manager").DeclareFreeze(ctx, wire.FreezeRequest{Name: "summer", Reason: "holidays"})
		must(t, err)
		n := <-heard
		if n.From != size || n.Next <= size || !slices.Contains(n.Streams, "freeze/"+f.ID) || !slices.Contains(n.Streams, "set/freezes") {
			t.Errorf("heard %+v of freeze %s", n, f.ID)
		}
		_, err = h.client(t, "administrator").RevokeToken(ctx, me.Token, wire.Reasoned{Reason: "lost"})
		must(t, err)
		wants(t, <-over, fault.Unauthorised, "access.token")
		if len(heard) != 0 {
			t.Errorf("heard after the end: %+v", <-heard)
		}
	})
}

func TestReady(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		r, err := h.client(t, "anonymous").Ready(t.Context())
		must(t, err)
		if !r.Ready || len(r.Checks) != 6 {
			t.Errorf("%+v", r)
		}
		h.later.Store(int64(time.Hour))
		for end := time.Now().Add(30 * time.Second); r.Ready && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			r, err = h.client(t, "anonymous").Ready(t.Context())
			must(t, err)
		}
		if r.Ready || r.Checks[2].OK {
			t.Errorf("with a clock an hour off: %+v", r)
		}
		if v, err := h.client(t, "anonymous").Version(t.Context()); err != nil || v.Version != "test" || v.API != "v1" {
			t.Errorf("%+v %v", v, err)
		}
	})
}
