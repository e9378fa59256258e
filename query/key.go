package query

import (
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/value"
)

// ByKey holds for the row with a primary key, given by the values of its columns, or for those with any of several, where
// it has one column. It is what a session renders for keys of any type; applications compare the key's column.
func ByKey(keys []value.Value) Predicate { return ofNode(byKey(keys)) }

type byKey []value.Value

func (k byKey) render(r *renderer) error { return r.keys(k) }
func (byKey) several() bool              { return false }
func (byKey) aggregates() bool           { return false }

// keys renders that the statement's own row has a key, or one of several.
func (r *renderer) keys(keys []value.Value) error {
	own := &r.scope.sources[0]
	switch k := own.m.Key; {
	case len(keys) == len(k):
		for i, f := range k {
			if i > 0 {
				r.write(" AND ")
			}
			r.column(ref{f, own})
			r.write(" = ")
			r.operand(ref{f, own}, keys[i])
		}
	case len(k) == 1:
		r.in(ref{k[0], own}, keys)
	default:
		return &fault.Error{Kind: fault.Unsupported, Op: "query.ByKey", Entity: own.m.Name, Message: "a list of composite keys"}
	}
	return nil
}
