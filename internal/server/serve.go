package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/fault"
)

// Serve opens the installation, says how to reach it, and serves until the
// process is told to stop.
func Serve(ctx context.Context, o Options, out io.Writer) error {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return err
	}
	s, err := Open(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(s.serve(ctx, out), s.Close())
}

func (s *Server) serve(ctx context.Context, out io.Writer) error {
	l, err := s.listen(ctx, func(url string) error { return s.prepare(ctx, url, out) })
	if err != nil {
		return err
	}
	return l.Wait(ctx)
}

// prepare says how to reach the server, and makes what it is to start with: who
// asks as soon as it is ready finds administrator, token file and catalog.
func (s *Server) prepare(ctx context.Context, url string, out io.Writer) error {
	fmt.Fprintf(out, "Signalbox serves %s\n", url)
	if s.options.Database == "" {
		fmt.Fprintf(out, "  data: %s (embedded store)\n", s.options.Data)
	} else {
		fmt.Fprintf(out, "  database: PostgreSQL; keys: %s\n", s.options.Keys)
	}
	if err := s.firstAdministrator(ctx, url, out); err != nil {
		return err
	}
	return s.importCatalog(ctx, out)
}

// importCatalog appends what a catalog file adds to what stands; nothing where
// no file is named.
func (s *Server) importCatalog(ctx context.Context, out io.Writer) error {
	if s.options.Catalog == "" {
		return nil
	}
	b, err := os.ReadFile(s.options.Catalog)
	if err != nil {
		return fault.Invalidf("server.catalog", "the catalog %s cannot be read", s.options.Catalog).Because(err.Error()).On("--catalog")
	}
	done, err := s.Control.ImportCatalog(ctx, control.Request{Actor: access.System("serve")}, filepath.Base(s.options.Catalog), b)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  catalog %s: %d entries added, %d changed, %d as they were\n", s.options.Catalog, done.Added, done.Changed, done.Same)
	return nil
}

// Wait serves until the context ends, a signal asks to stop, or serving fails.
// A second signal ends the process at once.
func (l *Listening) Wait(ctx context.Context) error {
	ctx, restore := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer restore()
	select {
	case err := <-l.Done:
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		restore()
		return l.Shutdown(ctx)
	}
}

// firstAdministrator makes the first administrator headless where options say
// so, and otherwise offers a one-time setup link while there is none.
func (s *Server) firstAdministrator(ctx context.Context, base string, out io.Writer) error {
	there, err := s.Control.Administered(ctx)
	if err != nil || there {
		return err
	}
	if s.options.AdminHandle != "" {
		f := control.Founder{Handle: s.options.AdminHandle, Name: orElse(s.options.AdminName, s.options.AdminHandle), Email: s.options.AdminEmail}
		if err := s.CreateAdministrator(ctx, f, s.options.AdminToken); err != nil {
			return err
		}
		fmt.Fprintf(out, "  first administrator %s: token in %s\n", f.Handle, s.options.AdminToken)
		return nil
	}
	offer, err := s.Control.OfferSetup(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  first administrator: open %s/setup?code=%s\n", base, url.QueryEscape(offer.Secret))
	fmt.Fprintf(out, "    (once, until %s; headless: signalbox admin create, or serve --admin HANDLE --admin-email ADDRESS --admin-token-file FILE)\n", offer.Expires.Local().Format(time.TimeOnly))
	return nil
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// CreateAdministrator makes the first administrator and writes his or her
// token to a new file that only its owner can read.
func (s *Server) CreateAdministrator(ctx context.Context, f control.Founder, tokenFile string) error {
	file, err := os.OpenFile(tokenFile, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fault.Invalidf("admin.token-file", "the token cannot be written to %s", tokenFile).Because(err.Error()).Remedy("name a file that does not exist yet")
	}
	issued, err := s.Control.CreateAdministrator(ctx, f)
	if err != nil {
		_ = file.Close()
		return errors.Join(err, os.Remove(tokenFile))
	}
	_, err = fmt.Fprintln(file, issued.Secret)
	return errors.Join(err, file.Sync(), file.Close())
}

// CreateAdministrator opens the installation for the one act: the way where
// nobody can open a link. The embedded store must not be served meanwhile.
func CreateAdministrator(ctx context.Context, o Options, f control.Founder, tokenFile string) error {
	s, err := Open(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(s.CreateAdministrator(ctx, f, tokenFile), s.Close())
}
