package strict

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/gowebpki/jcs"
	"pgregory.net/rapid"
)

// An implementation of RFC 8785 by others gives the same bytes, whatever the value.
func TestCanonicalAgrees(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "<&>", "\u2028", "\x00\x1f\x7f", "é", "€", "\U0001f600", "\xff", `"\`, "1", "ﬁ"}))
	number := rapid.OneOf(rapid.Float64Range(-1e25, 1e25), rapid.Float64Range(-1, 1), rapid.Map(rapid.Int64Range(-1<<53, 1<<53), func(n int64) float64 { return float64(n) }),
		rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1e-7, 1e21, 5e-324, math.MaxFloat64}))
	var value *rapid.Generator[any]
	value = rapid.Custom(func(t *rapid.T) any {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return text.Draw(t, "text")
		case 1:
			return number.Draw(t, "number")
		case 2:
			return rapid.Bool().Draw(t, "bool")
		case 3:
			return rapid.SliceOfN(value, 0, 3).Draw(t, "list")
		case 4:
			return rapid.MapOfN(text, value, 0, 4).Draw(t, "object")
		}
		return nil
	})
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.MapOfN(text, value, 0, 5).Draw(t, "value")
		got, err := Canonical(v)
		b, _ := json.Marshal(v)
		want, other := jcs.Transform(b)
		if (err == nil) != (other == nil) || string(got) != string(want) {
			t.Errorf("%s, %v\n%s, %v", got, err, want, other)
		}
	})
}

func TestCanonicalRefuses(t *testing.T) {
	for name, v := range map[string]any{"NaN": math.NaN(), "a function": func() {}, "a channel": make(chan int)} {
		if b, err := Canonical(v); err == nil {
			t.Errorf("%s: %s", name, b)
		}
	}
}
