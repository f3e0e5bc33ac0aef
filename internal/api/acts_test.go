package api_test

import (
	"errors"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/wire"
)

// What PostgreSQL cannot look for is refused on both stores alike.
func TestZeroBytes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, path := range []string{
			"/api/v1/releases/%00", "/api/v1/releases/%ff", "/api/v1/decisions/a%00b", "/api/v1/permits/%c0%80", "/api/v1/decisions?service=%00",
			"/api/v1/decisions?environment=%ff", "/api/v1/deployments?service=a%00", "/api/v1/evidence?digest=%00",
		} {
			if r := h.send(t, message{method: "GET", path: path, as: "viewer"}); r.status != 404 && r.status != 422 {
				t.Errorf("%s: %d %s", path, r.status, r.body)
			}
		}
		for path, body := range map[string]string{
			"/api/v1/freezes":            `{"name":"a\u0000","reason":"r"}`,
			"/api/v1/gate":               `{"service":"shop\u0000","version":"v1","digest":"` + digest + `","environment":"production"}`,
			"/api/v1/freezes/a%00b/lift": `{"reason":"r"}`,
		} {
			who := "manager"
			if strings.HasSuffix(path, "gate") {
				who = "pipeline"
			}
			if r := h.send(t, message{path: path, body: body, as: who}); r.status != 404 && r.status != 422 {
				t.Errorf("%s: %d %s", path, r.status, r.body)
			}
		}
		for _, key := range []string{"a b", "\xff", strings.Repeat("k", 256)} {
			if r := h.send(t, message{path: "/api/v1/freezes", body: freeze, as: "manager", header: map[string]string{wire.KeyHeader: key}}); r.status != 422 || r.problem(t).Code != "request.key" {
				t.Errorf("key %q: %d %s", key, r.status, r.body)
			}
		}
	})
}

func TestCatalogLists(t *testing.T) {
	h := raise(t, sqlite(t))
	viewer := h.client(t, "viewer")
	services, err := viewer.Services(t.Context(), wire.Paging{})
	must(t, err)
	environments, err := viewer.Environments(t.Context(), wire.Paging{})
	must(t, err)
	machines, err := viewer.Machines(t.Context(), wire.Paging{})
	must(t, err)
	people, err := viewer.People(t.Context(), wire.Paging{})
	must(t, err)
	if len(services.Items) != 1 || services.Items[0].Name != "shop" || services.Items[0].Tier != 1 ||
		len(environments.Items) != 1 || environments.Items[0].Kind != "production" ||
		len(machines.Items) != 1 || machines.Items[0].Roles[0] != "pipeline" || len(people.Items) != 6 {
		t.Errorf("%+v\n%+v\n%+v\n%+v", services, environments, machines, people)
	}
	done, err := h.client(t, "administrator").ImportCatalog(t.Context(), "catalog.yaml", []byte(catalogFile))
	must(t, err)
	if done.Added != 0 || done.Changed != 0 || done.Same == 0 {
		t.Errorf("imported again: %+v", done)
	}
	_, err = h.client(t, "administrator").ImportCatalog(t.Context(), "catalog.yaml", []byte("apiVersion: signalbox/v1\nkind: Service\nname: shop\ntierr: 1\n"))
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Where.File != "catalog.yaml" || f.Where.Line != 4 {
		t.Errorf("a broken file: %v", err)
	}
}

