package publish

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/anchor"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
	"signalbox.dev/signalbox/internal/verify"
	"signalbox.dev/signalbox/internal/witness"
)

// kit is a journal with a witness over HTTP and a folder.
type kit struct {
	t       *testing.T
	db      *store.DB
	options journal.Options
	j       *journal.Journal
	public  string // the journal's key
	witness *witness.Witness
	client  *witness.Client
	away    atomic.Bool // the witness does not answer
	folder  anchor.Folder
}

func start(t *testing.T, db *store.DB) *kit {
	t.Helper()
	k := &kit{t: t, db: db, folder: anchor.Folder{Dir: t.TempDir()}}
	origin, _, err := journal.Begin(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	secret, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	shape := event.ShapeOf("counter", 1, func(*struct{}, event.Recorded) error { return nil }, nil)
	k.public = "journal " + public
	k.options = journal.Options{DB: db, Shapes: []event.Shape{shape}, Signer: signer, Quorum: 1}
	k.open()
	k.witness, err = witness.Open(witness.Options{Dir: t.TempDir(), Name: "witness.example/w", Logs: []string{public}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if k.away.Load() {
			panic(http.ErrAbortHandler)
		}
		k.witness.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(func() { h.Close(); _ = k.witness.Close() })
	if k.client, err = witness.NewClient(h.URL, k.witness.Public(), func(context.Context) ([]byte, error) { return []byte(k.public), nil }, h.Client()); err != nil {
		t.Fatal(err)
	}
	return k
}

// open opens the journal, as a start of the server does.
func (k *kit) open() {
	k.t.Helper()
	j, err := journal.Open(context.Background(), k.options)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = j.Close() })
	k.j = j
}

func (k *kit) keys(lines ...string) verify.Keys {
	k.t.Helper()
	keys, err := verify.ParseKeys([]byte(strings.Join(append(lines, k.public), "\n")))
	if err != nil {
		k.t.Fatal(err)
	}
	return keys
}

func (k *kit) publisher(places map[string]Place, witnesses ...Witness) *Publisher {
	return New(Options{
		Journal: k.j, DB: k.db, Keys: func(context.Context) (verify.Keys, error) { return k.keys(), nil }, Witnesses: witnesses, Quorum: len(witnesses), Places: places, Log: slog.New(slog.DiscardHandler),
	})
}

// grow appends some facts and signs them.
func (k *kit) grow(n int, what string) {
	k.t.Helper()
	for range n {
		if err := k.add(what); err != nil {
			k.t.Fatal(err)
		}
	}
	if _, err := k.j.SignNow(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kit) add(what string) error {
	_, err := k.j.Append(k.t.Context(), journal.Command{Actor: "person/ada", Auth: "local", Source: "cli", Facts: []event.Draft{
		{Stream: event.StreamOf("counter", "c"), Kind: "counter.added", Body: map[string]string{"what": what}},
	}})
	return err
}

func (k *kit) ask(p *Publisher) {
	k.t.Helper()
	if err := p.Ask(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
}

// changing are the tables whose rows change as facts are added.
var changing = []string{"head", "streams", "keys", "key_sums", "commands", "checkpoints", "views"}

// copied is what an old copy of the database holds.
type copied struct {
	size int64
	rows map[string][][]any
	cols map[string][]string
}

// copy is the database as it stands.
func (k *kit) copy() copied {
	k.t.Helper()
	c := copied{rows: map[string][][]any{}, cols: map[string][]string{}}
	ctx := k.t.Context()
	size, err := k.j.Size(ctx)
	c.size = int64(size)
	for _, table := range changing {
		err = errors.Join(err, k.db.ReadTx(ctx, func(tx *store.Tx) error {
			return tx.Each(ctx, func(r *sql.Rows) error {
				names, err := r.Columns()
				if err != nil {
					return err
				}
				values, into := make([]any, len(names)), make([]any, len(names))
				for i := range values {
					into[i] = &values[i]
				}
				c.cols[table], c.rows[table] = names, append(c.rows[table], values)
				return r.Scan(into...)
			}, "SELECT * FROM "+table)
		}))
	}
	if err != nil {
		k.t.Fatal(err)
	}
	return c
}

// putBack makes the database what it was, as a restore of an old copy does.
func (k *kit) putBack(c copied) {
	k.t.Helper()
	if err := k.j.Close(); err != nil {
		k.t.Fatal(err)
	}
	ctx := k.t.Context()
	err := k.db.InTx(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM facts WHERE position >= $1", c.size)
		_, failed := tx.Exec(ctx, "DELETE FROM hashes WHERE node >= $1", tlog.StoredHashCount(c.size))
		err = errors.Join(err, failed)
		_, failed = tx.Exec(ctx, "DELETE FROM publications WHERE target <> $1", "")
		err = errors.Join(err, failed)
		for _, table := range changing {
			_, failed := tx.Exec(ctx, "DELETE FROM "+table)
			err = errors.Join(err, failed)
			for _, row := range c.rows[table] {
				marks := make([]string, len(row))
				for i := range row {
					marks[i] = fmt.Sprintf("$%d", i+1)
				}
				_, failed := tx.Exec(ctx, "INSERT INTO "+table+" ("+strings.Join(c.cols[table], ", ")+") VALUES ("+strings.Join(marks, ", ")+")", row...)
				err = errors.Join(err, failed)
			}
		}
		return err
	})
	if err != nil {
		k.t.Fatal(err)
	}
	k.open()
}

func (k *kit) stopped(code string) {
	k.t.Helper()
	var f *fault.Error
	err := k.add("after")
	if !errors.As(err, &f) || f.Code != code || f.Kind != fault.Unverified || f.Fix == "" {
		k.t.Fatalf("an append is answered %v, want %s", err, code)
	}
	if _, err := k.j.SignNow(k.t.Context()); err == nil {
		k.t.Error("a checkpoint is signed all the same")
	}
}

func TestPublished(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open())
		p := k.publisher(map[string]Place{"folder": k.folder}, k.client)
		k.ask(p) // nothing is signed yet
		for _, n := range []int{1, 3, 7} {
			k.grow(n, "fact")
			k.ask(p)
			k.ask(p) // what is there already stays
		}
		checks, err := p.Checks(t.Context())
		if err != nil || len(checks) != 2 || checks[0].Err != nil || checks[1].Err != nil || !strings.Contains(checks[0].Detail, "1 of 1 have cosigned 12 facts") {
			t.Errorf("%+v: %v", checks, err)
		}
		var b bytes.Buffer
		if err := k.j.Export(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		published, err := anchor.Read(t.Context(), k.folder.Dir)
		if err != nil || len(published) != 3 {
			t.Fatalf("%d checkpoints in the folder: %v", len(published), err)
		}
		r, err := verify.Check{Keys: k.keys("witness " + k.witness.Public()), Published: published, Witnesses: 1}.Export(t.Context(), &b)
		if err != nil || r.Published != 3 || r.Facts != 12 || r.Checkpoints != 3 {
			t.Errorf("%+v: %v", r, err)
		}
	})
}

