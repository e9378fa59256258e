package session_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// openTreksOnSQLite is openTreks for the other database, with fewer rows: what it plans depends on none but those that
// ANALYZE has counted.
func openTreksOnSQLite(t *testing.T) *fixture {
	t.Helper()
	f := open(t, backends[1], sealed)
	f.do(t, func(ctx context.Context) error {
		must(t, session.CreateTables(ctx, (*Trek)(nil)))
		for _, sql := range []string{
			"INSERT INTO treks (at, nick, kind) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) " +
				"SELECT strftime('%Y-%m-%d %H:%M:%f', '2026-01-01', i || ' seconds'), CASE WHEN i % 2 = 0 THEN 'nick' || i END, i % 5 FROM n",
			"CREATE INDEX treks_at ON treks (at, id)", "CREATE INDEX treks_kind ON treks (kind, at, id)", "CREATE INDEX treks_nick ON treks (nick, id)",
		} {
			must(t, second(session.From(ctx).ExecContext(ctx, sql)))
		}
		return nil
	})
	return f
}

// On SQLite every page behind the first one begins where an index leads to, and rows come
// in its order.
func TestSeek_every_page_is_searched_on_SQLite(t *testing.T) {
	t.Parallel()
	f := openTreksOnSQLite(t)
	for _, analyzed := range []bool{false, true} {
		if analyzed {
			f.do(t, func(ctx context.Context) error { return second(session.From(ctx).ExecContext(ctx, "ANALYZE")) })
		}
		plans := openPlans(t, f) // a connection that knows what was counted
		for name, clauses := range trekOrders {
			page := func(cursor string, size int) (page query.CursorPage[*Trek]) {
				f.do(t, func(ctx context.Context) (err error) {
					page, err = session.Seek[Trek](ctx, query.CursorRequest{Cursor: cursor, PageSize: size}, append(slices.Clone(clauses), query.NoTracking)...)
					return err
				})
				return page
			}
			pages := 0
			for at := page("", query.MaxPageSize); at.Next != ""; at = page(at.Next, query.MaxPageSize) {
				pages++
				for _, cursor := range []string{at.Next, at.Prev} {
					if cursor == "" {
						continue
					}
					plans.record(func() { page(cursor, 20) })
					for sql, plan := range plans.steps(t) {
						if searches(plan) || analyzed && strings.Contains(sql, "`nick` IS NULL ORDER BY") && !strings.Contains(plan, "TEMP") {
							continue // what docs/queries.md says of ANALYZE
						}
						t.Errorf("ordered by %s, page %d, analyzed %t: %s\n%s", name, pages, analyzed, plan, sql)
					}
				}
			}
			if pages == 0 {
				t.Errorf("ordered by %s there is one page", name)
			}
		}
	}
}

// searches reports whether a plan of SQLite's is one search by an index. Where levels go different ways, rows that are the
// same at the first one are sorted among themselves.
func searches(plan string) bool {
	plan = strings.TrimSuffix(plan, "; USE TEMP B-TREE FOR LAST TERM OF ORDER BY")
	return strings.HasPrefix(plan, "SEARCH ") && !strings.Contains(plan, ";")
}

// steps returns how SQLite runs each query that was recorded.
func (p *plans) steps(t *testing.T) map[string]string {
	t.Helper()
	steps := map[string]string{}
	for _, st := range p.sent {
		if !strings.HasPrefix(st.SQL, "SELECT") {
			continue
		}
		var lines planLines
		explain := st
		explain.SQL = "EXPLAIN QUERY PLAN " + st.SQL
		explain.Result = []value.Type{value.TypeInt64, value.TypeInt64, value.TypeInt64, value.TypeText}
		must(t, p.conn.Run(t.Context(), &driver.Script{Statements: []driver.Statement{explain}}, &lines))
		steps[st.SQL] = strings.Join(lines, "; ")
	}
	if len(steps) == 0 {
		t.Error("no query was recorded")
	}
	return steps
}

// planLines are the lines of a plan of SQLite's.
type planLines []string

// Row implements driver.Results.
func (p *planLines) Row(_ int, cells []driver.Cell) error {
	*p = append(*p, cells[3].Str())
	return nil
}

// Done implements driver.Results.
func (p *planLines) Done(int, int64, int64) error { return nil }
