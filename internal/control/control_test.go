package control_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/control/controltest"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
	"signalbox.dev/signalbox/internal/vault"
	"signalbox.dev/signalbox/internal/verify"
)

var catalogFile = controltest.Catalog("shop", "ci",
	controltest.Person{Handle: "ann", Teams: "shop", Groups: "release-approvers", Roles: "developer, approver"},
	controltest.Person{Handle: "ben", Groups: "release-approvers", Roles: "approver"},
	controltest.Person{Handle: "cid", Groups: "release-approvers, release-managers", Roles: "approver, release-manager"},
)

const (
	digest    = controltest.Digest
	cleanScan = controltest.CleanScan
	badScan   = controltest.BadScan
	tests     = controltest.Tests
	coverage  = controltest.Coverage
)

// house is a control over a real journal, with an example organisation in it.
type house struct {
	*control.Control
	t     testing.TB
	ctx   context.Context
	db    *store.DB
	files *vault.Vault
	keys  verify.Keys // as the journal began
	who   map[string]access.Actor

	keyDir string
}

// raise opens a house on a database; a second one on the same database is a second replica.
func raise(t testing.TB, db *store.DB, keyDir string) *house {
	t.Helper()
	return raiseBy(t, db, keyDir, nil)
}

// raiseBy is raise with a clock of its own for the process; nil is the usual one.
func raiseBy(t testing.TB, db *store.DB, keyDir string, wall func() time.Time) *house {
	t.Helper()
	o := controltest.Open(t, controltest.Options{DB: db, Keys: keyDir, Wall: wall})
	h := &house{
		Control: o.Control, files: o.Files,
		t: t, ctx: context.Background(), db: db, who: map[string]access.Actor{}, keyDir: keyDir,
	}
	var err error
	h.keys, err = verify.ParseKeys(h.Keys.PublicText())
	must(t, err)
	return h
}

// furnish makes the organisation: first administrator, catalog, tokens, policy.
func (h *house) furnish() {
	h.t.Helper()
	root, err := h.CreateAdministrator(h.ctx, control.Founder{Handle: "root", Name: "Root Example", Email: "root@example.com"})
	must(h.t, err)
	h.who["root"], err = h.Authenticate(h.ctx, root.Secret)
	must(h.t, err)
	_, err = h.ImportCatalog(h.ctx, h.as("root"), "catalog.yaml", []byte(catalogFile))
	must(h.t, err)
	must(h.t, h.Regrant(h.ctx, h.as("root"), control.Regrant{Handle: "cid", Role: "policy-author", Reason: "test"}))
	h.sign("ann", "ben", "cid")
	issued, err := h.IssueToken(h.ctx, h.as("root"), control.TokenRequest{Machine: "ci", Life: time.Hour})
	must(h.t, err)
	h.who["ci"], err = h.Authenticate(h.ctx, issued.Secret)
	must(h.t, err)
	_, err = h.ActivatePolicy(h.ctx, h.as("cid"), control.PolicyRequest{Files: policy.Starter(), Reason: "first policy"})
	must(h.t, err)
}

func (h *house) sign(handles ...string) {
	h.t.Helper()
	for _, handle := range handles {
		issued, err := h.IssueToken(h.ctx, h.as("root"), control.TokenRequest{Handle: handle, Life: time.Hour})
		must(h.t, err)
		h.who[handle], err = h.Authenticate(h.ctx, issued.Secret)
		must(h.t, err)
	}
}

func (h *house) as(who string) control.Request { return control.Request{Actor: h.who[who]} }

func (h *house) gate() control.GateRequest {
	return control.GateRequest{ReleaseRequest: control.ReleaseRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Size: "minor"}, Environment: "production"}
}

func (h *house) ask() control.Answer {
	h.t.Helper()
	a, err := h.Ask(h.ctx, h.as("ci"), h.gate())
	must(h.t, err)
	return a
}

func (h *house) report(label, report string) {
	h.t.Helper()
	_, err := h.AddEvidence(h.ctx, h.as("ci"), control.EvidenceRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Label: label}, strings.NewReader(report))
	must(h.t, err)
}

