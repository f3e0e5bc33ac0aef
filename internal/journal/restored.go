package journal

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/tree"
)

// How a journal came back.
const (
	FromBackup = "backup"   // signalbox restore made it of a backup
	InPlace    = "in-place" // its database was put back by other means
)

// Tree is a size of the journal and the root over so many facts.
type Tree struct {
	Size uint64    `json:"size"`
	Root tlog.Hash `json:"root"`
}

// Restored is the body of journal.restored.
type Restored struct {
	Method string `json:"method"`
	Backup string `json:"backup,omitempty"` // SHA-256 of the backup's file
	Head   Tree   `json:"head"`             // what was put back: all facts before this one
	Known  *Tree  `json:"known,omitempty"`  // of the newest checkpoint that was known outside
}

// Lost is how many facts are known to have stood after those that came back.
func (r Restored) Lost() uint64 {
	if r.Known == nil || r.Known.Size <= r.Head.Size {
		return 0
	}
	return r.Known.Size - r.Head.Size
}

// RestoreProposal is the body of journal.restore-proposed.
type RestoreProposal struct {
	Restored uint64 `json:"restored"` // position of the journal.restored that it is about
	Proposer string `json:"proposer"` // person/<id>
}

// RestoreConfirmation is the body of journal.restore-confirmed: all that the
// two persons have recorded.
type RestoreConfirmation struct {
	Restored  uint64 `json:"restored"` // position
	Proposal  uint64 `json:"proposal"` // position
	Proposer  string `json:"proposer"`
	Confirmer string `json:"confirmer"`
	Old       *Tree  `json:"old,omitempty"` // what was known outside
	New       Tree   `json:"new"`
}

// Restoration is a restore, and how far it has been recorded.
type Restoration struct {
	Restored
	Position  uint64       `json:"position"` // of journal.restored
	At        event.Micros `json:"at"`
	Proposal  uint64       `json:"proposal,omitempty"` // position; 0 is none yet
	Proposer  string       `json:"proposer,omitempty"`
	Confirmer string       `json:"confirmer,omitempty"`
	Confirmed event.Micros `json:"confirmed,omitempty"` // 0 while the journal is closed
}

// restore folds the facts of a restore.
func (s *own) restore(f event.Recorded) error {
	if f.Kind == event.JournalRestored {
		r := Restoration{Position: f.Position, At: f.Time}
		s.Restoration = &r
		return f.Body(&r.Restored)
	}
	r := s.Restoration
	if r == nil {
		return fmt.Errorf("%s, and nothing was restored", f.Kind)
	}
	if f.Kind == event.RestoreProposed {
		var p RestoreProposal
		err := f.Body(&p)
		r.Proposal, r.Proposer = f.Position, p.Proposer
		return err
	}
	var c RestoreConfirmation
	err := f.Body(&c)
	r.Confirmer, r.Confirmed = c.Confirmer, f.Time
	return err
}

// reasonMax is the longest reason of a restore, in bytes.
const reasonMax = 2000

// Propose is the fact by which a person says why the journal was restored. It
// takes the place of a proposal before it.
func (r Restoration) Propose(j event.Stream, person, reason string) ([]event.Draft, error) {
	if err := r.pending(person); err != nil {
		return nil, err
	}
	reason = strings.TrimSpace(reason)
	if reason == "" || len(reason) > reasonMax || !utf8.ValidString(reason) {
		return nil, fault.Invalidf("restore.reason", "a restore needs a reason of at most %d bytes", reasonMax).On("reason").
			Remedy("say what happened, and what is known of what was lost")
	}
	return []event.Draft{{
		Stream: j, Kind: event.RestoreProposed, Body: RestoreProposal{Restored: r.Position, Proposer: person},
		Private: map[string]string{"reason": reason},
	}}, nil
}

// Confirm is the fact by which another person confirms the proposal at a
// position. With it the journal is open again.
func (r Restoration) Confirm(j event.Stream, person string, proposal uint64) ([]event.Draft, error) {
	if err := r.pending(person); err != nil {
		return nil, err
	}
	switch {
	case r.Proposal == 0:
		return nil, fault.New(fault.Conflict, "restore.unproposed", "nobody has said yet why the journal was restored").
			Remedy("signalbox restore propose --reason …, by one person; then confirm it as another")
	case proposal != r.Proposal:
		return nil, fault.New(fault.Conflict, "restore.other-proposal", fmt.Sprintf("the proposal that stands is at position %d, not %d", r.Proposal, proposal)).
			Remedy("read it again with signalbox restore status, and confirm that one")
	case person == r.Proposer:
		return nil, fault.New(fault.Forbidden, "restore.same-person", "who has proposed it cannot confirm it").
			Because("a restore takes two persons, for it looks just as an attack would").Remedy("ask another administrator or auditor")
	}
	return []event.Draft{{Stream: j, Kind: event.RestoreConfirmed, Body: RestoreConfirmation{
		Restored: r.Position, Proposal: r.Proposal, Proposer: r.Proposer, Confirmer: person, Old: r.Known, New: r.Head,
	}}}, nil
}

// ProposerGone is what whoever would confirm is told where the proposer could
// not propose it any more.
func (r Restoration) ProposerGone() error {
	return fault.New(fault.Conflict, "restore.proposer", "who proposed the restore could not do so any more").
		Because("he or she has departed, or lost the right").Remedy("have another person propose it anew: signalbox restore propose --reason …")
}

