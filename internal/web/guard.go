package web

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"signalbox.dev/signalbox/internal/fault"
)

// contentPolicy lets a page load what this server sends, and run no script that
// stands in the page itself.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// headers are those of every answer. Referrers stay within the origin: with
// none at all, browsers would send "Origin: null" with our own forms.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// sameOrigin refuses a POST that a page of another origin sent, and one that
// does not say where it comes from: every browser says so.
func (s *site) sameOrigin(next http.Handler) http.Handler {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, fault.New(fault.Forbidden, "web.cross-origin", "this request does not come from a page of this server").
			Because("only its own forms may act here").Remedy("open the page itself and use its button"))
	})
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(refuse)
	guarded := protection.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		safe := r.Method == http.MethodGet || r.Method == http.MethodHead
		if !safe && r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" {
			refuse(w, r)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// How often a sign-in may fail from one address.
const (
	attemptsMax    = 10
	attemptsWithin = 5 * time.Minute
	addressesMax   = 10_000
)

// attempts counts failed sign-ins by address. It is memory alone: a restart
// forgets it, and replicas count apart.
type attempts struct {
	now    func() time.Time
	mu     sync.Mutex
	counts map[string]counted
}

type counted struct {
	failed int
	until  time.Time
}

func newAttempts(now func() time.Time) *attempts {
	return &attempts{now: now, counts: map[string]counted{}}
}

// allowed is nil while the address may try.
func (a *attempts) allowed(r *http.Request) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.counts[address(r)]
	if c.failed < attemptsMax || !a.now().Before(c.until) {
		return nil
	}
	return fault.New(fault.Busy, "web.attempts", "too many attempts to sign in from your address").
		Because("each was refused").Remedy("wait five minutes, then try again with a token that is whole")
}

// failed counts one failure.
func (a *attempts) failed(r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if len(a.counts) >= addressesMax {
		for k, c := range a.counts {
			if !now.Before(c.until) {
				delete(a.counts, k)
			}
		}
	}
	key := address(r)
	c, known := a.counts[key]
	if !known && len(a.counts) >= addressesMax {
		return
	}
	if !now.Before(c.until) {
		c = counted{until: now.Add(attemptsWithin)}
	}
	c.failed++
	a.counts[key] = c
}

// address is whose attempts count together: an IPv4 address, or the 64 bits of
// an IPv6 network, which one caller holds whole.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	ip = ip.Unmap()
	if ip.Is4() {
		return ip.String()
	}
	network, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return host
	}
	return network.String()
}
