package query

import (
	"slices"
	"strings"

	"github.com/urutu-go/urutu/dialect"
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
	counting      Counting
	withDeleted   bool
	with          []Relation
	related       []Related // what with resolves to
	joins         []Joined
	several       bool         // more than one table is read, so that columns need the name of theirs
	invalid       error        // a clause that could not be made
	ownWhere      [1]Predicate // room for what most queries have
	ownOrder      [2]Sort

	// Of a projection:
	shape    *model.Model // what its rows are read into
	outputs  []Output
	groups   []node
	having   []Predicate
	distinct bool
}

// Compile collects clauses into a query over m's table.
func Compile(m *model.Model, clauses ...Clause) *Select {
	q := &Select{m: m, limit: -1, offset: -1}
	q.makeRoom(clauses)
	for _, c := range clauses {
		if c != nil {
			c.apply(q)
		}
	}
	return q
}

// makeRoom makes room for the predicates and orders among clauses, and for a key of one column behind these.
func (q *Select) makeRoom(clauses []Clause) {
	where, order := 0, 0
	for _, c := range clauses {
		switch c.(type) {
		case Predicate:
			where++
		case Sort:
			order++
		}
	}
	q.where, q.order = q.ownWhere[:0], q.ownOrder[:0]
	if where > len(q.ownWhere) {
		q.where = make([]Predicate, 0, where)
	}
	if order+1 > len(q.ownOrder) {
		q.order = make([]Sort, 0, order+1)
	}
}

// operands is about how many parameters the query has: a list of values is one, and what is joined has one each.
func (q *Select) operands() int {
	n := 0
	if q.limit >= 0 {
		n++
	}
	if q.offset >= 0 {
		n++
	}
	for i := range q.where {
		if p := &q.where[i]; p.op == opAnd || p.op == opOr {
			n += p.args.n
		} else {
			n++
		}
	}
	return n
}

// Locks reports whether the query locks rows.
func (q *Select) Locks() bool { return q.lock != 0 }

// Several reports whether the query reads more tables than its entity's own.
func (q *Select) Several() bool { return q.several }

// arranged reports whether the query says more than which rows are meant.
func (q *Select) arranged() bool {
	return len(q.order) > 0 || q.limit >= 0 || q.offset >= 0 || q.lock != 0 || len(q.joins) > 0 || len(q.with) > 0
}

// Limit sets the greatest number of rows, unless the query has a smaller one.
func (q *Select) Limit(n int) {
	if q.limit < 0 || n < q.limit {
		q.limit = n
	}
}

// Part makes the query that of a part of its rows, in an order that the primary key makes complete, in the direction of its
// last level: so one index serves it and pages by a cursor alike. Where it peeks, it has a row more.
func (q *Select) Part(w Window) {
	q.limit, q.offset = w.Size, w.Offset
	if q.Counting(CountExact).Peeks() {
		q.limit++
	}
	if q.shape != nil {
		q.orderByResult()
	} else {
		q.orderByKey(q.endsDesc())
	}
}

// endsDesc reports whether the last level of the order is descending. A column that comes a second time makes none.
func (q *Select) endsDesc() bool {
	for i, s := range slices.Backward(q.order) {
		c, ok := s.column()
		again := func(before Sort) bool {
			other, ok := before.column()
			return ok && other == c
		}
		if !ok || !slices.ContainsFunc(q.order[:i], again) {
			return s.desc
		}
	}
	return false
}

