package sqlitedriver

import (
	sqldriver "database/sql/driver"
	"strings"
	"sync"
	"unicode"

	"modernc.org/sqlite"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/value"
)

// register registers the fold function and the collation of decimals with the SQLite package. There it is process-wide,
// must be done before a connection is opened, and may be done only once.
var register = sync.OnceValue(func() error {
	if err := sqlite.RegisterCollationUtf8(dialect.DecimalCollation, value.CompareDecimals); err != nil {
		return err
	}
	return sqlite.RegisterDeterministicScalarFunction(dialect.FoldFunction, 1,
		func(_ *sqlite.FunctionContext, args []sqldriver.Value) (sqldriver.Value, error) {
			if text, ok := args[0].(string); ok {
				return fold(text), nil
			}
			return args[0], nil
		})
})

// fold folds the case of a string, one character for one: strings that differ only in case fold to the same.
func fold(s string) string { return strings.Map(foldRune, s) }

// foldRune returns one of the characters that differ from r only in case, the same for all of them: the lower case of
// the least. Lower case alone would keep the Kelvin sign from the letter k, and make one of the dotted I and the letter i.
func foldRune(r rune) rune {
	if r < 0x80 {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	least, alone := r, true
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least, alone = min(least, next), false
	}
	if alone {
		return r
	}
	return unicode.ToLower(least)
}
