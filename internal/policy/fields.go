package policy

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"signalbox.dev/signalbox/internal/fault"
)

// fields reads one mapping strictly: every key must be asked for by name, every
// value must have the shape it is asked for in.
type fields struct {
	src  *source
	node *yaml.Node
	keys map[string]*yaml.Node
	vals map[string]*yaml.Node
	used []string
	out  *problems
}

func fieldsOf(src *source, node *yaml.Node, out *problems) *fields {
	f := &fields{src: src, node: node, out: out, keys: map[string]*yaml.Node{}, vals: map[string]*yaml.Node{}}
	for i := 0; i+1 < len(node.Content); i += 2 {
		f.keys[node.Content[i].Value], f.vals[node.Content[i].Value] = node.Content[i], node.Content[i+1]
	}
	return f
}

// at is where the mapping stands, told by its name where it has one.
func (f *fields) at() fault.Position {
	if n := f.keys["name"]; n != nil {
		return place(f.src, n)
	}
	return place(f.src, f.node)
}

// keyAt is where a key stands, or the mapping where it is missing.
func (f *fields) keyAt(key string) fault.Position {
	if n := f.keys[key]; n != nil {
		return place(f.src, n)
	}
	return f.at()
}

func (f *fields) has(key string) bool { return f.vals[key] != nil }

func (f *fields) take(key string) *yaml.Node {
	f.used = append(f.used, key)
	return f.vals[key]
}

// done reports the keys that nobody asked for.
func (f *fields) done(of string) {
	for i := 0; i+1 < len(f.node.Content); i += 2 {
		key := f.node.Content[i]
		if !slices.Contains(f.used, key.Value) {
			f.out.add(Problem{Where: place(f.src, key), Code: "policy.unknown-field", What: fmt.Sprintf("%q is not a field of %s", key.Value, of), Fix: didYouMean(key.Value, f.used)})
		}
	}
}

func (f *fields) wrong(n *yaml.Node, key, want string) {
	f.out.add(Problem{Where: place(f.src, n), Code: "policy.wrong-shape", What: fmt.Sprintf("%q wants %s", key, want), Why: "this is " + shape(n), Fix: fixShape(n, want)})
}

func fixShape(n *yaml.Node, want string) string {
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		return "give a value or leave the field out"
	case strings.HasPrefix(want, "text") && n.Kind == yaml.ScalarNode:
		return fmt.Sprintf("write it in quotes: %q", n.Value)
	case strings.HasPrefix(want, "a list") && n.Kind == yaml.ScalarNode:
		return fmt.Sprintf("write [%s]", n.Value)
	}
	return ""
}

func (f *fields) missing(key string) {
	f.out.add(Problem{Where: f.at(), Code: "policy.missing-field", What: fmt.Sprintf("%q is missing", key), Why: "it is required here", Fix: "add " + key + ":"})
}

// maxText is the longest text of one field, in bytes.
const maxText = 8 << 10

// text is an optional text.
func (f *fields) text(key string) string {
	n := f.take(key)
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		f.wrong(n, key, "text")
		return ""
	}
	if len(n.Value) > maxText {
		f.out.add(Problem{Where: place(f.src, n), Code: "policy.too-long", What: fmt.Sprintf("%q is too long", key), Why: fmt.Sprintf("it may have %d bytes", maxText)})
		return ""
	}
	return strings.TrimSpace(n.Value)
}

// need is a required text.
func (f *fields) need(key string) string {
	v := f.text(key)
	if v == "" && f.vals[key] == nil {
		f.missing(key)
	} else if v == "" && f.vals[key].Kind == yaml.ScalarNode && f.vals[key].Value == "" {
		f.out.add(Problem{Where: f.keyAt(key), Code: "policy.missing-field", What: fmt.Sprintf("%q is empty", key), Why: "it is required here"})
	}
	return v
}

// expression is the text of a condition; true, false and numbers are expressions too.
func (f *fields) expression(key string) *expression {
	n := f.take(key)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" || strings.TrimSpace(n.Value) == "" {
		f.wrong(n, key, "an expression")
		return nil
	}
	return &expression{field: key, text: n.Value, node: n, src: f.src}
}

// choice is one of the options, or otherwise.
func (f *fields) choice(key, otherwise string, options ...string) string {
	v := f.text(key)
	if v == "" {
		return otherwise
	}
	if !slices.Contains(options, v) {
		f.notAmong(f.vals[key], v, options)
		return otherwise
	}
	return v
}

func (f *fields) notAmong(n *yaml.Node, v string, options []string) {
	f.out.add(Problem{Where: place(f.src, n), Code: "policy.unknown-value", What: fmt.Sprintf("%q is not known here", v), Why: "known are " + strings.Join(options, ", "), Fix: didYouMean(v, options)})
}

