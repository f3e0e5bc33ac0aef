package control_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/vault"
)

// eightDays makes every entry of the vault look as if put so long ago, or those
// that are named. No sweep may be under way over the others: it would see the
// week pass between its look into the journal and the entry, which takes a week.
func (h *house) eightDays(digests ...string) {
	h.t.Helper()
	by := (8 * 24 * time.Hour).Microseconds()
	must(h.t, h.files.DB.InTx(h.ctx, func(tx *store.Tx) error {
		if len(digests) == 0 {
			_, err := tx.Exec(h.ctx, `UPDATE vault_entries SET put = put - $1`, by)
			return err
		}
		for _, d := range digests {
			if _, err := tx.Exec(h.ctx, `UPDATE vault_entries SET put = put - $1 WHERE digest = $2`, by, d); err != nil {
				return err
			}
		}
		return nil
	}))
}

// Whatever puts something into the vault names it in a fact, so that a sweep
// leaves it: reports, also those that newer ones replaced; the commits of a
// change; bundles and what their tests were answered, also of those no longer in force. Only what no fact names goes.
func TestSweepKeepsWhatFactsName(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.prepare()
		h.report("", badScan) // in the place of cleanScan
		other := policy.Starter()
		for i, f := range other {
			if f.Name == "gates.yaml" {
				other[i].Data = append(bytes.Clone(f.Data), "# another\n"...)
			}
		}
		_, err := h.ActivatePolicy(h.ctx, h.as("cid"), control.PolicyRequest{Files: other, Reason: "another policy"})
		must(t, err)
		before, err := h.VaultStatus(h.ctx, h.as("ann"))
		must(t, err)
		if before.Entries != 8 { // two bundles, what the tests of both were answered, four reports, the commits
			t.Errorf("%d entries", before.Entries)
		}
		orphan, _, err := h.Vault.Put(h.ctx, strings.NewReader("put, and the process died"))
		must(t, err)
		h.eightDays()
		young, _, err := h.Vault.Put(h.ctx, strings.NewReader("put just now"))
		must(t, err)

		swept, err := h.SweepVault(h.ctx, h.as("root"), true)
		must(t, err)
		if swept.Orphans != 2 || len(swept.Due) != 1 || swept.Due[0].Digest != orphan || swept.Removed != 0 {
			t.Errorf("looking: %+v", swept)
		}
		swept, err = h.SweepVault(h.ctx, h.as("root"), false)
		must(t, err)
		if swept.Removed != 1 || swept.Entries != 10 || swept.Missing != nil {
			t.Errorf("sweeping: %+v", swept)
		}
		if _, err := h.VaultEntry(h.ctx, h.as("root"), orphan); fault.KindOf(err) != fault.NotFound {
			t.Errorf("the orphan: %v", err)
		}
		checked, err := h.CheckVault(h.ctx, h.as("root"), "")
		must(t, err)
		if checked.Entries != 9 || checked.Rotten != nil || checked.Missing != nil || checked.Next != "" {
			t.Errorf("afterwards: %+v", checked)
		}
		from, err := h.VaultEntry(h.ctx, h.as("root"), young)
		must(t, err)
		b, err := io.ReadAll(from)
		if err != nil || string(b) != "put just now" {
			t.Errorf("%q %v", b, err)
		}
		if program, _, err := h.ActivePolicy(h.ctx); err != nil || program == nil {
			t.Errorf("the policy: %v", err)
		}
	})
}

// A report whose fact was not appended is an orphan; sent again after the sweep
// it is whole, and no longer one.
func TestAnOrphanIsSentAgain(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		_, _, err := h.Vault.Put(h.ctx, strings.NewReader(badScan)) // as far as a command came that then failed
		must(t, err)
		h.eightDays()
		if swept, err := h.SweepVault(h.ctx, h.as("root"), false); err != nil || swept.Removed != 1 {
			t.Fatalf("%+v %v", swept, err)
		}
		h.report("", badScan)
		h.eightDays()
		if swept, err := h.SweepVault(h.ctx, h.as("root"), false); err != nil || swept.Removed != 0 || swept.Orphans != 0 {
			t.Errorf("%+v %v", swept, err)
		}
	})
}

