package api

import (
	"net/http"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *api) upkeep() []operation {
	return []operation{
		serve(operation{
			id: "take-backup", path: "/backup", need: access.Operate, gives: "application/gzip", lasting: true,
			about: "A backup of everything but the keys, taken while the server goes on; it takes the right to export as well",
		}, takeBackup),
		ask(operation{id: "show-restore", path: "/restore", need: access.Read, about: "The newest restore of the journal, and who has recorded it"},
			func(c *call) (wire.Restore, error) {
				r, err := c.Control.Restoration(c.ctx, c.request())
				return wireRestore(r), err
			}),
		act(operation{
			id: "propose-restore", path: "/restore/proposals", need: access.Operate,
			about: "Say why the journal was restored: one person",
		}, func(c *call, q wire.RestoreProposal) (wire.Restore, error) {
			r, err := c.Control.ProposeRestore(c.ctx, c.request(), q.Reason)
			return wireRestore(r), err
		}),
		act(operation{
			id: "confirm-restore", path: "/restore/confirmations", need: signedIn,
			about: "Confirm it: another person, an administrator or an auditor; then the server takes facts again",
		}, func(c *call, q wire.RestoreConfirmation) (wire.Restore, error) {
			r, err := c.Control.ConfirmRestore(c.ctx, c.request(), q.Proposal)
			return wireRestore(r), err
		}),
	}
}

func wireTree(t *journal.Tree) *wire.Tree {
	if t == nil {
		return nil
	}
	return &wire.Tree{Size: t.Size, Root: t.Root.String()}
}

func wireRestore(r control.Restoration) wire.Restore {
	return wire.Restore{
		Method: r.Method, Backup: r.Backup, Position: r.Position, At: r.At.Time(), Old: wireTree(r.Known), New: *wireTree(&r.Head), Lost: r.Lost(),
		Proposal: r.Proposal, Proposer: r.Proposer, Confirmer: r.Confirmer, Confirmed: r.Confirmed.Time(), Closed: r.Method != "" && r.Confirmed == 0,
	}
}

func takeBackup(c *call) error {
	if c.Backup == nil {
		return fault.New(fault.Unavailable, "backup.none", "this server takes no backups over the API")
	}
	done, err := c.heavy()
	if err != nil {
		return err
	}
	defer done()
	c.w.Header().Set("Content-Type", "application/gzip")
	c.w.Header().Set("Content-Disposition", "attachment")
	out := &begun{ResponseWriter: c.w}
	err = c.Control.Backup(c.ctx, c.request(), c.api.Backup, out)
	if err != nil && out.yes {
		c.Log.Error("a backup was cut off", "reference", idOf(c.ctx), "error", err)
		panic(http.ErrAbortHandler)
	}
	return err
}
