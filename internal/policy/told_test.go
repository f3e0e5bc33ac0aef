package policy

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What the engine itself finds names what was observed, who can lift it and the next step.
func TestEngineReasonsInFull(t *testing.T) {
	for _, c := range []struct {
		gate   string
		change func(*Inputs)
		want   Reason // title, severity and place aside
	}{
		{gateContributors, func(in *Inputs) { in.Change.Known = false }, Reason{Code: "unknown", Verdict: CannotTell, Why: "Who contributed to the change is not known.", Observed: "change is not known", Next: "Let the server or a pipeline read the change."}},
		{gateContributors, func(in *Inputs) { in.Change.Complete = false }, Reason{Code: "unknown", Verdict: CannotTell, Why: "The change is not known in full, so neither is who contributed.", Observed: "change is not known in full", Next: "Read the change from a full clone, with the version before as its start."}},
		{gateContributors, func(in *Inputs) { in.Change.UnknownContributors = 1 }, Reason{Code: "unknown", Verdict: CannotTell, Why: "1 commit identity is claimed by no person.", Observed: "change.unknown_contributors = 1", Lift: "the persons concerned", Next: "Link the commit identity to a person."}},
		{gateContributors, func(in *Inputs) { in.Change.Contributors = 2 }, Reason{Code: "passed", Verdict: Go, Why: "Every commit identity belongs to a known person.", Observed: "2 contributors"}},
		{gateApproval, func(in *Inputs) { in.Approval = Approval{Known: true, Eligible: 2} }, Reason{Code: "waiting", Verdict: Wait, Why: "0 of 2 approvals.", Observed: "0 of 2 approvals", Owner: "release-approvers", Lift: "release-approvers", Next: "Ask release-approvers to approve."}},
		{gateApproval, func(in *Inputs) { in.Approval = Approval{Known: true, Eligible: 1, Approvals: 1, Lapsed: 1} }, Reason{Code: "waiting", Verdict: Wait, Why: "1 of 2 approvals. 1 vote has lapsed.", Observed: "1 of 2 approvals", Owner: "release-approvers", Lift: "release-approvers", Next: "Ask release-approvers to approve."}},
		{gateApproval, func(in *Inputs) { in.Approval = Approval{Known: true, Eligible: 1} }, Reason{Code: "nobody-left", Verdict: CannotTell, Why: "2 approvals are missing and 1 person is left who may still approve.", Observed: "0 of 2 approvals", Owner: "release-approvers", Lift: "release-approvers", Next: "Add a person who did not contribute to the groups of the chain."}},
		{gateApproval, func(in *Inputs) { in.Approval.Rejected, in.Approval.Assumed = true, true }, Reason{Code: "rejected", Verdict: NoGo, Why: "The release is rejected. Approvals are assumed from a file.", Observed: "2 of 2 approvals (assumed)", Owner: "release-approvers", Lift: "release-approvers", Next: "Correct the release and submit it anew."}},
		{gateApproval, func(in *Inputs) { in.Approval.Lapsed = 1 }, Reason{Code: "passed", Verdict: Go, Why: "Chain one is satisfied.", Observed: "2 of 2 approvals", Owner: "release-approvers", Lift: "release-approvers"}},
		{gateApproval, func(in *Inputs) { in.Approval.Known = false }, Reason{Code: "unknown", Verdict: CannotTell, Why: "Which approvals count is not known.", Observed: "approval is not known"}},
		{gateCalendar, func(in *Inputs) { in.Calendar = Calendar{} }, Reason{Code: "unknown", Verdict: CannotTell, Why: "Whether a freeze is in force is not known.", Observed: "calendar is not known"}},
		{gateCalendar, func(in *Inputs) {
			in.Calendar = Calendar{Known: true, Frozen: true, OpenEnd: true, Freezes: []string{"a", "b"}}
		}, Reason{Code: "frozen", Verdict: NoGo, Why: "A freeze is in force.", Observed: "frozen by a, b", Lift: "holders of the freeze right", Next: "Ask for the freeze to be lifted."}},
		{gateCalendar, func(in *Inputs) { in.Calendar = Calendar{Known: true, Frozen: true, OpenEnd: true} }, Reason{Code: "frozen", Verdict: NoGo, Why: "A freeze is in force.", Observed: "frozen", Lift: "holders of the freeze right", Next: "Ask for the freeze to be lifted."}},
		{gateCalendar, func(in *Inputs) {
			in.Calendar = Calendar{Known: true, Frozen: true, ThawsAt: monday.Add(time.Hour), Freezes: []string{"a"}}
		}, Reason{Code: "frozen", Verdict: Wait, Why: "A freeze is in force until 2027-03-01T10:00:00Z.", Observed: "frozen by a", Lift: "holders of the freeze right", Next: "Wait for the freeze to end, or ask for it to be lifted.", Until: monday.Add(time.Hour)}},
		{gateCalendar, func(*Inputs) {}, Reason{Code: "passed", Verdict: Go, Why: "No freeze stands in the way.", Observed: "no freeze"}},
		{gateCalendar, func(in *Inputs) { in.Calendar.Exempt = []string{"a", "b"} }, Reason{Code: "passed", Verdict: Go, Why: "The release type is exempt from the freeze in force.", Observed: "exempt from a, b"}},
		{gateChangeType, func(in *Inputs) { in.Release.ChangeType = Emergency }, Reason{Code: "passed", Verdict: Go, Why: "The change is declared emergency.", Observed: "emergency"}},
		{gateChangeType, func(in *Inputs) { in.Release.ChangeType, in.Change.Migrations = Standard, 1 }, Reason{Code: "not-standard", Verdict: Go, Why: "The change is declared standard but counts as normal, because it touches database migrations.", Observed: "normal"}},
		{gateChangeType, func(in *Inputs) { in.Release.ChangeType, in.Change.Breaking = Standard, true }, Reason{Code: "not-standard", Verdict: Go, Why: "The change is declared standard but counts as normal, because it is breaking.", Observed: "normal"}},
		{gateChangeType, func(in *Inputs) { in.Release.ChangeType = "odd" }, Reason{Code: "unknown", Verdict: CannotTell, Why: "The declared change type is none of standard, normal, emergency; the change counts as normal.", Observed: "normal"}},
		{gateSize, func(in *Inputs) { in.Release.Size, in.Change.SemverStep = "", Minor }, Reason{Code: "passed", Verdict: Go, Why: "No size is declared, and the step of the version is minor, so it counts as minor.", Observed: "minor"}},
		{gateSize, func(*Inputs) {}, Reason{Code: "passed", Verdict: Go, Why: "The release is declared patch, and the step of the version is patch, so it counts as patch.", Observed: "patch"}},
		{gateSize, func(in *Inputs) { in.Change.Complete = false }, Reason{Code: "unknown", Verdict: CannotTell, Why: "What the change does to the version is not known; the release counts as major.", Observed: "major", Next: "Let the server or a pipeline read the whole change, or declare the release major."}},
		{gateType, func(*Inputs) {}, Reason{Code: "passed", Verdict: Go, Why: "A patch normal release is of type any.", Observed: "any"}},
		{gateScope, func(*Inputs) {}, Reason{Code: "passed", Verdict: Go, Why: "Scope rule all governs this release: in full.", Observed: "all"}},
		{gateService, func(in *Inputs) { in.Service.Known = false }, Reason{Code: "unknown", Verdict: CannotTell, Why: "The service is not in the catalog, so the strictest rule governs it.", Observed: "not known", Next: "Add the service to the catalog, or correct its name."}},
		{gateRelease, func(in *Inputs) { in.Release.Known = false }, Reason{Code: "unknown", Verdict: CannotTell, Why: "What the release declares is not known.", Observed: "not known"}},
	} {
		r := reason(t, compiled(t, sample()).Decide(with(c.change)), c.gate)
		got := Reason{Code: r.Code, Verdict: r.Verdict, Why: r.Why, Observed: r.Observed, Owner: r.Owner, Lift: r.Lift, Next: r.Next, Until: r.Until}
		if diff := cmp.Diff(c.want, got); diff != "" || r.Severity != Block || r.Title == "" {
			t.Errorf("%s: %s", c.gate, diff)
		}
	}
	if r := reason(t, compiled(t, sample()).Decide(fine()), gateApproval); r.Required != "2 approvals of release-approvers" || r.Where.Line == 0 {
		t.Errorf("%q at %s", r.Required, r.Where)
	}
	if r := reason(t, compiled(t, sample()).Decide(fine()), gateSize); r.Required != "major, minor or patch: the strictest of the declaration and the change" {
		t.Errorf("%q", r.Required)
	}
	if r := reason(t, compiled(t, sample()).Decide(fine()), gateChangeType); r.Required != "standard, normal or emergency" {
		t.Errorf("%q", r.Required)
	}
	if c := compiled(t, sample()).Classify(new(with(func(in *Inputs) { in.Service.Name = strings.Repeat("x", MaxInputText+1) }))); c.Verdict != CannotTell || c.Governance != Full {
		t.Errorf("beyond the limits: %s %s", c.Verdict, c.Governance)
	}
	if c := compiled(t, sample()).Classify(new(fine())); c.Verdict != Go || c.Type == nil || c.Chain == nil {
		t.Errorf("%+v", c)
	}
}

