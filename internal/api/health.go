package api

import (
	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/wire"
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
