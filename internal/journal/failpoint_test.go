//go:build linux

package journal_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/seal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
	"signalbox.dev/signalbox/internal/vault"
)

// when is how a point of the matrix is reached.
type when struct {
	passes       int  // how many passes are let go at most
	fresh        bool // only a first start passes it
	postgresOnly bool
}

// matrix is every point, and how it is reached.
var matrix = map[failpoint.Point]when{
	failpoint.MigrationRan:      {passes: 3, fresh: true},
	failpoint.MigrationRecorded: {passes: 3, fresh: true},
	failpoint.TxBegin:           {passes: 40},
	failpoint.TxSent:            {passes: 40, postgresOnly: true},
	failpoint.TxSavepoint:       {passes: 20},
	failpoint.TxCommit:          {passes: 40},
	failpoint.TxCommitted:       {passes: 40},
	failpoint.LeaseTaken:        {passes: 3},
	failpoint.LeaseReleased:     {passes: 3},
	failpoint.KeyAside:          {passes: 2, fresh: true},
	failpoint.KeyLinked:         {passes: 2, fresh: true},
	failpoint.JournalOrigin:     {},
	failpoint.JournalBatch:      {passes: 20},
	failpoint.JournalHead:       {passes: 20},
	failpoint.JournalPlanned:    {passes: 20},
	failpoint.JournalFacts:      {passes: 20},
	failpoint.JournalHashes:     {passes: 20},
	failpoint.JournalDisposing:  {passes: 5},
	failpoint.JournalDisposed:   {passes: 3},
	failpoint.JournalCommands:   {passes: 20},
	failpoint.JournalParts:      {passes: 20},
	failpoint.StateStreams:      {passes: 20},
	failpoint.StateUnkeyed:      {passes: 20},
	failpoint.StateKeys:         {passes: 20},
	failpoint.JournalMoved:      {passes: 20},
	failpoint.ViewApplied:       {passes: 20},
	failpoint.ViewMoved:         {passes: 20},
	failpoint.JournalCommitted:  {passes: 20},
	failpoint.NoteSigned:        {passes: 3},
	failpoint.NoteWritten:       {passes: 3},
	failpoint.ViewMarked:        {passes: 3},
	failpoint.ViewReset:         {passes: 3},
	failpoint.ViewChunk:         {passes: 3},
	failpoint.StatesRefolded:    {},
	failpoint.VaultMarked:       {fresh: true},
	failpoint.VaultReserved:     {passes: 5},
	failpoint.VaultCopied:       {passes: 3},
	failpoint.VaultRenamed:      {passes: 3},
	failpoint.VaultRow:          {passes: 3},
	failpoint.VaultPlaced:       {passes: 5},
	failpoint.VaultForsaken:     {passes: 3},
	failpoint.VaultClaimed:      {passes: 3},
	failpoint.VaultRemoved:      {passes: 3},
	failpoint.VaultBrought:      {passes: 3},
	failpoint.VaultSwitched:     {passes: 3},
}

// Every point that has a name is passed at one place of the source, and is in the matrix.
func TestEveryPointIsKilledAt(t *testing.T) {
	declared, passed := map[string]string{}, map[string]int{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if kind, ok := n.Type.(*ast.Ident); ok && kind.Name == "Point" && filepath.Dir(path) == filepath.FromSlash("../failpoint") {
					text, _ := strconv.Unquote(n.Values[0].(*ast.BasicLit).Value)
					declared[n.Names[0].Name] = text
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Hit" && types.ExprString(f.X) == "failpoint" {
					passed[n.Args[0].(*ast.SelectorExpr).Sel.Name]++
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(declared) < 25 || len(declared) != len(matrix) || len(passed) != len(declared) {
		t.Errorf("%d points are declared, %d stand in the source, %d in the matrix", len(declared), len(passed), len(matrix))
	}
	for name, text := range declared {
		if _, covered := matrix[failpoint.Point(text)]; !covered || passed[name] != 1 {
			t.Errorf("%s: in the matrix %v, passed at %d places", name, covered, passed[name])
		}
	}
}

// forgetTagged removes the build of tagged, if there is one.
func forgetTagged() {
	if path := taggedPath.Load(); path != nil {
		_ = os.RemoveAll(filepath.Dir(*path))
	}
}

var taggedPath atomic.Pointer[string]

// tagged is a build of this test binary that has the kill points.
var tagged = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "signalbox-points-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "child")
	taggedPath.Store(&path)
	out, err := exec.Command("go", "test", "-c", "-tags", "failpoint", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the child: %w\n%s", err, out)
	}
	return path, nil
})

