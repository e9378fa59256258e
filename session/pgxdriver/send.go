package pgxdriver

import (
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// queue encodes all requests, so that they are written in one piece.
func (b *burst) queue() {
	st := b.st
	if cap(st.out) > keep {
		st.out = nil
	}
	st.steps, st.out = st.steps[:0], st.out[:0]
	for _, name := range st.cache.dead {
		b.queued((&pgproto3.Close{ObjectType: 'S', Name: name}).Encode(st.out))
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
	if b.stream {
		b.inPortions()
		return
	}
	b.ends = b.script.End
	if len(st.steps) > 0 && !b.implicit {
		b.sync(stepSync)
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
		b.utility(end, step{kind: stepEnd})
	}
	b.sync(stepEndSync)
}

func (b *burst) step(s step) { b.st.steps = append(b.st.steps, s) }

// sync queues a sync.
func (b *burst) sync(kind stepKind) {
	b.st.out = append(b.st.out, syncMessage...)
	b.unread++
	b.step(step{kind: kind})
}

// queued takes what encoding a message made of the buffer. It fails only for what is too large for a message, of which
// nothing is sent.
func (b *burst) queued(out []byte, err error) {
	if err != nil {
		b.tooLarge = err
		return
	}
	b.st.out = out
}

// utility queues a command that needs no plan, so that nothing is gained by preparing it, and a COMMIT never fails
// because somebody discarded prepared statements.
func (b *burst) utility(text string, s step) {
	b.queued((&pgproto3.Parse{Query: text}).Encode(b.st.out))
	b.execute("", nil, nil, nil)
	b.step(s)
}

// execute queues the run of a prepared statement.
func (b *burst) execute(name string, args [][]byte, params, results []int16) {
	b.queued((&pgproto3.Bind{
		PreparedStatement: name, Parameters: args, ParameterFormatCodes: params, ResultFormatCodes: results,
	}).Encode(b.st.out))
	b.queued((&pgproto3.Execute{}).Encode(b.st.out))
}

// statement queues statement i. The first use of a text prepares it and runs it in the same burst.
func (b *burst) statement(i int, args [][]byte) {
	e := b.st.cache.find(&b.script.Statements[i])
	switch {
	case b.pooler:
		b.prepare("", e)
		b.step(step{kind: stepPrepare, statement: i, entry: e})
		b.execute("", args, e.params, nil)
	case e.described:
		b.execute(e.name, args, e.params, e.results)
	default:
		if e.sentIn != b.st.bursts {
			e.sentIn = b.st.bursts
			b.prepare(b.st.cache.rename(e), e)
			b.step(step{kind: stepPrepare, statement: i, entry: e})
		}
		b.execute(e.name, args, e.params, nil)
	}
	b.step(step{kind: stepRun, statement: i, entry: e, prepared: e.described && !b.pooler})
}

// prepare queues the preparation of a statement under a name, and the question for its columns.
func (b *burst) prepare(name string, e *entry) {
	b.queued((&pgproto3.Parse{Name: name, Query: e.sql, ParameterOIDs: e.oids}).Encode(b.st.out))
	b.queued((&pgproto3.Describe{ObjectType: 'S', Name: name}).Encode(b.st.out))
}

// small is what the buffers below a connection take without the other side reading.
const small = 16 << 10

// exchange writes the burst and reads its answers. One that is not small is written while it is answered, since a server
// whose answers nobody reads stops reading itself. The error is that of the writing.
func (b *burst) exchange() error {
	if len(b.st.out) <= small {
		if err := b.flush(); err != nil {
			return err
		}
		b.read(b.st.steps)
		return nil
	}
	written := make(chan error, 1)
	go func() {
		err := b.flush()
		if err != nil {
			_ = rawConn(b.pc.Conn()).Close() // the answers that are waited for do not come
		}
		written <- err
	}()
	b.read(b.st.steps)
	return <-written
}

// flush writes the burst.
func (b *burst) flush() error {
	n, err := b.pc.Conn().Write(b.st.out)
	b.sent = n > 0
	return err
}

// begin queues the BEGIN. It always names the isolation, since the server's default may be any.
func (b *burst) begin(o *driver.TxOptions) {
	b.utility(beginText(o), step{kind: stepBegin})
	if b.ask {
		b.utility("SHOW default_transaction_isolation", step{kind: stepLevel})
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
		b.utility("SET LOCAL "+name+" = "+strconv.FormatInt(int64(ms), 10), step{kind: stepBegin})
	}
}
