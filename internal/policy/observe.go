package policy

import (
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
	if !g.observed.absent() && v.doubt(&rule{reads: g.observed.reads, lists: g.observed.lists}) == "" {
		if result, err := v.run(&g.observed); err == nil {
			return shorten(show(reflect.ValueOf(result)))
		}
	}
	var seen []string
	all := reflect.ValueOf(v.in).Elem()
	for _, i := range g.condition.scalars {
		switch {
		case strings.HasPrefix(i.name, "threshold."):
			if t, ok := v.thresholds[strings.TrimPrefix(i.name, "threshold.")]; ok {
				seen = append(seen, i.name+" = "+number(t))
			}
		case !i.constant():
			seen = append(seen, i.name+" = "+show(all.FieldByIndex(i.index)))
		}
	}
	return shorten(strings.Join(seen, ", "))
}

func shorten(s string) string {
	runes := []rune(s)
	if len(runes) > maxObserved {
		return string(runes[:maxObserved-1]) + "…"
	}
	return s
}

// show is a value of Inputs as people read it.
func show(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Float64:
		return number(v.Float())
	case reflect.Int, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.String:
		if v.String() == "" {
			return `""`
		}
		return v.String()
	case reflect.Slice:
		if _, items := itemType(v.Type()); items {
			return ordinal(v.Len(), "item", "items")
		}
		return showList(v)
	}
	if t, ok := v.Interface().(time.Time); ok && !t.IsZero() {
		return t.UTC().Format(time.RFC3339)
	}
	return "nothing"
}

func showList(v reflect.Value) string {
	var items []string
	for i := range min(v.Len(), 10) {
		items = append(items, show(v.Index(i)))
	}
	if v.Len() > 10 {
		items = append(items, fmt.Sprintf("and %d more", v.Len()-10))
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// number is a number with at most six digits after the point.
func number(f float64) string {
	s := strconv.FormatFloat(f, 'f', 6, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
