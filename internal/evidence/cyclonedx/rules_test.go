package cyclonedx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"signalbox.dev/signalbox/internal/conform"
)

var every = strings.Split(versions, ", ")

// corpus is a folder of real documents, kept outside of the repository.
func corpus(t *testing.T, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join("..", "..", "..", "..", "shared", "corpora", pattern))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatalf("the corpus %s is absent", pattern)
		}
		t.Skipf("the corpus %s is absent", pattern)
	}
	return list
}

// checkers are the rules of all versions, checked by conform alone: without
// the one that no JSON Schema can express.
func checkers(t testing.TB) map[string]*conform.JSON {
	t.Helper()
	out := map[string]*conform.JSON{}
	for _, v := range every {
		own, shared, err := ruleFiles(v + ".json")
		if err != nil {
			t.Fatal(err)
		}
		s, err := conform.CompileJSON(own, shared)
		if err != nil {
			t.Fatal(err)
		}
		out[v] = s
	}
	return out
}

// merged are the rules of a version as one schema.
func merged(t testing.TB, version string) map[string]any {
	t.Helper()
	own, shared, err := ruleFiles(version + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var a, b map[string]any
	for _, x := range []struct {
		bytes []byte
		to    *map[string]any
	}{{own, &a}, {shared, &b}} {
		if err := json.Unmarshal(x.bytes, x.to); err != nil {
			t.Fatal(err)
		}
	}
	maps.Copy(a["definitions"].(map[string]any), b["definitions"].(map[string]any))
	a["$schema"] = "http://json-schema.org/draft-07/schema#"
	return a
}

type engine struct{ *regexp.Regexp }

// oracle is another implementation of JSON Schema with the same rules. Formats
// that it does not know, or reads by Go's idea of a URL, are those of conform,
// which has tests of its own for them.
func oracle(t testing.TB, version string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseRegexpEngine(func(s string) (jsonschema.Regexp, error) {
		re, err := conform.CompileECMA(s)
		return engine{re}, err
	})
	for _, name := range []string{"uri", "iri-reference", "idn-email"} {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(v any) error {
			if s, ok := v.(string); ok && !conform.Format(name, []byte(s)) {
				return fmt.Errorf("not %s", name)
			}
			return nil
		}})
	}
	b, err := json.Marshal(merged(t, version))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource("rules.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("rules.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every document of the corpus comes out as its name says, and as the other
// implementation has it.
func TestCorpusConforms(t *testing.T) {
	version := regexp.MustCompile(`-(1\.\d)\.json$`)
	ours := checkers(t)
	counts := map[bool]int{}
	for _, path := range corpus(t, "cyclonedx/*/*.json") {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		v := version.FindStringSubmatch(path)[1]
		valid := strings.HasPrefix(filepath.Base(path), "valid")
		counts[valid]++
		if err := ours[v].Check(b); (err == nil) != valid {
			t.Errorf("%s: %v", path, err)
		}
	}
	if counts[true] < 100 || counts[false] < 60 {
		t.Errorf("the corpus has only %d valid and %d invalid documents", counts[true], counts[false])
	}
}

// source draws documents from a schema, and damages them.
type source struct {
	*rand.Rand
	definitions map[string]any
	words       []string // to put where they may not belong
}

func newSource(t testing.TB, version string, seed uint64) *source {
	s := &source{Rand: rand.New(rand.NewPCG(seed, 7)), definitions: merged(t, version)["definitions"].(map[string]any)}
	s.words = []string{
		"", "x", "2024-02-29", "2023-02-29T00:00:00Z", "2024-02-29T23:59:60Z", "2024-01-01T10:00:00+01:00", "a b", "http://a/b?c#d", "urn:x:y", "ä@ö.de", "a@b",
		"MIT", "base64", "EC", "RS256", "affected", "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#a", "declared", strings.Repeat("a", 64), "Apache-2.0 OR MIT", "é\"\\\n",
	}
	return s
}

func (s *source) word() string { return s.words[s.IntN(len(s.words))] }

// draw is a value of a schema, as a rule one that conforms.
func (s *source) draw(schema map[string]any, depth int) any {
	if ref, ok := schema["$ref"].(string); ok {
		return s.draw(s.definitions[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any), depth)
	}
	if list, ok := schema["enum"].([]any); ok {
		return list[s.IntN(len(list))]
	}
	for _, word := range []string{"oneOf", "anyOf"} {
		forms, ok := schema[word].([]any)
		if !ok {
			continue
		}
		form := forms[s.IntN(len(forms))].(map[string]any)
		if _, whole := form["type"]; whole || form["$ref"] != nil || form["properties"] != nil {
			return s.draw(form, depth)
		}
		schema = maps.Clone(schema)
		required, _ := schema["required"].([]any)
		more, _ := form["required"].([]any)
		schema["required"] = append(slices.Clone(required), more...)
	}
	switch kind, _ := schema["type"].(string); {
	case kind == "object" || kind == "" && schema["properties"] != nil:
		return s.object(schema, depth)
	case kind == "array":
		return s.array(schema, depth)
	case kind == "boolean":
		return s.IntN(2) == 0
	case kind == "integer" || kind == "number":
		return json.Number([]string{"0", "1", "1.0", "0.5", "1e2", "-1", "3", "1000000000000000000000"}[s.IntN(8)])
	default:
		return s.text(schema)
	}
}

func (s *source) object(schema map[string]any, depth int) any {
	out := map[string]any{}
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		needed := slices.ContainsFunc(required, func(r any) bool { return r == name })
		if needed || s.IntN(4) == 0 && depth > 0 {
			out[name] = s.draw(properties[name].(map[string]any), depth-1)
		}
	}
	return out
}

