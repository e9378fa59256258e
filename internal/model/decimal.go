package model

import (
	"errors"

	"github.com/urutu-go/urutu/value"
)

var errDecimal = errors.New("is not a decimal number")

// decimalOf returns a decimal from its text.
func decimalOf(s string) (value.Value, error) {
	if !value.IsDecimal(s) {
		return value.Value{}, errDecimal
	}
	return value.OfDecimal(s), nil
}

// sameDecimal reports whether two texts are the same number: "1.0" and "1.00" are.
func sameDecimal(a, b string) bool {
	return value.IsDecimal(a) && value.IsDecimal(b) && value.CompareDecimals(a, b) == 0
}
