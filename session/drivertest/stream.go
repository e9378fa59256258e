package drivertest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

func streamTests() []test {
	return []test{
		{name: "every row once and in order", run: streamWhole},
		{name: "rows come before the last is there", run: streamEndless},
		{name: "a row that is refused leaves an earlier transaction open", run: streamRefusedInTransaction},
		{name: "a row that is refused takes back what the script began", run: streamRefusedWithBegin},
		{name: "a script ends behind its stream", run: streamWithEnds},
		{name: "statements before a stream", run: streamBehindOthers},
		{name: "an error behind some rows", run: streamFails},
		{name: "an error of Done", run: streamDoneError},
		{name: "the context ends between rows", run: streamCanceled},
		{name: "a panic between rows", run: streamPanics},
		{name: "memory stays the same", run: streamInConstantMemory},
	}
}

// endless is more rows than anybody would wait for: 1, 2, 3 and so on.
const endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 2000000000) "

// counted returns a stream of the numbers from 1 to n.
func (h *harness) counted(n int64) driver.Statement {
	q := h.query("SELECT x FROM ("+endless+"SELECT x FROM c) AS s LIMIT $1", []value.Type{value.TypeInt64}, integer(n))
	q.Stream = true
	return q
}

// taking takes rows that count from 1, and calls at with each number.
type taking struct {
	at   func(x int64) error
	n    int64
	done []int64 // the affected rows of each statement
	end  error   // of Done
}

func (r *taking) Row(_ int, row []driver.Cell) error {
	if r.n++; row[0] != value.OfInt(r.n) {
		return fmt.Errorf("row %d is %v", r.n, row[0])
	}
	if r.at == nil {
		return nil
	}
	return r.at(r.n)
}

func (r *taking) Done(_ int, affected, _ int64) error {
	r.done = append(r.done, affected)
	return r.end
}

// until refuses row n.
func until(n int64) *taking {
	return &taking{at: func(x int64) error {
		switch {
		case x == n:
			return errEnough
		case x > n:
			return errors.New("called again after an error")
		}
		return nil
	}}
}

// refused runs a script whose rows are refused with errEnough at some point.
func refused(t *testing.T, conn driver.Conn, s *driver.Script, r *taking) {
	t.Helper()
	err := conn.Run(t.Context(), s, r)
	var e *driver.ScriptError
	if !errors.Is(err, errEnough) || errors.Is(err, fault.OutcomeUnknown) || !errors.As(err, &e) || e.Statement != len(s.Statements)-1 {
		t.Fatalf("Run: %v, want the callback's error", err)
	}
	if len(r.done) != len(s.Statements)-1 {
		t.Errorf("%d statements are done, of %d", len(r.done), len(s.Statements))
	}
}

// usable fails the test unless the connection runs something.
func (h *harness) usable(t *testing.T, conn driver.Conn) {
	t.Helper()
	if got := run(t, conn, script(h.query("SELECT 1", []value.Type{value.TypeInt64}))).of(0).rows; len(got) != 1 {
		t.Errorf("SELECT 1 gave %v", got)
	}
}

func streamWhole(t *testing.T, h *harness) {
	conn := h.acquire(t, driver.Read)
	for _, n := range []int64{0, 1, 2, 255, 256, 257, 511, 512, 513, 1024, 3000} {
		for range 2 { // the second one finds its statement prepared
			r := &taking{}
			if err := conn.Run(t.Context(), script(h.counted(n)), r); err != nil {
				t.Fatal(err)
			}
			if r.n != n || len(r.done) != 1 || r.done[0] != n {
				t.Errorf("%d rows, done with %v, of %d", r.n, r.done, n)
			}
		}
	}
}

func streamEndless(t *testing.T, h *harness) {
	conn := h.acquire(t, driver.Read)
	for _, n := range []int64{1, 10, 256, 257, 1000} {
		refused(t, conn, script(h.counted(2_000_000_000)), until(n))
		h.usable(t, conn)
	}
}

func streamRefusedInTransaction(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	run(t, conn, begin(h.insert(table, 1)))
	refused(t, conn, script(h.counted(100_000)), until(300))
	run(t, conn, script(h.insert(table, 2)))
	run(t, conn, commit())
	h.wantIDs(t, table, 1, 2)
}

func streamRefusedWithBegin(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	refused(t, conn, begin(h.insert(table, 1), h.counted(100_000)), until(1))
	refused(t, conn, transaction(h.insert(table, 2), h.counted(100_000)), until(300))
	run(t, conn, begin(h.insert(table, 3)))
	s := commit()
	s.Statements = []driver.Statement{h.counted(100_000)}
	refused(t, conn, s, until(300))
	run(t, conn, rollback())
	h.wantIDs(t, table)
	run(t, conn, transaction(h.insert(table, 4)))
	h.wantIDs(t, table, 4)
}

