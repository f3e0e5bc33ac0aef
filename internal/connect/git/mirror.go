package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/fault"
)

// MirrorOptions say from where repositories are mirrored, and how much of them.
type MirrorOptions struct {
	Dir        string        // of the mirrors, theirs alone; made where it is absent
	Hosts      []string      // that may be fetched from: host, or host:port; nothing else is
	CA         string        // file of certificates that https trusts instead of the system's; "" is the system's
	Netrc      string        // file of names and passwords for https, by host
	SSHKey     string        // file of the private key for ssh
	KnownHosts string        // file of the keys of hosts for ssh; ssh takes both
	Size       int64         // bytes of one mirror at most
	Total      int64         // bytes of all at most: those unused for longest go first
	Idle       time.Duration // after which a mirror that nobody used goes
	Lease      Lease         // nil: no other process shares Dir
}

// Lease is taken while a mirror changes. Held is false while another has it;
// otherwise it is given back by release.
type Lease func(ctx context.Context, name string) (release func(), held bool, err error)

// Bounds of mirroring.
const (
	fetchTime  = 30 * time.Minute // of one fetch
	patience   = 45 * time.Second // that a caller waits for it; it goes on without
	maxFetches = 2                // at once
	sweepEvery = time.Hour
	maxPacks   = 30 // of a mirror before they are made one
)

// Mirrors keeps clones of repositories elsewhere, and brings one up to date
// whenever it is to be read. Run must run.
type Mirrors struct {
	o     MirrorOptions
	slots chan struct{}
	packs int // maxPacks

	mu   sync.Mutex
	open map[string]*mirror // by name
	life context.Context    // of fetches; ended when Run ends
	end  context.CancelFunc
	work sync.WaitGroup
}

// mirror is one clone. Its lock is held for reading while it is read, and for
// writing while files that a reader may need are taken away.
type mirror struct {
	sync.RWMutex
	address       address // guarded by Mirrors.mu, as the rest
	running, next *fetch
}

// fetch is one time that a mirror is brought up to date.
type fetch struct {
	done chan struct{}
	err  error // once done
}

// NewMirrors checks the options and makes the directory. Close it.
func NewMirrors(o MirrorOptions) (*Mirrors, error) {
	for i, h := range o.Hosts {
		if strings.Contains(h, "@") { // what stands before it may be a secret
			return nil, fault.Invalidf("mirror.host", "a host is named with a user").On("--mirror-hosts").Remedy("write the host alone; names and passwords go into --mirror-netrc")
		}
		if _, err := hostOf(h, ""); err != nil {
			return nil, fault.Invalidf("mirror.host", "%q is no host", h).On("--mirror-hosts").Remedy("write git.example.com, or git.example.com:8443")
		}
		o.Hosts[i] = strings.ToLower(h)
	}
	for flag, path := range map[string]string{"--mirror-ca": o.CA, "--mirror-netrc": o.Netrc, "--mirror-ssh-key": o.SSHKey, "--mirror-known-hosts": o.KnownHosts} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			return nil, fault.Invalidf("mirror.file", "there is no file %s", path).On(flag).Cause(err)
		}
		if secret := flag == "--mirror-netrc" || flag == "--mirror-ssh-key"; secret && info.Mode().Perm()&0o077 != 0 {
			return nil, fault.Invalidf("mirror.file", "others can read %s", path).Because("it is a secret").Remedy("chmod 600 " + path).On(flag)
		}
	}
	dir, err := filepath.Abs(o.Dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("directory of mirrors: %w", err)
	}
	if o.Size <= 0 || o.Total < o.Size || o.Idle <= 0 {
		return nil, fault.Invalidf("mirror.bounds", "the bounds of mirrors cannot be kept").Because("one mirror may be larger than all together, or a bound is not above 0").On("--mirror-size")
	}
	o.Dir = dir
	for _, path := range []*string{&o.CA, &o.Netrc, &o.SSHKey, &o.KnownHosts} {
		if *path != "" {
			if *path, err = filepath.Abs(*path); err != nil {
				return nil, fmt.Errorf("files of mirrors: %w", err)
			}
		}
	}
	m := &Mirrors{o: o, slots: make(chan struct{}, maxFetches), packs: maxPacks, open: map[string]*mirror{}}
	m.life, m.end = context.WithCancel(context.Background())
	return m, nil
}

