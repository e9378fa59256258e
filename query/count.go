package query

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/value"
)

// CountCap is how far CountCapped counts.
const CountCap = 10_000

// Counting is a clause that says what a page tells of the number of rows on all pages, each mode cheaper than those behind
// it. A page by its number is CountExact without one, a page by a cursor CountHasNext. Where the page's own rows tell the
// number, it is exact in every mode: a page that is not full is the last one.
type Counting uint8

// The modes.
const (
	// CountNone tells nothing.
	CountNone Counting = iota + 1
	// CountHasNext tells whether there is a page behind this one: a row more than the page's is read.
	CountHasNext
	// CountEstimated is CountHasNext, and the number that the database's planner expects. It costs about as much on any
	// table and may be far off; where the database cannot tell, as SQLite, it is CountCapped.
	CountEstimated
	// CountCapped is CountHasNext, and the number as far as CountCap: no more rows than that are counted.
	CountCapped
	// CountExact counts all rows.
	CountExact
)

func (c Counting) apply(q *Select) { q.counting = c }

// Counting returns the mode that the query asks for, or the one given where it asks for none.
func (q *Select) Counting(usual Counting) Counting {
	if q.counting == 0 {
		return usual
	}
	return q.counting
}

// Peeks reports whether a page reads a row more than it has, to know whether there is one.
func (c Counting) Peeks() bool { return c != CountNone && c != CountExact }

// Precision says how exact a total is.
type Precision string

// The precisions.
const (
	// Exact: it is the number of rows.
	Exact Precision = ""
	// AtLeast: there are that many rows, and may be more.
	AtLeast Precision = "at_least"
	// Estimated: it is what the database's planner expects.
	Estimated Precision = "estimated"
	// Unknown: the total is -1.
	Unknown Precision = "unknown"
)

// Asks reports whether the mode takes a statement of its own.
func (c Counting) Asks() bool { return c >= CountEstimated }

// CountText renders what tells how many rows the query has without its limit and offset, and the type of what comes back,
// for a mode that [Counting.Asks]. Orders make no difference to it, nor do joins that only they refer to.
func (q *Select) CountText(d dialect.Dialect, c Counting) (Text, value.Type, error) {
	if c == CountExact {
		t, err := q.every(d, "count(*)")
		return t, value.TypeInt64, err
	}
	t, err := q.every(d, "1")
	if c == CountEstimated && d.Features().Estimates {
		t.SQL = "EXPLAIN (FORMAT JSON) " + t.SQL
		return t, value.TypeJSON, err
	}
	var b strings.Builder
	b.WriteString("SELECT count(*) FROM (")
	b.WriteString(t.SQL)
	b.WriteString(" LIMIT " + strconv.Itoa(CountCap+1) + ") AS c")
	t.SQL = b.String()
	return t, value.TypeInt64, err
}

// every renders a SELECT of something for every row of the query.
func (q *Select) every(d dialect.Dialect, what string) (Text, error) {
	if q.shape == nil {
		return q.scalar(d, "SELECT "+what, "")
	}
	t, err := q.project(d, false)
	t.SQL = "SELECT " + what + " FROM (" + t.SQL + ") AS g"
	return t, err
}

// Settle returns how many rows there are, -1 where that is not known: from what CountText has brought back, NULL where it
// was not asked, and from the page. seen is how many rows are before the end of the page, with the one behind it where that
// was peeked at; end says that there are no more.
func (c Counting) Settle(v value.Value, seen int64, end bool) (int64, Precision, error) {
	if end {
		return seen, Exact, nil
	}
	switch v.Kind() {
	case value.Null:
		return -1, Unknown, nil
	case value.JSON:
		n, err := plannedRows(v.Str())
		return max(n, seen), Estimated, err
	}
	if n := v.Int(); c == CountExact || n <= CountCap {
		return max(n, seen), Exact, nil
	}
	return max(CountCap, seen), AtLeast, nil
}

// plannedRows reads the number of rows from a plan.
func plannedRows(plan string) (int64, error) {
	var plans []struct {
		Plan struct {
			Rows float64 `json:"Plan Rows"`
		}
	}
	if err := json.Unmarshal([]byte(plan), &plans); err != nil || len(plans) != 1 {
		return 0, &fault.Error{Kind: fault.Internal, Op: "query.CountEstimated", Message: "the database's plan cannot be read", Err: err}
	}
	return int64(plans[0].Plan.Rows), nil
}
