package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"signalbox.dev/signalbox/internal/cli"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/dossier"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/seal"
	"signalbox.dev/signalbox/internal/steward"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/upkeep"
	"signalbox.dev/signalbox/internal/vault"
	"signalbox.dev/signalbox/internal/verify"
)

// backup writes a backup of the open installation.
func (s *Server) backup(ctx context.Context, w io.Writer) error {
	now, err := s.Control.Now(ctx)
	if err != nil {
		return err
	}
	public, err := s.Control.PublicKeys(ctx)
	if err != nil {
		return err
	}
	return upkeep.Backup(ctx, upkeep.Source{
		Journal: s.Journal, Vault: s.originals, Keys: public, Program: Version, Now: now,
	}, w)
}

// takeBackup is the command backup: from a server, or from an installation that
// is not being served. What arrived is read whole before it gets its name.
func takeBackup(ctx context.Context, o steward.BackupOptions) (terminal.Backup, error) {
	fetch := o.Fetch
	if fetch == nil {
		opened, err := openThere(ctx, o.Store)
		if err != nil {
			return terminal.Backup{}, err
		}
		defer func() { _ = opened.Close() }()
		fetch = opened.backup
	}
	if o.KeysTo != "" {
		if err := upkeep.CopyKeys(storeOptions(o.Store).withDefaults().Keys, o.KeysTo); err != nil {
			return terminal.Backup{}, err
		}
	}
	r, err := upkeep.Keep(ctx, o.To, fetch, upkeep.Checking{Shapes: control.Shapes(), Progress: o.Progress})
	if err != nil && o.KeysTo != "" { // private keys of which nobody is told are not left behind
		err = errors.Join(err, os.RemoveAll(o.KeysTo))
	}
	return backupReport(r), err
}

func backupReport(r upkeep.Report) terminal.Backup {
	return terminal.Backup{
		Origin: r.Origin, Facts: r.Head.Size, Root: r.Head.Root.String(), Checkpoint: r.Checkpoint, Taken: r.Taken, Program: r.Program,
		Digest: r.Digest, Size: r.Size, Originals: r.Files, OriginalBytes: r.Bytes, Elsewhere: len(r.Elsewhere), Lost: append([]string{}, r.Lost...),
	}
}

// openThere opens an installation that must be there already.
func openThere(ctx context.Context, o cli.StoreOptions) (*Server, error) {
	options := storeOptions(o).withDefaults()
	if !options.there() {
		return nil, fault.New(fault.NotFound, "upkeep.no-data", "there is no installation in "+options.Data).
			Remedy("name its data directory with --data, or its database with --database")
	}
	return Open(ctx, options)
}

