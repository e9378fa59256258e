package drivertest

import (
	"testing"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

func generatedTests() []test {
	return []test{
		{name: "an insert returns what the database generated", needs: returning, run: insertReturning},
		{name: "an insert of nothing but defaults returns them", needs: returning, run: insertDefaults},
		{name: "an update returns what it wrote", needs: returning, run: updateReturning},
		{name: "an insert tells the generated key", needs: lastID, run: insertLastID},
		{name: "a generated key can be given", run: givenKey},
	}
}

func lastID(f dialect.Features) bool { return f.LastID }

// serials makes a table whose key the database generates.
func (h *harness) serials(t *testing.T) string {
	t.Helper()
	ddl, includesKey := h.dialect.SerialType(value.TypeInt64)
	lines := []string{"id " + ddl, h.column("name", value.TypeText, "DEFAULT 'nobody' NOT NULL")}
	if !includesKey {
		lines = append(lines, "PRIMARY KEY (id)")
	}
	return h.create(t, lines...)
}

func insertReturning(t *testing.T, h *harness) {
	table := h.serials(t)
	s := driver.Statement{
		SQL: h.dialect.Insert(dialect.Insert{
			Table: table, Columns: []dialect.Column{nameColumn}, Returning: []string{"id", "name"},
		}),
		Types: []value.Type{value.TypeText}, Args: []value.Value{value.OfText("ann")},
		Result: []value.Type{value.TypeInt64, value.TypeText},
	}
	r := h.do(t, s, s)
	first, second := r.of(0).rows, r.of(1).rows
	if len(first) != 1 || len(second) != 1 || first[0][1] != value.OfText("ann") {
		t.Fatalf("returned %v and %v", first, second)
	}
	if a, b := first[0][0].Int(), second[0][0].Int(); a < 1 || b <= a {
		t.Errorf("generated the keys %d and %d", a, b)
	}
	h.wantIDs(t, table, first[0][0].Int(), second[0][0].Int())
}

func insertDefaults(t *testing.T, h *harness) {
	table := h.serials(t)
	r := h.do(t, driver.Statement{
		SQL:    h.dialect.Insert(dialect.Insert{Table: table, Returning: []string{"name", "id"}}),
		Result: []value.Type{value.TypeText, value.TypeInt64},
	})
	rows := r.of(0).rows
	if len(rows) != 1 || rows[0][0] != value.OfText("nobody") || rows[0][1].Kind() != value.Int {
		t.Errorf("returned %v", rows)
	}
}

func updateReturning(t *testing.T, h *harness) {
	table := h.stock(t)
	s := h.updates(table, false, row{2, "zwei", null, 1})
	s.SQL = h.dialect.Update(dialect.Update{
		Table: table, Key: []dialect.Column{idColumn}, Version: versionColumn,
		Set: []dialect.Column{nameColumn, amountColumn}, Returning: []string{"version", "amount", "name"},
	})
	s.Result = []value.Type{value.TypeInt64, value.TypeInt64, value.TypeText}
	rows := h.do(t, s).of(0).rows
	// A dialect that raises has a column of its own behind those that were asked for.
	if len(rows) != 1 || len(rows[0]) < 3 || rows[0][0] != value.OfInt(2) || !rows[0][1].IsNull() ||
		rows[0][2] != value.OfText("zwei") {
		t.Errorf("returned %v", rows)
	}
	h.wantRows(t, table, row{1, "one", 10, 1}, row{2, "zwei", null, 2}, row{3, "three", 30, 1})
}

func insertLastID(t *testing.T, h *harness) {
	table := h.serials(t)
	s := driver.Statement{
		SQL:   h.dialect.Insert(dialect.Insert{Table: table, Columns: []dialect.Column{nameColumn}}),
		Types: []value.Type{value.TypeText}, Args: []value.Value{value.OfText("ann")},
	}
	r := h.do(t, s, s)
	first, second := r.of(0).lastID, r.of(1).lastID
	if first < 1 || second <= first {
		t.Errorf("generated the keys %d and %d", first, second)
	}
	h.wantIDs(t, table, first, second)
}

func givenKey(t *testing.T, h *harness) {
	table := h.serials(t)
	h.do(t, driver.Statement{
		SQL:   h.dialect.Insert(dialect.Insert{Table: table, Columns: []dialect.Column{idColumn, nameColumn}}),
		Types: []value.Type{value.TypeInt64, value.TypeText},
		Args:  []value.Value{value.OfInt(41), value.OfText("ann")},
	})
	h.wantIDs(t, table, 41)
}
