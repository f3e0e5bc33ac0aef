package server

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"

	"signalbox.dev/signalbox/internal/cli"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/vault"
)

// VaultOptions say where original files are kept; each is a setting as it is written.
type VaultOptions struct {
	Where string // disk, disk:DIRECTORY or database; "" is by the database
	Quota string // most bytes of all together, such as 50GiB; "" is no bound
}

// vault opens where originals are kept: beside the embedded database, or in
// PostgreSQL, which every replica shares, unless the options say otherwise. A
// shelf that is another than the last time is refused.
func (s *Server) vault(ctx context.Context, origin string) (*vault.Vault, error) {
	quota, err := bytesOf(s.options.Vault.Quota)
	if err != nil {
		return nil, err
	}
	shelf, err := s.shelf(origin)
	if err != nil {
		return nil, err
	}
	return vault.Open(ctx, vault.Options{DB: s.DB, Origin: origin, Shelf: shelf, Quota: quota, Log: s.options.Log})
}

func (s *Server) shelf(origin string) (vault.Shelf, error) {
	where := s.options.Vault.Where
	if where == "" && s.options.Database != "" {
		where = "database"
	}
	kind, place, named := strings.Cut(where, ":")
	switch {
	case where == "database":
		return vault.NewTable(s.DB, origin), nil
	case where == "" || where == "disk":
		place = filepath.Join(s.options.Data, "vault")
	case kind != "disk" || !named || place == "":
		return nil, fault.Invalidf("server.vault", "%q is no place for original files", where).On("--vault").Remedy("write disk, disk:DIRECTORY or database")
	}
	dir, err := vault.OpenDir(place)
	if err != nil {
		return nil, fault.Invalidf("server.vault", "the vault %s cannot be opened", place).On("--vault").Because(err.Error()).Cause(err)
	}
	s.closes("vault", dir.Close)
	return dir, nil
}

// bytesOf reads a number of bytes as people write it; "" is 0.
func bytesOf(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := humanize.ParseBytes(s)
	if err != nil || n == 0 || n > math.MaxInt64 {
		return 0, fault.Invalidf("server.vault-quota", "%q is not a number of bytes", s).On("--vault-quota").Remedy("write it as in 50GiB; leave it out for no bound")
	}
	return int64(n), nil
}

// fullish is the share of the quota from which doctor warns, of 100.
const fullish = 90

func (s *Server) files(ctx context.Context) cli.Finding {
	v, err := s.Control.Vault.Status(ctx)
	f := cli.Finding{Check: "vault", Fix: "look for it in the server's log, then restore it from a backup or send the report again: signalbox vault verify"}
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
