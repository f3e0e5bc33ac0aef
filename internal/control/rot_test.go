package control_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/seal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/disktest"
	"signalbox.dev/signalbox/internal/vault"
)

// rotting is a database file of an installation, and what is true of it.
type rotting struct {
	t        *testing.T
	dir      string
	keys     string
	disk     *disktest.Disk
	file     []byte
	now      func() time.Time
	who      map[string]control.Request
	releases []string
	truth    shown
	facts    []event.Recorded
}

// shown is what an installation answers to one question each, by its name.
type shown map[string]string

const dataFile = "signalbox.db"

// newRotting makes an installation of some three hundred facts with commands,
// under a freeze that every decision must see.
func newRotting(t *testing.T) *rotting {
	at := time.Now().UTC().Truncate(time.Second)
	r := &rotting{t: t, dir: t.TempDir(), keys: t.TempDir() + "/keys", now: func() time.Time { return at }, who: map[string]control.Request{}}
	r.disk = disktest.New(t, r.dir, 0)
	db, err := store.Open(t.Context(), store.Options{Data: r.dir, Now: r.now})
	must(t, err)
	h := raise(t, db, r.keys)
	h.furnish()
	for i := range 50 {
		version := fmt.Sprintf("v1.%d.0", i)
		r.releases = append(r.releases, h.ship(version, fmt.Sprintf("sha256:%064x", i)))
	}
	_, err = h.DeclareFreeze(h.ctx, h.as("cid"), control.FreezeRequest{Name: "quarter-end", Rule: "freeze", Reason: "books close", Until: at.Add(time.Hour)})
	must(t, err)
	for name := range h.who {
		r.who[name] = h.as(name)
	}
	_, err = h.Journal.SignNow(h.ctx)
	must(t, err)
	must(t, h.Journal.Close())
	must(t, db.Close())
	r.file = r.disk.File(dataFile)
	_, err = r.with(r.file, func(j *journal.Journal, c *control.Control, db *store.DB) {
		r.facts, err = j.Facts(t.Context(), 0, journal.FactsMax)
		must(t, err)
		r.truth = r.ask(j, c)
	})
	must(t, err)
	if len(r.facts) < 200 || len(r.facts) == journal.FactsMax {
		t.Fatalf("%d facts", len(r.facts))
	}
	for question, answer := range r.truth {
		if strings.HasPrefix(answer, refused) {
			t.Fatalf("%s: %s", question, answer)
		}
	}
	return r
}

// ship brings a release as far as the approvals, and answers its id.
func (h *house) ship(version, digest string) string {
	q := h.gate()
	q.Version, q.Digest = version, digest
	a, err := h.Ask(h.ctx, h.as("ci"), q)
	must(h.t, err)
	id := a.Decision.Release
	must(h.t, h.AttachChange(h.ctx, h.as("ci"), id, annsChange()))
	for _, report := range []string{cleanScan, tests, coverage} {
		_, err := h.AddEvidence(h.ctx, h.as("ci"), control.EvidenceRequest{Service: "shop", Version: version, Digest: digest}, strings.NewReader(report))
		must(h.t, err)
	}
	shown, err := h.Preview(h.ctx, h.as("ben"), id, "production")
	must(h.t, err)
	must(h.t, h.Vote(h.ctx, h.as("ben"), id, control.Ballot{Environment: "production", Answer: approval.Approve, Seen: shown.Digest}))
	return id
}

// with opens the installation on a file and closes it again; the error is that
// of opening, a panic is a failure.
func (r *rotting) with(file []byte, fn func(*journal.Journal, *control.Control, *store.DB)) (refusal, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked: %v", p)
		}
	}()
	ctx := context.Background()
	r.disk = r.disk.Empty(1)
	r.disk.Put(dataFile, file)
	db, err := store.Open(ctx, store.Options{Data: r.dir, Now: r.now})
	if err != nil {
		return err, nil
	}
	defer func() { _ = db.Close() }()
	origin, begun, err := journal.Begin(ctx, db)
	if err != nil {
		return err, nil
	}
	keys, err := seal.Open(r.keys, origin, !begun)
	if err != nil {
		return err, nil
	}
	files, err := vault.Open(ctx, vault.Options{DB: db, Origin: origin, Shelf: vault.NewTable(db, origin)})
	if err != nil {
		return err, nil
	}
	log := slog.New(slog.DiscardHandler)
	j, err := journal.Open(ctx, journal.Options{DB: db, Shapes: control.Shapes(), Signer: keys.Signer(), Logger: log})
	if err != nil {
		return err, nil
	}
	defer func() { _ = j.Close() }()
	fn(j, &control.Control{Journal: j, Vault: files, Keys: keys, Log: log}, db)
	return nil, nil
}

