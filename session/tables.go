package session

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/session/driver"
)

// CreateTables makes the tables of the entities, with their keys, constraints and indexes, where they do not exist, in
// the session's transaction. Entities are given as nil pointers: CreateTables(ctx, (*User)(nil), (*Order)(nil)); their
// order does not matter. The tables in between of many-to-many relations among them are made too, unless an entity is
// given for them. CreateTables is meant for tests, examples and first steps: it never changes a table that is there,
// which is the business of migrations.
func CreateTables(ctx context.Context, entities ...any) error {
	const op = "session.CreateTables"
	s, err := enter(ctx, op)
	if err != nil {
		return err
	}
	defer s.leave(ctx)
	if err := s.outsideFlush(op); err != nil {
		return err
	}
	var models []*model.Model
	for _, e := range entities {
		m, err := modelOfPointer(e)
		if err != nil {
			return s.wrap(op, err)
		}
		models = append(models, m)
	}
	if models, err = withLinks(models); err != nil {
		return s.wrap(op, err)
	}
	return s.flush(ctx, op, func(b *burst) error {
		b.need = transaction
		for _, ddl := range createTables(s.conn.d, models) {
			b.add(driver.Statement{SQL: ddl, Query: "create table"}, nil)
		}
		return nil
	}, driver.Stay)
}

func modelOfPointer(e any) (*model.Model, error) {
	t := reflect.TypeOf(e)
	if t == nil || t.Kind() != reflect.Pointer {
		return nil, &fault.Error{Kind: fault.Misconfigured, Message: "entities are given as nil pointers to their struct"}
	}
	return model.Of(t.Elem())
}

// withLinks adds the tables in between of relations whose ends are both among the models.
func withLinks(models []*model.Model) ([]*model.Model, error) {
	byTable := map[string]*model.Model{}
	for _, m := range models {
		byTable[m.Table] = m
	}
	all := slices.Clone(models)
	for _, m := range models {
		for _, r := range m.Relations {
			e, err := r.Ends()
			if err != nil {
				return nil, err
			}
			if e.Link == nil || !slices.Contains(models, e.Target) {
				continue
			}
			switch made := byTable[e.Link.Table]; {
			case made == nil:
				byTable[e.Link.Table] = e.Link
				all = append(all, e.Link)
			case made != e.Link && !slices.Contains(models, made):
				return nil, &fault.Error{
					Kind: fault.Misconfigured, Entity: m.Name, Table: e.Link.Table,
					Message: "the rel tag of " + r.Name + " describes the table in between otherwise than that of the other end",
				}
			}
		}
	}
	return all, nil
}

// createTables renders the tables so that each comes after those that it refers to. A reference in a circle is added by
// a statement of its own where the database wants to see the table first.
func createTables(d dialect.Dialect, models []*model.Model) []string {
	c := creator{d: d, byTable: map[string]*model.Model{}, made: map[*model.Model]bool{}}
	for _, m := range models {
		c.byTable[m.Table] = m
	}
	for _, m := range models {
		c.visit(m)
	}
	return append(c.ddl, c.late...)
}

type creator struct {
	d       dialect.Dialect
	byTable map[string]*model.Model
	made    map[*model.Model]bool // false while its references are being visited
	ddl     []string
	late    []string
}

func (c *creator) visit(m *model.Model) {
	if _, seen := c.made[m]; seen {
		return
	}
	c.made[m] = false
	for _, r := range m.References {
		if to := c.byTable[r.Table]; to != nil && to != m {
			c.visit(to)
		}
	}
	c.ddl = append(c.ddl, c.table(m))
	c.made[m] = true
	for _, i := range slices.Concat(m.Indexes, referenceIndexes(m)) {
		c.ddl = append(c.ddl, "CREATE INDEX IF NOT EXISTS "+c.quote(i.Name)+" ON "+c.quote(m.Table)+" ("+c.list(i.Columns)+")")
	}
}

