package conform

import (
	"fmt"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/fault"
)

func compiled(t testing.TB, schema string) *JSON {
	t.Helper()
	s, err := CompileJSON([]byte(schema))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Each rule admits and refuses, and says where and why.
func TestJSONRules(t *testing.T) {
	for _, c := range []struct {
		schema  string
		admits  []string
		refuses map[string]string // by document: what is said
	}{
		{`{"type":"string"}`, []string{`"a"`}, map[string]string{`1`: `1:1: the document is 1: it must be a string`, `null`: `1:1: the document is null: it must be a string`}},
		{`{"type":["string","null"]}`, []string{`"a"`, `null`}, map[string]string{`[]`: `1:1: the document is a list: it must be null or a string`}},
		{`{"type":"integer"}`, []string{`1`, `1.0`, `10e-1`, `-0`}, map[string]string{`1.5`: `1:1: the document is 1.5: it must be a whole number`}},
		{`{"type":"number"}`, []string{`1`, `1.5`}, map[string]string{`true`: `1:1: the document is true: it must be a number`}},
		{`{"enum":["a","b"]}`, []string{`"a"`}, map[string]string{`"c"`: `1:1: the document is "c": it may be one of "a", "b"`, `{}`: `1:1: the document is an object: it may be one of "a", "b"`}},
		{`{"const":false}`, []string{`false`}, map[string]string{`0`: `1:1: the document is 0: it must be false`, `"false"`: `1:1: the document is "false": it must be false`}},
		{`{"const":"a"}`, []string{`"a"`, `"\u0061"`}, map[string]string{`"b"`: `1:1: the document is "b": it must be "a"`}},
		{`{"pattern":"^a.b$"}`, []string{`"axb"`, `1`}, map[string]string{`"a\nb"`: `1:1: the document is "a\nb": it must match ^a.b$`}},
		{`{"format":"date"}`, []string{`"2024-02-29"`}, map[string]string{`"2023-02-29"`: `1:1: the document is "2023-02-29": it is not a date (RFC 3339), such as 2006-01-31`}},
		{`{"minLength":1,"maxLength":2}`, []string{`"ä"`, `"äö"`, `7`}, map[string]string{`""`: `1:1: the document is "": it must have 1 to 2 characters`, `"äöü"`: `1:1: the document is "äöü": it must have 1 to 2 characters`}},
		{`{"minimum":0,"maximum":1}`, []string{`0`, `1.0`, `0.5`, `"2"`}, map[string]string{`-0.1`: `1:1: the document is -0.1: it must be at least 0`, `1.0000000000000000000000000001`: `1:1: the document is 1.0000000000000000000000000001: it must be at most 1`, `1e999999999`: `1:1: the document is 1e999999999: it must be at most 1`}},
		{`{"required":["a"]}`, []string{`{"a":1}`, `[]`}, map[string]string{`{"b":1}`: `1:1: the document has no "a": it is required`}},
		{`{"properties":{"a":{"type":"string"}},"additionalProperties":false}`, []string{`{"a":""}`, `{}`}, map[string]string{
			`{"a":"x","b":{}}`: `1:10: b is not known: no such name stands there in this version of the format`, "{\n \"a\": 2}": `2:7: a is 2: it must be a string`, `{"\u0061":1}`: `1:11: a is 1: it must be a string`,
		}},
		{`{"additionalProperties":{"type":"string"}}`, []string{`{"a":""}`}, map[string]string{`{"a/b":1}`: `1:8: a/b is 1: it must be a string`}},
		{`{"items":{"type":"string"}}`, []string{`["a"]`, `[]`}, map[string]string{`["a",[1]]`: `1:6: 1 is a list: it must be a string`}},
		{`{"items":[{"type":"string"}],"additionalItems":false,"minItems":1}`, []string{`["a"]`}, map[string]string{`["a","b"]`: `1:6: 1 has too few or too many elements: it must have exactly 1`, `[]`: `1:1: the document has too few or too many elements: it must have exactly 1`}},
		{`{"uniqueItems":true}`, []string{`[1,"1",[1],{"a":1},{"a":2},true,null,"true",{"a":{"b":1}},{"a":{"b":2}}]`}, map[string]string{
			`[1,2,1.0]`: `1:6: 2 repeats an element of its list: element 0 is equal to it, and they must differ`, `[{"a":1,"b":[2]},{"b":[2.0],"a":1e0}]`: `1:18: 1 repeats an element of its list: element 0 is equal to it, and they must differ`,
			`["a","\u0061"]`: `1:6: 1 repeats an element of its list: element 0 is equal to it, and they must differ`,
		}},
		{`{"allOf":[{"required":["a"]},{"required":["b"]}]}`, []string{`{"a":1,"b":2}`}, map[string]string{`{"b":1}`: `1:1: the document has no "a": it is required`}},
		{`{"oneOf":[{"required":["a"]},{"required":["b"]}]}`, []string{`{"a":1}`, `{"b":1}`}, map[string]string{
			`{}`: `1:1: the document has none of the forms it may have: one of them must be chosen: "a" or "b"`, `{"a":1,"b":2}`: `1:1: the document has more than one of the forms that exclude each other: one of them must be chosen: "a" or "b"`,
		}},
		{`{"anyOf":[{"required":["a"]},{"required":["b"]}]}`, []string{`{"a":1}`, `{"a":1,"b":1}`}, map[string]string{`{"c":1}`: `1:1: the document has none of the forms it may have: one of them must be chosen: "a" or "b"`}},
		{`{"oneOf":[{"type":"array"},{"type":"object","properties":{"a":{"type":"string"}}}]}`, []string{`[]`, `{"a":""}`}, map[string]string{`{"a":1}`: `1:6: a is 1: it must be a string`}},
		{`{"not":{"required":["a","b"]}}`, []string{`{"a":1}`}, map[string]string{`{"a":1,"b":2}`: `1:1: the document has a form that it may not have: these must not stand together or at all: "a", "b"`}},
		{`{"if":{"properties":{"k":{"const":"x"}}},"then":{"required":["a"]},"else":{"required":["b"]}}`, []string{`{"k":"x","a":1}`, `{"k":"y","b":1}`, `{"a":1}`}, map[string]string{
			`{"k":"x","b":1}`: `1:1: the document has no "a": it is required`, `{"k":"y","a":1}`: `1:1: the document has no "b": it is required`,
		}},
		{`{"definitions":{"d":{"type":"object","properties":{"d":{"$ref":"#/definitions/d"},"n":{"type":"number"}}}},"$ref":"#/definitions/d","type":"string"}`, []string{`{"d":{"d":{"n":1}}}`}, map[string]string{`{"d":{"d":{"n":""}}}`: `1:16: d.d.n is "": it must be a number`}},
	} {
		s := compiled(t, c.schema)
		for _, doc := range c.admits {
			if err := s.Check([]byte(doc)); err != nil {
				t.Errorf("%s refuses %s: %v", c.schema, doc, err)
			}
		}
		for doc, want := range c.refuses {
			err := s.Check([]byte(doc))
			if err == nil || err.Error() != want || fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s on %s says %v, want %s", c.schema, doc, err, want)
			}
		}
	}
}

