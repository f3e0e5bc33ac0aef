// Package doctor says what is misconfigured between a machine and its server,
// why, and how to fix it. It reads, and changes nothing.
package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/settings"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

const (
	within   = 15 * time.Second // for all of it
	skewMax  = 30 * time.Second
	soonOver = 7 * 24 * time.Hour
)

// Finding is what one check found.
type Finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	What  string `json:"what"`
	Why   string `json:"why,omitempty"`
	Fix   string `json:"fix,omitempty"`
}

// Table prints findings.
func Table(findings []Finding) func(io.Writer) error {
	return func(w io.Writer) error {
		for _, f := range findings {
			mark := "✓ ok"
			if !f.OK {
				mark = "✗ wrong"
			}
			text := fmt.Sprintf("%s: %s: %s\n", mark, terminal.Clean(f.Check), terminal.Clean(f.What))
			for _, part := range [][2]string{{"why", f.Why}, {"fix", f.Fix}} {
				if part[1] != "" {
					text += "    " + part[0] + ": " + terminal.Clean(part[1]) + "\n"
				}
			}
			if _, err := io.WriteString(w, text); err != nil {
				return err
			}
		}
		return nil
	}
}

func good(check, format string, args ...any) Finding {
	return Finding{Check: check, OK: true, What: fmt.Sprintf(format, args...)}
}

// bad is a finding made of an error.
func bad(check string, err error) Finding {
	f := Finding{Check: check, What: err.Error()}
	var e *fault.Error
	if errors.As(err, &e) {
		f.What, f.Why, f.Fix = e.What, e.Why, cmp.Or(e.Fix, "mend that, and run signalbox doctor again")
	}
	return f
}

// Patient is the way from a machine to the server.
type Patient struct {
	Settings func() (server settings.Value, err error) // where the server is; an error says what is wrong with the settings
	Anyone   func() (*wire.Client, error)              // without a token
	Holder   func() (*wire.Client, error)              // with the token; nil where none is configured
	CA       []byte                                    // PEM of further certificates; nil for none
	Version  string                                    // of this program
	Stamp    func(time.Time) string
}

// Examine looks at the way to the server, as far as it leads.
func Examine(ctx context.Context, p Patient) []Finding {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var findings []Finding
	if server, err := p.Settings(); err != nil {
		findings = append(findings, bad("settings", err))
	} else {
		findings = append(findings, good("settings", "the server is %s, from %s", server.Text, server.Origin))
	}
	anyone, err := p.Anyone()
	if err != nil {
		return append(findings, bad("server", err))
	}
	v, err := anyone.Version(ctx)
	if err != nil {
		return append(findings, bad("server", err))
	}
	findings = append(findings, good("server", "%s answers, version %s", anyone.Server(), v.Version))
	if v.Version != p.Version {
		findings = append(findings, Finding{
			Check: "version", What: fmt.Sprintf("this program is %s, the server %s", cmp.Or(p.Version, "unknown"), v.Version),
			Why: "commands may ask for what the other side does not know", Fix: "install the same version on both sides",
		})
	} else {
		findings = append(findings, good("version", "the same on both sides"))
	}
	return append(findings, p.clock(ctx, anyone.Server()), ready(ctx, anyone), p.token(ctx))
}

func ready(ctx context.Context, client *wire.Client) Finding {
	r, err := client.Ready(ctx)
	if err != nil {
		return bad("readiness", err)
	}
	var wrong []string
	for _, check := range r.Checks {
		if !check.OK {
			wrong = append(wrong, check.Name+": "+check.Detail)
		}
	}
	if !r.Ready {
		return Finding{Check: "readiness", What: "the server is not ready", Why: strings.Join(wrong, "; "), Fix: "run signalbox doctor --local on its machine"}
	}
	return good("readiness", "%s, all good", terminal.Count(len(r.Checks), "check", "checks"))
}

// clock compares our clock with the server's, as its answers state it to the second.
func (p Patient) clock(ctx context.Context, server string) Finding {
	date, err := p.serverDate(ctx, server)
	if err != nil {
		return Finding{Check: "clock", What: "the server's clock cannot be read", Why: err.Error(), Fix: "look at what stands between here and the server"}
	}
	if skew := time.Since(date).Abs(); skew > skewMax {
		return Finding{
			Check: "clock", What: "the clocks differ by " + terminal.Span(skew),
			Why: "permits are checked against this machine's clock", Fix: "synchronise both clocks (NTP)",
		}
	}
	return good("clock", "no more than %s apart", terminal.Span(skewMax))
}

func (p Patient) serverDate(ctx context.Context, server string) (time.Time, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/livez", nil)
	if err != nil {
		return time.Time{}, fmt.Errorf("ask for the time: %w", err)
	}
	over := http.DefaultTransport.(*http.Transport).Clone()
	defer over.CloseIdleConnections()
	if p.CA != nil {
		over.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		over.TLSClientConfig.RootCAs.AppendCertsFromPEM(p.CA)
	}
	answer, err := over.RoundTrip(r)
	if err != nil {
		return time.Time{}, fmt.Errorf("ask for the time: %w", err)
	}
	_ = answer.Body.Close()
	return http.ParseTime(answer.Header.Get("Date"))
}

func (p Patient) token(ctx context.Context) Finding {
	if p.Holder == nil {
		return Finding{Check: "token", What: "no token is configured", Why: "all but a few commands need one", Fix: "give --token-file FILE, or set SIGNALBOX_TOKEN_FILE"}
	}
	client, err := p.Holder()
	if err != nil {
		return bad("token", err)
	}
	m, err := client.Me(ctx)
	if err != nil {
		return bad("token", err)
	}
	if left := time.Until(m.Expires); !m.Expires.IsZero() && left < soonOver {
		return Finding{Check: "token", What: "the token ends in " + terminal.Span(left), Why: "after that nothing works with it", Fix: "signalbox token issue --out FILE"}
	}
	return good("token", "speaks for %s, until %s", cmp.Or(m.Name, m.Subject), p.Stamp(m.Expires))
}
