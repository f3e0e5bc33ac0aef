// Package receipt keeps the receipts that the server gave, one file each, and
// holds the server to them.
//
// It knows files and what to ask the server; what a receipt says and whether an
// export keeps to it is verify's. The invariants: a file is a whole receipt or
// is not there; nothing secret is in one; a receipt that no known key has signed
// is named and never passed over.
package receipt

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/verify"
)

// Off is the setting that keeps no receipts.
const Off = "off"

const (
	begins   = "signalbox-receipt/v1\n"
	maxNote  = 4 << 10
	maxFiles = 100_000
)

// Folder keeps receipts in a directory, from its first receipt on. It is safe for concurrent use.
type Folder struct {
	Path string
	Lost func(err error) // is told of a receipt that could not be kept; the command it is for stands

	mu   sync.Mutex
	last string
}

// Home is where receipts of a server are kept unless somebody says otherwise:
// below the user's state directory (XDG), a folder a server. It is "" where the
// environment names no such place.
func Home(env func(string) (string, bool), server string) string {
	state, set := env("XDG_STATE_HOME")
	if !set || !filepath.IsAbs(state) {
		if home, is := env("HOME"); is && home != "" {
			state = filepath.Join(home, ".local", "state")
		} else if state, set = env("LocalAppData"); !set || state == "" {
			return ""
		}
	}
	_, place, _ := strings.Cut(server, "://")
	return filepath.Join(state, "signalbox", "receipts", strings.Map(plainRune, place))
}

// plainRune is what of an address can stand in the name of a folder.
func plainRune(r rune) rune {
	if r == '.' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
		return r
	}
	return '_'
}

// Make makes the directory, for its owner alone. Errors: fault Invalid.
func (f *Folder) Make() error {
	if err := os.MkdirAll(f.Path, 0o700); err != nil {
		return unwritable(f.Path, err)
	}
	probe, err := os.CreateTemp(f.Path, ".receipt-*")
	if err != nil {
		return unwritable(f.Path, err)
	}
	_ = probe.Close()
	return os.Remove(probe.Name())
}

func unwritable(path string, err error) error {
	return fault.Invalidf("receipts.unwritable", "receipts cannot be kept in %s", path).On("--receipts").
		Because(reason(err)).Remedy("name another directory, or off").Cause(err)
}

func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// Keep keeps a receipt as it came; the same one again changes nothing.
func (f *Folder) Keep(note []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path, err := f.keep(note)
	if err == nil {
		f.last = path
	} else if f.Lost != nil {
		f.Lost(err)
	}
}

// Last is the file of the receipt kept last, or "".
func (f *Folder) Last() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// keep writes beside the place and renames, so that whoever reads meanwhile, or
// after a crash, finds whole receipts alone.
func (f *Folder) keep(note []byte) (string, error) {
	if len(note) > maxNote || !bytes.HasPrefix(note, []byte(begins)) {
		return "", fault.New(fault.Unavailable, "receipts.answer", "what the server sent as a receipt is none")
	}
	if f.Path == "" {
		return "", fault.Invalidf("receipts.nowhere", "there is no place to keep receipts").
			Because("the environment names no home directory").Remedy("name one: --receipts DIR, or off")
	}
	if err := os.MkdirAll(f.Path, 0o700); err != nil {
		return "", unwritable(f.Path, err)
	}
	path := filepath.Join(f.Path, name(note))
	if _, err := os.Lstat(path); err == nil {
		return path, nil // its name holds its digest
	}
	t, err := os.CreateTemp(f.Path, ".receipt-*") // of mode 0600
	if err != nil {
		return "", unwritable(f.Path, err)
	}
	defer func() { _ = os.Remove(t.Name()) }()
	_, err = t.Write(note)
	if synced := t.Sync(); err == nil {
		err = synced
	}
	if closed := t.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(t.Name(), path)
	}
	if err != nil {
		return "", unwritable(f.Path, err)
	}
	return path, nil
}

// name sorts receipts by their first position.
func name(note []byte) string {
	var first, next uint64
	if _, facts, found := strings.Cut(string(note), "\nfacts "); found {
		_, _ = fmt.Sscanf(facts, "%d %d", &first, &next) // what cannot be read is named 0; verify refuses it
	}
	return fmt.Sprintf("%012d-%.8x.receipt", first, sha256.Sum256(note))
}

// Kept is a receipt and its file.
type Kept struct {
	verify.Receipt
	File string
}

// Read reads every receipt in a directory and the folders below it; files and
// folders whose names begin with a dot are passed over. Every file that is not a
// receipt signed by a known key is named in refused, as a fault Unverified.
// Errors: fault NotFound where there is nothing to read.
func Read(dir string, keys verify.Keys) (all []Kept, refused, err error) {
	var wrong []error
	files := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != dir && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		}
		if files++; files > maxFiles {
			return fault.New(fault.TooLarge, "receipts.many", fmt.Sprintf("there are more than %d files in %s", maxFiles, dir))
		}
		k, err := read(path, d, keys)
		if err != nil {
			wrong = append(wrong, err)
			return nil
		}
		all = append(all, k)
		return nil
	})
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		return nil, nil, err
	case err != nil:
		return nil, nil, fault.New(fault.NotFound, "receipts.unreadable", "the receipts in "+dir+" cannot be read").Because(reason(err)).Cause(err)
	case files == 0:
		return nil, nil, fault.New(fault.NotFound, "receipts.none", "there is no receipt in "+dir).
			Because("nothing that is held against nothing is verified").Remedy("name the directory that receipts were kept in")
	}
	return all, errors.Join(wrong...), nil
}

func read(path string, d fs.DirEntry, keys verify.Keys) (Kept, error) {
	wrong := fault.New(fault.Unverified, "receipts.refused", path+" is not a receipt of a known key")
	info, err := d.Info()
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxNote {
		return Kept{}, wrong.Because("it is not a file of at most 4 KiB").Cause(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return Kept{}, wrong.Because(reason(err)).Cause(err)
	}
	r, err := verify.OpenReceipt(b, keys)
	if err != nil {
		var f *fault.Error
		if errors.As(err, &f) {
			wrong = wrong.Because(f.What + ": " + f.Why)
		}
		return Kept{}, wrong.Cause(err)
	}
	return Kept{r, path}, nil
}

// Receipts is the receipts without their files.
func Receipts(all []Kept) []verify.Receipt {
	var list []verify.Receipt
	for _, k := range all {
		list = append(list, k.Receipt)
	}
	return list
}

// Tell writes which of the receipts do not hold, from when each is, and why.
func Tell(w io.Writer, all []Kept, broken []verify.Broken) {
	for _, b := range broken {
		i := slices.IndexFunc(all, func(k Kept) bool { return k.Receipt == b.Receipt })
		if i >= 0 {
			line := fmt.Sprintf("✗ %s, given %s for %s: %s", all[i].File, b.Time, span(b.Receipt), b.Problem)
			_, _ = fmt.Fprintln(w, terminal.Clean(line)) // what printed it before says if it cannot be
		}
	}
}

// Holding says that all receipts hold, after some words, or nothing of none.
func Holding(all []Kept, before string) string {
	if len(all) == 0 {
		return ""
	}
	return before + terminal.Count(len(all), "receipt holds", "receipts hold")
}

func span(r verify.Receipt) string {
	if r.Next == r.First+1 {
		return fmt.Sprintf("position %d", r.First)
	}
	return fmt.Sprintf("positions %d to %d", r.First, r.Next-1)
}
