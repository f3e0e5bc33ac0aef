package desk

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/lint"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/prose"
)

var now = time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)

func starter(t *testing.T) *policy.Program {
	t.Helper()
	p, list := policy.Compile(policy.Starter())
	if p == nil {
		t.Fatal(list)
	}
	return p
}

func text(t *testing.T, print func(*bytes.Buffer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := print(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLintKnowsTheCatalog(t *testing.T) {
	if l := Lint(policy.Starter(), nil, lint.Options{Now: now}); policy.Failed(l.Problems) || !strings.Contains(text(t, func(b *bytes.Buffer) error { return l.Print(b) }), "nothing is wrong: 5 files") {
		t.Errorf("%+v", l)
	}
	few := &catalog.Entries{People: []catalog.Person{{Handle: "ada", Groups: []string{"release-approvers"}}}}
	l := Lint(policy.Starter(), few, lint.Options{Now: now})
	if !policy.Failed(l.Problems) || !strings.Contains(text(t, func(b *bytes.Buffer) error { return l.Print(b) }), "nobody can satisfy ApprovalChain two-approvers") {
		t.Errorf("%+v", l)
	}
	both := &catalog.Entries{
		Services:     []catalog.Service{{Name: "ledger", Flags: []string{"icfr"}}},
		Environments: []catalog.Environment{{Name: "live", Kind: "production"}},
	}
	if l := Lint(policy.Starter(), both, lint.Options{Now: now}); !strings.Contains(text(t, func(b *bytes.Buffer) error { return l.Print(b) }), "must not be without it") {
		t.Error("a service with icfr drops no control of the starter pack")
	}
}

func TestTested(t *testing.T) {
	results := Tested(starter(t).Test())
	if out := text(t, func(b *bytes.Buffer) error { return results.Print(b) }); results.Failed() != 0 || !strings.Contains(out, "test cases passed") {
		t.Error(out)
	}
	results[0].Passed, results[0].Why = false, "because\x1b"
	if out := text(t, func(b *bytes.Buffer) error { return results.Print(b) }); results.Failed() != 1 || !strings.Contains(out, "✗ failed: to production") || strings.Contains(out, "\x1b") {
		t.Error(out)
	}
}

func TestCoverageIsPrinted(t *testing.T) {
	found, err := lint.Cover(starter(t))
	if err != nil {
		t.Fatal(err)
	}
	out := text(t, func(b *bytes.Buffer) error { return PrintCoverage(b, found) })
	for _, want := range []string{"CANNOT TELL", "COMPARISON", "ways are exercised", "CASE TO ADD"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
}

func TestChangedFilesAreNamed(t *testing.T) {
	all := prose.Laid{Changed: []string{"a.yaml", "b\x1b.yaml"}}
	if out := text(t, func(b *bytes.Buffer) error { return PrintChanged(b, all) }); !strings.HasPrefix(out, "a.yaml\nb") || strings.Contains(out, "\x1b") {
		t.Errorf("%q", out)
	}
}

func TestDocument(t *testing.T) {
	for format, begins := range map[string]string{"md": "# Release policy starter", "pdf": "%PDF-"} {
		data, err := Document(starter(t), format, now)
		if err != nil || !bytes.HasPrefix(data, []byte(begins)) {
			t.Errorf("%s: %.40q %v", format, data, err)
		}
	}
	if _, err := Document(starter(t), "doc", now); err == nil {
		t.Error("an unknown format is written")
	}
}

func TestExplainOneDocument(t *testing.T) {
	d, err := Explain(starter(t), "feature")
	if err != nil || !strings.Contains(d.Text(), "two approvers") || strings.Contains(d.Text(), "routine") {
		t.Errorf("%s %v", d.Text(), err)
	}
	if _, err := Explain(starter(t), "absent"); err == nil {
		t.Error("a document that is not there is explained")
	}
}

func TestChecklist(t *testing.T) {
	e := catalog.Entries{
		Services:     []catalog.Service{{Name: "shop", Tier: 2, Team: "a"}},
		Environments: []catalog.Environment{{Name: "live", Kind: "production"}, {Name: "dev", Kind: "development"}},
	}
	d, err := Checklist(starter(t), e, "shop", "live")
	if err != nil || !strings.Contains(d.Text(), "☐ Few high findings") {
		t.Errorf("%s %v", d.Text(), err)
	}
	if d, err := Checklist(starter(t), e, "shop", "dev"); err != nil || !strings.Contains(d.Text(), "Nothing is asked of it") {
		t.Errorf("%s %v", d.Text(), err)
	}
	if _, err := Checklist(starter(t), e, "shop", "absent"); err == nil {
		t.Error("an environment that is not there has a checklist")
	}
}

func TestSchema(t *testing.T) {
	if out := text(t, func(b *bytes.Buffer) error { return Schema(b) }); !strings.HasPrefix(out, "{") {
		t.Errorf("%.40q", out)
	}
}
