package bundle

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Number is an optional finite number.
func (f *Fields) Number(key string) (float64, bool) {
	n := f.take(key, Shape{Form: FormNumber})
	if n == nil {
		return 0, false
	}
	v, ok := numberOf(n)
	if !ok {
		f.wrong(n, key, "a number")
	}
	return v, ok
}

func numberOf(n *yaml.Node) (float64, bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" && n.ShortTag() != "!!float" {
		return 0, false
	}
	v, err := strconv.ParseFloat(n.Value, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, false
	}
	return v, true
}

// Count is a whole number from least to most.
func (f *Fields) Count(key string, otherwise, least, most int) int {
	n := f.vals[key]
	v, ok := f.Number(key)
	f.asks.between(key, least, most)
	if !ok {
		return otherwise
	}
	if v != math.Trunc(v) || v < float64(least) || v > float64(most) {
		f.out.Add(Problem{Where: place(f.src, n), Code: "policy.out-of-range", What: fmt.Sprintf("%q is out of range", key), Why: fmt.Sprintf("it is a whole number from %d to %d", least, most)})
		return otherwise
	}
	return int(v)
}

// Duration is an optional duration above zero.
func (f *Fields) Duration(key string, otherwise, most time.Duration) time.Duration {
	n := f.take(key, Shape{Form: FormDuration})
	if n == nil {
		return otherwise
	}
	d, ok := ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || !ok {
		f.out.Add(Problem{Where: place(f.src, n), Code: "policy.duration", What: fmt.Sprintf("%q wants a duration", key), Why: fmt.Sprintf("%q is none", n.Value), Fix: "write such as 15m, 4h, 7d or 1d12h"})
		return otherwise
	}
	if d <= 0 || d > most {
		f.out.Add(Problem{Where: place(f.src, n), Code: "policy.out-of-range", What: fmt.Sprintf("%q is out of range", key), Why: "it is above zero and at most " + Duration(most)})
		return otherwise
	}
	return d
}

// Instant is an optional date or RFC 3339 instant, UTC; a date is its first instant.
func (f *Fields) Instant(key string) time.Time {
	n := f.take(key, Shape{Form: FormInstant})
	if n == nil {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, n.Value); err == nil && n.Kind == yaml.ScalarNode {
			return t.UTC()
		}
	}
	f.out.Add(Problem{Where: place(f.src, n), Code: "policy.instant", What: fmt.Sprintf("%q wants a date or an instant", key), Why: fmt.Sprintf("%q is none", n.Value), Fix: "write such as 2027-01-31 or 2027-01-31T09:00:00Z"})
	return time.Time{}
}

// Scalar is an optional finite number (float64), truth value or text; nil where
// it is none of them.
func (f *Fields) Scalar(key string) any {
	n := f.take(key, Shape{Form: FormScalar})
	if n == nil || n.Kind != yaml.ScalarNode {
		return nil
	}
	if v, ok := numberOf(n); ok {
		return v
	}
	switch n.ShortTag() {
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!str":
		return n.Value
	}
	return nil
}

// Assign sets into, where the key is there, to its value. It takes a bool, an
// int that is not negative, a float64, a string, a list of strings or an instant.
func (f *Fields) Assign(key string, into reflect.Value) {
	n := f.take(key, shapeOf(into))
	if n == nil {
		return
	}
	if want := assign(into, n); want != "" {
		f.wrong(n, key, want)
	}
}

// assign sets one Go value from a YAML value, or says what it wants.
func assign(v reflect.Value, n *yaml.Node) (want string) {
	scalar := n.Kind == yaml.ScalarNode
	switch v.Kind() {
	case reflect.Bool:
		if !scalar || n.ShortTag() != "!!bool" {
			return "true or false"
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case reflect.Int:
		x, ok := numberOf(n)
		if !ok || x != float64(int64(x)) || x < 0 || x > 1e12 {
			return "a whole number that is not negative"
		}
		v.SetInt(int64(x))
	case reflect.Float64:
		x, ok := numberOf(n)
		if !ok {
			return "a number"
		}
		v.SetFloat(x)
	case reflect.String:
		if !scalar || n.ShortTag() != "!!str" {
			return "text"
		}
		v.SetString(n.Value)
	case reflect.Slice:
		return assignList(v, n)
	default:
		t, err := time.Parse(time.RFC3339, n.Value)
		if err != nil || !scalar {
			return "an instant such as 2027-01-31T09:00:00Z"
		}
		v.Set(reflect.ValueOf(t.UTC()))
	}
	return ""
}

func assignList(v reflect.Value, n *yaml.Node) string {
	if n.Kind != yaml.SequenceNode {
		return "a list of texts"
	}
	all := []string{}
	for _, item := range n.Content {
		if item.Kind != yaml.ScalarNode || item.ShortTag() != "!!str" {
			return "a list of texts"
		}
		all = append(all, item.Value)
	}
	v.Set(reflect.ValueOf(all))
	return ""
}

// Bool is an optional truth value, false unless said.
func (f *Fields) Bool(key string) bool {
	n := f.take(key, Shape{Form: FormBool})
	if n == nil {
		return false
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		f.wrong(n, key, "true or false")
		return false
	}
	return strings.EqualFold(n.Value, "true")
}
