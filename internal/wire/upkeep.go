package wire

import (
	"context"
	"io"
	"time"
)

// Tree is a size of the journal and the root hash over so many facts.
type Tree struct {
	Size uint64 `json:"size"`
	Root string `json:"root" doc:"In base64"`
}

// Restore is a restore of the journal, and who has recorded it.
type Restore struct {
	Method    string    `json:"method" enum:"backup,in-place"`
	Backup    string    `json:"backup,omitempty" doc:"SHA-256 of the backup's file"`
	Position  uint64    `json:"position" doc:"Of the fact that says so"`
	At        time.Time `json:"at"`
	Old       *Tree     `json:"old,omitempty" doc:"Of the newest checkpoint that was known outside"`
	New       Tree      `json:"new" doc:"What came back"`
	Lost      uint64    `json:"lost" doc:"Facts that are known to have stood after it"`
	Proposal  uint64    `json:"proposal,omitempty" doc:"Position of what one person has said of it; absent before"`
	Proposer  string    `json:"proposer,omitempty"`
	Confirmer string    `json:"confirmer,omitempty"`
	Confirmed time.Time `json:"confirmed,omitzero"`
	Closed    bool      `json:"closed" doc:"Whether the server takes no facts, because two persons have yet to record it"`
}

// RestoreProposal is what one person says of a restore.
type RestoreProposal struct {
	Reason string `json:"reason"`
}

// RestoreConfirmation is by another person.
type RestoreConfirmation struct {
	Proposal uint64 `json:"proposal" doc:"Position of the proposal that is confirmed"`
}

// Backup writes a backup to w. It is not tried again: what was written stays.
// One that was cut off lacks its end, which whoever reads it sees.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	q := get("/backup", nil)
	q.accept, q.limit = "application/gzip", 24*time.Hour
	_, err := c.once(ctx, q, func(r io.Reader) error { return bring(w, r) })
	return err
}

// Restore is the newest restore of the journal.
func (c *Client) Restore(ctx context.Context) (Restore, error) {
	return ask[Restore](ctx, c, get("/restore", nil))
}

// ProposeRestore says why the journal was restored.
func (c *Client) ProposeRestore(ctx context.Context, q RestoreProposal) (Restore, error) {
	return send[Restore](ctx, c, "/restore/proposals", q)
}

// ConfirmRestore confirms what another person has said.
func (c *Client) ConfirmRestore(ctx context.Context, q RestoreConfirmation) (Restore, error) {
	return send[Restore](ctx, c, "/restore/confirmations", q)
}