// What was observed is told within bounds, in whatever letters.
func TestShorten(t *testing.T) {
	for _, c := range []struct{ s, want string }{
		{strings.Repeat("x", maxObserved), strings.Repeat("x", maxObserved)},
		{strings.Repeat("x", maxObserved+1), strings.Repeat("x", maxObserved-1) + "…"},
		{strings.Repeat("é", maxObserved), strings.Repeat("é", maxObserved)},
		{strings.Repeat("é", maxObserved+1), strings.Repeat("é", maxObserved-1) + "…"},
		{"", ""},
	} {
		if got := shorten(c.s); got != c.want {
			t.Errorf("%d bytes: %d", len(c.s), len(got))
		}
	}
	p := listed(t, "coverage.line_rate >= threshold.rate && findings.high <= param.limit && now > timestamp('2027-01-01T00:00:00Z')")
	want := "coverage.line_rate = 0.8, threshold.rate = 0.5, findings.high = 0"
	if r := reason(t, p.Decide(fine()), "probe"); r.Observed != want {
		t.Errorf("%s, want %s", r.Observed, want)
	}
	q := compiled(t, probe("condition: coverage.line_rate >= threshold.rate\nobserved: string(findings.high) + ' high'\n"))
	if r := reason(t, q.Decide(fine()), "probe"); r.Observed != "0 high" {
		t.Error(r.Observed)
	}
	if r := reason(t, q.Decide(with(func(in *Inputs) { in.Findings.Known = false })), "probe"); r.Observed != "coverage.line_rate = 0.8, threshold.rate = 0.5" {
		t.Error(r.Observed)
	}
	if r := reason(t, compiled(t, probe("condition: 'true'\nobserved: 1 / findings.high\n")).Decide(fine()), "probe"); r.Observed != "" {
		t.Error(r.Observed)
	}
}

