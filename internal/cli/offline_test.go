package cli

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/wire"
)

const people = `apiVersion: signalbox/v1
kind: Team
name: checkout
---
apiVersion: signalbox/v1
kind: Group
name: release-approvers
---
apiVersion: signalbox/v1
kind: Service
name: payments
tier: 1
team: checkout
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
emails: [ADA@example.com]
teams: [checkout]
groups: [release-approvers]
roles: [approver]
---
apiVersion: signalbox/v1
kind: Person
name: carol
display: Carol Example
emails: [carol@example.com]
groups: [release-approvers]
roles: [approver]
`

const smallPolicy = `apiVersion: signalbox/v1
kind: Policy
name: small
version: "1"
description: One gate and one approval.
owner: release-approvers
---
apiVersion: signalbox/v1
kind: ScopeRule
name: all
governance: full
reason: Everything counts.
---
apiVersion: signalbox/v1
kind: ReleaseType
name: any
size: [patch, minor, major]
change_types: [standard, normal, emergency]
chain: one
---
apiVersion: signalbox/v1
kind: ApprovalChain
name: one
tiers:
  - name: review
    groups: [release-approvers]
    quorum: 1
---
apiVersion: signalbox/v1
kind: FreezeRule
name: agreed
---
apiVersion: signalbox/v1
kind: Gate
name: tests-pass
title: Tests pass
condition: tests.failed == 0 && tests.errored == 0
`

const at = "2026-11-23T09:00:00Z"

// whole is a world in which the gate offline says go, and its arguments.
func whole(t *testing.T) (world, []string) {
	t.Helper()
	w := home(t)
	write(t, "policy/bundle.yaml", smallPolicy)
	write(t, "catalog.yaml", people)
	write(t, "tests.xml", junit)
	write(t, "approvals.yaml", "- {person: carol, answer: approve, at: \"2026-11-23T08:00:00Z\", comment: seen}\n")
	return w, question("--policy", "policy", "--catalog", "catalog.yaml", "--repo", repository(t), "--from", "v1.4.1", "--to", "v1.4.2",
		"--evidence", "tests.xml", "--approvals", "approvals.yaml", "--at", at)
}

func TestOfflineGoIsAssumedAndPermitsNothing(t *testing.T) {
	w, args := whole(t)
	o := w.run(t, append(args, "-o", "json")...)
	o.expect(t, 0, "offline: nothing here is recorded and no permit is signed")
	var a wire.Answer
	if err := json.Unmarshal([]byte(o.out), &a); err != nil {
		t.Fatal(err)
	}
	d := a.Decision
	if d.Verdict != wire.Go || d.ID != "" || d.Permit != "" || !d.PermitUntil.IsZero() || len(a.Permit) != 0 {
		t.Errorf("%+v", d)
	}
	if strings.Join(d.Assumed, " ") != "release clock no stop the word of a pipeline catalog change evidence approvals" {
		t.Errorf("assumed %v", d.Assumed)
	}
	if !reflect.DeepEqual(d.Believed, wire.Believed{Release: "assumed", Change: "pipeline", Tests: "pipeline"}) {
		t.Errorf("believed %+v", d.Believed)
	}
	if len(d.Approvals) != 1 || a.People[d.Approvals[0]] != "Carol Example" {
		t.Errorf("approved by %v of %v", d.Approvals, a.People)
	}
	if again := w.run(t, append(args, "-o", "json")...); again.out != o.out {
		t.Error("the same files at the same instant give another answer")
	}
}

