package state

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

// sumBytes is the length of a row's checksum: it is against disks that forget,
// not against people, whom the facts and their tree are for.
const sumBytes = 16

// rowSum is the checksum of a row of streams.
func rowSum(stream event.Stream, fold int, e Stored) []byte {
	b := make([]byte, 0, 64+len(stream)+len(e.State))
	b = binary.BigEndian.AppendUint32(b, uint32(len(stream)))
	b = append(b, stream...)
	b = binary.BigEndian.AppendUint64(b, e.Version)
	b = binary.BigEndian.AppendUint64(b, uint64(fold))
	if e.State != nil {
		b = append(append(b, 1), e.State...)
	}
	sum := sha256.Sum256(b)
	return sum[:sumBytes]
}

// keySum is what a key of a stream adds to the sum of its name and value, which
// goes round at sumMask.
func keySum(k event.Key, stream event.Stream) int64 {
	var b []byte
	for _, text := range []string{string(k.Kind), k.Name, k.Value, string(stream)} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
		b = append(b, text...)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(k.From))
	b = binary.BigEndian.AppendUint64(b, uint64(k.Until))
	sum := sha256.Sum256(b)
	return int64(binary.BigEndian.Uint64(sum[:]) & sumMask)
}

// sumMask keeps sums so small that adding two stays exact in both engines.
const sumMask = 1<<62 - 1

// keySums is how much the sums of names and values change.
type keySums map[claim]int64

func (s keySums) add(stream event.Stream, keys []event.Key) {
	for _, k := range keys {
		s[claimOf(k)] = (s[claimOf(k)] + keySum(k, stream)) & sumMask
	}
}

func (s keySums) take(stream event.Stream, keys []event.Key) {
	for _, k := range keys {
		s[claimOf(k)] = (s[claimOf(k)] - keySum(k, stream)) & sumMask
	}
}

// write adds the changes to the stored sums.
func (s keySums) write(ctx context.Context, tx *store.Tx) error {
	rows := store.Rows{
		Into: "INSERT INTO key_sums (name, value, sum)",
		Then: fmt.Sprintf("ON CONFLICT (name, value) DO UPDATE SET sum = (key_sums.sum + excluded.sum) & %d", int64(sumMask)),
	}
	for c, change := range s {
		if change != 0 {
			rows.Values = append(rows.Values, []any{c.name, c.value, change})
		}
	}
	if err := tx.Insert(ctx, rows); err != nil {
		return fmt.Errorf("write the sums of keys: %w", err)
	}
	return nil
}

// rotten is the error for a stream whose stored state cannot be trusted.
func rotten(stream event.Stream, why string) *fault.Error {
	return fault.New(fault.Unverified, "state.rotten", fmt.Sprintf("the stored state of %s has changed since it was written", stream)).
		Because(why).
		Remedy("stop the server, check the disk, and restore a backup; signalbox rebuild --check lists what has changed")
}

func rottenKeys(name, value string) *fault.Error {
	return fault.New(fault.Unverified, "state.rotten-keys", fmt.Sprintf("the stored keys %s %q have changed since they were written", name, value)).
		Because("their sum is another").
		Remedy("stop the server, check the disk, and restore a backup; signalbox rebuild --check lists what has changed")
}

// keyed is all keys of a name and value, with their streams. Errors: fault
// Unverified where one has changed or is missing since it was written.
func keyed(ctx context.Context, tx *store.Tx, name, value string) ([]owned, error) {
	var all []owned
	var want, got int64
	err := tx.Each(ctx, func(r *sql.Rows) error {
		o := owned{key: event.Key{Name: name, Value: value}}
		if err := r.Scan(&o.key.Kind, &o.by, &o.key.From, &o.key.Until); err != nil {
			return err
		}
		if o.by == "" {
			want = int64(o.key.From)
			return nil
		}
		all, got = append(all, o), (got+keySum(o.key, o.by))&sumMask
		return nil
	}, `SELECT kind, stream, since, until FROM keys WHERE name = $1 AND value = $2
		UNION ALL SELECT 'sum', '', sum, 0 FROM key_sums WHERE name = $3 AND value = $4`, name, value, name, value)
	switch {
	case err != nil:
		return nil, fmt.Errorf("find streams: %w", err)
	case got != want:
		return nil, rottenKeys(name, value)
	}
	return all, nil
}

// keysOf is the stored keys of streams, by stream.
func keysOf(ctx context.Context, tx *store.Tx, streams []any) (map[event.Stream][]event.Key, error) {
	all := map[event.Stream][]event.Key{}
	err := tx.Among(ctx, func(r *sql.Rows) error {
		o, err := scanKey(r)
		all[o.by] = append(all[o.by], o.key)
		return err
	}, "SELECT kind, name, value, stream, since, until FROM keys WHERE stream IN (?)", streams)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	return all, nil
}

func scanKey(r *sql.Rows) (o owned, err error) {
	err = r.Scan(&o.key.Kind, &o.key.Name, &o.key.Value, &o.by, &o.key.From, &o.key.Until)
	return o, err
}

// Seal gives the rows of a program from before there were checksums theirs, as
// they stand. The caller holds the journal's head.
func (s *States) Seal(ctx context.Context, tx *store.Tx) error {
	var rows [][]any
	err := tx.Each(ctx, func(r *sql.Rows) error {
		var e Stored
		var fold int
		err := r.Scan(&e.Stream, &e.Version, &fold, &e.State)
		rows = append(rows, []any{rowSum(e.Stream, fold, e), string(e.Stream)})
		return err
	}, "SELECT stream, version, fold, state FROM streams WHERE length(sum) = 0")
	if err != nil {
		return fmt.Errorf("read streams without a checksum: %w", err)
	}
	if len(rows) == 0 {
		return nil
	}
	for _, row := range rows {
		if err := tx.Later(ctx, "UPDATE streams SET sum = $1 WHERE stream = $2", row...); err != nil {
			return err
		}
	}
	sums := keySums{}
	err = tx.Each(ctx, func(r *sql.Rows) error {
		o, err := scanKey(r)
		sums.add(o.by, []event.Key{o.key})
		return err
	}, "SELECT kind, name, value, stream, since, until FROM keys")
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	if err := tx.Later(ctx, "DELETE FROM key_sums"); err != nil {
		return err
	}
	return sums.write(ctx, tx)
}
