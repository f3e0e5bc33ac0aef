package api_test

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
	"signalbox.dev/signalbox/internal/verify"
	"signalbox.dev/signalbox/internal/wire"
)

// personal is what stands in private fields of this journal: names, addresses, free text.
var personal = []string{"Ada Example", "Ben Example", "Cid Example", "ada@example.com", "canary-freeze", "canary-token"}

// standing is all that must not change when personal data goes.
type standing struct {
	Decision wire.RecordedDecision
	Replay   wire.ReplaySummary
	Proofs   []wire.Proof
	Head     verify.Head
	Receipts []string
}

// Everything that can be disposed of goes. State, decisions, their replay, the
// tree, its proofs and the receipts are what they were, and no row and no export
// holds what went; nor does a file of the database, once it is written anew.
func TestEverythingDisposed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		h := raise(t, open())
		ctx, keys := t.Context(), h.keys(t)
		decision := h.granted(t).Decision.ID
		root := h.client(t, "administrator")
		_, err := h.client(t, "manager").DeclareFreeze(ctx, wire.FreezeRequest{Name: "winter", Reason: "canary-freeze"})
		must(t, err)
		extra, err := root.IssueToken(ctx, wire.TokenRequest{Handle: "viewer", Hours: 1})
		must(t, err)
		_, err = root.RevokeToken(ctx, extra.ID, wire.Reasoned{Reason: "canary-token"})
		must(t, err)
		size, err := h.control.Journal.Size(ctx)
		must(t, err)
		before := h.stands(t, decision, size)
		for _, p := range personal {
			if h.rowsWith(t, p) == 0 || h.exportWith(t, keys, before.Receipts, p) == 0 {
				t.Errorf("%q is nowhere even before", p)
			}
		}
		h.disposeOfAll(t, size)
		after := h.stands(t, decision, size)
		after.Decision.People = before.Decision.People // the names are gone, and nothing else
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("before (-) and after (+):\n%s", diff)
		}
		must(t, h.control.Journal.CheckRebuild(ctx, func(string, uint64, uint64) {}))
		for _, p := range personal {
			if n := h.rowsWith(t, p); n != 0 {
				t.Errorf("%d rows hold %q", n, p)
			}
			if n := h.exportWith(t, keys, before.Receipts, p); n != 0 {
				t.Errorf("the export holds %q %d times", p, n)
			}
		}
		if n := h.filesWith(t); h.db.Dialect == store.SQLite && n == 0 {
			t.Error("the files hold nothing even before they are written anew: the search finds nothing")
		}
		must(t, h.db.Scrub(ctx))
		if n := h.filesWith(t); n != 0 {
			t.Errorf("written anew, the files of the database hold personal data %d times", n)
		}
		if diff := cmp.Diff(after.Head, h.stands(t, decision, size).Head); diff != "" {
			t.Error(diff)
		}
	})
}

func (h *house) disposeOfAll(t *testing.T, size uint64) {
	t.Helper()
	var d event.Disposed
	for p := range size {
		d.Positions = append(d.Positions, p)
	}
	_, err := h.control.Journal.Append(t.Context(), journal.Command{Actor: "system/test", Auth: "local", Source: "test", Facts: []event.Draft{
		{Stream: h.control.Journal.Stream(), Kind: event.FieldsDisposed, Body: d},
	}})
	must(t, err)
}

func (h *house) stands(t *testing.T, decision string, size uint64) standing {
	t.Helper()
	ctx, viewer := t.Context(), h.client(t, "viewer")
	var s standing
	var err error
	s.Decision, err = viewer.Decision(ctx, decision)
	must(t, err)
	s.Replay, err = h.client(t, "manager").Replay(ctx, wire.ReplayRequest{Files: candidate(t)}, func(wire.ReplayEvent) error { return nil })
	must(t, err)
	if s.Replay.Total == 0 {
		t.Error("nothing was replayed")
	}
	for at := range size {
		p, err := viewer.Proof(ctx, at, size)
		must(t, err)
		s.Proofs = append(s.Proofs, p)
		text, err := viewer.Receipt(ctx, at)
		must(t, err)
		s.Receipts = append(s.Receipts, string(text))
	}
	root, err := h.control.Journal.TreeHash(ctx, size)
	must(t, err)
	s.Head = verify.Head{Origin: h.control.Journal.Origin(), Size: size, Root: root}
	return s
}