// referenceIndexes are indexes for the foreign keys that have none: without one the database reads the whole table for
// every row that is deleted from the other.
func referenceIndexes(m *model.Model) []model.Constraint {
	indexed := map[string]bool{m.Key[0].Column: true}
	for _, i := range slices.Concat(m.Indexes, m.Uniques) {
		indexed[i.Columns[0]] = true
	}
	var missing []model.Constraint
	for _, r := range m.References {
		if !indexed[r.Column] {
			indexed[r.Column] = true
			missing = append(missing, model.Constraint{Name: strings.TrimSuffix(r.Name, "fkey") + "idx", Columns: []string{r.Column}})
		}
	}
	return missing
}

func (c *creator) table(m *model.Model) string {
	var b strings.Builder
	b.WriteString("CREATE TABLE IF NOT EXISTS " + c.quote(m.Table) + " (")
	keyed := false
	for i, f := range m.Fields {
		if i > 0 {
			b.WriteString(", ")
		}
		keyed = c.column(&b, f) || keyed
	}
	if !keyed {
		var key []string
		for _, f := range m.Key {
			key = append(key, f.Column)
		}
		b.WriteString(", CONSTRAINT " + c.quote(primaryKeyName(m.Table)) + " PRIMARY KEY (" + c.list(key) + ")")
	}
	for _, u := range m.Uniques {
		b.WriteString(", CONSTRAINT " + c.quote(u.Name) + " UNIQUE (" + c.list(u.Columns) + ")")
		if u.Deferrable && c.d.Features().DeferrableUnique {
			b.WriteString(deferred)
		}
	}
	for _, r := range m.References {
		to := c.byTable[r.Table]
		if c.d.Features().Pipeline && to != nil && to != m && !c.made[to] { // in a circle
			c.late = append(c.late, c.lateReference(m, r))
			continue
		}
		b.WriteString(", " + c.reference(r))
	}
	b.WriteString(")")
	return b.String()
}

// column appends a column's definition and reports whether it says that it is the primary key.
func (c *creator) column(b *strings.Builder, f *model.Field) (keyed bool) {
	b.WriteString(c.quote(f.Column) + " ")
	if f.Serial {
		ddl, includesKey := c.d.SerialType(f.Type)
		b.WriteString(ddl)
		return includesKey
	}
	b.WriteString(c.d.ColumnType(f.Type, f.Native))
	if f.Generated != "" {
		b.WriteString(" GENERATED ALWAYS AS (" + f.Generated + ") STORED")
	}
	if !f.Nullable {
		b.WriteString(" NOT NULL")
	}
	if f.ServerDefault != "" {
		b.WriteString(" DEFAULT " + defaultExpression(f.ServerDefault))
	}
	return false
}

// defaultExpression puts an expression that is more than a literal or a keyword into parentheses, which SQLite wants.
func defaultExpression(expr string) string {
	if strings.ContainsAny(expr, "( +") && !strings.HasPrefix(expr, "(") && !strings.HasPrefix(expr, "'") {
		return "(" + expr + ")"
	}
	return expr
}

func (c *creator) reference(r model.Reference) string {
	s := "CONSTRAINT " + c.quote(r.Name) + " FOREIGN KEY (" + c.quote(r.Column) + ") REFERENCES " +
		c.quote(r.Table) + " (" + c.quote(r.Target) + ")"
	if r.OnDelete != "" {
		s += " ON DELETE " + r.OnDelete
	}
	if r.Deferrable && c.d.Features().DeferrableConstraints {
		s += deferred
	}
	return s
}

// deferred makes a constraint one that is checked at the commit.
const deferred = " DEFERRABLE INITIALLY DEFERRED"

// lateReference adds a reference to a table that is there already, unless it has it.
func (c *creator) lateReference(m *model.Model, r model.Reference) string {
	return "DO $urutu$ BEGIN ALTER TABLE " + c.quote(m.Table) + " ADD " + c.reference(r) +
		"; EXCEPTION WHEN duplicate_object THEN NULL; END $urutu$"
}

func (c *creator) quote(name string) string { return dialect.Quote(c.d, name) }

func (c *creator) list(columns []string) string {
	quoted := make([]string, len(columns))
	for i, col := range columns {
		quoted[i] = c.quote(col)
	}
	return strings.Join(quoted, ", ")
}

// primaryKeyName is what CreateTables calls a primary key, and PostgreSQL too.
func primaryKeyName(table string) string {
	return strings.ReplaceAll(table[strings.LastIndexByte(table, '.')+1:], `"`, "") + "_pkey"
}
