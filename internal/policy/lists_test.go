package policy

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func listed(t *testing.T, condition string) *Program {
	t.Helper()
	return compiled(t, sample(doc("Gate", "name: probe\ntitle: Probe\ncondition: >-\n  "+condition+"\n")))
}

func items(severities ...string) []Finding {
	all := []Finding{}
	for _, s := range severities {
		all = append(all, Finding{Severity: s, Rule: "CVE-1", Package: "example", Location: "go.mod:3", Tool: "scanner"})
	}
	return all
}

func TestRulesOverLists(t *testing.T) {
	for name, c := range map[string]struct {
		condition string
		findings  []Finding
		votes     []Vote
		want      Verdict
		code      string
	}{
		"holds":                 {`findings.items.all(f, f.severity != "critical" || f.suppressed)`, items("high", "low"), nil, Go, "passed"},
		"does not hold":         {`findings.items.all(f, f.severity != "critical" || f.suppressed)`, items("high", "critical"), nil, NoGo, "failed"},
		"known to be empty":     {`findings.items.all(f, f.severity != "critical")`, items(), nil, Go, "passed"},
		"not loaded":            {`findings.items.all(f, f.severity != "critical")`, nil, nil, CannotTell, "unknown"},
		"not loaded, no matter": {`size(findings.items) >= 0 || true`, nil, nil, CannotTell, "unknown"},
		"counted":               {`findings.items.filter(f, f.package == "example").size() <= 1`, items("low", "low"), nil, NoGo, "failed"},
		"another list":          {`findings.items.all(f, f.severity != "critical")`, nil, []Vote{}, CannotTell, "unknown"},
		"votes":                 {`approval.votes.exists(v, v.counted && "security" in v.groups && v.answer == "approve")`, nil, []Vote{{Groups: []string{"security"}, Answer: "approve", Counted: true}}, Go, "passed"},
		"votes that do not":     {`approval.votes.exists(v, v.counted && "security" in v.groups)`, nil, []Vote{{Groups: []string{"security"}, Reason: "contributor"}}, NoGo, "failed"},
		"counts need no list":   {`findings.critical == 0`, nil, nil, Go, "passed"},
	} {
		t.Run(name, func(t *testing.T) {
			o := listed(t, c.condition).Decide(with(func(in *Inputs) { in.Findings.Items, in.Approval.Votes = c.findings, c.votes }))
			r := reason(t, o, "probe")
			if r.Verdict != c.want || r.Code != c.code {
				t.Errorf("%s %s: %s", r.Verdict, r.Code, r.Why)
			}
			if c.code == "unknown" && !strings.Contains(r.Why, "was not loaded") {
				t.Errorf("why: %s", r.Why)
			}
		})
	}
}

// TestUnloadedListsNeverHelp: also where a rule selects, and in what is observed.
func TestUnloadedListsNeverHelp(t *testing.T) {
	p := compiled(t, sample(
		doc("Gate", "name: probe\ntitle: P\napplies: size(findings.items) > 0\ncondition: findings.critical == 0\nobserved: size(findings.items)\n"),
		doc("Relaxation", "name: r\ngate: probe\nto: off\nmatch: size(findings.items) == 0\nuntil: 2027-04-01\nby: board\nreason: R.\n"),
	))
	r := reason(t, p.Decide(with(func(in *Inputs) { in.Findings.Critical = 1 })), "probe")
	if r.Code != "failed" || r.Observed != "findings.critical = 1" {
		t.Errorf("not loaded: %+v", r)
	}
	r = reason(t, p.Decide(with(func(in *Inputs) { in.Findings.Critical, in.Findings.Items = 1, items("critical") })), "probe")
	if r.Code != "failed" || r.Observed != "1" {
		t.Errorf("loaded: %+v", r)
	}
	if needs := p.NeedsLists(); len(needs) != 1 || !needs["findings"] {
		t.Errorf("needs %v", needs)
	}
	if needs := compiled(t, Starter()).NeedsLists(); len(needs) != 0 {
		t.Errorf("the starter pack needs %v", needs)
	}
	if needs := listed(t, `[findings].all(f, f.critical == 0) && size(approval.votes) > 1`).NeedsLists(); !needs["findings"] || !needs["approval"] {
		t.Errorf("needs %v", needs)
	}
}

