package session

import (
	"context"
	"strings"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/internal/scope"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// reader is one read: what a verb or a part of a batch asks. It is the sink of its own statements.
type reader interface {
	sink
	base() *read
	// bind binds the read to the session's connection, and answers it where the identity map can.
	bind(s *Session, op string) error
	// ask adds the statements of a read that is not answered yet.
	ask(s *Session, op string, b *burst) error
	// verdict refuses an answer that will not do: a miss.
	verdict(s *Session, op string) error
	// objects are the answer, for the relations that are loaded as well.
	objects() []unsafe.Pointer
}

// read is what all reads have in common.
type read struct {
	m       *model.Model
	invalid error         // why there is no model
	q       *query.Select // nil without clauses
	x       *meta
	between *meta // a table whose pending rows decide about the answer too, or nil
	must    bool  // there has to be an answer
	held    bool  // the identity map has it
	failed  bool  // one of its statements did, or could not be rendered
}

// of begins a read of T's table.
func of[T any](clauses []query.Clause) read {
	m, err := model.For[T]()
	r := read{m: m, invalid: err}
	if len(clauses) > 0 {
		r.q = query.Compile(m, clauses...)
	}
	return r
}

// query returns the query that the clauses describe.
func (r *read) query() *query.Select {
	if r.q == nil {
		r.q = query.Compile(r.m)
	}
	return r.q
}

func (r *read) base() *read { return r }

func (r *read) bind(s *Session, op string) (err error) {
	if r.invalid != nil {
		return &fault.Error{Kind: fault.KindOf(r.invalid), Op: op, Err: r.invalid}
	}
	r.held, r.failed = false, false
	r.x, err = s.conn.meta(r.m, op)
	return err
}

// name adds to an error of one of the read's statements which entity it concerns, and which field of a request.
func (r *read) name(e *fault.Error, _ int) {
	e.Entity = r.x.Name
	r.failed = true
	if r.q != nil {
		r.q.Blame(e)
	}
}

func (r *read) verdict(*Session, string) error { return nil }
func (r *read) objects() []unsafe.Pointer      { return nil }
func (r *read) done(int64, int64) error        { return nil }

// run answers one read for a verb.
func run(ctx context.Context, op string, r reader) error {
	s, err := enter(ctx, op)
	if err != nil {
		return err
	}
	defer s.leave(ctx)
	if err = r.bind(s, op); err == nil {
		err = s.answer(ctx, op, r)
	}
	return entityError(err, r.base().x)
}

// answer answers one read that is bound, relations included.
func (s *Session) answer(ctx context.Context, op string, r reader) (err error) {
	if !r.base().held {
		err = s.query(ctx, op, []reader{r})
	}
	if err == nil {
		err = r.verdict(s, op)
	}
	if err == nil {
		_, err = s.loadFor(ctx, op, r)
	}
	return err
}

// read answers reads: from the identity map where it can, the others in one exchange. Where there is an error, at is the
// read that it concerns, or -1 where it concerns none in particular.
func (s *Session) read(ctx context.Context, op string, reads []reader) (at int, err error) {
	held := true
	for i, r := range reads {
		if err := r.bind(s, op); err != nil {
			return i, err
		}
		held = held && r.base().held
	}
	if !held {
		if err := s.query(ctx, op, reads); err != nil {
			return culprit(reads), err
		}
	}
	for i, r := range reads {
		if err := r.verdict(s, op); err != nil {
			return i, err
		}
	}
	return s.loadFor(ctx, op, reads...)
}

// culprit returns the read whose statement has failed, or -1.
func culprit(reads []reader) int {
	for i, r := range reads {
		if r.base().failed {
			return i
		}
	}
	return -1
}

// query sends the statements of reads, behind the flush of what they could see.
func (s *Session) query(ctx context.Context, op string, reads []reader) error {
	fill := func(b *burst) error {
		for _, r := range reads {
			if r.base().held {
				continue
			}
			if err := r.ask(s, op, b); err != nil {
				r.base().failed = true
				return err
			}
		}
		return nil
	}
	if s.autoflushes(ctx) && s.couldSeeChanges(ctx, reads) {
		err := s.flush(ctx, op, fill, driver.Stay)
		return duringAutoflush(err, op, reads)
	}
	b := s.conn.burst()
	defer s.conn.free(b)
	if err := fill(b); err != nil {
		return err
	}
	return s.exchange(ctx, op, b, driver.Stay)
}

// couldSeeChanges reports whether a flush would write to a table that is read, or to any, where the context says so.
func (s *Session) couldSeeChanges(ctx context.Context, reads []reader) bool {
	if scope.From(ctx).Autoflush == scope.FlushAll {
		return s.hasChanges(nil)
	}
	for i, r := range reads {
		if q := r.base().q; !r.base().held && q != nil && q.Several() {
			return s.hasChanges(nil) // those of the other tables may decide about its rows too
		}
		if !r.base().held && !asksFor(reads[:i], r.base().x) && s.hasChanges(r.base().x) {
			return true
		}
		if between := r.base().between; between != nil && s.hasChanges(between) {
			return true
		}
	}
	return false
}

// asksFor reports whether one of reads asks for rows of x.
func asksFor(reads []reader, x *meta) bool {
	for _, r := range reads {
		if r.base().x == x && !r.base().held {
			return true
		}
	}
	return false
}

// duringAutoflush says of an error that it came from writing what was pending before a query, and not from the query.
func duringAutoflush(err error, op string, reads []reader) error {
	e, ok := err.(*fault.Error) //nolint:errorlint // only one that the flush has just made
	if !ok || e.Entity == "" || culprit(reads) >= 0 {
		return err
	}
	var tables []string
	for i, r := range reads {
		if x := r.base().x; !r.base().held && !asksFor(reads[:i], x) {
			tables = append(tables, x.Table)
		}
	}
	out := *e
	out.Op = op + ": during autoflush before the query of " + strings.Join(tables, ", ")
	return &out
}

// entityError adds the entity to an error that has none.
func entityError(err error, x *meta) error {
	e, ok := err.(*fault.Error) //nolint:errorlint // only one that exchange has just made
	if !ok || e.Entity != "" || x == nil {
		return err
	}
	out := *e
	out.Entity = x.Name
	return &out
}

// loader returns the loader that a query asks for, and has the burst lock where the query does.
func (s *Session) loader(b *burst, x *meta, op string, q *query.Select, found func(any, *entry)) *loader {
	if q.Locks() {
		b.need = transaction
	}
	return &loader{s: s, x: x, op: op, populate: q.Populate, renew: q.Locks(), untracked: q.NoTracking, found: found}
}

// byKeys adds the queries for the rows with the keys: a list of them in one where the key has one column, and one for
// each otherwise.
func (x *meta) byKeys(b *burst, q *query.Select, keys [][]value.Value, to sink) error {
	for _, k := range x.lists(keys) {
		t, err := q.ByKey(x.d, x.columns, k)
		if err != nil {
			return err
		}
		b.add(x.statement(t, x.types, "select"), to)
	}
	return nil
}

// lists joins keys of one column to lists that one statement can take. Others are taken one by one.
func (x *meta) lists(keys [][]value.Value) (all [][]value.Value) {
	if len(x.Key) > 1 {
		return keys
	}
	for len(keys) > 0 {
		n := min(len(keys), maxBatch)
		list := make([]value.Value, n)
		for i, k := range keys[:n] {
			list[i] = k[0]
		}
		all, keys = append(all, list), keys[n:]
	}
	return all
}