// site is where a sequence of children lives.
type site struct {
	options store.Options
	dir     string
	fold    int // of the children's counters: raised each time, so that states are folded anew
	done    map[string]string
}

// testimony is what a child said, by what it was doing: id to position.
type testimony struct {
	tried, acked, dispose, disposed, put, kept map[string]uint64
	failed                                     string
}

// killedAt runs a child that kills itself at a point, after so many passes.
func (s *site) killedAt(t *testing.T, p failpoint.Point, passes, cycle int) testimony {
	t.Helper()
	binary, err := tagged()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), childVariable+"=points", "CHILD_DATA="+s.options.Data, "CHILD_DATABASE="+s.options.Database,
		"CHILD_DIR="+s.dir, fmt.Sprint("CHILD_CYCLE=", cycle), fmt.Sprint("CHILD_FOLD=", s.fold), fmt.Sprintf("%s=%s:%d", failpoint.Variable, p, passes))
	var out bytes.Buffer
	cmd.Stdout = &out
	cmd.Stderr = &out
	err = cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("%s after %d passes: the child did not kill itself: %v\n%s", p, passes, err, tail(out.Bytes()))
	}
	return heard(&out)
}

func tail(b []byte) []byte { return b[max(0, len(b)-2000):] }

func heard(out io.Reader) testimony {
	s := testimony{map[string]uint64{}, map[string]uint64{}, map[string]uint64{}, map[string]uint64{}, map[string]uint64{}, map[string]uint64{}, ""}
	by := map[string]map[string]uint64{"try": s.tried, "ack": s.acked, "dispose": s.dispose, "disposed": s.disposed, "put": s.put, "kept": s.kept}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) < 2 || by[words[0]] == nil {
			continue
		}
		var at uint64
		if len(words) > 2 {
			at, _ = strconv.ParseUint(words[2], 10, 64)
		}
		by[words[0]][words[1]] = at
	}
	return s
}

// fragile is a view that now and then fails where it folds facts for the first
// time, and not when it is asked again: so that it is folded behind a savepoint.
type fragile struct {
	sums
	highest atomic.Uint64
}

func (v *fragile) Apply(ctx context.Context, tx *store.Tx, facts []event.Recorded) error {
	first := facts[0].Position
	if first > v.highest.Load() {
		v.highest.Store(first)
		if first%5 == 1 {
			return errors.New("not at once")
		}
	}
	return v.sums.Apply(ctx, tx, facts)
}

// pointOptions is how children and parents open the journal.
func pointOptions(ctx context.Context, db *store.DB, fold string) (journal.Options, error) {
	n, err := strconv.Atoi(fold)
	if err != nil {
		return journal.Options{}, err
	}
	signer, _, err := testSigner()
	if err != nil {
		return journal.Options{}, err
	}
	err = db.InTx(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS test_points (stream TEXT PRIMARY KEY, sum BIGINT NOT NULL)")
		return err
	})
	return journal.Options{DB: db, Shapes: []event.Shape{counterShape(n)}, Folders: []journal.Folder{&fragile{sums: sums{number: 1, name: "points"}}}, Signer: signer}, err
}

// named names all in the vault that is to stay.
func named(db *store.DB) func(context.Context, func(string)) error {
	return func(ctx context.Context, name func(string)) error {
		return db.ReadTx(ctx, func(tx *store.Tx) error {
			return tx.Each(ctx, func(r *sql.Rows) error {
				var d string
				err := r.Scan(&d)
				name(d)
				return err
			}, "SELECT digest FROM vault_entries WHERE size > $1", forsakenSize)
		})
	}
}

// aftermath is what stands when a killed child's site has been opened again.
type aftermath struct {
	*kit
	vault *vault.Vault
	s     *site
	said  testimony
}

// opened opens a site as the next start would; that it opens at all is a finding.
func (s *site) opened(t *testing.T, said testimony) aftermath {
	t.Helper()
	if _, err := seal.Open(filepath.Join(s.dir, "keys"), "signalbox.test", true); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), s.options)
	if err != nil {
		t.Fatal(err)
	}
	o, err := pointOptions(t.Context(), db, fmt.Sprint(s.fold))
	if err != nil {
		t.Fatal(err)
	}
	a := aftermath{kit: start(t, db, func(k *journal.Options) { *k = o }), s: s, said: said}
	if a.vault, _, _, err = shelved(t.Context(), db, s.dir); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a aftermath) close() { _, _ = a.Close(), a.db.Close() }

