package pgxdriver

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

const createUsers = "CREATE TABLE users (id bigint PRIMARY KEY, email text CONSTRAINT users_email_key UNIQUE, version bigint NOT NULL DEFAULT 1)"

func insertUser(id int64, email string) driver.Statement {
	return statement("INSERT INTO users (id, email) VALUES ($1, $2)", value.OfInt(id), value.OfText(email))
}

func countUsers() driver.Statement {
	return query([]value.Type{value.TypeInt64}, "SELECT count(*) FROM users")
}

// users makes the table and returns a connection on it whose state is made already.
func users(f *fixture) driver.Conn {
	f.t.Helper()
	c := f.lend()
	f.must(c, nil, driver.Stay, statement(createUsers))
	return c
}

// A script with a commit is one round trip: cold, warm, and failing; and what failed leaves a connection to go on with.
func TestAScriptIsOneTrip(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := users(f)
	for i, name := range []string{"cold", "warm", "warm again"} {
		n := f.trips(func() { f.must(c, begin, driver.Commit, insertUser(int64(i), name), insertUser(int64(i+10), name+"!")) })
		if n != 1 {
			t.Errorf("%s: %d trips", name, n)
		}
	}
	for _, name := range []string{"cold failure", "warm failure"} {
		n := f.trips(func() {
			_, err := f.run(c, begin, driver.Commit, insertUser(100, "a"), insertUser(0, "b"))
			if e := scriptError(t, err); e.Statement != 1 || !errors.Is(err, fault.Unique) {
				t.Errorf("%s: statement %d: %v", name, e.Statement, err)
			}
		})
		if n != 1 {
			t.Errorf("%s: %d trips", name, n)
		}
	}
	f.must(c, begin, driver.Commit, insertUser(200, "after"))
	if got := f.must(c, nil, driver.Stay, countUsers())[0][0].Int(); got != 7 {
		t.Errorf("%d users, want 7: a failed script left something or broke the connection", got)
	}
	if n := f.proxy.Connections(); n != 1 {
		t.Errorf("%d connections were made, want 1", n)
	}
}

func TestTripsOfParts(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := users(f)
	timeouts := &driver.TxOptions{Isolation: uow.Serializable, StatementTimeout: 1500 * time.Millisecond, LockTimeout: time.Microsecond}
	for _, p := range []struct {
		name  string
		want  int
		begin *driver.TxOptions
		end   driver.End
		run   []driver.Statement
	}{
		{"read", 1, nil, driver.Stay, []driver.Statement{countUsers()}},
		{"two reads", 1, nil, driver.Stay, []driver.Statement{countUsers(), countUsers()}},
		{"writes, each by itself", 2, nil, driver.Stay, []driver.Statement{insertUser(100, "x"), statement("DELETE FROM users WHERE id = 100")}},
		{"nothing", 0, nil, driver.Stay, nil},
		{"an empty transaction", 0, begin, driver.Commit, nil},
		{"begin", 1, timeouts, driver.Stay, []driver.Statement{insertUser(1, "a")}},
		{"within", 1, nil, driver.Stay, []driver.Statement{query([]value.Type{value.TypeText, value.TypeText, value.TypeText},
			"SELECT current_setting('transaction_isolation'), current_setting('statement_timeout'), current_setting('lock_timeout')")}},
		{"commit", 1, nil, driver.Commit, []driver.Statement{insertUser(2, "b")}},
		{"begin alone", 1, begin, driver.Stay, nil},
		{"commit alone", 1, nil, driver.Commit, nil},
		{"rollback", 1, begin, driver.Rollback, []driver.Statement{insertUser(3, "c")}},
	} {
		var got [][]value.Value
		n := f.trips(func() { got = f.must(c, p.begin, p.end, p.run...) })
		if n != p.want {
			t.Errorf("%s: %d trips, want %d", p.name, n, p.want)
		}
		if p.name == "within" && (got[0][0].Str() != "serializable" || got[0][1].Str() != "1500ms" || got[0][2].Str() != "1ms") {
			t.Errorf("the transaction has settings %v", got[0])
		}
	}
	if got := f.must(c, nil, driver.Stay, countUsers())[0][0].Int(); got != 2 {
		t.Errorf("%d users, want 2", got)
	}
}

