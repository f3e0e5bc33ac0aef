package server

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"signalbox.dev/signalbox/internal/cli"
	"signalbox.dev/signalbox/internal/doctor"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/vault"
)

// VaultOptions say where original files are kept; each is a setting as it is written.
type VaultOptions struct {
	Where     string // disk, disk:DIRECTORY, database or s3://BUCKET/PREFIX; "" is by the database
	Quota     string // most bytes of all together, such as 50GiB; "" is no bound
	Endpoint  string // of the S3 service
	Region    string
	CA        string // file of certificates that are trusted besides the system's
	AccessKey string
	SecretKey string
	Lock      string // governance or compliance; "" is none
	Retention string // of the lock, in days, such as 2555d
	LegalHold bool
}

// vault opens where originals are kept: beside the embedded database, or in
// PostgreSQL, which every replica shares, unless the options say otherwise. A
// shelf that is another than the last time is refused.
func (s *Server) vault(ctx context.Context, origin string) (*vault.Vault, error) {
	quota, err := bytesOf(s.options.Vault.Quota, "--vault-quota")
	if err != nil {
		return nil, err
	}
	shelf, err := s.shelf(ctx, origin)
	if err != nil {
		return nil, explained(err)
	}
	v, err := vault.Open(ctx, vault.Options{DB: s.DB, Origin: origin, Shelf: shelf, Quota: quota, Log: s.options.Log})
	return v, explained(err)
}

// vaultMove brings originals to where the options say. Nothing else of the
// installation is opened: it may not start before they are there.
func vaultMove(ctx context.Context, o cli.MoveOptions) (m cli.Moved, err error) {
	options := storeOptions(o.StoreOptions).withDefaults()
	if !options.there() {
		return m, fault.New(fault.NotFound, "vault.no-data", "there is no installation in "+options.Data).Remedy("name its data directory with --data, or its database with --database")
	}
	s := &Server{options: options}
	defer func() { err = errors.Join(err, s.Close()) }()
	if s.DB, err = store.Open(ctx, store.Options{Data: options.Data, Database: options.Database}); err != nil {
		return m, err
	}
	s.closes("database", s.DB.Close)
	origin, _, err := journal.Begin(ctx, s.DB)
	if err != nil {
		return m, err
	}
	s.options.Vault = options.Vault.at(options.Vault.Where)
	to, err := s.shelf(ctx, origin)
	if err != nil {
		return m, explained(err)
	}
	s.options.Vault = options.Vault.at(o.From)
	s.options.Vault.Lock, s.options.Vault.Retention, s.options.Vault.LegalHold = "", "", false
	from, err := s.vault(ctx, origin)
	if err != nil {
		return m, err
	}
	moved, err := from.Move(ctx, to, o.Lossy)
	return cli.Moved{Entries: moved.Entries, Bytes: moved.Bytes, Lost: append([]string{}, moved.Lost...)}, explained(err)
}

// at is the options for a place, which a move has two of and an address for one.
func (o VaultOptions) at(where string) VaultOptions {
	if o.Where = where; !strings.HasPrefix(where, "s3://") {
		o.Endpoint = ""
	}
	return o
}

// explained tells whoever starts the server the cause of a fault, which later
// only the log has.
func explained(err error) error {
	var f *fault.Error
	if errors.As(err, &f) && f.Why == "" && f.Err != nil {
		f.Why = f.Err.Error()
	}
	return err
}