// prepare brings a release to where only approvals are missing, and answers its id.
func (h *house) prepare() string {
	h.t.Helper()
	id := h.ask().Decision.Release
	must(h.t, h.AttachChange(h.ctx, h.as("ci"), id, annsChange()))
	h.report("", cleanScan)
	h.report("", tests)
	h.report("", coverage)
	return id
}

func (h *house) approve(id string, people ...string) {
	h.t.Helper()
	for _, p := range people {
		shown, err := h.Preview(h.ctx, h.as(p), id, "production")
		must(h.t, err)
		must(h.t, h.Vote(h.ctx, h.as(p), id, control.Ballot{Environment: "production", Answer: approval.Approve, Seen: shown.Digest}))
	}
}

func annsChange() change.Change { return controltest.Change("Ann") }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants fails unless err is of a kind and says its code.
func wants(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != kind || f.Code != code {
		t.Errorf("got %v, want %s %s", err, kind, code)
	}
}

func each(t *testing.T, test func(t *testing.T, h *house)) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		h := raise(t, open(), t.TempDir()+"/keys")
		h.furnish()
		test(t, h)
	})
}

// From cannot tell over no-go and wait to go, a permit, and a deployment: the main job.
func TestFromNoGoToDeployment(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first := h.ask()
		if first.Decision.Verdict != policy.CannotTell || first.Permit != nil {
			t.Fatalf("with nothing known: %s", first.Decision.Verdict)
		}
		id := first.Decision.Release
		must(t, h.AttachChange(h.ctx, h.as("ci"), id, annsChange()))
		h.report("", badScan)
		h.report("", tests)
		h.report("", coverage)
		if d := h.ask().Decision; d.Verdict != policy.NoGo {
			t.Fatalf("with a critical finding: %s", d.Verdict)
		}
		h.report("", cleanScan)
		if d := h.ask().Decision; d.Verdict != policy.Wait {
			t.Fatalf("without approvals: %s", d.Verdict)
		}
		h.approve(id, "ben", "cid")
		granted := h.ask()
		if granted.Decision.Verdict != policy.Go || granted.Permit == nil {
			t.Fatalf("approved: %s %+v", granted.Decision.Verdict, granted.Decision.Reasons[0])
		}
		expect := verify.Expect{Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Now: time.Now(), Skew: time.Minute}
		if _, err := verify.CheckPermit(granted.Permit, h.keys, expect); err != nil {
			t.Fatal(err)
		}
		start := control.StartRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Permit: granted.Permit}
		d, err := h.StartDeployment(h.ctx, h.as("ci"), start)
		must(t, err)
		if !d.Authorised {
			t.Fatalf("not authorised: %s", d.Code)
		}
		again, err := h.StartDeployment(h.ctx, h.as("ci"), start)
		must(t, err)
		if again.Authorised || again.Code != "permit.redeemed" {
			t.Errorf("redeemed twice: %+v", again)
		}
		if _, err := h.EndDeployment(h.ctx, h.as("ci"), control.EndRequest{ID: d.ID}); err != nil {
			t.Fatal(err)
		}
		state, err := h.Release(h.ctx, id)
		must(t, err)
		if p := state.Target("production").Phase; p != release.Verifying {
			t.Errorf("production is %s", p)
		}
		h.verified(t)
	})
}

// verified exports the journal and verifies it offline.
func (h *house) verified(t *testing.T) {
	t.Helper()
	var export bytes.Buffer
	must(t, h.Journal.Export(h.ctx, &export))
	if _, err := verify.Export(h.ctx, &export, h.keys, nil); err != nil {
		t.Fatal(err)
	}
	must(t, h.Journal.CheckRebuild(h.ctx, func(string, uint64, uint64) {}))
}

