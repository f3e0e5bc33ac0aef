package settings

import (
	"testing"

	"github.com/spf13/pflag"
)

// A project's file comes with the repository: it may not say where a token
// goes, what is trusted, what a server opens, or for which environment, and
// from whom, an answer is sought.
func TestProjectFileMayNotChooseTheServer(t *testing.T) {
	for _, name := range []string{"server", "environment", "version", "digest", "token-file", "ca", "receipts", "database", "database-file", "data", "keys-dir", "journal-key", "permit-key", "repositories", "listen", "tls-key", "vault", "vault-endpoint", "vault-ca", "vault-keys-file", "vault-lock", "vault-retention", "vault-legal-hold", "vault-quota", "witnesses", "witness-private", "checkpoint-folder", "checkpoint-repository", "SIGNALBOX_VAULT_SECRET_KEY"} {
		if Of(name).Project {
			t.Errorf("a project's file may set %s", name)
		}
	}
	for _, name := range []string{"service", "output", "zone"} {
		if !Of(name).Project {
			t.Errorf("a project's file may not set %s", name)
		}
	}
	for _, name := range []string{"policy", "catalog"} {
		if Of(name).Name != "" {
			t.Errorf("%s is a setting: a file could take the gate offline", name)
		}
	}
}

// A secret that comes by its variable alone comes by nothing else: no name is
// taken for its missing flag or key.
func TestSecretsOfTheEnvironment(t *testing.T) {
	if Of("").Env != "" {
		t.Error("no name at all names a setting")
	}
	secret := Of("SIGNALBOX_VAULT_SECRET_KEY")
	for _, text := range []string{"'': x\n", "SIGNALBOX_VAULT_SECRET_KEY: x\n"} {
		if f, err := parse("config.yaml", []byte(text), false); err == nil {
			t.Errorf("%q sets %v", text, f.values)
		}
	}
	s := Source{Env: func(string) (string, bool) { return "", false }, read: true, files: []file{{values: map[string]string{"": "x"}}}}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	if v, err := s.Resolve(secret, flags); err != nil || v.Text != "" {
		t.Errorf("%+v %v", v, err)
	}
	s.Env = func(name string) (string, bool) { return "secret", name == secret.Env }
	if v, err := s.Resolve(secret, flags); err != nil || v.Text != "secret" {
		t.Errorf("%+v %v", v, err)
	}
}