// Close ends fetches that are under way.
func (m *Mirrors) Close() error {
	m.end()
	m.work.Wait()
	return nil
}

// Run sweeps from time to time until the context ends.
func (m *Mirrors) Run(ctx context.Context) error {
	for {
		if err := m.Sweep(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(sweepEvery):
		}
	}
}

// Inspect is Inspect of the repository at a URL, as it stands there now: the
// mirror is brought up to date first, and what cannot be fetched is not read.
// Faults beside those of Inspect: Invalid for an address that is none,
// Forbidden for a host that is not allowed, Busy while the first fetch takes
// long, Unavailable where the repository cannot be fetched.
func (m *Mirrors) Inspect(ctx context.Context, url string, o Options) (change.Raw, error) {
	a, err := parseAddress(url)
	if err != nil {
		return change.Raw{}, err
	}
	if err := m.allowed(a); err != nil {
		return change.Raw{}, err
	}
	one := m.mirror(a.name())
	if err := m.fresh(ctx, a, one); err != nil {
		return change.Raw{}, err
	}
	raw, err := m.read(ctx, a, one, o)
	if f, ok := errors.AsType[*fault.Error](err); ok && slices.Contains([]string{"git.no-directory", "git.no-repository", "git.unreadable", "git.layout"}, f.Code) {
		if err := m.remove(ctx, a.name()); err != nil {
			return raw, err
		}
		return raw, fault.New(fault.Unavailable, "change.mirror-damaged", "the server's mirror of "+a.String()+" could not be read and was thrown away").
			Because(f.Why).Remedy("ask again: it is fetched anew").Cause(err)
	}
	return raw, err
}

func (m *Mirrors) read(ctx context.Context, a address, one *mirror, o Options) (change.Raw, error) {
	one.RLock()
	defer one.RUnlock()
	o.Repository = filepath.Join(m.o.Dir, a.name())
	o.Within = []string{o.Repository}
	raw, err := Inspect(ctx, o)
	raw.Repository = a.String()
	return raw, err
}

// allowed refuses hosts that no administrator has named.
func (m *Mirrors) allowed(a address) error {
	if !slices.Contains(m.o.Hosts, a.host) && !slices.Contains(m.o.Hosts, a.host+":"+ports[a.scheme]) {
		return fault.New(fault.Forbidden, "change.host", "the server may not fetch from "+a.host).
			Because("it is none of the hosts that --mirror-hosts names").Remedy("an administrator can start the server with --mirror-hosts " + a.host)
	}
	if a.scheme == "ssh" && (m.o.SSHKey == "" || m.o.KnownHosts == "") {
		return fault.Invalidf("change.ssh", "the server cannot fetch by ssh").Because("it has no key, or does not know the keys of hosts").
			Remedy("start it with --mirror-ssh-key and --mirror-known-hosts")
	}
	return nil
}

func (m *Mirrors) mirror(name string) *mirror {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open[name] == nil {
		m.open[name] = &mirror{}
	}
	return m.open[name]
}

// fresh waits until a fetch that began no earlier than now has ended.
func (m *Mirrors) fresh(ctx context.Context, a address, one *mirror) error {
	f := m.join(a, one)
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-f.done:
		return f.err
	case <-wait.Done():
	}
	if err := ctx.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fault.New(fault.Busy, "change.fetching", "the repository is still being fetched").Because("that is the first time, or much has changed").Remedy("ask again in a minute")
}

// join is the next fetch to begin: one that is running may have looked before
// what is asked for was there. Who comes meanwhile shares the next one.
func (m *Mirrors) join(a address, one *mirror) *fetch {
	m.mu.Lock()
	defer m.mu.Unlock()
	one.address = a
	if one.running == nil {
		one.running = &fetch{done: make(chan struct{})}
		m.start(one)
		return one.running
	}
	if one.next == nil {
		one.next = &fetch{done: make(chan struct{})}
	}
	return one.next
}

