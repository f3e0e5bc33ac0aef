package witness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/strict"
	"signalbox.dev/signalbox/internal/verify"
)

// The files of a witness's directory.
const (
	keyFile   = "witness.key"
	stateFile = "witness.json"
	maxFile   = 16 << 20
)

// state is all that a witness remembers. It names the key that it belongs to:
// a key without its state is refused, for it would cosign anything once more.
type state struct {
	Format    int         `json:"signalbox_witness"` // 1
	Key       string      `json:"key"`               // the public one
	Logs      []seen      `json:"logs"`              // by origin
	Forgotten []forgotten `json:"forgotten,omitempty"`
}

// seen is the newest checkpoint of a log that was cosigned.
type seen struct {
	Origin string `json:"origin"`
	Size   uint64 `json:"size"`
	Root   string `json:"root"` // base64
	Note   string `json:"note"` // as the log signed it
}

// forgotten is what the witness's operator let it forget, and why.
type forgotten struct {
	seen
	Time   time.Time `json:"time"`
	Reason string    `json:"reason"`
}

// memory is the directory of a witness, locked for this process.
type memory struct {
	dir   string
	lock  *os.File
	key   key
	state state
}

// remember opens the directory, and makes it a new witness of that name where
// it holds none. The state is written before the key, so that what a crash
// leaves is a state that has seen nothing, which is begun again.
func remember(dir, name string) (*memory, error) {
	lock, err := store.LockDirectory(dir)
	if err != nil {
		return nil, err
	}
	m := &memory{dir: dir, lock: lock}
	if err := m.load(name); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return m, nil
}

func (m *memory) close() error { return m.lock.Close() }

func (m *memory) load(name string) error {
	secret, keyErr := m.read(keyFile)
	text, stateErr := m.read(stateFile)
	if stateErr == nil {
		if err := strict.Decode(text, &m.state); err != nil {
			return m.damaged(stateFile, err.Error())
		}
	}
	noKey, noState := errors.Is(keyErr, fs.ErrNotExist), errors.Is(stateErr, fs.ErrNotExist)
	switch {
	case noKey && (noState || stateErr == nil && len(m.state.Logs)+len(m.state.Forgotten) == 0):
		return m.begin(name)
	case noKey:
		return m.lost(keyFile, "without its key it cannot be the witness that it was")
	case noState:
		return m.lost(stateFile, "a witness that has forgotten what it saw would cosign another history")
	case keyErr != nil || stateErr != nil:
		return errors.Join(keyErr, stateErr)
	}
	var err error
	if m.key, err = parseKey(strings.TrimSuffix(string(secret), "\n")); err != nil {
		return m.damaged(keyFile, err.Error())
	}
	if name != "" && name != m.key.name {
		return fault.New(fault.Conflict, "witness.other-name", "the witness in "+m.dir+" is "+m.key.name+", not "+name).On("--name").Remedy("leave --name out, or name another directory")
	}
	return m.whole()
}

// whole checks that the state is one that this program has written for this key.
func (m *memory) whole() error {
	if m.state.Format != 1 || m.state.Key != m.key.public() {
		return m.damaged(stateFile, "it belongs to another key or another version")
	}
	for i, s := range m.state.Logs {
		text, _, _ := strings.Cut(s.Note, "\n\n")
		head, err := parseHead(text + "\n")
		if err != nil || head.Origin != s.Origin || head.Size != s.Size || head.Root.String() != s.Root {
			return m.damaged(stateFile, fmt.Sprintf("what it says of %.200q is not what that log has signed", s.Origin))
		}
		if i > 0 && m.state.Logs[i-1].Origin >= s.Origin {
			return m.damaged(stateFile, "a log stands there twice or out of order")
		}
	}
	return nil
}

