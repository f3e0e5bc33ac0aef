package control_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/calendar"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
)

// confined is cid, release manager, with a token that only reads.
func (h *house) confined() control.Request {
	h.t.Helper()
	issued, err := h.IssueToken(h.ctx, h.as("cid"), control.TokenRequest{Life: time.Hour, Scopes: []access.Right{access.Read}})
	must(h.t, err)
	a, err := h.Authenticate(h.ctx, issued.Secret)
	must(h.t, err)
	return control.Request{Actor: a}
}

// A token never yields another one with more rights, however its holder is named.
func TestConfinedTokenStaysConfined(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		r := h.confined()
		for _, q := range []control.TokenRequest{{}, {Handle: "cid"}} {
			q.Life = time.Hour
			issued, err := h.IssueToken(h.ctx, r, q)
			must(t, err)
			a, err := h.Authenticate(h.ctx, issued.Secret)
			must(t, err)
			if len(a.Rights) != 1 || a.Rights[0] != access.Read || !a.Confined {
				t.Errorf("asked as %q: %v", q.Handle, a.Rights)
			}
			q.Scopes = []access.Right{access.Approve}
			_, err = h.IssueToken(h.ctx, r, q)
			wants(t, err, fault.Forbidden, "token.exceeds")
		}
	})
}

// Groups let a person freeze under a rule; a token that only reads does not.
func TestConfinedTokenDoesNotFreeze(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		q := control.FreezeRequest{Name: "quiet", Rule: "freeze", Reason: "x"}
		_, err := h.DeclareFreeze(h.ctx, h.confined(), q)
		wants(t, err, fault.Forbidden, "access.missing-right")
		_, err = h.DeclareFreeze(h.ctx, h.as("cid"), q)
		must(t, err)
		_, err = h.LiftFreeze(h.ctx, h.confined(), "quiet", "x")
		wants(t, err, fault.Forbidden, "access.missing-right")
	})
}

// The catalog is no way around the rule that nobody grants themselves.
func TestNobodyDescribesThemselvesUp(t *testing.T) {
	const group = "apiVersion: signalbox/v1\nkind: Group\nname: release-approvers\n---\n"
	const root = group + "apiVersion: signalbox/v1\nkind: Person\nname: root\ndisplay: Root Example\nemails: [root@example.com]\n"
	each(t, func(t *testing.T, h *house) {
		for _, more := range []string{"roles: [approver]\n", "groups: [release-approvers]\n"} {
			_, err := h.ImportCatalog(h.ctx, h.as("root"), "catalog.yaml", []byte(root+more))
			wants(t, err, fault.Forbidden, "access.own-grant")
		}
		_, err := h.ImportCatalog(h.ctx, h.as("root"), "catalog.yaml", []byte(root+"roles: [administrator]\n"))
		must(t, err)
		must(t, h.Regrant(h.ctx, h.as("root"), control.Regrant{Handle: "ann", Role: "administrator", Reason: "second pair of eyes"}))
		_, err = h.ImportCatalog(h.ctx, h.as("root"), "catalog.yaml", []byte(strings.ReplaceAll(root, "root", "ben")+"roles: [viewer]\n"))
		must(t, err)
	})
}

func TestLastAdministratorStays(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		drop := control.Regrant{Handle: "root", Role: "administrator", Reason: "x", Revoke: true}
		wants(t, h.Regrant(h.ctx, h.as("root"), drop), fault.Conflict, "access.last-administrator")
		wants(t, h.Depart(h.ctx, h.as("root"), "root", "left"), fault.Conflict, "access.last-administrator")
		must(t, h.Regrant(h.ctx, h.as("root"), control.Regrant{Handle: "ben", Role: "administrator", Reason: "successor"}))
		must(t, h.Regrant(h.ctx, h.as("root"), drop))
		there, err := h.Administered(h.ctx)
		must(t, err)
		if !there {
			t.Error("nobody is administrator")
		}
	})
}

// reader fails the test where the server reads a repository for the wrong asker.
type reader struct{ asked int }

func (r *reader) ReadChange(context.Context, string, string, string) (change.Raw, error) {
	r.asked++
	return change.Raw{}, fault.Invalidf("test", "nothing to read")
}

