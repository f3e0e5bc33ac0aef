package disktest

import (
	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// locks is who holds the locks of a file.
type locks struct {
	readers  int   // files at SHARED and above
	reserved *file // the one at RESERVED and above
	pending  *file // the one that waits for the readers to go, or has seen them gone
}

// memory is the memory that the connections to one database share.
type memory struct {
	users   int
	regions []uintptr
	held    [sqlite3.SQLITE_SHM_NLOCK]int32 // readers of each lock, -1 for one writer
}

func (s *files) xLock(_ *libc.TLS, pFile uintptr, level int32) int32 {
	f := s.file(pFile)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.level >= level {
		return sqlite3.SQLITE_OK
	}
	l := &f.node.locks
	busy := func(by *file) bool { return by != nil && by != f }
	switch {
	case level == sqlite3.SQLITE_LOCK_SHARED:
		if busy(l.pending) {
			return sqlite3.SQLITE_BUSY
		}
		l.readers++
	case busy(l.reserved) || busy(l.pending):
		return sqlite3.SQLITE_BUSY
	case level == sqlite3.SQLITE_LOCK_RESERVED:
		l.reserved = f
	default:
		l.reserved, l.pending = f, f
		if l.readers > 1 {
			f.level = sqlite3.SQLITE_LOCK_PENDING
			return sqlite3.SQLITE_BUSY
		}
	}
	f.level = level
	return sqlite3.SQLITE_OK
}

func (s *files) xUnlock(_ *libc.TLS, pFile uintptr, level int32) int32 {
	f := s.file(pFile)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.unlock(level)
	return sqlite3.SQLITE_OK
}

func (f *file) unlock(level int32) {
	l := &f.node.locks
	if f.level <= level {
		return
	}
	if l.reserved == f {
		l.reserved = nil
	}
	if l.pending == f {
		l.pending = nil
	}
	if level == sqlite3.SQLITE_LOCK_NONE {
		l.readers--
	}
	f.level = level
}

func (s *files) xCheckReservedLock(_ *libc.TLS, pFile, pOut uintptr) int32 {
	f := s.file(pFile)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	*at[int32](pOut) = 0
	if f.node.locks.reserved != nil {
		*at[int32](pOut) = 1
	}
	return sqlite3.SQLITE_OK
}

func (s *files) xShmMap(tls *libc.TLS, pFile uintptr, region, size, extend int32, pOut uintptr) int32 {
	f := s.file(pFile)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	m := f.node.shared
	if m == nil {
		m = &memory{}
		f.node.shared = m
	}
	if !f.mapped {
		f.mapped = true
		m.users++
	}
	*at[uintptr](pOut) = 0
	for int(region) >= len(m.regions) {
		if extend == 0 {
			return sqlite3.SQLITE_OK
		}
		m.regions = append(m.regions, libc.Xcalloc(tls, 1, libc.Tsize_t(size)))
	}
	*at[uintptr](pOut) = m.regions[region]
	return sqlite3.SQLITE_OK
}

func (s *files) xShmLock(_ *libc.TLS, pFile uintptr, first, n, flags int32) int32 {
	f := s.file(pFile)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	m := f.node.shared
	exclusive := flags&sqlite3.SQLITE_SHM_EXCLUSIVE != 0
	for i := first; flags&sqlite3.SQLITE_SHM_LOCK != 0 && i < first+n; i++ {
		if f.own[i] == 0 && (m.held[i] < 0 || exclusive && m.held[i] > 0) {
			return sqlite3.SQLITE_BUSY
		}
	}
	for i := first; i < first+n; i++ {
		switch {
		case flags&sqlite3.SQLITE_SHM_UNLOCK != 0:
			m.held[i] -= f.own[i]
			f.own[i] = 0
		case f.own[i] != 0:
		case exclusive:
			m.held[i], f.own[i] = -1, -1
		default:
			m.held[i]++
			f.own[i] = 1
		}
	}
	return sqlite3.SQLITE_OK
}

func (s *files) xShmBarrier(_ *libc.TLS, pFile uintptr) {
	f := s.file(pFile)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
}

func (s *files) xShmUnmap(tls *libc.TLS, pFile uintptr, _ int32) int32 {
	f := s.file(pFile)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.unmap(tls)
	return sqlite3.SQLITE_OK
}

// unmap gives up a file's part of the shared memory; with the last part it goes.
func (f *file) unmap(tls *libc.TLS) {
	m := f.node.shared
	if !f.mapped {
		return
	}
	f.mapped = false
	for i, own := range f.own {
		m.held[i] -= own
	}
	clear(f.own[:])
	if m.users--; m.users == 0 {
		for _, region := range m.regions {
			libc.Xfree(tls, region)
		}
		f.node.shared = nil
	}
}