// refused begins what is shown where the answer was an error.
const refused = "refused: "

func said(v any, err error) string {
	if err != nil {
		return refused + err.Error()
	}
	b, err := json.Marshal(v)
	if err != nil {
		return refused + err.Error()
	}
	return string(b)
}

// ask asks for facts, proofs, the export, states and decisions.
func (r *rotting) ask(j *journal.Journal, c *control.Control) shown {
	ctx, all := context.Background(), shown{}
	facts, err := j.Facts(ctx, 0, journal.FactsMax)
	all["facts"] = said(facts, err)
	var export bytes.Buffer
	err = j.Export(ctx, &export)
	all["export"] = said(export.String(), err)
	size, err := j.Size(ctx)
	all["size"] = said(size, err)
	for position := uint64(0); position < min(size, uint64(len(r.facts))); position += 29 {
		f, err := j.Fact(ctx, position)
		all[fmt.Sprint("fact ", position)] = said(f, err)
		proof, err := j.Prove(ctx, position, size)
		all[fmt.Sprint("proof ", position)] = said(proof, err)
		history, err := j.History(ctx, r.facts[position].Stream)
		told := len(history)
		history = slices.DeleteFunc(history, func(f event.Recorded) bool {
			return slices.ContainsFunc(r.facts, func(of event.Recorded) bool { return of.Position == f.Position && said(of, nil) == said(f, nil) })
		})
		all[fmt.Sprint("history ", position)] = said([]int{told, len(history)}, err)
	}
	growth, err := j.ProveGrowth(ctx, max(1, size/2), max(1, size))
	all["growth"] = said(growth, err)
	for _, id := range []string{r.releases[0], r.releases[len(r.releases)/2], r.releases[len(r.releases)-1]} {
		shown, err := c.Preview(ctx, r.who["ben"], id, "production")
		all["decision "+id] = said([]any{shown.Digest, shown.Decision.Verdict, shown.Decision.Reasons}, err)
		release, err := c.Release(ctx, id)
		all["release "+id] = said(release, err)
	}
	return all
}

// untrue is the questions that are answered neither as the truth is nor with an
// error. "No such thing" is an error.
func (s shown) untrue(truth shown) []string {
	var all []string
	for question, answer := range s {
		if want, asked := truth[question]; asked && answer != want && !strings.HasPrefix(answer, refused) {
			all = append(all, question)
		}
	}
	slices.Sort(all)
	return all
}

// touched is the positions whose rows are not what they were, read past every
// check: where each is looked up, and where all are read in order; or false where
// one cannot be read so.
func (r *rotting) touched(db *store.DB) (lookedUp, inOrder []uint64, readable bool) {
	ctx := context.Background()
	err := db.ReadTx(ctx, func(tx *store.Tx) error {
		var failed error
		read := func(where string, args ...any) map[int64][][3]string {
			found := map[int64][][3]string{}
			failed = errors.Join(failed, tx.Each(ctx, func(rows *sql.Rows) error {
				var at int64
				var row [3]string
				err := rows.Scan(&at, &row[0], &row[1], &row[2])
				found[at] = append(found[at], row)
				return err
			}, "SELECT position, header, body, private FROM facts "+where, args...))
			return found
		}
		all := read("ORDER BY position")
		for _, f := range r.facts {
			at, truth := int64(f.Position), [3]string{string(f.HeaderBytes), string(f.BodyBytes), string(f.PrivateBytes)}
			if !slices.Equal(read("WHERE position = $1", at)[at], [][3]string{truth}) {
				lookedUp = append(lookedUp, f.Position)
			}
			if !slices.Contains(all[at], truth) {
				inOrder = append(inOrder, f.Position)
			}
		}
		return failed
	})
	return lookedUp, inOrder, err == nil
}

