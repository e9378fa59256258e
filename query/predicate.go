package query

import (
	"reflect"
	"slices"
	"unsafe"
)

// Predicate is a condition on the rows of an entity's table. It is an immutable value: combining predicates makes new
// ones, and the same predicate may be used in any number of queries at once. The zero Predicate holds for every row.
type Predicate struct {
	op   operator
	wide bool // refers to more tables than one
	col  column
	args operands // of the column's type; the text of a text match; the predicates that are joined
	n    node     // renders itself
}

// operands are values of one type, one behind the other.
type operands struct {
	first unsafe.Pointer
	n     int
}

// kids are the predicates that AND, OR and NOT are made of.
func (p *Predicate) kids() []Predicate { return unsafe.Slice((*Predicate)(p.args.first), p.args.n) }

// text is the operand of a text match.
func (p *Predicate) text() string { return *(*string)(p.args.first) }

// at is the address of an operand of type t.
func (o operands) at(i int, t reflect.Type) unsafe.Pointer {
	return unsafe.Add(o.first, uintptr(i)*t.Size())
}

type operator uint8

const (
	opTrue operator = iota
	opEq
	opNe
	opLt
	opLe
	opGt
	opGe
	opIn
	opNotIn
	opIsNull
	opNotNull
	opContains
	opPrefix
	opSuffix
	opEqFold
	opContainsFold
	opPrefixFold
	opSuffixFold
	opInFold
	opAnd
	opOr
	opNot
	opNode
)

// column is a column as its caller named it: by the address of the prototype's field, and its type.
type column struct {
	addr unsafe.Pointer
	typ  reflect.Type
}

func columnOf[V any](col *V) column {
	return column{addr: unsafe.Pointer(col), typ: reflect.TypeFor[V]()}
}

// operandsOf is a copy of vs.
func operandsOf[V any](vs []V) operands {
	return operands{unsafe.Pointer(unsafe.SliceData(slices.Clone(vs))), len(vs)}
}

// operandOf is a single one, which nobody changes any more.
func operandOf[V any](v *V) operands { return operands{unsafe.Pointer(v), 1} }

func compare[V any](op operator, col *V, v V) Predicate {
	return Predicate{op: op, col: columnOf(col), args: operandOf(&v)}
}

// Eq holds where the column equals v. A v that is stored as NULL (a nil pointer) finds the rows that are NULL.
func Eq[V any](col *V, v V) Predicate { return compare(opEq, col, v) }

// Ne holds where the column differs from v, as Go has it: a row that is NULL differs from every value.
func Ne[V any](col *V, v V) Predicate { return compare(opNe, col, v) }

// Lt holds where the column is less than v. NULL is not less than anything.
func Lt[V any](col *V, v V) Predicate { return compare(opLt, col, v) }

// Le holds where the column is at most v.
func Le[V any](col *V, v V) Predicate { return compare(opLe, col, v) }

// Gt holds where the column is greater than v.
func Gt[V any](col *V, v V) Predicate { return compare(opGt, col, v) }

// Ge holds where the column is at least v.
func Ge[V any](col *V, v V) Predicate { return compare(opGe, col, v) }

// In holds where the column equals one of vs. With none it holds for no row.
func In[V any](col *V, vs ...V) Predicate {
	return Predicate{op: opIn, col: columnOf(col), args: operandsOf(vs)}
}

// NotIn holds where the column equals none of vs; a row that is NULL equals none. With none it holds for every row.
func NotIn[V any](col *V, vs ...V) Predicate {
	return Predicate{op: opNotIn, col: columnOf(col), args: operandsOf(vs)}
}

// IsNull holds where the column is NULL.
func IsNull[V any](col *V) Predicate { return Predicate{op: opIsNull, col: columnOf(col)} }

// NotNull holds where the column is not NULL.
func NotNull[V any](col *V) Predicate { return Predicate{op: opNotNull, col: columnOf(col)} }

// Contains holds where a text column contains part. Case and accents matter; nothing in part is a wildcard.
func Contains[V any](col *V, part string) Predicate { return match(opContains, col, part) }

// HasPrefix holds where a text column begins with prefix. Case and accents matter.
func HasPrefix[V any](col *V, prefix string) Predicate { return match(opPrefix, col, prefix) }

// HasSuffix holds where a text column ends with suffix. Case and accents matter.
func HasSuffix[V any](col *V, suffix string) Predicate { return match(opSuffix, col, suffix) }

// EqFold holds where a text column equals v when the case of both is ignored.
func EqFold[V any](col *V, v string) Predicate { return match(opEqFold, col, v) }

// ContainsFold holds where a text column contains part when the case of both is ignored. Nothing in part is a wildcard.
func ContainsFold[V any](col *V, part string) Predicate { return match(opContainsFold, col, part) }

// HasPrefixFold holds where a text column begins with prefix when the case of both is ignored.
func HasPrefixFold[V any](col *V, prefix string) Predicate { return match(opPrefixFold, col, prefix) }

// HasSuffixFold holds where a text column ends with suffix when the case of both is ignored.
func HasSuffixFold[V any](col *V, suffix string) Predicate { return match(opSuffixFold, col, suffix) }

func match[V any](op operator, col *V, text string) Predicate {
	return Predicate{op: op, col: columnOf(col), args: operandOf(&text)}
}

// And holds where all of ps do. With none it holds for every row.
func And(ps ...Predicate) Predicate {
	return Predicate{op: opAnd, args: operandsOf(ps), wide: anyWide(ps)}
}

// Or holds where one of ps does. With none it holds for no row.
func Or(ps ...Predicate) Predicate {
	return Predicate{op: opOr, args: operandsOf(ps), wide: anyWide(ps)}
}

// Not holds where p does not. A comparison with NULL is neither, so that Not finds no more rows there than p did.
func Not(p Predicate) Predicate { return Predicate{op: opNot, args: operandOf(&p), wide: p.wide} }

// anyWide reports whether one of ps refers to more tables than one.
func anyWide(ps []Predicate) bool {
	for i := range ps {
		if ps[i].wide {
			return true
		}
	}
	return false
}

// constant reports whether the predicate holds for every row, or for none, whatever is in it: what is built of empty
// lists.
func (p Predicate) constant() (every, none bool) {
	switch p.op {
	case opTrue:
		return true, false
	case opIn:
		return false, p.args.n == 0
	case opNotIn:
		return p.args.n == 0, false
	case opNot:
		every, none = p.kids()[0].constant()
		return none, every
	case opAnd, opOr:
		return p.junction()
	default:
		return false, false
	}
}

// junction is constant for AND, which holds for every row unless one of its kids does not, and for OR, which is the same
// the other way round.
func (p Predicate) junction() (every, none bool) {
	every, none = p.op == opAnd, p.op == opOr
	for _, kid := range p.kids() {
		always, never := kid.constant()
		if p.op == opAnd {
			every, none = every && always, none || never
		} else {
			every, none = every || always, none && never
		}
	}
	return every, none
}
