package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/wire"
)

// Bounds of readiness.
const (
	skewMax     = 30 * time.Second // between the database's clock and ours
	unsignedMax = 2 * time.Minute  // age of the oldest fact that no checkpoint covers
)

func (a *api) health() []operation {
	return []operation{
		serve(operation{id: "alive", path: "/livez", root: true, need: public, gives: "text/plain", about: "The process answers"},
			func(c *call) error { return c.plain([]byte("alive\n")) }),
		serve(operation{
			id: "ready", path: "/readyz", root: true, need: public, gives: "application/json",
			params: []param{{name: "always", kind: "integer", about: "200: answer with this status also where the server is not ready"}},
			about:  "The server can do its work: 200, or 503 with what is missing",
		}, ready),
		serve(operation{id: "metrics", path: "/metrics", root: true, need: access.Read, gives: "text/plain", about: "What Prometheus reads"},
			func(c *call) error {
				if c.Metrics == nil {
					return fault.New(fault.NotFound, "api.no-metrics", "nothing is measured here")
				}
				c.Metrics.ServeHTTP(c.w, c.r)
				return nil
			}),
		ask(operation{id: "version", path: "/version", root: true, need: public, about: "Which build answers"},
			func(c *call) (wire.Version, error) { return wire.Version{Version: c.Version, API: "v1"}, nil }),
		serve(operation{id: "openapi", path: "/openapi.json", root: true, need: public, gives: "application/openapi+json", about: "This description"},
			func(c *call) error {
				c.w.Header().Set("Content-Type", "application/openapi+json")
				_, _ = c.w.Write(c.openAPI)
				return nil
			}),
	}
}

func ready(c *call) error {
	r := wire.Readiness{Ready: true}
	for _, check := range []struct {
		name string
		run  func(context.Context) error
	}{{"serving", c.serving}, {"clock", c.clock}, {"append", func(context.Context) error { return c.Journal.Writable() }}, {"keys", c.Control.CheckKeys}, {"checkpoints", c.covered}, {"views", c.folded}} {
		err := check.run(c.ctx)
		one := wire.Check{Name: check.name, OK: err == nil}
		if err != nil {
			one.Detail = c.detail(err)
		}
		// A list that lags is shown as such and stops nobody.
		r.Ready = r.Ready && (one.OK || check.name == "views")
		r.Checks = append(r.Checks, one)
	}
	r.Checks = append(r.Checks, c.published()...)
	code := http.StatusOK
	if !r.Ready && c.text("always") != "200" {
		code = http.StatusServiceUnavailable
		c.w.Header().Set("Retry-After", "5")
	}
	write(c.w, code, "application/json", r)
	return nil
}

// published is how those stand who hold the journal to its checkpoints. One that
// is away stops nobody; one that has seen another journal has stopped it: see append.
func (c *call) published() []wire.Check {
	if c.Published == nil {
		return nil
	}
	checks, err := c.Published(c.ctx)
	if err != nil {
		return []wire.Check{{Name: "published", Detail: c.detail(err)}}
	}
	return checks
}

// serving fails once the server has been told to stop.
func (c *call) serving(context.Context) error {
	select {
	case <-c.Closing:
		return fault.New(fault.Unavailable, "ready.stopping", "the server is about to stop")
	default:
		return nil
	}
}

// detail is what anybody may read of a failed check; the rest is in the log.
func (c *call) detail(err error) string {
	c.Log.Warn("not ready", "reference", idOf(c.ctx), "error", err)
	if k := fault.KindOf(err); k != fault.Internal {
		return err.Error()
	}
	return "see the log, reference " + idOf(c.ctx)
}

// clock checks that the database answers and its clock agrees with ours.
func (c *call) clock(ctx context.Context) error {
	var clock journal.Clock
	err := c.Journal.Snapshot(ctx, func(s *journal.Snapshot) (err error) {
		clock, err = s.Clock(ctx)
		return err
	})
	if err != nil {
		return fault.New(fault.Unavailable, "ready.database", "the database does not answer").Cause(err)
	}
	if err := clock.Sure(); err != nil {
		return err
	}
	if skew := c.Now().Sub(clock.Now).Abs(); skew > skewMax {
		return fault.New(fault.Unavailable, "ready.clock", fmt.Sprintf("the database's clock differs by %s", skew.Round(time.Second)))
	}
	return nil
}

// covered checks that what was recorded is soon under a signed checkpoint.
func (c *call) covered(ctx context.Context) error {
	_, oldest, err := c.Journal.Unsigned(ctx)
	if err != nil || oldest == 0 {
		return err
	}
	if age := c.Now().Sub(oldest.Time()); age > unsignedMax {
		return fault.New(fault.Unavailable, "ready.checkpoint", fmt.Sprintf("no checkpoint has been signed for %s", age.Round(time.Second)))
	}
	return nil
}

func (c *call) folded(ctx context.Context) error {
	views, err := c.Journal.Views(ctx)
	if err != nil {
		return err
	}
	var stale []string
	for _, v := range views {
		if v.Stale != "" {
			stale = append(stale, v.Name)
		}
	}
	if len(stale) > 0 {
		return fault.New(fault.Unavailable, "ready.views", "these lists lag behind: "+strings.Join(stale, ", "))
	}
	return nil
}
