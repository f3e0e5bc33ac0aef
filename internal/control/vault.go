package control

import (
	"context"
	"fmt"
	"io"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/vault"
)

// What is told of the vault.
type (
	// VaultStatus is what its books say.
	VaultStatus = vault.Status
	// VaultSwept is what a sweep found and did.
	VaultSwept = vault.Swept
	// VaultChecked is what reading entries back has shown.
	VaultChecked = vault.Checked
)

// VaultStatus is what the books of the vault say.
func (c *Control) VaultStatus(ctx context.Context, r Request) (VaultStatus, error) {
	if err := r.Actor.May(access.Read); err != nil {
		return VaultStatus{}, err
	}
	return c.Vault.Status(ctx)
}

// SweepVault removes what no fact names and nobody put for a week; dry, it only
// looks. An orphan is no fact's, so its going leaves no line in the journal;
// the log has its digest.
func (c *Control) SweepVault(ctx context.Context, r Request, dry bool) (VaultSwept, error) {
	if err := r.Actor.May(access.Operate); err != nil {
		return VaultSwept{}, err
	}
	// Facts that are lost may be found again, and they name originals.
	if err := c.Journal.Writable(); err != nil && !dry {
		return VaultSwept{}, err
	}
	swept, err := c.Vault.Sweep(ctx, vault.Sweeping{Dry: dry, Named: c.named})
	if err == nil {
		c.Log.Info("the vault was swept", "by", r.Actor.Subject, "dry", dry, "entries", swept.Entries, "orphans", swept.Orphans,
			"removed", swept.Removed, "locked", swept.Locked, "failed", swept.Failed, "entered", swept.Adopted, "missing", len(swept.Missing))
	}
	return swept, err
}

// CheckVault reads some of the vault's entries back, those after a digest.
func (c *Control) CheckVault(ctx context.Context, r Request, after string) (VaultChecked, error) {
	if err := r.Actor.May(access.Export); err != nil {
		return VaultChecked{}, err
	}
	return c.Vault.Check(ctx, after)
}

// VaultEntry is the bytes that are kept under a digest. Reading them to their
// end proves them.
func (c *Control) VaultEntry(ctx context.Context, r Request, digest string) (io.ReadCloser, error) {
	if err := r.Actor.May(access.Export); err != nil {
		return nil, err
	}
	return c.Vault.Open(ctx, digest)
}

// named calls name with every digest that any fact has written out, whatever
// its kind: a kind that is added later needs no entry in a list that decides
// what is thrown away. It reads the journal itself, all that there is of it now.
func (c *Control) named(ctx context.Context, name func(digest string)) error {
	size, err := c.Journal.Size(ctx)
	if err != nil {
		return err
	}
	for from := uint64(0); from < size; {
		facts, err := c.Journal.Facts(ctx, from, journal.FactsMax)
		if err != nil {
			return err
		}
		if len(facts) == 0 {
			return gap(from)
		}
		for _, f := range facts {
			if f.Position != from {
				return gap(from)
			}
			namedBy(f, name)
			from++
		}
	}
	return nil
}

func namedBy(f event.Recorded, name func(digest string)) {
	for _, part := range [][]byte{f.HeaderBytes, f.BodyBytes, f.PrivateBytes} {
		for digest := range vault.Digests(part) {
			name(digest)
		}
	}
}

func gap(position uint64) error {
	return fault.New(fault.Unverified, "vault.gap", fmt.Sprintf("the journal has no fact at %d", position)).
		Because("what it named cannot be known, so nothing is removed").Remedy("verify an export of the journal, and restore it")
}
