package strict

import (
	"errors"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/fault"
)

type sample struct {
	Name  string   `json:"name"`
	Count int      `json:"count"`
	Tags  []string `json:"tags"`
	Inner struct {
		Approved bool `json:"approved"`
	} `json:"inner"`
}

func TestDecode(t *testing.T) {
	var s sample
	if err := Decode([]byte(`{"name":"a","count":2,"tags":["x"],"inner":{"approved":true}}`), &s); err != nil {
		t.Fatal(err)
	}
	if s.Name != "a" || s.Count != 2 || !s.Inner.Approved {
		t.Errorf("read %+v", s)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, c := range map[string]struct{ in, says string }{
		"unknown field":  {`{"nmae":"a"}`, "/nmae"},
		"duplicate":      {`{"name":"a","name":"b"}`, "twice"},
		"wrong case":     {`{"Name":"a"}`, "/Name"},
		"trailing data":  {`{"name":"a"} {}`, ""},
		"wrong type":     {`{"count":"2"}`, "/count"},
		"bad UTF-8":      {"{\"name\":\"\xff\"}", ""},
		"lone surrogate": {`{"name":"\ud800"}`, ""},
		"empty":          {``, ""},
		"cut":            {`{"name":`, "early"},
		"inner":          {"{\n \"inner\": {\"aproved\": true}}", "/inner/aproved"},
		"BOM":            {"\ufeff{}", ""},
		"NaN":            {`{"count":NaN}`, ""},
	} {
		var s sample
		err := Decode([]byte(c.in), &s)
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %q does not say %q", name, err, c.says)
		}
		if strings.Contains(err.Error(), "strict.") || strings.Contains(err.Error(), "Go ") {
			t.Errorf("%s: %q names a Go type", name, err)
		}
	}
}

func TestReadTooLarge(t *testing.T) {
	var s sample
	if err := Read(strings.NewReader(`{"name":"`+strings.Repeat("a", 100)+`"}`), 50, &s); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("got %v", err)
	}
	if err := Read(strings.NewReader(`{"name":"a"}`), 50, &s); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestYAML(t *testing.T) {
	docs, err := YAML("c.yaml", []byte("name: a\ncount: 2\ntags: [x, 1.10.0]\n---\n# nothing\n---\nname: 2026-11-23\ninner:\n  approved: true\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(docs) != 2 {
		t.Fatalf("%d documents", len(docs))
	}
	var a, b sample
	if err := errors.Join(docs[0].Into(&a), docs[1].Into(&b)); err != nil {
		t.Fatal(err)
	}
	if a.Count != 2 || a.Tags[1] != "1.10.0" || b.Name != "2026-11-23" || !b.Inner.Approved {
		t.Errorf("read %+v and %+v", a, b)
	}
	if docs[1].Field("name") != "2026-11-23" || docs[1].Field("none") != "" {
		t.Error("Field")
	}
}

func TestYAMLRefuses(t *testing.T) {
	for name, c := range map[string]struct{ in, says string }{
		"duplicate":     {"name: a\nname: b\n", "c.yaml:2:1"},
		"alias":         {"name: &x a\ntags: [*x]\n", "anchors"},
		"merge":         {"inner:\n  <<: {approved: true}\n", ""},
		"tag":           {"name: !secret a\n", "tag"},
		"unknown field": {"name: a\ninner:\n  aproved: true\n", "c.yaml:3"},
		"wrong type":    {"name: a\ncount: many\n", "c.yaml:2:8"},
		"not YAML":      {"name: [a\n", "c.yaml"},
		"deep":          {strings.Repeat("[", 80) + strings.Repeat("]", 80), "deep"},
		"infinity":      {"count: .inf\n", "decimal"},
	} {
		docs, err := YAML("c.yaml", []byte(c.in))
		if err == nil {
			var s sample
			err = docs[0].Into(&s)
		}
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"name":"a","inner":{"approved":true}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s sample
		if err := Decode(b, &s); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v", err)
		}
	})
}

func FuzzYAML(f *testing.F) {
	f.Add([]byte("name: a\ninner: {approved: true}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		docs, err := YAML("f", b)
		for _, d := range docs {
			var s sample
			err = errors.Join(err, d.Into(&s))
		}
		_ = err
	})
}
