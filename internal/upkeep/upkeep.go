// Package upkeep keeps an installation: it takes backups while it is served,
// restores them, and holds states and views against the facts.
//
// It knows the form of a backup and in which order things are checked. It
// leaves the writing of facts and states to journal and state, of originals to
// vault, and who may restore to control. Its invariants: nothing is restored
// that has not been checked to its last byte first, nothing is ever restored
// over a journal, and the file of a backup is whole or is not there.
package upkeep

import (
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/state"
)

// The entries of a backup, a tar within gzip, in this order. Digests of all
// that went before stand in the last, as sha256sum writes and reads them.
const (
	manifestName  = "signalbox-backup.json"
	journalName   = "journal/"      // parts of an export of the journal, to be put together in order
	commandsName  = "commands/"     // commands that were carried out, a line each
	partsName     = "parts/"        // parts of bases, a line each
	originalsName = "originals/"    // an original, by the digits of its digest
	lostName      = "originals.txt" // digests in the vault's books: kept, elsewhere or lost
	sumsName      = "SHA256SUMS"
)

// format is the number of a backup's layout.
const format = 1

// Bounds of what a reader takes.
const (
	chunkSize   = 4 << 20 // from here on lines go into the next entry
	chunkMax    = 8 << 20
	manifestMax = 1 << 20
	listMax     = 1 << 30
)

// Manifest is the first entry: what the backup is of.
type Manifest struct {
	Format     int          `json:"signalbox_backup"`
	Program    string       `json:"program"` // version that took it
	Taken      string       `json:"taken"`   // RFC 3339, by the database's clock
	Origin     string       `json:"origin"`
	Head       journal.Tree `json:"head"`
	Checkpoint string       `json:"checkpoint"` // signed note of the head
	Keys       string       `json:"keys"`       // public ones, as signalbox keys show prints them
	States     []state.Sum  `json:"states"`
	Originals  string       `json:"originals"` // included, or elsewhere: in an S3 service
}

// Where the originals of a backup are.
const (
	included  = "included"
	elsewhere = "elsewhere"
)

// Report is what a backup holds.
type Report struct {
	Manifest
	Digest    string   `json:"digest"` // of its file: "sha256:" and hexadecimal digits
	Size      int64    `json:"size"`   // of its file, in bytes
	Commands  uint64   `json:"commands"`
	Files     int      `json:"files"` // originals in it
	Bytes     int64    `json:"bytes"` // of them
	Elsewhere []string `json:"-"`     // digests of originals that are kept where the vault has them
	Lost      []string `json:"lost"`  // digests of originals that were gone or had changed when it was taken
	Trusted   bool     `json:"trusted"`
}

func broken(what string) *fault.Error {
	return fault.New(fault.Unverified, "backup.broken", "this is not a whole backup").Because(what).
		Remedy("use another copy of it, or an older one")
}
