package query

import (
	"strings"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// Select is a query over one entity, collected from clauses. It is what a session renders; applications have no use
// for it. It is not safe for concurrent use.
type Select struct {
	// Populate and NoTracking are the modes that a session follows.
	Populate, NoTracking bool

	m             *model.Model
	where         []Predicate
	order         []Sort
	limit, offset int
	lock          Lock
	withDeleted   bool
	with          []Relation
	related       []Related // what with resolves to
}

// Compile collects clauses into a query over m's table.
func Compile(m *model.Model, clauses ...Clause) *Select {
	q := &Select{m: m, limit: -1, offset: -1}
	for _, c := range clauses {
		if c != nil {
			c.apply(q)
		}
	}
	return q
}

// Locks reports whether the query locks rows.
func (q *Select) Locks() bool { return q.lock != 0 }

// Limit sets the greatest number of rows, unless the query has a smaller one.
func (q *Select) Limit(n int) {
	if q.limit < 0 || n < q.limit {
		q.limit = n
	}
}

// Page makes the query that of one page, in an order that the primary key makes complete.
func (q *Select) Page(p PageRequest) {
	q.limit, q.offset = p.PageSize, p.Offset()
	q.OrderByKey()
}

// OrderByKey orders the query by the primary key, behind the orders that it has.
func (q *Select) OrderByKey() {
	for _, f := range q.m.Key {
		q.order = append(q.order, Sort{key: f})
	}
}

// Text is a rendered statement.
type Text struct {
	SQL   string
	Types []value.Type
	Args  []value.Value
	Lists [][]value.Value // nil, or an entry for each parameter: see driver.Statement
	// Secret says which parameters are compared with secret columns and so must never be printed; nil for none.
	Secret []bool
}

// Rows renders "SELECT columns FROM table ..." with everything that the query says.
func (q *Select) Rows(d dialect.Dialect, columns string) (Text, error) {
	if _, err := q.Related(); err != nil {
		return Text{}, err
	}
	r := renderer{d: d, m: q.m}
	r.write("SELECT ", columns, " FROM ")
	d.Ident(&r.b, q.m.Table)
	if err := r.tail(q, true); err != nil {
		return Text{}, err
	}
	return r.text(), nil
}

// Count renders the number of rows that the query has without its limit and offset.
func (q *Select) Count(d dialect.Dialect) (Text, error) {
	r := renderer{d: d, m: q.m}
	r.write("SELECT count(*) FROM ")
	d.Ident(&r.b, q.m.Table)
	if err := r.where(q); err != nil {
		return Text{}, err
	}
	return r.text(), nil
}

// Exists renders whether the query has a row.
func (q *Select) Exists(d dialect.Dialect) (Text, error) {
	r := renderer{d: d, m: q.m}
	r.write("SELECT EXISTS (SELECT 1 FROM ")
	d.Ident(&r.b, q.m.Table)
	if err := r.where(q); err != nil {
		return Text{}, err
	}
	r.write(")")
	return r.text(), nil
}

// ByKey renders "SELECT columns FROM table WHERE key" for one key, or for several of a key with one column. The query's
// own predicates are ANDed, its order is not used.
func (q *Select) ByKey(d dialect.Dialect, columns string, keys []value.Value) (Text, error) {
	if _, err := q.Related(); err != nil {
		return Text{}, err
	}
	r := renderer{d: d, m: q.m}
	r.write("SELECT ", columns, " FROM ")
	d.Ident(&r.b, q.m.Table)
	r.write(" WHERE ")
	switch k := q.m.Key; {
	case len(keys) == len(k):
		for i, f := range k {
			if i > 0 {
				r.write(" AND ")
			}
			r.column(f)
			r.write(" = ")
			r.operand(f, keys[i])
		}
	case len(k) == 1:
		r.in(k[0], keys)
	default:
		return Text{}, &fault.Error{Kind: fault.Unsupported, Op: "query.ByKey", Entity: q.m.Name, Message: "a list of composite keys"}
	}
	if err := r.more(q, " AND "); err != nil {
		return Text{}, err
	}
	d.Locking(&r.b, dialectLocks[q.lock])
	return r.text(), nil
}

// renderer appends a statement and its parameters.
type renderer struct {
	d     dialect.Dialect
	m     *model.Model
	alias string // before a column, with its dot, where there are several tables
	b     strings.Builder
	types []value.Type
	args  []value.Value
	lists [][]value.Value

	secret []bool
}

func (r *renderer) write(parts ...string) {
	for _, p := range parts {
		r.b.WriteString(p)
	}
}

func (r *renderer) text() Text {
	for r.lists != nil && len(r.lists) < len(r.args) {
		r.lists = append(r.lists, nil)
	}
	for r.secret != nil && len(r.secret) < len(r.args) {
		r.secret = append(r.secret, false)
	}
	return Text{SQL: r.b.String(), Types: r.types, Args: r.args, Lists: r.lists, Secret: r.secret}
}

func (r *renderer) column(f *model.Field) {
	r.b.WriteString(r.alias)
	r.d.Ident(&r.b, f.Column)
}

func (r *renderer) param(t value.Type, v value.Value) {
	r.types = append(r.types, t)
	r.args = append(r.args, v)
	r.d.Param(&r.b, len(r.args), t)
}

// operand appends a parameter that the column of f is compared with.
func (r *renderer) operand(f *model.Field, v value.Value) {
	r.param(r.paramType(f), v)
	r.hide(f)
}

// hide marks the last parameter as secret where f is.
func (r *renderer) hide(f *model.Field) {
	if !f.Secret {
		return
	}
	for len(r.secret) < len(r.args)-1 {
		r.secret = append(r.secret, false)
	}
	r.secret = append(r.secret, true)
}

// tail renders everything behind FROM.
func (r *renderer) tail(q *Select, paging bool) error {
	if err := r.where(q); err != nil {
		return err
	}
	if err := r.order(q); err != nil {
		return err
	}
	if paging {
		r.d.Paging(&r.b, r.number(q.limit), r.number(q.offset))
	}
	r.d.Locking(&r.b, dialectLocks[q.lock])
	return nil
}

// order renders ORDER BY, or nothing.
func (r *renderer) order(q *Select) error {
	for i, s := range q.order {
		f, err := r.sortField(s)
		if err != nil {
			return err
		}
		if i == 0 {
			r.write(" ORDER BY ")
		} else {
			r.write(", ")
		}
		r.column(f)
		if s.desc {
			r.write(" DESC")
		}
		if f.Nullable {
			r.write(" NULLS LAST")
		}
	}
	return nil
}

// number returns what appends n as a parameter, so that the text is the same for every page; nil where n is negative.
func (r *renderer) number(n int) func(*strings.Builder) {
	if n < 0 {
		return nil
	}
	return func(*strings.Builder) { r.param(value.TypeInt64, value.OfInt(int64(n))) }
}

func (r *renderer) sortField(s Sort) (*model.Field, error) {
	if s.key != nil {
		return s.key, nil
	}
	return r.field(s.col)
}

func (r *renderer) where(q *Select) error { return r.more(q, " WHERE ") }

// more renders the query's predicates behind lead, or nothing where it has none.
func (r *renderer) more(q *Select, lead string) error {
	if f := q.m.Deleted; f != nil && !q.withDeleted {
		r.write(lead)
		lead = " AND "
		r.column(f)
		r.write(" IS NULL")
	}
	for _, p := range q.where {
		if p.op == opTrue {
			continue
		}
		r.write(lead)
		lead = " AND "
		if err := r.predicate(p); err != nil {
			return err
		}
	}
	return nil
}
