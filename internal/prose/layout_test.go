package prose

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/policy"
)

func TestFormat(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{
			"order of fields and indentation",
			"# What it is.\nkind:   Gate\napiVersion: signalbox/v1\ncondition: 'true' # always\n# The title.\ntitle: A gate\nname: a\ncontrols:\n- soc2/CC8.1\n- soc2/CC7.1\n",
			"# What it is.\napiVersion: signalbox/v1\nkind: Gate\nname: a\n# The title.\ntitle: A gate\ncondition: 'true' # always\ncontrols:\n  - soc2/CC8.1\n  - soc2/CC7.1\n",
		},
		{"documents keep their order", "kind: Gate\nname: b\n---\nname: a\nkind: Gate\n", "kind: Gate\nname: b\n---\nkind: Gate\nname: a\n"},
		{"what is not known stays last", "zeal: 1\nkind: Gate\nname: b\n", "kind: Gate\nname: b\nzeal: 1\n"},
		{"braces stay braces", "kind: TestCase\ninputs: {service:   {tier: 1}}\nname: x\n", "kind: TestCase\nname: x\ninputs: {service: {tier: 1}}\n"},
		{"nothing", "", ""},
		{"comments above documents", "---\n# a\n\n\n# b\n\nkind: Gate\nname: x\n--- # c\n# d\nkind: Gate\nname: y\n# end\n", "# a\n\n# b\n\nkind: Gate\nname: x\n---\n# c\n# d\nkind: Gate\nname: y\n# end\n"},
		{"a comment, and what it is about", "kind: Gate\nname: x\nmatch:\n  a: # b\n    c: d\n  # about e\n\n  e: f\n", "kind: Gate\nname: x\nmatch:\n  a: # b\n    c: d\n  # about e\n  e: f\n"},
		{"a comment deep above a list", "kind: TestCase\nname: x\ncases:\n- name: a\n  expect:\n    verdict: go\n# about b\n\n- name: b\n", "kind: TestCase\nname: x\ncases:\n  - name: a\n    expect:\n      verdict: go\n  # about b\n  - name: b\n"},
		{"blank lines of texts", "kind: Gate\nname: x\nlist:\n  - |\n   # text\n\n   more\n  # comment\n\n  - b: |\n      # text\n\n      more\n", "kind: Gate\nname: x\nlist:\n  - |\n    # text\n\n    more\n  # comment\n  - b: |\n      # text\n\n      more\n"},
		{"texts that end in blank lines", "kind: Gate\nname: x\ntitle: |+\n  a\n\n", "kind: Gate\nname: x\ntitle: \"a\\n\\n\"\n"},
		{"nothing between braces", "kind: Gate\nname: x\nmatch: {a: , b: [~]}\n", "kind: Gate\nname: x\nmatch: {a: null, b: [~]}\n"},
		{"texts of several lines", "kind: Gate\nname: x\ndescription: |\n  a\n\n  --- b\n", "kind: Gate\nname: x\ndescription: |\n  a\n\n  --- b\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all, err := Format([]bundle.File{{Name: "a.yaml", Data: []byte(tt.in)}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(all.Files[0].Data)); diff != "" {
				t.Error(diff)
			}
			if changed := len(all.Changed) == 1; changed != (tt.in != tt.want) {
				t.Errorf("changed: %v", all.Changed)
			}
		})
	}
}

// One file that cannot be read or laid out leaves all as they are, and the error tells of each.
func TestFormatRefusesWhatItCannotRead(t *testing.T) {
	sound := bundle.File{Name: "sound.yaml", Data: []byte("name: a\nkind: Gate\n")}
	if all, err := Format([]bundle.File{sound}); err != nil || len(all.Changed) != 1 {
		t.Fatalf("%v %v", all.Changed, err)
	}
	for _, in := range []string{"a: [", "a: &x 1\nb: *x\n", "- a\n", "a: 1\na: 2\n", "\xff"} {
		all, err := Format([]bundle.File{{Name: "a.yaml", Data: []byte(in)}, sound, {Name: "z.yaml", Data: []byte("b: [")}})
		var told *bundle.Failure
		if !errors.As(err, &told) || all.Files != nil {
			t.Errorf("%q became %q", in, all.Files)
			continue
		}
		if first, last := told.List[0], told.List[len(told.List)-1]; first.Where.File != "a.yaml" || last.Where.File != "z.yaml" {
			t.Errorf("%q: %v", in, err)
		}
	}
	if _, err := Format([]bundle.File{sound, sound}); err == nil {
		t.Error("a name that stands twice is laid out")
	}
}

// A packed policy is laid out without a change of meaning, and stays so.
func TestFormattedPacksMeanTheSame(t *testing.T) {
	for _, name := range policy.Packs() {
		files, _ := policy.Pack(name)
		loose := slices.Clone(files)
		for i, f := range loose { // as somebody in a hurry writes it
			loose[i].Data = bytes.ReplaceAll(bytes.ReplaceAll(f.Data, []byte("\n  "), []byte("\n    ")), []byte(": "), []byte(":  "))
		}
		before := compiled(t, loose)
		all, err := Format(loose)
		if err != nil {
			t.Fatal(err)
		}
		if changes, err := Diff(before, compiled(t, all.Files)); err != nil || len(changes) > 0 || len(all.Changed) == 0 {
			t.Errorf("%v %v, %v", changes, err, all.Changed)
		}
		if again, err := Format(all.Files); err != nil || len(again.Changed) > 0 {
			t.Errorf("%v %v", again.Changed, err)
		}
	}
}

