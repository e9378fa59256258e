package session_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// asked is a query and the rows that it should find, as "012".
type asked struct {
	name string
	p    query.Predicate
	want string
}

// ask compares a column with the values that the three rows have in it: equality finds exactly the rows that are equal.
func ask[V any](rows []*Everything, col *V, value func(e *Everything) *V) []asked {
	var list []asked
	name := fmt.Sprintf("%T", *col)
	finds := func(holds func(v V) bool) (found string) {
		for i, e := range rows {
			if holds(*value(e)) {
				found += fmt.Sprint(i)
			}
		}
		return found
	}
	equal := func(a, b V) bool { return reflect.DeepEqual(a, b) }
	for i, e := range rows {
		v := *value(e)
		list = append(list,
			asked{fmt.Sprintf("%s eq %d", name, i), query.Eq(col, v), finds(func(w V) bool { return equal(v, w) })},
			asked{fmt.Sprintf("%s ne %d", name, i), query.Ne(col, v), finds(func(w V) bool { return !equal(v, w) })})
	}
	all := []V{*value(rows[0]), *value(rows[1]), *value(rows[2])}
	outer := finds(func(w V) bool { return equal(all[0], w) || equal(all[2], w) })
	return append(list,
		asked{name + " in all", query.In(col, all...), "012"},
		asked{name + " in", query.In(col, all[0], all[2]), outer},
		asked{name + " not in", query.NotIn(col, all...), ""},
		asked{name + " in none", query.In(col), ""},
	)
}

// order compares a column by size as well, where compare is the order of its Go type.
func order[V any](rows []*Everything, col *V, value func(e *Everything) *V, compare func(a, b V) int) []asked {
	list := ask(rows, col, value)
	for i, e := range rows {
		v := *value(e)
		for op, c := range map[string]struct {
			p     query.Predicate
			holds func(c int) bool
		}{
			"<":  {query.Lt(col, v), func(c int) bool { return c < 0 }},
			"<=": {query.Le(col, v), func(c int) bool { return c <= 0 }},
			">":  {query.Gt(col, v), func(c int) bool { return c > 0 }},
			">=": {query.Ge(col, v), func(c int) bool { return c >= 0 }},
		} {
			found := ""
			for j, other := range rows {
				if c.holds(compare(*value(other), v)) {
					found += fmt.Sprint(j)
				}
			}
			list = append(list, asked{fmt.Sprintf("%T %s %d", v, op, i), c.p, found})
		}
	}
	return list
}

// boolOrder has false before true, as databases do.
func boolOrder[B ~bool](a, b B) int {
	switch {
	case a == b:
		return 0
	case bool(b):
		return -1
	}
	return 1
}

func scalars(rows []*Everything) []asked {
	c := everything
	return slices.Concat(
		order(rows, &c.Bool, func(e *Everything) *bool { return &e.Bool }, boolOrder),
		order(rows, &c.Int, func(e *Everything) *int { return &e.Int }, cmp.Compare),
		order(rows, &c.Int8, func(e *Everything) *int8 { return &e.Int8 }, cmp.Compare),
		order(rows, &c.Int16, func(e *Everything) *int16 { return &e.Int16 }, cmp.Compare),
		order(rows, &c.Int32, func(e *Everything) *int32 { return &e.Int32 }, cmp.Compare),
		order(rows, &c.Int64, func(e *Everything) *int64 { return &e.Int64 }, cmp.Compare),
		order(rows, &c.Uint, func(e *Everything) *uint { return &e.Uint }, cmp.Compare),
		order(rows, &c.Uint8, func(e *Everything) *uint8 { return &e.Uint8 }, cmp.Compare),
		order(rows, &c.Uint16, func(e *Everything) *uint16 { return &e.Uint16 }, cmp.Compare),
		order(rows, &c.Uint32, func(e *Everything) *uint32 { return &e.Uint32 }, cmp.Compare),
		order(rows, &c.Uint64, func(e *Everything) *uint64 { return &e.Uint64 }, cmp.Compare),
		order(rows, &c.Uintptr, func(e *Everything) *uintptr { return &e.Uintptr }, cmp.Compare),
		order(rows, &c.Float32, func(e *Everything) *float32 { return &e.Float32 }, cmp.Compare),
		order(rows, &c.Float64, func(e *Everything) *float64 { return &e.Float64 }, cmp.Compare),
		order(rows, &c.Text, func(e *Everything) *string { return &e.Text }, cmp.Compare),
		order(rows, &c.Hash, func(e *Everything) *[20]byte { return &e.Hash },
			func(a, b [20]byte) int { return slices.Compare(a[:], b[:]) }),
		order(rows, &c.Time, func(e *Everything) *time.Time { return &e.Time }, time.Time.Compare),
		order(rows, &c.Wait, func(e *Everything) *time.Duration { return &e.Wait }, cmp.Compare),
		order(rows, &c.Ref, func(e *Everything) *uuid.UUID { return &e.Ref },
			func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }),
		order(rows, &c.Array, func(e *Everything) *[16]byte { return &e.Array },
			func(a, b [16]byte) int { return slices.Compare(a[:], b[:]) }),
		order(rows, &c.Color, func(e *Everything) *color { return &e.Color }, cmp.Compare),
		order(rows, &c.Level, func(e *Everything) *level { return &e.Level }, cmp.Compare),
		order(rows, &c.Tiny, func(e *Everything) *tiny { return &e.Tiny }, cmp.Compare),
		order(rows, &c.Huge, func(e *Everything) *huge { return &e.Huge }, cmp.Compare),
		order(rows, &c.Ratio, func(e *Everything) *ratio { return &e.Ratio }, cmp.Compare),
		order(rows, &c.Flag, func(e *Everything) *flag { return &e.Flag }, boolOrder),
		order(rows, &c.Home.Number, func(e *Everything) *int { return &e.Home.Number }, cmp.Compare),
	)
}

