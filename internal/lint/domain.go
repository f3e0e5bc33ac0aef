package lint

import (
	"math"
	"reflect"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/logic"
	"signalbox.dev/signalbox/internal/policy"
)

// maxAxes is how many inputs of one condition are changed in search of a case.
const maxAxes = 4

// topCount is a count beyond any that a condition names in earnest.
const topCount = 1_000_000_000

// otherText is a text that no condition names.
const otherText = "something-else"

// axis is one input with the values that matter to a condition.
type axis struct {
	name   string
	field  []int // in policy.Inputs
	values []reflect.Value
}

// fieldOf is where a dotted input stands in policy.Inputs.
func fieldOf(name string) ([]int, reflect.Type, bool) {
	t := reflect.TypeFor[policy.Inputs]()
	var index []int
	for part := range strings.SplitSeq(name, ".") {
		found := false
		for i := range t.NumField() {
			if t.Field(i).Tag.Get("cel") == part {
				index, t, found = append(index, i), t.Field(i).Type, true
				break
			}
		}
		if !found || t.Kind() == reflect.Struct && len(index) > 1 {
			return nil, nil, false
		}
	}
	return index, t, len(index) == 2
}

// constants are the numbers and texts that a condition compares with.
type constants struct {
	numbers []float64
	texts   []string
	radius  int // how far around a number its neighbours matter
}

func (c *constants) add(v any) {
	switch x := v.(type) {
	case int64:
		c.numbers = append(c.numbers, float64(x))
	case float64:
		c.numbers = append(c.numbers, x)
	case string:
		c.texts = append(c.texts, x)
	}
}

// axes are the inputs of a question; ok is false where trying values cannot
// decide it.
func (l *linter) axes(q *policy.Question, thresholds map[string]float64) (all []axis, ok bool) {
	c := constants{}
	for _, v := range q.Literals {
		c.add(v)
	}
	for _, p := range l.p.Parameters() {
		if slices.Contains(q.Reads, "param."+p.Name) {
			c.add(p.Value)
		}
	}
	var inputs []string
	for _, name := range q.Reads {
		if threshold, is := strings.CutPrefix(name, "threshold."); is {
			c.add(thresholds[threshold])
		} else if !strings.HasPrefix(name, "param.") {
			inputs = append(inputs, name)
		}
	}
	c.radius = max(1, len(inputs))
	if len(inputs) > maxAxes {
		return nil, false
	}
	for _, name := range inputs {
		a, ok := l.axis(name, c)
		if !ok {
			return nil, false
		}
		all = append(all, a)
	}
	return all, true
}

func (l *linter) axis(name string, c constants) (axis, bool) {
	index, t, ok := fieldOf(name)
	if !ok {
		return axis{}, false
	}
	a := axis{name: name, field: index}
	put := func(v any) {
		value := reflect.ValueOf(v).Convert(t)
		if !slices.ContainsFunc(a.values, func(o reflect.Value) bool { return reflect.DeepEqual(o.Interface(), value.Interface()) }) {
			a.values = append(a.values, value)
		}
	}
	switch t.Kind() {
	case reflect.Bool:
		put(false)
		put(true)
	case reflect.Int:
		for _, n := range counts(name, c) {
			put(n)
		}
	case reflect.Float64:
		for _, x := range shares(name, c) {
			put(x)
		}
	case reflect.String:
		for _, s := range l.texts(name, c) {
			put(s)
		}
	case reflect.Slice:
		if t.Elem().Kind() != reflect.String {
			return a, false // items with fields are not tried one by one
		}
		for _, s := range lists(c) {
			put(s)
		}
	default:
		return a, false
	}
	return a, true
}

// counts are the whole numbers around those that are compared with.
func counts(name string, c constants) []int {
	if name == "service.tier" {
		return []int{0, 1, 2, 3}
	}
	all := []int{0, 1, 2, topCount}
	for _, x := range c.numbers {
		for d := -c.radius; d <= c.radius; d++ {
			if n := math.Floor(x) + float64(d); n >= 0 && n <= topCount {
				all = append(all, int(n))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// shares are the numbers compared with, the ends of the range, and some between
// each two neighbours.
func shares(name string, c constants) []float64 {
	top := 1.0
	if strings.HasSuffix(name, ".age_hours") {
		top = 1e6
	}
	marks := []float64{0, top / 2, top}
	for _, x := range c.numbers {
		if x >= 0 && x <= top {
			marks = append(marks, x)
		}
	}
	slices.Sort(marks)
	marks = slices.Compact(marks)
	var all []float64
	for i, x := range marks {
		all = append(all, x)
		if i+1 == len(marks) {
			break
		}
		for d := 1; d <= c.radius; d++ {
			all = append(all, x+(marks[i+1]-x)*float64(d)/float64(c.radius+1))
		}
	}
	return all
}

func (l *linter) texts(name string, c constants) []string {
	if name == "release.type" {
		var all []string
		for _, t := range l.p.ReleaseTypes() {
			all = append(all, t.Name)
		}
		return all
	}
	if fixed := logic.Declared(name).Texts; fixed != nil {
		return fixed
	}
	return append([]string{"", otherText}, c.texts...)
}

// lists are the lists that membership can tell apart, and lengths around the
// numbers compared with.
func lists(c constants) [][]string {
	all := [][]string{nil, {otherText}}
	for _, t := range c.texts {
		all = append(all, []string{t})
	}
	if len(c.texts) > 1 {
		all = append(all, slices.Clone(c.texts))
	}
	for _, x := range c.numbers {
		for d := -1; d <= 1; d++ {
			if n := int(x) + d; n > 1 && n <= policy.MaxInputList {
				all = append(all, slices.Repeat([]string{otherText}, n))
			}
		}
	}
	return all
}
