package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
)

// silence is how long a subscription may say nothing: three heartbeats.
const silence = 45 * time.Second

// newsBytes bounds a line of news, and nearly all of its lines together.
const newsBytes = 1 << 20

// Changes subscribes to what is new after a number of facts (0 is from now on)
// and calls fn for each piece of news until ctx ends or fn fails, whose error
// it returns. Where the line breaks it subscribes again from where it was, and
// gives up after a minute without an answer.
func (c *Client) Changes(ctx context.Context, after uint64, fn func(News) error) error {
	broken := time.Time{}
	for {
		heard := false
		err := c.subscribe(ctx, after, func(n News) error {
			heard, after = true, max(after, n.Next)
			if len(n.Streams) == 0 {
				return nil // a heartbeat
			}
			return fn(n)
		})
		var stop *stopped
		switch {
		case errors.As(err, &stop):
			return stop.err
		case ctx.Err() != nil:
			return interrupted(ctx)
		case err != nil && !again(err):
			return err
		case heard || broken.IsZero():
			broken = time.Now()
		case time.Since(broken) > time.Minute:
			return err
		}
		select {
		case <-ctx.Done():
			return interrupted(ctx)
		case <-time.After(time.Second):
		}
	}
}

func again(err error) bool {
	k := fault.KindOf(err)
	return k == fault.Unavailable || k == fault.Busy || k == fault.Internal
}

// stopped is the error of a subscriber who wants no more.
type stopped struct{ err error }

// Error is the subscriber's own.
func (s *stopped) Error() string { return s.err.Error() }

func (c *Client) subscribe(ctx context.Context, after uint64, fn func(News) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	quiet := time.AfterFunc(silence, cancel)
	defer quiet.Stop()
	q := get("/changes", nil)
	if after > 0 {
		q.query = values("after", strconv.FormatUint(after, 10))
	}
	response, err := c.request(ctx, q)
	if err != nil {
		_, err = c.unreached(ctx, err)
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		_, err := refusal(response)
		return err
	}
	return events(response.Body, func(data []byte) error {
		quiet.Reset(silence)
		var n News
		if err := strict.DecodeOpen(data, &n); err != nil {
			return err
		}
		if err := fn(n); err != nil {
			return &stopped{err}
		}
		return nil
	})
}

// events calls fn with the data of each server-sent event; comments are
// heartbeats, which count as empty news.
func events(r io.Reader, fn func(data []byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), newsBytes)
	var data []byte
	for lines.Scan() {
		line := lines.Bytes()
		rest, isData := bytes.CutPrefix(line, []byte("data:"))
		switch {
		case isData && len(data) > newsBytes:
			return fault.New(fault.TooLarge, "client.news", "a piece of news is too long")
		case isData:
			data = append(data, bytes.TrimPrefix(rest, []byte(" "))...)
		case len(line) == 0 && len(data) > 0:
			if err := fn(data); err != nil {
				return err
			}
			data = data[:0]
		case bytes.HasPrefix(line, []byte(":")):
			if err := fn([]byte("{}")); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}
