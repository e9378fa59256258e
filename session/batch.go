package session

import (
	"context"
	"fmt"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
)

// Read is one read of a [Batch], and where its answer goes. [GetInto], [FindInto] and their like make it, for one use.
type Read struct {
	verb string
	r    reader
	give func() // hands over the answer
}

// Batch asks for several reads together: one round trip on a database that pipelines, and none for what the session has
// already. Pending changes of the tables that are read are flushed first, in the same trip.
//
//	var (
//		user  *User
//		lines []*Line
//		open  int
//	)
//	err := session.Batch(ctx,
//		session.GetInto(&user, id),
//		session.FindInto(&lines, query.Eq(&lineColumns.OrderID, orderID), query.Asc(&lineColumns.Position)),
//		session.CountInto[Order](&open, query.Eq(&orderColumns.Open, true)),
//	)
//
// Every read means what the verb of its name means, locks included, and one row is one object. Relations ([query.With]) are
// loaded after all of them, those of one level together. Under READ COMMITTED each read sees what is committed as it runs,
// inside a transaction and outside of one: they agree no more than if they had been asked one after the other. Ask for a
// higher isolation where they must.
//
// Batch fails as a whole: the error is that of the first read that has one and says which it is, and nothing is assigned.
func Batch(ctx context.Context, reads ...Read) error {
	const op = "session.Batch"
	s, err := enter(ctx, op)
	if err != nil {
		return err
	}
	defer s.leave(ctx)
	rs := make([]reader, len(reads))
	for i, r := range reads {
		if r.give == nil {
			return r.failed(op, i, s.fault(op, fault.Invalid, "a Read without a destination"))
		}
		rs[i] = r.r
	}
	if at, err := s.read(ctx, op, rs); err != nil {
		if at >= 0 {
			err = reads[at].failed(op, at, entityError(err, rs[at].base().x))
		}
		return err
	}
	for _, r := range reads {
		r.give()
	}
	return nil
}

// failed says of an error which read it concerns.
func (r Read) failed(op string, i int, err error) error {
	e, ok := err.(*fault.Error) //nolint:errorlint // only one that the read has just made
	if !ok {
		return err
	}
	out := *e
	out.Op = fmt.Sprintf("%s: read %d (%s)", op, i+1, r.verb)
	return &out
}

// into makes a read whose answer goes to a destination; without one the batch refuses it.
func into[D any](verb string, to *D, r reader, give func()) Read {
	if to == nil {
		give = nil
	}
	return Read{verb: verb, r: r, give: give}
}

// GetInto is [Get] in a batch. A miss fails the batch.
func GetInto[T any](obj **T, key any, clauses ...query.Clause) Read {
	r := &keyRead{read: of[T](clauses), key: key}
	r.must = true
	return into("GetInto", obj, r, func() { *obj = r.obj.(*T) })
}

// LookupInto is [Lookup] in a batch. A miss makes *obj nil.
func LookupInto[T any](obj **T, key any, clauses ...query.Clause) Read {
	r := &keyRead{read: of[T](clauses), key: key}
	return into("LookupInto", obj, r, func() { *obj, _ = r.obj.(*T) })
}

// GetManyInto is [GetMany] in a batch. Keys without an object go to *missing, which may be nil where nobody asks.
func GetManyInto[T any](found *[]*T, missing *[]any, keys ...any) Read {
	r := &keysRead{read: of[T](nil), keys: keys}
	return into("GetManyInto", found, r, func() {
		objs, without := many[T](r)
		*found = objs
		if missing != nil {
			*missing = without
		}
	})
}

// FindInto is [Find] in a batch.
func FindInto[T any](objs *[]*T, clauses ...query.Clause) Read {
	r := &rowsRead[T]{read: of[T](clauses)}
	return into("FindInto", objs, r, func() { *objs = r.objs })
}

// FirstInto is [First] in a batch. Without a row the batch fails with fault.NotFound.
func FirstInto[T any](obj **T, clauses ...query.Clause) Read {
	r := firstRead[T](clauses)
	return into("FirstInto", obj, r, func() { *obj = r.objs[0] })
}

// CountInto is [Count] in a batch.
func CountInto[T any, N int | int64](n *N, clauses ...query.Clause) Read {
	r := countRead[T](clauses)
	return into("CountInto", n, r, func() { *n = N(r.v.Int()) })
}

// ExistsInto is [Exists] in a batch.
func ExistsInto[T any](ok *bool, clauses ...query.Clause) Read {
	r := existsRead[T](clauses)
	return into("ExistsInto", ok, r, func() { *ok = r.v.Bool() })
}
