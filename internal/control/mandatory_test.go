package control_test

import (
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
)

const ledgerFile = `
apiVersion: signalbox/v1
kind: Team
name: finance
---
apiVersion: signalbox/v1
kind: Service
name: ledger
tier: 0
team: finance
`

// A policy that drops what a flag makes mandatory does not take effect, and the
// one in force stays; the pack that has the controls does.
func TestAPolicyCannotDropMandatoryControls(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		edited := policy.Starter()
		edited[0].Data = append(edited[0].Data, "\n# another digest\n"...)
		activate := func(files []policy.File) error {
			_, err := h.ActivatePolicy(h.ctx, h.as("cid"), control.PolicyRequest{Files: files, Reason: "test"})
			return err
		}
		load := func(file string) {
			t.Helper()
			_, err := h.ImportCatalog(h.ctx, h.as("root"), "ledger.yaml", []byte(file))
			must(t, err)
		}
		load(ledgerFile)
		must(t, activate(edited)) // a ledger of tier 0 that its owner has not flagged

		load(ledgerFile + "flags: [icfr]\ndata_classes: [personal]\n")
		_, before, err := h.ActivePolicy(h.ctx)
		must(t, err)
		err = activate(policy.Starter())
		wants(t, err, fault.Invalid, "policy.mandatory-dropped")
		for _, want := range []string{"ledger", "sox-itgc/CM-1", "gdpr/Art.5(2)", "the flag icfr", "the data class personal", "--pack regulated"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the refusal does not say %q: %v", want, err)
			}
		}
		if _, after, err := h.ActivePolicy(h.ctx); err != nil || after.Digest != before.Digest {
			t.Errorf("the policy in force is %s, was %s (%v)", after.Digest, before.Digest, err)
		}

		lax := policy.Regulated()
		for i := range lax {
			lax[i].Data = []byte(strings.Replace(string(lax[i].Data), "governance: full\nreason: Customers and accounts", "governance: light\nreason: Customers and accounts", 1))
		}
		wants(t, activate(lax), fault.Invalid, "policy.tests-failed") // its own tests say so first
		must(t, activate(policy.Regulated()))

		load(ledgerFile) // the owner took the flags away
		must(t, activate(policy.Starter()))
	})
}
