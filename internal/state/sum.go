package state

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/store"
)

// Sum is what all streams of a noun come to under a fold number.
type Sum struct {
	Noun    string `json:"noun"`
	Fold    int    `json:"fold"`
	Streams uint64 `json:"streams"`
	Digest  string `json:"digest"` // SHA-256 over the sorted digests of stream, version and state
}

// summing collects a noun's streams.
type summing struct {
	all   [][32]byte
	mixed bool // some are of another fold number
}

func (s *summing) add(e Stored) {
	var version [8]byte
	binary.BigEndian.PutUint64(version[:], e.Version)
	h := sha256.New()
	h.Write([]byte(e.Stream))
	h.Write([]byte{0})
	h.Write(version[:])
	h.Write(e.State)
	s.all = append(s.all, [32]byte(h.Sum(nil)))
}

func (s *summing) digest() string {
	slices.SortFunc(s.all, func(a, b [32]byte) int { return slices.Compare(a[:], b[:]) })
	h := sha256.New()
	for _, one := range s.all {
		h.Write(one[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Sums is what the stored streams come to, noun by noun. A noun is left out of
// which a stream was folded under another number than its shape has.
func (s *States) Sums(ctx context.Context, tx *store.Tx) ([]Sum, error) {
	nouns := map[string]*summing{}
	err := tx.Each(ctx, func(r *sql.Rows) error {
		var e Stored
		var fold int
		if err := r.Scan(&e.Stream, &e.Version, &fold, &e.State); err != nil {
			return err
		}
		s.collect(nouns, e, fold)
		return nil
	}, "SELECT stream, version, fold, state FROM streams")
	if err != nil {
		return nil, fmt.Errorf("sum up the streams: %w", err)
	}
	return s.sums(nouns), nil
}

func (s *States) collect(nouns map[string]*summing, e Stored, fold int) {
	noun := e.Stream.Noun()
	if nouns[noun] == nil {
		nouns[noun] = &summing{}
	}
	if shape, folds := s.shapes[noun]; folds && fold != shape.Number {
		nouns[noun].mixed = true
	}
	nouns[noun].add(e)
}

func (s *States) sums(nouns map[string]*summing) []Sum {
	all := []Sum{}
	for _, noun := range slices.Sorted(maps.Keys(nouns)) {
		if n := nouns[noun]; !n.mixed {
			all = append(all, Sum{Noun: noun, Fold: s.shapes[noun].Number, Streams: uint64(len(n.all)), Digest: n.digest()})
		}
	}
	return all
}

// Sums is what the streams of the cold fold come to, noun by noun.
func (c *Cold) Sums() []Sum {
	nouns := map[string]*summing{}
	for stream, e := range c.streams {
		e.Stream = stream
		c.states.collect(nouns, e, c.states.shapes[stream.Noun()].Number)
	}
	return c.states.sums(nouns)
}

// writeChunk is how many streams one step of Replace writes.
const writeChunk = 500

// Replace writes the streams and keys of the cold fold in the place of all that
// stand. The caller holds the journal's head.
func (c *Cold) Replace(ctx context.Context, tx *store.Tx) error {
	for _, query := range []string{"DELETE FROM keys", "DELETE FROM key_sums", "DELETE FROM streams"} {
		if _, err := tx.Exec(ctx, query); err != nil {
			return fmt.Errorf("empty the streams: %w", err)
		}
	}
	names := slices.Sorted(maps.Keys(c.streams))
	for chunk := range slices.Chunk(names, writeChunk) {
		if err := c.write(ctx, tx, chunk); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cold) write(ctx context.Context, tx *store.Tx, names []event.Stream) error {
	streams := store.Rows{Into: "INSERT INTO streams (stream, version, fold, state, sum)"}
	sums := keySums{}
	keys := store.Rows{Into: "INSERT INTO keys (kind, name, value, stream, since, until)"}
	for _, stream := range names {
		shape, _, err := c.states.shape(stream)
		if err != nil {
			return err
		}
		e := c.streams[stream]
		owned, err := extract(shape, e.State)
		if err != nil {
			return err
		}
		streams.Values = append(streams.Values, []any{string(stream), int64(e.Version), shape.Number, e.State, rowSum(stream, shape.Number, e)})
		sums.add(stream, owned)
		keys.Values = append(keys.Values, keyRows(stream, owned)...)
	}
	if err := tx.Insert(ctx, streams); err != nil {
		return fmt.Errorf("write streams: %w", err)
	}
	if err := tx.Insert(ctx, keys); err != nil {
		return fmt.Errorf("write keys: %w", err)
	}
	return sums.write(ctx, tx)
}
