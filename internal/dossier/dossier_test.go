package dossier

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/survey"
	"signalbox.dev/signalbox/internal/wire"
)

const entries = `apiVersion: signalbox/v1
kind: Team
name: shop
---
apiVersion: signalbox/v1
kind: Service
name: shop
tier: 1
team: shop
---
apiVersion: signalbox/v1
kind: Environment
name: live
is: production
---
apiVersion: signalbox/v1
kind: Person
name: ada
display: Ada Example
emails: [ada@example.com]
`

func question(t *testing.T) Question {
	t.Helper()
	p, problems := policy.Compile(policy.Starter())
	if p == nil {
		t.Fatal(problems)
	}
	return Question{
		Ask:    wire.GateRequest{Service: "shop", Version: "1", Digest: "sha256:" + strings.Repeat("a", 64), Environment: "live"},
		Policy: p, Now: time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC), Word: policy.Assumed,
	}
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// What no file says is not known; what one says is assumed.
func TestFactsAreAssumed(t *testing.T) {
	q := question(t)
	f, names, err := q.Facts(t.Context())
	if err != nil || f.Service != nil || f.Place != nil || f.Release.Change != nil || len(names) > 0 || !slices.Equal(f.Assumed, []string{"release", "clock", "no stop"}) {
		t.Errorf("of nothing: %+v %v %v", f, names, err)
	}
	q.Catalog = file(t, entries)
	q.Freezes = file(t, "- name: year-end\n  rule: freeze\n  from: 2027-01-01T00:00:00Z\n")
	q.Approvals = file(t, "- person: ada\n  answer: approve\n  at: 2027-02-28T00:00:00Z\n")
	f, names, err = q.Facts(t.Context())
	if err != nil || f.Service == nil || f.Place == nil || len(f.Freezes) != 1 || len(f.Release.Votes) != 1 || names["ada"] != "Ada Example" {
		t.Errorf("%+v %v %v", f, names, err)
	}
	if !slices.Equal(f.Assumed, []string{"release", "clock", "no stop", "catalog", "freezes", "approvals"}) {
		t.Errorf("assumed: %q", f.Assumed)
	}
}

func TestWhatCannotBeReadIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(q *Question){
		"no service":       func(q *Question) { q.Ask.Service = "" },
		"no digest":        func(q *Question) { q.Ask.Digest = "x" },
		"no catalog":       func(q *Question) { q.Catalog = "absent" },
		"a broken catalog": func(q *Question) { q.Catalog = file(t, "kind: [") },
		"no report":        func(q *Question) { q.Evidence = []string{"absent"} },
		"a broken report":  func(q *Question) { q.Evidence = []string{file(t, "{")} },
		"no repository":    func(q *Question) { q.Change = survey.Options{Repository: t.TempDir()} },
		"no reader":        func(q *Question) { q.Change.From = "v1" },
		"a freeze without": func(q *Question) { q.Freezes = file(t, "- rule: freeze\n") },
		"an odd instant":   func(q *Question) { q.Freezes = file(t, "- name: a\n  from: soon\n") },
		"a stranger": func(q *Question) {
			q.Approvals = file(t, "- person: eve\n  answer: approve\n  at: 2027-02-28T00:00:00Z\n")
		},
		"an odd answer": func(q *Question) {
			q.Catalog = file(t, entries)
			q.Approvals = file(t, "- person: ada\n  answer: maybe\n")
		},
		"a vote to come": func(q *Question) {
			q.Catalog = file(t, entries)
			q.Approvals = file(t, "- person: ada\n  answer: approve\n  at: 2027-03-02T00:00:00Z\n")
		},
	} {
		q := question(t)
		spoil(&q)
		if _, _, err := q.Facts(t.Context()); fault.Exit(fault.KindOf(err)) != 2 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
