package control_test

import (
	"testing"

	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/release"
)

// TestFindingsAreReadAgainWhereARuleReadsThem: the original is the only place
// where findings stand one by one.
func TestFindingsAreReadAgainWhereARuleReadsThem(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		verdict := func(d release.Decision) policy.Verdict {
			for _, r := range d.Reasons {
				if r.Gate == "probe" {
					return r.Verdict
				}
			}
			return ""
		}
		h.prepare()
		if d := h.ask().Decision; d.Lists != "" {
			t.Error("a list was loaded that no rule reads")
		}
		gate := "apiVersion: signalbox/v1\nkind: Gate\nname: probe\ntitle: Probe\nseverity: observe\ncondition: findings.items.all(f, f.rule != 'R1')\n"
		files := append(policy.Starter(), policy.File{Name: "probe.yaml", Data: []byte(gate)})
		_, err := h.ActivatePolicy(h.ctx, h.as("cid"), control.PolicyRequest{Files: files, Reason: "findings one by one"})
		must(t, err)
		clean := h.ask().Decision
		if verdict(clean) != policy.Go || clean.Lists == "" {
			t.Errorf("without findings %s", verdict(clean))
		}
		h.report("", badScan)
		if bad := h.ask().Decision; verdict(bad) != policy.NoGo || bad.Lists == clean.Lists {
			t.Errorf("with the finding %s", verdict(bad))
		}
	})
}
