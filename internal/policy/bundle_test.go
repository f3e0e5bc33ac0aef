package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/bundle"
)

func TestProgramKeepsItsSources(t *testing.T) {
	files := sample()
	p := compiled(t, files)
	if p.Digest() != Digest(files) || p.Policy().Name != "base" || p.Policy().Version != "1" {
		t.Errorf("%s %+v", p.Digest(), p.Policy())
	}
	files[0].Data[0] = '#'
	p.Files()[0].Data[0] = '#'
	if again := p.Files(); Digest(again) != p.Digest() {
		t.Error("the sources were changed from outside")
	}
	if again := compiled(t, p.Files()); again.Digest() != p.Digest() {
		t.Error("the sources give another program")
	}
}

func TestLimitsOfABundle(t *testing.T) {
	with := func(name string, data []byte) []File { return append(sample(), File{Name: name, Data: data}) }
	for _, tt := range []struct {
		name  string
		files []File
		code  string // "" where it is accepted
	}{
		{"an empty file", with("x.yaml", nil), ""},
		{"windows line ends", with("x.yaml", []byte(strings.ReplaceAll(doc("Gate", "name: probe\ntitle: Probe\ncondition: 'true'\n"), "\n", "\r\n"))), ""},
		{"a file that cannot be read", with("x.yaml", []byte{0xff, 0xfe}), "policy.not-utf8"},
		{"a file too large", with("large.yaml", []byte("# "+strings.Repeat("x", MaxFile))), "policy.too-large"},
		{"a text too long", sample(doc("Gate", "name: probe\ntitle: Probe\ncondition: 'true'\nnext: "+strings.Repeat("x", bundle.MaxText+1)+"\n")), "policy.too-long"},
		{"an expression too long", sample(doc("Gate", "name: probe\ntitle: Probe\ncondition: "+strings.Repeat("true && ", 2000)+"true\n")), "policy.expression"},
		{"a parameter as long as may be", sample(doc("Parameter", "name: p\nvalue: "+strings.Repeat("x", MaxInputText)+"\n")), ""},
		{"a parameter too long", sample(doc("Parameter", "name: p\nvalue: "+strings.Repeat("x", MaxInputText+1)+"\n")), "policy.too-long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, list := Compile(tt.files)
			if (p != nil) != (tt.code == "") {
				t.Fatalf("program %v, problems %v", p != nil, list)
			}
			if tt.code != "" && !slices.ContainsFunc(list, func(p Problem) bool { return p.Code == tt.code }) {
				t.Errorf("no %s among %v", tt.code, list)
			}
		})
	}
}

func TestProblemsEndAtFifty(t *testing.T) {
	gates := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(doc("Gate", fmt.Sprintf("name: g%d\ntitle: G\ncondition: x%d\n", i, i)))
		}
		return b.String()
	}
	_, list := Compile(sample(gates(bundle.MaxProblems)))
	if len(list) != bundle.MaxProblems {
		t.Errorf("%d problems, want %d", len(list), bundle.MaxProblems)
	}
	_, list = Compile(sample(gates(bundle.MaxProblems + 7)))
	if len(list) != bundle.MaxProblems+1 || list[bundle.MaxProblems].What != "there are 7 more problems" {
		t.Errorf("%d problems, the last %v", len(list), list[len(list)-1])
	}
}

func TestAnErrorAfterFiftyWarningsIsStillAnError(t *testing.T) {
	var b strings.Builder
	for i := range bundle.MaxProblems + 5 {
		b.WriteString(doc("ApprovalChain", fmt.Sprintf("name: c%02d\ntiers: [{name: t, groups: [g], quorum: 1}]\n", i)))
	}
	p, list := Compile(sample(b.String()))
	if p == nil || Failed(list) || len(list) != bundle.MaxProblems+1 {
		t.Fatalf("warnings alone: program %v, %d problems", p != nil, len(list))
	}
	b.WriteString(doc("ScopeRule", "name: late\ngovernance: none\nobserve: {by: ada-example, until: 2027-04-01}\n"))
	if p, list := Compile(sample(b.String())); p != nil || !Failed(list) {
		t.Error("an error behind fifty warnings is lost")
	}
}