// tally is how the trials came out.
type tally struct{ trials, refused, harmless, found, facts int }

// trial damages a copy and asks it everything.
func (r *rotting) trial(n *tally, file []byte) {
	n.trials++
	refusal, err := r.with(file, func(j *journal.Journal, c *control.Control, db *store.DB) {
		answers := r.ask(j, c)
		if wrong := answers.untrue(r.truth); len(wrong) > 0 {
			r.t.Errorf("served as true: %v", wrong)
		}
		lookedUp, inOrder, readable := r.touched(db)
		checked := j.CheckRebuild(context.Background(), func(string, uint64, uint64) {})
		switch {
		case len(lookedUp) > 0 || len(inOrder) > 0 || !readable:
			n.facts++
			if checked == nil {
				r.t.Errorf("positions %v, in order %v, have changed, and the check finds nothing", lookedUp, inOrder)
			} else if readable && len(inOrder) > 0 && !strings.Contains(checked.Error(), fmt.Sprintf("position %d", inOrder[0])) {
				r.t.Errorf("position %d has changed, and the check says %v", inOrder[0], checked)
			}
		case checked != nil:
			n.found++
		default:
			n.harmless++
		}
	})
	if err != nil {
		r.t.Error(err)
	}
	if refusal != nil {
		n.refused++
	}
}

func proving(usual, full int) int {
	if os.Getenv("SIGNALBOX_PROVE") != "" {
		return full
	}
	return usual
}

const pageBytes = 4096

// Whatever bit is flipped and whatever page is overwritten in a database file:
// what is served is true or an error, and a fact that was touched is named.
func TestBitRot(t *testing.T) {
	r := newRotting(t)
	var flips, pages tally
	for seed := range uint64(proving(100, 10_000)) {
		random := rand.New(rand.NewPCG(seed, 5))
		file := slices.Clone(r.file)
		at, bit := random.IntN(len(file)), random.IntN(8)
		file[at] ^= 1 << bit
		if r.trial(&flips, file); t.Failed() {
			t.Fatalf("bit %d of byte %d (page %d) of %d, seed %d", bit, at, at/pageBytes+1, len(file), seed)
		}
	}
	for seed := range uint64(proving(20, 2_000)) {
		random := rand.New(rand.NewPCG(seed, 6))
		file := slices.Clone(r.file)
		page := random.IntN(len(file) / pageBytes)
		over := file[page*pageBytes : (page+1)*pageBytes]
		switch random.IntN(3) {
		case 0:
			clear(over)
		case 1:
			for i := range over {
				over[i] = byte(random.Uint32())
			}
		case 2: // a write that went astray
			other := random.IntN(len(file) / pageBytes)
			copy(over, r.file[other*pageBytes:])
		}
		if r.trial(&pages, file); t.Failed() {
			t.Fatalf("page %d of %d overwritten, seed %d", page+1, len(file)/pageBytes, seed)
		}
	}
	for name, n := range map[string]tally{"bits flipped": flips, "pages overwritten": pages} {
		t.Logf("%s: %d; did not open: %d; touched facts, named: %d; touched states, keys or the tree, found: %d; touched nothing that is checked: %d",
			name, n.trials, n.refused, n.facts, n.found, n.harmless)
	}
	if flips.facts == 0 || flips.found == 0 {
		t.Error("no flipped bit touched a fact or a state")
	}
}

// The control: an installation in which something else is true, with every
// checksum right, is told apart by the same comparison.
func TestBitRotControl(t *testing.T) {
	r := newRotting(t)
	_, err := r.with(r.file, func(j *journal.Journal, c *control.Control, _ *store.DB) {
		if _, err := c.LiftFreeze(t.Context(), r.who["cid"], "quarter-end", "over"); err != nil {
			t.Error(err)
		}
		wrong := r.ask(j, c).untrue(r.truth)
		for _, question := range []string{"facts", "export", "decision " + r.releases[0]} {
			if !slices.Contains(wrong, question) {
				t.Errorf("%q is not told apart; only %v are", question, wrong)
			}
		}
	})
	must(t, err)
}