// Asked again while a decision stands, nothing is appended; when the basis
// changes, it is decided anew.
func TestStandingDecision(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.prepare()
		size := func() uint64 {
			n, err := h.Journal.Size(h.ctx)
			must(t, err)
			return n
		}
		first := h.ask()
		before := size()
		for range 3 {
			if again := h.ask(); !again.Standing || again.Decision.ID != first.Decision.ID {
				t.Fatalf("decided anew: %+v", again.Decision.ID)
			}
		}
		if size() != before {
			t.Errorf("asking again appended %d facts", size()-before)
		}
		h.approve(id, "ben", "cid")
		granted := h.ask()
		if granted.Standing || granted.Decision.Verdict != policy.Go {
			t.Fatalf("after approval: %+v", granted.Decision.Verdict)
		}
		if again := h.ask(); !bytes.Equal(again.Permit, granted.Permit) || !again.Standing {
			t.Error("the standing go has another permit")
		}
		must(t, h.RecallPermit(h.ctx, h.as("root"), granted.Decision.Permit, "wrong build"))
		fresh := h.ask()
		if fresh.Standing || fresh.Decision.Permit == granted.Decision.Permit {
			t.Error("a recalled permit was answered again")
		}
		d, err := h.StartDeployment(h.ctx, h.as("ci"), control.StartRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Permit: granted.Permit})
		must(t, err)
		if d.Authorised || d.Code != "permit.recalled" {
			t.Errorf("a recalled permit: %+v", d)
		}
	})
}

// A decision that stands is answered over the one connection that the question is
// read on: with a second, as many askers as there are connections wait for ever.
func TestStandingTakesOneConnection(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first := h.ask()
		ctx, cancel := context.WithTimeout(h.ctx, time.Minute)
		defer cancel()
		var ask func(left int) error
		ask = func(left int) error {
			if left > 0 {
				return h.Journal.Snapshot(ctx, func(*journal.Snapshot) error { return ask(left - 1) })
			}
			again, err := h.Ask(ctx, h.as("ci"), h.gate())
			if err == nil && (!again.Standing || again.Decision.ID != first.Decision.ID) {
				t.Errorf("decided anew: %+v", again.Decision.ID)
			}
			return err
		}
		must(t, ask(h.db.Readers()-2)) // the last one is for what a snapshot reads elsewhere
	})
}

// A deployment is recorded whatever it is, with the reason why it is unauthorised.
func TestUnauthorisedDeployments(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.prepare()
		h.approve(id, "ben", "cid")
		permit := h.ask().Permit
		start := func(change func(*control.StartRequest)) string {
			q := control.StartRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Permit: permit}
			change(&q)
			d, err := h.StartDeployment(h.ctx, h.as("ci"), q)
			must(t, err)
			if d.Authorised != (d.Code == "") {
				t.Errorf("authorised %v with code %q", d.Authorised, d.Code)
			}
			return d.Code
		}
		for want, change := range map[string]func(*control.StartRequest){
			"permit.none":              func(q *control.StartRequest) { q.Permit = nil },
			"permit.malformed":         func(q *control.StartRequest) { q.Permit = []byte("{}") },
			"permit.other-environment": func(q *control.StartRequest) { q.Environment = "staging" },
			"permit.other-digest":      func(q *control.StartRequest) { q.Digest = "sha256:" + strings.Repeat("0", 64) },
		} {
			if got := start(change); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		_, err := h.DeclareFreeze(h.ctx, h.as("cid"), control.FreezeRequest{Name: "stop", Reason: "incident"})
		must(t, err)
		if got := start(func(*control.StartRequest) {}); got != "gate.no-go" {
			t.Errorf("frozen after the permit: %q", got)
		}
		_, err = h.LiftFreeze(h.ctx, h.as("cid"), "stop", "over")
		must(t, err)
		if got := start(func(*control.StartRequest) {}); got != "" {
			t.Errorf("thawed: %q", got)
		}
	})
}

