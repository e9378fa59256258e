package pgxdriver

import (
	"testing"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// On every connection one name means one statement, and what may be left of an attempt that failed is not met again.
func TestNamesSayWhatTheStatementIs(t *testing.T) {
	t.Parallel()
	a, b := newCache(), newCache()
	name := func(c *cache, sql string, batch int, types ...value.Type) string {
		return c.rename(c.find(&driver.Statement{SQL: sql, Types: types, Batch: batch}))
	}
	seen := map[string]bool{}
	for _, s := range []struct {
		sql   string
		batch int
		types []value.Type
	}{
		{"SELECT 1", 0, nil},
		{"SELECT 2", 0, nil},
		{"SELECT $1", 0, []value.Type{value.TypeText}},
		{"SELECT $1", 0, []value.Type{value.TypeInt64}},
		{"SELECT $1", 2, []value.Type{value.TypeInt64}},
	} {
		n := name(a, s.sql, s.batch, s.types...)
		if seen[n] {
			t.Errorf("%+v has the name of another statement", s)
		}
		seen[n] = true
		if other := name(b, s.sql, s.batch, s.types...); other != n {
			t.Errorf("%+v is %s on one connection and %s on another", s, n, other)
		}
	}
	again := name(a, "SELECT 1", 0)
	if seen[again] {
		t.Errorf("a second attempt has the name %s again", again)
	}
	b.reset()
	if after := name(b, "SELECT 1", 0); seen[after] {
		t.Errorf("what was discarded has the name %s again", after)
	}
}
