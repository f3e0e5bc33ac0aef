package policy

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write the messages as they are now")

// goWords are names that mean something to Go and nothing to who writes a policy.
var goWords = regexp.MustCompile(`\b(int64|float64|uint64|struct|interface|reflect|nil|goroutine|yaml\.|types\.|cel\.|policy\.[A-Z]\w*|ref\.Val|runtime error)|!!|\*[a-z]+\.[A-Z]|map\[|\[\]|_[<>=!&|+*/%-]+_|dyn\b|traits`)

// excerpts are the lines of the document itself.
var excerpts = regexp.MustCompile(`(?m)^ *[0-9]+ \| .*$`)

// TestBrokenDocuments holds the messages of broken documents. Each stands in
// the archive as NAME.yaml, beside the base bundle, with what Lint says of it as
// NAME.want. A first line "# without KIND" takes that kind out of the base.
func TestBrokenDocuments(t *testing.T) {
	const file = "testdata/broken.txtar"
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	var fresh []txtar.File
	for _, f := range archive.Files {
		want[f.Name] = string(f.Data)
	}
	cases := 0
	for _, f := range archive.Files {
		name, is := strings.CutSuffix(f.Name, ".yaml")
		if !is {
			continue
		}
		cases++
		got := messages(f.Data)
		fresh = append(fresh, f, txtar.File{Name: name + ".want", Data: []byte(got)})
		if got == "" {
			t.Errorf("%s: nothing is wrong with it", name)
		}
		if w := goWords.FindString(excerpts.ReplaceAllString(got, "")); w != "" {
			t.Errorf("%s: the message speaks Go (%s): %s", name, w, got)
		}
		if !*update {
			if diff := cmp.Diff(want[name+".want"], got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
	if cases < 40 {
		t.Errorf("there are %d broken documents, want 40 or more", cases)
	}
	if *update {
		archive.Files = fresh
		if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func messages(data []byte) string {
	files := sample(string(data))
	if first, _, _ := strings.Cut(string(data), "\n"); strings.HasPrefix(first, "# without ") {
		files = without(strings.TrimPrefix(first, "# without "), string(data))
	}
	var b strings.Builder
	for _, p := range Lint(files) {
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

func TestGoWordsAreFound(t *testing.T) {
	for _, s := range []string{"cannot be an int64", "policy.Change", "!!str", "map[string]any", "'_<=_'", "[]string"} {
		if !goWords.MatchString(s) {
			t.Errorf("%q is not found", s)
		}
	}
	for _, s := range []string{"policy.unknown-field", "a list of text", "[no-chain]"} {
		if goWords.MatchString(s) {
			t.Errorf("%q is found", s)
		}
	}
}
