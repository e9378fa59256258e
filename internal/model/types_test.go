package model

import (
	"bytes"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/big"
	"sort"
	"strconv"
	"strings"
	"time"
)

// The types that users bring along.
type (
	stringEnum string
	intEnum    int32
	stamp      time.Time
	digest     [20]byte
	ident      [16]byte
	tags       []string
	labels     map[string]int
	address    struct {
		Street string `json:"street"`
		Zip    int    `json:"zip,omitempty"`
	}
)

// level is a number with a text form.
type level int

func (l level) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "level-%d", int(l)), nil }

func (l *level) UnmarshalText(b []byte) (err error) {
	*(*int)(l), err = strconv.Atoi(strings.TrimPrefix(string(b), "level-"))
	return err
}

// money is a decimal as the usual packages make them: Value gives a string, and Equal compares numbers.
type money struct{ r *big.Rat }

func (m money) rat() *big.Rat {
	if m.r == nil {
		return new(big.Rat)
	}
	return m.r
}

func (m money) Value() (driver.Value, error) { return m.rat().FloatString(2), nil }

func (m *money) Scan(src any) error {
	s, ok := src.(string)
	if !ok {
		return fmt.Errorf("cannot scan a %T", src)
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return errors.New("no number")
	}
	m.r = r
	return nil
}

func (m money) Equal(other money) bool { return m.rat().Cmp(other.rat()) == 0 }

// optional is a nullable type of its own make, with pointer receivers.
type optional struct {
	S     string
	Valid bool
}

func (o *optional) Value() (driver.Value, error) {
	if !o.Valid {
		return nil, nil
	}
	return o.S, nil
}

func (o *optional) Scan(src any) error {
	*o = optional{}
	if src == nil {
		return nil
	}
	o.S, o.Valid = src.(string)
	return nil
}

// shuffled is a set that is stored in another order each time.
type shuffled struct {
	items []string
	flip  *bool
}

func (s shuffled) Value() (driver.Value, error) {
	list := append([]string(nil), s.items...)
	sort.Strings(list)
	if s.flip != nil {
		if *s.flip = !*s.flip; *s.flip {
			sort.Sort(sort.Reverse(sort.StringSlice(list)))
		}
	}
	return strings.Join(list, ","), nil
}

func (s *shuffled) Scan(src any) error {
	s.items = strings.Split(src.(string), ",")
	return nil
}

func (s shuffled) Equal(o shuffled) bool {
	a, b := append([]string(nil), s.items...), append([]string(nil), o.items...)
	sort.Strings(a)
	sort.Strings(b)
	return strings.Join(a, ",") == strings.Join(b, ",")
}

// folded is text whose case does not matter.
type folded string

func (f folded) Equal(o folded) bool { return strings.EqualFold(string(f), string(o)) }

// blob is a slice of bytes with a JSON form.
type blob []byte

func (b blob) MarshalJSON() ([]byte, error) { return bytes.Clone(b), nil }

func (b *blob) UnmarshalJSON(p []byte) error { *b = bytes.Clone(p); return nil }

type (
	onlyValuer  struct{ X int }
	onlyScanner struct{ X int }
	riddle      struct{}
)

func (onlyValuer) Value() (driver.Value, error) { return int64(1), nil }
func (*onlyScanner) Scan(any) error             { return nil }
func (riddle) Value() (driver.Value, error)     { return nil, nil }
func (*riddle) Scan(any) error                  { return nil }
