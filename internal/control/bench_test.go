package control_test

import (
	"fmt"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// plant issues n permits that rest on one policy, one machine and one approver,
// as facts of their own, and answers the approver's id.
func (h *house) plant(n int) string {
	h.t.Helper()
	now, err := h.Now(h.ctx)
	must(h.t, err)
	approver, issuer := h.who["ben"].Person(), h.who["ci"].Subject
	for done := 0; done < n; {
		var facts []event.Draft
		for ; len(facts) < journal.CommandFacts && done < n; done++ {
			p := release.Permit{
				ID: control.NewID(), Release: fmt.Sprint("r", done), Decision: "d", Service: "shop", Version: "v1", Digest: digest, Environment: "production",
				Policy: digest, Approvers: []string{approver}, Issuers: []string{issuer},
				NotBefore: event.MicrosOf(now.Truncate(time.Second)), NotAfter: event.MicrosOf(now.Add(time.Hour).Truncate(time.Second)),
			}
			facts = append(facts, event.Draft{Stream: event.StreamOf(release.PermitNoun, p.ID), Kind: event.PermitIssued, Body: p})
		}
		_, err := h.Journal.Append(h.ctx, journal.Command{Actor: "system/bench", Auth: "local", Source: "bench", Facts: facts})
		must(h.t, err)
	}
	return approver
}

// BenchmarkRecall recalls 100,000 permits that rest on one policy, machine or
// approver, and lists the first of them. They are to be taken back within two
// seconds.
func BenchmarkRecall(b *testing.B) {
	const permits = 100_000
	for engine, open := range map[string]func() store.Options{
		"sqlite":   func() store.Options { return store.Options{Data: b.TempDir()} },
		"postgres": func() store.Options { return store.Options{Database: storetest.PostgresURL(b)} },
	} {
		b.Run(engine, func(b *testing.B) {
			db, err := store.Open(b.Context(), open())
			must(b, err)
			b.Cleanup(func() { _ = db.Close() })
			h := raise(b, db, b.TempDir()+"/keys")
			h.furnish()
			approver := h.plant(permits)
			for name, q := range map[string]control.PermitQuery{"policy": {Policy: digest}, "issuer": {Issuer: "ci"}, "approver": {Approver: approver}} {
				b.Run("recall/"+name, func(b *testing.B) {
					for b.Loop() {
						done, err := h.RecallPermits(h.ctx, h.as("cid"), q, "not to be trusted")
						if err != nil || done.Live != permits || done.Given != permits {
							b.Fatalf("%+v %v", done, err)
						}
					}
				})
				b.Run("page/"+name, func(b *testing.B) {
					for b.Loop() {
						page, next, err := h.Permits(h.ctx, q, "", 50)
						if err != nil || len(page) != 50 || next == "" {
							b.Fatalf("%d %q %v", len(page), next, err)
						}
					}
				})
			}
		})
	}
}
