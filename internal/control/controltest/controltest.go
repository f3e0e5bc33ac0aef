// Package controltest is an example organisation at work, over real commands
// and a real journal, for the tests of every room that needs one.
package controltest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/seal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/vault"
	"signalbox.dev/signalbox/internal/view"
)

// Digest is the example's artifact.
const Digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// Reports that tools wrote about it: all but BadScan satisfy the starter policy.
const (
	CleanScan = `{"version":"2.1.0","$schema":"https://json.schemastore.org/sarif-2.1.0.json","runs":[{"tool":{"driver":{"name":"scan"}},"results":[]}]}`
	BadScan   = `{"version":"2.1.0","$schema":"https://json.schemastore.org/sarif-2.1.0.json","runs":[{"tool":{"driver":{"name":"scan"}},"results":[{"ruleId":"R1","level":"error","message":{"text":"bad"},"properties":{"security-severity":"9.8"}}]}]}`
	Tests     = `<testsuites><testsuite name="s" tests="2"><testcase name="a" classname="c"/><testcase name="b" classname="c"/></testsuite></testsuites>`
	Coverage  = `<coverage line-rate="0.9" lines-covered="90" lines-valid="100" branch-rate="0" version="1" timestamp="0"><packages/></coverage>`
)

// Permissive is a policy that lets everything go that no freeze stops.
const Permissive = `apiVersion: signalbox/v1
kind: Policy
name: permissive
version: "1"
description: Only freezes stop anything.
owner: release-managers
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
chain: none
---
apiVersion: signalbox/v1
kind: Gate
name: named
title: The version is named
condition: release.version != ""
---
apiVersion: signalbox/v1
kind: TestCase
name: a version without a name does not go
at: 2026-01-01T00:00:00Z
expect: {verdict: cannot-tell}
`

// Person is one of the organisation; teams, groups and roles are separated by commas.
type Person struct {
	Handle string
	Name   string // before "Example" and @example.com; the handle unless set
	Teams  string
	Groups string
	Roles  string
}

// Catalog describes an organisation with one service of tier 1, whose team has
// its name, the environment production, and a machine with the role pipeline.
func Catalog(service, machine string, people ...Person) string {
	var b strings.Builder
	fmt.Fprintf(&b, `apiVersion: signalbox/v1
kind: Team
name: %[1]s
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
name: %[1]s
tier: 1
team: %[1]s
---
apiVersion: signalbox/v1
kind: Environment
name: production
is: production
---
apiVersion: signalbox/v1
kind: Machine
name: %[2]s
services: [%[1]s]
roles: [pipeline]
`, service, machine)
	for _, p := range people {
		if p.Name == "" {
			p.Name = strings.ToUpper(p.Handle[:1]) + p.Handle[1:]
		}
		fmt.Fprintf(&b, `---
apiVersion: signalbox/v1
kind: Person
name: %s
display: %s Example
emails: [%s@example.com]
groups: [%s]
teams: [%s]
roles: [%s]
`, p.Handle, p.Name, strings.ToLower(p.Name), p.Groups, p.Teams, p.Roles)
	}
	return b.String()
}

// Change is a change by one person, between two commits of v1.0.0 and v1.1.0.
func Change(by string) change.Change {
	return change.Describe(change.Raw{
		From: strings.Repeat("a", 40), To: strings.Repeat("b", 40), FromRef: "v1.0.0", ToRef: "v1.1.0",
		Commits: []change.Commit{{
			ID: strings.Repeat("b", 40), Parents: 1, Subject: "feat: buy", Signed: true,
			Author:    change.Identity{Name: by + " Example", Email: by + "@Example.com"},
			Committer: change.Identity{Name: "GitHub", Email: "noreply@github.com"},
		}},
		Files: []change.File{{Path: "buy.go", Added: 10}},
	})
}

// Options say what a house stands on. The zero value but for DB is a house with
// keys of its own, the usual clock and no log.
type Options struct {
	DB    *store.DB
	Keys  string           // directory of keys; a second house on one database is a second replica
	Wall  func() time.Time // clock of the process
	Log   *slog.Logger
	Views bool // whether views follow
}

// House is a control over a real journal.
type House struct {
	*control.Control
	Files *vault.Vault
	Views *view.Views // nil where none follow
}

// Open opens a house; it is closed when the test ends.
func Open(t testing.TB, o Options) *House {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if o.Keys == "" {
		o.Keys = t.TempDir() + "/keys"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	ctx := context.Background()
	origin, begun, err := journal.Begin(ctx, o.DB)
	must(err)
	keys, err := seal.Open(o.Keys, origin, !begun)
	must(err)
	files, err := vault.Open(ctx, vault.Options{DB: o.DB, Origin: origin, Shelf: vault.NewTable(o.DB, origin)})
	must(err)
	h := &House{Files: files, Control: &control.Control{Vault: files, Keys: keys, Log: o.Log}}
	var folders []journal.Folder
	if o.Views {
		h.Views = view.New(o.DB)
		for _, f := range h.Views.Folders() {
			folders = append(folders, f)
		}
	}
	h.Journal, err = journal.Open(ctx, journal.Options{
		DB: o.DB, Shapes: control.Shapes(), Folders: folders, Signer: keys.Signer(), Signers: keys.Signers, Logger: o.Log, Wall: o.Wall,
	})
	must(err)
	t.Cleanup(func() { must(h.Journal.Close()) })
	return h
}
