package session_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

// Reading is a row of which there are many.
type Reading struct {
	ID   int64 `db:"id,pk"`
	Text string
}

var readings = entity.Columns[Reading]()

// withReadings returns a database with so many readings, 1 to n.
func withReadings(t testing.TB, b backend, n int, change ...func(*session.Config)) *fixture {
	t.Helper()
	f := open(t, b, change...)
	f.do(t, func(ctx context.Context) error {
		must(t, session.CreateTables(ctx, (*Reading)(nil)))
		text, length := "CAST(x AS TEXT) || substr(hex(zeroblob(500)), 1, 500)", "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < %d)"
		if b.name == "postgres" {
			text = "x::text || repeat('0', 500)"
		}
		_, err := session.From(ctx).ExecContext(ctx,
			fmt.Sprintf("INSERT INTO readings (id, text) "+length+" SELECT x, "+text+" FROM c", n))
		return err
	})
	f.reset()
	return f
}

// streamed reads a stream to its end and returns the keys that came, and its error.
func streamed(stream iter.Seq2[*Reading, error]) (ids []int64, err error) {
	for r, e := range stream {
		if e != nil {
			return ids, e
		}
		ids = append(ids, r.ID)
	}
	return ids, nil
}

// idle fails the test unless no connection is in use.
func idle(t testing.TB, f *fixture) {
	t.Helper()
	if n := f.Stats()["default"].InUse; n != 0 {
		t.Errorf("%d connections are in use", n)
	}
}

func TestStreamGivesEveryRowOnceAndInOrder(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 1500)
		f.do(t, func(ctx context.Context) error {
			stream := session.Stream[Reading](ctx, query.Gt(&readings.ID, 3), query.Desc(&readings.ID))
			for range 2 { // each loop runs the query
				i := int64(1500)
				for r, err := range stream {
					must(t, err)
					if r.ID != i || r.Text != strconv.FormatInt(i, 10)+strings.Repeat("0", 500) {
						t.Fatalf("row %d is %v", i, r)
					}
					i--
				}
				if i != 3 {
					t.Errorf("the last one was %d", i+1)
				}
				idle(t, f)
			}
			wantTrips(t, f, 2)
			return nil
		})
	})
}

func TestStreamOfNothing(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 1)
		f.do(t, func(ctx context.Context) error {
			ids, err := streamed(session.Stream[Reading](ctx, query.Gt(&readings.ID, 1)))
			must(t, err)
			if len(ids) > 0 {
				t.Errorf("%v", ids)
			}
			return nil
		})
	})
}

// TestStreamInConstantMemory: the heap behind 60,000 rows is what it was behind the first thousand.
func TestStreamInConstantMemory(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			const rows = 60_000
			f := withReadings(t, b, rows)
			for _, name := range []string{"by itself", "in a transaction"} {
				f.do(t, func(ctx context.Context) error {
					if name == "in a transaction" {
						must(t, session.Add(ctx, ann()))
						must(t, session.Flush(ctx))
					}
					var before, n uint64
					for _, err := range session.Stream[Reading](ctx) {
						must(t, err)
						switch n++; n {
						case 1000:
							before = heap()
						case rows - 1:
							if after := heap(); after > before+5<<20 {
								t.Errorf("%s: from %d to %d bytes, for rows of 30 MB", name, before, after)
							}
						}
					}
					if n != rows {
						t.Errorf("%s: %d rows", name, n)
					}
					return session.Rollback(ctx)
				})
			}
		})
	}
}

// heap returns the bytes that something refers to.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestStreamThatIsBrokenOffLeavesNothingOpen(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 50_000, func(c *session.Config) { c.PoolSize, c.MaxOverflow = 1, -1 })
		for _, o := range []uow.Options{{}, {StatementTimeout: time.Minute}, {LockTimeout: time.Minute}, {ReadOnly: true}} {
			must(t, f.Do(t.Context(), func(ctx context.Context) error {
				for at := range 5 {
					n := 0
					for _, err := range session.Stream[Reading](ctx) {
						must(t, err)
						if n++; n > at*300 {
							break
						}
					}
					idle(t, f)
					found, err := session.Count[Reading](ctx) // on the only connection
					must(t, err)
					if found != 50_000 {
						t.Errorf("%d rows", found)
					}
				}
				return nil
			}, o))
		}
	})
}