func streamWithEnds(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	r := &taking{}
	for id, s := range []*driver.Script{
		transaction(h.insert(table, 0), h.counted(300)),
		{Begin: &driver.TxOptions{}, Statements: []driver.Statement{h.insert(table, 1), h.counted(300)}, End: driver.Rollback},
		begin(h.insert(table, 2), h.counted(300)),
		{Statements: []driver.Statement{h.counted(300)}, End: driver.Commit},
	} {
		*r = taking{}
		if err := conn.Run(t.Context(), s, r); err != nil || r.n != 300 {
			t.Fatalf("script %d: %d rows, %v", id, r.n, err)
		}
	}
	h.wantIDs(t, table, 0, 2)
}

func streamBehindOthers(t *testing.T, h *harness) {
	conn := h.acquire(t, driver.Read)
	one := h.query("SELECT $1", []value.Type{value.TypeInt64}, integer(7))
	r := &results{}
	s := script(one, one, h.counted(300))
	if err := conn.Run(t.Context(), s, r); err != nil {
		t.Fatal(err)
	}
	r.check(t, 3)
	if len(r.of(0).rows) != 1 || len(r.of(1).rows) != 1 || len(r.of(2).rows) != 300 || r.of(2).affected != 300 {
		t.Errorf("%d, %d and %d rows", len(r.of(0).rows), len(r.of(1).rows), len(r.of(2).rows))
	}
}

// failing returns a stream that fails behind n rows: of the smallest integer there is no absolute value.
func (h *harness) failing(n int64) driver.Statement {
	q := h.query("SELECT x, abs(-9223372036854775807 + CAST($1 AS "+h.dialect.ColumnType(value.TypeInt64, "")+") - x) FROM ("+endless+"SELECT x FROM c) AS s",
		[]value.Type{value.TypeInt64, value.TypeInt64}, integer(n))
	q.Stream = true
	return q
}

func streamFails(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	for _, n := range []int64{0, 10, 256, 1000} {
		r := &taking{}
		err := conn.Run(t.Context(), begin(h.insert(table, n), h.failing(n)), r)
		var e *driver.ScriptError
		if !errors.As(err, &e) || e.Statement != 1 || len(r.done) != 1 {
			t.Fatalf("%v, done %v, want an error of the stream", err, r.done)
		}
		if r.n != n {
			t.Errorf("%d rows before the error, want %d", r.n, n)
		}
		h.usable(t, conn)
	}
	h.wantIDs(t, table)
}

func streamDoneError(t *testing.T, h *harness) {
	conn := h.acquire(t, driver.Read)
	r := &taking{end: errEnough}
	if err := conn.Run(t.Context(), script(h.counted(300)), r); !errors.Is(err, errEnough) {
		t.Errorf("%v", err)
	}
	h.usable(t, conn)
}

func streamCanceled(t *testing.T, h *harness) {
	conn := h.acquire(t, driver.Read)
	for _, n := range []int64{1, 200, 700} {
		ctx, cancel := context.WithCancel(t.Context())
		r := &taking{at: func(x int64) error {
			if x == n {
				cancel()
			}
			return nil
		}}
		stopped(ctx, t, conn, script(h.counted(2_000_000_000)), r)
		if len(r.done) > 0 {
			t.Error("it is done")
		}
		h.usable(t, conn)
	}
}

func streamPanics(t *testing.T, h *harness) {
	for _, s := range []*driver.Script{script(h.counted(2_000_000_000)), begin(h.counted(2_000_000_000))} {
		conn := h.acquire(t, driver.Read)
		func() {
			defer func() {
				if recover() != "between rows" {
					t.Error("the panic does not reach the caller")
				}
			}()
			_ = conn.Run(t.Context(), s, &taking{at: func(x int64) error {
				if x == 300 {
					panic("between rows")
				}
				return nil
			}})
		}()
		conn.Release()
	}
	h.usable(t, h.acquire(t, driver.Read))
}

// streamInConstantMemory compares what is in use behind some rows with what is in use behind very many.
func streamInConstantMemory(t *testing.T, h *harness) {
	const rows, size = 100_000, 1000
	wide := h.query("SELECT x, $2 FROM ("+endless+"SELECT x FROM c) AS s LIMIT $1", []value.Type{value.TypeInt64, value.TypeText},
		integer(rows), text(strings.Repeat("x", size)))
	wide.Stream = true
	conn := h.acquire(t, driver.Read)
	var before uint64
	r := &taking{at: func(x int64) error {
		switch x {
		case 1000:
			before = inUse()
		case rows - 1:
			if now := inUse(); now > before+rows*size/4 {
				return errors.New("it grew from " + strconv.FormatUint(before, 10) + " to " + strconv.FormatUint(now, 10) + " bytes")
			}
		}
		return nil
	}}
	if err := conn.Run(t.Context(), script(wide), r); err != nil || r.n != rows {
		t.Errorf("%d rows, %v", r.n, err)
	}
}

// inUse returns the bytes of the heap that something refers to.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
