package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *app) policyDeactivate() *cobra.Command {
	cmd := a.online("deactivate", "Put the policy in force out of force: every answer is cannot tell", func(ctx context.Context, c call, client *wire.Client) error {
		done, err := client.DeactivatePolicy(ctx, wire.Reasoned{Reason: c.text("reason")})
		return c.done(done, err, "deactivated %s %s: every answer is cannot tell until another policy takes effect", done.Name, done.Version)
	})
	reasoned(cmd)
	return cmd
}

func (a *app) policyReplay() *cobra.Command {
	cmd := a.online("replay", "Decide the recorded history again under a policy that is not active, and print what flips", func(ctx context.Context, c call, client *wire.Client) error {
		return c.policyReplay(ctx, client)
	})
	cmd.Long = "Decide the recorded history again under a policy that is not active, and print what\n" +
		"flips by gate, service and team, and how the releases turned out. Nothing is recorded,\n" +
		"and the policy's tests need not pass. It ends with 0 whatever flips."
	cmd.Flags().String("candidate", "", "directory of the policy to try")
	cmd.Flags().String("since", "", "only decisions since: days as in 30d, hours as in 12h, or an instant in RFC 3339")
	require(cmd, "candidate")
	return cmd
}

func (c call) policyReplay(ctx context.Context, client *wire.Client) error {
	since, err := c.ago("since", time.Now())
	if err != nil {
		return err
	}
	p, err := program(c.text("candidate"))
	if err != nil {
		return err
	}
	zone, err := c.zone()
	if err != nil {
		return err
	}
	q := wire.ReplayRequest{Since: since}
	for _, f := range p.Files() {
		q.Files = append(q.Files, wire.PolicyFile{Name: f.Name, Data: string(f.Data)})
	}
	found := terminal.Replay{Flips: []wire.ReplayFlip{}}
	progress := c.meter("replayed")
	found.Summary, err = client.Replay(ctx, q, func(e wire.ReplayEvent) error {
		switch {
		case e.Flip != nil:
			found.Flips = append(found.Flips, *e.Flip)
		case e.Progress != nil:
			progress.at(e.Progress.Done, e.Progress.Total)
		}
		return nil
	})
	progress.end()
	if err != nil {
		return err
	}
	return c.print(found, func(w io.Writer) error { return terminal.PrintReplay(w, found, client.Server(), zone) })
}

// ago reads a flag that holds an instant, or how long before now it was.
func (c call) ago(name string, now time.Time) (time.Time, error) {
	s := c.text(name)
	if days, is := strings.CutSuffix(s, "d"); is {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.AddDate(0, 0, -int(n)).UTC(), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d).UTC(), nil
	}
	t, err := c.instant(name)
	if err != nil {
		err = fault.Invalidf("cli.instant", "--%s is neither a span nor an instant: %q", name, s).On("--" + name).
			Remedy("write it as in 30d, 12h, or 2026-12-24T18:00:00+01:00")
	}
	return t, err
}

// meter says how far a long task is: on a terminal in one line that is written
// over, elsewhere with a line now and then.
type meter struct {
	call
	what  string
	live  bool
	shown bool
	last  time.Time
}

func (c call) meter(what string) *meter {
	return &meter{call: c, what: what, live: watched(c.Err), last: time.Now()}
}

func (m *meter) at(done, total uint64) {
	every := heartbeat
	if m.live {
		every = 100 * time.Millisecond
	}
	if time.Since(m.last) < every && done < total || total == 0 || !m.live && done == total {
		return
	}
	m.last = time.Now()
	text := fmt.Sprintf("%s %d of %d facts, %d %%", m.what, done, total, 100*done/total)
	if !m.live {
		m.note("%s", text)
		return
	}
	_, _ = io.WriteString(m.Err, "\r\x1b[K"+text)
	m.shown = true
}

// end takes the line away.
func (m *meter) end() {
	if m.shown {
		_, _ = io.WriteString(m.Err, "\r\x1b[K")
	}
}
