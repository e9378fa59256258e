package model

import (
	"errors"
	"strconv"
	"strings"

	"github.com/urutu-go/urutu/value"
)

var errDecimal = errors.New("is not a decimal number")

// decimalOf returns a decimal from its text.
func decimalOf(s string) (value.Value, error) {
	if _, ok := parseDecimal(s); !ok {
		return value.Value{}, errDecimal
	}
	return value.OfDecimal(s), nil
}

// decimal is a number in a normal form: digits without zeros at either end, times ten to the exponent. Zero has no
// digits, no sign and the exponent 0.
type decimal struct {
	negative bool
	digits   string
	exponent int64
}

// sameDecimal reports whether two texts are the same number: "1.0" and "1.00" are.
func sameDecimal(a, b string) bool {
	x, ok := parseDecimal(a)
	y, ok2 := parseDecimal(b)
	return ok && ok2 && x == y
}

// parseDecimal reads [sign] digits [. digits] [e [sign] digits].
func parseDecimal(s string) (d decimal, ok bool) {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		d.negative = s[0] == '-'
		s = s[1:]
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, err := strconv.ParseInt(s[i+1:], 10, 32)
		if err != nil {
			return d, false
		}
		d.exponent, s = e, s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	d.digits = whole + fraction
	if d.digits == "" || strings.Trim(d.digits, "0123456789") != "" {
		return d, false
	}
	d.exponent -= int64(len(fraction))
	d.digits = strings.TrimLeft(d.digits, "0")
	if d.digits == "" {
		return decimal{}, true
	}
	short := strings.TrimRight(d.digits, "0")
	d.exponent += int64(len(d.digits) - len(short))
	d.digits = short
	return d, true
}
