package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/anchor"
	"signalbox.dev/signalbox/internal/dossier"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/receipt"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/verify"
	"signalbox.dev/signalbox/internal/wire"
)

const (
	maxPermit = 256 << 10
	maxKeys   = 64 << 10

	maxWitnesses = 64 // as many as keys
)

func (a *app) permit() *cobra.Command {
	check := a.command("verify FILE", "Check a deployment permit offline, with the public key", func(_ context.Context, c call) error { return c.permitVerify() })
	check.Long = "Check a permit's signature, its time and what it is for; - reads it from standard input.\n" +
		"It ends with 0, or with 7 where the permit does not hold. Whether the permit was redeemed or\n" +
		"recalled only the server knows: a freeze declared after it was signed does not end it here."
	check.Example = "  signalbox permit verify --key keys.txt --digest sha256:… --environment production permit.json"
	bind(check.Flags(), "service", "version", "digest", "environment")
	check.Flags().String("key", "", "file of the public keys, as signalbox keys show prints them")
	check.Flags().String("at", "", "the instant to check it for, RFC 3339; now unless given")
	require(check, "key", "digest", "environment")

	show := a.online("show PERMIT", "Show a permit and whether it was redeemed or recalled", func(ctx context.Context, c call, client *wire.Client) error {
		p, err := client.Permit(ctx, c.args[0])
		if err != nil {
			return err
		}
		return c.print(p, terminal.Facts("permit", p.ID, "state", p.State, "service", p.Service+" "+p.Version, "environment", p.Environment, "artifact", p.Digest,
			"from", c.stamp(p.NotBefore), "until", c.stamp(p.NotAfter), "decision", p.Decision, "redeemed", c.stamp(p.Redeemed),
			"recalled", c.stamp(p.Recalled), "deployment", p.Deployment))
	})
	recall := a.online("recall PERMIT", "Take a permit back before it is redeemed", func(ctx context.Context, c call, client *wire.Client) error {
		done, err := client.RecallPermit(ctx, c.args[0], wire.Reasoned{Reason: c.text("reason")})
		return c.done(done, err, "recalled %s", c.args[0])
	})
	reasoned(recall)
	return a.group("permit", "Deployment permits: check, show, recall", append(a.permitsByBasis(), check, show, recall)...)
}

