package pgxdriver

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/wireproxy"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

// sent notes what crosses the wire until the returned function is called, which returns it.
func (f *fixture) sent() func() []byte {
	var mu sync.Mutex
	var all []byte
	f.proxy.OnSent(func(b []byte) wireproxy.Verdict {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, b...)
		return wireproxy.Pass
	})
	return func() []byte {
		f.proxy.OnSent(nil)
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

// says reports whether a script is sent with a BEGIN.
func (f *fixture) says(c driver.Conn, o *driver.TxOptions, s ...driver.Statement) bool {
	f.t.Helper()
	sent := f.sent()
	f.must(c, o, driver.Commit, s...)
	return bytes.Contains(sent(), []byte("BEGIN"))
}

// asked returns a connection on the table of users that knows its level.
func asked(f *fixture) driver.Conn {
	f.t.Helper()
	c := users(f)
	f.must(c, begin, driver.Commit, insertUser(1000, "first"))
	return c
}

// A script that is a whole transaction goes without BEGIN and COMMIT once the connection has said that its level is the
// one that is wanted; every other one has them.
func TestImplicitTransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := users(f)
	for _, p := range []struct {
		name  string
		begin bool
		o     *driver.TxOptions
		s     driver.Statement
	}{
		{"the first one asks", true, begin, insertUser(1, "a")},
		{"the next one knows", false, begin, insertUser(2, "b")},
		{"its level is said", false, &driver.TxOptions{Isolation: uow.ReadCommitted}, insertUser(3, "c")},
		{"another level", true, &driver.TxOptions{Isolation: uow.Serializable}, insertUser(4, "d")},
		{"only reads", true, &driver.TxOptions{ReadOnly: true}, countUsers()},
		{"a timeout", true, &driver.TxOptions{LockTimeout: time.Second}, insertUser(5, "e")},
		{"another command", true, begin, statement("CREATE TABLE others ()")},
	} {
		if got := f.says(c, p.o, p.s); got != p.begin {
			t.Errorf("%s: BEGIN is sent: %v", p.name, got)
		}
	}
}

// Where the level may be another one, BEGIN says it.
func TestExplicitTransaction(t *testing.T) {
	t.Parallel()
	f := setup(t, func(cfg *driver.Config) {
		cfg.URL += "&default_transaction_isolation=serializable"
	})
	c := asked(f)
	if !f.says(c, begin, insertUser(1, "a")) {
		t.Error("no BEGIN where the server would begin another transaction than is wanted")
	}

	f = setup(t, func(cfg *driver.Config) { cfg.MaxOpen, cfg.MaxIdle = 1, 1 })
	c = f.acquire()
	f.must(c, nil, driver.Stay, statement(createUsers))
	f.must(c, begin, driver.Commit, insertUser(1, "a"))
	sql := c.(driver.SQLConn).SQLConn()
	if !f.says(c, begin, insertUser(2, "b")) {
		t.Error("no BEGIN on a connection that was lent on")
	}
	if _, err := sql.ExecContext(t.Context(), "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE"); err != nil {
		t.Fatal(err)
	}
	c.Release()
	c = f.lend()
	level := query([]value.Type{value.TypeText}, "SELECT current_setting('transaction_isolation')")
	for range 2 {
		if got := f.must(c, begin, driver.Commit, level)[0][0].Str(); got != "read committed" {
			t.Errorf("a transaction is %s", got)
		}
	}

	f = setup(t, func(cfg *driver.Config) { cfg.Pooler = true })
	c = asked(f)
	if !f.says(c, begin, insertUser(1, "a")) {
		t.Error("no BEGIN behind a pooler")
	}
}

