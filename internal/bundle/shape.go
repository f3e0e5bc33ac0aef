package bundle

import (
	"reflect"
	"slices"

	"go.yaml.in/yaml/v4"
)

// Form is what the value of a field looks like.
type Form string

// The forms that fields are read in.
const (
	FormText       Form = "text"
	FormList       Form = "list" // of texts
	FormNumber     Form = "number"
	FormWhole      Form = "whole number"
	FormBool       Form = "truth value"
	FormDuration   Form = "duration"
	FormInstant    Form = "instant"
	FormExpression Form = "expression"
	FormScalar     Form = "scalar" // a number, a truth value or a text
	FormMapping    Form = "mapping"
	FormMappings   Form = "mappings" // a list of them
)

// AnyName stands for the names that a mapping leaves to its writer.
const AnyName = "*"

// Shape is what a field may hold. Options are the texts of it or of its list,
// where they are given; Least and Most bound a whole number that has bounds.
type Shape struct {
	Form        Form
	Options     []string
	Required    bool
	Least, Most int
	Fields      []*Field // of a mapping
}

// Field is a named Shape.
type Field struct {
	Name string
	Shape
}

// Describe is what read asks of a mapping: the fields, in the order of asking.
// It is asked twice, once as if every field were there and once as if none
// were, so that read must not depend on more than that.
func Describe(read func(*Fields)) []*Field {
	root := &Shape{Form: FormMapping}
	for _, there := range []bool{true, false} {
		read(recording(&asking{shape: root, there: there}))
	}
	return root.Fields
}

func recording(a *asking) *Fields {
	f := fieldsOf(&source{}, &yaml.Node{Kind: yaml.MappingNode}, &Problems{})
	f.asks = a
	return f
}

// asking records what is asked of one mapping. A nil asking records nothing.
type asking struct {
	shape *Shape
	there bool     // what Has answers
	asked []string // the keys that Has was asked for
}

func (a *asking) has(key string) bool {
	a.asked = append(a.asked, key)
	return a.there
}

// field is the shape of a key that was noted.
func (a *asking) field(key string) *Shape {
	for _, f := range a.shape.Fields {
		if f.Name == key {
			return &f.Shape
		}
	}
	f := &Field{Name: key}
	a.shape.Fields = append(a.shape.Fields, f)
	return &f.Shape
}

func (a *asking) note(key string, s Shape) {
	if a == nil {
		return
	}
	if into := a.field(key); into.Form == "" {
		into.Form, into.Options = s.Form, s.Options
	}
}

func (a *asking) require(key string) {
	if a != nil {
		a.field(key).Required = true
	}
}

// missing is a field that must be there; one of which Has was not asked may
// stand elsewhere.
func (a *asking) missing(key string) {
	if a != nil && slices.Contains(a.asked, key) {
		a.field(key).Required = true
	}
}

func (a *asking) among(key string, options []string) {
	if a != nil {
		a.field(key).Options = slices.Clone(options)
	}
}

func (a *asking) between(key string, least, most int) {
	if a != nil {
		s := a.field(key)
		s.Form, s.Least, s.Most = FormWhole, least, most
	}
}

// below records what is asked of a mapping within this one.
func (f *Fields) below(key string, form Form) *Fields {
	s := f.asks.field(key)
	s.Form = form
	return recording(&asking{shape: s, there: f.asks.there})
}

// shapeOf is the form in which Assign reads a Go value.
func shapeOf(v reflect.Value) Shape {
	switch v.Kind() {
	case reflect.Bool:
		return Shape{Form: FormBool}
	case reflect.Int:
		return Shape{Form: FormWhole}
	case reflect.Float64:
		return Shape{Form: FormNumber}
	case reflect.String:
		return Shape{Form: FormText}
	case reflect.Slice:
		return Shape{Form: FormList}
	default:
		return Shape{Form: FormInstant}
	}
}