func (r Restoration) pending(person string) error {
	if r.Confirmed != 0 || r.Method == "" {
		return fault.New(fault.Conflict, "restore.nothing", "no restore waits to be recorded")
	}
	if !strings.HasPrefix(person, "person/") {
		return fault.New(fault.Forbidden, "restore.person", "only a person can say that a journal was restored").
			Remedy("use a person's token, not a machine's")
	}
	return nil
}

// refusal is what everybody is told while the journal is closed.
func (r Restoration) refusal() *fault.Error {
	f := fault.New(fault.Unavailable, "journal.restored", "the journal was restored, and two persons have yet to record that")
	if n := r.Lost(); n > 0 {
		f = f.Because(fmt.Sprintf("%d facts after position %d are known to be lost: what rested on them cannot be told", n, r.Head.Size))
	} else {
		f = f.Because("what was recorded after the copy was taken is lost, so nothing can be told yet")
	}
	return f.Remedy("signalbox restore propose --reason …, by one person, and signalbox restore confirm, by another")
}

// admits refuses, while a restore waits, what neither records it nor concerns
// people and their tokens: those must be able to come in, and be kept out.
func (j *Journal) admits(ctx context.Context, c Command) error {
	if j.awaits.Load() == nil || c.aboutPeople() {
		return nil
	}
	if err := j.recallRestoration(ctx); err != nil {
		return err
	}
	if r := j.awaits.Load(); r != nil {
		return r.refusal()
	}
	return nil
}

func (c Command) aboutPeople() bool {
	for _, d := range c.Facts {
		switch {
		case d.Kind == event.RestoreProposed, d.Kind == event.RestoreConfirmed:
		case d.Stream.Noun() == "person", d.Stream.Noun() == "token":
		default:
			return false
		}
	}
	return true
}

// Restoration is the newest restore, or nil where there never was one.
func (j *Journal) Restoration(ctx context.Context) (*Restoration, error) {
	var s own
	err := j.Snapshot(ctx, func(at *Snapshot) (err error) {
		s, err = at.own(ctx)
		return err
	})
	return s.Restoration, err
}

// Restoration is the newest restore in the snapshot, or nil.
func (s *Snapshot) Restoration(ctx context.Context) (*Restoration, error) {
	o, err := s.own(ctx)
	return o.Restoration, err
}

func (s *Snapshot) own(ctx context.Context) (own, error) {
	_, folded, err := s.Load(ctx, s.journal.Stream())
	if err != nil {
		return own{}, fmt.Errorf("read how the journal was restored: %w", err)
	}
	return event.Decode[own](folded)
}

// recallRestoration learns whether a restore waits, from the database.
func (j *Journal) recallRestoration(ctx context.Context) error {
	r, err := j.Restoration(ctx)
	if err != nil {
		return err
	}
	if r != nil && r.Confirmed != 0 {
		r = nil
	}
	j.awaits.Store(r)
	return nil
}

// noticeRestoration closes or opens the journal by what has been recorded.
func (j *Journal) noticeRestoration(facts []event.Recorded) {
	for _, f := range facts {
		switch f.Kind {
		case event.RestoreConfirmed:
			j.awaits.Store(nil)
		case event.JournalRestored:
			r := Restoration{Position: f.Position, At: f.Time}
			if f.Body(&r.Restored) == nil {
				j.awaits.Store(&r)
			}
		}
	}
}

// restoredBy is the command that records that the journal was restored.
func (j *Journal) restoredBy(r Restored) (Command, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return Command{}, err
	}
	return Command{
		Request: sha256.Sum256(body), Actor: "system/restore", Auth: "local", Source: "restore",
		Facts: []event.Draft{{Stream: j.Stream(), Kind: event.JournalRestored, Body: r}},
	}, nil
}

// RecordInPlace records that the journal's database was put back by other means
// than Restore, and closes it until two persons have said why. Known is the
// newest checkpoint that is known outside, nil for none; who calls has verified
// its signature. Errors: fault Conflict while a server signs checkpoints of this
// journal, Unverified where known is of another history.
func (j *Journal) RecordInPlace(ctx context.Context, known *Tree) (Restored, error) {
	if err := j.Writable(); err != nil {
		return Restored{}, err
	}
	r := Restored{Method: InPlace, Known: known}
	err := j.db.ReadTx(ctx, func(tx *store.Tx) error {
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		var serving int
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM leases WHERE name = $1 AND until > $2", leaseName, now.UnixMicro()).Scan(&serving); err != nil {
			return err
		}
		if serving > 0 {
			return fault.New(fault.Conflict, "restore.served", "a server is running on this database").
				Remedy("stop every server, wait half a minute where one was killed, and say it again")
		}
		h, err := readHead(ctx, tx)
		if err != nil {
			return err
		}
		r.Head, err = treeOf(ctx, tx, h.size)
		if err == nil && known != nil && known.Size <= h.size {
			err = known.within(ctx, tx)
		}
		return err
	})
	if err != nil {
		return r, err
	}
	c, err := j.restoredBy(r)
	if err == nil {
		_, err = j.Append(ctx, c)
	}
	return r, err
}

func treeOf(ctx context.Context, tx *store.Tx, size uint64) (Tree, error) {
	root, err := tree.Root(ctx, tx, size)
	return Tree{Size: size, Root: root}, err
}

// within refuses a journal that has another root than t at its size.
func (t Tree) within(ctx context.Context, tx *store.Tx) error {
	here, err := treeOf(ctx, tx, t.Size)
	if err != nil {
		return err
	}
	if here.Root != t.Root {
		return fault.New(fault.Unverified, "restore.other-history", fmt.Sprintf("at %d facts this is another history than the checkpoint that is known", t.Size)).
			Remedy("do not go on with it; look for a backup that the checkpoint fits")
	}
	return nil
}
