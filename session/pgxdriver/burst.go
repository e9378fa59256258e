package pgxdriver

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// stepKind is what one request of a burst is for.
type stepKind uint8

const (
	stepClose   stepKind = iota // have the server forget a prepared statement
	stepBegin                   // BEGIN and the transaction's settings
	stepLevel                   // ask for the level of transactions that begin without BEGIN
	stepPrepare                 // prepare a statement
	stepRun                     // run a statement
	stepSync                    // the end of the statements
	stepEnd                     // COMMIT or ROLLBACK
	stepEndSync                 // the end of the burst
)

// step is one request of a burst, in the order in which they are answered.
type step struct {
	kind      stepKind
	statement int
	entry     *entry
	prepared  bool // it runs what an earlier burst prepared
	streams   bool // its rows are asked for in portions
}

// at returns the position of the step for errors.
func (s step) at() int {
	switch s.kind {
	case stepClose, stepBegin, stepLevel:
		return driver.AtBegin
	case stepPrepare, stepRun:
		return s.statement
	default:
		return driver.AtEnd
	}
}

// isSync reports whether the step is where the server goes on after an error.
func (s step) isSync() bool { return s.kind == stepSync || s.kind == stepEndSync }

// burst is one attempt to run a script: everything is sent, then everything is read. It speaks the protocol itself, over
// the messages and the reader of pgx.
type burst struct {
	st      *state
	pc      *pgconn.PgConn
	script  *driver.Script
	results driver.Results
	pooler  bool

	stream   bool         // the script's last statement is one
	done     func() error // why it should not go on; nil while it should
	implicit bool         // the script is a transaction without BEGIN and COMMIT
	ask      bool         // its BEGIN asks for the level

	tooLarge  error      // a message cannot be encoded
	sent      bool       // something may have reached the server
	delivered bool       // results were given to the caller
	committed bool       // the server said so
	taken     int64      // rows of a stream that were handed over
	ends      driver.End // what the server was told to do in the end
	unread    int        // syncs that are not answered yet

	err      error // the first error of the server or the connection
	failed   step  // where it happened
	broken   bool  // it broke the connection
	refused  error // the error of the caller's Results
	refuseAt int
}

// run sends and reads. What happened is in the fields afterwards.
func (b *burst) run(ctx context.Context) {
	b.st.bursts++
	b.queue()
	if b.tooLarge != nil {
		b.refuse(driver.AtBegin, &fault.Error{Kind: fault.Invalid, Op: opRun, Err: b.tooLarge})
		return
	}
	b.st.watch(ctx, b.script.End == driver.Commit)
	defer b.st.watcher.unwatch()
	defer b.finish()
	if err := b.exchange(); err != nil {
		b.fail(step{kind: stepBegin}, err)
	}
	if b.stream {
		b.endStream()
	}
	b.forget()
}

// finish reads what is left over where the caller's Results panicked, and closes a connection of which nobody knows any
// more what it will say next. That of a stream has no end to read to: database/sql closes it, as after every panic.
func (b *burst) finish() {
	for b.unread > 0 && !b.broken {
		var pgErr *pgconn.PgError
		if _, err := b.receive(); err != nil && !errors.As(err, &pgErr) {
			b.broken = true
		}
	}
	if b.broken && !b.pc.IsClosed() {
		_ = rawConn(b.pc.Conn()).Close() // now nothing that Close does can wait for the server
		_ = b.pc.Close(context.Background())
	}
}

// read reads the answers. After an error the server skips everything up to the next sync.
func (b *burst) read(steps []step) {
	skip := false
	for _, s := range steps {
		if b.broken {
			return
		}
		if skip && !s.isSync() {
			continue
		}
		err := b.answer(s)
		if err != nil && s.isSync() && !b.broken {
			_ = b.answer(s) // the error was the commit's; the sync is answered all the same
		}
		skip = err != nil && !s.isSync()
	}
}

// errNoAnswer is for a server that does not keep to the protocol.
var errNoAnswer = errors.New("the server gave no answer")

// answer reads the answer to one step, and keeps its error.
func (b *burst) answer(s step) error {
	if s.streams {
		return b.rows(s)
	}
	for {
		msg, err := b.receive()
		done := false
		if err == nil {
			done, err = b.take(s, msg)
		}
		if err != nil {
			b.fail(s, err)
			return err
		}
		if done {
			return nil
		}
	}
}

// receive returns the next message that answers something.
func (b *burst) receive() (pgproto3.BackendMessage, error) {
	for {
		msg, err := b.pc.ReceiveMessage(context.Background())
		if err != nil {
			return nil, err
		}
		switch msg := msg.(type) {
		case *pgproto3.NoticeResponse, *pgproto3.ParameterStatus, *pgproto3.NotificationResponse:
			continue
		case *pgproto3.ErrorResponse:
			return nil, pgconn.ErrorResponseToPgError(msg)
		case *pgproto3.ReadyForQuery:
			b.unread--
		}
		return msg, nil
	}
}

