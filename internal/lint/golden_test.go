package lint

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/policy"
)

var update = flag.Bool("update", false, "write the findings as they are now")

// TestFindings holds what is said of bundles that compile. Each stands in the
// archive as NAME.yaml, beside base.yaml, with what Check finds as NAME.want.
// Lines "# group: NAME PERSON…" and "# service: NAME FLAG…" are the catalog, and
// "# now: INSTANT" is when it is asked.
func TestFindings(t *testing.T) {
	const file = "testdata/findings.txtar"
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, f := range archive.Files {
		want[f.Name] = string(f.Data)
	}
	codes := map[string]bool{}
	fresh := []txtar.File{{Name: "base.yaml", Data: []byte(want["base.yaml"])}}
	for _, f := range archive.Files {
		name, is := strings.CutSuffix(f.Name, ".yaml")
		if !is || name == "base" {
			continue
		}
		files := []bundle.File{{Name: "base.yaml", Data: []byte(want["base.yaml"])}, {Name: "more.yaml", Data: f.Data}}
		if p, list := policy.Compile(files); p == nil {
			t.Fatalf("%s does not compile: %v", name, list)
		}
		var b strings.Builder
		for _, p := range Check(files, catalog(string(f.Data))) {
			if p.Where.File != "base.yaml" {
				b.WriteString(p.String() + "\n")
				codes[p.Code] = true
				if p.Where.Line == 0 || p.Excerpt == "" || p.Why == "" || p.Fix == "" {
					if p.Code != "policy.untested-gate" {
						t.Errorf("%s: a finding lacks place, why or remedy: %+v", name, p)
					}
				}
			}
		}
		fresh = append(fresh, f, txtar.File{Name: name + ".want", Data: []byte(b.String())})
		if diff := cmp.Diff(want[name+".want"], b.String()); diff != "" && !*update {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if harmless := strings.HasPrefix(name, "fine-"); harmless && b.Len() > 0 {
			t.Errorf("%s: something is said of it: %s", name, b.String())
		} else if !harmless && b.Len() == 0 {
			t.Errorf("%s: nothing is said of it", name)
		}
	}
	for _, code := range []string{
		"always-true", "idle-part", "contradicting-gates", "not-decided", "unsatisfiable-gate", "never-applies", "unreachable-type", "unreachable-scope", "observe-without-end", "unsatisfiable-chain", "narrow-chain", "empty-group",
		"unused", "unbounded", "control-without-gate", "control-not-enforced", "gate-without-control", "mandatory-dropped", "test-without-reason", "test-covers-nothing", "over",
	} {
		if !codes["policy."+code] {
			t.Errorf("no bundle of the archive shows policy.%s", code)
		}
	}
	if *update {
		archive.Files = fresh
		if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func catalog(text string) Options {
	var o Options
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "# verbose"):
			o.Verbose = true
		case strings.HasPrefix(line, "# group: "):
			if o.Members == nil {
				o.Members = map[string][]string{"approvers": {"ada", "bob", "carol"}}
			}
			o.Members[words[2]] = words[3:]
		case strings.HasPrefix(line, "# service: "):
			o.Services = append(o.Services, policy.Service{Name: words[2], Flags: words[3:]})
		case strings.HasPrefix(line, "# now: "):
			o.Now, _ = time.Parse(time.RFC3339, words[2])
		}
	}
	return o
}

// What is shipped is held to what is asked of others.
func TestStarterHasNoFindings(t *testing.T) {
	for _, p := range Check(policy.Starter(), Options{}) {
		t.Error(p)
	}
}

func TestBrokenBundlesAreLeftToPolicy(t *testing.T) {
	files := []bundle.File{{Name: "a.yaml", Data: []byte("kind: Gate\n")}}
	if diff := cmp.Diff(policy.Lint(files), Check(files, Options{})); diff != "" || len(Check(files, Options{})) == 0 {
		t.Error(diff)
	}
}

// A control of a pack that the bundle does not even describe any more.
func TestRequiredControlsMayNotGo(t *testing.T) {
	gone := policy.Control{Framework: "house", ID: "gone", Mandatory: policy.Mandatory{Flags: []string{"icfr"}}}
	kept := policy.Control{Framework: "soc2", ID: "CC8.1", Mandatory: policy.Mandatory{Flags: []string{"icfr"}}}
	for _, tt := range []struct {
		flags  []string
		errors int
	}{{[]string{"icfr"}, 1}, {[]string{"ephi"}, 0}} {
		n := 0
		for _, p := range Check(policy.Starter(), Options{Required: []policy.Control{gone, kept}, Services: []policy.Service{{Name: "ledger", Flags: tt.flags}}}) {
			if p.Code == "policy.mandatory-dropped" && p.Severity == bundle.LevelError && strings.Contains(p.What, "house/gone") {
				n++
			}
		}
		if n != tt.errors {
			t.Errorf("%v: %d errors, want %d", tt.flags, n, tt.errors)
		}
	}
}

// Lint refuses what activation refuses: what the catalog's services make
// mandatory, by the flags that their owners set and by nothing else.
func TestServicesPullInControls(t *testing.T) {
	codes := func(files []bundle.File, o Options) map[string]int {
		n := map[string]int{}
		for _, p := range Check(files, o) {
			if p.Severity == bundle.LevelError {
				n[p.Code]++
			}
		}
		return n
	}
	ledger := Options{Services: []policy.Service{{Name: "ledger", Flags: []string{"icfr"}}}, Places: []policy.Environment{{Name: "prod", Kind: "production"}}}
	if n := codes(policy.Starter(), ledger); n["policy.mandatory-dropped"] < 5 {
		t.Errorf("starter: %v", n)
	}
	if n := codes(policy.Starter(), Options{Services: []policy.Service{{Name: "general-ledger"}}}); len(n) > 0 {
		t.Errorf("a service without flags: %v", n)
	}
	if n := codes(policy.Regulated(), ledger); len(n) > 0 {
		t.Errorf("regulated: %v", n)
	}
	edited := func(from, to string) []bundle.File {
		files := policy.Regulated()
		for i := range files {
			files[i].Data = []byte(strings.ReplaceAll(string(files[i].Data), from, to))
		}
		return files
	}
	if n := codes(edited("name: migrations-reviewed\n", "name: migrations-reviewed\nseverity: warn\n"), ledger); n["policy.mandatory-dropped"] != 1 {
		t.Errorf("a gate that only warns: %v", n)
	}
	if n := codes(edited("governance: full\nreason: Customers and accounts", "governance: light\nreason: Customers and accounts"), ledger); n["policy.not-governed"] != 1 {
		t.Errorf("production governed lightly: %v", n)
	}
}

func TestRegulatedHasNoFindings(t *testing.T) {
	for _, p := range Check(policy.Regulated(), Options{}) {
		t.Error(p)
	}
}
