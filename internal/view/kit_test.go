package view_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/seal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/vault"
	"signalbox.dev/signalbox/internal/view"
)

const digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

const catalogFile = `
apiVersion: signalbox/v1
kind: Team
name: shop
---
apiVersion: signalbox/v1
kind: Group
name: release-approvers
---
apiVersion: signalbox/v1
kind: Group
name: release-managers
---
apiVersion: signalbox/v1
kind: Service
name: shop
tier: 1
team: shop
---
apiVersion: signalbox/v1
kind: Environment
name: production
is: production
---
apiVersion: signalbox/v1
kind: Person
name: ada
display: Ada Example
emails: [ada@example.com]
teams: [shop]
groups: [release-approvers]
roles: [developer, approver]
---
apiVersion: signalbox/v1
kind: Person
name: ben
display: Ben Example
emails: [ben@example.com]
groups: [release-approvers]
roles: [approver]
---
apiVersion: signalbox/v1
kind: Person
name: cid
display: Cid Example
emails: [cid@example.com]
groups: [release-approvers, release-managers]
roles: [approver, release-manager]
---
apiVersion: signalbox/v1
kind: Machine
name: ci
services: [shop]
roles: [pipeline]
`

var reports = []string{
	`{"version":"2.1.0","$schema":"https://json.schemastore.org/sarif-2.1.0.json","runs":[{"tool":{"driver":{"name":"scan"}},"results":[]}]}`,
	`<testsuites><testsuite name="s" tests="2"><testcase name="a" classname="c"/><testcase name="b" classname="c"/></testsuite></testsuites>`,
	`<coverage line-rate="0.9" lines-covered="90" lines-valid="100" branch-rate="0" version="1" timestamp="0"><packages/></coverage>`,
}

// house is real commands over a real journal, with the views following.
type house struct {
	*control.Control
	t     *testing.T
	ctx   context.Context
	db    *store.DB
	views *view.Views
	who   map[string]access.Actor
}

func raise(t *testing.T, db *store.DB) *house {
	t.Helper()
	ctx := context.Background()
	origin, begun, err := journal.Begin(ctx, db)
	must(t, err)
	keys, err := seal.Open(t.TempDir()+"/keys", origin, !begun)
	must(t, err)
	files, err := vault.Open(ctx, vault.Options{DB: db, Origin: origin, Shelf: vault.NewTable(db, origin)})
	must(t, err)
	views := view.New(db)
	var folders []journal.Folder
	for _, f := range views.Folders() {
		folders = append(folders, f)
	}
	j, err := journal.Open(ctx, journal.Options{DB: db, Signer: keys.Signer(), Folders: folders, Shapes: control.Shapes()})
	must(t, err)
	t.Cleanup(func() { must(t, j.Close()) })
	h := &house{
		Control: &control.Control{Journal: j, Vault: files, Keys: keys, Log: slog.New(slog.DiscardHandler)},
		t:       t, ctx: ctx, db: db, views: views, who: map[string]access.Actor{},
	}
	h.furnish()
	return h
}

func (h *house) furnish() {
	h.t.Helper()
	root, err := h.CreateAdministrator(h.ctx, control.Founder{Handle: "root", Name: "Root Example", Email: "root@example.com"})
	must(h.t, err)
	h.who["root"], err = h.Authenticate(h.ctx, root.Secret)
	must(h.t, err)
	_, err = h.ImportCatalog(h.ctx, h.as("root"), "catalog.yaml", []byte(catalogFile))
	must(h.t, err)
	must(h.t, h.Regrant(h.ctx, h.as("root"), control.Regrant{Handle: "cid", Role: "policy-author", Reason: "test"}))
	for _, q := range []control.TokenRequest{{Handle: "ada"}, {Handle: "ben"}, {Handle: "cid"}, {Machine: "ci"}} {
		q.Life = time.Hour
		issued, err := h.IssueToken(h.ctx, h.as("root"), q)
		must(h.t, err)
		h.who[q.Handle+q.Machine], err = h.Authenticate(h.ctx, issued.Secret)
		must(h.t, err)
	}
	_, err = h.ActivatePolicy(h.ctx, h.as("cid"), control.PolicyRequest{Files: policy.Starter(), Reason: "first policy"})
	must(h.t, err)
}

func (h *house) as(who string) control.Request { return control.Request{Actor: h.who[who]} }

func (h *house) ask(version string) control.Answer {
	h.t.Helper()
	a, err := h.Ask(h.ctx, h.as("ci"), control.GateRequest{
		ReleaseRequest: control.ReleaseRequest{Service: "shop", Version: version, Digest: digest, Size: "minor"}, Environment: "production",
	})
	must(h.t, err)
	return a
}

// live does one thing of every kind that the views show.
func (h *house) live() {
	h.t.Helper()
	id := h.ask("v1.1.0").Decision.Release
	must(h.t, h.AttachChange(h.ctx, h.as("ci"), id, change.Describe(change.Raw{
		From: strings.Repeat("a", 40), To: strings.Repeat("b", 40), FromRef: "v1.0.0", ToRef: "v1.1.0",
		Commits: []change.Commit{{ID: strings.Repeat("b", 40), Parents: 1, Author: change.Identity{Name: "Ada Example", Email: "ada@example.com"}, Committer: change.Identity{Name: "Ada Example", Email: "ada@example.com"}, Subject: "feat: buy"}},
		Files:   []change.File{{Path: "buy.go", Added: 10}},
	})))
	for _, r := range reports {
		_, err := h.AddEvidence(h.ctx, h.as("ci"), control.EvidenceRequest{Service: "shop", Version: "v1.1.0", Digest: digest}, strings.NewReader(r))
		must(h.t, err)
	}
	for _, who := range []string{"ben", "cid"} {
		must(h.t, h.Vote(h.ctx, h.as(who), id, control.Ballot{Environment: "production", Answer: approval.Approve}))
	}
	granted := h.ask("v1.1.0")
	if granted.Permit == nil {
		h.t.Fatalf("no permit: %+v", granted.Decision.Reasons[0])
	}
	start := control.StartRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Permit: granted.Permit}
	d, err := h.StartDeployment(h.ctx, h.as("ci"), start)
	must(h.t, err)
	_, err = h.EndDeployment(h.ctx, h.as("ci"), control.EndRequest{ID: d.ID})
	must(h.t, err)
	start.Permit = nil
	_, err = h.StartDeployment(h.ctx, h.as("ci"), start)
	must(h.t, err)
	h.ask("v1.2.0")
	for _, name := range []string{"summer", "winter"} {
		_, err = h.DeclareFreeze(h.ctx, h.as("cid"), control.FreezeRequest{Name: name, Reason: "holidays of " + name})
		must(h.t, err)
	}
	_, err = h.LiftFreeze(h.ctx, h.as("cid"), "summer", "over early")
	must(h.t, err)
	must(h.t, h.RevokeToken(h.ctx, h.as("root"), strings.TrimPrefix(h.who["ben"].Auth, "token/"), "lost"))
	must(h.t, h.Depart(h.ctx, h.as("root"), "ben", "left"))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