// Explanations follow what decided, and tell spans and instants as people read them.
func TestExplanationsOfParts(t *testing.T) {
	for condition, want := range map[string]string{
		"false ? true : findings.high > 3":                "`findings.high > 3` does not hold: findings.high is 0.",
		"true ? findings.high > 3 : true":                 "`findings.high > 3` does not hold: findings.high is 0.",
		"release.submitted_at - now > duration('1h')":     "`release.submitted_at - now > duration(\"1h\")` does not hold: release.submitted_at is 2027-02-28T09:00:00Z, now is 2027-03-01T09:00:00Z, `release.submitted_at - now` is -1d, `duration(\"1h\")` is 1h.",
		"now - now > duration('1h')":                      "`now - now > duration(\"1h\")` does not hold: now is 2027-03-01T09:00:00Z, `now - now` is 0s, `duration(\"1h\")` is 1h.",
		"release.submitted_at + duration('1h') > now":     "`release.submitted_at + duration(\"1h\") > now` does not hold: release.submitted_at is 2027-02-28T09:00:00Z, now is 2027-03-01T09:00:00Z, `release.submitted_at + duration(\"1h\")` is 2027-02-28T10:00:00Z.",
		"findings.high > 3 && 1 / findings.critical > 0":  "`findings.high > 3` does not hold: findings.high is 0.",
		"findings.high > 3 && findings.high > 3":          "`findings.high > 3` does not hold: findings.high is 0.",
		"(service.owned || true) && findings.high > 3":    "`findings.high > 3` does not hold: findings.high is 0.",
		"!(service.owned || findings.high > 3)":           "`service.owned` holds: service.owned is true.",
		"load.parts.all(findings, findings.p95_ms < 1.0)": "`load.parts.all(findings, findings.p95_ms < 1.0)` does not hold: load.parts is 2 items.",
		"size(service.name + service.team) > 99":          "`size(service.name + service.team) > 99` does not hold: service.name is example, service.team is example-team, `size(service.name + service.team)` is 19.",
		"service.name + service.team == 'x'":              "`service.name + service.team == \"x\"` does not hold: service.name is example, service.team is example-team, `service.name + service.team` is exampleexample-team.",
	} {
		if r := reason(t, listed(t, condition).Decide(tested(func(*Inputs) {})), "probe"); r.Code != "failed" || r.Why != want {
			t.Errorf("%s: %s\nwant %s", condition, r.Why, want)
		}
	}
}

