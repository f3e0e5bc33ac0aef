package prose

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/policy"
)

// composed is a bundle that includes the starter pack, tightens it and relaxes a gate.
func composed(t testing.TB) *policy.Program {
	t.Helper()
	starter := policy.Starter()
	files := []bundle.File{{Name: "policy.yaml", Data: fmt.Appendf(nil, `apiVersion: signalbox/v1
kind: Policy
name: ours
version: "2.0"
description: What all teams have in common, a little tighter.
owner: release-managers
---
apiVersion: signalbox/v1
kind: Include
name: starter
path: include/starter
digest: %s
---
apiVersion: signalbox/v1
kind: Overlay
name: sign-everything
target: {kind: Gate, name: commits-signed}
set: {severity: block}
reason: The auditors asked for it.
---
apiVersion: signalbox/v1
kind: Relaxation
name: scanner-outage
gate: findings-fresh
match: environment.kind == "staging"
to: observe
until: 2027-04-01
by: Erin Example
reason: The scanner is being replaced.
---
apiVersion: signalbox/v1
kind: Owner
name: common
files: include/starter/**
group: platform
`, bundle.Digest(starter))}}
	for _, f := range starter {
		files = append(files, bundle.File{Name: "include/starter/" + f.Name, Data: f.Data})
	}
	return compiled(t, files)
}

func holds(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// Auditors read what is included, tightened and does not operate, and how each
// test came out.
func TestDescribe(t *testing.T) {
	p := composed(t)
	now := time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)
	d, err := Describe(p, now)
	if err != nil {
		t.Fatal(err)
	}
	text := d.Markdown()
	holds(
		t, text, "# Release policy ours 2.0", p.Digest(), "| Includes | starter, sha256:", "| Owner of include/starter/\\*\\* | platform |",
		"| feature | minor or major | normal | always | two approvers of release-approvers |", "### No critical findings", "| Asks that | the number of critical findings is 0 |",
		"| sign-everything | severity of gate commits-signed | The auditors asked for it. |", "| two-approvers | two approvers of release-approvers | 7d | 1 |",
		"| max\\_high | 3 findings | 0 to 20 | release-managers |", "| soc2/CC8.1 |",
		"| findings-fresh | soc2/CC7.1 | the environment's kind is staging | observe | 2027-04-01 00:00 UTC | Erin Example | The scanner is being replaced. |",
		"| to production: a critical finding | no-go | passes |", "| to production: unsigned commits only warn | go | passes: the answer is no-go, which is stricter |",
	)
	later, err := Describe(p, now.AddDate(0, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	holds(t, later.Markdown(), "None: no gate is switched off or relaxed.")
	plain, err := Describe(compiled(t, policy.Starter()), now)
	if err != nil || strings.Contains(plain.Markdown(), "Tightened") {
		t.Errorf("a bundle without overlays is tightened: %v", err)
	}
}

func TestExplain(t *testing.T) {
	d, err := Explain(composed(t))
	if err != nil {
		t.Fatal(err)
	}
	holds(
		t, d.Text(), "What all teams have in common", "• production: where the environment's kind is production, a release is governed in full.", "• two-approvers: two approvers of release-approvers.",
		"• No critical findings (no-critical-findings): it is no-go unless the number of critical findings is 0. It is lifted by security.",
		"• sign-everything: severity of gate commits-signed. The auditors asked for it.",
		"• scanner-outage: until 2027-04-01 00:00 UTC gate findings-fresh is down to a note where the environment's kind is staging, on the word of Erin Example. The scanner is being replaced.",
	)
	for _, name := range []string{"scanner-outage", "sign-everything", "two-approvers", "production", "feature", "freeze", "no-critical-findings"} {
		one := d.Only(name)
		if n := len(one.Blocks); n != 2 || len(one.Blocks[1].Items) != 1 {
			t.Errorf("%s alone: %+v", name, one.Blocks)
		}
	}
	if one := d.Only("approvers"); len(one.Blocks) > 0 {
		t.Errorf("a part of a name: %+v", one.Blocks)
	}
}
