package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/api"
	"signalbox.dev/signalbox/internal/wire"
)

// However many ask whether the server is ready, it looks once a second; what is
// wrong is in the log once for as long as it lasts, under the reference that
// everybody is shown.
func TestReadinessIsSharedAndToldOnce(t *testing.T) {
	h := raise(t, sqlite(t))
	var looks atomic.Int64
	var away atomic.Bool
	var log journalOfErrors
	handler, err := api.New(api.Options{
		Control: h.control, Journal: h.control.Journal, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Published: func(context.Context) ([]wire.Check, error) {
			looks.Add(1)
			if away.Load() {
				return nil, errors.New("the table is away")
			}
			return []wire.Check{{Name: "witnesses", OK: true}}, nil
		},
	})
	must(t, err)
	ask := func() (int, wire.Readiness) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
		var r wire.Readiness
		if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
			t.Error(err)
		}
		return w.Code, r
	}
	began := time.Now()
	var all sync.WaitGroup
	for range 300 {
		all.Go(func() {
			if code, r := ask(); code != http.StatusOK || !r.Ready || len(r.Checks) != 7 || r.Checks[0].Name != "serving" || r.Checks[6].Name != "witnesses" {
				t.Errorf("%d %+v", code, r)
			}
		})
	}
	all.Wait()
	if n, most := looks.Load(), 1+int64(time.Since(began)/time.Second); n < 1 || n > most {
		t.Errorf("%d looks for 300 questions in %s", n, time.Since(began))
	}
	if log.String() != "" {
		t.Errorf("all is well, and the log says %s", log.String())
	}
	// until asks on until the server has looked so many times more.
	until := func(more int64) (r wire.Readiness) {
		for end := looks.Load() + more; looks.Load() < end; time.Sleep(20 * time.Millisecond) {
			_, r = ask()
		}
		return r
	}
	away.Store(true)
	last := until(3).Checks[6]
	_, reference, _ := strings.Cut(last.Detail, "see the log, reference ")
	if last.OK || reference == "" || strings.Contains(last.Detail, "table") {
		t.Errorf("%+v", last)
	}
	away.Store(false)
	until(2)
	for line, want := range map[string]int{"not ready": 1, "error=\"the table is away\"": 1, reference: 1, "ready again": 1, "\n": 2} {
		if got := strings.Count(log.String(), line); got != want {
			t.Errorf("%d times %q in\n%s", got, line, log.String())
		}
	}
}
