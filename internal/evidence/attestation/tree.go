package attestation

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
)

const maxText = 1000 // bytes of an id, URI or other text that is read

// reading keeps the first thing that is wrong with a document.
type reading struct{ err error }

func (r *reading) fail(at, format string, args ...any) {
	if r.err == nil {
		r.err = fault.Invalidf("evidence.attestation", format, args...).On(at)
	}
}

// object is a JSON object and where it stands. One that is not there has no members.
type object struct {
	*reading
	members map[string]any
	at      string
}

// object takes v for an object of which some members are read.
func (r *reading) object(v any, at string, read ...string) object {
	members, is := v.(map[string]any)
	if !is && v != nil {
		r.fail(at, "%s is not an object", at)
	}
	if err := strict.Spelled(members, at, read...); err != nil && r.err == nil {
		r.err = err
	}
	return object{r, members, at}
}

func (o object) place(name string) string { return o.at + "/" + name }

func (o object) sub(name string, read ...string) object {
	return o.object(o.members[name], o.place(name), read...)
}

// text is a member that is a text, "" where it is not there or null.
func (o object) text(name string) string {
	v, there := o.members[name]
	if !there || v == nil {
		return ""
	}
	s, is := v.(string)
	switch {
	case !is:
		o.fail(o.place(name), "%s is not a text", o.place(name))
	case len(s) > maxText:
		o.fail(o.place(name), "%s is longer than %d bytes", o.place(name), maxText)
	case strings.ContainsFunc(s, unicode.IsControl):
		o.fail(o.place(name), "%s holds a control character", o.place(name))
	default:
		return s
	}
	return ""
}

// need is a text that must be there.
func (o object) need(name string) string {
	s := o.text(name)
	if s == "" {
		o.fail(o.place(name), "%s is missing", o.place(name))
	}
	return s
}

func (o object) list(name string) []any {
	v := o.members[name]
	l, is := v.([]any)
	if !is && v != nil {
		o.fail(o.place(name), "%s is not a list", o.place(name))
	}
	return l
}

// each calls read for every object of a list.
func (o object) each(name string, read func(object), members ...string) {
	for i, v := range o.list(name) {
		if v == nil {
			v = false // null in a list is no object
		}
		read(o.object(v, fmt.Sprintf("%s/%d", o.place(name), i), members...))
	}
}

// instant is a time in UTC, zero where it is not there. Some builders write the
// first instant of year 1 for none.
func (o object) instant(name string) time.Time {
	s := o.text(name)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		o.fail(o.place(name), "%s is not an instant", o.place(name))
	}
	return t.UTC()
}

// digest is a member of a set of digests: of a length in hexadecimal, lower case.
// One that is there and is not that is wrong.
func (o object) digest(name string, lengths ...int) string {
	s := o.text(name)
	if s == "" {
		if _, there := o.members[name]; there {
			o.fail(o.place(name), "%s is empty", o.place(name))
		}
		return ""
	}
	for _, n := range lengths {
		if len(s) == n && strings.Trim(s, "0123456789abcdef") == "" {
			return s
		}
	}
	o.fail(o.place(name), "%s is not a digest in hexadecimal, lower case", o.place(name))
	return ""
}

// soft is a text at a path of members of which nothing is known, "" where there is none.
func soft(v any, path ...string) string {
	for _, name := range path {
		members, is := v.(map[string]any)
		if !is {
			return ""
		}
		v = members[name]
	}
	s, _ := v.(string)
	if len(s) > maxText {
		return ""
	}
	return s
}
