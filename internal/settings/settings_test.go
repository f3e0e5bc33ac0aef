package settings

import "testing"

// A project's file comes with the repository: it may not say where a token
// goes, what is trusted, what a server opens, or for which environment, and
// from whom, an answer is sought.
func TestProjectFileMayNotChooseTheServer(t *testing.T) {
	for _, name := range []string{"server", "environment", "version", "digest", "token-file", "ca", "database", "database-file", "data", "keys-dir", "repositories", "listen", "tls-key"} {
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