// start runs the mirror's fetches until none is asked for. Mirrors.mu is held.
func (m *Mirrors) start(one *mirror) {
	a, f := one.address, one.running
	m.work.Go(func() {
		f.err = m.slotted(a, one)
		m.finish(one)
	})
}

// finish ends what was running on a mirror, and starts what was asked for meanwhile.
func (m *Mirrors) finish(one *mirror) {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(one.running.done)
	one.running, one.next = one.next, nil
	if one.running != nil {
		m.start(one)
	}
}

// slotted fetches when it is its turn.
func (m *Mirrors) slotted(a address, one *mirror) error {
	ctx, cancel := context.WithTimeout(m.life, fetchTime)
	defer cancel()
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	case <-ctx.Done():
		return stopped(ctx)
	}
	release, err := m.leased(ctx, a.name())
	if err != nil {
		return err
	}
	first, err := m.update(ctx, a, one)
	release()
	if err == nil && first {
		err = m.Sweep(m.life) // all together may have become too large
	}
	return err
}

func stopped(ctx context.Context) error {
	return fault.New(fault.Unavailable, "change.stopped", "the repository was not fetched").Because("the server stops, or others took too long").Remedy("ask again").Cause(context.Cause(ctx))
}

// leased waits for the lease of a mirror.
func (m *Mirrors) leased(ctx context.Context, name string) (func(), error) {
	if m.o.Lease == nil {
		return func() {}, nil
	}
	for {
		release, held, err := m.o.Lease(ctx, "mirror/"+name)
		if err != nil || held {
			return release, err
		}
		select {
		case <-ctx.Done():
			return nil, stopped(ctx)
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// Sweep removes mirrors of hosts that are no longer allowed, those that nobody
// used for long, and, where all together are too large, those unused for longest.
func (m *Mirrors) Sweep(ctx context.Context) error {
	entries, err := os.ReadDir(m.o.Dir)
	if err != nil {
		return fmt.Errorf("sweep mirrors: %w", err)
	}
	type kept struct {
		name string
		used time.Time
		size int64
	}
	var all []kept
	var total int64
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), suffix) {
			continue
		}
		dir := filepath.Join(m.o.Dir, e.Name())
		url, used := origin(dir)
		a, err := parseAddress(url)
		if err != nil || a.name() != e.Name() || m.allowed(a) != nil || time.Since(used) > m.o.Idle {
			if err := m.remove(ctx, e.Name()); err != nil {
				return err
			}
			continue
		}
		size := weight(dir)
		all, total = append(all, kept{e.Name(), used, size}), total+size
	}
	slices.SortFunc(all, func(a, b kept) int { return a.used.Compare(b.used) })
	for _, k := range all {
		if total <= m.o.Total {
			return nil
		}
		if err := m.remove(ctx, k.name); err != nil {
			return err
		}
		total -= k.size
	}
	return nil
}

// remove takes a mirror away, unless it is being fetched.
func (m *Mirrors) remove(ctx context.Context, name string) error {
	one := m.mirror(name)
	m.mu.Lock()
	if one.running != nil {
		m.mu.Unlock()
		return nil
	}
	one.running = &fetch{done: make(chan struct{})} // who wants to fetch waits
	m.mu.Unlock()
	defer m.finish(one)
	if m.o.Lease != nil {
		release, held, err := m.o.Lease(ctx, "mirror/"+name)
		if err != nil || !held {
			return err
		}
		defer release()
	}
	one.Lock()
	defer one.Unlock()
	if err := os.RemoveAll(filepath.Join(m.o.Dir, name)); err != nil {
		return fmt.Errorf("remove a mirror: %w", err)
	}
	return nil
}

// originFile says where a mirror is from; its time is when it was last used.
const originFile = "signalbox-origin"

func origin(dir string) (url string, used time.Time) {
	path := filepath.Join(dir, originFile)
	b, err := readBounded(path)
	if err != nil {
		return "", used
	}
	if info, err := os.Stat(path); err == nil {
		used = info.ModTime()
	}
	return strings.TrimSpace(string(b)), used
}

// weight is the bytes of the files in a directory; what goes meanwhile weighs nothing.
func weight(dir string) int64 {
	var total int64
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil
		}
		if info, err := e.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	return total
}
