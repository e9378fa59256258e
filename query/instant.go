package query

import (
	"time"

	"github.com/urutu-go/urutu/value"
)

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
