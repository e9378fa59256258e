package wireproxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/urutu-go/urutu/internal/testdb"
)

// postgres starts a proxy in front of a database of the test's own, and returns the URL that leads through it.
func postgres(t testing.TB) (p *Proxy, address string) {
	t.Helper()
	direct := testdb.Postgres(t)
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	p = Start(t, u.Host)
	return p, p.URL(direct)
}

func connect(t testing.TB, address string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func exec(t testing.TB, c *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := c.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func TestTripsOfARealClient(t *testing.T) {
	t.Parallel()
	p, address := postgres(t)
	c := connect(t, address)
	expect := func(what string, want int, do func()) {
		t.Helper()
		before := p.Trips()
		do()
		if n := p.Trips() - before; n != want {
			t.Errorf("%s: %d trips, want %d", what, n, want)
		}
	}
	expect("the handshake", 0, func() { connect(t, address) })
	expect("a simple statement", 1, func() { exec(t, c, "CREATE TABLE t (n bigint, s text)") })
	expect("a statement that is prepared first", 2, func() { exec(t, c, "INSERT INTO t (n) VALUES ($1)", 1) })
	expect("the same, prepared", 1, func() { exec(t, c, "INSERT INTO t (n) VALUES ($1)", 2) })
	expect("a megabyte", 2, func() { exec(t, c, "INSERT INTO t (s) VALUES ($1)", strings.Repeat("x", 1<<20)) })
	expect("an answer of a megabyte", 1, func() { exec(t, c, "SELECT s FROM t") })
	expect("a pipeline of 1000", 1, func() {
		pipe := c.PgConn().StartPipeline(t.Context())
		for range 1000 {
			pipe.SendQueryParams("SELECT repeat('x', 1000), $1::text", [][]byte{[]byte(strings.Repeat("y", 1000))}, nil, nil, nil)
		}
		pipe.SendPipelineSync()
		if err := pipe.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := pipe.Close(); err != nil {
			t.Error(err)
		}
	})
	expect("the farewell", 0, func() { _ = c.Close(t.Context()) })
	if n := p.Connections(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

func TestCuts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		cut  func(*Proxy, []byte)
		on   string // what the cut waits for
		want int    // rows, once the line is gone
	}{
		{"before it was sent", (*Proxy).CutBeforeSent, "INSERT", 0},
		{"after it was sent", (*Proxy).CutAfterSent, "INSERT", 1},
		{"before the reply", (*Proxy).CutBeforeReply, "INSERT 0 1", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, address := postgres(t)
			c, other := connect(t, address), connect(t, address)
			exec(t, c, "CREATE TABLE t (n bigint)")
			tt.cut(p, []byte(tt.on))
			dropCancels(p)
			if _, err := c.Exec(t.Context(), "INSERT INTO t VALUES (1)"); err == nil {
				t.Error("the line was not cut")
			}
			// The server may act on what it has got a moment later.
			deadline := time.Now().Add(10 * time.Second)
			for n := -1; n != tt.want; {
				if err := other.QueryRow(t.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil {
					t.Fatal(err)
				}
				if time.Now().After(deadline) {
					t.Fatalf("%d rows, want %d", n, tt.want)
				}
			}
			exec(t, other, "INSERT INTO t VALUES (2)") // one line is cut, and no more
		})
	}
}

// dropCancels keeps from the server what pgx asks of it when a line breaks: to give up what was under way.
func dropCancels(p *Proxy) {
	watch := p.onSent
	p.OnSent(func(b []byte) Verdict {
		switch {
		case bytes.Contains(b, []byte{0x04, 0xd2, 0x16, 0x2e}): // CancelRequest
			return Cut
		case watch != nil:
			return watch(b)
		default:
			return Pass
		}
	})
}

func TestHoldReplies(t *testing.T) {
	t.Parallel()
	p, address := postgres(t)
	c := connect(t, address)
	exec(t, c, "CREATE TABLE t (n bigint)")
	var seen atomic.Bool
	p.OnReply(func([]byte) Verdict { seen.Store(true); return Pass })
	release := p.HoldReplies()
	answered := make(chan error)
	go func() {
		_, err := c.Exec(context.Background(), "INSERT INTO t VALUES (1)")
		answered <- err
	}()
	for !seen.Load() { // the server has answered
		select {
		case err := <-answered:
			t.Fatalf("the reply was not held: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	select {
	case err := <-answered:
		t.Fatalf("the reply was not held: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	release()
	release()
	if err := <-answered; err != nil {
		t.Error(err)
	}
	exec(t, c, "INSERT INTO t VALUES (2)")
}

func TestCloseWhileRepliesAreHeld(t *testing.T) {
	t.Parallel()
	p, err := New(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, p)
	p.HoldReplies()
	p.SetDelay(time.Hour)
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	p.Close()
	p.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the line is open: %v", err)
	}
}

func TestSever(t *testing.T) {
	t.Parallel()
	p, address := postgres(t)
	c := connect(t, address)
	p.Sever()
	if err := c.Ping(t.Context()); err == nil {
		t.Error("the line is open")
	}
	exec(t, connect(t, address), "SELECT 1")
}

func TestAwaitEnded(t *testing.T) {
	t.Parallel()
	p := Start(t, echo(t))
	c := dial(t, p)
	exchange(t, c, []byte("hello"))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	p.AwaitEnded(1)
	if n := len(p.open()); n != 0 {
		t.Errorf("%d lines", n)
	}
	p.AwaitEnded(1)
	p.Close()
	p.AwaitEnded(2)
}

// A server that is not there ends the client's connection.
func TestNoServer(t *testing.T) {
	t.Parallel()
	l, err := New("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	c := dial(t, l)
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// The answer to bytes after which the line is cut can come before the cut: it is not passed on.
func TestNoAnswerToWhatCutsTheLine(t *testing.T) {
	t.Parallel()
	p := Start(t, echo(t))
	for range 200 {
		c := dial(t, p)
		p.CutAfterSent([]byte("x"))
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 1)); err == nil {
			t.Fatalf("%d bytes came back", n)
		}
		_ = c.Close()
	}
}
