package disktest

import (
	"slices"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// file is an open file.
type file struct {
	disk    *Disk
	node    *inode
	dirSync bool // its first sync syncs the directory, as SQLite does with a new log
	level   int32
	mapped  bool // it has its part of the shared memory
	own     [sqlite3.SQLITE_SHM_NLOCK]int32
}

func (d *Disk) open(name string, flags int32) (*file, int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, stands := d.now[name]
	if d.off {
		return nil, sqlite3.SQLITE_CANTOPEN
	}
	if !stands {
		if flags&sqlite3.SQLITE_OPEN_CREATE == 0 || d.ask(Create) != passes {
			return nil, sqlite3.SQLITE_CANTOPEN
		}
		n = newInode(nil)
		d.now[name] = n
		if flags&sqlite3.SQLITE_OPEN_MAIN_DB != 0 {
			d.safe[name] = n // the store has made it, and synced the directory
		} else {
			d.doubts = append(d.doubts, name)
		}
	}
	logs := int32(sqlite3.SQLITE_OPEN_WAL | sqlite3.SQLITE_OPEN_MAIN_JOURNAL | sqlite3.SQLITE_OPEN_SUPER_JOURNAL)
	return &file{disk: d, node: n, dirSync: flags&logs != 0}, sqlite3.SQLITE_OK
}

func (d *Disk) remove(name string, dirSync bool) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, stands := d.now[name]; !stands {
		return sqlite3.SQLITE_IOERR_DELETE_NOENT
	}
	switch d.ask(Delete) {
	case fails:
		return sqlite3.SQLITE_IOERR_DELETE
	case goesDark:
		delete(d.now, name)
		d.doubts = append(d.doubts, name)
		return sqlite3.SQLITE_IOERR_DELETE
	case passes:
	}
	delete(d.now, name)
	d.doubts = append(d.doubts, name)
	if dirSync {
		d.settle()
	}
	return sqlite3.SQLITE_OK
}

// settle syncs the directory.
func (d *Disk) settle() {
	if d.lies {
		return
	}
	for _, name := range d.doubts {
		if n, stands := d.now[name]; stands {
			d.safe[name] = n
		} else {
			delete(d.safe, name)
		}
	}
	d.doubts = nil
}

func (d *Disk) exists(name string) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, stands := d.now[name]; stands && !d.off {
		return 1
	}
	return 0
}

func (s *files) fileMethods() (m sqlite3.Tsqlite3_io_methods) {
	m.FiVersion = 2
	set(s, &m.FxClose, s.xClose)
	set(s, &m.FxRead, s.xRead)
	set(s, &m.FxWrite, s.xWrite)
	set(s, &m.FxTruncate, s.xTruncate)
	set(s, &m.FxSync, s.xSync)
	set(s, &m.FxFileSize, s.xFileSize)
	set(s, &m.FxLock, s.xLock)
	set(s, &m.FxUnlock, s.xUnlock)
	set(s, &m.FxCheckReservedLock, s.xCheckReservedLock)
	set(s, &m.FxFileControl, func(*libc.TLS, uintptr, int32, uintptr) int32 { return sqlite3.SQLITE_NOTFOUND })
	set(s, &m.FxSectorSize, func(*libc.TLS, uintptr) int32 { return 4096 })
	set(s, &m.FxDeviceCharacteristics, func(*libc.TLS, uintptr) int32 { return sqlite3.SQLITE_IOCAP_POWERSAFE_OVERWRITE })
	set(s, &m.FxShmMap, s.xShmMap)
	set(s, &m.FxShmLock, s.xShmLock)
	set(s, &m.FxShmBarrier, s.xShmBarrier)
	set(s, &m.FxShmUnmap, s.xShmUnmap)
	return m
}

func (s *files) xClose(tls *libc.TLS, pFile uintptr) int32 {
	f := s.file(pFile)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.unmap(tls)
	f.unlock(sqlite3.SQLITE_LOCK_NONE)
	s.remove(pFile)
	return sqlite3.SQLITE_OK
}

func (s *files) xRead(_ *libc.TLS, pFile, zBuf uintptr, n int32, offset sqlite3.Tsqlite3_int64) int32 {
	f := s.file(pFile)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.ask(Read) != passes {
		return sqlite3.SQLITE_IOERR_READ
	}
	to := bytesAt(zBuf, int(n))
	got := 0
	if int(offset) < len(f.node.data) {
		got = copy(to, f.node.data[offset:])
	}
	if got < len(to) {
		clear(to[got:])
		return sqlite3.SQLITE_IOERR_SHORT_READ
	}
	return sqlite3.SQLITE_OK
}

func (s *files) xWrite(_ *libc.TLS, pFile, zBuf uintptr, n int32, offset sqlite3.Tsqlite3_int64) int32 {
	f := s.file(pFile)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	c := change{int(offset), slices.Clone(bytesAt(zBuf, int(n)))}
	switch f.disk.ask(Write) {
	case fails:
		return sqlite3.SQLITE_IOERR_WRITE
	case goesDark:
		f.node.do(c)
		return sqlite3.SQLITE_IOERR_WRITE
	case passes:
	}
	if room := f.disk.room; room > 0 {
		more := c.at + len(c.bytes) - len(f.node.data)
		if over := f.disk.used() + more - room; more > 0 && over > 0 {
			if fit := len(c.bytes) - over; fit > 0 {
				f.node.do(change{c.at, c.bytes[:fit]})
			}
			return sqlite3.SQLITE_FULL
		}
	}
	f.node.do(c)
	return sqlite3.SQLITE_OK
}

func (s *files) xTruncate(_ *libc.TLS, pFile uintptr, size sqlite3.Tsqlite3_int64) int32 {
	f := s.file(pFile)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	v := f.disk.ask(Truncate)
	if v == fails {
		return sqlite3.SQLITE_IOERR_TRUNCATE
	}
	f.node.do(change{at: int(size)})
	if v == goesDark {
		return sqlite3.SQLITE_IOERR_TRUNCATE
	}
	return sqlite3.SQLITE_OK
}

func (s *files) xSync(_ *libc.TLS, pFile uintptr, _ int32) int32 {
	return s.file(pFile).sync()
}

func (f *file) sync() int32 {
	d := f.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	switch d.ask(Sync) {
	case fails:
		if !d.off && !d.readOnly {
			f.node.pending = nil // dropped: the disk will never hold it
		}
		return sqlite3.SQLITE_IOERR_FSYNC
	case goesDark:
		return sqlite3.SQLITE_IOERR_FSYNC
	case passes:
	}
	if d.lies {
		return sqlite3.SQLITE_OK
	}
	f.node.sync()
	if f.dirSync {
		f.dirSync = false
		d.settle()
	}
	return sqlite3.SQLITE_OK
}

func (s *files) xFileSize(_ *libc.TLS, pFile, pSize uintptr) int32 {
	f := s.file(pFile)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	*at[int64](pSize) = int64(len(f.node.data))
	return sqlite3.SQLITE_OK
}