// take follows one message of the answer to a step, and reports whether it was the last.
func (b *burst) take(s step, msg pgproto3.BackendMessage) (done bool, err error) {
	switch msg := msg.(type) {
	case *pgproto3.ParseComplete, *pgproto3.BindComplete, *pgproto3.ParameterDescription:
		return false, nil
	case *pgproto3.NoData:
		s.entry.describe(nil)
		return true, nil
	case *pgproto3.RowDescription:
		s.entry.describe(msg.Fields)
		return true, nil
	case *pgproto3.DataRow:
		b.row(s, msg.Values)
		return false, nil
	case *pgproto3.CommandComplete:
		b.complete(s, msg.CommandTag)
		return true, nil
	case *pgproto3.EmptyQueryResponse:
		b.complete(s, nil)
		return true, nil
	case *pgproto3.CloseComplete:
		return s.kind == stepClose, nil
	case *pgproto3.ReadyForQuery:
		if s.kind == stepEndSync && b.implicit && b.err == nil {
			b.committed = true
		}
		if s.isSync() {
			return true, nil
		}
	}
	return true, errNoAnswer
}

// fail keeps the first error, and notes whether the connection is broken.
func (b *burst) fail(s step, err error) {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || isFatal(pgErr) {
		b.broken = true
	}
	if b.err == nil {
		b.err, b.failed = err, s
	}
}

// row takes a row. Once the caller refused one, the rest is read and dropped.
func (b *burst) row(s step, cells [][]byte) {
	switch {
	case s.kind == stepLevel:
		b.st.level = levelOf(cells)
	case s.kind == stepRun && b.refused == nil && b.script.Statements[s.statement].Result != nil:
		if s.streams {
			b.taken++
		}
		b.refuse(s.statement, b.hand(s, cells))
	}
}

// complete ends a statement or the transaction.
func (b *burst) complete(s step, tag []byte) {
	switch s.kind {
	case stepEnd:
		b.committed = string(tag) == "COMMIT"
	case stepRun:
		if b.refused != nil {
			return
		}
		affected := rowsAffected(tag)
		if s.streams {
			affected = b.taken // the tag is that of the last portion
		}
		if st := &b.script.Statements[s.statement]; st.Checked {
			affected = st.Expect * int64(st.Rows()) // it would have raised otherwise
		}
		b.delivered = true
		b.refuse(s.statement, b.results.Done(s.statement, affected, 0))
	}
}

// rowsAffected reads the number at the end of a command's tag: "INSERT 0 5".
func rowsAffected(tag []byte) int64 {
	var n, place int64 = 0, 1
	for i := len(tag) - 1; i >= 0 && tag[i] >= '0' && tag[i] <= '9'; i-- {
		n += int64(tag[i]-'0') * place
		place *= 10
	}
	return n
}

func (b *burst) refuse(i int, err error) {
	if err != nil {
		b.refused, b.refuseAt = err, i
	}
}

// hand decodes one row and hands it over.
func (b *burst) hand(s step, cells [][]byte) error {
	types, columns := b.script.Statements[s.statement].Result, s.entry.columns
	if len(cells) < len(types) || len(columns) != len(cells) {
		return &fault.Error{Kind: fault.Internal, Op: opRun,
			Err: fmt.Errorf("%d columns came back where %d were declared", len(cells), len(types))}
	}
	row := slices.Grow(b.st.row[:0], len(cells))[:len(cells)]
	for j, read := range s.entry.readers(types, s.prepared) {
		if cells[j] == nil {
			row[j] = value.Value{}
		} else if err := read(cells[j], &row[j]); err != nil {
			return &fault.Error{Kind: fault.Internal, Op: opRun, Err: fmt.Errorf("column %q: %w", columns[j].name, err)}
		}
	}
	b.st.row = row
	b.delivered = true
	return b.results.Row(s.statement, row)
}

// forget has the server drop what this burst prepared and the cache, being full, has let go of meanwhile.
func (b *burst) forget() {
	for _, s := range b.st.steps {
		if s.kind == stepPrepare && !b.st.cache.has(s.entry) {
			b.st.cache.bury(s.entry)
		}
	}
}

// outdated reports whether the failure is that of a prepared statement which the server no longer has, or whose result
// the schema has changed, and forgets it.
func (b *burst) outdated() bool {
	if b.err == nil || b.failed.kind != stepRun {
		return false
	}
	var pgErr *pgconn.PgError
	if !errors.As(b.err, &pgErr) {
		return false
	}
	switch {
	case pgErr.Code == codeNoStatement:
		b.st.cache.reset()
		return true
	case pgErr.Code == codeFeature && b.failed.prepared:
		if b.st.cache.has(b.failed.entry) {
			b.st.cache.drop(b.failed.entry)
		}
		return true
	}
	return false
}
