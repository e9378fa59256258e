package sqlitedriver

import (
	sqldriver "database/sql/driver"
	"errors"
	"time"

	"github.com/urutu-go/urutu/value"
)

// timeLayout is how times are stored: UTC and of one width, so that the order of the text is the order of time.
const timeLayout = "2006-01-02 15:04:05.000000+00:00"

// The instants whose year has four digits, in microseconds.
const (
	minMicros = -62167219200000000 // 0000-01-01 00:00:00
	maxMicros = 253402300799999999 // 9999-12-31 23:59:59.999999
)

// readLayouts are the other forms of times in text that are understood: those of SQLite's own functions, and RFC 3339.
// Fractions of a second are read where a layout has none. Without a zone it is UTC.
var readLayouts = [...]string{
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05",
	"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02",
}

// encodeTime returns the text for an instant.
func encodeTime(us int64) (sqldriver.Value, error) {
	if us < minMicros || us > maxMicros {
		return nil, errors.New("a time outside the years 0 to 9999")
	}
	t := time.UnixMicro(us).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b := []byte("0000-00-00 00:00:00.000000+00:00")
	digits(b[0:4], year)
	digits(b[5:7], int(month))
	digits(b[8:10], day)
	digits(b[11:13], hour)
	digits(b[14:16], minute)
	digits(b[17:19], second)
	digits(b[20:26], t.Nanosecond()/1000)
	return string(b), nil
}

// digits writes n with leading zeros.
func digits(b []byte, n int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

// parseTime reads an instant, in microseconds.
func parseTime(s string) (us int64, ok bool) {
	if t, err := time.Parse(timeLayout, s); err == nil {
		return t.UnixMicro(), true
	}
	for _, layout := range readLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixMicro(), true
		}
	}
	return 0, false
}

// decodeTimeAsText undoes what the SQLite package did to text in a column that is mapped to text.
func decodeTimeAsText(t time.Time) value.Value {
	if s, err := encodeTime(t.UnixMicro()); err == nil {
		return value.OfText(s.(string))
	}
	return value.OfText(t.Format(time.RFC3339Nano))
}