// publicKeys is the public keys that a backup is held against: those of a file,
// else of the installation's own keys, else none.
func publicKeys(o steward.RestoreOptions, keys string) ([]byte, error) {
	if o.PublicKeys != "" {
		b, err := os.ReadFile(o.PublicKeys)
		if err != nil {
			return nil, fault.New(fault.NotFound, "file.unreadable", "the file "+o.PublicKeys+" cannot be read").Because(err.Error()).On("--key")
		}
		_, err = verify.ParseKeys(b)
		return b, dossier.Placed(o.PublicKeys, err)
	}
	own, err := seal.Open(keys, "", false)
	if k := fault.KindOf(err); k == fault.NotFound && o.Verify {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return own.PublicText(), nil
}

// restore is the command restore: it checks a backup whole, and unless that was
// all, brings it into a place that is empty.
func restore(ctx context.Context, o steward.RestoreOptions) (terminal.Restored, error) {
	options := storeOptions(o.Store).withDefaults()
	if o.InPlace {
		return restoredInPlace(ctx, o)
	}
	var report terminal.Restored
	keys, err := publicKeys(o, options.Keys)
	if err != nil {
		return report, err
	}
	if !o.Verify {
		if err := vacant(options); err != nil {
			return report, err
		}
	}
	checked, err := checkBackup(ctx, o, keys)
	report.Backup, report.Trusted = backupReport(checked), checked.Trusted
	if err != nil {
		return report, err
	}
	known, err := knownTree(o, keys, checked.Manifest)
	if err != nil {
		return report, err
	}
	if known != nil {
		report.Known, report.Gap = known.Size, (journal.Restored{Head: checked.Head, Known: known}).Lost()
	}
	if o.Verify {
		return report, nil
	}
	return report, restoreInto(ctx, options, o.File, checked, known)
}

func checkBackup(ctx context.Context, o steward.RestoreOptions, keys []byte) (upkeep.Report, error) {
	f, err := os.Open(o.File)
	if err != nil {
		return upkeep.Report{}, fault.New(fault.NotFound, "file.unreadable", "the backup "+o.File+" cannot be read").Because(err.Error()).Cause(err)
	}
	defer func() { _ = f.Close() }()
	return upkeep.Check(ctx, f, upkeep.Checking{Keys: keys, Shapes: control.Shapes(), Progress: o.Progress, TrustFacts: o.TrustFacts})
}

func knownTree(o steward.RestoreOptions, keys []byte, m upkeep.Manifest) (*journal.Tree, error) {
	if o.KnownCheckpoint == "" {
		return nil, nil
	}
	text, err := os.ReadFile(o.KnownCheckpoint)
	if err != nil {
		return nil, fault.New(fault.NotFound, "file.unreadable", "the checkpoint "+o.KnownCheckpoint+" cannot be read").Because(err.Error()).On("--known-checkpoint")
	}
	if keys == nil {
		keys = []byte(m.Keys)
	}
	return upkeep.Known(text, keys, m.Origin)
}

// vacant refuses an embedded database that is there already before anything
// opens it, for opening brings an older one up to date.
func vacant(o Options) error {
	if o.Database != "" {
		return nil
	}
	info, err := os.Stat(filepath.Join(o.Data, store.SQLiteFile))
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	if err == nil {
		err = store.Vacant(filepath.Join(o.Data, store.SQLiteFile))
	}
	return err
}

func restoreInto(ctx context.Context, options Options, file string, checked upkeep.Report, known *journal.Tree) (err error) {
	s := &Server{options: options}
	defer func() { err = errors.Join(err, s.Close()) }()
	if _, err := s.keys(checked.Origin, false); err != nil {
		return err
	}
	if err := os.MkdirAll(options.Data, 0o700); err != nil {
		return fault.Invalidf("server.data", "the data directory %s cannot be made", options.Data).Cause(err).Because(err.Error()).On("--data")
	}
	if s.DB, err = store.Open(ctx, store.Options{Data: options.Data, Database: options.Database, Log: options.Log}); err != nil {
		return err
	}
	s.closes("database", s.DB.Close)
	return upkeep.Restore(ctx, upkeep.Target{
		DB: s.DB, Shapes: control.Shapes(), Vault: func(ctx context.Context, origin string) (*vault.Vault, error) { return s.vault(ctx, origin) },
	}, file, checked, known)
}

// restoredInPlace records that a database was put back by other means.
func restoredInPlace(ctx context.Context, o steward.RestoreOptions) (terminal.Restored, error) {
	var report terminal.Restored
	s, err := openThere(ctx, o.Store)
	if err != nil {
		return report, err
	}
	defer func() { _ = s.Close() }()
	public, err := s.Control.PublicKeys(ctx)
	if err != nil {
		return report, err
	}
	known, err := knownTree(o, public, upkeep.Manifest{Origin: s.Journal.Origin()})
	if err != nil {
		return report, err
	}
	r, err := s.Journal.RecordInPlace(ctx, known)
	report.Origin, report.Facts, report.Root = s.Journal.Origin(), r.Head.Size, r.Head.Root.String()
	if known != nil {
		report.Known, report.Gap = known.Size, r.Lost()
	}
	return report, err
}

// rebuild is the command rebuild.
func rebuild(ctx context.Context, o steward.RebuildOptions) (terminal.Rebuilt, error) {
	report := terminal.Rebuilt{Differences: []terminal.Difference{}}
	s, err := openThere(ctx, o.Store)
	if err != nil {
		return report, err
	}
	defer func() { _ = s.Close() }()
	if !o.Check {
		if err := upkeep.Rebuild(ctx, s.Journal, o.Progress); err != nil {
			return report, err
		}
	}
	found, err := upkeep.CheckRebuilt(ctx, s.Journal, control.Shapes(), o.Progress)
	report.Facts, report.Streams, report.Rows = found.Facts, found.Streams, found.Rows
	for _, d := range found.Differences {
		report.Differences = append(report.Differences, terminal.Difference(d))
	}
	if err != nil {
		return report, fmt.Errorf("rebuild: %w", err)
	}
	return report, nil
}
