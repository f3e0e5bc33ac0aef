package overhttp

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"signalbox.dev/signalbox/bench/gate"
)

// maxDocument bounds a document that is asked about, in bytes.
const maxDocument = 1 << 20

// Serve answers documents of facts as OPA's server does: a document in the request,
// the whole decision in the answer, nothing kept. The product has no such call, as
// it takes nobody's word for facts; this is its evaluator behind the same door.
func Serve(ctx context.Context, address string) error {
	program, err := gate.Bundle(false)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /decide", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDocument))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		d, err := gate.GateJSON(b, program)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(d) // whoever asked has gone
	})
	s := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stopped <- s.Shutdown(context.WithoutCancel(ctx))
	}()
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
