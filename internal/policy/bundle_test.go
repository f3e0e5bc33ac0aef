package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDigest(t *testing.T) {
	a := []File{{"a.yaml", []byte("x")}, {"b.yaml", []byte("y")}}
	for name, other := range map[string][]File{
		"content":        {{"a.yaml", []byte("x")}, {"b.yaml", []byte("z")}},
		"name":           {{"a.yaml", []byte("x")}, {"c.yaml", []byte("y")}},
		"shifted":        {{"a.yaml", []byte("xb.yaml")}, {"", []byte("y")}},
		"joined":         {{"a.yaml", []byte("x")}},
		"names swapped":  {{"a.yaml", []byte("y")}, {"b.yaml", []byte("x")}},
		"one byte moved": {{"a.yamlx", nil}, {"b.yaml", []byte("y")}},
		"nothing":        nil,
	} {
		if Digest(a) == Digest(other) {
			t.Errorf("%s: the digest is the same", name)
		}
	}
	if Digest(a) != Digest([]File{a[1], a[0]}) {
		t.Error("the order of files changes the digest")
	}
	// By hand: printf 'signalbox policy bundle v1\n' and the length-prefixed parts, through sha256sum.
	const want = "sha256:73f7eb845de4ad30439905e48ee6a68200303e1415aa9e52b8a7408898c2a7cd"
	if got := Digest([]File{{"a.yaml", []byte("x")}}); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

func TestProgramKeepsItsSources(t *testing.T) {
	files := bundle()
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
	big := []byte("# " + strings.Repeat("x", MaxFile))
	fit := big[:MaxFile]
	many := func(n int) []File {
		var files []File
		for i := range n {
			files = append(files, File{fmt.Sprintf("%04d.yaml", i), nil})
		}
		return files
	}
	for _, tt := range []struct {
		name  string
		files []File
		code  string // "" where it is accepted
	}{
		{"a large file", append(bundle(), File{"large.yaml", fit}), ""},
		{"a file too large", append(bundle(), File{"large.yaml", big[:MaxFile+1]}), "policy.too-large"},
		{"a bundle too large", append(bundle(), File{"1.yaml", fit}, File{"2.yaml", fit}, File{"3.yaml", fit}, File{"4.yaml", fit}), "policy.too-large"},
		{"many files", append(bundle(), many(MaxFiles-2)...), ""},
		{"too many files", append(bundle(), many(MaxFiles-1)...), "policy.too-many-files"},
		{"too many documents", append(bundle(), File{"docs.yaml", []byte(strings.Repeat("---\na: b\n", MaxDocuments+1))}), "policy.too-many-documents"},
		{"the same name twice", append(bundle(), File{"base.yaml", nil}), "policy.duplicate-file"},
		{"a name that climbs", append(bundle(), File{"../x.yaml", nil}), "policy.file-name"},
		{"an absolute name", append(bundle(), File{"/x.yaml", nil}), "policy.file-name"},
		{"no name", append(bundle(), File{"", nil}), "policy.file-name"},
		{"bytes that are not text", append(bundle(), File{"x.yaml", []byte{0xff, 0xfe}}), "policy.not-utf8"},
		{"a zero byte", append(bundle(), File{"x.yaml", []byte("# \x00")}), "policy.hidden-character"},
		{"a byte order mark", append(bundle(), File{"x.yaml", []byte("\ufeff# x")}), "policy.hidden-character"},
		{"an empty file", append(bundle(), File{"x.yaml", nil}), ""},
		{"empty documents", append(bundle(), File{"x.yaml", []byte("---\n---\n# x\n---\n~\n")}), ""},
		{"windows line ends", append(bundle(), File{"x.yaml", []byte(strings.ReplaceAll(doc("Gate", "name: probe\ntitle: Probe\ncondition: 'true'\n"), "\n", "\r\n"))}), ""},
		{"deep nesting", append(bundle(), File{"x.yaml", []byte(strings.Repeat("[", 20000))}), "policy.yaml"},
		{"a bomb", append(bundle(), File{"x.yaml", []byte("a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n")}), "policy.yaml-feature"},
		{"a text too long", bundle(doc("Gate", "name: probe\ntitle: Probe\ncondition: 'true'\nnext: "+strings.Repeat("x", maxText+1)+"\n")), "policy.too-long"},
		{"an expression too long", bundle(doc("Gate", "name: probe\ntitle: Probe\ncondition: "+strings.Repeat("true && ", 2000)+"true\n")), "policy.expression"},
		{"a parameter too long", bundle(doc("Parameter", "name: p\nvalue: "+strings.Repeat("x", MaxInputText+1)+"\n")), "policy.too-long"},
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
	_, list := Compile(bundle(gates(MaxProblems)))
	if len(list) != MaxProblems {
		t.Errorf("%d problems, want %d", len(list), MaxProblems)
	}
	_, list = Compile(bundle(gates(MaxProblems + 7)))
	if len(list) != MaxProblems+1 || list[MaxProblems].What != "there are 7 more problems" {
		t.Errorf("%d problems, the last %v", len(list), list[len(list)-1])
	}
}

func TestAnErrorAfterFiftyWarningsIsStillAnError(t *testing.T) {
	var b strings.Builder
	for i := range MaxProblems + 5 {
		b.WriteString(doc("ApprovalChain", fmt.Sprintf("name: c%02d\ntiers: [{name: t, groups: [g], quorum: 1}]\n", i)))
	}
	p, list := Compile(bundle(b.String()))
	if p == nil || Failed(list) || len(list) != MaxProblems+1 {
		t.Fatalf("warnings alone: program %v, %d problems", p != nil, len(list))
	}
	b.WriteString(doc("ScopeRule", "name: late\ngovernance: none\nobserve: {by: ada-example, until: 2027-04-01}\n"))
	if p, list := Compile(bundle(b.String())); p != nil || !Failed(list) {
		t.Error("an error behind fifty warnings is lost")
	}
}

func TestDurations(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"15m": 15 * time.Minute, "4h": 4 * time.Hour, "7d": 168 * time.Hour, "2w": 336 * time.Hour, "1d12h": 36 * time.Hour, "90s": 90 * time.Second, "0h": 0, "1h30m15s": time.Hour + 30*time.Minute + 15*time.Second,
	} {
		if got, ok := ParseDuration(s); !ok || got != want {
			t.Errorf("%q is %s, %v; want %s", s, got, ok, want)
		}
	}
	for _, s := range []string{"", "7", "d", "7 d", "-7d", "1.5h", "12h1d", "1h1h", "7D", "1ms", "9999999h", "999999w", "1h ", "١h"} {
		if got, ok := ParseDuration(s); ok {
			t.Errorf("%q is read as %s", s, got)
		}
	}
	for d, want := range map[time.Duration]string{0: "0s", 15 * time.Minute: "15m", 168 * time.Hour: "7d", 36*time.Hour + 5*time.Second: "1d12h5s"} {
		if got := Duration(d); got != want {
			t.Errorf("%s is written %q, want %q", d, got, want)
		}
		if back, ok := ParseDuration(Duration(d)); !ok || back != d {
			t.Errorf("%q reads back as %s", Duration(d), back)
		}
	}
}

func TestNearest(t *testing.T) {
	words := []string{"critical", "high", "severity", "title", "tests"}
	for word, want := range map[string]string{"crticial": "critical", "hihg": "high", "sevrity": "severity", "Title": "title", "test": "tests", "frobnicate": "", "": ""} {
		if got := nearest(word, words); got != want {
			t.Errorf("nearest to %q is %q, want %q", word, got, want)
		}
	}
}

func TestKindsAreRead(t *testing.T) {
	p := compiled(t, bundle(
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
	p := compiled(t, bundle(doc("FreezeRule", "name: a\n"), doc("FreezeRule", "name: b\n")))
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
	p := compiled(t, bundle(
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
