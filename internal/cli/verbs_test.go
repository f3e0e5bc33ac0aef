package cli

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/doctor"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/wire"
)

var nine = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// Each verb asks the server for exactly one thing, and prints what it answered.
func TestVerbsAskTheServer(t *testing.T) {
	answers := map[string]any{
		"POST /releases": wire.Release{ID: "r1", Service: "payments", Version: "1.4.2", Phase: "submitted", Revision: 1, OpenedBy: "person/p1", People: map[string]string{"p1": "Ada Example"}},
		"GET /releases":  wire.Page[wire.ReleaseSummary]{Items: []wire.ReleaseSummary{{ID: "r1", Service: "pay\x1bments", OpenedAt: nine}}},
		"GET /releases/r1": wire.Release{
			ID: "r1", Targets: map[string]wire.Target{"production": {Phase: "approving", Verdict: "wait", Decision: "d1"}},
			Votes: []wire.Vote{{Person: "p1", Environment: "production", Answer: "approve", At: nine}}, People: map[string]string{"p1": "Carol Example"},
			Change: &wire.AttachedChange{Digest: "sha256:cc", Commits: 1, Contributors: 2, Provenance: "server"},
		},
		"POST /releases/r1/revisions": wire.Done{}, "POST /releases/r1/moves": wire.Done{}, "POST /releases/r1/votes/withdraw": wire.Done{},
		"POST /change/inspections":      wire.Change{Commits: 5, SemverStep: "major"},
		"POST /releases/r1/change/read": wire.Change{Commits: 4, SemverStep: "minor"},
		"GET /decisions/d1":             wire.RecordedDecision{Decision: decided(wire.NoGo).Decision, Receipt: wire.Receipt{Origin: "o", Position: 5}},
		"GET /releases/r1/preview":      wire.Preview{Subject: "sha256:55", Decision: decided(wire.Wait).Decision},
		"GET /evidence": wire.Artifact{Claims: []wire.Claim{
			{Kind: "tests", Tests: &wire.Tests{Total: 3, Passed: 3}, Provenance: "pipeline"},
			{Kind: "findings", Findings: &wire.Findings{Total: 2, High: 2}},
			{Kind: "coverage", Coverage: &wire.Coverage{LineRate: 0.5, LinesCovered: 1, LinesValid: 2}},
		}},
		"POST /freezes": wire.Freeze{Name: "year-end", From: nine}, "POST /freezes/year-end/lift": wire.Freeze{Name: "year-end"},
		"GET /freezes":               wire.Page[wire.Freeze]{Items: []wire.Freeze{{Name: "year-end", From: nine, ByName: "Erin Example", Reason: "agreed"}}},
		"GET /policy":                wire.Policy{},
		"POST /policy/deactivations": wire.Activation{Name: "starter", Version: "1", Deactivated: true},
		"GET /policy/history":        wire.Page[wire.Activation]{Items: []wire.Activation{{Name: "starter", Version: "1", By: "person/p", Reason: "first"}}},
		"GET /services":              wire.Page[wire.Service]{Items: []wire.Service{{Name: "payments", Tier: 1, Team: "checkout"}}},
		"GET /environments":          wire.Page[wire.Environment]{Items: []wire.Environment{{Name: "production", Kind: "production"}}},
		"GET /people":                wire.Page[wire.Person]{Items: []wire.Person{{Handle: "ada", Name: "Ada Example", Roles: []string{"approver"}}}},
		"GET /machines":              wire.Page[wire.Machine]{Items: []wire.Machine{{Name: "ci", Purpose: "builds"}}},
		"POST /deployments":          wire.Deployment{ID: "x1", Status: "started", Authorised: true}, "POST /deployments/end": wire.Deployment{ID: "x1", Status: "failed", Reached: "some"},
		"GET /deployments":        wire.Page[wire.Deployment]{Items: []wire.Deployment{{Service: "payments", Started: nine, Code: "permit.none"}}},
		"GET /permits/p1":         wire.PermitState{ID: "p1", State: "redeemed", Redeemed: nine},
		"POST /permits/p1/recall": wire.Done{},
		"GET /tokens":             wire.Page[wire.Token]{Items: []wire.Token{{ID: "t1", Revoked: true}, {ID: "t2", Spent: true}, {ID: "t3"}, {ID: "t4", Expires: time.Now().Add(time.Hour)}}},
		"POST /tokens/t1/revoke":  wire.Done{}, "POST /roles/grant": wire.Done{}, "POST /roles/revoke": wire.Done{}, "POST /people/bob/depart": wire.Done{},
		"POST /signin-offers":     wire.IssuedToken{Secret: "sbx_once", Expires: nine},
		"GET /journal/checkpoint": "signalbox.local/x\n7\n\x1b\n", "GET /keys": "journal a+b+c\n",
	}
	const version = "--service payments --version 1.4.2 --digest " + artifact
	for _, c := range []struct {
		args, call, body, prints string
	}{
		{"release open --draft --size major " + version, "POST /releases", `"draft":true`, "state        submitted"},
		{"release list", "GET /releases", "", "pay\ufffdments"},
		{"release show r1", "GET /releases/r1", "", "to production approving, wait, decision d1"},
		{"release show r1", "GET /releases/r1", "", "Carol Example for production"},
		{"release revise r1 --size minor", "POST /releases/r1/revisions", `{"size":"minor"}`, "revised r1"},
		{"release move r1 closed --env production --reason done", "POST /releases/r1/moves", `{"environment":"production","to":"closed","reason":"done"}`, "r1 is closed"},
		{"release submit r1", "POST /releases/r1/moves", `"to":"submitted"`, "r1 is submitted"},
		{"release withdraw r1 --reason no", "POST /releases/r1/moves", `"to":"withdrawn"`, "r1 is withdrawn"},
		{"change inspect --server-reads --service payments --from a --to b", "POST /change/inspections", `{"service":"payments","from":"a","to":"b"}`, "commits      5"},
		{"change read r1 --from a --to b", "POST /releases/r1/change/read", `{"from":"a","to":"b"}`, "commits      4"},
		{"why d1", "GET /decisions/d1", "", "✗ no-go: "},
		{"why r1 --env production", "GET /releases/r1/preview", "", "nothing was recorded by asking"},
		{"unvote r1 --env production", "POST /releases/r1/votes/withdraw", `"production"`, "withdrawn"},
		{"evidence list --digest " + artifact, "GET /evidence", "", "2: 0 critical, 2 high"},
		{"evidence list --digest " + artifact, "GET /evidence", "", "50.0 % of lines (1 of 2)"},
		{"freeze declare year-end --reason agreed --environment production --tier 1 --until 2027-01-01T00:00:00+01:00", "POST /freezes", `"scope":{"environments":["production"],"tiers":[1]},"until":"2026-12-31T23:00:00Z"`, "until it is lifted"},
		{"freeze lift year-end --reason over", "POST /freezes/year-end/lift", `{"reason":"over"}`, "lifted year-end"},
		{"freeze list --all", "GET /freezes", "", "Erin Example"},
		{"policy show", "GET /policy", "", "no policy is active"},
		{"policy history", "GET /policy/history", "", "person/p"},
		{"policy deactivate --reason wrong", "POST /policy/deactivations", `{"reason":"wrong"}`, "deactivated starter 1: every answer is cannot tell"},
		{"catalog show", "GET /machines", "", "tier 1, team checkout"},
		{"deploy started --env production --run https://ci.example.com/1 " + version, "POST /deployments", `"run":"https://ci.example.com/1"`, "authorised   yes"},
		{"deploy failed --env production --reached some --reason broke " + version, "POST /deployments/end", `"failed":true,"reached":"some","reason":"broke"`, "failed"},
		{"deploy list", "GET /deployments", "", "no: permit.none"},
		{"permit show p1", "GET /permits/p1", "", "redeemed     2026-11-23 09:00 UTC"},
		{"permit recall p1 --reason late", "POST /permits/p1/recall", `{"reason":"late"}`, "recalled p1"},
		{"token list", "GET /tokens", "", "expired"},
		{"token revoke t1 --reason lost", "POST /tokens/t1/revoke", `{"reason":"lost"}`, "revoked t1"},
		{"role grant approver --person ada --reason r", "POST /roles/grant", `{"handle":"ada","role":"approver","reason":"r"}`, "granted: approver, ada"},
		{"role revoke pipeline --machine ci --reason r", "POST /roles/revoke", `{"machine":"ci","role":"pipeline","reason":"r"}`, "revoked: pipeline, ci"},
		{"person depart bob --reason left", "POST /people/bob/depart", `{"reason":"left"}`, "departed: bob"},
		{"open d1", "POST /signin-offers", "", "/signin?code=sbx_once&next=%2Fdecisions%2Fdecision-no-go"},
		{"journal checkpoint", "GET /journal/checkpoint", "", "signalbox.local/x\n7\n\ufffd"},
		{"keys show", "GET /keys", "", "journal a+b+c"},
	} {
		f := serve(t, answers)
		w := f.at(t)
		o := w.run(t, strings.Fields(c.args)...)
		o.expect(t, 0, c.prints)
		bodies := f.bodies(c.call)
		if len(bodies) != 1 || !strings.Contains(bodies[0], c.body) {
			t.Errorf("%s: %s was sent %q, want %q", c.args, c.call, bodies, c.body)
		}
		if strings.Contains(o.out, "\x1b") {
			t.Errorf("%s: a control byte reached the terminal", c.args)
		}
		if strings.Contains(c.args, "journal") || strings.Contains(c.args, "keys") {
			continue
		}
		if o := w.run(t, append(strings.Fields(c.args), "-o", "json")...); o.code != 0 || !json.Valid([]byte(o.out)) {
			t.Errorf("%s -o json: exit %d, %s", c.args, o.code, o.out)
		}
	}
}

