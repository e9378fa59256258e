package query

import (
	"strings"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/value"
)

// encode reads the operand at p as a value of the field.
func (r *renderer) encode(f ref, p unsafe.Pointer) (value.Value, error) {
	v, err := f.Encode(p)
	if err != nil {
		return v, &fault.Error{
			Kind: fault.BadRequest, Op: "query", Entity: r.m.Name, Columns: []string{f.Column},
			Fields: []fault.Field{{Name: f.Name, Message: err.Error()}}, Err: err,
		}
	}
	return v, nil
}

var comparisons = [...]string{
	opEq: " = ", opLt: " < ", opLe: " <= ", opGt: " > ", opGe: " >= ", opNe: " <> ",
}

func (r *renderer) predicate(p *Predicate) error {
	switch p.op {
	case opTrue:
		r.write("1 = 1")
		return nil
	case opAnd, opOr:
		return r.junction(p)
	case opNot:
		r.write("NOT (")
		defer r.write(")")
		return r.predicate(&p.kids()[0])
	case opNode:
		return p.n.render(r)
	}
	f, err := r.field(p.col)
	if err != nil {
		return err
	}
	switch p.op {
	case opIsNull:
		r.column(f)
		r.write(" IS NULL")
	case opNotNull:
		r.column(f)
		r.write(" IS NOT NULL")
	case opIn, opNotIn:
		return r.membership(p, f)
	case opContains, opPrefix, opSuffix, opEqFold, opContainsFold, opPrefixFold, opSuffixFold:
		return r.match(p, f)
	default:
		return r.comparison(p, f)
	}
	return nil
}

// junction renders AND and OR in parentheses of their own, so that no neighbor can tear them apart.
func (r *renderer) junction(p *Predicate) error {
	kids := p.kids()
	if len(kids) == 0 {
		if p.op == opAnd {
			r.write("1 = 1")
		} else {
			r.write("1 = 0")
		}
		return nil
	}
	sep := " AND "
	if p.op == opOr {
		sep = " OR "
	}
	r.write("(")
	for i := range kids {
		if i > 0 {
			r.write(sep)
		}
		if err := r.predicate(&kids[i]); err != nil {
			return err
		}
	}
	r.write(")")
	return nil
}

func (r *renderer) comparison(p *Predicate, f ref) error {
	v, err := r.encode(f, p.args.first)
	if err == nil {
		r.compare(p.op, f, v)
	}
	return err
}

// compare renders the comparison of a column with a value, NULL as Go has it.
func (r *renderer) compare(op operator, f ref, v value.Value) {
	switch {
	case v.IsNull() && op == opEq:
		r.column(f)
		r.write(" IS NULL")
	case v.IsNull() && op == opNe:
		r.column(f)
		r.write(" IS NOT NULL")
	case op == opNe && f.nullable():
		r.write("(")
		r.column(f)
		r.write(" <> ")
		r.operand(f, v)
		r.write(" OR ")
		r.column(f)
		r.write(" IS NULL)")
	default:
		r.column(f)
		r.write(comparisons[op])
		r.operand(f, v)
	}
}

// paramType returns the type that a parameter for the field is declared as. A column of a type of the user's own (an
// enum, citext, date) takes it as that type, which the database finds out; declaring text would make it text.
func (r *renderer) paramType(f ref) value.Type {
	if isNative(f.Field) && r.d.ColumnType(f.Type, f.Native) == f.Native {
		return value.TypeUnknown
	}
	return f.Type
}

// membership renders IN and NOT IN, with NULL among the operands and in the rows as Go would compare them.
func (r *renderer) membership(p *Predicate, f ref) error {
	vs := make([]value.Value, 0, p.args.n)
	hasNull := false
	for i := range p.args.n {
		v, err := r.encode(f, p.args.at(i, p.col.typ))
		if err != nil {
			return err
		}
		if v.IsNull() {
			hasNull = true
			continue
		}
		vs = append(vs, v)
	}
	r.member(p.op, f, vs, hasNull)
	return nil
}

