package prose

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/policy"
)

// SchemaID names the schema; nothing is fetched from there.
const SchemaID = "https://signalbox.dev/schema/policy-v1.json"

// object is a JSON object in the order of its members.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s:%s", name, value)
	}
	b.WriteByte('}')
	return []byte(b.String()), nil
}

// Schema is the JSON Schema (2020-12) of one document of a bundle, for editors.
// It comes from what the readers of documents ask for; what a bundle means, its
// conditions above all, is checked by lint alone.
func Schema() ([]byte, error) {
	inputs, fields := policy.Meanings()
	meanings := map[string]string{}
	for _, m := range inputs {
		meanings["."+m.Name] = m.Text
	}
	for kind, list := range fields {
		for _, m := range list {
			meanings[kind+"."+m.Name] = m.Text
		}
	}
	var kinds, defs object
	var choice []any
	for _, k := range policy.Kinds() {
		kinds = append(kinds, member{"const", k.Name})
		w := &schemer{meanings, order()}
		doc := w.mapping(k.Name, k.Fields, object{
			{"apiVersion", object{{"const", bundle.APIVersion}, {"description", "the version of the language"}}},
			{"kind", object{{"const", k.Name}}},
		}, "apiVersion", "kind")
		defs = append(defs, member{k.Name, doc})
		choice = append(choice, object{
			{"if", object{{"properties", object{{"kind", object{{"const", k.Name}}}}}, {"required", []string{"kind"}}}},
			{"then", object{{"$ref", "#/$defs/" + k.Name}}},
		})
	}
	var names []any
	for _, k := range kinds {
		names = append(names, k.value)
	}
	out, err := json.MarshalIndent(object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", SchemaID},
		{"title", "A document of a Signalbox policy"},
		{"type", "object"},
		{"properties", object{
			{"apiVersion", object{{"const", bundle.APIVersion}}},
			{"kind", object{{"enum", names}, {"description", "what the document describes"}}},
		}},
		{"required", []string{"apiVersion", "kind"}},
		{"allOf", choice},
		{"$defs", defs},
	}, "", "  ")
	return append(out, '\n'), err
}

// schemer writes the schemas of fields.
type schemer struct {
	meanings map[string]string
	order    map[string][]string // of fields, by kind
}

// mapping is the schema of a mapping whose fields' meanings stand under path.
func (w *schemer) mapping(path string, fields []*bundle.Field, properties object, required ...string) object {
	o := object{{"type", "object"}}
	var rest any = false
	// Readers may ask in any order.
	for _, f := range slices.SortedStableFunc(slices.Values(fields), func(a, b *bundle.Field) int {
		return cmp.Or(cmp.Compare(w.rank(path, a), w.rank(path, b)), strings.Compare(a.Name, b.Name))
	}) {
		if f.Name == bundle.AnyName {
			rest = w.field(path+"."+f.Name, f)
			continue
		}
		properties = append(properties, member{f.Name, w.field(path+"."+f.Name, f)})
		if f.Required {
			required = append(required, f.Name)
		}
	}
	if len(properties) > 0 {
		o = append(o, member{"properties", properties})
	}
	if len(required) > 0 {
		o = append(o, member{"required", required})
	}
	return append(o, member{"additionalProperties", rest})
}

// rank is the place of a field in the reference; those within others have none.
func (w *schemer) rank(kind string, f *bundle.Field) int { return slices.Index(w.order[kind], f.Name) }

// durationPattern is how policies write durations.
const durationPattern = `^([0-9]{1,6}w)?([0-9]{1,6}d)?([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$`

func (w *schemer) field(path string, f *bundle.Field) object {
	var o object
	if text := w.describe(path); text != "" {
		o = append(o, member{"description", text})
	}
	if f.Form == bundle.FormMapping {
		return append(o, w.mapping(path, f.Fields, nil)...)
	}
	return append(o, form(w, path, f)...)
}

// describe is the meaning of a field; fields of inputs have that of the input.
func (w *schemer) describe(path string) string {
	if text := w.meanings[path]; text != "" {
		return text
	}
	_, input, _ := strings.Cut(path, ".inputs.")
	return w.meanings["."+input]
}

// form is what a field that is no mapping may hold.
func form(w *schemer, path string, f *bundle.Field) object {
	text := object{{"type", "string"}}
	if len(f.Options) > 0 {
		text = object{{"enum", f.Options}}
	}
	switch f.Form {
	case bundle.FormList:
		return object{{"type", "array"}, {"items", text}, {"uniqueItems", true}, {"maxItems", bundle.MaxList}}
	case bundle.FormNumber:
		return object{{"type", "number"}}
	case bundle.FormWhole:
		o := object{{"type", "integer"}, {"minimum", f.Least}}
		if f.Most > 0 {
			o = append(o, member{"maximum", f.Most})
		}
		return o
	case bundle.FormBool:
		return object{{"type", "boolean"}}
	case bundle.FormDuration:
		return object{{"type", "string"}, {"pattern", durationPattern}, {"minLength", 2}}
	case bundle.FormInstant:
		return object{{"type", "string"}, {"pattern", `^[0-9]{4}-[0-9]{2}-[0-9]{2}`}}
	case bundle.FormExpression:
		return object{{"type", []string{"string", "boolean", "number"}}}
	case bundle.FormScalar:
		return object{{"type", []string{"number", "boolean", "string"}}}
	case bundle.FormMappings:
		return object{{"type", "array"}, {"items", w.mapping(path, f.Fields, nil)}}
	}
	return text
}
