package query

import (
	"errors"
	"slices"
	"strings"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// origin says where in a request the values of a condition come from, and what to call them there.
type origin struct {
	at string // "" for what no client has sent
	of string // what a message begins with
}

// sender is a node that compares a column with what a client has sent.
type sender interface {
	sent() (from origin, f *model.Field, vs []value.Value)
}

// noValue are the SQLSTATEs by which a database says that a text is no value of a type. Others of their class, a sum out of
// range or a division by zero, are about what the program computes.
var noValue = []string{"22P02", "22007", "22008"}

// saysNoValue reports whether the error is the database's, about a text that is no value of a type.
func saysNoValue(err error) bool {
	var answer interface{ SQLState() string }
	return errors.As(err, &answer) && slices.Contains(noValue, answer.SQLState())
}

// Blame makes an error of the database about a value the client's, fault.BadRequest that names the field: what is no value
// of a column whose type only the database knows, such as a text that is none of an enum's. The database says which value
// it was and of which type, and not whose; where its words fit several fields, or none, all are named that it can be.
func (q *Select) Blame(e *fault.Error) { q.blame(e, 0) }

// blame blames the fields that the words of the error fit best, and at least so well.
func (q *Select) blame(e *fault.Error, least int) {
	if e.Kind != fault.Invalid || !saysNoValue(e.Err) {
		return
	}
	words, most := e.Err.Error(), least
	var fields []fault.Field
	for i := range q.where {
		q.where[i].nodes(func(n node) {
			s, ok := n.(sender)
			if !ok {
				return
			}
			from, f, vs := s.sent()
			if from.at == "" || len(vs) == 0 || !isNative(f) {
				return
			}
			fit := fits(words, f, vs)
			if fit > most {
				most, fields = fit, nil
			}
			if fit == most {
				fields = append(fields, fault.Field{Name: from.at, Message: from.of + "is no value that there is"})
			}
		})
	}
	if len(fields) > 0 {
		e.Kind, e.Fields = fault.BadRequest, fields
	}
}

// fits says how well the words of an error fit values of a column: whether one of them is quoted there, and its type is too.
func fits(words string, f *model.Field, vs []value.Value) (fit int) {
	if slices.ContainsFunc(vs, func(v value.Value) bool { return strings.Contains(words, `"`+v.String()+`"`) }) {
		fit++
		if strings.Contains(words, f.Native) {
			fit++
		}
	}
	return fit
}

// nodes visits what p is made of and renders itself.
func (p *Predicate) nodes(visit func(n node)) {
	switch p.op {
	case opAnd, opOr, opNot:
		kids := p.kids()
		for i := range kids {
			kids[i].nodes(visit)
		}
	case opNode:
		visit(p.n)
	}
}

// isNative reports whether the column is of a type that the program has named, of which only the database knows what it
// takes.
func isNative(f *model.Field) bool { return f.Native != "" && f.Type != value.TypeDecimal }
