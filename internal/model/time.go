package model

import (
	"errors"
	"time"
	"unsafe"

	"github.com/urutu-go/urutu/value"
)

// The instants that every database of ours can store: the years 0 to 9999 in UTC.
var (
	firstSecond = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	lastSecond  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()
)

// ofTime returns the instant in whole microseconds.
func ofTime(t time.Time) (value.Value, error) {
	if s := t.Unix(); s < firstSecond || s > lastSecond {
		return value.Value{}, errors.New("is outside of the years 0 to 9999")
	}
	return value.OfTime(t), nil
}

// timeCodec stores an instant or, in a column of days, the day in UTC that it is on. A time comes back in UTC, whatever zone
// it was stored with.
func timeCodec(day bool) codec {
	c := codec{
		typ:    value.TypeTime,
		memory: Time,
		encode: func(p unsafe.Pointer) (value.Value, error) { return ofTime(*(*time.Time)(p)) },
		decode: func(p unsafe.Pointer, v value.Value) error {
			us, err := asMicros(v)
			if err == nil {
				*(*time.Time)(p) = time.UnixMicro(us).UTC()
			}
			return err
		},
	}
	if day {
		c.encode = func(p unsafe.Pointer) (value.Value, error) { return ofTime((*time.Time)(p).Truncate(24 * time.Hour)) }
	}
	return c
}

// timeLayouts are the forms in which a database or a tool beside us may have written a time as text. A fraction of the
// seconds is always understood, and what has no zone is UTC.
var timeLayouts = [...]string{
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02T15:04:05Z07:00",
	"2006-01-02 15:04:05Z07",
	"2006-01-02 15:04:05",
	"2006-01-02T15:04:05",
	"2006-01-02",
}

func parseMicros(s string) (int64, error) {
	for _, layout := range timeLayouts {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		v, err := ofTime(t)
		return v.Micros(), err
	}
	return 0, errors.New("the column holds a text that is not a time")
}
