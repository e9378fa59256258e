package pgxdriver

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/urutu-go/urutu/session/driver"
)

// SQLReady implements driver.SQLGuard. Running a statement while rows are open would be worse than an error: pgx answers
// that the connection is bad, and database/sql closes it, for which it waits until the rows are closed.
func (c *conn) SQLReady() error {
	var out error
	err := c.sc.Raw(func(dc any) error {
		pc, err := native(dc)
		if err == nil {
			out = c.check(pc, &driver.Script{})
		}
		return err
	})
	switch {
	case err != nil:
		return translate(context.Background(), opRun, c.pool.name, err)
	case out != nil:
		return errors.Unwrap(out) // it is the script's error that there is no script
	}
	return nil
}

// SQLError implements driver.SQLGuard.
func (c *conn) SQLError(ctx context.Context, err error) error {
	var pgErr *pgconn.PgError
	lost := errors.Is(err, sqldriver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)
	if !errors.As(err, &pgErr) && !lost && ctx.Err() == nil {
		return err
	}
	return c.translate(ctx, err)
}