// A statement that fails takes the others with it, and so does a constraint that is checked at the end. The connection is
// idle, and the next script runs on it.
func TestImplicitTransactionFails(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := asked(f)
	f.must(c, nil, driver.Stay, statement(
		"ALTER TABLE users DROP CONSTRAINT users_email_key, ADD UNIQUE (email) DEFERRABLE INITIALLY DEFERRED",
	))
	for _, p := range []struct {
		name string
		at   int
		s    []driver.Statement
	}{
		{"in a statement", 1, []driver.Statement{insertUser(1, "a"), insertUser(1000, "b"), insertUser(2, "c")}},
		{"at the end", driver.AtEnd, []driver.Statement{insertUser(1, "first")}},
	} {
		for range 2 {
			n := f.trips(func() {
				_, err := f.run(c, begin, driver.Commit, p.s...)
				if e := scriptError(t, err); e.Statement != p.at || !errors.Is(err, fault.Unique) {
					t.Errorf("%s: statement %d: %v", p.name, e.Statement, err)
				}
			})
			if n != 1 {
				t.Errorf("%s: %d trips", p.name, n)
			}
		}
		if got := f.must(c, nil, driver.Stay, countUsers())[0][0].Int(); got != 1 {
			t.Errorf("%s: %d users, want 1", p.name, got)
		}
	}
	if n := f.proxy.Connections(); n != 1 {
		t.Errorf("%d connections were made, want 1", n)
	}
}

// A line that breaks leaves the outcome open, whether the server saw the script or not.
func TestImplicitOutcomeUnknown(t *testing.T) {
	t.Parallel()
	for want, lose := range []func(p *wireproxy.Proxy){
		func(p *wireproxy.Proxy) { p.CutBeforeSent(nil) },
		func(p *wireproxy.Proxy) { p.CutBeforeReply(nil) },
	} {
		f := setup(t)
		c := asked(f)
		lose(f.proxy)
		_, err := f.run(c, begin, driver.Commit, insertUser(1, "a"))
		if e := scriptError(t, err); !errors.Is(err, fault.OutcomeUnknown) || e.Statement != driver.AtEnd {
			t.Errorf("%d: %v", want, err)
		}
		f.proxy.OnSent(nil)
		f.proxy.OnReply(nil)
		if got := f.must(f.lend(), nil, driver.Stay, countUsers())[0][0].Int(); got != int64(1+want) {
			t.Errorf("%d users, want %d", got, 1+want)
		}
	}
}

// A server that ends the connection in a statement has committed nothing; one that does so at the end may have.
func TestImplicitTransactionTerminated(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]fault.Kind{"in a statement": fault.ConnectionLost, "at the end": fault.OutcomeUnknown} {
		f := setup(t)
		c := asked(f)
		f.must(c, nil, driver.Stay,
			statement("CREATE FUNCTION suicide() RETURNS trigger LANGUAGE plpgsql AS "+
				"'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'"),
			statement("CREATE CONSTRAINT TRIGGER t AFTER INSERT ON users "+
				map[string]string{"in a statement": "NOT DEFERRABLE", "at the end": "DEFERRABLE INITIALLY DEFERRED"}[name]+
				" FOR EACH ROW EXECUTE FUNCTION suicide()"))
		_, err := f.run(c, begin, driver.Commit, insertUser(1, "a"))
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A deadline that fires while the answer is under way does not make a committed script fail.
func TestDeadlineDuringTheImplicitCommitsAnswer(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := asked(f)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.proxy.OnReply(func([]byte) wireproxy.Verdict {
		cancel()
		return wireproxy.Pass
	})
	s := &driver.Script{Begin: begin, End: driver.Commit, Statements: []driver.Statement{insertUser(1, "a")}}
	if err := c.Run(ctx, s, driver.Discard); err != nil {
		t.Errorf("a committed script: %v", err)
	}
}

// A burst that is larger than the buffers below the connection, and whose answers are too, is sent and read at once.
func TestLargeBurst(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := users(f)
	text := value.OfText(string(bytes.Repeat([]byte("x"), 1<<16)))
	statements := make([]driver.Statement, 300)
	for i := range statements {
		statements[i] = query([]value.Type{value.TypeText}, "SELECT $1::text || 'y'", text)
	}
	for range 2 {
		all := f.must(c, begin, driver.Commit, statements...)
		if len(all) != 300 || len(all[299][0].Str()) != 1<<16+1 {
			t.Fatalf("%d rows came back", len(all))
		}
	}
	f.proxy.CutAfterSent([]byte("xxx"))
	if _, err := f.run(c, begin, driver.Commit, statements...); !errors.Is(err, fault.OutcomeUnknown) {
		t.Errorf("a line that breaks in the middle: %v", err)
	}
}
