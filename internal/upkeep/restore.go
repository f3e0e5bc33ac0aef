package upkeep

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/vault"
	"signalbox.dev/signalbox/internal/verify"
)

// Target is an empty place to restore into.
type Target struct {
	DB     *store.DB
	Vault  func(ctx context.Context, origin string) (*vault.Vault, error)
	Shapes []event.Shape
}

// Known reads a checkpoint that was kept outside; keys are the public ones.
func Known(text, keys []byte, origin string) (*journal.Tree, error) {
	trusted, err := verify.ParseKeys(keys)
	if err != nil {
		return nil, err
	}
	head, err := verify.Checkpoint(text, trusted)
	if err != nil {
		return nil, err
	}
	if head.Origin != origin {
		return nil, fault.New(fault.Unverified, "restore.other-journal", "the checkpoint that is known is of "+head.Origin).
			Because("what is to be restored is of " + origin).Remedy("name a checkpoint of this journal with --known-checkpoint")
	}
	return &journal.Tree{Size: head.Size, Root: head.Root}, nil
}

// Restore brings a backup that Check has found whole into an empty place:
// originals first, for a fact never stands without the files that it names,
// then facts and states, in one transaction. One that breaks off is done again.
// It leaves a journal that takes no facts until two persons have recorded it.
func Restore(ctx context.Context, t Target, file string, checked Report, known *journal.Tree) error {
	if err := journal.CheckEmpty(ctx, t.DB); err != nil {
		return err
	}
	v, err := t.Vault(ctx, checked.Origin)
	if err != nil {
		return err
	}
	if err := fill(ctx, v, file, checked); err != nil {
		return err
	}
	r := journal.Restored{Method: journal.FromBackup, Backup: checked.Digest, Head: checked.Head, Known: known}
	return journal.Restore(ctx, journal.Options{DB: t.DB, Shapes: t.Shapes}, r, func(w *journal.Restoring) error {
		return again(ctx, file, checked, visitor{
			journal: func(b []byte) error {
				return facts(b, func(f line) error { return w.Fact(ctx, f.Header, f.Body, f.Private) }, w.Checkpoint)
			},
			command: func(c journal.CommandRow) error { return w.Command(ctx, c) },
			part:    func(body []byte) error { return w.Part(ctx, body) },
		})
	})
}

// again walks over the file that was checked; one that has changed is refused.
func again(ctx context.Context, file string, checked Report, v visitor) error {
	f, err := os.Open(file)
	if err != nil {
		return unreadable(file, err)
	}
	found, err := walk(ctx, f, v)
	err = errors.Join(err, f.Close())
	if err == nil && found.digest != checked.Digest {
		err = broken("it has changed since it was checked")
	}
	return err
}

func unreadable(file string, err error) error {
	return fault.New(fault.NotFound, "file.unreadable", "the file "+file+" cannot be read").Because(err.Error()).Cause(err)
}

// fill puts the originals of a backup into the vault, and looks that those kept
// elsewhere are there.
func fill(ctx context.Context, v *vault.Vault, file string, checked Report) error {
	err := again(ctx, file, checked, visitor{original: func(digest string, size int64, r io.Reader) error {
		b, err := io.ReadAll(io.LimitReader(r, size+1))
		if err != nil {
			return err
		}
		got, _, err := v.Put(ctx, bytes.NewReader(b))
		if err == nil && got != digest {
			err = broken("the original " + digest + " has changed")
		}
		return err
	}})
	if err != nil {
		return err
	}
	var gone []string
	for _, digest := range checked.Elsewhere {
		from, err := v.Open(ctx, digest)
		if fault.KindOf(err) == fault.NotFound {
			gone = append(gone, digest)
			continue
		}
		if err != nil {
			return err
		}
		_ = from.Close()
	}
	if len(gone) > 0 {
		return fault.New(fault.Unverified, "restore.originals", strings.Join(gone[:min(3, len(gone))], ", ")+" and perhaps others are not in the vault").
			Because("the backup only lists them, as they were kept in an S3 service").Remedy("name that service with --vault s3://BUCKET/PREFIX")
	}
	return nil
}