func (s *source) array(schema map[string]any, depth int) any {
	out := []any{}
	items, _ := schema["items"].(map[string]any)
	if tuple, ok := schema["items"].([]any); ok {
		items = tuple[0].(map[string]any)
	}
	for n := s.IntN(3); n > 0 && items != nil && depth > -3; n-- {
		out = append(out, s.draw(items, depth-1))
	}
	return out
}

func (s *source) text(schema map[string]any) any {
	switch schema["format"] {
	case "date-time":
		return "2024-01-02T03:04:05.6Z"
	case "date":
		return "2024-01-02"
	case "iri-reference", "uri":
		return "https://example.org/ä"[:20]
	case "idn-email":
		return "a@example.org"
	}
	pattern, _ := schema["pattern"].(string)
	for _, try := range []string{
		"urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79", "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1", "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#a",
		"text/plain", strings.Repeat("ab", 16), "de-DE", "CRE:1-2", "US123456", "DE",
	} {
		if pattern != "" && regexp.MustCompile(pattern).MatchString(try) {
			return try
		}
	}
	return fmt.Sprint("t", s.IntN(50))
}

// damage changes one thing somewhere in a value.
func (s *source) damage(v any) any {
	switch x := v.(type) {
	case map[string]any:
		if len(x) > 0 && s.IntN(4) > 0 {
			name := slices.Sorted(maps.Keys(x))[s.IntN(len(x))]
			x[name] = s.damage(x[name])
			return x
		}
		return s.damageObject(x)
	case []any:
		if len(x) > 0 && s.IntN(3) > 0 {
			i := s.IntN(len(x))
			x[i] = s.damage(x[i])
			return x
		}
		switch s.IntN(4) {
		case 0:
			return append(x, s.odd())
		case 1:
			if len(x) > 0 {
				return append(x, x[s.IntN(len(x))])
			}
		case 2:
			return x[:len(x)/2]
		}
		return s.odd()
	}
	return s.odd()
}

func (s *source) damageObject(x map[string]any) any {
	names := slices.Sorted(maps.Keys(x))
	switch s.IntN(5) {
	case 0:
		x["unknown"] = s.odd()
	case 1:
		x[[]string{"name", "id", "type", "expression", "license", "ref", "version", "services", "organization", "value", "range", "versionRange", "isExternal"}[s.IntN(13)]] = s.odd()
	case 2, 3:
		if len(names) > 0 {
			delete(x, names[s.IntN(len(names))])
		}
	default:
		return s.odd()
	}
	return x
}

func (s *source) odd() any {
	switch s.IntN(9) {
	case 0:
		return nil
	case 1:
		return s.IntN(2) == 0
	case 2:
		return json.Number([]string{"0", "-1", "1.5", "1e400", "10", "1.0", "7"}[s.IntN(7)])
	case 3:
		return []any{}
	case 4:
		return map[string]any{}
	case 5:
		return []any{s.word(), s.word()}
	case 6:
		return map[string]any{"name": s.word()}
	}
	return s.word()
}

// conform and the other implementation come to the same verdict on documents
// drawn from the rules of every version, and on damaged ones.
func TestVerdictsAgree(t *testing.T) {
	ours := checkers(t)
	for _, v := range every {
		theirs := oracle(t, v)
		s := newSource(t, v, 1)
		schema := merged(t, v)
		admitted, refused := 0, 0
		for range 3000 {
			doc := s.draw(schema, 5)
			for range s.IntN(3) {
				doc = s.damage(doc)
			}
			agree(t, theirs, ours[v], doc, &admitted, &refused)
		}
		t.Logf("%s: %d admitted, %d refused", v, admitted, refused)
		if admitted < 300 || refused < 300 {
			t.Errorf("%s: the documents drawn try only one side", v)
		}
	}
}

func agree(t *testing.T, theirs *jsonschema.Schema, ours *conform.JSON, doc any, admitted, refused *int) {
	t.Helper()
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	want, got := theirs.Validate(parsed), ours.Check(b)
	if (want == nil) != (got == nil) {
		t.Errorf("%s\n ours %v\n theirs %v", b, got, want)
	}
	if got == nil {
		*admitted++
	} else {
		*refused++
	}
}

// They agree as well on damaged documents of the corpus.
func TestVerdictsAgreeOnCorpus(t *testing.T) {
	version := regexp.MustCompile(`-(1\.\d)\.json$`)
	ours, theirs := checkers(t), map[string]*jsonschema.Schema{}
	for _, v := range every {
		theirs[v] = oracle(t, v)
	}
	admitted, refused := 0, 0
	for _, path := range corpus(t, "cyclonedx/*/valid-*.json") {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		v := version.FindStringSubmatch(path)[1]
		s := newSource(t, v, 3)
		for range 60 {
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			for range 1 + s.IntN(2) {
				doc = s.damage(doc)
			}
			agree(t, theirs[v], ours[v], doc, &admitted, &refused)
		}
	}
	t.Logf("%d admitted, %d refused", admitted, refused)
}
