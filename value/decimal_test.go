package value_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/value"
)

// TestDecimalsCompareAsNumbers: each is less than those behind it, and equal to those on its own line.
func TestDecimalsCompareAsNumbers(t *testing.T) {
	t.Parallel()
	ordered := [][]string{
		{"-1e400"}, {"-10", "-1e1", "-010.0"}, {"-9.99"}, {"-9"}, {"-0.5", "-.5", "-5e-1"}, {"0", "-0", "+0.00", "0e7", "00"},
		{"1e-400"}, {"0.09"}, {"0.1", "0.10", "1E-1"}, {"9"}, {"9.000000000000000000000000000001"}, {"10", "+10.", "0.1e+2"},
		{"100", "1e2"}, {"12345678901234567890.123456789"}, {"1e400"}, {""}, {"Infinity"}, {"NaN"}, {"x"},
	}
	for i, line := range ordered {
		for j, other := range ordered {
			for _, a := range line {
				for _, b := range other {
					want := 0
					if i < j {
						want = -1
					} else if i > j {
						want = 1
					}
					if got := value.CompareDecimals(a, b); got != want {
						t.Errorf("%q and %q: %d, want %d", a, b, got, want)
					}
				}
			}
		}
	}
}

// FuzzCompareDecimals compares with exact arithmetic.
func FuzzCompareDecimals(f *testing.F) {
	for _, s := range []string{"1.0", "1.00", "-9", "10", "1e3", "0.1e-5", "x", "", "1e9999999999", "+.5", "5.", "--1", "1_0"} {
		f.Add(s, "9")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		got := value.CompareDecimals(a, b)
		if back := value.CompareDecimals(b, a); back != -got {
			t.Fatalf("%q and %q: %d, and %d the other way round", a, b, got, back)
		}
		x, okX := rational(a)
		y, okY := rational(b)
		if okX && okY && got != x.Cmp(y) {
			t.Errorf("%q and %q: %d, want %d", a, b, got, x.Cmp(y))
		}
	})
}

// rational reads a decimal whose exponent is small enough for exact arithmetic.
func rational(s string) (*big.Rat, bool) {
	_, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	if !value.IsDecimal(s) || len(strings.TrimLeft(exponent, "+-0")) > 3 {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}
