// Package journal appends facts and is the audit trail: nothing changes without
// leaving its line here.
//
// It knows the order of facts, the transaction that writes them with the state
// and keys that follow, the Merkle tree over them and its signed checkpoints. It
// leaves what facts mean to the nouns' shapes, screens to folders, and who may
// do what to its callers. Its invariant: positions are gapless and their order
// is the order of commits; a command was acknowledged only if all its facts, its
// state and its tree hashes are durable, and then exactly once.
package journal

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"

	"signalbox.dev/signalbox/internal/clock"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/state"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/tree"
	"signalbox.dev/signalbox/internal/trust"
)

// Options say what a journal stands on. DB and Shapes are needed, all else has a default.
type Options struct {
	DB       *store.DB
	Shapes   []event.Shape // of every noun but "journal" and "key", which are its own
	Folders  []Folder
	Signer   note.Signer // of checkpoints and receipts, by the key that the journal began with; nil: it is not there
	Signers  Signers     // by the keys that rotations brought; without this and Signer nothing is signed
	Quorum   int         // of witnesses, whose cosignatures an export waits for
	Logger   *slog.Logger
	Queue    int              // commands that may wait, 1024 by default; more are refused as Busy
	Random   io.Reader        // of salts and ids, crypto/rand by default
	Progress Progress         // told while Open folds views or states anew
	Wall     func() time.Time // the process's own clock, compared with the database's; time.Now by default
	Appended Appended         // told of each command that Append answered; nil tells nobody
}

// Appended is told the facts of a command, how long it took from being handed
// over to its answer, and what that was.
type Appended func(ctx context.Context, facts []event.Draft, r Receipt, took time.Duration, err error)

// Progress is told how many of total facts, or streams, a long task has done.
type Progress func(task string, done, total uint64)

// Journal is an open journal. It is safe for concurrent use.
type Journal struct {
	db       *store.DB
	states   *state.States
	folders  []Folder
	signer   note.Signer
	signers  Signers
	quorum   int
	log      *slog.Logger
	random   io.Reader
	progress Progress
	appended Appended
	origin   string
	holder   string // our name in leases

	snapshots chan struct{} // one for each that is open

	queue   chan *job
	gate    sync.RWMutex // held for reading while sending to queue
	closed  bool
	stopped atomic.Pointer[fault.Error] // why nothing may be written any more
	awaits  atomic.Pointer[Restoration] // that two persons have yet to record
	edge    tree.Edge                   // of the committer alone
	upper   tree.Upper
	grown   growth
	lagging chan struct{} // a view has fallen behind
	steady  clock.Steady
	wall    func() time.Time
	warned  atomic.Pointer[time.Time] // when the clocks were last found apart

	cancel  context.CancelFunc // ends the background tasks
	running sync.WaitGroup
}

// Open opens the journal in a database, beginning it if the database is empty.
// States and views folded under another number are folded anew first. A journal
// that has lost facts below its newest checkpoint is open for reading alone.
func Open(ctx context.Context, o Options) (*Journal, error) {
	j, err := build(o)
	if err != nil {
		return nil, err
	}
	if j.origin, _, err = Begin(ctx, j.db); err != nil {
		return nil, err
	}
	if err := j.checkHead(ctx); err != nil {
		return nil, err
	}
	if err := j.refoldStates(ctx); err != nil {
		return nil, err
	}
	if err := j.recallRestoration(ctx); err != nil {
		return nil, err
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	j.cancel = cancel
	j.running.Go(j.work)
	if err := j.appendBegun(ctx); err != nil {
		return nil, fmt.Errorf("begin the journal: %w", closing(j, err))
	}
	if !j.catchUpAll(ctx) {
		j.lag()
	}
	j.running.Go(func() { j.keepViews(background) })
	j.running.Go(func() { j.watchHead(background) })
	return j, nil
}

func closing(j *Journal, err error) error {
	_ = j.Close()
	return err
}

// build is a journal of o with the defaults filled in; it touches no database.
func build(o Options) (*Journal, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Queue <= 0 {
		o.Queue = 1024
	}
	if o.Wall == nil {
		o.Wall = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Progress == nil {
		o.Progress = func(string, uint64, uint64) {}
	}
	j := &Journal{
		db: o.DB, folders: o.Folders, signer: o.Signer, signers: o.Signers, quorum: o.Quorum, log: o.Logger, random: o.Random, progress: o.Progress, wall: o.Wall, appended: o.Appended,
		holder: uuid.NewString(), queue: make(chan *job, o.Queue), lagging: make(chan struct{}, 1),
	}
	j.grown.changed = make(chan struct{})
	if j.db != nil { // without one nothing but folding is asked of it
		j.snapshots = make(chan struct{}, max(1, j.db.Readers()-1))
	}
	var err error
	if j.states, err = state.New(append([]event.Shape{shape(), trust.Shape()}, o.Shapes...), history); err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	return j, checkFolders(o.Folders)
}

// Close refuses further commands, finishes those in the queue and ends the
// background tasks. It leaves the database open.
func (j *Journal) Close() error {
	j.gate.Lock()
	if !j.closed {
		j.closed = true
		close(j.queue)
	}
	j.gate.Unlock()
	j.cancel()
	j.running.Wait()
	return nil
}

// Origin names the journal for ever: the first line of its checkpoints.
func (j *Journal) Origin() string { return j.origin }

// Stream is the journal's own stream, for facts about the journal itself.
func (j *Journal) Stream() event.Stream { return event.StreamOf(noun, j.origin) }

// Stopped is why the journal accepts no more facts, for readiness checks, or nil.
func (j *Journal) Stopped() error {
	if why := j.stopped.Load(); why != nil {
		return why
	}
	return j.db.Failed()
}

// stop refuses every further append, for good; the first reason stands.
func (j *Journal) stop(why *fault.Error) {
	if j.stopped.CompareAndSwap(nil, why) {
		j.log.Error("the journal accepts no more facts", "code", why.Code, "error", why, "cause", why.Err)
	}
}
