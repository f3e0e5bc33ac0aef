package bundle

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/fault"
)

// one is a bundle of one file.
func one(text string) []File { return []File{{Name: "x.yaml", Data: []byte(text)}} }

func codes(out *Problems) []string {
	var all []string
	for _, p := range out.Sorted() {
		all = append(all, p.Code)
	}
	return all
}

func TestFilesThatAreRead(t *testing.T) {
	for _, tt := range []struct {
		name string
		text string
		want []string // the keys of each document, joined
	}{
		{"one document", "a: 1\nb: 2\n", []string{"a b"}},
		{"two documents", "a: 1\n---\nb: 2\n", []string{"a", "b"}},
		{"flow style", "{a: 1, b: [1, {c: 2}]}", []string{"a b"}},
		{"an empty file", "", nil},
		{"a comment alone", "# x\n", nil},
		{"empty documents", "---\n---\n# x\n---\n~\n---\nnull\n", nil},
		{"an empty mapping", "{}\n", []string{""}},
		{"windows line ends", "a: 1\r\nb: 2\r\n", []string{"a b"}},
		{"letters of other scripts", "größe: ñ 漢 ع\n", []string{"größe"}},
		{"the same key in two mappings", "a: {x: 1}\nb: {x: 1}\n", []string{"a b"}},
		{"an ampersand within a text", "a: x & y\nb: 'a*b'\n", []string{"a b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := &Problems{}
			var got []string
			for _, f := range Read(one(tt.text), out) {
				got = append(got, strings.Join(f.Keys(), " "))
			}
			if list := out.Sorted(); len(list) > 0 || out.Failed() {
				t.Fatalf("problems: %v", list)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("keys %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTextThatReadsOtherwiseThanItRuns(t *testing.T) {
	for _, tt := range []struct {
		name, text, code string
		where            string
	}{
		{"an anchor", "a: &x 1\n", "policy.yaml-feature", "x.yaml:1:4"},
		{"an alias", "a: &x 1\nb: *x\n", "policy.yaml-feature", "x.yaml:1:4"},
		{"an alias deep in a list", "a: &x [1]\nb: [[*x]]\n", "policy.yaml-feature", "x.yaml:1:4"},
		{"a merge key", "<<: {a: 1}\n", "policy.yaml-feature", "x.yaml:1:1"},
		{"a tag", "a: !!str 1\n", "policy.yaml-feature", "x.yaml:1:4"},
		{"a tag of one's own", "a: !secret x\n", "policy.yaml-feature", "x.yaml:1:4"},
		{"a key twice", "a: 1\nb: 1\na: 2\n", "policy.duplicate-field", "x.yaml:3:1"},
		{"a key twice, once in quotes", "a: 1\n'a': 2\n", "policy.duplicate-field", "x.yaml:2:1"},
		{"a key twice within", "a:\n  b: 1\n  b: 2\n", "policy.duplicate-field", "x.yaml:3:3"},
		{"a key that is a mapping", "? {a: b}\n: c\n", "policy.key", "x.yaml:1:3"},
		{"a key that is a list", "? [a]\n: c\n", "policy.key", "x.yaml:1:3"},
		{"a list for a document", "- a\n", "policy.not-a-mapping", "x.yaml:1:1"},
		{"a text for a document", "hello\n", "policy.not-a-mapping", "x.yaml:1:1"},
		{"a zero byte", "a: \x00\n", "policy.hidden-character", "x.yaml:1:4"},
		{"a byte order mark", "\ufeffa: 1\n", "policy.hidden-character", "x.yaml:1:1"},
		{"a right-to-left override", "a: 1\nb: x\u202ey\n", "policy.hidden-character", "x.yaml:2:5"},
		{"an isolate", "a: \u2066x\n", "policy.hidden-character", "x.yaml:1:4"},
		{"a zero-width space", "a: ä\u200b\n", "policy.hidden-character", "x.yaml:1:5"},
		{"an escape", "a: \x1b[1m\n", "policy.hidden-character", "x.yaml:1:4"},
		{"not UTF-8", "a: \xff\n", "policy.not-utf8", "x.yaml"},
		{"no YAML", "a: [1\nb: 2\n", "policy.yaml", ""},
		{"tabs for indentation", "a:\n\tb: 1\n", "policy.yaml", ""},
		{"deep nesting", strings.Repeat("[", 20000), "policy.yaml", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := &Problems{}
			Read(one(tt.text), out)
			list := out.Sorted()
			if len(list) == 0 || list[0].Code != tt.code || !out.Failed() {
				t.Fatalf("problems %v, want %s", list, tt.code)
			}
			if at := list[0].Where.String(); at != tt.where && tt.where != "" {
				t.Errorf("the problem stands at %s, want %s", at, tt.where)
			}
			if list[0].Where.File != "x.yaml" {
				t.Errorf("the problem names the file %q", list[0].Where.File)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	big := []byte("# " + strings.Repeat("x", MaxFile))
	fit := big[:MaxFile]
	many := func(n int) []File {
		var files []File
		for i := range n {
			files = append(files, File{Name: fmt.Sprintf("%04d.yaml", i), Data: []byte("a: b\n")})
		}
		return files
	}
	full := many(MaxBundle / MaxFile)
	for i := range full {
		full[i].Data = fit
	}
	documents := func(n int) []File { return one(strings.Repeat("---\na: b\n", n)) }
	for _, tt := range []struct {
		name  string
		files []File
		docs  int
		code  string // "" where it is accepted
	}{
		{"a large file", []File{{Name: "large.yaml", Data: fit}}, 0, ""},
		{"a file too large", []File{{Name: "large.yaml", Data: big[:MaxFile+1]}}, 0, "policy.too-large"},
		{"a large bundle", full, 0, ""},
		{"a bundle too large", append(slices.Clone(full), File{Name: "z.yaml", Data: []byte("#")}), 0, "policy.too-large"},
		{"many files", many(MaxFiles), MaxFiles, ""},
		{"too many files", many(MaxFiles + 1), 0, "policy.too-many-files"},
		{"many documents", documents(MaxDocuments), MaxDocuments, ""},
		{"too many documents", documents(MaxDocuments + 1), 0, "policy.too-many-documents"},
		{"the same name twice", append(one("a: 1\n"), one("b: 1\n")...), 1, "policy.duplicate-file"},
		{"a name that climbs", []File{{Name: "../x.yaml"}}, 0, "policy.file-name"},
		{"an absolute name", []File{{Name: "/x.yaml"}}, 0, "policy.file-name"},
		{"a dot", []File{{Name: "."}}, 0, "policy.file-name"},
		{"no name", []File{{Name: ""}}, 0, "policy.file-name"},
		{"a name that climbs within", []File{{Name: "a/../x.yaml"}}, 0, "policy.file-name"},
		{"an empty element", []File{{Name: "a//x.yaml"}}, 0, "policy.file-name"},
		{"a name that acts on a terminal", []File{{Name: "a\x1b[2J.yaml"}}, 0, "policy.file-name"},
		{"a name that reads otherwise", []File{{Name: "a\u202elmay.yaml"}}, 0, "policy.file-name"},
		{"a name that is not UTF-8", []File{{Name: "\xff.yaml"}}, 0, "policy.file-name"},
		{"a name of another script", []File{{Name: "größe.yaml", Data: []byte("a: 1\n")}}, 1, ""},
		{"a folder", []File{{Name: "a/b/x.yaml", Data: []byte("a: 1\n")}}, 1, ""},
		{"no files", nil, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := &Problems{}
			docs := Read(tt.files, out)
			if len(docs) != tt.docs {
				t.Errorf("%d documents, want %d", len(docs), tt.docs)
			}
			for _, p := range out.Sorted() {
				if strings.ContainsFunc(p.String(), func(r rune) bool { return r != '\n' && hidden(r) }) {
					t.Errorf("a problem that hides something: %q", p)
				}
			}
			got := codes(out)
			if tt.code == "" && len(got) > 0 || tt.code != "" && !slices.Equal(got, []string{tt.code}) {
				t.Errorf("problems %v, want %q", got, tt.code)
			}
		})
	}
}

func TestABadFileDoesNotHideTheNext(t *testing.T) {
	out := &Problems{}
	docs := Read([]File{{Name: "a.yaml", Data: []byte("x: [")}, {Name: "b.yaml", Data: []byte("y: 1\n")}}, out)
	if len(docs) != 1 || docs[0].Keys()[0] != "y" || !slices.Equal(codes(out), []string{"policy.yaml"}) {
		t.Errorf("%d documents, %v", len(docs), out.Sorted())
	}
}

func TestDocumentsStandInOrderOfTheirNames(t *testing.T) {
	out := &Problems{}
	var got []fault.Position
	for _, f := range Read([]File{{Name: "b.yaml", Data: []byte("x: 1\n")}, {Name: "a.yaml", Data: []byte("\nx: 1\n---\nx: 1\n")}}, out) {
		got = append(got, f.At())
	}
	want := []fault.Position{{File: "a.yaml", Line: 2, Column: 1}, {File: "a.yaml", Line: 4, Column: 1}, {File: "b.yaml", Line: 1, Column: 1}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
