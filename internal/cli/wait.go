package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/activation"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/halt"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

// heartbeat is how often a wait says that it still waits.
const heartbeat = 30 * time.Second

// await asks the gate until it answers go or no-go, or the time is up. It asks
// again only where something that the decision rests on has changed, or where
// the decision itself said until when it holds.
func (c call) await(ctx context.Context, client *wire.Client, q wire.GateRequest) (wire.Answer, error) {
	limit, err := c.flags.GetDuration("timeout")
	if err != nil {
		return wire.Answer{}, err
	}
	page, err := client.Facts(ctx, 0, 1) // what comes after this position is news
	if err != nil {
		return wire.Answer{}, err
	}
	answer, err := client.Ask(ctx, q)
	if err != nil || final(answer) {
		return answer, err
	}
	watching, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	w := waiting{call: c, client: client, q: q, answer: answer, news: make(chan wire.News, 16), ended: make(chan error, 1)}
	go func() {
		w.ended <- client.Changes(watching, page.Size, func(n wire.News) error {
			select {
			case w.news <- n:
				return nil
			case <-watching.Done():
				return watching.Err()
			}
		})
	}()
	err = w.loop(ctx, watching)
	return w.answer, err
}

// final reports an answer that waiting does not change by itself, or that lets the pipeline go on.
func final(a wire.Answer) bool {
	v := terminal.Verdict(a.Decision.Verdict)
	return v == policy.Go || v == policy.NoGo || !a.Decision.Enforced && a.Decision.Observe != nil
}

// waiting is one wait for an answer.
type waiting struct {
	call
	client *wire.Client
	q      wire.GateRequest
	answer wire.Answer
	news   chan wire.News
	ended  chan error // of the subscription
}

func (w *waiting) loop(ctx, watching context.Context) error {
	w.tell()
	began := time.Now()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for !final(w.answer) {
		select {
		case <-ctx.Done():
			w.resume()
			return ctx.Err()
		case <-watching.Done():
			w.note("the time limit is reached, and the answer is still %s", terminal.Verdict(w.answer.Decision.Verdict).Words())
			w.resume()
			return nil
		case err := <-w.ended:
			if watching.Err() == nil {
				return err
			}
		case n := <-w.news:
			if !slices.ContainsFunc(n.Streams, w.relevant) {
				continue
			}
			if err := w.ask(ctx); err != nil {
				return err
			}
		case <-w.lapse():
			if err := w.ask(ctx); err != nil {
				return err
			}
		case <-beat.C:
			w.note("still %s after %s", terminal.Verdict(w.answer.Decision.Verdict).Words(), terminal.Span(time.Since(began)))
		}
	}
	return nil
}

// lapse fires when the decision no longer holds; never where it does not say.
func (w *waiting) lapse() <-chan time.Time {
	until := w.answer.Decision.Until
	if until.IsZero() {
		return nil
	}
	return time.After(max(time.Until(until), time.Second))
}

func (w *waiting) ask(ctx context.Context) error {
	answer, err := w.client.Ask(ctx, w.q)
	if err != nil {
		return err
	}
	changed := answer.Decision.ID != w.answer.Decision.ID
	w.answer = answer
	if changed && !final(answer) {
		w.tell()
	}
	return nil
}

// tell says what the wait is for.
func (w *waiting) tell() {
	blocking, _, _, _ := terminal.Sorted(w.answer.Decision.Reasons)
	w.note("%s: %s", terminal.Verdict(w.answer.Decision.Verdict).Words(), terminal.Sentence(w.answer.Decision, terminal.Verdict(w.answer.Decision.Verdict)))
	for _, r := range blocking {
		w.note("  %s: %s", r.Gate, r.Why)
	}
}

// resume prints how to go on waiting later.
func (w *waiting) resume() {
	w.note("resume with: signalbox gate --wait --service %s --version %s --digest %s --environment %s",
		w.q.Service, w.q.Version, w.q.Digest, w.q.Environment)
}

// relevant reports whether a decision about this version may rest on a stream.
func (w *waiting) relevant(stream string) bool {
	d := w.answer.Decision
	switch s := event.Stream(stream); s {
	case event.SetCatalog, event.SetFreezes, event.SetGrants, activation.Stream, halt.Stream,
		event.StreamOf("release", d.Release), event.StreamOf("artifact", strings.TrimPrefix(d.Digest, "sha256:")):
		return true
	}
	return d.Permit != "" && stream == string(event.StreamOf("permit", d.Permit))
}