// What is no JSON is refused under any schema.
func TestJSONSyntax(t *testing.T) {
	s := compiled(t, `{}`)
	for _, doc := range []string{``, `{`, `{"a":1`, `{"a":1,"a":2}`, `[1,]`, `{} {}`, `{}x`, "\"\xff\"", `"\ud800"`, `01`, `nul`, strings.Repeat("[", 2000) + strings.Repeat("]", 2000)} {
		if err := s.Check([]byte(doc)); err == nil || fault.KindOf(err) == fault.Internal {
			t.Errorf("%.20s: %v", doc, err)
		}
	}
	if err := s.Check([]byte(" [1, {\"a\": [true, null]}]\n")); err != nil {
		t.Error(err)
	}
}

// A schema with a word, format or pattern that is not known is refused.
func TestJSONSchemaRefused(t *testing.T) {
	for _, schema := range []string{
		`{"contains":{}}`, `{"type":"int"}`, `{"format":"ipv4"}`, `{"pattern":"(?=a)"}`, `{"pattern":"("}`, `{"$ref":"#/definitions/a"}`, `{"$ref":"x.json"}`, `{"minimum":"a"}`,
		`{"items":[{}]}`, `{"definitions":{"a":{"$ref":"#/definitions/a"}}}`, `{"definitions":{"a":{"allOf":[{"$ref":"#/definitions/b"}]},"b":{"not":{"$ref":"#/definitions/a"}}}}`,
		`{"definitions":{"unused":{"type":"int"}}}`, `[]`, `{"type":"string","type":"string"}`,
	} {
		if _, err := CompileJSON([]byte(schema)); err == nil {
			t.Errorf("%s is compiled", schema)
		}
	}
	if _, err := CompileJSON([]byte(`{"definitions":{"a":{}}}`), []byte(`{"definitions":{"a":{}}}`)); err == nil {
		t.Error("a definition stands twice")
	}
}

