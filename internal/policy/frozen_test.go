package policy

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var freeze = flag.Bool("freeze", false, "write the decisions of a frozen bundle that has none yet")

// frozenDigests are the bundles of every apiVersion ever released, and what they
// decided then. Neither may ever change.
var frozenDigests = map[string]string{"v1": "sha256:4be86ba3f2edc9060ce8eb7c2d687e9024f747833d798b48d7a9617181a50998"}

// decided is what stays the same for ever of an answer: not its words.
type decided struct {
	Case, Governance, Type, Size string
	Verdict                      Verdict
	Gates                        map[string]string // code and verdict
}

// TestFrozenBundlesDecideAsEver compiles each, runs its tests, and compares every
// decision with the one recorded.
func TestFrozenBundlesDecideAsEver(t *testing.T) {
	for version, digest := range frozenDigests {
		dir := filepath.Join("testdata", "frozen", version)
		names, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", dir, err)
		}
		var files []File
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, File{Name: filepath.Base(name), Data: data})
		}
		if got := Digest(files); got != digest {
			t.Errorf("%s: the frozen bundle was changed: %s", version, got)
		}
		p := compiled(t, files)
		if err := p.Ready(); err != nil {
			t.Errorf("%s: %v", version, err)
		}
		var got []decided
		for _, c := range p.Cases() {
			o := p.Decide(c.Inputs)
			d := decided{Case: c.Name, Governance: o.Governance, Type: o.Type, Size: o.Size, Verdict: o.Verdict, Gates: map[string]string{}}
			for _, r := range o.Reasons {
				d.Gates[r.Gate] = r.Code + " " + string(r.Verdict)
			}
			got = append(got, d)
		}
		file := filepath.Join(dir, "decisions.json")
		if *freeze {
			b, err := json.MarshalIndent(got, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, append(b, '\n'), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var want []decided
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) < 10 {
			t.Errorf("%s: %d decisions\n%s", version, len(got), diff)
		}
	}
}
