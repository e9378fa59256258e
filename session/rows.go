package session

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"slices"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
)

// betweenRows refuses a statement while rows are being read: not every connection could run it, and none of them can in
// the middle of a row.
func (s *Session) betweenRows(op string) error {
	s.dropClosed()
	if len(s.rows) > 0 {
		return s.fault(op, fault.ConcurrentUse,
			"rows of session.QueryContext are open; close them first, or read them in a unit of their own with session.New")
	}
	if err := s.betweenStreams(op); err != nil {
		return err
	}
	return s.usable(op)
}

// dropClosed forgets the rows that were closed. An error of the database that ended them fails the session, as that of
// any other statement does.
func (s *Session) dropClosed() {
	s.rows = slices.DeleteFunc(s.rows, func(r *sql.Rows) bool {
		_, err := r.Columns() // fails once they are closed, with what closed them, and does nothing else
		var e *fault.Error
		if err != nil && s.failed == nil && errors.As(s.rawError(context.Background(), "session.QueryContext", err), &e) {
			s.failed = e
		}
		return err != nil
	})
}

// closeRows closes the rows that somebody left open.
func (s *Session) closeRows() {
	for _, r := range s.rows {
		_ = r.Close() // it fails where the connection does, which the next statement says
	}
	s.rows = nil
}

// endScans ends what QueryRowContext returned. Nobody can scan it any more: the session goes on to something else.
func (s *Session) endScans() {
	for _, end := range s.scans {
		end()
	}
	clear(s.scans)
	s.scans = s.scans[:0]
}

// giveBack returns a connection to the pool. Whatever still reads from it ends: database/sql waits for that.
func (s *Session) giveBack(c driver.Conn) {
	s.closeRows()
	s.endScans()
	c.Release()
}

// failedRow returns a row whose Scan fails with err. Only database/sql can make a row, so that it is one from a
// connector that always fails.
func failedRow(err error) *sql.Row {
	db := sql.OpenDB(failingConnector{err})
	defer func() { _ = db.Close() }()
	return db.QueryRowContext(context.Background(), "")
}

type failingConnector struct{ err error }

// Connect implements driver.Connector.
func (c failingConnector) Connect(context.Context) (sqldriver.Conn, error) { return nil, c.err }

// Driver implements driver.Connector.
func (c failingConnector) Driver() sqldriver.Driver { return failingDriver(c) }

type failingDriver struct{ err error }

// Open implements driver.Driver.
func (d failingDriver) Open(string) (sqldriver.Conn, error) { return nil, d.err }
