package bundle

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzRead: no file makes the reader panic, every place lies within the file,
// and nothing that a terminal would act on is told back.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"a: 1\nb: [x, {c: 2}]\n", "a: &a [*a, *a]\n", "? {a: b}\n: c\n---\n- 1\n", "a: |\n  x\n  y\n--- >\n", "\ufeffa: 1", "a: \"\\u202e\"", "<<: {a: 1}", "k: 1d12h", "k: 2027-01-31T09:00:00Z",
		"%YAML 1.2\n---\nk: 'x'", "k: .nan\n...\n---\nk: 0x1F", "k: [a, a]", "\xff", "",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		out := &Problems{}
		docs := Read([]File{{Name: "x.yaml", Data: data}}, out)
		lines := 2 + strings.Count(string(data), "\n")
		for _, d := range docs {
			for _, key := range append(d.Keys(), "k") {
				exercise(d, key)
				if at := d.ValueAt(key); at.Line < 1 || at.Line > lines || at.Column < 1 {
					t.Fatalf("%q stands at %s of %d lines", key, at, lines)
				}
			}
			d.Done("a test")
		}
		for _, p := range out.Sorted() {
			if p.What == "" || p.Code == "" || p.Where.Line > lines {
				t.Fatalf("a problem that says too little: %+v", p)
			}
			if !utf8.ValidString(p.Excerpt) || strings.ContainsFunc(p.Excerpt, func(r rune) bool { return r != '\n' && hidden(r) }) {
				t.Fatalf("an excerpt that hides something: %q", p.Excerpt)
			}
		}
	})
}

// exercise asks for a key in every shape.
func exercise(d *Fields, key string) {
	d.Text(key)
	d.Need(key)
	d.Choice(key, "a", "a", "b")
	d.Choices(key, "a", "b")
	d.Count(key, 1, 1, 9)
	d.Duration(key, time.Hour, time.Hour)
	d.Instant(key)
	d.Scalar(key)
	d.Mappings(key)
	if m := d.Mapping(key); m != nil {
		m.Done("a mapping")
	}
	if e := d.Expression(key); e != nil {
		e.At(1, 0)
		e.At(9, 9)
	}
	for _, v := range []any{new(bool), new(int), new(float64), new(string), new([]string), new(time.Time)} {
		d.Assign(key, reflect.ValueOf(v).Elem())
	}
	d.ItemAt(key, "a")
	d.EmptyList(key)
}

// FuzzDuration: what is read is written back to the same duration.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"15m", "1d12h", "2w", "999999w", "1h1h", "", "٣h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := ParseDuration(s)
		if !ok {
			return
		}
		if back, ok := ParseDuration(Duration(d)); !ok || back != d || d < 0 {
			t.Fatalf("%q is %s, written %q and read back %s", s, d, Duration(d), back)
		}
	})
}
