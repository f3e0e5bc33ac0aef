package policy

import (
	"strings"
	"testing"
	"time"
)

const builderKey = "6uHIeTtVl8Sz9JDnasMRcsQ5aQ+O4UFCu4UaYfmknw4="

func attested(t *testing.T, gate string) *Program {
	t.Helper()
	return compiled(t, sample(
		doc("Attestor", "name: builder\nkeys: [{name: runner, key: "+builderKey+"}]\nslsa_level: 3\n"),
		doc("Gate", "name: probe\ntitle: Probe\n"+gate),
	))
}

func said(attestor, source, commit string) Statement {
	return Statement{Attestor: attestor, Keys: []string{"runner"}, PredicateType: "https://slsa.dev/provenance/v1", Builder: "https://example.com/b", Source: source, Commit: commit, SLSALevel: 3, Levels: []string{}}
}

// All that a gate asks must stand in one statement.
func TestGatesReadAttestations(t *testing.T) {
	const asks = `condition: >-
  attestation.statements.exists(s, s.attestor == "builder" && "runner" in s.keys && s.builder == "https://example.com/b"
  && s.source == "https://example.com/shop" && s.commit == change.head && s.slsa_level >= 2)
`
	good := said("builder", "https://example.com/shop", "c0ffee")
	other := said("builder", "https://example.com/other", "c0ffee")
	for name, c := range map[string]struct {
		change func(*Inputs)
		want   Verdict
		why    string
	}{
		"it says so":        {func(in *Inputs) { in.Attestation.Statements = []Statement{other, good} }, Go, ""},
		"of another source": {func(in *Inputs) { in.Attestation.Statements = []Statement{other} }, NoGo, ""},
		"half here half there": {func(in *Inputs) {
			in.Attestation.Statements = []Statement{other, said("builder", "https://example.com/shop", "decade")}
		}, NoGo, ""},
		"nothing is said":     {func(in *Inputs) { in.Attestation.Statements = []Statement{} }, NoGo, ""},
		"not loaded":          {func(in *Inputs) { in.Attestation.Statements = nil }, CannotTell, "ttestation.statements was not loaded"},
		"nobody's word":       {func(in *Inputs) { in.Attestation = Attestation{Total: 2, Statements: []Statement{}} }, CannotTell, "not known"},
		"the change unknown":  {func(in *Inputs) { in.Change.Known, in.Attestation.Statements = false, []Statement{good} }, CannotTell, "not known"},
		"the head is another": {func(in *Inputs) { in.Change.Head, in.Attestation.Statements = "decade", []Statement{good} }, NoGo, ""},
	} {
		p := attested(t, asks)
		r := reason(t, p.Decide(with(func(in *Inputs) {
			in.Change.Head = "c0ffee"
			c.change(in)
		})), "probe")
		if r.Verdict != c.want || !strings.Contains(r.Why, c.why) {
			t.Errorf("%s: %s %s", name, r.Verdict, r.Why)
		}
		if needs := p.NeedsLists(); !needs["attestation"] || len(needs) != 1 {
			t.Errorf("needs %v", needs)
		}
	}
}

// An attestor's word is believed more than a pipeline's and less than the server's own eyes.
func TestAttestedIsARung(t *testing.T) {
	ladder := []Provenance{Assumed, ByPerson, ByPipeline, ByAttestor, ByServer}
	for i, asked := range ladder[1:] {
		p := attested(t, "condition: findings.critical == 0\nprovenance: "+string(asked)+"\n")
		for j, is := range ladder {
			r := reason(t, p.Decide(with(func(in *Inputs) { in.Findings.Provenance = is })), "probe")
			if believed := j >= i+1; believed != (r.Verdict == Go) || !believed && r.Code != "provenance" {
				t.Errorf("%s where %s is asked: %s %s", is, asked, r.Verdict, r.Why)
			}
		}
	}
	p := attested(t, "condition: attestation.verified > 0\nprovenance: attested\n")
	if r := reason(t, p.Decide(fine()), "probe"); r.Verdict != Go {
		t.Errorf("%+v", r)
	}
	if r := reason(t, p.Decide(with(func(in *Inputs) { in.Attestation.Provenance = ByPipeline })), "probe"); r.Code != "provenance" {
		t.Errorf("%+v", r)
	}
}

