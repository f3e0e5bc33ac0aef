package health

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox.dev/signalbox/internal/fault"
)

// A thousand who ask while the answer is being found, and a thousand who come
// within a second of it, are one question; the next is a new one.
func TestOneAnswerForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Shared[int]
		questions := 0
		slow := func(context.Context) (int, error) {
			questions++
			time.Sleep(3 * time.Second)
			return questions, errors.New("as well")
		}
		crowd := func(want int) {
			t.Helper()
			var all sync.WaitGroup
			for range 1000 {
				all.Go(func() {
					if got, err := s.Ask(t.Context(), slow); got != want || err == nil || err.Error() != "as well" {
						t.Errorf("%d, %v; want %d", got, err, want)
					}
				})
			}
			all.Wait()
		}
		crowd(1)
		time.Sleep(fresh - time.Nanosecond)
		crowd(1)
		time.Sleep(time.Nanosecond)
		crowd(2)
		if questions != 2 {
			t.Errorf("%d questions", questions)
		}
	})
}

// Whoever gives up neither breaks the question off for others nor waits on; who
// asks and never ends is broken off.
func TestGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Shared[string]
		patiently := func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "asked to the end", nil
		}
		first, giveUp := context.WithCancel(t.Context())
		began := time.Now()
		var all sync.WaitGroup
		all.Go(func() { _, _ = s.Ask(first, patiently) })
		synctest.Wait()
		all.Go(func() {
			if got, err := s.Ask(t.Context(), patiently); err != nil || got != "asked to the end" {
				t.Errorf("who waited: %q, %v", got, err)
			}
		})
		giveUp()
		if _, err := s.Ask(first, patiently); !errors.Is(err, context.Canceled) || time.Since(began) > 0 {
			t.Errorf("who gave up: %v after %s", err, time.Since(began))
		}
		all.Wait()
		if took := time.Since(began); took != patient {
			t.Errorf("it took %s", took)
		}
	})
}

// Where the question panics, the next gets an answer.
func TestPanic(t *testing.T) {
	var s Shared[int]
	func() {
		defer func() { _ = recover() }()
		_, _ = s.Ask(t.Context(), func(context.Context) (int, error) { panic("by a mistake") })
	}()
	if _, err := s.Ask(t.Context(), nil); fault.KindOf(err) != fault.Internal {
		t.Errorf("%v", err)
	}
}

func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := Outage{Log: slog.New(slog.NewTextHandler(&log, nil)), Level: slog.LevelWarn, Fault: "cannot be read", Over: "is read again"}
		away, rotten := fault.New(fault.Unavailable, "test.away", "away"), fault.New(fault.Unverified, "test.rotten", "rotten")
		var told []bool
		for _, err := range []error{nil, away, fmt.Errorf("again: %w", away), away, rotten, rotten, nil, nil, away, nil} {
			time.Sleep(time.Second)
			told = append(told, o.Note(t.Context(), err, "head", 1))
		}
		if want := "[false true false false true false false false true false]"; fmt.Sprint(told) != want {
			t.Errorf("told %v", told)
		}
		for line, want := range map[string]int{
			`level=WARN msg="cannot be read" head=1 error=away`: 2, `level=WARN msg="cannot be read" head=1 error=rotten`: 1,
			`level=INFO msg="is read again" head=1 after=5s tries=5`: 1, `after=1s tries=1`: 1, "\n": 5,
		} {
			if got := strings.Count(log.String(), line); got != want {
				t.Errorf("%d times %q in\n%s", got, line, log.String())
			}
		}
	})
}
