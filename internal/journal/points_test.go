//go:build linux

package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/seal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/vault"
)

// Sizes tell what is in the vault: what is to stay is longer than either.
const (
	orphanSize   = 11
	forsakenSize = 13
)

// rounds is how often a child does all that it can do before it gives up: a
// point that it has not passed by then is never passed.
const rounds = 60

// whole is a command with something of everything: two streams, a key that is
// unique and one that changes hands, a private field, a part of a basis.
func whole(id string) journal.Command {
	c := add("k", 1)
	c.ID, c.Request, c.Parts, c.Result = id, digest(id), [][]byte{basisOf(id)}, []byte(`"`+id+`"`)
	c.Facts[0].Private = map[string]string{"note": "private " + id}
	c.Facts = append(c.Facts, event.Draft{
		Stream: counterStream(id), Kind: addedKind, Body: added{Name: id, N: 1}, Private: map[string]string{"note": "private " + id},
	})
	return c
}

func basisOf(id string) []byte { return []byte("the basis of " + id) }

// disposal disposes of the facts of a command that stand at a position and the next.
func disposal(j *journal.Journal, id string, at uint64) journal.Command {
	return journal.Command{
		ID: "dispose/" + id, Request: digest(id), Actor: "system/test", Auth: "local", Source: "test",
		Facts: []event.Draft{{Stream: j.Stream(), Kind: event.FieldsDisposed, Body: event.Disposed{Positions: []uint64{at, at + 1}}}},
	}
}

// originalOf is what a child puts into the vault.
func originalOf(id string) []byte { return fmt.Appendf(nil, "the original of %s, which stays", id) }

// changing is a source that gives other bytes when it is read again.
type changing struct {
	io.ReadSeeker
	reads int
}

func (c *changing) Seek(offset int64, whence int) (int64, error) {
	if c.reads++; c.reads > 1 {
		c.ReadSeeker = bytes.NewReader(bytes.Repeat([]byte("x"), forsakenSize))
	}
	return c.ReadSeeker.Seek(offset, whence)
}

// pointStand is all that a child and who comes after it stand on.
type pointStand struct {
	db    *store.DB
	j     *journal.Journal
	vault *vault.Vault
	shelf [2]vault.Shelf // a directory, the database
	at    int            // which of them is the vault
}

// shelved opens the vault where the installation has it by now.
func shelved(ctx context.Context, db *store.DB, dir string) (*vault.Vault, [2]vault.Shelf, int, error) {
	const origin = "signalbox.local/points"
	d, err := vault.OpenDir(filepath.Join(dir, "vault"))
	if err != nil {
		return nil, [2]vault.Shelf{}, 0, err
	}
	shelves := [2]vault.Shelf{d, vault.NewTable(db, origin)}
	for at, s := range shelves {
		v, err := vault.Open(ctx, vault.Options{DB: db, Origin: origin, Shelf: s})
		if err == nil || fault.KindOf(err) != fault.Conflict || at == 1 {
			return v, shelves, at, err
		}
	}
	return nil, shelves, 0, errors.New("no vault")
}

// childPoints does all that can be killed, again and again, until it is.
func childPoints() {
	ctx := context.Background()
	dir, cycle := os.Getenv("CHILD_DIR"), os.Getenv("CHILD_CYCLE")
	if !failpoint.Enabled {
		childFails(errors.New("the child is built without its kill points"))
	}
	if _, err := seal.Open(filepath.Join(dir, "keys"), "signalbox.test", true); err != nil {
		childFails(err)
	}
	db, err := store.Open(ctx, store.Options{Data: os.Getenv("CHILD_DATA"), Database: os.Getenv("CHILD_DATABASE")})
	if err != nil {
		childFails(err)
	}
	s := pointStand{db: db}
	o, err := pointOptions(ctx, db, os.Getenv("CHILD_FOLD"))
	if err != nil {
		childFails(err)
	}
	if s.j, err = journal.Open(ctx, o); err != nil {
		childFails(err)
	}
	if s.vault, s.shelf, s.at, err = shelved(ctx, db, dir); err != nil {
		childFails(err)
	}
	for w := range 2 {
		go func() {
			for i := 0; ; i++ {
				s.append(ctx, fmt.Sprintf("%s-beside-%d-%d", cycle, w, i))
				time.Sleep(2 * time.Millisecond)
			}
		}()
	}
	for i := range rounds {
		s.round(ctx, fmt.Sprintf("%s-%d", cycle, i))
	}
	childFails(fmt.Errorf("%s was never passed as often", os.Getenv(failpoint.Variable)))
}

func (s *pointStand) append(ctx context.Context, id string) journal.Receipt {
	fmt.Printf("try %s\n", id)
	r, err := s.j.Append(ctx, whole(id))
	if err != nil {
		childFails(err)
	}
	fmt.Printf("ack %s %d\n", id, r.First)
	return r
}

// round is one of everything.
func (s *pointStand) round(ctx context.Context, id string) {
	r := s.append(ctx, id)
	fmt.Printf("dispose %s %d\n", id, r.First)
	if _, err := s.j.Append(ctx, disposal(s.j, id, r.First)); err != nil {
		childFails(err)
	}
	fmt.Printf("disposed %s %d\n", id, r.First)
	if _, err := s.j.SignNow(ctx); err != nil {
		childFails(err)
	}
	if err := s.j.Rebuild(ctx, "points", quiet); err != nil {
		childFails(err)
	}
	if _, err := s.db.Acquire(ctx, "test/points", id, 20*time.Millisecond); err != nil {
		childFails(err)
	}
	if err := s.db.Release(ctx, "test/points", id); err != nil {
		childFails(err)
	}
	if err := s.fill(ctx, id); err != nil {
		childFails(err)
	}
}

// fill puts what stays, what is taken back and what is swept, and then moves
// the vault to the other shelf.
func (s *pointStand) fill(ctx context.Context, id string) error {
	fmt.Printf("put %s 0\n", id)
	if _, _, err := s.vault.Put(ctx, bytes.NewReader(originalOf(id))); err != nil {
		return err
	}
	fmt.Printf("kept %s 0\n", id)
	if _, _, err := s.vault.Put(ctx, &changing{ReadSeeker: bytes.NewReader(fmt.Appendf(nil, "%0*d", forsakenSize, len(id)))}); err == nil {
		return errors.New("a source that changed was put")
	}
	if _, _, err := s.vault.Put(ctx, bytes.NewReader(fmt.Appendf(nil, "%0*d", orphanSize, time.Now().UnixNano()%1e10))); err != nil {
		return err
	}
	err := s.db.InTx(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE vault_entries SET put = 1 WHERE size = $1", orphanSize)
		return err
	})
	if err != nil {
		return err
	}
	if _, err := s.vault.Sweep(ctx, vault.Sweeping{Named: named(s.db)}); err != nil {
		return err
	}
	time.Sleep(time.Millisecond) // a move is refused where anything was put in its first microsecond
	// Lossy, for a put that was killed before leaves an entry without bytes; what
	// was acknowledged is looked for afterwards.
	if _, err := s.vault.Move(ctx, s.shelf[1-s.at], true); err != nil {
		return err
	}
	s.at = 1 - s.at
	s.vault, err = vault.Open(ctx, vault.Options{DB: s.db, Origin: s.vault.Origin, Shelf: s.shelf[s.at]})
	return err
}