func TestDistinct(t *testing.T) {
	s := compiled(t, `{"definitions":{"c":{"properties":{"ref":{"type":"string"}}}},"properties":{"a":{"$ref":"#/definitions/c"},"b":{"$ref":"#/definitions/c"},"x":{}}}`)
	if err := s.Distinct("ref", "none"); err == nil {
		t.Error("a definition that is not there")
	}
	doc := []byte("{\"a\":{\"ref\":\"1\"},\n\"b\":{\"ref\":\"\\u0031\"}}")
	if err := s.Check(doc); err != nil {
		t.Errorf("without the demand: %v", err)
	}
	if err := s.Distinct("ref", "c"); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(doc); err == nil || err.Error() != `2:12: b.ref is "1": it stands at 1:13 already, and must be unique` {
		t.Errorf("%v", err)
	}
	if err := s.Check([]byte(`{"a":{"ref":"1"},"b":{"ref":"2"},"x":{"ref":"1"}}`)); err != nil {
		t.Errorf("another object's: %v", err)
	}
}

// Time and memory of hostile documents are bounded.
func TestJSONBounds(t *testing.T) {
	s := compiled(t, `{"uniqueItems":true,"items":{"oneOf":[{"type":"object","properties":{"a":{"type":"string"}}},{"type":"array","uniqueItems":true}]}}`)
	var many strings.Builder
	for i := range maxMembers + 1 {
		fmt.Fprintf(&many, `"%d":0,`, i)
	}
	for name, doc := range map[string]string{
		"members":     `[{` + many.String() + `"x":0}]`,
		"a long text": `[{"\u0061":"` + strings.Repeat("x", maxText) + `"}]`,
		"depth":       `[` + strings.Repeat(`[`, maxNest+1) + strings.Repeat(`]`, maxNest+1) + `]`,
	} {
		if err := s.Check([]byte(doc)); fault.KindOf(err) != fault.TooLarge {
			t.Errorf("%s: %.200v", name, err)
		}
	}
	b := budget(maxUnique)
	if _, err := b.add(distinct{}, 0); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("%v", err)
	}
}

func FuzzJSON(f *testing.F) {
	s := compiled(f, `{"definitions":{"d":{"type":"object","required":["k"],"properties":{"k":{"enum":["x","y"]},"d":{"$ref":"#/definitions/d"},"l":{"uniqueItems":true,"items":{"oneOf":[{"$ref":"#/definitions/d"},{"type":"string","format":"iri-reference"}]}},"n":{"type":"integer","minimum":0}},"additionalProperties":false}},"$ref":"#/definitions/d"}`)
	for _, doc := range []string{`{"k":"x","l":["a",{"k":"y"}],"n":1}`, `{"k":"x","d":{"k":"y","n":1.0}}`, `{"l":[1,1]}`, `{"k":"\u0078","l":["a","\u0061"]}`} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := s.Check(b); err != nil && fault.KindOf(err) == fault.Internal {
			t.Errorf("%v", err)
		}
	})
}