func TestVoteIsForWhatWasSeen(t *testing.T) {
	f := serve(t, map[string]any{
		"GET /releases/r1/preview": wire.Preview{Subject: "sha256:55", Environment: "production", Decision: decided(wire.Wait).Decision},
		"POST /releases/r1/votes":  wire.Done{},
	})
	w := f.at(t)
	w.in = "y\n" // it is not a terminal, so it confirms nothing
	w.run(t, "approve", "r1", "--env", "production").expect(t, 2, "… wait: ", "give --yes")
	if len(f.bodies("POST /releases/r1/votes")) != 0 {
		t.Error("a vote was cast that nobody confirmed")
	}
	o := w.run(t, "approve", "r1", "--env", "production", "--yes", "--comment", "fine", "-o", "json")
	o.expect(t, 0, "subject     sha256:55")
	if o.out != "{}\n" {
		t.Errorf("standard output has more than the answer: %q", o.out)
	}
	w.run(t, "reject", "r1", "--env", "production", "--yes", "--comment", "no").expect(t, 0)
	votes := f.bodies("POST /releases/r1/votes")
	if len(votes) != 2 || votes[0] != `{"environment":"production","answer":"approve","comment":"fine","seen":"sha256:55"}` || !strings.Contains(votes[1], `"answer":"reject"`) {
		t.Errorf("sent %q", votes)
	}
}

