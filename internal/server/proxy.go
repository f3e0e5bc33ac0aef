package server

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// behindProxy gives requests the address that the proxy in front saw: the last
// entry of X-Forwarded-For, the only one that the proxy itself wrote. It is
// used only where the operator says that there is a proxy; anybody could write
// the header otherwise. Addresses limit rates and nothing else.
func behindProxy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if values := r.Header.Values("X-Forwarded-For"); len(values) > 0 {
			hops := strings.Split(values[len(values)-1], ",")
			if a, err := netip.ParseAddr(strings.TrimSpace(hops[len(hops)-1])); err == nil {
				r = r.Clone(r.Context())
				r.RemoteAddr = net.JoinHostPort(a.String(), "0")
			}
		}
		next.ServeHTTP(w, r)
	})
}
