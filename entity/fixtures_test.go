package entity_test

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
)

// cents is a decimal as the usual packages make them: Value gives a string.
type cents struct{ n int64 }

func (c cents) Value() (driver.Value, error) { return fmt.Sprintf("%d.%02d", c.n/100, c.n%100), nil }

func (c *cents) Scan(src any) error {
	n, err := strconv.ParseInt(strings.Replace(fmt.Sprint(src), ".", "", 1), 10, 64)
	c.n = n
	return err
}

// level is a number that JSON shows by its name.
type level int

func (l level) MarshalText() ([]byte, error) { return []byte([]string{"low", "high"}[l]), nil }

func (l *level) UnmarshalText(b []byte) error {
	switch string(b) {
	case "low":
		*l = 0
	case "high":
		*l = 1
	default:
		return errors.New("no such level")
	}
	return nil
}

type status string

type address struct {
	Street string
	Zip    string `db:"zip"`
}

type line struct {
	entity.Serial
	OrderID  uuid.UUID `db:",ref=orders"`
	Quantity int32
	Discount string `db:"discount,default=0" json:"discount"`
}

type order struct {
	entity.Identifiable
	entity.Dated
	entity.Versioned
	entity.SoftDeleted
	Tenant  string `db:",readonly"`
	Status  status
	Level   level
	Total   cents `db:",type=numeric(12,2)"`
	Weight  uint16
	Note    *string
	PaidAt  sql.Null[time.Time]
	Host    netip.Addr
	Big     *big.Int `db:",type=numeric"`
	Tags    []string
	Meta    map[string]any
	Raw     json.RawMessage
	Ship    address `db:",prefix=ship_"`
	Bill    address
	Alt     *address
	Search  string  `db:",generated=lower(note)"`
	Lines   []*line `db:"-"`
	Parent  *order  `db:"-"`
	private int
}

func someOrder() *order {
	o := entity.New[order]()
	paid := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	note := "fragile"
	o.CreatedAt, o.UpdatedAt, o.Version = paid, paid, 1
	o.Tenant, o.Status, o.Level, o.Total, o.Weight, o.Note = "acme", "open", 1, cents{1250}, 7, &note
	o.PaidAt = sql.Null[time.Time]{V: paid, Valid: true}
	o.Host, o.Big = netip.MustParseAddr("10.0.0.1"), big.NewInt(99)
	o.Tags, o.Meta, o.Raw = []string{"a", "b"}, map[string]any{"k": "v"}, json.RawMessage(`{"x":1}`)
	o.Ship, o.Bill = address{"Quay 1", "20457"}, address{"Hill 2", "60311"}
	o.Lines = []*line{{Serial: entity.Serial{ID: 1}, Quantity: 2, Discount: "0"}}
	o.private = 1
	return o
}
