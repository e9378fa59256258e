package query

import (
	"slices"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// level is one level of an order that is complete.
type level struct {
	node     node
	own      *model.Field // the entity's own column, nil where it is something else
	ref      ref          // of a column, its own or a joined one's
	typ      value.Type
	nullable bool
	desc     bool
	first    bool // NULL comes first
}

// levels returns what the query is ordered by: its orders, and the primary key behind them, in the direction of the last
// one. What comes behind a whole key, or a second time, makes no difference and is left out.
func (r *renderer) levels(q *Select) ([]level, error) {
	all := make([]level, 0, len(q.order)+len(q.m.Key))
	add := func(s Sort) error {
		l, err := r.sortLevel(s)
		if err == nil && !(l.ref.Field != nil && slices.ContainsFunc(all, func(have level) bool { return have.ref == l.ref })) {
			all = append(all, l)
		}
		return err
	}
	for _, s := range q.order {
		if err := add(s); err != nil {
			return nil, err
		}
		if hasKey(all, q.m.Key) {
			return all, nil
		}
	}
	desc := len(all) > 0 && all[len(all)-1].desc
	for _, f := range q.m.Key {
		if err := add(Sort{key: f, desc: desc}); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// hasKey reports whether the whole key is among the levels.
func hasKey(all []level, key []*model.Field) bool {
	return !slices.ContainsFunc(key, func(f *model.Field) bool {
		return !slices.ContainsFunc(all, func(l level) bool { return l.own == f })
	})
}

func (r *renderer) sortLevel(s Sort) (level, error) {
	l := level{node: s.node(), desc: s.desc, first: s.first, nullable: true}
	if f, ok, err := r.sortColumn(s); err != nil {
		return l, err
	} else if ok {
		l.ref, l.typ, l.nullable, l.node = f, f.Type, f.nullable(), &refColumn{f}
		if f.src == &r.scope.sources[0] {
			l.own = f.Field
		}
		return l, nil
	}
	if s.typ == nil {
		return l, r.misuse("a page by a cursor in an order that is none of its rows")
	}
	c, err := model.CodecOf(s.typ)
	if err != nil {
		return l, &fault.Error{Kind: fault.Misconfigured, Op: "query", Entity: r.m.Name, Err: err}
	}
	l.typ = c.Type
	return l, nil
}

// sortColumn returns the column that is ordered by, and false where it is an expression.
func (r *renderer) sortColumn(s Sort) (f ref, ok bool, err error) {
	switch n := s.n.(type) {
	case nil:
		f, err = r.sortField(s)
		return f, err == nil, err
	case column:
		f, err = r.field(n)
		return f, err == nil, err
	case *ownColumn:
		return r.mine(n.f), true, nil
	}
	return ref{}, false, nil
}

// refColumn is a column that was found.
type refColumn struct{ ref }

func (c *refColumn) several() bool    { return c.src.rel != nil }
func (c *refColumn) aggregates() bool { return false }
func (c *refColumn) render(r *renderer) error {
	r.column(c.ref)
	return nil
}

// sort renders the level in ORDER BY, reversed where rows are read backwards.
func (l *level) sort(r *renderer, back bool) error {
	if err := l.node.render(r); err != nil {
		return err
	}
	r.direction(l.desc != back, l.first != back, l.nullable)
	return nil
}

// compare renders the comparison of the level with a value.
func (l *level) compare(r *renderer, op string, v value.Value) error {
	if err := l.node.render(r); err != nil {
		return err
	}
	r.write(op)
	l.operand(r, v)
	return nil
}

func (l *level) operand(r *renderer, v value.Value) {
	if l.ref.Field != nil {
		r.operand(l.ref, v)
		return
	}
	r.param(l.typ, v)
}

// test renders a test of the level that takes no operand.
func (l *level) test(r *renderer, test string) error {
	if err := l.node.render(r); err != nil {
		return err
	}
	r.write(test)
	return nil
}