// Two parameters of one name, a gate that nobody has, a kind that nobody reads:
// each is one problem, at its place, and nothing more.
func TestOneMistakeIsOneProblem(t *testing.T) {
	for name, c := range map[string]struct {
		files []File
		code  string
		says  string
		where string // line:column; "" is not looked at
		count int
	}{
		"two parameters":          {sample(doc("Parameter", "name: limit\nvalue: 3\n")), "policy.duplicate-name", "limit", "", 1},
		"a relaxation of no gate": {sample(doc("Relaxation", "name: r\ngate: alway\nto: off\nuntil: 2027-04-01\nby: board\nreason: R.\n")), "policy.no-gate", `did you mean "always"?`, "5:7", 1},
		"a relaxation to nothing": {sample(doc("Relaxation", "name: r\ngate: always\nuntil: 2027-04-01\nby: board\nreason: R.\n")), "policy.missing-field", "to", "", 1},
		"no truth, quoted":        {probe("condition: 'findings.high'\n"), "policy.expression-type", "must be true or false", "6:13", 1},
		"too dear, quoted":        {probe("condition: 'service.flags.all(a, service.flags.exists(b, a != b))'\n"), "policy.cost", "may take too long", "6:13", 1},
		"too early, quoted":       {sample(doc("ScopeRule", "name: s\nmatch: 'approval.approvals > 1'\ngovernance: full\n")), "policy.too-early", "cannot read approval", "5:9", 1},
		"the type, quoted":        {sample(doc("ScopeRule", "name: s\nmatch: 'release.type == \"x\"'\ngovernance: full\n")), "policy.too-early", "cannot read release.type", "5:9", 1},
		"two cases":               {sample(good("probe", "expect: {verdict: go}\n"), good("probe", "expect: {verdict: go}\n")), "policy.duplicate-name", "probe", "", 1},
		"two rows":                {sample(good("probe", "expect: {verdict: go}\ncases: [{name: x}, {name: x}]\n")), "policy.duplicate-name", "probe: x", "", 1},
		"a row with more":         {sample(good("probe", "expect: {verdict: go}\ncases: [{name: x, more: 1}]\n")), "policy.unknown-field", "more", "", 1},
		"too early":               {sample(doc("ScopeRule", "name: s\nmatch: approval.approvals > 1\ngovernance: full\n")), "policy.too-early", "cannot read approval", "5:8", 1},
		"too early, a threshold":  {sample(doc("ScopeRule", "name: s\nmatch: threshold.rate > 0.1\ngovernance: full\n")), "policy.too-early", "cannot read threshold.rate", "5:8", 1},
		"too early, the type":     {sample(doc("ScopeRule", "name: s\nmatch: release.type == 'x'\ngovernance: full\n")), "policy.too-early", "cannot read release.type", "5:8", 1},
		"no truth":                {probe("condition: findings.high\n"), "policy.expression-type", "must be true or false", "6:12", 1},
		"too dear":                {probe("condition: service.flags.all(a, service.flags.exists(b, a != b))\n"), "policy.cost", "may take too long", "6:12", 1},
		"a value is built":        {probe("condition: 'policy.Findings{high: 1}.high == 1'\n"), "policy.expression", "cannot build a value", "6:13", 1},
		"no such field":           {probe("condition: findings.hihg == 0\n"), "policy.unknown-input", `"findings" has no field "hihg"`, "6:20", 1},
		"no such section":         {probe("condition: findigns.high == 0\n"), "policy.unknown-input", `"findigns" is not an input`, "6:12", 1},
		"no such parameter":       {probe("condition: findings.high < param.limti\n"), "policy.unknown-input", `"limti" is not a Parameter`, "", 1},
		"no such threshold":       {probe("condition: coverage.line_rate < threshold.rat\n"), "policy.unknown-input", `"rat" is not a threshold of a ReleaseType`, "", 1},
		"no such function":        {probe("condition: sizes(service.name) == 0\n"), "policy.unknown-function", `"sizes" is not a function`, "", 1},
		"text and number":         {probe("condition: service.name > 3\n"), "policy.expression-type", "compare text with text", "", 1},
		"number and text":         {probe("condition: coverage.line_rate == service.name\n"), "policy.expression-type", "compare text with text", "", 1},
		"whole and fraction":      {probe("condition: findings.high + 0.5 > 1.0\n"), "policy.expression-type", "double(…)", "", 1},
		"text in numbers":         {probe("condition: service.name in [1, 2]\n"), "policy.expression-type", `"in" cannot be applied`, "", 1},
		"a function of others":    {probe("condition: service.tier.startsWith('x')\n"), "policy.expression-type", `"startsWith" cannot be applied`, "", 1},
		"a walk through text":     {probe("condition: service.name.all(x, x == 'a')\n"), "policy.expression-type", "only a list can be walked through", "", 1},
		"too long":                {probe("condition: size('" + strings.Repeat("x", maxExpression) + "') > 0\n"), "policy.expression", "is too long", "", 1},
		"too deep":                {probe("condition: " + strings.Repeat("(", maxNesting+9) + "true" + strings.Repeat(")", maxNesting+9) + "\n"), "policy.expression", "nested too deeply", "", 1},
		"an attestor of nobody":   {sample(doc("Attestor", "name: builder\nslsa_level: 1\nkeys: [{name: k, key: /"+strings.Repeat("A", 42)+"=}]\n"), doc("Gate", "name: probe\ntitle: P\ncondition: '\"buidler\" in attestation.attestors'\n")), "policy.no-attestor", "did you mean \"builder\"?", "13:13", 1},
		"a name of nothing":       {probe("condition: param == 1\n"), "policy.unknown-input", "there is no Parameter of that name", "", 1},
		"another of nothing":      {probe("condition: threshold == 1\n"), "policy.unknown-input", "add it under thresholds", "", 1},
		"too many parts":          {probe("condition: size([" + strings.Repeat("1,", maxNodes) + "1]) > 0\n"), "policy.expression", "is too long", "", 1},
		"an expectation more":     {sample(good("probe", "expect: {verdict: go, more: 1}\n")), "policy.unknown-field", "more", "", 1},
		"it ends":                 {probe("condition: findings.high ==\n"), "policy.expression-syntax", "it ends too early", "", 1},
		"and in words":            {probe("condition: service.owned and service.owned\n"), "policy.expression-syntax", "write &&", "", 1},
	} {
		_, problems := Compile(c.files)
		var found []Problem
		for _, p := range problems {
			if p.Severity != LevelWarning {
				found = append(found, p)
			}
		}
		if len(found) != c.count || found[0].Code != c.code || !strings.Contains(found[0].String(), c.says) || c.where != "" && !strings.Contains(found[0].Where.String(), ":"+c.where) {
			t.Errorf("%s: %v", name, found)
		}
	}
	for _, condition := range []string{"service.owned > 3", "service.name > true"} {
		if _, problems := Compile(probe("condition: " + condition + "\n")); len(problems) != 1 || problems[0].Fix != "" {
			t.Errorf("%s: %v", condition, problems)
		}
	}
	if _, problems := Compile(probe("condition: findings.oops == 0 || tests.oops == 0\n")); len(problems) != 2 || !strings.Contains(problems[0].What, `"findings" has no field "oops"`) {
		t.Errorf("two fields that there are not: %v", problems)
	}
	if _, problems := Compile(sample(doc("Relaxation", "name: r\ngate: always\nuntil: 2027-04-01\nby: board\nreason: R.\n"))); len(problems) != 1 {
		t.Errorf("a relaxation to nothing: %v", problems)
	}
	// Of an expression over some lines, what concerns it as a whole stands at the first.
	for what, doc := range map[string]string{
		"policy.expression-type": "condition: |\n  findings.high +\n  findings.low\n",
		"policy.cost":            "condition: |\n  service.flags.all(a,\n  service.flags.exists(b, a != b))\n",
		"policy.expression":      "condition: |\n  policy.Findings{high: 1}\n  .high == 1\n",
		"policy.no-attestor":     "condition: |\n  size(attestation.attestors) > 0 &&\n  \"x\" in attestation.attestors\n",
	} {
		_, problems := Compile(probe(doc))
		for _, p := range problems {
			if p.Code == what && p.Where.Line != 7 {
				t.Errorf("%s stands at %s", what, p.Where)
			}
		}
		if !slices.ContainsFunc(problems, func(p Problem) bool { return p.Code == what }) {
			t.Errorf("no %s: %v", what, problems)
		}
	}
	for _, late := range []string{"release.type == 'x' &&\n  service.owned", "service.owned &&\n  size(approval.freezes) > 0", "threshold.rate > 0.1 &&\n  service.owned", "calendar.frozen &&\n  service.owned"} {
		_, problems := Compile(sample(doc("ScopeRule", "name: s\nmatch: |\n  "+late+"\ngovernance: full\n")))
		for _, p := range problems {
			if p.Code == "policy.too-early" && p.Where.Line != 6 {
				t.Errorf("%s stands at %s", late, p.Where)
			}
		}
	}
	if _, problems := Compile(probe("condition: 'attestation.verified > 0'\n")); len(problems) != 1 || problems[0].Code != "policy.no-attestor" || problems[0].Where.Column != 13 {
		t.Errorf("no attestor: %v", problems)
	}
	if _, problems := Compile(without("Gate")); len(problems) != 1 || problems[0].Code != "policy.no-gates" || Failed(problems) {
		t.Errorf("without a gate: %v", problems)
	}
	if _, problems := Compile(without("ScopeRule")); len(problems) != 1 || problems[0].Code != "policy.no-scope" || Failed(problems) {
		t.Errorf("without a scope rule: %v", problems)
	}
}