// list is an optional list of texts, without duplicates.
func (f *fields) list(key string) []string {
	n := f.take(key)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) > 1000 {
		f.wrong(n, key, "a list of texts")
		return nil
	}
	var all []string
	for _, item := range n.Content {
		switch {
		case item.Kind != yaml.ScalarNode || item.ShortTag() != "!!str" || strings.TrimSpace(item.Value) == "":
			f.wrong(item, key, "text in its list")
		case slices.Contains(all, item.Value):
			f.out.add(Problem{Where: place(f.src, item), Code: "policy.duplicate-value", What: fmt.Sprintf("%q stands twice in %q", item.Value, key)})
		default:
			all = append(all, item.Value)
		}
	}
	return all
}

// choices is a list whose texts are among the options.
func (f *fields) choices(key string, options ...string) []string {
	all := f.list(key)
	for _, v := range all {
		if !slices.Contains(options, v) {
			f.notAmong(f.item(key, v), v, options)
		}
	}
	return all
}

// item is the node of one value of a list.
func (f *fields) item(key, value string) *yaml.Node {
	for _, n := range f.vals[key].Content {
		if n.Value == value {
			return n
		}
	}
	return f.vals[key]
}

// number is an optional finite number.
func (f *fields) number(key string) (float64, bool) {
	n := f.take(key)
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

// count is a whole number from least to most.
func (f *fields) count(key string, otherwise, least, most int) int {
	n := f.vals[key]
	v, ok := f.number(key)
	if !ok {
		return otherwise
	}
	if v != math.Trunc(v) || v < float64(least) || v > float64(most) {
		f.out.add(Problem{Where: place(f.src, n), Code: "policy.out-of-range", What: fmt.Sprintf("%q is out of range", key), Why: fmt.Sprintf("it is a whole number from %d to %d", least, most)})
		return otherwise
	}
	return int(v)
}

var durationPart = regexp.MustCompile(`^([0-9]{1,6})(w|d|h|m|s)`)

// ParseDuration reads durations as policies write them: 90m, 4h, 7d, 2w or
// several units from large to small, such as 1d12h. A day has 24 hours.
func ParseDuration(s string) (time.Duration, bool) {
	units := map[string]time.Duration{"w": 7 * 24 * time.Hour, "d": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second}
	total, smallest := time.Duration(0), time.Duration(math.MaxInt64)
	if s == "" {
		return 0, false
	}
	for s != "" {
		m := durationPart.FindStringSubmatch(s)
		if m == nil || units[m[2]] >= smallest {
			return 0, false
		}
		n, _ := strconv.Atoi(m[1])
		smallest = units[m[2]]
		total += time.Duration(n) * smallest
		if n > 0 && total/smallest < time.Duration(n) || total > 100*365*24*time.Hour {
			return 0, false
		}
		s = s[len(m[0]):]
	}
	return total, true
}

// duration is an optional duration above zero.
func (f *fields) duration(key string, otherwise, most time.Duration) time.Duration {
	n := f.take(key)
	if n == nil {
		return otherwise
	}
	d, ok := ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || !ok {
		f.out.add(Problem{Where: place(f.src, n), Code: "policy.duration", What: fmt.Sprintf("%q wants a duration", key), Why: fmt.Sprintf("%q is none", n.Value), Fix: "write such as 15m, 4h, 7d or 1d12h"})
		return otherwise
	}
	if d <= 0 || d > most {
		f.out.add(Problem{Where: place(f.src, n), Code: "policy.out-of-range", What: fmt.Sprintf("%q is out of range", key), Why: "it is above zero and at most " + Duration(most)})
		return otherwise
	}
	return d
}

// instant is an optional date or RFC 3339 instant, UTC; a date is its first instant.
func (f *fields) instant(key string) time.Time {
	n := f.take(key)
	if n == nil {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, n.Value); err == nil && n.Kind == yaml.ScalarNode {
			return t.UTC()
		}
	}
	f.out.add(Problem{Where: place(f.src, n), Code: "policy.instant", What: fmt.Sprintf("%q wants a date or an instant", key), Why: fmt.Sprintf("%q is none", n.Value), Fix: "write such as 2027-01-31 or 2027-01-31T09:00:00Z"})
	return time.Time{}
}

// mappings is a list of mappings.
func (f *fields) mappings(key string) []*fields {
	n := f.take(key)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		f.wrong(n, key, "a list of mappings")
		return nil
	}
	var all []*fields
	for _, item := range n.Content {
		if item.Kind != yaml.MappingNode {
			f.wrong(item, key, "a mapping in its list")
			continue
		}
		all = append(all, fieldsOf(f.src, item, f.out))
	}
	return all
}

// mapping is an optional mapping.
func (f *fields) mapping(key string) *fields {
	n := f.take(key)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		f.wrong(n, key, "a mapping")
		return nil
	}
	return fieldsOf(f.src, n, f.out)
}

// Duration is d as policies write it.
func Duration(d time.Duration) string {
	if d <= 0 {
		return "0s"
	}
	var b strings.Builder
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if n := d / u.unit; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.unit
		}
	}
	return b.String()
}