// others are the types whose order is their database's business, or that can be NULL.
func others(rows []*Everything) []asked {
	c := everything
	return slices.Concat(
		ask(rows, &c.Bytes, func(e *Everything) *[]byte { return &e.Bytes }),
		ask(rows, &c.Payload, func(e *Everything) *payload { return &e.Payload }),
		ask(rows, &c.Amount, func(e *Everything) *decimal { return &e.Amount }),
		ask(rows, &c.Point, func(e *Everything) *point { return &e.Point }),
		ask(rows, &c.Addr, func(e *Everything) *netip.Addr { return &e.Addr }),
		ask(rows, &c.Prefix, func(e *Everything) *netip.Prefix { return &e.Prefix }),
		ask(rows, &c.Struct, func(e *Everything) *Settings { return &e.Struct }),
		ask(rows, &c.Map, func(e *Everything) *map[string]int { return &e.Map }),
		ask(rows, &c.Slice, func(e *Everything) *[]string { return &e.Slice }),
		ask(rows, &c.Structs, func(e *Everything) *[]Settings { return &e.Structs }),
		ask(rows, &c.Three, func(e *Everything) *[3]int { return &e.Three }),
		ask(rows, &c.Any, func(e *Everything) *any { return &e.Any }),
		ask(rows, &c.Forced, func(e *Everything) *Address { return &e.Forced }),
		ask(rows, &c.Home.Moved, func(e *Everything) **time.Time { return &e.Home.Moved }),
	)
}

// TestStoragePredicates: every type can be asked for, and every ordered one by its order, with the values at its ends.
func TestStoragePredicates(t *testing.T) {
	onAll(t, func(t *testing.T, b backend) {
		f := open(t, b)
		rows := extremes()
		rows[1].Text, rows[1].Color = "0", "0" // where every collation has it: between a space and a letter
		f.do(t, func(ctx context.Context) error {
			return errors.Join(session.CreateTables(ctx, (*Everything)(nil)), session.Add(ctx, rows...))
		})
		f.do(t, func(ctx context.Context) error {
			for _, q := range slices.Concat(scalars(rows), others(rows)) {
				found, err := session.Find[Everything](ctx, q.p)
				if err != nil {
					t.Errorf("%s: %v", q.name, err)
					continue
				}
				if got := positions(rows, found); got != q.want {
					t.Errorf("%s: found %q, not %q", q.name, got, q.want)
				}
			}
			return nil
		})
	})
}

// positions prints which of the rows were found.
func positions(rows, found []*Everything) string {
	var got []string
	for _, e := range found {
		i := slices.IndexFunc(rows, func(r *Everything) bool { return r.ID == e.ID })
		got = append(got, fmt.Sprint(i))
	}
	slices.Sort(got)
	return strings.Join(got, "")
}