// Two replicas on one database race for one permit: one redeems it.
func TestPermitIsRedeemedOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.prepare()
		h.approve(id, "ben", "cid")
		permit := h.ask().Permit
		var wg sync.WaitGroup
		authorised := make(chan bool, 8)
		for range cap(authorised) {
			wg.Go(func() {
				d, err := h.StartDeployment(h.ctx, h.as("ci"), control.StartRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Permit: permit})
				authorised <- err == nil && d.Authorised
				if err != nil && fault.KindOf(err) != fault.Conflict {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		close(authorised)
		n := 0
		for a := range authorised {
			if a {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d deployments were authorised by one permit", n)
		}
	})
}

// A freeze declared on one replica is known to the next decision on the other.
func TestFreezeOnAnotherReplica(t *testing.T) {
	url := storetest.PostgresURL(t)
	keys := t.TempDir() + "/keys"
	open := func() *store.DB {
		db, err := store.Open(context.Background(), store.Options{Database: url})
		must(t, err)
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	one := raise(t, open(), keys)
	one.furnish()
	id := one.prepare()
	one.approve(id, "ben", "cid")
	two := raise(t, open(), keys)
	two.who = one.who
	if d := two.ask().Decision; d.Verdict != policy.Go {
		t.Fatalf("before the freeze: %s", d.Verdict)
	}
	_, err := one.DeclareFreeze(one.ctx, one.as("cid"), control.FreezeRequest{Name: "quarter-end", Rule: "freeze", Reason: "books close", Until: time.Now().Add(time.Hour)})
	must(t, err)
	if d := two.ask().Decision; d.Verdict != policy.Wait {
		t.Errorf("after the freeze on the other replica: %s", d.Verdict)
	}
	_, err = two.LiftFreeze(two.ctx, two.as("cid"), "quarter-end", "books closed")
	must(t, err)
	if d := one.ask().Decision; d.Verdict != policy.Go {
		t.Errorf("after it was lifted on the other: %s", d.Verdict)
	}
	one.verified(t)
}

func TestIdempotency(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		r := h.as("cid")
		r.Key = "once"
		q := control.FreezeRequest{Name: "quarter-end", Reason: "books close"}
		first, err := h.DeclareFreeze(h.ctx, r, q)
		must(t, err)
		again, err := h.DeclareFreeze(h.ctx, r, q)
		must(t, err)
		if again.ID != first.ID {
			t.Errorf("one key made %s and %s", first.ID, again.ID)
		}
		other := q
		other.Name = "holidays"
		_, err = h.DeclareFreeze(h.ctx, r, other)
		if fault.KindOf(err) != fault.Conflict {
			t.Errorf("one key for another request: %v", err)
		}
		_, err = h.DeclareFreeze(h.ctx, h.as("cid"), q)
		wants(t, err, fault.Conflict, "freeze.exists")
	})
}

func TestRights(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.prepare()
		_, err := h.Ask(h.ctx, h.as("ann"), h.gate())
		wants(t, err, fault.Forbidden, "access.missing-right")
		_, err = h.ActivatePolicy(h.ctx, h.as("ci"), control.PolicyRequest{Files: policy.Starter(), Reason: "x"})
		wants(t, err, fault.Forbidden, "access.missing-right")
		_, err = h.DeclareFreeze(h.ctx, h.as("ann"), control.FreezeRequest{Name: "x", Reason: "x"})
		wants(t, err, fault.Forbidden, "freeze.not-in-group")
		_, err = h.DeclareFreeze(h.ctx, h.as("ann"), control.FreezeRequest{Name: "x", Rule: "freeze", Reason: "x"})
		wants(t, err, fault.Forbidden, "freeze.not-in-group")
		_, err = h.DeclareFreeze(h.ctx, h.as("cid"), control.FreezeRequest{Name: "x", Rule: "nobody", Reason: "x"})
		wants(t, err, fault.Invalid, "freeze.rule")
		wants(t, h.Vote(h.ctx, h.as("ci"), id, control.Ballot{Environment: "production", Answer: approval.Approve}), fault.Forbidden, "access.missing-right")
		wants(t, h.Vote(h.ctx, h.as("ann"), id, control.Ballot{Environment: "production", Answer: approval.Approve}), fault.Forbidden, "approval.contributor")
		wants(t, h.RecallPermit(h.ctx, h.as("ann"), "x", "x"), fault.Forbidden, "access.missing-right")
		other := h.gate()
		other.Service = "ledger"
		_, err = h.Ask(h.ctx, h.as("ci"), other)
		wants(t, err, fault.Forbidden, "access.other-service")
		wants(t, h.Regrant(h.ctx, h.as("root"), control.Regrant{Handle: "root", Role: "approver", Reason: "x"}), fault.Forbidden, "access.own-grant")
		wants(t, h.Regrant(h.ctx, h.as("root"), control.Regrant{Machine: "ci", Role: "approver", Reason: "x"}), fault.Forbidden, "access.machine-approver")
		wants(t, h.Regrant(h.ctx, h.as("cid"), control.Regrant{Handle: "ann", Role: "viewer", Reason: "x"}), fault.Forbidden, "access.missing-right")
		_, err = h.IssueToken(h.ctx, h.as("ann"), control.TokenRequest{Life: time.Hour, Scopes: []access.Right{access.Policy}})
		wants(t, err, fault.Forbidden, "token.exceeds")
		_, err = h.IssueToken(h.ctx, h.as("ann"), control.TokenRequest{Life: 100 * 24 * time.Hour})
		wants(t, err, fault.Invalid, "token.life")
		_, err = h.CreateAdministrator(h.ctx, control.Founder{Handle: "eve", Name: "Eve Example", Email: "eve@example.com"})
		wants(t, err, fault.Conflict, "setup.done")
	})
}

