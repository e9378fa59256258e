package query

import (
	"reflect"

	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// Rows is the number of rows of a group, or of the whole query where it has no groups.
func Rows() Expr[int64] { return Expr[int64]{&call{name: "count", group: true}} }

// CountOf is the number of rows of a group in which the expression is not NULL.
func CountOf[V any](e Expr[V]) Expr[int64] {
	return Expr[int64]{&call{name: "count", args: []node{e.node()}, group: true}}
}

// CountDistinct is the number of different values of the expression in a group. NULL is none.
func CountDistinct[V any](e Expr[V]) Expr[int64] {
	return Expr[int64]{&call{name: "count", mode: "DISTINCT ", args: []node{e.node()}, group: true}}
}

// Sum is the sum of the expression over a group; NULLs do not count, and that of nothing is zero. A sum that V cannot
// hold is an error of the database or of whoever reads it, and never a wrong number.
func Sum[V Number](e Expr[V]) Expr[V] {
	t := typeOf[V]()
	sum := &call{name: "sum", args: []node{e.node()}, group: true}
	return Expr[V]{&call{name: "coalesce", args: []node{sum, number(0)}, cast: t}}
}

// Avg is the average of the expression over a group, NULL where it has no value in it: read it by [PutNull], or give it
// one by [Coalesce].
func Avg[V Number](e Expr[V]) Expr[float64] {
	return Expr[float64]{&call{name: "avg", args: []node{e.node()}, group: true, cast: value.TypeFloat64}}
}

// Min is the least value of the expression in a group, NULL where it has none.
func Min[V any](e Expr[V]) Expr[V] {
	return Expr[V]{&call{name: "min", args: []node{e.node()}, group: true}}
}

// Max is the greatest value of the expression in a group, NULL where it has none.
func Max[V any](e Expr[V]) Expr[V] {
	return Expr[V]{&call{name: "max", args: []node{e.node()}, group: true}}
}

// typeOf returns what variables of type V are stored as.
func typeOf[V any]() value.Type {
	c, err := model.CodecOf(reflect.TypeFor[V]())
	if err != nil {
		return value.TypeUnknown
	}
	return c.Type
}

// number is a constant that the text of a statement holds.
type number byte

func (n number) render(r *renderer) error {
	r.b.WriteByte('0' + byte(n))
	return nil
}

func (number) several() bool    { return false }
func (number) aggregates() bool { return false }
