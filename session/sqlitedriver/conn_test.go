package sqlitedriver

import (
	"testing"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// callback is called back with the first row.
type callback func() error

func (c callback) Row(int, []driver.Cell) error { return c() }

func (callback) Done(int, int64, int64) error { return nil }

func TestRunInsideRun(t *testing.T) {
	t.Parallel()

	conn := newWriter(t, openFile(t, t.TempDir()))
	var inner error
	err := conn.Run(t.Context(), script(query("SELECT 1")), callback(func() error {
		inner = conn.Run(t.Context(), script(query("SELECT 2")), driver.Discard)
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, inner, fault.ConcurrentUse)
	one(t, conn, "SELECT 3")
}

func TestPanicInACallback(t *testing.T) {
	t.Parallel()

	p := openFile(t, t.TempDir())
	conn := newWriter(t, p)
	mustRun(t, conn, statement("CREATE TABLE t (x)"))
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		s := beginning(driver.TxOptions{}, statement("INSERT INTO t VALUES (1)"), query("SELECT x FROM t"))
		_ = conn.Run(t.Context(), s, callback(func() error { panic("in a callback") }))
	}()
	conn.Release()
	if got := one(t, newWriter(t, p), "SELECT count(*) FROM t"); got != value.OfInt(0) {
		t.Errorf("%v rows", got)
	}
}

func TestRunAfterRelease(t *testing.T) {
	t.Parallel()

	conn := newWriter(t, openFile(t, t.TempDir()))
	conn.Release()
	conn.Release()
	wantKind(t, conn.Run(t.Context(), script(query("SELECT 1")), driver.Discard), fault.ConnectionLost)
}

func TestWrongArguments(t *testing.T) {
	t.Parallel()

	conn := newWriter(t, openFile(t, t.TempDir()))
	for name, s := range map[string]driver.Statement{
		"too few":           {SQL: "SELECT ?1", Types: []value.Type{value.TypeInt64}},
		"too many":          {SQL: "SELECT 1", Args: []value.Value{value.OfInt(1)}},
		"a short batch":     {SQL: "SELECT ?1", Types: []value.Type{value.TypeInt64}, Args: []value.Value{value.OfInt(1)}, Batch: 2},
		"fewer than places": {SQL: "SELECT ?1, ?2", Types: []value.Type{value.TypeInt64}, Args: []value.Value{value.OfInt(1)}},
		"a list too many":   {SQL: "SELECT 1", Lists: [][]value.Value{{value.OfInt(1)}}},
	} {
		err := conn.Run(t.Context(), script(s), driver.Discard)
		if fault.KindOf(err) != fault.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSQLConnStoresAlike: what goes through database/sql is stored as the driver stores it.
func TestSQLConnStoresAlike(t *testing.T) {
	t.Parallel()

	p := openFile(t, t.TempDir())
	conn := newWriter(t, p)
	mustRun(t, conn, statement("CREATE TABLE t (at DATETIME, big BLOB)"))
	at := time.Date(2024, 2, 29, 14, 34, 56, 7000, time.FixedZone("", 7200))
	lent := conn.SQLConn()
	if _, err := lent.ExecContext(t.Context(), "INSERT INTO t VALUES (?, ?)", at, uint64(1<<63)); err != nil {
		t.Fatal(err)
	}
	prepared, err := lent.PrepareContext(t.Context(), "INSERT INTO t VALUES (?, ?)")
	if err != nil {
		t.Fatal(err)
	}
	defer prepared.Close()
	if _, err := prepared.ExecContext(t.Context(), &at, uint64(1<<63)); err != nil {
		t.Fatal(err)
	}
	if _, err := lent.ExecContext(t.Context(), "INSERT INTO t VALUES (?, 1)", at.AddDate(9000, 0, 0)); err == nil {
		t.Error("the year 11024 was stored")
	}
	q := query("SELECT at || '', big FROM t")
	for _, row := range mustRun(t, conn, q) {
		if row[0] != value.OfText("2024-02-29 12:34:56.000007+00:00") || row[1] != value.OfText("09223372036854775808") {
			t.Errorf("stored %v", row)
		}
	}
	var back time.Time
	if err := lent.QueryRowContext(t.Context(), "SELECT at FROM t LIMIT 1").Scan(&back); err != nil || !back.Equal(at) {
		t.Errorf("%v came back as %v, %v", at, back, err)
	}
}

func TestSQLConnIsCleanedUp(t *testing.T) {
	t.Parallel()

	p := openFile(t, t.TempDir())
	for _, access := range []driver.Access{driver.Read, driver.Write} {
		conn := acquire(t, p, access)
		for _, text := range []string{"PRAGMA query_only = 0", "PRAGMA foreign_keys = 0", "BEGIN"} {
			if _, err := conn.SQLConn().ExecContext(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
		conn.Release()
		conn = acquire(t, p, access)
		want := value.OfInt(1)
		if got := one(t, conn, "PRAGMA foreign_keys"); got != want {
			t.Errorf("foreign_keys is %v", got)
		}
		if access == driver.Write {
			want = value.OfInt(0)
		}
		if got := one(t, conn, "PRAGMA query_only"); got != want {
			t.Errorf("query_only is %v", got)
		}
		mustRun(t, conn, statement("BEGIN"), statement("ROLLBACK")) // none is open
	}
}

// TestSQLConnReachesSQLite: whoever needs the SQLite package's own connection gets it.
func TestSQLConnReachesSQLite(t *testing.T) {
	t.Parallel()

	conn := newWriter(t, openFile(t, t.TempDir()))
	err := conn.SQLConn().Raw(func(physical any) error {
		own := physical.(interface{ Unwrap() any }).Unwrap()
		if _, ok := own.(interface{ Serialize() ([]byte, error) }); !ok {
			t.Errorf("%T cannot serialize", own)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
