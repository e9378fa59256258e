package query

import (
	"strconv"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/value"
)

// Grid makes a clause of what a grid asks for: which rows, and in which order. Which part of them is for the verb to say:
// session.Grid. Clauses beside it, such as who may see a row, hold whatever the request says.
//
// A field or an operator that the list does not have, a value of the wrong type, and more of anything than the bounds
// allow, is fault.BadRequest that names it. The rules are those of the grid itself:
//
//   - an item without a value (none, null, "", a list without values) asks nothing, unless its operator is isEmpty or
//     isNotEmpty;
//   - texts are trimmed and compared in any case; accents matter;
//   - rows without a value are found by doesNotContain, doesNotEqual, !=, a select's not, and a boolean's is false, and by
//     no other operator but isEmpty, which finds empty texts too;
//   - a date is the day whose midnight in UTC was sent, and a row is on it as the zone of [List.In] has it; times are equal
//     within a minute, and compared as they are by the other operators;
//   - the quick filter finds rows that have each of its values, or one, in some field that is searched.
func (l *List[T]) Grid(req GridRequest) Clause { return gridClause{l.def, l.zone, req} }

type gridClause struct {
	def  *listing
	zone *time.Location
	req  GridRequest
}

func (c gridClause) apply(q *Select) { q.attempt(c.into) }

// attempt applies a clause that may be wrong.
func (q *Select) attempt(apply func(q *Select) error) {
	if err := apply(q); err != nil && q.invalid == nil {
		q.invalid = err
	}
}

func (c gridClause) into(q *Select) error {
	if err := c.def.of(q); err != nil {
		return err
	}
	order, err := c.sorts()
	if err != nil {
		return err
	}
	if f := c.req.FilterModel; f != nil {
		for _, part := range []func(GridFilter) (Predicate, error){c.items, c.search} {
			p, err := part(*f)
			if err != nil {
				return err
			}
			c.def.where(q, p)
		}
	}
	c.def.arrange(q, order)
	return nil
}

// where adds a condition, and the tables that it is of.
func (d *listing) where(q *Select, p Predicate) {
	if p.wide {
		d.join(q)
	}
	p.apply(q)
}

// items returns what the filter's items ask.
func (c gridClause) items(f GridFilter) (Predicate, error) {
	const at = "filterModel.items"
	if len(f.Items) > MaxItems {
		return Predicate{}, refused(at, "has more than "+strconv.Itoa(MaxItems)+" items")
	}
	var all []Predicate
	for i, item := range f.Items {
		p, asks, err := c.item(at+"["+strconv.Itoa(i)+"]", item)
		if err != nil {
			return Predicate{}, err
		}
		if asks {
			all = append(all, p)
		}
	}
	return joined("filterModel.logicOperator", f.LogicOperator, all)
}

// joined joins conditions as a request says. None ask nothing, whichever way they are joined.
func joined(at, how string, all []Predicate) (Predicate, error) {
	switch {
	case how != "" && how != "and" && how != "or":
		return Predicate{}, refused(at, "must be and, or or")
	case len(all) == 0:
		return Predicate{}, nil
	case how == "or":
		return Or(all...), nil
	default:
		return And(all...), nil
	}
}

func (c gridClause) item(at string, item GridItem) (p Predicate, asks bool, err error) {
	f, err := c.def.find(at+".field", item.Field)
	if err != nil {
		return p, false, err
	}
	if f.noFilter {
		return p, false, refused(at+".field", quoted(f.name)+" cannot be filtered by")
	}
	t, ok := gridOperators[f.kind][item.Operator]
	if !ok {
		return p, false, refused(at+".operator", quoted(f.name)+" has no operator "+quoted(item.Operator))
	}
	p, asks, err = f.predicate(t, sent{at + ".value", item.Value}, c.zone)
	p.from(at + ".value")
	return p, asks, f.names(err)
}

// names says of an error about a value which field it is for.
func (f *listed) names(err error) error {
	fields := fault.FieldsOf(err)
	if len(fields) == 0 {
		return err
	}
	return refused(fields[0].Name, "of "+quoted(f.name)+" "+fields[0].Message)
}

// search returns what the quick filter asks.
func (c gridClause) search(f GridFilter) (Predicate, error) {
	const at = "filterModel.quickFilterValues"
	if len(f.QuickFilterValues) > MaxSearch {
		return Predicate{}, refused(at, "has more than "+strconv.Itoa(MaxSearch)+" values")
	}
	var all []Predicate
	for i, raw := range f.QuickFilterValues {
		s := sent{at + "[" + strconv.Itoa(i) + "]", raw}
		if s.blank() {
			continue
		}
		text, err := s.searched()
		if err != nil {
			return Predicate{}, err
		}
		p := c.def.search(text)
		p.from(s.at)
		all = append(all, p)
	}
	if len(all) > 0 && len(c.def.searched) == 0 {
		return Predicate{}, refused(at, "must be empty: nothing is searched here")
	}
	return joined("filterModel.quickFilterLogicOperator", f.QuickFilterLogicOperator, all)
}

// searched reads a value of the quick filter, which is a text, whatever it may look like.
func (s sent) searched() (string, error) {
	if s.begins('"') {
		return s.text()
	}
	if s.begins('{') || s.begins('[') {
		return "", s.refused("must be a text")
	}
	return string(s.raw), checkText(s.at, string(s.raw))
}

// search asks for rows in which one of the fields that are searched has the text.
func (d *listing) search(text string) Predicate {
	var some []Predicate
	for _, f := range d.searched {
		switch t := f.codec.Type; t {
		case value.TypeText:
			some = append(some, f.matches(opContainsFold, text))
		case value.TypeUUID:
			if v, err := uuidOf("", text); err == nil {
				some = append(some, f.asks(opEq, v.Value))
			}
		default:
			if v, err := f.numberOf("", text); err == nil && !v.above {
				some = append(some, f.asks(opEq, v.Value))
			}
		}
	}
	return Or(some...)
}
