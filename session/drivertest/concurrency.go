package drivertest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

func concurrencyTests() []test {
	return []test{
		{name: "writers lose nothing", run: writersLoseNothing},
		{name: "readers beside a writer see whole commits", run: readersSeeCommits},
	}
}

// parallel runs work on n goroutines and fails the test with the errors that they return.
func parallel(t *testing.T, n int, work func(worker int) error) {
	t.Helper()
	var wg sync.WaitGroup
	for worker := range n {
		wg.Go(func() {
			if err := work(worker); err != nil {
				t.Errorf("worker %d: %v", worker, err)
			}
		})
	}
	wg.Wait()
}

// on runs a script on a connection of its own.
func (h *harness) on(t *testing.T, access driver.Access, s *driver.Script, r driver.Results) error {
	conn, err := h.pool.Acquire(t.Context(), access)
	if err != nil {
		return err
	}
	defer conn.Release()
	return conn.Run(t.Context(), s, r)
}

func writersLoseNothing(t *testing.T, h *harness) {
	table := h.stock(t)
	const workers, rounds = 8, 25
	parallel(t, workers, func(worker int) error {
		for i := range rounds {
			s := transaction(
				h.statement("UPDATE "+table+" SET amount = amount + 1 WHERE id = 1"),
				h.insert(table, int64(1000+worker*rounds+i)))
			if err := h.on(t, driver.Write, s, driver.Discard); err != nil {
				return err
			}
		}
		return nil
	})
	q := h.query("SELECT amount FROM "+table+" WHERE id = 1", []value.Type{value.TypeInt64})
	if got := h.ask(t, q); got != value.OfInt(10+workers*rounds) {
		t.Errorf("amount is %v, want %d", got, 10+workers*rounds)
	}
	if ids := h.ids(t, table); len(ids) != 3+workers*rounds {
		t.Errorf("%d rows, want %d", len(ids), 3+workers*rounds)
	}
}

// readersSeeCommits moves an amount to and fro between two rows: their sum is the same in every commit.
func readersSeeCommits(t *testing.T, h *harness) {
	table := h.stock(t)
	const rounds = 40
	parallel(t, 5, func(worker int) error {
		for range rounds {
			if worker == 0 {
				s := begin(h.statement("UPDATE " + table + " SET amount = amount - 1 WHERE id = 2"))
				s.Statements = append(s.Statements, h.statement("UPDATE "+table+" SET amount = amount + 1 WHERE id = 1"))
				s.End = driver.Commit
				if err := h.on(t, driver.Write, s, driver.Discard); err != nil {
					return err
				}
				if err := h.on(t, driver.Write, transaction(
					h.statement("UPDATE "+table+" SET amount = 20 WHERE id = 2"),
					h.statement("UPDATE "+table+" SET amount = 10 WHERE id = 1")), driver.Discard); err != nil {
					return err
				}
				continue
			}
			r := &results{}
			q := h.query("SELECT sum(amount) FROM "+table, []value.Type{value.TypeDecimal})
			if err := h.on(t, driver.Read, script(q), r); err != nil {
				return err
			}
			if got := r.of(0).rows[0][0]; got != value.OfDecimal("60") {
				return fmt.Errorf("a reader sees the sum %v", got)
			}
		}
		return nil
	})
}