// Where a comment can stand is a matter of taste; that it stands beside what it
// stood beside is not.
func TestAstray(t *testing.T) {
	const base = "a: 1\n# about b\nb: 2\nc:\n  - d\n  # about e\n  - e\n"
	for after, want := range map[string]bool{
		base: false,
		"c:\n- d\n# about e\n- e\na: 1\n# about b\nb: 2\n":               false, // with what follows
		"b: 2\na: 1\n# about b\nc:\n- d\n# about e\n- e\n":               false, // with what comes before
		"# about b\na: 1\nb: 2\nc:\n- d\n# about e\n- e\n":               true,
		"a: 1\n# about b\nb: 2\nc:\n- d\n- e\n# about e\n":               true,
		"a: 1\n# about b\nb: 2\nc:\n- d\n- e\nz: 1\n# about e\n":         true,
		"a: 1\nb: 2\nc:\n- d\n# about e\n- e\n":                          true,
		"a: 1\nt: |\n  # about b\nb: 2\nc:\n- d\n# about e\n- e\n":       true, // text, and no comment
		"a: 1\nt: |\n  # about b\n# about b\nb: 2\nc:\n# about e\n- e\n": false,
	} {
		if got := astray([]byte(base), []byte(after)); got != want {
			t.Errorf("%q: %t", after, got)
		}
	}
}

// A change of meaning is seen, whatever it is.
func TestMeaning(t *testing.T) {
	const base = "a: 1\nb: [x, y]\nc: {d: \"2\"}\n"
	for _, other := range []string{"a: 2\nb: [x, y]\nc: {d: \"2\"}\n", "a: 1\nb: [y, x]\nc: {d: \"2\"}\n", "a: 1\nb: [x, y]\nc: {d: 2}\n", "a: 1\nb: [x, y]\n", base + "---\na: 1\n"} {
		x, _ := meaning([]byte(base))
		if y, err := meaning([]byte(other)); err != nil || x == y {
			t.Errorf("%q means what %q means", other, base)
		}
	}
	x, _ := meaning([]byte(base))
	if y, err := meaning([]byte("# c\nc:\n  d: '2'\nb:\n- x\n- y\na: 1\n")); err != nil || x != y {
		t.Errorf("%q and %q", x, y)
	}
}

// seeds are small files with what is hard about laying YAML out: each kind of
// comment, text and list, and documents that end in each way.
var seeds = []string{
	"kind: Gate\nname: x\n", "# a\n\n# b\nkind: Gate # c\n# d\nname: |\n  x\n\n# e\n---\n# f\n", "a:\n  # b\n  - c # d\n  # e\n",
	"name: x\n# of kind\nkind: Gate # here\n# end\n", "a: {b: c, d: [e, f]} # g\n", "a: [b, c] # d\n# e\n", "a:\n- b\n-  c:  d\n   e: f\n",
	"a: >-\n  b\n\n  c\nd: |+\n  e\n\n", "a: 'b''c'\nd: \"e\\tf\"\n", "a: b\n  c\n", "---\na: b\n--- # c\nd: e\n...\n", "a: b\r\nc: d\r\n",
	"a: 1\nb: 2027-01-31\nc: ~\nd:\n", "a:\n\n  b: c\n\n\n  d: e\n", "? a\n: b\n", "%YAML 1.2\n---\na: b\n", "a: |2\n   b\n", "\"a\": b\n",
}

// FuzzFormat: a file that can be read is laid out, or refused for where a comment
// stands; what is laid out says the same to whoever reads it, keeps its comments
// and stays as it is.
func FuzzFormat(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 { // time goes into forms, not into size
			return
		}
		once, err := Format([]bundle.File{{Name: "a.yaml", Data: data}})
		var told *bundle.Failure
		if errors.As(err, &told) {
			if p := told.List[0]; p.Code == "policy.format" && !strings.HasPrefix(p.Why, "a comment would") && worded(data) {
				t.Fatalf("%q: %v", data, err)
			}
			return
		}
		laid := once.Files[0].Data
		twice, err := Format(once.Files)
		if err != nil || len(twice.Changed) > 0 {
			t.Fatalf("%q became %q, and that %q: %v", data, laid, twice.Files, err)
		}
		was, can := read(data)
		is, still := read(laid)
		if diff := cmp.Diff(was, is); diff != "" || can != still {
			t.Fatalf("%q became %q:\n%s", data, laid, diff)
		}
	})
}

// worded reports whether every key of a file is a word, as those of policies are.
func worded(data []byte) bool {
	var all func(v any) bool
	all = func(v any) bool {
		switch v := v.(type) {
		case map[string]any:
			for key, x := range v {
				if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) }) || !all(x) {
					return false
				}
			}
			return true
		case []any:
			return !slices.ContainsFunc(v, func(x any) bool { return !all(x) })
		case map[any]any:
			return false
		}
		return true
	}
	docs, can := read(data)
	return can && all(docs)
}

// read is what a file says to a reader of YAML that is not the formatter's, and
// false where it cannot be read: a date with a month of 13 is text to the formatter.
func read(data []byte) (all []any, can bool) {
	from := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var one any
		err := from.Decode(&one)
		if err != nil {
			return all, errors.Is(err, io.EOF)
		}
		if one != nil { // an empty document says nothing
			all = append(all, one)
		}
	}
}
