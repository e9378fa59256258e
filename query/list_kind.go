package query

import (
	"errors"

	"github.com/urutu-go/urutu/value"
)

// kind is the type of a field as the grid has it, and so says which operators there are for it.
type kind uint8

const (
	noKind kind = iota
	textKind
	numberKind
	dateKind
	datetimeKind
	boolKind
	selectKind
	uuidKind
)

// gridOperators are the operators of each kind, by the grid's names.
var gridOperators = map[kind]map[string]test{
	textKind: {
		"contains": containsText, "doesNotContain": lacksText, "equals": equalsText, "doesNotEqual": differsText,
		"startsWith": startsText, "endsWith": endsText, "isEmpty": isEmpty, "isNotEmpty": isNotEmpty, "isAnyOf": anyText,
	},
	numberKind: {
		"=": equals, "!=": differs, ">": greater, ">=": atLeast, "<": less, "<=": atMost,
		"isEmpty": isEmpty, "isNotEmpty": isNotEmpty, "isAnyOf": anyOf,
	},
	dateKind:     timeOperators,
	datetimeKind: timeOperators,
	boolKind:     {"is": equals},
	selectKind:   {"is": equals, "not": differs, "isAnyOf": anyOf},
	uuidKind: {
		"equals": equals, "doesNotEqual": differs, "isEmpty": isEmpty, "isNotEmpty": isNotEmpty, "isAnyOf": anyOf,
	},
}

var timeOperators = map[string]test{
	"is": equals, "not": differs, "after": greater, "onOrAfter": atLeast, "before": less, "onOrBefore": atMost,
	"isEmpty": isEmpty, "isNotEmpty": isNotEmpty,
}

// test is what an operator asks.
type test uint8

const (
	equals test = iota
	differs
	greater
	atLeast
	less
	atMost
	anyOf
	isEmpty
	isNotEmpty
	equalsText // the texts in any case
	differsText
	containsText
	lacksText
	startsText
	endsText
	anyText
)

// kindOf says of which kind the field is, or why it is none.
func (f *listed) kindOf() (kind, error) {
	own := noKind
	switch t := f.codec.Type; {
	case t == value.TypeText:
		own = textKind
	case t >= value.TypeInt16 && t <= value.TypeFloat64, t == value.TypeDecimal:
		own = numberKind
	case t == value.TypeTime && f.isDay():
		own = dateKind
	case t == value.TypeTime:
		own = datetimeKind
	case t == value.TypeBool:
		own = boolKind
	case t == value.TypeUUID:
		own = uuidKind
	}
	switch {
	case own == noKind:
		return own, errors.New("is stored as " + f.codec.Type.String() + ", by which nothing can be filtered or sorted")
	case f.as == dateKind && own != datetimeKind && own != dateKind:
		return own, errors.New("AsDate is for times, and not for what is stored as " + f.codec.Type.String())
	case f.searched && own != textKind && own != numberKind && own != uuidKind:
		return own, errors.New("what is stored as " + f.codec.Type.String() + " cannot be searched")
	case f.as != noKind:
		return f.as, nil
	default:
		return own, nil
	}
}

// named reports whether the field is a column of a type of the user's own, which may not compare with every text: an enum.
func (f *listed) named() bool { return f.column != nil && f.column.Native != "" }

// isDay reports whether the field is stored as a day, which has no zone.
func (f *listed) isDay() bool { return f.column != nil && f.column.IsDay() }
