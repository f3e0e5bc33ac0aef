package evidence

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/fault"
)

// box reads one object: a number, and a list whose elements are gone through whole.
type box struct {
	n    int
	list []string
}

func (b *box) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return Object(dec, Member{"n", &b.n}, Member{"list", func(dec *jsontext.Decoder) error {
		return Each(dec, 3, "things", func(int) error {
			return Whole(dec, func(raw jsontext.Value) error {
				var v struct {
					Name string `json:"name"`
				}
				if err := json.Unmarshal(raw, &v); err != nil {
					return err
				}
				if v.Name == "bad" {
					return fault.Invalidf("x", "a bad name")
				}
				b.list = append(b.list, v.Name)
				return nil
			})
		})
	}})
}

func TestObject(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"n":1,"x":[{}],"list":[{"name":"a"},{}]}`, "1 [a ]"},
		{`{}`, "0 []"},
		{`null`, "0 []"},
		{`{"n":1,"N":2}`, `1:8: the member "N" is not written "n"`},
		{`{"LIST":[]}`, `is not written "list"`},
		{`{"n":1,"n":1}`, "twice"},
		{`[]`, `"" cannot be a [`},
		{`{"n":1`, "too early"},
		{`{"n":1}{}`, "after top-level value"},
		{"{\"list\":[{},\n{\"name\":1}]}", `2:9: the JSON cannot be read: "/list/1/name"`},
		{"{\"list\":[{},\n{\"name\":\"bad\"}]}", "2:1: a bad name"},
		{`{"list":[{},{},{},{}]}`, "more than 3 things"},
	} {
		var b box
		got := ""
		if err := Decode([]byte(c.in), &b); err != nil {
			got = err.Error()
		} else {
			got = fmt.Sprint(b.n, " ", b.list)
		}
		if !strings.Contains(got, c.want) || strings.Contains(c.want, "[") != strings.Contains(got, "[") {
			t.Errorf("%s: %s, want %s", c.in, got, c.want)
		}
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"{\"n\":1}\n{\"n\":2} {\"n\":3}\n", "[1 2 3]"},
		{`{"n":1}{"n":2}`, "[1 2]"},
		{``, "[]"},
		{`{"n":1}{"n":`, "too early"},
		{`{"n":1}}`, "invalid"},
		{`{"n":1} x`, "invalid"},
		{"{\"n\":1}\n{\"n\":\"a\"}", "2:6"},
	} {
		var got []int
		err := Values([]byte(c.in), func(dec *jsontext.Decoder) error {
			var b box
			if err := json.UnmarshalDecode(dec, &b); err != nil {
				return err
			}
			got = append(got, b.n)
			return nil
		})
		says := fmt.Sprint(got)
		if err != nil {
			says = err.Error()
		}
		if !strings.Contains(says, c.want) {
			t.Errorf("%q: %s, want %s", c.in, says, c.want)
		}
	}
}
