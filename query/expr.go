package query

import (
	"reflect"
	"strings"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// Expr is a value of type V that the database computes, for each row or for a group of rows: a column ([Col]), a sum, a
// count, SQL of the program's own ([RawExpr]). It is immutable and safe for concurrent use. Its methods compare and order
// by it, as the functions of the same names do for columns.
type Expr[V any] struct{ n node }

// node is a part of a statement that renders itself.
type node interface {
	render(r *renderer) error
	// several reports whether it refers to more than the query's own table, whose columns then need its name.
	several() bool
	// aggregates reports whether it is computed of a group of rows.
	aggregates() bool
}

// node returns what the expression renders; for the zero Expr, an error.
func (e Expr[V]) node() node {
	if e.n == nil {
		return nothing{}
	}
	return e.n
}

// nothing is the zero Expr.
type nothing struct{}

func (nothing) render(r *renderer) error {
	return r.misuse("the zero query.Expr; take one from query.Col")
}
func (nothing) several() bool    { return false }
func (nothing) aggregates() bool { return false }

// Col is a column as an expression.
func Col[V any](col *V) Expr[V] { return Expr[V]{columnOf(col)} }

func (c column) render(r *renderer) error {
	f, err := r.field(c)
	if err == nil {
		r.column(f)
	}
	return err
}

func (column) several() bool    { return false }
func (column) aggregates() bool { return false }

// Eq holds where the expression equals v; where v is stored as NULL, where the expression is NULL.
func (e Expr[V]) Eq(v V) Predicate { return e.compare(opEq, v) }

// Ne holds where the expression differs from v, NULL included.
func (e Expr[V]) Ne(v V) Predicate { return e.compare(opNe, v) }

// Lt holds where the expression is less than v.
func (e Expr[V]) Lt(v V) Predicate { return e.compare(opLt, v) }

// Le holds where the expression is at most v.
func (e Expr[V]) Le(v V) Predicate { return e.compare(opLe, v) }

// Gt holds where the expression is greater than v.
func (e Expr[V]) Gt(v V) Predicate { return e.compare(opGt, v) }

// Ge holds where the expression is at least v.
func (e Expr[V]) Ge(v V) Predicate { return e.compare(opGe, v) }

// IsNull holds where the expression is NULL.
func (e Expr[V]) IsNull() Predicate { return ofNode(&null{e.node(), " IS NULL"}) }

// NotNull holds where the expression is not NULL.
func (e Expr[V]) NotNull() Predicate { return ofNode(&null{e.node(), " IS NOT NULL"}) }

// EqTo holds where both expressions have the same value. NULL is the same as nothing.
func (e Expr[V]) EqTo(other Expr[V]) Predicate { return between(e.node(), " = ", other.node()) }

// NeTo holds where both expressions have a value, and not the same one.
func (e Expr[V]) NeTo(other Expr[V]) Predicate { return between(e.node(), " <> ", other.node()) }

// LtTo holds where the expression is less than the other one.
func (e Expr[V]) LtTo(other Expr[V]) Predicate { return between(e.node(), " < ", other.node()) }

// LeTo holds where the expression is at most the other one.
func (e Expr[V]) LeTo(other Expr[V]) Predicate { return between(e.node(), " <= ", other.node()) }

// Asc orders by the expression, smallest first and NULL last.
func (e Expr[V]) Asc() Sort { return Sort{n: e.node(), typ: reflect.TypeFor[V]()} }

// Desc orders by the expression, greatest first and NULL last.
func (e Expr[V]) Desc() Sort { return Sort{n: e.node(), typ: reflect.TypeFor[V](), desc: true} }

func (e Expr[V]) compare(op operator, v V) Predicate {
	if c, ok := e.n.(column); ok {
		return Predicate{op: op, col: c, args: operandOf(&v)}
	}
	return ofNode(&comparison{op: op, left: e.node(), typ: reflect.TypeFor[V](), arg: unsafe.Pointer(&v)})
}

// ofNode is a predicate that renders itself.
func ofNode(n node) Predicate { return Predicate{op: opNode, n: n, wide: n.several()} }

// null tests an expression for NULL.
type null struct {
	node
	test string
}

func (n *null) render(r *renderer) error {
	defer r.write(n.test)
	return n.node.render(r)
}

// pair is two expressions with something between them.
type pair struct {
	left  node
	sep   string
	right node
}

func between(left node, sep string, right node) Predicate { return ofNode(&pair{left, sep, right}) }

func (p *pair) render(r *renderer) error {
	r.write("(")
	defer r.write(")")
	if err := p.left.render(r); err != nil {
		return err
	}
	r.write(p.sep)
	return p.right.render(r)
}

func (p *pair) several() bool    { return p.left.several() || p.right.several() }
func (p *pair) aggregates() bool { return p.left.aggregates() || p.right.aggregates() }

// comparison compares an expression with a value.
type comparison struct {
	op   operator
	left node
	typ  reflect.Type
	arg  unsafe.Pointer
}

func (c *comparison) several() bool    { return c.left.several() }
func (c *comparison) aggregates() bool { return c.left.aggregates() }

func (c *comparison) render(r *renderer) error {
	t, v, err := r.encodeAs(c.typ, c.arg)
	if err != nil {
		return err
	}
	test, isNull := "", v.IsNull()
	switch {
	case isNull && c.op == opEq:
		test = " IS NULL"
	case isNull && c.op == opNe:
		test = " IS NOT NULL"
	}
	if c.op == opNe && !isNull {
		return r.differs(c.left, func() { r.param(t, v) })
	}
	if err := c.left.render(r); err != nil {
		return err
	}
	if test != "" {
		r.write(test)
		return nil
	}
	r.write(comparisons[c.op])
	r.param(t, v)
	return nil
}

// differs renders that an expression differs from an operand, or is NULL.
func (r *renderer) differs(left node, operand func()) error {
	r.write("(")
	defer r.write(" IS NULL)")
	if err := left.render(r); err != nil {
		return err
	}
	r.write(" <> ")
	operand()
	r.write(" OR ")
	return left.render(r)
}

// encodeAs reads the variable at p as a value of what its type is stored as.
func (r *renderer) encodeAs(t reflect.Type, p unsafe.Pointer) (value.Type, value.Value, error) {
	c, err := model.CodecOf(t)
	if err != nil {
		return 0, value.Value{}, &fault.Error{Kind: fault.Misconfigured, Op: "query", Entity: r.m.Name, Err: err}
	}
	v, err := c.Encode(p)
	if err != nil {
		return 0, value.Value{}, &fault.Error{Kind: fault.BadRequest, Op: "query", Entity: r.m.Name, Err: err}
	}
	return c.Type, v, nil
}

// operand is a value in an expression.
type operand struct {
	typ reflect.Type
	p   unsafe.Pointer
}

// Value is v as an expression.
func Value[V any](v V) Expr[V] { return Expr[V]{&operand{reflect.TypeFor[V](), unsafe.Pointer(&v)}} }

func (o *operand) several() bool    { return false }
func (o *operand) aggregates() bool { return false }

func (o *operand) render(r *renderer) error {
	t, v, err := r.encodeAs(o.typ, o.p)
	if err == nil {
		r.typed(t, v)
	}
	return err
}

// typed renders a parameter where nothing around it says of which type it is.
func (r *renderer) typed(t value.Type, v value.Value) {
	if !r.d.Features().Arrays || t == value.TypeUnknown {
		r.param(t, v)
		return
	}
	r.write("CAST(")
	r.param(t, v)
	r.write(" AS ", r.d.ColumnType(t, ""), ")")
}

// Plus is the sum of two expressions. NULL and anything is NULL.
func Plus[V Number](a, b Expr[V]) Expr[V] { return Expr[V]{&pair{a.node(), " + ", b.node()}} }

// Minus is the difference of two expressions.
func Minus[V Number](a, b Expr[V]) Expr[V] { return Expr[V]{&pair{a.node(), " - ", b.node()}} }

// Times is the product of two expressions.
func Times[V Number](a, b Expr[V]) Expr[V] { return Expr[V]{&pair{a.node(), " * ", b.node()}} }

// Coalesce is the expression, or v where it is NULL.
func Coalesce[V any](e Expr[V], v V) Expr[V] {
	return Expr[V]{&call{name: "coalesce", args: []node{e.node(), Value(v).n}}}
}

// Folded is a text with its case folded: texts that differ in case alone are the same.
func Folded(e Expr[string]) Expr[string] { return Expr[string]{&folded{e.node()}} }

type folded struct{ node }

func (f *folded) render(r *renderer) error { return r.fold(func() error { return f.node.render(r) }) }

// fold renders an expression with its case folded.
func (r *renderer) fold(expr func() error) (err error) {
	r.d.Fold(&r.b, func(*strings.Builder) { err = expr() })
	return err
}

// call is a function of expressions.
type call struct {
	name  string
	mode  string // DISTINCT
	args  []node // none for *
	group bool
	cast  value.Type // where the database's own result is of another type
}

func (c *call) several() bool {
	for _, a := range c.args {
		if a.several() {
			return true
		}
	}
	return false
}

func (c *call) aggregates() bool {
	for _, a := range c.args {
		if a.aggregates() {
			return true
		}
	}
	return c.group
}

func (c *call) render(r *renderer) error {
	if c.cast != value.TypeUnknown {
		r.write("CAST(")
		defer r.write(" AS ", r.d.ColumnType(c.cast, ""), ")")
	}
	r.write(c.name, "(", c.mode)
	defer r.write(")")
	if len(c.args) == 0 {
		r.write("*")
	}
	for i, a := range c.args {
		if i > 0 {
			r.write(", ")
		}
		if err := a.render(r); err != nil {
			return err
		}
	}
	return nil
}
