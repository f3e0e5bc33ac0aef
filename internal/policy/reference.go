package policy

import (
	_ "embed"
	"reflect"
	"strings"
	"time"
)

// Meaning is what one input, or one field of a kind of document, means. Type, unit,
// origin (who fills it) and example (a CEL literal) are an input's.
type Meaning struct{ Name, Type, Text, Unit, Origin, Example string }

//go:embed meanings.txt
var meaningsText string

// Meanings are those of the inputs, in order, and of the fields by kind, which
// begins with a capital letter.
func Meanings() (inputs []Meaning, fields map[string][]Meaning) {
	fields = map[string][]Meaning{}
	for line := range strings.Lines(meaningsText) {
		name, text, ok := strings.Cut(strings.TrimSpace(line), ": ")
		kind, field, _ := strings.Cut(name, ".")
		switch {
		case !ok || strings.HasPrefix(line, "#"):
		case kind != strings.ToLower(kind):
			fields[kind] = append(fields[kind], Meaning{Name: field, Text: text})
		default:
			m := Meaning{Name: name, Type: inputType(name)}
			for i, part := range strings.SplitN(text, " | ", 4) {
				*[]*string{&m.Text, &m.Unit, &m.Origin, &m.Example}[i] = part
			}
			inputs = append(inputs, m)
		}
	}
	return inputs, fields
}

// inputGoType is the Go type of an input, or of a field of the items of a list.
func inputGoType(name string) (reflect.Type, bool) {
	parts := strings.Split(name, ".")
	index, ok := inputIndex(strings.Join(parts[:min(len(parts), 2)], "."))
	if !ok {
		return nil, false
	}
	t := reflect.TypeFor[Inputs]().FieldByIndex(index).Type
	if len(parts) < 3 {
		return t, true
	}
	item, ok := itemType(t)
	if !ok {
		return nil, false
	}
	i, ok := fieldIndex(item, parts[2])
	if !ok {
		return nil, false
	}
	return item.Field(i).Type, true
}

// inputType is the CEL type of an input.
func inputType(name string) string {
	t, ok := inputGoType(name)
	if !ok {
		return ""
	}
	switch t.Kind() {
	case reflect.Int:
		return "int"
	case reflect.Float64:
		return "double"
	case reflect.Bool:
		return "bool"
	case reflect.Slice:
		if _, items := itemType(t); items {
			return "list of items"
		}
		return "list of string"
	case reflect.String:
		return "string"
	default:
		if t == reflect.TypeFor[time.Time]() {
			return "timestamp"
		}
		return ""
	}
}