// The loop does by itself what Ask does at a start, and a witness that is away costs nothing.
func TestRun(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open())
		k.away.Store(true)
		p := k.publisher(map[string]Place{"folder": k.folder}, k.client)
		k.grow(3, "fact")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		until(t, "the failure is told", func() bool {
			checks, err := p.Checks(t.Context())
			return err == nil && checks[0].Err != nil && strings.Contains(checks[0].Err.Error(), "cannot be reached")
		})
		k.grow(2, "meanwhile")
		k.away.Store(false)
		until(t, "both have it", func() bool {
			checks, err := p.Checks(t.Context())
			newest, unread := k.folder.Newest(t.Context())
			return err == nil && unread == nil && checks[0].Err == nil && checks[1].Err == nil && bytes.Contains(newest, []byte("\n6\n"))
		})
		if err := k.add("at last"); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for tries := 0; !reached(); tries++ {
		if tries == 2000 {
			t.Fatalf("it never comes to this: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A place whose newest checkpoint no key of the journal has signed gets no more,
// says so, and stops nothing: anybody who can write there could do that.
func TestForeignPlace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open())
		k.grow(5, "fact")
		p := k.publisher(map[string]Place{"folder": k.folder})
		k.ask(p)
		name := filepath.Join(k.folder.Dir, fmt.Sprintf("%019d.checkpoint", 6))
		note, err := os.ReadFile(name)
		if err == nil {
			err = errors.Join(os.Remove(name), os.WriteFile(name, bytes.Replace(note, []byte("\n6\n"), []byte("\n9\n"), 1), 0o400))
		}
		if err != nil {
			t.Fatal(err)
		}
		k.grow(1, "fact")
		k.ask(p)
		checks, err := p.Checks(t.Context())
		if err != nil || len(checks) != 1 || checks[0].Err == nil || !strings.Contains(checks[0].Err.Error(), "no key of this journal has signed") {
			t.Errorf("%+v: %v", checks, err)
		}
		if err := k.add("after"); err != nil {
			t.Errorf("an append is refused: %v", err)
		}
	})
}

