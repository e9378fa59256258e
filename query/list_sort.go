package query

import (
	"strconv"
	"strings"
)

// ListRequest asks for one page of a list in an order: embed it in a filter struct.
//
//	type OrderFilter struct {
//		query.ListRequest
//		Total query.Criteria[int64] `json:"total"`
//	}
//
//	session.Page[Order](ctx, in.PageRequest, query.ApplyFilters(in), orderList.Sort(in.Sort))
type ListRequest struct {
	PageRequest
	// Sort is the order: see [List.Sort].
	Sort string `json:"sort,omitempty" query:"sort" filter:"-" maxLength:"500" doc:"Fields to sort by, with a minus for the greatest first: -created_at,name"`
}

// maxSort is how many bytes a sort string may have.
const maxSort = 500

// Sort makes a clause of an order as a query string has it: names of fields with commas between them, a minus before those
// whose greatest is to be first: "-created_at,name". Rows without a value are last either way. An empty one is the
// order of the list itself. A field that the list does not have is fault.BadRequest that names it.
func (l *List[T]) Sort(order string) Clause { return sortClause{l.def, order} }

type sortClause struct {
	def   *listing
	order string
}

func (c sortClause) apply(q *Select) { q.attempt(c.into) }

func (c sortClause) into(q *Select) error {
	if err := c.def.of(q); err != nil {
		return err
	}
	wanted, err := parseSort(c.order)
	if err != nil {
		return err
	}
	order, err := c.def.sorts(wanted)
	if err != nil {
		return err
	}
	c.def.arrange(q, order)
	return nil
}

// sorting is one field to sort by, and where the request says so.
type sorting struct {
	at, field string
	desc      bool
}

func parseSort(order string) ([]sorting, error) {
	const at = "sort"
	if len(order) > maxSort {
		return nil, refused(at, "is longer than "+strconv.Itoa(maxSort)+" bytes")
	}
	if strings.TrimSpace(order) == "" {
		return nil, nil
	}
	var wanted []sorting
	for name := range strings.SplitSeq(order, ",") {
		name, desc := strings.CutPrefix(strings.TrimSpace(name), "-") // a plus is a space in a query string
		wanted = append(wanted, sorting{at, strings.TrimPrefix(name, "+"), desc})
	}
	return wanted, nil
}

// sorts returns the order that a grid asks for.
func (c gridClause) sorts() (ordering, error) {
	const at = "sortModel"
	var wanted []sorting
	for i, s := range c.req.SortModel {
		at := at + "[" + strconv.Itoa(i) + "]"
		way := ""
		if s.Sort != nil {
			way = *s.Sort
		}
		switch {
		case s.Sort == nil:
			if _, err := c.def.sortable(at+".field", s.Field); err != nil {
				return ordering{}, err
			}
		case way == "asc" || way == "desc":
			wanted = append(wanted, sorting{at + ".field", s.Field, way == "desc"})
		default:
			return ordering{}, refused(at+".sort", "must be asc, desc or null")
		}
	}
	if len(c.req.SortModel) > MaxSorts {
		return ordering{}, tooManySorts(at)
	}
	return c.def.sorts(wanted)
}

func tooManySorts(at string) error {
	return refused(at, "has more than "+strconv.Itoa(MaxSorts)+" fields")
}

// ordering is an order, and whether it refers to joined tables.
type ordering struct {
	by   []Sort
	wide bool
}

// sorts looks up the fields to sort by. Where there are none the order is that of the list.
func (d *listing) sorts(wanted []sorting) (ordering, error) {
	switch {
	case len(wanted) == 0:
		return ordering{d.order, d.orderWide}, nil
	case len(wanted) > MaxSorts:
		return ordering{}, tooManySorts(wanted[0].at)
	}
	var o ordering
	seen := map[string]bool{}
	for _, w := range wanted {
		f, err := d.sortable(w.at, w.field)
		switch {
		case err != nil:
			return o, err
		case seen[w.field]:
			return o, refused(w.at, quoted(w.field)+" is given twice")
		}
		seen[w.field] = true
		s := Sort{n: f.n, typ: f.typ, desc: w.desc}
		if c, ok := f.n.(column); ok {
			s = Sort{col: c, desc: w.desc}
		}
		o.by, o.wide = append(o.by, s), o.wide || f.joined
	}
	return o, nil
}

func (d *listing) sortable(at, name string) (*listed, error) {
	f, err := d.find(at, name)
	if err == nil && f.noSort {
		err = refused(at, quoted(name)+" cannot be sorted by")
	}
	return f, err
}

// arrange puts a query's rows into an order.
func (d *listing) arrange(q *Select, o ordering) {
	if o.wide {
		d.join(q)
	}
	for _, s := range o.by {
		s.apply(q)
	}
}