func TestListsAreLimited(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, change := range map[string]func(*Inputs){
		"findings.items":  func(in *Inputs) { in.Findings.Items = make([]Finding, MaxInputList+1) },
		"a severity":      func(in *Inputs) { in.Findings.Items = items(long(MaxItemWord + 1)) },
		"a rule":          func(in *Inputs) { in.Findings.Items = []Finding{{Rule: long(MaxItemText + 1)}} },
		"a package":       func(in *Inputs) { in.Findings.Items = []Finding{{Package: long(MaxItemText + 1)}} },
		"a tool":          func(in *Inputs) { in.Findings.Items = []Finding{{Tool: long(MaxItemText + 1)}} },
		"a location":      func(in *Inputs) { in.Findings.Items = []Finding{{Location: long(MaxItemPlace + 1)}} },
		"approval.votes":  func(in *Inputs) { in.Approval.Votes = make([]Vote, MaxInputList+1) },
		"an answer":       func(in *Inputs) { in.Approval.Votes = []Vote{{Answer: long(MaxItemWord + 1)}} },
		"a reason":        func(in *Inputs) { in.Approval.Votes = []Vote{{Reason: long(MaxItemText + 1)}} },
		"commits":         func(in *Inputs) { in.Change.CommitList = make([]Commit, MaxInputList+1) },
		"a type":          func(in *Inputs) { in.Change.CommitList = []Commit{{Type: long(MaxItemWord + 1)}} },
		"a group":         func(in *Inputs) { in.Approval.Votes = []Vote{{Groups: []string{long(MaxItemText + 1)}}} },
		"too many groups": func(in *Inputs) { in.Approval.Votes = []Vote{{Groups: make([]string, MaxItemList+1)}} },
	} {
		in := with(change)
		if o := compiled(t, sample()).Decide(in); o.Verdict != CannotTell || o.Reasons[0].Code != "out-of-limits" {
			t.Errorf("%s: %s", name, o.Verdict)
		}
		if o := compiled(t, sample()).Decide(in.Bounded()); o.Verdict != Go {
			t.Errorf("%s, bounded: %s", name, o.Verdict)
		}
	}
	if in := with(func(in *Inputs) { in.Findings.Items = make([]Finding, MaxInputList) }); in.Bounded().Findings.Items == nil {
		t.Error("what is within limits was dropped")
	}
}

// TestCostOverLists: a walk with comparisons is cheap enough, a walk within a walk is not.
func TestCostOverLists(t *testing.T) {
	for condition, ok := range map[string]bool{
		`findings.items.all(f, f.severity != "critical" && !f.rule.startsWith("CVE-2021") && f.package != "log4j")`: true,
		`findings.items.all(f, findings.items.exists(g, g.rule == f.rule))`:                                         false,
		`findings.items.all(f, f.location.matches("a+b+c+d+e+f+g+"))`:                                               false,
	} {
		_, problems := Compile(sample(doc("Gate", "name: probe\ntitle: P\ncondition: '"+condition+"'\n")))
		if Failed(problems) == ok {
			t.Errorf("%s: %v", condition, problems)
		}
	}
}

func TestListsApart(t *testing.T) {
	in := with(func(in *Inputs) { in.Findings.Items, in.Approval.Votes = items("low"), []Vote{} })
	rest, lists := in.Apart()
	if b, err := json.Marshal(rest); err != nil || strings.Contains(string(b), "items") || strings.Contains(string(b), "votes") {
		t.Errorf("%s %v", b, err)
	}
	if lists.Empty() || !(Lists{}).Empty() {
		t.Error("empty")
	}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var back Inputs
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	for _, got := range []Inputs{back, rest.With(lists)} {
		if diff := cmp.Diff(in, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestListsInTestCases(t *testing.T) {
	p := compiled(t, sample(
		doc("Gate", "name: probe\ntitle: P\ncondition: findings.items.all(f, f.suppressed)\n"),
		doc("TestCase", "name: t\nat: 2027-03-01T09:00:00Z\ninputs: {release: {version: 1.0.0}, findings: {items: [{severity: high, suppressed: false}]}}\nexpect: {verdict: no-go, reasons: [probe]}\n"),
		doc("TestCase", "name: none\nat: 2027-03-01T09:00:00Z\ninputs: {release: {version: 1.0.0}, findings: {items: []}}\nexpect: {verdict: cannot-tell}\n"),
	))
	if err := p.Ready(); err != nil {
		t.Error(err)
	}
	if _, problems := Compile(sample(doc("TestCase", "name: t\nat: 2027-03-01T09:00:00Z\ninputs: {findings: {items: [{sevrity: high}]}}\n"))); !Failed(problems) {
		t.Error("an unknown field of an item was taken")
	}
}

func TestRulesOverCommits(t *testing.T) {
	const rule = `change.commit_list.all(c, c.signed || c.merge)`
	for name, c := range map[string]struct {
		commits []Commit
		want    Verdict
	}{
		"holds":         {[]Commit{{Signed: true, Type: "fix"}, {Merge: true}}, Go},
		"does not hold": {[]Commit{{Signed: true}, {Type: "fix"}}, NoGo},
		"none":          {[]Commit{}, Go},
		"not loaded":    {nil, CannotTell},
		"too many":      {make([]Commit, MaxInputList+1), CannotTell},
	} {
		p := listed(t, rule)
		if needs := p.NeedsLists(); len(needs) != 1 || !needs["change"] {
			t.Errorf("needs %v", needs)
		}
		in := with(func(in *Inputs) { in.Change.CommitList = c.commits }).Bounded()
		if r := reason(t, p.Decide(in), "probe"); r.Verdict != c.want {
			t.Errorf("%s: %s %s", name, r.Verdict, r.Why)
		}
		rest, lists := in.Apart()
		if rest.Change.CommitList != nil || cmp.Diff(in, rest.With(lists)) != "" {
			t.Errorf("%s: apart", name)
		}
	}
}
