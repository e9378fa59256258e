package drivertest

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

func writeTests() []test {
	return []test{
		{name: "insert of one row", run: insertOne},
		{name: "insert of a batch", run: insertBatch},
		{name: "insert of a batch of one", run: insertBatchOfOne},
		{name: "insert of a large batch", run: insertLargeBatch},
		{name: "update of one row", run: updateOne},
		{name: "update of a batch", run: updateBatch},
		{name: "update that only checks", run: updateNothing},
		{name: "delete of one row", run: deleteOne},
		{name: "delete of a batch", run: deleteBatch},
		{name: "composite keys", run: compositeKeys},
		{name: "many statements in one script", run: manyStatements},
		{name: "the count of affected rows", run: affectedRows},
		{name: "one text with different arguments", run: reusedText},
		{name: "a table that changes under a prepared statement", run: changedTable},
	}
}

// The columns of things that the tests write, in the order of row.
var (
	idColumn      = dialect.Column{Name: "id", Type: value.TypeInt64}
	nameColumn    = dialect.Column{Name: "name", Type: value.TypeText}
	amountColumn  = dialect.Column{Name: "amount", Type: value.TypeInt64}
	versionColumn = dialect.Column{Name: "version", Type: value.TypeInt64}
)

// null is the argument for an amount that is NULL.
const null = -1

func amount(i int64) value.Value {
	if i == null {
		return value.Value{}
	}
	return value.OfInt(i)
}

// row is a row of things.
type row struct {
	id      int64
	name    string
	amount  int64
	version int64
}

// inserts renders the insertion of rows in the dialect's form.
func (h *harness) inserts(table string, batch bool, rows ...row) driver.Statement {
	columns := []dialect.Column{idColumn, nameColumn, amountColumn, versionColumn}
	s := driver.Statement{
		SQL:   h.dialect.Insert(dialect.Insert{Table: table, Columns: columns, Batch: batch}),
		Types: typesOf(columns), Query: "insert things",
	}
	for _, r := range rows {
		s.Args = append(s.Args, value.OfInt(r.id), value.OfText(r.name), amount(r.amount), value.OfInt(r.version))
	}
	return batched(s, batch, len(rows))
}

// updates renders the update of name and amount by key and version.
func (h *harness) updates(table string, batch bool, rows ...row) driver.Statement {
	set := []dialect.Column{nameColumn, amountColumn}
	s := driver.Statement{
		SQL: h.dialect.Update(dialect.Update{
			Table: table, Key: []dialect.Column{idColumn}, Version: versionColumn, Set: set, Batch: batch,
		}),
		Types:   typesOf(append([]dialect.Column{idColumn, versionColumn}, set...)),
		Checked: true, Expect: 1, Query: "update things",
	}
	for _, r := range rows {
		s.Args = append(s.Args, value.OfInt(r.id), value.OfInt(r.version), value.OfText(r.name), amount(r.amount))
	}
	return batched(s, batch, len(rows))
}

// deletes renders the deletion by key and version.
func (h *harness) deletes(table string, batch bool, rows ...row) driver.Statement {
	s := driver.Statement{
		SQL: h.dialect.Delete(dialect.Delete{
			Table: table, Key: []dialect.Column{idColumn}, Version: versionColumn, Batch: batch,
		}),
		Types:   typesOf([]dialect.Column{idColumn, versionColumn}),
		Checked: true, Expect: 1, Query: "delete things",
	}
	for _, r := range rows {
		s.Args = append(s.Args, value.OfInt(r.id), value.OfInt(r.version))
	}
	return batched(s, batch, len(rows))
}

func batched(s driver.Statement, batch bool, n int) driver.Statement {
	if batch {
		s.Batch = n
	}
	return s
}

func typesOf(columns []dialect.Column) (types []value.Type) {
	for _, c := range columns {
		types = append(types, c.Type)
	}
	return types
}

// wantRows fails the test unless exactly these rows are in the table.
func (h *harness) wantRows(t *testing.T, table string, want ...row) {
	t.Helper()
	conn := h.acquire(t, driver.Read)
	defer conn.Release()
	q := h.query("SELECT id, name, amount, version FROM "+table+" ORDER BY id",
		[]value.Type{value.TypeInt64, value.TypeText, value.TypeInt64, value.TypeInt64})
	var got []row
	for _, cells := range run(t, conn, script(q)).of(0).rows {
		r := row{id: cells[0].Int(), name: cells[1].Str(), amount: cells[2].Int(), version: cells[3].Int()}
		if cells[2].IsNull() {
			r.amount = null
		}
		got = append(got, r)
	}
	if !slices.Equal(got, want) {
		t.Errorf("rows in the table:\n%v\nwant\n%v", got, want)
	}
}

