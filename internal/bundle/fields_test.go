package bundle

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fieldsIn reads the one document of a text.
func fieldsIn(t testing.TB, text string) (*Fields, *Problems) {
	t.Helper()
	out := &Problems{}
	docs := Read(one(text), out)
	if len(docs) != 1 || len(out.Sorted()) > 0 {
		t.Fatalf("%d documents, %v, in %q", len(docs), out.Sorted(), text)
	}
	return docs[0], out
}

// asked is what one reader makes of a text; nil stands for a missing key.
func asked(t testing.TB, text string, ask func(*Fields) any) (any, []string) {
	t.Helper()
	f, out := fieldsIn(t, text)
	v := ask(f)
	f.Done("a test")
	return v, codes(out)
}

func TestFieldsReadOneShapeEach(t *testing.T) {
	day := 24 * time.Hour
	readers := map[string]func(*Fields) any{
		"text":     func(f *Fields) any { return f.Text("k") },
		"need":     func(f *Fields) any { return f.Need("k") },
		"choice":   func(f *Fields) any { return f.Choice("k", "b", "a", "b") },
		"list":     func(f *Fields) any { return f.List("k") },
		"choices":  func(f *Fields) any { return f.Choices("k", "a", "b") },
		"number":   func(f *Fields) any { v, ok := f.Number("k"); return map[bool]any{true: v, false: "none"}[ok] },
		"count":    func(f *Fields) any { return f.Count("k", 7, 1, 100) },
		"duration": func(f *Fields) any { return f.Duration("k", day, 10*day) },
		"instant":  func(f *Fields) any { return f.Instant("k") },
		"scalar":   func(f *Fields) any { return f.Scalar("k") },
		"mapping": func(f *Fields) any {
			m := f.Mapping("k")
			if m == nil {
				return "none"
			}
			return strings.Join(m.Keys(), " ")
		},
		"mappings": func(f *Fields) any { return len(f.Mappings("k")) },
		"expression": func(f *Fields) any {
			e := f.Expression("k")
			if e == nil {
				return "none"
			}
			return e.Field + "=" + e.Text
		},
	}
	nothing, none := []string(nil), []string(nil)
	wrong := []string{"policy.wrong-shape"}
	for _, tt := range []struct {
		reader, text string
		want         any
		problems     []string
	}{
		{"text", "{}", "", none},
		{"text", "k: ' x '", "x", none},
		{"text", "k: ''", "", none},
		{"text", "k: 1", "", wrong},
		{"text", "k: true", "", wrong},
		{"text", "k:", "", wrong},
		{"text", "k: [a]", "", wrong},
		{"text", "k: 2027-01-31", "", wrong},
		{"text", "k: " + strings.Repeat("x", MaxText), strings.Repeat("x", MaxText), none},
		{"text", "k: " + strings.Repeat("x", MaxText+1), "", []string{"policy.too-long"}},
		{"need", "k: x", "x", none},
		{"need", "{}", "", []string{"policy.missing-field"}},
		{"need", "k: ''", "", []string{"policy.missing-field"}},
		{"need", "k: {}", "", wrong},
		{"choice", "{}", "b", none},
		{"choice", "k: a", "a", none},
		{"choice", "k: A", "b", []string{"policy.unknown-value"}},
		{"choice", "k: [a]", "b", wrong},
		{"list", "{}", nothing, none},
		{"list", "k: []", nothing, none},
		{"list", "k: [a, b]", []string{"a", "b"}, none},
		{"list", "k: a", nothing, wrong},
		{"list", "k: [a, 1]", []string{"a"}, wrong},
		{"list", "k: [a, '']", []string{"a"}, wrong},
		{"list", "k: [a, [b]]", []string{"a"}, wrong},
		{"list", "k: [a, b, a]", []string{"a", "b"}, []string{"policy.duplicate-value"}},
		{"list", "k: [" + strings.Repeat("x, ", MaxList+1) + "]", nothing, wrong},
		{"choices", "k: [b, a]", []string{"b", "a"}, none},
		{"choices", "k: [a, c]", []string{"a", "c"}, []string{"policy.unknown-value"}},
		{"number", "{}", "none", none},
		{"number", "k: 1.5", 1.5, none},
		{"number", "k: -2", -2.0, none},
		{"number", "k: '2'", "none", wrong},
		{"number", "k: .inf", "none", wrong},
		{"number", "k: .nan", "none", wrong},
		{"number", "k: 1e999", "none", wrong},
		{"number", "k: true", "none", wrong},
		{"count", "{}", 7, none},
		{"count", "k: 1", 1, none},
		{"count", "k: 100", 100, none},
		{"count", "k: 0", 7, []string{"policy.out-of-range"}},
		{"count", "k: 101", 7, []string{"policy.out-of-range"}},
		{"count", "k: 1.5", 7, []string{"policy.out-of-range"}},
		{"count", "k: two", 7, wrong},
		{"duration", "{}", day, none},
		{"duration", "k: 1h", time.Hour, none},
		{"duration", "k: 10d", 10 * day, none},
		{"duration", "k: 10d1s", day, []string{"policy.out-of-range"}},
		{"duration", "k: 0s", day, []string{"policy.out-of-range"}},
		{"duration", "k: 90", day, []string{"policy.duration"}},
		{"duration", "k: [1h]", day, []string{"policy.duration"}},
		{"instant", "{}", time.Time{}, none},
		{"instant", "k: 2027-01-31", time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC), none},
		{"instant", "k: '2027-01-31T09:00:00+01:00'", time.Date(2027, 1, 31, 8, 0, 0, 0, time.UTC), none},
		{"instant", "k: 2027-02-30", time.Time{}, []string{"policy.instant"}},
		{"instant", "k: soon", time.Time{}, []string{"policy.instant"}},
		{"instant", "k: [2027-01-31]", time.Time{}, []string{"policy.instant"}},
		{"scalar", "{}", nil, none},
		{"scalar", "k: 1", 1.0, none},
		{"scalar", "k: yes", "yes", none},
		{"scalar", "k: True", true, none},
		{"scalar", "k: false", false, none},
		{"scalar", "k: x", "x", none},
		{"scalar", "k: .nan", nil, none},
		{"scalar", "k: ~", nil, none},
		{"scalar", "k: [1]", nil, none},
		{"mapping", "{}", "none", none},
		{"mapping", "k: {a: 1, b: 2}", "a b", none},
		{"mapping", "k: [a]", "none", wrong},
		{"mapping", "k:", "none", wrong},
		{"mappings", "{}", 0, none},
		{"mappings", "k: [{a: 1}, {b: 1}]", 2, none},
		{"mappings", "k: [{a: 1}, b]", 1, wrong},
		{"mappings", "k: {a: 1}", 0, wrong},
		{"expression", "{}", "none", none},
		{"expression", "k: a > 1", "k=a > 1", none},
		{"expression", "k: true", "k=true", none},
		{"expression", "k: ' '", "none", wrong},
		{"expression", "k:", "none", wrong},
		{"expression", "k: [a]", "none", wrong},
		{"text", "k: x\nother: 1", "x", []string{"policy.unknown-field"}},
	} {
		name := tt.reader + " " + tt.text[:min(len(tt.text), 30)]
		got, problems := asked(t, tt.text, readers[tt.reader])
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff(tt.problems, problems); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestPlaces(t *testing.T) {
	f, out := fieldsIn(t, "kind: Probe\nname: example\nlist: [a, bb, c]\nempty: []\n")
	for got, want := range map[string]string{
		f.At().String():                 "x.yaml:2:1",
		f.KeyAt("kind").String():        "x.yaml:1:1",
		f.ValueAt("kind").String():      "x.yaml:1:7",
		f.ItemAt("list", "bb").String(): "x.yaml:3:11",
		f.ItemAt("list", "z").String():  "x.yaml:3:7",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for _, missing := range []string{f.KeyAt("none").String(), f.ValueAt("none").String(), f.ItemAt("none", "x").String()} {
		if missing != f.At().String() {
			t.Errorf("what is missing stands at %s", missing)
		}
	}
	if f.Has("none") || !f.Has("empty") || !f.EmptyList("empty") || f.EmptyList("list") || f.EmptyList("none") || f.EmptyList("kind") {
		t.Error("what is there is told wrongly")
	}
	f.Missing("scope")
	f.Wrong("none", "text")
	f.Wrong("kind", "a list of texts")
	f.List("list")
	f.Done("a test")
	want := []string{
		`x.yaml:1:1: error: "kind" is not a field of a test [policy.unknown-field]`,
		`x.yaml:1:7: error: "kind" wants a list of texts: this is text [policy.wrong-shape]`,
		`x.yaml:2:1: error: "scope" is missing: it is required here [policy.missing-field]`,
		`x.yaml:2:1: error: "name" is not a field of a test [policy.unknown-field]`,
		`x.yaml:4:1: error: "empty" is not a field of a test [policy.unknown-field]`,
	}
	var got []string
	for _, p := range out.Sorted() {
		first, _, _ := strings.Cut(p.String(), "\n")
		got = append(got, first)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPlacesInExpressions(t *testing.T) {
	for _, tt := range []struct {
		name, text   string
		line, column int
		want         string
	}{
		{"plain", "k: a > b\n", 1, 4, "x.yaml:1:8"},
		{"in double quotes", "k: \"a > b\"\n", 1, 4, "x.yaml:1:9"},
		{"in single quotes", "k: 'a > b'\n", 1, 4, "x.yaml:1:9"},
		{"a block", "k: |-\n  a\n  > b\n", 2, 2, "x.yaml:3:5"},
		{"a block, indented", "m: 1\nk: |\n     a > b\n", 1, 4, "x.yaml:3:10"},
		{"a block, with a line further in", "k: |-\n  a\n    > b\n", 2, 4, "x.yaml:3:7"},
		{"folded", "k: >-\n  a\n  > b\n", 1, 2, "x.yaml:3:3"},
		{"folded, over an empty line", "k: >-\n  a\n\n  > b\n", 2, 2, "x.yaml:4:5"},
		{"folded, with signs of several bytes", "k: >-\n  'ä'\n  == b\n", 1, 7, "x.yaml:3:6"},
		{"past the end of the file", "k: |-\n  a", 9, 0, "x.yaml:2:3"},
	} {
		f, _ := fieldsIn(t, tt.text)
		if got := f.Expression("k").At(tt.line, tt.column).String(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestAssign(t *testing.T) {
	type all struct {
		Truth bool
		Count int
		Rate  float64
		Word  string
		Words []string
		At    time.Time
	}
	const good = "Truth: true\nCount: 3\nRate: 0.5\nWord: x\nWords: [a, b]\nAt: 2027-03-01T10:00:00+01:00\n"
	read := func(text string) (all, []string) {
		f, out := fieldsIn(t, text)
		var v all
		section := reflect.ValueOf(&v).Elem()
		for i := range section.NumField() {
			f.Assign(section.Type().Field(i).Name, section.Field(i))
		}
		f.Done("a test")
		return v, codes(out)
	}
	got, problems := read(good)
	want := all{true, 3, 0.5, "x", []string{"a", "b"}, time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)}
	if diff := cmp.Diff(want, got); diff != "" || problems != nil {
		t.Errorf("%s %v", diff, problems)
	}
	if got, problems := read("{}"); !reflect.DeepEqual(got, all{}) || problems != nil {
		t.Errorf("nothing is read as %+v, %v", got, problems)
	}
	for _, text := range []string{
		"Truth: 1", "Truth: 'true'", "Count: -1", "Count: 1.5", "Count: 2e12", "Count: '1'", "Rate: x", "Rate: .inf", "Word: 1", "Word:", "Word: [a]",
		"Words: a", "Words: [1]", "Words: [[a]]", "At: 2027-03-01", "At: soon", "At: [2027-03-01T10:00:00Z]", "At: {}",
	} {
		if got, problems := read(text); !reflect.DeepEqual(got, all{}) || len(problems) != 1 || problems[0] != "policy.wrong-shape" {
			t.Errorf("%s is read as %+v, %v", text, got, problems)
		}
	}
}
