// Package server puts the rooms together: it opens the database, keys, journal
// and vault, serves the API and the pages, and closes everything again in the
// opposite order.
//
// It holds no rule. Invariant: it listens beyond this machine only over TLS, or
// where its operator says that a proxy provides it.
package server

import (
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/seal"
)

// Options say where the server keeps its data and how it is reached.
type Options struct {
	Data         string // directory of the embedded database, keys and vault
	Database     string // "" for the embedded store, or postgres://…
	Keys         string // directory of the signing keys; "" is Data/keys
	JournalKey   string // URI of the token, or of the key in it, that the next journal key is to be; "" is a file
	PermitKey    string
	Tokens       seal.Tokens // nil: keys in tokens are refused
	Vault        VaultOptions
	Listen       string // address, host:port; "" is 127.0.0.1:8420
	TLSCert      string // certificate and key files, both or neither
	TLSKey       string
	BehindProxy  bool     // a proxy in front provides TLS
	URL          string   // how people reach it; "" is derived from Listen
	Repositories []string // directories under which the server may read Git repositories
	Mirrors      MirrorOptions
	CommitKeys   []string // files of keys that signatures of commits are held against
	Publish      PublishOptions
	Bundles      release.BundleVerifier // nil: Sigstore bundles are refused
	Catalog      string                 // file that is imported at the start
	AdminHandle  string                 // headless first administrator; "" offers a setup link
	AdminName    string
	AdminEmail   string
	AdminToken   string        // file that receives the administrator's token
	Drain        time.Duration // how long the server answers on, not ready, when it is told to stop
	Traces       string        // address of a collector of traces; "" for none
	Log          *slog.Logger
}

// DefaultListen is loopback only.
const DefaultListen = "127.0.0.1:8420"

// shutdownGrace is how long requests under way may take when the server stops.
const shutdownGrace = 10 * time.Second

func (o Options) withDefaults() Options {
	if o.Listen == "" {
		o.Listen = DefaultListen
	}
	if o.Data == "" {
		o.Data = "signalbox-data"
	}
	if o.Keys == "" {
		o.Keys = filepath.Join(o.Data, "keys")
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

func (o Options) tls() bool { return o.TLSCert != "" && o.TLSKey != "" }

// check refuses options that would expose the server or cannot work.
func (o Options) check() error {
	if (o.TLSCert == "") != (o.TLSKey == "") {
		return fault.Invalidf("server.tls", "TLS needs both a certificate and a key").Remedy("give --tls-cert and --tls-key").On("--tls-cert")
	}
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return fault.Invalidf("server.listen", "%q is not an address to listen on", o.Listen).Remedy("write host:port, such as 127.0.0.1:8420").On("--listen")
	}
	if !loopback(host) && !o.tls() && !o.BehindProxy {
		return fault.Invalidf("server.exposed", "listening on %s would send tokens in the clear", o.Listen).
			Because("it is reachable from other machines, and there is no TLS").
			Remedy("give --tls-cert and --tls-key, or --behind-proxy where a proxy provides TLS, or listen on 127.0.0.1").On("--listen")
	}
	if u, err := url.Parse(o.URL); o.URL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "") {
		return fault.Invalidf("server.url", "the address at which people reach the server cannot be used").
			Because("it is not http:// or https://, a host, and at most a path").Remedy("write it as in https://signalbox.example.com").On("--url")
	}
	if (o.AdminHandle == "") != (o.AdminToken == "") {
		return fault.Invalidf("server.admin", "a headless first administrator needs a handle and a file for the token").
			Remedy("give --admin and --admin-token-file").On("--admin")
	}
	return nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// url is how people reach the server that listens on an address.
func (o Options) url(listening net.Addr) string {
	if o.URL != "" {
		return strings.TrimRight(o.URL, "/")
	}
	scheme := "http://"
	if o.tls() {
		scheme = "https://"
	}
	return scheme + listening.String()
}
