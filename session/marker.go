package session

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

// markerTable has a row for each unit that wants to know what became of its commit: written by the commit itself, or by
// the first who asks. The key decides who was first, so that a commit that comes after the question fails; and the
// column committed tells whoever asks twice who that was.
const markerTable = "urutu_unit"

var markerTypes = [...]value.Type{value.TypeUUID, value.TypeBool, value.TypeTime}

// markerComponent is the session's own part of what [DB.Install] makes.
func markerComponent() Component {
	return Component{Name: "session", Steps: []Step{func(d dialect.Dialect) []string {
		return []string{"CREATE TABLE IF NOT EXISTS " + markerTable +
			" (id " + d.ColumnType(value.TypeUUID, "") + " NOT NULL PRIMARY KEY" +
			", committed " + d.ColumnType(value.TypeBool, "") + " NOT NULL" +
			", at " + d.ColumnType(value.TypeTime, "") + " NOT NULL)"}
	}}}
}

// markerInsert renders the insertion of a marker.
func markerInsert(d dialect.Dialect) string {
	names := [...]string{"id", "committed", "at"}
	columns := make([]dialect.Column, len(names))
	for i, name := range names {
		columns[i] = dialect.Column{Name: name, Type: markerTypes[i]}
	}
	return d.Insert(dialect.Insert{Table: markerTable, Columns: columns})
}

// mark appends a marker to a burst that commits, and returns the resolver that looks for it.
func (s *Session) mark(b *burst) Resolver {
	m := &marker{id: s.newID(), at: s.time()}
	b.add(m.insert(s.conn.marker, true), m)
	return m.resolve
}

// marker is the row of one commit.
type marker struct {
	id [16]byte
	at time.Time
}

func (m *marker) insert(text string, committed bool) driver.Statement {
	return driver.Statement{
		SQL: text, Types: markerTypes[:], Query: "insert " + markerTable,
		Args: []value.Value{value.OfUUID(m.id), value.OfBool(committed), value.OfTime(m.at)},
	}
}

func (*marker) row([]value.Value) error { return nil }
func (*marker) done(int64, int64) error { return nil }

// name says of an error what the table is for: whoever reads it did not write the statement.
func (*marker) name(e *fault.Error, _ int) {
	e.Table = markerTable
	if e.Kind == fault.Internal {
		e.Kind = fault.Misconfigured
		e.Message = "uow.Options.Resolve needs the table " + markerTable + ", which DB.Install makes, and the right to read and write it"
	}
}

// resolve takes the marker's key unless the commit has it already. It waits for a transaction that has inserted the key
// and not ended yet; one that comes later fails.
func (m *marker) resolve(ctx context.Context) (committed bool, err error) {
	const op = "session.Resolve"
	s, err := enter(ctx, op)
	if err != nil {
		return false, err
	}
	defer s.leave(ctx)
	var c scalar
	err = s.flush(ctx, op, func(b *burst) error {
		b.need = transaction
		b.add(m.insert(s.conn.marker+" ON CONFLICT DO NOTHING", false), m)
		st := own(s.conn.d, "SELECT committed FROM "+markerTable+" WHERE id = ?", value.OfUUID(m.id))
		st.Result = markerTypes[1:2]
		b.add(st, &c)
		return nil
	}, driver.Stay)
	return c.v.Bool(), err
}

// The purge of markers: how young one may be at least, and how many a transaction deletes.
const (
	minPurgeAge = time.Hour
	purgeBatch  = 1000
)

// PurgeUnits deletes the markers that commits of units with uow.Options.Resolve have left, where they are older than
// that, on the connection that ctx chose with [On]. It returns how many they were. Each transaction deletes a thousand
// at most. Nothing else deletes them: call it from a schedule, once an hour or a day, in any process. An age below an
// hour is fault.Invalid: a unit could be asking for its marker still, and would hear that it has not committed. The age
// is counted by the clocks of the programs, which must not be an hour apart.
func (db *DB) PurgeUnits(ctx context.Context, olderThan time.Duration) (purged int64, err error) {
	const op = "session.PurgeUnits"
	if olderThan < minPurgeAge {
		return 0, &fault.Error{Kind: fault.Invalid, Op: op, Message: "markers of units are kept for an hour at least"}
	}
	for {
		var n affected
		err := db.runner.Do(ctx, uow.Op{Name: op}, func(ctx context.Context) error { return purge(ctx, op, olderThan, &n) })
		purged += int64(n)
		if err != nil || n < purgeBatch {
			return purged, err
		}
	}
}

// purge deletes one batch. Keys begin with the time at which they were made, so that the primary key finds the oldest.
func purge(ctx context.Context, op string, olderThan time.Duration, n *affected) error {
	s, err := enter(ctx, op)
	if err != nil {
		return err
	}
	defer s.leave(ctx)
	var until [16]byte
	binary.BigEndian.PutUint64(until[:], uint64(s.time().Add(-olderThan).UnixMilli())<<16)
	return s.flush(ctx, op, func(b *burst) error {
		b.need = transaction
		b.add(own(s.conn.d, "DELETE FROM "+markerTable+" WHERE id IN (SELECT id FROM "+markerTable+
			" WHERE id < ? ORDER BY id LIMIT ?)", value.OfUUID(until), value.OfInt(purgeBatch)), n)
		return nil
	}, driver.Stay)
}

// affected takes the number of rows that a statement wrote.
type affected int64

func (*affected) row([]value.Value) error { return nil }
func (a *affected) done(n, _ int64) error { *a = affected(n); return nil }