// A pipeline of another service does not have the server read this one's repository.
func TestForeignPipelineReadsNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.prepare()
		read := &reader{}
		h.Changes = read
		_, err := h.ImportCatalog(h.ctx, h.as("root"), "catalog.yaml", []byte(strings.Replace(catalogFile, "kind: Service\nname: shop\n", "kind: Service\nname: shop\nrepository: /srv/shop\n", 1)+
			"---\napiVersion: signalbox/v1\nkind: Service\nname: ledger\ntier: 1\nteam: shop\n---\napiVersion: signalbox/v1\nkind: Machine\nname: ledger-ci\nservices: [ledger]\nroles: [pipeline]\n"))
		must(t, err)
		issued, err := h.IssueToken(h.ctx, h.as("root"), control.TokenRequest{Machine: "ledger-ci", Life: time.Hour})
		must(t, err)
		h.who["ledger-ci"], err = h.Authenticate(h.ctx, issued.Secret)
		must(t, err)
		_, err = h.ReadChange(h.ctx, h.as("ledger-ci"), id, "a", "b")
		wants(t, err, fault.Forbidden, "access.other-service")
		if read.asked != 0 {
			t.Error("the repository was read all the same")
		}
		_, err = h.ReadChange(h.ctx, h.as("ci"), id, "a", "b")
		wants(t, err, fault.Invalid, "test")
	})
}

// The decision that opens a release rests on what the next one rests on: asked
// again at once, it stands, and no second permit is signed.
func TestFirstDecisionStands(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first := h.ask()
		time.Sleep(2 * time.Millisecond)
		if again := h.ask(); !again.Standing || again.Decision.ID != first.Decision.ID {
			t.Errorf("the first decision, asked again, was taken anew")
		}
	})
}

// An address says whose commits are whose: it is not claimed from whoever holds
// it, and moves only where the file says so of both.
func TestAddressIsNotClaimed(t *testing.T) {
	const eve = "apiVersion: signalbox/v1\nkind: Person\nname: eve\ndisplay: Eve Example\nemails: [ann@example.com]\n"
	const ann = "---\napiVersion: signalbox/v1\nkind: Person\nname: ann\ndisplay: Ann Example\nemails: [ann@home.example.com]\n"
	each(t, func(t *testing.T, h *house) {
		_, err := h.ImportCatalog(h.ctx, h.as("root"), "catalog.yaml", []byte(eve))
		wants(t, err, fault.Conflict, "catalog.address-taken")
		moved, err := h.ImportCatalog(h.ctx, h.as("root"), "catalog.yaml", []byte(strings.TrimPrefix(ann, "---\n")+"---\n"+eve))
		must(t, err)
		if moved.Added != 1 || moved.Changed != 1 {
			t.Errorf("moved: %+v", moved)
		}
	})
}

// A freeze that names no rule follows the only one there is, and a scope that
// names what nobody knows is refused.
func TestFreezeFollowsThePolicy(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		must(t, h.Regrant(h.ctx, h.as("root"), control.Regrant{Handle: "ben", Role: "release-manager", Reason: "holds the right, is in no group"}))
		h.sign("ben")
		_, err := h.DeclareFreeze(h.ctx, h.as("ben"), control.FreezeRequest{Name: "bare", Reason: "x"})
		wants(t, err, fault.Forbidden, "freeze.not-in-group")
		f, err := h.DeclareFreeze(h.ctx, h.as("cid"), control.FreezeRequest{Name: "bare", Reason: "x"})
		must(t, err)
		if f.Rule != "freeze" {
			t.Errorf("it follows %q", f.Rule)
		}
		_, err = h.LiftFreeze(h.ctx, h.as("ben"), "bare", "x")
		wants(t, err, fault.Forbidden, "freeze.not-in-group")
		for _, s := range []calendar.Scope{{Services: []string{"shops"}}, {Environments: []string{"prodution"}}, {Kinds: []string{"live"}}, {Tiers: []int{4}}} {
			_, err := h.DeclareFreeze(h.ctx, h.as("cid"), control.FreezeRequest{Name: "typo", Reason: "x", Scope: s})
			wants(t, err, fault.Invalid, "freeze.scope")
		}
	})
}
