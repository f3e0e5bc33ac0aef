// Package anchor keeps checkpoints in places that whoever holds the database
// does not reach, and reads them again for those who verify.
//
// It knows how a checkpoint is laid down in a folder or a Git repository; it
// leaves when that is due to publish, and what the notes say to verify. Its
// invariant: what was laid down is never replaced or removed from here.
package anchor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"

	"signalbox.dev/signalbox/internal/connect/git"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/verify"
)

const (
	maxNote  = 64 << 10
	maxNotes = 5_000_000 // in a folder
	branch   = "signalbox-checkpoints"
	file     = "checkpoint"
)

// Folder keeps one file a checkpoint, named by its size, that is never written again.
type Folder struct{ Dir string }

var noteName = regexp.MustCompile(`^[0-9]{19}\.checkpoint$`)

// Newest is the checkpoint of the greatest size in the folder; nil where there is none.
func (f Folder) Newest(context.Context) ([]byte, error) {
	names, err := f.names()
	if err != nil || len(names) == 0 {
		return nil, err
	}
	return readNote(filepath.Join(f.Dir, names[len(names)-1]))
}

// names is the checkpoints in the folder, the smallest first.
func (f Folder) names() ([]string, error) {
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return nil, unreadable(f.Dir, err)
	}
	var names []string
	for _, e := range entries {
		if noteName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	if len(names) > maxNotes {
		return nil, fault.New(fault.TooLarge, "anchor.too-many", fmt.Sprintf("a folder holds more than %d checkpoints", maxNotes)).At(fault.Position{File: f.Dir})
	}
	slices.Sort(names)
	return names, nil
}

func unreadable(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fault.New(fault.Unavailable, "anchor.unreadable", "a place of checkpoints cannot be read").At(fault.Position{File: path}).Because(err.Error()).Cause(err)
}

func readNote(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxNote+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	if len(b) > maxNote {
		return nil, fault.New(fault.TooLarge, "anchor.too-long", fmt.Sprintf("a checkpoint is longer than %d bytes", maxNote)).At(fault.Position{File: path})
	}
	return b, nil
}

// Publish lays a checkpoint down. The file appears whole or not at all, for its
// owner and everybody to read, and is durable when Publish returns. Where one of
// the size stands with the same text, that stays; with another it is a Conflict.
func (f Folder) Publish(_ context.Context, size uint64, note []byte) error {
	path := filepath.Join(f.Dir, fmt.Sprintf("%019d.checkpoint", size))
	fresh, err := os.CreateTemp(f.Dir, ".new-*")
	if err != nil {
		return unwritable(f.Dir, err)
	}
	defer func() { _ = os.Remove(fresh.Name()) }() // a store that lets nothing go keeps it; its name is no checkpoint's
	_, err = fresh.Write(note)
	if err = errors.Join(err, fresh.Chmod(0o444), fresh.Sync(), fresh.Close()); err != nil {
		return unwritable(f.Dir, err)
	}
	err = os.Link(fresh.Name(), path) // refuses to replace
	if errors.Is(err, fs.ErrExist) {
		return f.same(path, note)
	}
	if err == nil {
		err = syncDirectory(f.Dir)
	}
	if err != nil {
		return unwritable(f.Dir, err)
	}
	return nil
}

func unwritable(dir string, err error) error {
	return fault.New(fault.Unavailable, "anchor.unwritable", "a place of checkpoints cannot be written").At(fault.Position{File: dir}).Because(err.Error()).Cause(err).
		Remedy("make the directory, let the server write there, and see that its file system knows hard links")
}

// same accepts a file that says what the note says, whoever has cosigned it.
func (f Folder) same(path string, note []byte) error {
	there, err := readNote(path)
	if err != nil {
		return err
	}
	text, _, _ := bytes.Cut(note, []byte("\n\n"))
	if !bytes.HasPrefix(there, append(bytes.Clone(text), "\n\n"...)) {
		return fault.New(fault.Conflict, "anchor.other", "another checkpoint of the same size was laid down before").At(fault.Position{File: path}).
			Because("it is never replaced").Remedy("compare the two: the journal may have been signed twice")
	}
	return nil
}

// syncDirectory makes a new name durable; Windows does it by itself.
func syncDirectory(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Repository keeps the newest checkpoint in one file of a branch of its own, so
// that the branch's history is all that were laid down.
type Repository struct{ Shelf *git.Shelf }

// NewRepository is a branch in a repository elsewhere.
func NewRepository(o git.ShelfOptions) (Repository, error) {
	o.Branch, o.File = branch, file
	s, err := git.NewShelf(o)
	return Repository{s}, err
}

// Newest is the checkpoint that the branch ends with; nil where there is none.
func (r Repository) Newest(ctx context.Context) ([]byte, error) { return r.Shelf.Newest(ctx) }

// Publish lays a checkpoint down as one more commit. It never replaces one.
func (r Repository) Publish(ctx context.Context, size uint64, note []byte) error {
	return r.Shelf.Add(ctx, note, fmt.Sprintf("Checkpoint of %d facts", size))
}

// Read is every checkpoint in a folder, or on the branch of a repository.
func Read(ctx context.Context, path string) ([]verify.Published, error) {
	for _, mark := range []string{".git", "objects"} {
		if _, err := os.Stat(filepath.Join(path, mark)); err == nil {
			return readRepository(ctx, path)
		}
	}
	f := Folder{path}
	names, err := f.names()
	if err != nil {
		return nil, err
	}
	var all []verify.Published
	for _, name := range names {
		note, err := readNote(filepath.Join(path, name))
		if err != nil {
			return nil, err
		}
		all = append(all, verify.Published{Name: name, Note: note})
	}
	return all, none(path, len(all))
}

func readRepository(ctx context.Context, path string) ([]verify.Published, error) {
	versions, err := git.Versions(ctx, path, branch, file)
	if err != nil {
		return nil, err
	}
	var all []verify.Published
	for _, v := range versions {
		all = append(all, verify.Published{Name: "commit " + v.Commit, Note: v.Content})
	}
	return all, none(path, len(all))
}

// none refuses a place without a checkpoint: it would prove nothing and look as if it did.
func none(path string, found int) error {
	if found > 0 {
		return nil
	}
	return fault.New(fault.NotFound, "anchor.none", "there is no checkpoint in "+path).
		Remedy("name the folder of --checkpoint-folder, or a clone of the repository of --checkpoint-repository")
}
