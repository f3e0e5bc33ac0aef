//go:build linux

package journal_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// While a synchronous standby is away nothing is acknowledged that only the
// server itself has; once it is back, what was sent is recorded once.
func TestStandbyAway(t *testing.T) {
	server := storetest.NewKillable(t)
	db, err := store.Open(t.Context(), store.Options{Database: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	k := start(t, db, nil)
	if _, err := k.Append(t.Context(), keyed("before")); err != nil {
		t.Fatal(err)
	}
	demand := func(standby string) {
		conn, err := pgx.Connect(t.Context(), server.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(context.Background()) }()
		for _, q := range []string{"ALTER SYSTEM SET synchronous_standby_names = '" + standby + "'", "SELECT pg_reload_conf()"} {
			if _, err := conn.Exec(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(500 * time.Millisecond)
	}
	demand("away")
	began := time.Now()
	r, err := k.Append(t.Context(), keyed("meanwhile"))
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != "journal.unknown" {
		t.Errorf("acknowledged without the standby: %+v, %v", r, err)
	}
	t.Logf("the standby was away: answered after %v", time.Since(began).Round(time.Second))
	demand("")
	if _, err := k.Append(t.Context(), keyed("meanwhile")); err != nil {
		t.Errorf("sent again: %v", err)
	}
	if v, c := k.load(t, counterStream("k")); v != 2 || c.Sum != 2 {
		t.Errorf("version %d, sum %d of two commands", v, c.Sum)
	}
}
