package value

import (
	"cmp"
	"strconv"
	"strings"
)

// decimal is a number in a normal form: digits without zeros at either end, times ten to the exponent. Zero has no
// digits, no sign and the exponent 0.
type decimal struct {
	negative bool
	digits   string
	exponent int64
}

// IsDecimal reports whether s is a decimal number: [sign] digits [. digits] [e [sign] digits].
func IsDecimal(s string) bool {
	_, ok := parseDecimal(s)
	return ok
}

// CompareDecimals returns -1, 0 or 1 as the number a is less than b, equal to it, or greater: "1.0" and "1.00" are equal,
// and "9" is less than "10". A text that is no decimal number is greater than all that are, and less than another such
// text as texts are compared, so that the order is that of all texts.
func CompareDecimals(a, b string) int {
	if a == b {
		return 0
	}
	x, okX := parseDecimal(a)
	y, okY := parseDecimal(b)
	switch {
	case !okX && !okY:
		return strings.Compare(a, b)
	case !okX:
		return 1
	case !okY:
		return -1
	}
	return x.compare(y)
}

func (d decimal) compare(e decimal) int {
	if c := cmp.Compare(d.sign(), e.sign()); c != 0 {
		return c
	}
	c := cmp.Compare(d.magnitude(), e.magnitude())
	if c == 0 {
		c = strings.Compare(d.digits, e.digits)
	}
	return c * d.sign()
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.negative:
		return -1
	default:
		return 1
	}
}

// magnitude is where the point stands in 0.digits.
func (d decimal) magnitude() int64 { return d.exponent + int64(len(d.digits)) }

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
	if whole+fraction == "" || !onlyDigits(whole) || !onlyDigits(fraction) {
		return d, false
	}
	d.exponent -= int64(len(fraction))
	if fraction == "" {
		d.digits = whole // without memory of its own
	} else {
		d.digits = whole + fraction
	}
	d.digits = strings.TrimLeft(d.digits, "0")
	if d.digits == "" {
		return decimal{}, true
	}
	short := strings.TrimRight(d.digits, "0")
	d.exponent += int64(len(d.digits) - len(short))
	d.digits = short
	return d, true
}

func onlyDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
