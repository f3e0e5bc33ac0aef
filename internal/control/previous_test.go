package control_test

import (
	"fmt"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
)

// summary is what k6 --summary-export writes of a test whose p95 is so many milliseconds.
func summary(p95 int) string {
	return fmt.Sprintf(`{"root_group":{},"metrics":{"http_reqs":{"count":1000},"http_req_failed":{"passes":1,"fails":999,"value":0.001},"http_req_duration":{"med":10,"p(95)":%d},
"http_reqs{name:buy}":{"count":400},"http_req_failed{name:buy}":{"passes":0,"fails":400,"value":0},"http_req_duration{name:buy}":{"med":5,"p(95)":%d}}}`, p95, p95)
}

const previousGates = `apiVersion: signalbox/v1
kind: Gate
name: slower
title: Not slower
severity: observe
condition: "!previous.exists || load.p95_ms <= previous.load_p95_ms * 1.2"
---
apiVersion: signalbox/v1
kind: Gate
name: part
title: No component is slower
severity: observe
condition: load.parts.all(p, p.new || p.p95_ms <= p.previous_p95_ms * 1.2)
`

// TestLastGoodRelease: a load test is weighed against that of the newest other
// digest which arrived in the environment with a permit and was not taken back.
func TestLastGoodRelease(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		files := append(policy.Starter(), policy.File{Name: "previous.yaml", Data: []byte(previousGates)})
		_, err := h.ActivatePolicy(h.ctx, h.as("cid"), control.PolicyRequest{Files: files, Reason: "compare load tests"})
		must(t, err)
		asked := func(version, digest string) release.Decision {
			t.Helper()
			a, err := h.Ask(h.ctx, h.as("ci"), control.GateRequest{ReleaseRequest: control.ReleaseRequest{Service: "shop", Version: version, Digest: digest, Size: "minor"}, Environment: "production"})
			must(t, err)
			return a.Decision
		}
		load := func(version, digest string, p95 int) {
			t.Helper()
			_, err := h.AddEvidence(h.ctx, h.as("ci"), control.EvidenceRequest{Service: "shop", Version: version, Digest: digest}, strings.NewReader(summary(p95)))
			must(t, err)
		}
		expect := func(step string, d release.Decision, slower, part policy.Verdict, version string) {
			t.Helper()
			got := map[string]policy.Verdict{}
			for _, r := range d.Reasons {
				got[r.Gate] = r.Verdict
			}
			if got["slower"] != slower || got["part"] != part || d.Inputs.Previous.Version != version {
				t.Errorf("%s: %s and %s against %q, want %s and %s against %q", step, got["slower"], got["part"], d.Inputs.Previous.Version, slower, part, version)
			}
		}
		deploy := func(version, digest, permit string, failed bool) {
			t.Helper()
			d, err := h.StartDeployment(h.ctx, h.as("ci"), control.StartRequest{Service: "shop", Version: version, Digest: digest, Environment: "production", Permit: []byte(permit)})
			must(t, err)
			_, err = h.EndDeployment(h.ctx, h.as("ci"), control.EndRequest{ID: d.ID, Failed: failed, Reached: map[bool]string{true: release.ReachedSome}[failed], Reason: "test"})
			must(t, err)
		}
		next := "sha256:" + strings.Repeat("7", 64)

		id := h.prepare()
		expect("no load test", h.ask().Decision, policy.CannotTell, policy.CannotTell, "")
		load("v1.1.0", digest, 100)
		expect("the first release", h.ask().Decision, policy.Go, policy.Go, "")
		h.approve(id, "ben", "cid")
		permit := h.ask().Permit
		if len(permit) == 0 {
			t.Fatal("no permit")
		}

		deploy("v1.1.5", "sha256:"+strings.Repeat("5", 64), "", false) // without a permit: no good release
		expect("an unauthorised deployment", asked("v1.2.0", next), policy.CannotTell, policy.CannotTell, "")
		load("v1.2.0", next, 121)
		expect("nothing has arrived", asked("v1.2.0", next), policy.Go, policy.Go, "")
		deploy("v1.1.0", digest, string(permit), false)
		expect("slower", asked("v1.2.0", next), policy.NoGo, policy.NoGo, "v1.1.0")
		load("v1.2.0", next, 120)
		expect("no slower", asked("v1.2.0", next), policy.Go, policy.Go, "v1.1.0")
		expect("not against itself", h.ask().Decision, policy.Go, policy.Go, "")
		load("v1.1.0", digest, 50)
		expect("the last release was measured anew", asked("v1.2.0", next), policy.NoGo, policy.NoGo, "v1.1.0")
		must(t, h.Regrant(h.ctx, h.as("root"), control.Regrant{Handle: "cid", Role: "release-manager", Reason: "test"}))
		h.sign("cid")
		must(t, h.MoveRelease(h.ctx, h.as("cid"), id, "production", release.RollingBack, "it does not work"))
		must(t, h.MoveRelease(h.ctx, h.as("cid"), id, "production", release.RolledBack, "it does not work"))
		expect("it was taken back", asked("v1.2.0", next), policy.Go, policy.Go, "")
		h.verified(t)
	})
}

// TestNobodyLooksForTheLastReleaseInVain: where no rule reads it, the basis does not hold it.
func TestNobodyLooksForTheLastReleaseInVain(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.prepare()
		if d := h.ask().Decision; d.Inputs.Previous.Known || strings.Contains(string(d.BasisText), "previous") || strings.Contains(string(d.BasisText), `"load"`) {
			t.Errorf("%+v", d.Inputs.Previous)
		}
	})
}
