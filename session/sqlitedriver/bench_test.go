package sqlitedriver

import (
	"testing"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// benchmark opens a private database with a table.
func benchmark(b *testing.B, access driver.Access) driver.Conn {
	b.Helper()
	p, err := New().Open(b.Context(), driver.Config{URL: "sqlite:///:memory:", MaxOpen: 2, MaxIdle: 2})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = p.Close() })
	writer, err := p.Acquire(b.Context(), driver.Write)
	if err != nil {
		b.Fatal(err)
	}
	s := script(statement("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, at DATETIME)"))
	for range 100 {
		s.Statements = append(s.Statements, insert(1))
	}
	if err := writer.Run(b.Context(), s, driver.Discard); err != nil {
		b.Fatal(err)
	}
	if access == driver.Write {
		b.Cleanup(writer.Release)
		return writer
	}
	writer.Release()
	reader, err := p.Acquire(b.Context(), driver.Read)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(reader.Release)
	return reader
}

// insert inserts a batch of n rows.
func insert(n int) driver.Statement {
	s := driver.Statement{
		SQL:   "INSERT INTO t (name, at) VALUES (?1, ?2)",
		Types: []value.Type{value.TypeText, value.TypeTime}, Batch: n,
	}
	for range n {
		s.Args = append(s.Args, value.OfText("somebody"), value.OfMicros(1709208000_000001))
	}
	return s
}

func runs(b *testing.B, conn driver.Conn, s *driver.Script) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if err := conn.Run(b.Context(), s, driver.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTransactionOfOneInsert(b *testing.B) {
	s := beginning(driver.TxOptions{}, insert(1))
	s.End = driver.Commit
	runs(b, benchmark(b, driver.Write), s)
}

func BenchmarkBatchOf100(b *testing.B) {
	s := beginning(driver.TxOptions{}, insert(100))
	s.End = driver.Rollback
	runs(b, benchmark(b, driver.Write), s)
}

func BenchmarkOneRow(b *testing.B) {
	s := query("SELECT id, name FROM t WHERE id = ?1", value.OfInt(7))
	runs(b, benchmark(b, driver.Read), script(s))
}

func Benchmark100RowsWithTimes(b *testing.B) {
	s := query("SELECT id, name, at FROM t")
	s.Result = []value.Type{value.TypeInt64, value.TypeText, value.TypeTime}
	runs(b, benchmark(b, driver.Read), script(s))
}

func Benchmark100RowsWithout(b *testing.B) {
	s := query("SELECT id, name FROM t")
	s.Result = []value.Type{value.TypeInt64, value.TypeText}
	runs(b, benchmark(b, driver.Read), script(s))
}
