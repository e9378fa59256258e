package query

import (
	"reflect"
	"strings"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
)

// Raw is a condition in SQL of the program's own, the one door through which text of its own gets into a query. Each ?
// stands for the next of args: an [Expr], whose SQL it becomes, or a value, which travels as a bound parameter; ?? is a
// question mark. What a user has sent belongs into args, and never into sql.
//
//	query.Raw("? % 2 = ?", query.Col(&orders.Number), 1)
//
// It is rendered in parentheses of its own, so that no OR in it reaches over them. The session cannot know which other
// tables it reads: see session.AlwaysAutoflush.
func Raw(sql string, args ...any) Predicate { return ofNode(&raw{sql: sql, args: args}) }

// RawExpr is Raw for a value of type V.
func RawExpr[V any](sql string, args ...any) Expr[V] { return Expr[V]{&raw{sql: sql, args: args}} }

// RawAggregate is RawExpr for what is computed of a group of rows.
func RawAggregate[V any](sql string, args ...any) Expr[V] {
	return Expr[V]{&raw{sql: sql, args: args, group: true}}
}

// expression is what an [Expr] of any type is.
type expression interface{ node() node }

type raw struct {
	sql   string
	args  []any
	group bool
}

func (q *raw) any(is func(node) bool) bool {
	for _, a := range q.args {
		if e, ok := a.(expression); ok && is(e.node()) {
			return true
		}
	}
	return false
}

func (q *raw) several() bool    { return q.any(node.several) }
func (q *raw) aggregates() bool { return q.group || q.any(node.aggregates) }

func (q *raw) render(r *renderer) error {
	r.write("(")
	args := q.args
	for text := q.sql; ; {
		before, after, found := strings.Cut(text, "?")
		r.write(before)
		if !found {
			break
		}
		if rest, escaped := strings.CutPrefix(after, "?"); escaped {
			r.write("?")
			text = rest
			continue
		}
		if len(args) == 0 {
			return r.misuse("query.Raw has more ? than arguments")
		}
		if err := r.rawArg(args[0]); err != nil {
			return err
		}
		text, args = after, args[1:]
	}
	if len(args) > 0 {
		return r.misuse("query.Raw has more arguments than ?")
	}
	r.write(")")
	return nil
}

func (r *renderer) rawArg(arg any) error {
	if e, ok := arg.(expression); ok {
		return e.node().render(r)
	}
	if arg == nil {
		r.write("NULL")
		return nil
	}
	v := reflect.New(reflect.TypeOf(arg))
	v.Elem().Set(reflect.ValueOf(arg))
	t, x, err := r.encodeAs(v.Type().Elem(), unsafe.Pointer(v.Pointer()))
	if err != nil {
		return err
	}
	r.typed(t, x)
	return nil
}

// misuse is an error of the program that builds a query.
func (r *renderer) misuse(message string) error {
	return &fault.Error{Kind: fault.Misconfigured, Op: "query", Entity: r.m.Name, Message: message}
}
