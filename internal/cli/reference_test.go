package cli

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the generated references instead of comparing")

// golden compares text with a file, or writes it there with -update.
func golden(t *testing.T, path, text string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test ./internal/cli -update writes it", err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s is out of date; go test ./internal/cli -update writes it (-file +code):\n%s", path, diff)
	}
}

func TestReferencesAreOfTheCode(t *testing.T) {
	golden(t, "../../docs/reference/configuration.md", ConfigurationReference())
	golden(t, "../../docs/reference/cli.md", CommandReference())
}

func TestReferenceNamesEveryOptionOnce(t *testing.T) {
	text := ConfigurationReference()
	seen := map[string]bool{}
	for _, o := range options {
		for _, name := range []string{"--" + o.name, o.env, o.key} {
			if !strings.Contains(text, "`"+name+"`") {
				t.Errorf("the reference does not name %s", name)
			}
		}
		for _, name := range []string{"flag " + o.name, "env " + o.env, "key " + o.key} {
			if seen[name] {
				t.Errorf("%s stands twice", name)
			}
			seen[name] = true
		}
		if o.meaning == "" || !strings.HasPrefix(o.env, "SIGNALBOX_") {
			t.Errorf("%s says nothing, or its variable is not ours", o.name)
		}
	}
}

// A project's file comes with the repository: it may not say where a token
// goes, what is trusted, what a server opens, or for which environment, and
// from whom, an answer is sought.
func TestProjectFileMayNotChooseTheServer(t *testing.T) {
	for _, name := range []string{"server", "environment", "version", "digest", "token-file", "ca", "database", "database-file", "data", "keys-dir", "repositories", "listen", "tls-key"} {
		if optionOf(name).project {
			t.Errorf("a project's file may set %s", name)
		}
	}
	for _, name := range []string{"service", "output", "zone"} {
		if !optionOf(name).project {
			t.Errorf("a project's file may not set %s", name)
		}
	}
	for _, name := range []string{"policy", "catalog"} {
		if optionOf(name).name != "" {
			t.Errorf("%s is a setting: a file could take the gate offline", name)
		}
	}
}