func TestUnauthorisedDeploymentIsNoSuccess(t *testing.T) {
	f := serve(t, map[string]any{"POST /deployments": wire.Deployment{ID: "x1", Status: "started", Code: "permit.expired"}})
	w := f.at(t)
	args := strings.Fields("deploy started --service s --version 1 --environment e --digest " + artifact)
	w.run(t, args...).expect(t, 7, "authorised   no: permit.expired", "unauthorised deployment", "permit.expired")
	write(t, "permit.json", `{"payload":`)
	w.run(t, append(args, "--permit", "permit.json")...).expect(t, 7, "holds no permit")
	w.run(t, append(args, "--permit", "nowhere")...).expect(t, 2, "cannot be read")
	if n := len(f.bodies("POST /deployments")); n != 1 {
		t.Errorf("%d deployments were reported", n)
	}
}

func TestSecretsAreWrittenForTheirOwnerAlone(t *testing.T) {
	f := serve(t, map[string]any{"POST /tokens": wire.IssuedToken{ID: "t1", Secret: "sbx_secret", Expires: nine}})
	w := f.at(t)
	for _, format := range []string{"table", "json", "yaml"} {
		o := w.run(t, "token", "issue", "--machine", "ci", "--life", "24h", "--scopes", "read, gate", "--out", "token."+format, "-o", format)
		o.expect(t, 0, "t1")
		if strings.Contains(o.out+o.err, "sbx_secret") {
			t.Errorf("the secret is shown: %s", o.out)
		}
		if b, err := os.ReadFile("token." + format); err != nil || string(b) != "sbx_secret\n" {
			t.Errorf("%q %v", b, err)
		}
		if info, err := os.Stat("token." + format); err != nil || info.Mode().Perm() != 0o600 {
			t.Error("others can read the token")
		}
	}
	if got := f.bodies("POST /tokens")[0]; got != `{"machine":"ci","scopes":["read","gate"],"hours":24}` {
		t.Errorf("asked for %s", got)
	}
	before := len(f.bodies("POST /tokens"))
	w.run(t, "token", "issue", "--out", "token.table").expect(t, 2, "does not exist yet")
	w.run(t, "token", "issue", "--out", "nowhere/token").expect(t, 2, "cannot be written")
	if n := len(f.bodies("POST /tokens")); n != before {
		t.Errorf("%d tokens were issued that nobody has", n-before)
	}
	if o := w.run(t, "token", "issue", "--out", "-"); o.out != "sbx_secret\n" {
		t.Errorf("standard output: %q", o.out)
	}
	f = serve(t, map[string]any{"POST /tokens": wire.IssuedToken{ID: "t1"}})
	w = f.at(t)
	w.run(t, "token", "issue", "--out", "-").expect(t, 8, "issue another token")
	w.run(t, "token", "issue", "--out", "none.token").expect(t, 8, "issue another token")
	if _, err := os.Stat("none.token"); err == nil {
		t.Error("a file is left of a token that was not issued")
	}
}

