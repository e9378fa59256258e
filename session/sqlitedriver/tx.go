package sqlitedriver

import (
	"context"
	"errors"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
)

// defaultLockTimeout is how long another process's lock is waited for where nothing else is said.
const defaultLockTimeout = 10 * time.Second

// busyTimeout is the same for SQLite itself, in milliseconds: what connections are opened with.
const busyTimeout = 10_000

// transaction is the state of the transaction on a lent connection.
type transaction struct {
	open bool
	// lost is why SQLite rolled the open transaction back by itself; nil where it did not.
	lost error
	// statementTimeout bounds each statement; 0 for none.
	statementTimeout time.Duration
	// guarded: query_only was switched on for this transaction.
	guarded bool
}

// begin starts a transaction: one that has the write lock on a connection acquired for writing, else a snapshot.
func (c *conn) begin(ctx context.Context, raw *rawConn, o *driver.TxOptions) error {
	guard := o.ReadOnly && !raw.readonly
	text := "BEGIN"
	switch {
	case guard:
		if err := raw.setReadonly(true); err != nil {
			return translate(opRun, err)
		}
	case c.write && !o.ReadOnly:
		text = "BEGIN IMMEDIATE"
	}
	wait := o.LockTimeout
	if wait <= 0 {
		wait = defaultLockTimeout
	}
	if err := c.beginAs(ctx, raw, text, wait); err != nil {
		if guard {
			_ = raw.setReadonly(false)
		}
		return translate(opRun, err)
	}
	c.tx = transaction{open: true, statementTimeout: o.StatementTimeout, guarded: guard}
	return nil
}

// beginAs runs a BEGIN and waits for the lock. SQLite's own waiting cannot be interrupted, and is switched off for it.
func (c *conn) beginAs(ctx context.Context, raw *rawConn, text string, wait time.Duration) error {
	if !c.pool.adopted {
		if err := raw.setBusyTimeout(0); err != nil {
			return err
		}
	}
	return untilFree(ctx, wait, func() error { return raw.exec(text) })
}

// untilFree calls try until it answers something else than that the database is locked, wait has passed or ctx is done.
// Nothing wakes a process that waits for another one's lock, so it has to look.
func untilFree(ctx context.Context, wait time.Duration, try func() error) error {
	err := try()
	if !isBusy(err) {
		return err
	}
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for pause := time.Millisecond; ; pause = min(2*pause, 25*time.Millisecond) {
		look := time.NewTimer(pause)
		select {
		case <-look.C:
		case <-timeout.C:
			look.Stop()
			return err
		case <-ctx.Done():
			look.Stop()
			return ctx.Err()
		}
		if err = try(); !isBusy(err) {
			return err
		}
	}
}

// commit ends the transaction for good. It is local, and its outcome is always known but where the disk failed.
func (t *transaction) commit(raw *rawConn) error {
	if t.lost != nil {
		err := gone(t.lost)
		t.rollback(raw)
		return err
	}
	err := raw.exec("COMMIT")
	if err == nil || !t.open && noTransaction(err) {
		t.closed(raw)
		return nil
	}
	t.rollback(raw)
	if noTransaction(err) {
		return gone(err)
	}
	return translateCommit(err)
}

// rollback takes everything back. The connection is not used again where that is impossible.
func (t *transaction) rollback(raw *rawConn) {
	if err := raw.exec("ROLLBACK"); err != nil && !noTransaction(err) {
		raw.broken = true
	}
	t.closed(raw)
}

// closed notes that no transaction is open.
func (t *transaction) closed(raw *rawConn) {
	if t.guarded && raw.setReadonly(false) != nil {
		raw.broken = true
	}
	*t = transaction{}
}

// check finds out after a failed statement whether SQLite rolled the transaction back with it. There is no other way to
// ask: a BEGIN succeeds only where none is open. It also clears the mark of an interrupted statement, for which the pool
// would throw the connection away.
func (t *transaction) check(raw *rawConn, cause error) {
	if err := raw.exec("BEGIN"); err != nil {
		return
	}
	if raw.exec("ROLLBACK") != nil {
		raw.broken = true
	}
	if t.open && t.lost == nil {
		t.lost = cause
	}
}

// gone is the error of everything that is run in a transaction that SQLite rolled back.
func gone(cause error) error {
	return fault.Wrap(fault.SessionFailed, opRun,
		errors.Join(errors.New("the database has rolled the transaction back"), cause))
}