// A journal that has lost a fact cannot say what it named: nothing goes.
func TestSweepNeedsTheWholeJournal(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.prepare()
		h.eightDays()
		must(t, h.files.DB.InTx(h.ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(h.ctx, `DELETE FROM facts WHERE position = 3`)
			return err
		}))
		before, err := h.VaultStatus(h.ctx, h.as("root"))
		must(t, err)
		_, err = h.SweepVault(h.ctx, h.as("root"), false)
		wants(t, err, fault.Unverified, "journal.rotten")
		if after, err := h.VaultStatus(h.ctx, h.as("root")); err != nil || after.Entries != before.Entries {
			t.Errorf("%d of %d entries are left: %v", after.Entries, before.Entries, err)
		}
	})
}

// What the quota has no room for is refused, and records nothing.
func TestQuotaRefusesReports(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		status, err := h.Vault.Status(h.ctx)
		must(t, err)
		h.files.Quota = status.Bytes + 10
		size, err := h.Journal.Size(h.ctx)
		must(t, err)
		_, err = h.AddEvidence(h.ctx, h.as("ci"), control.EvidenceRequest{Service: "shop", Version: "v1.1.0", Digest: digest}, strings.NewReader(cleanScan))
		wants(t, err, fault.TooLarge, "vault.quota")
		if now, err := h.Journal.Size(h.ctx); err != nil || now != size {
			t.Errorf("%d facts were recorded: %v", now-size, err)
		}
	})
}

func TestRightsToTheVault(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, who := range []string{"ann", "cid", "ci"} {
			_, err := h.SweepVault(h.ctx, h.as(who), true)
			wants(t, err, fault.Forbidden, "access.missing-right")
			_, err = h.CheckVault(h.ctx, h.as(who), "")
			wants(t, err, fault.Forbidden, "access.missing-right")
			_, err = h.VaultEntry(h.ctx, h.as(who), digest)
			wants(t, err, fault.Forbidden, "access.missing-right")
		}
		if _, err := h.VaultStatus(h.ctx, control.Request{}); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("nobody: %v", err)
		}
		_, err := h.VaultEntry(h.ctx, h.as("root"), digest)
		wants(t, err, fault.NotFound, "vault.absent")
	})
}

// Reports arrive while two processes sweep: each that was acknowledged is there.
func TestReportsMeetSweeps(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		other, err := vault.Open(h.ctx, h.files.Options)
		must(t, err)
		second := &control.Control{Journal: h.Journal, Vault: other, Keys: h.Keys, Log: h.Log}
		ctx, cancel := context.WithCancel(h.ctx)
		done := make(chan error, 2)
		for _, c := range []*control.Control{h.Control, second} {
			go func() {
				for ctx.Err() == nil {
					if _, err := c.SweepVault(h.ctx, h.as("root"), false); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		var files []string
		for i := range 15 {
			report := strings.Replace(tests, `name="a"`, `name="a`+string(rune('a'+i))+`"`, 1)
			left, _, err := h.Vault.Put(h.ctx, strings.NewReader(report)) // left over by somebody
			must(t, err)
			h.eightDays(left) // so that the sweeps want it just when it is put
			added, err := h.AddEvidence(h.ctx, h.as("ci"), control.EvidenceRequest{Service: "shop", Version: "v1.1.0", Digest: digest}, strings.NewReader(report))
			must(t, err)
			files = append(files, added.File)
		}
		cancel()
		must(t, <-done)
		must(t, <-done)
		for _, f := range files {
			from, err := h.VaultEntry(h.ctx, h.as("root"), f)
			must(t, err)
			if _, err := io.ReadAll(from); err != nil {
				t.Errorf("%s: %v", f, err)
			}
		}
	})
}
