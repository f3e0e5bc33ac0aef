package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/activation"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/wire"
)

func TestGateExitsByTheVerdict(t *testing.T) {
	for verdict, code := range map[string]int{wire.Go: 0, wire.Wait: 5, wire.NoGo: 3, wire.Indeterminate: 9} {
		f := serve(t, map[string]any{"POST /gate": decided(verdict)})
		w := f.at(t)
		o := w.run(t, question("--size", "patch", "--change-type", "normal")...)
		o.expect(t, code, policy.Verdict(verdict).Words()+": ", "payments 1.4.2 may", f.URL+"/decisions/decision-"+verdict)
		var asked wire.GateRequest
		if err := json.Unmarshal([]byte(f.bodies("POST /gate")[0]), &asked); err != nil {
			t.Fatal(err)
		}
		want := wire.GateRequest{Service: "payments", Version: "1.4.2", Digest: artifact, Environment: "production", Size: "patch", ChangeType: "normal"}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("asked something else: %s", diff)
		}
		w.run(t, question("-o", "json")...).expect(t, code, `"verdict": "`+verdict+`"`)
		w.run(t, question("-o", "yaml")...).expect(t, code, "decision:\n")
	}
}

func TestGateUnderObserveBlocksNothing(t *testing.T) {
	answer := decided(wire.NoGo)
	answer.Decision.Enforced, answer.Decision.Observe = false, &wire.Observed{By: "platform-team", Until: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}
	f := serve(t, map[string]any{"POST /gate": answer})
	f.at(t).run(t, question()...).expect(t, 0, "✗ no-go: ", "enforced: false", "platform-team until 2027-01-01 00:00 UTC", "no permit is signed")
	answer.Decision.Observe = nil // enforced is false, and nobody's word stands for it
	f = serve(t, map[string]any{"POST /gate": answer})
	f.at(t).run(t, question()...).expect(t, 3)
}

func TestGateKeepsThePermit(t *testing.T) {
	f := serve(t, map[string]any{"POST /gate": decided(wire.Go)})
	w := f.at(t)
	w.run(t, question("--permit-out", "permit.json")...).expect(t, 0, "permit written to permit.json")
	b, err := os.ReadFile("permit.json")
	if err != nil || string(b) != "{\"payload\":\"e30=\"}\n" {
		t.Errorf("%q %v", b, err)
	}
	if info, err := os.Stat("permit.json"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the permit: %v", info.Mode())
	}
	w.run(t, question("--permit-out", "no/such/dir/p")...).expect(t, 2, "cannot be written")
	f = serve(t, map[string]any{"POST /gate": decided(wire.Wait)})
	f.at(t).run(t, question("--permit-out", "permit.json")...).expect(t, 5, "no permit was issued")
	if _, err := os.Stat("permit.json"); err == nil {
		t.Error("a wait left a permit")
	}
}

func TestGateRefusesWhatContradicts(t *testing.T) {
	w := home(t)
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--approvals", "x"}, "--approvals is for the gate offline"},
		{[]string{"--at", "2026-01-01T00:00:00Z"}, "--at is for the gate offline"},
		{[]string{"--repo", ".", "--server-reads"}, "exclude each other"},
		{[]string{"--from", "a"}, "need somebody who reads"},
		{[]string{"--policy", "p", "--wait"}, "--wait is not for the gate offline"},
		{[]string{"--policy", "p", "--permit-out", "x"}, "no permit is signed"},
		{[]string{"--policy", "p", "--at", "noon"}, "not an instant"},
		{[]string{"--policy", "p", "--from", "a"}, "cannot be read"},
	} {
		w.run(t, question(c.args...)...).expect(t, 2, c.says)
	}
}

// repository is a Git repository with two versions.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=Ada Example", "-c", "user.email=ada@example.com"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "--quiet")
	for i, tag := range []string{"v1.4.1", "v1.4.2"} {
		write(t, filepath.Join(dir, fmt.Sprintf("file%d.go", i)), "package main\n")
		git("add", "--all")
		git("commit", "--quiet", "--message", "fix: something")
		git("tag", tag)
	}
	return dir
}

const junit = `<testsuites><testsuite name="unit" tests="1"><testcase name="a" classname="c"/></testsuite></testsuites>`

