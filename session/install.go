package session

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/scope"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

// Component is what one package keeps in a database for itself: tables that numbered steps bring from one version to the
// next. A step that was released is never changed: what changes is a new one at the end. A program older than the
// database leaves it as it is, so that a step keeps the tables usable for the version before it.
type Component struct {
	// Name identifies the component among those of the database. Required.
	Name string
	// Steps are the versions: the first makes version 1 where there was nothing.
	Steps []Step
}

// Step renders the statements of one step. They run in one transaction.
type Step func(d dialect.Dialect) []string

// schemaTable holds the version of each component. Its row is also the lock that makes installers take turns: unlike an
// advisory lock it is there on every database, and behind every pooler.
const schemaTable = "urutu_schema"

// Install brings urutu's own tables, and those of the components, to the version that this program knows, on the
// connection that ctx chose with [On]. It makes and changes nothing else. Each step is a transaction of its own, so that
// an installation that stops on the way goes on where it stopped. Any number of processes may install at once. Where
// everything is there already, Install only reads, and needs no right but to read the table urutu_schema; otherwise it
// needs that to create tables.
//
// Call it as the program starts, or where migrations run. Inside a unit of work it is independent of that.
func (db *DB) Install(ctx context.Context, components ...Component) error {
	const op = "session.Install"
	c, err := db.connection(op, Name(scope.From(ctx).Connection))
	if err != nil {
		return err
	}
	for _, component := range slices.Concat([]Component{markerComponent()}, components) {
		if err := db.install(ctx, op, c, component); err != nil {
			return &fault.Error{
				Kind: fault.KindOf(err), Op: op, Connection: string(c.cfg.Name), Err: fmt.Errorf("component %q: %w", component.Name, err),
			}
		}
		c.installed.Store(component.Name, len(component.Steps))
	}
	return nil
}

// install brings one component to its last version.
func (db *DB) install(ctx context.Context, op string, conn *connection, c Component) error {
	if c.Name == "" {
		return fault.New(fault.Misconfigured, "a component has no name")
	}
	if v, err := db.installed(ctx, op, conn, c); err == nil && v >= len(c.Steps) {
		return nil
	}
	if db.createSchema(ctx, op) != nil {
		// Of several that create it at once all but one fail, and find it the second time.
		if err := db.createSchema(ctx, op); err != nil {
			return err
		}
	}
	for {
		last := false
		err := db.installing(ctx, op, func(ctx context.Context, s *Session) (err error) {
			last, err = s.step(ctx, op, c)
			return err
		})
		if err != nil || last {
			return err
		}
	}
}

// installing runs fn with the session of a unit of its own.
func (db *DB) installing(ctx context.Context, op string, fn func(ctx context.Context, s *Session) error) error {
	o := uow.Op{Name: op, Options: uow.Options{Isolation: uow.ReadCommitted}}
	return db.runner.Do(ctx, o, func(ctx context.Context) error {
		s, err := enter(ctx, op)
		if err != nil {
			return err
		}
		defer s.leave(ctx)
		return fn(ctx, s)
	})
}

// installed reads a component's version. It fails where nothing was ever installed.
func (db *DB) installed(ctx context.Context, op string, conn *connection, c Component) (version int, err error) {
	var v scalar
	b := &burst{}
	b.add(versionOf(conn.d, c, dialect.NoLock), &v)
	err = db.Ask(ctx, op, &driver.Script{Statements: b.stmts}, b)
	return int(v.v.Int()), err
}

func (db *DB) createSchema(ctx context.Context, op string) error {
	return db.installing(ctx, op, func(ctx context.Context, s *Session) error {
		d := s.conn.d
		return s.ddl(ctx, op, own(d, "CREATE TABLE IF NOT EXISTS "+schemaTable+
			" (component "+d.ColumnType(value.TypeText, "")+" NOT NULL PRIMARY KEY"+
			", version "+d.ColumnType(value.TypeInt64, "")+" NOT NULL"+
			", at "+d.ColumnType(value.TypeTime, "")+" NOT NULL)"))
	})
}

// step locks the component's row and takes the next step, unless there is none. It reports whether that was the last.
func (s *Session) step(ctx context.Context, op string, c Component) (last bool, err error) {
	var v scalar
	err = s.flush(ctx, op, func(b *burst) error {
		b.need = transaction
		b.add(own(s.conn.d, "INSERT INTO "+schemaTable+" (component, version, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
			value.OfText(c.Name), value.OfInt(0), value.OfTime(s.time())), nil)
		b.add(versionOf(s.conn.d, c, dialect.ForUpdate), &v)
		return nil
	}, driver.Stay)
	version := int(v.v.Int())
	if err != nil || version >= len(c.Steps) {
		return true, err
	}
	var stmts []driver.Statement
	for _, text := range c.Steps[version](s.conn.d) {
		stmts = append(stmts, driver.Statement{SQL: text, Query: "install " + c.Name})
	}
	version++
	stmts = append(stmts, own(s.conn.d, "UPDATE "+schemaTable+" SET version = ?, at = ? WHERE component = ?",
		value.OfInt(int64(version)), value.OfTime(s.time()), value.OfText(c.Name)))
	if err := s.ddl(ctx, op, stmts...); err != nil {
		return true, fmt.Errorf("step %d: %w", version, err)
	}
	return version == len(c.Steps), nil
}

// versionOf renders the query for a component's version.
func versionOf(d dialect.Dialect, c Component, lock dialect.Lock) driver.Statement {
	st := own(d, "SELECT version FROM "+schemaTable+" WHERE component = ?", value.OfText(c.Name))
	var b strings.Builder
	b.WriteString(st.SQL)
	d.Locking(&b, lock, "")
	st.SQL, st.Result = b.String(), []value.Type{value.TypeInt64}
	return st
}

// ddl runs statements in the transaction.
func (s *Session) ddl(ctx context.Context, op string, stmts ...driver.Statement) error {
	return s.flush(ctx, op, func(b *burst) error {
		b.need = transaction
		for _, st := range stmts {
			b.add(st, nil)
		}
		return nil
	}, driver.Stay)
}

// own returns a statement of urutu's own, whose text has a "?" for each of its arguments.
func own(d dialect.Dialect, text string, args ...value.Value) driver.Statement {
	var b strings.Builder
	st := driver.Statement{Args: args}
	for i, part := range strings.Split(text, "?") {
		if i > 0 {
			st.Types = append(st.Types, typeOf(args[i-1]))
			d.Param(&b, i, st.Types[i-1])
		}
		b.WriteString(part)
	}
	st.SQL = b.String()
	st.Query, _, _ = strings.Cut(text, "(")
	return st
}

// typeOf returns the type of an argument of urutu's own statements.
func typeOf(v value.Value) value.Type {
	switch v.Kind() {
	case value.Int:
		return value.TypeInt64
	case value.Time:
		return value.TypeTime
	case value.UUID:
		return value.TypeUUID
	default:
		return value.TypeText
	}
}