func (s *Server) shelf(ctx context.Context, origin string) (vault.Shelf, error) {
	o := s.options.Vault
	lock, err := o.lock()
	if err != nil {
		return nil, err
	}
	if o.Where == "" && s.options.Database != "" {
		o.Where = "database"
	}
	if place, is := strings.CutPrefix(o.Where, "s3://"); is {
		bucket, prefix, _ := strings.Cut(strings.TrimSuffix(place, "/"), "/")
		return vault.OpenS3(ctx, vault.S3Options{
			Endpoint: o.Endpoint, Region: o.Region, Bucket: bucket, Prefix: prefix, AccessKey: o.AccessKey, SecretKey: o.SecretKey, CA: o.CA, Lock: lock,
		})
	}
	if !lock.IsZero() || o.Endpoint != "" {
		return nil, fault.Invalidf("server.vault", "only an S3 service locks, or has an address").On("--vault").
			Remedy("give --vault s3://BUCKET as well, or leave --vault-lock, --vault-legal-hold and --vault-endpoint out")
	}
	if o.Where == "database" {
		return vault.NewTable(s.DB, origin), nil
	}
	kind, place, named := strings.Cut(o.Where, ":")
	switch {
	case o.Where == "" || o.Where == "disk":
		place = filepath.Join(s.options.Data, "vault")
	case kind != "disk" || !named || place == "":
		return nil, fault.Invalidf("server.vault", "%q is no place for original files", o.Where).On("--vault").
			Remedy("write disk, disk:DIRECTORY, database or s3://BUCKET/PREFIX")
	}
	dir, err := vault.OpenDir(place)
	if err != nil {
		return nil, fault.Invalidf("server.vault", "the vault %s cannot be opened", place).On("--vault").Because(err.Error()).Cause(err)
	}
	s.closes("vault", dir.Close)
	return dir, nil
}

var retentionForm = regexp.MustCompile(`^[1-9][0-9]{0,4}d$`)

// lock is the rule by which originals are locked.
func (o VaultOptions) lock() (vault.LockRule, error) {
	r := vault.LockRule{Mode: o.Lock, Hold: o.LegalHold}
	switch {
	case r.Mode != "" && r.Mode != vault.Governance && r.Mode != vault.Compliance:
		return r, fault.Invalidf("server.vault-lock", "%q is no mode of a retention lock", o.Lock).On("--vault-lock").Remedy("write governance or compliance")
	case (r.Mode == "") != (o.Retention == ""):
		return r, fault.Invalidf("server.vault-lock", "a retention lock needs a mode and a time").On("--vault-lock").Remedy("give --vault-lock and --vault-retention, or neither")
	case r.Mode == "":
		return r, nil
	case !retentionForm.MatchString(o.Retention):
		return r, fault.Invalidf("server.vault-retention", "%q is not a number of days", o.Retention).On("--vault-retention").Remedy("write it as in 2555d, for seven years")
	}
	days, err := strconv.Atoi(strings.TrimSuffix(o.Retention, "d"))
	r.For = time.Duration(days) * 24 * time.Hour
	return r, err
}

// bytesOf reads a flag's number of bytes as people write it; "" is 0.
func bytesOf(s, flag string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := humanize.ParseBytes(s)
	if err != nil || n == 0 || n > math.MaxInt64 {
		return 0, fault.Invalidf("server."+strings.TrimPrefix(flag, "--"), "%q is not a number of bytes", s).On(flag).Remedy("write it as in 50GiB, or leave it out")
	}
	return int64(n), nil
}

// fullish is the share of the quota from which doctor warns, of 100.
const fullish = 90

func (s *Server) files(ctx context.Context) doctor.Finding {
	v, err := s.Control.Vault.Status(ctx)
	f := doctor.Finding{Check: "vault", Fix: "look for it in the server's log, then restore it from a backup or send the report again: signalbox vault verify"}
	switch {
	case err != nil:
		f.What, f.Why, f.Fix = "the vault's books cannot be read", err.Error(), "check the database"
	case v.Rotten+v.Missing > 0:
		f.What, f.Why = fmt.Sprintf("%d originals have changed and %d are gone", v.Rotten, v.Missing), "what rests on them cannot be shown any more"
	case v.Quota > 0 && v.Bytes >= v.Quota/100*fullish:
		f.What, f.Why, f.Fix = fmt.Sprintf("the vault has %s of its %s", humanize.IBytes(uint64(v.Bytes)), humanize.IBytes(uint64(v.Quota))), "what has no room is refused", "raise --vault-quota"
	default:
		f.OK, f.Fix, f.What = true, "", fmt.Sprintf("%d originals, %s (%s)", v.Entries, humanize.IBytes(uint64(v.Bytes)), v.Kind)
	}
	return f
}
