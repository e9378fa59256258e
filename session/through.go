package session

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"io"
	"reflect"

	"github.com/urutu-go/urutu/fault"
)

// through is a connector of database/sql whose connections are the session: what is prepared on one runs through the
// session's own methods. A statement that was prepared on the session's connection would go past them.
type through struct{ *Session }

var (
	_ sqldriver.Connector          = through{}
	_ sqldriver.Conn               = through{}
	_ sqldriver.ConnPrepareContext = through{}
)

// Connect implements driver.Connector.
func (t through) Connect(context.Context) (sqldriver.Conn, error) { return t, nil }

// Driver implements driver.Connector.
func (t through) Driver() sqldriver.Driver { return failingDriver{errNoConnection} }

var errNoConnection = errors.New("the connection is a session's")

// PrepareContext implements driver.ConnPrepareContext.
func (t through) PrepareContext(_ context.Context, query string) (sqldriver.Stmt, error) {
	return throughStmt{t.Session, query}, nil
}

// Prepare implements driver.Conn.
func (t through) Prepare(query string) (sqldriver.Stmt, error) {
	return throughStmt{t.Session, query}, nil
}

// Begin implements driver.Conn.
func (t through) Begin() (sqldriver.Tx, error) {
	return nil, t.fault("session.PrepareContext", fault.Unsupported, "the transaction is the session's")
}

// Close implements driver.Conn.
func (t through) Close() error { return nil }

type throughStmt struct {
	s     *Session
	query string
}

var (
	_ sqldriver.StmtExecContext   = throughStmt{}
	_ sqldriver.StmtQueryContext  = throughStmt{}
	_ sqldriver.NamedValueChecker = throughStmt{}
)

// ExecContext implements driver.StmtExecContext.
func (t throughStmt) ExecContext(ctx context.Context, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	return t.s.ExecContext(ctx, t.query, values(args)...)
}

// QueryContext implements driver.StmtQueryContext.
func (t throughStmt) QueryContext(ctx context.Context, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	rows, err := t.s.QueryContext(ctx, t.query, values(args)...) //nolint:rowserrcheck // Next does
	if err != nil {
		return nil, err
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, errors.Join(err, rows.Close()) //nolint:sqlclosecheck // they are handed on otherwise
	}
	r := &throughRows{rows: rows, types: types, cells: make([]any, len(types)), into: make([]any, len(types))}
	for i := range r.cells {
		r.into[i] = &r.cells[i]
	}
	return r, nil
}

// CheckNamedValue implements driver.NamedValueChecker: the connection below decides what it takes.
func (t throughStmt) CheckNamedValue(*sqldriver.NamedValue) error { return nil }

// NumInput implements driver.Stmt: the connection below counts.
func (t throughStmt) NumInput() int { return -1 }

// Close implements driver.Stmt.
func (t throughStmt) Close() error { return nil }

// Exec implements driver.Stmt. It is not called: there is ExecContext.
func (t throughStmt) Exec([]sqldriver.Value) (sqldriver.Result, error) { return nil, errNoConnection }

// Query implements driver.Stmt. It is not called: there is QueryContext.
func (t throughStmt) Query([]sqldriver.Value) (sqldriver.Rows, error) { return nil, errNoConnection }

// values returns the arguments as their caller gave them.
func values(args []sqldriver.NamedValue) []any {
	out := make([]any, len(args))
	for i, a := range args {
		out[i] = a.Value
		if a.Name != "" {
			out[i] = sql.Named(a.Name, a.Value)
		}
	}
	return out
}

// throughRows are the rows of the connection below.
type throughRows struct {
	rows  *sql.Rows
	types []*sql.ColumnType
	cells []any
	into  []any // pointers to the cells
}

var (
	_ sqldriver.RowsColumnTypeDatabaseTypeName = (*throughRows)(nil)
	_ sqldriver.RowsColumnTypeScanType         = (*throughRows)(nil)
)

// Columns implements driver.Rows.
func (r *throughRows) Columns() []string {
	names := make([]string, len(r.types))
	for i, t := range r.types {
		names[i] = t.Name()
	}
	return names
}

// Next implements driver.Rows.
func (r *throughRows) Next(dest []sqldriver.Value) error {
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	if err := r.rows.Scan(r.into...); err != nil {
		return err
	}
	for i := range dest {
		dest[i] = r.cells[i]
	}
	return nil
}

// Close implements driver.Rows.
func (r *throughRows) Close() error { return r.rows.Close() }

// ColumnTypeDatabaseTypeName implements driver.RowsColumnTypeDatabaseTypeName.
func (r *throughRows) ColumnTypeDatabaseTypeName(i int) string { return r.types[i].DatabaseTypeName() }

// ColumnTypeScanType implements driver.RowsColumnTypeScanType.
func (r *throughRows) ColumnTypeScanType(i int) reflect.Type { return r.types[i].ScanType() }