// permitted is what permit verify prints of a permit that holds.
type permitted struct {
	Valid       bool      `json:"valid"`
	Permit      string    `json:"permit"`
	Release     string    `json:"release"`
	Service     string    `json:"service"`
	Version     string    `json:"version"`
	Environment string    `json:"environment"`
	Digest      string    `json:"digest"`
	Policy      string    `json:"policy"`
	Origin      string    `json:"origin"`
	Position    uint64    `json:"position"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	KeyID       string    `json:"kid"`
}

func (c call) permitVerify() error {
	at, err := c.instant("at")
	if err != nil {
		return err
	}
	if at.IsZero() {
		at = time.Now()
	}
	keys, err := publicKeys(c.text("key"))
	if err != nil {
		return err
	}
	var envelope []byte
	if c.args[0] == "-" {
		envelope, err = readAll(c.In, "standard input", maxPermit)
	} else {
		envelope, err = readFile(c.args[0], maxPermit)
	}
	if err != nil {
		return err
	}
	p, err := verify.CheckPermit(envelope, keys, verify.Expect{
		Digest: c.setting("digest"), Environment: c.setting("environment"), Service: c.setting("service"), Version: c.setting("version"), Now: at,
	})
	if err != nil {
		return err
	}
	return c.print(permitted{
		Valid: true, Permit: p.ID, Release: p.Release, Service: p.Service, Version: p.Version, Environment: p.Environment, Digest: p.Digest,
		Policy: p.Policy, Origin: p.Origin, Position: p.Position, NotBefore: p.NotBefore, NotAfter: p.NotAfter, KeyID: p.KeyID,
	}, func(w io.Writer) error {
		if err := terminal.Said("✓ verified: the permit %s lets %s %s go to %s until %s", p.ID, p.Service, p.Version, p.Environment, c.stamp(p.NotAfter))(w); err != nil {
			return err
		}
		return terminal.Said("  signed by key %s of %s, decision at position %d", p.KeyID, p.Origin, p.Position)(w)
	})
}

func publicKeys(path string) (verify.Keys, error) {
	b, err := readFile(path, maxKeys)
	if err != nil {
		return verify.Keys{}, err
	}
	keys, err := verify.ParseKeys(b)
	return keys, dossier.Placed(path, err)
}

func (a *app) journal() *cobra.Command {
	check := a.command("verify [EXPORT]", "Check an export of the journal offline, with the public key", func(ctx context.Context, c call) error { return c.journalVerify(ctx) })
	check.Long = "Check every line of an export: shape, order, hashes, the tree and the signed checkpoints.\n" +
		"It needs the export and the public keys alone, and ends with 7 at the first position that is wrong.\n\n" +
		"With --receipts DIR the receipts that were kept there must hold too: each one's facts stand at\n" +
		"their positions, and all before them is as it was. Without an export the server is asked to prove it.\n\n" +
		"With --checkpoints PLACE it must begin with every checkpoint that was published there. Of each witness\n" +
		"in the file of keys (witness name+hash+base64) it says how far that has cosigned; --witnesses N demands it."
	check.Flags().String("key", "", "file of the public keys, as signalbox keys show prints them")
	check.Flags().String("receipts", "", "directory of receipts that the export, or the server, must keep to")
	check.Flags().String("checkpoints", "", "folder or clone of the repository to which checkpoints were published: each must hold")
	check.Flags().Int("witnesses", 0, "so many witnesses, whose keys are in the file, must have cosigned everything")
	require(check, "key")

	export := a.command("export", "Write the whole journal, for archives and auditors", func(ctx context.Context, c call) error {
		out := c.text("out")
		if c.is("local") {
			if a.local.Export == nil {
				return absent("journal export --local")
			}
			store, err := c.store()
			if err != nil {
				return err
			}
			return a.local.Export(ctx, ExportOptions{StoreOptions: store, File: out}, a.Streams)
		}
		client, err := c.client()
		if err != nil {
			return err
		}
		return c.journalExport(ctx, client, out)
	})
	export.Flags().String("out", "", "file to write; - is standard output")
	export.Flags().Bool("local", false, "read the data directory or database on this machine instead of asking the server")
	bind(export.Flags(), storeNames...)
	require(export, "out")

	checkpoint := a.online("checkpoint", "Print the newest signed checkpoint", func(ctx context.Context, c call, client *wire.Client) error {
		b, err := client.Checkpoint(ctx)
		return c.raw(b, err)
	})
	one := a.online("receipt POSITION", "Print the signed receipt of the command that recorded a fact", func(ctx context.Context, c call, client *wire.Client) error {
		position, err := strconv.ParseUint(c.args[0], 10, 63)
		if err != nil {
			return fault.Invalidf("cli.position", "%q is not a position", c.args[0]).Remedy("count from 0")
		}
		b, err := client.Receipt(ctx, position)
		return c.raw(b, err)
	})
	return a.group("journal", "The tamper-evident journal: export it, check it", export, check, checkpoint, one)
}

// raw prints text as it came, but for what a terminal would act on.
func (c call) raw(b []byte, err error) error {
	if err == nil {
		_, err = io.WriteString(c.Out, terminal.CleanLines(string(b)))
	}
	return err
}

func (c call) journalVerify(ctx context.Context) error {
	keys, err := publicKeys(c.text("key"))
	if err != nil {
		return err
	}
	check := verify.Check{Keys: keys}
	if check.Witnesses, err = c.flags.GetInt("witnesses"); err != nil || check.Witnesses < 0 || check.Witnesses > maxWitnesses {
		return fault.Invalidf("cli.witnesses", "--witnesses is not a number from 0 to %d", maxWitnesses).On("--witnesses").Cause(err)
	}
	if place := c.text("checkpoints"); place != "" {
		if check.Published, err = anchor.Read(ctx, place); err != nil {
			return err
		}
	}
	kept, refused, err := c.keptReceipts(keys)
	if err != nil {
		return err
	}
	if len(c.args) == 0 {
		return errors.Join(refused, c.askForReceipts(ctx, keys, kept))
	}
	check.Receipts = receipt.Receipts(kept)
	from := c.In
	if c.args[0] != "-" {
		f, err := os.Open(c.args[0])
		if err != nil {
			return fault.New(fault.NotFound, "file.unreadable", "the file "+c.args[0]+" cannot be read").Because(plainReason(err)).Cause(err)
		}
		defer func() { _ = f.Close() }()
		from = f
	}
	if watched(c.Err) {
		check.Progress = func(n uint64) { _, _ = fmt.Fprintf(c.Err, "\r%d facts checked", n) }
	}
	report, err := check.Export(ctx, from)
	if check.Progress != nil && report.Facts >= 1000 {
		_, _ = fmt.Fprint(c.Err, "\r\x1b[K")
	}
	if err != nil && fault.KindOf(err) != fault.Unverified {
		return err
	}
	printed := c.print(report, func(w io.Writer) error {
		receipt.Tell(w, kept, report.Broken)
		for _, line := range anchor.Told(report, c.stamp) {
			if err := terminal.Said("  %s", line)(w); err != nil {
				return err
			}
		}
		if report.FirstWrong != nil {
			return terminal.Said("✗ the first wrong position is %d: %s", *report.FirstWrong, report.Problem)(w)
		}
		if err != nil {
			return terminal.Said("✗ not verified: %s", report.Problem)(w)
		}
		return terminal.Said("✓ verified: %s and %s of %s, all as they were recorded%s",
			terminal.Count(int(report.Facts), "fact", "facts"), terminal.Count(int(report.Checkpoints), "checkpoint", "checkpoints"), report.Origin, receipt.Holding(kept, ", and "))(w)
	})
	if err == nil {
		err = printed
	}
	return errors.Join(refused, dossier.Placed(c.args[0], err))
}

// keptReceipts reads what --receipts names; refused is which files are no receipts of a known key.
func (c call) keptReceipts(keys verify.Keys) (kept []receipt.Kept, refused, err error) {
	dir := c.text("receipts")
	switch {
	case dir == "" && len(c.args) == 0:
		return nil, nil, fault.Invalidf("cli.missing", "there is nothing to verify").Remedy("name an export, or --receipts DIR to hold the server to them")
	case dir == "":
		return nil, nil, nil
	}
	return receipt.Read(dir, keys)
}

// askForReceipts has the server prove, by its newest checkpoint, what it gave receipts for.
func (c call) askForReceipts(ctx context.Context, keys verify.Keys, kept []receipt.Kept) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	held, err := receipt.Ask(ctx, client, keys, kept)
	if err != nil {
		return err
	}
	return errors.Join(c.print(held, held.Print), held.Unkept())
}

// journalExport writes the export to a file, which is never half an export.
func (c call) journalExport(ctx context.Context, client *wire.Client, out string) error {
	if out == "-" {
		return client.Export(ctx, c.Out)
	}
	if err := replace(out, func(w io.Writer) error { return client.Export(ctx, w) }); err != nil {
		return err
	}
	c.note("written to %s; check it with signalbox journal verify %s --key FILE", out, out)
	return nil
}

func (a *app) keys() *cobra.Command {
	show := a.online("show", "Print the public keys, for those who verify", func(ctx context.Context, c call, client *wire.Client) error {
		b, err := client.Keys(ctx)
		return c.raw(b, err)
	})
	rotate := a.online("rotate PURPOSE", "End a signing key and begin another", func(ctx context.Context, c call, client *wire.Client) error {
		r, err := client.RotateKey(ctx, wire.RotateRequest{Purpose: c.args[0], Reason: c.text("reason"), Compromised: c.is("compromised"), DeleteOld: c.is("delete-old")})
		return c.done(r, err, "the %s key is rotated; whoever verifies needs the new file of keys: signalbox keys show", r.Purpose)
	})
	rotate.Long = "End the key of a purpose, journal or permit, and begin another, by a fact that both keys have signed. It takes effect at once on every\n" +
		"replica. What the old key signed before stays good, unless --compromised says that another may have it."
	rotate.Flags().Bool("compromised", false, "another may have the old key; verification says from where on it proves nothing")
	rotate.Flags().Bool("delete-old", false, "delete the old private key; unless given, it is kept and signs nothing more")
	reasoned(rotate)
	return a.group("keys", "The keys: what verifies, and a new one in an old one's place", show, rotate)
}