// A database that was put back is found, by a witness or by a folder, before
// the first append, and on every replica.
func TestPutBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open())
		k.grow(5, "fact")
		both := func() *Publisher { return k.publisher(map[string]Place{"folder": k.folder}, k.client) }
		k.ask(both())
		old := k.copy()
		k.grow(5, "fact")
		k.ask(both())

		k.putBack(old)
		k.ask(k.publisher(nil)) // negative control: nobody outside knows
		if err := k.j.Stopped(); err != nil {
			t.Fatalf("stopped without a witness: %v", err)
		}
		k.ask(k.publisher(nil, k.client))
		k.stopped(codeBehind)

		k.open()
		k.ask(k.publisher(map[string]Place{"folder": k.folder}))
		k.stopped(codeBehind)

		// Another replica learns of it from the database, while the witness is away.
		k.away.Store(true)
		k.open()
		other := both()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = other.Run(ctx) }()
		until(t, "the other replica is stopped", func() bool { return k.j.Stopped() != nil })
		k.stopped(codeBehind)
	})
}

// A history that has gone on after it was put back is another, whatever its length.
func TestOtherHistory(t *testing.T) {
	byWitness := func(k *kit) *Publisher { return k.publisher(nil, k.client) }
	byFolder := func(k *kit) *Publisher { return k.publisher(map[string]Place{"folder": k.folder}) }
	for name, c := range map[string]struct {
		by    func(*kit) *Publisher
		grown int
	}{
		"witness, as long": {byWitness, 5},
		"witness, longer":  {byWitness, 9},
		"folder, longer":   {byFolder, 9},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, open func() *store.DB) {
				k := start(t, open())
				k.grow(4, "fact")
				k.ask(c.by(k))
				old := k.copy()
				k.grow(5, "fact")
				k.ask(c.by(k))
				k.putBack(old)
				k.grow(c.grown, "another")
				k.ask(c.by(k))
				k.stopped(codeOther)
			})
		})
	}
}

// What a witness has shown stands until it takes it back; that it is away changes nothing.
func TestShownStands(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open())
		k.grow(5, "fact")
		k.ask(k.publisher(nil, k.client))
		liar := &fake{err: &witness.Conflict{Size: 1000}}
		k.ask(k.publisher(nil, liar))
		k.stopped(codeBehind)
		k.open()
		liar.err = fault.New(fault.Unavailable, "witness.unreachable", "away")
		k.ask(k.publisher(nil, liar))
		k.stopped(codeBehind)
		k.open()
		k.ask(k.publisher(nil, k.client)) // it is not in the settings any more
		if err := k.add("fact"); err != nil {
			t.Error(err)
		}
		liar.err = nil
		k.ask(k.publisher(nil, liar))
		if err := k.add("fact"); err != nil {
			t.Error(err)
		}
	})
}

// fake is a witness that answers as it is told.
type fake struct{ err error }

func (*fake) Name() string { return "fake" }

func (f *fake) Add(context.Context, uint64, []tlog.Hash, []byte) (string, time.Time, error) {
	return "— fake AAAAAAAA\n", time.Now(), f.err
}
