package session

import (
	"context"
	"iter"
	mathbits "math/bits"
	"reflect"
	"strings"
	"sync"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// meta is what a connection knows of a model: its statements in the connection's dialect. It is safe for concurrent
// use.
type meta struct {
	*model.Model
	d          dialect.Dialect
	columns    string           // the select list: every column, in the order of the fields
	get        driver.Statement // reads the row with a key, which its Args are
	types      []value.Type     // of the select list
	keyList    string           // the select list with nothing but the key
	keyTypes   []value.Type     // of that
	cols       []dialect.Column
	secret     []bool         // nil where no column is
	stamped    []*model.Field // what Add and the flush fill in, and a rollback puts back
	serverSide []*model.Field // what only the database knows after an insert
	generated  []*model.Field // what only the database knows after an update
	watched    []*model.Field // what is written where it has changed, and the key, which must not change
	hooks      hooks
	relations  []*relation
	layout     *layout // of the rows that a session keeps
	uniques    []unique
	uniqueCols bits     // of the unique constraints besides the primary key
	texts      sync.Map // textKey -> *text
	upserts    sync.Map // upsertKey -> *text
}

// relation is a relation of a model with both its ends.
type relation struct {
	*model.Relation
	*model.Ends
}

// hooks says which hooks the entity has.
type hooks struct {
	beforeInsert, beforeUpdate, beforeDelete bool
	afterInsert, afterUpdate, afterDelete    bool
}

func (h hooks) after() bool { return h.afterInsert || h.afterUpdate || h.afterDelete }

// enterFor is enter for a verb about T's table, with what the connection knows of it. Where there is no error, the verb has
// to leave.
func enterFor[T any](ctx context.Context, op string) (*Session, *meta, error) {
	s, err := enter(ctx, op)
	if err != nil {
		return nil, nil, err
	}
	x, err := metaOf[T](s.conn, op)
	if err != nil {
		s.leave(ctx)
		return nil, nil, err
	}
	return s, x, nil
}

// metaOf returns the connection's knowledge of T.
func metaOf[T any](c *connection, op string) (*meta, error) {
	m, err := model.For[T]()
	if err != nil {
		return nil, &fault.Error{Kind: fault.KindOf(err), Op: op, Err: err}
	}
	return c.meta(m, op)
}

func (c *connection) meta(m *model.Model, op string) (*meta, error) {
	if x, ok := c.metas.Load(m); ok {
		return x.(*meta), nil
	}
	if len(m.Fields) > maxColumns {
		return nil, &fault.Error{Kind: fault.Misconfigured, Op: op, Entity: m.Name, Message: "it has more than 256 columns"}
	}
	var relations []*relation
	for _, r := range m.Relations {
		ends, err := r.Ends()
		if err != nil {
			return nil, &fault.Error{Kind: fault.KindOf(err), Op: op, Err: err}
		}
		relations = append(relations, &relation{r, ends})
	}
	x, _ := c.metas.LoadOrStore(m, newMeta(m, relations, c.d))
	return x.(*meta), nil
}

func newMeta(m *model.Model, relations []*relation, d dialect.Dialect) *meta {
	x := &meta{Model: m, d: d, relations: relations, layout: layoutOf(m.Fields)}
	var list strings.Builder
	for i, f := range m.Fields {
		if i > 0 {
			list.WriteString(", ")
		}
		d.Ident(&list, f.Column)
		x.types = append(x.types, f.Type)
		x.cols = append(x.cols, dialect.Column{Name: f.Column, Type: f.Type, Native: f.Native})
		x.classify(f)
	}
	x.columns = list.String()
	list.Reset()
	for i, f := range m.Key {
		if i > 0 {
			list.WriteString(", ")
		}
		d.Ident(&list, f.Column)
		x.keyTypes = append(x.keyTypes, f.Type)
	}
	x.keyList = list.String()
	x.uniques = uniquesOf(x)
	for _, u := range x.uniques[1:] {
		x.uniqueCols.add(u.cols)
	}
	x.get = x.byKey()
	x.hooks = hooksOf(reflect.PointerTo(m.Type))
	return x
}

// byKey renders the query for the row with a key.
func (x *meta) byKey() driver.Statement {
	t, _ := query.Compile(x.Model).ByKey(x.d, x.columns, make([]value.Value, len(x.Key))) // fails for what clauses say
	t.Args = nil
	return x.statement(t, x.types, "select")
}

// classify sorts a field into the lists of what is filled in by whom.
func (x *meta) classify(f *model.Field) {
	server := f.Serial || f.ServerDefault != "" || f.Generated != ""
	if server {
		x.serverSide = append(x.serverSide, f)
	}
	if f.Generated != "" {
		x.generated = append(x.generated, f)
	}
	if f.Key || !x.Immutable(f) && f != x.Updated && f != x.Version {
		x.watched = append(x.watched, f)
	}
	if server || f == x.Created || f == x.Updated || f == x.Version || f == x.Deleted || x.stampsKey(f) {
		x.stamped = append(x.stamped, f)
	}
	if f.Secret && x.secret == nil {
		x.secret = make([]bool, len(x.Fields))
	}
	if f.Secret {
		x.secret[f.Index] = true
	}
}

// stampsKey reports whether Add gives the key field a new UUID where it is zero: it is one, and refers to no other
// table.
func (x *meta) stampsKey(f *model.Field) bool {
	if !f.Key || f.Type != value.TypeUUID {
		return false
	}
	for _, r := range x.References {
		if r.Field == f {
			return false
		}
	}
	for _, r := range x.relations {
		if r.Kind == model.BelongsTo && r.Local == f {
			return false
		}
	}
	return true
}

func hooksOf(t reflect.Type) hooks {
	is := func(i reflect.Type) bool { return t.Implements(i) }
	return hooks{
		beforeInsert: is(reflect.TypeFor[entity.BeforeInserter]()),
		beforeUpdate: is(reflect.TypeFor[entity.BeforeUpdater]()),
		beforeDelete: is(reflect.TypeFor[entity.BeforeDeleter]()),
		afterInsert:  is(reflect.TypeFor[entity.AfterInserter]()),
		afterUpdate:  is(reflect.TypeFor[entity.AfterUpdater]()),
		afterDelete:  is(reflect.TypeFor[entity.AfterDeleter]()),
	}
}

// maxColumns is the number of columns that a bits can tell apart.
const maxColumns = 256

// bits is a set of columns by their index.
type bits [maxColumns / 64]uint64

func (b *bits) set(i int)      { b[i>>6] |= 1 << (i & 63) }
func (b *bits) has(i int) bool { return b[i>>6]&(1<<(i&63)) != 0 }
func (b *bits) empty() bool    { return *b == bits{} }

// all returns the numbers in it, in order.
func (b *bits) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, word := range b {
			for ; word != 0; word &= word - 1 {
				if !yield(i<<6 + mathbits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}

func (b *bits) add(o bits) {
	for i := range b {
		b[i] |= o[i]
	}
}

func (b *bits) meets(o bits) bool {
	for i := range b {
		if b[i]&o[i] != 0 {
			return true
		}
	}
	return false
}

// textKey identifies a statement of a model: what it does to which columns.
type textKey struct {
	op    writeOp
	cols  bits
	batch bool
	part  bool // without a look at the version
}

// text is a rendered write and its parameters' types.
type text struct {
	sql    string
	types  []value.Type
	secret []bool
	result []value.Type
	query  string
}

// text returns the statement for the key, rendered once.
func (x *meta) text(key textKey) *text {
	if t, ok := x.texts.Load(key); ok {
		return t.(*text)
	}
	t, _ := x.texts.LoadOrStore(key, x.render(key))
	return t.(*text)
}

func (x *meta) render(key textKey) *text {
	t := &text{query: key.op.String() + " " + x.Table}
	var set []dialect.Column
	if key.op != opInsert {
		for _, f := range x.Key {
			t.param(x, f)
		}
		if x.Version != nil && !key.part {
			t.param(x, x.Version)
		}
	}
	for i, f := range x.Fields {
		if key.cols.has(i) && !(key.op == opUpdate && f == x.Version) {
			set = append(set, x.cols[i])
			t.param(x, f)
		}
	}
	var returning []string
	if !key.batch && x.d.Features().Returning {
		for _, f := range x.returns(key.op) {
			returning = append(returning, f.Column)
			t.result = append(t.result, f.Type)
		}
	}
	version := x.versionColumn()
	if key.part {
		version = dialect.Column{}
	}
	switch key.op {
	case opInsert:
		t.sql = x.d.Insert(dialect.Insert{Table: x.Table, Columns: set, Returning: returning, Batch: key.batch})
	case opUpdate:
		t.sql = x.d.Update(dialect.Update{
			Table: x.Table, Key: x.keyColumns(), Version: version, Set: set, Returning: returning, Batch: key.batch,
		})
	case opDelete:
		t.sql = x.d.Delete(dialect.Delete{Table: x.Table, Key: x.keyColumns(), Version: version, Batch: key.batch})
	}
	return t
}

// paramType returns the type that a parameter for the field is declared as. What becomes a day, or a timestamp without a zone, is
// read as that by the database: as an instant it would be converted to the zone of the database's session.
func (x *meta) paramType(f *model.Field) value.Type {
	if f.Type == value.TypeTime && f.Native != "" && x.d.ColumnType(f.Type, f.Native) == f.Native {
		return value.TypeUnknown
	}
	return f.Type
}

// param adds a parameter for the field.
func (t *text) param(x *meta, f *model.Field) {
	t.types = append(t.types, x.paramType(f))
	if x.secret == nil {
		return
	}
	t.secret = append(t.secret, f.Secret)
}

// returns lists the columns that the database fills in as it does op.
func (x *meta) returns(op writeOp) []*model.Field {
	switch op {
	case opInsert:
		return x.serverSide
	case opUpdate:
		return x.generated
	default:
		return nil
	}
}

func (x *meta) keyColumns() []dialect.Column {
	cols := make([]dialect.Column, len(x.Key))
	for i, f := range x.Key {
		cols[i] = x.cols[f.Index]
	}
	return cols
}

func (x *meta) versionColumn() dialect.Column {
	if x.Version == nil {
		return dialect.Column{}
	}
	return x.cols[x.Version.Index]
}
