package pgxdriver

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

// stepKind is what one request of a burst is for.
type stepKind uint8

const (
	stepClose   stepKind = iota // have the server forget a prepared statement
	stepBegin                   // BEGIN and the transaction's settings
	stepLevel                   // ask for the level of transactions that begin without it
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

// burst is one attempt to run a script: everything is sent, then everything is read.
type burst struct {
	st      *state
	pipe    *pgconn.Pipeline
	script  *driver.Script
	results driver.Results
	pooler  bool

	implicit bool // the script is a transaction without BEGIN and COMMIT
	ask      bool // its BEGIN asks for the level

	sent      bool   // something may have reached the server
	delivered bool   // results were given to the caller
	committed bool   // the server said so

	err      error // the first error of the server or the connection
	failed   step  // where it happened
	broken   bool  // it broke the connection
	refused  error // the error of the caller's Results
	refuseAt int
}

// run sends and reads. What happened is in the fields afterwards.
func (b *burst) run(ctx context.Context, pc *pgconn.PgConn) {
	b.st.bursts++
	b.pipe = pc.StartPipeline(context.Background())
	b.st.watch(ctx, b.script.End == driver.Commit)
	defer b.st.watcher.Unwatch()
	defer func() { _ = b.pipe.Close() }() // its error was met before, or is of no interest any more
	b.queue()
	if err := b.pipe.Flush(); err != nil {
		b.sent = !pgconn.SafeToRetry(err)
		b.err, b.broken, b.failed = err, true, step{kind: stepBegin}
		return
	}
	b.sent = true
	b.read()
	b.forget()
}

// queue puts all requests into the buffer that Flush writes in one piece.
func (b *burst) queue() {
	st := b.st
	st.steps = st.steps[:0]
	for _, name := range st.cache.dead {
		b.pipe.SendDeallocate(name)
		b.step(step{kind: stepClose})
	}
	st.cache.dead = st.cache.dead[:0]
	if b.script.Begin != nil && !b.implicit {
		b.begin(b.script.Begin)
	}
	at := 0
	for i := range b.script.Statements {
		b.statement(i, st.params.take(&at, len(b.script.Statements[i].Types)))
	}
	if len(st.steps) > 0 && !b.implicit {
		b.pipe.SendPipelineSync()
		b.step(step{kind: stepSync})
	}
	if b.script.End != driver.Stay {
		b.end()
	}
}

// end queues the end of the transaction, behind a sync of its own: after a failed statement the server goes on there, and
// answers a COMMIT with a rollback. Where there is no COMMIT, the sync is the end.
func (b *burst) end() {
	if !b.implicit {
		end := "COMMIT"
		if b.script.End == driver.Rollback {
			end = "ROLLBACK"
		}
		b.utility(end, stepEnd)
	}
	b.pipe.SendPipelineSync()
	b.step(step{kind: stepEndSync})
}

func (b *burst) step(s step) { b.st.steps = append(b.st.steps, s) }

// begin queues the BEGIN. It always names the isolation, since the server's default may be any.
func (b *burst) begin(o *driver.TxOptions) {
	b.utility(beginText(o), stepBegin)
	if b.ask {
		b.utility("SHOW default_transaction_isolation", stepLevel)
	}
	b.timeout("statement_timeout", o.StatementTimeout)
	b.timeout("lock_timeout", o.LockTimeout)
}

// beginText returns the text of a BEGIN. The usual one is a constant.
func beginText(o *driver.TxOptions) string {
	const plain = "BEGIN ISOLATION LEVEL READ COMMITTED"
	switch {
	case o.Isolation <= uow.ReadCommitted && !o.ReadOnly:
		return plain
	case o.Isolation <= uow.ReadCommitted:
		return plain + " READ ONLY"
	case o.ReadOnly:
		return "BEGIN ISOLATION LEVEL " + o.Isolation.String() + " READ ONLY"
	default:
		return "BEGIN ISOLATION LEVEL " + o.Isolation.String()
	}
}

// timeout queues a setting of the transaction, in milliseconds, at least one: zero would mean none.
func (b *burst) timeout(name string, d time.Duration) {
	if d > 0 {
		ms := (d + time.Millisecond - 1) / time.Millisecond
		b.utility("SET LOCAL "+name+" = "+strconv.FormatInt(int64(ms), 10), stepBegin)
	}
}

// utility queues a command that needs no plan, so that nothing is gained by preparing it, and a COMMIT never fails
// because somebody discarded prepared statements.
func (b *burst) utility(text string, kind stepKind) {
	b.pipe.SendQueryParams(text, nil, nil, nil, nil)
	b.step(step{kind: kind})
}

// statement queues statement i. The first use of a text prepares it and runs it in the same burst.
func (b *burst) statement(i int, args [][]byte) {
	e := b.st.cache.find(&b.script.Statements[i])
	run := step{kind: stepRun, statement: i, entry: e}
	switch {
	case b.pooler:
		b.pipe.SendQueryParams(e.sql, args, e.oids, e.params, nil)
	case e.description != nil:
		run.prepared = true
		b.pipe.SendQueryStatement(e.description, args, e.params, e.results)
	default:
		if e.sentIn != b.st.bursts {
			e.sentIn = b.st.bursts
			b.pipe.SendPrepare(b.st.cache.rename(e), e.sql, e.oids)
			b.step(step{kind: stepPrepare, statement: i, entry: e})
		}
		b.pipe.SendQueryPrepared(e.name, args, e.params, nil)
	}
	b.step(run)
}

// read reads the answers. After an error the server skips everything up to the next sync.
func (b *burst) read() {
	skip := false
	for _, s := range b.st.steps {
		isSync := s.kind == stepSync || s.kind == stepEndSync
		if skip && !isSync {
			continue
		}
		skip = false
		for {
			err := b.answer(s)
			if err == nil {
				break
			}
			b.fail(s, err)
			if b.broken {
				return
			}
			if !isSync {
				skip = true
				break
			}
		}
	}
}

// errNoAnswer is for a server that does not keep to the protocol.
var errNoAnswer = errors.New("the server gave no answer")

// answer reads the answer to one step.
func (b *burst) answer(s step) error {
	result, err := b.pipe.GetResults()
	if err != nil {
		return err
	}
	switch result := result.(type) {
	case nil:
		return errNoAnswer
	case *pgconn.StatementDescription:
		s.entry.describe(result)
	case *pgconn.PipelineSync:
		if s.kind == stepEndSync && b.implicit && b.err == nil {
			b.committed = true
		}
	case *pgconn.ResultReader:
		switch s.kind {
		case stepRun:
			return b.rows(s.statement, result)
		case stepLevel:
			b.st.level, err = readLevel(result)
			return err
		}
		tag, err := result.Close()
		if s.kind == stepEnd && err == nil {
			b.committed = tag.String() == "COMMIT"
		}
		return err
	}
	return nil
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

// rows hands the rows of statement i to the caller. Once it refused one, the rest is read and dropped.
func (b *burst) rows(i int, rr *pgconn.ResultReader) error {
	s := &b.script.Statements[i]
	for rr.NextRow() {
		if b.refused == nil && s.Result != nil {
			b.refuse(i, b.row(i, s.Result, rr))
		}
	}
	tag, err := rr.Close()
	if err != nil || b.refused != nil {
		return err
	}
	affected := tag.RowsAffected()
	if s.Checked {
		affected = s.Expect * int64(s.Rows()) // it would have raised otherwise
	}
	b.delivered = true
	b.refuse(i, b.results.Done(i, affected, 0))
	return nil
}

func (b *burst) refuse(i int, err error) {
	if err != nil {
		b.refused, b.refuseAt = err, i
	}
}

// row decodes one row and hands it over. A column that was not declared, such as a guard's, is read as what it is.
func (b *burst) row(i int, types []value.Type, rr *pgconn.ResultReader) error {
	cells, fields := rr.Values(), rr.FieldDescriptions()
	if len(cells) < len(types) || len(fields) < len(cells) {
		return &fault.Error{Kind: fault.Internal, Op: opRun,
			Err: fmt.Errorf("%d columns came back where %d were declared", len(cells), len(types))}
	}
	row := b.st.row[:0]
	for j, cell := range cells {
		t := value.TypeUnknown
		if j < len(types) {
			t = types[j]
		}
		v, err := decode(fields[j].DataTypeOID, fields[j].Format, t, cell)
		if err != nil {
			return &fault.Error{Kind: fault.Internal, Op: opRun, Err: fmt.Errorf("column %q: %w", fields[j].Name, err)}
		}
		row = append(row, v)
	}
	b.st.row = row
	b.delivered = true
	return b.results.Row(i, row)
}

// forget has the server drop what this burst prepared and the cache, being full, has let go of meanwhile.
func (b *burst) forget() {
	for _, s := range b.st.steps {
		if s.kind == stepPrepare && s.entry.description != nil && !b.st.cache.has(s.entry) {
			b.st.cache.dead = append(b.st.cache.dead, s.entry.name)
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