// The level is always said, whatever the server's default is.
func TestIsolationIsReadCommittedUnlessAsked(t *testing.T) {
	t.Parallel()
	f := setup(t, func(cfg *driver.Config) {
		cfg.URL += "&default_transaction_isolation=serializable"
	})
	c := f.lend()
	show := query([]value.Type{value.TypeText}, "SELECT current_setting('transaction_isolation')")
	if got := f.must(c, begin, driver.Rollback, show)[0][0].Str(); got != "read committed" {
		t.Errorf("the isolation is %s", got)
	}
	if got := f.must(c, &driver.TxOptions{Isolation: uow.RepeatableRead}, driver.Rollback, show)[0][0].Str(); got != "repeatable read" {
		t.Errorf("the isolation asked for is %s", got)
	}
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := users(f)
	_, err := f.run(c, &driver.TxOptions{ReadOnly: true}, driver.Commit, insertUser(1, "a"))
	if !errors.Is(err, fault.ReadOnly) {
		t.Errorf("a write in a read-only transaction: %v", err)
	}
}

// A script that began a transaction and failed leaves none; one that failed within a transaction leaves it to its owner.
func TestFailureWithinATransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := users(f)
	f.must(c, begin, driver.Commit, insertUser(1, "a"))
	if _, err := f.run(c, begin, driver.Stay, insertUser(2, "b"), insertUser(1, "c")); !errors.Is(err, fault.Unique) {
		t.Fatal(err)
	}
	f.must(c, begin, driver.Stay, insertUser(2, "b"), statement("SAVEPOINT s"))
	if _, err := f.run(c, nil, driver.Stay, insertUser(1, "c")); !errors.Is(err, fault.Unique) {
		t.Fatal(err)
	}
	if _, err := f.run(c, nil, driver.Stay, countUsers()); !errors.Is(err, fault.SessionFailed) {
		t.Errorf("a statement in a failed transaction: %v", err)
	}
	f.must(c, nil, driver.Stay, statement("ROLLBACK TO SAVEPOINT s"))
	f.must(c, nil, driver.Commit, insertUser(3, "d"))

	f.must(c, begin, driver.Stay)
	if _, err := f.run(c, nil, driver.Stay, insertUser(1, "c")); !errors.Is(err, fault.Unique) {
		t.Fatal(err)
	}
	_, err := f.run(c, nil, driver.Commit)
	if e := scriptError(t, err); e.Statement != driver.AtEnd || !errors.Is(err, fault.SessionFailed) {
		t.Errorf("the commit of a failed transaction: %v", err)
	}
	if got := f.must(c, nil, driver.Stay, countUsers())[0][0].Int(); got != 3 {
		t.Errorf("%d users, want 3", got)
	}
	if n := f.proxy.Connections(); n != 1 {
		t.Errorf("%d connections were made, want 1", n)
	}
}

// A COMMIT where no transaction is open succeeds; it must not hide that the statements before it did not.
func TestCommitWithoutATransactionHidesNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := users(f)
	f.must(c, begin, driver.Commit, insertUser(1, "a"))
	if _, err := f.run(c, nil, driver.Commit, insertUser(1, "a")); !errors.Is(err, fault.Unique) {
		t.Errorf("a failed statement and a commit: %v", err)
	}
	_, err := f.run(c, &driver.TxOptions{Isolation: uow.Serializable, StatementTimeout: 1 << 62}, driver.Commit, insertUser(2, "a"))
	if e := scriptError(t, err); e.Statement != driver.AtBegin {
		t.Errorf("a failed BEGIN and a commit: statement %d: %v", e.Statement, err)
	}
}

func TestBeginWithinATransactionIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := users(f)
	f.must(c, begin, driver.Stay, insertUser(1, "a"))
	if _, err := f.run(c, begin, driver.Stay); !errors.Is(err, fault.Internal) {
		t.Errorf("a second begin: %v", err)
	}
	f.must(c, nil, driver.Rollback)
}

// A constraint that is checked at the commit fails the commit, and the connection goes on.
func TestDeferredConstraint(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := users(f)
	f.must(c, nil, driver.Stay, statement("CREATE TABLE orders (user_id bigint CONSTRAINT orders_user_id_fkey REFERENCES users DEFERRABLE INITIALLY DEFERRED)"))
	order := statement("INSERT INTO orders VALUES ($1)", value.OfInt(7))
	for _, b := range []*driver.TxOptions{begin, nil} {
		end := driver.Commit
		if b == nil {
			end = driver.Stay
		}
		_, err := f.run(c, b, end, order)
		e := scriptError(t, err)
		var fe *fault.Error
		if e.Statement != driver.AtEnd || !errors.As(err, &fe) || fe.Kind != fault.ForeignKey || fe.Constraint != "orders_user_id_fkey" ||
			strings.Join(fe.Columns, " ") != "user_id" || fe.Table != "orders" {
			t.Errorf("statement %d: %#v", e.Statement, fe)
		}
	}
	f.must(c, begin, driver.Commit, insertUser(7, "late"), order)
}

