package wire

import (
	"context"
	"io"
	"time"
)

// Vault is the store of original files as its books have it.
type Vault struct {
	Kind    string     `json:"kind" enum:"disk,database,s3"`
	Entries int        `json:"entries"`
	Bytes   int64      `json:"bytes"`
	Quota   int64      `json:"quota" doc:"Most bytes of all entries together; 0 is no bound"`
	Lock    *VaultLock `json:"lock,omitempty" doc:"The retention lock that each entry gets when it is put"`
	Locked  int        `json:"locked" doc:"Entries whose lock was read back from the store"`
	Rotten  int        `json:"rotten" doc:"Entries whose bytes were found changed when they were read last"`
	Missing int        `json:"missing" doc:"Entries whose bytes were found gone"`
	Swept   *VaultLast `json:"swept,omitempty" doc:"What the last sweep found"`
}

// VaultLock is a retention lock (S3 Object Lock).
type VaultLock struct {
	Mode      string `json:"mode,omitempty" enum:"governance,compliance"`
	Days      int    `json:"days,omitempty" doc:"Of the retention"`
	LegalHold bool   `json:"legal_hold"`
}

// VaultLast is what a sweep found, in sums.
type VaultLast struct {
	At           time.Time `json:"at"`
	Orphans      int       `json:"orphans" doc:"Entries that no fact names and that stay, for they are younger than a week or locked"`
	OrphanBytes  int64     `json:"orphan_bytes"`
	Oldest       time.Time `json:"oldest,omitzero" doc:"When the oldest of them was put last"`
	Removed      int       `json:"removed" doc:"By the last sweep that did not only look"`
	RemovedBytes int64     `json:"removed_bytes"`
	Locked       int       `json:"locked" doc:"Orphans that the store's lock keeps"`
}

// SweepRequest has the vault swept.
type SweepRequest struct {
	DryRun bool `json:"dry_run,omitempty" doc:"Look, and remove nothing"`
}

// VaultSweep is what a sweep found and did.
type VaultSweep struct {
	At           time.Time    `json:"at"`
	DryRun       bool         `json:"dry_run"`
	Entries      int          `json:"entries" doc:"That there were"`
	Bytes        int64        `json:"bytes"`
	Orphans      int          `json:"orphans" doc:"Entries that no fact names, however young"`
	OrphanBytes  int64        `json:"orphan_bytes"`
	Due          []VaultEntry `json:"due" doc:"Those of more than a week, at most 1,000"`
	Removed      int          `json:"removed"`
	RemovedBytes int64        `json:"removed_bytes"`
	Locked       int          `json:"locked" doc:"Due, and kept by the store's lock"`
	Failed       int          `json:"failed" doc:"Due, and not removed for another reason, which is in the server's log"`
	Entered      int          `json:"entered" doc:"Bytes that the books did not know; they stay for a week"`
	Missing      []string     `json:"missing" doc:"Digests that a fact names and whose bytes are gone, at most 1,000"`
}

// VaultEntry is one entry of the vault.
type VaultEntry struct {
	Digest string    `json:"digest"`
	Size   int64     `json:"size"`
	Put    time.Time `json:"put" doc:"The newest put"`
}

// VaultCheckRequest has entries read back.
type VaultCheckRequest struct {
	After string `json:"after,omitempty" doc:"Next of the check before; from the first entry where absent"`
}

// VaultCheck is what reading some entries back has shown. Digests are of entries.
type VaultCheck struct {
	Entries  int      `json:"entries"`
	Bytes    int64    `json:"bytes"`
	Rotten   []string `json:"rotten" doc:"Whose bytes have changed"`
	Missing  []string `json:"missing" doc:"Whose bytes are gone"`
	Unlocked []string `json:"unlocked" doc:"Without the lock that the settings demand now"`
	Next     string   `json:"next,omitempty" doc:"Go on after this; absent where all were read"`
}

// Vault is what the vault's books say.
func (c *Client) Vault(ctx context.Context) (Vault, error) {
	return ask[Vault](ctx, c, get("/vault", nil))
}

// SweepVault removes what no fact names and nobody put for a week.
func (c *Client) SweepVault(ctx context.Context, q SweepRequest) (VaultSweep, error) {
	return lasting[VaultSweep](ctx, c, "/vault/sweeps", q)
}

// CheckVault reads some entries of the vault back.
func (c *Client) CheckVault(ctx context.Context, q VaultCheckRequest) (VaultCheck, error) {
	return lasting[VaultCheck](ctx, c, "/vault/checks", q)
}

// lasting is send with the time of an upload.
func lasting[R any](ctx context.Context, c *Client, path string, body any) (R, error) {
	q, err := post(path, body)
	if err != nil {
		var none R
		return none, err
	}
	q.limit = uploadTime
	return ask[R](ctx, c, q)
}

// VaultEntry hands the bytes of an entry of the vault to read; who reads them
// compares their digest. It is called again where the line was cut.
func (c *Client) VaultEntry(ctx context.Context, digest string, read func(io.Reader) error) error {
	q := get(id("/vault/entries", digest, ""), nil)
	q.accept, q.limit = "application/octet-stream", uploadTime
	return c.do(ctx, q, read)
}
