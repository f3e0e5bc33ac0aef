package cli

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/settings"
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
	for _, o := range settings.All() {
		names := []string{"--" + o.Name, o.Env, o.Key}
		if o.Name == "" { // a secret, by its variable alone
			names = []string{o.Env}
			if o.Key != "" || !o.Secret {
				t.Errorf("%s has no flag, and is no secret", o.Env)
			}
		}
		for _, name := range names {
			if !strings.Contains(text, "`"+name+"`") {
				t.Errorf("the reference does not name %s", name)
			}
		}
		for _, name := range []string{"flag " + o.Name, "env " + o.Env, "key " + o.Key} {
			if seen[name] && name != "flag " && name != "key " {
				t.Errorf("%s stands twice", name)
			}
			seen[name] = true
		}
		if o.Meaning == "" || !strings.HasPrefix(o.Env, "SIGNALBOX_") {
			t.Errorf("%s says nothing, or its variable is not ours", o.Name)
		}
	}
}