// Whoever departs loses everything at once: tokens, and votes already given.
func TestDeparture(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.prepare()
		h.approve(id, "ben", "cid")
		if d := h.ask().Decision; d.Verdict != policy.Go {
			t.Fatalf("before: %s", d.Verdict)
		}
		issued, err := h.IssueToken(h.ctx, h.as("root"), control.TokenRequest{Handle: "ben", Life: time.Hour})
		must(t, err)
		must(t, h.Depart(h.ctx, h.as("root"), "ben", "left"))
		_, err = h.Authenticate(h.ctx, issued.Secret)
		wants(t, err, fault.Unauthorised, "access.token")
		if d := h.ask().Decision; d.Verdict == policy.Go {
			t.Error("a departed person's vote still counts")
		}
	})
}

// What a replica holds of the catalog and of people is what stands: of another's
// change it knows with its next decision.
func TestReplicaHoldsWhatStands(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		db, keyDir := open(), t.TempDir()+"/keys"
		h := raise(t, db, keyDir)
		h.furnish()
		other := raise(t, db, keyDir)
		other.who = h.who
		h.approve(h.prepare(), "ben", "cid")
		asked := func() string {
			t.Helper()
			d, err := other.Ask(h.ctx, h.as("ci"), h.gate())
			must(t, err)
			fresh := raise(t, db, keyDir) // holds nothing
			fresh.who = h.who
			if again := fresh.ask(); !again.Standing || again.Decision.ID != d.Decision.ID {
				t.Errorf("%s on what was held, %s on what stands", d.Decision.Basis, again.Decision.Basis)
			}
			return d.Decision.Basis
		}
		seen := map[string]string{}
		for _, change := range []struct {
			name string
			make func()
		}{
			{"none", func() {}},
			{"of the catalog", func() {
				_, err := h.ImportCatalog(h.ctx, h.as("root"), "catalog.yaml", []byte(strings.Replace(catalogFile, "tier: 1", "tier: 0", 1)))
				must(t, err)
			}},
			{"of a person", func() { must(t, h.Depart(h.ctx, h.as("root"), "ben", "left")) }},
		} {
			change.make()
			basis := asked()
			if before, twice := seen[basis]; twice {
				t.Errorf("a change %s was not seen: as with %s", change.name, before)
			}
			seen[basis] = change.name
		}
	})
}

// New evidence after a vote is other content: the vote lapses by itself.
func TestVoteLapsesWithNewEvidence(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.prepare()
		shown, err := h.Preview(h.ctx, h.as("ben"), id, "production")
		must(t, err)
		h.approve(id, "ben", "cid")
		h.report("second", cleanScan)
		if d := h.ask().Decision; d.Verdict != policy.Wait {
			t.Errorf("after new evidence: %s", d.Verdict)
		}
		err = h.Vote(h.ctx, h.as("ben"), id, control.Ballot{Environment: "production", Answer: approval.Approve, Seen: shown.Digest})
		wants(t, err, fault.Conflict, "approval.other-content")
	})
}