func insertOne(t *testing.T, h *harness) {
	table := h.things(t)
	h.do(t, h.inserts(table, false, row{1, "one", 10, 1}), h.inserts(table, false, row{2, "two", null, 7}))
	h.wantRows(t, table, row{1, "one", 10, 1}, row{2, "two", null, 7})
}

func insertBatch(t *testing.T, h *harness) {
	table := h.things(t)
	rows := []row{{1, "one", 10, 1}, {2, "zwei, {\"3\"}", null, 1}, {3, "", 0, 1}, {4, "NULL", null, 2}}
	h.do(t, h.inserts(table, true, rows...))
	h.wantRows(t, table, rows...)
}

func insertBatchOfOne(t *testing.T, h *harness) {
	table := h.things(t)
	h.do(t, h.inserts(table, true, row{1, "one", null, 1}))
	h.wantRows(t, table, row{1, "one", null, 1})
}

// insertLargeBatch has a table without foreign keys: dropping many rows that refer to each other takes for ever.
func insertLargeBatch(t *testing.T, h *harness) {
	table := h.create(t,
		h.column("id", value.TypeInt64, "NOT NULL PRIMARY KEY"), h.column("name", value.TypeText, "NOT NULL"),
		h.column("amount", value.TypeInt64, ""), h.column("version", value.TypeInt64, "NOT NULL"))
	rows := make([]row, 1500)
	for i := range rows {
		rows[i] = row{int64(i), strconv.Itoa(i), int64(i % 7), 1}
	}
	h.do(t, h.inserts(table, true, rows...))
	h.wantRows(t, table, rows...)
}

func updateOne(t *testing.T, h *harness) {
	table := h.things(t)
	h.do(t, h.inserts(table, true, row{1, "one", 10, 1}, row{2, "two", 20, 5}))
	h.do(t, h.updates(table, false, row{1, "eins", null, 1}))
	h.wantRows(t, table, row{1, "eins", null, 2}, row{2, "two", 20, 5})
}

func updateBatch(t *testing.T, h *harness) {
	table := h.things(t)
	h.do(t, h.inserts(table, true, row{1, "one", 10, 1}, row{2, "two", 20, 5}, row{3, "three", null, 1}))
	h.do(t, h.updates(table, true, row{3, "drei", 30, 1}, row{1, "eins", null, 1}))
	h.wantRows(t, table, row{1, "eins", null, 2}, row{2, "two", 20, 5}, row{3, "drei", 30, 2})
}

// updateNothing: an update without anything to set checks the row, and moves the version where there is one.
func updateNothing(t *testing.T, h *harness) {
	table := h.things(t)
	h.do(t, h.inserts(table, false, row{1, "one", 10, 1}))
	u := dialect.Update{Table: table, Key: []dialect.Column{idColumn}}
	h.do(t, driver.Statement{
		SQL: h.dialect.Update(u), Types: []value.Type{value.TypeInt64},
		Args: []value.Value{value.OfInt(1)}, Checked: true, Expect: 1,
	})
	h.wantRows(t, table, row{1, "one", 10, 1})

	u.Version = versionColumn
	h.do(t, driver.Statement{
		SQL: h.dialect.Update(u), Types: []value.Type{value.TypeInt64, value.TypeInt64},
		Args: []value.Value{value.OfInt(1), value.OfInt(1)}, Checked: true, Expect: 1,
	})
	h.wantRows(t, table, row{1, "one", 10, 2})
}

func deleteOne(t *testing.T, h *harness) {
	table := h.things(t)
	h.do(t, h.inserts(table, true, row{1, "one", 10, 1}, row{2, "two", 20, 5}))
	h.do(t, h.deletes(table, false, row{id: 2, version: 5}))
	h.wantIDs(t, table, 1)
}

func deleteBatch(t *testing.T, h *harness) {
	table := h.things(t)
	h.do(t, h.inserts(table, true, row{1, "one", 10, 1}, row{2, "two", 20, 5}, row{3, "three", null, 1}))
	h.do(t, h.deletes(table, true, row{id: 3, version: 1}, row{id: 1, version: 1}))
	h.wantIDs(t, table, 2)
}

