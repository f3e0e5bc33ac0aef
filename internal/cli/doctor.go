package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/dossier"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/settings"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

const (
	doctorTime = 15 * time.Second
	mostSkew   = 30 * time.Second
	soonOver   = 7 * 24 * time.Hour
)

func (a *app) doctor() *cobra.Command {
	cmd := a.command("doctor", "Say what is misconfigured, why, and how to fix it", func(ctx context.Context, c call) error {
		findings := c.examine(ctx)
		if c.is("local") {
			if a.local.Doctor == nil {
				return absent("doctor --local")
			}
			store, err := c.store()
			if err != nil {
				return err
			}
			findings = a.local.Doctor(ctx, store)
		}
		if err := c.print(findings, findingsTable(findings)); err != nil {
			return err
		}
		if slices.ContainsFunc(findings, func(f Finding) bool { return !f.OK }) {
			return exitVerdict{fault.Exit(fault.Invalid)}
		}
		return nil
	})
	cmd.Long = "Examine the way from here to the server: settings, connection, versions, clock, token.\n" +
		"With --local it examines the server's own machine: data, keys, database.\n" +
		"It ends with 0 where nothing is wrong, and with 2 otherwise."
	cmd.Flags().Bool("local", false, "examine the data directory or database on this machine")
	bind(cmd.Flags(), storeNames...)
	return cmd
}

func findingsTable(findings []Finding) func(io.Writer) error {
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
		f.What, f.Why, f.Fix = e.What, e.Why, orElse(e.Fix, "mend that, and run signalbox doctor again")
	}
	return f
}

// examine looks at the way to the server, as far as it leads.
func (c call) examine(ctx context.Context) []Finding {
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	findings := []Finding{c.examineSettings()}
	anyone, err := c.visitor("")
	if err != nil {
		return append(findings, bad("server", err))
	}
	v, err := anyone.Version(ctx)
	if err != nil {
		return append(findings, bad("server", err))
	}
	findings = append(findings, good("server", "%s answers, version %s", anyone.Server(), v.Version))
	if v.Version != c.local.Version {
		findings = append(findings, Finding{
			Check: "version", What: fmt.Sprintf("this program is %s, the server %s", orElse(c.local.Version, "unknown"), v.Version),
			Why: "commands may ask for what the other side does not know", Fix: "install the same version on both sides",
		})
	} else {
		findings = append(findings, good("version", "the same on both sides"))
	}
	findings = append(findings, c.examineClock(ctx, anyone.Server()), c.examineReady(ctx, anyone))
	return append(findings, c.examineToken(ctx)...)
}

func (c call) examineSettings() Finding {
	if _, set := c.Env("SIGNALBOX_TOKEN"); set {
		return bad("settings", openSecret("the variable SIGNALBOX_TOKEN"))
	}
	server, err := c.settings.Resolve(settings.Of("server"), c.flags)
	if err != nil {
		return bad("settings", err)
	}
	return good("settings", "the server is %s, from %s", server.Text, server.Origin)
}

func (c call) examineReady(ctx context.Context, client *wire.Client) Finding {
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

// examineClock compares our clock with the server's, as its answers state it to the second.
func (c call) examineClock(ctx context.Context, server string) Finding {
	date, err := c.serverDate(ctx, server)
	if err != nil {
		return Finding{Check: "clock", What: "the server's clock cannot be read", Why: err.Error(), Fix: "look at what stands between here and the server"}
	}
	if skew := time.Since(date).Abs(); skew > mostSkew {
		return Finding{
			Check: "clock", What: "the clocks differ by " + terminal.Span(skew),
			Why: "permits are checked against this machine's clock", Fix: "synchronise both clocks (NTP)",
		}
	}
	return good("clock", "no more than %s apart", terminal.Span(mostSkew))
}

func (c call) serverDate(ctx context.Context, server string) (time.Time, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/livez", nil)
	if err != nil {
		return time.Time{}, fmt.Errorf("ask for the time: %w", err)
	}
	over := http.DefaultTransport.(*http.Transport).Clone()
	defer over.CloseIdleConnections()
	if path := c.setting("ca"); path != "" {
		pem, err := readFile(path, dossier.MaxInput)
		if err != nil {
			return time.Time{}, err
		}
		over.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		over.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem)
	}
	answer, err := over.RoundTrip(r)
	if err != nil {
		return time.Time{}, fmt.Errorf("ask for the time: %w", err)
	}
	_ = answer.Body.Close()
	return http.ParseTime(answer.Header.Get("Date"))
}

func (c call) examineToken(ctx context.Context) []Finding {
	if c.setting("token-file") == "" {
		return []Finding{{Check: "token", What: "no token is configured", Why: "all but a few commands need one", Fix: "give --token-file FILE, or set SIGNALBOX_TOKEN_FILE"}}
	}
	client, err := c.client()
	if err != nil {
		return []Finding{bad("token", err)}
	}
	m, err := client.Me(ctx)
	if err != nil {
		return []Finding{bad("token", err)}
	}
	if left := time.Until(m.Expires); !m.Expires.IsZero() && left < soonOver {
		return []Finding{{Check: "token", What: "the token ends in " + terminal.Span(left), Why: "after that nothing works with it", Fix: "signalbox token issue --out FILE"}}
	}
	return []Finding{good("token", "speaks for %s, until %s", orElse(m.Name, m.Subject), c.stamp(m.Expires))}
}
