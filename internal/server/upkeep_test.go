package server

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/settings"
	"signalbox.dev/signalbox/internal/steward"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
	"signalbox.dev/signalbox/internal/upkeep"
)

// places are an installation on each store.
func places(t *testing.T) map[string]func() Options {
	return map[string]func() Options{
		"sqlite":   func() Options { return quiet(Options{Data: t.TempDir()}) },
		"postgres": func() Options { return quiet(Options{Data: t.TempDir(), Database: storetest.PostgresURL(t)}) },
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// said appends one fact, a person who is described, and returns its position.
func said(t *testing.T, s *Server, name string) uint64 {
	t.Helper()
	id := control.NewID()
	r, err := s.Journal.Append(t.Context(), journal.Command{Actor: "system/test", Auth: "local", Source: "test", Facts: []event.Draft{{
		Stream: event.StreamOf(access.PersonNoun, id), Kind: event.PersonDescribed, Body: access.Person{ID: id}, Private: map[string]string{"name": name},
	}}})
	ok(t, err)
	return r.First
}

// A backup that is taken while facts arrive has every fact that was
// acknowledged before it began, and the originals; restored on either store, it
// is closed, verifies, and stands as its facts make it.
func TestBackupUnderWrites(t *testing.T) {
	rounds := 2
	if os.Getenv("SIGNALBOX_PROVE") == "full" {
		rounds = 100
	}
	for from, source := range places(t) {
		t.Run(from, func(t *testing.T) {
			o := source()
			s, err := Open(t.Context(), o)
			ok(t, err)
			original, _, err := s.originals.Put(t.Context(), strings.NewReader("an original"))
			ok(t, err)
			said(t, s, original)
			var acked atomic.Uint64
			stop, writers := make(chan struct{}), sync.WaitGroup{}
			for w := range 4 {
				writers.Go(func() {
					for i := 0; ; i++ {
						select {
						case <-stop:
							return
						default:
							p := said(t, s, fmt.Sprint(w, i))
							for old := acked.Load(); p > old && !acked.CompareAndSwap(old, p); old = acked.Load() {
							}
						}
					}
				})
			}
			var file string
			var report upkeep.Report
			for i := range rounds {
				before := acked.Load()
				file = filepath.Join(t.TempDir(), fmt.Sprint(i))
				report, err = upkeep.Keep(t.Context(), file, s.backup, upkeep.Checking{Keys: s.Control.Keys.PublicText(), Shapes: control.Shapes()})
				ok(t, err)
				if report.Head.Size <= before || report.Files != 1 || len(report.Lost) > 0 {
					t.Errorf("%d facts, %d were acknowledged; %d originals, lost %v", report.Head.Size, before+1, report.Files, report.Lost)
				}
			}
			close(stop)
			writers.Wait()
			ok(t, s.Close())
			for to, target := range places(t) {
				t.Run("to "+to, func(t *testing.T) { restored(t, target(), keysOf(o), file, report) })
			}
		})
	}
}

func keysOf(o Options) string { return o.withDefaults().Keys }

func restored(t *testing.T, o Options, keys, file string, taken upkeep.Report) {
	o.Keys = filepath.Join(t.TempDir(), "keys")
	ok(t, upkeep.CopyKeys(keys, o.Keys))
	order := steward.RestoreOptions{Store: settings.Store{Data: o.Data, Database: o.Database, Keys: o.Keys}, File: file}
	r, err := restore(t.Context(), order)
	ok(t, err)
	if r.Facts != taken.Head.Size || r.Digest != taken.Digest {
		t.Errorf("%+v", r)
	}
	if _, err := restore(t.Context(), order); fault.KindOf(err) != fault.Conflict {
		t.Errorf("over a journal: %v", err)
	}
	s, err := Open(t.Context(), o)
	ok(t, err)
	defer func() { ok(t, s.Close()) }()
	ok(t, s.Journal.CheckRebuild(t.Context(), func(string, uint64, uint64) {}))
	if size, err := s.Journal.Size(t.Context()); err != nil || size != taken.Head.Size+1 {
		t.Errorf("%d facts, %v", size, err)
	}
	_, err = s.Journal.Append(t.Context(), journal.Command{Actor: "system/test", Auth: "local", Source: "test", Facts: []event.Draft{{
		Stream: "service/x", Kind: event.ServiceDescribed, Body: struct{}{},
	}}})
	if fault.KindOf(err) != fault.Unavailable || s.Journal.Writable() == nil {
		t.Errorf("a restored journal takes facts: %v", err)
	}
	found, err := upkeep.CheckRebuilt(t.Context(), s.Journal, control.Shapes(), func(string, uint64, uint64) {})
	ok(t, err)
	if len(found.Differences) > 0 || found.Rows == 0 {
		t.Errorf("%d rows, %v", found.Rows, found.Differences)
	}
	tampered(t, s, found)
}

// tampered changes what stands: every change is told, and a rebuild mends all.
func tampered(t *testing.T, s *Server, before upkeep.Rebuilt) {
	ok(t, s.DB.InTx(t.Context(), func(tx *store.Tx) error {
		for _, query := range []string{
			"UPDATE streams SET version = version + 1 WHERE stream = (SELECT min(stream) FROM streams)",
			"DELETE FROM view_people WHERE id = (SELECT min(id) FROM view_people)",
			"UPDATE view_people SET position = position + 100000 WHERE id = (SELECT max(id) FROM view_people)",
		} {
			if _, err := tx.Exec(t.Context(), query); err != nil {
				return err
			}
		}
		return nil
	}))
	none := func(string, uint64, uint64) {}
	found, err := upkeep.CheckRebuilt(t.Context(), s.Journal, control.Shapes(), none)
	ok(t, err)
	if len(found.Differences) != 3 {
		t.Errorf("3 changes, told: %v", found.Differences)
	}
	ok(t, upkeep.Rebuild(t.Context(), s.Journal, none))
	found, err = upkeep.CheckRebuilt(t.Context(), s.Journal, control.Shapes(), none)
	ok(t, err)
	if len(found.Differences) != 0 || found.Rows != before.Rows {
		t.Errorf("after a rebuild: %v", found.Differences)
	}
}

// unpacked is what a backup says. Of what is packed, some bytes say nothing (a
// header's) or the same in other words (a distance to the same bytes elsewhere).
func unpacked(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	ok(t, err)
	all, err := io.ReadAll(z)
	ok(t, err)
	return all
}

// No backup that was cut off or of which a byte has changed is taken for whole,
// unless it says the very same.
func TestBackupIsCheckedToItsLastByte(t *testing.T) {
	s, err := Open(t.Context(), quiet(Options{Data: t.TempDir()}))
	ok(t, err)
	defer func() { ok(t, s.Close()) }()
	_, _, err = s.originals.Put(t.Context(), strings.NewReader("an original"))
	ok(t, err)
	said(t, s, "Ada Example")
	var b bytes.Buffer
	ok(t, s.backup(t.Context(), &b))
	check := func(b []byte) (upkeep.Report, error) {
		return upkeep.Check(t.Context(), bytes.NewReader(b), upkeep.Checking{Keys: s.Control.Keys.PublicText(), Shapes: control.Shapes()})
	}
	_, err = check(b.Bytes())
	ok(t, err)
	for at := 0; at < b.Len(); at += 1 + b.Len()/300 {
		if _, err := check(b.Bytes()[:at]); fault.KindOf(err) != fault.Unverified {
			t.Errorf("cut off at %d: %v", at, err)
		}
		changed := bytes.Clone(b.Bytes())
		changed[at] ^= 0x10
		if _, err := check(changed); err == nil && !bytes.Equal(unpacked(t, changed), unpacked(t, b.Bytes())) {
			t.Errorf("changed at %d: taken for whole", at)
		}
	}
	if _, err := check(append(bytes.Clone(b.Bytes()), 0)); fault.KindOf(err) != fault.Unverified {
		t.Errorf("with something after its end: %v", err)
	}
	own, err := Open(t.Context(), quiet(Options{Data: t.TempDir()}))
	ok(t, err)
	defer func() { ok(t, own.Close()) }()
	_, err = upkeep.Check(t.Context(), bytes.NewReader(b.Bytes()), upkeep.Checking{Keys: own.Control.Keys.PublicText(), Shapes: control.Shapes()})
	if fault.KindOf(err) != fault.Unverified {
		t.Errorf("under another installation's keys: %v", err)
	}
	if _, err := upkeep.Keep(t.Context(), filepath.Join(t.TempDir(), "x"), func(_ context.Context, _ io.Writer) error { return errors.New("cut") }, upkeep.Checking{}); err == nil {
		t.Error("a backup that failed is kept")
	}
}
