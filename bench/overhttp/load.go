package overhttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/bench/measure"
)

// target is what is asked, again and again.
type target struct {
	url   string
	token string // "" for none
	body  func(n int) ([]byte, error)
	holds func(answer []byte) bool // whether an answer is the one that is measured
	cpu   func() (time.Duration, error)
	next  *atomic.Int64 // number of the next request, over all rounds
	most  int           // requests of a round; 0: as many as the budget admits
}

// ask puts the target under load from so many connections, each of which asks
// again when it has its answer. Every answer is looked at.
func (t target) ask(ctx context.Context, budget time.Duration, connections int) (measure.Sample, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}}
	defer client.CloseIdleConnections()
	before, err := t.cpu()
	if err != nil {
		return measure.Sample{}, err
	}
	var running sync.WaitGroup
	var left atomic.Int64
	if left.Store(int64(t.most)); t.most == 0 {
		left.Store(1 << 40)
	}
	taken, failed := make([][]time.Duration, connections), make([]error, connections)
	start := time.Now()
	for i := range connections {
		running.Go(func() {
			for n := 0; (n == 0 || t.most > 0 || time.Since(start) < budget) && left.Add(-1) >= 0; n++ {
				from := time.Now()
				if failed[i] = t.once(ctx, client); failed[i] != nil {
					return
				}
				taken[i] = append(taken[i], time.Since(from))
			}
		})
	}
	running.Wait()
	s := measure.Sample{Wall: time.Since(start)}
	after, err := t.cpu()
	if err := errors.Join(append(failed, err)...); err != nil {
		return s, err
	}
	var every []time.Duration
	for _, some := range taken {
		every = append(every, some...)
	}
	s.Ops, s.CPU = float64(len(every)), after-before
	s.P50, s.P99 = measure.Percentiles(every)
	return s, nil
}

func (t target) once(ctx context.Context, client *http.Client) error {
	body, err := t.body(int(t.next.Add(1)))
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if t.token != "" {
		r.Header.Set("Authorization", "Bearer "+t.token)
	}
	a, err := client.Do(r)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(a.Body)
	if err := errors.Join(err, a.Body.Close()); err != nil {
		return err
	}
	if a.StatusCode != http.StatusOK || !t.holds(answer) {
		return fmt.Errorf("POST %s: %s: %.500s", t.url, a.Status, answer)
	}
	return nil
}
