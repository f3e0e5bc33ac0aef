package terminal

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"signalbox.dev/signalbox/internal/wire"
)

// Size is a number of bytes, for people and exactly.
func Size(n int64) string {
	return fmt.Sprintf("%s (%d bytes)", humanize.IBytes(uint64(max(n, 0))), n)
}

// Vault is what the books of the vault say, as facts.
func Vault(v wire.Vault, zone *time.Location) func(io.Writer) error {
	quota, lock, swept := "none", "none", "never"
	if v.Quota > 0 {
		quota = fmt.Sprintf("%s, %.1f %% used", humanize.IBytes(uint64(v.Quota)), 100*float64(v.Bytes)/float64(v.Quota))
	}
	if l := v.Lock; l != nil {
		lock = strings.TrimPrefix(fmt.Sprintf("%s for %s", l.Mode, Count(l.Days, "day", "days")), " for 0 days")
		if l.LegalHold {
			lock = strings.TrimPrefix(lock+", legal hold", ", ")
		}
		lock += fmt.Sprintf("; read back on %s", Count(v.Locked, "entry", "entries"))
	}
	orphans := ""
	if s := v.Swept; s != nil {
		swept = fmt.Sprintf("%s; the last sweep removed %d, %s", Stamp(s.At, zone), s.Removed, humanize.IBytes(uint64(s.RemovedBytes)))
		orphans = fmt.Sprintf("%d, %s", s.Orphans, Size(s.OrphanBytes))
		if !s.Oldest.IsZero() {
			orphans += "; the oldest of " + Stamp(s.Oldest, zone)
		}
		if s.Locked > 0 {
			orphans += fmt.Sprintf("; %d under a lock", s.Locked)
		}
	}
	return Facts("kept in", v.Kind, "entries", fmt.Sprint(v.Entries), "size", Size(v.Bytes), "quota", quota, "lock", lock,
		"rotten", fmt.Sprint(v.Rotten), "missing", fmt.Sprint(v.Missing), "orphans", orphans, "swept", swept)
}

// VaultSweep is what a sweep found and did: what is due as a table, then sums.
func VaultSweep(s wire.VaultSweep, zone *time.Location) func(io.Writer) error {
	return func(w io.Writer) error {
		if len(s.Due) > 0 {
			var lines [][]string
			for _, e := range s.Due {
				lines = append(lines, []string{e.Digest, humanize.IBytes(uint64(e.Size)), Stamp(e.Put, zone)})
			}
			if err := Rows([]string{"DUE", "SIZE", "PUT"}, lines)(w); err != nil {
				return err
			}
		}
		done := fmt.Sprintf("%d, %s", s.Removed, Size(s.RemovedBytes))
		if s.DryRun {
			done = "none: only looked"
		}
		return Facts("entries", fmt.Sprintf("%d, %s", s.Entries, Size(s.Bytes)), "orphans", fmt.Sprintf("%d, %s", s.Orphans, Size(s.OrphanBytes)),
			"removed", done, "locked", unlessNone(s.Locked), "failed", unlessNone(s.Failed), "entered", unlessNone(s.Entered),
			"missing", strings.Join(s.Missing, " "))(w)
	}
}

func unlessNone(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// VaultCheck is what reading the vault back has shown: each entry that is wrong
// in a line, then sums.
func VaultCheck(v wire.VaultCheck) func(io.Writer) error {
	return func(w io.Writer) error {
		for _, bad := range []struct {
			what string
			list []string
		}{{"rotten", v.Rotten}, {"missing", v.Missing}, {"unlocked", v.Unlocked}} {
			for _, digest := range bad.list {
				if _, err := fmt.Fprintf(w, "%-9s %s\n", bad.what, Clean(digest)); err != nil {
					return err
				}
			}
		}
		return Said("%s read, %s: %d rotten, %d missing, %d unlocked", Count(v.Entries, "entry", "entries"), Size(v.Bytes),
			len(v.Rotten), len(v.Missing), len(v.Unlocked))(w)
	}
}