func TestKindsAreRead(t *testing.T) {
	p := compiled(t, sample(
		doc("Gate", "name: g\ntitle: T\ndescription: D.\napplies: service.tier < 3\ngovernance: [light]\ncondition: service.owned\nneeds: [tests]\nmax_age: 1d\nprovenance: person\nseverity: warn\non_fail: wait\nobserved: service.team\nrequired: R\nowner: o\nlift: l\nnext: n\ncontrols: [soc2/CC8.1]\n"),
		doc("FreezeRule", "name: z\nmay_declare: [a]\nmay_lift: [b]\nexempt: [any]\nverdict: wait\nin_flight: stop\n"),
		doc("Parameter", "name: p\nvalue: 5\nunit: u\nmin: 1\nmax: 9\ndescription: d\nmay_change: [c]\n"),
		doc("Parameter", "name: on\nvalue: true\n"), doc("Parameter", "name: word\nvalue: x\n"),
	))
	g := p.Gates()[1]
	g.Where.File, g.Where.Line, g.Where.Column = "", 0, 0
	if diff := cmp.Diff(Gate{
		Name: "g", Title: "T", Description: "D.", Applies: "service.tier < 3", Governance: []string{"light"}, Condition: "service.owned", Observed: "service.team", Required: "R",
		Needs: []string{"tests"}, MaxAge: 24 * time.Hour, Provenance: ByPerson, Severity: Warn, OnFail: Wait, Owner: "o", Lift: "l", Next: "n", Controls: []string{"soc2/CC8.1"},
	}, g); diff != "" {
		t.Error(diff)
	}
	if _, ok := p.FreezeRule("another"); ok {
		t.Error("a rule that no document describes was found")
	}
	z, ok := p.FreezeRule("z")
	if !ok || z.Name != "z" || z.Verdict != Wait || z.InFlight != "stop" || z.MayDeclare[0] != "a" || z.MayLift[0] != "b" {
		t.Errorf("freeze rule %+v", z)
	}
	q := p.Parameters()
	if len(q) != 4 || q[1].Value != 5.0 || *q[1].Min != 1 || *q[1].Max != 9 || q[2].Value != true || q[3].Value != "x" {
		t.Errorf("parameters %+v", q)
	}
	if types := p.ReleaseTypes(); len(types) != 1 || types[0].Thresholds["rate"] != 0.5 {
		t.Errorf("types %+v", types)
	}
	if c, ok := p.Chain("one"); !ok || c.Tiers[0].Groups[0] != "release-approvers" {
		t.Errorf("chain %+v", c)
	}
	if _, ok := p.Chain("other"); ok {
		t.Error("there is a chain that nobody wrote")
	}
	if s := p.ScopeRules(); len(s) != 1 || s[0].Name != "all" {
		t.Errorf("scope rules %+v", s)
	}
}

func TestFreezeRuleOfTwoMustBeNamed(t *testing.T) {
	p := compiled(t, sample(doc("FreezeRule", "name: a\n"), doc("FreezeRule", "name: b\n")))
	if z, ok := p.FreezeRule("b"); !ok || z.Name != "b" {
		t.Errorf("rule %+v", z)
	}
	if z, ok := p.FreezeRule("c"); ok {
		t.Errorf("a freeze by another name follows %+v", z)
	}
	if len(p.FreezeRules()) != 2 {
		t.Error("two rules were written")
	}
}

func TestParametersOfEveryType(t *testing.T) {
	p := compiled(t, sample(
		doc("Parameter", "name: on\nvalue: true\n"), doc("Parameter", "name: word\nvalue: eu\n"),
		doc("Gate", "name: probe\ntitle: P\ncondition: param.on && param.word == environment.region && param.limit > 1.5\n"),
	))
	if o := p.Decide(fine()); o.Verdict != Go {
		t.Errorf("%+v", o.Reasons[0])
	}
	if o := p.Decide(with(func(in *Inputs) { in.Environment.Region = "us" })); o.Verdict != NoGo {
		t.Error("a text parameter is not compared")
	}
}
