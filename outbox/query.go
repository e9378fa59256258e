package outbox

import (
	"strings"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// query is a statement of the outbox's own.
type query struct {
	name   string // for echo and errors
	sql    string
	types  []value.Type
	result []value.Type
}

const (
	tInt   = value.TypeInt64
	tSmall = value.TypeInt16
	tDest  = value.TypeInt32
	tText  = value.TypeText
	tBytes = value.TypeBytes
	tTime  = value.TypeTime
	tUUID  = value.TypeUUID
	tBool  = value.TypeBool
)

// prepare renders a text, whose parameters are ?1, ?2 and so on, for a dialect.
func prepare(d dialect.Dialect, name, text string, types []value.Type, result ...value.Type) *query {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "?")
		before, limit := strings.CutSuffix(before, " LIMIT ")
		b.WriteString(before)
		if !found {
			break
		}
		n := 0
		for len(after) > 0 && after[0] >= '0' && after[0] <= '9' {
			n, after = 10*n+int(after[0]-'0'), after[1:]
		}
		if limit {
			d.Paging(&b, n, 0) // it knows how a limit is bound
		} else {
			d.Param(&b, n, types[n-1])
		}
		text = after
	}
	return &query{name: name, sql: b.String(), types: types, result: result}
}

// with returns the statement for one row of arguments.
func (q *query) with(args ...value.Value) driver.Statement {
	return driver.Statement{SQL: q.sql, Types: q.types, Args: args, Result: q.result, Query: q.name, Raw: true}
}

// batch returns the statement for rows of arguments, one after the other.
func (q *query) batch(args []value.Value) driver.Statement {
	st := q.with(args...)
	st.Batch = len(args) / len(q.types)
	return st
}

// lists returns the statement with lists for parameters; where one is nil, its argument is used.
func (q *query) lists(lists [][]value.Value, args ...value.Value) driver.Statement {
	st := q.with(args...)
	st.Lists = lists
	return st
}

// collect hands the rows of each statement to the function at its index, which may be nil.
type collect []func(row []value.Value)

// Row implements driver.Results.
func (c collect) Row(i int, row []driver.Cell) error {
	if i < len(c) && c[i] != nil {
		c[i](row)
	}
	return nil
}

// Done implements driver.Results.
func (collect) Done(int, int64, int64) error { return nil }

var _ driver.Results = collect(nil)

func types(list ...value.Type) []value.Type { return list }

func ofInts[T ~int | ~int16 | ~int32 | ~int64](list []T) []value.Value {
	values := make([]value.Value, len(list))
	for i, v := range list {
		values[i] = value.OfInt(int64(v))
	}
	return values
}

func ofTexts(list []string) []value.Value {
	values := make([]value.Value, len(list))
	for i, v := range list {
		values[i] = value.OfText(v)
	}
	return values
}

// micros is the database's clock, in microseconds since 1970.
func micros(d dialect.Dialect) string {
	if d.Name() == "sqlite" {
		return "CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)"
	}
	return "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
}

// sqliteTime is SQLite's clock as a column of times has it, which is text. It stands still within a millisecond.
const sqliteTime = "strftime('%Y-%m-%d %H:%M:%f', 'now'"

// now is the database's clock, as a column of times has it. It stands still within a statement, so that an index can be
// asked.
func now(d dialect.Dialect) string {
	if d.Name() == "sqlite" {
		return "(" + sqliteTime + ") || '000+00:00')"
	}
	return "statement_timestamp()"
}

// from is the time that is so many microseconds from now, and no earlier.
func from(d dialect.Dialect, distance string) string {
	if d.Name() == "sqlite" {
		return "(" + sqliteTime + ", format('%+.3f seconds', (" + distance + " + 1999) / 1000 / 1000.0)) || '000+00:00')"
	}
	return "(statement_timestamp() + " + distance + "::bigint * interval '1 microsecond')"
}

// until is for how many microseconds a time is not now yet.
func until(d dialect.Dialect, at string) string {
	if d.Name() == "sqlite" {
		return "CAST((unixepoch(" + at + ", 'subsec') - unixepoch('now', 'subsec')) * 1000000 + 1000 AS INTEGER)"
	}
	return "ceil(extract(epoch FROM " + at + " - statement_timestamp()) * 1000000)::bigint"
}

// content are the columns that a message keeps wherever it waits.
const content = "slot, msg_id, topic, key, headers, payload, created_at"

var contentTypes = types(tSmall, tUUID, tText, tText, tBytes, tBytes, tTime)

// messageColumns is what a delivery is read from.
const messageColumns = "m.dest, m.lane, m.id, m.msg_id, m.topic, m.key, m.headers, m.payload, m.created_at"

// messageTypes are theirs, and that of a message's place.
var messageTypes = types(tDest, tSmall, tInt, tUUID, tText, tText, tBytes, tBytes, tTime, tText)

// placeOf is where a message is in its table, which does not change while it is there, but for who rewrites the table as a whole:
// by that it is found at once, and a planner knows that. Null where a database has no such thing.
func placeOf(d dialect.Dialect) string {
	if d.Name() == "postgres" {
		return ", m.ctid::text"
	}
	return ", NULL"
}
