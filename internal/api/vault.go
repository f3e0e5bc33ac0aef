package api

import (
	"io"
	"net/http"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *api) vault() []operation {
	return []operation{
		ask(operation{id: "show-vault", path: "/vault", need: access.Read, about: "The store of original files: entries, bytes, quota, lock, orphans"},
			func(c *call) (wire.Vault, error) {
				s, err := c.Control.VaultStatus(c.ctx, c.request())
				return wireVault(s), err
			}),
		act(operation{
			id: "sweep-vault", path: "/vault/sweeps", need: access.Operate, lasting: true,
			about: "Remove what no fact names and nobody has put for a week, or look what that would be",
		}, sweepVault),
		act(operation{
			id: "check-vault", path: "/vault/checks", need: access.Export, lasting: true,
			about: "Read up to a hundred entries back: every byte, and the retention lock where there is one",
		}, checkVault),
		serve(operation{
			id: "fetch-vault-entry", path: "/vault/entries/{digest}", need: access.Export, gives: "application/octet-stream", lasting: true,
			about: "The bytes with a digest, as they were put; bytes that have changed end early",
		}, fetchEntry),
	}
}

func wireVault(s control.VaultStatus) wire.Vault {
	w := wire.Vault{Kind: s.Kind, Entries: s.Entries, Bytes: s.Bytes, Quota: s.Quota, Locked: s.Proven, Rotten: s.Rotten, Missing: s.Missing}
	if !s.Rule.IsZero() {
		w.Lock = &wire.VaultLock{Mode: s.Rule.Mode, Days: int(s.Rule.For / (24 * time.Hour)), LegalHold: s.Rule.Hold}
	}
	if l := s.Last; !l.At.IsZero() {
		w.Swept = &wire.VaultLast{
			At: l.At, Orphans: l.Orphans, OrphanBytes: l.OrphanBytes, Oldest: l.Oldest, Removed: l.Removed, RemovedBytes: l.RemovedSize, Locked: l.Locked,
		}
	}
	return w
}

func sweepVault(c *call, q wire.SweepRequest) (wire.VaultSweep, error) {
	done, err := c.heavy()
	if err != nil {
		return wire.VaultSweep{}, err
	}
	defer done()
	s, err := c.Control.SweepVault(c.ctx, c.request(), q.DryRun)
	w := wire.VaultSweep{
		At: s.At, DryRun: s.Dry, Entries: s.Entries, Bytes: s.Bytes, Orphans: s.Orphans, OrphanBytes: s.OrphanBytes, Due: []wire.VaultEntry{},
		Removed: s.Removed, RemovedBytes: s.RemovedSize, Locked: s.Locked, Failed: s.Failed, Entered: s.Adopted, Missing: some(s.Missing),
	}
	for _, e := range s.Due {
		w.Due = append(w.Due, wire.VaultEntry{Digest: e.Digest, Size: e.Size, Put: e.Put})
	}
	return w, err
}

// some is a list that is never null.
func some(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func checkVault(c *call, q wire.VaultCheckRequest) (wire.VaultCheck, error) {
	done, err := c.heavy()
	if err != nil {
		return wire.VaultCheck{}, err
	}
	defer done()
	s, err := c.Control.CheckVault(c.ctx, c.request(), q.After)
	return wire.VaultCheck{Entries: s.Entries, Bytes: s.Bytes, Rotten: some(s.Rotten), Missing: some(s.Missing), Unlocked: some(s.Open), Next: s.Next}, err
}

// fetchEntry sends bytes. The vault holds the end of rotten bytes back: what was
// sent is then cut off, and the caller sees that it is.
func fetchEntry(c *call) error {
	done, err := c.heavy()
	if err != nil {
		return err
	}
	defer done()
	from, err := c.Control.VaultEntry(c.ctx, c.request(), c.path("digest"))
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	c.w.Header().Set("Content-Type", "application/octet-stream")
	c.w.Header().Set("Content-Disposition", "attachment")
	out := &begun{ResponseWriter: c.w}
	if _, err = io.Copy(out, from); err != nil && out.yes {
		c.Log.Error("an entry of the vault was cut off", "reference", idOf(c.ctx), "digest", c.path("digest"), "error", err)
		panic(http.ErrAbortHandler)
	}
	return err
}
