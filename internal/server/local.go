package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"signalbox.dev/signalbox/internal/cli"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/doctor"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/steward"
)

// Version is that of Signalbox.
const Version = "0.1.0"

// Local is what the command line needs of a server within its own process. With
// bundles, Sigstore bundles are read; nil refuses them.
func Local(bundles release.BundleVerifier) cli.Local {
	return cli.Local{
		Version: Version,
		Bundles: bundles,
		Serve: func(ctx context.Context, o cli.ServeOptions, s cli.Streams) error {
			all, err := serveOptions(o, s.Err)
			if err != nil {
				return err
			}
			all.Bundles = bundles
			return Serve(ctx, all, s.Err)
		},
		AdminCreate: adminCreate,
		Export:      export,
		Doctor:      examine,
		VaultMove:   vaultMove,
		Witness:     witnessed,
		Upkeep:      steward.Local{Backup: takeBackup, Restore: restore, Rebuild: rebuild},
	}
}

func storeOptions(o cli.StoreOptions) Options {
	return Options{Data: o.Data, Database: o.Database, Keys: o.Keys, JournalKey: o.JournalKey, PermitKey: o.PermitKey, Tokens: o.Tokens, Vault: VaultOptions(o.Vault), Log: slog.New(slog.DiscardHandler)}
}

func serveOptions(o cli.ServeOptions, log io.Writer) (Options, error) {
	all := storeOptions(o.StoreOptions)
	all.Listen, all.TLSCert, all.TLSKey, all.BehindProxy = o.Listen, o.TLSCert, o.TLSKey, o.BehindProxy
	all.URL, all.Repositories = o.URL, o.Repositories
	all.Mirrors, all.CommitKeys = MirrorOptions(o.Mirrors), o.CommitKeys
	all.Publish = PublishOptions(o.Publish)
	all.Catalog = o.Catalog
	all.AdminHandle, all.AdminName, all.AdminEmail, all.AdminToken = o.AdminHandle, o.AdminName, o.AdminEmail, o.AdminToken
	all.Traces = o.Traces
	if o.Drain != "" {
		drain, err := time.ParseDuration(o.Drain)
		if err != nil || drain < 0 || drain > time.Hour {
			return all, fault.Invalidf("server.drain", "%q is not a time to drain for", o.Drain).Remedy("write it as 2s, at most 1h").On("--drain")
		}
		all.Drain = drain
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.LogLevel)); err != nil && o.LogLevel != "" {
		return all, fault.Invalidf("server.log-level", "%q is not a level of logging", o.LogLevel).Remedy("write debug, info, warn or error").On("--log-level")
	}
	all.Log = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: level}))
	return all, nil
}

func adminCreate(ctx context.Context, o cli.AdminOptions, s cli.Streams) error {
	all := storeOptions(o.StoreOptions)
	f := control.Founder{Handle: o.Handle, Name: o.Name, Email: o.Email}
	if o.TokenFile != "-" {
		if err := CreateAdministrator(ctx, all, f, o.TokenFile); err != nil {
			return err
		}
		fmt.Fprintf(s.Err, "%s is the first administrator; the token is in %s.\n", f.Name, o.TokenFile)
		return nil
	}
	opened, err := Open(ctx, all)
	if err != nil {
		return err
	}
	issued, err := opened.Control.CreateAdministrator(ctx, f)
	if err == nil {
		_, err = fmt.Fprintln(s.Out, issued.Secret)
	}
	return errors.Join(err, opened.Close())
}

// export writes the journal of an installation that is not being served.
func export(ctx context.Context, o cli.ExportOptions, s cli.Streams) error {
	options := storeOptions(o.StoreOptions).withDefaults()
	if !options.there() {
		return fault.New(fault.NotFound, "export.no-data", "there is no installation in "+options.Data).
			Because("an export of a new one would verify and say nothing").Remedy("name its data directory with --data, or its database with --database")
	}
	opened, err := Open(ctx, options)
	if err != nil {
		return err
	}
	out := s.Out
	if o.File != "-" {
		file, err := os.OpenFile(o.File, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			err = fault.Invalidf("export.file", "the export cannot be written to %s", o.File).Because(err.Error()).Remedy("name a file that does not exist yet").On("--out")
			return errors.Join(err, opened.Close())
		}
		defer func() { _ = file.Close() }()
		if err := errors.Join(opened.Journal.Export(ctx, file), file.Sync(), opened.Close()); err != nil {
			return errors.Join(err, os.Remove(o.File))
		}
		return nil
	}
	return errors.Join(opened.Journal.Export(ctx, out), opened.Close())
}

