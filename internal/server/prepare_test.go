package server

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"
)

// Nobody is answered before what the server starts with stands: whoever waits
// for readiness finds the administrator's token, the catalog and the link.
func TestNothingIsAnsweredBeforeItIsPrepared(t *testing.T) {
	s, err := Open(t.Context(), quiet(Options{Data: t.TempDir(), Listen: "127.0.0.1:0"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	answered := make(chan error, 1)
	l, err := s.listen(t.Context(), func(url string) error {
		go func() {
			r, err := http.Get(url + "/readyz")
			if err == nil {
				err = r.Body.Close()
			}
			answered <- err
		}()
		select {
		case err := <-answered:
			t.Errorf("answered before: %v", err)
		case <-time.After(200 * time.Millisecond):
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Errorf("whoever waited was not answered: %v", err)
	}
	if err := l.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	wrong := errors.New("no")
	if _, err := s.listen(t.Context(), func(string) error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("what cannot be prepared serves: %v", err)
	}
}
