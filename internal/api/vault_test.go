package api_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/wire"
)

// A report comes back as it was sent, by the digest of its claim; once its bytes
// have changed, no end of them comes back.
func TestVault(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx, ci, root := t.Context(), h.client(t, "pipeline"), h.client(t, "administrator")
		long := `<testsuites><testsuite name="s" tests="1"><testcase name="a" classname="c"><system-out>` + strings.Repeat("all is well ", 1<<14) + `</system-out></testcase></testsuite></testsuites>`
		for _, report := range []string{reports[0], long} {
			claim, err := ci.AddEvidence(ctx, wire.EvidenceTarget{Service: "shop", Version: "v1.1.0", Digest: digest}, strings.NewReader(report))
			must(t, err)
			fetched := func() (got []byte, err error) {
				err = root.VaultEntry(ctx, claim.File, func(r io.Reader) (err error) {
					got, err = io.ReadAll(r)
					if errors.Is(err, io.ErrUnexpectedEOF) {
						return fault.New(fault.Unverified, "cut", "cut")
					}
					return err
				})
				return got, err
			}
			if got, err := fetched(); err != nil || string(got) != report {
				t.Errorf("%d bytes came back as %d: %v", len(report), len(got), err)
			}
			v, err := root.Vault(ctx)
			must(t, err)
			if v.Kind != "database" || v.Entries < 2 || v.Rotten != 0 || v.Lock != nil || v.Swept != nil {
				t.Errorf("%+v", v)
			}
			spoil(t, h.db, claim.File, len(report))
			got, err := fetched()
			if fault.KindOf(err) != fault.Unverified || len(got) >= len(report) {
				t.Errorf("of %d rotten bytes %d came back: %v", len(report), len(got), err)
			}
			checked, err := root.CheckVault(ctx, wire.VaultCheckRequest{})
			must(t, err)
			if len(checked.Rotten) != 1 || checked.Rotten[0] != claim.File || checked.Next != "" {
				t.Errorf("%+v", checked)
			}
			_, err = ci.AddEvidence(ctx, wire.EvidenceTarget{Service: "shop", Version: "v1.1.0", Digest: digest, Label: "again"}, strings.NewReader(report))
			must(t, err)
			if got, err := fetched(); err != nil || string(got) != report {
				t.Errorf("sent again, %d bytes came back as %d: %v", len(report), len(got), err)
			}
		}
		swept, err := root.SweepVault(ctx, wire.SweepRequest{DryRun: true})
		must(t, err)
		if !swept.DryRun || swept.Orphans != 0 || swept.Removed != 0 || swept.Missing == nil || swept.Due == nil {
			t.Errorf("%+v", swept)
		}
		if v, err := root.Vault(ctx); err != nil || v.Swept == nil || !v.Swept.At.Equal(swept.At) {
			t.Errorf("%+v %v", v, err)
		}
		for path, want := range map[string]int{"/api/v1/vault/entries/sha256:12": 422, "/api/v1/vault/entries/" + digest: 404} {
			if r := h.send(t, message{method: http.MethodGet, path: path, as: "auditor"}); r.status != want {
				t.Errorf("%s: %d %s", path, r.status, r.body)
			}
		}
		if r := h.send(t, message{path: "/api/v1/vault/checks", body: `{"after":"x"}`, as: "auditor"}); r.status != 422 {
			t.Errorf("%d %s", r.status, r.body)
		}
	})
}

// spoil puts as many other bytes where an original is.
func spoil(t *testing.T, db *store.DB, file string, n int) {
	t.Helper()
	must(t, db.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE blobs SET body = $1 WHERE digest = $2`, bytes.Repeat([]byte("x"), n), file)
		return err
	}))
}