// doctor looks at an installation as it would be served.
func examine(ctx context.Context, o cli.StoreOptions) []doctor.Finding {
	options := storeOptions(o).withDefaults()
	if !options.there() {
		return []doctor.Finding{{Check: "data", What: "there is no installation in " + options.Data, Why: "no server was started with it", Fix: "signalbox serve --data " + options.Data}}
	}
	findings := []doctor.Finding{privacy(options.Data), privacy(options.Keys)}
	opened, err := Open(ctx, options)
	if err != nil {
		return append(findings, unopened(err))
	}
	defer func() { _ = opened.Close() }()
	findings = append(findings, doctor.Finding{Check: "open", OK: true, What: "database, keys, journal and vault open"})
	return append(findings, opened.signing(ctx), opened.clock(ctx), opened.checkpoint(ctx), opened.administrator(ctx), opened.policy(ctx), opened.views(ctx), opened.files(ctx))
}

// there reports whether an installation may be where the options say: on
// PostgreSQL that is for the database to say.
func (o Options) there() bool {
	if o.Database != "" {
		return true
	}
	_, err := os.Stat(filepath.Join(o.Data, "keys"))
	return err == nil || o.Keys != filepath.Join(o.Data, "keys")
}

func privacy(dir string) doctor.Finding {
	f := doctor.Finding{Check: "permissions", OK: true, What: dir + " is private"}
	info, err := os.Stat(dir)
	if err != nil {
		return doctor.Finding{Check: "permissions", What: dir + " cannot be read", Why: err.Error(), Fix: "correct --data or --keys-dir"}
	}
	if info.Mode().Perm()&0o077 != 0 {
		f.OK, f.What = false, fmt.Sprintf("others can enter %s (mode %o)", dir, info.Mode().Perm())
		f.Why, f.Fix = "keys and evidence are in it", "chmod 700 "+filepath.Clean(dir)
	}
	return f
}

func unopened(err error) doctor.Finding {
	var f *fault.Error
	if errors.As(err, &f) {
		return doctor.Finding{Check: "open", What: f.What, Why: f.Why, Fix: f.Fix}
	}
	return doctor.Finding{Check: "open", What: "the installation cannot be opened", Why: err.Error(), Fix: "see the message; nothing was changed"}
}

func (s *Server) clock(ctx context.Context) doctor.Finding {
	theirs, err := s.Control.Now(ctx)
	if err != nil {
		return doctor.Finding{Check: "clock", What: "the database's clock cannot be read", Why: err.Error(), Fix: "check the database"}
	}
	if skew := time.Since(theirs).Abs(); skew > 2*time.Second {
		return doctor.Finding{
			Check: "clock", What: fmt.Sprintf("this machine's clock and the database's differ by %s", skew.Round(time.Millisecond)),
			Why: "windows and expiries go by the database's clock", Fix: "synchronise both with NTP",
		}
	}
	return doctor.Finding{Check: "clock", OK: true, What: "the clocks agree"}
}

func (s *Server) checkpoint(ctx context.Context) doctor.Finding {
	if _, err := s.Journal.SignNow(ctx); err != nil {
		return doctor.Finding{Check: "checkpoint", What: "no checkpoint can be signed", Why: err.Error(), Fix: "check the keys directory"}
	}
	return doctor.Finding{Check: "checkpoint", OK: true, What: "the newest checkpoint covers the whole journal"}
}

func (s *Server) administrator(ctx context.Context) doctor.Finding {
	there, err := s.Control.Administered(ctx)
	if err != nil || !there {
		return doctor.Finding{Check: "administrator", What: "there is no administrator", Why: "nobody can import a catalog or grant a right", Fix: "open the setup link that signalbox serve prints, or signalbox admin create"}
	}
	return doctor.Finding{Check: "administrator", OK: true, What: "there is an administrator"}
}

func (s *Server) policy(ctx context.Context) doctor.Finding {
	program, a, err := s.Control.ActivePolicy(ctx)
	if err != nil || program == nil {
		return doctor.Finding{Check: "policy", What: "no policy is active", Why: "every release is answered with cannot tell", Fix: "signalbox policy init DIR, then signalbox policy activate DIR --reason …"}
	}
	return doctor.Finding{Check: "policy", OK: true, What: fmt.Sprintf("policy %s %s is active", a.Name, a.Version)}
}

func (s *Server) views(ctx context.Context) doctor.Finding {
	all, err := s.Journal.Views(ctx)
	if err != nil {
		return doctor.Finding{Check: "views", What: "the views cannot be read", Why: err.Error(), Fix: "check the database"}
	}
	for _, v := range all {
		if v.Stale != "" {
			return doctor.Finding{Check: "views", What: "the view " + v.Name + " is stale", Why: v.Stale, Fix: "it is rebuilt by itself while the server runs; if it stays, report the reason"}
		}
	}
	return doctor.Finding{Check: "views", OK: true, What: fmt.Sprintf("%d views follow the journal", len(all))}
}
