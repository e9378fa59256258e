package sqlitedriver

import (
	"context"
	"errors"

	"github.com/urutu-go/urutu/fault"
)

// SQLReady implements driver.SQLGuard. Rows that are open do not disturb SQLite.
func (c *conn) SQLReady() error {
	if !c.tx.open || !c.lent {
		return nil
	}
	var lost error
	err := c.sql.Raw(func(physical any) error {
		raw, err := c.attach(physical)
		if err == nil {
			c.tx.check(raw, errEndedByHand)
			lost = c.tx.lost
		}
		return err
	})
	switch {
	case err != nil:
		return translate(opRun, err)
	case lost != nil:
		return fault.Wrap(fault.SessionFailed, opRun, lost)
	}
	return nil
}

var errEndedByHand = errors.New("the transaction was ended by other means")

// SQLError implements driver.SQLGuard.
func (c *conn) SQLError(ctx context.Context, err error) error {
	switch ended := ctx.Err(); {
	case ended != nil && isInterrupt(err):
		return fault.Wrap(fault.KindOf(ended), opRun, errors.Join(ended, err))
	case codeOf(err) != 0 || foreignKind(err) != fault.Internal:
		return translate(opRun, err)
	}
	return err
}
