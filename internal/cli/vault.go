package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/settings"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *app) vault() *cobra.Command {
	status := a.online("status", "Say how much is in the vault, its quota, lock and orphans", func(ctx context.Context, c call, client *wire.Client) error {
		v, err := client.Vault(ctx)
		if err != nil {
			return err
		}
		zone, err := c.zone()
		if err != nil {
			return err
		}
		return c.print(v, terminal.Vault(v, zone))
	})
	sweep := a.online("sweep", "Remove what no fact names and nobody has put for a week", func(ctx context.Context, c call, client *wire.Client) error {
		s, err := client.SweepVault(ctx, wire.SweepRequest{DryRun: c.is("dry-run")})
		if err != nil {
			return err
		}
		zone, err := c.zone()
		if err != nil {
			return err
		}
		return c.print(s, terminal.VaultSweep(s, zone))
	})
	sweep.Long = "Remove from the vault what no fact in the journal names, once nobody has put it for a week.\n" +
		"The server does so by itself once a day; this is for doing it now, or for looking first."
	sweep.Flags().Bool("dry-run", false, "say what would go, and remove nothing")
	verify := a.online("verify", "Read everything in the vault back, and say what has changed or is gone", vaultVerify)
	verify.Long = "Have the server read every original back: every byte against its digest, and the retention lock\n" +
		"where there is one. It ends with 7 where something is wrong."
	get := a.online("get DIGEST", "Fetch an original by its digest, and check it", vaultGet)
	get.Flags().String("out", "", "file to write, which must not exist yet; - is standard output")
	require(get, "out")
	return a.group("vault", "Original files: how many, whether they are whole, and what nobody names", status, sweep, verify, get, a.vaultMove())
}

func (a *app) vaultMove() *cobra.Command {
	move := a.command("move", "Bring the originals to where the settings say, while no server runs", func(ctx context.Context, c call) error {
		if a.local.VaultMove == nil {
			return absent("vault move")
		}
		store, err := c.store()
		if err != nil {
			return err
		}
		m, err := a.local.VaultMove(ctx, MoveOptions{StoreOptions: store, From: c.text("from"), Lossy: c.is("lossy")})
		if err != nil {
			return err
		}
		return c.print(m, terminal.Facts("moved", terminal.Count(m.Entries, "entry", "entries"), "size", terminal.Size(m.Bytes), "lost", strings.Join(m.Lost, " ")))
	})
	move.Long = "Copy every original from --from to the place that --vault and its like name, compare each, and make that\n" +
		"the installation's vault. Nothing is removed where they were. Stop every server first, and start it with\n" +
		"the new settings afterwards. A move that breaks off is done again."
	move.Flags().String("from", "", "where they are now: disk, disk:DIRECTORY, database or s3://BUCKET/PREFIX")
	move.Flags().Bool("lossy", false, "move the rest where some are gone or have changed")
	bind(move.Flags(), storeNames...)
	require(move, "from")
	return move
}

// vaultOptions is where originals are kept, as set. The keys of an S3 service
// come by file or environment, never by a flag that other processes see.
func (c call) vaultOptions() (o VaultOptions, err error) {
	o = VaultOptions{
		Where: c.setting("vault"), Quota: c.setting("vault-quota"), Endpoint: c.setting("vault-endpoint"), Region: c.setting("vault-region"),
		CA: c.setting("vault-ca"), Lock: c.setting("vault-lock"), Retention: c.setting("vault-retention"),
		AccessKey: c.setting("SIGNALBOX_VAULT_ACCESS_KEY"), SecretKey: c.setting("SIGNALBOX_VAULT_SECRET_KEY"),
	}
	if o.LegalHold, err = c.settingBool("vault-legal-hold"); err != nil {
		return o, err
	}
	if path := c.setting("vault-keys-file"); path != "" {
		o.AccessKey, o.SecretKey, err = settings.KeyPair(path)
	}
	return o, err
}

// vaultVerify has the server check page after page.
func vaultVerify(ctx context.Context, c call, client *wire.Client) error {
	all := wire.VaultCheck{Rotten: []string{}, Missing: []string{}, Unlocked: []string{}}
	for {
		v, err := client.CheckVault(ctx, wire.VaultCheckRequest{After: all.Next})
		if err != nil {
			return err
		}
		if v.Next != "" && v.Next <= all.Next {
			return fault.New(fault.Unavailable, "client.answer", "the server does not go on with its check")
		}
		all.Entries += v.Entries
		all.Bytes += v.Bytes
		all.Rotten, all.Missing, all.Unlocked = append(all.Rotten, v.Rotten...), append(all.Missing, v.Missing...), append(all.Unlocked, v.Unlocked...)
		if all.Next = v.Next; v.Next == "" {
			break
		}
	}
	err := c.print(all, terminal.VaultCheck(all))
	if err == nil && len(all.Rotten)+len(all.Missing)+len(all.Unlocked) > 0 {
		return exitVerdict{fault.Exit(fault.Unverified)}
	}
	return err
}

// maxOriginal is the most bytes that an entry of the vault may have.
const maxOriginal = 200 << 20

// vaultGet fetches an original and writes it only once its digest is right.
func vaultGet(ctx context.Context, c call, client *wire.Client) error {
	digest, out := c.args[0], c.text("out")
	b, err := fetched(ctx, client, digest)
	if err != nil {
		return err
	}
	if out == "-" {
		_, err = c.Out.Write(b)
		return err
	}
	f, err := os.OpenFile(out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return unwritable(out, err).On("--out").Remedy("name a file that does not exist yet")
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(out))
	}
	c.note("%s is in %s: %s", digest, out, terminal.Size(int64(len(b))))
	return nil
}

// fetched is an original, whole and compared with its digest.
func fetched(ctx context.Context, client *wire.Client, digest string) ([]byte, error) {
	var b []byte
	err := client.VaultEntry(ctx, digest, func(r io.Reader) (err error) {
		b, err = io.ReadAll(io.LimitReader(r, maxOriginal+1))
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return fault.New(fault.Unverified, "vault.cut", "the original ended before its length").
				Because("its bytes have changed, or the line was cut").Remedy("try again; signalbox vault verify tells which it was").Cause(err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(b); "sha256:"+hex.EncodeToString(sum[:]) != digest {
		return nil, fault.New(fault.Unverified, "vault.rotten", "what the server sent is not what was asked for").
			Because("its digest is sha256:" + hex.EncodeToString(sum[:]))
	}
	return b, nil
}