// What stands in the way of a test case is named, five of it at most.
func TestBlockersOfCases(t *testing.T) {
	many := func(n int) (o Outcome) {
		o.Reasons = []Reason{{Gate: "warns", Severity: Warn, Verdict: NoGo}, {Gate: "goes", Severity: Block, Verdict: Go}}
		for i := range n {
			o.Reasons = append(o.Reasons, Reason{Gate: string(rune('a' + i)), Code: "c", Severity: Block, Verdict: NoGo})
		}
		return o
	}
	for n, want := range map[int]string{0: "", 1: " because of a (c)", 5: " because of a (c), b (c), c (c), d (c), e (c)", 7: " because of a (c), b (c), c (c), d (c), e (c)"} {
		if got := blockers(many(n)); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}

// Chains stand in the order of their places, and every kind is told with its fields.
func TestChainsAndKinds(t *testing.T) {
	chain := func(name string) string {
		return doc("ApprovalChain", "name: "+name+"\ntiers: [{name: review, groups: [release-approvers], quorum: 1}]\n")
	}
	files := append(sample(chain("z"), chain("y"), chain("x")), File{Name: "a.yaml", Data: []byte(chain("w"))})
	for range 3 { // maps are walked another way each time
		var names []string
		for _, c := range compiled(t, files).Chains() {
			names = append(names, c.Name)
		}
		if want := []string{"w", "one", "z", "y", "x"}; !slices.Equal(names, want) {
			t.Fatalf("%v, want %v", names, want)
		}
	}
	kinds := Kinds()
	for _, name := range []string{"Gate", "ScopeRule", "ReleaseType", "TestCase"} {
		if i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == name }); i < 0 || len(kinds[i].Fields) < 4 {
			t.Errorf("%s is not told among %d kinds", name, len(kinds))
		}
	}
	a, err := compiled(t, sample()).Asker()
	if err != nil {
		t.Fatal(err)
	}
	if q, err := a.Ask("findings.high == 0"); err != nil || q.Tree() == nil || q.Tree().Expr() == nil {
		t.Errorf("without a tree: %v", err)
	}
	inputs, fields := Meanings()
	for _, m := range inputs {
		if m.Text == "" || m.Type == "" || strings.HasPrefix(m.Name, "#") || strings.Contains(m.Name, " ") {
			t.Errorf("%+v", m)
		}
	}
	for kind := range fields {
		if kind == strings.ToLower(kind) || strings.HasPrefix(kind, "#") {
			t.Errorf("%q is no kind", kind)
		}
	}
	for name, want := range map[string]string{
		"findings.items.severity": "string", "findings.items": "list of items", "service.flags": "list of string", "findings.high": "int", "coverage.line_rate": "double",
		"service.owned": "bool", "release.submitted_at": "timestamp", "findings.nothing": "", "nothing.high": "", "service.flags.x": "", "findings.items.nothing": "", "findings": "",
	} {
		if got := inputType(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// Lists are shown up to ten items, and messages of the library up to their first line.
func TestShownInPart(t *testing.T) {
	p := listed(t, "size(service.flags) > 99")
	for n, more := range map[int]string{9: "", 10: "", 11: ", and 1 more"} {
		r := reason(t, p.Decide(with(func(in *Inputs) { in.Service.Flags = slices.Repeat([]string{"f"}, n) })), "probe")
		if want := "service.flags = [" + strings.TrimSuffix(strings.Repeat("f, ", min(n, 10)), ", ") + more + "]"; r.Observed != want {
			t.Errorf("%s, want %s", r.Observed, want)
		}
	}
	if s := show(reflect.ValueOf(int64(1090))); s != "1090" {
		t.Error(s)
	}
	for s, want := range map[string]string{"ERROR: a\nb": "a", "a": "a", "\na": "", "policy.Findings has": "the section findings has"} {
		if got := words(s); got != want {
			t.Errorf("%q: %q", s, got)
		}
	}
	a, err := compiled(t, sample()).Asker()
	if err != nil {
		t.Fatal(err)
	}
	if q, err := a.Ask("size([findings]) == 1 && now > timestamp('2027-01-01T00:00:00Z')"); err != nil || len(q.Reads) != 0 {
		t.Errorf("read one by one: %v %v", q.Reads, err)
	}
	if packs := Packs(); !slices.Equal(packs, []string{"starter", "regulated"}) {
		t.Error(packs)
	}
}

// What a gate requires and what it means that it fails is told in its own words where it has any.
func TestRequiredInWords(t *testing.T) {
	failing := func(more string) Reason {
		return reason(t, compiled(t, probe("condition: findings.age_hours > 3.0 && findings.high <= param.limit\n"+more)).Decide(fine()), "probe")
	}
	why := "`findings.age_hours > 3.0` does not hold: findings.age_hours is 2."
	for more, want := range map[string][2]string{
		"":                            {"findings.age_hours > 3.0 && findings.high <= param.limit (param.limit = 2)", why},
		"required: old enough\n":      {"old enough", why},
		"description: It is young.\n": {"findings.age_hours > 3.0 && findings.high <= param.limit (param.limit = 2)", "It is young. " + why},
	} {
		if r := failing(more); r.Required != want[0] || r.Why != want[1] {
			t.Errorf("%q: required %q, why %q", more, r.Required, r.Why)
		}
	}
	// Without an explanation the description stands alone, and without that what is required.
	dear := listed(t, "findings.age_hours > 3.0")
	spent := uint64(DecisionBudget)
	in := fine()
	g := dear.gates[len(dear.gates)-1]
	g.condition.metered = true
	v := &values{in: &in, parameters: dear.parameters, spent: &spent}
	if g.condition.metered = false; !strings.Contains(v.failed(&g), "does not hold") {
		t.Errorf("a cheap condition is not explained: %s", v.failed(&g))
	}
	g.condition.metered = true
	if got := v.failed(&g); got != "Required is: findings.age_hours > 3.0." {
		t.Error(got)
	}
	spent = DecisionBudget - RuleBudget
	if got := v.failed(&g); !strings.Contains(got, "does not hold") {
		t.Errorf("with just enough budget: %s", got)
	}
	if s := sentence(""); s != "" {
		t.Error(s)
	}
	p := compiled(t, without("ScopeRule", doc("ScopeRule", "name: all\ngovernance: full\nreason: .\n")))
	if r := reason(t, p.Decide(fine()), gateScope); r.Code != "passed" {
		t.Errorf("%+v", r)
	}
	two := compiled(t, without("ReleaseType", typed("second", "service.tier < 3"), typed("first", "service.tier < 2")))
	if r := reason(t, two.Decide(fine()), gateType); r.Code != "two-types" || r.Where.Line < 13 || !strings.Contains(r.Why, "second and first both cover") {
		t.Errorf("%+v", r)
	}
	slow := compiled(t, without("ReleaseType", doc("ReleaseType", "name: any\nsize: [major, minor, patch]\nchange_types: [standard, normal, emergency]\nchain: none\nlead_time: 4h\n")))
	for observed, change := range map[string]func(*Inputs){
		"submitted at 2027-02-28T09:00:00Z": func(*Inputs) {},
		"release is not known":              func(in *Inputs) { in.Release.Known = false },
		"not submitted":                     func(in *Inputs) { in.Release.SubmittedAt = time.Time{} },
	} {
		if r := reason(t, slow.Decide(with(change)), gateLeadTime); r.Observed != observed || (r.Next == "Submit the release.") != (observed == "not submitted") {
			t.Errorf("%s: %+v", observed, r)
		}
	}
}

// A gate that is only ever switched off in the tests was never seen to refuse.
func TestLintSeesThroughRelaxations(t *testing.T) {
	gate := doc("Gate", "name: probe\ntitle: P\ncondition: findings.critical == 0\n")
	off := doc("Relaxation", "name: r\ngate: probe\nto: off\nuntil: 2027-04-01\nby: board\nreason: R.\n")
	seen := good("probe", "cases: [{name: x, inputs: {findings: {critical: 1}}, expect: {verdict: no-go}}]\n")
	untested := func(files []File) bool {
		return slices.ContainsFunc(Lint(files), func(p Problem) bool {
			return p.Code == "policy.untested-gate" && strings.Contains(p.What, "Gate probe refuse")
		})
	}
	if untested(sample(gate, seen)) || !untested(sample(gate, off, seen)) {
		t.Error("a gate that is switched off counts as seen to refuse")
	}
	if all := compiled(t, sample(gate, off)).Relaxations(); len(all) != 1 || all[0].Name != "r" || all[0].Gate != "probe" {
		t.Errorf("%+v", all)
	}
}
