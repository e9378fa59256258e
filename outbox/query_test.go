package outbox

import (
	"testing"

	"github.com/urutu-go/urutu/dialect"
)

// TestPrepare: a limit is bound as the dialect wants it, and everything else is a parameter.
func TestPrepare(t *testing.T) {
	t.Parallel()
	const text = "SELECT id FROM m WHERE dest = ?1 AND id > ?2 ORDER BY id LIMIT ?3 FOR UPDATE"
	for want, d := range map[string]dialect.Dialect{
		"SELECT id FROM m WHERE dest = $1 AND id > $2 ORDER BY id LIMIT $3 FOR UPDATE":  dialect.Postgres(),
		"SELECT id FROM m WHERE dest = ?1 AND id > ?2 ORDER BY id LIMIT +?3 FOR UPDATE": dialect.SQLite(),
	} {
		if got := prepare(d, "", text, types(tDest, tInt, tInt)).sql; got != want {
			t.Errorf("it is %s, want %s", got, want)
		}
	}
}
