package query

import (
	"reflect"
	"strconv"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
)

// source is a table that a statement reads: its own, or one that it is joined with.
type source struct {
	m     *model.Model
	proto unsafe.Pointer // the addresses of its fields name the columns; nil for the model's own prototype
	name  string         // what stands before a column's name, with its dot; "" where nothing has to
	rel   *model.Relation
	from  int    // the source whose relation leads here
	link  string // stands before the columns of the table in between
	used  bool   // something refers to it
}

// at returns how far an address is from the beginning of the prototype.
func (s *source) at(p unsafe.Pointer) uintptr {
	if s.proto == nil {
		return s.m.Place(p)
	}
	return uintptr(p) - uintptr(s.proto)
}

// scope is the tables of one SELECT, and those around it where it stands inside another.
type scope struct {
	up      *scope
	sources []source
}

// ref is a column of one of a statement's tables.
type ref struct {
	*model.Field
	src *source
}

// nullable reports whether the column can be NULL: also where a join finds no row.
func (c ref) nullable() bool { return c.Nullable || c.src.rel != nil }

// field finds the column that a pointer into a prototype names, in the innermost table that has it.
func (r *renderer) field(c column) (ref, error) {
	for s := &r.scope; s != nil; s = s.up {
		for i := range s.sources {
			src := &s.sources[i]
			if f, ok := src.m.FieldAt(src.at(c.addr), c.typ); ok {
				s.use(i)
				return ref{f, src}, nil
			}
		}
	}
	return ref{}, r.foreign(c)
}

// use notes that a table is needed, and those by which it is reached.
func (s *scope) use(i int) {
	for !s.sources[i].used {
		s.sources[i].used = true
		i = s.sources[i].from
	}
}

// relation finds the relation that a pointer into a prototype names, and the table that has it.
func (r *renderer) relation(c column) (*model.Relation, *scope, int, error) {
	for s := &r.scope; s != nil; s = s.up {
		for i := range s.sources {
			if rel, ok := s.sources[i].m.RelationIn(s.sources[i].at(c.addr), c.typ); ok {
				return rel, s, i, nil
			}
		}
	}
	return nil, nil, 0, &fault.Error{
		Kind: fault.Misconfigured, Op: "query", Entity: r.m.Name,
		Message: "a *" + c.typ.String() + " that is not the address of one of its relations; take it from entity.Columns",
	}
}

// foreign is the error for a pointer that names no column.
func (r *renderer) foreign(c column) error {
	message := "a *" + c.typ.String() + " that is not the address of one of its columns; take it from entity.Columns, and " +
		"join the table that it is of"
	for _, s := range r.scope.sources {
		if rel, ok := s.m.RelationIn(s.at(c.addr), c.typ); ok {
			message = rel.Name + " is a relation and no column; load it by query.With, and compare the column of its key"
		}
	}
	return &fault.Error{Kind: fault.Misconfigured, Op: "query", Entity: r.m.Name, Message: message}
}

// Joined is a table that a query is joined with: see [Join].
type Joined struct {
	rel   column
	proto unsafe.Pointer
	typ   reflect.Type // of what proto points to
}

// Join makes the columns of the table that a relation leads to columns of the query, named as always by the addresses of
// that entity's prototype. Predicates, orders and expressions may use them:
//
//	session.Find[Order](ctx, query.Join(&orders.User), query.Eq(&users.Name, "Ann"), query.Asc(&users.Email))
//
// A relation of a joined table is joined in the same way, behind it. A row without a row at the other end stays, and its
// columns of the other end are NULL, as they are where that row is soft-deleted. So a join to one row leaves every row
// of the query where it is, once, and is not even sent where nothing refers to it. A join to many rows would repeat rows:
// only [session.Select] takes one; to find entities by what their lists hold, use [Any].
//
// Joining does not load the relation; [With] does.
func Join[V any](rel *V) Joined { return Joined{rel: columnOf(rel)} }

// JoinAs is Join under a prototype of its own, so that a table can be joined more than once, or with itself. Any variable
// of the entity's type will do; it is never written to:
//
//	var seller User
//	session.Find[Sale](ctx, query.Join(&sales.Buyer), query.JoinAs(&sales.Seller, &seller),
//		query.Eq(&users.Country, "BR"), query.Ne(&seller.Country, "BR"))
func JoinAs[V, T any](rel *V, as *T) Joined {
	return Joined{rel: columnOf(rel), proto: unsafe.Pointer(as), typ: reflect.TypeFor[T]()}
}

func (j Joined) apply(q *Select) {
	q.several = true
	for _, have := range q.joins {
		if have == j {
			return
		}
	}
	q.joins = append(q.joins, j)
}

// join adds the tables that the query is joined with.
func (r *renderer) join(q *Select) error {
	s := &r.scope
	own := s.sources[0]
	s.sources = append(make([]source, 0, len(q.joins)+1), own)
	for _, j := range q.joins {
		rel, at, from, err := r.relation(j.rel)
		if err != nil {
			return err
		}
		if at != s {
			return r.misuse("query.Join of " + rel.Name + ", a relation of a table around this query")
		}
		ends, err := rel.Ends()
		if err != nil {
			return err
		}
		if rel.Kind.ToMany() && q.shape == nil {
			return r.misuse("query.Join of " + rel.Name + ", which leads to many rows, would repeat what is found; " +
				"say query.Any for what has such rows, or start from the other end")
		}
		if j.typ != nil && j.typ != ends.Target.Type {
			return r.misuse("query.JoinAs of " + rel.Name + " needs a prototype of type " + ends.Target.Type.String() + ", not " + j.typ.String())
		}
		n := strconv.Itoa(len(s.sources))
		s.sources = append(s.sources, source{m: ends.Target, proto: j.proto, name: "j" + n + ".", link: "l" + n + ".", rel: rel, from: from})
		if rel.Kind.ToMany() {
			s.use(len(s.sources) - 1) // it decides how many rows there are
		}
	}
	return nil
}

// from renders FROM and the joins that something refers to.
func (r *renderer) from() error {
	s := r.scope.sources
	r.write(" FROM ")
	r.table(s[0].m.Table, s[0].name)
	for i := 1; i < len(s); i++ {
		if !s[i].used {
			continue
		}
		ends, err := s[i].rel.Ends()
		if err != nil {
			return err
		}
		if ends.Link != nil {
			r.on(" LEFT JOIN ", ends.Link, s[i].link, ends.LinkLocal, &s[s[i].from], ends.Local)
			r.on(" LEFT JOIN ", ends.Target, s[i].name, ends.Foreign, &source{name: s[i].link}, ends.LinkForeign)
		} else {
			r.on(" LEFT JOIN ", ends.Target, s[i].name, ends.Foreign, &s[s[i].from], ends.Local)
		}
		if f := ends.Target.Deleted; f != nil {
			r.write(" AND ")
			r.column(ref{f, &s[i]})
			r.write(" IS NULL")
		}
	}
	return nil
}

// on renders "JOIN table AS name ON name.column = other.column".
func (r *renderer) on(join string, m *model.Model, name string, f *model.Field, other *source, g *model.Field) {
	r.write(join)
	r.table(m.Table, name)
	r.write(" ON ")
	r.column(ref{f, &source{name: name}})
	r.write(" = ")
	r.column(ref{g, other})
}

// table renders a table under the name that stands before its columns.
func (r *renderer) table(table, name string) {
	r.d.Ident(&r.b, table)
	if name != "" {
		r.write(" AS ", name[:len(name)-1])
	}
}