func TestStreamThatPanicsLeavesNothingOpen(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 5000)
		for _, write := range []bool{false, true} {
			func() {
				defer func() {
					if recover() != "in the loop" {
						t.Error("the panic does not arrive")
					}
				}()
				_ = f.Do(t.Context(), func(ctx context.Context) error {
					if write {
						must(t, session.Add(ctx, ann()))
						must(t, session.Flush(ctx))
					}
					for r, err := range session.Stream[Reading](ctx) {
						must(t, err)
						if r.ID == 300 {
							panic("in the loop")
						}
					}
					return nil
				})
			}()
			idle(t, f)
		}
		if n := count[User](t, f); n != 0 {
			t.Errorf("%d users were committed", n)
		}
	})
}

func TestStreamFlushesWhatItCouldSee(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 2)
		f.do(t, func(ctx context.Context) error {
			must(t, session.Add(ctx, &Reading{ID: 3}))
			must(t, session.Add(ctx, ann())) // which it cannot see
			ids, err := streamed(session.Stream[Reading](session.NoAutoflush(ctx), query.Asc(&readings.ID)))
			must(t, err)
			if !slices.Equal(ids, []int64{1, 2}) || f.sent("INSERT") {
				t.Errorf("%v, sent %q", ids, f.trips())
			}
			ids, err = streamed(session.Stream[Reading](ctx, query.Asc(&readings.ID)))
			must(t, err)
			if !slices.Equal(ids, []int64{1, 2, 3}) {
				t.Errorf("%v", ids)
			}
			return nil
		})
	})
}

func TestStreamSaysWhichFlushFailed(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 2)
		err := f.Do(t.Context(), func(ctx context.Context) error {
			must(t, session.Add(ctx, &Reading{ID: 2}))
			return second(streamed(session.Stream[Reading](ctx)))
		})
		wantFault(t, err, fault.Unique)
		if !strings.Contains(err.Error(), "session.Stream: during autoflush before the query of readings") {
			t.Errorf("%v", err)
		}
	})
}

func TestStreamTracksNothing(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 3)
		f.do(t, func(ctx context.Context) error {
			mine := get[Reading](t, ctx, 2)
			for r, err := range session.Stream[Reading](ctx) {
				must(t, err)
				if r == mine {
					t.Error("it is the session's own object")
				}
				if known, err := session.Contains(ctx, r); known || err != nil {
					t.Errorf("the session follows it: %v", err)
				}
				r.Text = "changed"
			}
			return nil
		})
		if got := row[Reading](t, f, 2).Text; got == "changed" {
			t.Error("a change was written")
		}
	})
}

// TestStreamBesideOtherWork: with no transaction open it has a connection of its own.
func TestStreamBesideOtherWork(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 1000)
		f.do(t, func(ctx context.Context) error {
			n := 0
			for r, err := range session.Stream[Reading](ctx, query.Asc(&readings.ID)) {
				must(t, err)
				if n++; r.ID%250 != 0 {
					continue
				}
				mine := get[Reading](t, ctx, r.ID)
				mine.Text = "seen"
				must(t, session.Add(ctx, &Reading{ID: 10_000 + r.ID}))
				must(t, session.Flush(ctx))
				if b.name == "postgres" || n == 250 { // a session that writes on SQLite is in its transaction then
					must(t, session.Nested(ctx, func(ctx context.Context) error { return second(session.Count[Reading](ctx)) }))
				}
				for inner, err := range session.Stream[Reading](ctx, query.Eq(&readings.ID, r.ID)) {
					must(t, err)
					if inner.Text != "seen" {
						t.Error("the session's own write is not seen")
					}
				}
			}
			if n != 1000 {
				t.Errorf("%d rows: it does not see what was there when it began", n)
			}
			return nil
		})
		if n := count[Reading](t, f); n != 1004 {
			t.Errorf("%d rows were committed", n)
		}
		idle(t, f)
	})
}

