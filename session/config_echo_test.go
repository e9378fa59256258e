package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// Login has what must not be printed.
type Login struct {
	entity.Identifiable
	Name     string
	Password string `db:"password,secret"`
	Tries    int64  `db:"tries"`
}

var logins = entity.Columns[Login]()

// record is a logger's lines.
type record struct {
	mu sync.Mutex
	bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Buffer.Write(p)
}

// take returns the lines since the last call.
func (r *record) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.Reset()
	return strings.NewReplacer(`\"`, "`", `"`, "").Replace(r.String())
}

// openEcho opens a database that echoes, with two logins in it.
func openEcho(t *testing.T, b backend, change func(*session.Config)) (*fixture, *record) {
	t.Helper()
	lines := &record{}
	f := open(t, b, func(c *session.Config) {
		c.Echo = true
		c.Logger = slog.New(slog.NewTextHandler(lines, nil))
		change(c)
	})
	f.do(t, func(ctx context.Context) error {
		return errors.Join(session.CreateTables(ctx, (*Login)(nil)),
			session.Add(ctx, &Login{Name: "first name", Password: "hunter2"}, &Login{Name: "second", Password: "hunter2"}))
	})
	return f, lines
}

// expectLines checks which parts the lines have, and which they do not.
func expectLines(t *testing.T, what, lines string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		want := !strings.HasPrefix(part, "!")
		if strings.Contains(lines, strings.TrimPrefix(part, "!")) != want {
			t.Errorf("%s: %q in\n%s", what, part, lines)
		}
	}
}

// TestPromise50_echo: every statement with the types and lengths of its arguments, its duration and rows, and no values.
func TestPromise50_echo(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f, lines := openEcho(t, b, func(c *session.Config) { c.Name = "shop" })
		lines.take()
		f.intercept(func(_ *driver.Script, run func() error) error { f.clock.advance(1500 * time.Millisecond); return run() })
		f.do(t, func(ctx context.Context) error {
			return session.Add(ctx, &Login{Name: "Ann Other", Password: "swordfish", Tries: 7})
		})
		expectLines(t, "insert", lines.take(), "level=INFO", "connection=shop", "BEGIN; INSERT INTO `logins`", "; COMMIT",
			"[uuid(16), text(9), text(9), int64(8)]", "duration=1.5s", "rows=1", "!Ann", "!swordfish", "!error=")

		f.do(t, func(ctx context.Context) error {
			_, err := session.Find[Login](ctx, query.Eq(&logins.Name, "second"))
			return errors.Join(err, ignore(session.Find[Login](ctx, query.In(&logins.Tries, 1, 2, 3))))
		})
		expectLines(t, "queries", lines.take(), "SELECT", "WHERE `name` = ", "[text(6)]", "rows=1", "rows=0", "int64", "!second", "!BEGIN")

		f.do(t, func(ctx context.Context) error {
			_, err := session.From(ctx).ExecContext(ctx, "DELETE FROM logins WHERE name = "+placeholder(b), "Ann Other")
			return errors.Join(err, session.From(ctx).QueryRowContext(ctx, "SELECT count(*) FROM logins").Scan(new(int)))
		})
		expectLines(t, "raw SQL", lines.take(), "sql=DELETE FROM logins WHERE name = "+placeholder(b)+" [string(9)]",
			"raw=session.ExecContext", "rows=1", "SELECT count(*) FROM logins", "raw=session.QueryRowContext", "COMMIT", "!Ann")

		err := f.Do(t.Context(), func(ctx context.Context) error {
			l := entity.New[Login]()
			return errors.Join(session.Add(ctx, l), session.Flush(ctx), session.Expunge(ctx, l), session.Add(ctx, l))
		})
		if !errors.Is(err, fault.Unique) {
			t.Error(err)
		}
		expectLines(t, "an error", lines.take(), "error=unique", "COMMIT")
	})
}

func ignore(_ any, err error) error { return err }

func placeholder(b backend) string {
	if b.name == "postgres" {
		return "$1"
	}
	return "?"
}

// TestPromise50_echo_of_batches: only the first rows of a batch are printed.
func TestPromise50_echo_of_batches(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f, lines := openEcho(t, b, func(c *session.Config) { c.EchoValues = true })
		lines.take()
		f.do(t, func(ctx context.Context) error {
			for i := range 10 {
				if err := session.Add(ctx, &Login{Name: fmt.Sprint("name ", i)}); err != nil {
					return err
				}
			}
			return nil
		})
		expectLines(t, "ten rows", lines.take(), "name 0", "name 2", "!name 3", "… 7 more rows", "rows=10")
	})
}

// TestPromise50_echo_values: with EchoValues the values too, but never those of secret fields, raw SQL and staged rows.
func TestPromise50_echo_values(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f, lines := openEcho(t, b, func(c *session.Config) { c.EchoValues = true })
		expectLines(t, "insert", lines.take(), "first name", "text(7)", "!hunter2")

		f.do(t, func(ctx context.Context) error {
			l, err := session.First[Login](ctx, query.Eq(&logins.Name, "second"))
			if err == nil {
				l.Password, l.Tries = "correct horse", 123456
			}
			return err
		})
		expectLines(t, "update", lines.take(), "[second, 1]", "123456", "text(13)", "!horse")

		f.do(t, func(ctx context.Context) error {
			var err error
			for _, p := range []query.Predicate{
				query.Eq(&logins.Password, "hunter2"), query.Ne(&logins.Password, "hunter2"), query.In(&logins.Password, "hunter2"),
				query.NotIn(&logins.Password, "hunter2", "horse"), query.HasPrefix(&logins.Password, "hunter"),
				query.EqFold(&logins.Password, "Hunter2"), query.And(query.Eq(&logins.Name, "shown"), query.Gt(&logins.Password, "hunter1")),
			} {
				_, e1 := session.Find[Login](ctx, p, query.Limit(77))
				_, e2 := session.Count[Login](ctx, p)
				_, e3 := session.Page[Login](ctx, query.PageRequest{}, p)
				err = errors.Join(err, e1, e2, e3)
			}
			return err
		})
		expectLines(t, "predicates", lines.take(), "77", "shown", "text(7)", "!hunter", "!Hunter", "!horse")

		f.do(t, func(ctx context.Context) error {
			_, err := session.From(ctx).ExecContext(ctx, "DELETE FROM logins WHERE password = "+placeholder(b), "hunter2")
			return errors.Join(err, session.Stage(ctx, session.Rows{
				Table:   "logins",
				Columns: []dialect.Column{{Name: "id", Type: value.TypeUUID}, {Name: "name", Type: value.TypeText}, {Name: "password", Type: value.TypeText}, {Name: "tries", Type: value.TypeInt64}},
				Values:  []value.Value{value.OfUUID([16]byte{1}), value.OfText("a message"), value.OfText(""), value.OfInt(31337)},
			}))
		})
		expectLines(t, "raw and staged", lines.take(), "[string(7)]", "[uuid(16), text(9), text(0), int64(8)]",
			"!hunter2", "!a message", "!31337")
	})
}

// TestPromise50_no_echo: without Echo nothing is printed, whatever EchoValues says.
func TestPromise50_no_echo(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		_, lines := openEcho(t, b, func(c *session.Config) { c.Echo, c.EchoValues = false, true })
		if text := lines.take(); text != "" {
			t.Errorf("printed %s", text)
		}
	})
}
