package control_test

import (
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/counsel"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
)

// Every look at a policy is refused to whoever may not activate one, whatever
// the door, but for the document of the one in force.
func TestLooksTakeRights(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		looks := map[string]func(control.Request) error{
			"check": func(r control.Request) error {
				_, err := counsel.Check(h.ctx, h.Control, r, counsel.CheckRequest{Files: policy.Starter()})
				return err
			},
			"compare": func(r control.Request) error {
				_, err := counsel.Compare(h.ctx, h.Control, r, policy.Starter())
				return err
			},
			"document": func(r control.Request) error {
				_, err := counsel.Describe(h.ctx, h.Control, r, policy.Starter())
				return err
			},
		}
		for name, look := range looks {
			if err := look(h.as("cid")); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			wants(t, look(h.as("ci")), fault.Forbidden, "access.missing-right")
			wants(t, look(control.Request{}), fault.Forbidden, "access.missing-right")
		}
		d, err := counsel.Describe(h.ctx, h.Control, h.as("ci"), nil)
		must(t, err)
		if d.Digest != policy.Digest(policy.Starter()) {
			t.Errorf("the policy in force is %s", d.Digest)
		}
		_, err = counsel.Describe(h.ctx, h.Control, control.Request{}, nil)
		wants(t, err, fault.Forbidden, "access.missing-right")
	})
}

// A check says before what an activation would refuse, in the same words.
func TestCheckForetellsActivation(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		edited := policy.Starter()
		edited[0].Data = append(edited[0].Data, "\n# another digest\n"...)
		foretold := func() (codes string) {
			t.Helper()
			found, err := counsel.Check(h.ctx, h.Control, h.as("cid"), counsel.CheckRequest{Files: edited})
			must(t, err)
			for _, p := range found.Problems {
				if p.Severity == policy.LevelError {
					codes += p.Code + " "
				}
			}
			return codes
		}
		if codes := foretold(); strings.Contains(codes, "mandatory") {
			t.Errorf("before the flag: %s", codes)
		}
		_, err := h.ImportCatalog(h.ctx, h.as("root"), "ledger.yaml", []byte(ledgerFile+"flags: [icfr]\n"))
		must(t, err)
		if codes := foretold(); !strings.Contains(codes, "policy.mandatory-dropped") {
			t.Errorf("with the flag: %s", codes)
		}
		_, err = h.ActivatePolicy(h.ctx, h.as("cid"), control.PolicyRequest{Files: edited, Reason: "test"})
		wants(t, err, fault.Invalid, "policy.mandatory-dropped")
	})
}