func TestStreamCommitBesideIt(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 1000)
		f.do(t, func(ctx context.Context) error {
			n := 0
			for r, err := range session.Stream[Reading](ctx) {
				must(t, err)
				if n++; n%300 == 0 {
					must(t, session.Add(ctx, &Reading{ID: 10_000 + r.ID}))
					must(t, session.Commit(ctx))
					must(t, session.Add(ctx, &Reading{ID: 20_000 + r.ID}))
					must(t, session.Rollback(ctx))
				}
			}
			if n != 1000 {
				t.Errorf("%d rows", n)
			}
			return nil
		})
		if n := count[Reading](t, f); n != 1003 {
			t.Errorf("%d rows were committed", n)
		}
	})
}

func TestStreamFindsThePoolEmpty(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 3, func(c *session.Config) { c.PoolSize, c.MaxOverflow, c.PoolTimeout = 1, -1, 20*time.Millisecond })
		f.do(t, func(ctx context.Context) error {
			for _, err := range session.Stream[Reading](ctx) {
				must(t, err)
				err = second(session.Count[Reading](ctx))
				wantFault(t, err, fault.PoolTimeout)
				if !strings.Contains(err.Error(), "a session.Stream of this unit holds one") {
					t.Errorf("%v", err)
				}
			}
			return second(session.Count[Reading](ctx))
		})
	})
}

// TestStreamInATransaction: what needs its connection is refused while the loop runs, and nothing else.
func TestStreamInATransaction(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 1000)
		f.do(t, func(ctx context.Context) error {
			mine := get[Reading](t, ctx, 7)
			must(t, session.Add(ctx, &Reading{ID: 1001}))
			must(t, session.Flush(ctx))
			n := int64(0)
			for r, err := range session.Stream[Reading](ctx, query.Asc(&readings.ID)) {
				must(t, err)
				if n++; r.ID != n {
					t.Fatalf("row %d is %d", n, r.ID)
				}
				if n != 300 {
					continue
				}
				must(t, session.Add(ctx, &Reading{ID: 1002}))
				if held := get[Reading](t, ctx, 7); held != mine {
					t.Error("the session's object is not to be had")
				}
				for name, err := range map[string]error{
					"Find":     second(session.Find[Reading](ctx)),
					"Flush":    session.Flush(ctx),
					"Commit":   session.Commit(ctx),
					"Rollback": session.Rollback(ctx),
					"Nested":   session.Nested(ctx, unreachable),
					"Stream":   second(streamed(session.Stream[Reading](ctx))),
					"Exec":     second(session.From(ctx).ExecContext(ctx, "DELETE FROM readings")),
					"Raw":      session.From(ctx).Raw(ctx, func(any) error { return errors.New("the function was run") }),
				} {
					if !errors.Is(err, fault.ConcurrentUse) || !strings.Contains(err.Error(), "session.Stream") {
						t.Errorf("%s: %v", name, err)
					}
				}
				other := int64(0)
				must(t, session.New(ctx, func(ctx context.Context) (err error) {
					other, err = session.Count[Reading](ctx)
					return err
				}))
				if other != 1000 {
					t.Errorf("a unit of its own sees %d rows", other)
				}
			}
			if n != 1001 {
				t.Errorf("%d rows", n)
			}
			return second(session.Count[Reading](ctx))
		})
		if n := count[Reading](t, f); n != 1002 {
			t.Errorf("%d rows were committed", n)
		}
	})
}

