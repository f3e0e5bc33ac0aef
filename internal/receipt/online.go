package receipt

import (
	"context"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/verify"
	"signalbox.dev/signalbox/internal/wire"
)

// Server is what is asked of the server to hold it to receipts.
type Server interface {
	Checkpoint(ctx context.Context) ([]byte, error)
	Proof(ctx context.Context, position, size uint64) (wire.Proof, error)
	Consistency(ctx context.Context, from, to uint64) (wire.Consistency, error)
}

// Held is what came of asking the server.
type Held struct {
	verify.Head                 // of the newest checkpoint
	Receipts    int             `json:"receipts"` // that hold
	Broken      []verify.Broken `json:"broken_receipts,omitempty"`

	all []Kept
}

// Ask holds the server to receipts without an export: it must prove that its
// newest checkpoint continues the tree of each receipt, and that each fact of a
// receipt stands in that tree. Errors: fault Unavailable where the newest
// checkpoint does not reach the receipts yet, Unverified where the checkpoint
// itself does not verify.
func Ask(ctx context.Context, s Server, keys verify.Keys, all []Kept) (Held, error) {
	h := Held{all: all}
	text, err := s.Checkpoint(ctx)
	if err != nil {
		return h, err
	}
	if h.Head, err = verify.Checkpoint(text, keys); err != nil {
		return h, err
	}
	early := 0
	for _, k := range all {
		if k.Origin == h.Origin && k.Next > h.Size {
			early++
			continue
		}
		problem, err := asked(ctx, s, h.Head, k.Receipt)
		switch {
		case err != nil:
			return h, err
		case problem == "":
			h.Receipts++
		default:
			h.Broken = append(h.Broken, verify.Broken{Receipt: k.Receipt, Given: k.Time.Time(), Problem: problem})
		}
	}
	if early > 0 && len(h.Broken) == 0 {
		return h, fault.New(fault.Unavailable, "receipts.early", fmt.Sprintf("the newest checkpoint, of %d facts, does not reach %d of the receipts", h.Size, early)).
			Because("either they are seconds old, or their facts are gone").Remedy("try again in ten seconds; if it stays so, keep the receipts and verify an export")
	}
	return h, nil
}

// Print writes what holds and what does not.
func (h Held) Print(w io.Writer) error {
	Tell(w, h.all, h.Broken)
	return terminal.Said("%s in the checkpoint of %d facts of %s", terminal.Count(h.Receipts, "receipt holds", "receipts hold"), h.Size, h.Origin)(w)
}

// Unkept is the fault that follows from receipts that do not hold, or nil.
func (h Held) Unkept() error {
	if len(h.Broken) == 0 {
		return nil
	}
	return fault.New(fault.Unverified, "receipts.unkept", fmt.Sprintf("the server does not keep to %d of the receipts", len(h.Broken))).
		Because(h.Broken[0].Problem).Remedy("keep the receipts, and have an export verified with them")
}

// asked is why the server does not keep to a receipt, or "".
func asked(ctx context.Context, s Server, head verify.Head, r verify.Receipt) (string, error) {
	if r.Origin != head.Origin {
		return "it is of the journal " + r.Origin, nil
	}
	c, err := s.Consistency(ctx, r.Next, head.Size)
	if refused(err) {
		return "the server does not prove what it gave it for", nil
	}
	if err != nil {
		return "", err
	}
	path, err := hashes(c.Hashes)
	if err != nil || verify.Consistency(r.Head(), head, path) != nil {
		return "the newest checkpoint does not continue the tree that it was given for", nil
	}
	var leaves []tlog.Hash
	for at := r.First; at < r.Next; at++ {
		p, err := s.Proof(ctx, at, r.Next)
		if err != nil && !refused(err) {
			return "", err
		}
		path, wrong := hashes(append(p.Hashes, p.Leaf))
		if err != nil || wrong != nil {
			return "the server does not prove its facts", nil
		}
		last := len(path) - 1
		if verify.Inclusion(r.Head(), verify.Entry{Position: at, Leaf: path[last]}, path[:last]) != nil {
			return "the server does not prove its facts", nil
		}
		leaves = append(leaves, path[last])
	}
	if verify.LeavesOf(leaves) != r.Leaves {
		return "what stands at its positions is not what was acknowledged", nil
	}
	return "", nil
}

// refused reports an answer that is the server's own and will not change by asking again.
func refused(err error) bool {
	kind := fault.KindOf(err)
	return err != nil && (kind == fault.NotFound || kind == fault.Invalid || kind == fault.Unverified)
}

func hashes(texts []string) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for _, text := range texts {
		h, err := tlog.ParseHash(text)
		if err != nil {
			return nil, err
		}
		all = append(all, h)
	}
	return all, nil
}
