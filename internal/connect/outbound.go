// Package connect holds what the rooms below it share: how to reach the world
// outside without being led anywhere else.
//
// It leaves what is said there to them. Its invariant: a connection is made
// only to an address that was allowed, checked after its name was resolved.
package connect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"syscall"
	"time"

	"signalbox.dev/signalbox/internal/fault"
)

// Outbound says what a client may reach.
type Outbound struct {
	Private bool          // addresses of this machine and of private networks too
	CA      string        // file of certificates (PEM) that are trusted besides the system's
	Timeout time.Duration // of a whole request
}

// Client is a client for HTTP that follows no redirect, uses no proxy and
// connects to no address that is not allowed, whatever a name resolves to.
func Client(o Outbound) (*http.Client, error) {
	roots, err := trusted(o.CA)
	if err != nil {
		return nil, err
	}
	dialler := &net.Dialer{Timeout: 10 * time.Second, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		return o.admits(address)
	}}
	return &http.Client{
		Timeout:       o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialler.DialContext, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: o.Timeout, MaxResponseHeaderBytes: 32 << 10,
			MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
		},
	}, nil
}

func trusted(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.Invalidf("outbound.ca", "the certificates %s cannot be read", file).Because(err.Error())
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fault.Invalidf("outbound.ca", "%s holds no certificate", file).Remedy("give a file in the form PEM")
	}
	return roots, nil
}

// closed are networks that lead elsewhere than they seem to, or nowhere: shared
// by a carrier, translated from IPv4, reserved (RFC 6598, 6052, 3056, 1112).
var closed = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"),
}

// admits refuses an address that was resolved, host:port, unless it is allowed.
// Addresses of the link, where clouds answer with secrets, never are.
func (o Outbound) admits(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("the address %.100q cannot be read: %w", address, err)
	}
	ip := at.Addr().Unmap().WithZone("")
	never := ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast()
	for _, network := range closed {
		never = never || network.Contains(ip)
	}
	if never || !o.Private && (ip.IsPrivate() || ip.IsLoopback()) {
		return fault.New(fault.Forbidden, "outbound.address", "the address "+ip.String()+" is not allowed").
			Because("it is not one of the public network")
	}
	return nil
}