// wrong is everything that is not as it should be after a kill: before anything
// is sent again, and after all has been.
func (a aftermath) wrong(t *testing.T) (all []string) {
	ctx := t.Context()
	report := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for id, at := range a.said.acked {
		if r, err := a.Command(ctx, id); err != nil || r.First != at {
			report("%s was acknowledged at %d: %+v, %v", id, at, r, err)
		}
	}
	for id := range a.said.kept {
		if !a.holds(ctx, originalOf(id)) {
			report("the original of %s was acknowledged and is gone", id)
		}
	}
	for id, at := range a.said.dispose {
		_, err := a.Command(ctx, "dispose/"+id)
		recorded := err == nil
		if _, told := a.said.disposed[id]; told && !recorded {
			report("the disposal of %s was acknowledged and is lost", id)
		}
		for _, p := range []uint64{at, at + 1} {
			if bare := a.bare(t, p); bare != recorded {
				report("fact %d: private part gone %v, its disposal recorded %v", p, bare, recorded)
			}
		}
	}
	a.again(t, report)
	for id := range a.s.done {
		if b, err := a.Part(ctx, sha256.Sum256(basisOf(id))); err != nil || !bytes.Equal(b, basisOf(id)) {
			report("the basis of %s: %q, %v", id, b, err)
		}
	}
	if sum := a.sum(t); sum != int64(len(a.s.done)) {
		report("%d facts of %d commands", sum, len(a.s.done))
	}
	view := (&sums{name: "points"}).read(t, a.db)
	if n := len(a.s.done); view["counter/k"] != int64(n) || len(view) != n+min(n, 1) {
		report("the view has %d counters, and %d in the common one, of %d commands", len(view), view["counter/k"], len(a.s.done))
	}
	a.books(t, report)
	return all
}

