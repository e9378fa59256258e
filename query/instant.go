package query

import (
	"reflect"
	"time"
	"unsafe"

	"github.com/urutu-go/urutu/value"
)

// kept returns an instant as a column has it that keeps whole microseconds or, where it is one of days, their midnights in
// UTC.
func kept(at time.Time, day bool) stored {
	unit := time.Microsecond
	if day {
		unit = 24 * time.Hour
	}
	down := at.Truncate(unit)
	return stored{value.OfTime(down), !down.Equal(at)}
}

// instantOf returns the instant that was read as v from a variable of type t, with what v does not hold of it.
func instantOf(v value.Value, t reflect.Type, p unsafe.Pointer) time.Time {
	for ; t.Kind() == reflect.Pointer; t = t.Elem() {
		p = *(*unsafe.Pointer)(p)
	}
	if t.Kind() == reflect.Struct && t.ConvertibleTo(timeType) {
		return *(*time.Time)(p)
	}
	return v.Time()
}

var timeType = reflect.TypeFor[time.Time]()

// side says where an instant is that others are compared with: 0 among those that columns hold, -1 before all of them, 1
// behind all, which is where the last day there is ends, or that of another zone.
func side(at time.Time) int {
	switch year := at.UTC().Year(); {
	case year < 0:
		return -1
	case year > 9999:
		return 1
	default:
		return 0
	}
}

// instantWrong returns what is wrong with an instant, "" where nothing is.
func instantWrong(at time.Time) string {
	if side(at) != 0 {
		return "is outside of the years 0 to 9999"
	}
	return ""
}

// since asks for instants that are not before at. No column is compared with what it cannot hold.
func since(at time.Time, asks func(op operator, vs ...value.Value) Predicate) Predicate {
	switch side(at) {
	case -1:
		return asks(opNotNull)
	case 1:
		return Or()
	default:
		return asks(opGe, value.OfTime(at))
	}
}

// until asks for instants before at.
func until(at time.Time, asks func(op operator, vs ...value.Value) Predicate) Predicate {
	switch side(at) {
	case -1:
		return Or()
	case 1:
		return asks(opNotNull)
	default:
		return asks(opLt, value.OfTime(at))
	}
}
