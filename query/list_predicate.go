package query

import (
	"strings"
	"time"

	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// predicate returns what an operator asks of the field. Where it needs a value and has none yet it asks nothing.
func (f *listed) predicate(t test, s sent, zone *time.Location) (p Predicate, asks bool, err error) {
	switch {
	case t == isEmpty || t == isNotEmpty:
		return f.emptiness(t == isEmpty), true, nil
	case s.blank():
		return Predicate{}, false, nil
	case t == anyOf || t == anyText:
		p, err = f.membership(t, s)
		return p, true, err
	case t >= equalsText:
		p, err = f.textual(t, s)
		return p, true, err
	case f.kind == dateKind:
		p, err = f.onDay(t, s, zone)
		return p, true, err
	}
	if f.kind == selectKind {
		if o, err := s.option(); err != nil || o.blank() {
			return Predicate{}, false, err
		}
	}
	v, err := f.value(s)
	if err != nil {
		return Predicate{}, true, err
	}
	if f.kind == datetimeKind {
		return f.atMinute(t, v), true, nil
	}
	return f.compared(t, v), true, nil
}

// emptiness asks for rows without a value, or for those with one. An empty text is none.
func (f *listed) emptiness(empty bool) Predicate {
	if f.kind != textKind {
		if empty {
			return f.asks(opIsNull)
		}
		return f.asks(opNotNull)
	}
	blank := f.asks(opEq, value.OfText(""))
	if f.named() {
		blank = f.matches(opEqFold, "") // an enum would not take it for one of its values
	}
	if empty {
		return Or(f.asks(opIsNull), blank)
	}
	return Not(blank) // nor what is NULL; asking for that as well, a planner would count those rows twice
}

// textual compares texts in any case.
func (f *listed) textual(t test, s sent) (Predicate, error) {
	text, err := s.text()
	if err != nil {
		return Predicate{}, err
	}
	switch t {
	case equalsText:
		return f.matches(opEqFold, text), nil
	case differsText:
		return f.unless(f.matches(opEqFold, text)), nil
	case startsText:
		return f.matches(opPrefixFold, text), nil
	case endsText:
		return f.matches(opSuffixFold, text), nil
	case lacksText:
		return f.unless(f.matches(opContainsFold, text)), nil
	default:
		return f.matches(opContainsFold, text), nil
	}
}

// unless holds where p does not, and where the field has no value.
func (f *listed) unless(p Predicate) Predicate {
	if !f.codec.Nullable && f.column != nil {
		return Not(p)
	}
	return Or(f.asks(opIsNull), Not(p))
}

// membership asks for one of several values.
func (f *listed) membership(t test, s sent) (Predicate, error) {
	all, err := s.list()
	if err != nil {
		return Predicate{}, err
	}
	vs := make([]value.Value, 0, len(all))
	for _, one := range all {
		v, err := f.value(one)
		if err != nil {
			return Predicate{}, err
		}
		if !v.above { // which nothing equals that the column can hold
			vs = append(vs, v.Value)
		}
	}
	switch {
	case len(vs) == 0:
		return Or(), nil
	case t == anyText && len(vs) == 1:
		return f.matches(opEqFold, vs[0].Str()), nil
	case t == anyText:
		return f.asks(opInFold, vs...), nil
	default:
		return f.asks(opIn, vs...), nil
	}
}

// compared compares the field with a value. What has no value differs from all, and is neither greater nor less.
func (f *listed) compared(t test, v stored) Predicate {
	if f.kind == boolKind && !v.Bool() {
		return Or(f.asks(opIsNull), f.asks(opEq, v.Value)) // no value is false, as the grid shows it
	}
	return v.compared(comparedBy[t], f.asks)
}

var comparedBy = map[test]operator{equals: opEq, differs: opNe, greater: opGt, atLeast: opGe, less: opLt, atMost: opLe}

// onDay compares the field's day, by half-open ranges of instants: an index on the column serves them.
func (f *listed) onDay(t test, s sent, zone *time.Location) (Predicate, error) {
	day, err := s.day()
	if err != nil {
		return Predicate{}, err
	}
	if f.isDay() {
		zone = time.UTC
	}
	begin, end := day.In(zone)
	return f.within(t, begin, end), nil
}

// atMinute compares instants. Equal are those of the same minute, which is what a client can pick.
func (f *listed) atMinute(t test, v stored) Predicate {
	if t != equals && t != differs {
		return f.compared(t, v)
	}
	begin := v.Time().Truncate(time.Minute)
	return f.within(t, begin, begin.Add(time.Minute))
}

// within compares instants with a range of them, which its end is not in. What has no value holds in none.
func (f *listed) within(t test, begin, end time.Time) Predicate {
	switch t {
	case equals:
		return And(since(begin, f.asks), until(end, f.asks))
	case differs:
		return Or(until(begin, f.asks), since(end, f.asks))
	case greater:
		return since(end, f.asks)
	case atLeast:
		return since(begin, f.asks)
	case less:
		return until(begin, f.asks)
	default:
		return until(end, f.asks)
	}
}

func (f *listed) asks(op operator, vs ...value.Value) Predicate {
	return ofNode(&asked{f: f, op: op, values: vs})
}

func (f *listed) matches(op operator, text string) Predicate {
	return ofNode(&asked{f: f, op: op, text: text})
}

// asked is one test of a list's field.
type asked struct {
	from   origin
	f      *listed
	op     operator
	values []value.Value
	text   string
}

func (a *asked) several() bool    { return a.f.joined }
func (a *asked) aggregates() bool { return false }

func (a *asked) sent() (origin, *model.Field, []value.Value) {
	if a.f.column == nil || a.op == opInFold { // which compares texts
		return origin{}, nil, nil
	}
	return a.from, a.f.column, a.values
}

// from says of what a list's fields are asked where in the request that comes from. It is for predicates that were just
// made.
func (p *Predicate) from(at string) {
	p.nodes(func(n node) {
		if a, ok := n.(*asked); ok {
			a.from = origin{at, "of " + quoted(a.f.name) + " "}
		}
	})
}

func (a *asked) render(r *renderer) error {
	c, ok := a.f.n.(column)
	if !ok {
		return a.ofExpression(r)
	}
	f, err := r.field(c)
	if err != nil {
		return err
	}
	switch a.op {
	case opIsNull:
		r.column(f)
		r.write(" IS NULL")
	case opNotNull:
		r.column(f)
		r.write(" IS NOT NULL")
	case opIn:
		r.member(opIn, f, a.values, false)
	case opInFold:
		r.inFold(func() { r.column(f) }, a.values)
		r.hide(f)
	case opEqFold, opContainsFold, opPrefixFold, opSuffixFold:
		r.matchText(a.op, f, a.text)
	default:
		r.compare(a.op, f, a.values[0])
	}
	return nil
}

// ofExpression renders the test of an expression, which may fail wherever it is written.
func (a *asked) ofExpression(r *renderer) (err error) {
	left := func() {
		if e := a.f.n.render(r); err == nil {
			err = e
		}
	}
	t := a.f.codec.Type
	switch a.op {
	case opIsNull:
		left()
		r.write(" IS NULL")
	case opNotNull:
		left()
		r.write(" IS NOT NULL")
	case opIn, opInFold:
		text := r.captured(left) // whose parameters come first
		left = func() { r.write(text) }
		if a.op == opInFold {
			r.inFold(left, a.values)
		} else {
			r.inOf(left, a.values, t)
		}
	case opEqFold, opContainsFold, opPrefixFold, opSuffixFold:
		r.textOf(a.op, left, a.text)
	case opNe:
		if e := r.differs(a.f.n, func() { r.param(t, a.values[0]) }); err == nil {
			err = e
		}
	default:
		left()
		r.write(comparisons[a.op])
		r.param(t, a.values[0])
	}
	return err
}

// captured returns what is rendered instead of writing it.
func (r *renderer) captured(render func()) string {
	before := r.b.String()
	r.b.Reset()
	render()
	text := r.b.String()
	r.b.Reset()
	r.write(before)
	return text
}

// inFold renders that a text is one of several in any case. The list is one parameter.
func (r *renderer) inFold(left func(), vs []value.Value) {
	r.d.InFold(&r.b, func(*strings.Builder) { left() }, len(r.args)+1)
	r.list(vs, value.TypeText)
}
