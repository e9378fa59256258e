package outbox

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// Operator looks at the messages of one connection that have failed or that wait for their time, and decides what becomes of
// them. It works from any process that reaches the database, whether workers run or not, and outside of every unit of work.
// Its errors are *fault.Error; a database without the tables of [Component] is fault.Misconfigured. It is safe for
// concurrent use.
type Operator struct {
	db     *session.DB
	name   session.Name
	by     string
	logger *slog.Logger
}

// OperatorConfig is how an operator is made. The zero value is usable.
type OperatorConfig struct {
	// Connection is the name of the connection whose tables it works on. Defaults to the default connection.
	Connection session.Name
	// By is who is operating, for the log. Defaults to "unknown".
	By string
	// Logger is told of every change, with its operator and the numbers of the messages, never with what they say. Defaults
	// to slog.Default().
	Logger *slog.Logger
}

// NewOperator returns an operator.
func NewOperator(db *session.DB, cfg OperatorConfig) *Operator {
	return &Operator{db: db, name: cfg.Connection, by: cmp.Or(cfg.By, "unknown"), logger: cmp.Or(cfg.Logger, slog.Default())}
}

// Page is a part of a list.
type Page struct {
	// After is Next of the page before; "" for the first one.
	After string
	// Limit is how many messages it has at most. Defaults to 50; 1000 is the most.
	Limit int
}

const (
	defaultPage = 50
	maxPage     = 1000
)

// limit is how many messages the page has at most.
func (p Page) limit() int { return min(cmp.Or(max(p.Limit, 0), defaultPage), maxPage) }

// List returns a page of the messages that the filter selects, without what they say, by destination, lane and number.
// Next is what the page after this one begins with, "" where there is none.
func (o *Operator) List(ctx context.Context, f Filter, p Page) (list []Stored, next string, err error) {
	const op = "outbox.List"
	after, err := parsePosition(op, p.After)
	if err != nil {
		return nil, "", err
	}
	limit := p.limit()
	rows, err := o.failing(ctx, op, f, after, limit+1, false)
	if err != nil {
		return nil, "", err
	}
	for _, row := range rows[:min(len(rows), limit)] {
		list = append(list, row.Stored)
	}
	if len(rows) > limit {
		next = rows[limit-1].position.String()
	}
	return list, next, nil
}

// everyLane begins a statement with all numbers that a lane can have.
var everyLane = fmt.Sprintf("WITH RECURSIVE i(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM i WHERE i < %d) ", MaxLanes-1)

// Show returns one message with all that it says, whether it has failed or not. Where there is none with this number it is
// fault.NotFound: the message was handled, or skipped.
func (o *Operator) Show(ctx context.Context, id int64) (Stored, error) {
	const op = "outbox.Show"
	ctx, d, err := o.reach(ctx, op)
	if err != nil {
		return Stored{}, err
	}
	// The key of messages begins with their lanes, which a destination has in no table before a worker has started. Each is
	// looked into by itself: of a join PostgreSQL may believe that it had better read the whole table.
	const place = "(SELECT d.id, i.i FROM urutu_message_destination d JOIN i ON i.i < d.lanes" +
		" WHERE (SELECT count(*) FROM urutu_message x WHERE x.dest = d.id AND x.lane = i.i AND x.id = ?1) > 0 LIMIT 1)"
	q := prepare(d, "select urutu_message", everyLane+"SELECT "+storedColumns+saidColumns+
		" FROM urutu_message m JOIN urutu_message_destination n ON n.id = m.dest"+
		" LEFT JOIN urutu_message_retry r ON r.dest = m.dest AND r.lane = m.lane AND r.id = m.id"+
		" WHERE m.id = ?1 AND (m.dest, m.lane) = "+place, types(tInt), saidTypes...)
	var list []found
	if err := o.ask(ctx, op, q.with(value.OfInt(id)), func(row []value.Value) { list = append(list, readStored(row)) }); err != nil {
		return Stored{}, err
	}
	if len(list) == 0 {
		return Stored{}, &fault.Error{
			Kind: fault.NotFound, Op: op, Connection: string(o.name), Key: fmt.Sprint(id),
			Message: fmt.Sprintf("there is no message %d: it was handled or skipped", id),
		}
	}
	return list[0].Stored, nil
}

// exportPage is how many messages are in memory at once as they are exported.
const exportPage = 100

// Export writes the messages that the filter selects to w, with all that they say, as JSON: one object to a line, as
// [Stored.MarshalJSON] has it. It returns how many they are, also where it fails on the way.
func (o *Operator) Export(ctx context.Context, w io.Writer, f Filter) (n int, err error) {
	const op = "outbox.Export"
	after, out := first, json.NewEncoder(w)
	for {
		list, err := o.failing(ctx, op, f, after, exportPage, true)
		if err != nil {
			return n, err
		}
		for _, m := range list {
			if err := out.Encode(m.Stored); err != nil {
				return n, &fault.Error{Kind: fault.Internal, Op: op, Connection: string(o.name), Err: err}
			}
			n++
		}
		if len(list) < exportPage {
			return n, nil
		}
		after = list[len(list)-1].position
	}
}

// failing reads the messages that the filter selects, in order; what they say only where it is asked for.
func (o *Operator) failing(ctx context.Context, op string, f Filter, after position, limit int, said bool) (list []found, err error) {
	if err := f.check(op); err != nil {
		return nil, err
	}
	ctx, d, err := o.reach(ctx, op)
	if err != nil {
		return nil, err
	}
	columns, result := storedColumns, storedTypes
	if said {
		columns, result = columns+saidColumns, saidTypes
	}
	s := newSelection(d)
	s.add("SELECT " + columns + retried + " JOIN urutu_message_destination n ON n.id = r.dest")
	s.after(after)
	s.where(f)
	s.add(" ORDER BY r.dest, r.lane, r.id LIMIT ?", anInt(tInt, int64(limit)))
	return list, o.ask(ctx, op, s.statement(d, "select urutu_message_retry", result...), func(row []value.Value) {
		list = append(list, readStored(row))
	})
}

// reach returns the context of the operator's connection, once it is known to have the tables.
func (o *Operator) reach(ctx context.Context, op string) (context.Context, dialect.Dialect, error) {
	ctx = session.On(o.db.Context(ctx), o.name)
	if _, err := stateOf(ctx, op); err != nil {
		return ctx, nil, err
	}
	d, err := o.db.Dialect(ctx)
	return ctx, d, err
}

// ask runs a statement that reads.
func (o *Operator) ask(ctx context.Context, op string, st driver.Statement, row func([]value.Value)) error {
	return o.db.Run(ctx, op, driver.Read, &driver.Script{Statements: []driver.Statement{st}}, collect{row})
}