func TestStreamBrokenOffInATransactionLeavesItOpen(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 5000)
		f.do(t, func(ctx context.Context) error {
			must(t, session.Add(ctx, &Reading{ID: 5001}))
			must(t, session.Flush(ctx))
			return session.Nested(ctx, func(ctx context.Context) error {
				must(t, session.Add(ctx, &Reading{ID: 5002}))
				must(t, session.Flush(ctx))
				for _, err := range session.Stream[Reading](ctx) {
					must(t, err)
					break
				}
				return session.Add(ctx, &Reading{ID: 5003})
			})
		})
		if n := count[Reading](t, f); n != 5003 {
			t.Errorf("%d rows were committed", n)
		}
	})
}

func TestStreamLocks(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 3)
		f.do(t, func(ctx context.Context) error {
			return session.Nested(ctx, func(ctx context.Context) error {
				for _, err := range session.Stream[Reading](ctx, query.ForUpdate) {
					must(t, err)
					err := session.New(ctx, func(ctx context.Context) error {
						return second(session.Get[Reading](ctx, 2, query.ForUpdateNoWait))
					})
					wantFault(t, err, fault.LockTimeout)
				}
				return nil
			})
		})
	})
}

func TestStreamAboveReadCommitted(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 600)
		must(t, f.Do(t.Context(), func(ctx context.Context) error {
			ids, err := streamed(session.Stream[Reading](ctx))
			must(t, err)
			if len(ids) != 600 {
				t.Errorf("%d rows", len(ids))
			}
			return nil
		}, uow.Options{Isolation: uow.RepeatableRead}))
	})
}

func TestStreamRefuses(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := openLibrary(t, b)
		f.do(t, func(ctx context.Context) error {
			for name, c := range map[string][]query.Clause{
				"a relation":            {query.With(&bookCols.Pages)},
				"populate":              {query.Populate},
				"a column of elsewhere": {query.Eq(&pageCols.Number, 1)},
				"a join to many rows":   {query.Join(&bookCols.Pages)},
			} {
				n := 0
				for obj, err := range session.Stream[Book](ctx, c...) {
					n++
					if obj != nil || !errors.Is(err, fault.Misconfigured) {
						t.Errorf("%s: %v, %v", name, obj, err)
					}
				}
				if n != 1 {
					t.Errorf("%s: the loop ran %d times", name, n)
				}
			}
			for _, err := range session.Stream[struct{ X chan int }](ctx) {
				wantFault(t, err, fault.Misconfigured)
			}
			wantTrips(t, f, 0)
			return nil
		})
		for _, err := range session.Stream[Book](t.Context()) {
			wantFault(t, err, fault.NoSession)
		}
	})
}

func TestStreamEndsWithItsContext(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 5000)
		for _, write := range []bool{false, true} {
			err := f.Do(t.Context(), func(ctx context.Context) error {
				if write {
					must(t, session.Add(ctx, ann()))
					must(t, session.Flush(ctx))
				}
				inner, cancel := context.WithCancel(ctx)
				defer cancel()
				n := 0
				var last error
				for _, err := range session.Stream[Reading](inner) {
					if last = err; err == nil {
						n++
						cancel()
					}
				}
				if n != 1 || !errors.Is(last, context.Canceled) {
					t.Errorf("%d rows, and then %v", n, last)
				}
				return second(session.Count[Reading](ctx))
			})
			if write {
				wantFault(t, err, fault.SessionFailed) // as after any statement of a transaction that was interrupted
			} else {
				must(t, err)
			}
			idle(t, f)
		}
	})
}

// TestStreamUnderATimeoutForStatements: each portion is there in time, and the whole of them is not.
func TestStreamUnderATimeoutForStatements(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 50_000)
		err := f.Do(t.Context(), func(ctx context.Context) error {
			return second(streamed(session.Stream[Reading](ctx)))
		}, uow.Options{StatementTimeout: 5 * time.Millisecond})
		wantFault(t, err, fault.StatementTimeout)
		idle(t, f)
	})
}

