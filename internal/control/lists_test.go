package control_test

import (
	"testing"

	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
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

// TestCommitsAreReadWhereARuleReadsThem: the vault keeps them as they were sent.
func TestCommitsAreReadWhereARuleReadsThem(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		asked := func(ch change.Change, version string) release.Decision {
			q := control.ReleaseRequest{Service: "shop", Version: version, Digest: digest, Size: "minor"}
			s, err := h.OpenRelease(h.ctx, h.as("ci"), q)
			must(t, err)
			must(t, h.AttachChange(h.ctx, h.as("ci"), s.ID, ch))
			shown, err := h.Preview(h.ctx, h.as("ci"), s.ID, "production")
			must(t, err)
			return shown.Decision
		}
		verdict := func(d release.Decision) policy.Verdict {
			for _, r := range d.Reasons {
				if r.Gate == "probe" {
					return r.Verdict
				}
			}
			return ""
		}
		gate := "apiVersion: signalbox/v1\nkind: Gate\nname: probe\ntitle: Probe\nseverity: observe\ncondition: change.commit_list.all(c, c.signed)\n"
		files := append(policy.Starter(), policy.File{Name: "probe.yaml", Data: []byte(gate)})
		_, err := h.ActivatePolicy(h.ctx, h.as("cid"), control.PolicyRequest{Files: files, Reason: "commits one by one"})
		must(t, err)
		signed, unsigned, old := annsChange(), annsChange(), annsChange()
		unsigned.CommitList, unsigned.Signed = []change.CommitFact{{Type: "feat"}}, 0
		old.CommitList = nil
		if d := asked(signed, "v1.1.1"); verdict(d) != policy.Go || d.Lists == "" {
			t.Errorf("all signed: %s", verdict(d))
		}
		if d := asked(unsigned, "v1.1.2"); verdict(d) != policy.NoGo {
			t.Errorf("not signed: %s", verdict(d))
		}
		if d := asked(old, "v1.1.3"); verdict(d) != policy.CannotTell {
			t.Errorf("an old client: %s", verdict(d))
		}
		lie := annsChange()
		lie.Signed = 0
		s, err := h.OpenRelease(h.ctx, h.as("ci"), control.ReleaseRequest{Service: "shop", Version: "v1.1.4", Digest: digest})
		must(t, err)
		wants(t, h.AttachChange(h.ctx, h.as("ci"), s.ID, lie), fault.Invalid, "change.commit-list")
	})
}
