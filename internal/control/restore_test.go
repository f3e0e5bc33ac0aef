package control_test

import (
	"testing"

	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
)

// A restore takes two persons, both of whom may do their part when it is
// confirmed; whatever else is tried leaves the journal closed.
func TestRestoreTakesTwoPersons(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for handle, role := range map[string]string{"ann": "administrator", "ben": "auditor", "cid": "administrator"} {
			must(t, h.Regrant(h.ctx, h.as("root"), control.Regrant{Handle: handle, Role: role, Reason: "test"}))
		}
		h.sign("ann", "ben", "cid")
		_, err := h.Journal.RecordInPlace(h.ctx, nil)
		must(t, err)
		confirm := func(who string, proposal uint64) error {
			_, err := h.ConfirmRestore(h.ctx, h.as(who), proposal)
			return err
		}
		closed := func() {
			t.Helper()
			_, err := h.Ask(h.ctx, h.as("ci"), h.gate())
			wants(t, err, fault.Unavailable, "journal.restored")
		}

		closed()
		wants(t, confirm("ben", 1), fault.Conflict, "restore.unproposed")
		_, err = h.ProposeRestore(h.ctx, h.as("ci"), "a disk was lost")
		wants(t, err, fault.Forbidden, "access.missing-right")
		_, err = h.ProposeRestore(h.ctx, h.as("ann"), " ")
		wants(t, err, fault.Invalid, "restore.reason")
		first, err := h.ProposeRestore(h.ctx, h.as("ann"), "a disk was lost")
		must(t, err)
		wants(t, confirm("ann", first.Proposal), fault.Forbidden, "restore.same-person")
		wants(t, confirm("ben", first.Proposal+1), fault.Conflict, "restore.other-proposal")

		must(t, h.Regrant(h.ctx, h.as("root"), control.Regrant{Handle: "ann", Role: "administrator", Reason: "test", Revoke: true}))
		wants(t, confirm("ben", first.Proposal), fault.Conflict, "restore.proposer")
		second, err := h.ProposeRestore(h.ctx, h.as("cid"), "a disk was lost")
		must(t, err)
		wants(t, confirm("ben", first.Proposal), fault.Conflict, "restore.other-proposal")
		must(t, h.Depart(h.ctx, h.as("root"), "cid", "left"))
		wants(t, confirm("ben", second.Proposal), fault.Conflict, "restore.proposer")
		closed()

		third, err := h.ProposeRestore(h.ctx, h.as("root"), "a disk was lost")
		must(t, err)
		must(t, confirm("ben", third.Proposal))
		_, err = h.Ask(h.ctx, h.as("ci"), h.gate())
		must(t, err)
		wants(t, confirm("ben", third.Proposal), fault.Conflict, "restore.nothing")
	})
}
