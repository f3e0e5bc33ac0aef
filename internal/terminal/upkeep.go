package terminal

import (
	"fmt"
	"io"
	"time"

	"signalbox.dev/signalbox/internal/wire"
)

// Backup is what a backup holds.
type Backup struct {
	Origin        string   `json:"origin"`
	Facts         uint64   `json:"facts"`
	Root          string   `json:"root"`
	Checkpoint    string   `json:"checkpoint,omitempty"`
	Taken         string   `json:"taken,omitempty"`
	Program       string   `json:"program,omitempty"`
	Digest        string   `json:"digest,omitempty"` // of the file
	Size          int64    `json:"size,omitempty"`
	Originals     int      `json:"originals"`
	OriginalBytes int64    `json:"original_bytes"`
	Elsewhere     int      `json:"elsewhere"` // originals that it only lists
	Lost          []string `json:"lost"`      // originals that were gone or had changed
}

// Restored is what was restored, or would be.
type Restored struct {
	Backup
	Known uint64 `json:"known,omitempty"` // size of the checkpoint that was known outside
	Gap   uint64 `json:"gap"`             // facts that are known to be lost

	Trusted bool `json:"trusted"` // held against keys from outside the backup
}

// Rebuilt is what folding anew has found.
type Rebuilt struct {
	Facts       uint64       `json:"facts"`
	Streams     int          `json:"streams"`
	Rows        int          `json:"rows"`
	Differences []Difference `json:"differences"`
}

// Difference is one thing that does not stand as the facts make it.
type Difference struct {
	Table   string `json:"table"`
	Problem string `json:"problem"`
}

// BackupFacts says what a backup holds.
func BackupFacts(b Backup) func(io.Writer) error {
	originals := fmt.Sprintf("%d, %s", b.Originals, Size(b.OriginalBytes))
	if b.Elsewhere > 0 {
		originals += fmt.Sprintf("; %d more are listed and stay where they are", b.Elsewhere)
	}
	size := ""
	if b.Size > 0 {
		size = Size(b.Size)
	}
	return func(w io.Writer) error {
		if err := Facts("journal", b.Origin, "facts", fmt.Sprint(b.Facts), "root", b.Root, "originals", originals, "taken", b.Taken, "size", size, "digest", b.Digest)(w); err != nil {
			return err
		}
		return lost(w, b.Lost)
	}
}

func lost(w io.Writer, digests []string) error {
	for _, d := range digests {
		if _, err := fmt.Fprintf(w, "%-12s %s\n", "lost", Clean(d)); err != nil {
			return err
		}
	}
	return nil
}

// RestoreFacts says what was restored, and what is known to be lost.
func RestoreFacts(r Restored) func(io.Writer) error {
	return func(w io.Writer) error {
		if err := BackupFacts(r.Backup)(w); err != nil {
			return err
		}
		return Said("%s", gap(r.Known, r.Facts, r.Gap))(w)
	}
}

func gap(known, facts, lost uint64) string {
	switch {
	case known == 0:
		return "No checkpoint from elsewhere was given: what was recorded after the backup is lost, and how much is not known."
	case lost == 0:
		return fmt.Sprintf("The checkpoint of %d facts that was known is within it.", known)
	}
	return fmt.Sprintf("KNOWN TO BE LOST: %d facts, positions %d to %d.", lost, facts, known-1)
}

// Restore is a restore, and who has recorded it.
func Restore(r wire.Restore, zone *time.Location) func(io.Writer) error {
	state := "closed: two persons have yet to record it"
	if r.Proposal > 0 {
		state = fmt.Sprintf("closed: another person has yet to confirm it, with --proposal %d", r.Proposal)
	}
	if !r.Closed {
		state = "open: recorded " + Stamp(r.Confirmed, zone)
	}
	var known uint64
	old := "not known"
	if r.Old != nil {
		known, old = r.Old.Size, fmt.Sprintf("%d facts, root %s", r.Old.Size, r.Old.Root)
	}
	return func(w io.Writer) error {
		err := Facts("state", state, "restored", Stamp(r.At, zone)+", "+r.Method, "backup", r.Backup, "old head", old,
			"new head", fmt.Sprintf("%d facts, root %s", r.New.Size, r.New.Root), "proposed by", r.Proposer, "confirmed by", r.Confirmer)(w)
		if err != nil {
			return err
		}
		return Said("%s", gap(known, r.New.Size, r.Lost))(w)
	}
}

// RebuildFacts lists what differs, and says what was looked at.
func RebuildFacts(r Rebuilt) func(io.Writer) error {
	return func(w io.Writer) error {
		for _, d := range r.Differences {
			if err := Said("✗ %s: %s", d.Table, d.Problem)(w); err != nil {
				return err
			}
		}
		if len(r.Differences) > 0 {
			return Said("%s after %d facts", Count(len(r.Differences), "difference", "differences"), r.Facts)(w)
		}
		return Said("✓ %d streams and %d rows of lists are what %d facts make", r.Streams, r.Rows, r.Facts)(w)
	}
}
