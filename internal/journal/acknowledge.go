package journal

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/tree"
	"signalbox.dev/signalbox/internal/trust"
	"signalbox.dev/signalbox/internal/verify"
)

// trace is what a command left in the tree: the leaves of its facts, and the
// root as it was after the last of them.
type trace struct {
	leaves []tlog.Hash
	root   tlog.Hash
	line   trust.Line // of the journal's keys, not before it
}

// tracing is the traces of a plan's commands while its facts are written.
type tracing struct {
	first  uint64 // position of the plan's first fact
	leaves []tlog.Hash
	roots  map[uint64]tlog.Hash // after each command, by the position that follows
	line   trust.Line           // of the journal's keys, after the last of them
}

// tracing follows every accepted command.
func (p *plan) tracing() *tracing {
	t := &tracing{first: p.head.size, roots: map[uint64]tlog.Hash{}}
	for i := range p.batch {
		if p.accepted[i] {
			t.roots[p.results[i].receipt.Next] = tlog.Hash{}
		}
	}
	return t
}

// add follows one fact more, after which the edge is e.
func (t *tracing) add(leaf tlog.Hash, e tree.Edge) {
	t.leaves = append(t.leaves, leaf)
	next := t.first + uint64(len(t.leaves))
	if _, ends := t.roots[next]; ends {
		t.roots[next] = e.Root()
	}
}

// of is the trace of a command, once it is committed.
func (t *tracing) of(r Receipt) *trace {
	return &trace{leaves: t.leaves[r.First-t.first : r.Next-t.first], root: t.roots[r.Next], line: t.line}
}

// keepTraces gives each command that was recorded its trace.
func (p *plan) keepTraces() {
	for i := range p.batch {
		if r := &p.results[i].receipt; p.accepted[i] && r.First < r.Next {
			r.trace = p.traces.of(*r)
		}
	}
}

// Acknowledge is the signed note that holds us to a receipt: that its facts
// stand at their positions, in a tree that began as it did then (see
// verify.Receipt). The same receipt always gives the same note, until the
// journal's key is rotated. It is signed after the commit and never within it. "" means that the command recorded
// nothing, or that there is no key. Errors: fault Unverified where the journal
// was found to be another than was signed.
func (j *Journal) Acknowledge(ctx context.Context, r Receipt) (string, error) {
	if !j.signs() || r.First == r.Next {
		return "", nil
	}
	if why := j.stopped.Load(); why != nil && why.Kind == fault.Unverified {
		return "", why
	}
	if strings.ContainsAny(r.Command, " \t\r\n") {
		return "", fmt.Errorf("command %q has no receipt: its id is more than one word", r.Command)
	}
	v := verify.Receipt{Origin: j.origin, Command: r.Command, Time: r.Time, First: r.First, Next: r.Next}
	t := r.trace
	if t == nil {
		var err error
		if t, err = j.retrace(ctx, r); err != nil {
			return "", err
		}
	}
	v.Leaves, v.Tree = verify.LeavesOf(t.leaves), t.root
	signer, err := j.signerOf(t.line)
	if err != nil {
		return "", err
	}
	signed, err := note.Sign(&note.Note{Text: v.Text()}, signer)
	if err != nil {
		return "", fmt.Errorf("sign the receipt of %s: %w", r.Command, err)
	}
	return string(signed), nil
}

// retrace reads what a command left in the tree, and checks that it is what its
// facts make and what was signed since: a receipt is never of a tree that has rotted.
func (j *Journal) retrace(ctx context.Context, r Receipt) (*trace, error) {
	t := &trace{}
	indexes := make([]int64, 0, r.Next-r.First)
	for p := r.First; p < r.Next; p++ {
		indexes = append(indexes, tlog.StoredHashIndex(0, int64(p)))
	}
	err := j.db.ReadTx(ctx, func(tx *store.Tx) (err error) {
		if t.leaves, err = tree.Nodes(ctx, tx).ReadHashes(indexes); err != nil {
			return err
		}
		if _, err := page(ctx, tx, r.First, int(r.Next-r.First)); err != nil {
			return err
		}
		if t.root, err = continued(ctx, tx, r.Next); err != nil {
			return err
		}
		t.line, err = j.keyLine(ctx, tx, trust.ForJournal)
		return err
	})
	if err != nil {
		err = fmt.Errorf("read what %s left in the tree: %w", r.Command, err)
	}
	return t, err
}

// continued is the root of the tree of size facts, which the tree that was last
// signed continues, or which continues that.
func continued(ctx context.Context, tx *store.Tx, size uint64) (root tlog.Hash, err error) {
	h, err := readHead(ctx, tx)
	if err != nil {
		return root, err
	}
	if root, err = h.root(ctx, tx, size); err != nil {
		return root, err
	}
	last, err := newest(ctx, tx)
	if err != nil || last.size == 0 || last.size == size {
		return root, err
	}
	signed, err := h.root(ctx, tx, last.size)
	if err != nil {
		return root, err
	}
	older, newer, from, to := root, signed, size, last.size
	if last.size < size {
		older, newer, from, to = signed, root, last.size, size
	}
	proof, err := tlog.ProveTree(int64(to), int64(from), tree.Nodes(ctx, tx))
	if err != nil {
		return root, err
	}
	if err := tlog.CheckTree(proof, int64(to), newer, int64(from), older); err != nil {
		return root, tree.Rotten(size).Cause(err)
	}
	return root, nil
}