// Each thing taken away, or made worse, takes the go away too.
func TestOfflineEveryPartCounts(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T)
		more   []string
		code   int
		says   string
	}{
		"no catalog":  {nil, []string{"--catalog", ""}, 2, "the catalog knows no person"},
		"no change":   {nil, []string{"--repo", "", "--from", "", "--to", ""}, 9, "Who contributed"},
		"no test ran": {func(t *testing.T) { write(t, "tests.xml", `<testsuites/>`) }, nil, 9, "not known"},
		"failing tests": {func(t *testing.T) {
			write(t, "tests.xml", strings.Replace(junit, `classname="c"/>`, `classname="c"><failure/></testcase>`, 1))
		}, nil, 3, "tests-pass"},
		"the contributor's own": {func(t *testing.T) { write(t, "approvals.yaml", `[{person: ada, answer: approve, at: "`+at+`"}]`) }, nil, 5, "contributor to this change"},
		"a rejection":           {func(t *testing.T) { write(t, "approvals.yaml", `[{person: carol, answer: reject, at: "`+at+`"}]`) }, nil, 3, "signalbox/approval"},
		"an old approval": {func(t *testing.T) {
			write(t, "approvals.yaml", `[{person: carol, answer: approve, at: "2026-01-01T00:00:00Z"}]`)
		}, nil, 5, "too old"},
		"an approval to come": {func(t *testing.T) {
			write(t, "approvals.yaml", `[{person: carol, answer: approve, at: "2026-11-24T00:00:00Z"}]`)
		}, nil, 2, "one to come"},
		"an undated approval": {func(t *testing.T) { write(t, "approvals.yaml", `[{person: carol, answer: approve}]`) }, nil, 2, "has no time"},
		"no answer":           {func(t *testing.T) { write(t, "approvals.yaml", `[{person: carol, answer: maybe, at: "`+at+`"}]`) }, nil, 2, "is not an answer"},
		"a field too many":    {func(t *testing.T) { write(t, "approvals.yaml", `[{person: carol, answr: approve}]`) }, nil, 2, "approvals.yaml:1"},
		"a freeze": {func(t *testing.T) {
			write(t, "f.yaml", `[{name: year-end, from: "2026-11-01T00:00:00Z", until: "2026-12-01T00:00:00Z"}]`)
		}, []string{"--freezes", "f.yaml"}, 5, "year-end"},
		"an open freeze":     {func(t *testing.T) { write(t, "f.yaml", `[{name: stop, from: "2026-11-01T00:00:00Z"}]`) }, []string{"--freezes", "f.yaml"}, 3, "stop"},
		"a freeze elsewhere": {func(t *testing.T) { write(t, "f.yaml", `[{name: other, scope: {services: [orders]}}]`) }, []string{"--freezes", "f.yaml"}, 0, "assumed: release, clock, no stop, the word of a pipeline, catalog, change, evidence, freezes, approvals"},
		"a freeze turned round": {func(t *testing.T) {
			write(t, "f.yaml", `[{name: x, from: "2026-11-02T00:00:00Z", until: "2026-11-01T00:00:00Z"}]`)
		}, []string{"--freezes", "f.yaml"}, 2, "ends before it begins"},
		"unknown environment": {nil, []string{"--environment", "prodution"}, 9, "did you mean production?"},
		"evidence twice":      {nil, []string{"--evidence", "tests.xml"}, 2, "was given before it"},
		"wrong size":          {nil, []string{"--size", "huge"}, 2, "is not a size"},
		"wrong version":       {nil, []string{"--version", "a b"}, 2, "is not a version"},
		"empty policy":        {func(t *testing.T) { write(t, "none/readme.txt", "x") }, []string{"--policy", "none"}, 2, "holds no policy"},
		"catalog is broken":   {func(t *testing.T) { write(t, "catalog.yaml", "kind: Team\n") }, nil, 2, "catalog.yaml:1:1"},
		"nothing wrong":       {nil, nil, 0, "✓ go: "},
	} {
		t.Run(name, func(t *testing.T) {
			w, args := whole(t)
			if c.change != nil {
				c.change(t)
			}
			o := w.run(t, append(args, c.more...)...)
			o.expect(t, c.code, c.says)
			if c.code == 2 && o.out != "" {
				t.Errorf("standard output has %q", o.out)
			}
		})
	}
}

func TestOfflineAsksNoServer(t *testing.T) {
	f := serve(t, nil)
	w, args := whole(t)
	w.env["SIGNALBOX_SERVER"], w.env["SIGNALBOX_TOKEN_FILE"] = f.URL, "nowhere"
	w.run(t, args...).expect(t, 0)
	if len(f.asked) != 0 {
		t.Errorf("asked %v", f.asked)
	}
}

func TestPolicyFilesAreThoseOneSees(t *testing.T) {
	home(t)
	write(t, "p/b.yaml", "x")
	write(t, "p/a/c.yml", "y")
	write(t, "p/.hidden.yaml", "z")
	write(t, "p/.git/d.yaml", "z")
	write(t, "p/readme.md", "z")
	files, err := policyFiles("p")
	if err != nil || len(files) != 2 || files[0].Name != "a/c.yml" || files[1].Name != "b.yaml" {
		t.Errorf("%v %v", files, err)
	}
}

func TestEvidenceInspect(t *testing.T) {
	w := home(t)
	write(t, "tests.xml", junit)
	o := w.run(t, "evidence", "inspect", "tests.xml", "-o", "json")
	o.expect(t, 0)
	var got map[string]any
	if err := json.Unmarshal([]byte(o.out), &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kind", "format", "version", "tests"} {
		if _, there := got[name]; !there {
			t.Errorf("there is no %s: %s", name, o.out)
		}
	}
	for _, name := range []string{"findings", "coverage"} {
		if _, there := got[name]; there {
			t.Errorf("there is a %s: %s", name, o.out)
		}
	}
	for name, text := range map[string]string{"empty": "", "cut": junit[:40], "neither": "hello", "sarif": `{"version":"1.0"}`, "binary": "\x00\x01"} {
		if o := w.run(t, "evidence", "inspect", write(t, "bad", text)); o.code != 2 || o.out != "" || !strings.Contains(o.err, "bad") {
			t.Errorf("%s: exit %d, %q %q", name, o.code, o.out, o.err)
		}
	}
	w.in = junit
	w.run(t, "evidence", "inspect", "-").expect(t, 0, "1: 1 passed")
}

func TestChangeInspect(t *testing.T) {
	w := home(t)
	repo := repository(t)
	o := w.run(t, "change", "inspect", "--repo", repo, "--from", "v1.4.1", "--to", "v1.4.2", "-o", "json")
	var ch wire.Change
	if err := json.Unmarshal([]byte(o.out), &ch); err != nil || ch.Commits != 1 || ch.ReleaseType != "patch" || ch.Authors[0].Email != "ada@example.com" {
		t.Errorf("%v %+v", err, ch)
	}
	w.run(t, "change", "inspect", "--repo", repo).expect(t, 0, "commits      2", "there is no version before")
	w.run(t, "change", "inspect", "--repo", repo, "--from", "--upload-pack=x").expect(t, 2)
	w.run(t, "change", "inspect", "--repo", "nowhere").expect(t, 2, "there is no directory")
}