// member renders that a column is one of some values, and perhaps NULL, or that it is none of them.
func (r *renderer) member(op operator, f ref, vs []value.Value, hasNull bool) {
	if op == opIn {
		r.write("(")
		r.in(f, vs)
		if hasNull {
			r.write(" OR ")
			r.column(f)
			r.write(" IS NULL")
		}
		r.write(")")
		return
	}
	r.write("(NOT ")
	r.in(f, vs)
	if f.nullable() {
		if hasNull {
			r.write(" AND ")
		} else {
			r.write(" OR ")
		}
		r.column(f)
		if hasNull {
			r.write(" IS NOT NULL")
		} else {
			r.write(" IS NULL")
		}
	}
	r.write(")")
}

// in renders "column IN (vs)" the dialect's way.
func (r *renderer) in(f ref, vs []value.Value) {
	first := len(r.args)
	r.inOf(func() { r.column(f) }, vs, r.paramType(f))
	r.hideFrom(f, first)
}

// inOf renders that an expression is one of some values.
func (r *renderer) inOf(left func(), vs []value.Value, t value.Type) {
	used := r.d.In(&r.b, func(*strings.Builder) { left() }, len(r.args)+1, len(vs), t)
	if used == 1 && (len(vs) > 1 || r.d.Features().Arrays) {
		r.list(vs, t)
		return
	}
	for _, v := range vs[:used] {
		r.types = append(r.types, t)
		r.args = append(r.args, v)
	}
}

// list appends a parameter that is a list of values.
func (r *renderer) list(vs []value.Value, t value.Type) {
	if r.lists == nil {
		r.lists = make([][]value.Value, 0, cap(r.args))
	}
	for len(r.lists) < len(r.args) {
		r.lists = append(r.lists, nil)
	}
	r.lists = append(r.lists, vs)
	r.types = append(r.types, t)
	r.args = append(r.args, value.Value{})
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// match renders the text matches. A driver makes LIKE heed the case where its database would not.
func (r *renderer) match(p *Predicate, f ref) error {
	if f.Type != value.TypeText {
		return &fault.Error{
			Kind: fault.Misconfigured, Op: "query", Entity: r.m.Name, Columns: []string{f.Column},
			Message: "a text match on " + f.Name + ", which is no text",
		}
	}
	r.matchText(p.op, f, p.text())
	return nil
}

// matchText renders the match of a text column.
func (r *renderer) matchText(op operator, f ref, text string) {
	r.textOf(op, func() { r.asText(op, f) }, text)
	r.hide(f)
}

// asText renders a column as the text that a match is of. A type of the user's own may have no LIKE, as an enum, or one of
// its own: that of citext does not heed the case. Folding makes a text of it by itself.
func (r *renderer) asText(op operator, f ref) {
	if folds(op) || r.paramType(f) == value.TypeText {
		r.column(f)
		return
	}
	r.write("CAST(")
	r.column(f)
	r.write(" AS ", r.d.ColumnType(value.TypeText, ""), ")")
}

// folds reports whether a text match ignores the case.
func folds(op operator) bool { return op >= opEqFold && op <= opSuffixFold }

// textOf renders the match of an expression that is a text.
func (r *renderer) textOf(op operator, left func(), text string) {
	side := func(render func()) {
		if folds(op) {
			r.d.Fold(&r.b, func(*strings.Builder) { render() })
		} else {
			render()
		}
	}
	side(left)
	if op == opEqFold {
		r.write(" = ")
		side(func() { r.param(value.TypeText, value.OfText(text)) })
		return
	}
	r.write(" LIKE ")
	side(func() { r.param(value.TypeText, value.OfText(pattern(op, text))) })
	r.write(` ESCAPE '\'`)
}

// pattern returns the LIKE pattern of a text match.
func pattern(op operator, text string) string {
	text = likeEscaper.Replace(text)
	switch op {
	case opContains, opContainsFold:
		return "%" + text + "%"
	case opPrefix, opPrefixFold:
		return text + "%"
	default:
		return "%" + text
	}
}
