package prose

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/policy"
)

func compiled(t testing.TB, files []bundle.File) *policy.Program {
	t.Helper()
	p, list := policy.Compile(files)
	if p == nil {
		t.Fatal(list)
	}
	return p
}

// starter is the starter pack with texts replaced, in pairs, each found somewhere.
func starter(t testing.TB, pairs ...string) *policy.Program {
	t.Helper()
	files := policy.Starter()
	for i := 0; i < len(pairs); i += 2 {
		found := false
		for j := range files {
			text := string(files[j].Data)
			if pairs[i] == "" && files[j].Name == "releases.yaml" {
				files[j].Data, found = []byte(text+pairs[i+1]), true
			} else if pairs[i] != "" && strings.Contains(text, pairs[i]) {
				files[j].Data, found = []byte(strings.Replace(text, pairs[i], pairs[i+1], 1)), true
			}
		}
		if !found {
			t.Fatalf("the starter pack has no %q", pairs[i])
		}
	}
	return compiled(t, files)
}

const tierZero = `change_types: [normal]
when: service.tier != 0
chain: two-approvers
thresholds:
  line_rate: 0.7
rollback_time_objective: 1h
---
apiVersion: signalbox/v1
kind: ReleaseType
name: critical
size: [minor, major]
change_types: [normal]
when: service.tier == 0
chain: critical
thresholds:
  line_rate: 0.7
rollback_time_objective: 1h
---
apiVersion: signalbox/v1
kind: ApprovalChain
name: critical
tiers: [{name: security, groups: [security-approvers], quorum: 1}]
`

// critical is the feature type of the starter pack, with tier 0 on its own.
var critical = []string{"change_types: [normal]\nchain: two-approvers\nthresholds:\n  line_rate: 0.7\nrollback_time_objective: 1h\n", tierZero}

const (
	keyA         = "6uHIeTtVl8Sz9JDnasMRcsQ5aQ+O4UFCu4UaYfmknw4="
	keyB         = "Yn8X2JPlaXpLoiCLyAsCkuf1jYEg6zU8G1VCnbnGsZY="
	fingerprintA = "6744a64c735f55787465377a3819a6ea6dbcf814ef1c9ac77492f9dba1e7ec5b"
	fingerprintB = "0c7a9cc8c3fe938d85b423eba217cce849725966cf176793559d0d1b7ce79c3b"
)

// builder is an attestor of one key, or of more where key goes on.
func builder(name, key, more string) string {
	return "---\napiVersion: signalbox/v1\nkind: Attestor\nname: builder\n" + more + "keys: [{name: " + name + ", key: " + key + "}]\n"
}

