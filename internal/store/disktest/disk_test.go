package disktest_test

import (
	"fmt"
	"testing"

	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/disktest"
)

// What was committed is there after a loss of power; on a disk that lies, it is not.
func TestLosesPower(t *testing.T) {
	for _, lies := range []bool{false, true} {
		lost := 0
		for seed := range uint64(20) {
			dir := t.TempDir()
			d := disktest.New(t, dir, seed)
			db, err := store.Open(t.Context(), store.Options{Data: dir})
			if err != nil {
				t.Fatal(err)
			}
			if lies {
				d.Lie()
			}
			for i := range 10 {
				err := db.InTx(t.Context(), func(tx *store.Tx) error {
					_, err := tx.Exec(t.Context(), "INSERT INTO leases (name, holder, until) VALUES ($1, '', 0)", fmt.Sprint(i))
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			d.Cut()
			_ = db.Close()
			d.Restart()
			db, err = store.Open(t.Context(), store.Options{Data: dir})
			if err != nil {
				t.Fatal(err)
			}
			var n int
			err = db.ReadTx(t.Context(), func(tx *store.Tx) error {
				return tx.QueryRow(t.Context(), "SELECT count(*) FROM leases").Scan(&n)
			})
			if err != nil {
				t.Fatal(err)
			}
			if n < 10 {
				lost++
			}
			_ = db.Close()
		}
		if (lost > 0) != lies {
			t.Errorf("a disk that lies: %v; lost %d of 20", lies, lost)
		}
	}
}
