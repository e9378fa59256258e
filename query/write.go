package query

import (
	"unsafe"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// UpdateClause is a part of an update by criteria: an [Assignment], a [Predicate], [Filters], [WithDeleted], or what is said
// of its rows and of the objects that the session has. An order, a limit or a lock is none: the compiler refuses it.
type UpdateClause interface{ update(w *Write) }

// DeleteClause is a part of a deletion by criteria: a [Predicate], [Filters], or what is said of its rows and of the objects
// that the session has.
type DeleteClause interface {
	UpdateClause
	deletes()
}

func (p Predicate) update(w *Write) { p.apply(&w.rows) }
func (p Predicate) deletes()        {}

func (s Scope) update(w *Write) { w.rows.withDeleted = true }

// Breadth says how many rows an update or a deletion by criteria may meet.
type Breadth uint8

// AllRows says that every row may be meant. Without it, an update or a deletion whose predicates leave out none is
// refused: a filter may have been forgotten, or turned out empty.
const AllRows Breadth = 1

func (b Breadth) update(w *Write) { w.all = true }
func (b Breadth) deletes()        {}

// Tracked says what becomes of the objects that the session has of the entity. Without one they are read again, in the
// same round trip where the database pipelines.
type Tracked uint8

// What becomes of the objects that the session has.
const (
	// EvictTracked makes the session forget them, which saves reading them: they are detached, and stay as they are.
	EvictTracked Tracked = iota + 1
	// RefuseTracked fails, before anything is written, where the session has one: for code that relies on none being
	// there.
	RefuseTracked
)

func (t Tracked) update(w *Write) { w.Tracked = t }
func (t Tracked) deletes()        {}

// Assignment is what an update by criteria sets one column to: see [Set], [Add] and [SetTo].
type Assignment struct {
	kind assignment
	col  column
	arg  unsafe.Pointer // the operand, of the column's type
	from column
}

type assignment uint8

const (
	setValue assignment = iota
	addValue
	setColumn
)

func (a Assignment) update(w *Write) { w.set = append(w.set, a) }

// Set sets the column to v. A v that is stored as NULL (a nil pointer) sets it to NULL.
func Set[V any](col *V, v V) Assignment {
	return Assignment{kind: setValue, col: columnOf(col), arg: unsafe.Pointer(&v)}
}

// Number is a type of columns that [Add] can add to.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~float32 | ~float64
}

// Add adds n, which may be negative, to what the column holds; NULL stays NULL. A sum that the column cannot hold is an
// error on PostgreSQL. SQLite has no bounds to check: where one could be met, a predicate keeps the rows away from it.
func Add[V Number](col *V, n V) Assignment {
	return Assignment{kind: addValue, col: columnOf(col), arg: unsafe.Pointer(&n)}
}

// SetTo sets the column to what another column of the row held before the update.
func SetTo[V any](col, from *V) Assignment {
	return Assignment{kind: setColumn, col: columnOf(col), from: columnOf(from)}
}

// Write is an update or a deletion of the rows that criteria describe, collected from clauses. It is what a session
// renders; applications have no use for it. It is not safe for concurrent use.
type Write struct {
	// Tracked is what becomes of the session's objects; zero to read them again.
	Tracked Tracked

	rows Select
	set  []Assignment
	all  bool
}

// CompileWrite collects the clauses of an update of m's table, or of a deletion from it.
func CompileWrite[C UpdateClause](m *model.Model, clauses ...C) *Write {
	w := &Write{rows: *Compile(m)}
	for _, c := range clauses {
		if any(c) != nil {
			c.update(w)
		}
	}
	return w
}

// Blame is [Select.Blame] for what the rows are picked by. The value may be one that is assigned, which no client is to
// blame for: so what it is has to be among the words.
func (w *Write) Blame(e *fault.Error) { w.rows.blame(e, min(len(w.set), 1)) }

// Update renders "UPDATE table SET ... WHERE ...". Where the entity has them, updated_at becomes now and the version
// grows by one.
func (w *Write) Update(d dialect.Dialect, now value.Value) (Text, error) {
	r := newWriter(d, w)
	if len(w.set) == 0 {
		return Text{}, r.misset("an update that sets nothing; add query.Set, query.Add or query.SetTo")
	}
	r.update()
	assigned := make(map[*model.Field]bool, len(w.set))
	for i, a := range w.set {
		if i > 0 {
			r.write(", ")
		}
		f, err := r.assign(a)
		if err != nil {
			return Text{}, err
		}
		if assigned[f] {
			return Text{}, r.misset("the column is set twice", f)
		}
		assigned[f] = true
	}
	r.keep(now)
	return r.whereOf(w)
}