func TestGateSendsChangeAndEvidenceFirst(t *testing.T) {
	f := serve(t, map[string]any{
		"POST /releases": wire.Release{ID: "r1"}, "POST /releases/r1/change": wire.Done{}, "POST /evidence": wire.Claim{ID: "c1"}, "POST /gate": decided(wire.Go),
		"POST /releases/r1/change/read": wire.Change{},
	})
	w := f.at(t)
	report := write(t, "report.xml", junit)
	w.run(t, question("--repo", repository(t), "--from", "v1.4.1", "--to", "v1.4.2", "--evidence", report)...).expect(t, 0)
	var calls []string
	for _, q := range f.asked {
		calls = append(calls, q.method+" "+q.path)
	}
	if diff := cmp.Diff([]string{"POST /api/v1/releases", "POST /api/v1/releases/r1/change", "POST /api/v1/evidence", "POST /api/v1/gate"}, calls); diff != "" {
		t.Errorf("the order is another: %s", diff)
	}
	var sent wire.Change
	if err := json.Unmarshal([]byte(f.bodies("POST /releases/r1/change")[0]), &sent); err != nil {
		t.Fatal(err)
	}
	if sent.Commits != 1 || sent.SemverStep != "patch" || len(sent.Authors) != 1 || sent.Digest == "" || !sent.Complete {
		t.Errorf("sent %+v", sent)
	}
	if got := f.bodies("POST /evidence")[0]; got != junit {
		t.Errorf("sent %q", got)
	}
	w.run(t, question("--server-reads", "--from", "v1.4.1")...).expect(t, 0)
	if got := f.bodies("POST /releases/r1/change/read")[0]; !strings.Contains(got, `"from":"v1.4.1","to":"HEAD"`) {
		t.Errorf("the server was asked to read %s", got)
	}
	w.run(t, question("--evidence", "nowhere.xml")...).expect(t, 2, "nowhere.xml cannot be read")
	if n := len(f.bodies("POST /gate")); n != 2 {
		t.Errorf("the gate was asked %d times", n)
	}
}

func TestGateOnActions(t *testing.T) {
	recorded := wire.RecordedDecision{Receipt: wire.Receipt{Origin: "example.com/j", Position: 41, Leaf: "qqqq"}}
	f := serve(t, map[string]any{"POST /gate": decided(wire.NoGo), "GET /decisions/decision-no-go": recorded})
	w := f.at(t)
	w.env["GITHUB_ACTIONS"], w.env["GITHUB_STEP_SUMMARY"], w.env["GITHUB_OUTPUT"] = "true", "summary.md", "output"
	write(t, "output", "before=1\n")
	o := w.run(t, question("-o", "json")...)
	o.expect(t, 3, "::error title=no-go%3A The gate of the test::Because. Observed: 1. Required: 0.\n")
	if strings.Contains(o.out, "::") || !json.Valid([]byte(o.out)) {
		t.Errorf("annotations stand among the data: %s", o.out)
	}
	summary, _ := os.ReadFile("summary.md")
	if !strings.HasPrefix(string(summary), "## ✗ no-go: ") || !strings.Contains(string(summary), "receipt: position 41 of example.com/j, leaf qqqq") {
		t.Errorf("summary: %s", summary)
	}
	output, _ := os.ReadFile("output")
	want := "before=1\ndecision=no-go\ndecision-id=decision-no-go\npermit=\nreceipt=\nurl=" + f.URL + "/decisions/decision-no-go\n"
	if diff := cmp.Diff(want, string(output)); diff != "" {
		t.Error(diff)
	}
	w.env["GITHUB_STEP_SUMMARY"] = "no/such/dir/summary"
	w.run(t, question()...).expect(t, 2, "cannot be written")
	w.env["GITHUB_ACTIONS"] = "" // elsewhere the variables mean nothing
	w.run(t, question()...).expect(t, 3)
}