// exportWith verifies the export with every receipt, and counts a text in what its lines say.
func (h *house) exportWith(t *testing.T, keys verify.Keys, receipts []string, text string) int {
	t.Helper()
	var b bytes.Buffer
	must(t, h.client(t, "auditor").Export(t.Context(), &b))
	check := verify.Check{Keys: keys}
	for _, note := range receipts {
		r, err := verify.OpenReceipt([]byte(note), keys)
		must(t, err)
		check.Receipts = append(check.Receipts, r)
	}
	report, err := check.Export(t.Context(), bytes.NewReader(b.Bytes()))
	if err != nil || report.Receipts != uint64(len(receipts)) {
		t.Errorf("%d of %d receipts hold: %v", report.Receipts, len(receipts), err)
	}
	n := 0
	for _, line := range privates(t, b.Bytes()) {
		n += strings.Count(line, text)
	}
	return n
}

// rowsWith counts the rows of all tables that hold a text, as text or as bytes.
func (h *house) rowsWith(t *testing.T, text string) int {
	t.Helper()
	list := "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
	if h.db.Dialect == store.Postgres {
		list = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
	}
	found := 0
	must(t, h.db.ReadTx(t.Context(), func(tx *store.Tx) error {
		tables, err := column(t, tx, list)
		if err != nil {
			return err
		}
		for _, table := range tables {
			rows, err := whole(t, tx, table)
			if err != nil {
				return err
			}
			for _, row := range rows {
				if strings.Contains(row, text) || strings.Contains(row, hex.EncodeToString([]byte(text))) {
					found++
				}
			}
		}
		return nil
	}))
	return found
}

// filesWith counts the personal data in the bytes of SQLite's files: the
// database, its log, and what of both no row points to any more.
func (h *house) filesWith(t *testing.T) int {
	t.Helper()
	if h.db.Dialect != store.SQLite {
		return 0 // the files are the server's
	}
	var seq int
	var name, file string
	must(t, h.db.ReadTx(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(t.Context(), "PRAGMA database_list").Scan(&seq, &name, &file)
	}))
	found := 0
	entries, err := os.ReadDir(filepath.Dir(file))
	must(t, err)
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(filepath.Dir(file), e.Name()))
		must(t, err)
		for _, p := range personal {
			found += bytes.Count(b, []byte(p))
		}
	}
	return found
}

// privates is every line of an export with its byte strings decoded.
func privates(t *testing.T, export []byte) []string {
	t.Helper()
	var all []string
	for line := range bytes.Lines(export) {
		var l struct{ Header, Body, Private []byte }
		must(t, json.Unmarshal(line, &l))
		all = append(all, string(l.Header)+string(l.Body)+string(l.Private))
	}
	return all
}

func column(t *testing.T, tx *store.Tx, query string) ([]string, error) {
	t.Helper()
	var all []string
	err := tx.Each(t.Context(), func(r *sql.Rows) error {
		var one string
		err := r.Scan(&one)
		all = append(all, one)
		return err
	}, query)
	return all, err
}

// whole is every row of a table as one text.
func whole(t *testing.T, tx *store.Tx, table string) ([]string, error) {
	t.Helper()
	if tx.Dialect == store.Postgres {
		return column(t, tx, "SELECT row_to_json(x)::text FROM "+table+" x")
	}
	var all []string
	err := tx.Each(t.Context(), func(r *sql.Rows) error {
		names, err := r.Columns()
		if err != nil {
			return err
		}
		values := make([]any, len(names))
		for i := range values {
			values[i] = new(sql.RawBytes)
		}
		if err := r.Scan(values...); err != nil {
			return err
		}
		var b strings.Builder
		for _, v := range values {
			b.Write(*v.(*sql.RawBytes))
			b.WriteByte(0)
		}
		all = append(all, b.String())
		return nil
	}, "SELECT * FROM "+table)
	return all, err
}