func (m *memory) begin(name string) error {
	if name == "" {
		return fault.Invalidf("witness.name", "there is no witness in %s yet, and a new one needs a name", m.dir).On("--name").
			Remedy("give --name, a name without spaces and plus signs such as witness.example.com/releases")
	}
	secret, err := newKey(name)
	if err == nil {
		m.key, err = parseKey(secret)
	}
	if err != nil {
		return fault.Invalidf("witness.name", "%q is not a name for a key", name).On("--name").Remedy("leave out spaces and plus signs")
	}
	m.state = state{Format: 1, Key: m.key.public(), Logs: []seen{}}
	if err := m.save(m.state); err != nil {
		return err
	}
	return m.write(keyFile, []byte(secret+"\n"))
}

// of is the newest checkpoint of a log that was cosigned; zero where there is none.
func (m *memory) of(origin string) (verify.Head, error) {
	i, found := m.place(origin)
	if !found {
		return verify.Head{}, nil
	}
	s := m.state.Logs[i]
	root, err := tlog.ParseHash(s.Root)
	return verify.Head{Origin: origin, Size: s.Size, Root: root}, err
}

func (m *memory) place(origin string) (int, bool) {
	return slices.BinarySearchFunc(m.state.Logs, origin, func(s seen, origin string) int { return strings.Compare(s.Origin, origin) })
}

// keep makes a checkpoint the newest of its log. It is durable when keep
// returns; after an error nobody knows, and the witness must not go on.
func (m *memory) keep(head verify.Head, note []byte) error {
	next := m.state
	next.Logs = slices.Clone(next.Logs)
	s := seen{Origin: head.Origin, Size: head.Size, Root: head.Root.String(), Note: string(note)}
	if i, found := m.place(head.Origin); found {
		next.Logs[i] = s
	} else {
		next.Logs = slices.Insert(next.Logs, i, s)
	}
	return m.save(next)
}

// forget lets the log begin anew, and keeps what was there with the reason.
func (m *memory) forget(origin, reason string, now time.Time) (seen, error) {
	i, found := m.place(origin)
	if !found {
		return seen{}, fault.New(fault.NotFound, "witness.unknown-log", fmt.Sprintf("this witness has cosigned nothing of %.200q", origin))
	}
	next := m.state
	old := next.Logs[i]
	next.Logs = slices.Delete(slices.Clone(next.Logs), i, i+1)
	next.Forgotten = append(slices.Clone(next.Forgotten), forgotten{old, now.UTC(), reason})
	return old, m.save(next)
}

func (m *memory) save(next state) error {
	b, err := json.MarshalIndent(next, "", "\t")
	if err != nil {
		return fmt.Errorf("encode what the witness saw: %w", err)
	}
	if err := m.write(stateFile, append(b, '\n')); err != nil {
		return err
	}
	m.state = next
	return nil
}

// write replaces a file whole: a crash leaves the old one or the new one.
func (m *memory) write(name string, b []byte) error {
	f, err := os.CreateTemp(m.dir, ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(m.dir, name))
	}
	if err == nil {
		err = syncDirectory(m.dir)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, errors.Join(err, removed(f.Name())))
	}
	return nil
}

func removed(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// syncDirectory makes a rename durable. Windows has no way to, and does it by itself.
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

// read is a file that its owner alone may use.
func (m *memory) read(name string) ([]byte, error) {
	path := filepath.Join(m.dir, name)
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fault.Invalidf("witness.permissions", "a file of the witness is open to others").
			At(fault.Position{File: path}).Because(fmt.Sprintf("its mode is %04o", info.Mode().Perm())).Remedy("chmod 600 " + path)
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, m.damaged(name, "it is no file, or too long")
	}
	return os.ReadFile(path)
}

func (m *memory) damaged(name, why string) error {
	return fault.New(fault.Unverified, "witness.damaged", "the witness's "+name+" cannot be read").
		At(fault.Position{File: filepath.Join(m.dir, name)}).Because(why).Remedy("restore it from a backup that is not older than its newest cosignature")
}

func (m *memory) lost(name, why string) error {
	return fault.New(fault.NotFound, "witness.lost", "the witness's "+name+" is missing").
		At(fault.Position{File: filepath.Join(m.dir, name)}).Because(why).
		Remedy("restore it from a backup that is not older than its newest cosignature, or begin another witness, with another key, in another directory")
}