// events is a subscription that tells of streams, then stays open.
func events(streams ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i, s := range streams {
			_, _ = fmt.Fprintf(w, "data: {\"from\":%d,\"next\":%d,\"streams\":[%q]}\n\n", 7+i, 8+i, s)
		}
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

func TestWaitAsksAgainOnlyOnNews(t *testing.T) {
	for name, c := range map[string]struct {
		streams []string
		asks    int32
		code    int
	}{
		"a freeze was lifted":    {[]string{string(event.SetFreezes)}, 2, 0},
		"a vote was cast":        {[]string{"release/r1"}, 2, 0},
		"evidence arrived":       {[]string{"artifact/" + strings.TrimPrefix(artifact, "sha256:")}, 2, 0},
		"another policy":         {[]string{string(activation.Stream)}, 2, 0},
		"somebody else's matter": {[]string{"release/r2", "artifact/ff", "token/1"}, 1, 5},
		"no news":                {nil, 1, 5},
	} {
		t.Run(name, func(t *testing.T) {
			var asks atomic.Int32
			f := serve(t, map[string]any{
				"GET /facts": wire.Facts{Size: 7}, "GET /changes": events(c.streams...),
				"POST /gate": func(request) any {
					if asks.Add(1) == 1 {
						return decided(wire.Wait)
					}
					return decided(wire.Go)
				},
			})
			o := f.at(t).run(t, question("--wait", "--timeout", "700ms")...)
			o.expect(t, c.code)
			if asks.Load() != c.asks {
				t.Errorf("asked %d times, want %d", asks.Load(), c.asks)
			}
			if c.code == 5 && (!strings.Contains(o.err, "the time limit is reached") || !strings.Contains(o.err, "resume with: signalbox gate --wait --service payments")) {
				t.Errorf("it does not say how to go on: %s", o.err)
			}
		})
	}
}

func TestWaitEndsAtOnceWhereNothingIsToCome(t *testing.T) {
	for verdict, code := range map[string]int{wire.Go: 0, wire.NoGo: 3} {
		f := serve(t, map[string]any{"GET /facts": wire.Facts{Size: 7}, "POST /gate": decided(verdict)})
		f.at(t).run(t, question("--wait")...).expect(t, code)
		if len(f.asked) != 2 {
			t.Errorf("%s: %d calls", verdict, len(f.asked))
		}
	}
}

func TestWaitAsksAgainWhenTheDecisionLapses(t *testing.T) {
	var asks atomic.Int32
	f := serve(t, map[string]any{
		"GET /facts": wire.Facts{Size: 7}, "GET /changes": events(),
		"POST /gate": func(request) any {
			a := decided(wire.Wait)
			if asks.Add(1) > 1 {
				a = decided(wire.Go)
			}
			a.Decision.Until = time.Now()
			return a
		},
	})
	f.at(t).run(t, question("--wait", "--timeout", "20s")...).expect(t, 0)
	if asks.Load() != 2 {
		t.Errorf("asked %d times", asks.Load())
	}
}

func TestWaitWithoutTheRightToSubscribe(t *testing.T) {
	f := serve(t, map[string]any{"GET /facts": wire.Facts{Size: 7}, "POST /gate": decided(wire.Wait), "GET /changes": refused{403, "forbidden", "access.missing-right"}})
	f.at(t).run(t, question("--wait", "--timeout", "20s")...).expect(t, 4, "what happened")
}

// The shapes of the API and of the engine are the same: nothing is lost between them.
func TestDecisionKeepsItsShape(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	d := release.Decision{
		ID: "d", Release: "r", Service: "s", Version: "1", Digest: artifact, Environment: "e", Verdict: policy.Wait, Observe: &policy.Observed{By: "b", Until: at},
		Governance: "full", ScopeRule: "x", Type: "t", Size: "patch", ChangeType: "normal", Approvals: []string{"p"}, Policy: "p", Change: "c", Evidence: "e",
		Subject: "s", Basis: "b", Believed: release.Believed{Release: policy.ByPerson, Tests: policy.ByPipeline}, At: at, Until: at, Permit: "p", PermitUntil: at,
		Assumed: []string{"a"}, Engine: 1, Contract: 1, TZData: "z", AgeHours: [3]float64{1, 2, 3},
		Reasons: []policy.Reason{{Gate: "g", Verdict: policy.CannotTell, Controls: []string{"c"}, Until: at}},
	}
	w, err := wireDecision(d)
	if err != nil {
		t.Fatal(err)
	}
	one, err1 := json.Marshal(d)
	two, err2 := json.Marshal(w)
	if err1 != nil || err2 != nil || string(one) != string(two) {
		t.Errorf("%v %v\n%s\n%s", err1, err2, one, two)
	}
}

func TestWaitInterruptedSaysHowToGoOn(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f := serve(t, map[string]any{
		"GET /facts": wire.Facts{Size: 7}, "POST /gate": decided(wire.Wait),
		"GET /changes": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			cancel()
			<-r.Context().Done()
		}),
	})
	o := f.at(t).runIn(ctx, question("--wait", "--timeout", "20s")...)
	o.expect(t, 130, "resume with: signalbox gate --wait --service payments", "interrupted")
	if o.out != "" {
		t.Errorf("standard output has %q", o.out)
	}
}

// What the pipeline waits for is said once, and again only where it changes.
func TestWaitTellsOfChanges(t *testing.T) {
	var asks atomic.Int32
	f := serve(t, map[string]any{
		"GET /facts": wire.Facts{Size: 7}, "GET /changes": events("release/r1", "set/freezes", "set/grants"),
		"POST /gate": func(request) any {
			a := decided(wire.Wait)
			switch asks.Add(1) {
			case 1, 2: // the same decision stands
			case 3:
				a.Decision.ID, a.Decision.Reasons[0].Why = "another", "Something else."
			default:
				return decided(wire.Go)
			}
			return a
		},
	})
	o := f.at(t).run(t, question("--wait", "--timeout", "20s")...)
	o.expect(t, 0, "✓ go: ")
	if strings.Count(o.err, "g: Because.") != 1 || strings.Count(o.err, "g: Something else.") != 1 {
		t.Errorf("told %s", o.err)
	}
}
