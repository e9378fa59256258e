package sqlitedriver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
)

// strange is a connector of another product.
type strange struct{}

func (strange) Connect(context.Context) (sqldriver.Conn, error) { return nil, errors.New("no") }
func (strange) Driver() sqldriver.Driver                        { return strange{} }
func (strange) Open(string) (sqldriver.Conn, error)             { return nil, errors.New("no") }
