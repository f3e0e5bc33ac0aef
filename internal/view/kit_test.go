package view_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/control/controltest"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/view"
)

const digest = controltest.Digest

var catalogFile = controltest.Catalog("shop", "ci",
	controltest.Person{Handle: "ada", Teams: "shop", Groups: "release-approvers", Roles: "developer, approver"},
	controltest.Person{Handle: "ben", Groups: "release-approvers", Roles: "approver"},
	controltest.Person{Handle: "cid", Groups: "release-approvers, release-managers", Roles: "approver, release-manager"},
)

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
	o := controltest.Open(t, controltest.Options{DB: db, Views: true})
	h := &house{Control: o.Control, t: t, ctx: context.Background(), db: db, views: o.Views, who: map[string]access.Actor{}}
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
	must(h.t, h.AttachChange(h.ctx, h.as("ci"), id, controltest.Change("Ada")))
	for _, r := range []string{controltest.CleanScan, controltest.Tests, controltest.Coverage} {
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
