package appends

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

// tile is a log of Tessera's POSIX driver. An entry is acknowledged when it is
// sequenced and integrated, its files synced: what the journal's receipt says.
// Checkpoints are published every second, which nobody waits for.
type tile struct {
	to    *tessera.Appender
	close func(context.Context) error
}

// openTile opens a log that is made for so many submitters: a batch is full when
// all of them wait, and never waits for more than a millisecond.
func openTile(ctx context.Context, dir string, submitters int) (*tile, error) {
	secret, _, err := note.GenerateKey(rand.Reader, "bench.example")
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return nil, fmt.Errorf("open a log: %w", err)
	}
	a, shutdown, _, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(time.Second).
		WithBatching(uint(submitters), time.Millisecond))
	if err != nil {
		return nil, fmt.Errorf("open an appender: %w", err)
	}
	return &tile{a, shutdown}, nil
}

// tileSubmitter adds one entry at a time.
type tileSubmitter struct {
	to     *tile
	number int
	next   int
}

// Append returns when an entry is sequenced and integrated.
func (s *tileSubmitter) Append(ctx context.Context) error {
	s.next++
	entry := fmt.Sprintf("%08d/%08d/", s.number, s.next)
	_, err := s.to.to.Add(ctx, tessera.NewEntry([]byte(entry+strings.Repeat("x", size-len(entry)))))()
	return err
}

func (t *tile) submitters(n int) []submitter {
	all := make([]submitter, n)
	for i := range all {
		all[i] = &tileSubmitter{to: t, number: i}
	}
	return all
}