func TestListsAreReadPageByPage(t *testing.T) {
	f := serve(t, map[string]any{"GET /releases": func(q request) any {
		if strings.Contains(q.query, "cursor=next") {
			return wire.Page[wire.ReleaseSummary]{Items: []wire.ReleaseSummary{{ID: "r3"}}, Next: "more"}
		}
		return wire.Page[wire.ReleaseSummary]{Items: []wire.ReleaseSummary{{ID: "r1"}, {ID: "r2"}}, Next: "next"}
	}})
	w := f.at(t)
	o := w.run(t, "release", "list", "--limit", "3", "-o", "json")
	var items []wire.ReleaseSummary
	if err := json.Unmarshal([]byte(o.out), &items); err != nil || len(items) != 3 || items[2].ID != "r3" {
		t.Errorf("%v %v", items, err)
	}
	o.expect(t, 0, "there are more: --limit 6")
	f = serve(t, map[string]any{"GET /releases": wire.Page[wire.ReleaseSummary]{}})
	f.at(t).run(t, "release", "list", "-o", "json").expect(t, 0, "[]")
	f.at(t).run(t, "release", "list").expect(t, 0, "none")
}

// Either pack is written as it is, compiles and passes its tests; what stands
// there already is not overwritten.
func TestAPackIsWhereAPolicyStarts(t *testing.T) {
	w := serve(t, nil).at(t)
	for flags, pack := range map[string]string{"": "starter", "--pack=starter": "starter", "--pack=regulated": "regulated"} {
		dir := "p-" + flags
		args := append([]string{"policy", "init"}, strings.Fields(flags)...)
		w.run(t, append(args, "--", dir)...).expect(t, 0)
		files, _ := policy.Pack(pack)
		for _, f := range files {
			if got, err := os.ReadFile(filepath.Join(dir, f.Name)); err != nil || string(got) != string(f.Data) {
				t.Errorf("%s of %s: %v", f.Name, pack, err)
			}
		}
		w.run(t, "policy", "test", "--", dir).expect(t, 0, "passed")
		w.run(t, append(args, "--", dir)...).expect(t, 8)
	}
	w.run(t, "policy", "init", "--pack", "strict", "q").expect(t, 2, `no pack "strict"`, "starter or regulated")
}

func TestPolicyAndCatalogGoToTheServer(t *testing.T) {
	f := serve(t, map[string]any{"POST /policy/activations": wire.Activation{Name: "starter", Version: "1.0", Effective: nine}, "POST /catalog/imports": wire.Imported{Added: 2}})
	w := f.at(t)
	w.run(t, "policy", "init", "p").expect(t, 0)
	w.run(t, "policy", "activate", "p", "--reason", "first", "--effective", "2026-12-01T00:00:00Z").expect(t, 0, "activated starter 1.0")
	var sent wire.PolicyRequest
	if err := json.Unmarshal([]byte(f.bodies("POST /policy/activations")[0]), &sent); err != nil {
		t.Fatal(err)
	}
	if len(sent.Files) != len(policy.Starter()) || sent.Reason != "first" || sent.Effective.IsZero() {
		t.Errorf("sent %d files for %q", len(sent.Files), sent.Reason)
	}
	write(t, "p/gates.yaml", "apiVersion: signalbox/v1\nkind: Gate\nname: one\ncondtion: true\n")
	w.run(t, "policy", "activate", "p", "--reason", "second").expect(t, 2, "condtion")
	if len(f.bodies("POST /policy/activations")) != 1 {
		t.Error("a policy that does not compile was sent")
	}
	team := "apiVersion: signalbox/v1\nkind: Team\nname: checkout\n"
	write(t, "catalog.yaml", team)
	w.run(t, "catalog", "import", "catalog.yaml").expect(t, 0, "2 added, 0 changed")
	if got := f.bodies("POST /catalog/imports"); len(got) != 1 || got[0] != team {
		t.Errorf("sent %q", got)
	}
}

