package disktest

import (
	"context"
	"database/sql/driver"
	"path/filepath"
	"strings"
	"sync"
	"unsafe"

	"modernc.org/libc"
	sqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// files is the virtual file system: every disk by its directory, every open
// file by the number that its C structure holds.
type files struct {
	original uintptr // the file system of everything that is on no disk of ours
	methods  uintptr // of files on our disks

	mu    sync.Mutex
	disks map[string]*Disk
	open  map[uintptr]*file
	last  uintptr
	kept  []any // the functions whose addresses C has
}

// system registers the file system, once a process, in the place of the
// original: what is on no disk of ours is handed on to that.
var system = sync.OnceValue(register)

// cFile is a file as SQLite has room for it.
type cFile struct {
	methods uintptr
	number  uintptr
}

// at is the memory at an address of C's.
func at[T any](address uintptr) *T { return (*T)(*(*unsafe.Pointer)(unsafe.Pointer(&address))) }

func bytesAt(address uintptr, n int) []byte { return unsafe.Slice(at[byte](address), n) }

// set makes a field of a C structure the address of a function of Go's, which
// must then stay.
func set[F any](s *files, field *uintptr, f F) {
	s.kept = append(s.kept, f)
	*(*F)(unsafe.Pointer(field)) = f
}

func register() *files {
	tls := libc.NewTLS()
	s := &files{disks: map[string]*Disk{}, open: map[uintptr]*file{}}
	if rc := sqlite3.Xsqlite3_initialize(tls); rc != sqlite3.SQLITE_OK {
		panic("SQLite does not start")
	}
	s.original = sqlite3.Xsqlite3_vfs_find(tls, 0)
	s.methods = libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_io_methods{})))
	*at[sqlite3.Tsqlite3_io_methods](s.methods) = s.fileMethods()
	name, err := libc.CString("disktest")
	if err != nil {
		panic(err)
	}
	address := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_vfs{})))
	v := at[sqlite3.Tsqlite3_vfs](address)
	*v = *at[sqlite3.Tsqlite3_vfs](s.original)
	v.FzName, v.FpNext, v.FszOsFile = name, 0, max(v.FszOsFile, int32(unsafe.Sizeof(cFile{})))
	set(s, &v.FxOpen, s.xOpen)
	set(s, &v.FxDelete, s.xDelete)
	set(s, &v.FxAccess, s.xAccess)
	if rc := sqlite3.Xsqlite3_vfs_register(tls, address, 1); rc != sqlite3.SQLITE_OK {
		panic("SQLite takes no file system")
	}
	sqlite.RegisterConnectionHook(s.connected)
	return s
}

// connected weakens a new connection to a disk that says so.
func (s *files) connected(c sqlite.ExecQuerierContext, dsn string) error {
	path, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(dsn, "file://"), "file:"), "?")
	d := s.disk(path)
	if d == nil {
		return nil
	}
	d.mu.Lock()
	weak := d.weak
	d.mu.Unlock()
	if weak == "" {
		return nil
	}
	_, err := c.ExecContext(context.Background(), "PRAGMA synchronous = "+weak, []driver.NamedValue{})
	return err
}

func (s *files) mount(d *Disk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disks[d.dir] = d
}

func (s *files) unmount(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.disks, dir)
}

// disk is the disk that a path is on, or nil.
func (s *files) disk(path string) *Disk {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.disks[filepath.Dir(path)]
}

func (s *files) add(f *file) uintptr {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.open[s.last] = f
	return s.last
}

// file is the open file of a C structure.
func (s *files) file(pFile uintptr) *file {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[at[cFile](pFile).number]
}

func (s *files) remove(pFile uintptr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, at[cFile](pFile).number)
}

func (s *files) xOpen(tls *libc.TLS, _, zName, pFile uintptr, flags int32, pOut uintptr) int32 {
	var d *Disk
	if zName != 0 {
		d = s.disk(libc.GoString(zName))
	}
	if d == nil {
		open := at[sqlite3.Tsqlite3_vfs](s.original).FxOpen
		return call[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](&open)(tls, s.original, zName, pFile, flags, pOut)
	}
	c := at[cFile](pFile)
	c.methods = 0
	f, rc := d.open(libc.GoString(zName), flags)
	if rc != sqlite3.SQLITE_OK {
		return rc
	}
	c.methods, c.number = s.methods, s.add(f)
	if pOut != 0 {
		*at[int32](pOut) = flags
	}
	return sqlite3.SQLITE_OK
}

// call is the function at an address of C's.
func call[F any](address *uintptr) F { return *(*F)(unsafe.Pointer(address)) }

func (s *files) xDelete(tls *libc.TLS, _, zName uintptr, dirSync int32) int32 {
	if d := s.disk(libc.GoString(zName)); d != nil {
		return d.remove(libc.GoString(zName), dirSync != 0)
	}
	f := at[sqlite3.Tsqlite3_vfs](s.original).FxDelete
	return call[func(*libc.TLS, uintptr, uintptr, int32) int32](&f)(tls, s.original, zName, dirSync)
}

func (s *files) xAccess(tls *libc.TLS, _, zName uintptr, flags int32, pOut uintptr) int32 {
	if d := s.disk(libc.GoString(zName)); d != nil {
		*at[int32](pOut) = d.exists(libc.GoString(zName))
		return sqlite3.SQLITE_OK
	}
	f := at[sqlite3.Tsqlite3_vfs](s.original).FxAccess
	return call[func(*libc.TLS, uintptr, uintptr, int32, uintptr) int32](&f)(tls, s.original, zName, flags, pOut)
}