// One sees one's own tokens; whoever grants sees all; no list shows a secret.
func TestTokens(t *testing.T) {
	h := raise(t, sqlite(t))
	own, err := h.client(t, "viewer").Tokens(t.Context(), wire.Paging{})
	must(t, err)
	all, err := h.client(t, "administrator").Tokens(t.Context(), wire.Paging{})
	must(t, err)
	if len(own.Items) != 1 || len(all.Items) < 8 {
		t.Errorf("own %d, all %d", len(own.Items), len(all.Items))
	}
	if r := h.send(t, message{method: "GET", path: "/api/v1/tokens", as: "administrator"}); strings.Contains(string(r.body), "sbx_") || strings.Contains(string(r.body), "hash") {
		t.Errorf("tokens: %s", r.body)
	}
	for body, want := range map[string]int{
		`{"hours":1,"scopes":["read"]}`: 200, `{"hours":1,"scopes":["grant"]}`: 403, `{"hours":1,"scopes":["everything"]}`: 422, `{"hours":-1}`: 422, `{"hours":99999}`: 422,
		`{"handle":"manager"}`: 403, `{"machine":"pipeline"}`: 403, `{"machine":"nobody"}`: 404, `{"label":"` + strings.Repeat("l", 201) + `"}`: 422,
	} {
		if r := h.send(t, message{path: "/api/v1/tokens", body: body, as: "viewer"}); r.status != want {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
	offer, err := h.client(t, "viewer").OfferSignIn(t.Context())
	must(t, err)
	h.tokens["offer"] = offer.Secret
	_, err = h.client(t, "offer").Me(t.Context())
	wants(t, err, fault.Unauthorised, "access.token")
	if _, err := h.control.SignIn(t.Context(), offer.Secret); err != nil {
		t.Errorf("the offer does not sign in: %v", err)
	}
}

// A release is revised, moved and listed; a revision voids the votes before it.
func TestReleases(t *testing.T) {
	h := raise(t, sqlite(t))
	ctx, dev := t.Context(), h.client(t, "developer")
	opened, err := dev.OpenRelease(ctx, wire.ReleaseRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Draft: true})
	must(t, err)
	again, err := dev.OpenRelease(ctx, wire.ReleaseRequest{Service: "shop", Version: "v1.1.0", Digest: digest})
	must(t, err)
	if opened.ID != again.ID || again.Phase != "draft" || again.People[strings.TrimPrefix(again.OpenedBy, "person/")] != "Ada Example" {
		t.Errorf("again: %+v", again)
	}
	_, err = dev.MoveRelease(ctx, opened.ID, wire.MoveRequest{To: "submitted", Reason: "ready"})
	must(t, err)
	_, err = dev.MoveRelease(ctx, opened.ID, wire.MoveRequest{To: "deploying", Environment: "production", Reason: "now"})
	wants(t, err, fault.Forbidden, "access.missing-right")
	_, err = dev.ReviseRelease(ctx, opened.ID, wire.ReviseRequest{Size: "major"})
	must(t, err)
	_, err = dev.ReviseRelease(ctx, opened.ID, wire.ReviseRequest{Size: "huge"})
	wants(t, err, fault.Invalid, "release.size")
	listed, err := dev.Releases(ctx, wire.ReleaseFilter{Service: "shop"})
	must(t, err)
	if len(listed.Items) != 1 || listed.Items[0].Phase != "submitted" {
		t.Errorf("listed: %+v", listed)
	}
	shown, err := dev.Release(ctx, opened.ID)
	must(t, err)
	if shown.Revision != 2 || shown.Size != "major" {
		t.Errorf("shown: %+v", shown)
	}
	_, err = dev.ReadChange(ctx, opened.ID, wire.ReadChangeRequest{From: "a", To: "b"})
	wants(t, err, fault.Invalid, "change.no-repository")
	_, err = dev.InspectChange(ctx, wire.InspectChangeRequest{Service: "shop", From: "a", To: "b"})
	wants(t, err, fault.Invalid, "change.no-repository")
	_, err = dev.InspectChange(ctx, wire.InspectChangeRequest{Service: "nothing"})
	wants(t, err, fault.NotFound, "catalog.unknown-service")
	bad := sent()
	bad.Digest = "none"
	_, err = dev.AttachChange(ctx, opened.ID, bad)
	wants(t, err, fault.Invalid, "release.digest")
	_, err = dev.Release(ctx, "nothing")
	wants(t, err, fault.NotFound, "release.unknown")
}

// A recalled permit starts nothing authorised; evidence is shown as it stands; a vote is withdrawn.
func TestRecall(t *testing.T) {
	h := raise(t, sqlite(t))
	answer := h.granted(t)
	ctx, d := t.Context(), answer.Decision
	_, err := h.client(t, "manager").RecallPermit(ctx, d.Permit, wire.Reasoned{Reason: "wrong build"})
	must(t, err)
	p, err := h.client(t, "viewer").Permit(ctx, d.Permit)
	must(t, err)
	if p.State != "recalled" || p.Recalled.IsZero() {
		t.Errorf("permit: %+v", p)
	}
	started, err := h.client(t, "pipeline").StartDeployment(ctx, wire.StartRequest{Service: "shop", Version: "v1.1.0", Digest: digest, Environment: "production", Permit: answer.Permit})
	must(t, err)
	if started.Authorised || started.Code != "permit.recalled" {
		t.Errorf("started: %+v", started)
	}
	_, err = h.client(t, "pipeline").FinishDeployment(ctx, started.ID)
	must(t, err)
	_, err = h.client(t, "pipeline").FailDeployment(ctx, started.ID, wire.FailRequest{})
	wants(t, err, fault.Conflict, "deployment.ended")
	claims, err := h.client(t, "viewer").Evidence(ctx, digest)
	must(t, err)
	kinds := map[string]bool{}
	for _, c := range claims.Claims {
		kinds[c.Kind] = c.Provenance == "pipeline" && (c.Findings != nil || c.Tests != nil && c.Tests.Passed == 2 || c.Coverage != nil && c.Coverage.LineRate == 0.9)
	}
	if len(claims.Claims) != 3 || !kinds["findings"] || !kinds["tests"] || !kinds["coverage"] {
		t.Errorf("claims: %+v", claims)
	}
	_, err = h.client(t, "approver").Unvote(ctx, d.Release, wire.UnvoteRequest{Environment: "production"})
	must(t, err)
	after, err := h.client(t, "viewer").Preview(ctx, d.Release, "production")
	must(t, err)
	if after.Decision.Verdict == wire.Go {
		t.Error("still a go after a vote was withdrawn")
	}
	_, err = h.client(t, "pipeline").AddEvidence(ctx, wire.EvidenceTarget{Service: "shop", Version: "v1.1.0", Digest: digest}, strings.NewReader("no report"))
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("no report: %v", err)
	}
	_, err = h.client(t, "pipeline").AddEvidence(ctx, wire.EvidenceTarget{Service: "other", Version: "v1.1.0", Digest: digest}, strings.NewReader(reports[0]))
	wants(t, err, fault.Forbidden, "access.other-service")
}
