package query

import (
	"slices"

	"github.com/urutu-go/urutu/internal/model"
)

// UpsertClause is a part of an upsert: [OnConflict], [Overwrite].
type UpsertClause interface{ upsert(u *Upsert) }

// Conflict is a column of the unique key by which an upsert finds the row that is there: see [OnConflict].
type Conflict struct{ col column }

func (c Conflict) upsert(u *Upsert) { u.target = append(u.target, c.col) }

// OnConflict names a column of the unique key by which an upsert finds the row that is there already; those of a key with
// several columns are named one by one. Without it that is the primary key.
func OnConflict[V any](col *V) Conflict { return Conflict{columnOf(col)} }

// Overwritten is a column that a row takes over from an upsert: see [Overwrite].
type Overwritten struct{ col column }

func (o Overwritten) upsert(u *Upsert) { u.set = append(u.set, o.col) }

// Overwrite names a column that an upsert changes where the row is there already; with none of it, all are changed that
// an update may change.
func Overwrite[V any](col *V) Overwritten { return Overwritten{columnOf(col)} }

// Upsert is what an upsert's clauses say. It is what a session renders; applications have no use for it. It is not safe
// for concurrent use.
type Upsert struct {
	// Target are the fields of the unique key, in the order of the constraint.
	Target []*model.Field

	set, target []column
	only        []*model.Field
}

// CompileUpsert collects the clauses of an upsert into m's table.
func CompileUpsert(m *model.Model, clauses ...UpsertClause) (*Upsert, error) {
	u := &Upsert{}
	for _, c := range clauses {
		if c != nil {
			c.upsert(u)
		}
	}
	r := newWriter(nil, &Write{rows: Select{m: m}})
	target, err := r.fields(u.target)
	if err != nil {
		return nil, err
	}
	if u.Target = uniqueKey(m, target); u.Target == nil {
		return nil, r.misuse("query.OnConflict has to name all columns of one unique key that is not deferrable, and no others")
	}
	if u.only, err = r.fields(u.set); err != nil {
		return nil, err
	}
	for _, f := range u.only {
		if reason := r.fixed(f); reason != "" {
			return nil, r.misset(reason, f)
		}
	}
	return u, nil
}

// Changes reports whether the row that is there takes over the field.
func (u *Upsert) Changes(m *model.Model, f *model.Field) bool {
	switch {
	case m.Immutable(f), f == m.Version, slices.Contains(u.Target, f):
		return false
	case f == m.Updated, f == m.Deleted:
		return true
	}
	return u.only == nil || slices.Contains(u.only, f)
}

// fields finds the fields of columns, each of them once.
func (r *renderer) fields(cols []column) (fields []*model.Field, err error) {
	for _, c := range cols {
		f, err := r.field(c)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(fields, f.Field) {
			fields = append(fields, f.Field)
		}
	}
	return fields, nil
}

// uniqueKey returns the unique key that has exactly these fields, in its own order; the primary key for none, nil where
// there is no such key.
func uniqueKey(m *model.Model, fields []*model.Field) []*model.Field {
	if len(fields) == 0 {
		return m.Key
	}
	keys := [][]*model.Field{m.Key}
	for _, c := range m.Uniques {
		if c.Deferrable {
			continue
		}
		var key []*model.Field
		for _, name := range c.Columns {
			f, _ := m.Column(name)
			key = append(key, f)
		}
		keys = append(keys, key)
	}
	for _, key := range keys {
		if len(key) == len(fields) && !slices.ContainsFunc(key, func(f *model.Field) bool { return !slices.Contains(fields, f) }) {
			return key
		}
	}
	return nil
}
