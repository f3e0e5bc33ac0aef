package survey

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/wire"
)

const aKey = "ada@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBZpk/l5SInxGIwUE7WBB8zV7e1xXwk5hXRFPfYyMGMc\n"

func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "web"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "web", "a.js"), []byte("1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-q", "-m", "feat: begin"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v %s", args, err, out)
		}
	}
	return dir
}

func shown(t *testing.T, o Options) string {
	t.Helper()
	ch, err := Read(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Wire(ch)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Print(w)(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What is not given is not known, and is shown so.
func TestWhatIsNotGivenIsNotKnown(t *testing.T) {
	dir := repository(t)
	plain := shown(t, Options{Repository: dir})
	for _, want := range []string{"commits      1", "Ada <ada@example.com>", "1, +1 -0 lines", "directories  web", "not known: no catalog", "0 of 1\n"} {
		if !strings.Contains(plain, want) {
			t.Errorf("no %q in\n%s", want, plain)
		}
	}
	e := &catalog.Entries{Services: []catalog.Service{
		{Name: "shop", Components: []catalog.Component{{Name: "pages", Paths: []string{"web"}}}},
		{Name: "ledger", Components: []catalog.Component{{Name: "books", Paths: []string{"books"}}}},
		{Name: "bare"},
	}}
	for service, want := range map[string]string{"shop": "components   pages\n", "ledger": "components   none\n", "bare": "components   not known"} {
		if out := shown(t, Options{Repository: dir, Catalog: e, Service: service}); !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out := shown(t, Options{Repository: dir, Keys: []File{{"keys", []byte(aKey)}}}); !strings.Contains(out, "0 of 1: 0 verified, 0 not what was signed, 0 cannot be verified") {
		t.Error(out)
	}
}

func TestRefused(t *testing.T) {
	dir := repository(t)
	e := &catalog.Entries{Services: []catalog.Service{{Name: "shop"}}}
	for name, o := range map[string]Options{
		"no service":         {Repository: dir, Catalog: e},
		"an unknown service": {Repository: dir, Catalog: e, Service: "shopp"},
		"no keys":            {Repository: dir, Keys: []File{{"keys", nil}}},
		"no repository":      {Repository: t.TempDir()},
		"an unknown version": {Repository: dir, From: "v9"},
	} {
		if _, err := Read(t.Context(), o); fault.Exit(fault.KindOf(err)) != 2 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSignaturesInWords(t *testing.T) {
	for want, ch := range map[string]wire.Change{
		"1 of 2, whether the signatures hold is not known": {Commits: 2, Signed: 1},
		"3 of 3: 1 verified, 1 not what was signed, 1 cannot be verified; 1 commit by SHA256:x (ada, ben)": {
			Commits: 3, Signed: 3, Signatures: &wire.Signatures{Verified: 1, Bad: 1, Unverifiable: 1, Keys: []wire.SigningKey{{Key: "SHA256:x", Names: []string{"ada", "ben"}, Commits: 1}}},
		},
	} {
		if got := signatures(ch); !strings.HasPrefix(got, want) {
			t.Errorf("%q", got)
		}
	}
}