func TestDiffInWords(t *testing.T) {
	for _, tt := range []struct {
		name     string
		old, new []string
		want     []string
	}{
		{"nothing", nil, nil, nil},
		{"formatting", nil, []string{"[patch, minor, major]\nchange_types: [standard]", "\n  - patch # a comment\n  - minor\n  - major\nchange_types: [standard]", "condition: findings.critical == 0", "condition: >-\n  findings.critical\n  ==   0"}, nil},
		{
			"a default written out", nil, []string{"condition: findings.critical == 0", "severity: block\non_fail: no-go\ncondition: findings.critical == 0"}, nil,
		},
		{
			"two approvers of tier 0", critical, append(critical, "[security-approvers], quorum: 1", "[security-approvers], quorum: 2"),
			[]string{"Major and minor normal releases of tier 0 services|tightened|Major and minor normal releases of tier 0 services now need two approvers of security-approvers instead of one."},
		},
		{"fewer approvers", nil, []string{"quorum: 2", "quorum: 1"}, []string{"Major and minor normal releases|loosened|Major and minor normal releases now need one approver of release-approvers instead of two."}},
		{"other approvers", nil, []string{"groups: [release-approvers]\n    quorum: 2", "groups: [board]\n    quorum: 2"}, []string{"Major and minor normal releases|changed|Major and minor normal releases now need two approvers of board instead of two approvers of release-approvers."}},
		{"nobody any more", nil, []string{"chain: one-approver", "chain: none"}, []string{"Patch normal releases|loosened|Patch normal releases now need nobody's approval instead of one approver of release-approvers.", "Those who keep the policy|changed|"}},
		{"a threshold", nil, []string{"line_rate: 0.6", "line_rate: 0.65"}, []string{"Patch normal releases|tightened|Patch normal releases now have the threshold line rate 0.65 instead of 0.6."}},
		{"a parameter", nil, []string{"value: 3", "value: 5"}, []string{"All releases that are governed|loosened|Parameter max_high: value is now 5 instead of 3."}},
		{"a lead time", nil, []string{"rollback_time_objective: 1h", "rollback_time_objective: 2h\nlead_time: 4h"}, []string{
			"Major and minor normal releases|tightened|Major and minor normal releases now need a lead time of 4h instead of none.",
			"Major and minor normal releases|loosened|Major and minor normal releases now must be rolled back within 2h instead of 1h.",
		}},
		{"governance", nil, []string{"governance: light\nreason: It is the last", "governance: full\nreason: It is the last"}, []string{"Releases to staging|tightened|Scope rule staging: governance is now “full” instead of “light”."}},
		{"severity", nil, []string{"severity: warn", "severity: block"}, []string{"All releases that are governed|tightened|Gate commits-signed: severity is now “block” instead of “warn”."}},
		{"age", nil, []string{"max_age: 7d", "max_age: 14d"}, []string{"Releases governed in full|loosened|Gate findings-fresh: max age is now 14d instead of 7d."}},
		{"condition", nil, []string{"condition: findings.critical == 0", "condition: findings.critical <= 1"}, []string{"All releases that are governed|loosened|Gate no-critical-findings: now requires that the number of critical findings is at most 1 instead of 0."}},
		{"freeze", nil, []string{"exempt: [emergency]", "exempt: []", "in_flight: continue", "in_flight: stop"}, []string{
			"Releases during a freeze|tightened|Freeze rule freeze: exempt is now nothing instead of emergency.", "Releases during a freeze|tightened|Freeze rule freeze: in flight is now “stop” instead of “continue”.",
		}},
		{"an added gate", nil, []string{"", "---\napiVersion: signalbox/v1\nkind: Gate\nname: probe\ntitle: Probe\ncondition: environment.region in [\"eu\", \"us\"]\n"}, []string{"All releases that are governed|added|Gate probe is added: Probe (probe): it is no-go unless the environment's region is one of eu, us."}},
		{"a test", nil, []string{"findings: {high: 4}", "findings: {high: 5}"}, []string{"Those who keep the policy: tests|changed|Test case to production: too many high findings: its inputs changed."}},
		{"prose of a gate", nil, []string{"title: Few high findings", "title: Some high findings"}, []string{"Releases governed in full|changed|Gate few-high-findings: title is now “Some high findings” instead of “Few high findings”."}},
		{"a new attestor", nil, []string{"", builder("one", keyA, "threshold: 1\nbuilders: [https://example.com/b]\n")}, []string{"All releases that are governed|added|Attestor builder is added: what the key one signed about an artifact is believed, where it is of the builder https://example.com/b."}},
		{"a key more", []string{"", builder("one", keyA, "")}, []string{"", builder("one", keyA+"}, {name: two, from: 2027-01-01, key: "+keyB, "")}, []string{
			"All releases that are governed|loosened|Attestor builder: the key two from 2027-01-01 00:00 UTC (sha256:" + fingerprintB + ") is added.",
		}},
		{"another key under its name", []string{"", builder("one", keyA, "")}, []string{"", builder("one", keyB, "")}, []string{
			"All releases that are governed|loosened|Attestor builder: the key one (sha256:" + fingerprintB + ") is added.",
			"All releases that are governed|tightened|Attestor builder: the key one (sha256:" + fingerprintA + ") is taken away.",
		}},
		{"a key renamed", []string{"", builder("one", keyA, "")}, []string{"", builder("two", keyA, "")}, []string{"All releases that are governed|changed|Attestor builder: the key one is now called two."}},
		{"a key that ends", []string{"", builder("one", keyA, "")}, []string{"", builder("one", keyA+", until: 2027-06-01", "")}, []string{"All releases that are governed|tightened|Attestor builder: the key is now one until 2027-06-01 00:00 UTC instead of one."}},
		{"more signers", []string{"", builder("one", keyA+"}, {name: two, key: "+keyB, "")}, []string{"", builder("one", keyA+"}, {name: two, key: "+keyB, "threshold: 2\n")}, []string{"All releases that are governed|tightened|Attestor builder: it takes 2 keys instead of 1."}},
		{"any builder", []string{"", builder("one", keyA, "builders: [https://example.com/b]\n")}, []string{"", builder("one", keyA, "slsa_level: 2\n")}, []string{
			"All releases that are governed|loosened|Attestor builder: it speaks for anything instead of https://example.com/b.",
			"All releases that are governed|loosened|Attestor builder: its provenance counts as SLSA build level 2 instead of 0.",
		}},
		{"a version", nil, []string{`version: "1.0"`, `version: "1.1"`}, []string{"Those who keep the policy|changed|The policy: version is now “1.1” instead of “1.0”."}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all, err := Diff(starter(t, tt.old...), starter(t, tt.new...))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range all {
				got = append(got, c.Who+"|"+string(c.Mark)+"|"+c.Text)
			}
			if tt.name == "nobody any more" { // the chain that no type names any more is lint's to say
				tt.want = tt.want[:1]
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A change turned round is told the other way round.
func TestDiffReversed(t *testing.T) {
	opposite := map[Mark]Mark{Added: Removed, Removed: Added, Tightened: Loosened, Loosened: Tightened, Changed: Changed}
	for _, pair := range [][]string{{"quorum: 2", "quorum: 1"}, {"severity: warn", "severity: block"}, {"max_age: 7d\nprov", "prov"}, {"value: 3", "value: 5"}, {"max_age: 7d\nprovenance: pipeline\n", "max_age: 7d\n"}, {"line_rate: 0.6", "line_rate: 0.5"}, critical} {
		there, err := Diff(starter(t), starter(t, pair...))
		if err != nil {
			t.Fatal(err)
		}
		back, _ := Diff(starter(t, pair...), starter(t))
		if len(there) == 0 || len(there) != len(back) {
			t.Fatalf("%q: %d and %d changes", pair[0], len(there), len(back))
		}
		count := map[Mark]int{}
		for i := range there {
			count[opposite[there[i].Mark]]++
			count[back[i].Mark]--
		}
		for m, n := range count {
			if n != 0 {
				t.Errorf("%q: %s is told %d times too often or too seldom", pair[0], m, n)
			}
		}
	}
}

func TestChangesAreGrouped(t *testing.T) {
	all, _ := Diff(starter(t), starter(t, "quorum: 2", "quorum: 1", "value: 3", "value: 5", "severity: warn", "severity: block"))
	text := Changes("What changes", all).Text()
	if strings.Count(text, "All releases that are governed") != 1 || !strings.Contains(text, "• loosened: Parameter max_high") {
		t.Error(text)
	}
	if text := Changes("What changes", nil).Text(); !strings.Contains(text, "Nothing changes") {
		t.Error(text)
	}
}
