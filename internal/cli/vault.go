package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *app) vault() *cobra.Command {
	status := a.online("status", "Say how much is in the vault, its quota, lock and orphans", func(ctx context.Context, c call, client *wire.Client) error {
		v, err := client.Vault(ctx)
		if err != nil {
			return err
		}
		return c.print(v, c.vaultTable(v))
	})
	sweep := a.online("sweep", "Remove what no fact names and nobody has put for a week", func(ctx context.Context, c call, client *wire.Client) error {
		s, err := client.SweepVault(ctx, wire.SweepRequest{DryRun: c.is("dry-run")})
		if err != nil {
			return err
		}
		return c.print(s, c.sweepTable(s))
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
	return a.group("vault", "Original files: how many, whether they are whole, and what nobody names", status, sweep, verify, get)
}

func sizeOf(n int64) string {
	return fmt.Sprintf("%s (%d bytes)", humanize.IBytes(uint64(max(n, 0))), n)
}

func (c call) vaultTable(v wire.Vault) func(io.Writer) error {
	quota, lock, swept := "none", "none", "never"
	if v.Quota > 0 {
		quota = fmt.Sprintf("%s, %.1f %% used", humanize.IBytes(uint64(v.Quota)), 100*float64(v.Bytes)/float64(v.Quota))
	}
	if l := v.Lock; l != nil {
		lock = strings.TrimPrefix(fmt.Sprintf("%s for %s", l.Mode, terminal.Count(l.Days, "day", "days")), " for 0 days")
		if l.LegalHold {
			lock = strings.TrimPrefix(lock+", legal hold", ", ")
		}
		lock += fmt.Sprintf("; read back on %s", terminal.Count(v.Locked, "entry", "entries"))
	}
	orphans := ""
	if s := v.Swept; s != nil {
		swept = fmt.Sprintf("%s; the last sweep removed %d, %s", c.stamp(s.At), s.Removed, humanize.IBytes(uint64(s.RemovedBytes)))
		orphans = fmt.Sprintf("%d, %s", s.Orphans, sizeOf(s.OrphanBytes))
		if !s.Oldest.IsZero() {
			orphans += "; the oldest of " + c.stamp(s.Oldest)
		}
		if s.Locked > 0 {
			orphans += fmt.Sprintf("; %d under a lock", s.Locked)
		}
	}
	return terminal.Facts("kept in", v.Kind, "entries", fmt.Sprint(v.Entries), "size", sizeOf(v.Bytes), "quota", quota, "lock", lock,
		"rotten", fmt.Sprint(v.Rotten), "missing", fmt.Sprint(v.Missing), "orphans", orphans, "swept", swept)
}

func (c call) sweepTable(s wire.VaultSweep) func(io.Writer) error {
	return func(w io.Writer) error {
		if len(s.Due) > 0 {
			var lines [][]string
			for _, e := range s.Due {
				lines = append(lines, []string{e.Digest, humanize.IBytes(uint64(e.Size)), c.stamp(e.Put)})
			}
			if err := terminal.Rows([]string{"DUE", "SIZE", "PUT"}, lines)(w); err != nil {
				return err
			}
		}
		done := fmt.Sprintf("%d, %s", s.Removed, sizeOf(s.RemovedBytes))
		if s.DryRun {
			done = "none: only looked"
		}
		return terminal.Facts("entries", fmt.Sprintf("%d, %s", s.Entries, sizeOf(s.Bytes)), "orphans", fmt.Sprintf("%d, %s", s.Orphans, sizeOf(s.OrphanBytes)),
			"removed", done, "locked", unlessNone(s.Locked), "failed", unlessNone(s.Failed), "entered", unlessNone(s.Entered),
			"missing", strings.Join(s.Missing, " "))(w)
	}
}

func unlessNone(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
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
	err := c.print(all, func(w io.Writer) error {
		for _, bad := range []struct {
			what string
			list []string
		}{{"rotten", all.Rotten}, {"missing", all.Missing}, {"unlocked", all.Unlocked}} {
			for _, d := range bad.list {
				if _, err := fmt.Fprintf(w, "%-9s %s\n", bad.what, terminal.Clean(d)); err != nil {
					return err
				}
			}
		}
		return terminal.Said("%s read, %s: %d rotten, %d missing, %d unlocked", terminal.Count(all.Entries, "entry", "entries"), sizeOf(all.Bytes),
			len(all.Rotten), len(all.Missing), len(all.Unlocked))(w)
	})
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
		return fault.Invalidf("file.unwritable", "%s cannot be written", out).On("--out").Because(plainReason(err)).Remedy("name a file that does not exist yet").Cause(err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(out))
	}
	c.note("%s is in %s: %s", digest, out, sizeOf(int64(len(b))))
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
