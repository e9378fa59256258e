//go:build unix

package chaos

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/testdb"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

// newCluster makes a server for a test.
func newCluster(t *testing.T) *Cluster {
	t.Helper()
	c, err := NewCluster(t.Context())
	if errors.Is(err, ErrNoServer) {
		testdb.Missing(t, "PostgreSQL's programs", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// TestServerSpeaksAnotherLanguage: the rig's server, on which all of its runs are, says everything in German, and what
// it says means what it does elsewhere.
func TestServerSpeaksAnotherLanguage(t *testing.T) {
	c := newCluster(t)
	conn, err := pgx.Connect(t.Context(), c.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	_, err = conn.Exec(t.Context(), "SELECT 1/0")
	if e := new(pgconn.PgError); !errors.As(err, &e) || e.Message != "Division durch Null" || e.Severity != "FEHLER" {
		testdb.Missing(t, "PostgreSQL's German", err)
	}
	db, err := open(t.Context(), c.URL(), newLife())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := conn.Exec(t.Context(), "CREATE TABLE things (id int PRIMARY KEY CHECK (id > 0), of int REFERENCES things, name text NOT NULL DEFAULT '');"+
		" INSERT INTO things VALUES (1, NULL)"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text string
		want fault.Kind
	}{
		{"INSERT INTO things VALUES (1, NULL)", fault.Unique},
		{"INSERT INTO things VALUES (2, 7)", fault.ForeignKey},
		{"INSERT INTO things VALUES (-1, NULL)", fault.Check},
		{"INSERT INTO things VALUES (2, NULL, NULL)", fault.NotNull},
		{"SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)", fault.StatementTimeout},
		{"SELECT pg_terminate_backend(pg_backend_pid())", fault.ConnectionLost},
		{"DO $$ BEGIN RAISE serialization_failure; END $$", fault.Serialization},
		{"DO $$ BEGIN RAISE deadlock_detected; END $$", fault.Deadlock},
		{"SET LOCAL lock_timeout = 1; LOCK TABLE things", fault.LockTimeout},
	} {
		if c.want == fault.LockTimeout {
			if _, err := conn.Exec(t.Context(), "BEGIN; LOCK TABLE things"); err != nil {
				t.Fatal(err)
			}
		}
		err := db.Do(t.Context(), func(ctx context.Context) error {
			for text := range strings.SplitSeq(c.text, "; ") {
				if strings.HasPrefix(c.text, "DO") {
					text = c.text
				}
				if _, err := session.From(ctx).ExecContext(ctx, text); err != nil {
					return err
				}
			}
			return nil
		}, uow.Options{Timeout: 10 * time.Second})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %s", c.text, err, c.want)
		}
	}
}