func TestTokens(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		issued, err := h.IssueToken(h.ctx, h.as("ann"), control.TokenRequest{Label: "laptop", Life: time.Hour, Scopes: []access.Right{access.Read}})
		must(t, err)
		a, err := h.Authenticate(h.ctx, issued.Secret)
		must(t, err)
		if !slices.Equal(a.Rights, []access.Right{access.Read}) {
			t.Errorf("rights %v", a.Rights)
		}
		must(t, h.RevokeToken(h.ctx, h.as("ann"), issued.ID, "lost"))
		for name, secret := range map[string]string{
			"revoked": issued.Secret, "none": "", "garbage": "sbx_api_x_y", "long": strings.Repeat("a", 10_000), "changed": issued.Secret[:len(issued.Secret)-1] + "0",
		} {
			if _, err := h.Authenticate(h.ctx, secret); fault.KindOf(err) != fault.Unauthorised {
				t.Errorf("%s: %v", name, err)
			}
		}
		offer, err := h.OfferSignIn(h.ctx, h.as("ann"), time.Hour)
		must(t, err)
		if _, err := h.Authenticate(h.ctx, offer.Secret); fault.KindOf(err) != fault.Unauthorised {
			t.Errorf("a sign-in token calls the API: %v", err)
		}
		session, err := h.SignIn(h.ctx, offer.Secret)
		must(t, err)
		if _, err := h.SignIn(h.ctx, offer.Secret); fault.KindOf(err) != fault.Unauthorised {
			t.Errorf("a one-time token signs in twice: %v", err)
		}
		if who, err := h.Refresh(h.ctx, session); err != nil || who.Subject != h.who["ann"].Subject {
			t.Errorf("the session is %v, %v", who.Subject, err)
		}
	})
}

func TestSetupOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		h := raise(t, open(), t.TempDir()+"/keys")
		offer, err := h.OfferSetup(h.ctx)
		must(t, err)
		founder := control.Founder{Handle: "root", Name: "Root Example", Email: "root@example.com"}
		_, err = h.Setup(h.ctx, "sbx_setup_guess", founder)
		wants(t, err, fault.Unauthorised, "access.token")
		var wg sync.WaitGroup
		made := make(chan bool, 4)
		for n := range cap(made) {
			wg.Go(func() {
				f := founder
				f.Handle = fmt.Sprintf("root%d", n)
				_, err := h.Setup(h.ctx, offer.Secret, f)
				made <- err == nil
			})
		}
		wg.Wait()
		close(made)
		n := 0
		for ok := range made {
			if ok {
				n++
			}
		}
		if n != 1 {
			t.Errorf("one link made %d administrators", n)
		}
		_, err = h.OfferSetup(h.ctx)
		wants(t, err, fault.Conflict, "setup.done")
	})
}

func TestCatalogImport(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		again, err := h.ImportCatalog(h.ctx, h.as("root"), "catalog.yaml", []byte(catalogFile))
		must(t, err)
		if again.Added != 0 || again.Changed != 0 || again.Same == 0 {
			t.Errorf("the same file again: %+v", again)
		}
		renamed := strings.Replace(catalogFile, "Ann Example", "Ann Other", 1)
		changed, err := h.ImportCatalog(h.ctx, h.as("root"), "catalog.yaml", []byte(renamed))
		must(t, err)
		if changed.Changed != 1 || changed.Added != 0 {
			t.Errorf("a renamed person: %+v", changed)
		}
		stolen := strings.Replace(renamed, "ben@example.com", "ann@example.com", 1)
		if _, err := h.ImportCatalog(h.ctx, h.as("root"), "catalog.yaml", []byte(stolen)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("one address for two persons: %v", err)
		}
	})
}

// No name, handle or address stands in what folds and decisions rest on.
func TestNoPersonalDataOutsidePrivate(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.prepare()
		h.approve(id, "ben", "cid")
		h.ask()
		facts, err := h.Journal.Facts(h.ctx, 0, 1000)
		must(t, err)
		private := 0
		for _, f := range facts {
			for _, b := range [][]byte{f.HeaderBytes, f.BodyBytes} {
				lower := bytes.ToLower(b)
				for _, personal := range []string{"@example.com", "ann example", "ben example", "root example"} {
					if bytes.Contains(lower, []byte(personal)) {
						t.Errorf("%s at %d holds %q", f.Kind, f.Position, personal)
					}
				}
			}
			private += bytes.Count(bytes.ToLower(f.PrivateBytes), []byte("example"))
		}
		if private == 0 {
			t.Error("no personal data was recorded at all: the test looks for nothing")
		}
	})
}
