package server

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/cli"
	"signalbox.dev/signalbox/internal/doctor"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

func codeOf(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}

func closed(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestVaultOptions(t *testing.T) {
	for name, c := range map[string]struct {
		o    VaultOptions
		kind string // "" is refused
		code string
	}{
		"unless said":         {VaultOptions{}, "disk", ""},
		"on disk":             {VaultOptions{Where: "disk", Quota: "10MiB"}, "disk", ""},
		"somewhere":           {VaultOptions{Where: "disk:" + filepath.Join(t.TempDir(), "deep", "er")}, "disk", ""},
		"in the database":     {VaultOptions{Where: "database"}, "database", ""},
		"nowhere":             {VaultOptions{Where: "disk:"}, "", "server.vault"},
		"elsewhere":           {VaultOptions{Where: "ftp://files"}, "", "server.vault"},
		"under a file":        {VaultOptions{Where: "disk:" + filepath.Join(file(t), "x")}, "", "server.vault"},
		"locked on disk":      {VaultOptions{Lock: "governance", Retention: "30d"}, "", "server.vault"},
		"an address for none": {VaultOptions{Endpoint: "https://s3.example.com"}, "", "server.vault"},
		"a lock of no time":   {VaultOptions{Where: "s3://files", Lock: "governance"}, "", "server.vault-lock"},
		"a time of no lock":   {VaultOptions{Where: "s3://files", Retention: "30d"}, "", "server.vault-lock"},
		"another lock":        {VaultOptions{Where: "s3://files", Lock: "strict", Retention: "30d"}, "", "server.vault-lock"},
		"a month":             {VaultOptions{Where: "s3://files", Lock: "governance", Retention: "1 month"}, "", "server.vault-retention"},
		"no time at all":      {VaultOptions{Where: "s3://files", Lock: "governance", Retention: "0d"}, "", "server.vault-retention"},
		"no service":          {VaultOptions{Where: "s3://files"}, "", "vault.endpoint"},
		"no keys":             {VaultOptions{Where: "s3://files/a/b", Endpoint: "https://s3.example.com"}, "", "vault.keys"},
		"nobody there":        {VaultOptions{Where: "s3://files", Endpoint: "http://127.0.0.1:1", AccessKey: "a", SecretKey: "s"}, "", "vault.unreachable"},
		"with no number":      {VaultOptions{Quota: "plenty"}, "", "server.vault-quota"},
		"with room for none":  {VaultOptions{Quota: "0"}, "", "server.vault-quota"},
		"with more than fits": {VaultOptions{Quota: "9223372036854775808"}, "", "server.vault-quota"},
	} {
		s, err := Open(t.Context(), quiet(Options{Data: t.TempDir(), Vault: c.o}))
		if codeOf(err) != c.code || (err == nil) != (c.kind != "") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		if v, err := s.Control.Vault.Status(t.Context()); err != nil || v.Kind != c.kind {
			t.Errorf("%s: %+v %v", name, v, err)
		}
		closed(t, s)
	}
}

func file(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Replicas share one vault: one that would keep files where the others do not
// look is refused at its start; on a disk that all reach it is not.
func TestReplicasShareTheVault(t *testing.T) {
	database, keys, shared := storetest.PostgresURL(t), filepath.Join(t.TempDir(), "keys"), filepath.Join(t.TempDir(), "shared")
	replica := func(where string) (*Server, error) {
		return Open(t.Context(), quiet(Options{Data: t.TempDir(), Database: database, Keys: keys, Vault: VaultOptions{Where: where}}))
	}
	first, err := replica("disk:" + shared)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, first)
	digest, _, err := first.Control.Vault.Put(t.Context(), strings.NewReader("seen by all"))
	if err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{"disk", "database", "", "disk:" + t.TempDir()} {
		if _, err := replica(where); codeOf(err) != "vault.other" {
			t.Errorf("a replica with %q: %v", where, err)
		}
	}
	second, err := replica("disk:" + shared)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, second)
	if _, err := second.Control.Vault.Open(t.Context(), digest); err != nil {
		t.Error(err)
	}
}

// A data directory of the version before, whose vault has no mark, opens, and
// what is in it stays.
func TestOlderVaultOpens(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), quiet(Options{Data: dir}))
	if err != nil {
		t.Fatal(err)
	}
	digest, _, err := s.Control.Vault.Put(t.Context(), strings.NewReader("before"))
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{`UPDATE vault SET mark = '', entries = 0, bytes = 0 WHERE id = 1`, `DELETE FROM vault_entries`} {
		amend(t, s, q)
	}
	closed(t, s)
	if err := os.Remove(filepath.Join(dir, "vault", "vault.id")); err != nil {
		t.Fatal(err)
	}
	s, err = Open(t.Context(), quiet(Options{Data: dir}))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := s.Control.Vault.Status(t.Context()); err != nil || v.Entries != 1 || v.Bytes != 6 {
		t.Errorf("%+v %v", v, err)
	}
	if _, err := s.Control.Vault.Open(t.Context(), digest); err != nil {
		t.Error(err)
	}
	closed(t, s)
	if err := os.RemoveAll(filepath.Join(dir, "vault")); err != nil { // a volume that is not mounted
		t.Fatal(err)
	}
	if _, err = Open(t.Context(), quiet(Options{Data: dir})); codeOf(err) != "vault.other" {
		t.Errorf("without its vault: %v", err)
	}
}

func amend(t *testing.T, s *Server, query string) {
	t.Helper()
	err := s.DB.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), query)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDoctorLooksAtTheVault(t *testing.T) {
	dir := t.TempDir()
	o := cli.StoreOptions{Data: dir, Vault: cli.VaultOptions{Quota: "100"}}
	find := func() doctor.Finding {
		for _, f := range examine(t.Context(), o) {
			if f.Check == "vault" {
				return f
			}
		}
		t.Fatal("the vault is not looked at")
		return doctor.Finding{}
	}
	s, err := Open(t.Context(), quiet(Options{Data: dir}))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Control.Vault.Put(t.Context(), strings.NewReader(strings.Repeat("x", 50))); err != nil {
		t.Fatal(err)
	}
	closed(t, s)
	if f := find(); !f.OK {
		t.Errorf("%+v", f)
	}
	o.Vault.Quota = "51"
	if f := find(); f.OK || f.Why == "" || f.Fix == "" {
		t.Errorf("nearly full: %+v", f)
	}
	o.Vault.Quota = ""
	s, err = Open(t.Context(), quiet(Options{Data: dir}))
	if err != nil {
		t.Fatal(err)
	}
	amend(t, s, `UPDATE vault_entries SET flaw = 'rotten'`)
	closed(t, s)
	if f := find(); f.OK || !strings.Contains(f.What, "1 originals have changed") {
		t.Errorf("rotten: %+v", f)
	}
}
