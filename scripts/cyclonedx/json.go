package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/strict"
)

// prose are the words of JSON Schema that constrain nothing. The ids of the
// older schemas name the places where they stand and are never referred to.
var prose = []string{"title", "description", "$comment", "examples", "default", "deprecated", "meta:enum", "$schema", "$id"}

// constraints are the words that are kept: those whose value is kept as it is,
// and those whose value holds schemas.
var (
	plain  = []string{"$ref", "type", "enum", "const", "pattern", "format", "minLength", "maxLength", "minimum", "maximum", "required", "additionalItems", "uniqueItems", "minItems", "maxItems"}
	named  = []string{"properties", "definitions"}
	listed = []string{"allOf", "anyOf", "oneOf"}
	nested = []string{"not", "if", "then", "else", "items", "additionalProperties"}
)

// places are the files that schemas refer to, and what their definitions are
// called among the shared ones.
var places = []struct{ file, prefix string }{
	{"spdx.SNAPSHOT.schema.json", "spdx"},
	{"jsf-0.82.SNAPSHOT.schema.json", "jsf"},
	{"cryptography-defs.SNAPSHOT.schema.json", "cryptography"},
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }

func sorted(m map[string]any) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can always be written
	}
	return string(b)
}

func readSchema(path string) (map[string]any, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var schema map[string]any
	return schema, strict.DecodeOpen(b, &schema)
}

func jsonRules(path string) ([]byte, error) {
	schema, err := readSchema(path)
	if err != nil {
		return nil, err
	}
	bare, err := strip(schema, "")
	if err != nil {
		return nil, err
	}
	return lined(bare, "definitions", "properties")
}

// sharedRules are the definitions of the files that schemas refer to, with the
// list of licences among them.
func sharedRules(dir string) ([]byte, error) {
	all := map[string]any{}
	for _, p := range places {
		schema, err := readSchema(filepath.Join(dir, p.file))
		if err != nil {
			return nil, err
		}
		bare, err := strip(schema, p.prefix+".")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.file, err)
		}
		inner, ok := bare["definitions"].(map[string]any)
		if !ok {
			all[p.prefix] = bare
			continue
		}
		for name, d := range inner {
			all[p.prefix+"."+name] = d
		}
	}
	return lined(map[string]any{"definitions": all}, "definitions")
}

// strip keeps the constraints of a schema. Local is put before the names of
// definitions of its own file.
func strip(schema map[string]any, local string) (map[string]any, error) {
	out := map[string]any{}
	if ref, ok := schema["$ref"].(string); ok {
		to, err := target(ref, local)
		out["$ref"] = to
		return out, err // nothing counts beside it: draft 7, section 8.3
	}
	for _, word := range sorted(schema) {
		value := schema[word]
		var err error
		switch {
		case contains(prose, word), value == true && contains([]string{"then", "else", "items", "additionalProperties"}, word):
			continue // it constrains nothing
		case word == "type" && value == nil:
			err = fmt.Errorf("a type is null")
		case contains(plain, word):
			out[word] = value
		case contains(named, word):
			out[word], err = stripNamed(value, local)
		case contains(listed, word):
			out[word], err = stripList(value, local)
		case contains(nested, word):
			out[word], err = stripAny(value, local)
		default:
			err = fmt.Errorf("the word %q is not known", word)
		}
		if err != nil {
			return nil, err
		}
	}
	if _, list := out["items"].([]any); !list {
		delete(out, "additionalItems") // it counts only beside a list by place: draft 7, section 6.4.2
	}
	return out, nil
}

func target(ref, local string) (string, error) {
	const at = "#/definitions/"
	file, name, within := strings.Cut(ref, at)
	if file == "" && within {
		return at + local + name, nil
	}
	for _, p := range places {
		switch {
		case file == p.file && within:
			return at + p.prefix + "." + name, nil
		case ref == p.file:
			return at + p.prefix, nil
		}
	}
	return "", fmt.Errorf("the reference %q leads nowhere that is known", ref)
}

func stripNamed(value any, local string) (any, error) {
	m, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("schemas by name are no object")
	}
	out := map[string]any{}
	for name, s := range m {
		bare, err := stripAny(s, local)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = bare
	}
	return out, nil
}

func stripList(value any, local string) (any, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("a list of schemas is none")
	}
	out := []any{}
	for _, s := range list {
		bare, err := stripAny(s, local)
		if err != nil {
			return nil, err
		}
		out = append(out, bare)
	}
	return out, nil
}

func stripAny(value any, local string) (any, error) {
	switch v := value.(type) {
	case map[string]any:
		return strip(v, local)
	case []any:
		return stripList(v, local)
	case bool:
		return v, nil
	}
	return nil, fmt.Errorf("a schema is neither an object nor true or false")
}
