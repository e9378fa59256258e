package pgxdriver

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// What was being done, for errors.
const (
	opOpen    = "pgxdriver.Open"
	opAcquire = "pgxdriver.Acquire"
	opPing    = "pgxdriver.Ping"
	opRun     = "pgxdriver.Run"
)

// SQLSTATEs that decide more than a kind.
const (
	codeFeature       = "0A000" // a cached plan whose result type changed, among others
	codeNoStatement   = "26000"
	codeStatementName = "42P05" // there is a prepared statement of that name
	codeCanceled      = "57014"
	codeInvalidText   = "22P02"
	staleToken        = `"urutu:stale:`
	severityFatal     = "FATAL"
	severityPanic     = "PANIC"
	unsupportedOption = "08P01"
)

// kindOf returns the kind of an SQLSTATE.
func kindOf(code string) fault.Kind {
	switch code {
	case "23505":
		return fault.Unique
	case "23503", "23001":
		return fault.ForeignKey
	case "23502":
		return fault.NotNull
	case "40001":
		return fault.Serialization
	case "40P01":
		return fault.Deadlock
	case "55P03":
		return fault.LockTimeout
	case codeCanceled:
		return fault.StatementTimeout
	case "25006":
		return fault.ReadOnly
	case "25P02":
		return fault.SessionFailed
	case "53300":
		return fault.PoolTimeout
	case "40003", "08007":
		return fault.OutcomeUnknown
	case codeFeature:
		return fault.Unsupported
	case "3D000", unsupportedOption, codeStatementName:
		return fault.Misconfigured
	case "57P01", "57P02", "57P03", "57P05", "25P03":
		return fault.ConnectionLost
	}
	switch code[:min(2, len(code))] {
	case "08":
		return fault.ConnectionLost
	case "22":
		return fault.Invalid
	case "23":
		return fault.Check
	case "28":
		return fault.Misconfigured
	default:
		return fault.Internal
	}
}

// isFatal reports whether the server ended the connection with this error.
func isFatal(e *pgconn.PgError) bool {
	severity := e.SeverityUnlocalized
	if severity == "" {
		severity = e.Severity
	}
	return severity == severityFatal || severity == severityPanic
}

// isPoolers reports whether an error that ends the connection is a pooler's, for which PgBouncer has a class: that it has
// lost its own connection to the server says nothing of what the server has done.
func isPoolers(e *pgconn.PgError) bool { return strings.HasPrefix(e.Code, "08") }

// translate turns an error of pgx into one of ours. A context that is done is the reason for a canceled statement and
// for a connection that broke meanwhile.
func (c *conn) translate(ctx context.Context, err error) *fault.Error {
	return translate(ctx, opRun, c.pool.name, err)
}

func translate(ctx context.Context, op, connection string, err error) *fault.Error {
	e := &fault.Error{Op: op, Connection: connection, Err: err, Kind: fault.ConnectionLost}
	var pgErr *pgconn.PgError
	isPg := errors.As(err, &pgErr)
	if ctxErr := ctx.Err(); ctxErr != nil && (!isPg || pgErr.Code == codeCanceled) {
		e.Kind, e.Err = fault.KindOf(ctxErr), joined{ctxErr, err}
		if isPg {
			e.Code = pgErr.Code
		}
		return e
	}
	if !isPg {
		return e
	}
	e.Kind, e.Code, e.Table, e.Constraint = kindOf(pgErr.Code), pgErr.Code, pgErr.TableName, pgErr.ConstraintName
	if isFatal(pgErr) && (e.Kind == fault.Internal || op == opRun && isPoolers(pgErr)) {
		e.Kind = fault.ConnectionLost
	}
	if e.Code == codeStatementName {
		e.Err = fmt.Errorf("%w: a transaction pooler seems to stand before the server; set Pooler in the connection's configuration", err)
	}
	if e.Kind == fault.NotNull && pgErr.ColumnName != "" {
		e.Columns = []string{pgErr.ColumnName}
	}
	if e.Kind == fault.Unique || e.Kind == fault.ForeignKey {
		e.Columns = keyColumns(pgErr.Detail)
	}
	return e
}

// joined is a reason and what came of it. It prints the reason only: the rest says the same in other words.
type joined struct{ reason, result error }

func (j joined) Error() string   { return j.reason.Error() }
func (j joined) Unwrap() []error { return []error{j.reason, j.result} }

// keyColumns reads the columns off a detail such as "Key (a, b)=(1, 2) already exists.". Only what is in front of the
// values is read, and only if it looks like names: an expression is no column.
func keyColumns(detail string) []string {
	before, _, ok := strings.Cut(detail, ")=(")
	_, names, ok2 := strings.Cut(before, "(")
	if !ok || !ok2 || names == "" || strings.ContainsAny(names, "()") {
		return nil
	}
	columns := strings.Split(names, ", ")
	for i, name := range columns {
		if quoted, ok := strings.CutPrefix(name, `"`); ok {
			name = strings.ReplaceAll(strings.TrimSuffix(quoted, `"`), `""`, `"`)
		}
		columns[i] = name
	}
	return columns
}

// staleRow reads the row off the error of a guard. What a caller could have written is not taken for one.
func staleRow(e *pgconn.PgError, s *driver.Statement) (row int, ok bool) {
	if !s.Checked || e.Code != codeInvalidText {
		return 0, false
	}
	_, rest, ok := strings.Cut(e.Message, staleToken)
	digits, _, ok2 := strings.Cut(rest, `"`)
	n, err := strconv.Atoi(digits)
	if !ok || !ok2 || err != nil || n < 1 || n > s.Rows() {
		return 0, false
	}
	for _, v := range s.Args {
		if k := v.Kind(); k == value.Text || k == value.JSON || k == value.Decimal {
			if strings.Contains(v.Str(), staleToken[1:]) {
				return 0, false
			}
		}
	}
	return n - 1, true
}

// statementError returns the error of statement i.
func (c *conn) statementError(ctx context.Context, s *driver.Script, i int, err error) *driver.ScriptError {
	out := &driver.ScriptError{Statement: i, Row: -1}
	e := c.translate(ctx, err)
	var pgErr *pgconn.PgError
	if i >= 0 && errors.As(err, &pgErr) {
		if row, ok := staleRow(pgErr, &s.Statements[i]); ok {
			e.Kind, out.Row = fault.Stale, row
		}
	}
	out.Err = e
	return out
}