func compositeKeys(t *testing.T, h *harness) {
	table := h.create(t,
		h.column("id", value.TypeInt64, "NOT NULL"), h.column("name", value.TypeText, "NOT NULL"),
		h.column("amount", value.TypeInt64, ""), h.column("version", value.TypeInt64, "DEFAULT 1"), "PRIMARY KEY (id, name)")
	key := []dialect.Column{idColumn, nameColumn}
	h.do(t, h.inserts(table, true, row{1, "a", 10, 1}, row{1, "b", 20, 1}, row{2, "a", 30, 1}))
	h.do(t, driver.Statement{
		SQL: h.dialect.Update(dialect.Update{
			Table: table, Key: key, Set: []dialect.Column{amountColumn}, Batch: true,
		}),
		Types: []value.Type{value.TypeInt64, value.TypeText, value.TypeInt64},
		Args: []value.Value{
			value.OfInt(1), value.OfText("b"), value.OfInt(21), value.OfInt(2), value.OfText("a"), value.OfInt(31),
		},
		Batch: 2, Checked: true, Expect: 1,
	})
	h.do(t, driver.Statement{
		SQL:   h.dialect.Delete(dialect.Delete{Table: table, Key: key, Batch: true}),
		Types: []value.Type{value.TypeInt64, value.TypeText}, Args: []value.Value{value.OfInt(1), value.OfText("a")},
		Batch: 1, Checked: true, Expect: 1,
	})
	h.wantRows(t, table, row{1, "b", 21, 1}, row{2, "a", 31, 1})
}

func manyStatements(t *testing.T, h *harness) {
	table := h.things(t)
	var statements []driver.Statement
	var want []row
	for i := range int64(100) {
		name := fmt.Sprint("n", i)
		statements = append(statements, h.inserts(table, false, row{i, name, i, 1}),
			h.updates(table, false, row{i, name + "!", i + 1, 1}))
		want = append(want, row{i, name + "!", i + 1, 2})
	}
	h.do(t, statements...)
	h.wantRows(t, table, want...)
}

func affectedRows(t *testing.T, h *harness) {
	table := h.things(t)
	r := h.do(t,
		h.insert(table, 1), h.insert(table, 2), h.insert(table, 3),
		h.statement("UPDATE "+table+" SET amount = amount + 1 WHERE id >= $1", integer(2)),
		h.statement("UPDATE "+table+" SET amount = 0 WHERE id > $1", integer(100)),
		h.query("SELECT id FROM "+table+" WHERE id < $1", []value.Type{value.TypeInt64}, integer(3)),
		h.statement("DELETE FROM "+table),
		h.inserts(table, true, row{1, "a", 1, 1}, row{2, "b", 2, 1}),
	)
	for i, want := range []int64{1, 1, 1, 2, 0, 2, 3, 2} {
		if got := r.of(i).affected; got != want {
			t.Errorf("statement %d affected %d rows, want %d", i, got, want)
		}
	}
}

// reusedText runs one text often enough for any driver to prepare it, with arguments of each sort in turn.
func reusedText(t *testing.T, h *harness) {
	conn := h.acquire(t, driver.Read)
	table := h.things(t)
	h.do(t, h.inserts(table, true, row{1, "one", 1, 1}, row{2, "two", 2, 1}, row{3, "three", null, 1}))
	for range 10 {
		for id, name := range []string{1: "one", 2: "two", 3: "three"} {
			q := h.query("SELECT name FROM "+table+" WHERE id = $1 AND name = $2", []value.Type{value.TypeText},
				integer(int64(id)), text(name))
			rows := run(t, conn, script(q)).of(0).rows
			if id == 0 && len(rows) != 0 || id > 0 && (len(rows) != 1 || rows[0][0] != value.OfText(name)) {
				t.Fatalf("row %d is %v, want %q", id, rows, name)
			}
		}
	}
}

func changedTable(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	q := h.query("SELECT * FROM "+table, nil)
	q.Result = []value.Type{value.TypeInt64}
	run(t, conn, transaction(h.insert(table, 1), q))
	run(t, conn, transaction(h.statement("ALTER TABLE "+table+" ADD COLUMN extra integer")))
	// A driver may fail once for what it has prepared, outside a transaction, and then has to have learnt it.
	if err := conn.Run(t.Context(), script(q), &results{}); err != nil {
		t.Logf("the first query after the change: %v", err)
	}
	if rows := run(t, conn, script(q)).of(0).rows; len(rows) != 1 || len(rows[0]) != 7 {
		t.Errorf("rows after a column was added: %v", rows)
	}
}