// orderByKey orders the query by the primary key, behind the orders that it has.
func (q *Select) orderByKey(desc bool) {
	for _, f := range q.m.Key {
		q.order = append(q.order, Sort{key: f, desc: desc})
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

// How long a text usually is besides its columns: SELECT, FROM and the table, and each condition or order.
const (
	usualText = 32
	usualTerm = 24
)

// Rows renders "SELECT columns FROM table ..." with everything that the query says.
func (q *Select) Rows(d dialect.Dialect, columns string) (Text, error) {
	if _, err := q.Related(); err != nil {
		return Text{}, err
	}
	r, err := newRenderer(d, q)
	if err != nil {
		return Text{}, err
	}
	if !q.several {
		r.b.Grow(len(columns) + usualText + usualTerm*(cap(r.args)+len(q.order)))
		r.write("SELECT ", columns)
		if err := r.from(); err != nil {
			return Text{}, err
		}
		return r.done(r.tail(q))
	}
	if err := r.tail(q); err != nil {
		return Text{}, err
	}
	return r.around(r.all)
}

// Count renders the number of rows that the query has without its limit and offset.
func (q *Select) Count(d dialect.Dialect) (Text, error) { return q.scalar(d, "SELECT count(*)", "") }

// Exists renders whether the query has a row.
func (q *Select) Exists(d dialect.Dialect) (Text, error) {
	return q.scalar(d, "SELECT EXISTS (SELECT 1", ")")
}

// scalar renders a statement of the rows that the query has, whatever their order.
func (q *Select) scalar(d dialect.Dialect, head, end string) (Text, error) {
	r, err := newRenderer(d, q)
	if err != nil {
		return Text{}, err
	}
	if err := r.where(q); err != nil {
		return Text{}, err
	}
	tail := r.b.String()
	r.b.Reset()
	r.write(head)
	err = r.from()
	r.write(tail, end)
	return r.done(err)
}

// ByKey renders "SELECT columns FROM table WHERE key" for one key, or for several of a key with one column. The query's
// own predicates are ANDed, its order is not used.
func (q *Select) ByKey(d dialect.Dialect, columns string, keys []value.Value) (Text, error) {
	if _, err := q.Related(); err != nil {
		return Text{}, err
	}
	r, err := newRenderer(d, q)
	if err != nil {
		return Text{}, err
	}
	if !q.several {
		r.write("SELECT ", columns)
		if err := r.from(); err != nil {
			return Text{}, err
		}
		return r.done(r.byKey(q, keys))
	}
	if err := r.byKey(q, keys); err != nil {
		return Text{}, err
	}
	return r.around(r.all)
}

// byKey renders everything behind FROM.
func (r *renderer) byKey(q *Select, keys []value.Value) error {
	r.write(" WHERE ")
	if err := r.keys(keys); err != nil {
		return err
	}
	if err := r.more(q, " AND "); err != nil {
		return err
	}
	r.lock(q)
	return nil
}

// renderer appends a statement and its parameters.
type renderer struct {
	d      dialect.Dialect
	m      *model.Model // of the table that is being rendered, for errors
	scope  scope
	own    [1]source // room for the usual number of tables
	nested int       // subqueries so far
	b      strings.Builder
	types  []value.Type
	args   []value.Value
	lists  [][]value.Value

	secret []bool
	varies map[int]bool // the parameters of predicates that are Varying
}

// newRenderer returns a renderer for a query. Columns have the name of their table before them where there are several.
func newRenderer(d dialect.Dialect, q *Select) (*renderer, error) {
	if q.invalid != nil {
		return nil, q.invalid
	}
	if err := q.projects(); err != nil {
		return nil, err
	}
	r := &renderer{d: d, m: q.m}
	r.own[0].m = q.m
	r.scope.sources = r.own[:]
	if n := q.operands(); n > 0 {
		r.types, r.args = make([]value.Type, 0, n), make([]value.Value, 0, n)
	}
	if !q.several {
		return r, nil
	}
	r.own[0].name = "t."
	return r, r.join(q)
}

// around renders "SELECT list FROM tables" before what is rendered already, by which it is known which joins are needed.
func (r *renderer) around(list func() error) (Text, error) {
	tail := r.b.String()
	r.b.Reset()
	r.write("SELECT ")
	if err := list(); err != nil {
		return Text{}, err
	}
	err := r.from()
	r.write(tail)
	return r.done(err)
}

// all renders every column of the query's own table.
func (r *renderer) all() error {
	own := &r.scope.sources[0]
	for i, f := range own.m.Fields {
		if i > 0 {
			r.write(", ")
		}
		r.column(ref{f, own})
	}
	return nil
}

func (r *renderer) done(err error) (Text, error) {
	if err != nil {
		return Text{}, err
	}
	return r.text(), nil
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

func (r *renderer) column(f ref) {
	r.b.WriteString(f.src.name)
	r.d.Ident(&r.b, f.Column)
}

func (r *renderer) param(t value.Type, v value.Value) {
	r.types = append(r.types, t)
	r.args = append(r.args, v)
	r.d.Param(&r.b, len(r.args), t)
}

// operand appends a parameter that the column of f is compared with.
func (r *renderer) operand(f ref, v value.Value) {
	r.param(r.paramType(f), v)
	r.hide(f)
}

// hide marks the last parameter as secret where f is.
func (r *renderer) hide(f ref) { r.hideFrom(f, len(r.args)-1) }

// hideFrom marks the parameters from the one at first on as secret where f is.
func (r *renderer) hideFrom(f ref, first int) {
	for f.Secret && len(r.secret) < len(r.args) {
		r.secret = append(r.secret, len(r.secret) >= first)
	}
}

// tail renders everything behind FROM.
func (r *renderer) tail(q *Select) error {
	if err := r.where(q); err != nil {
		return err
	}
	if err := r.order(q); err != nil {
		return err
	}
	r.paging(q.limit, q.offset)
	r.lock(q)
	return nil
}

// lock renders the locking clause, for the query's own rows alone.
func (r *renderer) lock(q *Select) {
	r.d.Locking(&r.b, dialectLocks[q.lock], strings.TrimSuffix(r.scope.sources[0].name, "."))
}

// order renders ORDER BY, or nothing.
func (r *renderer) order(q *Select) error {
	for i, s := range q.order {
		r.write([...]string{" ORDER BY ", ", "}[min(i, 1)])
		f, ok, err := r.sortColumn(s)
		switch {
		case err != nil:
			return err
		case ok:
			r.column(f)
			r.direction(s.desc, s.first, f.nullable())
			continue
		}
		if err := s.n.render(r); err != nil {
			return err
		}
		r.direction(s.desc, s.first, true)
	}
	return nil
}

// direction renders which way an order goes, and where it has what is NULL.
func (r *renderer) direction(desc, first, nullable bool) {
	if desc {
		r.write(" DESC")
	}
	switch {
	case nullable && first:
		r.write(" NULLS FIRST")
	case nullable:
		r.write(" NULLS LAST")
	}
}

// paging renders LIMIT and OFFSET, as parameters so that the text is the same for every page. A negative one is none.
func (r *renderer) paging(limit, offset int) { r.d.Paging(&r.b, r.number(limit), r.number(offset)) }

// number adds n as a parameter and returns the parameter's number; 0 where n is negative.
func (r *renderer) number(n int) int {
	if n < 0 {
		return 0
	}
	r.types = append(r.types, value.TypeInt64)
	r.args = append(r.args, value.OfInt(int64(n)))
	return len(r.args)
}

func (r *renderer) sortField(s Sort) (ref, error) {
	if s.key != nil {
		return ref{s.key, &r.scope.sources[0]}, nil
	}
	return r.field(s.col)
}

func (r *renderer) where(q *Select) error { return r.more(q, " WHERE ") }

// more renders the query's predicates behind lead, or nothing where it has none.
func (r *renderer) more(q *Select, lead string) error {
	if f := q.m.Deleted; f != nil && !q.withDeleted {
		r.write(lead)
		lead = " AND "
		r.column(ref{f, &r.scope.sources[0]})
		r.write(" IS NULL")
	}
	for i := range q.where {
		if q.where[i].op == opTrue {
			continue
		}
		r.write(lead)
		lead = " AND "
		if err := r.predicate(&q.where[i]); err != nil {
			return err
		}
	}
	return nil
}
