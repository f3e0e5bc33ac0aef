package strict

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

type word string

type inside struct {
	B     bool     `json:"b"`
	A     word     `json:"a_word"`
	Rate  float64  `json:"rate"`
	List  []string `json:"list"`
	Maybe *int     `json:"maybe"`
	Gone  string   `json:"-"`
}

type sampled struct {
	Zed    string     `json:"zed"`
	Count  int        `json:"count"`
	Large  int64      `json:"large"`
	At     time.Time  `json:"at"`
	Since  time.Time  `json:"since,omitzero"`
	Until  time.Time  `json:"until,omitempty"`
	Inner  inside     `json:"inner"`
	Other  inside     `json:"other,omitzero"`
	Also   inside     `json:"also,omitempty"`
	Items  []inside   `json:"items,omitzero"`
	Words  []word     `json:"words,omitempty"`
	Figure float64    `json:"figure,omitempty"`
	Whole  int        `json:"whole,omitzero"`
	Text   string     `json:"text,omitempty"`
	Point  *inside    `json:"point,omitempty"`
	Rates  [][]string `json:"rates"`
}

// A form writes what Canonical writes, whatever the value, and refuses what it refuses.
func TestFormAgrees(t *testing.T) {
	form := MustForm[sampled]()
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "<&>", "\u2028", "\x00\x1f\x7f\b\t\n\f\r", "é", "€", "\U0001f600", "\xff\xfe", "a\xc3", `"\`, "ﬁ", "plain"}))
	number := rapid.OneOf(rapid.Float64(), rapid.Float64Range(-1, 1), rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1e-6, 1e-7, 1e20, 1e21, 5e-324, math.MaxFloat64, math.NaN(), math.Inf(1), 0.1 + 0.2}))
	whole := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-3, 3), rapid.SampledFrom([]int64{1 << 53, 1<<53 + 1, -1<<53 - 1, math.MaxInt64, math.MinInt64}))
	instant := rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "none") {
			return time.Time{}.In(rapid.SampledFrom([]*time.Location{time.UTC, time.FixedZone("", 3600)}).Draw(t, "zone"))
		}
		zone := time.FixedZone("", 60*rapid.IntRange(-1500, 1500).Draw(t, "zone"))
		return time.Unix(rapid.Int64Range(-1<<39, 1<<39).Draw(t, "second"), rapid.Int64Range(0, 999_999_999).Draw(t, "nano")).In(zone)
	})
	texts := rapid.OneOf(rapid.Just[[]string](nil), rapid.SliceOfN(text, 0, 3))
	inner := rapid.Custom(func(t *rapid.T) inside {
		if rapid.Bool().Draw(t, "zero") {
			return inside{}
		}
		i := inside{B: rapid.Bool().Draw(t, "b"), A: word(text.Draw(t, "a")), Rate: number.Draw(t, "rate"), List: texts.Draw(t, "list"), Gone: "gone"}
		if n := int(whole.Draw(t, "maybe")); n != 1 {
			i.Maybe = &n
		}
		return i
	})
	refused := 0
	rapid.Check(t, func(t *rapid.T) {
		v := sampled{
			Zed: text.Draw(t, "zed"), Count: int(whole.Draw(t, "count")), Large: whole.Draw(t, "large"), At: instant.Draw(t, "at"), Since: instant.Draw(t, "since"), Until: instant.Draw(t, "until"),
			Inner: inner.Draw(t, "inner"), Other: inner.Draw(t, "other"), Also: inner.Draw(t, "also"), Figure: number.Draw(t, "figure"), Whole: int(whole.Draw(t, "whole")), Text: text.Draw(t, "text"),
			Items: rapid.OneOf(rapid.Just[[]inside](nil), rapid.SliceOfN(inner, 0, 2)).Draw(t, "items"),
		}
		for _, w := range texts.Draw(t, "words") {
			v.Words, v.Rates = append(v.Words, word(w)), append(v.Rates, []string{w}, nil)
		}
		if i := inner.Draw(t, "point"); i.B {
			v.Point = &i
		}
		want, wantErr := Canonical(v)
		got, err := form.Append([]byte("before"), &v)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%v, Canonical says %v", err, wantErr)
		}
		if err != nil {
			refused++
			return
		}
		if got, whole := bytes.CutPrefix(got, []byte("before")); !whole || !bytes.Equal(got, want) {
			t.Fatalf("%s\nCanonical writes\n%s", got, want)
		}
		readAlike(t, form, want)
	})
	if refused == 0 {
		t.Error("nothing was refused, so what cannot be written was not tried")
	}
}

type (
	selfWritten struct {
		A rawText `json:"a"`
	}
	mapped struct {
		A map[string]int `json:"a"`
	}
	unnamed  struct{ A string }
	embedded struct {
		inside
	}
	quoted struct {
		A int `json:"a,string"`
	}
	bytesOf struct {
		A []byte `json:"a"`
	}
	zeroed struct {
		A judged `json:"a,omitzero"`
	}
)

type rawText string

func (rawText) MarshalText() ([]byte, error) { return nil, nil }

type judged int

func (judged) IsZero() bool { return true }

// What a form cannot write as Canonical does has none.
func TestNoForm(t *testing.T) {
	for name, make := range map[string]func(){
		"writes itself": func() { MustForm[selfWritten]() },
		"map":           func() { MustForm[mapped]() },
		"no name":       func() { MustForm[unnamed]() },
		"embedded":      func() { MustForm[embedded]() },
		"quoted":        func() { MustForm[quoted]() },
		"bytes":         func() { MustForm[bytesOf]() },
		"own zero":      func() { MustForm[zeroed]() },
		"interface":     func() { MustForm[struct{ A any }]() },
	} {
		func() {
			defer func() {
				if why, _ := recover().(string); !strings.HasPrefix(why, "strict: ") {
					t.Errorf("%s: %q", name, why)
				}
			}()
			make()
		}()
	}
}

// readAlike holds what a form reads by itself, where it does, against DecodeOpen.
func readAlike(t interface{ Fatalf(string, ...any) }, form Form[sampled], b []byte) (quick bool) {
	var got, want sampled
	if rest, ok := form.read(string(b), reflect.ValueOf(&got).Elem()); !ok || rest != "" {
		return false
	}
	if err := DecodeOpen(b, &want); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%s is read as %+v, and by DecodeOpen as %+v, %v", b, got, want, err)
	}
	return true
}

// What a form reads by itself means the same to DecodeOpen, whatever the bytes.
func FuzzFormDecode(f *testing.F) {
	form := MustForm[sampled]()
	n := 7
	full := sampled{Zed: "é", Count: -3, Large: 123456789, At: time.Unix(1, 5000).UTC(), Inner: inside{List: []string{"a", "b"}, Rate: 0.25, Maybe: &n}, Items: []inside{{}, {A: "a"}}, Point: &inside{B: true}, Rates: [][]string{{}, nil}}
	b, err := form.Append(nil, &full)
	if err != nil || !readAlike(f, form, b) {
		f.Fatalf("%s is not read by the form: %v", b, err)
	}
	f.Add(b)
	for _, s := range formSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { readAlike(t, form, b) })
}

// formSeeds are documents about which two readers may differ.
var formSeeds = []string{
	`{}`, ` {}`, `{} `, `{"zed":"a","zed":"b"}`, `{"Zed":"a"}`, `{"zed":"\u0061"}`, "{\"zed\":\"\xff\"}", `{"count":01}`, `{"count":-0}`, `{"count":1.0}`, `{"count":1e2}`, `{"count":12345678901}`,
	`{"figure":-0}`, `{"figure":.5}`, `{"figure":5.}`, `{"figure":1.2.3}`, `{"figure":00.5}`, `{"figure":1e400}`, `{"figure":0.1}`, `{"figure":1`, `{"at":"2026-01-01T00:00:00Z"}`, `{"at":"2026-01-01T00:00:00+01:00"}`, `{"at":"2026-02-30T00:00:00Z"}`,
	`{"at":"2026-01-01T00:00:00,5Z"}`, `{"at":null}`, `{"zed":null}`, `{"point":null}`, `{"items":[null]}`, `{"items":[{},]}`, `{"items":[,{}]}`, `{"zed":"a",}`, `{,"zed":"a"}`, `{"large":1,"zed":"a"}`, `{"zed":"a","large":1}`, `{"other":1,"zed":"a"}`,
	`{"inner":{"maybe":1},"rates":[["a"],[]]}`, `null`, `[]`, ``,
}

// What no form reads by itself DecodeOpen reads, or refuses with its words.
func TestFormDecode(t *testing.T) {
	form := MustForm[sampled]()
	for _, s := range formSeeds {
		var got, want sampled
		err, other := form.Decode([]byte(s), &got), DecodeOpen([]byte(s), &want)
		if (err == nil) != (other == nil) || err != nil && err.Error() != other.Error() || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; DecodeOpen %+v, %v", s, got, err, want, other)
		}
	}
}
