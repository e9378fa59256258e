package pgxdriver

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/wireproxy"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// A line that breaks after the commit was sent leaves the outcome open, whether the server saw it or not.
func TestOutcomeUnknown(t *testing.T) {
	t.Parallel()
	for _, lost := range []string{"the burst", "the answer"} {
		f := setup(t)
		c := users(f)
		if lost == "the burst" {
			f.proxy.CutBeforeSent([]byte("COMMIT"))
		} else {
			f.proxy.CutBeforeReply([]byte("COMMIT"))
		}
		_, err := f.run(c, begin, driver.Commit, insertUser(1, "a"))
		if e := scriptError(t, err); !errors.Is(err, fault.OutcomeUnknown) || e.Statement != driver.AtEnd {
			t.Errorf("%s was lost: %v", lost, err)
		}
		if _, err := f.run(c, nil, driver.Stay, countUsers()); !errors.Is(err, fault.ConnectionLost) {
			t.Errorf("a broken connection: %v", err)
		}
		c = f.lend()
		want := int64(0)
		if lost == "the answer" {
			want = 1
		}
		if got := f.must(c, nil, driver.Stay, countUsers())[0][0].Int(); got != want {
			t.Errorf("%s was lost: %d users, want %d", lost, got, want)
		}
	}
}

// What is lost before a commit was sent is just lost. A write that commits by itself is not.
func TestConnectionLost(t *testing.T) {
	t.Parallel()
	for _, p := range []struct {
		name  string
		begin *driver.TxOptions
		run   driver.Statement
		want  fault.Kind
	}{
		{"in a transaction", begin, insertUser(1, "a"), fault.ConnectionLost},
		{"a read", nil, countUsers(), fault.ConnectionLost},
		{"a write by itself", nil, insertUser(1, "a"), fault.OutcomeUnknown},
	} {
		f := setup(t)
		c := users(f)
		f.proxy.CutBeforeSent(nil)
		_, err := f.run(c, p.begin, driver.Stay, p.run)
		if !errors.Is(err, p.want) {
			t.Errorf("%s: %v, want %v", p.name, err, p.want)
		}
	}
}

// A server that ends the connection says so before it has done anything, and that is an answer.
func TestTerminatedByTheServer(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := users(f)
	suicide := query([]value.Type{value.TypeBool}, "SELECT pg_terminate_backend(pg_backend_pid())")
	_, err := f.run(c, begin, driver.Commit, insertUser(1, "a"), suicide)
	if e := scriptError(t, err); !errors.Is(err, fault.ConnectionLost) || e.Statement != 1 {
		t.Errorf("statement %d: %v", e.Statement, err)
	}
	c = f.lend()
	if got := f.must(c, nil, driver.Stay, countUsers())[0][0].Int(); got != 0 {
		t.Errorf("%d users, want 0", got)
	}
}

// A deadline that fires while the answer to the commit is under way does not make a committed script fail.
func TestDeadlineDuringTheCommitsAnswer(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := users(f)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.proxy.OnReply(func(b []byte) wireproxy.Verdict {
		if bytes.Contains(b, []byte("COMMIT")) {
			cancel()
		}
		return wireproxy.Pass
	})
	err := c.Run(ctx, &driver.Script{Begin: begin, End: driver.Commit, Statements: []driver.Statement{insertUser(1, "a")}}, driver.Discard)
	if err != nil {
		t.Errorf("a committed script: %v", err)
	}
	if ctx.Err() == nil {
		t.Error("the context was not canceled meanwhile")
	}
	f.proxy.OnReply(nil)
	if got := f.must(c, nil, driver.Stay, countUsers())[0][0].Int(); got != 1 {
		t.Errorf("%d users, want 1", got)
	}
}

// The server's farewell to an idle connection is seen before the connection is used again.
func TestFarewell(t *testing.T) {
	t.Parallel()
	f := setup(t, func(cfg *driver.Config) { cfg.MaxOpen, cfg.MaxIdle = 2, 2 })
	c := users0(f)
	pid := f.must(c, nil, driver.Stay, query([]value.Type{value.TypeInt64}, "SELECT pg_backend_pid()"))[0][0]
	other := f.lend()
	said := make(chan struct{})
	var once atomic.Bool
	f.proxy.OnReply(func(b []byte) wireproxy.Verdict {
		if bytes.Contains(b, []byte("57P01")) && once.CompareAndSwap(false, true) {
			close(said)
		}
		return wireproxy.Pass
	})
	c.Release()
	f.must(other, nil, driver.Stay, query([]value.Type{value.TypeBool}, "SELECT pg_terminate_backend($1::int)", pid))
	select {
	case <-said:
	case <-time.After(10 * time.Second):
		t.Fatal("the server did not end the connection")
	}
	f.proxy.AwaitEnded(1)
	c = f.lend()
	f.must(c, begin, driver.Commit, insertUser(1, "a"))
}

// A pool that is exhausted makes Acquire wait as long as the context says, and its error is the context's own.
func TestAcquireGivesUp(t *testing.T) {
	t.Parallel()
	f := setup(t, func(cfg *driver.Config) { cfg.MaxOpen, cfg.MaxIdle = 1, 1 })
	_ = f.lend()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := f.pool.Acquire(ctx, driver.Read); err != context.DeadlineExceeded { //nolint:errorlint // a wrapped one is what must not be
		t.Errorf("%v, want the context's own error", err)
	}
}

func TestCloseWaitsForLentConnections(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := f.acquire()
	closed := make(chan error)
	go func() { closed <- f.pool.Close() }()
	for {
		// The pool is closing once it lends nothing any more.
		other, err := f.pool.Acquire(t.Context(), driver.Read)
		if err != nil {
			break
		}
		other.Release()
	}
	select {
	case err := <-closed:
		t.Fatalf("Close did not wait: %v", err)
	default:
	}
	f.must(c, nil, driver.Stay, query([]value.Type{value.TypeInt64}, "SELECT 1"))
	c.Release()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := f.pool.Acquire(t.Context(), driver.Read); !errors.Is(err, fault.ConnectionLost) {
		t.Errorf("a closed pool: %v", err)
	}
}

// A transaction that somebody else has ended is not committed, and nothing is written outside of it.
func TestEndedByOtherMeans(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := users(f)
	f.must(c, begin, driver.Stay, insertUser(1, "a"))
	if _, err := c.(driver.SQLConn).SQLConn().ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	for _, end := range []driver.End{driver.Stay, driver.Commit} {
		if _, err := f.run(c, nil, end, insertUser(2, "b")); !errors.Is(err, fault.SessionFailed) {
			t.Errorf("%s: %v", end, err)
		}
	}
	f.must(c, begin, driver.Commit, insertUser(3, "c")) // the failed commit was its end
	if got := f.must(c, nil, driver.Stay, countUsers())[0][0].Int(); got != 1 {
		t.Errorf("%d users, want 1", got)
	}
}