// again sends everything again under its key: what was acknowledged is known,
// the rest is recorded, all of it once.
func (a aftermath) again(t *testing.T, report func(string, ...any)) {
	ctx := t.Context()
	var all sync.WaitGroup
	var mu sync.Mutex
	for id := range a.said.tried {
		all.Go(func() {
			r, err := a.Append(ctx, whole(id))
			mu.Lock()
			defer mu.Unlock()
			if _, told := a.said.acked[id]; err != nil || told && !r.Repeated {
				report("%s sent again: %+v, %v", id, r, err)
			}
			a.s.done[id] = "command"
		})
	}
	all.Wait()
	for id, at := range a.said.dispose {
		if _, err := a.Append(ctx, disposal(a.Journal, id, at)); err != nil || !a.bare(t, at) {
			report("the disposal of %s sent again: %v", id, err)
		}
	}
	for id := range a.said.put {
		if _, _, err := a.vault.Put(ctx, bytes.NewReader(originalOf(id))); err != nil || !a.holds(ctx, originalOf(id)) {
			report("the original of %s put again: %v", id, err)
		}
	}
	var held bool
	var err error
	for range 100 {
		if held, err = a.db.Acquire(ctx, "test/points", "after", time.Second); held || err != nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if !held {
		report("the lease is held by a process that is dead: %v", err)
	}
	if err := a.db.Release(ctx, "test/points", "after"); err != nil {
		report("release: %v", err)
	}
}

func (a aftermath) holds(ctx context.Context, b []byte) bool {
	sum := sha256.Sum256(b)
	from, err := a.vault.Open(ctx, "sha256:"+hex.EncodeToString(sum[:]))
	if err != nil {
		return false
	}
	got, err := io.ReadAll(from)
	return errors.Join(err, from.Close()) == nil && bytes.Equal(got, b)
}

func (a aftermath) bare(t *testing.T, at uint64) bool {
	facts, err := a.Facts(t.Context(), at, 1)
	if err != nil || len(facts) != 1 {
		t.Logf("fact %d: %v", at, err) // which is not bare
		return false
	}
	fields, err := facts[0].Private()
	if err != nil {
		t.Fatal(err)
	}
	return len(fields) == 0
}

func (a aftermath) sum(t *testing.T) int64 {
	version, c := a.load(t, counterStream("k"))
	if c.Sum != int64(version)*int64(a.s.fold) {
		t.Errorf("version %d and sum %d under fold %d", version, c.Sum, a.s.fold)
	}
	return int64(version)
}

// books compares the vault's books with its shelf, and its sums with its books.
func (a aftermath) books(t *testing.T, report func(string, ...any)) {
	ctx := t.Context()
	sum := func() (entries, total int64) {
		err := a.db.ReadTx(ctx, func(tx *store.Tx) error {
			return tx.QueryRow(ctx, "SELECT count(*), coalesce(sum(size), 0) FROM vault_entries").Scan(&entries, &total)
		})
		if err != nil {
			t.Fatal(err)
		}
		return entries, total
	}
	status, err := a.vault.Status(ctx)
	if entries, total := sum(); err != nil || int64(status.Entries) != entries || status.Bytes != total {
		report("the vault counts %d entries of %d bytes, and has %d of %d: %v", status.Entries, status.Bytes, entries, total, err)
	}
	err = named(a.db)(ctx, func(digest string) {
		if from, err := a.vault.Open(ctx, digest); err != nil {
			report("in the vault: %v", err)
		} else if err := from.Close(); err != nil {
			report("close %s: %v", digest, err)
		}
	})
	if err != nil {
		report("the books of the vault: %v", err)
	}
	swept, err := a.vault.Sweep(ctx, vault.Sweeping{Named: named(a.db)})
	if err != nil || len(swept.Missing) > 0 {
		report("a sweep: %+v, %v", swept, err)
	}
	for after := ""; ; {
		c, err := a.vault.Check(ctx, after)
		if err != nil {
			report("a check of the vault: %v", err)
			return
		}
		if len(c.Rotten) > 0 {
			report("in the vault %v have changed", c.Rotten)
		}
		if after = c.Next; after == "" {
			return
		}
	}
}

// kills kills children at every point, n times each; a stand is new after ten.
func kills(t *testing.T, place func() *site, n int, engine store.Dialect) {
	random := rand.New(rand.NewPCG(7, 8))
	cycle := 0
	var s *site
	var slowest time.Duration
	for i, p := range slices.Sorted(maps.Keys(matrix)) {
		w := matrix[p]
		if w.postgresOnly && engine != store.Postgres || testing.Short() && i%9 > 0 {
			continue
		}
		for i := range n {
			if s == nil || w.fresh || cycle%10 == 0 {
				s = place()
			}
			cycle++
			s.fold++
			passes := 0
			if i > 0 || n == 1 {
				passes = random.IntN(w.passes + 1)
			}
			said := s.killedAt(t, p, passes, cycle)
			killed := time.Now()
			a := s.opened(t, said)
			slowest = max(slowest, time.Since(killed))
			for _, wrong := range a.wrong(t) {
				t.Errorf("%s after %d passes, cycle %d: %s", p, passes, cycle, wrong)
			}
			a.kit.verify(t)
			a.close()
			if t.Failed() {
				return
			}
		}
	}
	t.Logf("%d kills at %d points; the slowest start after one took %v", cycle, len(matrix), slowest)
}

func TestKillPointsSQLite(t *testing.T) {
	kills(t, func() *site {
		return &site{options: store.Options{Data: t.TempDir()}, dir: t.TempDir(), done: map[string]string{}}
	}, cycles(2, 20), store.SQLite)
}

func TestKillPointsPostgres(t *testing.T) {
	kills(t, func() *site {
		return &site{options: store.Options{Database: storetest.PostgresURL(t)}, dir: t.TempDir(), done: map[string]string{}}
	}, cycles(1, 20), store.Postgres)
}

// The negative control: had a kill taken something with it, the checks would say so.
func TestKillPointsWouldShow(t *testing.T) {
	for name, spoil := range map[string]string{
		"an acknowledged command": "DELETE FROM commands WHERE id = '{id}'",
		"a part of a basis":       "DELETE FROM parts WHERE CAST(body AS TEXT) LIKE '%{id}'",
		"a fold of the view":      "UPDATE test_points SET sum = sum - 1 WHERE stream = 'counter/k'",
		"a disposal's effect":     "UPDATE facts SET private = (SELECT private FROM facts WHERE stream = 'counter/{id}') WHERE position = {at}",
		"a file of the vault":     "",
		"a sum of the vault":      "UPDATE vault SET bytes = bytes + 1",
	} {
		t.Run(name, func(t *testing.T) {
			s := &site{options: store.Options{Data: t.TempDir()}, dir: t.TempDir(), done: map[string]string{}, fold: 1}
			a := s.opened(t, s.killedAt(t, failpoint.VaultBrought, 0, 1))
			defer a.close()
			var other string
			for id := range a.said.acked {
				if strings.Contains(id, "beside") {
					other = id
				}
			}
			err := a.db.InTx(t.Context(), func(tx *store.Tx) error {
				if spoil == "" {
					return os.RemoveAll(filepath.Join(s.dir, "vault", sumOf(originalOf("1-0"))[:2]))
				}
				_, err := tx.Exec(t.Context(), strings.NewReplacer("{id}", other, "{at}", fmt.Sprint(a.said.disposed["1-0"])).Replace(spoil))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if wrong := a.wrong(t); len(wrong) == 0 {
				t.Error("nothing was found wrong")
			}
		})
	}
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
