package vault

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

// markName is the file or object that names a vault.
const markName = "vault.id"

// markHead begins the line of a mark; the origin of the installation and an id
// of the vault follow.
const markHead = "signalbox-vault/1"

// maxMark bounds what is read of a mark, in bytes.
const maxMark = 1 << 10

func markOf(origin, id string) string { return markHead + " " + origin + " " + id }

// readMark takes a mark apart.
func readMark(line string) (origin, id string, err error) {
	parts := strings.Fields(line)
	if len(parts) != 3 || parts[0] != markHead || line != strings.Join(parts, " ") {
		return "", "", fault.New(fault.Conflict, "vault.mark", "the mark of the vault cannot be read").
			Because(markName + " is not one line that begins with " + markHead).Remedy("correct --vault, or restore that file")
	}
	return parts[1], parts[2], nil
}

// recognise compares the mark on the shelf with the one in the books. The
// first time it writes both, the shelf's first: a crash in between leaves a
// mark of ours that the next start enters. Processes that start together take
// turns at the row.
func (v *Vault) recognise(ctx context.Context) (first bool, err error) {
	err = v.DB.InTx(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE vault SET mark = mark WHERE id = 1`); err != nil {
			return err
		}
		var known string
		if err := tx.QueryRow(ctx, `SELECT mark FROM vault WHERE id = 1`).Scan(&known); err != nil {
			return fmt.Errorf("read which vault is ours: %w", err)
		}
		line, err := v.Shelf.mark(ctx, "")
		if err != nil {
			return err
		}
		if line == "" && known == "" {
			if line, err = v.Shelf.mark(ctx, markOf(v.Origin, rand.Text())); err != nil {
				return err
			}
		}
		if err := v.ours(line, known); err != nil || known != "" {
			return err
		}
		failpoint.Hit(failpoint.VaultMarked)
		first = true
		_, err = tx.Exec(ctx, `UPDATE vault SET mark = $1 WHERE id = 1`, v.id)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("open the vault: %w", err)
	}
	return first, nil
}

// ours takes the id of a mark that is this installation's and, where one is
// known, the known one.
func (v *Vault) ours(line, known string) error {
	other := fault.New(fault.Conflict, "vault.other", "this is not the vault that the installation keeps its files in").
		Remedy("correct --vault, mount what it names, restore the vault from a backup with its file " + markName + ", or bring the files over: signalbox vault move")
	if line == "" {
		return other.Because("what --vault names has no mark: it is new, empty, or not mounted; replicas need one vault that all of them reach")
	}
	origin, id, err := readMark(line)
	switch {
	case err != nil:
		return err
	case origin != v.Origin:
		return other.Because("its mark is that of " + origin)
	case known != "" && id != known:
		return other.Because("its mark is another than the one in the database: the files stayed where --vault pointed before")
	}
	v.id = id
	return nil
}

// still refuses to go on in a vault that the installation has left.
func (v *Vault) still(ctx context.Context, tx *store.Tx) error {
	var known string
	if err := tx.QueryRow(ctx, `SELECT mark FROM vault WHERE id = 1`).Scan(&known); err != nil {
		return err
	}
	if known != v.id {
		return fault.New(fault.Unavailable, "vault.moved", "the installation keeps its files in another vault by now").
			Remedy("start the server again with the --vault that the others have")
	}
	return nil
}