// Results that refuse a row end the script. What was begun is rolled back; what was committed is not taken back, and
// said to be so.
func TestRefusedResults(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := users(f)
	f.must(c, begin, driver.Commit, insertUser(1, "a"))
	refusal := errors.New("no")
	run := func(b *driver.TxOptions, end driver.End, id int64) error {
		return c.Run(t.Context(), &driver.Script{Begin: b, End: end, Statements: []driver.Statement{insertUser(id, ""), countUsers(), countUsers()}},
			&refusing{err: refusal})
	}
	if err := run(begin, driver.Stay, 2); !errors.Is(err, refusal) || scriptError(t, err).Statement != 1 {
		t.Errorf("refused: %v", err)
	}
	if got := f.must(c, begin, driver.Rollback, countUsers())[0][0].Int(); got != 1 {
		t.Errorf("%d users after a refusal, want 1", got)
	}
	if err := run(begin, driver.Commit, 3); !errors.Is(err, refusal) || !errors.Is(err, fault.OutcomeUnknown) {
		t.Errorf("refused after the commit was sent: %v", err)
	}
}

// refusing refuses the first row and fails if it is called again.
type refusing struct {
	err   error
	calls int
}

func (r *refusing) Row(int, []value.Value) error {
	if r.calls++; r.calls > 1 {
		return errors.New("called after an error")
	}
	return r.err
}

func (r *refusing) Done(i int, _, _ int64) error {
	if i > 0 {
		return errors.New("called after an error")
	}
	return nil
}

// A canceled context interrupts the statement, and the connection goes on.
func TestCancel(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := users(f)
	for _, end := range []driver.End{driver.Commit, driver.Stay} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := c.Run(ctx, &driver.Script{Begin: begin, End: end, Statements: []driver.Statement{
			insertUser(1, "a"), query([]value.Type{value.TypeText}, "SELECT pg_sleep(20)::text"),
		}}, driver.Discard)
		cancel()
		if e := scriptError(t, err); e.Statement != 1 || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, fault.StatementTimeout) {
			t.Errorf("statement %d: %v", e.Statement, err)
		}
		if got := f.must(c, nil, driver.Stay, countUsers())[0][0].Int(); got != 0 {
			t.Errorf("%d users, want 0", got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n := f.trips(func() {
		if err := c.Run(ctx, &driver.Script{Begin: begin, End: driver.Commit, Statements: []driver.Statement{insertUser(1, "a")}}, driver.Discard); !errors.Is(err, context.Canceled) {
			t.Errorf("a script of a context that is done: %v", err)
		}
	}); n != 0 {
		t.Errorf("%d trips for a context that is done", n)
	}
	f.must(c, begin, driver.Commit, insertUser(1, "a"))
}

// A connection comes back from Release idle, whatever was open on it.
func TestRelease(t *testing.T) {
	t.Parallel()
	f := setup(t, func(cfg *driver.Config) { cfg.MaxOpen, cfg.MaxIdle = 1, 1 })
	c := f.acquire()
	f.must(c, nil, driver.Stay, statement(createUsers))
	f.must(c, begin, driver.Stay, insertUser(1, "a"))
	c.Release()
	c = f.acquire()
	if got := f.must(c, begin, driver.Rollback, countUsers())[0][0].Int(); got != 0 {
		t.Errorf("%d users, want 0: the transaction was not rolled back", got)
	}
	if _, err := c.(driver.SQLConn).SQLConn().ExecContext(t.Context(), "BEGIN"); err != nil {
		t.Fatal(err)
	}
	c.Release()
	if n := f.proxy.Connections(); n != 1 {
		t.Errorf("%d connections were made, want 1", n)
	}
}

// The escape hatch is in the transaction that Run left open.
func TestSQLConn(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := users(f)
	f.must(c, begin, driver.Stay, insertUser(1, "a"))
	var n int
	if err := c.(driver.SQLConn).SQLConn().QueryRowContext(t.Context(), "SELECT count(*) FROM users").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d users, %v", n, err)
	}
	f.must(c, nil, driver.Rollback)
}

// An idle connection is used again without a ping, and one that the server closed meanwhile is replaced.
func TestIdleConnections(t *testing.T) {
	t.Parallel()
	f := setup(t, func(cfg *driver.Config) { cfg.MaxOpen, cfg.MaxIdle = 1, 1 })
	c := users0(f)
	c.Release()
	if n := f.trips(func() {
		c := f.acquire()
		f.must(c, nil, driver.Stay, countUsers())
		c.Release()
	}); n != 1 {
		t.Errorf("a read on an idle connection took %d trips", n)
	}
	f.proxy.Sever()
	time.Sleep(time.Millisecond) // idle is what was not used just now: the time itself is tested
	c = f.acquire()
	defer c.Release()
	f.must(c, nil, driver.Stay, countUsers())
	if n := f.proxy.Connections(); n != 2 {
		t.Errorf("%d connections were made, want 2", n)
	}
}