// TestStorageNull: a value that is missing is found as such, and never by what it is not.
func TestStorageNull(t *testing.T) {
	onAll(t, func(t *testing.T, b backend) {
		f := open(t, b)
		null, set := &Nullable{}, full()
		f.do(t, func(ctx context.Context) error {
			return errors.Join(session.CreateTables(ctx, (*Nullable)(nil)), session.Add(ctx, null))
		})
		f.do(t, func(ctx context.Context) error { // on insert a column with a default gets that; here it has NULL
			null.DefaultText = nil
			loaded, err := session.Get[Nullable](ctx, null.ID)
			if err == nil {
				loaded.DefaultText = nil
			}
			return errors.Join(err, session.Add(ctx, set))
		})
		f.do(t, func(ctx context.Context) error {
			c := entity.Columns[Nullable]()
			missing(t, ctx, null, set, &c.Bool, null.Bool, set.Bool)
			missing(t, ctx, null, set, &c.Int, null.Int, set.Int)
			missing(t, ctx, null, set, &c.Uint64, null.Uint64, set.Uint64)
			missing(t, ctx, null, set, &c.Float64, null.Float64, set.Float64)
			missing(t, ctx, null, set, &c.Text, null.Text, set.Text)
			missing(t, ctx, null, set, &c.Hash, null.Hash, set.Hash)
			missing(t, ctx, null, set, &c.Time, null.Time, set.Time)
			missing(t, ctx, null, set, &c.Wait, null.Wait, set.Wait)
			missing(t, ctx, null, set, &c.Ref, null.Ref, set.Ref)
			missing(t, ctx, null, set, &c.Color, null.Color, set.Color)
			missing(t, ctx, null, set, &c.Level, null.Level, set.Level)
			missing(t, ctx, null, set, &c.Amount, null.Amount, set.Amount)
			missing(t, ctx, null, set, &c.Point, null.Point, set.Point)
			missing(t, ctx, null, set, &c.Addr, null.Addr, set.Addr)
			missing(t, ctx, null, set, &c.Struct, null.Struct, set.Struct)
			missing(t, ctx, null, set, &c.NullInt, null.NullInt, set.NullInt)
			missing(t, ctx, null, set, &c.NullUint64, null.NullUint64, set.NullUint64)
			missing(t, ctx, null, set, &c.NullTime, null.NullTime, set.NullTime)
			missing(t, ctx, null, set, &c.NullColor, null.NullColor, set.NullColor)
			missing(t, ctx, null, set, &c.NullAmount, null.NullAmount, set.NullAmount)
			missing(t, ctx, null, set, &c.NullStruct, null.NullStruct, set.NullStruct)
			missing(t, ctx, null, set, &c.SQLString, null.SQLString, set.SQLString)
			missing(t, ctx, null, set, &c.SQLByte, null.SQLByte, set.SQLByte)
			missing(t, ctx, null, set, &c.SQLTime, null.SQLTime, set.SQLTime)
			missing(t, ctx, null, set, &c.UUID, null.UUID, set.UUID)
			missing(t, ctx, null, set, &c.DefaultText, null.DefaultText, set.DefaultText)
			return nil
		})
	})
}

// missing asks for a column in which one of two rows is NULL.
func missing[V any](t *testing.T, ctx context.Context, null, set *Nullable, col *V, none, some V) {
	t.Helper()
	for what, c := range map[string]struct {
		p    query.Predicate
		want []*Nullable
	}{
		"is null":          {query.IsNull(col), []*Nullable{null}},
		"is not null":      {query.NotNull(col), []*Nullable{set}},
		"eq none":          {query.Eq(col, none), []*Nullable{null}},
		"ne none":          {query.Ne(col, none), []*Nullable{set}},
		"eq some":          {query.Eq(col, some), []*Nullable{set}},
		"ne some":          {query.Ne(col, some), []*Nullable{null}},
		"in both":          {query.In(col, none, some), []*Nullable{null, set}},
		"in some":          {query.In(col, some), []*Nullable{set}},
		"not in some":      {query.NotIn(col, some), []*Nullable{null}},
		"not in none":      {query.NotIn(col, none), []*Nullable{set}},
		"at least some":    {query.Ge(col, some), []*Nullable{set}},
		"less than itself": {query.Lt(col, some), nil},
	} {
		found, err := session.Find[Nullable](ctx, c.p)
		ok := err == nil && len(found) == len(c.want)
		for _, w := range c.want {
			ok = ok && slices.ContainsFunc(found, func(n *Nullable) bool { return n.ID == w.ID })
		}
		if !ok {
			t.Errorf("%T %s: %d rows, %v", none, what, len(found), err)
		}
	}
}
