package conform

import (
	"cmp"
	"errors"
	"strconv"
	"strings"
)

// decimal is a number exactly, however long: 0.digits times ten to the exp.
// Zero has no digits.
type decimal struct {
	negative bool
	digits   string // without zeros at either end
	exp      int64
}

// parseDecimal reads a number as JSON or XML Schema writes it. An exponent
// beyond all reason is held at a limit: such numbers still compare rightly
// with the bounds of a schema.
func parseDecimal(s string) (decimal, bool) {
	var d decimal
	if d.negative = strings.HasPrefix(s, "-"); d.negative {
		s = s[1:]
	}
	mantissa, exponent, scientific := s, "", false
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa, exponent, scientific = s[:i], s[i+1:], true
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return decimal{}, false
	}
	if scientific {
		e, err := strconv.ParseInt(exponent, 10, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return decimal{}, false
		}
		d.exp = min(max(e, -1<<40), 1<<40)
	}
	d.exp += int64(len(whole))
	trimmed := strings.TrimLeft(digits, "0")
	d.exp -= int64(len(digits) - len(trimmed))
	d.digits = strings.TrimRight(trimmed, "0")
	if d.digits == "" {
		return decimal{}, true
	}
	return d, true
}

// whole reports whether d has no fraction.
func (d decimal) whole() bool { return d.digits == "" || d.exp >= int64(len(d.digits)) }

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.negative:
		return -1
	}
	return 1
}

// compare orders numbers as cmp.Compare does.
func (d decimal) compare(o decimal) int {
	if s := cmp.Compare(d.sign(), o.sign()); s != 0 || d.digits == "" {
		return s
	}
	return d.sign() * cmp.Or(cmp.Compare(d.exp, o.exp), cmp.Compare(d.digits, o.digits))
}

// text is the same for equal numbers, and differs for others.
func (d decimal) text() string {
	sign := ""
	if d.negative {
		sign = "-"
	}
	return sign + d.digits + "e" + strconv.FormatInt(d.exp, 10)
}