func TestStatementsAreLimited(t *testing.T) {
	long := strings.Repeat("x", MaxItemPlace+1)
	for name, s := range map[string][]Statement{
		"too many": make([]Statement, MaxStatements+1), "a builder": {{Builder: long}}, "a commit": {{Commit: long}}, "a key": {{Keys: []string{long}}},
		"many keys": {{Keys: make([]string, MaxItemList+1)}}, "a level": {{Levels: []string{long}}}, "many levels": {{Levels: make([]string, MaxItemList+1)}},
	} {
		in := with(func(in *Inputs) { in.Attestation.Statements = s })
		if o := compiled(t, sample()).Decide(in); o.Verdict != CannotTell || o.Reasons[0].Code != "out-of-limits" {
			t.Errorf("%s: %s", name, o.Verdict)
		}
		if b := in.Bounded(); b.Attestation.Statements != nil || b.Attestation.Verified != in.Attestation.Verified {
			t.Errorf("%s: not bounded", name)
		}
	}
	in := with(func(in *Inputs) { in.Attestation.Statements = []Statement{{Builder: long[1:]}} })
	if in.Bounded().Attestation.Statements == nil {
		t.Error("what is within limits was dropped")
	}
	rest, lists := in.Apart()
	if rest.Attestation.Statements != nil || lists.Empty() || rest.With(lists).Attestation.Statements == nil {
		t.Error("apart")
	}
}

// Within limits a walk over all that a statement says is cheap enough.
func TestStatementsAreCheap(t *testing.T) {
	attested(t, `condition: >-
  attestation.statements.exists(s, s.builder.startsWith("https://example.com/builders/") && s.source == "https://example.com/shop"
  && s.invocation != "" && s.ref.matches("^refs/tags/v[0-9.]+$") && now - s.finished_at < duration("24h"))
`)
}

func TestStatementsInTestCases(t *testing.T) {
	p := compiled(t, sample(
		doc("Attestor", "name: builder\nkeys: [{name: runner, key: "+builderKey+"}]\n"),
		doc("Gate", "name: probe\ntitle: Probe\ncondition: attestation.statements.exists(s, s.attestor == \"builder\" && s.finished_at > timestamp(\"2027-01-01T00:00:00Z\"))\n"),
		doc("TestCase", "name: said\nat: 2027-03-01T09:00:00Z\ninputs: {attestation: {verified: 1, statements: [{attestor: builder, keys: [runner], finished_at: 2027-02-01T00:00:00Z, slsa_level: 2}]}}\nexpect: {verdict: cannot-tell}\n"),
	))
	in := p.Cases()[1].Inputs
	if s := in.Attestation.Statements; !in.Attestation.Known || len(s) != 1 || s[0].Attestor != "builder" || s[0].SLSALevel != 2 || !s[0].FinishedAt.Equal(time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", in.Attestation)
	}
}

// An overlay asks for more keys, and no fewer.
func TestAttestorOverlay(t *testing.T) {
	p := compiled(t, sample(
		doc("Attestor", "name: builder\nkeys: [{name: one, key: "+builderKey+"}, {name: two, key: Yn8X2JPlaXpLoiCLyAsCkuf1jYEg6zU8G1VCnbnGsZY=}]\n"),
		doc("Overlay", "name: both\ntarget: {kind: Attestor, name: builder}\nset: {threshold: 2}\n"),
	))
	if a := p.Attestors(); len(a) != 1 || a[0].Threshold != 2 || len(a[0].Keys) != 2 || a[0].Keys[0].Key.Fingerprint == a[0].Keys[1].Key.Fingerprint {
		t.Errorf("%+v", a)
	}
}
