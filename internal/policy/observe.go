package policy

import (
	"bytes"
	"cmp"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// texts are the parts of a gate's reason that its inputs do not change.
type texts struct {
	required, failed string
}

func (g *gate) texts(p *Program) texts {
	t := texts{required: g.Required, failed: g.Description}
	if t.required == "" {
		t.required = strings.Join(strings.Fields(g.Condition), " ")
		if set := constants(&g.condition, p); set != "" {
			t.required += " (" + set + ")"
		}
	}
	if t.failed == "" {
		t.failed = "Required is: " + strings.TrimSuffix(t.required, ".") + "."
	}
	return t
}

func constants(r *rule, p *Program) string {
	var set []string
	for _, i := range r.scalars {
		if v, ok := p.parameters[i.name]; ok {
			set = append(set, i.name+" = "+show(reflect.ValueOf(v)))
		}
	}
	return strings.Join(set, ", ")
}

// failed says what it means that a gate's condition does not hold, and which of
// its parts decided.
func (v *values) failed(g *gate) string {
	if v.terse {
		return g.text.failed
	}
	switch why := v.why(&g.condition); {
	case why == "":
		return g.text.failed
	case g.Description == "":
		return why + "."
	default:
		return strings.TrimSuffix(g.text.failed, ".") + ". " + why + "."
	}
}

// maxObserved is the longest text of what was observed, in characters.
const maxObserved = 500

// observe says what a gate saw: its own expression, or the inputs read by its condition.
func (v *values) observe(g *gate) string {
	if v.terse && !g.observed.metered { // what is metered counts for the budget
		return ""
	}
	if !g.observed.absent() && cmp.Or(v.in.unsure(g.observed.reads), v.unloaded(&g.observed)) == "" {
		if result, err := v.run(&g.observed); err == nil {
			return shorten(show(reflect.ValueOf(result)))
		}
	}
	seen := v.scratch[:0]
	all := reflect.ValueOf(v.in).Elem()
	for _, i := range g.condition.scalars {
		before := len(seen)
		if before > 0 {
			seen = append(seen, ", "...)
		}
		seen = append(append(seen, i.name...), " = "...)
		if !i.constant() {
			seen = appendShown(seen, all.FieldByIndex(i.index))
		} else if t, set := v.threshold(i.name); set {
			seen = appendNumber(seen, t)
		} else {
			seen = seen[:before]
		}
	}
	v.scratch = seen
	start := v.texts.Len()
	v.texts.Write(seen)
	return shorten(v.texts.String()[start:])
}

func shorten(s string) string {
	if len(s) <= maxObserved {
		return s
	}
	if runes := []rune(s); len(runes) > maxObserved {
		return string(runes[:maxObserved-1]) + "…"
	}
	return s
}

// show is a value of Inputs as people read it.
func show(v reflect.Value) string { return string(appendShown(nil, v)) }

func appendShown(to []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Float64:
		return appendNumber(to, v.Float())
	case reflect.Int, reflect.Int64:
		return strconv.AppendInt(to, v.Int(), 10)
	case reflect.Bool:
		return strconv.AppendBool(to, v.Bool())
	case reflect.String:
		if v.String() == "" {
			return append(to, `""`...)
		}
		return append(to, v.String()...)
	case reflect.Slice:
		if _, items := itemType(v.Type()); items {
			return append(to, ordinal(v.Len(), "item", "items")...)
		}
		return appendList(to, v)
	}
	if t, _ := v.Interface().(time.Time); !t.IsZero() {
		return t.UTC().AppendFormat(to, time.RFC3339)
	}
	return append(to, "nothing"...)
}

func appendList(to []byte, v reflect.Value) []byte {
	to = append(to, '[')
	for i := range min(v.Len(), 10) {
		if i > 0 {
			to = append(to, ", "...)
		}
		to = appendShown(to, v.Index(i))
	}
	if v.Len() > 10 {
		to = fmt.Appendf(to, ", and %d more", v.Len()-10)
	}
	return append(to, ']')
}

// number is a number with at most six digits after the point.
func number(f float64) string { return string(appendNumber(nil, f)) }

func appendNumber(to []byte, f float64) []byte {
	to = strconv.AppendFloat(to, f, 'f', 6, 64)
	return bytes.TrimSuffix(bytes.TrimRight(to, "0"), []byte("."))
}
