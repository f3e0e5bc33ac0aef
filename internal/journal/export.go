package journal

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/tree"
	"signalbox.dev/signalbox/internal/verify"
)

// The lines of an export, format 1: one JSON object a line, bytes in base64. A
// checkpoint's line follows the last fact that it covers.
type (
	exportFact struct {
		Position uint64 `json:"position"`
		Header   []byte `json:"header"`
		Body     []byte `json:"body"`
		Private  []byte `json:"private"`
		Leaf     []byte `json:"leaf"` // hash of the leaf as the tree has it
	}
	exportCheckpoint struct {
		Checkpoint string `json:"checkpoint"`
	}
	exportEnd struct {
		End verify.ExportCounts `json:"end"`
	}
)

// exportRun is one export under way.
type exportRun struct {
	journal     *Journal
	tx          *store.Tx
	out         *json.Encoder
	size        uint64
	checkpoints uint64
	newest      checkpoint // that the snapshot may not show yet
}

// Export writes the journal as JSON lines, as far as a checkpoint that it signs
// first, and for whose cosignatures it waits a little. Without a key it writes all facts and the checkpoints
// there are. It needs no more memory than a page of facts.
func (j *Journal) Export(ctx context.Context, w io.Writer) error {
	var signed uint64
	if j.signs() && j.Writable() == nil {
		text, err := j.SignNow(ctx)
		if err == nil {
			signed, err = j.settle(ctx, text)
		}
		if err != nil {
			return err
		}
	}
	out := bufio.NewWriterSize(w, 1<<16)
	err := j.db.ReadTx(ctx, func(tx *store.Tx) error {
		h, err := readHead(ctx, tx)
		if err != nil {
			return err
		}
		last, err := newest(ctx, tx)
		if err != nil {
			return err
		}
		e := &exportRun{journal: j, tx: tx, out: json.NewEncoder(out), size: h.size}
		if j.signs() && last.size > 0 {
			e.size = min(h.size, last.size)
		}
		if signed > 0 {
			e.size = min(e.size, signed)
		}
		return e.run(ctx, h.origin)
	})
	if err != nil {
		return fmt.Errorf("export the journal: %w", err)
	}
	return out.Flush()
}

func (e *exportRun) run(ctx context.Context, origin string) error {
	e.out.SetEscapeHTML(false)
	turns, err := e.journal.turns(ctx, e.tx, e.size)
	if err != nil {
		return err
	}
	if err := e.out.Encode(verify.ExportHead{Format: verify.ExportFormat, Origin: origin, Size: e.size, Rotations: turns}); err != nil {
		return err
	}
	done := uint64(0)
	for done < e.size {
		n, err := e.page(ctx, done)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		done += n
	}
	return e.out.Encode(exportEnd{verify.ExportCounts{Facts: done, Checkpoints: e.checkpoints}})
}

// page writes the next facts and the checkpoints among them.
func (e *exportRun) page(ctx context.Context, from uint64) (uint64, error) {
	facts, err := page(ctx, e.tx, from, int(min(e.size-from, FactsMax)))
	if err != nil || len(facts) == 0 {
		return 0, err
	}
	leaves, err := e.leaves(ctx, facts)
	if err != nil {
		return 0, err
	}
	notes, err := e.notes(ctx, from, from+uint64(len(facts)))
	if err != nil {
		return 0, err
	}
	for i, f := range facts {
		line := exportFact{Position: f.Position, Header: f.HeaderBytes, Body: f.BodyBytes, Private: f.PrivateBytes, Leaf: leaves[i][:]}
		if err := e.out.Encode(line); err != nil {
			return 0, err
		}
		if text, ok := notes[f.Position+1]; ok {
			e.checkpoints++
			if err := e.out.Encode(exportCheckpoint{text}); err != nil {
				return 0, err
			}
		}
	}
	return uint64(len(facts)), nil
}

func (e *exportRun) leaves(ctx context.Context, facts []event.Recorded) ([]tlog.Hash, error) {
	indexes := make([]int64, len(facts))
	for i, f := range facts {
		indexes[i] = tlog.StoredHashIndex(0, int64(f.Position))
	}
	return tree.Nodes(ctx, e.tx).ReadHashes(indexes)
}

// notes is the checkpoints of sizes after from, up to and with until.
func (e *exportRun) notes(ctx context.Context, from, until uint64) (map[uint64]string, error) {
	found := map[uint64]string{}
	err := e.tx.Each(ctx, func(r *sql.Rows) error {
		c, err := scanCheckpoint(r)
		found[c.size] = c.note
		return err
	}, checkpointColumns+"WHERE size > $1 AND size <= $2", int64(from), int64(until))
	if n := e.newest; n.size > from && n.size <= until {
		found[n.size] = n.note
	}
	return found, err
}