// Delete renders "DELETE FROM table WHERE ...", or the update that marks the rows where the entity is soft-deleted.
func (w *Write) Delete(d dialect.Dialect, now value.Value) (Text, error) {
	r := newWriter(d, w)
	if f := r.m.Deleted; f != nil {
		r.update()
		r.name(f)
		r.write(" = ")
		r.operand(r.mine(f), f.Kept(now))
		r.keep(now)
	} else {
		r.write("DELETE FROM ")
		d.Ident(&r.b, r.m.Table)
	}
	return r.whereOf(w)
}

// newWriter returns a renderer for a write. What it assigns has no table before it; what it compares has, where a subquery
// could take it for a column of its own.
func newWriter(d dialect.Dialect, w *Write) *renderer {
	r := &renderer{d: d, m: w.rows.m}
	r.own[0].m = r.m
	r.scope.sources = r.own[:]
	return r
}

// name writes the name of a column that is assigned to.
func (r *renderer) name(f *model.Field) { r.d.Ident(&r.b, f.Column) }

func (r *renderer) update() {
	r.write("UPDATE ")
	r.d.Ident(&r.b, r.m.Table)
	r.write(" SET ")
}

// keep renders the assignments of what the session keeps, behind others.
func (r *renderer) keep(now value.Value) {
	if f := r.m.Updated; f != nil {
		r.write(", ")
		r.name(f)
		r.write(" = ")
		r.operand(r.mine(f), f.Kept(now))
	}
	if f := r.m.Version; f != nil {
		r.write(", ")
		r.name(f)
		r.write(" = ")
		r.name(f)
		r.write(" + 1")
	}
}

// whereOf completes a write by its predicates.
func (r *renderer) whereOf(w *Write) (Text, error) {
	if w.rows.invalid != nil {
		return Text{}, w.rows.invalid
	}
	if err := w.rows.projects(); err != nil {
		return Text{}, err
	}
	if w.rows.arranged() {
		return Text{}, r.misset("a filter injects an order, a limit, a lock or a join, which no update or deletion has")
	}
	if all, _ := And(w.rows.where...).constant(); all && !w.all {
		return Text{}, r.misset("no predicate leaves out a row; say query.AllRows where all of them are meant")
	}
	if w.rows.several {
		r.own[0].name = dialect.Quote(r.d, r.m.Table) + "."
	}
	return r.done(r.where(&w.rows))
}

// assign renders one assignment.
func (r *renderer) assign(a Assignment) (*model.Field, error) {
	f, err := r.field(a.col)
	if err != nil {
		return nil, err
	}
	if reason := r.fixed(f.Field); reason != "" {
		return nil, r.misset(reason, f.Field)
	}
	r.name(f.Field)
	r.write(" = ")
	switch a.kind {
	case setColumn:
		from, err := r.field(a.from)
		if err != nil {
			return nil, err
		}
		r.column(from)
		return f.Field, nil
	case addValue:
		if !adds(f.Type) {
			return nil, r.misset("it is stored as "+f.Type.String()+", to which nothing can be added", f.Field)
		}
		r.column(f)
		r.write(" + ")
	}
	v, err := r.encode(f, a.arg)
	if err != nil {
		return nil, err
	}
	r.operand(f, v)
	return f.Field, nil
}

// mine returns a column of the statement's own table.
func (r *renderer) mine(f *model.Field) ref { return ref{f, &r.scope.sources[0]} }

// fixed says why the column is in no update by criteria; "" where it may be.
func (r *renderer) fixed(f *model.Field) string {
	switch {
	case f.Key:
		return "it is part of the key, which never changes"
	case f.Generated != "":
		return "the database computes it"
	case f == r.m.Created, f == r.m.Updated, f == r.m.Version:
		return "the session keeps it"
	case f.ReadOnly:
		return "it is read-only"
	default:
		return ""
	}
}

// adds reports whether every database adds to what is stored as t.
func adds(t value.Type) bool {
	switch t {
	case value.TypeInt16, value.TypeInt32, value.TypeInt64, value.TypeFloat32, value.TypeFloat64:
		return true
	default:
		return false
	}
}

// misset is an error of the program that builds a write, about a field where one is given.
func (r *renderer) misset(message string, fields ...*model.Field) error {
	err := &fault.Error{Kind: fault.Misconfigured, Op: "query", Entity: r.m.Name, Message: message}
	for _, f := range fields {
		err.Message = f.Name + " cannot be set so: " + message
		err.Columns = append(err.Columns, f.Column)
	}
	return err
}
