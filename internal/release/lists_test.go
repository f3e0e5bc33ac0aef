package release

import (
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/policy"
)

// extended is the starter pack with one gate more.
func extended(t testing.TB, condition string) *policy.Program {
	t.Helper()
	gate := "apiVersion: signalbox/v1\nkind: Gate\nname: probe\ntitle: Probe\ncondition: >-\n  " + condition + "\n"
	p, problems := policy.Compile(append(policy.Starter(), policy.File{Name: "probe.yaml", Data: []byte(gate)}))
	if p == nil {
		t.Fatal(problems)
	}
	return p
}

func probe(t testing.TB, d Decision) policy.Reason {
	t.Helper()
	for _, r := range d.Reasons {
		if r.Gate == "probe" {
			return r
		}
	}
	t.Fatalf("the probe was not asked: %+v", d.Reasons)
	return policy.Reason{}
}

func TestVotesOneByOne(t *testing.T) {
	f := good(t)
	f.Policy = extended(t, `approval.votes.exists(v, v.counted && v.answer == "approve" && "release-approvers" in v.groups) && approval.votes.all(v, v.counted || v.reason == "contributor")`)
	f = approved(t, f, "ann", "ben", "cid")
	d := decide(t, f)
	if r := probe(t, d); r.Verdict != policy.Go || d.Lists == "" {
		t.Errorf("%+v, lists %q", r, d.Lists)
	}
	if v := d.Inputs.Approval.Votes; len(v) != 3 || !v[0].Counted || v[2].Counted || v[2].Reason != "contributor" {
		t.Errorf("votes %+v", v)
	}
	for _, person := range []string{"ann", "ben", "cid", "votes"} {
		if strings.Contains(string(d.BasisText), `"`+person+`":`) {
			t.Errorf("the basis holds %s: %s", person, d.BasisText)
		}
	}
	fewer := decide(t, approved(t, f, "ben", "cid"))
	if fewer.Basis == d.Basis || fewer.Lists == d.Lists {
		t.Error("other votes, the same basis")
	}
	reject(&f, "cid")
	if v := decide(t, f).Inputs.Approval.Votes; len(v) != 3 || v[1].Answer != "reject" || !v[1].Counted {
		t.Errorf("a rejection that counts is not among the votes: %+v", v)
	}
}

func TestFindingsOneByOne(t *testing.T) {
	f := good(t)
	f.Policy = extended(t, `findings.items.all(f, f.rule != "R1" || f.suppressed)`)
	f = approved(t, f, "ben", "cid")
	if d := decide(t, f); probe(t, d).Verdict != policy.CannotTell || d.Lists != "" {
		t.Errorf("not loaded: %+v", probe(t, d))
	}
	f.Lists.Findings = []policy.Finding{}
	none := decide(t, f)
	if probe(t, none).Verdict != policy.Go || none.Lists == "" {
		t.Errorf("none: %+v", probe(t, none))
	}
	f.Lists.Findings = []policy.Finding{{Severity: "low", Rule: "R1"}}
	if d := decide(t, f); probe(t, d).Verdict != policy.NoGo || d.Basis == none.Basis || strings.Contains(string(d.BasisText), "R1") {
		t.Errorf("one: %+v", probe(t, d))
	}
	f.Lists.Findings = make([]policy.Finding, policy.MaxInputList+1)
	if d := decide(t, f); probe(t, d).Verdict != policy.CannotTell {
		t.Errorf("too many: %+v", probe(t, d))
	}
	unread := good(t)
	unread.Lists.Findings = []policy.Finding{{Rule: "R1"}}
	if d := decide(t, unread); d.Lists != "" || d.Inputs.Findings.Items != nil || d.Basis != decide(t, good(t)).Basis {
		t.Error("a list that no rule reads is part of the decision")
	}
}

func TestFindingsOf(t *testing.T) {
	claim := func(omitted int, items ...evidence.Finding) evidence.Claim {
		return evidence.Claim{Tool: evidence.Tool{Name: "scan"}, Findings: &evidence.Findings{Items: items, Omitted: omitted}}
	}
	got := FindingsOf([]evidence.Claim{claim(0, evidence.Finding{Rule: "R1", Severity: evidence.High, Package: "p", Location: "l", Suppressed: true}), {}, claim(0, evidence.Finding{Rule: "R2", Severity: evidence.Unrated})})
	want := []policy.Finding{{Severity: "high", Rule: "R1", Package: "p", Location: "l", Tool: "scan", Suppressed: true}, {Rule: "R2", Tool: "scan"}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v", got)
	}
	if FindingsOf([]evidence.Claim{claim(1)}) != nil {
		t.Error("some are omitted")
	}
	if FindingsOf([]evidence.Claim{claim(0, make([]evidence.Finding, policy.MaxInputList+1)...)}) != nil {
		t.Error("too many are listed")
	}
	if got := FindingsOf(nil); got == nil || len(got) != 0 {
		t.Error("no claims have no findings")
	}
}