func users0(f *fixture) driver.Conn {
	c := f.acquire()
	f.must(c, nil, driver.Stay, statement(createUsers))
	return c
}

// A batch, one row and a stale row, in both ways to plan: a guard that the planner can evaluate would raise always, or
// never.
func TestCheckedWrites(t *testing.T) {
	t.Parallel()
	d := dialect.Postgres()
	id := []dialect.Column{{Name: "id", Type: value.TypeInt64}}
	version := dialect.Column{Name: "version", Type: value.TypeInt64}
	email := []dialect.Column{{Name: "email", Type: value.TypeText}}
	integer, text := value.TypeInt64, value.TypeText
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		f := setup(t, func(cfg *driver.Config) { cfg.URL += "&plan_cache_mode=" + mode })
		c := users(f)
		update := d.Update(dialect.Update{Table: "users", Key: id, Version: version, Set: email})
		returning := d.Update(dialect.Update{Table: "users", Key: id, Version: version, Set: email, Returning: []string{"version", "email"}})
		batch := d.Update(dialect.Update{Table: "users", Key: id, Version: version, Set: email, Batch: true})
		remove := d.Delete(dialect.Delete{Table: "users", Key: id, Version: version})
		removeAll := d.Delete(dialect.Delete{Table: "users", Key: id, Batch: true})
		checked := func(sql string, result []value.Type, types []value.Type, n int, args ...value.Value) driver.Statement {
			return driver.Statement{SQL: sql, Types: types, Args: args, Batch: n, Result: result, Checked: true, Expect: 1, Query: "test"}
		}
		three := []value.Type{integer, integer, text}
		i, s := value.OfInt, value.OfText
		f.must(c, begin, driver.Commit, insertUser(1, "a"), insertUser(2, "b"), insertUser(3, "c"))
		for range 2 {
			for _, stale := range []struct {
				row int
				s   driver.Statement
			}{
				{0, checked(update, nil, three, 0, i(1), i(99), s("x"))},
				{0, checked(update, nil, three, 0, i(99), i(1), s("x"))},
				{0, checked(returning, []value.Type{integer, text}, three, 0, i(1), i(99), s("x"))},
				{1, checked(batch, nil, three, 3, i(1), i(1), s("x"), i(2), i(99), s("x"), i(3), i(99), s("x"))},
				{0, checked(remove, nil, []value.Type{integer, integer}, 0, i(1), i(99))},
				{2, checked(removeAll, nil, []value.Type{integer}, 3, i(1), i(2), i(99))},
			} {
				_, err := f.run(c, begin, driver.Commit, countUsers(), stale.s)
				if e := scriptError(t, err); !errors.Is(err, fault.Stale) || e.Statement != 1 || e.Row != stale.row {
					t.Errorf("%s: %s: statement %d row %d: %v", mode, stale.s.SQL, e.Statement, e.Row, err)
				}
			}
		}
		for v := int64(1); v < 4; v++ {
			f.must(c, begin, driver.Commit, checked(update, nil, three, 0, i(1), i(2*v-1), s("x")))
			got := f.must(c, begin, driver.Commit, checked(returning, []value.Type{integer, text}, three, 0, i(1), i(2*v), s("y")))
			if len(got) != 1 || len(got[0]) != 3 || !got[0][2].IsNull() || got[0][0] != i(2*v+1) || got[0][1] != s("y") {
				t.Errorf("%s: returned %v", mode, got)
			}
			f.must(c, begin, driver.Commit, checked(batch, nil, three, 2, i(3), i(v), s("c"), i(2), i(v), s("b")))
		}
		f.must(c, begin, driver.Commit, checked(remove, nil, []value.Type{integer, integer}, 0, i(1), i(7)))
		f.must(c, begin, driver.Commit, checked(removeAll, nil, []value.Type{integer}, 2, i(3), i(2)))
		if got := f.must(c, nil, driver.Stay, countUsers())[0][0].Int(); got != 0 {
			t.Errorf("%s: %d users, want 0", mode, got)
		}
	}
}

// A script whose statements and answers are both larger than any buffer on the way does not block itself.
func TestLargeScript(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := f.lend()
	big := strings.Repeat("x", 10_000)
	var all []driver.Statement
	for range 2000 {
		all = append(all, query([]value.Type{value.TypeText}, "SELECT $1", value.OfText(big)))
	}
	got := f.must(c, begin, driver.Commit, all...)
	if len(got) != len(all) || got[1999][0].Str() != big {
		t.Errorf("%d rows came back, want %d", len(got), len(all))
	}
}
