package disktest

import (
	"bytes"
	"testing"

	sqlite3 "modernc.org/sqlite/lib"
)

// What a failed sync was to write never reaches the disk, whatever a later sync
// says: who takes that for good loses with the power.
func TestFailedSyncDrops(t *testing.T) {
	for fate := drop; fate <= garbage; fate++ {
		d := New(t, t.TempDir(), uint64(fate))
		name := d.dir + "/a"
		f, rc := d.open(name, sqlite3.SQLITE_OPEN_CREATE|sqlite3.SQLITE_OPEN_MAIN_DB)
		if rc != sqlite3.SQLITE_OK {
			t.Fatal(rc)
		}
		f.node.do(change{0, []byte("kept")})
		if rc := f.sync(); rc != sqlite3.SQLITE_OK {
			t.Fatal(rc)
		}
		f.node.do(change{4, []byte(" lost")})
		d.Fail(Sync, 0, 1)
		if rc := f.sync(); rc != sqlite3.SQLITE_IOERR_FSYNC {
			t.Fatal(rc)
		}
		if rc := f.sync(); rc != sqlite3.SQLITE_OK {
			t.Fatal(rc)
		}
		if string(f.node.data) != "kept lost" {
			t.Errorf("the file shows %q", f.node.data)
		}
		d.Cut()
		d.Restart()
		if got := d.now[name].data; string(got) != "kept" {
			t.Errorf("after the power went the disk holds %q", got)
		}
	}
}

// After a loss of power each sector is one that was, and what was synced last stays.
func TestScatter(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(200) {
		d := New(t, t.TempDir(), seed)
		f, _ := d.open(d.dir+"/a", sqlite3.SQLITE_OPEN_CREATE|sqlite3.SQLITE_OPEN_MAIN_DB)
		f.node.do(change{0, bytes.Repeat([]byte("a"), 2*SectorBytes)})
		f.sync()
		f.node.do(change{100, bytes.Repeat([]byte("b"), SectorBytes)})
		d.Cut()
		d.Restart()
		got := d.now[d.dir+"/a"].data
		if len(got) != 2*SectorBytes || !bytes.Equal(got[:100], bytes.Repeat([]byte("a"), 100)) {
			t.Fatalf("what was not written over has changed: %q", got)
		}
		seen[string(got[100:101])+string(got[SectorBytes:SectorBytes+1])] = true
	}
	for _, want := range []string{"aa", "ab", "ba", "bb"} {
		if !seen[want] {
			t.Errorf("of 200 torn writes none came out as %q", want)
		}
	}
}