func TestStreamThatFails(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 600)
		// Of the smallest integer there is no absolute value.
		overflows := query.RawExpr[int64]("abs(-9223372036854775807 + 399 - ?)", query.Col(&readings.ID))
		for _, write := range []bool{false, true} {
			err := f.Do(t.Context(), func(ctx context.Context) error {
				if write {
					must(t, session.Add(ctx, ann()))
					must(t, session.Flush(ctx))
				}
				ids, err := streamed(session.Stream[Reading](ctx, overflows.NotNull()))
				var e *fault.Error
				if !errors.As(err, &e) || e.Op != "session.Stream" || e.Entity != "session_test.Reading" {
					t.Errorf("%v", err)
				}
				if len(ids) != 399 {
					t.Errorf("%d rows before it", len(ids))
				}
				return second(session.Count[Reading](ctx))
			})
			if write {
				wantFault(t, err, fault.SessionFailed)
			} else {
				must(t, err)
			}
			idle(t, f)
		}
	})
}

// TestStreamOutlivesItsUnit: somebody has taken it apart and goes on behind the end.
func TestStreamOutlivesItsUnit(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 1000)
		for _, write := range []bool{false, true} {
			var next func() (*Reading, error, bool)
			var stop func()
			err := f.Do(t.Context(), func(ctx context.Context) error {
				if write {
					must(t, session.Add(ctx, ann()))
					must(t, session.Flush(ctx))
				}
				next, stop = iter.Pull2(session.Stream[Reading](ctx))
				_, err, _ := next()
				return err
			})
			if write {
				wantFault(t, err, fault.ConcurrentUse)
			} else {
				must(t, err)
			}
			_, err, ok := next()
			if !ok {
				t.Fatal("it ends without a word")
			}
			wantFault(t, err, fault.SessionClosed)
			stop()
			idle(t, f)
		}
		if n := count[User](t, f); n != 0 {
			t.Errorf("%d users were committed", n)
		}
	})
}

func TestStreamStoppedBehindItsUnit(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 1000)
		var stop func()
		err := f.Do(t.Context(), func(ctx context.Context) error {
			must(t, session.Add(ctx, ann()))
			must(t, session.Flush(ctx))
			next, end := iter.Pull2(session.Stream[Reading](ctx))
			stop = end
			_, err, _ := next()
			must(t, err)
			return errors.New("the unit's own")
		})
		if err == nil {
			t.Error("no error")
		}
		stop()
		idle(t, f)
		if n := count[User](t, f); n != 0 {
			t.Errorf("%d users were committed", n)
		}
	})
}

func TestStreamBehindAFailure(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 1000)
		err := f.Do(t.Context(), func(ctx context.Context) error {
			n := 0
			for _, err := range session.Stream[Reading](ctx) {
				if err != nil {
					return err
				}
				if n++; n == 2 {
					t.Error("it goes on in a session that has failed")
				}
				must(t, session.Add(ctx, &Reading{ID: 1}))
				wantFault(t, session.Flush(ctx), fault.Unique)
			}
			return nil
		})
		wantFault(t, err, fault.SessionFailed)
		idle(t, f)
	})
}

func TestStreamOfSoftDeleted(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		gone := &Note{Text: "gone"}
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, gone, &Note{Text: "here"}) })
		f.do(t, func(ctx context.Context) error { return session.Delete(ctx, get[Note](t, ctx, gone.ID)) })
		f.do(t, func(ctx context.Context) error {
			for clauses, want := range map[query.Clause]int{query.Limit(10): 1, query.WithDeleted: 2} {
				n := 0
				for note, err := range session.Stream[Note](ctx, clauses) {
					must(t, err)
					if n++; note.ID == uuid.Nil {
						t.Error("no key")
					}
				}
				if n != want {
					t.Errorf("%v: %d rows, want %d", clauses, n, want)
				}
			}
			return nil
		})
	})
}