func TestSeveralProblemsAreAllPrinted(t *testing.T) {
	f := serve(t, map[string]any{"GET /me": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", wire.ProblemType)
		w.WriteHeader(422)
		_ = json.NewEncoder(w).Encode(wire.Problem{Kind: "invalid", Code: "x", Detail: "several", Errors: []wire.Detail{{Detail: "the first"}, {Detail: "the second", Where: wire.Place{File: "a.yaml", Line: 3}}}})
	})})
	f.at(t).run(t, "me").expect(t, 2, "error: the first", "error: a.yaml:3: the second")
}

func TestExportIsWholeOrNotThere(t *testing.T) {
	f := serve(t, map[string]any{"GET /journal/export": "line one\nline two\n"})
	w := f.at(t)
	w.run(t, "journal", "export", "--out", "journal.jsonl").expect(t, 0, "written to journal.jsonl")
	if b, err := os.ReadFile("journal.jsonl"); err != nil || string(b) != "line one\nline two\n" {
		t.Errorf("%q %v", b, err)
	}
	if o := w.run(t, "journal", "export", "--out", "-"); o.out != "line one\nline two\n" {
		t.Errorf("standard output: %q", o.out)
	}
	f = serve(t, map[string]any{"GET /journal/export": refused{403, "forbidden", "x"}})
	w = f.at(t)
	w.run(t, "journal", "export", "--out", "journal.jsonl").expect(t, 4)
	if left, _ := filepath.Glob(filepath.Join(w.env["HOME"], "*journal*")); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(w.env["HOME"], ".signalbox-export-*")); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

func TestDoctor(t *testing.T) {
	ready := wire.Readiness{Ready: true, Checks: []wire.Check{{Name: "append", OK: true}}}
	me := wire.Me{Subject: "person/1", Name: "Ada Example", Expires: time.Now().Add(60 * 24 * time.Hour)}
	well := map[string]any{"GET /version": wire.Version{Version: "1.0.0-test"}, "GET /readyz": ready, "GET /livez": "ok", "GET /me": me}
	with := func(call string, answer any) map[string]any {
		changed := map[string]any{call: answer}
		for k, v := range well {
			if k != call {
				changed[k] = v
			}
		}
		return changed
	}
	soon := me
	soon.Expires = time.Now().Add(time.Hour)
	late := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
	}
	for name, c := range map[string]struct {
		answers map[string]any
		code    int
		says    string
	}{
		"well":          {well, 0, "✓ ok: token: speaks for Ada Example"},
		"other version": {with("GET /version", wire.Version{Version: "0.9"}), 2, "✗ wrong: version"},
		"not ready":     {with("GET /readyz", wire.Readiness{Checks: []wire.Check{{Name: "append", Detail: "disk full"}}}), 2, "append: disk full"},
		"clocks differ": {with("GET /livez", http.HandlerFunc(late)), 2, "the clocks differ by "},
		"bad token":     {with("GET /me", refused{401, "unauthorised", "x"}), 2, "✗ wrong: token: what happened"},
		"token ends":    {with("GET /me", soon), 2, "the token ends in "},
		"no server":     {with("GET /version", refused{404, "not-found", "x"}), 2, "✗ wrong: server"},
	} {
		f := serve(t, c.answers)
		w := f.at(t)
		o := w.run(t, "doctor")
		o.expect(t, c.code, c.says)
		var findings []doctor.Finding
		o = w.run(t, "doctor", "-o", "json")
		if err := json.Unmarshal([]byte(o.out), &findings); err != nil || len(findings) < 2 || o.code != c.code {
			t.Errorf("%s: %v %s", name, err, o.out)
		}
		for _, found := range findings {
			if !found.OK && (found.What == "" || found.Why == "" || found.Fix == "") {
				t.Errorf("%s: it does not say what, why and how to fix it: %+v", name, found)
			}
		}
	}
	f := serve(t, well)
	w := f.at(t)
	delete(w.env, "SIGNALBOX_TOKEN_FILE")
	w.run(t, "doctor").expect(t, 2, "no token is configured")
	w.env["SIGNALBOX_TOKEN"] = "x"
	w.run(t, "doctor").expect(t, 2, "✗ wrong: settings")
}

// What permits rest on is said once: neither nothing nor two things are asked of the server.
func TestOneBasis(t *testing.T) {
	f := serve(t, map[string]any{})
	w := f.at(t)
	w.run(t, "permit", "list").expect(t, 2, "cli.basis")
	w.run(t, "permit", "list", "--policy", "active", "--issuer", "ci").expect(t, 2, "cli.basis")
	w.run(t, "permit", "recall-all", "--reason", "x").expect(t, 2, "cli.basis")
	w.run(t, "permit", "recall-all", "--reason", "x", "--approver", "ada", "--issuer", "ci").expect(t, 2, "cli.basis")
}
