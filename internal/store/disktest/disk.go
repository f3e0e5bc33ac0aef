// Package disktest is a disk in memory under SQLite's files, which can lose
// power, fill up, fail and lie. It is for tests alone.
//
// It knows what a disk may do with writes that were not synced; it leaves what
// must survive to its callers. It is a virtual file system registered with the
// very driver that the product ships, so that pragmas, statements and code are
// the product's own. Its invariant: after a loss of power a file holds, sector
// by sector, what was last synced or something written since, and nothing that
// was synced over.
package disktest

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// SectorBytes is the unit in which a write is torn.
const SectorBytes = 512

// Op is something that SQLite asks of a disk.
type Op int

// What can be made to fail.
const (
	Read Op = iota
	Write
	Sync
	Truncate
	Delete
	Create
	ops
)

// Disk is the disk under one directory. What SQLite opens there is kept here,
// everything else in the directory stays where it is.
type Disk struct {
	dir string

	mu     sync.Mutex
	random *rand.Rand
	now    map[string]*inode // the directory as the processes see it
	safe   map[string]*inode // the directory as it is after a loss of power, but for doubts
	doubts []string          // names made or removed since the directory was synced

	off      bool
	cut      int // changes until the power goes, 0 for never
	changes  int
	lies     bool
	room     int // bytes in all, 0 for no end
	readOnly bool
	failing  [ops]failure
	weak     string
}

// failure makes calls fail: the next skip pass, then count fail.
type failure struct{ skip, count int }

// New is an empty disk under dir, which exists, until the test ends or another
// takes its place. What happens by chance follows from seed.
func New(t testing.TB, dir string, seed uint64) *Disk {
	t.Helper()
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { system().unmount(real) })
	return mounted(real, seed)
}

func mounted(dir string, seed uint64) *Disk {
	d := &Disk{
		dir: dir, random: rand.New(rand.NewPCG(seed, 0)),
		now: map[string]*inode{}, safe: map[string]*inode{},
	}
	system().mount(d)
	return d
}

// Clone is a disk in the place of d with what d holds now, all of it synced,
// until another takes its place.
func (d *Disk) Clone(seed uint64) *Disk {
	c := mounted(d.dir, seed)
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, n := range d.now {
		c.now[name] = newInode(n.data)
		c.safe[name] = c.now[name]
	}
	return c
}

// CutAfter lets the power go at the nth change from now: it may come through,
// in part or not, and every call after it fails until Restart.
func (d *Disk) CutAfter(n int) { d.set(func() { d.cut = d.changes + n }) }

// Mount puts d back in its place.
func (d *Disk) Mount() { system().mount(d) }

// Empty is a disk in the place of d that holds nothing.
func (d *Disk) Empty(seed uint64) *Disk { return mounted(d.dir, seed) }

// File is what the file of a name in the directory holds.
func (d *Disk) File(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.now[filepath.Join(d.dir, name)]; n != nil {
		return slices.Clone(n.data)
	}
	return nil
}

// Put gives the disk a file, synced.
func (d *Disk) Put(name string, data []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := newInode(data)
	d.now[filepath.Join(d.dir, name)], d.safe[filepath.Join(d.dir, name)] = n, n
}

// Cut lets the power go now.
func (d *Disk) Cut() { d.set(func() { d.off = true }) }

// Lie makes every later sync a promise that is not kept.
func (d *Disk) Lie() { d.set(func() { d.lies = true }) }

// Room is how many bytes fit from now on; 0 is without end.
func (d *Disk) Room(bytes int) { d.set(func() { d.room = bytes }) }

// ReadOnly makes the disk one that takes nothing any more, as a kernel does
// with a file system that has shown errors, or one that does again.
func (d *Disk) ReadOnly(yes bool) { d.set(func() { d.readOnly = yes }) }

// Fail lets skip calls of op pass, makes the next count fail, and no more. A
// sync that fails has dropped what it was to write: the file shows it, the disk
// will never hold it.
func (d *Disk) Fail(op Op, skip, count int) {
	d.set(func() { d.failing[op] = failure{skip: skip, count: count} })
}

// Weaken sets PRAGMA synchronous on every connection opened from now on: the
// control that must lose.
func (d *Disk) Weaken(synchronous string) { d.set(func() { d.weak = synchronous }) }

// Off reports whether the power has gone.
func (d *Disk) Off() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.off
}

// Changes is how many changes were asked for so far.
func (d *Disk) Changes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changes
}

// Used is how many bytes the files have.
func (d *Disk) Used() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.used()
}

func (d *Disk) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

func (d *Disk) used() int {
	all := 0
	for _, n := range d.now {
		all += len(n.data)
	}
	return all
}

// Restart gives the power back: the disk holds what survived, and nothing
// fails any more. Whoever had files open must have closed them.
func (d *Disk) Restart() {
	d.mu.Lock()
	defer d.mu.Unlock()
	fate := fates[d.random.IntN(len(fates))]
	for _, name := range d.doubts {
		if fate == drop || fate != keep && d.random.IntN(2) == 0 {
			continue // as the directory was last synced
		}
		if n, stands := d.now[name]; stands {
			d.safe[name] = n
		} else {
			delete(d.safe, name)
		}
	}
	survivors := map[string]*inode{}
	for _, name := range sorted(d.safe) {
		survivors[name] = newInode(d.safe[name].survive(fate, d.random))
	}
	d.now, d.safe = survivors, map[string]*inode{}
	for name, n := range survivors {
		d.safe[name] = n
	}
	d.doubts, d.off, d.cut, d.lies, d.room, d.readOnly, d.failing, d.weak = nil, false, 0, false, 0, false, [ops]failure{}, ""
}

func sorted(m map[string]*inode) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// verdict is what becomes of a call.
type verdict int

const (
	passes verdict = iota
	fails
	goesDark // the power goes while it runs
)

// ask says what becomes of a call of op.
func (d *Disk) ask(op Op) verdict {
	if d.off {
		return fails
	}
	if f := &d.failing[op]; f.skip > 0 {
		f.skip--
	} else if f.count > 0 {
		f.count--
		return fails
	}
	if op == Read {
		return passes
	}
	if d.readOnly {
		return fails
	}
	if d.changes++; d.cut > 0 && d.changes >= d.cut {
		d.off = true
		return goesDark
	}
	return passes
}
